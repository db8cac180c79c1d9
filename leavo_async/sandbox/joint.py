"""Several limits of one request: all admit it, or it takes from none."""

import copy
from collections.abc import Sequence

from leavo_async.sandbox.limits import Limiter, Verdict


def admit_by_all(limiters: Sequence[Limiter], now: float) -> tuple[Limiter, Verdict]:
    """The verdict that decides, and the limiter it is from.

    That is the longest wait if any refuses, and else the one with the least left. limiters: at least one.
    """
    if len(limiters) > 1 and (refused := _refused(limiters, now)):
        return max(refused, key=lambda found: found[1].retry_after)
    return min(_asked(limiters, now), key=lambda found: found[1].remaining)


def _refused(limiters: Sequence[Limiter], now: float) -> list[tuple[Limiter, Verdict]]:
    # Copies are asked: a limiter takes when it admits, and cannot give back.
    asked = zip(limiters, _asked(copy.deepcopy(list(limiters)), now), strict=True)
    return [(limiter, verdict) for limiter, (_, verdict) in asked if not verdict.allowed]


def _asked(limiters: Sequence[Limiter], now: float) -> list[tuple[Limiter, Verdict]]:
    return [(limiter, limiter.admit(now)) for limiter in limiters]
