"""The rate limiters that servers use, as exact models: what may a key still ask at this moment?

Pure: time comes in as `now` and nothing here waits. Time is counted in whole microseconds and tokens in fractions of
integers, so that a window ends exactly where it ends and no float rounding lets a request in or keeps one out.
A refused request changes nothing, in every model.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from leavo_async.sandbox.moment import Moment, microseconds


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a limiter says to one request.

    remaining: whole requests it would admit right after this one.
    retry_after: seconds after which the same request is admitted; 0.0 if it was.
    reset_after: seconds until the quota is whole again, if nothing more is asked.
    """

    allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class Limiter(Protocol):
    """The limiter of one key: decides about one request after the other, as they arrive."""

    @property
    def requests(self) -> int:
        """The number in its name: "100 a minute" says 100."""
        ...

    def admit(self, now: float) -> Verdict:
        """The verdict on a request that arrives at `now`, in seconds on any clock.

        A moment before the latest one counts as the latest.
        """
        ...


class _Model(ABC):
    def __init__(self, requests: int, per: float) -> None:
        self.requests = _whole("requests", requests)
        self.per = _seconds("per", per)
        self._period = microseconds(per)
        self._latest = Moment(-math.inf, 0)

    def admit(self, now: float) -> Verdict:
        # A clock that steps back must not open a window again that was used up.
        self._latest = max(self._latest, Moment.at(now))
        return self._decide(self._latest)

    @abstractmethod
    def _decide(self, now: Moment) -> Verdict: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.requests} per {self.per:g} s>"


class FixedWindow(_Model):
    """At most `requests` in each window [phase + k * per, phase + (k + 1) * per)."""

    def __init__(self, requests: int, per: float, phase: float = 0.0) -> None:
        super().__init__(requests, per)
        self._phase = microseconds(_finite("phase", phase))
        self._window = 0
        self._used = 0

    def _decide(self, now: Moment) -> Verdict:
        self._enter((now.tick - self._phase) // self._period)
        end = self._phase + (self._window + 1) * self._period
        if self._used >= self.requests:
            return _refuse(now, retry=end, reset=end)
        self._used += 1
        return _allow(now, self.requests - self._used, reset=end)

    def _enter(self, window: int) -> None:
        if window != self._window:
            self._window, self._used = window, 0


class SlidingLog(_Model):
    """At most `requests` in any half-open window of `per` seconds: it remembers each arrival."""

    def __init__(self, requests: int, per: float) -> None:
        super().__init__(requests, per)
        self._log: deque[int] = deque()

    def _decide(self, now: Moment) -> Verdict:
        self._forget(now.tick)
        if len(self._log) >= self.requests:
            return _refuse(now, retry=self._log[0] + self._period, reset=self._log[-1] + self._period)
        self._log.append(now.tick)
        return _allow(now, self.requests - len(self._log), reset=now.tick + self._period)

    def _forget(self, tick: int) -> None:
        while self._log and tick - self._log[0] >= self._period:
            self._log.popleft()


class TokenBucket(_Model):
    """A bucket of `burst` tokens (default: `requests`), refilled at `requests` per `per`; each request takes one.

    Tokens are counted in parts: one token is as many parts as `per` has microseconds, and each microsecond brings
    `requests` parts.
    """

    def __init__(self, requests: int, per: float, burst: int | None = None) -> None:
        super().__init__(requests, per)
        self.burst = self.requests if burst is None else _whole("burst", burst)
        self._parts = self.burst * self._period
        self._filled_at: int | None = None

    def _decide(self, now: Moment) -> Verdict:
        self._refill(now.tick)
        if self._parts < self._period:
            return _refuse(now, retry=self._tick_with(self._period), reset=self._tick_when_full())
        self._parts -= self._period
        return _allow(now, self._parts // self._period, reset=self._tick_when_full())

    def _refill(self, tick: int) -> None:
        if self._filled_at is not None:
            self._parts = min(self.burst * self._period, self._parts + (tick - self._filled_at) * self.requests)
        self._filled_at = tick

    def _tick_when_full(self) -> int:
        return self._tick_with(self.burst * self._period)

    def _tick_with(self, parts: int) -> int:
        assert self._filled_at is not None
        return self._filled_at + _ceil_div(parts - self._parts, self.requests)


class Gcra(_Model):
    """Requests at the steady pace of `requests` per `per`, at most `burst` (default: a tenth) of them at once.

    The leaky bucket as a meter, by its theoretical arrival time (ITU-T I.371). Its unit of time is a microsecond
    divided by `requests`, so that the time between two requests is a whole number.
    """

    def __init__(self, requests: int, per: float, burst: int | None = None) -> None:
        super().__init__(requests, per)
        self.burst = max(1, self.requests // 10) if burst is None else _whole("burst", burst)
        self._tolerance = (self.burst - 1) * self._period
        self._expected: int | None = None

    def _decide(self, now: Moment) -> Verdict:
        time = now.tick * self.requests
        expected = time if self._expected is None else max(time, self._expected)
        if expected - time > self._tolerance:
            return _refuse(now, retry=self._tick(expected - self._tolerance), reset=self._tick(expected))
        self._expected = expected + self._period
        room = self._tolerance + self._period - (self._expected - time)
        return _allow(now, room // self._period, reset=self._tick(self._expected))

    def _tick(self, time: int) -> int:
        return _ceil_div(time, self.requests)


class TwoWindowCounter(_Model):
    """The sliding window by two counters: previous * (1 - f) + current stays at most `requests`.

    f is the part of the current window that is over; windows begin at phase + k * per.
    """

    def __init__(self, requests: int, per: float, phase: float = 0.0) -> None:
        super().__init__(requests, per)
        self._phase = microseconds(_finite("phase", phase))
        self._window = 0
        self._previous = 0
        self._current = 0

    def _decide(self, now: Moment) -> Verdict:
        self._enter((now.tick - self._phase) // self._period)
        if self._room(now.tick) < self._period:
            return _refuse(now, retry=self._retry_tick(), reset=self._reset_tick())
        self._current += 1
        return _allow(now, self._room(now.tick) // self._period, reset=self._reset_tick())

    def _enter(self, window: int) -> None:
        if window == self._window:
            return
        self._previous = self._current if window == self._window + 1 else 0
        self._window, self._current = window, 0

    def _room(self, tick: int) -> int:
        """What is free, in requests times microseconds."""
        left = self._end() - tick
        return (self.requests - self._current) * self._period - self._previous * left

    def _end(self) -> int:
        return self._phase + (self._window + 1) * self._period

    def _retry_tick(self) -> int:
        """The first moment with room for one, in this window or the next."""
        spare = (self.requests - self._current - 1) * self._period
        if spare >= 0:
            return self._end() - spare // self._previous
        return self._end() + _ceil_div(self._period, self._current)

    def _reset_tick(self) -> int:
        return self._end() + (self._period if self._current else 0)


MODELS: Mapping[str, Callable[[int, float], Limiter]] = MappingProxyType(
    {
        "fixed-window": FixedWindow,
        "sliding-log": SlidingLog,
        "token-bucket": TokenBucket,
        "gcra": Gcra,
        "two-window": TwoWindowCounter,
    }
)
"""Each model by the name it has on the command line, made from the number of requests and the seconds."""


def _allow(now: Moment, remaining: int, *, reset: int) -> Verdict:
    return Verdict(True, remaining, 0.0, now.until(reset))


def _refuse(now: Moment, *, retry: int, reset: int) -> Verdict:
    return Verdict(False, 0, now.until(retry), now.until(reset))


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def _whole(name: str, value: int) -> int:
    if value < 1 or value % 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return int(value)


def _seconds(name: str, value: float) -> float:
    if not math.isfinite(value) or microseconds(value) < 1:
        raise ValueError(f"{name} must be a finite number of seconds, at least a microsecond, not {value!r}")
    return value


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number of seconds, not {value!r}")
    return value
