"""Limits as a user of a session meets them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from leavo_async import (
    ApiProfile,
    ConfigError,
    DailyCap,
    DeadlineError,
    Gate,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    Route,
    Session,
)
from leavo_async._sansio.auth import Bearer
from leavo_async._sansio.paging import Offset
from leavo_async.testing import FakeTransport, reply, virtual_time

KEY = "made-up-key-1"
API = ApiProfile(
    name="made-up",
    base_url="https://api.example",
    key_variable="MADE_UP_KEY",
    auth=Bearer(),
    limits=(RateLimit(60), RateLimit(30, group="messaging")),
    paging=Offset(max_size=100),
    routes=(Route("POST", "/messages/{channel}", groups=("messaging",)),),
)
OK = reply(200, {})


def session(*answers: Any, key: str = KEY, seconds: float = 0.0, **options: Any) -> tuple[Session, FakeTransport]:
    transport = FakeTransport(*answers, seconds=seconds)
    return Session(API, key, transport=transport, **options), transport


async def calls(session: Session, count: int, method: str = "GET", path: str = "/x", **options: Any) -> list[float]:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(*(session.request(method, path, **options) for _ in range(count)))
    return [at - start for at in session._transport.moments]  # type: ignore[union-attr]


def gone(seconds: float, start: float = 1000.0) -> bool:
    return asyncio.get_running_loop().time() - start == pytest.approx(seconds, abs=0.01)


# One gate for each key


@virtual_time
async def test_sessions_with_one_key_share_its_limit() -> None:
    """Two clients in one program get together what one would have got; another key is none of their business."""
    one, two = session()[0], session()[0]
    other, _ = session(key="made-up-key-2")
    await asyncio.gather(calls(one, 10), calls(two, 10))
    assert gone(18.5 / RateLimit(60).rate)
    start = asyncio.get_running_loop().time()
    await calls(other, 1)
    assert gone(0, start)


@virtual_time
async def test_a_session_that_is_made_anew_does_not_start_anew() -> None:
    """As in a notebook, where a cell is run again."""
    for _ in range(4):
        async with session()[0] as made:
            await calls(made, 5)

    assert gone(18.5 / RateLimit(60).rate)


@virtual_time
async def test_a_gate_of_ones_own_is_apart() -> None:
    """Or shared on purpose, by keys of one account."""
    account = Gate([RateLimit(600)], clock=asyncio.get_running_loop().time)
    first, second = session(limiter=account)[0], session(key="made-up-key-2", limiter=account)[0]
    await asyncio.gather(calls(first, 10), calls(second, 10))

    assert gone(18.5 / RateLimit(600).rate)
    with pytest.raises(ConfigError, match="one of them"):
        session(limiter=account, limits=[RateLimit(5)])


def test_a_group_that_the_api_does_not_have_is_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match="no group of routes 'sms'"):
        session(limits=[DailyCap(5, "sms")])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: session(limits=RateLimit(5)), "expected a sequence"),
        (lambda: session(limits=["5/min"]), "neither a RateLimit nor a DailyCap"),
        (lambda: session(limiter=Gate([DailyCap(5, "typo")])), "no group of routes 'typo'"),
        (lambda: Gate([5]), "neither a RateLimit nor a DailyCap"),  # type: ignore[list-item]
        (lambda: RateLimit("5"), "whole number of at least 1"),  # type: ignore[arg-type]
        (lambda: RateLimit(0), "whole number of at least 1"),
        (lambda: RateLimit(5, float("inf")), "seconds above 0"),
        (lambda: RateLimit(5, spread=float("nan")), "spread 0 or more"),
        (lambda: DailyCap(0), "at least 1, or None"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(make: Callable[[], object], reason: str) -> None:
    """With the place and what was expected, before anything is sent."""
    with pytest.raises(ConfigError, match=reason):
        make()


# Groups and caps


@virtual_time
async def test_a_group_of_routes_has_its_own_limit() -> None:
    """Messages by theirs, everything else by the key's, at the same time."""
    made, transport = session()
    await asyncio.gather(calls(made, 10, "POST", "/messages/sms"), calls(made, 10))
    messages = [at - 1000 for request, at in zip(transport.requests, transport.moments, strict=True) if request.groups]

    assert messages[-1] == pytest.approx(8.5 / RateLimit(30).rate, abs=1 / RateLimit(60).rate)
    assert len([at for at in transport.moments if at - 1000 <= 10]) >= 10


@virtual_time
async def test_beyond_a_daily_cap_nothing_is_sent() -> None:
    """The error tells when there is room again, and that nothing was done."""
    made, transport = session(limits=[DailyCap(2, "messaging")], wall=lambda: 1_800_000_000.0)
    await calls(made, 2, "POST", "/messages/sms")
    with pytest.raises(
        QuotaExhaustedError, match=r"used up until 2027-01-16T08:02:00\+00:00; nothing was sent"
    ) as error:
        await made.request("POST", "/messages/sms")

    assert (error.value.reset_at, error.value.outcome) == (1_800_000_000.0 + 86400 + 120, "not sent")
    assert (len(transport.requests), error.value.safe_to_retry) == (2, True)


@virtual_time
async def test_a_cap_told_by_the_server_is_not_slept_on() -> None:
    """A 429 that asks for hours, for a call that has a cap: told at once, with its attempt; other calls go on."""
    made, transport = session(
        reply(429, None, {"Retry-After": "40000"}), OK, limits=[DailyCap(None, "messaging")], wall=lambda: 5000.0
    )
    with pytest.raises(QuotaExhaustedError) as error:
        await made.request("POST", "/messages/sms")
    assert (error.value.reset_at, [attempt.status for attempt in error.value.attempts]) == (45_000, [429])
    assert "nothing was sent" not in str(error.value)
    with pytest.raises(QuotaExhaustedError):
        await made.request("POST", "/messages/sms")
    await made.request("GET", "/x")

    assert (len(transport.requests), gone(0)) == (2, True)


# Priorities and deadlines


@virtual_time
async def test_a_call_says_how_urgent_it_is() -> None:
    """As an option of each call; what is no priority is refused."""
    made, transport = session()
    await made.request("GET", "/first")
    tasks = [
        asyncio.create_task(made.request("GET", f"/{priority}", priority=priority))
        for priority in ("bulk", "normal", "interactive")
    ]
    await asyncio.gather(*tasks)

    assert ["/first", "/interactive", "/normal", "/bulk"] == [request.path for request in transport.requests]
    with pytest.raises(ConfigError, match="priority='urgent'"):
        await made.request("GET", "/x", priority="urgent")  # type: ignore[arg-type]


@virtual_time
async def test_a_deadline_that_would_pass_in_the_queue_is_told_at_once() -> None:
    """With the estimate, before anything is sent; without a deadline the call waits for its turn."""
    made, transport = session()
    waiting = [asyncio.create_task(made.request("GET", "/x")) for _ in range(20)]
    await asyncio.sleep(0)
    with pytest.raises(DeadlineError, match=r"its turn would come in 20\.0 s, after the deadline; nothing") as late:
        await made.request("GET", "/late", deadline=5)

    assert (late.value.phase, late.value.estimate, late.value.outcome) == (
        "queue",
        pytest.approx(19.99, abs=0.01),
        "not sent",
    )
    assert gone(0)
    await asyncio.gather(*waiting)
    assert "/late" not in [request.path for request in transport.requests]


@virtual_time
async def test_a_repeated_call_takes_a_token_and_goes_ahead_of_newcomers() -> None:
    """Repeats are requests at the server like any other, and what was begun is ended first."""
    made, transport = session(reply(503), OK, retry=RetryPolicy(first_delay=0.001, max_delay=0.001))
    first = asyncio.create_task(made.request("GET", "/first"))
    await asyncio.sleep(0)
    newer = [asyncio.create_task(made.request("GET", "/new")) for _ in range(3)]
    await asyncio.gather(first, *newer)

    assert ["/first", "/first", "/new", "/new", "/new"] == [request.path for request in transport.requests]
    assert gone(3.5 / RateLimit(60).rate)


# Server advice


@virtual_time
async def test_a_429_is_waited_for_by_all_and_tried_by_one() -> None:
    """Nothing is sent for as long as the server asked, then a single request, then everything else."""
    made, transport = session(reply(429, None, {"Retry-After": "30"}), OK, seconds=0.2, limits=[RateLimit(600)])
    tasks = [asyncio.create_task(made.request("GET", "/x")) for _ in range(5)]
    await asyncio.gather(*tasks)
    after = [at - 1000 for at in transport.moments if at > 1000.2]

    assert after[0] == pytest.approx(30.2)
    assert after[1] >= 30.4


@virtual_time
async def test_headers_of_a_good_answer_are_heeded() -> None:
    """Nothing left: the next call waits for the reset instead of running into a 429."""
    headers = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12"}
    made, transport = session(reply(200, {}, headers), OK)
    await made.request("GET", "/x")
    assert "held for 12.0 s, as the server asked" in str(made.status())
    await made.request("GET", "/x")

    assert transport.moments[1] - transport.moments[0] == pytest.approx(12)


@virtual_time
async def test_headers_of_an_error_are_heeded_too() -> None:
    """A 404 says as much about the quota as a 200."""
    made, transport = session(reply(404, None, {"RateLimit": '"a";r=0;t=9'}), OK)
    with pytest.raises(Exception, match="404"):
        await made.request("GET", "/x")
    await made.request("GET", "/x")

    assert transport.moments[1] - transport.moments[0] == pytest.approx(9)


@virtual_time
async def test_the_probe_is_over_when_its_answer_is_not_a_429() -> None:
    """Also if it is another error."""
    made, transport = session(reply(429, None, {"Retry-After": "5"}), reply(404), OK, limits=[RateLimit(6000)])
    results = await asyncio.gather(*(made.request("GET", "/x") for _ in range(4)), return_exceptions=True)
    await made.request("GET", "/x")

    assert made.status().probing is False
    assert transport.moments[-1] - 1000 <= 8
    assert len(results) == 4


@virtual_time
async def test_a_write_that_was_told_to_wait_is_not_unknown() -> None:
    """It was refused before anybody acted on it."""
    made, _ = session(reply(429, None, {"Retry-After": "4000"}))
    with pytest.raises(RateLimitError) as error:
        await made.request("POST", "/x")

    assert not isinstance(error.value, OutcomeUnknownError)
    assert error.value.outcome == "not sent"


# What can be seen


@virtual_time
async def test_the_status_tells_what_holds_calls_back() -> None:
    """As values, and as lines to read; also before the first call."""
    made, _ = session(seconds=5, max_in_flight=8, limits=[RateLimit(60), DailyCap(9)])
    assert str(made.status()) == (
        "60 requests a minute: 1.5 tokens, 58.5 a minute\n"
        "9 requests a day: 0 used\n"
        "0 of 8 attempts in flight; waiting: none"
    )
    tasks = [asyncio.create_task(made.request("GET", "/x", priority=name)) for name in ("normal", "bulk", "bulk")]
    await asyncio.sleep(0)
    status = made.status()

    assert status.waiting == {"interactive": 0, "normal": 0, "bulk": 2}
    assert (status.in_flight, status.max_in_flight, status.held, status.probing) == (1, 8, 0.0, False)
    assert str(status).endswith("1 of 8 attempts in flight; waiting: 2 bulk")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (made.status().in_flight, sum(made.status().waiting.values())) == (0, 0)


@virtual_time
async def test_the_status_shows_what_was_learned() -> None:
    """So nobody wonders why it is slow."""
    made, _ = session(reply(429, None, {"Retry-After": "0"}), OK)
    await made.request("GET", "/x")

    (limit, _) = made.status().rates
    assert limit.learned == pytest.approx(0.85)
    assert "49.7 a minute (down to 85%, the server has refused more)" in str(made.status())


@pytest.mark.asyncio
async def test_a_wall_clock_that_jumps_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sets the clock, again and again, by an hour: the limit is about time that passes."""
    jumps = itertools.count(2_000_000_000, 3600)
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    made, transport = session(limits=[RateLimit(30, 1, 0)])
    await asyncio.gather(*(made.request("GET", "/x") for _ in range(4)))

    assert transport.moments[-1] - transport.moments[0] >= 2.5 / RateLimit(30, 1, 0).rate - 0.002


@virtual_time
async def test_nobody_passes_between_a_429_and_its_hold() -> None:
    """The slot of the refused attempt is free only when the pause has begun."""
    made, transport = session(reply(429, None, {"Retry-After": "30"}), OK, seconds=0.1, max_in_flight=1, limits=())
    await calls(made, 3)

    assert transport.moments[1] - 1000 >= 30


@virtual_time
async def test_who_has_no_patience_for_a_pause_is_told_at_once() -> None:
    """With the time that is left of it."""
    made, transport = session(reply(429, None, {"Retry-After": "60"}), OK, wall=lambda: 5000.0)
    first = asyncio.create_task(made.request("GET", "/x"))
    await asyncio.sleep(0.1)
    with pytest.raises(RateLimitError) as error:
        await made.request("GET", "/y", retry=RetryPolicy(max_wait=10))
    first.cancel()

    assert (error.value.retry_after, error.value.retry_at) == (pytest.approx(59.9), pytest.approx(5059.9))
    assert len(transport.requests) == 1


@virtual_time
async def test_a_429_may_name_the_limit() -> None:
    """Then nothing needs to be learned."""
    told = {"Retry-After": "1", "RateLimit-Policy": '"a";q=30;w=60'}
    made, _ = session(reply(429, None, told), OK, limits=[RateLimit(60)])
    await made.request("GET", "/x")

    assert made.status().rates[0].told == pytest.approx(RateLimit(30).rate)


@virtual_time
async def test_refused_probes_teach_nothing_about_the_rate() -> None:
    """The first 429 lowers it, those of the single requests after each pause do not."""
    refused = reply(429, None, {"Retry-After": "5"})
    made, _ = session(refused, refused, refused, OK, limits=[RateLimit(6000)])
    await made.request("GET", "/x")

    assert made.status().rates[0].learned == pytest.approx(0.85)


@virtual_time
async def test_a_closed_session_has_no_say() -> None:
    """A new one may name other limits without a warning, and they hold."""
    one, _ = session(limits=[RateLimit(50)])
    await one.request("GET", "/x")
    await one.aclose()
    two, _ = session(limits=[RateLimit(70)])
    await two.request("GET", "/x")

    assert [rate.limit.requests for rate in two.status().rates] == [70]


@virtual_time
async def test_a_warning_about_limits_points_at_the_users_code() -> None:
    """At the line that can be changed, not at one of the package."""
    one, _ = session(limits=[RateLimit(50)])
    two, _ = session(limits=[RateLimit(70)])
    await one.request("GET", "/x")
    with pytest.warns(UserWarning, match="other limits") as caught:
        await two.request("GET", "/x")

    assert [warning.filename for warning in caught] == [__file__]
