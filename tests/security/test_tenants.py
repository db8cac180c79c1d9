"""Keys of two customers in one process: nothing of one ever reaches the other."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from leavo_async import Lead, LeavoClient, ProtocolError, RateLimit
from leavo_async._io.registry import GATES, Registry
from leavo_async.testing import FakeTransport, reply, virtual_time

from ..faults.wire import Wire
from .servers import KEY, ONCE, Tagging, client

on_a_wire = pytest.mark.asyncio

TENANTS = {"one": "made-up-CANARY-of-one", "two": "made-up-CANARY-of-two"}


@virtual_time
async def test_a_tenant_that_has_to_wait_keeps_no_other_waiting() -> None:
    """Its 429, its learned rate and its used up tokens are its own."""
    refused = FakeTransport(reply(429, None, {"Retry-After": "50"}), reply(200, {}))
    fine = FakeTransport(reply(200, {}))
    limits = [RateLimit(100)]
    one = LeavoClient(TENANTS["one"], transport=refused, limits=limits)
    two = LeavoClient(TENANTS["two"], transport=fine, limits=limits)
    loop = asyncio.get_running_loop()
    start = loop.time()
    waiting = asyncio.create_task(one.request("GET", "/x"))
    await asyncio.sleep(0.1)
    await two.request("GET", "/x")

    assert 0.1 == pytest.approx(loop.time() - start)
    assert (0.0, 1.0) == (two.status().held, two.status().rates[0].learned)
    assert one.status().held > 49
    await waiting
    assert loop.time() - start >= 50


def _globals() -> dict[str, str]:
    """All that modules of the package hold, but for modules, functions and classes; each as it is printed."""
    return {
        f"{name}.{attribute}": repr(value)
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] == "leavo_async"
        for attribute, value in vars(module).items()
        if not attribute.startswith("__") and attribute != "GATES" and not callable(value)
    }


@on_a_wire
async def test_calls_leave_nothing_in_the_process_but_the_gates() -> None:
    """A gate for each key, found by a digest; no module keeps anything else of a call."""

    async def used() -> None:
        async with Wire(Tagging(TENANTS).step) as wire:
            for key in TENANTS.values():
                async with client(wire.url, key, limits=[RateLimit(100)]) as leavo:
                    await leavo.request("GET", "/x", params={"search": "PERSONCANARY"})

    await used()  # what is made at first use is there
    before, gates = _globals(), len(GATES)
    await used()
    after = _globals()

    assert before == after
    assert [] == [name for name, text in after.items() if "CANARY" in text]
    assert (True, 2) == (isinstance(GATES, Registry), len(GATES) - gates)
    assert "CANARY" not in repr(vars(GATES))


# An answer about somebody else


OTHERS = {"bare": {"id": "2", "name": "Bea"}, "enveloped": {"success": True, "data": {"id": "2", "name": "Bea"}}}
others = pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)


def asking(transport: FakeTransport) -> LeavoClient:
    return LeavoClient(KEY, transport=transport, limits=())


@others
@virtual_time
async def test_an_update_whose_answer_is_about_another_lead_is_an_error(body: Any) -> None:
    """It was done, and is not done again; nobody gets to see somebody else's lead."""
    transport = FakeTransport(reply(200, body))
    with pytest.raises(ProtocolError, match=r"^PUT /backend/leads/1: the answer has another id") as caught:
        await asking(transport).leads.update("1", name="Ana")

    assert ("done", 1) == (caught.value.outcome, len(transport.requests))
    assert "Bea" not in f"{caught.value} {vars(caught.value)}"


@others
@virtual_time
async def test_a_read_whose_answer_is_about_another_lead_is_asked_again(body: Any) -> None:
    """Once: then it is an error, or the lead that was asked for."""
    wrong = FakeTransport(reply(200, body))
    with pytest.raises(ProtocolError, match=r"^GET /backend/leads/1: the answer has another id"):
        await asking(wrong).leads.get("1")
    mended = FakeTransport(reply(200, body), reply(200, {"id": "1", "name": "Ana"}))

    assert Lead(id="1", name="Ana") == await asking(mended).leads.get("1")
    assert (2, 2) == (len(wrong.requests), len(mended.requests))


@virtual_time
async def test_the_own_lead_is_known_by_its_id_however_it_is_written() -> None:
    """Quoted in the path, as a number in a plain answer."""
    for lead_id, answered in (("a/b c", "a/b c"), ("%41", "%41"), ("7", "7")):
        found = await asking(FakeTransport(reply(200, {"id": answered}))).leads.get(lead_id, retry=ONCE)
        assert lead_id == found.id
    plain = asking(FakeTransport(reply(200, {"data": {"id": 7}})))

    assert {"id": 7} == await plain.request("GET", "/backend/leads/7", retry=ONCE)
