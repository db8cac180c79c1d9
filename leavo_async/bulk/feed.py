"""Rows of a blocking source, awaited one by one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress

from leavo_async.bulk.rows import Row


class Feed:
    """Reads rows in a thread of its own, at most `ahead` more than were asked for.

    The thread is a daemon: one that waits for a terminal's next line must not keep the process alive.
    """

    def __init__(self, rows: Iterable[Row], *, ahead: int) -> None:
        self._rows = rows
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Queue[Row | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(ahead)
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="leavo-import-reader", daemon=True)
        self._thread.start()

    async def next(self) -> Row | None:
        """The next row; None after the last, and after `close`. Raises what reading raised."""
        found = None if self._closed else await self._ready.get()
        self._room.release()
        if not isinstance(found, Row):
            self._ready.put_nowait(found)  # the end stays the end, for everyone who asks
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """Ask for no more rows; whoever waits for one gets None."""
        self._closed = True
        self._ready.put_nowait(None)
        self._room.release()

    def _read(self) -> None:
        try:
            for row in self._rows:
                self._room.acquire()
                if self._closed:
                    return
                self._give(row)
            self._give(None)
        except Exception as error:  # noqa: BLE001  # it is raised where the rows are awaited
            self._give(error)

    def _give(self, found: Row | Exception | None) -> None:
        # The loop is closed if the import was interrupted while this thread waited for input.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ready.put_nowait, found)
