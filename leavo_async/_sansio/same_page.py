"""A server that gives the same pages again and again."""

from __future__ import annotations

from leavo_async._sansio.paging import Page
from leavo_async.errors import ResponseValidationError


class SamePage:
    """Notices that a server gives the same pages again, as one does that ignores the offset.

    Each page is compared with the one before, and, by Brent's algorithm, with one that is renewed after 1, 2, 4, 8 …
    pages: so any circle is seen with two pages in memory. https://doi.org/10.1007/BF01933190
    """

    __slots__ = ("_before", "_count", "_kept", "_param", "_renew")

    def __init__(self, param: str) -> None:
        self._param = param
        self._before = self._kept = Page(())
        self._count, self._renew = 0, 1

    def check(self, page: Page) -> None:
        """Raises ResponseValidationError if this page was there already."""
        if not page.items:
            return
        if _is_same(page, self._before) or _is_same(page, self._kept):
            raise ResponseValidationError(f"the page was there already: the server ignores the {self._param}")
        self._before = page
        self._count += 1
        if self._count == self._renew:
            self._kept, self._renew = page, 2 * self._renew


def _is_same(page: Page, other: Page) -> bool:
    items, count = page.items, len(page.items)
    # A page that was asked for with a smaller limit is a part of the other.
    is_part = 1 < count < len(other.items)
    if items != (other.items[:count] if is_part else other.items):
        return False
    # Items of a narrow type may look alike, and so may plain numbers: what the server has written decides.
    return bool(page.rows()[:count] == other.rows()[:count]) and (count == 1 or items[0] != items[1])
