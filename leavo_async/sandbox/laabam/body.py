"""From the body of a request to checked values."""

import re
from collections.abc import Mapping
from decimal import Decimal

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


def number(given: Mapping[str, object], name: str, default: int, *, at_most: int) -> int | float:
    """The number of this name; `Refused` (400) if it is no JSON number from 0 to `at_most`."""
    value = given.get(name, default)
    # JSON's true is an int to Python, and its 1e999 is infinite.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= at_most:
        raise invalid(name, f"must be a number from 0 to {at_most}")
    return value
