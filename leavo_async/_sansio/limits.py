"""How much a key may send, and the rate at which that is never exceeded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from leavo_async.errors import ConfigError

# A timer of the event loop fires up to this much late (epoll counts in milliseconds); a bucket of one token
# would lose that time at each grant.
_TIMER_LATENESS = 0.003
_DAY = 86400.0
# By so much a server's clock may differ from ours, and an arrival from its departure: what leaves this close to the end
# of a day counts for both days.
_UNSURE = 60.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many `requests` in any window of `per` seconds.

    spread: by how many seconds the way to the server may vary from request to request (new connections, busy pools).
    Requests that leave in a window of per + spread may arrive in one of `per`; so `burst + rate × (per + spread) <=
    requests + 1` keeps arrivals at or below `requests` in any window, whatever the server's way of counting.
    group: the group of routes it is for, as the API's profile names it; None for all calls of the key.

    Raises ConfigError if requests < 1, per <= 0 or spread < 0.
    """

    requests: int
    per: float = 60.0
    spread: float = 1.0
    group: str | None = None

    def __post_init__(self) -> None:
        if not (_is_whole(self.requests) and 0 < self.per < math.inf and 0 <= self.spread < math.inf):
            raise ConfigError(
                f"RateLimit({self.requests!r}, per={self.per!r}, spread={self.spread!r}): requests must be a whole "
                "number of at least 1, per seconds above 0, spread 0 or more"
            )

    @property
    def burst(self) -> float:
        """Requests that may leave at once after a pause."""
        return max(1.5, 1 + _TIMER_LATENESS * self.requests / self.per)

    @property
    def rate(self) -> float:
        """Requests a second in the long run: (requests + 1 - burst) / (per + spread), and a hair less.

        The hair keeps a window that counts both of its ends at or below the limit, too.
        """
        return (self.requests + 1 - self.burst) / (self.per + self.spread) * (1 - 1e-9)

    def __str__(self) -> str:
        per = "a minute" if self.per == 60 else f"in {self.per:g} s"
        return f"{self.requests} request{'s' * (self.requests != 1)} {per}{_of(self.group)}"


@dataclass(frozen=True, slots=True)
class DailyCap:
    """So many `requests` a day: a count, without a rate. Nobody waits for it to end; calls beyond it are refused.

    requests: None if there is a cap but nobody says how high: then only the server's own refusal closes it.
    group: the group of routes it is for; None for all calls of the key.
    zone: the time zone whose midnight begins a new day, such as ZoneInfo("Asia/Kolkata"); None if that is not known,
        then the cap holds in any 24 hours.

    It counts in memory: what an earlier process has sent is not known. Raises ConfigError if requests < 1.
    """

    requests: int | None
    group: str | None = None
    zone: tzinfo | None = None

    def __post_init__(self) -> None:
        if self.requests is not None and not _is_whole(self.requests):
            raise ConfigError(f"DailyCap({self.requests!r}): requests must be a whole number of at least 1, or None")

    def counts_from(self, wall: float) -> float:
        """What has left since then counts against a request that leaves at `wall` (seconds since the Unix epoch)."""
        begin = wall - _DAY if self.zone is None else _midnight(self.zone, wall - _UNSURE)
        return begin - _UNSURE

    def renews_at(self, wall: float, oldest: float) -> float:
        """When a cap that is used up has room again. oldest: when the oldest request that counts has left."""
        if self.zone is None:
            return oldest + _DAY + _UNSURE
        return _midnight(self.zone, wall - _UNSURE, days=1) + _UNSURE

    def __str__(self) -> str:
        requests = "an unknown number of" if self.requests is None else str(self.requests)
        return f"{requests} request{'s' * (self.requests != 1)} a day{_of(self.group)}"


Limit = RateLimit | DailyCap


def checked_limits(limits: Any) -> tuple[Limit, ...]:
    """The limits, each once; ConfigError if they are anything else."""
    if not isinstance(limits, Iterable):
        raise ConfigError(f"limits={limits!r}: expected a sequence, such as [RateLimit(100)]")
    checked = tuple(dict.fromkeys(limits))
    for limit in checked:
        if not isinstance(limit, RateLimit | DailyCap):
            raise ConfigError(f"limits: {limit!r} is neither a RateLimit nor a DailyCap")
    return checked


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and number >= 1


def _of(group: str | None) -> str:
    return "" if group is None else f" for {group}"


def _midnight(zone: tzinfo, wall: float, days: int = 0) -> float:
    """The midnight that began the day of `wall`, or that of so many days later."""
    day = datetime.fromtimestamp(wall, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=days)).timestamp()
