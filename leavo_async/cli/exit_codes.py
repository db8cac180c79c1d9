"""How the `leavo` command ends; the same table stands in docs/reference/exit-codes.md."""

from __future__ import annotations

import signal
from enum import IntEnum

from leavo_async.bulk.results import Tally


class ExitCode(IntEnum):
    """2 is not ours: click ends with it after wrong usage."""

    DONE = 0
    BROKEN = 1
    SOME_REJECTED = 3
    NOT_STARTED = 4
    STOPPED_EARLY = 5
    SOME_UNKNOWN = 6
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM

    @property
    def meaning(self) -> str:
        """What the code says."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "every row is there",
    ExitCode.BROKEN: "a defect, or a file that cannot be written",
    ExitCode.SOME_REJECTED: "some rows were rejected",
    ExitCode.NOT_STARTED: "nothing was sent",
    ExitCode.STOPPED_EARLY: "stopped before the end of the file",
    ExitCode.SOME_UNKNOWN: "the outcome of some rows is unknown",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
}


def of_import(tally: Tally, stopped_by: str | None, received: signal.Signals | None) -> ExitCode:
    """The gravest code that applies. received: the signal that ended it."""
    if received is not None:
        return ExitCode(128 + received)
    if stopped_by is not None:
        return ExitCode.STOPPED_EARLY
    if tally.counts["unknown"]:
        return ExitCode.SOME_UNKNOWN
    return ExitCode.SOME_REJECTED if tally.counts["rejected"] else ExitCode.DONE
