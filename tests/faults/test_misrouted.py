"""Answers that nobody has asked for: whoever asks next gets the own one."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme

from leavo_async import OutcomeUnknownError, RetryPolicy

from .judge import KINDS, Kind, trial
from .wire import Line, Received, Step, Wire, answer, echo, http, push_later

pytestmark = pytest.mark.asyncio

STRAY = http(body=b'{"path": "/stray", "id": "666"}')
STRAYS = {
    "a whole answer": STRAY,
    "two of them": STRAY * 2,
    "a refusal, as proxies send it to who is idle": http(408, b"", connection="close"),
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
}
JUNK = b"\x00\x01\x02"
every_kind = pytest.mark.parametrize("kind", KINDS)
every_stray = pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
junk_too = pytest.mark.parametrize("stray", [*STRAYS.values(), JUNK], ids=[*STRAYS, "no HTTP at all"])
with_and_without_tls = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, and that of a client which knows its authority."""
    authority, server, client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


def both_in_one_segment(stray: bytes) -> Step:
    async def act(line: Line, request: Received) -> None:
        await line.do(request.echo() + stray, request)

    return Step((act,), commits=True)


@every_kind
@every_stray
@with_and_without_tls
async def test_of_two_answers_in_one_segment_the_first_counts(
    tls: bool, stray: bytes, kind: Kind, contexts: Contexts
) -> None:
    """And the connection is not used again."""
    server, client = contexts
    async with (
        Wire(both_in_one_segment(stray), echo(), tls=server if tls else None) as wire,
        trial(wire.url, kind, ssl_context=client if tls else None, timeout=2) as one,
    ):
        ended = await one.call()

        assert {"path": "/asked", "n": 1} == ended
        await one.check(ended, sent=1, done=len(wire.effects))
        assert [1] == [request.number for request in wire.requests if request.connection == 1]


@every_kind
@with_and_without_tls
async def test_what_is_no_http_spoils_the_answer_in_the_same_segment(tls: bool, kind: Kind, contexts: Contexts) -> None:
    """What came is not HTTP: it is asked for once more, where that does no harm."""
    server, client = contexts
    async with (
        Wire(both_in_one_segment(JUNK), echo(), tls=server if tls else None, honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, ssl_context=client if tls else None, timeout=2) as one,
    ):
        ended = await one.call()

        if kind == "keyless":
            assert (OutcomeUnknownError, "unknown", False) == (type(ended), ended.outcome, ended.safe_to_retry)
        else:
            assert "/asked" == ended["path"]
        assert ["ProtocolError"] == [record.problem for record in one.records if record.problem]
        await one.check(ended, sent=1 if kind == "keyless" else 2, done=len(wire.effects))


@every_kind
@junk_too
@with_and_without_tls
async def test_an_answer_that_comes_while_nobody_asks_is_nobodys(
    tls: bool, stray: bytes, kind: Kind, contexts: Contexts
) -> None:
    """It comes while the connection is idle, and the next call has a new one."""
    server, client = contexts
    async with (
        Wire(push_later(stray, 0.02), echo(), tls=server if tls else None) as wire,
        trial(wire.url, kind, ssl_context=client if tls else None, timeout=2) as one,
    ):
        ended = await one.call()
        await asyncio.sleep(0.05)

        assert {"path": "/asked", "n": 1} == ended
        await one.check(ended, sent=1, done=len(wire.effects))
        assert [1] == [request.number for request in wire.requests if request.connection == 1]


@pytest.mark.parametrize("kind", ["read", "keyed"])
@pytest.mark.parametrize("first", [1, 17, 40], ids=lambda size: f"{size} bytes and the rest")
async def test_half_of_an_answer_that_comes_while_nobody_asks_does_no_harm(first: int, kind: Kind) -> None:
    """Aiohttp does not tell of so little; if the rest comes later, that is not HTTP, and is asked for once more."""

    async def the_rest(line: Line, request: Received) -> None:
        await line.do(STRAY[first:] + request.echo(), request)

    second = Step((the_rest,), commits=True)
    async with (
        Wire(push_later(STRAY[:first], 0.01), second, echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=2) as one,
    ):
        assert {"path": "/asked", "n": 1} == await one.call()
        await asyncio.sleep(0.03)
        one.records.clear()
        ended = await one.call("/second")

        assert "/second" == ended["path"]
        await one.check(ended, sent=len(wire.requests) - 1, done=len(wire.effects) - 1)


@asynccontextmanager
async def in_a_thread(wire: Wire) -> AsyncIterator[Wire]:
    """The wire on an event loop of its own: it goes on while the loop of the test is blocked."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with wire:
            ready.set()
            await done.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        yield wire
    finally:
        loop.call_soon_threadsafe(done.set)
        await asyncio.to_thread(thread.join)


@every_kind
@junk_too
@with_and_without_tls
async def test_an_answer_that_comes_while_the_loop_is_blocked_is_nobodys(
    tls: bool, stray: bytes, kind: Kind, contexts: Contexts
) -> None:
    """Somebody's computation holds the loop, and the next call begins before the loop has read anything."""
    server, client = contexts
    async with (
        in_a_thread(Wire(push_later(stray, 0.02), echo(), tls=server if tls else None)) as wire,
        trial(wire.url, kind, ssl_context=client if tls else None, timeout=2) as one,
    ):
        ended = await one.call()
        time.sleep(0.06)  # noqa: ASYNC251

        assert {"path": "/asked", "n": 1} == ended
        await one.check(ended, sent=1, done=len(wire.effects))
        assert [1] == [request.number for request in wire.requests if request.connection == 1]


async def idle() -> None:
    await asyncio.sleep(0.02)


async def blocked() -> None:
    time.sleep(0.02)  # noqa: ASYNC251


@pytest.mark.parametrize("kind", ["read", "keyed"])
@pytest.mark.parametrize("pause", [idle, blocked])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
async def test_a_quiet_connection_is_used_again_over_tls(version: ssl.TLSVersion, pause: Any, kind: Kind) -> None:
    """What TLS itself sends after the handshake, such as session tickets, is not taken for something said unasked."""
    authority, server, client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    server.maximum_version = version
    async with (
        in_a_thread(Wire(echo(), tls=server)) as wire,
        trial(wire.url, kind, ssl_context=client, timeout=2) as one,
    ):
        for number in range(1, 6):
            assert {"path": "/asked", "n": number} == await one.call()
            await pause()

    assert 1 == wire.connections


async def test_an_answer_that_overtakes_is_found_out_by_its_id() -> None:
    """It comes when the request is out already; where an answer must name what was asked for, it is not believed."""

    async def act(line: Line, request: Received) -> None:
        await line.do(STRAY, request)
        await asyncio.sleep(0.01)
        await line.do(request.echo(), request)

    patient = RetryPolicy(first_delay=0.1, max_delay=0.1)
    async with Wire(Step((act,)), echo()) as wire, trial(wire.url, "read", retry=patient, timeout=2) as one:
        assert one.session._engine is not None
        one.session._engine.draw = lambda: 1.0
        ended = await one.call("/backend/leads/7")

        assert {"path": "/backend/leads/7", "n": 2} == ended
        assert [1, 2] == [request.connection for request in wire.requests]
        await one.check(ended, sent=2, done=None)


@pytest.mark.parametrize(
    "wrong", [b'{"id": "666"}', b'{"id": "7', b"", b"<html>"], ids=["another", "cut", "none", "page"]
)
async def test_a_connection_with_a_wrong_answer_is_not_used_again(wrong: bytes) -> None:
    """Whoever came out of step there would give each call the answer of the one before it."""
    async with Wire(answer(http(body=wrong)), echo()) as wire, trial(wire.url, "read", timeout=2) as one:
        await one.call("/backend/leads/7", cast_to=dict[str, Any])
        ended = await one.call("/backend/leads/8")

        assert "/backend/leads/8" == ended["path"]
        assert [1, 2, 2][: len(wire.requests)] == [request.connection for request in wire.requests]
        await one.check(ended, sent=len(one.records), done=None)
