"""What Ctrl-C does to an import."""

from __future__ import annotations

import asyncio
import signal

from leavo_async.bulk.job import BulkJob
from leavo_async.cli.running import say


class Stopper:
    """The first signal lets what is under way finish; the second ends it at once.

    Before anything is sent, the first one ends the command.
    """

    def __init__(self) -> None:
        self._command = asyncio.current_task()
        self._job: BulkJob | None = None
        self.signal: signal.Signals | None = None

    def watch(self, job: BulkJob) -> None:
        """From now on a signal stops this job."""
        self._job = job

    def on_signal(self, number: signal.Signals) -> None:
        """Called on the event loop for SIGINT and SIGTERM."""
        is_first, self.signal = self.signal is None, self.signal or number
        if self._job is None:
            if is_first and self._command is not None:
                self._command.cancel()
        elif is_first:
            say("Stopping: the rows under way are finished first (once more to stop at once).")
            self._job.stop(f"interrupted by {number.name}")
        else:
            self._job.abort("interrupted twice")
