"""The book of the sandbox, which tests of the client read afterwards."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async.sandbox import Ledger, RequestEntry, Sandbox, SlidingLog


def entry(at: float, **rest: Any) -> RequestEntry:
    values: dict[str, Any] = {"number": 0, "key": "key-1", "method": "GET", "path": "/", "admitted": True}
    return RequestEntry(at=at, **(values | rest))


def ledger_of(*entries: RequestEntry) -> Ledger:
    ledger = Ledger()
    for each in entries:
        ledger.arrive(each)
    return ledger


def test_requests_are_numbered_from_one_in_order_of_arrival() -> None:
    """The first request is number 1."""
    ledger = ledger_of(entry(5.0), entry(6.0))

    assert [(1, 5.0), (2, 6.0)] == [(r.number, r.at) for r in ledger.requests]


COUNTS = [
    ({}, 3),
    ({"method": "POST"}, 2),
    ({"path": "/a"}, 2),
    ({"status": 201}, 1),
    ({"method": "POST", "path": "/a"}, 1),
    ({"method": "POST", "status": 500}, 0),
]


@pytest.mark.parametrize(("question", "expected"), COUNTS)
def test_requests_are_counted_by_what_one_asks_for(question: dict[str, Any], expected: int) -> None:
    """What is not asked does not matter."""
    ledger = ledger_of(
        entry(0.0, path="/a", status=200),
        entry(0.0, path="/a", method="POST", status=201),
        entry(0.0, path="/b", method="POST"),
    )

    assert expected == ledger.count(**question)


BUSIEST = [
    ([], 0),
    ([3.0], 1),
    ([0.0, 60.0], 1),
    ([0.0, 59.999999], 2),
    ([0.0, 30.0, 59.0, 60.0, 61.0], 4),
    ([100.1, 160.1], 1),
]


@pytest.mark.parametrize(("arrivals", "expected"), BUSIEST)
def test_the_busiest_window_is_half_open(arrivals: list[float], expected: int) -> None:
    """Two arrivals exactly a minute apart are never in one minute together."""
    assert expected == ledger_of(*map(entry, arrivals)).busiest(60)


def test_the_busiest_window_counts_admitted_requests_of_the_named_key() -> None:
    """A request refused at the door does not count, nor does one of another key."""
    ledger = ledger_of(entry(0.0), entry(0.0, admitted=False), entry(0.0, key="key-2"))

    assert (2, 1) == (ledger.busiest(60), ledger.busiest(60, key="key-1"))


@given(st.lists(st.floats(0, 3), max_size=40), st.integers(1, 5))
def test_the_ledger_and_a_sliding_log_agree(arrivals: list[float], requests: int) -> None:
    """What a sliding log let in is never too much in the ledger's eyes, to the last microsecond."""
    log = SlidingLog(requests, 1.0)
    let_in = [at for at in sorted(arrivals) if log.admit(at).allowed]

    assert ledger_of(*map(entry, let_in)).busiest(1.0) <= requests


def test_a_ledger_shows_its_size() -> None:
    """What one prints says how much is in it."""
    assert "<Ledger 1 requests, 0 effects>" == repr(ledger_of(entry(0.0)))


@pytest.mark.asyncio
async def test_every_answer_stands_in_the_ledger(ask: Any, clock: Any) -> None:
    """401 and 429 too, each with what is needed to tell what happened."""
    async with Sandbox(limit=lambda: SlidingLog(1, 60), clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/leads?limit=5", key="wrong")
        lead = {"name": "Ana", "phone": "+5511999990000"}
        await ask(sandbox, "POST", "/backend/leads", json=lead, headers={"Idempotency-Key": "k"})
        await ask(sandbox, "GET", "/backend/tags")

    assert [
        RequestEntry(1, 1000.0, None, "GET", "/backend/leads", "limit=5", status=401),
        RequestEntry(2, 1000.0, "key-1", "POST", "/backend/leads", "", "k", True, 201, body_bytes=42),
        RequestEntry(3, 1000.0, "key-1", "GET", "/backend/tags", status=429),
    ] == sandbox.ledger.requests


@pytest.mark.asyncio
async def test_effects_name_the_request_that_made_them(ask: Any) -> None:
    """Created, updated, deleted; what was refused or only read has no effect."""
    async with Sandbox() as sandbox:
        await ask(sandbox, "GET", "/backend/leads")
        lead = (await ask(sandbox, "POST", "/backend/leads", json={"name": "A", "phone": "+5511999990000"})).data
        await ask(sandbox, "POST", "/backend/leads", json={"name": "B", "phone": "+5511999990000"})
        await ask(sandbox, "PUT", f"/backend/leads/{lead['id']}", json={"name": "C"})
        await ask(sandbox, "DELETE", f"/backend/leads/{lead['id']}")

    found = [(effect.number, effect.kind, effect.id) for effect in sandbox.ledger.effects]
    assert [(2, "created", lead["id"]), (4, "updated", lead["id"]), (5, "deleted", lead["id"])] == found
