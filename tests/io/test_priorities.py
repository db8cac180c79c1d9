"""Who goes first."""

from __future__ import annotations

import asyncio
import random
import statistics

import pytest

from leavo_async import ConfigError, RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.slots import Slots
from leavo_async._sansio.priority import PRIORITIES, place, rank
from leavo_async.testing import virtual_time

from .gates import TEN_A_SECOND, gate, permit


async def order_of(gate: Gate, priorities: str) -> str:
    """The order in which calls of these priorities go (i, n, b), all waiting from the start."""
    slots, went = Slots(1000), []
    await gate.acquire(permit(slots))

    async def caller(letter: str) -> None:
        name = next(name for name in PRIORITIES if name.startswith(letter))
        await gate.acquire(permit(slots, priority=name))
        went.append(letter)

    await asyncio.gather(*(caller(letter) for letter in priorities))
    return "".join(went)


@virtual_time
async def test_higher_priorities_go_first_and_every_fifth_permit_goes_to_a_lower_one() -> None:
    """Strict, but nobody waits for ever: the oldest of all lower ones has its turn."""
    assert await order_of(gate(TEN_A_SECOND), "bni") == "inb"
    assert await order_of(gate(TEN_A_SECOND), "bbb" + "nn" + "i" * 12) == "iiiib" + "iiiib" + "iiiib" + "nn"
    assert await order_of(gate(TEN_A_SECOND), "nb" + "i" * 9) == "iiiin" + "iiiib" + "i"
    assert await order_of(gate(TEN_A_SECOND), "b" + "n" * 9) == "nnnnb" + "nnnnn"
    assert await order_of(gate(TEN_A_SECOND), "i" * 9) == "i" * 9


@virtual_time
async def test_a_lower_call_that_cannot_go_does_not_use_up_the_turn() -> None:
    """It waits for a limit of its own: the others go on as if it were not there."""
    shared, slots, went = gate(TEN_A_SECOND, RateLimit(1, 1000, 0, "messages")), Slots(1000), []

    async def caller(name: str, *groups: str) -> None:
        await shared.acquire(permit(slots, *groups, priority=name))
        went.append(name[0])

    await shared.acquire(permit(slots, "messages"))
    calls = [caller("bulk", "messages"), *(caller("interactive") for _ in range(12)), caller("normal")]
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(5)

    assert "".join(went) == "iiiin" + "i" * 8
    tasks[0].cancel()


@virtual_time
async def test_an_interactive_call_waits_two_permits_at_most_behind_a_saturating_job() -> None:
    """At the 95th percentile, whenever it comes."""
    shared, slots, chance = gate(RateLimit(100)), Slots(32), random.Random(1)
    loop, waits = asyncio.get_running_loop(), []

    async def job() -> None:
        while True:
            one = permit(slots, priority="bulk")
            await shared.acquire(one)
            await asyncio.sleep(chance.uniform(0.1, 1))
            shared.release(one)

    workers = [asyncio.create_task(job()) for _ in range(100)]
    for _ in range(300):
        await asyncio.sleep(chance.expovariate(1 / 5))
        one, start = permit(slots, priority="interactive"), loop.time()
        await shared.acquire(one)
        waits.append(loop.time() - start)
        shared.release(one)
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)

    assert statistics.quantiles(waits, n=20)[-1] <= 2 / RateLimit(100).rate


def test_a_priority_is_one_of_three() -> None:
    """Anything else is refused before anything is sent."""
    assert [0, 1, 2] == [rank(name) for name in ("interactive", "normal", "bulk")]
    with pytest.raises(ConfigError, match="expected one of interactive, normal, bulk"):
        rank("urgent")


@pytest.mark.parametrize(("higher", "same", "expected"), [(0, 0, 0), (0, 7, 7), (3, 2, 5), (100, 0, 4), (100, 2, 14)])
def test_the_place_of_a_newcomer(higher: int, same: int, expected: int) -> None:
    """Behind all that go first, but not behind more than four for each fifth turn."""
    assert place(higher, same) == expected
