"""The rows that somebody has to look at."""

from __future__ import annotations

from collections.abc import Iterator

from leavo_async._sansio.text import printable
from leavo_async.bulk.results import RowResult, State, Tally

WORDS: dict[State, str] = {
    "created": "created",
    "existing": "already there",
    "rejected": "rejected",
    "unknown": "outcome unknown",
    "unsent": "not sent",
    "empty": "empty rows",
}
_SHOWN = 20


def open_row_lines(tally: Tally, rejects: str | None) -> Iterator[str]:
    """A line for each of the first twenty, in the order of the file, and how many more there are."""
    rows = sorted(tally.open_rows, key=lambda result: result.row.line)[:_SHOWN]
    for result in rows:
        yield f"  line {result.row.line:<6} {WORDS[result.state]}: {printable(result.reason)}"
    if hidden := tally.open_count - len(rows):
        yield f"  and {hidden:,} more" + ("" if rejects else "; --rejects FILE keeps them all")
    if rejects is not None and tally.open_count:
        yield f"Written to {rejects}: mend it and import it again."


def open_rows_json(tally: Tally) -> list[dict[str, object]]:
    """The same for programs: the first thousand."""
    return [_as_dict(result) for result in sorted(tally.open_rows, key=lambda result: result.row.line)]


def _as_dict(result: RowResult) -> dict[str, object]:
    line, state, reason = result.row.line, result.state, result.reason
    return {"line": line, "state": state, "status": result.status, "code": result.code, "reason": reason}
