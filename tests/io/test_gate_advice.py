"""What a server says, and what the gate makes of it: hold, lower, restore, and nothing else."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from leavo_async import DailyCap, RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.permit import ExhaustedError, Permit
from leavo_async._io.slots import Slots
from leavo_async._sansio.quotas import Quota
from leavo_async.testing import virtual_time

from .gates import TEN_A_SECOND, gate, many, moments, permit, saturate

HUNDRED = RateLimit(100)


async def granted(gate: Gate, *groups: str) -> Permit:
    one = permit(1000, *groups)
    await gate.acquire(one)
    return one


async def refuse(gate: Gate, wait: float = 0.0, *quotas: Quota) -> None:
    """One request goes out and gets a 429."""
    one = await granted(gate)
    gate.refused(one, wait, quotas)
    gate.release(one)


def rate(gate: Gate, number: int = 0) -> float:
    """The share of the configured rate in use."""
    status = gate.status(Slots(1)).rates[number]
    return status.rate / status.limit.rate


# Holds


@virtual_time
async def test_a_refusal_stops_everybody_for_as_long_as_the_server_asks() -> None:
    """It is about the key, not about one call; a shorter hold does not cut a longer one."""
    held = gate(TEN_A_SECOND)
    held.hold(60)
    held.hold(1)
    got = await moments(held, many(1))

    assert [(0, 60.0)] == got


@virtual_time
async def test_after_a_hold_one_request_goes_ahead_to_see() -> None:
    """The others wait for its answer, and then go on at the full rate."""
    held, slots = gate(TEN_A_SECOND), Slots(1000)
    held.hold(10)
    start, went = asyncio.get_running_loop().time(), []

    async def call() -> None:
        one = permit(slots)
        await held.acquire(one)
        went.append(asyncio.get_running_loop().time() - start)
        await asyncio.sleep(2)
        held.accepted(one)
        held.release(one)

    await asyncio.gather(*(call() for _ in range(5)))

    assert went[:2] == [10, 12]
    assert [pytest.approx(1 / 9.5, abs=0.06)] * 3 == [late - early for early, late in pairwise(went[1:])]


@virtual_time
async def test_a_probe_that_is_refused_too_means_another_hold() -> None:
    """One request a hold, as often as it takes; what it learns is nothing about the rate."""
    held, slots, went = gate(TEN_A_SECOND), Slots(1000), []
    held.hold(10)
    start = asyncio.get_running_loop().time()

    async def call() -> None:
        one = permit(slots)
        await held.acquire(one)
        went.append(asyncio.get_running_loop().time() - start)
        await asyncio.sleep(0.5)
        held.refused(one, 10)
        held.release(one)

    calls = [asyncio.create_task(call()) for _ in range(4)]
    await asyncio.gather(*calls)

    assert went == [10, 20.5, 31, 41.5]
    assert rate(held) == 1


@virtual_time
async def test_a_probe_without_an_answer_makes_room_for_another() -> None:
    """It was cancelled, or its connection broke: the next one goes at once; a silent one after five seconds."""
    held = gate(TEN_A_SECOND)
    held.hold(10)
    waiting = [asyncio.create_task(granted(held)) for _ in range(3)]
    await asyncio.sleep(10.001)
    assert [True, False, False] == [task.done() for task in waiting]
    assert (held.status(Slots(1)).probing, repr(held).endswith("2 waiting, probing>")) == (True, True)
    held.release(waiting[0].result())
    await asyncio.sleep(0.06)
    assert [True, True, False] == [task.done() for task in waiting]
    await asyncio.sleep(4.9)
    assert not waiting[2].done()
    await asyncio.sleep(0.2)
    assert waiting[2].done()


@virtual_time
async def test_the_answer_to_an_old_probe_does_not_open_a_later_hold() -> None:
    """It was slow; meanwhile the server has asked for another pause."""
    held = gate(TEN_A_SECOND)
    held.hold(1)
    probe = await granted(held)
    await asyncio.sleep(1)
    held.hold(1)
    await asyncio.sleep(1)
    held.accepted(probe)
    held.release(probe)
    first, second = (asyncio.create_task(granted(held)) for _ in range(2))
    await asyncio.sleep(0.5)

    assert (first.done(), second.done()) == (True, False)
    second.cancel()


@virtual_time
async def test_answers_to_earlier_requests_do_not_open_a_hold() -> None:
    """They left before it began, and tell nothing about now."""
    held = gate(TEN_A_SECOND)
    early = await granted(held)
    held.hold(10)
    held.accepted(early)
    held.release(early)

    assert held.held() == 10
    first, second = (asyncio.create_task(granted(held)) for _ in range(2))
    await asyncio.sleep(10.5)
    assert (first.done(), second.done()) == (True, False)
    second.cancel()


@virtual_time
async def test_a_server_that_has_nothing_left_is_not_asked_again_before_its_reset() -> None:
    """Its headers say so before it has to refuse anything."""
    shared = gate(HUNDRED)
    one = await granted(shared)
    shared.accepted(one, [Quota(remaining=0, reset=7.0), Quota(remaining=0, reset=5.0), Quota(remaining=3, reset=50.0)])
    shared.release(one)

    assert shared.held() == 7


@virtual_time
async def test_a_reset_that_is_a_whole_window_away_is_not_waited_for() -> None:
    """It is that of a server which has more long before: one that counts back from each request, or refills."""
    shared = gate(HUNDRED)
    one = await granted(shared)
    shared.accepted(one, [Quota(remaining=0, reset=59.0)])
    assert shared.held() == 0
    shared.accepted(one, [Quota(remaining=0, reset=59.0, window=3600.0)])
    assert shared.held() == 59


@virtual_time
async def test_without_a_limit_of_ours_the_servers_word_is_all_there_is() -> None:
    """Then nothing left means to wait for its reset, however far."""
    shared = gate()
    one = await granted(shared)
    shared.accepted(one, [Quota(remaining=0, reset=59.0)])

    assert shared.held() == 59


@virtual_time
async def test_headers_that_are_older_than_the_hold_are_not_heard() -> None:
    """Answers may come in another order than they were given."""
    shared = gate(HUNDRED)
    early, late = await granted(shared), await granted(shared)
    await asyncio.sleep(1)
    shared.refused(late, 10, [Quota(limit=60, window=60.0)])
    shared.accepted(early, [Quota(limit=100, window=60.0, remaining=0, reset=50.0)])

    assert shared.held() == 10
    assert rate(shared) == pytest.approx(0.6, abs=0.01)


# Lower limits


@virtual_time
async def test_a_limit_that_is_lower_than_configured_is_learned_and_recovered() -> None:
    """After a 429 the rate is 85 % of what it was; then it comes back by 2 % a window."""
    learned = gate(HUNDRED)
    await refuse(learned)
    assert rate(learned) == pytest.approx(0.85)
    held = await granted(learned)
    learned.accepted(held)
    learned.release(held)
    await asyncio.sleep(60)
    assert rate(learned) == pytest.approx(0.87)
    await asyncio.sleep(60 * 6)
    assert rate(learned) == pytest.approx(0.99)
    await asyncio.sleep(60)
    assert rate(learned) == 1
    assert learned.is_fresh()


@virtual_time
async def test_refusals_of_one_flight_count_once() -> None:
    """Ten requests were on their way when the limit was hit: one piece of news, also more than a second later."""
    learned = gate(RateLimit(6000, 60, 0))
    flight = [await granted(learned) for _ in range(10)]
    for one in flight:
        learned.refused(one, 0.0)
        await asyncio.sleep(0.3)

    assert rate(learned) == pytest.approx(0.85)


@virtual_time
async def test_two_steps_are_a_second_apart() -> None:
    """However fast the refusals come."""
    learned = gate(RateLimit(6000, 60, 0))

    async def refused_flight() -> None:
        one = await granted(learned)
        learned.accepted(one)
        learned.release(one)
        another = await granted(learned)
        learned.refused(another, 0.0)
        learned.release(another)

    await refused_flight()
    await refused_flight()
    assert rate(learned) == pytest.approx(0.85)
    await asyncio.sleep(1)
    await refused_flight()
    assert rate(learned) == pytest.approx(0.85**2)


@virtual_time
async def test_a_lower_rate_holds_for_those_who_wait() -> None:
    """At once, and again when it comes back."""
    learned = gate(RateLimit(600, 60, 0))
    one = await granted(learned)
    learned.refused(one, 0.0)
    learned.accepted(await granted(learned))  # the probe
    slow = await saturate(learned, 20)

    assert len(slow) == pytest.approx(20 * 10 * 0.85, abs=2)


@virtual_time
async def test_a_limit_that_the_server_names_needs_no_learning() -> None:
    """Its policy with a window, in any answer; and when it names a higher one, ours holds again."""
    told = gate(HUNDRED)
    for quota, expected in (
        (Quota(limit=60, window=60.0), 0.6),
        (Quota(limit=30, window=60.0), 0.3),
        (Quota(limit=1000, window=60.0), 1.0),
        (Quota(limit=2, window=1.0), RateLimit(2, 1.0).rate / HUNDRED.rate),
        (Quota(limit=5000, window=86400.0), RateLimit(2, 1.0).rate / HUNDRED.rate),  # a quota of the day is no rate
        (Quota(remaining=5), RateLimit(2, 1.0).rate / HUNDRED.rate),  # nothing said about the limit
        (Quota(limit=100, window=60.0), 1.0),
    ):
        one = await granted(told)
        told.accepted(one, [quota])
        told.release(one)
        assert rate(told) == pytest.approx(expected, abs=0.01), quota


@virtual_time
async def test_a_rate_that_is_restored_holds_at_once_for_those_who_wait() -> None:
    """Not only after the timer that was set for the lower one."""
    told = gate(HUNDRED)
    one = await granted(told)
    told.accepted(one, [Quota(limit=2, window=60.0)])
    waiting = [asyncio.create_task(granted(told)) for _ in range(2)]
    await asyncio.sleep(0)
    told.accepted(one, [Quota(limit=100, window=60.0)])
    await asyncio.gather(*waiting)

    assert asyncio.get_running_loop().time() - 1000 <= 2 / HUNDRED.rate


@virtual_time
async def test_a_limit_without_a_window_is_believed_when_there_is_a_reason() -> None:
    """It may be that of a second or an hour: only with a refusal, or nothing left, it is taken for the same window."""
    told = gate(HUNDRED)
    one = await granted(told)
    told.accepted(one, [Quota(limit=60)])
    assert rate(told) == 1
    await refuse(told, 0.0, Quota(limit=60))
    assert rate(told) == pytest.approx(0.6, abs=0.01)
    probe = await granted(told)
    told.accepted(probe, [Quota(limit=80)])
    assert rate(told) == pytest.approx(0.8, abs=0.01)
    told.accepted(probe, [Quota(limit=100)])
    assert rate(told) == 1


@virtual_time
async def test_a_number_far_from_ours_is_learned_instead() -> None:
    """Ten a second, without a window: taken for ten a minute it would cost nine tenths of the speed."""
    told = gate(HUNDRED)
    await refuse(told, 0.0, Quota(limit=10))

    assert rate(told) == pytest.approx(0.85)


@virtual_time
async def test_advice_never_raises_a_rate_above_ours() -> None:
    """Whatever a server claims to allow."""
    told = gate(HUNDRED)
    one = await granted(told)
    told.accepted(one, [Quota(limit=100_000, window=60.0, remaining=99_999, reset=1.0)])

    assert rate(told) == 1


@virtual_time
async def test_a_refused_message_lowers_the_limit_for_messages() -> None:
    """Its own, not the key's: plain calls go on at their rate, once the pause is over."""
    both = gate(HUNDRED, RateLimit(30, group="messages"))
    one = await granted(both, "messages")
    both.refused(one, 0.0)

    assert (rate(both, 0), rate(both, 1)) == (1, pytest.approx(0.85))


# Daily caps


@virtual_time
async def test_a_long_refusal_of_a_capped_call_closes_its_cap_and_nothing_else() -> None:
    """Eleven hours are about the day of that channel: other calls of the key need not wait so long."""
    both = gate(HUNDRED, DailyCap(None, "sms"), DailyCap(50, "mail"), wall=lambda: 5000.0)
    one = await granted(both, "sms")
    reset_at = both.refused(one, 40_000.0)
    both.release(one)

    assert (reset_at, both.held(), rate(both)) == (45_000.0, 0, 1)
    with pytest.raises(ExhaustedError) as refused:
        await granted(both, "sms")
    assert refused.value.reset_at == 45_000.0
    await granted(both, "mail")
    assert "an unknown number of requests a day for sms: 1 used, used up" in repr(both)


@virtual_time
async def test_a_short_refusal_of_a_capped_call_is_a_pause() -> None:
    """A minute is about the minute."""
    both = gate(HUNDRED, DailyCap(None, "sms"))
    one = await granted(both, "sms")

    assert both.refused(one, 60.0) is None
    assert both.held() == 60
