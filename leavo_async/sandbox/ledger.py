"""What really arrived and what it really did: the book that a test reads after the fact."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from leavo_async.sandbox.moment import microseconds

EffectKind = Literal["created", "updated", "deleted"]


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One request as the server saw it.

    number: 1 for the first that arrived. at: seconds on the sandbox's clock, taken before anything else happened.
    key: label of the key ("key-1" is the sandbox's own); None if it showed none we know.
    admitted: it passed the key and the limit. status: None while it is being answered, if its connection
    was reset, and if the client left before the end of the body.
    fault: name of the scripted fault that struck it. body_bytes: size of the request's body.
    """

    number: int
    at: float
    key: str | None
    method: str
    path: str
    query: str = ""
    idempotency_key: str | None = None
    admitted: bool = False
    status: int | None = None
    replayed: bool = False
    fault: str | None = None
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """One change to the data, and the number of the request that made it."""

    number: int
    kind: EffectKind
    id: str


class Ledger:
    """Every request in order of arrival, every effect in order of happening."""

    def __init__(self) -> None:
        self.requests: list[RequestEntry] = []
        self.effects: list[Effect] = []

    def arrive(self, entry: RequestEntry) -> RequestEntry:
        """The entry as it now stands in the book, under the next number."""
        numbered = replace(entry, number=len(self.requests) + 1)
        self.requests.append(numbered)
        return numbered

    def conclude(self, entry: RequestEntry) -> None:
        """Write what became of it over the entry with the same number."""
        self.requests[entry.number - 1] = entry

    def count(self, method: str | None = None, path: str | None = None, status: int | None = None) -> int:
        """How many requests had this method, exactly this path and this status; None leaves a question open."""
        wanted = (method, path, status)
        return sum(_matches(wanted, (r.method, r.path, r.status)) for r in self.requests)

    def busiest(self, window: float, key: str | None = None) -> int:
        """The most admitted arrivals in any half-open window of so many seconds; of one key only, if it is named."""
        return _most_within(microseconds(window), (microseconds(r.at) for r in self.requests if _counts(r, key)))

    def __repr__(self) -> str:
        return f"<Ledger {len(self.requests)} requests, {len(self.effects)} effects>"


def _matches(wanted: tuple[object, ...], found: tuple[object, ...]) -> bool:
    return all(w is None or w == f for w, f in zip(wanted, found, strict=True))


def _counts(entry: RequestEntry, key: str | None) -> bool:
    return entry.admitted and key in (None, entry.key)


def _most_within(window: int, arrivals: Iterable[int]) -> int:
    # The same whole microseconds as in the limit models: judge and limiter must agree about the edge.
    ticks = sorted(arrivals)
    most = first = 0
    for last, tick in enumerate(ticks):
        while tick - ticks[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most
