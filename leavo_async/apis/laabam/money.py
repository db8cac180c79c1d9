"""Money as Laabam writes it: decimal texts, never floats."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError


def exact(value: Any, name: str) -> Any:
    """The value of a field that the documents do not name, with each Decimal in it as a text.

    Any number in it may be money: raises PydanticCustomError, which names the field, for a float, and for a Decimal
    that is no amount.
    """
    if isinstance(value, Mapping):
        return {key: exact(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item, f"{name}.{index}") for index, item in enumerate(value)]
    if isinstance(value, float) or (isinstance(value, Decimal) and not _is_amount(value)):
        raise PydanticCustomError("money", "{name}: " + _INEXACT, {"name": name})
    return _plainly(value) if isinstance(value, Decimal) else value


def _no_float(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise PydanticCustomError("money", _INEXACT)
    return value


def _amount(value: Decimal) -> Decimal:
    if not _is_amount(value):
        raise PydanticCustomError("money", _INEXACT)
    return value


def _is_amount(value: Decimal) -> bool:
    return value.is_finite() and len(value.as_tuple().digits) <= _DIGITS and abs(value.adjusted()) < _DIGITS


def _plainly(value: Decimal) -> str:
    return format(value, "f")  # str() writes 1E+3


# As many as Decimal's own arithmetic gives. Decimal(1500.1), made of a float, has 45, and "1E+999999999" a gigabyte.
_DIGITS = 28
_INEXACT = 'expected a Decimal, or a text such as "3540.00", of at most 28 digits; a float is not exact'

# https://doc.laabam.one/api/ shows "3540.00"
Money = Annotated[Decimal, BeforeValidator(_no_float), AfterValidator(_amount), PlainSerializer(_plainly)]
"""An amount to be sent: from a Decimal, a whole number or a text."""
