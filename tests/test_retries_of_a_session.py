"""Repeats, budgets and look-ups of whole sessions, in virtual time on a fake transport."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leavo_async import (
    ConnectError,
    DeadlineError,
    Lead,
    LeavoClient,
    LeavoError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitError,
    ReadError,
    Request,
    Response,
    RetryPolicy,
    ServerError,
    Session,
)
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import FakeTransport, reply, virtual_time

KEY = "made-up-key-1"
AT_ONCE = RetryPolicy(first_delay=0, max_delay=0)
ANA: Any = {"name": "Ana Souza", "phone": "+5511999990000"}


def session(*answers: Any, seconds: float = 0.0, **options: Any) -> tuple[Session, FakeTransport]:
    transport = FakeTransport(*answers, seconds=seconds)
    return Session(LEAVO, KEY, transport=transport, limits=(), **options), transport


# The retry budget


@virtual_time
async def test_a_server_that_is_down_does_not_get_four_times_the_load() -> None:
    """Three hundred calls in a minute, thirty repeats: a tenth, and no more."""
    leavo, transport = session(reply(500), max_in_flight=300)

    async def failing(after: float) -> LeavoError:
        await asyncio.sleep(after)
        with pytest.raises(ServerError) as caught:
            await leavo.request("GET", "/x")
        return caught.value

    errors = await asyncio.gather(*(failing(number / 10) for number in range(300)))

    assert 300 < len(transport.requests) <= 300 + 30
    assert sum("10 %" in str(error) for error in errors) > 250


@virtual_time
async def test_ten_repeats_a_minute_are_free() -> None:
    """A quiet session has not enough calls for a tenth to be one."""
    leavo, transport = session(reply(500), retry=AT_ONCE)
    for _ in range(5):
        with pytest.raises(ServerError):
            await leavo.request("GET", "/x")

    assert len(transport.requests) == 5 + 10


@virtual_time
async def test_a_long_job_waits_for_the_budget_and_loses_no_row() -> None:
    """Forty rows that each fail once: all are there in the end, ten repeats a minute."""
    seen: dict[str, int] = {}

    def flaky(request: Request) -> Response:
        seen[request.path] = seen.get(request.path, 0) + 1
        return reply(503 if seen[request.path] == 1 else 200, {})

    leavo, transport = session(flaky, retry=AT_ONCE)
    start = asyncio.get_running_loop().time()
    await asyncio.gather(*(leavo.request("PUT", f"/rows/{n}", json={}, priority="bulk") for n in range(40)))

    repeats = transport.moments[-40:]
    assert len(transport.requests) == 80
    assert all(sum(at - 60 < other <= at for other in repeats) <= 10 for at in repeats)
    assert 180 < asyncio.get_running_loop().time() - start < 250


@virtual_time
async def test_who_waits_for_the_budget_keeps_nobody_out() -> None:
    """Its slot is free meanwhile."""
    leavo, _ = session(ReadError("x"), reply(200, {}), max_in_flight=1, retry=AT_ONCE)
    budget = leavo._opened().budget
    while not budget.take(asyncio.get_running_loop().time()):
        pass
    waiting = asyncio.create_task(leavo.request("GET", "/slow", priority="bulk"))
    await asyncio.sleep(1)

    assert await leavo.request("GET", "/quick") == {}
    assert not waiting.done()
    assert await waiting == {}


@virtual_time
async def test_an_answer_of_429_leaves_the_budget_alone() -> None:
    """It is no sign of a server that is down."""
    leavo, transport = session(*[reply(429, None, {"Retry-After": "1"})] * 20, reply(200, {}))
    await leavo.request("GET", "/x")

    assert len(transport.requests) == 21
    assert leavo._opened().budget._repeats == 0


# Answers that say nothing of use


@virtual_time
async def test_a_read_whose_answer_is_no_json_is_asked_once_more() -> None:
    """Then it is believed."""
    broken = Response(200, reply().headers, b'{"id": "1')
    leavo, transport = session(broken, reply(200, {"id": "1"}), retry=AT_ONCE)
    assert await leavo.request("GET", "/x") == {"id": "1"}
    leavo, transport = session(broken, retry=AT_ONCE)
    with pytest.raises(ProtocolError, match="not JSON; gave up: the same error came again") as caught:
        await leavo.request("GET", "/x")

    assert len(transport.requests) == 2
    assert [(record.status, record.problem) for record in caught.value.attempts] == [(200, "ProtocolError")] * 2


@virtual_time
@pytest.mark.parametrize("idempotency", ["honoured", "ignored"])
async def test_a_write_whose_answer_is_no_json_was_done(idempotency: str) -> None:
    """And is not sent again, whatever the server does with keys."""
    broken = Response(201, reply().headers, b"{")
    leavo, transport = session(broken, retry=AT_ONCE, idempotency=idempotency)
    with pytest.raises(ProtocolError) as caught:
        await leavo.request("POST", "/x", json={})

    assert (caught.value.outcome, len(transport.requests)) == ("done", 1)
    assert caught.value.safe_to_retry is (idempotency == "honoured")


# What errors tell


@virtual_time
async def test_an_error_tells_its_whole_story() -> None:
    """As records and as text, with the server's name for the request and when to come back."""
    failing = reply(503, None, {"Retry-After": "2", "X-Request-Id": "req-7"})
    leavo, _ = session(
        ConnectError("down"), failing, seconds=0.5, retry=RetryPolicy(max_attempts=2), wall=lambda: 1_000_000.0
    )
    with pytest.raises(ServerError) as caught:
        await leavo.request("GET", "/x")

    error = caught.value
    first, second = error.story.splitlines()
    assert first.startswith("attempt 1: ConnectError after 0.50 s, then waited ")
    assert second == "attempt 2: 503 ServerError after 0.50 s (2 attempts failed)"
    assert (error.request_id, error.retry_at) == ("req-7", 1_000_002.0)
    assert [record.request_id for record in error.attempts] == [None, "req-7"]


@virtual_time
async def test_the_name_of_the_request_outlives_a_connection_that_breaks() -> None:
    """The last one that the server has given helps its support."""
    leavo, _ = session(reply(500, None, {"X-Request-Id": "req-1"}), ReadError("x"), retry=RetryPolicy(max_attempts=2))
    with pytest.raises(ReadError) as caught:
        await leavo.request("GET", "/x")

    assert caught.value.request_id == "req-1"


@virtual_time
async def test_an_unknown_outcome_keeps_what_the_server_has_said() -> None:
    """The class is another one, the facts are the same."""
    leavo, _ = session(reply(503, None, {"Retry-After": "7", "X-Request-Id": "req-9"}), wall=lambda: 100.0)
    with pytest.raises(OutcomeUnknownError) as caught:
        await leavo.request("POST", "/x", json={})

    assert (caught.value.request_id, caught.value.retry_at, caught.value.lookup) == ("req-9", 107.0, None)


# Look-ups after an unknown outcome


class Crm(FakeTransport):
    """Loses the answer to each create; the listings are scripted."""

    def __init__(self, *listings: Any, seconds: float = 0.0) -> None:
        super().__init__(self.answer, seconds=seconds)
        self.listings = list(listings)

    def answer(self, request: Request) -> Response:
        if request.method == "POST":
            raise ReadError(f"{request}: reset")
        listing = self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]
        return listing if isinstance(listing, Response) else reply(200, listing)


def client(*listings: Any, seconds: float = 0.0, **options: Any) -> tuple[LeavoClient, Crm]:
    transport = Crm(*listings, seconds=seconds)
    return LeavoClient(KEY, transport=transport, limits=(), **options), transport


FOUND = {"id": "7", **ANA}


@virtual_time
@pytest.mark.parametrize("listing", [[FOUND], {"success": True, "data": [FOUND], "pagination": {"total": 1}}])
async def test_a_lead_whose_answer_was_lost_is_found_by_its_phone(listing: Any) -> None:
    """One POST, one look, and the caller gets the lead."""
    leavo, transport = client(listing, max_in_flight=1)
    lead = await leavo.leads.create(**ANA)

    assert (type(lead), lead.id) == (Lead, "7")
    assert [request.method for request in transport.requests] == ["POST", "GET"]
    assert "search=%2B5511999990000" in transport.requests[1].url


@virtual_time
async def test_a_lead_that_is_shown_late_is_looked_for_again() -> None:
    """After one and two more seconds: a server that was slow to answer may still be at it."""
    leavo, transport = client([], [], [FOUND])
    assert (await leavo.leads.create(**ANA)).id == "7"

    start, *looks = transport.moments
    assert [at - start for at in looks] == [pytest.approx(seconds, abs=1e-3) for seconds in (0, 1, 3)]


@virtual_time
@pytest.mark.parametrize(
    ("listings", "lookup", "looks"),
    [
        ([[]], "none found", 3),
        ([[{**FOUND, "name": "Bia"}, {**FOUND, "phone": "+1"}]], "none found", 3),
        ([[FOUND, {**FOUND, "id": "8"}]], "2 found", 1),
        ([reply(403)], "the look-up failed: GET /backend/leads: the server answered 403", 1),
    ],
)
async def test_what_is_not_found_once_stays_unknown(listings: Any, lookup: str, looks: int) -> None:
    """None, several, or no answer: the error says which."""
    leavo, transport = client(*listings)
    with pytest.raises(OutcomeUnknownError) as caught:
        await leavo.leads.create(**ANA)

    assert (caught.value.lookup, len(transport.requests)) == (lookup, 1 + looks)
    assert str(caught.value).endswith(f"({lookup})")
    assert (caught.value.because, caught.value.safe_to_retry) == ("POST /backend/leads: reset", False)


@virtual_time
async def test_the_deadline_holds_for_the_look_up_as_well() -> None:
    """It keeps its class; the outcome is unknown."""
    leavo, _ = client([], seconds=2)
    with pytest.raises(DeadlineError) as caught:
        await leavo.leads.create(**ANA, deadline=3)

    assert (caught.value.outcome, caught.value.phase, len(caught.value.attempts)) == ("unknown", "wait", 1)
    assert asyncio.get_running_loop().time() == pytest.approx(1003, abs=1e-3)


@virtual_time
async def test_a_create_that_never_left_is_repeated_and_not_looked_up() -> None:
    """Nothing can be there."""
    leavo, transport = session(ConnectError("x"), reply(201, {"id": "1"}), retry=AT_ONCE)
    assert await leavo.request("POST", "/backend/leads", json=ANA) == {"id": "1"}

    assert [request.method for request in transport.requests] == ["POST", "POST"]


@virtual_time
async def test_a_conflict_without_a_doubt_before_it_stays_a_conflict() -> None:
    """Somebody else has made it."""
    leavo, transport = session(reply(409, {"error": {"code": "ALREADY_EXISTS"}}))
    with pytest.raises(LeavoError, match="ALREADY_EXISTS"):
        await leavo.request("POST", "/backend/leads", json=ANA)

    assert len(transport.requests) == 1


@virtual_time
async def test_a_wait_that_passes_max_wait_shows_when_to_come_back() -> None:
    """Also where another call's 429 holds the key."""
    leavo, _ = session(reply(429, None, {"Retry-After": "3600"}), wall=lambda: 50.0)
    for _ in range(2):
        with pytest.raises(RateLimitError) as caught:
            await leavo.request("GET", "/x")
        assert caught.value.retry_at == pytest.approx(3650, abs=1)
