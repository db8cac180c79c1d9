"""Listings: many pages as one stream of items."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar, cast

from leavo_async._sansio.paging import Offset, Page
from leavo_async.errors import ConfigError, ResponseValidationError

T = TypeVar("T")
Fetch = Callable[[dict[str, int]], Awaitable[Page]]


class Pages(Generic[T]):
    """A listing. Iterate it for items, `pages()` for pages, `collect()` for a list.

    Nothing is asked for before the iteration begins, and each iteration begins anew.
    """

    def __init__(self, fetch: Fetch, paging: Offset, *, page_size: int | None, max_items: int | None) -> None:
        """fetch: gives the page for the query parameters of its place. max_items: where to end at the latest."""
        if max_items is not None and max_items < 0:
            raise ConfigError(f"max_items={max_items}: expected 0 or more")
        self._fetch = fetch
        self._paging = paging
        self._size = paging.size(page_size)
        self._max = max_items

    def __aiter__(self) -> AsyncIterator[T]:
        return self._items(self._max)

    async def pages(self) -> AsyncGenerator[list[T], None]:
        """Each page's items, in order; the last may be cut by `max_items`."""
        left = self._max
        offset: int | None = 0
        before: Page | None = None
        while offset is not None and left != 0:
            size = self._size if left is None else min(self._size, left)
            page = await self._fetch(self._paging.params(offset, size))
            if before is not None and page.items and page.items == before.items:
                raise ResponseValidationError(
                    f"the page at {offset} is the one before it: the server ignores the offset"
                )
            before = page
            items = cast("list[T]", list(page.items[:left]))
            if items:
                yield items
            left = None if left is None else left - len(items)
            offset = self._paging.following(offset, page)

    async def collect(self, max_items: int | None = None) -> list[T]:
        """All items as a list, or the first `max_items`."""
        bounds = [bound for bound in (max_items, self._max) if bound is not None]
        return [item async for item in self._items(min(bounds, default=None))]

    async def _items(self, most: int | None) -> AsyncGenerator[T, None]:
        bounded: Pages[T] = Pages(self._fetch, self._paging, page_size=self._size, max_items=most)
        async with aclosing(bounded.pages()) as pages:
            async for page in pages:
                for item in page:
                    yield item

    def __repr__(self) -> str:
        return f"<Pages of {self._size}>"
