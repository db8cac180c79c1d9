from __future__ import annotations

import asyncio

import pytest

from leavo_async import RateLimit
from leavo_async._io.gate import Gate
from leavo_async.testing import VirtualTimeLoop, virtual_time

TEN_A_SECOND = RateLimit(10, 1, 0)  # safe rate: 9.5 a second, burst 1.5


def gate(*limits: RateLimit, slots: int = 1000) -> Gate:
    return Gate(limits, slots, asyncio.get_running_loop().time)


async def moments(gate: Gate, callers: int) -> list[tuple[int, float]]:
    """Who got its permit when, in seconds from now."""
    loop, got = asyncio.get_running_loop(), []
    start = loop.time()

    async def caller(number: int) -> None:
        await gate.acquire()
        got.append((number, loop.time() - start))

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return got


@virtual_time
async def test_permits_keep_the_rate_and_the_order() -> None:
    """First come, first served: one at once, one after half an interval (the burst), then one an interval."""
    got = await moments(gate(TEN_A_SECOND), 40)

    assert list(range(40)) == [number for number, _ in got]
    assert [pytest.approx(max(0, n - 0.5) / 9.5, abs=1e-5) for n in range(40)] == [at for _, at in got]


@virtual_time
async def test_nobody_barges_in_after_a_blocked_loop() -> None:
    """Time has passed, a token is there, but the timer has had no chance: the one who waits goes first."""
    busy, order = gate(TEN_A_SECOND), []

    async def caller(name: str) -> None:
        await busy.acquire()
        order.append(name)

    await busy.acquire()
    waiting = asyncio.create_task(caller("waiting"))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.jump(0.1)
    await caller("late")
    await waiting

    assert order == ["waiting", "late"]


@virtual_time
async def test_every_limit_is_kept_at_once() -> None:
    """Ten a second and thirty a minute: the slower one rules in the long run."""
    got = await moments(gate(TEN_A_SECOND, RateLimit(30, 60, 0)), 31)

    assert 60 <= got[-1][1] <= 63


@virtual_time
async def test_without_a_limit_only_slots_count() -> None:
    """An API without a limit is not slowed down."""
    assert {0.0} == {at for _, at in await moments(gate(), 1000)}


@virtual_time
async def test_a_slot_is_taken_by_one_attempt_at_a_time() -> None:
    """The next one starts when an attempt ends, in order."""
    slots = gate(slots=2)
    inside, most = 0, 0

    async def attempt() -> None:
        nonlocal inside, most
        await slots.acquire()
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(1)
        inside -= 1
        slots.release()

    await asyncio.gather(*(attempt() for _ in range(9)))

    assert most == 2
    assert repr(slots) == "<Gate 0 of 2 slots used, 0 waiting>"


@virtual_time
async def test_a_stall_cannot_bunch_permits() -> None:
    """While all slots are taken no tokens are handed out: they would all be used in the moment the stall ends."""
    stalled = gate(TEN_A_SECOND, slots=1)
    await stalled.acquire()
    waiting = asyncio.create_task(moments(stalled, 2))
    await asyncio.sleep(100)
    stalled.release()
    await asyncio.sleep(0.01)
    stalled.release()
    got = await waiting

    assert pytest.approx(0.5 / 9.5, abs=1e-5) == got[1][1] - got[0][1]


@virtual_time
async def test_a_hold_stops_everybody_and_ends() -> None:
    """A 429 is about the key, not about one call; a shorter hold does not cut a longer one."""
    held = gate(TEN_A_SECOND)
    held.hold(60)
    held.hold(1)
    got = await moments(held, 3)

    assert [60, pytest.approx(60.05, abs=0.01), pytest.approx(60.16, abs=0.01)] == [round(at, 6) for _, at in got]


@virtual_time
async def test_a_cancelled_waiter_costs_the_others_nothing() -> None:
    """Every second of them goes: the rest is served as if they had never come."""
    busy = gate(TEN_A_SECOND)
    await busy.acquire()
    loop, got = asyncio.get_running_loop(), []
    start = loop.time()

    async def caller(number: int) -> None:
        await busy.acquire()
        got.append((number, loop.time() - start))

    tasks = [asyncio.create_task(caller(number)) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert list(range(1, 20, 2)) == [number for number, _ in got]
    assert pytest.approx(9.5 / 9.5, abs=1e-4) == got[-1][1]


@virtual_time
async def test_a_permit_granted_to_a_cancelled_caller_is_given_back() -> None:
    """Between the grant and its use lies a turn of the loop, in which anything may happen."""
    one = gate(TEN_A_SECOND, slots=1)
    await one.acquire()
    first, second = (asyncio.create_task(one.acquire()) for _ in range(2))
    await asyncio.sleep(1)
    one.release()  # grants to the first...
    first.cancel()  # ...which is cancelled before it runs
    await asyncio.sleep(0.001)

    assert (first.cancelled(), second.done()) == (True, True)
    assert "1 of 1 slots used, 0 waiting" in repr(one)


@virtual_time
async def test_ten_thousand_waiters_share_one_timer() -> None:
    """Timers are not free, and the loop keeps cancelled ones."""
    crowded = gate(RateLimit(6000, 60, 0))
    tasks = [asyncio.create_task(crowded.acquire()) for _ in range(10_000)]
    await asyncio.sleep(1)

    assert len(asyncio.get_running_loop()._scheduled) <= 3  # type: ignore[attr-defined]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@virtual_time
async def test_the_gate_shows_its_state() -> None:
    """Tokens, slots, waiters and holds, in repr."""
    shown = gate(TEN_A_SECOND, slots=8)
    await shown.acquire()
    shown.hold(7)
    waiting = asyncio.create_task(shown.acquire())
    await asyncio.sleep(0)

    assert repr(shown) == "<Gate <Bucket 0.5 of 1.5 tokens>, 1 of 8 slots used, 1 waiting, held for 7.0 s>"
    waiting.cancel()
