"""What is wrong with a value, told without the value: it may be personal data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pydantic  # not from: BaseModel takes long to load, and whoever defines models pays for it there
from pydantic_core import ValidationError

from leavo_async._sansio.text import printable

M = TypeVar("M", bound="pydantic.BaseModel")


def checked(model: type[M], fields: Mapping[str, Any] | M, refuse: Callable[[str], Exception]) -> M:
    """A model made of the fields, or of itself; raises refuse(reasons) if they do not fit, such as "phone: is missing".

    Itself is checked again only if its configuration says so.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        reasons = "; ".join(reasons_of(error))
    # Outside the block: as a cause, pydantic's error would carry the values along.
    raise refuse(reasons)


def reasons_of(error: ValidationError) -> tuple[str, ...]:
    """A sentence for each field that does not fit."""
    return tuple(f"{place}: {'is missing' if kind == 'missing' else words}" for place, kind, words in _each(error))


def kinds_of(error: ValidationError) -> tuple[str, ...]:
    """A word for each field that does not fit: for values of others, about which pydantic's sentences may tell much."""
    return tuple(f"{place}: {kind}" for place, kind, _ in _each(error))


def _each(error: ValidationError) -> list[tuple[str, str, str]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    # A place may hold a name that the server made up.
    return [(printable(".".join(map(str, each["loc"])), 100) or "body", each["type"], each["msg"]) for each in found]
