"""What CleanConnector relies on in aiohttp, and whether it is needed still."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from leavo_async._io.aiohttp_transport import CleanConnector, _Attempt
from leavo_async._io.progress import Progress

pytestmark = pytest.mark.asyncio


class Chatty:
    """A server that answers 42 to everything, and says 666 unasked when it is told to."""

    def __init__(self) -> None:
        self.connections = 0
        self.url = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(42))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.remove(writer)
            writer.close()

    def say(self) -> None:
        """The bytes are in the client's socket when this returns, and its loop does not know of them."""
        for writer in self._writers:
            writer.write(answer(666))


def answer(number: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d" % (len(str(number)), number)


async def idle(server: Chatty) -> None:
    """The loop sees the stray answer when it comes."""
    server.say()
    await asyncio.sleep(0.05)


async def blocked(server: Chatty) -> None:
    """The loop was held by somebody's computation while it came."""
    server.say()
    time.sleep(0.05)  # noqa: ASYNC251


When = Callable[[Chatty], Awaitable[None]]
WHENS = pytest.mark.parametrize("stray", [idle, blocked])


@asynccontextmanager
async def chatty() -> AsyncIterator[Chatty]:
    made = Chatty()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made
        server.close()


async def answers(connector: aiohttp.BaseConnector, server: Chatty, stray: When) -> list[str]:
    """The answers to three requests; after the first the server says something unasked."""
    async with aiohttp.ClientSession(connector=connector) as session:
        first = await _asked(session, server)
        await stray(server)
        return [first, await _asked(session, server), await _asked(session, server)]


async def _asked(session: aiohttp.ClientSession, server: Chatty) -> str:
    async with session.get(server.url) as response:
        return await response.text()


@WHENS
async def test_a_stray_answer_is_nobodys(stray: When) -> None:
    """Whoever asks next gets the own answer, over a connection that is new."""
    async with chatty() as server:
        assert ["42", "42", "42"] == await answers(CleanConnector(), server, stray)

    assert server.connections == 2


@WHENS
async def test_aiohttp_alone_gives_a_stray_answer_to_the_next_request(stray: When) -> None:
    """When this fails, aiohttp has been cured (see aio-libs/aiohttp #13656), and CleanConnector.connect may go."""
    async with chatty() as server:
        assert ["42", "666", "42"] == await answers(aiohttp.TCPConnector(), server, stray)


async def test_a_quiet_connection_is_kept() -> None:
    """Or the cure would cost a connection for each request."""
    async with chatty() as server:
        assert ["42", "42", "42"] == await answers(CleanConnector(), server, lambda _: asyncio.sleep(0.02))

    assert server.connections == 1


async def test_every_kept_connection_is_looked_at() -> None:
    """Also where several have a stray answer waiting."""
    async with chatty() as server, aiohttp.ClientSession(connector=CleanConnector()) as session:
        await asyncio.gather(*(_asked(session, server) for _ in range(5)))
        assert server.connections == 5
        await blocked(server)
        assert ["42"] * 5 == await asyncio.gather(*(_asked(session, server) for _ in range(5)))

    assert server.connections == 10


async def test_a_connection_that_has_broken_is_dropped_too() -> None:
    """What can be read from it is its end; the loop has not seen that either."""
    async with chatty() as server, aiohttp.ClientSession(connector=CleanConnector()) as session:
        await _asked(session, server)
        for writer in server._writers:
            writer.write_eof()
        assert await _asked(session, server) == "42"

    assert server.connections == 2


async def test_what_it_uses_of_aiohttp_is_there() -> None:
    """None of it is documented; a version of aiohttp without it must not be used."""
    assert ["self", "req", "traces", "timeout"] == list(inspect.signature(aiohttp.TCPConnector.connect).parameters)
    assert inspect.iscoroutinefunction(aiohttp.TCPConnector.connect)
    assert isinstance(ResponseHandler.should_close, property)

    seen: list[Any] = []

    class Looking(aiohttp.TCPConnector):
        async def connect(self, req: Any, traces: Any, timeout: Any) -> aiohttp.connector.Connection:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            transport: Any = protocol.transport
            is_open = transport.get_extra_info("socket").fileno() >= 0
            seen.append((type(req), traces, type(timeout), protocol.should_close, is_open))
            return connection

    async with chatty() as server, aiohttp.ClientSession(connector=Looking()) as session:
        await _asked(session, server)

    assert [(aiohttp.ClientRequest, [], aiohttp.ClientTimeout, False, True)] == seen


async def test_the_limits_of_time_come_to_the_connector_as_they_were_given() -> None:
    """So they carry the attempt there, and it is told how far it has got."""
    told: list[str] = []

    class Told(Progress):
        def connecting(self) -> None:
            told.append("connecting")

        def sending(self, socket: Any, writer: Any = None) -> None:
            told.append("sending")

    async with chatty() as server, aiohttp.ClientSession(connector=CleanConnector()) as session:
        for _ in range(2):
            async with session.get(server.url, timeout=_Attempt(Told())):
                pass

    assert ["connecting", "sending"] * 2 == told


async def test_they_are_the_limits_that_aiohttp_looks_at() -> None:
    """One more in a newer aiohttp, with a default of its own, would be seen here."""
    names = list(inspect.signature(aiohttp.ClientTimeout).parameters)
    expected = aiohttp.ClientTimeout(total=None, connect=10, sock_connect=10)
    attempt = _Attempt(Progress())

    assert [getattr(expected, name) for name in names] == [getattr(attempt, name) for name in names]


async def test_polls_of_connections_that_are_gone_are_forgotten() -> None:
    """A session that lives for months must not keep them."""
    connector = CleanConnector()
    async with chatty() as server, aiohttp.ClientSession(connector=connector) as session:
        for _ in range(5):
            await _asked(session, server)
            await blocked(server)
        await _asked(session, server)

    assert server.connections == 6
    assert len(connector._polls) == 1
