"""What a request gives, checked: its body, its flags and its days."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, cast

from leavo_async.sandbox.agentos.refused import invalid, missing
from leavo_async.sandbox.bodies import json_value

Fields = Mapping[str, Any]


def fields(body: bytes) -> Fields:
    """The body as an object with something in it; `Refused` (400) if it is anything else."""
    return _object(parsed(body))


def list_of_fields(body: bytes) -> list[Fields]:
    """The body as a list of such objects; `Refused` (400) if it is anything else."""
    value = parsed(body)
    if not isinstance(value, list) or not value:
        raise invalid("The body", "must be a JSON list with something in it")
    return [_object(item) for item in cast("list[object]", value)]


def parsed(body: bytes) -> object:
    """The body as any JSON; `Refused` (400) if it is none."""
    try:
        return json_value(body)
    except ValueError:
        pass
    raise invalid("The body", "must be JSON")


def something(body: bytes) -> int:
    """The size of a body of any form; `Refused` (400) if it is empty."""
    if not body:
        raise missing("The body")
    return len(body)


def require(given: Fields, names: Iterable[str]) -> None:
    """`Refused` (400) for the first of these fields that is not a text with something in it."""
    for name in names:
        value = given.get(name)
        if value in (None, ""):
            raise missing(name)
        if not isinstance(value, str) or not value.strip():
            raise invalid(name, "must be a text that is not blank")


def flag(query: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """True or false, as the query says; `Refused` (400) if it says anything else."""
    text = query.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise invalid(name, "must be true or false")
    return text == "true"


def day(query: Mapping[str, str], name: str) -> date | None:
    """The day of an ISO 8601 date or time, None if it is not given; `Refused` (400) if it cannot be read."""
    text = query.get(name)
    found = None if text is None else day_in(text)
    if text is not None and found is None:
        raise invalid(name, "must be a date, such as 2026-01-31")
    return found


def day_in(value: object) -> date | None:
    """The day of an ISO 8601 date or time; None for anything else."""
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None


def _object(value: object) -> Fields:
    if not isinstance(value, dict) or not value:
        raise invalid("The body", "must be a JSON object with something in it")
    return cast("Fields", value)
