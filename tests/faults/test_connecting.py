"""No connection comes about: nothing was sent, so everything may go again, unless asking again cannot help."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import struct
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
import trustme

from leavo_async import (
    ConfigError,
    ConnectError,
    ConnectTimeoutError,
    DeadlineError,
    ReadTimeoutError,
    RetryPolicy,
    Session,
    TLSError,
)
from leavo_async._io import aiohttp_transport
from leavo_async.apis.leavo import LEAVO

from .judge import CANARY, KINDS, Kind, Trial, check_hidden, trial
from .wire import Line, Received, Step, Wire, echo, echoes, fin, http, ignore, rst, stall

pytestmark = pytest.mark.asyncio

NAME = "leavo.invalid"  # no such host will ever be: RFC 6761 §6.4
ATTEMPTS = RetryPolicy().max_attempts
every_kind = pytest.mark.parametrize("kind", KINDS)


# A server that lets nobody in at first


class Shut(Wire):
    """A wire to which no request comes before `let_in()`.

    trouble: what happens to those who try until then.
    tried: connections that came as far as being accepted until then.
    """

    def __init__(self, trouble: Trouble, *steps: Step, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(*steps, tls=tls)
        self.tried = 0
        self.listener = socket.socket()
        self.others: list[socket.socket] = []
        self._trouble = trouble
        self._troubled: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None

    def let_in(self, _: object = None) -> None:
        """From now on everything is well."""
        if self._opening is None:
            if self._troubled is not None:
                self._troubled.cancel()
            self.listener.listen(100)  # at once: whoever knocks from now on waits in this queue
            self._opening = asyncio.create_task(self._server.start_serving())

    async def __aenter__(self) -> Self:
        self.listener.setblocking(False)
        self.listener.bind(("127.0.0.1", 0))
        self._server = await asyncio.start_server(
            self._accepted, sock=self.listener, ssl=self._tls, start_serving=False
        )
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self.listener.getsockname()[1]}"
        await self._trouble(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._troubled, self._opening):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        for other in self.others:
            other.close()
        await super().__aexit__()

    def begin(self, act: Peer) -> None:
        self.listener.listen(100)
        self._troubled = asyncio.create_task(self._do_to_all(act))

    async def _do_to_all(self, act: Peer) -> None:
        loop = asyncio.get_running_loop()
        while True:
            other, _ = await loop.sock_accept(self.listener)
            self.tried += 1
            self.others.append(other)
            with suppress(ConnectionError):
                await act(other)


Trouble = Callable[[Shut], Awaitable[None]]
Peer = Callable[[socket.socket], Awaitable[None]]


async def refuses(shut: Shut) -> None:
    """The port is taken, so nobody else can listen there, and does not listen."""


async def does_not_answer(shut: Shut) -> None:
    """Its queue is full: the system drops whatever knocks."""
    shut.listener.listen(0)
    loop = asyncio.get_running_loop()
    with suppress(TimeoutError):
        while True:
            shut.others.append(socket.socket())
            shut.others[-1].setblocking(False)
            async with asyncio.timeout(0.02):
                await loop.sock_connect(shut.others[-1], shut.listener.getsockname())


def accepts_and(act: Peer) -> Trouble:
    async def trouble(shut: Shut) -> None:
        shut.begin(act)

    return trouble


async def after_the_hello(other: socket.socket) -> None:
    assert await asyncio.get_running_loop().sock_recv(other, 65536)


async def holds(other: socket.socket) -> None:
    await after_the_hello(other)


async def resets(other: socket.socket) -> None:
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()


async def resets_after_the_hello(other: socket.socket) -> None:
    await after_the_hello(other)
    await resets(other)


async def hangs_up(other: socket.socket) -> None:
    other.close()


async def hangs_up_after_the_hello(other: socket.socket) -> None:
    await after_the_hello(other)
    other.close()


def says(raw: bytes) -> Peer:
    async def act(other: socket.socket) -> None:
        await after_the_hello(other)
        await asyncio.get_running_loop().sock_sendall(other, raw)
        other.close()

    return act


def alert(description: int) -> bytes:
    """A fatal alert of TLS 1.0 or later (RFC 8446 §6)."""
    return bytes([21, 3, 1, 0, 2, 2, description])


@dataclass(frozen=True)
class Trusted:
    """A certificate authority, and the context of a client that trusts it."""

    authority: trustme.CA
    client: ssl.SSLContext

    def server(self, *names: str, **options: Any) -> ssl.SSLContext:
        """A server's context; 127.0.0.1 unless there are other names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or ("127.0.0.1",)), **options).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def trusted() -> Trusted:
    authority, client = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(client)
    return Trusted(authority, client)


def limit_of(error: type[Exception]) -> float:
    """Seconds for an attempt: few where they are what ends it, many where they must not be."""
    return 0.05 if error is ConnectTimeoutError else 5


@dataclass(frozen=True)
class Row:
    """What goes wrong while connecting, and the error that it is."""

    trouble: Trouble
    error: type[ConnectError]
    tls: bool = False

    @property
    def limit(self) -> float:
        return limit_of(self.error)

    def shut(self, trusted: Trusted) -> Shut:
        return Shut(self.trouble, tls=trusted.server() if self.tls else None)


PASSING = {
    "the port is refused": Row(refuses, ConnectError),
    "the port of https is refused": Row(refuses, ConnectError, tls=True),
    "nobody answers the knocking": Row(does_not_answer, ConnectTimeoutError),
    "reset as soon as accepted": Row(accepts_and(resets), ConnectError, tls=True),
    "reset in the TLS handshake": Row(accepts_and(resets_after_the_hello), ConnectError, tls=True),
    "the TLS handshake hangs": Row(accepts_and(holds), ConnectTimeoutError, tls=True),
}
DOUBTFUL = {
    "hung up as soon as accepted": Row(accepts_and(hangs_up), ConnectError, tls=True),
    "TLS 1.1 at most, and hangs up": Row(accepts_and(hangs_up_after_the_hello), ConnectError, tls=True),
}
LASTING = {
    "TLS 1.1 at most, and says so": Row(accepts_and(says(alert(70))), TLSError, tls=True),
    "no cipher in common": Row(accepts_and(says(alert(40))), TLSError, tls=True),
    "plain HTTP, and says so": Row(accepts_and(says(http(400))), TLSError, tls=True),
}
passing = pytest.mark.parametrize("row", PASSING.values(), ids=PASSING)


@every_kind
@pytest.mark.parametrize("row", (PASSING | DOUBTFUL).values(), ids=PASSING | DOUBTFUL)
async def test_what_could_not_connect_is_sent_as_soon_as_it_can(row: Row, kind: Kind, trusted: Trusted) -> None:
    """Nothing was sent, so even what must not be done twice goes again."""
    async with (
        row.shut(trusted) as server,
        trial(server.url, kind, ssl_context=trusted.client, observers=[server.let_in], later=5) as one,
    ):
        ended = await one.call(timeout=row.limit)

        assert {"path": "/asked", "n": 1} == ended
        assert [row.error.__name__, None] == [record.problem for record in one.records]
        await one.check(ended, sent=1, done=len(server.effects))


@every_kind
@passing
async def test_what_can_never_connect_ends_with_the_fourth_attempt(row: Row, kind: Kind, trusted: Trusted) -> None:
    """The error says that nothing was sent, and that it can be sent later."""
    async with (
        row.shut(trusted) as server,
        trial(server.url, kind, ssl_context=trusted.client, timeout=5) as one,
    ):
        ended = await one.call(timeout=row.limit)

        assert (row.error, "not sent", "connect", True) == story(ended)
        assert [row.error.__name__] * ATTEMPTS == [record.problem for record in ended.attempts]
        assert [] == server.requests
        server.let_in()
        await one.check(ended, sent=0, done=len(server.effects))


@every_kind
@pytest.mark.parametrize("row", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_a_server_that_hangs_up_in_the_tls_handshake_is_asked_twice(
    row: Row, kind: Kind, trusted: Trusted
) -> None:
    """It may be going down just now; if it speaks no TLS that is safe, it would hang up each time."""
    async with row.shut(trusted) as server, trial(server.url, kind, ssl_context=trusted.client, timeout=5) as one:
        ended = await one.call()

        check_hung_up(ended)
        assert (2, []) == (server.tried, server.requests)
        server.let_in()
        await one.check(ended, sent=0, done=len(server.effects))


def check_hung_up(ended: Any) -> None:
    assert (ConnectError, "not sent", "connect", True) == story(ended)
    assert "the server hung up in the TLS handshake; perhaps it speaks no TLS 1.2" in str(ended)
    assert "certificate" not in str(ended)
    assert 2 == len(ended.attempts)


@every_kind
@pytest.mark.parametrize("row", LASTING.values(), ids=LASTING)
async def test_a_server_without_tls_that_is_safe_is_asked_once(row: Row, kind: Kind, trusted: Trusted) -> None:
    """It would say the same the next time."""
    async with row.shut(trusted) as server, trial(server.url, kind, ssl_context=trusted.client, timeout=5) as one:
        ended = await one.call()

        assert (TLSError, "not sent", "connect", True) == story(ended)
        assert (1, 1, []) == (len(ended.attempts), server.tried, server.requests)
        server.let_in()
        await one.check(ended, sent=0, done=len(server.effects))


def story(error: Any) -> tuple[Any, ...]:
    return type(error), error.outcome, getattr(error, "phase", None), error.safe_to_retry


@every_kind
@pytest.mark.parametrize("row", [PASSING[name] for name in PASSING if "nobody" in name or "hangs" in name])
async def test_connecting_takes_ten_seconds_at_most(
    row: Row, kind: Kind, trusted: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long an attempt may take: here they are 0.05 s of 5."""
    for limit in ("connect", "sock_connect"):
        monkeypatch.setattr(aiohttp_transport._Attempt, limit, 0.05)
    policy = RetryPolicy(max_attempts=1)
    async with (
        row.shut(trusted) as server,
        trial(server.url, kind, ssl_context=trusted.client, timeout=5, retry=policy) as one,
    ):
        began = asyncio.get_running_loop().time()
        ended = await one.call()

        assert (ConnectTimeoutError, "not sent", "connect", True) == story(ended)
        assert asyncio.get_running_loop().time() - began < 2
        assert [] == server.requests
        await one.check(ended, sent=0, done=0, next_call=False)


# Certificates


def unknown_authority(trusted: Trusted) -> ssl.SSLContext:
    return Trusted(trustme.CA(), trusted.client).server()


def self_signed(trusted: Trusted) -> ssl.SSLContext:
    context, authority = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trustme.CA()
    with authority.cert_pem.tempfile() as cert, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    return context


def another_host(trusted: Trusted) -> ssl.SSLContext:
    return trusted.server("127.0.0.2", NAME)


def of_last_year(trusted: Trusted) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return trusted.server(not_before=now - timedelta(365), not_after=now - timedelta(1))


def of_tomorrow(trusted: Trusted) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return trusted.server(not_before=now + timedelta(1), not_after=now + timedelta(365))


def no_tls_above_1_1(trusted: Trusted) -> ssl.SSLContext:
    context = trusted.server()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


CERTIFICATES = {
    "of an unknown authority": unknown_authority,
    "signed by itself": self_signed,
    "for another host": another_host,
    "that has expired": of_last_year,
    "that is not valid yet": of_tomorrow,
}


@every_kind
@pytest.mark.parametrize("made", CERTIFICATES.values(), ids=CERTIFICATES)
async def test_a_certificate_that_proves_nothing_is_refused_once(
    made: Callable[[Trusted], ssl.SSLContext], kind: Kind, trusted: Trusted
) -> None:
    """It may be somebody else's: nothing is sent, and nobody tries until it works. With a good one it goes on."""
    context = made(trusted)
    async with Wire(tls=context) as wire, trial(wire.url, kind, ssl_context=trusted.client, timeout=5) as one:
        ended = await one.call()

        assert (TLSError, "not sent", "connect", True) == story(ended)
        assert "certificate or TLS version was refused" in str(ended)
        assert (1, []) == (len(ended.attempts), wire.requests)
        trusted.authority.issue_cert("127.0.0.1").configure_cert(context)
        await one.check(ended, sent=0, done=len(wire.effects))


@every_kind
async def test_a_real_server_of_tls_1_1_is_asked_twice(kind: Kind, trusted: Trusted) -> None:
    """Python's own hangs up without a word, so it cannot be told from one that is going down."""
    context = no_tls_above_1_1(trusted)
    async with Wire(tls=context) as wire, trial(wire.url, kind, ssl_context=trusted.client, timeout=5) as one:
        ended = await one.call()

        check_hung_up(ended)
        assert [] == wire.requests
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        await one.check(ended, sent=0, done=len(wire.effects))


# http:// where https:// is spoken


@pytest.mark.parametrize("options", [{}, {"allow_insecure_loopback": False}], ids=["by default", "told so"])
async def test_http_is_refused_before_anybody_is_asked(options: dict[str, Any], trusted: Trusted) -> None:
    """The key would travel in clear text, if only to find out that it does not help."""
    async with Wire(tls=trusted.server()) as wire:
        with pytest.raises(ConfigError, match="is not encrypted") as found:
            Session(LEAVO, CANARY, base_url=wire.url.replace("https", "http"), **options)

        check_hidden(found.value, [])
        assert (0, []) == (wire.connections, wire.requests)


@pytest.mark.parametrize("host", ["api.leavo.invalid", "10.0.0.1", "127.0.0.1.leavo.invalid", "localhost.invalid"])
async def test_http_to_another_machine_is_refused_always(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is allowed for a sandbox on this machine is allowed for nobody else."""
    names = Names(monkeypatch, OSError("looked up"))
    with pytest.raises(ConfigError, match="is not encrypted"):
        Session(LEAVO, CANARY, base_url=f"http://{host}", allow_insecure_loopback=True)

    assert [] == names.asked


# Names


class Names:
    """The system's resolver, scripted: an answer for each look-up, the last one for ever.

    An answer is a list of addresses, an error, or an event to wait for before the next answer.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str] | Exception | asyncio.Event) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        loop: Any = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", self._getaddrinfo)

    async def _getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        answer = self._next()
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = self._next()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, list)
        return [_address(each, port) for each in answer]

    def _next(self) -> list[str] | Exception | asyncio.Event:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def _address(host: str, port: int) -> Any:
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))


def named(wire: Wire) -> str:
    return wire.url.replace("127.0.0.1", NAME)


NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
NO_ADDRESS = socket.gaierror(getattr(socket, "EAI_NODATA", socket.EAI_NONAME), "No address associated with hostname")
NOT_NOW = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NO_SYSTEM = socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution")
IMPOSSIBLE = UnicodeError("label empty or too long")
FAILURES = {
    "there is no such name": (NO_NAME, 2),
    "the name has no address": (NO_ADDRESS, 2),
    "the name server does not answer just now": (NOT_NOW, ATTEMPTS),
    "the name server has failed": (NO_SYSTEM, ATTEMPTS),
    "it cannot be a name": (IMPOSSIBLE, 2),
}


@every_kind
@pytest.mark.parametrize("failure", [failure for failure, _ in FAILURES.values()], ids=FAILURES)
async def test_a_name_that_is_not_found_is_looked_up_again(
    failure: Exception, kind: Kind, trusted: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be there the second time."""
    async with (
        Wire(tls=trusted.server(NAME)) as wire,
        trial(named(wire), kind, ssl_context=trusted.client, timeout=5) as one,
    ):
        names = Names(monkeypatch, failure, ["127.0.0.1"])
        ended = await one.call()

        assert {"path": "/asked", "n": 1} == ended
        assert (["ConnectError", None], 2) == ([record.problem for record in one.records], len(names.asked))
        await one.check(ended, sent=1, done=len(wire.effects))


@every_kind
@pytest.mark.parametrize(("failure", "asked"), FAILURES.values(), ids=FAILURES)
async def test_a_name_that_is_never_found_is_given_up(
    failure: Exception, asked: int, kind: Kind, trusted: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that does not exist is believed the second time; a server of names that fails may work the fourth time."""
    async with (
        Wire(tls=trusted.server(NAME)) as wire,
        trial(named(wire), kind, ssl_context=trusted.client, timeout=5) as one,
    ):
        names = Names(monkeypatch, failure)
        ended = await one.call()

        assert (ConnectError, "not sent", "connect", True) == story(ended)
        assert [NAME] * asked == names.asked
        assert (asked, 0) == (len(ended.attempts), wire.connections)
        assert ("check base_url" in str(ended)) is (failure in (NO_NAME, NO_ADDRESS))
        Names(monkeypatch, ["127.0.0.1"])
        await one.check(ended, sent=0, done=len(wire.effects))


@every_kind
async def test_a_look_up_that_takes_too_long_is_waited_for_by_the_next_attempt(
    kind: Kind, trusted: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one look-up for all who wait: each would hold a thread of the process until the system gives it up."""
    found = asyncio.Event()
    async with (
        Wire(tls=trusted.server(NAME)) as wire,
        trial(named(wire), kind, ssl_context=trusted.client, observers=[lambda _: found.set()], later=5) as one,
    ):
        names = Names(monkeypatch, found, ["127.0.0.1"])
        ended = await one.call(timeout=0.05)

        assert {"path": "/asked", "n": 1} == ended
        assert ["ConnectTimeoutError", None] == [record.problem for record in one.records]
        assert [NAME] == names.asked
        await one.check(ended, sent=1, done=len(wire.effects))


@every_kind
async def test_a_look_up_that_never_ends_is_given_up(
    kind: Kind, trusted: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt ends in time, and nothing was sent."""
    found = asyncio.Event()
    async with (
        Wire(tls=trusted.server(NAME)) as wire,
        trial(named(wire), kind, ssl_context=trusted.client, timeout=5) as one,
    ):
        Names(monkeypatch, found, ["127.0.0.1"])
        ended = await one.call(timeout=0.05)

        assert (ConnectTimeoutError, "not sent", "connect", True) == story(ended)
        assert (ATTEMPTS, 0) == (len(ended.attempts), wire.connections)
        found.set()
        await one.check(ended, sent=0, done=len(wire.effects))


async def test_a_session_closes_while_a_look_up_hangs(trusted: Trusted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it, and no task is left."""
    before = asyncio.all_tasks()
    async with trial(f"https://{NAME}", "read", ssl_context=trusted.client, timeout=0.05) as one:
        Names(monkeypatch, asyncio.Event())
        ended = await one.call(retry=RetryPolicy(max_attempts=1))

    assert ConnectTimeoutError is type(ended)
    await asyncio.sleep(0)
    assert before == asyncio.all_tasks()


# Several addresses


async def dead(trouble: Trouble, wire: Wire) -> Shut:
    """What is at another address of this machine, on the port of the wire."""
    shut = Shut(trouble)
    shut.listener.bind(("127.0.0.2", int(wire.url.rsplit(":", 1)[1])))
    await trouble(shut)
    return shut


ADDRESSES = {
    "the first refuses": (refuses, ["127.0.0.2", "127.0.0.1"]),
    "the first does not answer": (does_not_answer, ["127.0.0.2", "127.0.0.1"]),
    "IPv6 does not work": (refuses, ["::1", "127.0.0.1"]),
}


@every_kind
@pytest.mark.parametrize(("trouble", "addresses"), ADDRESSES.values(), ids=ADDRESSES)
async def test_of_several_addresses_one_that_works_is_enough(
    trouble: Trouble, addresses: list[str], kind: Kind, trusted: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first attempt, with less than a second more."""
    async with Wire(tls=trusted.server(NAME)) as wire:
        nobody = await dead(trouble, wire)
        async with trial(named(wire), kind, ssl_context=trusted.client, timeout=1) as one:
            names = Names(monkeypatch, addresses)
            ended = await one.call()

            assert {"path": "/asked", "n": 1} == ended
            assert ([NAME], [200]) == (names.asked, [record.status for record in one.records])
            await one.check(ended, sent=1, done=len(wire.effects))
        for each in (nobody.listener, *nobody.others):
            each.close()


# No slot


@every_kind
async def test_who_waits_for_a_slot_until_the_deadline_is_told_so(kind: Kind) -> None:
    """It is not said to be the network's fault: nothing was sent, and no attempt was made."""
    async with Wire(stall(), echo()) as wire, trial(wire.url, kind, max_in_flight=1, timeout=5) as one:
        first = asyncio.create_task(one.call("/first", deadline=0.2))
        await arrived(wire)
        ended = await one.call(deadline=0.05)

        assert (DeadlineError, "not sent", "queue", True) == story(ended)
        assert ((), []) == (ended.attempts, one.records)
        assert ["/first"] == [request.path for request in wire.requests]
        assert ("unknown", "read") == ((await first).outcome, (await first).phase)
        one.records.clear()
        await one.check(ended, sent=0, done=0)


@every_kind
async def test_waiting_for_a_slot_is_no_part_of_an_attempt(kind: Kind) -> None:
    """Who waits longer than an attempt may take is sent all the same, when its turn has come."""
    once = RetryPolicy(max_attempts=1)
    async with Wire(stall(), echo()) as wire, trial(wire.url, kind, max_in_flight=1) as one:
        first = asyncio.create_task(one.call("/first", timeout=0.2, retry=once))
        await arrived(wire)
        ended = await one.call(timeout=0.15, retry=once)

        assert {"path": "/asked", "n": 2} == ended
        assert ["ReadTimeoutError", None] == [record.problem for record in one.records]
        assert ReadTimeoutError.__name__ in str(one.records[0])
        await first
        await one.check(ended, sent=2, done=len(wire.effects))


@every_kind
async def test_nobody_waits_for_a_connection_that_another_call_has(kind: Kind) -> None:
    """There are as many as there are slots, so there is one queue alone."""
    async with Wire(*[stall()] * 4, echo()) as wire, trial(wire.url, kind, max_in_flight=5, timeout=5) as one:
        others = [asyncio.create_task(one.call("/other", deadline=0.2)) for _ in range(4)]
        await arrived(wire, 4)
        ended = await one.call()

        assert {"path": "/asked", "n": 5} == ended
        assert {False} == {other.done() for other in others}
        assert [(DeadlineError, "unknown")] * 4 == [(type(await other), (await other).outcome) for other in others]
        await one.check(ended, sent=5, done=len(wire.effects))


async def arrived(wire: Wire, count: int = 1) -> None:
    async with asyncio.timeout(5):
        while len(wire.requests) < count:
            await asyncio.sleep(0.001)


@every_kind
async def test_who_connects_until_the_deadline_is_told_so(kind: Kind) -> None:
    """Nothing was sent."""
    async with Shut(does_not_answer) as server, trial(server.url, kind, timeout=5) as one:
        ended = await one.call(deadline=0.05)

        assert (DeadlineError, "not sent", "connect", True) == story(ended)
        server.let_in()
        await one.check(ended, sent=0, done=len(server.effects))


# Proxies


async def serves(line: Line, request: Received) -> None:
    """A proxy makes the tunnel, and who is at its other end answers. Here they are one."""
    if request.method != "CONNECT":
        await echoes(line, request)
        return
    await line.do(b"HTTP/1.1 200 Connection established\r\n\r\n", request)
    assert isinstance(line.wire, Proxy)
    await line.writer.start_tls(line.wire.beyond)
    line.writer.transport.set_write_buffer_limits(high=1, low=0)


class Proxy(Shut):
    """An HTTP proxy, that ends its tunnels in itself; after `steps`, all is well.

    beyond: the TLS of those at the other end.
    """

    def __init__(self, beyond: ssl.SSLContext, *steps: Step, trouble: Trouble | None = None) -> None:
        super().__init__(trouble or let_all_in, *steps, Step((serves,), commits=True))
        self.beyond = beyond

    @property
    def tunnels(self) -> int:
        """How many were asked for."""
        return sum(request.method == "CONNECT" for request in self.requests)

    @property
    def sent(self) -> list[Received]:
        """What went through tunnels."""
        return [request for request in self.requests if request.method != "CONNECT"]


async def let_all_in(shut: Shut) -> None:
    shut.let_in()


@pytest.fixture
def use_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the environment name it, with a password unless told otherwise."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def use(proxy: Proxy, login: str = f"user:{CANARY}@") -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", f"//{login}"))

    return use


BASIC = base64.b64encode(f"user:{CANARY}".encode()).decode()
THROUGH = f"https://{NAME}"  # only the proxy looks it up


def check_proxy(ended: Any, one: Trial, proxy: Proxy) -> None:
    """The password is nowhere but in the proxy's hands, and the key nowhere but in the server's."""
    check_hidden(ended, one.log, secret=BASIC)
    for request in proxy.requests:
        words = " ".join(request.headers.values())
        is_for_proxy = request.method == "CONNECT"
        assert (is_for_proxy, not is_for_proxy) == (BASIC in words, CANARY in words)


@dataclass(frozen=True)
class Hop:
    """What the proxy does instead of making a tunnel, the error that it is, and how often it is asked in vain."""

    step: Step | Trouble
    error: type[ConnectError] | type[ConfigError]
    asked: int = ATTEMPTS

    @property
    def limit(self) -> float:
        return limit_of(self.error)

    def proxy(self, trusted: Trusted, times: int) -> Proxy:
        """times: how often it goes wrong."""
        if isinstance(self.step, Step):
            return Proxy(trusted.server(NAME), *[self.step] * times)
        return Proxy(trusted.server(NAME), trouble=self.step)


HOPS = {
    "nobody is there": Hop(refuses, ConnectError),
    "it does not answer the knocking": Hop(does_not_answer, ConnectTimeoutError),
    "502": Hop(Step((http(502),)), ConnectError),
    "503 and the end": Hop(Step((http(503), fin)), ConnectError),
    "403": Hop(Step((http(403),)), ConnectError),
    "it hangs up": Hop(Step((fin,)), ConnectError),
    "it resets": Hop(Step((rst,)), ConnectError),
    "it hangs": Hop(Step((ignore,)), ConnectTimeoutError),
    "it speaks no HTTP": Hop(Step((b"\x05\x00 no HTTP\r\n\r\n", fin)), ConnectError, asked=2),
}
hops = pytest.mark.parametrize("hop", HOPS.values(), ids=HOPS)


@every_kind
@hops
async def test_what_the_proxy_did_not_pass_on_is_sent_again(
    hop: Hop, kind: Kind, trusted: Trusted, use_proxy: Callable[..., None]
) -> None:
    """Nothing came through, so even what must not be done twice goes again."""
    async with hop.proxy(trusted, times=1) as proxy:
        use_proxy(proxy)
        options = {"ssl_context": trusted.client, "trust_env": True, "observers": [proxy.let_in], "later": 5}
        async with trial(THROUGH, kind, **options) as one:
            ended = await one.call(timeout=hop.limit)

            assert "/asked" == ended["path"]
            assert [hop.error.__name__, None] == [record.problem for record in one.records]
            check_proxy(ended, one, proxy)
            await one.check(ended, sent=len(proxy.sent), done=len(proxy.effects))


@every_kind
@hops
async def test_a_proxy_that_never_makes_a_tunnel_is_given_up(
    hop: Hop, kind: Kind, trusted: Trusted, use_proxy: Callable[..., None]
) -> None:
    """The error says that nothing was sent, and does not show the proxy's password."""
    async with hop.proxy(trusted, times=hop.asked) as proxy:
        use_proxy(proxy)
        async with trial(THROUGH, kind, ssl_context=trusted.client, trust_env=True, timeout=5) as one:
            ended = await one.call(timeout=hop.limit)

            assert (hop.error, "not sent", "connect", True) == story(ended)
            assert (hop.asked, []) == (len(ended.attempts), proxy.sent)
            assert proxy.tunnels == (hop.asked if isinstance(hop.step, Step) else 0)
            check_proxy(ended, one, proxy)
            proxy.let_in()
            await one.check(ended, sent=0, done=len(proxy.effects))


@every_kind
async def test_a_proxy_is_not_told_the_key(kind: Kind, trusted: Trusted, use_proxy: Callable[..., None]) -> None:
    """One that wants no password hears where the tunnel goes, and nothing else of the request."""
    async with Proxy(trusted.server(NAME)) as proxy:
        use_proxy(proxy, login="")
        async with trial(THROUGH, kind, ssl_context=trusted.client, trust_env=True, timeout=5) as one:
            ended = await one.call()

            assert {"path": "/asked", "n": 2} == ended
            asked, sent = proxy.requests
            assert ("CONNECT", f"{NAME}:443") == (asked.method, asked.path)
            assert {"authorization", "proxy-authorization", "idempotency-key", "content-type"}.isdisjoint(asked.headers)
            assert f"Bearer {CANARY}" == sent.headers["authorization"]
            await one.check(ended, sent=1, done=len(proxy.effects))


@every_kind
async def test_a_proxy_that_wants_another_password_is_asked_once(
    kind: Kind, trusted: Trusted, use_proxy: Callable[..., None]
) -> None:
    """Some lock an account after a few bad tries."""
    refusal = http(407, proxy_authenticate='Basic realm="x"')
    async with Proxy(trusted.server(NAME), Step((refusal,))) as proxy:
        use_proxy(proxy)
        async with trial(THROUGH, kind, ssl_context=trusted.client, trust_env=True, timeout=5) as one:
            ended = await one.call()

            assert (ConfigError, "not sent", None, True) == story(ended)
            assert "the proxy wants another user name or password (status 407)" in str(ended)
            assert (1, 1, []) == (len(ended.attempts), proxy.tunnels, proxy.sent)
            check_proxy(ended, one, proxy)
            await one.check(ended, sent=0, done=len(proxy.effects))


@every_kind
async def test_a_proxy_that_reads_along_is_refused_once(
    kind: Kind, trusted: Trusted, use_proxy: Callable[..., None]
) -> None:
    """It has a certificate of its own for everybody; the key is not sent to it."""
    async with Proxy(unknown_authority(trusted)) as proxy:
        use_proxy(proxy)
        async with trial(THROUGH, kind, ssl_context=trusted.client, trust_env=True, timeout=5) as one:
            ended = await one.call()

            assert (TLSError, "not sent", "connect", True) == story(ended)
            assert (1, 1, []) == (len(ended.attempts), proxy.tunnels, proxy.sent)
            check_proxy(ended, one, proxy)
            proxy.beyond = trusted.server(NAME)
            await one.check(ended, sent=0, done=len(proxy.effects))
