from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date

import pytest
from pydantic import BaseModel

from leavo_async.bulk.iterables import AsyncSource, ItemRows
from leavo_async.bulk.rows import Row


class Lead(BaseModel):
    name: str
    since: date | None = None


class Odd(BaseModel):
    held: object


async def given(*items: object) -> AsyncIterator[object]:
    for item in items:
        yield item


@pytest.mark.parametrize(
    ("item", "row"),
    [
        ({"name": "Ana", "age": 30.0}, Row(1, {"name": "Ana", "age": 30})),
        (Lead(name="Ana", since=date(2026, 1, 2)), Row(1, {"name": "Ana", "since": "2026-01-02"})),
        ({}, Row(1, {})),
        (["Ana"], Row(1, {}, "a mapping or a pydantic model was expected, not list")),
        (None, Row(1, {}, "a mapping or a pydantic model was expected, not NoneType")),
        ({"name": "Ana", 5: 1}, Row(1, {}, "a key is not text")),
        (
            {"name": b"Ana"},
            Row(1, {}, "column 'name' holds bytes, which JSON has no form for; decode them to text first"),
        ),
        (Odd(held=object()), Row(1, {}, "it holds Odd, a model that pydantic cannot write as JSON")),
    ],
)
def test_an_item_is_a_row_or_a_row_with_a_problem(item, row):
    """A bad item costs itself; the next is read."""
    assert [row, Row(2, {"a": 1})] == list(ItemRows([item, {"a": 1}]))


def test_the_columns_are_the_keys_of_the_first_readable_item():
    """As with JSON Lines; what was read to find them is not lost."""
    rows = ItemRows(iter([5, {}, {"name": "Ana"}, {"phone": "+1"}]))

    assert ("name",) == rows.columns
    assert [1, 2, 3, 4] == [row.line for row in rows]


def test_only_the_first_items_are_searched_for_columns():
    """They are kept in memory meanwhile, so the search has an end."""
    rows = ItemRows([5] * 150 + [{"name": "Ana"}])

    assert () == rows.columns
    assert 151 == len(list(rows))


def test_no_items_are_no_rows():
    """A program that finds nothing to import has made no mistake."""
    assert ((), []) == (ItemRows([]).columns, list(ItemRows([])))


def test_items_are_taken_when_they_are_needed():
    """A generator of a million rows is never in memory as a whole."""
    taken = []

    def generated() -> Iterator[Mapping[str, int]]:
        for n in range(10):
            taken.append(n)
            yield {"n": n}

    rows = iter(ItemRows(generated()))
    assert {"n": 0} == next(rows).values
    assert {"n": 1} == next(rows).values
    assert [0, 1] == taken


def test_what_an_iterable_raises_comes_out():
    """It is the caller's own error, which only the caller can read."""

    def broken() -> Iterator[Mapping[str, int]]:
        yield {"n": 1}
        raise KeyError("theirs")

    rows = iter(ItemRows(broken()))
    next(rows)
    with pytest.raises(KeyError, match="theirs"):
        next(rows)


@pytest.mark.asyncio
async def test_an_async_iterable_gives_the_same_rows():
    """Columns first, then every row, numbered from 1."""
    source = AsyncSource(given(5, {"name": "Ana"}, {"name": "Rui"}), "rows")

    assert () == source.columns
    assert ("name",) == await source.read_columns()
    assert ("name",) == source.columns == await source.read_columns()
    problem = "a mapping or a pydantic model was expected, not int"
    assert [Row(1, {}, problem), Row(2, {"name": "Ana"}), Row(3, {"name": "Rui"})] == [row async for row in source]


@pytest.mark.asyncio
async def test_an_async_iterable_need_not_be_asked_for_its_columns():
    """Whoever wants the rows alone iterates."""
    assert [Row(1, {"a": 1})] == [row async for row in AsyncSource(given({"a": 1}), "rows")]


@pytest.mark.asyncio
@pytest.mark.parametrize(("items", "count"), [((), 0), ((5,) * 150, 150)])
async def test_an_async_iterable_without_columns_ends_the_search(items, count):
    """At its end, or after the first hundred; no row is lost."""
    source = AsyncSource(given(*items), "rows")

    assert () == await source.read_columns()
    assert source._number <= 100
    assert count == len([row async for row in source])


@pytest.mark.asyncio
async def test_closing_an_async_source_ends_the_generator():
    """What it has open is closed at once, not when the loop finds time."""
    ended = []

    async def generated() -> AsyncIterator[object]:
        try:
            yield {"a": 1}
            yield {"a": 2}
        finally:
            ended.append(True)

    source = AsyncSource(generated(), "rows")
    await source.read_columns()
    await source.aclose()
    await source.aclose()

    assert [True] == ended
    assert [1] == [row.values["a"] async for row in source]


@pytest.mark.asyncio
async def test_an_async_iterator_that_is_no_generator_can_be_closed():
    """There is nothing to do."""

    class Once:
        def __aiter__(self) -> "Once":
            return self

        async def __anext__(self) -> object:
            raise StopAsyncIteration

    source = AsyncSource(Once(), "rows")
    await source.aclose()

    assert [] == [row async for row in source]
