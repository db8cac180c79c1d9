"""Where a session begins and where it ends: loops, processes, keys that change, and closing without a loss."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import threading
import warnings
from typing import Any

import pytest

from leavo_async import (
    AuthenticationError,
    ClosedError,
    ConfigError,
    ConnectTimeoutError,
    LeavoClient,
    RateLimit,
    Request,
    Response,
    Secret,
    Session,
)
from leavo_async._io.registry import GATES
from leavo_async.apis.leavo import LEAVO
from leavo_async.sandbox import Sandbox
from leavo_async.testing import FakeTransport, reply, virtual_time


def session(*answers: Any, key: Any = "made-up-key-1", seconds: float = 0.0, **options: Any) -> Any:
    transport = FakeTransport(*answers, seconds=seconds)
    return Session(LEAVO, key, transport=transport, **options), transport


# Closing


@virtual_time
async def test_a_drained_close_lets_calls_end() -> None:
    """All that are under way get their answers; new ones are refused at once."""
    leavo, transport = session(reply(200, {}), seconds=3, limits=())
    calls = [asyncio.create_task(leavo.request("GET", "/x")) for _ in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(leavo.aclose(drain=10))
    await asyncio.sleep(1)
    with pytest.raises(ClosedError):
        await leavo.request("GET", "/y")
    await closing

    assert [{}] * 5 == await asyncio.gather(*calls)
    assert (transport.closed, asyncio.get_running_loop().time()) == (True, pytest.approx(1003, abs=1e-3))


@virtual_time
async def test_a_drained_close_has_an_end() -> None:
    """After so many seconds the rest is ended, as without draining."""
    leavo, _ = session(reply(200, {}), seconds=20)
    call = asyncio.create_task(leavo.request("GET", "/x"))
    await asyncio.sleep(0)
    await leavo.aclose(drain=5)

    assert asyncio.get_running_loop().time() == pytest.approx(1005, abs=1e-3)
    with pytest.raises(ClosedError):
        await call


@virtual_time
async def test_closing_at_once_outdoes_a_drain() -> None:
    """Whoever cannot wait any longer closes again."""
    leavo, _ = session(reply(200, {}), seconds=20)
    call = asyncio.create_task(leavo.request("GET", "/x"))
    await asyncio.sleep(0)
    draining = asyncio.create_task(leavo.aclose(drain=15))
    await asyncio.sleep(1)
    await leavo.aclose()
    with pytest.raises(ClosedError):
        await call
    await draining

    assert asyncio.get_running_loop().time() == pytest.approx(1001, abs=1e-3)


@virtual_time
async def test_a_drain_that_is_no_time_is_refused() -> None:
    """And nothing is closed by it."""
    leavo, _ = session(reply(200, {}))
    await leavo.request("GET", "/x")
    with pytest.raises(ConfigError, match="drain"):
        await leavo.aclose(drain=-1)

    assert await leavo.request("GET", "/x") == {}


# Loops and processes


async def _used(leavo: LeavoClient) -> None:
    await leavo.request("GET", "/backend/status")


def test_a_session_of_a_loop_that_is_gone_can_be_closed() -> None:
    """As in a notebook after asyncio.run: no warning, no connection left."""
    leavo: LeavoClient | None = None

    async def first() -> None:
        nonlocal leavo
        async with Sandbox() as sandbox:
            leavo = LeavoClient(sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, limits=())
            await _used(leavo)

    asyncio.run(first())
    assert leavo is not None
    with pytest.raises(ConfigError, match="one session for each loop"):
        asyncio.run(_used(leavo))
    asyncio.run(leavo.aclose())
    del leavo
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


def test_a_session_is_not_closed_from_another_loop_while_its_own_runs() -> None:
    """Its calls there would be disturbed by a thread that they do not know."""
    leavo, _ = session(reply(200, {}))
    problems: list[BaseException] = []

    def elsewhere() -> None:
        try:
            asyncio.run(leavo.aclose())
        except ConfigError as error:
            problems.append(error)

    async def here() -> None:
        await leavo.request("GET", "/x")
        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert await leavo.request("GET", "/x") == {}
        await leavo.aclose()

    asyncio.run(here())

    assert ["another event loop" in str(problem) for problem in problems] == [True]


def test_a_loop_may_move_to_another_thread() -> None:
    """As where it is set up in the main thread and served by one of its own: it is the same loop."""
    loop = asyncio.new_event_loop()
    session = Session(LEAVO, "made-up-key-1", transport=FakeTransport(reply(200, {"a": 1})), limits=())
    assert loop.run_until_complete(session.request("GET", "/x")) == {"a": 1}
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        assert asyncio.run_coroutine_threadsafe(session.request("GET", "/x"), loop).result(5) == {"a": 1}
        asyncio.run_coroutine_threadsafe(session.aclose(), loop).result(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_after_a_fork_a_session_says_what_to_do_and_leaves_the_parent_alone() -> None:
    """Its connections are the parent's; a new session in the child works."""

    async def child(leavo: LeavoClient, url: str, key: str) -> str:
        with pytest.raises(ConfigError, match="forked: make one in each process"):
            await _used(leavo)
        await leavo.aclose()
        async with LeavoClient(key, base_url=url, allow_insecure_loopback=True, limits=()) as own:
            await _used(own)
        return "worked"

    def in_child(leavo: LeavoClient, url: str, key: str, pipe: Any) -> None:
        pipe.send(asyncio.run(child(leavo, url, key)))

    async def parent() -> str:
        async with (
            Sandbox() as sandbox,
            LeavoClient(sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, limits=()) as leavo,
        ):
            await _used(leavo)
            mine, its = multiprocessing.Pipe()
            process = multiprocessing.get_context("fork").Process(
                target=in_child, args=(leavo, sandbox.url, sandbox.key, its)
            )
            process.start()
            said = await asyncio.to_thread(mine.recv) if await asyncio.to_thread(mine.poll, 20) else "nothing"
            await asyncio.to_thread(process.join)
            await _used(leavo)
            return said

    assert asyncio.run(parent()) == "worked"


# Keys that change


class Vault:
    """Gives the keys one after the other, the last one for ever."""

    def __init__(self, *keys: str | Secret, seconds: float = 0.0) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.seconds = seconds

    async def __call__(self) -> str | Secret:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        return self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]


class Signed(FakeTransport):
    """Answers 401 to every key but one."""

    def __init__(self, good: str) -> None:
        super().__init__(seconds=0.1)
        self.good, self.key = good, ""

    def sign(self, headers: Any, params: Any) -> None:
        self.key = headers["Authorization"]

    async def send(self, request: Request, progress: Any) -> Response:
        key = self.key
        answer = await super().send(request, progress)
        return answer if key == f"Bearer {self.good}" else reply(401, {"error": {"code": "UNAUTHORIZED"}})


@virtual_time
async def test_a_key_is_asked_for_when_it_is_first_needed() -> None:
    """Not when the session is made; and once for all calls."""
    vault = Vault("made-up-key-1", seconds=1)
    transport = Signed("made-up-key-1")
    leavo = Session(LEAVO, vault, transport=transport)
    assert vault.asked == 0
    await asyncio.gather(*(leavo.send("POST", "/x", json={}) for _ in range(5)))

    assert (vault.asked, len(transport.requests)) == (1, 5)


@virtual_time
async def test_a_refused_key_is_replaced_without_a_restart() -> None:
    """Fifty calls are refused together; one of them asks, and all go again with the new key: writes as well."""
    vault = Vault("made-up-key-1", "made-up-key-2")
    transport = Signed("made-up-key-2")
    leavo = Session(LEAVO, vault, transport=transport, limits=(), max_in_flight=50)

    answers = await asyncio.gather(*(leavo.send("POST", "/x", json={}) for _ in range(50)))

    assert {answer.attempts for answer in answers} == {2}
    assert (vault.asked, len(transport.requests)) == (2, 100)


@virtual_time
async def test_a_key_that_stays_refused_is_not_sent_again() -> None:
    """Some services lock a key after a few bad tries."""
    vault = Vault("made-up-key-1")
    transport = Signed("another-key")
    leavo = Session(LEAVO, vault, transport=transport, limits=())
    with pytest.raises(AuthenticationError, match="wrong, expired or revoked") as caught:
        await leavo.request("GET", "/x")

    assert (vault.asked, len(transport.requests), len(caught.value.attempts)) == (2, 1, 1)


@virtual_time
async def test_a_vault_that_fails_does_not_hide_the_refusal() -> None:
    """The first time its own error comes out; after a 401 that one stands."""

    class Broken(Vault):
        async def __call__(self) -> str | Secret:
            if self.asked:
                raise OSError("vault is sealed")
            return await super().__call__()

    leavo = Session(LEAVO, Broken("made-up-key-1"), transport=Signed("another-key"))
    with pytest.raises(AuthenticationError, match=r"asking for another one has failed \(OSError\)") as caught:
        await leavo.request("GET", "/x")
    broken = Broken("x")
    broken.asked = 1
    with pytest.raises(OSError, match="sealed"):
        await Session(LEAVO, broken, transport=FakeTransport()).request("GET", "/x")

    assert caught.value.__context__ is None


@virtual_time
async def test_a_vault_that_hangs_ends_the_call() -> None:
    """After `timeout`: nothing may hang."""
    leavo = Session(LEAVO, Vault("made-up-key-1", seconds=1e6), transport=FakeTransport(), timeout=5)
    with pytest.raises(ConnectTimeoutError, match="no key was given within 5 s") as caught:
        await leavo.request("POST", "/x")

    assert (caught.value.outcome, asyncio.get_running_loop().time()) == ("not sent", pytest.approx(1005, abs=1e-3))


@virtual_time
async def test_what_a_vault_gives_must_be_a_key() -> None:
    """Told as for a key that is passed."""
    for bad in ("your_api_key_here", "a b", 5):
        leavo = Session(LEAVO, Vault(bad), transport=FakeTransport())  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="key"):
            await leavo.request("GET", "/x")


@virtual_time
async def test_a_key_of_the_environment_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook, where the next cell sets it."""
    monkeypatch.setenv("LEAVO_API_KEY", "made-up-key-1")
    leavo = LeavoClient(transport=Signed("made-up-key-2"))
    monkeypatch.setenv("LEAVO_API_KEY", "made-up-key-2")

    assert (await leavo.send("GET", "/x")).attempts == 2


@virtual_time
async def test_a_new_key_goes_on_with_the_gate_of_the_old_one() -> None:
    """Calls that wait there will carry the new key: together, and with others who use it, they keep one limit."""
    vault = Vault("made-up-key-1", "made-up-key-2")
    transport = Signed("made-up-key-2")
    leavo = Session(LEAVO, vault, transport=transport, limits=[RateLimit(60)])
    other = Session(LEAVO, "made-up-key-2", transport=transport, limits=[RateLimit(60)])
    await asyncio.gather(*(leavo.request("GET", "/x") for _ in range(40)))
    await asyncio.gather(*(each.request("GET", "/x") for each in (leavo, other) for _ in range(40)))

    assert leavo._engine is not None
    assert other._engine is not None
    assert leavo._engine.gate is other._engine.gate
    moments = transport.moments
    assert max(sum(start <= at < start + 60 for at in moments) for start in moments) <= 60


@virtual_time
async def test_a_new_key_that_others_use_already_joins_them() -> None:
    """And is counted at the old gate no longer."""
    vault = Vault("made-up-key-1", "made-up-key-2")
    transport = Signed("made-up-key-2")
    leavo = Session(LEAVO, vault, transport=transport, limits=[RateLimit(60)])
    other = Session(LEAVO, "made-up-key-2", transport=transport, limits=[RateLimit(60)])
    await other.request("GET", "/x")
    await leavo.request("GET", "/x")

    assert leavo._engine is not None
    assert other._engine is not None
    assert leavo._engine.gate is other._engine.gate
    assert [len(gate.users) for gate in GATES._gates.values()] == [2, 0]


@virtual_time
async def test_two_who_drain_wait_for_the_same_end() -> None:
    """And both are back as soon as it is there."""
    leavo, _ = session(reply(200, {}), seconds=3)
    call = asyncio.create_task(leavo.request("GET", "/x"))
    await asyncio.sleep(0)
    await asyncio.gather(leavo.aclose(drain=60), leavo.aclose(drain=60))

    assert await call == {}
    assert asyncio.get_running_loop().time() == pytest.approx(1003, abs=1e-3)
