"""How far a consumer has got with a page, and what it was given already."""

from __future__ import annotations

import pytest

from leavo_async._sansio.given import Unique
from leavo_async._sansio.paging import Bookmark

BEHIND = Bookmark(107)


@pytest.mark.parametrize(("taken", "at"), [(0, 100), (1, 101), (6, 106), (7, 107)])
def test_each_item_moves_the_bookmark_by_one(taken: int, at: int) -> None:
    """After the last it is that of the pages behind."""
    given, count = Unique(None).given(Bookmark(100), "abcdefg", 10)
    for _ in range(taken):
        next(given.rest)

    assert (7, Bookmark(at)) == (count, given.bookmark(BEHIND))


def test_in_a_chain_the_place_stays_and_what_is_to_be_skipped_grows() -> None:
    """A cursor names a page, not an item."""
    given, _ = Unique(None).given(Bookmark("c", 2, ("x",)), "abc", 10)
    next(given.rest)

    assert Bookmark("c", 3, ("x",)) == given.bookmark(Bookmark("d"))


def test_what_is_left_out_is_done_with() -> None:
    """Together with the item before it; so it does not come again after a resume."""
    unique = Unique(str.lower)
    unique.given(Bookmark(0), "x", 10)
    given, count = unique.given(Bookmark(100), "xaXbBx", 10)

    assert (2, "a") == (count, next(given.rest))
    assert Bookmark(102) == given.bookmark(BEHIND)
    assert "b" == next(given.rest)
    assert BEHIND == given.bookmark(BEHIND)


@pytest.mark.parametrize(("key", "items", "given_", "at"), [(None, "abcd", "ab", 102), (str.lower, "aAbBc", "ab", 103)])
def test_a_page_that_is_cut_goes_on_behind_the_last_that_was_given(
    key: object, items: str, given_: str, at: int
) -> None:
    """max_items counts what is given."""
    given, count = Unique(key).given(Bookmark(100), items, 2)  # type: ignore[arg-type]

    assert (2, given_) == (count, "".join(given.rest))
    assert Bookmark(at) == given.bookmark(BEHIND)


def test_without_order_the_bookmark_is_the_first_that_is_missing() -> None:
    """It may be before the page that is given."""
    given, _ = Unique(None).given(Bookmark(100), "abc", 10)

    assert Bookmark(40) == given.bookmark(Bookmark(40))


def test_none_is_no_name() -> None:
    """Two items without one are not the same."""
    given, count = Unique({"a": 1, "b": None}.get).given(Bookmark(0), "abab", 10)

    assert (3, "abb") == (count, "".join(given.rest))
