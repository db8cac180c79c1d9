"""Servers with a limit, in virtual time: the sandbox's models behind a way that takes now more and now less time."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Mapping

from leavo_async import Request, Response
from leavo_async._io.progress import Progress
from leavo_async.sandbox.limits import FixedWindow, Gcra, Limiter, SlidingLog, TokenBucket, TwoWindowCounter, Verdict
from leavo_async.testing import reply

MODELS: dict[str, Callable[[int, float, float], Limiter]] = {
    "fixed window": lambda requests, per, phase: FixedWindow(requests, per, phase),
    "sliding log": lambda requests, per, phase: SlidingLog(requests, per),
    "token bucket": lambda requests, per, phase: TokenBucket(requests, per),
    "gcra": lambda requests, per, phase: Gcra(requests, per),
    "two windows": lambda requests, per, phase: TwoWindowCounter(requests, per, phase),
}
"""By name: from requests, window and phase to a limiter."""


class FarServer:
    """A transport to a server that judges each request when it arrives.

    limiter: its limit. way: seconds that a request takes to get there, for each a new number.
    headers: whether its answers tell what is left.
    """

    def __init__(self, limiter: Limiter, way: Callable[[], float], *, headers: bool = False) -> None:
        self.sent: list[tuple[float, str]] = []
        self.arrived: list[float] = []
        self.refused: list[float] = []
        self._limiter = limiter
        self._way = way
        self._headers = headers

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None:
        """It knows one key alone."""

    async def send(self, request: Request, progress: Progress) -> Response:
        self.sent.append((asyncio.get_running_loop().time(), request.path))
        await asyncio.sleep(self._way())
        now = asyncio.get_running_loop().time()
        self.arrived.append(now)
        verdict = self._limiter.admit(now)
        await asyncio.sleep(0.02)
        if verdict.allowed:
            return reply(200, {}, self._told(verdict) if self._headers else None)
        self.refused.append(now)
        return reply(429, None, {"Retry-After": str(math.ceil(verdict.retry_after))})

    def _told(self, verdict: Verdict) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self._limiter.requests),
            "X-RateLimit-Remaining": str(verdict.remaining),
            "X-RateLimit-Reset": str(math.ceil(verdict.reset_after)),
        }

    async def aclose(self) -> None:
        pass

    def share(self, requests: int, per: float, start: float, end: float) -> float:
        """What left between two moments and was not refused, as a part of what the limit allows."""
        sent = sum(start <= at < end for at, _ in self.sent)
        return (sent - len(self.refused)) / (requests * (end - start) / per)


def most_in(moments: list[float], per: float) -> int:
    """The most that fall into any window that counts its beginning and not its end."""
    window: deque[float] = deque()
    most = 0
    for at in moments:
        window.append(at)
        while at - window[0] >= per:
            window.popleft()
        most = max(most, len(window))
    return most


def some_way(chance: random.Random, spread: float, *, rough: bool = True) -> Callable[[], float]:
    """Mostly quick, sometimes as slow as `spread` allows. rough: perhaps anything that it allows, as often as not."""
    kind = chance.choice(["uniform", "ends", "spikes", "steady"] if rough else ["spikes", "steady"])

    def way() -> float:
        if kind == "uniform":
            return 0.02 + chance.uniform(0, spread)
        if kind == "ends":
            return 0.02 + chance.choice([0, spread])
        if kind == "spikes":
            return 0.02 + min(spread, chance.expovariate(20) if chance.random() < 0.99 else spread)
        return 0.02

    return way
