"""Real bytes on loopback: what goes over the wire, and what becomes of every way an answer can go wrong."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme

from leavo_async import (
    APIError,
    ConnectError,
    LeavoError,
    ProtocolError,
    ReadError,
    ReadTimeoutError,
    Request,
    ResponseTooLargeError,
    RetryPolicy,
    Session,
    TLSError,
    TransportError,
)
from leavo_async._io.aiohttp_transport import AiohttpTransport
from leavo_async._io.progress import Progress
from leavo_async.apis.leavo import LEAVO

CANARY = "lv_live_CANARY7f3a9b"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
pytestmark = pytest.mark.asyncio

Behaviour = Callable[["Wire", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Wire:
    """A scripted server: it keeps what it received and counts connections."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.heads: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await self.behaviour(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wire(answer: bytes | Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """A server on loopback that answers each request with these bytes, or behaves as told."""

    async def write(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer if isinstance(answer, bytes) else b"")
        await writer.drain()

    served = Wire(write if isinstance(answer, bytes) else answer)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls)
    served.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield served
        server.close()


async def hang_up(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    raise ConnectionError


@asynccontextmanager
async def transport(cap: int = 10_000) -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport(max_body_bytes=cap)
    made.sign({"Authorization": f"Bearer {CANARY}"}, {})
    try:
        yield made
    finally:
        await made.aclose()


def get(wire: Wire, method: str = "GET", *, repeatable: bool = True) -> Request:
    return Request(method, "/x", f"{wire.url}/x?search=%2E%2E", {"X-A": "b"}, None, None, repeatable)


async def failing(answer: bytes | Behaviour, cap: int = 10_000) -> TransportError:
    """The error that this answer ends in."""
    async with wire(answer) as served, transport(cap) as sender:
        with pytest.raises(TransportError) as caught:
            await sender.send(get(served), Progress())
    return caught.value


async def test_a_request_arrives_as_it_was_made() -> None:
    """Its own headers, ours, the key; no cookies; the URL as it was encoded."""
    async with wire(OK) as served, transport() as sender:
        response = await sender.send(get(served), Progress())

    head = served.heads[0].decode()
    assert (response.status, response.body) == (200, b"{}")
    assert head.startswith("GET /x?search=%2E%2E HTTP/1.1\r\n")
    for line in (f"Authorization: Bearer {CANARY}", "X-A: b", "Accept: application/json", "User-Agent: leavo_async"):
        assert f"\r\n{line}\r\n" in head
    assert "Accept-Encoding: gzip, deflate\r\n" in head
    assert "cookie" not in head.lower()


async def test_cookies_are_not_kept() -> None:
    """They would be state that one user of a key leaves to the next."""
    async with wire(OK.replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\n", 1)) as served, transport() as sender:
        served.url = served.url.replace("127.0.0.1", "localhost")  # aiohttp's own jar takes no cookies from an address
        await sender.send(get(served), Progress())
        await sender.send(get(served), Progress())

    assert len(served.heads) == 2
    assert b"cookie" not in served.heads[1].lower()


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stray HTTP_PROXY would take the key to another host."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with wire(OK) as served, transport() as sender:
        assert (await sender.send(get(served), Progress())).status == 200


async def test_a_packed_answer_is_unpacked() -> None:
    """By us, so that a cut or a bomb is seen."""
    body = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    async with wire(head.encode() + body) as served, transport() as sender:
        assert (await sender.send(get(served), Progress())).body == b'{"a": 1}'


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_one_send_is_one_request_on_the_wire(method: str) -> None:
    """Aiohttp alone would quietly send GET, PUT and DELETE a second time after a hang-up."""
    async with wire(hang_up) as served, transport() as sender:
        with pytest.raises(ReadError, match="ServerDisconnectedError"):
            await sender.send(get(served, method), Progress())

    assert len(served.heads) == 1


async def test_what_may_not_be_repeated_has_a_connection_of_its_own() -> None:
    """On a used one nobody can tell whether the server had hung up before it got the request."""
    async with wire(OK) as served, transport() as sender:
        for _ in range(3):
            await sender.send(get(served), Progress())
        assert served.connections == 1
        for _ in range(3):
            await sender.send(get(served, "POST", repeatable=False), Progress())

    assert served.connections == 4


async def test_nothing_listens() -> None:
    """Nothing was sent, and the error says so."""
    async with wire(OK) as served:
        gone = get(served)
    async with transport() as sender:
        with pytest.raises(
            ConnectError, match=r"^GET /x: no connection could be made \(ClientConnectorError"
        ) as caught:
            await sender.send(gone, Progress())

    assert (caught.value.outcome, caught.value.phase) == ("not sent", "connect")


async def test_a_redirect_is_not_followed() -> None:
    """The key would travel to wherever the server points."""
    async with wire(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n") as served:
        session = Session(LEAVO, CANARY, base_url=served.url, allow_insecure_loopback=True, limits=())
        async with session:
            with pytest.raises(ProtocolError, match="redirects are not followed"):
                await session.send("POST", "/x")

    assert len(served.heads) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", ProtocolError),
        (b"HTTP/1.0 200 OK\r\n\r\n[]", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n[]", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", ProtocolError),
        (b"HTTP/1.1 999999 OK\r\n\r\n", ProtocolError),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", ProtocolError),
        (b"HTTP/1.1 200", ReadError),
        (b"HTTP/1.1 200 OK\r\nX-A: ", ReadError),
    ],
)
async def test_a_broken_answer_is_an_error_of_ours(answer: bytes, kind: type[TransportError]) -> None:
    """Cut, unframed, not HTTP: never a short list, never an aiohttp error, never a "400"."""

    async def behave(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        raise ConnectionError

    error = await failing(behave)

    assert kind is type(error)
    # The head of a success was read: it is done, only the description of it is lost.
    assert error.outcome == ("done" if error.status == 200 else "unknown")
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize(
    "head", [b"Content-Length: 20001\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n"]
)
async def test_an_answer_has_a_largest_size(head: bytes) -> None:
    """By its own word, by count while reading, and unpacked."""
    body = b"x" * 20_001
    if b"chunked" in head:
        body = b"4e21\r\n" + body + b"\r\n0\r\n\r\n"
    if b"gzip" in head:
        body = gzip.compress(body)
        head += f"Content-Length: {len(body)}\r\n".encode()

    assert type(await failing(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)) is ResponseTooLargeError


async def test_a_slow_answer_ends_at_the_limit_of_the_attempt() -> None:
    """Also when a byte comes now and then, which no timer of aiohttp's would notice."""

    async def drip(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)

    async with wire(drip) as served:
        session = Session(LEAVO, CANARY, base_url=served.url, allow_insecure_loopback=True, limits=(), timeout=0.1)
        async with session:
            with pytest.raises(ReadTimeoutError):
                await session.send("GET", "/x", retry=RetryPolicy(max_attempts=1))


async def test_a_half_read_connection_is_not_used_again() -> None:
    """Its rest would be taken for the next answer."""
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 20001\r\n\r\nxx", OK]

    async def behave(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[len(wire.heads) - 1])
        await writer.drain()

    async with wire(behave) as served, transport() as sender:
        with pytest.raises(ResponseTooLargeError):
            await sender.send(get(served), Progress())
        assert (await sender.send(get(served), Progress())).body == b"{}"

    assert served.connections == 2


async def test_a_certificate_nobody_vouches_for_is_refused_and_not_tried_again() -> None:
    """There is no switch for it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with wire(OK, context) as served, Session(LEAVO, CANARY, base_url=served.url, limits=()) as session:
        with pytest.raises(TLSError, match="certificate") as caught:
            await session.send("GET", "/x")

    assert (served.heads, len(caught.value.attempts)) == ([], 1)


@pytest.mark.parametrize("status", [200, 400])
async def test_a_key_echoed_as_json_writes_it_is_hidden_too(status: int) -> None:
    """With its slashes escaped, in an error or in a success."""
    key = "sk/abc/CANARY7f3a9b"
    body = b'{"success": false, "error": {"code": "X", "message": "no sk\\/abc\\/CANARY7f3a9b"}}'
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with wire(head + body) as served:
        session = Session(LEAVO, key, base_url=served.url, allow_insecure_loopback=True, limits=())
        async with session:
            with pytest.raises(APIError, match=r"no \[redacted\]") as caught:
                await session.request("GET", "/x")

    assert "CANARY" not in f"{vars(caught.value)} {caught.value.response}"


@pytest.mark.parametrize(
    "echoed",
    ["sk/abc%2BCANARY7f3a9b%3D%3D", "sk%2Fabc%2BCANARY7f3a9b%3D%3D", "sk%2fabc%2bCANARY7f3a9b%3d%3d"],
    ids=["slashes as they are", "slashes too", "small letters"],
)
async def test_a_key_echoed_as_a_url_has_it_is_hidden_too(echoed: str) -> None:
    """Percent-encoded, as in a link to a page about the error, in its body and in its head."""
    body = f'{{"error": {{"code": "X", "message": "see /keys?key={echoed}"}}}}'.encode()
    head = f"HTTP/1.1 400 X\r\nLink: </keys/{echoed}>\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with wire(head + body) as served:
        key = "sk/abc+CANARY7f3a9b=="
        async with Session(LEAVO, key, base_url=served.url, allow_insecure_loopback=True, limits=()) as session:
            with pytest.raises(APIError, match=r"see /keys\?key=\[redacted\]") as caught:
                await session.request("GET", "/x")

    assert "CANARY" not in f"{vars(caught.value)} {caught.value.response}"


async def test_an_answer_to_head_has_no_body() -> None:
    """Whatever its head says about one."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nContent-Encoding: br\r\n\r\n"
    async with wire(head) as served, transport() as sender:
        assert (await sender.send(get(served, "HEAD"), Progress())).body == b""


async def test_the_key_is_shown_by_no_error() -> None:
    """Not even when the server echoes it in head and body."""
    echo = f'{{"error": {{"code": "X", "message": "bad key {CANARY}", "details": {{"key": "{CANARY}"}}}}}}'.encode()
    head = f"HTTP/1.1 401 No\r\nX-Key: {CANARY}\r\nContent-Length: {len(echo)}\r\n\r\n".encode()
    for answer in (head + echo, b"junk\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]", hang_up):
        async with wire(answer) as served:
            session = Session(LEAVO, CANARY, base_url=served.url, allow_insecure_loopback=True, limits=())
            async with session:
                with pytest.raises(LeavoError) as caught:
                    await session.request("GET", "/x", retry=RetryPolicy(max_attempts=1), cast_to=dict[str, int])
        _assert_hidden(caught.value)


def _assert_hidden(error: LeavoError) -> None:
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame.locals for frame in shown.stack if "/tests/" not in frame.filename]
    response: Any = error.response if isinstance(error, APIError) else None
    kept = f"{dict(response.headers)} {response.body}" if response else ""
    assert CANARY not in f"{error} {error!r} {vars(error)} {kept} {frames}"
    assert (error.__cause__, error.__context__) == (None, None)
