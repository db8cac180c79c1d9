"""What goes out and what comes back, as values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A dataclass that type checkers hold to be frozen.

    Not frozen at run time: that would cost each request 15,000 instructions, 4 % of it.
    """
    return dataclass(slots=True)(cls)


class Headers(Mapping[str, str]):
    """Header fields; names in any case, repeated fields joined by ", ".

    RFC 9110 §5.2 and §5.3
    """

    __slots__ = ("_fields", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)
        self._fields: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._joined()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined())

    def __len__(self) -> int:
        return len(self._joined())

    def __repr__(self) -> str:
        # Names only: a value may be a key or a person's data.
        return f"<Headers {', '.join(self)}>"

    def any_begins_with(self, letters: str) -> bool:
        """Whether the name of some field begins with one of these letters: the quickest look that there is."""
        for name, _ in self._pairs:  # noqa: SIM110  # a generator would cost more than the whole look
            if name[:1] in letters:
                return True
        return False

    def all_names(self) -> str:
        """The names in lower case, each after a line break: to look for one without joining the fields."""
        return "\n".join(["", *[name for name, _ in self._pairs]]).lower()

    def _joined(self) -> dict[str, str]:
        """The fields by name, made when somebody asks: for most answers nobody does."""
        if self._fields is None:
            fields = self._fields = {}
            for name, value in self._pairs:
                key = name.lower()
                fields[key] = f"{fields[key]}, {value}" if key in fields else value
        return self._fields


@dataclass(frozen=True, slots=True)
class Lookup:
    """How to find what a write has made, if it has: among the items of a listing, the one for which `is_it` holds."""

    path: str
    params: Mapping[str, Any] = field(repr=False)
    is_it: Callable[[Any], bool] = field(repr=False)


class JsonText(bytes):
    """JSON that is written already: where a call takes `json`, it is sent as it is, byte for byte."""

    __slots__ = ()


@value
class Request:
    """One logical request, the same for all its attempts; it holds no credentials.

    path: the path alone, for messages and records. url: complete, encoded.
    repeatable: whether it may be sent again although an earlier attempt may have been acted on.
    groups: the groups of routes it belongs to, whose limits hold for it beside the key's.
    lookup: how to find what it made, where it must not be repeated but has a natural key; None without one.
    key_lasts: seconds for which the server knows its idempotency key; inf where repeating does not depend on it.
    echo: a field and the value that the answer must have there, so that it is about the thing that was asked for.
    key_is_named: whether the idempotency key is the caller's, and not one that was made for this call.
    """

    method: str
    path: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    idempotency_key: str | None = None
    repeatable: bool = True
    groups: tuple[str, ...] = ()
    lookup: Lookup | None = None
    key_lasts: float = math.inf
    echo: tuple[str, str] | None = None
    key_is_named: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@value
class Response:
    """A complete answer.

    body: unpacked bytes. attempts: how many were sent for it.
    replayed: the server says that it gave a stored answer for this idempotency key.
    """

    status: int
    headers: Headers
    body: bytes = field(default=b"", repr=False)
    attempts: int = 1
    replayed: bool = False
