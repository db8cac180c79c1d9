"""Sends each row of a source once, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from leavo_async._io.abort import AbortSignal
from leavo_async.bulk.feed import Feed
from leavo_async.bulk.results import RowResult, Tally, is_about_the_row, result_of
from leavo_async.bulk.rows import Row
from leavo_async.errors import LeavoError

T = TypeVar("T")

# A server that fails each write leaves each row of unknown outcome: more than a few in a row help nobody.
_UNKNOWN_IN_A_ROW = 10


class InvalidRowError(Exception):
    """The row cannot be sent; the message says why, without its values."""


@dataclass(frozen=True, slots=True)
class Sendable(Generic[T]):
    """A row that has passed its check, as the thing to write."""

    thing: T


def checked_row(row: Row, check: Callable[[Row], T]) -> Sendable[T] | RowResult:
    """What is to be sent for a row, or why nothing is."""
    if row.is_empty:
        return RowResult(row, "empty")
    if row.problem is not None:
        return RowResult(row, "rejected", row.problem)
    try:
        return Sendable(check(row))
    except InvalidRowError as problem:
        return RowResult(row, "rejected", str(problem))


class Importer(Generic[T]):
    """An import under way.

    check: the thing to write, from a row; raises InvalidRowError. write: writes it. on_result: told of each row.
    concurrency: rows at the same time. signal: ends the import; pass the same one to what `write` calls, so that the
        rows under way end at once as well.
    It stops before the end of the file when asked to, when an error shows that no further row would fare better, and
    after ten rows of unknown outcome without a known one between them. Rows taken up always get their result.
    """

    def __init__(
        self,
        check: Callable[[Row], T],
        write: Callable[[T], Awaitable[object]],
        on_result: Callable[[RowResult], Awaitable[None]],
        *,
        concurrency: int,
        signal: AbortSignal | None = None,
    ) -> None:
        self.tally = Tally()
        self.stopped_by: str | None = None
        self._check = check
        self._write = write
        self._on_result = on_result
        self._concurrency = concurrency
        self._signal = signal
        self._feed: Feed | None = None
        self._unknown_in_a_row = 0

    async def run(self, rows: Iterable[Row]) -> Tally:
        """What became of the rows. Raises what reading them raised, once the rows under way have their results."""
        feed = self._feed = Feed(rows, ahead=2 * self._concurrency)
        if self.stopped_by is not None:
            feed.close()
        with self._listening():
            return await self._run(feed)

    async def _run(self, feed: Feed) -> Tally:
        workers = [asyncio.create_task(self._work(feed)) for _ in range(self._concurrency)]
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            feed.close()
            await asyncio.wait(workers)  # after a failure too: what is under way gets its result
        finally:
            feed.close()
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure
        return self.tally

    def stop(self, because: str) -> None:
        """Take up no further row; those under way are finished."""
        if self.stopped_by is None:
            self.stopped_by = because
        if self._feed is not None:
            self._feed.close()

    @contextmanager
    def _listening(self) -> Generator[None, None, None]:
        """Stop when the signal aborts, in whatever thread that happens."""
        signal, loop = self._signal, asyncio.get_running_loop()
        if signal is None:
            yield
            return

        def heard(_: AbortSignal) -> None:
            loop.call_soon_threadsafe(self.stop, "aborted")

        signal.add_listener(heard)
        if signal.aborted:
            self.stop("aborted")
        try:
            yield
        finally:
            signal.remove_listener(heard)

    async def _work(self, feed: Feed) -> None:
        while (row := await feed.next()) is not None:
            result = await self._result(row)
            self.tally.add(result)
            await self._on_result(result)

    async def _result(self, row: Row) -> RowResult:
        found = checked_row(row, self._check)
        return found if isinstance(found, RowResult) else await self._sent(row, found.thing)

    async def _sent(self, row: Row, thing: T) -> RowResult:
        try:
            await self._write(thing)
        except LeavoError as error:
            result = result_of(row, error)
            if not is_about_the_row(error):
                self.stop(str(error))
        else:
            result = RowResult(row, "created")
        self._watch(result)
        return result

    def _watch(self, result: RowResult) -> None:
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if result.state == "unknown" else 0
        if self._unknown_in_a_row >= _UNKNOWN_IN_A_ROW:
            self.stop(f"{_UNKNOWN_IN_A_ROW} rows one after the other had an unknown outcome; the last: {result.reason}")
