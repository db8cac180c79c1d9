"""Leads, as they come and as they go."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from leavo_async.apis.shapes import Answer, Email, Given, Text

# Country code and number: https://docs.leavo.ai/en/api-reference/leads/create asks for E.164.
_E164 = re.compile(r"\+[1-9]\d{6,14}")
# What people write between the digits.
_PUNCTUATION = re.compile(r"[\s().\-/]+")


def _phone(value: str) -> str:
    digits = _PUNCTUATION.sub("", value)
    if not _E164.fullmatch(digits):
        raise PydanticCustomError("phone", "is not a number with country code, such as +5511999990000")
    return digits


Phone = Annotated[str, AfterValidator(_phone)]


class Named(Answer):
    """A status or a tag: an id, a name and a colour."""

    id: str
    name: str | None = None
    color: str | None = None


class Lead(Answer):
    """A lead as the server gives it; fields that an answer leaves out are None or empty."""

    id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    company: str | None = None
    # Left to right: the form that servers send first; a smart union would try both each time.
    status: Annotated[Named | str | None, Field(union_mode="left_to_right")] = None
    tags: list[Annotated[Named | str, Field(union_mode="left_to_right")]] = []
    custom_fields: dict[str, Any] = {}
    created_at: datetime | None = None
    updated_at: datetime | None = None


class _Fields(Given):
    email: Email | None = None
    company: str | None = None
    status_id: str | None = None
    custom_fields: dict[str, Any] | None = None


class NewLead(_Fields):
    """A lead to be created: `name` and `phone` are needed.

    phone: with country code, such as +5511999990000; spaces, dots, dashes and parentheses are dropped.
    """

    name: Text
    phone: Phone
    tag_ids: list[str] | None = None


class LeadChanges(_Fields):
    """Changes to a lead; tags are not changed this way."""

    name: Text | None = None
    phone: Phone | None = None
