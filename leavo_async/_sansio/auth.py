"""How a request is signed, and what must never be shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NoReturn, Protocol

from leavo_async._sansio.fields import is_field_name
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

    def digest(self, place: str) -> str:
        """What stands for this key at this place, and tells nothing about it."""
        return hashlib.sha256(f"{place}\n{self.reveal()}".encode()).hexdigest()

    def is_same(self, other: Secret | None) -> bool:
        """Whether the other one signs in the same way."""
        return other is not None and other.digest("") == self.digest("")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not copied or pickled")


class KeyPair(Secret):
    """An id, which may be shown, and the secret that belongs to it.

    session = Session(LAABAM, KeyPair("lk_id_…", secret))

    Its repr has neither: whoever swaps the two would have the secret in it.
    """

    __slots__ = ("id",)

    def __init__(self, id: str, secret: str, *, expires_at: datetime | None = None) -> None:  # noqa: A002
        held, secret = _revealing(secret), ""  # before anything can fail
        super().__init__("", expires_at=expires_at)
        self.id, self.reveal = id, held

    def digest(self, place: str) -> str:
        """What stands for this key at this place, and tells nothing about it."""
        return super().digest(f"{place}\n{self.id}")


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


class Auth(Protocol):
    """How a request is signed. Nothing of it is in a Request: the transport adds it when it sends."""

    def headers(self, secret: Secret) -> dict[str, str]:
        """The header fields that sign a request; no other header of a call may have their names."""
        ...

    def params(self, secret: Secret) -> dict[str, str]:
        """The query parameters that sign a request; no other parameter of a call may have their names."""
        ...

    def problem(self, secret: Secret) -> str | None:
        """Why this cannot be the key; None if it can."""
        ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer <key>` (RFC 6750 §2.1)."""

    def headers(self, secret: Secret) -> dict[str, str]:
        """The header fields that sign a request."""
        return {"Authorization": f"Bearer {secret.reveal()}"}

    def params(self, secret: Secret) -> dict[str, str]:
        """None."""
        return {}

    def problem(self, secret: Secret) -> str | None:
        """Nothing more than what is wrong with any key."""
        return None


class HeaderKey(NamedTuple):
    """The key alone in a header field, such as `api-key: <key>`."""

    name: str

    def headers(self, secret: Secret) -> dict[str, str]:
        """The header fields that sign a request."""
        return {self.name: secret.reveal()}

    def params(self, secret: Secret) -> dict[str, str]:
        """None."""
        return {}

    def problem(self, secret: Secret) -> str | None:
        """Nothing more than what is wrong with any key."""
        return None


class QueryKey(NamedTuple):
    """The key in the query, such as `?api_key=<key>`, for where a proxy drops the header.

    Servers and proxies keep URLs in their logs: prefer a header wherever one is taken. In ours it appears nowhere.
    """

    name: str = "api_key"

    def headers(self, secret: Secret) -> dict[str, str]:
        """None."""
        return {}

    def params(self, secret: Secret) -> dict[str, str]:
        """The query parameters that sign a request."""
        return {self.name: secret.reveal()}

    def problem(self, secret: Secret) -> str | None:
        """Nothing more than what is wrong with any key."""
        return None


class HeaderPair(NamedTuple):
    """An id and a secret in two header fields; the credentials are a KeyPair.

    id_prefix, secret_prefix: what each begins with, so that swapped ones are seen before they are sent.
    """

    id_name: str
    secret_name: str
    id_prefix: str = ""
    secret_prefix: str = ""

    def headers(self, secret: Secret) -> dict[str, str]:
        """The header fields that sign a request."""
        return {self.id_name: getattr(secret, "id", ""), self.secret_name: secret.reveal()}

    def params(self, secret: Secret) -> dict[str, str]:
        """None."""
        return {}

    def problem(self, secret: Secret) -> str | None:
        """A key without an id, an id that cannot be one, or one in the place of the other."""
        if not isinstance(secret, KeyPair):
            return "a key without its id: expected KeyPair(id, secret)"
        if problem := _problem_of(secret.id, "id"):
            return problem
        if self.secret_prefix and secret.id.startswith(self.secret_prefix):
            return "the id and the secret stand in each other's place"
        if not secret.id.startswith(self.id_prefix):
            return f"the id does not begin with {self.id_prefix}"
        if not secret.reveal().startswith(self.secret_prefix):
            return f"the secret does not begin with {self.secret_prefix}"
        return None


def names_of(auth: Auth) -> frozenset[str]:
    """The header fields and parameters that sign, in small letters: a call must not have its own.

    Raises ConfigError for what no header field can be called.
    """
    anybody = KeyPair("", "")
    fields = auth.headers(anybody)
    if wrong := [name for name in fields if not is_field_name(name)]:
        raise ConfigError(f"auth: {wrong[0]!r} is no name of a header field")
    return frozenset(name.lower() for name in (*fields, *auth.params(anybody)))


def checked_key(secret: Secret | None, auth: Auth, *, variables: str) -> Secret:
    """The key, if it can be one; ConfigError otherwise.

    variables: the environment variables that it may come from, for the message.
    """
    # A Secret already: a traceback that prints the locals of whoever calls must not print the key.
    problem = _problem_of(None if secret is None else secret.reveal(), "API key")
    if secret is None or problem or (problem := auth.problem(secret)):
        raise ConfigError(f"{problem}: set {variables} in the environment, or pass {_argument(auth)}")
    return secret


def _argument(auth: Auth) -> str:
    return "the id and the secret" if isinstance(auth, HeaderPair) else "api_key="


def _problem_of(key: str | None, what: str) -> str | None:
    if not key or not key.strip():
        return f"no {what}"
    if key != key.strip() or not key.isascii() or not key.isprintable() or " " in key:
        return f"the {what} holds spaces, line breaks or other characters that no key has"
    if "://" in key:
        return f"the {what} looks like a URL"
    if _PLACEHOLDER.search(key):
        return f"the {what} looks like a placeholder"
    return None
