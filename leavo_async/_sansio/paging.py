"""How a listing is cut into pages: by number, by cursor, or by moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from leavo_async.errors import ConfigError, ResponseValidationError

Place = int | str | None
"""Where a page begins: the number of its first item, a cursor, a moment; None for the beginning of a chain."""

Params = Mapping[str, Any]


class Page(NamedTuple):
    """One page of a listing.

    total: items in the whole listing; None if the server does not say.
    has_more: whether another page follows; None if the server does not say.
    next: the cursor or moment of the page that follows, "" if it is named and empty; None if the server does not say.
    raw: gives the items as the server has written them, where they were made something else of.
    """

    items: Sequence[Any]
    total: int | None = None
    has_more: bool | None = None
    next: str | None = None
    raw: Callable[[], Sequence[Any]] | None = None

    def rows(self) -> Sequence[Any]:
        """The items as the server has written them."""
        return self.items if self.raw is None else self.raw()


@dataclass(frozen=True, slots=True)
class Parts:
    """Where an answer has the parts of a page: "a.b" is b inside of a; "" means that it has none.

    Raises ConfigError for a place that is deeper.
    """

    items: str = "data"
    total: str = ""
    has_more: str = ""
    next: str = ""

    def __post_init__(self) -> None:
        for name in (self.items, self.total, self.has_more, self.next):
            if name.count(".") > 1:
                raise ConfigError(f'Parts: {name!r} is too deep; expected "a" or "a.b"')


class Bookmark(NamedTuple):
    """Where a listing can be taken up again.

    skip: how many items of that page were given already.
    seen: identities of items of the page before, which a server may show again.
    """

    place: Place = None
    skip: int = 0
    seen: tuple[str, ...] = ()

    def after(self, count: int) -> Bookmark:
        """The one so many items further on."""
        if isinstance(self.place, int):
            return Bookmark(self.place + count)
        return self._replace(skip=self.skip + count)

    def or_earlier(self, other: Bookmark | None) -> Bookmark:
        """The other one if it is known to be earlier: places other than numbers have no order."""
        here, there = self.place, other and other.place
        return other if other and isinstance(here, int) and isinstance(there, int) and there < here else self


class Paging:
    """What all styles have.

    max_size: items that a page may have at most. limit: the parameter that asks for so many. parts: of an answer.
    """

    __slots__ = ()

    max_size: int
    limit: str
    parts: Parts

    def size(self, asked: Any) -> int:
        """Items to ask for on each page; ConfigError if `asked` is not in 1 to max_size."""
        if asked is None:
            return self.max_size
        if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= self.max_size:
            raise ConfigError(f"page_size={asked}: expected 1 to {self.max_size}")
        return asked

    def begin(self, at: Bookmark) -> Bookmark:
        """The bookmark, if a page of this style can begin there; ConfigError otherwise."""
        raise NotImplementedError

    def check(self, params: Params) -> None:
        """Refuse filters that name the place of a page: that is ours to say."""
        if not self.names().isdisjoint(params):
            names = " and ".join(sorted(self.names()))
            raise ConfigError(f"params: {names} are set by page_size= and by the paging itself")

    def names(self) -> frozenset[str]:
        """The parameters that the paging sets."""
        return frozenset({self.limit})

    def address(self, path: str, params: Params, place: Place, size: int) -> tuple[str, Params]:
        """Path and parameters of the page that begins at this place."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Offset(Paging):
    """Pages by the number of their first item, in the query or, as `…/{offset}/{count}`, at the end of the path.

    Any page can be asked for at any time, so pages can be fetched at the same time.

    max_size: items that a page may have at most. limit, offset: the parameters. parts: where an answer has them.
    """

    max_size: int
    limit: str = "limit"
    offset: str = "offset"
    in_path: bool = False
    parts: Parts = Parts(total="pagination.total", has_more="pagination.has_more")

    def begin(self, at: Bookmark) -> Bookmark:
        """The bookmark, if a page of this style can begin there; ConfigError otherwise."""
        if at.place is None:
            return Bookmark(0)
        if type(at.place) is not int or at.place < 0:
            raise ConfigError("resume: the token is of a listing by cursor")
        return at

    def names(self) -> frozenset[str]:
        """The parameters that the paging sets."""
        return frozenset() if self.in_path else frozenset({self.limit, self.offset})

    def address(self, path: str, params: Params, place: Place, size: int) -> tuple[str, Params]:
        """Path and parameters of the page that begins at this place."""
        if self.in_path:
            return f"{path.rstrip('/')}/{place}/{size}", params
        return path, {**params, self.limit: size, self.offset: place}


@dataclass(frozen=True, slots=True)
class Chain(Paging):
    """Pages of which each names the next one, so that only one can be asked for at a time.

    max_size: items that a page may have at most. limit: the parameter that asks for so many. param: the one that
    carries the name. parts: where an answer has them.
    """

    max_size: int
    limit: str = "limit"
    param: str = "cursor"
    parts: Parts = Parts(has_more="paging.has_more", next="paging.next_cursor")

    def begin(self, at: Bookmark) -> Bookmark:
        """The bookmark, if a page of this style can begin there; ConfigError otherwise."""
        if isinstance(at.place, int) or at.skip < 0:
            raise ConfigError("resume: the token is of a listing by number")
        return at

    def names(self) -> frozenset[str]:
        """The parameters that the paging sets."""
        return frozenset({self.limit, self.param})

    def address(self, path: str, params: Params, place: Place, size: int) -> tuple[str, Params]:
        """Path and parameters of the page that begins at this place."""
        here = {} if place is None else {self.param: place}
        return path, {**params, self.limit: size, **here}

    def fresh(self, at: Bookmark, page: Page) -> Sequence[Any]:
        """The items of the page at this bookmark that the page before has not shown."""
        return page.items

    def following(self, at: Bookmark, page: Page, size: int) -> Bookmark | None:
        """Where the next page is, after this one of at most `size` items; None at the end.

        Raises ResponseValidationError if that cannot be told.
        """
        raise NotImplementedError


class Cursor(Chain):
    """Pages by an opaque cursor, which each answer names for the next one."""

    __slots__ = ()

    def following(self, at: Bookmark, page: Page, size: int) -> Bookmark | None:
        """Where the next page is; None at the end. Raises ResponseValidationError if that cannot be told."""
        if page.has_more is False or (page.next == "" and not page.has_more):
            return None
        if not page.next:
            said = (
                "that there is more, and no cursor" if page.has_more else "neither a cursor nor whether there is more"
            )
            raise ResponseValidationError(f"the answer names {said}")
        return Bookmark(page.next)


@dataclass(frozen=True, slots=True)
class Before(Chain):
    """Pages back in time: each asks for what is older than the oldest of the page before.

    Whether "older" includes that moment differs from server to server, so what is shown again is left out.

    moment, identity: the fields of an item with its time and with its name. An answer that does not name the oldest
    moment has it among its items.
    """

    param: str = "before"
    moment: str = "timestamp"
    identity: str = "id"
    parts: Parts = Parts(has_more="pagination.has_more", next="pagination.oldest_timestamp")

    def fresh(self, at: Bookmark, page: Page) -> Sequence[Any]:
        """The items of the page at this bookmark that the page before has not shown."""
        if not at.seen:
            return page.items
        seen = frozenset(at.seen)
        return [item for item in page.items if str(field_of(item, self.identity)) not in seen]

    def following(self, at: Bookmark, page: Page, size: int) -> Bookmark | None:
        """Where the next page is; None at the end. Raises ResponseValidationError if that cannot be told."""
        if page.has_more is False or not (page.has_more or page.items):
            return None
        if page.items and not self.fresh(at, page):
            if not page.has_more and len(page.items) < size:
                return None
            raise ResponseValidationError(
                f"a whole page has the {self.moment} that the last one ended with: ask for a larger page_size"
            )
        moments = filter(None, (_text(field_of(item, self.moment)) for item in page.items))
        oldest = page.next or min(moments, default=None)
        if oldest is None:
            raise ResponseValidationError(f"the answer says that there is more, and has no {self.moment} to go on from")
        names = (field_of(item, self.identity) for item in page.items)
        return Bookmark(oldest, seen=tuple(str(name) for name in names if name is not None))


def field_of(item: Any, name: str) -> Any:
    """What an item has under this name, be it a model or plain JSON; None if it has none."""
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def _text(moment: Any) -> str:
    if isinstance(moment, datetime):
        # Digits beyond microseconds were cut off by pydantic. A little later is right: what is shown again is left out.
        return (moment + timedelta(microseconds=moment.microsecond > 0)).isoformat()
    return "" if moment is None else str(moment)
