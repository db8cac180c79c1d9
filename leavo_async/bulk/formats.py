"""The formats of an export: from items to bytes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel
from pydantic_core import to_json, to_jsonable_python

ExportFormat = Literal["csv", "jsonl", "parquet"]

# What spreadsheets take for the beginning of a formula, full-width signs too:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
# A phone in E.164 and a number are no formulas, and must stay what they are.
_HARMLESS = re.compile(r"\+[0-9]{1,15}|-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.IGNORECASE)


def fields_of(item: Any) -> Mapping[str, Any]:
    """The fields of a model with their values; a mapping as it is."""
    return item if isinstance(item, Mapping) else dict(item)


@dataclass(frozen=True, slots=True)
class Columns:
    """Items as rows of columns: what CSV and Parquet need.

        Columns(("id", "name", "created_at"), times=("created_at",))

    names: in order. times: those of moments; all others are of texts, with JSON for what is none.
    row: the values of an item by column; default its fields. A column that an item has not is empty in its row.
    """

    names: tuple[str, ...]
    times: tuple[str, ...] = ()
    row: Callable[[Any], Mapping[str, Any]] = fields_of

    def values(self, item: Any) -> dict[str, Any]:
        """What each column has of the item."""
        row = self.row(item)
        return {name: row.get(name) for name in self.names}


class Writer(Protocol):
    """One format."""

    @property
    def head(self) -> bytes:
        """What stands before the first row."""
        ...

    def rows(self, items: Iterable[Any]) -> bytes:
        """The items as whole rows."""
        ...


class CsvWriter:
    """CSV in UTF-8, as RFC 4180 has it.

    guard: whether a cell that a spreadsheet would take for a formula gets an apostrophe in front.
    Without a byte order mark: most readers would take it for a part of the first column's name.
    """

    def __init__(self, columns: Columns, *, guard: bool) -> None:
        self._columns = columns
        self._guard = guard
        self.head = _csv([columns.names])

    def rows(self, items: Iterable[Any]) -> bytes:
        """A line for each item, or more, where a cell has line ends of its own."""
        return _csv([self._cell(value) for value in self._columns.values(item).values()] for item in items)

    def _cell(self, value: Any) -> str:
        text = text_of(value) or ""
        return guarded(text) if self._guard else text


class JsonlWriter:
    """JSON Lines. columns: None for items as they have come, without what the server has left out."""

    head = b""

    def __init__(self, columns: Columns | None = None) -> None:
        self._columns = columns

    def rows(self, items: Iterable[Any]) -> bytes:
        """A line for each item."""
        return b"".join(self._json(item) + b"\n" for item in items)

    def _json(self, item: Any) -> bytes:
        if self._columns is not None:
            return to_json(self._columns.values(item), inf_nan_mode="null")
        if isinstance(item, BaseModel):
            return item.model_dump_json(exclude_unset=True).encode()
        return to_json(item, inf_nan_mode="null")


def text_of(value: Any) -> str | None:
    """The value as a text: JSON for what is none; None for nothing."""
    value = to_jsonable_python(value, inf_nan_mode="constants")
    return value if value is None or isinstance(value, str) else to_json(value).decode()


def guarded(cell: str) -> str:
    """The cell, with an apostrophe in front if a spreadsheet would take it for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) and not _HARMLESS.fullmatch(cell) else cell


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    # Half of a surrogate pair, which JSON can hold and UTF-8 cannot, must not end an export of a day.
    return text.getvalue().encode("utf-8", "backslashreplace")
