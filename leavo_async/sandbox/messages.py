"""What the layers of the sandbox hand to each other: a call, an answer, a refusal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from multidict import CIMultiDictProxy, MultiMapping

from leavo_async.sandbox.ledger import EffectKind

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read to its end.

    key: label of the key it showed, such as "key-1".
    segments: the path after the face's prefix cut at its slashes, each part percent-decoded after the cut; empty
    if the path does not begin with the prefix.
    query: a name may stand there several times (`query.getall`). headers: case does not matter.
    """

    number: int
    key: str
    method: str
    segments: tuple[str, ...]
    query: MultiMapping[str]
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status, headers, body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not carried out; each face puts it in its own words.

    code: None where the status says all there is to say.
    """

    status: int
    message: str
    code: str | None = None
    details: Mapping[str, object] = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Change:
    """What a call did to the data."""

    kind: EffectKind
    id: str


@dataclass(frozen=True, slots=True, init=False)
class Done:
    """An answer, and the changes that were made for it, in their order."""

    answer: Answer
    changes: tuple[Change, ...]

    def __init__(self, answer: Answer, *changes: Change) -> None:
        # A frozen value may complete itself while it is made.
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "changes", changes)


@dataclass(frozen=True, slots=True)
class World:
    """What a face is born into.

    keys: the labels of all keys. seed: of all chance. clock: seconds, as arrivals are stamped. wall: seconds since
    the Unix epoch.
    """

    keys: tuple[str, ...]
    seed: int
    clock: Callable[[], float]
    wall: Callable[[], float]


class Face(Protocol):
    """One API as the layers see it; nothing in it waits."""

    @property
    def prefix(self) -> str:
        """What all its paths begin with, such as "/api/v1"; "" for nothing."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it keeps, such as "leads": the names that `fill` and `stored` take."""
        ...

    @property
    def query_keys(self) -> frozenset[str]:
        """Names of query parameters, in lower case, that may hold a key."""
        ...

    def credential(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """The key the request shows, its parts joined by colons; None if it shows none."""
        ...

    def groups(self, method: str, segments: tuple[str, ...]) -> tuple[str, ...]:
        """The groups of routes it belongs to: each may have a limit on top of the key's."""
        ...

    def perform(self, call: Call) -> Done:
        """The answer to an admitted call, with its effect carried out."""
        ...

    def refuse(self, refusal: Refusal) -> Answer:
        """A refusal in this API's form."""
        ...

    def fill(self, kind: str, n: int, key: str) -> None:
        """Add n made-up things of one of its kinds, for the key of this label."""
        ...

    def stored(self, kind: str, key: str) -> list[Json]:
        """All things of one of its kinds that the key of this label has, as the API shows them, oldest first."""
        ...
