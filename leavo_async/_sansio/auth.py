"""How a request is signed, and what must never be shown."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from leavo_async.errors import ConfigError

_PLACEHOLDER = re.compile(r"^your[_-]|[<>{}$]|x{3,}$|\.\.\.|changeme", re.IGNORECASE)


# With so many days left, a warning; once each.
_WARN_AT = (14, 7, 1)


class Secret:
    """A key that does not show itself: not by repr, str, format, vars, copy or pickle.

        LeavoClient(Secret(key, expires_at=datetime(2027, 1, 31, tzinfo=UTC)))

    expires_at: when the key ends, with a time zone; then a warning comes 14, 7 and 1 days before.
    """

    __slots__ = ("expires_at", "reveal")

    reveal: Callable[[], str]
    """The key itself, for the transport alone."""

    def __init__(self, value: str, *, expires_at: datetime | None = None) -> None:
        self.reveal, value = _revealing(value), ""  # no frame that may be printed with its locals has the key
        if expires_at is not None and expires_at.tzinfo is None:
            raise ConfigError("expires_at: needs a time zone, such as datetime(2027, 1, 31, tzinfo=UTC)")
        self.expires_at = expires_at

    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None:
        """The value wrapped, unless it is so already or absent; an empty one, which is refused, for what is no text."""
        if value is None or isinstance(value, cls):
            return value
        return cls(value if isinstance(value, str) else "")

    def __repr__(self) -> str:
        return "<Secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not copied or pickled")


def _revealing(value: str) -> Callable[[], str]:
    return lambda: value  # whoever prints the attributes sees a function


Ask = Callable[[], Awaitable[str | Secret]]
"""Gives the key when it is first needed, and again, once, when the server has refused it."""


def days_warned_at(expires_at: float, now: float, warned: float) -> float:
    """The least of 14, 7 and 1 days for which a warning is due; `warned`, the last one, if none is.

    expires_at, now: seconds since the Unix epoch. warned: inf before the first.
    """
    left = (expires_at - now) / 86_400
    return min([days for days in _WARN_AT if left <= days < warned], default=warned)


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
