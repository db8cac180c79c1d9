"""What the layers of the sandbox hand to each other: a call, an answer, a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from leavo_async.sandbox.ledger import EffectKind


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read to its end.

    segments: the path cut at its slashes, each part percent-decoded after the cut.
    """

    number: int
    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
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


@dataclass(frozen=True, slots=True)
class Done:
    """An answer, and the change that it tells of, if there was one."""

    answer: Answer
    change: Change | None = None


class Face(Protocol):
    """One API as the layers see it; nothing in it waits."""

    def credential(self, headers: Mapping[str, str]) -> str | None:
        """The key the request shows; None if it shows none."""
        ...

    def perform(self, call: Call) -> Done:
        """The answer to an admitted call, with its effect carried out."""
        ...

    def refuse(self, refusal: Refusal) -> Answer:
        """A refusal in this API's form."""
        ...
