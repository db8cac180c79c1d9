"""One gate, several event loops: in threads, one after the other, closed, blocked, of another make."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from collections import Counter
from collections.abc import Sequence

import pytest
import uvloop

from leavo_async import RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.permit import HeldError, Permit
from leavo_async._io.slots import Slots

from .gates import permit

# Real time and other threads: 200 a second, so that a second of it tells enough.
FAST = RateLimit(200, 1, 0)
# What the machine may stall a thread between its permit and its clock; real arrivals have `spread` for it.
STALL = 0.05


@pytest.fixture(autouse=True)
def no_blocking_call_on_the_loop() -> None:
    """Some of these tests block a loop on purpose."""


def work(gate: Gate, seconds: float, used: list[tuple[float, int]], number: int, *, block: float = 0.0) -> None:
    """A loop of its own whose tasks take all permits they can get; it may be blocked for a while."""
    slots = Slots(100)

    async def worker() -> None:
        while True:
            one = Permit(slots)
            await gate.acquire(one)
            used.append((time.monotonic(), number))
            gate.release(one)

    async def main() -> None:
        workers = [asyncio.create_task(worker()) for _ in range(10)]
        end = time.monotonic() + seconds
        if block:
            await asyncio.sleep(0.2)
            time.sleep(block)  # noqa: ASYNC251
        await asyncio.sleep(end - time.monotonic())
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    asyncio.run(main())


def in_threads(gate: Gate, seconds: float, blocks: Sequence[float]) -> list[tuple[float, int]]:
    used: list[tuple[float, int]] = []
    threads = [
        threading.Thread(target=work, args=(gate, seconds, used, number), kwargs={"block": block})
        for number, block in enumerate(blocks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(used)


def pace(used: Sequence[tuple[float, int]]) -> float:
    """Permits a second; on a busy machine threads get less than they could use."""
    return (len(used) - 1) / (used[-1][0] - used[0][0])


def most_in(used: Sequence[tuple[float, int]], seconds: float) -> int:
    """The most that fall into a window."""
    moments = [at for at, _ in used]
    return max(sum(start <= at < start + seconds for at in moments) for start in moments)


def test_three_loops_in_three_threads_keep_one_limit_together() -> None:
    """Never more than one loop could send, nearly all of it used, and each has its part."""
    used = in_threads(Gate([FAST]), 1.0, [0, 0, 0])

    assert most_in(used, 0.1) <= FAST.burst + FAST.rate * (0.1 + STALL)
    assert pace(used) >= 0.7 * FAST.rate
    assert min(Counter(number for _, number in used).values()) >= 0.2 * len(used)


def test_a_blocked_loop_does_not_stop_the_others() -> None:
    """It is waited for a moment, and then passed over; when it comes back it gets no bunch."""
    used = in_threads(Gate([FAST]), 1.0, [0.6, 0])

    assert most_in(used, 0.1) <= FAST.burst + FAST.rate * (0.1 + STALL)
    assert pace(used) >= 0.7 * FAST.rate


def test_a_loop_that_does_not_run_is_granted_nothing() -> None:
    """Its permits would all be used in the moment when it runs again; the others go on without it meanwhile."""
    gate, slots, used = Gate([FAST]), Slots(1000), list[tuple[float, int]]()
    stopped = asyncio.new_event_loop()
    stopped.run_until_complete(gate.acquire(permit(slots)))
    tasks = [stopped.create_task(gate.acquire(permit(slots))) for _ in range(20)]
    stopped.run_until_complete(asyncio.sleep(0))
    work(gate, 0.5, used, 0)
    assert slots.used == 1
    assert len(used) >= 0.6 * (0.5 - 0.05) * FAST.rate
    stopped.run_until_complete(asyncio.sleep(0.02))

    assert slots.used <= 1 + FAST.burst + 0.02 * FAST.rate + STALL * FAST.rate
    stopped.run_until_complete(asyncio.gather(*tasks))
    stopped.close()


def test_a_pause_is_for_all_loops() -> None:
    """Also for those of other threads that wait already: who has no patience for it hears of it there."""
    gate, ended = Gate([RateLimit(10, 1000, 0)]), []

    def other() -> None:
        async def call() -> None:
            slots = Slots(1)
            await gate.acquire(permit(slots))
            await gate.acquire(permit(Slots(1), patience=10.0))

        with pytest.raises(HeldError):
            asyncio.run(call())
        ended.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    while not repr(gate).endswith("1 waiting>"):
        time.sleep(0.001)
    gate.hold(60)
    thread.join(10)

    assert ended == [True]


def test_ten_loops_one_after_the_other_share_the_limit_without_a_word() -> None:
    """A script that calls asyncio.run again and again, as notebooks and command lines do."""
    gate, slots, count = Gate([FAST]), Slots(10), 0

    async def some() -> None:
        nonlocal count
        for _ in range(5):
            one = permit(slots)
            await gate.acquire(one)
            gate.release(one)
            count += 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = time.monotonic()
        for _ in range(10):
            asyncio.run(some())
        seconds = time.monotonic() - start

    assert count == 50
    assert (50 - FAST.burst) / FAST.rate <= seconds <= 2 * 50 / FAST.rate


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::ResourceWarning")
def test_a_loop_that_was_closed_with_calls_waiting_is_forgotten() -> None:
    """Nobody will ever come back for these permits: the next loop gets the full rate."""
    gate, slots = Gate([FAST]), Slots(1000)
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(gate.acquire(permit(slots))) for _ in range(50)]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def one() -> None:
        await gate.acquire(permit(slots), 0.05)
        await gate.acquire(permit(slots))

    start = time.monotonic()
    asyncio.run(one())  # with a deadline: those of the closed loop are not ahead

    assert time.monotonic() - start <= 0.1
    assert repr(gate).endswith("0 waiting>")
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    del tasks, task
    gc.collect()


def test_uvloop_keeps_rate_and_order() -> None:
    """Its timers count in milliseconds and its clock stands still within a turn."""
    gate, slots, order = Gate([FAST]), Slots(1000), []

    async def caller(number: int) -> float:
        await gate.acquire(permit(slots))
        order.append(number)
        return time.monotonic()

    async def main() -> list[float]:
        return await asyncio.gather(*(caller(number) for number in range(100)))

    moments = uvloop.run(main())

    assert order == list(range(100))
    assert most_in([(at, 0) for at in moments], 0.1) <= FAST.burst + FAST.rate * (0.1 + STALL)
    assert 99 / FAST.rate * 0.97 <= moments[-1] - moments[0] <= 1.3 * 100 / FAST.rate
