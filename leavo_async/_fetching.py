"""The pages of one iteration of a listing: fetched by tasks of its own, as many at a time as are wanted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import suppress
from operator import length_hint
from typing import Any, NamedTuple

from leavo_async._io.abort import AbortSignal
from leavo_async._sansio.given import Given, Unique
from leavo_async._sansio.paging import Bookmark, Page, Paging, Place
from leavo_async._sansio.plan import Span, fitting_concurrency, plan_of, ready
from leavo_async._sansio.resume import token_of
from leavo_async.errors import ClosedError, DeadlineError, LeavoError, ResponseValidationError

# How much of the measured latency the latest page changes.
_SMOOTHING = 0.25


class Fetched(NamedTuple):
    """A page, the seconds that its last attempt took, and the requests a second that the key allows at this moment."""

    page: Page
    seconds: float
    rate: float


class Listing(NamedTuple):
    """Which listing it is, and how to get a page of it.

    fetch: the page at a place, of so many items at most, within so many seconds. what: for messages. id: for resume
    tokens. deadline: seconds for one iteration, from its first page on; None for no limit.
    """

    fetch: Callable[[Place, int, float | None], Awaitable[Fetched]]
    paging: Paging
    what: str
    id: str
    signal: AbortSignal | None = None
    deadline: float | None = None


class Manner(NamedTuple):
    """How a listing is to be read; see Pages."""

    page_size: int
    concurrency: int | None
    max_items: int | None
    ordered: bool
    key: Callable[[Any], Hashable] | None
    begin: Bookmark


class Fetching:
    """The pages of one iteration: in flight, waiting for the consumer, and the one that it has."""

    def __init__(self, listing: Listing, manner: Manner, most: int | None) -> None:
        self._listing = listing
        self._manner = manner
        # With duplicates left out nobody knows how many must be asked for.
        self.plan = plan_of(listing.paging, manner.page_size, most if manner.key is None else None, manner.begin)
        self._left = sys.maxsize if most is None else most
        self._unique = Unique(manner.key)
        self._tasks: dict[asyncio.Task[None], Span] = {}
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._until: float | None = None
        self._is_stopped = False
        self._is_cut_off = False  # it has ended, and neither by itself nor by aclose()
        self._seconds: float | None = None
        self._concurrency = manner.concurrency or 2
        self._given: Given | None = None
        self.rest: Iterator[Any] = iter(())  # what is left of it
        self._stopped_at: Bookmark | None = None

    @property
    def token(self) -> str | None:
        """For the first item that was not given yet; None at the end."""
        at = self._stopped_at if self._is_stopped else self._bookmark()
        return None if at is None else token_of(at, self._listing.id)

    async def turn(self) -> bool:
        """Turn to the next page; False if there is none. Raises the error that ended the listing."""
        if self._loop is None:
            self._begin(asyncio.get_running_loop())
        try:
            if await self._turned():
                return True
        except BaseException as error:
            self._is_cut_off = True
            self.stop()
            if isinstance(error, LeavoError):
                error.resume_token = self.token
            if not isinstance(error, GeneratorExit):  # then nothing can be awaited any more
                await self.aclose()
            raise
        await self.aclose()
        return False

    def stop(self) -> None:
        """Ask for nothing more, and cancel what is in flight."""
        if not self._is_stopped:
            self._stopped_at = self._bookmark()
            self._is_stopped = True
            self.rest = iter(())
            self.plan.spans.clear()
            with suppress(RuntimeError):  # the loop has been closed
                for task in self._tasks:
                    task.cancel()
                self._news.set()

    async def aclose(self) -> None:
        """Stop, and wait until what was in flight has ended."""
        self.stop()
        if any(not task.done() for task in self._tasks):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def abandon(self) -> None:
        """Stop, in whatever thread: nobody iterates any more."""
        if not self._tasks or self._loop is _running_loop():
            self.stop()
        elif self._loop is not None:
            with suppress(RuntimeError):  # it has been closed
                self._loop.call_soon_threadsafe(self.stop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        if self._listing.deadline is not None:
            self._until = loop.time() + self._listing.deadline

    async def _turned(self) -> bool:
        while not self._is_stopped:
            if length_hint(self.rest):  # of several consumers another one has turned
                return True
            if not self._left:
                break  # the page that was cut stays: the token is for the rest of it
            self._given = None
            if self.plan.is_over():
                break
            self._pump()
            span = ready(self.plan.spans, ordered=self._manner.ordered)
            self._raise_if_ended(span)
            if span is None:
                self._news.clear()
                await self._news.wait()
            elif self._opened(span):
                return True
        if self._is_cut_off:
            raise ClosedError(f"{self._listing.what}: this iteration has ended before the end: begin another one")
        self.stop()
        return False

    def _raise_if_ended(self, span: Span | None) -> None:
        """By a page that will never come, the deadline or the signal; the page's error knows more."""
        if span is not None and span.error is not None:
            raise span.error
        self._time_left()
        if self._listing.signal is not None and self._listing.signal.aborted:
            raise self._listing.signal.error(f"{self._listing.what}: ")

    def _opened(self, span: Span) -> bool:
        """Whether this page has something to give."""
        given, count = self._unique.given(span.at, span.items or (), self._left)
        self.plan.spans.remove(span)
        if not count:
            return False
        self._left -= count
        self._given, self.rest = given, given.rest
        self._pump()  # in a chain only now, when nothing else waits
        return True

    def _bookmark(self) -> Bookmark | None:
        behind = self.plan.bookmark()
        return behind if self._given is None else self._given.bookmark(behind)

    def _pump(self) -> None:
        """Ask for as many pages as may be in hand."""
        while not self._is_stopped and self._left and (self._may_go_ahead() or self._is_starved()):
            span = self.plan.ask()
            if span is None or self._is_stopped:  # by a finalizer, in between
                return
            task = asyncio.create_task(self._fetch(span))
            self._tasks[task] = span
            task.add_done_callback(self._ended)

    def _may_go_ahead(self) -> bool:
        """Whether another page may be in hand, and those that are may have fewer items than are wanted."""
        asked = [span for span in self.plan.spans if span.is_asked]
        expected = sum(span.size if span.items is None else len(span.items) for span in asked)
        return len(asked) + (self._given is not None) < self._concurrency and expected < self._left

    def _is_starved(self) -> bool:
        """Whether the consumer waits for a page that was never asked for, such as the rest of a short one."""
        return self._given is None and bool(self.plan.spans) and not self.plan.spans[0].is_asked

    async def _fetch(self, span: Span) -> None:
        try:
            # For the rest of a short page, too, a whole one: all of that rest may be what a server hides.
            size = self._manner.page_size if span.is_gap else min(span.size, self._manner.page_size)
            fetched = await self._listing.fetch(span.at.place, size, self._time_left())
            if not (self._is_stopped or span.is_void):
                self._received(span, fetched)
        except Exception as error:  # noqa: BLE001  # raised when it is its turn
            if not (self._is_stopped or span.is_void):
                self.plan.failed(span, _told(error, span))
        self._settle()

    def _time_left(self) -> float | None:
        if self._until is None or self._loop is None:
            return None
        if (left := self._until - self._loop.time()) > 0:
            return left
        raise DeadlineError(f"{self._listing.what}: the deadline of the listing has passed")

    def _received(self, span: Span, fetched: Fetched) -> None:
        if self._manner.concurrency is None:
            before = fetched.seconds if self._seconds is None else self._seconds
            self._seconds = before + _SMOOTHING * (fetched.seconds - before)
            self._concurrency = max(2, fitting_concurrency(fetched.rate, self._seconds))
        try:
            self.plan.received(span, fetched.page)
        except ResponseValidationError as error:
            error.args = (f"{self._listing.what}: {error}",)
            raise

    def _settle(self) -> None:
        """After a page has come or failed: others may be wanted now, or not any more."""
        for task, span in self._tasks.items():
            if span.is_void:
                task.cancel()
        self._pump()
        self._news.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        span = self._tasks.pop(task)
        if task.cancelled() and not (self._is_stopped or span.is_void):
            # By somebody else, who goes through all tasks, as a loop does at its end: nothing more may begin, and
            # nobody may wait for the page for ever.
            self._is_cut_off = True
            self.stop()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


def _told(error: Exception, span: Span) -> Exception:
    if isinstance(error, LeavoError) and span.at.place and isinstance(span.at.place, int):
        error.args = (f"{error} (the page from item {span.at.place} on)",)
    return error
