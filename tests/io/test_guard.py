from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from leavo_async import ClosedError, DeadlineError, LeavoError
from leavo_async._io.guard import Guard, Watch
from leavo_async.testing import virtual_time


async def guarded(watch: Watch, deadline: float | None, wait: Awaitable[object]) -> object:
    guard = Guard(watch, deadline)
    with guard:
        return await wait
    raise guard.ending()


def new_watch() -> Watch:
    return Watch(asyncio.get_running_loop())


@virtual_time
async def test_a_wait_ends_at_the_deadline() -> None:
    """To the moment, whatever is waited for."""
    start = asyncio.get_running_loop().time()

    with pytest.raises(DeadlineError):
        await guarded(new_watch(), 5, asyncio.sleep(100))

    assert pytest.approx(5, abs=1e-5) == asyncio.get_running_loop().time() - start


@virtual_time
async def test_a_wait_that_ends_in_time_is_left_alone() -> None:
    """And so is one without a deadline."""
    watch = new_watch()

    assert await guarded(watch, 5, asyncio.sleep(4, "a")) == "a"
    assert await guarded(watch, None, asyncio.sleep(400, "b")) == "b"


@virtual_time
async def test_many_guards_end_each_at_its_own_time() -> None:
    """Though they share one timer."""
    watch, loop = new_watch(), asyncio.get_running_loop()
    start, ended = loop.time(), []

    async def one(deadline: float) -> None:
        with pytest.raises(DeadlineError):
            await guarded(watch, deadline, asyncio.sleep(1000))
        ended.append((deadline, round(loop.time() - start, 4)))

    await asyncio.gather(*(one(deadline) for deadline in (9, 3, 7, 1, 5, 5)))

    assert ended == [(1, 1), (3, 3), (5, 5), (5, 5), (7, 7), (9, 9)]


@virtual_time
async def test_the_limit_of_an_attempt_is_taken_back_and_set_again() -> None:
    """Three attempts of two seconds each, then the deadline of five ends the third."""
    guard, loop, ends = Guard(new_watch(), 5), asyncio.get_running_loop(), []
    start = loop.time()
    with guard:
        while True:
            guard.bound(2)
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                if not guard.attempt_timed_out():
                    raise
                ends.append(round(loop.time() - start, 3))
            finally:
                guard.unbound()
    ends.append(round(loop.time() - start, 3))

    assert ends == [2, 4, 5]
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
    assert isinstance(guard.ending(), DeadlineError)


@virtual_time
async def test_after_an_attempts_limit_the_deadline_still_holds() -> None:
    """Also in the pause between attempts, when no attempt's limit is set."""
    guard, start = Guard(new_watch(), 10), asyncio.get_running_loop().time()
    with guard:
        guard.bound(1)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(100)
        assert guard.attempt_timed_out()
        guard.unbound()
        await asyncio.sleep(100)

    assert pytest.approx(10, abs=1e-4) == asyncio.get_running_loop().time() - start


@virtual_time
async def test_closing_ends_every_call() -> None:
    """Each with a ClosedError."""
    watch = new_watch()
    tasks = [asyncio.create_task(guarded(watch, None, asyncio.sleep(100))) for _ in range(3)]
    await asyncio.sleep(1)
    watch.close()

    found = await asyncio.gather(*tasks, return_exceptions=True)

    assert [ClosedError] * 3 == [type(error) for error in found]


@virtual_time
async def test_a_foreign_cancellation_passes_through() -> None:
    """Also when it comes in the same turn of the loop as the deadline, in either order."""
    for first in ("deadline", "cancel"):
        guard = Guard(new_watch(), None)
        task = asyncio.create_task(inside(guard))
        await asyncio.sleep(0)
        steps: list[Callable[[], object]] = [lambda: guard.fire(guard.limit), task.cancel]  # noqa: B023
        for step in steps if first == "deadline" else reversed(steps):
            step()
        with pytest.raises(asyncio.CancelledError):
            await task


@virtual_time
async def test_a_foreign_cancellation_beats_the_limit_of_an_attempt() -> None:
    """In the same turn of the loop: whoever cancelled the task must see it end, not see another attempt."""
    guard = Guard(new_watch(), None)
    attempts = 0

    async def trying() -> None:
        nonlocal attempts
        with guard:
            while attempts < 3:
                attempts += 1
                guard.bound(1)
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    if not guard.attempt_timed_out():
                        raise
        raise guard.ending()

    task = asyncio.create_task(trying())
    await asyncio.sleep(0)
    guard.fire(guard.limit)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert attempts == 1


async def inside(guard: Guard) -> None:
    with guard:
        await asyncio.sleep(100)
    raise guard.ending()


@virtual_time
async def test_asyncio_timeout_around_a_call_stays_its_own() -> None:
    """A TimeoutError of asyncio's, not a DeadlineError of ours, and the other way round."""
    watch = new_watch()
    with pytest.raises(TimeoutError) as outer:
        async with asyncio.timeout(1):
            await guarded(watch, 2, asyncio.sleep(100))
    with pytest.raises(TimeoutError) as inner:
        async with asyncio.timeout(2):
            await guarded(watch, 1, asyncio.sleep(100))

    assert not isinstance(outer.value, LeavoError)
    assert isinstance(inner.value, DeadlineError)


@virtual_time
async def test_a_task_group_may_stand_inside_and_around() -> None:
    """A child that fails cancels its siblings; none of that is taken for ours."""
    watch = new_watch()

    async def fail() -> None:
        await asyncio.sleep(1)
        raise KeyError

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
            tasks.create_task(guarded(watch, 5, asyncio.sleep(100)))

    for _ in range(2):  # the second time with what Python 3.11 leaves behind
        with pytest.raises(ExceptionGroup) as caught:
            await guarded(watch, 50, group())
        assert [KeyError] == [type(error) for error in caught.value.exceptions]
    with pytest.raises(DeadlineError):
        await guarded(watch, 5, asyncio.sleep(100))


@virtual_time
async def test_the_error_leads_to_nothing_below() -> None:
    """Neither cause nor context: the frames of a transport hold the key."""
    with pytest.raises(DeadlineError) as caught:
        await guarded(new_watch(), 1, asyncio.sleep(100))

    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_outside_of_a_task_it_says_so() -> None:
    """Such as in a callback of the loop."""
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="from a task"):
            loop.run_until_complete(_in_callback(loop))
    finally:
        loop.close()


async def _in_callback(loop: asyncio.AbstractEventLoop) -> None:
    done = loop.create_future()

    def callback() -> None:
        try:
            with Guard(Watch(loop), None):
                pass
        except RuntimeError as error:
            done.set_exception(error)

    loop.call_soon(callback)
    await done
