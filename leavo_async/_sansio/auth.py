"""How a request is signed, and what must never be shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from leavo_async.errors import ConfigError

_PLACEHOLDER = re.compile(r"^your[_-]|[<>{}$]|x{3,}$|\.\.\.|changeme", re.IGNORECASE)


class Secret:
    """A key that does not show itself: not by repr, str, format, vars, copy or pickle."""

    __slots__ = ("reveal",)

    reveal: Callable[[], str]
    """The key itself, for the transport alone."""

    def __init__(self, value: str) -> None:
        self.reveal = lambda: value  # whoever prints the attributes sees a function

    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None:
        """The value wrapped, unless it is so already or absent."""
        return cls(value) if isinstance(value, str) else value

    def __repr__(self) -> str:
        return "<Secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not copied or pickled")


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer <key>` (RFC 6750 §2.1)."""

    def headers(self, secret: Secret) -> dict[str, str]:
        """The header fields that sign a request."""
        return {"Authorization": f"Bearer {secret.reveal()}"}


def checked_key(secret: Secret | None, *, variable: str) -> Secret:
    """The key, if it can be one; ConfigError otherwise.

    variable: the environment variable that it may come from, for the message.
    """
    # A Secret already: a traceback that prints the locals of whoever calls must not print the key.
    problem = _problem_of(None if secret is None else secret.reveal())
    if secret is None or problem:
        raise ConfigError(f"{problem}: set {variable} in the environment, or pass api_key=")
    return secret


def _problem_of(key: str | None) -> str | None:
    if not key or not key.strip():
        return "no API key"
    if key != key.strip() or not key.isascii() or not key.isprintable() or " " in key:
        return "the API key holds spaces, line breaks or other characters that no key has"
    if "://" in key:
        return "the API key looks like a URL"
    if _PLACEHOLDER.search(key):
        return "the API key looks like a placeholder"
    return None
