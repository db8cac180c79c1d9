"""What a server that honours idempotency keys promises, and what one that ignores them does not."""

import asyncio
from typing import Any

import aiohttp
import pytest

from leavo_async.sandbox import Fault, Sandbox, SlidingLog
from leavo_async.sandbox.idempotency import Fresh, IdempotencyStore, InProgress, Mismatch, Replay
from leavo_async.sandbox.messages import Answer

LEAD = {"name": "Ana Souza", "phone": "+5511999990000"}
KEY = {"Idempotency-Key": "9f0c"}


def answered(store: IdempotencyStore, key: str, now: float) -> None:
    fresh = store.begin(key, "request", now)
    assert isinstance(fresh, Fresh)
    fresh.answer = Answer(201)


# --- the store ----------------------------------------------------------------------------------------------


def test_a_key_is_fresh_once() -> None:
    """Before the first answer others hear that it is in progress, after it they hear the answer."""
    store = IdempotencyStore()
    first = store.begin("k", "request", 0.0)
    assert isinstance(first, Fresh)
    assert InProgress() == store.begin("k", "request", 0.0)
    first.answer = Answer(201)

    assert Replay(Answer(201)) == store.begin("k", "request", 0.0)


def test_a_key_belongs_to_one_request() -> None:
    """Another request with it is a mismatch, whether the first is answered or not."""
    store = IdempotencyStore()
    store.begin("k", "request", 0.0)

    assert Mismatch() == store.begin("k", "other", 0.0)


@pytest.mark.parametrize(("now", "expected"), [(109.9, Replay), (110.0, Fresh)])
def test_an_answer_is_kept_for_its_time(now: float, expected: type) -> None:
    """Ten seconds from the first request, and not a moment longer."""
    store = IdempotencyStore(retention=10.0)
    answered(store, "k", 100.0)

    assert expected is type(store.begin("k", "request", now))


def test_only_what_is_old_is_forgotten() -> None:
    """A younger key outlives an older one."""
    store = IdempotencyStore(retention=10.0)
    answered(store, "old", 100.0)
    answered(store, "young", 105.0)

    assert (Fresh, Replay) == tuple(type(store.begin(key, "request", 112.0)) for key in ("old", "young"))


def test_a_dropped_key_is_fresh_again() -> None:
    """A request that came to no answer may be tried again."""
    store = IdempotencyStore()
    store.begin("k", "request", 0.0)
    store.drop("k")

    assert isinstance(store.begin("k", "other", 0.0), Fresh)


@pytest.mark.parametrize("retention", [0.0, -1.0, float("nan")])
def test_a_retention_that_cannot_be_is_refused(retention: float) -> None:
    """Answers are kept for some time, or the mode is "ignored"."""
    with pytest.raises(ValueError, match="retention must be"):
        Sandbox(idempotency="honoured", retention=retention)


# --- on the wire --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_same_request_again_gets_the_first_answer_again(ask: Any) -> None:
    """Same status, same body, marked as replayed, and one lead."""
    async with Sandbox(idempotency="honoured") as sandbox:
        first, second = [await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY) for _ in range(2)]

    assert (201, first.body) == (second.status, second.body)
    assert (None, "true") == tuple(reply.headers.get("Idempotency-Replayed") for reply in (first, second))
    assert ([False, True], 1) == ([r.replayed for r in sandbox.ledger.requests], len(sandbox.ledger.effects))


@pytest.mark.asyncio
async def test_keys_are_ignored_by_default(ask: Any) -> None:
    """Leavo documents none: the second try meets the first one's lead."""
    async with Sandbox() as sandbox:
        replies = [await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY) for _ in range(2)]

    assert [(201, "9f0c"), (409, "9f0c")] == [
        (reply.status, request.idempotency_key) for reply, request in zip(replies, sandbox.ledger.requests, strict=True)
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/backend/leads", {**LEAD, "name": "B"}),
        ("PUT", "/backend/leads", LEAD),
        ("POST", "/backend/leads?x=1", LEAD),
    ],
)
@pytest.mark.asyncio
async def test_a_key_with_another_request_is_a_conflict(ask: Any, method: str, path: str, body: Any) -> None:
    """Method, path, query and body must be the same."""
    async with Sandbox(idempotency="honoured") as sandbox:
        await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)
        reply = await ask(sandbox, method, path, json=body, headers=KEY)

    assert (409, "IDEMPOTENCY_MISMATCH") == (reply.status, reply.error["code"])


@pytest.mark.asyncio
async def test_a_key_whose_first_request_still_runs_is_a_conflict(ask: Any, until: Any) -> None:
    """The second is told so, and does not do the work either."""
    async with Sandbox(idempotency="honoured", faults=[Fault(delay=60.0)]) as sandbox:
        first = asyncio.create_task(ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY))
        await until(lambda: sandbox.ledger.requests)
        second = await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)

    with pytest.raises(aiohttp.ClientError):
        await first
    assert (409, "IDEMPOTENCY_IN_PROGRESS", []) == (second.status, second.error["code"], sandbox.leads)


@pytest.mark.asyncio
async def test_a_500_after_the_work_is_stored_and_replayed(ask: Any) -> None:
    """As at Stripe: the first answer is the answer, also if it is an error."""
    async with Sandbox(idempotency="honoured", faults=[Fault(status=500, commit=True)]) as sandbox:
        replies = [await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY) for _ in range(2)]

    assert [500, 500] == [reply.status for reply in replies]
    assert ("true", 1) == (replies[1].headers.get("Idempotency-Replayed"), len(sandbox.leads))


@pytest.mark.asyncio
async def test_a_500_before_the_work_is_not_stored(ask: Any) -> None:
    """Nothing was done, so the next try may do it."""
    async with Sandbox(idempotency="honoured", faults=[Fault(status=500)]) as sandbox:
        replies = [await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY) for _ in range(2)]

    assert [500, 201] == [reply.status for reply in replies]


@pytest.mark.asyncio
async def test_an_answer_lost_in_a_reset_can_be_fetched_with_the_same_key(ask: Any) -> None:
    """This is what the keys are for."""
    async with Sandbox(idempotency="honoured", faults=[Fault(reset="after")]) as sandbox:
        with pytest.raises(aiohttp.ClientOSError):
            await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)
        reply = await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)

    assert (201, "true", 1) == (reply.status, reply.headers.get("Idempotency-Replayed"), len(sandbox.leads))


@pytest.mark.asyncio
async def test_a_429_is_never_stored(ask: Any, clock: Any) -> None:
    """The limit comes before the keys: the same key may be let in later."""
    async with Sandbox(idempotency="honoured", limit=lambda: SlidingLog(1, 60), clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/leads")
        refused = await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)
        clock.now += 60
        created = await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)

    assert [429, 201] == [refused.status, created.status]


@pytest.mark.asyncio
async def test_keys_of_two_owners_do_not_meet(ask: Any) -> None:
    """Nobody can fetch another's answer by guessing a key."""
    async with Sandbox(keys=["b"], idempotency="honoured") as sandbox:
        await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)
        reply = await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY, key="b")

    assert (409, "ALREADY_EXISTS") == (reply.status, reply.error["code"])


@pytest.mark.asyncio
async def test_writes_without_a_key_are_each_their_own(ask: Any) -> None:
    """Honouring keys asks nobody to send one."""
    async with Sandbox(idempotency="honoured") as sandbox:
        leads = [LEAD, LEAD | {"phone": "+5511999990001"}]
        replies = [await ask(sandbox, "POST", "/backend/leads", json=lead) for lead in leads]

    assert [201, 201] == [reply.status for reply in replies]


@pytest.mark.asyncio
async def test_reading_with_a_key_is_reading(ask: Any) -> None:
    """A GET is never replayed: it shows what is there now."""
    async with Sandbox(idempotency="honoured") as sandbox:
        before = await ask(sandbox, "GET", "/backend/leads", headers=KEY)
        sandbox.seed_leads(1)
        after = await ask(sandbox, "GET", "/backend/leads", headers=KEY)

    assert [0, 1] == [len(before.data), len(after.data)]


@pytest.mark.asyncio
async def test_a_request_cut_off_before_its_work_can_be_tried_again(ask: Any, until: Any) -> None:
    """A key whose request came to nothing is free, also in a sandbox that was closed and started again."""
    sandbox = Sandbox(idempotency="honoured", faults=[Fault(delay=60.0)])
    async with sandbox:
        slow = asyncio.create_task(ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY))
        await until(lambda: sandbox.ledger.requests)
    with pytest.raises(aiohttp.ClientError):
        await slow
    async with sandbox:
        assert 201 == (await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)).status


@pytest.mark.asyncio
async def test_answers_are_forgotten_after_the_retention(ask: Any, clock: Any) -> None:
    """A day by default, on the sandbox's clock."""
    async with Sandbox(idempotency="honoured", clock=clock) as sandbox:
        await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)
        clock.now += 24 * 3600
        reply = await ask(sandbox, "POST", "/backend/leads", json=LEAD, headers=KEY)

    assert (409, "ALREADY_EXISTS") == (reply.status, reply.error["code"])
