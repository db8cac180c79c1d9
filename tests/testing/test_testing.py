"""What users get for their own tests."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from leavo_async import ConflictError, ConnectError, LeavoClient, Request, Response
from leavo_async.sandbox import Fault, Sandbox
from leavo_async.testing import FakeTransport, reply, virtual_time


def test_an_hour_of_waiting_takes_no_time() -> None:
    """And every moment is exact."""
    started = time.monotonic()

    @virtual_time
    async def waits() -> list[float]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(*(asyncio.sleep(seconds) for seconds in (3600, 10, 20)))
        return [loop.time() - start]

    assert waits() == [pytest.approx(3600, abs=1e-6)]
    assert time.monotonic() - started < 5


def test_arguments_and_result_pass_through_the_decorator() -> None:
    """So that it goes together with parametrize and fixtures."""

    @virtual_time
    async def add(one: int, *, other: int) -> int:
        return one + other

    assert add(1, other=2) == 3


def test_a_test_that_waits_for_nothing_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of standing still for ever."""
    monkeypatch.setattr("leavo_async.testing.virtual_time_loop._HUNG_AFTER", 0.05)

    @virtual_time
    async def hangs() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing will happen"):
        hangs()


def test_another_thread_wakes_the_loop() -> None:
    """With nothing scheduled, real time passes."""

    @virtual_time
    async def waits() -> str:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        thread = threading.Timer(0.05, lambda: loop.call_soon_threadsafe(done.set_result, "done"))
        thread.start()
        return await done

    assert waits() == "done"


@virtual_time
async def test_a_fake_transport_follows_its_script() -> None:
    """A response is given, an exception raised, a function called; the last answer stays."""

    def echo(request: Request) -> Response:
        return reply(200, {"method": request.method})

    transport = FakeTransport(ConnectError("down"), reply(204), echo, seconds=2)
    async with LeavoClient("made-up-key-1", transport=transport) as leavo:
        assert await leavo.request("GET", "/a") is None
        assert await leavo.request("POST", "/b") == {"method": "POST"}
        assert await leavo.request("PUT", "/c") == {"method": "PUT"}

    assert [request.path for request in transport.requests] == ["/a", "/a", "/b", "/c"]
    assert transport.closed


@pytest.mark.asyncio
async def test_the_fixtures_are_a_sandbox_and_its_client(leavo: LeavoClient, leavo_sandbox: Sandbox) -> None:
    """With faults on demand, and the ledger to look at."""
    leavo_sandbox.script(Fault(status=409, method="POST"))
    with pytest.raises(ConflictError):
        await leavo.leads.create(name="Ana", phone="+5511999990000")
    await leavo.leads.create(name="Ana", phone="+5511999990000")

    assert [entry.status for entry in leavo_sandbox.ledger.requests] == [409, 201]


@pytest.mark.asyncio
async def test_other_apis_have_a_sandbox_too(laabam_sandbox: Sandbox, language_confidence_sandbox: Sandbox) -> None:
    """Running, and with all that a client of it is to be given."""
    for sandbox, api in ((laabam_sandbox, "laabam"), (language_confidence_sandbox, "language_confidence")):
        assert (sandbox.api, sandbox.base_url.startswith("http://127.0.0.1:")) == (api, True)


@pytest.mark.asyncio
async def test_there_is_a_sandbox_of_agentos(agentos_sandbox: Sandbox) -> None:
    """With an agency to begin with."""
    assert ("agentos", 2) == (agentos_sandbox.api, len(agentos_sandbox.stored("branches")))
    assert agentos_sandbox.base_url.startswith("http://127.0.0.1:")
