"""The corners of a gate: what happens rarely, and must be right all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC

import pytest

from leavo_async import DailyCap, RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.permit import ExhaustedError, LateError, Permit, RefusedError
from leavo_async._io.slots import Slots
from leavo_async._sansio.quotas import Quota
from leavo_async.testing import virtual_time

from .gates import TEN_A_SECOND, Clock, gate, many, moments, permit

HUNDRED = RateLimit(100)
ONE_AND_NO_MORE = RateLimit(1, 1000, 0)  # a burst of 1.5, and then nothing for long
DAY = 86400.0


async def granted(gate: Gate, *groups: str, slots: int | Slots = 1000) -> Permit:
    one = permit(slots, *groups)
    await gate.acquire(one)
    return one


async def queued(gate: Gate, *permits: Permit, left: float | None = None) -> list[asyncio.Task[None]]:
    """Calls that wait at the gate, as tasks."""
    tasks = [asyncio.create_task(gate.acquire(one, left)) for one in permits]
    await asyncio.sleep(0)
    return tasks


def cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def look(gate: Gate) -> None:
    """Let the gate look at its queues, as it does when a slot of any session is given back."""
    gate.release(permit(Slots(0)))


def rate(gate: Gate) -> float:
    """The rate of its first limit, as a share of what is configured."""
    status = gate.status().rates[0]
    return status.rate / status.limit.rate


def seconds() -> float:
    """Seconds of virtual time since the test began."""
    return asyncio.get_running_loop().time() - 1000


# Who waits


@virtual_time
async def test_the_count_of_those_who_wait_is_right_at_once() -> None:
    """Whoever is cancelled, refused or granted is not shown as waiting any more."""
    busy, slots = gate(TEN_A_SECOND), Slots(100)
    await granted(busy, slots=slots)
    impatient = permit(slots, patience=5)
    tasks = await queued(busy, permit(slots), permit(slots), impatient, permit(slots))
    counts = [busy.status(slots).waiting["normal"]]
    tasks[1].cancel()
    await asyncio.sleep(0)
    counts.append(busy.status(slots).waiting["normal"])
    busy.hold(10)
    counts.append(busy.status(slots).waiting["normal"])
    await asyncio.sleep(10.01)
    counts.append(busy.status(slots).waiting["normal"])
    cancel(tasks)
    await asyncio.gather(*tasks, return_exceptions=True)
    counts.append(busy.status(slots).waiting["normal"])

    assert counts == [4, 3, 2, 1, 0]


@virtual_time
async def test_a_repeat_that_is_cancelled_while_it_waits_gets_nothing_back() -> None:
    """What its first attempt took was used: no token and no slot appear from nowhere."""
    busy, slots = gate(RateLimit(1, 100, 0)), Slots(5)
    first = await granted(busy, slots=slots)
    busy.release(first)
    cancel(await queued(busy, first))
    await asyncio.sleep(0)

    assert slots.free == 5
    assert busy.status(slots).rates[0].tokens == pytest.approx(0.5)


@virtual_time
async def test_a_call_that_is_refused_takes_nothing() -> None:
    """Its cap was closed while it waited: no slot is lost."""
    capped, slots = gate(TEN_A_SECOND, DailyCap(None, "sms"), wall=lambda: 0.0), Slots(10)
    sent = await granted(capped, "sms", slots=slots)
    (waits,) = await queued(capped, permit(slots, "sms"))
    capped.refused(sent, 4000.0)
    capped.release(sent)
    with pytest.raises(ExhaustedError):
        await waits

    assert (slots.free, capped.status(slots).caps[0].used) == (10, 1)


@virtual_time
async def test_cancelled_calls_do_not_fill_the_memory() -> None:
    """Thousands come and go while one waits for long: what is kept of them is bounded."""
    busy, slots = gate(ONE_AND_NO_MORE), Slots(20_000)
    await granted(busy, slots=slots)
    first = await queued(busy, permit(slots))
    for _ in range(20):
        cancel(await queued(busy, *many(100, lambda: permit(slots))))
        await asyncio.sleep(0)

    (line,) = busy._queues.lines.values()
    assert len(line._queue) < 300
    cancel(first)


@virtual_time
async def test_timers_do_not_pile_up() -> None:
    """However often a gate looks at its queues, and however often its limits change."""
    busy, slots, loop = gate(ONE_AND_NO_MORE), Slots(1000), asyncio.get_running_loop()
    await granted(busy, slots=slots)
    tasks = await queued(busy, permit(slots))
    for _ in range(300):
        look(busy)
    assert len(loop._scheduled) <= 3  # type: ignore[attr-defined]
    for requests in range(2, 40):
        busy.change([RateLimit(requests, 1000, 0)])
    assert sum(not handle.cancelled() for handle in loop._scheduled) <= 2  # type: ignore[attr-defined]
    cancel(tasks)


@virtual_time
async def test_turns_are_counted_only_while_somebody_lower_waits() -> None:
    """A bulk call that comes late has no claim on the permits before its time: four go first."""
    busy, slots, went = gate(TEN_A_SECOND), Slots(1000), []
    await granted(busy, slots=slots)

    async def call(priority: str) -> None:
        await busy.acquire(permit(slots, priority=priority))
        went.append(priority[0])

    urgent = [asyncio.create_task(call("interactive")) for _ in range(12)]
    while len(went) < 4:
        await asyncio.sleep(0.01)
    await asyncio.gather(call("bulk"), *urgent)

    assert "".join(went) == "iiii" + "iiii" + "b" + "iiii"


@virtual_time
async def test_a_slot_that_is_given_back_in_the_middle_of_a_grant_does_not_turn_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The garbage collector may end a call anywhere; the one that is being served is still the first."""
    busy, slots, order = gate(), Slots(1), []
    first, grant, finalizers = await granted(busy, slots=slots), busy.grant, [permit(slots)]

    def with_a_finalizer(one: Permit) -> RefusedError | None:
        refusal = grant(one)
        if finalizers:
            busy.release(finalizers.pop())
        return refusal

    async def call(number: int) -> None:
        await busy.acquire(permit(slots))
        order.append(number)

    tasks = [asyncio.create_task(call(number)) for number in range(3)]
    await asyncio.sleep(0)
    monkeypatch.setattr(busy, "grant", with_a_finalizer)
    busy.release(first)
    await asyncio.sleep(0.1)

    assert order == [0, 1]
    cancel(tasks)


# Limits that change


@virtual_time
async def test_a_change_of_limits_lets_those_go_at_once_who_may_now() -> None:
    """They do not wait for the timer of the old limit."""
    changed = gate(ONE_AND_NO_MORE)
    await granted(changed)
    (waits,) = await queued(changed, permit())
    changed.change([])
    await waits

    assert seconds() == 0


@virtual_time
async def test_a_limit_that_stays_keeps_its_tokens() -> None:
    """Only the new one beside it starts without."""
    changed = gate(TEN_A_SECOND)
    changed.change([TEN_A_SECOND, HUNDRED])

    assert [status.tokens for status in changed.status().rates] == [1.5, 0]


# Estimates


@virtual_time
async def test_a_hold_counts_in_the_estimate() -> None:
    """A token is there, but nobody may go for a minute."""
    held = gate(TEN_A_SECOND)
    held.hold(60)

    assert held.estimate(permit()) == 60


@virtual_time
async def test_a_probe_that_is_out_is_no_reason_to_refuse() -> None:
    """Its answer may come at any moment, so a call with a second left waits for it."""
    held = gate(TEN_A_SECOND)
    held.hold(1)
    probe = await granted(held)
    (waits,) = await queued(held, permit(), left=1.0)
    await asyncio.sleep(0.2)
    held.accepted(probe)
    held.release(probe)
    await waits

    assert seconds() == pytest.approx(1.2)


@virtual_time
async def test_a_turn_that_comes_late_by_a_hair_is_late() -> None:
    """A call whose deadline is 10 ms before its turn is told at once."""
    busy, slots = gate(TEN_A_SECOND), Slots(100)
    await granted(busy, slots=slots)
    tasks = await queued(busy, *many(20, lambda: permit(slots)))
    with pytest.raises(LateError):
        await busy.acquire(permit(slots), busy.estimate(permit(slots)) - 0.01)
    assert seconds() == 0
    cancel(tasks)


@virtual_time
async def test_calls_of_a_session_without_a_free_slot_are_not_counted_as_ahead() -> None:
    """They cannot go, however long they have waited: a call with a second left is not refused for them."""
    busy, full = gate(TEN_A_SECOND), Slots(1)
    await granted(busy, slots=full)
    tasks = await queued(busy, *many(50, lambda: permit(full)))
    await busy.acquire(permit(), 1.0)

    assert seconds() < 0.2
    cancel(tasks)


# What a server says


@pytest.mark.parametrize(("wait", "reset_at", "held"), [(300.0, None, 300.0), (301.0, 301.0, 0.0)])
@virtual_time
async def test_a_refusal_for_more_than_five_minutes_is_about_the_day(
    wait: float, reset_at: float | None, held: float
) -> None:
    """Then it closes the cap; up to five minutes are a pause."""
    capped = gate(HUNDRED, DailyCap(None, "sms"), wall=lambda: 0.0)
    sent = await granted(capped, "sms")

    assert (capped.refused(sent, wait), capped.held()) == (reset_at, held)


@virtual_time
async def test_a_cap_of_the_whole_key_is_not_closed_by_a_refusal() -> None:
    """Only that of a group is: for all calls of a key a long pause is a pause."""
    capped = gate(HUNDRED, DailyCap(100), wall=lambda: 0.0)
    sent = await granted(capped)

    assert (capped.refused(sent, 4000.0), capped.held()) == (None, 4000)
    assert capped.status().caps[0].reset_at is None


@virtual_time
async def test_of_two_used_up_caps_the_later_reset_is_told() -> None:
    """Before that moment nothing could be sent anyway."""
    noon = 100.5 * DAY
    capped = gate(DailyCap(1, zone=UTC), DailyCap(1), wall=lambda: noon)
    await granted(capped)
    with pytest.raises(ExhaustedError) as refused:
        await granted(capped)

    midnight = min(cap.reset_at for cap in capped.status().caps if cap.reset_at)
    assert midnight < noon + DAY <= refused.value.reset_at


@virtual_time
async def test_headers_of_a_request_that_left_when_the_hold_began_are_heard() -> None:
    """They are no older than what is known."""
    held = gate(HUNDRED)
    held.hold(0)
    one = await granted(held)
    held.accepted(one, [Quota(limit=60, window=60.0)])

    assert rate(held) < 0.7


@virtual_time
async def test_a_refusal_that_names_no_lower_limit_is_learned_from() -> None:
    """The server names the very limit that was kept, and has refused all the same: less must be right."""
    refused = gate(HUNDRED)
    one = await granted(refused)
    refused.refused(one, 0.0, [Quota(limit=100, window=60.0)])

    assert rate(refused) == pytest.approx(0.85)


@virtual_time
async def test_a_probe_that_is_accepted_does_not_end_a_hold_of_the_same_moment() -> None:
    """An earlier request was refused just after the probe had left: a minute is a minute."""
    held = gate(TEN_A_SECOND)
    early = await granted(held)
    held.hold(1)
    probe = await granted(held)
    held.refused(early, 60)
    held.accepted(probe)
    held.release(probe)

    assert await moments(held, many(1)) == [(0, 60.0)]


# What is remembered


@virtual_time
async def test_a_gate_is_as_new_when_nobody_waits_and_nothing_is_used() -> None:
    """As soon as the last who waited has gone, and the tokens are back."""
    full, slots = gate(), Slots(1)
    await granted(full, slots=slots)
    (waits,) = await queued(full, permit(slots))
    before = full.is_fresh()
    waits.cancel()
    await asyncio.sleep(0)
    assert (before, full.is_fresh()) == (False, True)

    busy = gate(TEN_A_SECOND)
    await moments(busy, many(5))
    before = busy.is_fresh()
    await asyncio.sleep(10)
    assert (before, busy.is_fresh()) == (False, True)


@virtual_time
async def test_a_gate_that_is_held_or_has_counted_is_not_as_new() -> None:
    """Dropped now, it would forget what the server has asked for, or what was sent today."""
    held, capped = gate(TEN_A_SECOND), gate(DailyCap(5))
    held.hold(0)
    await granted(capped)

    assert (held.is_fresh(), capped.is_fresh()) == (False, False)


# Two loops


class TwoLoops:
    """Two loops of one thread with one clock: while one is not run, it is blocked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.here, self.there = asyncio.new_event_loop(), asyncio.new_event_loop()

    def turn(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(5):
            loop.call_soon(loop.stop)
            loop.run_forever()

    def call(self, loop: asyncio.AbstractEventLoop, gate: Gate, slots: Slots) -> asyncio.Task[None]:
        """A call that asks on this loop."""
        task = loop.create_task(gate.acquire(permit(slots)))
        self.turn(loop)
        return task

    def look(self, loop: asyncio.AbstractEventLoop, gate: Gate) -> None:
        """Let this loop look at its queues."""
        loop.call_soon(look, gate)
        self.turn(loop)

    def close(self) -> None:
        for loop in (self.here, self.there):
            cancel(list(asyncio.all_tasks(loop)))
            self.turn(loop)
            loop.close()


@pytest.fixture
def two() -> Iterator[TwoLoops]:
    loops = TwoLoops()
    yield loops
    loops.close()


def test_a_loop_is_told_once_that_its_turn_has_come(two: TwoLoops, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that is blocked does not find a heap of messages when it runs again."""
    shared, slots, told = Gate(clock=two.clock), Slots(1), 0
    held = permit(slots)
    shared.grant(held)
    waits, tell = two.call(two.there, shared, slots), two.there.call_soon_threadsafe

    def counted(*args: object) -> object:
        nonlocal told
        told += 1
        return tell(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(two.there, "call_soon_threadsafe", counted)
    shared.release(held)
    two.clock.now += 0.01
    for _ in range(10):
        look(shared)
    two.turn(two.there)

    assert (told, waits.done()) == (1, True)


def test_a_loop_that_was_closed_disturbs_nobody(two: TwoLoops) -> None:
    """Its calls will never come back: a change of limits raises nothing, and nothing of the loop is kept."""
    shared, slots = Gate([TEN_A_SECOND], clock=two.clock), Slots(10)
    closed = asyncio.new_event_loop()
    tasks = [closed.create_task(shared.acquire(permit(slots))) for _ in range(3)]
    two.turn(closed)
    closed.close()
    shared.change([TEN_A_SECOND])
    two.clock.now += 1
    served = two.call(two.here, shared, slots)

    assert (served.done(), list(shared._queues._seats)) == (True, [two.here])
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
