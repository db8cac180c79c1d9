"""From the body of a request to the checked fields of a lead."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from leavo_async.sandbox.bodies import json_object
from leavo_async.sandbox.leavo.labels import STATUSES, TAGS, Status, Tag
from leavo_async.sandbox.leavo.refused import invalid, missing, not_found

Fields = dict[str, Any]
"""Values for attributes of `Lead`, under their names."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_E164 = re.compile(r"\+[0-9]{7,15}")


def new_lead(body: bytes) -> Fields:
    """All that a new lead has of its own; name and phone are there."""
    given = _object(body)
    _require(given, ("name", "phone"))
    return _checked(given, _NEW)


def changed_lead(body: bytes) -> Fields:
    """What is to change, and nothing else."""
    return _checked(_object(body), _CHANGEABLE)


def _object(body: bytes) -> Mapping[str, object]:
    try:
        return json_object(body)
    except ValueError:
        raise invalid("body", "must be JSON") from None
    except TypeError:
        raise invalid("body", "must be a JSON object") from None


def _require(given: Mapping[str, object], names: Iterable[str]) -> None:
    for name in names:
        if given.get(name) in (None, ""):
            raise missing(name)


def _checked(given: Mapping[str, object], checks: "Mapping[str, _Check]") -> Fields:
    found = (check(name, given[name]) for name, check in checks.items() if name in given)
    return dict(found)


def _name(field: str, value: object) -> tuple[str, str]:
    if not isinstance(value, str) or not value.strip():
        raise invalid(field, "must be a text that is not empty")
    return "name", value


def _phone(field: str, value: object) -> tuple[str, str]:
    if not isinstance(value, str) or not _E164.fullmatch(value):
        raise invalid(field, "must be E.164: a plus sign and 7 to 15 digits")
    return "phone", value


def _email(field: str, value: object) -> tuple[str, str | None]:
    if value is not None and not (isinstance(value, str) and _EMAIL.fullmatch(value)):
        raise invalid(field, "must be an e-mail address")
    return "email", value


def _company(field: str, value: object) -> tuple[str, str | None]:
    if value is not None and not isinstance(value, str):
        raise invalid(field, "must be a text")
    return "company", value


def _status(field: str, value: object) -> tuple[str, Status]:
    if not isinstance(value, str):
        raise invalid(field, "must be an id")
    if value not in STATUSES:
        raise not_found(f"Status {value}")
    return "status", STATUSES[value]


def _tags(field: str, value: object) -> tuple[str, tuple[Tag, ...]]:
    if not isinstance(value, list):
        raise invalid(field, "must be a list of ids")
    ids = dict.fromkeys(_text(field, item) for item in cast("list[object]", value))
    return "tags", tuple(known_tag(tag_id) for tag_id in ids)


def _text(field: str, item: object) -> str:
    if not isinstance(item, str):
        raise invalid(field, "must be a list of ids")
    return item


def known_tag(tag_id: str) -> Tag:
    """The tag with this id; `Refused` (404) if there is none."""
    if tag_id not in TAGS:
        raise not_found(f"Tag {tag_id}")
    return TAGS[tag_id]


def _custom_fields(field: str, value: object) -> tuple[str, dict[str, object]]:
    if not isinstance(value, dict):
        raise invalid(field, "must be an object")
    return "custom_fields", cast("dict[str, object]", value)


_Check = Callable[[str, object], tuple[str, object]]

# Those that look something up come last: a body is first judged by itself.
_CHANGEABLE: Mapping[str, _Check] = {
    "name": _name,
    "phone": _phone,
    "email": _email,
    "company": _company,
    "custom_fields": _custom_fields,
    "status_id": _status,
}
# Leavo documents `tag_ids` for creation only; later, tags have routes of their own.
_NEW: Mapping[str, _Check] = {**_CHANGEABLE, "tag_ids": _tags}
