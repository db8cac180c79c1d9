"""The promise a server can make about `Idempotency-Key`: the first answer again, and nothing done twice."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from leavo_async.sandbox.messages import Answer

DAY = 86_400.0


@dataclass(slots=True)
class Fresh:
    """The key is new and now taken: do the work, then set `answer`, or drop the key."""

    at: float
    request: Hashable
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """The work was done before; this was the answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key belongs to another request."""


@dataclass(frozen=True, slots=True)
class InProgress:
    """The first request with the key is not answered yet."""


class IdempotencyStore:
    """The answers kept by key, each for `retention` seconds from its first request."""

    def __init__(self, retention: float = DAY) -> None:
        if not retention > 0:
            raise ValueError(f"retention must be a positive number of seconds, not {retention!r}")
        self._retention = retention
        self._taken: OrderedDict[Hashable, Fresh] = OrderedDict()

    def begin(self, key: Hashable, request: Hashable, now: float) -> Fresh | Replay | Mismatch | InProgress:
        """What is known about the key; if nothing, it is taken.

        request: what must be equal for two requests to be the same one. now: seconds; a clock that never steps back.
        """
        self._forget(now)
        if key not in self._taken:
            return self._taken.setdefault(key, Fresh(now, request))
        return _known(self._taken[key], request)

    def drop(self, key: Hashable) -> None:
        """Forget a key whose request came to no answer."""
        self._taken.pop(key, None)

    def _forget(self, now: float) -> None:
        while self._taken and now - next(iter(self._taken.values())).at >= self._retention:
            self._taken.popitem(last=False)


def _known(first: Fresh, request: Hashable) -> Replay | Mismatch | InProgress:
    if first.request != request:
        return Mismatch()
    return InProgress() if first.answer is None else Replay(first.answer)
