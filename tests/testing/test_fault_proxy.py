"""The bad network for users' own tests: each of its faults, on real sockets."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trustme

from leavo_async import LeavoClient, RetryPolicy
from leavo_async.sandbox import Sandbox
from leavo_async.testing import FaultProxy, Weather

pytestmark = pytest.mark.asyncio

Until = Callable[[Callable[[], object]], Awaitable[None]]
SILENCE = 0.05  # seconds without a byte, on loopback


def reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class Server:
    """Answers every chunk with the same bytes, and notes what it saw: bytes, and how each connection ended."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.ends: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(65536):
                self.chunks.append(data)
                writer.write(data)
                await writer.drain()
            self.ends.append("end")
        except ConnectionError:
            self.ends.append("reset")
        finally:
            writer.close()

    @property
    def received(self) -> bytes:
        return b"".join(self.chunks)

    def reset(self) -> None:
        for writer in self.writers:
            reset(writer)


class Pipe:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await self.reader.readexactly(len(data))

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def everything(self) -> bytes:
        """What comes until the end; ConnectionResetError for a reset."""
        return await self.reader.read()

    async def is_silent(self) -> bool:
        try:
            async with asyncio.timeout(SILENCE):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, **options)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server
        for writer in server.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def dialled(proxy: FaultProxy, **options: Any) -> AsyncIterator[Pipe]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rsplit(":", 1)[1]), **options)
    try:
        yield Pipe(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture
def until() -> Until:
    """Let the loop run until something is so."""

    async def until(is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(2):
            while not is_so():
                await asyncio.sleep(0.001)

    return until


async def seconds(awaitable: Awaitable[object]) -> float:
    start = asyncio.get_running_loop().time()
    await awaitable
    return asyncio.get_running_loop().time() - start


async def test_in_fine_weather_everything_passes_and_is_counted(until: Until) -> None:
    """Bytes, and the end of each side: what was said last is still answered."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        assert await pipe.ask(b"hello") == b"hello"
        assert (proxy.connections, proxy.open, proxy.bytes_up, proxy.bytes_down) == (1, 1, 5, 5)

        pipe.writer.write(b"bye")
        pipe.writer.write_eof()
        assert await pipe.everything() == b"bye"

        await until(lambda: proxy.open == 0)
        assert (proxy.connections, server.ends) == (1, ["end"])


async def test_much_passes_unchanged_to_a_client_that_reads_late() -> None:
    """Also what is still under way when the server has ended."""
    data = bytes(range(256)) * 24576
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy, limit=1000) as pipe:
        pipe.writer.write(data)
        pipe.writer.write_eof()
        await asyncio.sleep(0.1)
        assert await pipe.everything() == data

    assert (proxy.bytes_up, proxy.bytes_down) == (len(data), len(data))


async def test_a_reset_by_the_server_reaches_the_client() -> None:
    """And not as an end, which clients treat differently."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        await pipe.ask(b"hello")
        server.reset()
        with pytest.raises(ConnectionResetError):
            await pipe.everything()


async def test_a_server_that_is_not_there_is_a_reset() -> None:
    """The proxy has accepted already, and cannot refuse any more."""
    async with serving() as server:
        pass
    async with FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        with pytest.raises(ConnectionResetError):
            await pipe.everything()


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_latency_holds_back_each_chunk(direction: str) -> None:
    """In the direction that it is set for."""
    weather: dict[str, Any] = {direction: Weather(latency=0.05)}
    async with serving() as server, FaultProxy(server.url, **weather) as proxy, dialled(proxy) as pipe:
        assert await seconds(pipe.ask(b"hello")) >= 0.05
        assert await seconds(pipe.ask(b"again")) >= 0.05


async def test_what_follows_soon_arrives_soon_after() -> None:
    """A long way is not a narrow one: what is sent while a chunk is under way does not wait for its arrival."""
    async with serving() as server, FaultProxy(server.url, up=Weather(latency=0.1)) as proxy, dialled(proxy) as pipe:

        async def talk() -> None:
            for _ in range(10):
                await pipe.say(b"x")
                await asyncio.sleep(0.005)
            await pipe.reader.readexactly(10)

        assert await seconds(talk()) < 10 * 0.1
        assert len(server.chunks) > 5


async def test_jitter_makes_latency_more_or_less_and_keeps_the_order() -> None:
    """Seed 26 draws nearly the whole jitter for the first chunk, and less than none for the next two."""
    weather = Weather(latency=0.05, jitter=0.05)
    async with serving() as server, FaultProxy(server.url, up=weather, seed=26) as proxy, dialled(proxy) as pipe:

        async def talk() -> None:
            for letter in (b"a", b"b", b"c"):
                pipe.writer.write(letter)
                await asyncio.sleep(0.01)
            await pipe.reader.readexactly(3)

        assert await seconds(talk()) >= 0.095
        assert server.received == b"abc"


async def test_a_throttle_holds_for_each_connection() -> None:
    """20,000 bytes a second: of 4,000 bytes, the last 1,000 may leave after 150 ms."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe, dialled(proxy) as other:
        proxy.down = Weather(bytes_per_second=20_000)
        both = asyncio.gather(pipe.ask(b"x" * 4000), other.ask(b"y" * 4000))
        assert 0.149 <= await seconds(both) < 0.349  # which is what it would be for both together


async def test_slices_are_segments_of_their_own() -> None:
    """A reader on the same loop sees each of them, whatever its buffer."""
    sizes: list[int] = []
    in_twos = Weather(slice_bytes=2)
    async with serving() as server, FaultProxy(server.url, down=in_twos) as proxy, dialled(proxy) as pipe:
        await pipe.say(b"1234567")
        while sum(sizes) < 7:
            sizes.append(len(await pipe.reader.read(100)))

    assert sizes == [2, 2, 2, 1]
    assert server.received == b"1234567"


@pytest.mark.parametrize("after", [0, 3, 5])
async def test_an_answer_is_cut_after_so_many_bytes(after: int, until: Until) -> None:
    """Both sides see the end, and no reset; what the client says then goes nowhere."""
    cut = Weather(cut_after=after)
    async with serving() as server, FaultProxy(server.url, down=cut) as proxy, dialled(proxy) as pipe:
        await pipe.say(b"hello")
        assert await pipe.everything() == b"hello"[:after]
        await pipe.say(b"hello?")
        await until(lambda: server.ends == ["end"])
        await asyncio.sleep(SILENCE)
        assert (pipe.reader.exception(), proxy.open) == (None, 1)

    assert (server.received, proxy.bytes_down) == (b"hello", after)


@pytest.mark.parametrize("after", [0, 3, 5])
async def test_an_answer_is_reset_after_so_many_bytes(after: int, until: Until) -> None:
    """Both sides see the reset."""
    broken = Weather(reset_after=after)
    async with serving() as server, FaultProxy(server.url, down=broken) as proxy, dialled(proxy) as pipe:
        await pipe.say(b"hello")
        assert await pipe.reader.readexactly(after) == b"hello"[:after]
        with pytest.raises(ConnectionResetError):
            await pipe.everything()
        await until(lambda: server.ends == ["reset"])

    assert proxy.bytes_down == after


async def test_a_request_is_cut_on_its_way_up(until: Until) -> None:
    """The server has a part of it."""
    async with serving() as server, FaultProxy(server.url, up=Weather(cut_after=3)) as proxy, dialled(proxy) as pipe:
        await pipe.say(b"hello")
        await until(lambda: server.ends == ["end"])

    assert server.received == b"hel"


async def test_bytes_count_from_when_the_weather_was_set() -> None:
    """So that an open connection can be cut in the answer that comes next."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        await pipe.ask(b"hello")
        proxy.down = Weather(cut_after=3)
        await pipe.say(b"again")
        assert await pipe.everything() == b"aga"


async def test_a_black_hole_swallows_bytes() -> None:
    """The connection stays open; what was swallowed is gone, what follows in fine weather passes."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        await pipe.ask(b"hello")
        proxy.up = Weather(black_hole=True)
        await pipe.say(b"lost")
        assert await pipe.is_silent()
        proxy.up = Weather()
        assert await pipe.ask(b"found") == b"found"

    assert (server.received, proxy.bytes_up) == (b"hellofound", 10)


async def test_a_black_hole_swallows_the_end_of_the_server(caplog: pytest.LogCaptureFixture, until: Until) -> None:
    """Whatever the client says to it then."""
    async with serving() as server, FaultProxy(server.url) as proxy:
        async with dialled(proxy) as pipe:
            await pipe.ask(b"hello")
            proxy.down = Weather(black_hole=True)
            server.writers[0].close()
            for _ in range(10):
                await pipe.say(b"?")
                await asyncio.sleep(0.002)
            assert await pipe.is_silent()
            assert proxy.open == 1
        await until(lambda: proxy.open == 0)

    assert caplog.messages == []


async def test_a_black_hole_swallows_the_end_of_the_client(until: Until) -> None:
    """It is not open any more for the client, while the server still holds it."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        await pipe.ask(b"hello")
        proxy.up = Weather(black_hole=True)
        reset(pipe.writer)
        await until(lambda: proxy.open == 0)
        await asyncio.sleep(SILENCE)
        assert server.ends == []
        proxy.reset_all()
        await until(lambda: server.ends == ["reset"])


async def test_a_server_that_vanishes_sends_no_end() -> None:
    """The open connection is silent for ever, a new one is as good as ever."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        await pipe.ask(b"hello")
        proxy.vanish()
        await pipe.say(b"anybody there?")
        server.reset()
        assert await pipe.is_silent()

        async with dialled(proxy) as other:
            assert await other.ask(b"new") == b"new"

    assert server.received == b"hellonew"


async def test_all_are_reset_at_once(until: Until) -> None:
    """Both sides of each open connection see it, and new ones are as good as ever."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as one, dialled(proxy) as two:
        await asyncio.gather(one.ask(b"1"), two.ask(b"2"))
        proxy.reset_all()
        for pipe in (one, two):
            with pytest.raises(ConnectionResetError):
                await pipe.everything()
        await until(lambda: server.ends == ["reset", "reset"])
        assert proxy.open == 0

        async with dialled(proxy) as new:
            assert await new.ask(b"new") == b"new"


async def exchanges(seed: int) -> list[int]:
    """How many of each connection's exchanges go well before the reset."""
    async with serving() as server, FaultProxy(server.url, down=Weather(reset_chance=0.2), seed=seed) as proxy:
        return [await exchanges_until_reset(proxy) for _ in range(5)]


async def exchanges_until_reset(proxy: FaultProxy) -> int:
    count = 0
    async with dialled(proxy) as pipe:
        with suppress(ConnectionResetError):
            while await pipe.ask(b"x"):
                count += 1
    return count


async def test_chance_resets_in_the_same_places_for_the_same_seed() -> None:
    """Each connection has places of its own."""
    first = await exchanges(seed=1)

    assert first == await exchanges(seed=1)
    assert first != await exchanges(seed=2)
    assert len(set(first)) > 1


async def test_open_connections_feel_a_change_of_weather() -> None:
    """Worse and better again, also in the middle of an answer that would take an hour."""
    async with serving() as server, FaultProxy(server.url) as proxy, dialled(proxy) as pipe:
        await pipe.ask(b"hello")
        proxy.down = Weather(bytes_per_second=20)
        slow = asyncio.create_task(pipe.ask(b"x" * 72_000))
        await asyncio.sleep(SILENCE)
        assert not slow.done()
        proxy.down = Weather()
        assert await slow == b"x" * 72_000


@pytest.mark.parametrize(
    "busy", [Weather(), Weather(latency=3600), Weather(bytes_per_second=1), Weather(black_hole=True)]
)
async def test_after_its_end_nothing_is_left(busy: Weather, until: Until) -> None:
    """No task and no socket, whatever was under way; the counts stay readable."""
    async with serving() as server, FaultProxy(server.url, down=busy) as proxy, dialled(proxy) as pipe:
        await pipe.say(b"hello")
        await until(lambda: server.received)
        await proxy.aclose()
        assert [task for task in asyncio.all_tasks() if "testing/fault_proxy.py" in repr(task)] == []
        await pipe.everything()
        await until(lambda: server.ends)
    gc.collect()  # a transport that is still open warns now

    assert (proxy.connections, proxy.open) == (1, 0)


@pytest.mark.parametrize("turns", range(5))
async def test_a_connection_that_comes_at_the_end_is_not_left_either(turns: int) -> None:
    """Whether the proxy has seen it or not, so many turns of the loop after the system has accepted it."""
    async with serving() as server, FaultProxy(server.url) as proxy:
        with socket.create_connection(("127.0.0.1", int(proxy.url.rsplit(":", 1)[1]))):
            for _ in range(turns):
                await asyncio.sleep(0)
            await proxy.aclose()
            await asyncio.sleep(SILENCE)
            assert [task for task in asyncio.all_tasks() if "testing/fault_proxy.py" in repr(task)] == []
    gc.collect()

    assert server.writers == [] or server.ends


async def test_tls_passes_as_it_is() -> None:
    """The server's certificate is checked by the client, and the proxy reads nothing."""
    authority = trustme.CA()
    there, here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(there)
    authority.configure_trust(here)
    async with serving(ssl=there) as server, FaultProxy(server.url.replace("http:", "https:")) as proxy:
        assert proxy.url.startswith("https://127.0.0.1:")
        async with dialled(proxy, ssl=here) as pipe:
            assert await pipe.ask(b"hello") == b"hello"

    assert proxy.bytes_up > 100


async def test_a_client_of_ours_lives_through_bad_weather() -> None:
    """Three bytes at a time, and then connections that are reset."""
    async with Sandbox() as sandbox, FaultProxy(sandbox.url) as proxy:
        sandbox.seed_leads(3)
        options: Any = {"limits": (), "retry": RetryPolicy(first_delay=0, max_delay=0), "allow_insecure_loopback": True}
        async with LeavoClient(sandbox.key, base_url=proxy.url, **options) as leavo:
            proxy.up = proxy.down = Weather(slice_bytes=3)
            assert len([lead async for lead in leavo.leads.list()]) == 3
            proxy.reset_all()
            proxy.up = proxy.down = Weather()
            assert len([lead async for lead in leavo.leads.list()]) == 3


async def test_the_url_keeps_the_path() -> None:
    """It takes the place of the server's URL as a whole."""
    async with FaultProxy("http://localhost:1/backend") as proxy:
        assert proxy.url.startswith("http://127.0.0.1:")
        assert proxy.url.endswith("/backend")
        assert repr(proxy) == f"<FaultProxy {proxy.url}, 0 of 0 open>"
        with pytest.raises(RuntimeError, match="started already"):
            await proxy.start()

    with pytest.raises(RuntimeError, match="not started, or closed"):
        _ = proxy.url
    assert repr(proxy) == "<FaultProxy closed, 0 of 0 open>"


@pytest.mark.parametrize("upstream", ["", "127.0.0.1:80", "ftp://x", "http://", "http://x:0", "http://x:99999"])
async def test_an_upstream_that_is_no_url_is_refused(upstream: str) -> None:
    """Before anything listens."""
    with pytest.raises(ValueError, match=r"upstream must be|[Pp]ort"):
        FaultProxy(upstream)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": -1},
        {"latency": float("nan")},
        {"jitter": float("inf")},
        {"bytes_per_second": 0},
        {"slice_bytes": 0},
        {"cut_after": -1},
        {"reset_after": -1},
        {"reset_chance": 1.1},
    ],
)
async def test_weather_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """With a sentence that begins with the setting."""
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must"):
        Weather(**wrong)
