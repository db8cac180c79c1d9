"""A bucket of tokens on aiolimiter's, with what it lacks: the delay until there is room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiolimiter import AsyncLimiter

from leavo_async._sansio.limits import RateLimit


class Bucket(AsyncLimiter):
    """Tokens of one limit: `burst` at most, refilled at `rate` a second.

    The only class that uses aiolimiter's protected names (`_leak`, `_level`, `_rate_per_sec`, `_loop`); their contract
    is held by tests/io/test_bucket.py. Its own queue is never entered: the gate takes tokens only when there is room.
    """

    __slots__ = ("_clock",)

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        """clock: seconds that never run backwards."""
        self._clock = clock
        super().__init__(limit.burst, limit.burst / limit.rate)

    @property
    def _loop(self) -> Any:
        # aiolimiter asks its loop for nothing but the time, as long as nobody waits in it.
        return self

    def time(self) -> float:
        """The clock's seconds."""
        return self._clock()

    def delay(self) -> float:
        """Seconds until a token is there; 0.0 if one is."""
        self._leak()
        missing = self._level + 1 - self.max_rate
        return missing / self._rate_per_sec if missing > 0 else 0.0

    def take(self) -> None:
        """Use a token; call it only when `delay` says that one is there."""
        self._level += 1

    def give_back(self) -> None:
        """Return a token that was taken and not used."""
        self._level = max(0.0, self._level - 1)

    def __repr__(self) -> str:
        self._leak()
        return f"<Bucket {max(0.0, self.max_rate - self._level):.1f} of {self.max_rate:g} tokens>"
