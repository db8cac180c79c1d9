"""Whether a request may be sent twice, and the form of idempotency keys."""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

from leavo_async.errors import ConfigError

Honoured = Literal["honoured", "ignored", "unknown"]
"""What the server does with an idempotency key; only "honoured" makes a write repeatable."""

# "Idempotent methods", RFC 9110 §9.2.2: doing them twice has the effect of doing them once.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# The smallest limit seen in the field is 64 characters:
# https://docs.adyen.com/development-resources/api-idempotency
_KEY = re.compile(r"[!-~]{1,64}")


def is_write(method: str) -> bool:
    """Whether the method changes something at the server, and so carries an idempotency key."""
    return method not in _READS


def may_repeat(method: str, honoured: Honoured) -> bool:
    """Whether a request may be sent again although an earlier attempt may have been acted on."""
    return method in _IDEMPOTENT or honoured == "honoured"


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
