"""What the tests of the gate share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from leavo_async import RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.permit import Permit
from leavo_async._io.slots import Slots
from leavo_async._sansio.limits import Limit
from leavo_async._sansio.priority import rank

TEN_A_SECOND = RateLimit(10, 1, 0)  # safe rate: 9.5 a second, burst 1.5


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def gate(*limits: Limit, **options: Any) -> Gate:
    return Gate(limits, clock=asyncio.get_running_loop().time, **options)


def permit(slots: int | Slots = 1000, *groups: str, priority: str = "normal", **options: Any) -> Permit:
    return Permit(slots if isinstance(slots, Slots) else Slots(slots), groups, rank(priority), **options)


async def moments(gate: Gate, permits: Iterable[Permit]) -> list[tuple[int, float]]:
    """Who was granted when, in seconds from now; nobody gives a slot back."""
    loop, granted = asyncio.get_running_loop(), []
    start = loop.time()

    async def caller(number: int, permit: Permit) -> None:
        await gate.acquire(permit)
        granted.append((number, loop.time() - start))

    await asyncio.gather(*(caller(number, permit) for number, permit in enumerate(permits)))
    return granted


def many(count: int, make: Callable[[], Permit] = permit) -> list[Permit]:
    return [make() for _ in range(count)]


async def saturate(gate: Gate, seconds: float, make: Callable[[], Permit] = permit) -> list[float]:
    """The moments of all permits that a job with endless work gets."""
    loop, granted = asyncio.get_running_loop(), []

    async def worker() -> None:
        while True:
            one = make()
            await gate.acquire(one)
            granted.append(loop.time())
            gate.release(one)

    workers = [asyncio.create_task(worker()) for _ in range(5)]
    await asyncio.sleep(seconds)
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return granted
