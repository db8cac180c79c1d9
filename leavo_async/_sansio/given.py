"""The page that a consumer has in its hands, and how far it has got with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from operator import length_hint
from typing import Any

from leavo_async._sansio.paging import Bookmark


class Given:
    """A page as it is given, item by item from `rest`.

    at: where it begins. count: items that it has. marks: how many of them are done with, after none, one, two … were
    given.
    """

    __slots__ = ("_at", "_count", "_marks", "rest")

    def __init__(self, at: Bookmark, count: int, items: Sequence[Any], marks: Sequence[int]) -> None:
        self._at = at
        self._count = count
        self._marks = marks
        self.rest = iter(items)

    def bookmark(self, behind: Bookmark | None) -> Bookmark | None:
        """The first item that was not given. behind: that of the pages that were not."""
        # Asked of the iterator, so that giving an item costs nothing here.
        done = self._marks[len(self._marks) - 1 - length_hint(self.rest)]
        if done == self._count:
            return behind
        # Without order, something before this page may still be missing.
        return self._at.after(done).or_earlier(behind)


class Unique:
    """Leaves out items that were there already.

    key: what makes two items the same; None is never the same. Without a key nothing is left out.
    """

    def __init__(self, key: Callable[[Any], Hashable] | None) -> None:
        self._key = key
        self._met: set[Hashable] = set()

    def given(self, at: Bookmark, items: Sequence[Any], most: int) -> tuple[Given, int]:
        """The page without them, cut after `most` items, and how many it gives."""
        kept, marks = self._kept(items, most)
        return Given(at, len(items), kept, marks), len(kept)

    def _kept(self, items: Sequence[Any], most: int) -> tuple[Sequence[Any], Sequence[int]]:
        if self._key is None:
            return items[:most], range(min(most, len(items)) + 1)
        kept: list[Any] = []
        marks = [0]
        for number, item in enumerate(items, 1):
            if len(kept) == most:
                return kept, marks
            if self._is_new(self._key(item)):
                kept.append(item)
                marks.append(number)
        marks[-1] = len(items)  # what comes behind the last one is done with as well
        return kept, marks

    def _is_new(self, name: Hashable) -> bool:
        if name is None:
            return True
        if name in self._met:
            return False
        self._met.add(name)
        return True
