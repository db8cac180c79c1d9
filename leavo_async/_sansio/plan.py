"""Which page of a listing to ask for next, and which to give next. It never waits, and knows no clock."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from leavo_async._sansio.paging import Bookmark, Chain, Page, Paging
from leavo_async._sansio.same_page import SamePage
from leavo_async.errors import ResponseValidationError

# Without a limit of the key, as many as most servers bear from one client; with one, as many as it may ever take.
_WITHOUT_LIMIT = 8
_MOST = 32
_ENDLESS = sys.maxsize


@dataclass(slots=True, eq=False)
class Span:
    """One page: `size` items from `at` on.

    items: what has come, None until then. is_asked: it has been asked for. is_void: nobody wants it any more.
    is_gap: it is what another page lacked. error: why it will never come.
    """

    at: Bookmark
    size: int
    items: Sequence[Any] | None = None
    is_asked: bool = False
    is_void: bool = False
    is_gap: bool = False
    error: BaseException | None = None

    @property
    def start(self) -> int:
        """The number of its first item."""
        assert isinstance(self.at.place, int)
        return self.at.place


class Plan(Protocol):
    """The pages of one listing that were asked for and not given yet, and what follows them.

    total: items in the whole listing, as the server has said last; None if it has not.
    """

    spans: deque[Span]
    total: int | None

    def ask(self) -> Span | None:
        """The page to ask for now; None if there is none before another one has come."""
        ...

    def received(self, span: Span, page: Page) -> None:
        """A page has come. Raises ResponseValidationError if it cannot be one of this listing."""
        ...

    def failed(self, span: Span, error: BaseException) -> None:
        """A page will never come: what comes after it is not wanted any more."""
        ...

    def bookmark(self) -> Bookmark | None:
        """The first item that was not given; None at the end of the listing."""
        ...

    def is_over(self) -> bool:
        """Whether all was given that there is, or that was wanted."""
        ...


def plan_of(paging: Paging, size: int, most: int | None, begin: Bookmark) -> Plan:
    """The plan for a listing of this style; ConfigError if it cannot begin there.

    most: how many items are wanted; None for all.
    """
    begin = paging.begin(begin)
    if isinstance(paging, Chain):
        return Links(paging, size, most, begin)
    return Spans(size, most, begin)


def ready(spans: deque[Span], *, ordered: bool) -> Span | None:
    """The page to give next, or the one whose error is to be raised; None if neither has come."""
    first = spans[0] if spans else None
    if not ordered and (came := next((span for span in spans if span.items is not None), None)):
        return came
    return None if first is None or (first.items is None and first.error is None) else first


def fitting_concurrency(rate: float, seconds: float) -> int:
    """How many pages to have in hand: those under way at this rate and latency, half as many more, and the one given.

    rate: requests a second, inf without a limit. seconds: what one takes. Little's law: L = λ W,
    https://doi.org/10.1287/opre.9.3.383
    """
    if rate == math.inf:
        return _WITHOUT_LIMIT
    return min(_MOST, 1 + math.ceil(1.5 * rate * seconds))


class Spans:
    """A listing whose pages begin at numbered items: each can be asked for without the one before it.

    The first page is asked for alone: it tells how many items there are, or how many a page really has. With a total,
    all the rest can be asked for. Without one, as many are asked for ahead as full pages have come: so at the end no
    more were in vain. A short page is no end, for a server may give fewer than asked: what it lacks is asked for again.
    """

    def __init__(self, size: int, most: int | None, begin: Bookmark) -> None:
        self.spans: deque[Span] = deque()
        self.total: int | None = None
        self._size = size
        self._next = Span(begin, 0).start
        self._end = _ENDLESS if most is None else self._next + most  # no item from here on is wanted
        self._is_end_known = False
        self._width = 0  # items that a page of this server has; 0 until that is known
        self._first = 0  # items of the first page, if it was short
        self._full = 0  # full pages that have come
        self._planned = 0  # where all pages can be asked for: the total, unless the server contradicts itself
        self._guard = SamePage("offset")

    def ask(self) -> Span | None:
        """The page to ask for now; None if there is none before another one has come."""
        span = next((span for span in self.spans if not span.is_asked), None) or self._further()
        if span is not None:
            span.is_asked = True
        return span

    def received(self, span: Span, page: Page) -> None:
        """A page has come. Raises ResponseValidationError if it cannot be one of this listing."""
        self._guard.check(page)
        self.total = self.total if page.total is None else page.total
        self._planned = _believed_total(span, page)
        is_end = _is_end(span, page)
        # Without order one behind it may have been given; and an empty one may be there that is not given yet.
        is_last = span.start + span.size == self._next and span is self.spans[-1]
        # More than was asked for belongs to the pages behind, if there are any.
        span.items = page.items[: min(_ENDLESS if is_last else span.size, self._end - span.start)]
        count = len(span.items)
        self._full += count >= span.size
        self._learn_width(span, count)
        if is_last:
            self._next = span.start + count
        if is_end:
            self._end_at(span, span.start + len(page.items))
        elif count < span.size and not is_last:
            gap = Span(Bookmark(span.start + count), span.size - count, is_gap=True)
            self.spans.insert(self.spans.index(span) + 1, gap)

    def failed(self, span: Span, error: BaseException) -> None:
        """A page will never come: what comes after it is not wanted any more."""
        span.error = error
        self._drop(self._after(span))

    def bookmark(self) -> Bookmark | None:
        """The first item that was not given; None at the end of the listing."""
        if self.spans:
            return self.spans[0].at
        return None if self._is_end_known and self._next >= self._end else Bookmark(self._next)

    def is_over(self) -> bool:
        """Whether all was given that there is, or that was wanted."""
        return not self.spans and self._next >= self._end

    def _further(self) -> Span | None:
        is_broken = any(span.error for span in self.spans)
        if is_broken or self._next >= self._end or not self._may_go_on():
            return None
        size = min(self._width or self._size, self._end - self._next)
        span = Span(Bookmark(self._next), size)
        self.spans.append(span)
        self._next += size
        return span

    def _may_go_on(self) -> bool:
        waiting = sum(span.items is None for span in self.spans)
        if not waiting or not self._width:
            return not waiting
        if self._planned:
            return self._next < self._planned
        return waiting < self._full and all(span.is_asked for span in self.spans)

    def _learn_width(self, span: Span, count: int) -> None:
        if self._width or not count:
            return
        if count >= span.size or self._first:
            self._width = max(count, self._first)
        else:
            self._first = count

    def _end_at(self, span: Span, end: int) -> None:
        """Nothing is behind this page, unless a later one has shown items already: those are not thrown away."""
        behind = [other for other in self._after(span) if other.start >= end]
        if any(other.items for other in behind):
            return
        self._drop(behind)
        self._next = min(self._next, end)
        if end <= self._end:
            self._end, self._is_end_known = end, True

    def _after(self, span: Span) -> Iterator[Span]:
        return islice(self.spans, self.spans.index(span) + 1, None)

    def _drop(self, spans: Iterator[Span] | list[Span]) -> None:
        for span in list(spans):
            span.is_void = True
            self.spans.remove(span)


def _believed_total(span: Span, page: Page) -> int:
    """The total, if it fits to what else the page says of the end; 0 otherwise, so that one more page is asked for."""
    total = page.total
    if total is None or span.start + len(page.items) > total or page.has_more is False:
        return 0
    return total


def _is_end(span: Span, page: Page) -> bool:
    """Whether nothing is behind this page. Raises ResponseValidationError if it is empty and that cannot be so."""
    reached, total = span.start + len(page.items), page.total
    if page.items:
        return reached == total if page.has_more is None else not page.has_more and reached >= (total or 0)
    if page.has_more is False or not (page.has_more or total) or (total is not None and total <= reached):
        return True
    there = "more" if total is None else f"{total} in all"
    raise ResponseValidationError(f"the page at {span.start} is empty, and yet the server says there are {there}")


class Links:
    """A listing in which each page names the next one: one is asked for ahead, while the one before is given."""

    def __init__(self, paging: Chain, size: int, most: int | None, begin: Bookmark) -> None:
        self.spans: deque[Span] = deque()
        self.total: int | None = None
        self._paging = paging
        self._size = size
        self._left = _ENDLESS if most is None else most
        self._next: Bookmark | None = begin
        self._skip = begin.skip
        self._met: set[int] = set()
        self._guard = SamePage(paging.param)

    def ask(self) -> Span | None:
        """The page to ask for now; None if there is none before another one has come."""
        if self.spans or self._next is None or not self._left:
            return None
        # What is skipped must be asked for too, and nobody knows how much is shown again.
        size = self._size if self._next.seen else min(self._size, self._left + self._skip)
        span = Span(self._next, size, is_asked=True)
        self.spans.append(span)
        return span

    def received(self, span: Span, page: Page) -> None:
        """A page has come. Raises ResponseValidationError if it cannot be one of this listing."""
        self.total = self.total if page.total is None else page.total
        following = self._paging.following(span.at, page, span.size)
        self._check(span, following)
        fresh = self._paging.fresh(span.at, page)
        if fresh:
            self._guard.check(page)
        skipped = min(self._skip, len(fresh))
        self._skip -= skipped
        span.at = span.at._replace(skip=skipped)
        span.items = fresh[skipped : skipped + self._left]
        self._left -= len(span.items)
        if skipped + len(span.items) < len(fresh):  # more than is wanted: the rest is still to be had
            self._next = span.at.after(len(span.items))
        else:
            self._next = following and following._replace(skip=self._skip)

    def failed(self, span: Span, error: BaseException) -> None:
        """A page will never come: what comes after it is not wanted any more."""
        span.error = error

    def bookmark(self) -> Bookmark | None:
        """The first item that was not given; None at the end of the listing."""
        return self.spans[0].at if self.spans else self._next

    def is_over(self) -> bool:
        """Whether all was given that there is, or that was wanted."""
        return not self.spans and (self._next is None or not self._left)

    def _check(self, span: Span, following: Bookmark | None) -> None:
        if following is None:
            return
        # Their hashes: of a million pages they take a fifth of the memory.
        self._met.add(hash(span.at.place))
        if hash(following.place) in self._met:
            raise ResponseValidationError("the page that follows was there already: the server leads in a circle")
