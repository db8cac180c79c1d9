"""The header fields of a call: the session's, its own, and what the API demands of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from leavo_async.errors import ConfigError

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_EXPECTED = "headers: expected a mapping of names to values, or a plain function that gives one"
# These are made by the library; a caller who could replace them could sign as somebody else or smuggle a request.
_OURS = frozenset({"authorization", "host", "content-length", "transfer-encoding", "connection", "idempotency-key"})


CommonHeaders = Mapping[str, str] | Callable[[], Mapping[str, str]]


class HeaderRule(NamedTuple):
    """What an API demands of one header field.

    check: what is wrong with a value, as a part of a sentence that does not repeat it; None if nothing is.
    required: whether every call must have it. remedy: what to pass if it is missing, for the message.
    """

    name: str
    check: Callable[[str], str | None]
    required: bool = False
    remedy: str = "headers="


def is_field_name(name: Any) -> bool:
    """Whether a header field can have this name (RFC 9110 §5.1)."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def merged_headers(common: Any, own: Mapping[str, str] | None) -> dict[str, str]:
    """Both; where they name the same field, in whatever letters, the call's own."""
    if not isinstance(common, Mapping):  # a function may have given it
        raise ConfigError(_EXPECTED)
    if not own:
        return dict(common)
    named = {str(name).lower() for name in own}
    return {**{name: value for name, value in common.items() if str(name).lower() not in named}, **own}


def asked_headers(headers: CommonHeaders | None, signing: frozenset[str]) -> Callable[[], Mapping[str, str]] | None:
    """A function that gives the fields of every call; None if there are none.

    headers: the fields, or such a function. signing: names that sign a request, in small letters.
    """
    if headers is None or callable(headers):
        return headers
    fixed = checked_headers(headers, signing)
    return lambda: fixed


def checked_headers(headers: Any, signing: Iterable[str] = ()) -> dict[str, str]:
    """The fields, if they can be sent and none of them is the library's to set; ConfigError otherwise.

    signing: names that sign a request, in small letters.
    """
    if not isinstance(headers, Mapping):
        raise ConfigError(_EXPECTED)
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigError("headers: expected texts")
        if not is_field_name(name) or not all(c == "\t" or c.isprintable() for c in value):
            raise ConfigError("headers: a name or value holds characters that no header may have")
        if name.lower() in _OURS or name.lower() in signing:
            raise ConfigError(f"headers: {name} is set by the library" + _other_way(name))
    return dict(headers)


def check_rules(rules: Sequence[HeaderRule], headers: Mapping[str, str]) -> None:
    """ConfigError if a field that must be there is not, or has a value that it must not have."""
    values: Mapping[str, Any] = {name.lower(): value for name, value in headers.items()}
    for rule in rules:
        value = values.get(rule.name.lower())
        missing = f"is missing; pass {rule.remedy}" if rule.required else None
        if problem := missing if value is None else rule.check(value):
            raise ConfigError(f"header {rule.name}: {problem}")


def _other_way(name: str) -> str:
    return "; pass idempotency_key=" if name.lower() == "idempotency-key" else ""
