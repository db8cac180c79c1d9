"""What Ctrl-C does to an import."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from leavo_async import LeavoClient
from leavo_async.bulk.importer import Importer
from leavo_async.cli.running import say


class Stopper:
    """The first signal lets what is under way finish; the second ends it at once.

    Before anything is sent, the first one ends the command. leavo: the client, once there is one.
    """

    def __init__(self) -> None:
        self._command = asyncio.current_task()
        self.signal: signal.Signals | None = None
        self.leavo: LeavoClient | None = None
        self._importer: Importer[Any] | None = None
        self._closing: asyncio.Task[None] | None = None

    def watch(self, importer: Importer[Any]) -> None:
        """From now on a signal stops this importer."""
        self._importer = importer

    def on_signal(self, number: signal.Signals) -> None:
        """Called on the event loop for SIGINT and SIGTERM."""
        if self.signal is None:
            self.signal = number
            self._finish(number)
        elif self._closing is None and self.leavo is not None:
            # Calls under way end with an error that tells "not sent" from "unknown".
            self._closing = asyncio.create_task(self.leavo.aclose())

    def is_stopped(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def _finish(self, number: signal.Signals) -> None:
        if self._importer is None:
            if self._command is not None:
                self._command.cancel()
        else:
            say("Stopping: the rows under way are finished first (once more to stop at once).")
            self._importer.stop(f"interrupted by {number.name}")
