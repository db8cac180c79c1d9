"""The client against its judge: real HTTP on loopback, and the server's own ledger as the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from leavo_async import (
    AttemptRecord,
    BadRequestError,
    ClosedError,
    ConflictError,
    LeavoClient,
    NotFoundError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimit,
    RetryPolicy,
)
from leavo_async.sandbox import Fault, FixedWindow, Gcra, Sandbox, SlidingLog, TokenBucket, TwoWindowCounter

pytestmark = pytest.mark.asyncio
AT_ONCE = RetryPolicy(first_delay=0, max_delay=0)
ANA: Any = {"name": "Ana Souza", "phone": "+5511999990000"}


@asynccontextmanager
async def both(
    *faults: Fault, client: dict[str, Any] | None = None, **server: Any
) -> AsyncIterator[tuple[LeavoClient, Sandbox]]:
    """A client and its sandbox; no limit and no waiting unless asked for."""
    async with Sandbox(faults=faults, **server) as sandbox:
        options = {"limits": (), "retry": AT_ONCE, **(client or {})}
        async with LeavoClient(sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, **options) as leavo:
            yield leavo, sandbox


@pytest.mark.parametrize("dialect", ["enveloped", "bare"])
async def test_a_lead_lives_and_dies(dialect: str) -> None:
    """Created, read, changed, listed and deleted, in both forms of answers that Leavo documents."""
    async with both(dialect=dialect) as (leavo, sandbox):
        lead = await leavo.leads.create(**ANA, email="ana@example.com", custom_fields={"source": "fair"})
        changed = await leavo.leads.update(lead.id, company="Acme", email=None)
        read = await leavo.leads.get(lead.id)
        listed = await leavo.leads.list(search="ana").collect()
        await leavo.leads.delete(lead.id)
        with pytest.raises(NotFoundError):
            await leavo.leads.get(lead.id)

    assert (read.company, read.email, read.custom_fields) == ("Acme", None, {"source": "fair"})
    assert [found.id for found in listed] == [lead.id] == [changed.id]
    assert [effect.kind for effect in sandbox.ledger.effects] == ["created", "updated", "deleted"]


@pytest.mark.parametrize("dialect", ["enveloped", "bare"])
async def test_a_long_listing_is_whole_and_in_order(dialect: str) -> None:
    """Over pages of a hundred; without a total, some are asked for that are not there, but no more than were read."""
    async with both(dialect=dialect) as (leavo, sandbox):
        sandbox.seed_leads(345)
        listed = [lead.id async for lead in leavo.leads.list()]

    assert listed == [lead["id"] for lead in sandbox.leads]
    requests = sandbox.ledger.count("GET")
    assert requests == 4 if dialect == "enveloped" else 5 <= requests <= 5 + 4


async def test_the_servers_words_come_with_its_errors() -> None:
    """Code, details and a class to catch."""
    async with both() as (leavo, _):
        await leavo.leads.create(**ANA)
        with pytest.raises(ConflictError) as twice:
            await leavo.leads.create(**ANA)
        with pytest.raises(BadRequestError) as missing:
            await leavo.request("POST", "/backend/leads", json={"name": "Ana"})

    assert (twice.value.code, missing.value.code, missing.value.details) == (
        "ALREADY_EXISTS",
        "MISSING_FIELD",
        {"field": "phone"},
    )


async def test_a_passing_fault_is_not_seen_by_the_caller() -> None:
    """Two answers of 503, a broken connection: the fourth attempt succeeds, and the server saw four."""
    seen: list[AttemptRecord] = []
    async with both(Fault(status=503, times=2), Fault(reset="before"), client={"observers": [seen.append]}) as (
        leavo,
        sandbox,
    ):
        response = await leavo.send("GET", "/backend/status")

    assert (response.status, response.attempts) == (200, 4)
    assert [record.problem for record in seen] == ["ServerError", "ServerError", "ReadError", None]
    assert sandbox.ledger.count("GET") == 4


@pytest.mark.parametrize(
    "fault", [Fault(reset="after"), Fault(reset="before"), Fault(status=500, commit=True), Fault(status=502)]
)
async def test_a_create_of_unknown_outcome_is_sent_once(fault: Fault) -> None:
    """Whether the lead is there or not: nothing is ever done twice. Here lists show it too late to tell."""
    async with both(fault, search_lag=60) as (leavo, sandbox):
        with pytest.raises(OutcomeUnknownError, match="none found") as caught:
            await leavo.leads.create(**ANA)

    assert (caught.value.outcome, caught.value.safe_to_retry) == ("unknown", False)
    assert sandbox.ledger.count("POST") == 1
    assert sandbox.ledger.requests[0].idempotency_key == caught.value.idempotency_key


@pytest.mark.parametrize("dialect", ["enveloped", "bare"])
@pytest.mark.parametrize("fault", [Fault(reset="after", method="POST"), Fault(status=500, commit=True)])
async def test_a_create_whose_answer_is_lost_finds_its_lead(fault: Fault, dialect: str) -> None:
    """By its phone: one POST, one lead, and the caller gets it as if nothing had happened."""
    async with both(fault, dialect=dialect) as (leavo, sandbox):
        lead = await leavo.leads.create(**ANA)

    assert [lead.id] == [found["id"] for found in sandbox.leads]
    assert (lead.name, lead.phone) == (ANA["name"], ANA["phone"])
    assert sandbox.ledger.count("POST") == 1


async def test_a_lead_of_somebody_else_is_not_taken_for_ours() -> None:
    """The same phone with another name was there before: whose it is nobody can tell."""
    async with both(Fault(reset="before", method="POST", skip=1)) as (leavo, sandbox):
        await leavo.leads.create(**ANA)
        with pytest.raises(OutcomeUnknownError) as caught:
            await leavo.leads.create(name="Bia Lima", phone=ANA["phone"])

    assert caught.value.lookup == "none found"
    assert len(sandbox.leads) == 1


async def test_with_a_server_that_honours_keys_a_lost_answer_is_fetched_again() -> None:
    """One operation, two attempts, one lead, and the response says that it is a stored one."""
    async with both(Fault(reset="after"), idempotency="honoured", client={"idempotency": "honoured"}) as (
        leavo,
        sandbox,
    ):
        response = await leavo.send("POST", "/backend/leads", json=ANA)

    assert (response.status, response.attempts, response.replayed) == (201, 2, True)
    assert [effect.kind for effect in sandbox.ledger.effects] == ["created"]
    assert len({request.idempotency_key for request in sandbox.ledger.requests}) == 1


async def test_a_delete_whose_answer_is_lost_succeeds() -> None:
    """The repeat finds nothing, because the first attempt has deleted it."""
    async with both(Fault(reset="after", method="DELETE")) as (leavo, sandbox):
        lead = await leavo.leads.create(**ANA)
        await leavo.leads.delete(lead.id)

    assert sandbox.leads == []
    assert sandbox.ledger.count("DELETE") == 2


async def test_an_answer_that_cannot_be_read_does_not_make_a_second_lead() -> None:
    """It was done; only its description is broken."""
    async with both(Fault(body='{"id": "4', method="POST")) as (leavo, sandbox):
        with pytest.raises(ProtocolError, match="not JSON") as caught:
            await leavo.leads.create(**ANA)

    assert caught.value.outcome == "done"
    assert len(sandbox.leads) == 1


async def test_an_attempt_that_takes_too_long_is_ended_and_repeated() -> None:
    """The second one is quick."""
    async with both(Fault(delay=5), client={"timeout": 0.2}) as (leavo, _):
        assert (await leavo.send("GET", "/backend/status")).attempts == 2


async def test_closing_with_fifty_calls_in_flight_ends_each_of_them() -> None:
    """With ClosedError, and without a warning."""
    async with both(latency=5, client={"max_in_flight": 20}) as (leavo, sandbox):
        tasks = [asyncio.create_task(leavo.request("GET", "/backend/status")) for _ in range(50)]
        while len(sandbox.ledger.requests) < 20:
            await asyncio.sleep(0.01)
        await leavo.aclose()
        ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(error) for error in ended] == [ClosedError] * 50


async def test_the_limit_is_kept_whatever_the_servers_way_of_counting() -> None:
    """Twenty-five calls at once, twenty in two seconds allowed: not one answer of 429. Five servers, side by side."""
    models: list[Any] = [FixedWindow, SlidingLog, TokenBucket, Gcra, TwoWindowCounter]
    await asyncio.gather(*map(_is_kept, models))


async def _is_kept(model: Any) -> None:
    limit = RateLimit(20, 2.0, spread=0.1)
    async with both(limit=lambda: model(20, 2.0), client={"limits": [limit]}) as (leavo, sandbox):
        await asyncio.gather(*(leavo.request("GET", "/backend/status") for _ in range(25)))

    assert (sandbox.ledger.count(status=200), sandbox.ledger.count(status=429)) == (25, 0), model
    assert sandbox.ledger.busiest(2.0) <= 20, model


async def test_a_429_is_waited_out_by_all_calls_of_the_key() -> None:
    """The limit turns out lower than believed: every call succeeds in the end, none is lost."""
    async with both(limit=lambda: FixedWindow(3, 1.0)) as (leavo, sandbox):
        await asyncio.gather(*(leavo.request("GET", "/backend/status") for _ in range(6)))

    assert sandbox.ledger.count(status=200) == 6
    assert sandbox.ledger.count(status=429) >= 1
