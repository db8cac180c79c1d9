"""Rows of a JSON Lines file: one object a line; values keep their JSON types.

https://jsonlines.org
"""

import itertools
import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from leavo_async.bulk.lines import Lines, RowTooLongError, encoding_hint, has_surrogate
from leavo_async.bulk.rows import Row, Values

# Levels. Deeper than any API nests, and far below what makes Python's json and others' parsers give up.
MAX_DEPTH = 64

# The rows in which the columns are looked for: they are kept in memory, so there is an end to it.
_LOOK_AHEAD = 100

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _UnreadableError(ValueError):
    """A value that JSON or we do not allow; the text says which, without content."""


class JsonlRows:
    """An iterator of rows; `columns` has the keys of the first readable row, later ones may have others."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._rows = self._read()
        self.columns = self._look_ahead()

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def _look_ahead(self) -> tuple[str, ...]:
        seen: list[Row] = []
        for row in itertools.islice(self._rows, _LOOK_AHEAD):
            seen.append(row)
            if row.values:
                break
        self._rows = itertools.chain(seen, self._rows)
        return tuple(seen[-1].values) if seen else ()

    def _read(self) -> Iterator[Row]:
        while (row := self._next()) is not None:
            yield row

    def _next(self) -> Row | None:
        number = self._lines.start_row()
        try:
            line = next(self._lines, None)
        except RowTooLongError as error:
            return Row(number, {}, str(error))
        return None if line is None else self._row(number, line)

    def _row(self, number: int, line: str) -> Row:
        if self._lines.damaged and has_surrogate(line):
            encoding = self._lines.encoding
            return Row(number, {}, f"the line is not {encoding}; {encoding_hint(encoding)}")
        if line.isspace():
            return Row(number, {})
        try:
            return Row(number, read_object(line))
        except _UnreadableError as error:
            return Row(number, {}, str(error))


def read_object(line: str) -> Values:
    """The object that the line is. Raises a ValueError that says why not, without content of the line."""
    value = _parse(line)
    if not isinstance(value, dict):
        raise _UnreadableError("not a JSON object: each line must be {…}")
    if _is_deeper(cast("object", value), MAX_DEPTH):
        raise _UnreadableError(f"nested deeper than {MAX_DEPTH} levels")
    if _ESCAPED_SURROGATE.search(line) and not _is_encodable(cast("object", value)):
        raise _UnreadableError("half of a surrogate pair (\\ud800 to \\udfff) without the other half")
    return cast("Values", value)


def _parse(line: str) -> object:
    try:
        return _DECODER.decode(line)
    except _UnreadableError:
        raise
    except json.JSONDecodeError as error:
        found = f"not JSON: it stops making sense at character {error.pos + 1}"
    except RecursionError:
        found = f"nested deeper than {MAX_DEPTH} levels"
    except ValueError:
        found = "a number with too many digits"
    raise _UnreadableError(found)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a dict. The json module keeps the last of two equal keys, and loses the first silently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _UnreadableError("the same key twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _UnreadableError("a number too large for JSON readers")
    return number


def _no_constant(name: str) -> float:
    raise _UnreadableError(f"{name} is not JSON; use null")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    inner = cast("list[object]", list(value.values()) if isinstance(value, dict) else value)
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)


def _is_encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
