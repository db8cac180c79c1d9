"""A real TCP proxy that makes the network bad: slow, thin, in slices, cut, reset, silent."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Self
from urllib.parse import SplitResult, urlsplit

from leavo_async.testing.weather import Weather

_PORTS = {"http": 80, "https": 443}
_CHUNK = 64 * 1024
# Chunks under way in one direction: what latency holds back is bounded, as it is by a real window.
_MOST_UNDER_WAY = 16
# A throttled way sends what it may in this many seconds at once, and so soon sees that the weather has changed.
_TICK = 0.05
# Linger for zero seconds: closing throws away what is unsent and sends RST instead of FIN (socket(7), SO_LINGER).
# Windows has 16-bit fields there.
_LINGER_ZERO = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


_FINE = Weather()


class FaultProxy:
    """A proxy on 127.0.0.1, from `async with` (or `start`) until its end (or `aclose`).

        async with FaultProxy(sandbox.url) as proxy:
            async with LeavoClient(key, base_url=proxy.url, allow_insecure_loopback=True) as leavo:
                proxy.down = Weather(latency=0.3, jitter=0.2)

    upstream: "http://host:port" or "https://host:port", whose bytes it passes as they are, TLS included.
    up, down: the weather from client to server and from server to client. Set them at any time: they hold at once,
    for open connections as well; only what is under way keeps its latency.
    seed: decides jitter and chance, separately for each connection and direction.

    connections: how many were accepted. bytes_up, bytes_down: how many bytes have passed.
    A connection is reset if upstream cannot be reached.

    Raises ValueError for an upstream that is no such URL.
    """

    def __init__(self, upstream: str, *, up: Weather = _FINE, down: Weather = _FINE, seed: int = 0) -> None:
        self.up = up
        self.down = down
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._upstream = _parsed(upstream)
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: set[_Link] = set()

    @property
    def url(self) -> str:
        """What clients take in place of upstream's URL; it has the same path. RuntimeError before the start."""
        if self._server is None:
            raise RuntimeError("the proxy has no address: it is not started, or closed")
        port = self._server.sockets[0].getsockname()[1]
        return f"{self._upstream.scheme}://127.0.0.1:{port}{self._upstream.path}"

    @property
    def open(self) -> int:
        """Connections that are open now and that the client has not ended."""
        return sum(link.client_stays for link in self._links)

    def reset_all(self) -> None:
        """Reset the connections that are open now; new ones are not affected."""
        for link in self._links:
            link.reset()

    def vanish(self) -> None:
        """Let nothing pass any more on the connections that are open now, not even their end.

        To each side it looks as if the other had lost its power. New connections are not affected.
        """
        for link in self._links:
            link.dead = True

    async def start(self) -> None:
        """Listen on a free port. RuntimeError if it listens already."""
        if self._server is not None:
            raise RuntimeError("the proxy is started already")
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=_CHUNK)

    async def aclose(self) -> None:
        """Stop listening and end what is open; the counts stay readable."""
        server, self._server = self._server, None
        if server is None:
            return
        await _let_in(server)
        server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<FaultProxy {self.url if self._server else 'closed'}, {self.open} of {self.connections} open>"

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        client = _End(reader, writer)
        task = asyncio.create_task(self._serve(client, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not in the task itself, which may be cancelled before it has begun.
        task.add_done_callback(lambda _: client.close())

    async def _serve(self, client: _End, number: int) -> None:
        try:
            server = await _dialled(self._upstream)
        except OSError:
            client.reset()
            return
        link = _Link(client, server)
        self._links.add(link)
        try:
            await link.run(*self._ways(link, f"{self._seed} {number}"))
        finally:
            self._links.discard(link)
            server.close()

    def _ways(self, link: _Link, seed: str) -> tuple[_Way, _Way]:
        up = _Way(link, link.client, link.server, lambda: self.up, self._went_up, Random(f"{seed} up"))
        down = _Way(link, link.server, link.client, lambda: self.down, self._went_down, Random(f"{seed} down"))
        return up, down

    def _went_up(self, size: int) -> None:
        self.bytes_up += size

    def _went_down(self, size: int) -> None:
        self.bytes_down += size


class _End:
    """One of the two sockets of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        # What is written is with the system when drain() returns: nothing waits here that a FIN could overtake.
        writer.transport.set_write_buffer_limits(0)

    def finish(self) -> None:
        """Send FIN; nothing if the connection is gone."""
        with suppress(OSError, RuntimeError):
            self.writer.write_eof()

    def reset(self) -> None:
        """Send RST; nothing if the connection is gone."""
        with suppress(OSError, AttributeError):  # asyncio's closed socket, uvloop's missing one
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.close()

    def close(self) -> None:
        self.writer.transport.abort()


class _Link:
    """A connection through the proxy; it is over when both ways are."""

    def __init__(self, client: _End, server: _End) -> None:
        self.client = client
        self.server = server
        self.client_stays = True
        self.dead = False

    async def run(self, up: _Way, down: _Way) -> None:
        async with asyncio.TaskGroup() as tasks:
            for work in (up.deliver(), down.collect(), down.deliver()):
                tasks.create_task(work)
            await up.collect()
            self.client_stays = False

    def cut(self) -> None:
        # What still comes is read and thrown away: closing a socket with unread bytes would send RST.
        self.dead = True
        self.client.finish()
        self.server.finish()

    def reset(self) -> None:
        self.client.reset()
        self.server.reset()


class _Way:
    """One direction of one connection: what is collected is delivered later, in the same order.

    A chunk is bytes, b"" for the end, or None for a reset.
    """

    def __init__(
        self,
        link: _Link,
        source: _End,
        target: _End,
        weather: Callable[[], Weather],
        count: Callable[[int], None],
        chance: Random,
    ) -> None:
        self._link = link
        self._source = source
        self._target = target
        self._weather = weather
        self._count = count
        self._chance = chance
        self._under_way: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(_MOST_UNDER_WAY)
        self._counted_in = weather()
        self._passed = 0

    async def collect(self) -> None:
        """Take what the source sends, up to its end."""
        while True:
            chunk = await self._read()
            await self._under_way.put((_now() + self._delay(), chunk))
            if not chunk:
                return

    async def deliver(self) -> None:
        """Give the target each chunk when it is due, up to the end."""
        while chunk := await self._due():
            # A target that is gone is no matter of this way: the other one sees its end, and tells the source.
            with suppress(OSError):
                await self._send(chunk)
        if chunk is None and not self._swallows():
            self._link.reset()
        elif not self._swallows():
            self._target.finish()

    async def _read(self) -> bytes | None:
        try:
            chunk = await self._source.reader.read(_CHUNK)
        except OSError:
            return None
        return None if chunk and self._chance.random() < self._weather().reset_chance else chunk

    def _delay(self) -> float:
        weather = self._weather()
        return max(0.0, weather.latency + self._chance.uniform(-weather.jitter, weather.jitter))

    async def _due(self) -> bytes | None:
        due, chunk = await self._under_way.get()
        await asyncio.sleep(due - _now())
        return chunk

    def _swallows(self) -> bool:
        return self._link.dead or self._weather().black_hole or self._target.writer.is_closing()

    async def _send(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest and not self._swallows():
            weather = self._weather()
            piece = rest[: _room(weather, self._passed_in(weather))]
            rest = rest[len(piece) :]
            await self._write(piece)
            self._strike(weather)
            await _pause(weather, len(piece))

    def _passed_in(self, weather: Weather) -> int:
        if weather is not self._counted_in:
            self._counted_in, self._passed = weather, 0
        return self._passed

    async def _write(self, piece: memoryview) -> None:
        self._target.writer.write(piece)
        await self._target.writer.drain()
        self._passed += len(piece)
        self._count(len(piece))

    def _strike(self, weather: Weather) -> None:
        if weather.reset_after is not None and self._passed >= weather.reset_after:
            self._link.reset()
        elif weather.cut_after is not None and self._passed >= weather.cut_after:
            self._link.cut()


def _room(weather: Weather, passed: int) -> int:
    """Bytes that may be written at once."""
    room = weather.slice_bytes or _CHUNK
    if weather.bytes_per_second is not None:
        room = min(room, max(1, int(weather.bytes_per_second * _TICK)))
    until = [fault - passed for fault in (weather.cut_after, weather.reset_after) if fault is not None]
    return max(0, min([room, *until]))


async def _pause(weather: Weather, size: int) -> None:
    if weather.bytes_per_second is not None:
        await asyncio.sleep(size / weather.bytes_per_second)
    elif weather.slice_bytes is not None:
        # Twice: a reader on the same loop must have read this slice before the next one is written.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def _let_in(server: asyncio.Server) -> None:
    """Accept nothing new, and have what is accepted already on our list.

    close() alone would lose it: https://github.com/python/cpython/issues/109564
    """
    with suppress(NotImplementedError):  # on Windows
        for listener in server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
    # The loop needs two turns from the accepted socket to the call of `_accepted`.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _parsed(upstream: str) -> SplitResult:
    parts = urlsplit(upstream)
    if parts.scheme not in _PORTS or not parts.hostname or parts.port == 0:
        raise ValueError('upstream must be "http://host:port" or "https://host:port"')
    return parts


async def _dialled(upstream: SplitResult) -> _End:
    port = upstream.port or _PORTS[upstream.scheme]
    return _End(*await asyncio.open_connection(upstream.hostname, port, limit=_CHUNK))
