"""From the body of a request to checked values."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from leavo_async.sandbox.bodies import json_object
from leavo_async.sandbox.laabam.refused import invalid

_MONEY = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")


def read_object(body: bytes) -> Mapping[str, object]:
    """The object that the body is; `Refused` (400)."""
    try:
        return json_object(body)
    except (ValueError, TypeError):
        raise invalid("body", "must be a JSON object") from None


def text(given: Mapping[str, object], name: str) -> str:
    """The text of this name; `Refused` (400) if it is missing or empty."""
    value = given.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(name, "is required: a text that is not empty")
    return value


def money(given: Mapping[str, object], name: str) -> Decimal:
    """The amount of this name; `Refused` (400) if it is no decimal string, such as "3540.00": a float loses cents."""
    value = given.get(name)
    if not isinstance(value, str) or not _MONEY.fullmatch(value):
        raise invalid(name, 'must be a decimal string, such as "3540.00"')
    return Decimal(value)


def number(given: Mapping[str, object], name: str, default: str) -> Decimal:
    """The number of this name, as a string or a JSON number; `Refused` (400)."""
    value = given.get(name, default)
    try:
        found = Decimal(str(value)) if isinstance(value, str | int | float) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not (found.is_finite() and 0 <= found < 10**9):
        raise invalid(name, "must be a number, not negative")
    return found
