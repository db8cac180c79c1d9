"""How a listing is cut into pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leavo_async.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing.

    total: items in the whole listing; None if the server does not say.
    has_more: whether another page follows; None if the server does not say.
    """

    items: Sequence[Any]
    total: int | None = None
    has_more: bool | None = None


@dataclass(frozen=True, slots=True)
class Offset:
    """Pages by `limit` and `offset` in the query.

    max_size: items that a page may have at most.
    """

    max_size: int
    limit: str = "limit"
    offset: str = "offset"

    def size(self, asked: int | None) -> int:
        """Items to ask for on each page; ConfigError if `asked` is not in 1 to max_size."""
        if asked is None:
            return self.max_size
        if not 1 <= asked <= self.max_size:
            raise ConfigError(f"page_size={asked}: expected 1 to {self.max_size}")
        return asked

    def check(self, params: Mapping[str, Any]) -> None:
        """Refuse filters that name the place of a page: that is ours to say."""
        if not {self.limit, self.offset}.isdisjoint(params):
            raise ConfigError(f"params: {self.limit} and {self.offset} are set by page_size= and by the paging itself")

    def params(self, offset: int, size: int) -> dict[str, int]:
        """The query parameters of the page that starts at `offset`."""
        return {self.limit: size, self.offset: offset}

    def following(self, offset: int, page: Page) -> int | None:
        """The offset of the page after `page`, which started at `offset`; None at the end.

        It goes on by the number of items received: a server may give fewer than asked, so a short page is not the end.
        """
        reached = offset + len(page.items)
        if not page.items or page.has_more is False or (page.total is not None and reached >= page.total):
            return None
        return reached
