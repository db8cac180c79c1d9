"""A request was sent, and no answer came: only what does no harm when done twice is sent again."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from leavo_async import (
    APIError,
    AuthenticationError,
    DeadlineError,
    OutcomeUnknownError,
    ReadError,
    ReadTimeoutError,
    RetryPolicy,
)
from leavo_async.testing import FaultProxy, Weather

from .judge import KINDS, Kind, Trial, settled, trial
from .wire import Line, Received, Step, Wire, committed, early, echo, echoes, hang_up, hold, http, reset, rst, stall
from .wire import zero_window as reads_nothing

pytestmark = pytest.mark.asyncio

ATTEMPTS = RetryPolicy().max_attempts


class Large(dict[str, str]):
    """20 MB, except in the texts of tracebacks."""

    def __repr__(self) -> str:
        return "20 MB"


LARGE = Large(a="x" * 20_000_000)
every_kind = pytest.mark.parametrize("kind", KINDS)
with_and_without_tls = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])


@dataclass(frozen=True)
class Contexts:
    """The TLS of the server, and that of a client which knows its authority."""

    server: ssl.SSLContext
    client: ssl.SSLContext

    def wire(self, *steps: Step, tls: bool, kind: Kind = "read") -> Wire:
        return Wire(*steps, tls=self.server if tls else None, honours_keys=kind == "keyed")


@pytest.fixture(scope="module")
def contexts() -> Contexts:
    authority, server, client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return Contexts(server, client)


def story(error: Any) -> tuple[Any, ...]:
    return type(error), error.outcome, getattr(error, "phase", None), error.safe_to_retry


def problems(one: Trial) -> list[str | None]:
    return [record.problem for record in one.records]


def check_unknown(ended: Any, one: Trial, because: type[ReadError], words: str = "") -> None:
    """A keyless write was sent once, and nobody knows."""
    assert (OutcomeUnknownError, "unknown", None, False) == story(ended)
    assert [because.__name__] == problems(one)
    assert words in ended.because


# No answer


@dataclass(frozen=True)
class Row:
    """What the server does instead of answering, and the error that it is."""

    step: Step
    error: type[ReadError]

    @property
    def limit(self) -> float:
        """Seconds for an attempt: few where they are what ends it, many where they must not be."""
        return 0.1 if self.error is ReadTimeoutError else 5


ROWS = {
    "closed right after the request": Row(hang_up(), ReadError),
    "closed after its head": Row(early(hang_up()), ReadError),
    "reset right after the request": Row(reset(), ReadError),
    "reset after its head": Row(early(reset()), ReadError),
    "no answer": Row(stall(), ReadTimeoutError),
    "closed when it was done": Row(committed(hang_up()), ReadError),
    "reset when it was done": Row(committed(reset()), ReadError),
    "no answer when it was done": Row(committed(stall()), ReadTimeoutError),
}


def cases() -> Iterator[Any]:
    """Each row on a new connection and on a used one, and over TLS where no limit is part of it."""
    for name, row in ROWS.items():
        tls = row.error is not ReadTimeoutError
        yield pytest.param(row, False, False, id=name)
        yield pytest.param(row, True, tls, id=f"{name}, on a used connection{' over TLS' * tls}")


@every_kind
@pytest.mark.parametrize(("row", "used", "tls"), list(cases()))
async def test_what_may_be_done_twice_is_sent_again_when_no_answer_comes(
    row: Row, used: bool, tls: bool, kind: Kind, contexts: Contexts
) -> None:
    """A keyless write is not: the error says that it may have been done, with what was seen."""
    before = [echo()] if used else []
    async with (
        contexts.wire(*before, row.step, echo(), tls=tls, kind=kind) as wire,
        trial(wire.url, kind, ssl_context=contexts.client, timeout=5, later=5) as one,
    ):
        if used:
            await one.call("/before")
            one.records.clear()
        ended = await one.call(timeout=row.limit)

        if kind == "keyless":
            check_unknown(ended, one, row.error)
        else:
            assert "/asked" == ended["path"]
            assert [row.error.__name__, None] == problems(one)
        await one.check(ended, sent=len(wire.requests) - used, done=len(wire.effects) - used)
        faulty = wire.requests[used].connection
        assert [used + 1] == [each.number for each in wire.requests if each.connection == faulty and each.number > used]


@every_kind
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_a_server_that_never_answers_is_asked_four_times(row: Row, kind: Kind) -> None:
    """And a keyless write once; it is done once at most."""
    async with Wire(row.step, honours_keys=kind == "keyed") as wire, trial(wire.url, kind) as one:
        ended = await one.call(timeout=row.limit)

        if kind == "keyless":
            check_unknown(ended, one, row.error)
        else:
            assert (row.error, "unknown", "read", True) == story(ended)
            assert [row.error.__name__] * ATTEMPTS == problems(one)
        await one.check(ended, sent=len(wire.requests), done=len(wire.effects), next_call=False)


# A connection that ended while nobody used it


class Leaving:
    """A server that ends connections when it is told to."""

    def __init__(self) -> None:
        self.last: Line | None = None

    @property
    def step(self) -> Step:
        async def act(line: Line, request: Received) -> None:
            self.last = line
            await echoes(line, request)

        return Step((act,), commits=True)

    def close(self) -> None:
        assert self.last is not None
        self.last.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        assert self.last is not None
        linger = struct.pack("ii", 1, 0)
        self.last.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.last.writer.transport.abort()


async def is_seen() -> None:
    await asyncio.sleep(0.03)


async def is_not_seen() -> None:
    """The next call begins in the same turn of the loop in which the server has left."""
    await asyncio.sleep(0)


@every_kind
@with_and_without_tls
@pytest.mark.parametrize("leave", [Leaving.close, Leaving.reset], ids=["closed", "reset"])
@pytest.mark.parametrize("pause", [is_seen, is_not_seen])
async def test_a_connection_that_ended_while_idle_is_not_used(
    pause: Any, leave: Callable[[Leaving], None], tls: bool, kind: Kind, contexts: Contexts
) -> None:
    """The next request has a new one, and its first attempt succeeds."""
    server = Leaving()
    async with (
        contexts.wire(server.step, tls=tls) as wire,
        trial(wire.url, kind, ssl_context=contexts.client, timeout=5) as one,
    ):
        await one.call("/before")
        leave(server)
        await pause()
        ended = await one.call()

        assert ({"path": "/asked", "n": 2}, [1, 2]) == (ended, [each.connection for each in wire.requests])
        assert [None, None] == problems(one)
        one.records.clear()
        await one.check(ended, sent=0, done=len(wire.effects[1:]))


@with_and_without_tls
async def test_a_keyless_write_never_uses_a_used_connection(tls: bool, contexts: Contexts) -> None:
    """Whatever came before it; and nobody uses its connection after it."""
    async with (
        contexts.wire(tls=tls) as wire,
        trial(wire.url, "keyless", ssl_context=contexts.client, timeout=5) as one,
    ):
        for method in ("GET", "POST", "GET", "PATCH", "POST", "PUT", "GET"):
            await one.session.request(method, f"/{method}")

        kept = [each.connection for each in wire.requests if each.method in ("GET", "PUT")]
        fresh = [each.connection for each in wire.requests if each.method in ("POST", "PATCH")]
        assert [1] * 4 == kept
        assert ([2, 3, 4], 4) == (fresh, wire.connections)


# A peer that has lost its power


@every_kind
async def test_a_kept_connection_whose_peer_has_vanished_is_given_up(kind: Kind) -> None:
    """Nothing tells that it is dead: the attempt ends in time, the next one has a new connection."""
    async with Wire() as wire, FaultProxy(wire.url) as proxy, trial(proxy.url, kind, later=5) as one:
        await one.call("/before")
        one.records.clear()
        proxy.vanish()
        ended = await one.call()

        assert {"path": "/asked", "n": 2} == ended
        assert ([None] if kind == "keyless" else ["ReadTimeoutError", None]) == problems(one)
        assert 2 == proxy.connections
        await one.check(ended, sent=len(one.records), done=len(wire.effects[1:]))


SWALLOWED = {"the request": "up", "the answer": "down"}


@every_kind
@pytest.mark.parametrize("way", SWALLOWED.values(), ids=SWALLOWED)
async def test_what_a_dead_network_swallows_is_sent_again(way: str, kind: Kind) -> None:
    """Over a new connection, when it works again; a keyless write may have been done."""

    def works_again(_: object) -> None:
        proxy.up = proxy.down = Weather()

    async with (
        Wire(honours_keys=kind == "keyed") as wire,
        FaultProxy(wire.url) as proxy,
        trial(proxy.url, kind, observers=[works_again], later=5) as one,
    ):
        setattr(proxy, way, Weather(black_hole=True))
        ended = await one.call()

        if kind == "keyless":
            check_unknown(ended, one, ReadTimeoutError)
        else:
            assert "/asked" == ended["path"]
            assert ["ReadTimeoutError", None] == problems(one)
        assert len(one.records) == proxy.connections == len(wire.requests) + (way == "up")
        await one.check(ended, sent=proxy.connections, done=len(wire.effects))


@every_kind
@pytest.mark.parametrize("way", SWALLOWED.values(), ids=SWALLOWED)
async def test_a_network_that_stays_dead_is_given_up(way: str, kind: Kind) -> None:
    """Connections can be made, and nothing comes through."""
    async with (
        Wire(honours_keys=kind == "keyed") as wire,
        FaultProxy(wire.url, **{way: Weather(black_hole=True)}) as proxy,  # type: ignore[arg-type]
        trial(proxy.url, kind, timeout=5) as one,
    ):
        ended = await one.call(timeout=0.1)

        if kind == "keyless":
            check_unknown(ended, one, ReadTimeoutError)
        else:
            assert (ReadTimeoutError, "unknown", "read", True) == story(ended)
        assert len(one.records) == proxy.connections == (1 if kind == "keyless" else ATTEMPTS)
        assert len(wire.requests) == (0 if way == "up" else proxy.connections)
        proxy.up = proxy.down = Weather()
        await one.check(ended, sent=proxy.connections, done=len(wire.effects))


# A request that is not taken


DESCRIPTORS = Path("/proc/self/fd")
CAN_COUNT = DESCRIPTORS.exists()


def sockets() -> int:
    """How many sockets this process has open, where the system tells it."""
    count = 0
    for descriptor in DESCRIPTORS.iterdir() if CAN_COUNT else ():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:  # that of the listing itself
            pass
    return count


def takes(size: int, wire: Wire) -> None:
    """So many bytes are taken by its system on new connections, before it has read them; at least about 4,000."""
    wire._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


async def check_nothing_is_left(wire: Wire, before: int) -> None:
    """The client has no socket any more: one that still has something to send would go on with it."""
    if DESCRIPTORS.exists():  # it is no real disk
        await settled(lambda: sockets() - before <= wire.open)
        assert 0 == sockets() - before - wire.open


@every_kind
@with_and_without_tls
async def test_a_request_that_is_not_taken_is_sent_again(tls: bool, kind: Kind, contexts: Contexts) -> None:
    """20 MB to a server that reads nothing: the attempt ends in time, and its connection with it."""
    async with (
        contexts.wire(reads_nothing(), echo(), tls=tls, kind=kind) as wire,
        trial(
            wire.url, kind, ssl_context=contexts.client, observers=[lambda _: takes(4_000_000, wire)], later=5
        ) as one,
    ):
        takes(0, wire)
        before = sockets()
        ended = await one.call(json=LARGE, timeout=0.2)

        if kind == "keyless":
            check_unknown(ended, one, ReadTimeoutError, "the request was not taken within 0.2 s")
        else:
            assert {"path": "/asked", "n": 2} == ended
            assert ["ReadTimeoutError", None] == problems(one)
        assert [False, True][: len(wire.requests)] == [each.complete for each in wire.requests]
        await one.check(ended, sent=len(wire.requests), done=len(wire.effects), next_call=False)
        await one.session.aclose()
        await check_nothing_is_left(wire, before)


@pytest.mark.parametrize(("kind", "tls"), [*((kind, False) for kind in KINDS), ("keyed", True)])
async def test_a_request_that_is_never_taken_is_given_up(tls: bool, kind: Kind, contexts: Contexts) -> None:
    """The error says that it was still being sent."""
    async with (
        contexts.wire(*[reads_nothing()] * ATTEMPTS, echo(), tls=tls, kind=kind) as wire,
        trial(wire.url, kind, ssl_context=contexts.client, timeout=5) as one,
    ):
        takes(0, wire)
        before = sockets()
        ended = await one.call(json=LARGE, timeout=0.2)

        if kind == "keyless":
            check_unknown(ended, one, ReadTimeoutError, "the request was not taken within 0.2 s")
        else:
            assert (ReadTimeoutError, "unknown", "send", True) == story(ended)
            assert "the request was not taken within 0.2 s" in str(ended)
            assert ["ReadTimeoutError"] * ATTEMPTS == problems(one)
        assert len(one.records) == len(wire.requests)
        await one.check(ended, sent=len(wire.requests), done=0, next_call=False)
        await check_nothing_is_left(wire, before)


@every_kind
async def test_a_request_that_is_not_taken_until_the_deadline_says_so(kind: Kind, contexts: Contexts) -> None:
    """It may have been done; no more of it is sent."""
    async with Wire(reads_nothing(), echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        takes(0, wire)
        before = sockets()
        ended = await one.call(json=LARGE, deadline=0.2)

        assert (DeadlineError, "unknown", "send", kind != "keyless") == story(ended)
        await one.check(ended, sent=1, done=0, next_call=False)
        await check_nothing_is_left(wire, before)


# An answer before the request was taken


class Early:
    """A server that answers when it has seen the head, then does something, and counts what else it reads."""

    def __init__(self, status: int, *then: Any) -> None:
        self.read = 0
        self.step = early(Step((http(status), *then, self._reads)))

    async def _reads(self, line: Line, request: Received) -> None:
        while data := await line.reader.read(65536):
            self.read += len(data)
        raise ConnectionResetError


async def ends(line: Line, request: Received) -> None:
    line.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)


THEN = {
    "and closes": (ends,),
    "and reads on": (),
    "and reads no more": (hold,),
    "and resets a little later": (0.05, rst),
}


def refusals() -> Iterator[Any]:
    for name, then in THEN.items():
        yield pytest.param(413, APIError, then, id=f"413 {name}")
    yield pytest.param(401, AuthenticationError, (ends,), id="401 and closes")


@every_kind
@with_and_without_tls
@pytest.mark.parametrize(("status", "error", "then"), list(refusals()))
async def test_a_refusal_while_the_request_is_being_sent_ends_the_sending(
    status: int, error: type[APIError], then: tuple[Any, ...], tls: bool, kind: Kind, contexts: Contexts
) -> None:
    """It is an answer like any other: nothing is sent again, nor the rest of the 20 MB."""
    server = Early(status, *then)
    async with (
        contexts.wire(server.step, echo(), tls=tls) as wire,
        trial(wire.url, kind, ssl_context=contexts.client, timeout=5) as one,
    ):
        before = sockets()
        ended = await one.call(json=LARGE)

        assert (error, "not sent", None, True) == story(ended)
        assert (status, 1) == (ended.status, len(wire.requests))
        await one.check(ended, sent=1, done=0 if kind != "read" else None)
        await one.session.aclose()
        await check_nothing_is_left(wire, before)
        assert server.read < 5_000_000
        assert not wire.requests[0].complete


@every_kind
@with_and_without_tls
async def test_a_reset_while_the_request_is_being_sent_leaves_it_open(
    tls: bool, kind: Kind, contexts: Contexts
) -> None:
    """Without a word: it may have been done."""
    async with (
        contexts.wire(early(reset()), echo(), tls=tls, kind=kind) as wire,
        trial(wire.url, kind, ssl_context=contexts.client, timeout=5) as one,
    ):
        ended = await one.call(json=LARGE)

        if kind == "keyless":
            check_unknown(ended, one, ReadError)
        else:
            assert {"path": "/asked", "n": 2} == ended
            assert ["ReadError", None] == problems(one)
        await one.check(ended, sent=len(wire.requests), done=len(wire.effects))


@every_kind
@with_and_without_tls
async def test_a_refusal_that_a_reset_may_overtake_is_never_taken_for_success(
    tls: bool, kind: Kind, contexts: Contexts
) -> None:
    """If it comes through, it is the answer; if it is lost, the outcome is unknown."""
    refusal = early(Step((http(413), rst)))
    async with (
        contexts.wire(*[refusal] * ATTEMPTS, echo(), tls=tls) as wire,
        trial(wire.url, kind, ssl_context=contexts.client, timeout=5) as one,
    ):
        ended = await one.call(json=LARGE)

        *lost, last = problems(one)
        assert {"ReadError"} >= set(lost)
        assert last in ("APIError", "ReadError")
        if last == "APIError":
            assert (APIError, 413) == (type(ended), ended.status)
        elif kind == "keyless":
            check_unknown(ended, one, ReadError)
        else:
            assert (ReadError, ATTEMPTS) == (type(ended), len(one.records))
        await one.check(ended, sent=len(wire.requests), done=0, next_call=False)
