"""Scripted faults: which requests they strike, and what the client and the data see of it."""

import asyncio
import errno
from random import Random
from typing import Any

import aiohttp
import pytest

from leavo_async.sandbox import Fault, Sandbox, SlidingLog
from leavo_async.sandbox.faults import NO_FAULT, FaultScript

LEAD = {"name": "Ana Souza", "phone": "+5511999990000"}


def struck(script: FaultScript, times: int, method: str = "GET", path: str = "/") -> list[bool]:
    return [script.pick(method, path) is not NO_FAULT for _ in range(times)]


# --- which requests -----------------------------------------------------------------------------------------

COUNTED = [
    (Fault(status=500), [True, False, False, False]),
    (Fault(status=500, times=2), [True, True, False, False]),
    (Fault(status=500, times=None), [True, True, True, True]),
    (Fault(status=500, skip=2), [False, False, True, False]),
    (Fault(status=500, chance=0.0, times=None), [False, False, False, False]),
]


@pytest.mark.parametrize(("fault", "expected"), COUNTED)
def test_a_fault_strikes_as_often_as_it_says(fault: Fault, expected: list[bool]) -> None:
    """Once unless told otherwise, and not before those it skips."""
    assert expected == struck(FaultScript([fault]), 4)


MEANT = [
    (Fault(status=500), True),
    (Fault(status=500, method="POST"), True),
    (Fault(status=500, method="GET"), False),
    (Fault(status=500, path="/backend/leads"), True),
    (Fault(status=500, path="/backend/tags"), False),
    (Fault(status=500, method="POST", path="/backend/tags"), False),
]


@pytest.mark.parametrize(("fault", "expected"), MEANT)
def test_a_fault_strikes_the_requests_it_is_meant_for(fault: Fault, expected: bool) -> None:
    """By method, and by how the path begins."""
    assert [expected] == struck(FaultScript([fault]), 1, "POST", "/backend/leads/4")


def test_a_request_is_struck_by_the_first_fault_that_wants_it() -> None:
    """Faults are used up in the order in which they were written."""
    script = FaultScript([Fault(status=500), Fault(status=502)])
    script.add(Fault(status=503))

    assert [500, 502, 503, None] == [script.pick("GET", "/").status for _ in range(4)]


def test_chance_is_the_same_for_the_same_seed() -> None:
    """A run that went wrong can be run again, and another seed goes wrong elsewhere."""
    runs = [struck(FaultScript([Fault(status=500, chance=0.5, times=None)], seed), 64) for seed in (1, 1, 2)]

    assert runs[0] == runs[1] != runs[2]


def test_chance_strikes_about_that_often() -> None:
    """A chance of a quarter strikes every fourth request on average."""
    hits = sum(struck(FaultScript([Fault(status=500, chance=0.25, times=None)], seed=7), 4000))

    assert 900 < hits < 1100


def test_a_script_leaves_the_chance_of_others_alone() -> None:
    """It draws from a random of its own."""
    Random(0).seed(0)
    before = Random(0).random()
    struck(FaultScript([Fault(status=500, chance=0.5, times=None)], 0), 10)

    assert before == Random(0).random()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"status": 99}, "status must be"),
    ({"status": 600}, "status must be"),
    ({"delay": -1.0}, "delay must be"),
    ({"delay": float("nan")}, "delay must be"),
    ({"delay": float("inf")}, "delay must be"),
    ({"reset": "later"}, "reset must be"),
    ({"reset": "before", "status": 500}, "has no status"),
    ({"reset": "before", "commit": True}, "nothing is committed"),
    ({"path": "backend"}, "begin with a slash"),
    ({"times": 0}, "times must be"),
    ({"chance": 1.1}, "chance must be"),
    ({"chance": float("nan")}, "chance must be"),
    ({"skip": -1}, "skip must not be"),
]


@pytest.mark.parametrize(("settings", "reason"), WRONG)
def test_a_fault_that_cannot_be_is_refused_with_the_reason(settings: dict[str, Any], reason: str) -> None:
    """A wrong script is noticed where it is written."""
    with pytest.raises(ValueError, match=reason):
        Fault(**settings)


NAMES = [
    (Fault(status=503), "503"),
    (Fault(status=500, commit=True), "500 after commit"),
    (Fault(reset="before"), "reset before"),
    (Fault(reset="after", delay=0.5), "reset after, delay 0.5 s"),
    (Fault(body="x"), "other body"),
    (Fault(headers={"A": "b"}), "other headers"),
    (Fault(status=500, name="the usual Friday"), "the usual Friday"),
]


@pytest.mark.parametrize(("fault", "expected"), NAMES)
def test_a_fault_has_a_name_for_the_ledger(fault: Fault, expected: str) -> None:
    """Its own, or one that says what it does."""
    assert expected == fault.name


# --- what comes of it ---------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_scripted_status_is_answered_before_anything_is_done(ask: Any) -> None:
    """The error is in Leavo's form, and there is no lead."""
    async with Sandbox(faults=[Fault(status=503, headers={"Retry-After": "7"})]) as sandbox:
        reply = await ask(sandbox, "POST", "/backend/leads", json=LEAD)

    assert (503, "INTERNAL_ERROR", "7") == (reply.status, reply.error["code"], reply.headers["Retry-After"])
    assert ([], []) == (sandbox.leads, sandbox.ledger.effects)
    assert ("503", 503) == (sandbox.ledger.requests[0].fault, sandbox.ledger.requests[0].status)


@pytest.mark.asyncio
async def test_a_status_after_commit_hides_a_lead_that_is_there(ask: Any) -> None:
    """The client sees 500; the data was changed all the same."""
    async with Sandbox(faults=[Fault(status=500, commit=True)]) as sandbox:
        reply = await ask(sandbox, "POST", "/backend/leads", json=LEAD)

    assert (500, "INTERNAL_ERROR") == (reply.status, reply.error["code"])
    assert [LEAD["phone"]] == [lead["phone"] for lead in sandbox.leads]


@pytest.mark.parametrize(("moment", "leads"), [("before", 0), ("after", 1)])
@pytest.mark.asyncio
async def test_a_reset_cuts_the_connection_before_or_after_the_work(ask: Any, moment: Any, leads: int) -> None:
    """The client cannot tell the two apart; the data can."""
    async with Sandbox(faults=[Fault(reset=moment)]) as sandbox:
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await ask(sandbox, "POST", "/backend/leads", json=LEAD)

    assert errno.ECONNRESET == caught.value.errno
    assert (leads, leads) == (len(sandbox.leads), len(sandbox.ledger.effects))
    assert (None, f"reset {moment}") == (sandbox.ledger.requests[0].status, sandbox.ledger.requests[0].fault)


@pytest.mark.asyncio
async def test_after_a_reset_the_sandbox_goes_on(ask: Any) -> None:
    """Only the one connection is gone."""
    # Not with a GET: aiohttp's client sends that again by itself, and this test would not notice the reset.
    async with Sandbox(faults=[Fault(reset="before")]) as sandbox:
        with pytest.raises(aiohttp.ClientOSError):
            await ask(sandbox, "POST", "/backend/leads", json=LEAD)

        assert 201 == (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).status


@pytest.mark.asyncio
async def test_a_body_alone_takes_the_place_of_the_true_one(ask: Any) -> None:
    """The lead is created and the status is true, but the answer cannot be read."""
    async with Sandbox(faults=[Fault(body='{"id": "4', headers={"content-type": "text/html"})]) as sandbox:
        reply = await ask(sandbox, "POST", "/backend/leads", json=LEAD)

    assert (201, b'{"id": "4', 1) == (reply.status, reply.body, len(sandbox.leads))
    assert ["text/html"] == reply.headers.getall("Content-Type")


@pytest.mark.parametrize(("fault", "body"), [(Fault(status=502, body=b"\xff"), b"\xff"), (Fault(status=200), b"")])
@pytest.mark.asyncio
async def test_a_scripted_answer_is_sent_as_it_is(ask: Any, fault: Fault, body: bytes) -> None:
    """Also bytes that are no text, and a success that is empty."""
    async with Sandbox(faults=[fault]) as sandbox:
        reply = await ask(sandbox, "GET", "/backend/leads")

    assert (fault.status, body) == (reply.status, reply.body)


LATE = [
    (Fault(delay=30.0), 0),
    (Fault(delay=30.0, status=500), 0),
    (Fault(delay=30.0, reset="before"), 0),
    (Fault(delay=30.0, commit=True), 1),
    (Fault(delay=30.0, reset="after"), 1),
]


@pytest.mark.parametrize(("fault", "leads"), LATE)
@pytest.mark.asyncio
async def test_a_delay_is_slept_before_the_work_unless_the_fault_comes_after_it(
    ask: Any, until: Any, fault: Fault, leads: int
) -> None:
    """Who waits in vain for the answer finds the lead only if the work came first."""
    async with Sandbox(faults=[fault]) as sandbox:
        slow = asyncio.create_task(ask(sandbox, "POST", "/backend/leads", json=LEAD))
        await until(lambda: sandbox.ledger.requests and len(sandbox.leads) == leads)
    with pytest.raises(aiohttp.ClientError):
        await slow

    assert leads == len(sandbox.leads)


@pytest.mark.asyncio
async def test_a_slow_answer_is_still_the_true_one(ask: Any) -> None:
    """A delay alone changes nothing but the time."""
    async with Sandbox(faults=[Fault(delay=0.02)]) as sandbox:
        assert 201 == (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).status


@pytest.mark.asyncio
async def test_a_client_that_gives_up_does_not_stop_the_work(ask: Any, until: Any) -> None:
    """As on most servers, a request once begun is carried out."""
    async with Sandbox(latency=0.1) as sandbox:
        client = asyncio.create_task(ask(sandbox, "POST", "/backend/leads", json=LEAD))
        await until(lambda: sandbox.ledger.requests)
        client.cancel()
        await until(lambda: sandbox.leads)

    assert 1 == len(sandbox.ledger.effects)


@pytest.mark.asyncio
async def test_faults_strike_only_what_was_let_in(ask: Any, clock: Any) -> None:
    """401 and 429 come first and use up no fault."""
    async with Sandbox(limit=lambda: SlidingLog(1, 60), clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/leads")
        sandbox.script(Fault(status=503))
        statuses = [(await ask(sandbox, "GET", "/backend/leads", key=key)).status for key in ("x", "sandbox-key")]
        clock.now += 60

        assert [401, 429, 503] == [*statuses, (await ask(sandbox, "GET", "/backend/leads")).status]
