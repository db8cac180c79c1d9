"""What an API says of a key besides 429: blocks, rights, and waits that nobody names."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from leavo_async import (
    ApiProfile,
    Bearer,
    ConflictError,
    IdempotencyMismatchError,
    Offset,
    PermissionDeniedError,
    RateLimit,
    RateLimitError,
    ReadError,
    RetryPolicy,
    Route,
    Session,
)
from leavo_async.testing import FakeTransport, reply, virtual_time

PROFILE = ApiProfile(
    name="made-up",
    base_url="https://api.example.com",
    key_variable="MADE_UP_KEY",
    auth=Bearer(),
    limits=(RateLimit(600),),
    paging=Offset(max_size=10),
    block_wait=300.0,
)
PATIENT = RetryPolicy(max_wait=1000.0)


def session(*answers: Any, profile: ApiProfile = PROFILE, **options: Any) -> tuple[Session, FakeTransport]:
    transport = FakeTransport(*answers)
    return Session(profile, "made-up-key", transport=transport, **options), transport


# Blocks


@virtual_time
async def test_a_403_that_follows_a_429_is_a_block_and_not_a_matter_of_rights() -> None:
    """It is told at once when the wait would be too long, and the whole key waits."""
    api, transport = session(reply(429), reply(403, {"message": "forbidden"}), reply(200, {}))

    with pytest.raises(
        RateLimitError, match="answered 403: the key is blocked for having gone on after a 429"
    ) as caught:
        await api.request("POST", "/x", json={})

    error = caught.value
    assert (403, 300.0, "not sent", True) == (error.status, error.retry_after, error.outcome, error.safe_to_retry)
    assert "forbidden" in str(error)
    assert [0.0, 60.0] == pytest.approx([moment - transport.moments[0] for moment in transport.moments], abs=2)
    assert 299 < api.status().held <= 300


@virtual_time
async def test_whoever_has_the_patience_waits_for_the_end_of_a_block() -> None:
    """A write as well: nobody has seen it."""
    api, transport = session(reply(429), reply(403), reply(201, {"id": "1"}), retry=PATIENT)

    assert {"id": "1"} == await api.request("POST", "/x", json={})
    assert [60, 300] == pytest.approx(_gaps(transport), abs=2)


@virtual_time
async def test_a_block_uses_up_neither_attempts_nor_the_budget() -> None:
    """It is about the key, as a 429 is: forty calls under way, and each one alone, outlast it."""
    answers = [reply(429), *[reply(403)] * 44, reply(200, {})]
    api, _ = session(*answers, retry=RetryPolicy(max_attempts=1, max_wait=10_000), limits=(), max_in_flight=40)

    assert [{}] * 40 == await asyncio.gather(*(api.request("GET", f"/{at}") for at in range(40)))


@virtual_time
async def test_when_the_server_takes_requests_again_a_403_is_about_rights() -> None:
    """One answer that is no refusal ends the suspicion."""
    api, transport = session(reply(429), reply(200, {}), reply(403))
    await api.request("GET", "/x")

    with pytest.raises(PermissionDeniedError):
        await api.request("GET", "/y")
    assert 0.0 == api.status().held
    assert 3 == len(transport.requests)


@virtual_time
async def test_a_403_without_a_429_before_it_is_about_rights() -> None:
    """And so is one after a 429 where the API knows no such block, or that of another key."""
    for profile, answers in ((PROFILE, [reply(403)]), (_without_block(), [reply(429), reply(403)])):
        api, _ = session(*answers, profile=profile)
        with pytest.raises(PermissionDeniedError):
            await api.request("GET", "/x")


@virtual_time
async def test_an_answer_that_was_asked_for_before_the_429_ends_no_suspicion() -> None:
    """It tells nothing about the time after."""
    slow = asyncio.Event()
    answers = iter([reply(200, {}), reply(429), reply(403)])

    class Slow(FakeTransport):
        async def send(self, request: Any, progress: Any) -> Any:
            answer = next(answers)
            if request.path == "/slow":
                await slow.wait()
            return answer

    api = Session(PROFILE, "made-up-key", transport=Slow())
    waiting = asyncio.create_task(api.request("GET", "/slow"))
    await asyncio.sleep(0.5)
    refused = asyncio.create_task(api.request("GET", "/x"))
    await asyncio.sleep(1)
    slow.set()
    await waiting

    with pytest.raises(RateLimitError, match="is blocked"):
        await refused


@virtual_time
async def test_a_pause_without_a_429_makes_no_block() -> None:
    """Nor does one of an earlier 429 that is over."""
    spent = {"RateLimit": '"minute";r=0;t=5', "RateLimit-Policy": '"minute";q=600;w=60'}
    for before in ([], [reply(429), reply(200, {})]):
        api, _ = session(*before, reply(200, {}, spent), reply(403))
        for _ in range(2 if before else 1):
            await api.request("GET", "/x")
        assert api.status().held > 1

        with pytest.raises(PermissionDeniedError):
            await api.request("GET", "/x")


@virtual_time
async def test_a_429_of_long_ago_makes_no_block() -> None:
    """After ten minutes without a request nothing is suspected any more."""
    api, _ = session(reply(429), reply(403))
    with pytest.raises(RateLimitError):
        await api.request("GET", "/x", retry=RetryPolicy(max_wait=0))
    await asyncio.sleep(60 + 601)

    with pytest.raises(PermissionDeniedError):
        await api.request("GET", "/x")


def _without_block() -> ApiProfile:
    return dataclasses.replace(PROFILE, block_wait=None)


def _gaps(transport: FakeTransport) -> list[float]:
    return [later - earlier for earlier, later in zip(transport.moments, transport.moments[1:], strict=False)]


# Waits that nobody names


@virtual_time
async def test_where_nobody_names_a_wait_delays_grow() -> None:
    """Each call's own, as after other failures; and a 429 uses up no attempt."""
    profile = dataclasses.replace(PROFILE, wait_after_429=None, limits=())
    api, transport = session(*[reply(429)] * 7, reply(200, {}), profile=profile)

    assert {} == await api.request("GET", "/x")
    gaps = _gaps(transport)
    assert 7 == len(gaps)
    assert all(1 <= gap <= max(1.0, min(30.0, 2.0**at)) + 0.1 for at, gap in enumerate(gaps))


@virtual_time
async def test_a_policy_without_delays_does_not_ask_for_ever() -> None:
    """Where nobody names a wait, nothing else would end it."""
    profile = dataclasses.replace(PROFILE, wait_after_429=None, limits=())
    transport = FakeTransport(reply(429), seconds=1)
    api = Session(profile, "made-up-key", transport=transport)

    with pytest.raises(RateLimitError, match="4 attempts failed"):
        await api.request("GET", "/x", retry=RetryPolicy(first_delay=0), deadline=60)
    assert 4 == len(transport.requests)


@virtual_time
async def test_while_a_key_is_refused_one_call_goes_ahead_and_not_all() -> None:
    """A hundred calls do not ask a hundred times each second whether it is over."""
    over = asyncio.get_running_loop().time() + 10
    profile = dataclasses.replace(PROFILE, wait_after_429=None, limits=())
    transport = FakeTransport(
        lambda request: reply(429) if asyncio.get_running_loop().time() < over else reply(200, {}), seconds=0.1
    )
    api = Session(profile, "made-up-key", transport=transport, max_in_flight=100)

    await asyncio.gather(*(api.request("GET", "/x") for _ in range(100)))

    refused = [moment for moment in transport.moments if 0.2 < moment - transport.moments[0] < 9.9]
    assert 5 <= len(refused) <= 10  # about one a second


# Rights and keys


SCOPED = dataclasses.replace(
    PROFILE,
    routes=(
        Route("GET", "/invoices/{id}", scopes=("invoices:read",)),
        Route("POST", "/both", scopes=("a:read", "b:write")),
    ),
)


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"),
    [
        ("GET", "/invoices/1", {"error": {"code": "insufficient_scope"}}, "invoices:read"),
        ("POST", "/both", {"error": {"code": "insufficient_scope"}}, "a:read b:write"),
        ("GET", "/invoices/1", {"error": {"code": "insufficient_scope", "details": {"scope": "x:read"}}}, "x:read"),
        ("GET", "/invoices/1", {"error": {"code": "ip_not_allowed"}}, None),
        ("GET", "/elsewhere", {"error": {"code": "insufficient_scope"}}, None),
    ],
)
@virtual_time
async def test_a_missing_right_is_named_even_if_the_server_does_not(
    method: str, path: str, body: Any, scope: str | None
) -> None:
    """What it says goes before what the route is known to need."""
    api, _ = session(reply(403, body), profile=SCOPED)

    with pytest.raises(PermissionDeniedError) as caught:
        await api.request(method, path)

    assert scope == caught.value.missing_scope
    assert scope is None or f"the key lacks the scope {scope}" in str(caught.value)


KEYED = dataclasses.replace(PROFILE, honoured="honoured", mismatch_statuses=frozenset({409}))


@virtual_time
async def test_a_conflict_under_a_key_that_the_caller_has_named_is_a_mismatch() -> None:
    """It was used for something else before; nothing is sent again."""
    api, transport = session(reply(409), profile=KEYED)

    with pytest.raises(IdempotencyMismatchError) as caught:
        await api.request("POST", "/x", json={}, idempotency_key="order-17")
    assert ("order-17", 1) == (caught.value.idempotency_key, len(transport.requests))


@virtual_time
async def test_a_conflict_under_a_new_key_is_a_conflict() -> None:
    """Nobody can have used it before; nor is one without a code a mismatch where the API does not say so."""
    for profile, options in ((KEYED, {}), (PROFILE, {"idempotency_key": "order-17"})):
        api, _ = session(reply(409), profile=profile)
        with pytest.raises(ConflictError):
            await api.request("POST", "/x", json={}, **options)


@virtual_time
async def test_a_conflict_with_oneself_is_no_mismatch() -> None:
    """After an attempt whose answer was lost it says that the server is still at it, whoever has named the key."""
    named: Any = {"idempotency_key": "order-17"}
    api, _ = session(ReadError("lost"), reply(409), reply(201, {"id": "1"}), profile=KEYED)
    assert {"id": "1"} == await api.request("POST", "/x", json={}, **named)

    mismatch = reply(409, {"error": {"code": "IDEMPOTENCY_MISMATCH"}})
    api, transport = session(ReadError("lost"), mismatch, reply(201, {"id": "1"}), profile=KEYED)
    with pytest.raises(IdempotencyMismatchError):
        await api.request("POST", "/x", json={}, **named)
    assert 2 == len(transport.requests)

    api, _ = session(reply(409, {"error": {"code": "IDEMPOTENCY_IN_PROGRESS"}}), profile=KEYED, retry=RetryPolicy(1))
    with pytest.raises(ConflictError) as caught:
        await api.request("POST", "/x", json={}, **named)
    assert (True, "unknown") == (caught.value.in_progress, caught.value.outcome)
