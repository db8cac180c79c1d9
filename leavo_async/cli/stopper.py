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

    leavo: the client, once there is one.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.leavo: LeavoClient | None = None
        self._importer: Importer[Any] | None = None
        self._closing: asyncio.Task[None] | None = None

    def watch(self, importer: Importer[Any]) -> None:
        """Stop this importer when a signal comes, or at once if one has come already."""
        self._importer = importer
        if self.signal is not None:
            self._finish(self.signal)

    def on_signal(self, number: signal.Signals) -> None:
        """Called on the event loop for SIGINT and SIGTERM."""
        if self.signal is None:
            self.signal = number
            say("Stopping: the rows under way are finished first (Ctrl-C again to stop at once).")
            self._finish(number)
        elif self._closing is None and self.leavo is not None:
            # Calls under way end with an error that tells "not sent" from "unknown".
            self._closing = asyncio.create_task(self.leavo.aclose())

    def is_stopped(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def _finish(self, number: signal.Signals) -> None:
        if self._importer is not None:
            self._importer.stop(f"interrupted by {number.name}")
