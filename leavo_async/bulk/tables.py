"""Rows of what has columns: data frames, Arrow streams, Parquet files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from leavo_async.bulk.plain import plain_row
from leavo_async.bulk.rows import Row, is_blank
from leavo_async.errors import ConfigError


class Table(NamedTuple):
    """Columns, and for each row the values in their order, as the library that holds them gives them."""

    columns: tuple[str, ...]
    cells: Iterable[Sequence[object]]

    def rows(self) -> Iterator[Row]:
        """The rows, with plain values; `line` is their number, from 1."""
        for number, cells in enumerate(self.cells, 1):
            yield plain_row(number, zip(self.columns, cells, strict=True))


def usable_columns(columns: Iterable[object], name: str) -> tuple[str, ...]:
    """The names of the columns. Raises ConfigError if they do not name each column."""
    found = list(columns)
    if why := _wrong_with(found):
        raise ConfigError(f"cannot use the columns of {name}: {why}")
    return tuple(str(column) for column in found)


def _wrong_with(columns: Sequence[object]) -> str | None:
    if not columns:
        return "it has none"
    unnamed = [str(n) for n, column in enumerate(columns, 1) if not isinstance(column, str) or is_blank(column)]
    if unnamed:
        return f"the name of column {', '.join(unnamed)} is not text, or blank; give each column a name"
    if doubled := [repr(column) for column, times in Counter(columns).items() if times > 1]:
        return f"more than one is named {', '.join(doubled)}; give each its own name"
    return None


def reading(cells: Iterable[Sequence[object]], name: str) -> Iterator[Sequence[object]]:
    """The cells; what another library raises on the way becomes a ConfigError, without its text: it may show values."""
    done = 0
    try:
        for row in cells:
            yield row
            done += 1
    except Exception as error:  # noqa: BLE001  # each library has its own
        why = type(error).__name__
    else:
        return
    raise ConfigError(f"cannot read {name} after row {done}: it is damaged or encrypted ({why})")
