"""The progress of a job as lines of text."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.words import percent, tallied, tempo, time_left

# A line at each twentieth of the rows, but not more than one a second; at least one each half minute.
_STEPS = 20
_SOON, _LATE = 1.0, 30.0


class PlainLines:
    """Lines on stderr, one now and then; no carriage return ever, so that a log stays readable.

    total: rows in all; None if nobody knows. verb: what is done with them.
    """

    def __init__(self, total: int | None, verb: str = "importing") -> None:
        self._total = total
        self._verb = verb
        self._shown_at = time.monotonic()
        self._shown_step: int | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Print a line if it is time for one."""
        if self._is_time(snapshot):
            self._shown_at, self._shown_step = time.monotonic(), self._step(snapshot)
            print_line(f"{self._verb}: {plain_line(snapshot, self._total, time.time())}")

    def _is_time(self, snapshot: Snapshot) -> bool:
        step, since = self._step(snapshot), time.monotonic() - self._shown_at
        if self._shown_step is None:
            self._shown_step = step  # where a job goes on that was begun before is no news
        return since >= _LATE or (since >= _SOON and step > self._shown_step)

    def _step(self, snapshot: Snapshot) -> int:
        return snapshot.settled * _STEPS // self._total if self._total else 0


def plain_line(snapshot: Snapshot, total: int | None, now: float) -> str:
    """How far a job is, in ASCII: "9 of 20 rows (45.0%), 97/min; created 8, failed 1; ETA 7 s (15:07)".

    total: rows in all; None if nobody knows. now: seconds since the Unix epoch.
    """
    of = "" if total is None else f" of {total:,}"
    share = "" if total is None else f" ({percent(snapshot.settled, total)})"
    parts = [
        ", ".join([f"{snapshot.settled:,}{of} rows{share}", *tempo(snapshot)]),
        ", ".join(tallied(snapshot)),
        time_left(snapshot, now) or "",
    ]
    return "; ".join(part for part in parts if part)


def print_line(line: str) -> None:
    """Print a line on stderr; nobody's job ends because nobody reads it."""
    with suppress(OSError, ValueError):  # gone, full or closed
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
