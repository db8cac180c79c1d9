"""A limit that turns out lower than configured: how much of it to use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from leavo_async._sansio.limits import RateLimit
from leavo_async._sansio.quotas import Quota

# Measured against five models of servers whose limit was 60 % of the configured one (AIMD; the time constant is the
# server's window): few 429s, and a few per cent slower than the true limit.
_LESS = 0.85
_MORE_A_WINDOW = 0.02
_NOT_AGAIN_FOR = 1.0
_LEAST = 0.05
# Measured with a server that counts in a sliding log and was not exceeded: to wait for its reset cost 40 % of the rate.
_WHOLE_WINDOW = 0.9


class Learned(NamedTuple):
    """The share of a configured rate that a server has been seen to take; it grows back by 2 % a window.

    since: the clock's seconds when it was last lowered.
    """

    share: float = 1.0
    since: float = -math.inf

    def lowered(self, now: float, per: float) -> Learned:
        """After a 429: × 0.85, at most once a second, never below 5 %. per: the limit's window in seconds."""
        if now - self.since < _NOT_AGAIN_FOR:
            return self
        return Learned(max(_LEAST, self.share_at(now, per) * _LESS), now)

    def share_at(self, now: float, per: float) -> float:
        """What may be used now, up to 1.0."""
        if self.share >= 1:
            return 1.0
        return min(1.0, self.share + _MORE_A_WINDOW * math.floor((now - self.since) / per))


def named_limit(limit: RateLimit, quotas: Iterable[Quota], *, believed: bool) -> RateLimit | None:
    """The narrowest limit that a server's headers name, to be held against the configured one; None if they name none.

    A policy counts if its window is not longer than a minute or than that of `limit`: the others are quotas, which may
    be used up faster. One without a window is taken to have that of `limit`, if there is a reason to (`believed`: the
    server refuses, or has nothing left) and the number is not below half of the configured one.
    """
    named = [found for quota in quotas if (found := _named(limit, quota, believed=believed)) is not None]
    return min(named, key=lambda found: found.rate, default=None)


def pause_for(quotas: Iterable[Quota], per: float | None) -> float:
    """Seconds to wait because a server has nothing left; 0.0 if there is no need.

    per: the window of the configured limit; None without one. A reset that is nearly a whole window away is that of a
    server that counts back from each request, or refills steadily: at our pace it has more long before.
    """
    spent = [quota for quota in quotas if quota.remaining == 0]
    resets = [quota.reset for quota in spent if quota.reset and _is_soon(quota.reset, quota.window or per)]
    return max(resets, default=0.0)


def _is_soon(reset: float, window: float | None) -> bool:
    return window is None or reset < window * _WHOLE_WINDOW


def _named(limit: RateLimit, quota: Quota, *, believed: bool) -> RateLimit | None:
    if quota.limit is None:
        return None
    if quota.window is not None:
        return replace(limit, requests=quota.limit, per=quota.window) if quota.window <= max(60.0, limit.per) else None
    if believed and quota.limit >= limit.requests / 2:
        return replace(limit, requests=quota.limit)
    return None
