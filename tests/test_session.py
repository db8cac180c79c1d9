"""Sessions on a fake transport, in virtual time: what went out, when, and what came of it."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

import pytest

from leavo_async import (
    AttemptRecord,
    AuthenticationError,
    ClosedError,
    ConfigError,
    ConnectError,
    DeadlineError,
    Lead,
    LeavoClient,
    LeavoError,
    OutcomeUnknownError,
    RateLimit,
    RateLimitError,
    ReadError,
    ReadTimeoutError,
    Request,
    Response,
    ResponseValidationError,
    RetryPolicy,
    ServerError,
    Session,
)
from leavo_async._io.progress import Progress
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import FakeTransport, reply, virtual_time

CANARY = "lv_live_CANARY7f3a9b"


def session(*answers: Any, seconds: float = 0.0, **options: Any) -> tuple[Session, FakeTransport]:
    transport = FakeTransport(*answers, seconds=seconds)
    return Session(LEAVO, CANARY, transport=transport, **options), transport


@virtual_time
async def test_a_call_gives_the_decoded_value() -> None:
    """In the envelope or not."""
    leavo, transport = session(reply(200, {"success": True, "data": {"id": "1"}}))

    assert await leavo.request("GET", "/backend/leads/1", params={"a": 1}) == {"id": "1"}
    assert [request.url for request in transport.requests] == ["https://api.leavo.ai/backend/leads/1?a=1"]


@virtual_time
async def test_every_attempt_of_a_write_carries_the_same_key() -> None:
    """Two attempts, one operation; the next call has another key."""
    leavo, transport = session(ConnectError("down"), reply(201, {"id": "1"}))
    await leavo.request("POST", "/x", json={})
    await leavo.request("POST", "/x", json={})

    first, again, other = (request.headers["Idempotency-Key"] for request in transport.requests)
    assert first == again != other


@virtual_time
async def test_a_read_is_repeated_until_it_succeeds() -> None:
    """Delays grow; the response tells how many attempts it took."""
    leavo, transport = session(reply(503), ReadError("reset"), reply(502), reply(200, {}))

    response = await leavo.send("GET", "/x")

    assert (response.status, response.attempts, len(transport.requests)) == (200, 4, 4)


@virtual_time
async def test_after_the_last_attempt_the_real_error_comes_with_its_story() -> None:
    """Each attempt with its delay and reason."""
    leavo, _ = session(reply(500, {"error": {"code": "BOOM"}}), retry=RetryPolicy(max_attempts=2))

    with pytest.raises(ServerError, match=r"500 BOOM; gave up: 2 attempts failed") as caught:
        await leavo.request("GET", "/x")

    assert [(record.number, record.status, record.because) for record in caught.value.attempts] == [
        (1, 500, "status 500"),
        (2, 500, "2 attempts failed"),
    ]
    assert caught.value.safe_to_retry


@virtual_time
async def test_a_write_of_unknown_outcome_is_sent_once() -> None:
    """The error carries the key and what to do."""
    leavo, transport = session(ReadError("POST /x: the connection broke"))

    with pytest.raises(OutcomeUnknownError, match="look it up") as caught:
        await leavo.request("POST", "/x", json={}, idempotency_key="op-1")

    error = caught.value
    assert (
        len(transport.requests),
        error.idempotency_key,
        error.outcome,
        error.safe_to_retry,
    ) == (1, "op-1", "unknown", False)
    assert error.because == "POST /x: the connection broke"


@virtual_time
async def test_a_user_who_knows_better_says_so_once() -> None:
    """With idempotency="honoured" the same write is repeated, with its key."""
    leavo, transport = session(ReadError("x"), reply(201, {}), idempotency="honoured")

    await leavo.request("POST", "/x", json={})

    assert len(transport.requests) == 2


@virtual_time
async def test_a_429_makes_all_calls_wait() -> None:
    """Nobody sends while the key is told to wait; the wait is never shorter than asked."""
    leavo, transport = session(reply(429, None, {"Retry-After": "20"}), reply(200, {}))

    await asyncio.gather(*(leavo.request("GET", f"/{n}") for n in range(3)))

    first, *later = transport.moments
    assert all(moment >= first + 20 for moment in later)
    assert len(transport.requests) == 4


@virtual_time
async def test_a_429_that_asks_for_too_long_is_raised_at_once() -> None:
    """With the moment at which it may be tried again."""
    leavo, transport = session(reply(429, None, {"Retry-After": "3600"}), wall=lambda: 1e9)

    with pytest.raises(RateLimitError, match="max_wait") as caught:
        await leavo.request("GET", "/x")

    assert (caught.value.retry_after, caught.value.retry_at, len(transport.requests)) == (3600, 1e9 + 3600, 1)


@virtual_time
async def test_the_rate_of_the_key_is_kept() -> None:
    """A hundred a minute, to the last token: never more than a hundred in any minute."""
    leavo, transport = session(reply(200, {}))

    await asyncio.gather(*(leavo.request("GET", "/x") for _ in range(300)))

    moments = transport.moments
    assert max(sum(start <= at < start + 60 for at in moments) for start in moments) <= 100
    assert 300 / (moments[-1] - moments[0]) * 60 >= 97


@virtual_time
async def test_attempts_are_bounded_by_max_in_flight() -> None:
    """Slots bound connections."""
    leavo, transport = session(reply(200, {}), seconds=1, limits=(), max_in_flight=3)

    await asyncio.gather(*(leavo.request("GET", "/x") for _ in range(9)))

    assert [round(at - transport.moments[0]) for at in transport.moments] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@virtual_time
async def test_an_attempt_cannot_hang() -> None:
    """Thirty seconds, then the next; the fourth is the last."""
    leavo, transport = session(reply(200, {}), seconds=1e6, retry=RetryPolicy(first_delay=0, max_delay=0))

    with pytest.raises(ReadTimeoutError, match="within 30 s"):
        await leavo.request("GET", "/x")

    assert [round(at - transport.moments[0]) for at in transport.moments] == [0, 30, 60, 90]


@virtual_time
async def test_the_deadline_bounds_the_whole_call() -> None:
    """Attempts and waits together; a write in flight is of unknown outcome."""
    leavo, _ = session(reply(200, {}), seconds=1e6)
    start = asyncio.get_running_loop().time()

    with pytest.raises(DeadlineError, match=r"POST /x") as caught:
        await leavo.request("POST", "/x", json={}, deadline=20, idempotency_key="k")

    assert pytest.approx(20, abs=1e-3) == asyncio.get_running_loop().time() - start
    assert (caught.value.phase, caught.value.outcome, caught.value.idempotency_key) == ("read", "unknown", "k")


@virtual_time
async def test_a_deadline_in_the_queue_means_not_sent() -> None:
    """It never left, and may safely be made again."""
    leavo, transport = session(reply(200, {}), limits=[RateLimit(1, 3600)])
    await leavo.request("GET", "/x")

    with pytest.raises(DeadlineError) as caught:
        await leavo.request("POST", "/x", json={}, deadline=1)

    assert (
        caught.value.phase,
        caught.value.outcome,
        caught.value.safe_to_retry,
        len(transport.requests),
    ) == ("queue", "not sent", True, 1)


@virtual_time
async def test_cancelling_a_call_leaves_nothing_behind() -> None:
    """At each of its waits: queue, attempt, pause. No slot stays taken, and CancelledError passes through."""
    for moment in (0.0, 0.5, 1.5):
        leavo, _ = session(reply(500), reply(200, {}), seconds=1, limits=(), max_in_flight=1)
        blocker = asyncio.create_task(leavo.request("GET", "/y")) if moment == 0.0 else None
        task = asyncio.create_task(leavo.request("GET", "/x", retry=RetryPolicy(first_delay=30)))
        await asyncio.sleep(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if blocker:
            await blocker
        assert "<Slots 0 of 1 used> <Gate 0 waiting>" in repr(leavo)


@virtual_time
async def test_observers_see_each_attempt() -> None:
    """As a frozen record, without query, headers or body."""
    seen: list[AttemptRecord] = []
    leavo, _ = session(reply(503), reply(200, {}), seconds=2, observers=[seen.append])

    await leavo.request("GET", "/x", params={"search": "Ana"})

    assert [(record.number, record.status, record.problem, round(record.seconds, 6)) for record in seen] == [
        (1, 503, "ServerError", 2.0),
        (2, 200, None, 2.0),
    ]
    assert seen[0].delay is not None
    assert "Ana" not in repr(seen)


@virtual_time
async def test_an_observer_that_fails_does_not_fail_the_call() -> None:
    """What was written is written; the loop's exception handler is told."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))

    def failing(record: AttemptRecord) -> None:
        raise KeyError("observer")

    leavo, _ = session(reply(201, {"id": "1"}), observers=[failing])

    assert await leavo.request("POST", "/x", json={}) == {"id": "1"}
    assert [type(error) for error in told] == [KeyError]


@virtual_time
async def test_closing_ends_what_is_under_way_and_forbids_more() -> None:
    """Each call ends with ClosedError; closing twice does nothing."""
    leavo, transport = session(reply(200, {}), seconds=100)
    tasks = [asyncio.create_task(leavo.request("GET", "/x")) for _ in range(3)]
    await asyncio.sleep(1)
    await leavo.aclose()
    await leavo.aclose()

    assert [ClosedError] * 3 == [type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)]
    assert transport.closed
    with pytest.raises(ClosedError):
        await leavo.request("GET", "/x")


def test_a_session_on_a_second_loop_says_what_to_do() -> None:
    """Instead of failing deep inside of a connection pool."""
    leavo, _ = session(reply(200, {}))
    asyncio.run(leavo.request("GET", "/x"))

    with pytest.raises(ConfigError, match="one session for each loop"):
        asyncio.run(leavo.request("GET", "/x"))


@virtual_time
async def test_bad_input_is_refused_before_anything_is_sent() -> None:
    """Each with a ConfigError that says what was expected."""
    leavo, transport = session(reply(200, {}))
    for call in (
        {"path": "x"},
        {"method": "get"},
        {"headers": {"Authorization": "Bearer other"}},
        {"json": float("nan")},
        {"timeout": 0},
        {"timeout": True},
        {"timeout": float("inf")},
        {"deadline": -1},
        {"idempotency_key": ""},
    ):
        with pytest.raises(ConfigError):
            await leavo.request(**{"method": "GET", "path": "/x", **call})

    assert transport.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": None},
        {"timeout": float("inf")},
        {"timeout": True},
        {"deadline": 0},
        {"deadline": True},
        {"max_in_flight": 0},
        {"max_in_flight": 0.5},
        {"base_url": "http://api.leavo.ai"},
        {"credentials": "your_api_key_here"},
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """When the session is made."""
    with pytest.raises(ConfigError):
        Session(LEAVO, **{"credentials": CANARY, **options})


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """LEAVO_API_KEY; without it one sentence says so."""
    monkeypatch.delenv("LEAVO_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="set LEAVO_API_KEY in the environment"):
        LeavoClient()
    monkeypatch.setenv("LEAVO_API_KEY", CANARY)

    assert CANARY not in repr(LeavoClient())


@pytest.mark.parametrize("answer", [reply(401), reply(500), reply(200, [1]), ReadError("x"), ConnectError("x")])
def test_the_key_is_in_no_text(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the error, its repr, its causes, the log, nor in a traceback that prints every local of ours."""
    caplog.set_level(logging.DEBUG)

    @virtual_time
    async def failing() -> None:
        async with LeavoClient(CANARY, transport=FakeTransport(answer)) as leavo:
            await leavo.leads.get("1")

    with pytest.raises(LeavoError) as caught:
        failing()

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [line for frame in shown.stack if "leavo_async" in frame.filename for line in (frame.locals or {}).values()]
    assert CANARY not in f"{caught.value} {caught.value!r} {vars(caught.value)} {caplog.text} {ours}"
    assert ours


def test_a_malformed_key_is_not_shown_either() -> None:
    """The frames of the constructor are in the traceback; the key is not in them."""
    with pytest.raises(ConfigError) as caught:
        LeavoClient(f"{CANARY}\n")

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in shown.stack if "/leavo_async/" in frame.filename]
    assert ours
    assert CANARY not in f"{ours}"


@virtual_time
async def test_a_401_is_not_tried_again() -> None:
    """Some services lock a key after five bad tries."""
    leavo, transport = session(reply(401, {"error": {"code": "UNAUTHORIZED"}}))

    with pytest.raises(AuthenticationError):
        await leavo.request("GET", "/x")

    assert len(transport.requests) == 1


@virtual_time
async def test_closing_does_not_touch_a_task_whose_call_has_ended() -> None:
    """In the very turn in which its answer came: what it does next is none of the session's business."""
    leavo, _ = session(reply(200, {}), seconds=1)

    async def caller() -> str:
        await leavo.request("GET", "/x")
        await asyncio.sleep(10)
        return "done"

    task = asyncio.create_task(caller())
    await asyncio.sleep(1)  # wakes in the turn in which the answer comes
    await leavo.aclose()

    assert await task == "done"


@virtual_time
async def test_closing_is_finished_also_when_the_one_who_closes_is_cancelled() -> None:
    """And whoever closes a second time waits until it is."""
    leavo, transport = session(reply(200, {}))
    await leavo.request("GET", "/x")
    closing = asyncio.create_task(leavo.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await leavo.aclose()

    assert transport.closed


@virtual_time
async def test_an_answer_that_cannot_be_read_has_its_story_too() -> None:
    """The lead is there: saying that it is safe to create it again would make a second one."""
    leavo, _ = session(reply(201, {"id": 5}))

    with pytest.raises(ResponseValidationError) as caught:
        await leavo.request("POST", "/x", json={}, cast_to=Lead, idempotency_key="k")

    error = caught.value
    assert (error.outcome, error.safe_to_retry, error.idempotency_key) == ("done", False, "k")
    assert [record.status for record in error.attempts] == [201]


@virtual_time
async def test_a_failure_after_an_attempt_of_unknown_outcome_is_not_called_not_sent() -> None:
    """The last attempt did nothing, the first one may have."""
    leavo, _ = session(ReadError("x"), ConnectError("x"), reply(400))

    with pytest.raises(LeavoError) as caught:
        await leavo.request("PUT", "/x", json={}, retry=RetryPolicy(first_delay=0))

    assert (caught.value.outcome, caught.value.safe_to_retry, len(caught.value.attempts)) == ("unknown", True, 3)


@virtual_time
async def test_nobody_queues_for_longer_than_the_policy_allows() -> None:
    """A server that asks for ten days, taken for one: every call says so at once, also those that waited already."""
    leavo, transport = session(reply(429, None, {"Retry-After": "900000"}), seconds=1, max_in_flight=1)
    start = asyncio.get_running_loop().time()
    calls = [asyncio.create_task(leavo.request("GET", "/x")) for _ in range(3)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    with pytest.raises(RateLimitError, match="told to wait") as late:
        await leavo.request("GET", "/x")

    assert [type(error) for error in ended] == [RateLimitError] * 3
    assert (asyncio.get_running_loop().time() - start, len(transport.requests)) == (1, 1)
    assert (late.value.outcome, late.value.retry_after) == ("not sent", pytest.approx(86_400, abs=2))


@virtual_time
async def test_a_transport_that_hides_our_cancellation_does_not_lift_the_limit() -> None:
    """It answers the cancel with an error of its own: the next attempt has its limit all the same."""

    class Hiding(FakeTransport):
        async def send(self, request: Request, progress: Progress) -> Response:
            try:
                return await super().send(request, progress)
            except asyncio.CancelledError:
                error = ReadError("hidden")
            raise error

    transport = Hiding(reply(200, {}), seconds=1e6)
    leavo = Session(LEAVO, CANARY, transport=transport, timeout=5, retry=RetryPolicy(first_delay=0, max_delay=0))
    with pytest.raises(ReadError):
        await leavo.request("GET", "/x", deadline=60)

    assert [round(at - transport.moments[0]) for at in transport.moments] == [0, 5, 10, 15]


@virtual_time
async def test_closing_outdoes_a_timeout_that_is_under_way() -> None:
    """The attempt timed out, its end takes a while, and the session closes meanwhile: no further attempt."""

    class Slow(FakeTransport):
        async def send(self, request: Request, progress: Progress) -> Response:
            try:
                return await super().send(request, progress)
            finally:
                for _ in range(50):
                    await asyncio.sleep(0)

    transport = Slow(reply(200, {}), seconds=1e6)
    leavo = Session(LEAVO, CANARY, transport=transport, timeout=5)
    task = asyncio.create_task(leavo.request("GET", "/x"))
    await asyncio.sleep(5.000_001)
    await leavo.aclose()

    with pytest.raises(ClosedError):
        await task
    assert len(transport.requests) == 1
