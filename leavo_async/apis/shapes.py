"""What the models of all APIs have in common: they keep what they do not know, and show nobody's data."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

T = TypeVar("T")
# One @ with a dotted name behind it; whether the address exists only a mail can tell.
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


class Answer(BaseModel):
    """What a server gives: fields that it adds are kept; repr shows no personal data (model_dump() shows all).

    shown: the fields that repr may show.
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
    shown: ClassVar[tuple[str, ...]] = ("id", "created_at")

    def __repr_args__(self) -> Any:
        return [(name, getattr(self, name)) for name in self.shown if hasattr(self, name)]

    def __str__(self) -> str:
        return repr(self)


class Given(BaseModel):
    """What a caller gives: it is checked, and what is not given is not sent; repr shows the names of fields alone."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    def __repr_args__(self) -> Any:
        return [("fields", sorted(self.model_fields_set))]

    def __str__(self) -> str:
        return repr(self)


def _words(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "is empty")
    return value


def _text(value: str) -> str:
    return _words(value).strip()


def email_address(value: str) -> str:
    """The address without spaces around it, if it can be one."""
    if not _EMAIL.fullmatch(value.strip()):
        raise PydanticCustomError("email", "is not an e-mail address")
    return value.strip()


Id = Annotated[str, Field(coerce_numbers_to_str=True)]
"""An id, as text: some servers write it as a number."""
Listed = Annotated[list[T], BeforeValidator(lambda value: [] if value is None else value)]
"""A list for which some servers write null: what else an answer holds is not thrown away for that."""
Text = Annotated[str, AfterValidator(_text)]
"""A text that says something, without the spaces around it."""
Words = Annotated[str, AfterValidator(_words)]
"""What people are to read, to the last space."""
Email = Annotated[str, AfterValidator(email_address)]
