"""The end of an import, for people and for programs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from leavo_async._sansio.text import printable
from leavo_async.bulk.report import Report
from leavo_async.bulk.states import OUTCOMES, RowRecord, State
from leavo_async.bulk.words import counted
from leavo_async.cli.exit_codes import ExitCode

_SHOWN = 10
_LOOKED_AT: tuple[State, ...] = ("failed", "invalid", "held", "unknown")


def summary_lines(
    report: Report, code: ExitCode, read_back: int | None, written: str | None, *, asked: bool, is_kept: bool = True
) -> Iterator[str]:
    """The summary for people. It blocks: it reads rows.

    code: what a real import ends with. read_back: leads that the sandbox had afterwards; None for a real import.
    written: the file with the rows that are open; asked: whether one was asked for. is_kept: whether there will be such
    a job, to go on with.
    """
    yield from (line for line in report.lines() if is_kept or not line.startswith("  next:"))
    yield from open_row_lines(report, written, asked=asked, is_kept=is_kept)
    meaning = f"exit code {code}: {code.meaning}"
    if read_back is not None:
        yield f"Read back from the sandbox: {counted(read_back, 'lead')}."
        yield f"This was the sandbox. A real import would have ended with {meaning}."
    elif code:
        yield f"Ended with {meaning}."


def report_json(report: Report, code: ExitCode, read_back: int | None, written: str | None) -> str:
    """The summary for programs: one JSON object."""
    told: dict[str, object] = {
        "job": report.job,
        "file": report.source,
        "rows": sum(report.counts.values()) + report.empty,
        "empty": report.empty,
        **{name: report.outcomes.get(name, 0) for name in OUTCOMES},
        **{str(state): count for state, count in report.counts.items()},
        "reasons": [reason._asdict() for reason in report.reasons],
        "seconds": round(report.seconds, 3),
        "runs": len(report.runs),
        "requests": report.requests,
        "responses_429": report.refused,
        "stopped_by": report.stopped_by,
        "read_back": read_back,
        "rejects": written,
        "journal": str(report.journal),
        "exit_code": int(code),
    }
    return json.dumps(told)


def open_row_lines(report: Report, written: str | None, *, asked: bool, is_kept: bool = True) -> Iterator[str]:
    """A line for each of the first ten rows that somebody has to look at, and where the others are."""
    count = sum(report.counts[state] for state in _LOOKED_AT)
    rows = report.rows(*_LOOKED_AT)
    for row, _ in zip(rows, range(_SHOWN), strict=False):
        yield _line(row)
    if count > _SHOWN:
        others = f"leavo jobs failures {report.job} -o FILE" if is_kept else "--rejects FILE"
        yield f"  and {count - _SHOWN:,} more" + ("" if asked else f": {others}")
    if written is not None:
        mended = f" Mend it, and: leavo jobs redrive {report.job} {shlex.quote(written)}" if is_kept else ""
        yield f"Written to {written}.{mended}"


def _line(row: RowRecord) -> str:
    return f"  line {row.line:<6} {row.state}: {printable(row.reason)}"
