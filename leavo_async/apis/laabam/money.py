"""Money as Laabam writes it: decimal texts, never floats."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError


def exact(value: Any, name: str) -> Any:
    """The value of a field that the documents do not name, with each Decimal in it as a text.

    Any number in it may be money: raises PydanticCustomError, which names the field, for a float.
    """
    if isinstance(value, Mapping):
        return {key: exact(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item, f"{name}.{index}") for index, item in enumerate(value)]
    if isinstance(value, float) or (isinstance(value, Decimal) and not value.is_finite()):
        raise PydanticCustomError("money", "{name}: " + _INEXACT, {"name": name})
    return _plainly(value) if isinstance(value, Decimal) else value


def _no_float(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise PydanticCustomError("money", _INEXACT)
    return value


def _plainly(value: Decimal) -> str:
    return format(value, "f")  # str() writes 1E+3


_INEXACT = 'expected a Decimal, or a text such as "3540.00"; a float is not exact'

# https://doc.laabam.one/api/ shows "3540.00"
Money = Annotated[Decimal, BeforeValidator(_no_float), PlainSerializer(_plainly)]
"""An amount to be sent: from a Decimal, a whole number or a text."""
