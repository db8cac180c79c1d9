"""Rows of what a program hands over: iterables and async iterables of mappings or pydantic models."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Self, cast

from pydantic import BaseModel

from leavo_async.bulk.plain import NotPlainError, model_values, plain_row
from leavo_async.bulk.rows import Row

# The rows in which the columns are looked for: they are kept in memory, so there is an end to it.
_LOOK_AHEAD = 100


def item_row(number: int, item: object) -> Row:
    """The row of one item; with a problem if it is neither a mapping with text as keys nor a pydantic model."""
    if isinstance(item, BaseModel):
        return _model_row(number, item)
    if not isinstance(item, Mapping):
        return Row(number, {}, f"a mapping or a pydantic model was expected, not {type(item).__name__}")
    if not all(isinstance(key, str) for key in cast("Mapping[object, object]", item)):
        return Row(number, {}, "a key is not text")
    return plain_row(number, cast("Mapping[str, object]", item).items())


def _model_row(number: int, model: BaseModel) -> Row:
    try:
        return plain_row(number, model_values(model).items())
    except NotPlainError as problem:
        return Row(number, {}, f"it {problem}")


class ItemRows:
    """An iterator of rows; `columns` has the keys of the first readable item, later ones may have others.

    `line` of a row is the item's number, from 1. What the iterable raises comes out as it is.
    """

    def __init__(self, items: Iterable[object]) -> None:
        rows = (item_row(number, item) for number, item in enumerate(items, 1))
        seen: list[Row] = []
        for row in itertools.islice(rows, _LOOK_AHEAD):
            seen.append(row)
            if row.values:
                break
        self.columns = tuple(seen[-1].values) if seen else ()
        self._rows = itertools.chain(seen, rows)

    def __iter__(self) -> Iterator[Row]:
        return self._rows


class AsyncSource:
    """The rows of an async iterable; they can be read once, on the loop that the iterable belongs to.

    name: what it is. columns: none before `read_columns`. Rows and errors are as those of ItemRows.
    """

    description = "async iterable"
    path = None

    def __init__(self, items: AsyncIterable[object], name: str) -> None:
        self.name = name
        self.columns: tuple[str, ...] = ()
        self._items = aiter(items)
        self._ahead: deque[Row] = deque()
        self._number = 0

    async def read_columns(self) -> tuple[str, ...]:
        """The keys of the first readable item; what was read on the way is kept for the iteration."""
        with suppress(StopAsyncIteration):
            while not self.columns and len(self._ahead) < _LOOK_AHEAD:
                row = await self._read()
                self._ahead.append(row)
                self.columns = tuple(row.values)
        return self.columns

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Row:
        return self._ahead.popleft() if self._ahead else await self._read()

    async def _read(self) -> Row:
        item = await anext(self._items)
        self._number += 1
        return item_row(self._number, item)

    async def aclose(self) -> None:
        """End the iterable, if it is a generator. May be called again."""
        close: Any = getattr(self._items, "aclose", None)
        if close is not None:
            await close()
