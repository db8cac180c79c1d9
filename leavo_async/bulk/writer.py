"""The one thread that touches a journal while its job runs, with group commit."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from leavo_async.bulk.history import Event, Slice
from leavo_async.bulk.journal import Journal, OpenRow, Verdict
from leavo_async.errors import JournalError

T = TypeVar("T")
Work = Callable[[Journal], Any]
_Item = tuple[Work, "asyncio.Future[Any] | None"]

# Seconds. What came of a row may be committed this much later: if it is lost, the row is unknown and is looked up.
_LATE = 0.1
# Intents, of which the last ones count: the disk may get faster or slower.
_FADING = 8


class Writer:
    """Does what is asked in the order in which it is asked, as much as has gathered in one transaction.

    seconds_to_intend: how long `intend` takes at present.

    A thread and not a task, because a commit waits for the disk. The thread is a daemon, and `aclose` ends it. After a
    failure nothing is written any more, and everybody who asks is told why.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.failure: JournalError | None = None
        self.seconds_to_intend = 0.0
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._asked: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="leavo-journal", daemon=True)
        self._thread.start()

    async def intend(self, n: int, now: float) -> None:
        """Before a row is sent: returns once that is on the disk."""
        asked = time.monotonic()
        await self.do(lambda journal: journal.intend(n, now))
        self.seconds_to_intend += (time.monotonic() - asked - self.seconds_to_intend) / _FADING

    def record(self, n: int, verdict: Verdict, now: float) -> None:
        """After it was sent: returns at once."""
        self._asked.put((lambda journal: journal.record(n, verdict, now), None))

    def keep(self, part: Slice) -> None:
        """Keep a slice of history: returns at once."""
        self._asked.put((lambda journal: journal.add_slice(part), None))

    def note(self, event: Event) -> None:
        """Keep an event: returns at once."""
        self._asked.put((lambda journal: journal.note(event), None))

    def beat(self, started: float, now: float) -> None:
        """Give a sign of life: returns at once."""
        self._asked.put((lambda journal: journal.beat(started, now), None))

    async def pending(self, after: int, limit: int) -> list[OpenRow]:
        """The next rows to be sent."""
        return await self.do(lambda journal: journal.pending(after, limit))

    async def do(self, work: Callable[[Journal], T]) -> T:
        """What the work gives, once all that was asked before it, and what it has changed, is on the disk."""
        if self.failure is not None:
            raise self.failure
        if self._is_closed:
            raise JournalError(f"the journal {self.journal.path} is closed already")
        done: asyncio.Future[T] = self._loop.create_future()
        self._asked.put((work, done))
        return await done

    async def aclose(self) -> None:
        """Once all that was asked is on the disk, end the thread and close the journal. Raises what has failed."""
        self._is_closed = True
        self._asked.put(None)
        while self._thread.is_alive():  # noqa: ASYNC110  # to join it would block the loop
            await asyncio.sleep(0.002)
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while (batch := self._gathered()) is not None:
                self._commit(batch)
        finally:
            with suppress(Exception):
                self.journal.close()

    def _gathered(self) -> list[_Item] | None:
        """What was asked: all that has gathered if somebody waits for it, else what comes soon; None at the end."""
        batch: list[_Item] = []
        item, is_awaited, until = self._asked.get(), False, time.monotonic() + _LATE
        while item is not None:
            batch.append(item)
            is_awaited = is_awaited or item[1] is not None
            left = until - time.monotonic()
            try:
                item = self._asked.get(block=not is_awaited and left > 0, timeout=max(left, 0.0))
            except queue.Empty:
                return batch
        if batch:
            self._asked.put(None)
        return batch or None

    def _commit(self, batch: list[_Item]) -> None:
        given: list[Any] = []
        try:
            if self.failure is None:
                with self.journal.transaction():
                    given = [work(self.journal) for work, _ in batch]
        except JournalError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001  # a defect of ours: whoever waits must hear of it, and no more is sent
            self.failure = JournalError(f"the journal {self.journal.path} has failed ({type(error).__name__})")
        values = given or [None] * len(batch)
        waiting = [(done, value) for (_, done), value in zip(batch, values, strict=True) if done is not None]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_tell, waiting, self.failure)


def _tell(waiting: list[tuple[asyncio.Future[Any], Any]], failure: JournalError | None) -> None:
    for done, value in waiting:
        if done.done():
            continue
        if failure is None:
            done.set_result(value)
        else:
            done.set_exception(failure)
