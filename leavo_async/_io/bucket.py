"""A bucket of tokens on aiolimiter's, with what it lacks: the delay until there is room, and a rate that changes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from aiolimiter import AsyncLimiter

from leavo_async._sansio.learning import Learned
from leavo_async._sansio.limits import RateLimit
from leavo_async._sansio.status import RateStatus


class Bucket(AsyncLimiter):
    """Tokens of one limit: `burst` at most, refilled at `rate` a second.

    The only class that uses aiolimiter's protected names (`_leak`, `_level`, `_rate_per_sec`, `_loop`); their contract
    is held by tests/io/test_bucket.py. Its own queue is never entered: the gate takes tokens only when there is room.
    """

    __slots__ = ("_clock", "_learned", "_loop", "_told", "limit")

    def __init__(self, limit: RateLimit, clock: Callable[[], float], *, empty: bool = False) -> None:
        """clock: seconds that never run backwards. empty: start without a token, for nobody knows who has used them."""
        self._clock = clock
        # aiolimiter asks its loop for nothing but the time, as long as nobody waits in it.
        self._loop: Any = SimpleNamespace(time=clock)
        self.limit = limit
        self._learned = Learned()
        self._told: float | None = None
        super().__init__(limit.burst, limit.burst / limit.rate)
        self._leak()  # from now on
        if empty:
            self._level = self.max_rate

    def delay(self, tokens: int = 1) -> float:
        """Seconds until so many tokens could have been had, one after the other; 0.0 if they are there."""
        if self._learned.share < 1:
            self._retune()
        self._leak()
        missing = self._level + tokens - self.max_rate
        return missing / self._rate_per_sec if missing > 0 else 0.0

    def take(self) -> None:
        """Use a token; call it only when `delay` says that one is there."""
        self._level += 1

    def give_back(self, taken_at: float) -> None:
        """Return a token that was taken and not used; what has leaked away since then is not there to return."""
        if (self._clock() - taken_at) * self._rate_per_sec < 1:
            self._level = max(0.0, self._level - 1)

    def refused(self, asked_at: float) -> None:
        """The server has refused a request that left at `asked_at`, within the limit as it is: it must be lower."""
        if asked_at > self._learned.since:  # of one flight, only the first refusal is news
            self._learned = self._learned.lowered(self._clock(), self.limit.per)
            self._retune()

    def told(self, limit: RateLimit) -> None:
        """The server names its limit: it holds if it is lower than the configured one, and ends what it said before."""
        self._told = limit.rate if limit.rate < self.limit.rate else None
        self._retune()

    @property
    def is_told(self) -> bool:
        """Whether a limit holds that the server has named."""
        return self._told is not None

    def is_fresh(self) -> bool:
        """Whether it equals a new one: full, and nothing learned."""
        self.delay()
        return self._level == 0 and self._learned.share == 1 and self._told is None

    def status(self) -> RateStatus:
        """What it holds now."""
        self.delay()
        learned = self._learned.share_at(self._last_check, self.limit.per)
        return RateStatus(self.limit, self.max_rate - self._level, self._rate_per_sec, learned, self._told)

    def _retune(self) -> None:
        """Let the rate be what is known now; what has passed until now leaks at the old one."""
        self._leak()
        share = self._learned.share_at(self._last_check, self.limit.per)
        if share == 1:
            self._learned = Learned(since=self._learned.since)
        rate = self.limit.rate * share
        self._rate_per_sec = rate if self._told is None else min(rate, self._told)

    def __repr__(self) -> str:
        return f"<Bucket {self.status()}>"
