"""Leads, as they come and as they go."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

# Country code and number: https://docs.leavo.ai/en/api-reference/leads/create asks for E.164.
_E164 = re.compile(r"\+[1-9]\d{6,14}")
# What people write between the digits.
_PUNCTUATION = re.compile(r"[\s().\-/]+")
# One @ with a dotted name behind it; whether the address exists only a mail can tell.
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def _text(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "is empty")
    return value.strip()


def _phone(value: str) -> str:
    digits = _PUNCTUATION.sub("", value)
    if not _E164.fullmatch(digits):
        raise PydanticCustomError("phone", "is not a number with country code, such as +5511999990000")
    return digits


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value.strip()):
        raise PydanticCustomError("email", "is not an e-mail address")
    return value.strip()


Text = Annotated[str, AfterValidator(_text)]
Phone = Annotated[str, AfterValidator(_phone)]
Email = Annotated[str, AfterValidator(_email)]


class _Model(BaseModel):
    """Fields that the server adds are kept; repr shows no personal data (model_dump() shows all)."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    def __repr_args__(self) -> Any:
        return [(name, getattr(self, name)) for name in ("id", "created_at") if hasattr(self, name)]

    def __str__(self) -> str:
        return repr(self)


class Named(_Model):
    """A status or a tag: an id, a name and a colour."""

    id: str
    name: str | None = None
    color: str | None = None


class Lead(_Model):
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


class _Fields(BaseModel):
    """What is given is checked; what is not given is not sent."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    email: Email | None = None
    company: str | None = None
    status_id: str | None = None
    custom_fields: dict[str, Any] | None = None

    def __repr_args__(self) -> Any:
        return [("fields", sorted(self.model_fields_set))]

    def __str__(self) -> str:
        return repr(self)


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
