"""Listings: many pages as one stream of items, fetched ahead and given in order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from functools import partial
from typing import Any, Generic, Self, TypeVar

from leavo_async._fetching import Fetching, Listing, Manner
from leavo_async._sansio.paging import Bookmark, field_of
from leavo_async._sansio.resume import bookmark_of
from leavo_async.errors import ConfigError, LeavoError

T = TypeVar("T")
R = TypeVar("R")


class Pages(Generic[T]):
    """A listing. Iterate it for items, `pages()` for pages, `collect()` for a list.

        async for lead in leavo.leads.list(search="ana"): ...

    Nothing is asked for before the iteration begins, and each iteration begins anew. Pages are fetched ahead while the
    consumer works, never more than `concurrency` at a time, those that wait for the consumer included; each passes the
    gate of its key like any other call. Whoever stops iterating, in whatever way, stops the fetching.

    An error is raised when all items before it have been given; its `resume_token` tells where to go on.
    """

    def __init__(
        self,
        listing: Listing,
        *,
        page_size: int | None = None,
        concurrency: int | None = None,
        max_items: int | None = None,
        ordered: bool = True,
        dedupe_by: str | Callable[[T], Hashable] | None = None,
        resume: str | None = None,
    ) -> None:
        self._listing = listing
        self._manner = Manner(
            listing.paging.size(page_size),
            None if concurrency is None else _whole("concurrency", concurrency, 1),
            None if max_items is None else _whole("max_items", max_items, 0),
            _truth("ordered", ordered),
            _key(dedupe_by),
            Bookmark() if resume is None else bookmark_of(resume, listing.id),
        )
        self._latest = Fetching(listing, self._manner, self._manner.max_items)

    def __aiter__(self) -> Run[T]:
        return _Items(self._begun(self._manner.max_items))

    def pages(self) -> Run[list[T]]:
        """Each page's items; the last may be cut by `max_items`."""
        return _Lists(self._begun(self._manner.max_items))

    async def collect(self, max_items: int | None = None) -> list[T]:
        """All items as a list, or the first `max_items`."""
        bounds = [self._manner.max_items, None if max_items is None else _whole("max_items", max_items, 0)]
        most = min((bound for bound in bounds if bound is not None), default=None)
        found: list[T] = []
        token = self._begun(most).token
        try:
            async for page in _Lists(self._latest):
                found += page
        except BaseException as error:
            self._begun(most)  # nothing of it was given
            if isinstance(error, LeavoError):
                error.resume_token = token
            raise
        return found

    @property
    def resume_token(self) -> str | None:
        """Where the latest iteration can be taken up again, with `resume=`, in any process; None after its end.

        It names the first item that was not given yet. With `ordered=False` it is the first of them in the order of
        the server: some that come behind it may have been given already.
        """
        return self._latest.token

    @property
    def total(self) -> int | None:
        """Items in the whole listing, as the server has said last; None if it has not."""
        return self._latest.plan.total

    def __repr__(self) -> str:
        total = "" if self.total is None else f", {self.total} items"
        return f"<Pages of {self._listing.what}, {self._manner.page_size} a page{total}>"

    def _begun(self, most: int | None) -> Fetching:
        self._latest = Fetching(self._listing, self._manner, most)
        return self._latest


class Run(AsyncIterator[R]):
    """One iteration of a listing. It ends with its last reference, or with `aclose()`, whatever comes first."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> R: ...

    async def aclose(self) -> None:
        """End it: what is in flight is cancelled."""
        await self._fetching.aclose()

    def __del__(self) -> None:
        # Here, and not in an async generator: that would be closed by a task of its own, some turns of the loop later.
        self._fetching.abandon()


class _Items(Run[R]):
    async def __anext__(self) -> R:
        while True:
            for item in self._fetching.rest:
                return item  # type: ignore[no-any-return]
            if not await self._fetching.turn():
                raise StopAsyncIteration


class _Lists(Run[list[Any]]):
    async def __anext__(self) -> list[Any]:
        while await self._fetching.turn():
            if page := list(self._fetching.rest):
                return page
        raise StopAsyncIteration


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name}={value}: expected a whole number, {least} or more")
    return value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name}: expected True or False")
    return value


def _key(dedupe_by: Any) -> Callable[[Any], Hashable] | None:
    if isinstance(dedupe_by, str):
        return partial(_named, dedupe_by)
    if dedupe_by is not None and not callable(dedupe_by):
        raise ConfigError("dedupe_by: expected the name of a field, or a function of an item")
    return dedupe_by  # type: ignore[no-any-return]


def _named(name: str, item: Any) -> Any:
    # Not taken for None: of a misspelt field all items would have the same.
    if name in item if isinstance(item, Mapping) else hasattr(item, name):
        return field_of(item, name)
    raise ConfigError(f"dedupe_by={name!r}: an item has no such field")
