"""The life of a sandbox: where it listens, how it ends, what it refuses to be."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

import leavo_async.sandbox
from leavo_async.sandbox import Fault, Sandbox

LEAD = {"name": "Ana Souza", "phone": "+5511999990000"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "", "127.0.0.1.example.com"])
def test_a_host_that_others_can_reach_is_refused(host: str) -> None:
    """A sandbox is for this machine only."""
    with pytest.raises(ValueError, match="must be of this machine"):
        Sandbox(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
@pytest.mark.asyncio
async def test_every_name_of_this_machine_will_do(ask: Any, host: str) -> None:
    """And the url is one that a client can use."""
    async with Sandbox(host=host) as sandbox:
        assert 200 == (await ask(sandbox, "GET", "/backend/tags")).status


@pytest.mark.asyncio
async def test_a_port_in_use_is_an_oserror_that_says_so() -> None:
    """The second sandbox leaves nothing behind, and can start as soon as the port is free."""
    async with Sandbox() as first:
        port = int(first.url.rpartition(":")[2])
        second = Sandbox(port=port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
    async with second:
        assert f"http://127.0.0.1:{port}" == second.url


def test_a_sandbox_has_no_url_before_it_starts() -> None:
    """The port is not known yet."""
    with pytest.raises(RuntimeError, match="not started"):
        _ = Sandbox().url


@pytest.mark.asyncio
async def test_a_sandbox_starts_once() -> None:
    """A second start would listen twice."""
    async with Sandbox() as sandbox:
        with pytest.raises(RuntimeError, match="started already"):
            await sandbox.start()


@pytest.mark.asyncio
async def test_closing_twice_is_closing_once(ask: Any) -> None:
    """And what was recorded stays readable."""
    sandbox = Sandbox()
    await sandbox.start()
    await ask(sandbox, "POST", "/backend/leads", json=LEAD)
    await sandbox.aclose()
    await sandbox.aclose()

    assert (1, 1, "<Sandbox closed, <Ledger 1 requests, 1 effects>>") == (
        len(sandbox.leads),
        sandbox.ledger.count(status=201),
        repr(sandbox),
    )


@pytest.mark.asyncio
async def test_an_open_sandbox_shows_its_address() -> None:
    """One can copy it from the prompt."""
    async with Sandbox() as sandbox:
        assert f"<Sandbox {sandbox.url}, <Ledger 0 requests, 0 effects>>" == repr(sandbox)


@pytest.mark.asyncio
async def test_closing_does_not_wait_for_slow_answers_and_leaves_no_task(ask: Any, until: Any) -> None:
    """An answer that would take a minute is cut off."""
    before = asyncio.all_tasks()
    async with Sandbox(faults=[Fault(delay=60.0)]) as sandbox:
        slow = asyncio.create_task(ask(sandbox, "POST", "/backend/leads", json=LEAD))
        await until(lambda: sandbox.ledger.requests)
        began = time.monotonic()
    with pytest.raises(aiohttp.ClientError):
        await slow

    assert time.monotonic() - began < 5
    assert before == asyncio.all_tasks()
    assert [] == sandbox.leads


@pytest.mark.asyncio
async def test_closing_does_not_wait_for_idle_connections() -> None:
    """A client that keeps its connection open does not keep the sandbox open."""
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer sandbox-key"}) as session:
        async with Sandbox() as sandbox:
            async with session.get(sandbox.url + "/backend/tags") as response:
                await response.read()
            began = time.monotonic()
        assert time.monotonic() - began < 5


@pytest.mark.asyncio
async def test_latency_is_taken_by_each_admitted_request(ask: Any) -> None:
    """And requests take it side by side."""
    async with Sandbox(latency=0.1) as sandbox:
        began = time.monotonic()
        await asyncio.gather(*(ask(sandbox, "GET", "/backend/tags") for _ in range(20)))

        assert 0.1 <= time.monotonic() - began < 1.9


@pytest.mark.parametrize(
    ("head", "sent"), [(b"Content-Length: 100\r\n", b"{"), (b"Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"{}")]
)
@pytest.mark.asyncio
async def test_a_request_whose_body_never_comes_whole_does_nothing(
    until: Any, caplog: Any, head: bytes, sent: bytes
) -> None:
    """It stands in the ledger without a status, and the sandbox goes on without a word."""
    async with Sandbox() as sandbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        start = b"POST /backend/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sandbox-key\r\n"
        writer.write(start + head + b"\r\n" + sent)
        await until(lambda: sandbox.ledger.requests)
        writer.close()
        await asyncio.gather(reader.read(), writer.wait_closed(), return_exceptions=True)

    assert (None, [], []) == (sandbox.ledger.requests[0].status, sandbox.leads, caplog.records)


@pytest.mark.asyncio
async def test_a_sandbox_can_be_filled_with_made_up_leads(ask: Any) -> None:
    """Each can be found and has a phone of its own, also when a client took one first."""
    taken = {"name": "Ana", "phone": "+5500900000002"}
    async with Sandbox() as sandbox:
        await ask(sandbox, "POST", "/backend/leads", json=taken)
        sandbox.seed_leads(2)
        sandbox.seed_leads(1)

    phones = [f"+550090000000{n}" for n in (2, 1, 3, 4)]
    assert phones == [lead["phone"] for lead in sandbox.leads]
    assert 1 == len(sandbox.ledger.effects)


def test_the_same_seed_makes_the_same_leads() -> None:
    """Runs can be compared, ids included."""

    def leads(seed: int) -> Any:
        sandbox = Sandbox(seed=seed, wall=lambda: 0.0)
        sandbox.seed_leads(20)
        return sandbox.leads

    assert leads(1) == leads(1) != leads(2)
    assert not {lead["id"] for lead in leads(1)} & {lead["id"] for lead in leads(2)}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"dialect": "klingon"}, "dialect must be one of enveloped, bare"),
    ({"idempotency": "maybe"}, "idempotency must be one of ignored, honoured"),
    ({"latency": -1.0}, "latency must be"),
    ({"search_lag": float("nan")}, "search_lag must be"),
    ({"api": "klingon"}, "api must be one of leavo"),
    ({"scope": "all"}, "scope is not a setting of leavo: it has dialect, search_lag"),
    ({"group_limits": {"reads": lambda: None}}, "a group of group_limits must be one of"),
]


@pytest.mark.parametrize(("settings", "reason"), WRONG)
def test_a_setting_that_cannot_be_is_refused_with_the_reason(settings: dict[str, Any], reason: str) -> None:
    """A wrong setting is noticed where it is written."""
    with pytest.raises(ValueError, match=reason):
        Sandbox(**settings)


def test_the_public_names_are_these() -> None:
    """A name that goes or comes is a change for users."""
    assert [
        "APIS",
        "MODELS",
        "Block",
        "Effect",
        "Fault",
        "FixedWindow",
        "Gcra",
        "Ledger",
        "Limiter",
        "RequestEntry",
        "Sandbox",
        "SlidingLog",
        "TokenBucket",
        "TwoWindowCounter",
        "Verdict",
    ] == leavo_async.sandbox.__all__
