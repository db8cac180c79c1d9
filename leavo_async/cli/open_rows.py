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


def open_row_lines(tally: Tally, rejects: str | None, asked: bool) -> Iterator[str]:
    """A line for each of the first twenty, in the order of the file, and how many more there are.

    rejects: the file that has them all; None if there is none. asked: whether one was asked for.
    """
    rows = sorted(tally.open_rows, key=lambda result: result.row.line)[:_SHOWN]
    for result in rows:
        # Why a row was not sent is not about the row: it is told once, at the end.
        reason = "" if result.state == "unsent" else f": {printable(result.reason)}"
        yield f"  line {result.row.line:<6} {WORDS[result.state]}{reason}"
    if hidden := tally.open_count - len(rows):
        yield f"  and {hidden:,} more" + ("" if asked else "; --rejects FILE keeps them all")
    if rejects is not None and tally.open_count:
        yield f"Written to {rejects}: mend it and import it again."


def open_rows_json(tally: Tally) -> list[dict[str, object]]:
    """The same for programs: the first thousand."""
    return [_as_dict(result) for result in sorted(tally.open_rows, key=lambda result: result.row.line)]


def _as_dict(result: RowResult) -> dict[str, object]:
    line, state, reason = result.row.line, result.state, result.reason
    return {"line": line, "state": state, "status": result.status, "code": result.code, "reason": reason}
