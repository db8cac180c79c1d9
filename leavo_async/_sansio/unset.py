"""The difference between "not given" and null."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal


class _Unset(Enum):
    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Literal[_Unset.UNSET] = _Unset.UNSET
"""A field that is not given and is not sent; None is sent as null."""

Unset = Literal[_Unset.UNSET]


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not UNSET."""
    return {name: value for name, value in fields.items() if value is not UNSET}
