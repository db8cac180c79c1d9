"""How the `leavo` command ends; the same table stands in docs/reference/exit-codes.md."""

from __future__ import annotations

import signal
from enum import IntEnum

from leavo_async.bulk.report import Report
from leavo_async.bulk.verdicts import Stop, Why


class ExitCode(IntEnum):
    """2 is not ours: click ends with it after wrong usage."""

    DONE = 0
    BROKEN = 1
    SOME_FAILED = 3
    NOT_STARTED = 4
    STOPPED_EARLY = 5
    SOME_HELD = 6
    LIMIT_REACHED = 7
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM

    @property
    def meaning(self) -> str:
        """What the code says."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "every row is there",
    ExitCode.BROKEN: "a defect, or a file that cannot be written",
    ExitCode.SOME_FAILED: "some rows failed, or were not valid",
    ExitCode.NOT_STARTED: "nothing was sent",
    ExitCode.STOPPED_EARLY: "stopped early: no rights, a used-up quota, or no server",
    ExitCode.SOME_HELD: "the outcome of some rows is unknown",
    ExitCode.LIMIT_REACHED: "stopped by --max-errors or --max-duration",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
}
_OF_A_STOP: dict[Why, ExitCode] = {
    "refused": ExitCode.STOPPED_EARLY,
    "quota": ExitCode.STOPPED_EARLY,
    "unreachable": ExitCode.STOPPED_EARLY,
    "asked": ExitCode.STOPPED_EARLY,
    "journal": ExitCode.BROKEN,
    "errors": ExitCode.LIMIT_REACHED,
    "time": ExitCode.LIMIT_REACHED,
}


def of_report(report: Report, stopped: Stop | None, received: signal.Signals | None) -> ExitCode:
    """The gravest code that applies. stopped: why the run has ended early. received: the signal that ended it."""
    if received is not None and not report.is_finished:
        return ExitCode(128 + received)
    if stopped is not None and not report.is_finished:
        return _OF_A_STOP[stopped.why]
    if report.counts["held"] or report.counts["unknown"]:
        return ExitCode.SOME_HELD
    return ExitCode.SOME_FAILED if report.counts["failed"] or report.counts["invalid"] else ExitCode.DONE
