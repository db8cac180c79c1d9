"""Whether a request may be sent twice, and the form of idempotency keys."""

from __future__ import annotations

import re
from enum import Enum
from typing import Literal, cast, get_args

from leavo_async.errors import ConfigError

Honoured = Literal["honoured", "ignored", "unknown"]
"""What the server does with an idempotency key; only "honoured" makes a write repeatable."""


class Repeat(Enum):
    """Why a request may be sent again although an earlier attempt may have been acted on; or that it may not."""

    PURE = "doing it twice has the effect of doing it once"
    KEYED = "the server does it once for each idempotency key"
    NATURAL = "it must not be repeated, but what it made can be looked up"
    UNSAFE = "it must not be repeated"


# "Idempotent methods", RFC 9110 §9.2.2: doing them twice has the effect of doing them once.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# The smallest limit seen in the field is 64 characters:
# https://docs.adyen.com/development-resources/api-idempotency
_KEY = re.compile(r"[!-~]{1,64}")


def is_write(method: str) -> bool:
    """Whether the method changes something at the server, and so carries an idempotency key."""
    return method not in _READS


def repeat_of(method: str, honoured: Honoured, named: Repeat | None = None) -> Repeat:
    """Whether and why a request may be repeated. named: what its route says of it, if it says anything."""
    if named in (Repeat.PURE, Repeat.UNSAFE):
        return named
    if named is None and method in _IDEMPOTENT:
        return Repeat.PURE
    if honoured == "honoured" or (named is Repeat.KEYED and honoured != "ignored"):
        return Repeat.KEYED
    return Repeat.NATURAL if named is Repeat.NATURAL else Repeat.UNSAFE


def checked_honoured(word: str) -> Honoured:
    """The word, if it is one of the three; ConfigError otherwise."""
    if word not in get_args(Honoured):
        raise ConfigError(f"idempotency={word!r}: expected one of {', '.join(get_args(Honoured))}")
    return cast("Honoured", word)


def checked_idempotency_key(key: str) -> str:
    """The key, if it is 1 to 64 visible ASCII characters; ConfigError otherwise."""
    if not _KEY.fullmatch(key):
        raise ConfigError("idempotency_key: expected 1 to 64 visible ASCII characters, best a UUID")
    return key
