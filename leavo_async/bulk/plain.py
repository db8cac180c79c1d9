"""Values as JSON has them, made of what data frames, Arrow columns and Python programs hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel

from leavo_async.bulk.jsonl_source import MAX_DEPTH
from leavo_async.bulk.lines import has_surrogate
from leavo_async.bulk.rows import Row

# Beyond it a float is not sure to be the integer that was meant.
_EXACT = 2**53

# Python refuses to write integers of more than 4,300 digits, which is 14,284 bits.
# https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
_MAX_BITS = 14_000

# More zeros than any Arrow decimal has (76 digits): Decimal("1E+999999999") must not become a gigabyte of text.
_MAX_ZEROS = 100

# The types of pandas' NA and NaT, by name: nothing is imported for them.
_MISSING = {"NAType", "NaTType"}


class NotPlainError(ValueError):
    """JSON has no form for the value; the text goes on from "column 'x'" and says why, without the value."""


def plain_row(line: int, cells: Iterable[tuple[str, object]]) -> Row:
    """The row of these columns and values; one with a problem if JSON has no form for one of them."""
    values: dict[str, Any] = {}
    for column, value in cells:
        try:
            values[column] = plain(value)
        except NotPlainError as problem:
            return Row(line, {}, f"column {column!r} {problem}")
    return Row(line, values)


def plain(value: object, levels: int = MAX_DEPTH - 1) -> Any:
    """The value as null, bool, int, float, text, list or dict.

    NaN, NaT and NA are null. A float without a fraction is an integer, because pandas makes floats of integers as soon
    as one is missing. This is decided for each value alone: what the column holds further down is not known in a
    stream, and a row must not change with its neighbours, or it could not be sent again with its idempotency key.
    Dates and times are ISO 8601, with their zone if they have one; decimals are text; pydantic models are dicts.
    levels: how deep lists and dicts may be nested. Raises NotPlainError.
    """
    match value:
        case None | bool():
            return value
        case str():
            return _text(value)
        case int():
            return _integer(value)
        case float():
            return _number(value)
        case date() | time():
            return _moment(value)
        case Decimal():
            return _decimal(value)
        case UUID():
            return str(value)
        case list() | tuple() | Mapping() | BaseModel():
            return _nested(cast("object", value), levels)
        case NotPlainError():
            raise value
        case _:
            return _foreign(value, levels)


def _text(value: str) -> str:
    if has_surrogate(value):
        raise NotPlainError("holds half of a surrogate pair (\\ud800 to \\udfff) without the other half")
    return str.__str__(value)  # of subclasses, such as numpy's and enums, the text alone


def _integer(value: int) -> int:
    if value.bit_length() > _MAX_BITS:
        raise NotPlainError("holds a number with too many digits")
    return int(value)


def _number(value: float) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise NotPlainError("holds infinity, which JSON has no form for; use null")
    return int(value) if value.is_integer() and abs(value) <= _EXACT else float(value)


def _moment(value: date | time) -> str | None:
    if type(value).__name__ in _MISSING:  # pandas' NaT says that it is a datetime
        return None
    nanosecond = getattr(value, "nanosecond", 0)  # of pandas' Timestamp; nothing else keeps them on its way to Python
    return (cast("Any", value).replace(nanosecond=0) if nanosecond else value).isoformat()


def _decimal(value: Decimal) -> str | None:
    if value.is_nan():
        return None
    if value.is_infinite():
        raise NotPlainError("holds infinity, which JSON has no form for; use null")
    return format(value, "f") if abs(cast("int", value.as_tuple().exponent)) < _MAX_ZEROS else str(value)


def _nested(value: object, levels: int) -> Any:
    if levels == 0:
        raise NotPlainError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, BaseModel):
        return _nested(model_values(value), levels)
    if isinstance(value, Mapping):
        return {_key(key): plain(inner, levels - 1) for key, inner in cast("Mapping[object, object]", value).items()}
    return [plain(inner, levels - 1) for inner in cast("list[object]", value)]


def model_values(model: BaseModel) -> dict[str, Any]:
    """The fields of a pydantic model as JSON has them. Raises NotPlainError."""
    try:
        return model.model_dump(mode="json")
    except ValueError:  # pydantic's text would show the value
        pass
    raise NotPlainError(f"holds {type(model).__name__}, a model that pydantic cannot write as JSON")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise NotPlainError("holds an object with a key that is not text")
    return _text(key)


def _foreign(value: object, levels: int) -> Any:
    kind = type(value)
    if kind.__name__ in _MISSING:
        return None
    if kind.__module__ == "numpy" and hasattr(value, "dtype"):
        return _from_numpy(value, levels)
    hint = "; decode them to text first" if isinstance(value, bytes | bytearray) else ""
    raise NotPlainError(f"holds {kind.__name__}, which JSON has no form for{hint}")


def _from_numpy(value: Any, levels: int) -> Any:
    if value.ndim:
        return plain(list(value), levels)
    match value.dtype.kind:
        case "M":  # a moment: item() would make an integer of one in nanoseconds
            text = str(value)
            return None if text == "NaT" else text
        case "m":
            raise NotPlainError("holds timedelta64, which JSON has no form for")
        case "f":  # item() of the longest kind gives that kind again
            return plain(float(value))
        case _:
            return plain(value.item(), levels)
