"""Order, rate, slots and cancellation: what every call meets."""

from __future__ import annotations

import asyncio
import math
import random
from datetime import UTC
from itertools import pairwise

import pytest

from leavo_async import DailyCap, Gate, RateLimit
from leavo_async._io.line import Line
from leavo_async._io.permit import ExhaustedError, HeldError, LateError, Permit
from leavo_async._io.slots import Slots
from leavo_async.testing import VirtualTimeLoop, virtual_time

from .gates import TEN_A_SECOND, gate, many, moments, permit, saturate

RATE = TEN_A_SECOND.rate
MESSAGES = RateLimit(2, 1, 0, "messages")  # safe rate: 1.5 a second


@virtual_time
async def test_permits_keep_the_rate_and_the_order() -> None:
    """First come, first served: one at once, one after half an interval (the burst), then one an interval."""
    granted = await moments(gate(TEN_A_SECOND), many(40))

    assert list(range(40)) == [number for number, _ in granted]
    assert [pytest.approx(max(0, n - 0.5) / 9.5, abs=1e-5) for n in range(40)] == [at for _, at in granted]


@virtual_time
async def test_nobody_barges_in_after_a_blocked_loop() -> None:
    """Time has passed, a token is there, but the timer has had no chance: the one who waits goes first."""
    busy, order = gate(TEN_A_SECOND), []

    async def caller(name: str) -> None:
        await busy.acquire(permit())
        order.append(name)

    await busy.acquire(permit())
    waiting = asyncio.create_task(caller("waiting"))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.jump(0.1)
    await caller("late")
    await waiting

    assert order == ["waiting", "late"]


@virtual_time
async def test_a_repeated_attempt_goes_ahead_of_newcomers() -> None:
    """It keeps the number of its first attempt, also if that one never had to wait; and it takes a token again."""
    busy, slots, order = gate(TEN_A_SECOND), Slots(100), []
    first, second = permit(slots), permit(slots)
    for one in (first, second):
        await busy.acquire(one)
        busy.release(one)

    async def caller(name: str, one: object) -> None:
        await busy.acquire(one)  # type: ignore[arg-type]
        order.append((name, asyncio.get_running_loop().time()))

    start = asyncio.get_running_loop().time()
    calls = [("new", permit(slots)), ("newer", permit(slots)), ("second again", second), ("first again", first)]
    await asyncio.gather(*(caller(*call) for call in calls))

    assert ["first again", "second again", "new", "newer"] == [name for name, _ in order]
    assert [pytest.approx(n / RATE, abs=1e-4) for n in range(1, 5)] == [at - start for _, at in order]


@virtual_time
async def test_every_limit_is_kept_at_once() -> None:
    """Ten a second and thirty a minute: the slower one rules in the long run."""
    granted = await moments(gate(TEN_A_SECOND, RateLimit(30, 60, 0)), many(31))

    assert 60 <= granted[-1][1] <= 63


@virtual_time
async def test_without_a_limit_only_slots_count() -> None:
    """An API without a limit is not slowed down."""
    assert {0.0} == {at for _, at in await moments(gate(), many(1000))}


@virtual_time
async def test_a_slot_is_taken_by_one_attempt_at_a_time() -> None:
    """The next one starts when an attempt ends, in order."""
    free, slots = gate(), Slots(2)
    inside, most = 0, 0

    async def attempt() -> None:
        nonlocal inside, most
        one = permit(slots)
        await free.acquire(one)
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(1)
        inside -= 1
        free.release(one)

    await asyncio.gather(*(attempt() for _ in range(9)))

    assert (most, slots.used, repr(free)) == (2, 0, "<Gate 0 waiting>")


@virtual_time
async def test_one_session_without_a_free_slot_does_not_keep_another_back() -> None:
    """Slots are each session's own; the key's tokens are shared."""
    shared, full, other = gate(TEN_A_SECOND), Slots(1), Slots(1)
    await shared.acquire(permit(full))
    stuck = asyncio.create_task(shared.acquire(permit(full)))
    await asyncio.sleep(1)
    await asyncio.wait_for(shared.acquire(permit(other)), 0.001)

    assert not stuck.done()
    stuck.cancel()


@virtual_time
async def test_a_stall_cannot_bunch_permits() -> None:
    """While all slots are taken no tokens are handed out: they would all be used in the moment the stall ends."""
    stalled, slots = gate(TEN_A_SECOND), Slots(1)
    first = permit(slots)
    await stalled.acquire(first)
    waiting = asyncio.create_task(moments(stalled, [permit(slots), permit(slots)]))
    await asyncio.sleep(100)
    stalled.release(first)
    await asyncio.sleep(0.01)
    stalled.release(first)
    granted = await waiting

    assert pytest.approx(0.5 / 9.5, abs=1e-5) == granted[1][1] - granted[0][1]


# Groups of routes


@virtual_time
async def test_a_group_keeps_its_own_limit_and_the_keys() -> None:
    """Messages at their rate, and each takes a token of the key too."""
    both = gate(TEN_A_SECOND, MESSAGES)
    messages = await moments(both, many(4, lambda: permit(1000, "messages")))

    assert [pytest.approx(max(0, n - 0.5) / MESSAGES.rate, abs=1e-4) for n in range(4)] == [at for _, at in messages]


@virtual_time
async def test_a_blocked_group_delays_nobody_else() -> None:
    """Plain calls use every token of the key that messages leave over, although older messages wait before them."""
    both = gate(TEN_A_SECOND, MESSAGES)
    messages = asyncio.create_task(saturate(both, 10, lambda: permit(1000, "messages")))
    await asyncio.sleep(0.001)
    plain = await saturate(both, 10)
    sent = await messages

    assert pytest.approx(10 * MESSAGES.rate, abs=2) == len(sent)
    assert pytest.approx(10 * (RATE - MESSAGES.rate), abs=2) == len(plain)


@virtual_time
async def test_scopes_are_taken_together_or_not_at_all() -> None:
    """A message that waits for its group's limit holds no token of the key meanwhile."""
    both = gate(RateLimit(3, 1000, 0), MESSAGES)  # burst 1.5, and then nothing for long
    await both.acquire(permit(1000, "messages"))
    waiting = [asyncio.create_task(both.acquire(permit(1000, "messages"))) for _ in range(3)]
    await asyncio.sleep(0)
    tokens = both.status(Slots(1)).rates[0].tokens

    assert pytest.approx(0.5) == tokens
    for task in waiting:
        task.cancel()


# Daily caps


@virtual_time
async def test_nobody_waits_for_tomorrow() -> None:
    """Beyond a daily cap a call is refused at once, with the moment when there is room again; other calls go on."""
    wall = 1_800_000_000.0 - 1_800_000_000.0 % 86400 + 3600  # one o'clock
    capped = gate(DailyCap(2, "messages", zone=UTC), wall=lambda: wall)
    for _ in range(2):
        await capped.acquire(permit(1000, "messages"))
    with pytest.raises(ExhaustedError) as refused:
        await capped.acquire(permit(1000, "messages"))
    await capped.acquire(permit(1000))

    assert refused.value.reset_at == wall + 23 * 3600 + 60


@virtual_time
async def test_those_who_wait_learn_at_once_that_the_cap_is_used_up() -> None:
    """Not each when its turn would have come."""
    capped = gate(RateLimit(10, 1000, 0), DailyCap(2))
    calls = [asyncio.create_task(capped.acquire(permit())) for _ in range(5)]
    ended = await asyncio.gather(*calls, return_exceptions=True)

    assert [None, None, *[ExhaustedError] * 3] == [error and type(error) for error in ended]
    assert pytest.approx(50, rel=0.2) == asyncio.get_running_loop().time() - 1000


@virtual_time
async def test_a_call_that_never_left_does_not_count() -> None:
    """Cancelled between the grant and its use: tokens, slot and count come back."""
    slots = Slots(1)
    capped = gate(TEN_A_SECOND, DailyCap(2))
    first = permit(slots)
    await capped.acquire(first)
    waiting = asyncio.create_task(capped.acquire(permit(slots)))
    await asyncio.sleep(1)
    capped.release(first)  # grants...
    waiting.cancel()  # ...but it is cancelled before it runs
    await asyncio.sleep(0)

    assert (slots.used, capped.status(slots).caps[0].used) == (0, 1)
    assert pytest.approx(1.5) == capped.status(slots).rates[0].tokens


@virtual_time
async def test_a_cap_that_the_server_closes_is_told_to_those_who_wait_for_it() -> None:
    """At once; and so is one that is used up when it is changed."""
    capped, slots = gate(RateLimit(10, 1000, 0), DailyCap(None, "sms"), DailyCap(5)), Slots(100)
    first = permit(slots, "sms")
    await capped.acquire(first)
    waiting = asyncio.create_task(capped.acquire(permit(slots, "sms")))
    await asyncio.sleep(0)
    capped.refused(first, 4000)
    await asyncio.sleep(0)
    assert isinstance(waiting.exception(), ExhaustedError)

    plain = asyncio.create_task(capped.acquire(permit(slots)))
    await asyncio.sleep(0)
    capped.change([RateLimit(10, 1000, 0), DailyCap(1)])
    await asyncio.sleep(0)
    assert isinstance(plain.exception(), ExhaustedError)


@virtual_time
async def test_another_number_of_a_cap_goes_on_with_its_count() -> None:
    """Fifty a day, then forty: what was sent today was sent; also what was sent while no cap was kept."""
    capped = gate(DailyCap(50))
    for _ in range(30):
        await capped.acquire(permit())
    capped.change([])
    for _ in range(10):
        await capped.acquire(permit())
    capped.change([DailyCap(40)])
    with pytest.raises(ExhaustedError):
        await capped.acquire(permit())


# Cancellation


@virtual_time
async def test_a_cancelled_waiter_costs_the_others_nothing() -> None:
    """Every second of them goes: the rest is served as if they had never come."""
    busy = gate(TEN_A_SECOND)
    await busy.acquire(permit())
    loop, granted = asyncio.get_running_loop(), []
    start = loop.time()

    async def caller(number: int) -> None:
        await busy.acquire(permit())
        granted.append((number, loop.time() - start))

    tasks = [asyncio.create_task(caller(number)) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert list(range(1, 20, 2)) == [number for number, _ in granted]
    assert pytest.approx(9.5 / 9.5, abs=1e-4) == granted[-1][1]


@virtual_time
async def test_a_permit_granted_to_a_cancelled_caller_goes_to_the_next() -> None:
    """Between the grant and its use lies a turn of the loop, in which anything may happen."""
    one, slots = gate(TEN_A_SECOND), Slots(1)
    used = permit(slots)
    await one.acquire(used)
    first, second = (asyncio.create_task(one.acquire(permit(slots))) for _ in range(2))
    await asyncio.sleep(1)
    one.release(used)  # grants to the first...
    first.cancel()  # ...which is cancelled before it runs
    await asyncio.sleep(0.001)

    assert (first.cancelled(), second.done(), slots.used) == (True, True, 1)


@virtual_time
async def test_every_token_is_used_or_given_back() -> None:
    """Cancelled at random moments: used + given back = granted, and those who stay are served without a gap."""
    chance, busy, slots = random.Random(7), gate(RateLimit(100, 1, 0)), Slots(1000)
    loop, granted = asyncio.get_running_loop(), []

    async def caller() -> None:
        await busy.acquire(permit(slots))
        granted.append(loop.time())

    tasks = [asyncio.create_task(caller()) for _ in range(300)]
    for task in chance.sample(tasks, 150):
        loop.call_later(chance.uniform(0, 3), task.cancel)
    await asyncio.gather(*tasks, return_exceptions=True)
    gaps = [late - early for early, late in pairwise(granted)]

    assert max(gaps) == pytest.approx(1 / RateLimit(100, 1, 0).rate, abs=1e-4)
    assert slots.used == len(granted) >= 150


# Timers


@virtual_time
async def test_ten_thousand_waiters_share_one_timer() -> None:
    """Timers are not free, and the loop keeps cancelled ones."""
    crowded, slots = gate(RateLimit(6000, 60, 0)), Slots(20_000)
    tasks = [asyncio.create_task(crowded.acquire(permit(slots))) for _ in range(10_000)]
    await asyncio.sleep(1)

    assert len(asyncio.get_running_loop()._scheduled) <= 3  # type: ignore[attr-defined]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert repr(crowded).endswith("0 waiting>")


@virtual_time
async def test_a_grant_takes_one_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is woken to find that there is nothing to do."""
    busy, slots, woken = gate(TEN_A_SECOND), Slots(1000), 0
    look = busy.wake

    def wake(seat: object) -> None:
        nonlocal woken
        woken += 1
        look(seat)  # type: ignore[arg-type]

    monkeypatch.setattr(busy, "wake", wake)
    await moments(busy, many(100, lambda: permit(slots)))

    assert woken <= 100


# Deadlines and what can be seen


@virtual_time
async def test_a_call_that_would_come_too_late_is_refused_at_once() -> None:
    """Its place in the queue tells: 20 wait, ten a second go, it has one second."""
    busy, slots = gate(TEN_A_SECOND), Slots(1000)
    waiting = [asyncio.create_task(busy.acquire(permit(slots))) for _ in range(20)]
    await asyncio.sleep(0)
    with pytest.raises(LateError) as late:
        await busy.acquire(permit(slots), 1.0)
    urgent = permit(slots, priority="interactive")
    await busy.acquire(urgent, 1.0)

    assert late.value.estimate == pytest.approx(19.5 / RATE, abs=1e-3)
    await asyncio.gather(*waiting)


@virtual_time
async def test_the_estimate_comes_true() -> None:
    """For the newcomer of each priority, with all others waiting already."""
    for newcomer in ("interactive", "normal", "bulk"):
        busy, slots = gate(TEN_A_SECOND), Slots(1000)
        waiting = [
            asyncio.create_task(busy.acquire(permit(slots, priority=priority)))
            for priority in ("interactive", "normal", "bulk")
            for _ in range(10)
        ]
        await asyncio.sleep(0)
        mine, start = permit(slots, priority=newcomer), asyncio.get_running_loop().time()
        estimate = busy.estimate(mine)
        await busy.acquire(mine)

        assert estimate <= asyncio.get_running_loop().time() - start + 1e-3
        assert estimate == pytest.approx(asyncio.get_running_loop().time() - start, rel=0.35)
        await asyncio.gather(*waiting)


@virtual_time
async def test_calls_that_a_group_holds_up_do_not_count_in_the_estimate_of_others() -> None:
    """A hundred messages wait for their own limit; a plain call with two seconds left is not refused."""
    both = gate(TEN_A_SECOND, MESSAGES)
    waiting = [asyncio.create_task(both.acquire(permit(1000, "messages"))) for _ in range(100)]
    await asyncio.sleep(0)
    await both.acquire(permit(), 2.0)

    assert both.estimate(permit(1000, "messages")) > 60
    for task in waiting:
        task.cancel()


@virtual_time
async def test_a_hold_refuses_those_it_would_keep_too_long() -> None:
    """By their patience and by their deadline, newcomers and those who wait already; the others stay."""
    held, slots = gate(TEN_A_SECOND), Slots(1000)
    await held.acquire(permit(slots))
    patient, impatient, late = (
        asyncio.create_task(held.acquire(permit(slots, patience=patience), left))
        for patience, left in ((1000, 1000), (50, 1000), (1000, 50))
    )
    await asyncio.sleep(0)
    held.hold(60)
    await asyncio.sleep(0)

    assert isinstance(impatient.exception(), HeldError)
    assert isinstance(late.exception(), LateError)
    with pytest.raises(HeldError):
        await held.acquire(permit(slots, patience=59))
    await patient
    assert asyncio.get_running_loop().time() == pytest.approx(1060, abs=1e-3)


@virtual_time
async def test_the_gate_shows_its_state() -> None:
    """Tokens, rate, waiters and holds, in repr."""
    shown, slots = gate(TEN_A_SECOND, DailyCap(5)), Slots(8)
    await shown.acquire(permit(slots))
    shown.hold(7)
    waiting = asyncio.create_task(shown.acquire(permit(slots)))
    await asyncio.sleep(0)

    rate = "10 requests in 1 s: 0.5 tokens, 570.0 a minute"
    assert repr(shown) == f"<Gate {rate}, 5 requests a day: 1 used, 1 waiting, held for 7.0 s>"
    assert repr(slots) == "<Slots 1 of 8 used>"
    waiting.cancel()


@virtual_time
async def test_a_repeated_call_is_not_held_to_be_last() -> None:
    """It keeps its place, so its deadline is measured by that, not by those who came later."""
    busy, slots = gate(TEN_A_SECOND), Slots(1000)
    early = permit(slots)
    await busy.acquire(early)
    waiting = [asyncio.create_task(busy.acquire(permit(slots))) for _ in range(100)]
    await asyncio.sleep(0)
    await busy.acquire(early, 1.0)

    for task in waiting:
        task.cancel()


@virtual_time
async def test_those_who_have_gone_do_not_count_in_the_estimate() -> None:
    """Cancelled in this very turn, or on a loop that was closed: nobody is refused because of them."""
    busy, slots = gate(TEN_A_SECOND), Slots(1000)
    tasks = [asyncio.create_task(busy.acquire(permit(slots))) for _ in range(100)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await busy.acquire(permit(slots), 1.0)

    assert busy.status(slots).waiting["normal"] == 0


@virtual_time
async def test_a_coroutine_that_is_closed_while_it_waits_gives_everything_back() -> None:
    """As when a loop ends for good: what it waited for goes to others."""
    busy, slots = gate(TEN_A_SECOND, DailyCap(5)), Slots(10)
    await busy.acquire(permit(slots))
    coroutine = busy.acquire(permit(slots))
    busy.hold(1)
    coroutine.send(None)
    coroutine.close()
    await asyncio.sleep(2)

    status = busy.status(slots)
    assert (status.in_flight, status.caps[0].used, status.waiting["normal"]) == (1, 1, 0)


@virtual_time
async def test_a_finalizer_in_the_middle_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector may run anywhere, and what it ends may give a slot back while a call is being queued."""
    busy, slots = gate(), Slots(1)
    held = permit(slots)
    await busy.acquire(held)
    add = Line.add

    def with_a_finalizer(line: Line, one: Permit) -> None:
        busy.release(held)
        add(line, one)

    monkeypatch.setattr(Line, "add", with_a_finalizer)
    await asyncio.wait_for(busy.acquire(permit(slots)), 1)


@virtual_time
async def test_a_token_that_has_leaked_away_is_not_given_back_twice() -> None:
    """Granted, then the loop was blocked for seconds, then cancelled: there is no burst in it."""
    busy, slots = gate(TEN_A_SECOND), Slots(10)
    for _ in range(2):
        await busy.acquire(permit(slots))
    granted = asyncio.create_task(busy.acquire(permit(slots)))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    busy.hold(0.2)
    await asyncio.sleep(0)
    loop.jump(5)
    busy._queues.pump()  # grants, as its timer would
    loop.jump(5)
    await busy.acquire(permit(slots))
    before = busy.status(slots).rates[0].tokens
    granted.cancel()
    await asyncio.sleep(0)

    assert busy.status(slots).rates[0].tokens == pytest.approx(before)


# Change


@virtual_time
@pytest.mark.parametrize(
    ("requests", "seconds"), [(5, 40 / RateLimit(5, 1, 0).rate), (100, 40 / RateLimit(100, 1, 0).rate)]
)
async def test_a_change_of_limits_holds_for_those_who_wait(requests: int, seconds: float) -> None:
    """At once, down and up; and it does not hand out a new burst."""
    changed = gate(TEN_A_SECOND)
    await changed.acquire(permit())
    await changed.acquire(permit())
    start = asyncio.get_running_loop().time()
    waiting = asyncio.create_task(moments(changed, many(40)))
    await asyncio.sleep(0)
    changed.change([RateLimit(requests, 1, 0)])
    await waiting

    assert asyncio.get_running_loop().time() - start == pytest.approx(seconds, rel=0.01)


def test_the_rate_is_that_of_the_tightest_limit() -> None:
    """Of those that hold for the call."""
    both = Gate([RateLimit(600), RateLimit(60, group="messages")], clock=lambda: 0.0)

    assert both.rate() == pytest.approx(RateLimit(600).rate)
    assert both.rate(("messages",)) == pytest.approx(RateLimit(60).rate)
    assert Gate().rate() == math.inf
