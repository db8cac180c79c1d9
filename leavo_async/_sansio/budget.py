"""How many repeats a session may send: a server that is down must not get four times the load."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

SHARE = 0.1
AT_LEAST = 10
WINDOW = 60


@dataclass(slots=True)
class _Second:
    number: int
    requests: int = 0
    repeats: int = 0


class Budget:
    """In any minute, 10 % of its requests may be repeated, and ten in any case. Repeats after a 429 do not count.

    Counted by whole seconds. now: seconds on a clock that never runs backwards.
    """

    __slots__ = ("_latest", "_repeats", "_requests", "_seconds")

    def __init__(self) -> None:
        self._latest = _Second(-1)  # the last one of them
        self._seconds: deque[_Second] = deque()
        self._requests = self._repeats = 0

    def sent(self, now: float) -> None:
        """A call has sent its first attempt."""
        second = self._latest if self._latest.number == int(now) else self._second(now)
        second.requests += 1
        self._requests += 1

    def delay(self, now: float) -> float:
        """Seconds until there may be room for one more repeat; 0.0 if there is."""
        self._second(now)
        if self._repeats < max(AT_LEAST, math.floor(SHARE * self._requests)):
            return 0.0
        oldest = next(second for second in self._seconds if second.repeats)
        return oldest.number + WINDOW + 1 - now

    def take(self, now: float) -> float:
        """0.0 if one repeat was taken; otherwise the delay after which to ask again."""
        delay = self.delay(now)
        if not delay:
            self._second(now).repeats += 1
            self._repeats += 1
        return delay

    def _second(self, now: float) -> _Second:
        """This second, once all that are over a minute ago are forgotten."""
        number = int(now)
        if self._latest.number == number:
            return self._latest
        while self._seconds and self._seconds[0].number < number - WINDOW:
            old = self._seconds.popleft()
            self._requests -= old.requests
            self._repeats -= old.repeats
        self._latest = _Second(number)
        self._seconds.append(self._latest)
        return self._latest
