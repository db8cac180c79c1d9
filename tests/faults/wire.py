"""A scripted server of raw bytes: whatever a network and a server can do to an HTTP client, it does on request."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Self

WRITES = ("POST", "PUT", "PATCH", "DELETE")
_LINGER_ZERO = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


def http(status: int = 200, body: bytes = b"{}", **headers: str | None) -> bytes:
    """A whole answer: JSON with its length, unless `headers` say otherwise; None leaves one out.

    http(503, retry_after="1")             # Retry-After: 1
    http(body=b"[]", content_length=None)  # ends with the connection
    """
    given = {name.replace("_", "-").title(): value for name, value in headers.items()}
    all_headers: dict[str, str | None] = {"Content-Type": "application/json", "Content-Length": str(len(body)), **given}
    lines = [f"{name}: {value}\r\n" for name, value in all_headers.items() if value is not None]
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n{''.join(lines)}\r\n".encode() + body


@dataclass
class Received:
    """A request. `complete` is False until the whole body has been read; then `body` is there."""

    number: int
    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    complete: bool = False

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")

    def echo(self, *, replayed: bool = False) -> bytes:
        """The good answer, which says to whom it belongs."""
        body = json.dumps({"path": self.path, "n": self.number}).encode()
        return http(body=body, idempotency_replayed="true" if replayed else None)


@dataclass(frozen=True)
class Step:
    """What comes of one request: bytes are sent, numbers are seconds of a pause, and functions do the rest.

        Step((echoes, 0.05, rst), commits=True)

    commits: whether a write is carried out, before anything is done to the connection.
    early: whether it begins before the body of the request is read.
    """

    acts: tuple[Act, ...]
    commits: bool = False
    early: bool = False


def echo() -> Step:
    """Do what is asked for and say so: {"path": …, "n": number of the request}; replayed for a known key."""
    return Step((echoes,), commits=True)


def answer(raw: bytes) -> Step:
    """These bytes; the connection is kept."""
    return Step((raw,))


def pieces(parts: Iterable[bytes], pause: float = 0.02) -> Step:
    """Segments, with a pause after each; the connection is kept."""
    return Step(tuple(act for part in parts for act in (part, pause)))


def drip(raw: bytes, every: float = 0.03) -> Step:
    """Byte by byte."""
    return pieces((raw[at : at + 1] for at in range(len(raw))), every)


def hang_up() -> Step:
    """FIN and no answer."""
    return Step((fin,))


def reset() -> Step:
    """RST and no answer."""
    return Step((rst,))


def stall() -> Step:
    """No answer until the client leaves."""
    return Step((ignore,))


def zero_window() -> Step:
    """No answer, and nothing more is read, so that the client cannot send more either, until the wire is closed.

    `open` counts it until then: who reads nothing does not see the client leave.
    """
    return Step((hold,), early=True)


def then_close(raw: bytes) -> Step:
    """These bytes and FIN."""
    return Step((raw, fin))


def then_reset(raw: bytes) -> Step:
    """These bytes and RST."""
    return Step((raw, rst))


def push_later(raw: bytes, after: float = 0.05) -> Step:
    """The good answer, and these bytes some seconds later, which nobody has asked for."""
    return Step((echoes, after, raw), commits=True)


def committed(step: Step) -> Step:
    """The same, after the write was carried out."""
    return replace(step, commits=True)


def early(step: Step) -> Step:
    """The same, when only the head of the request is there; if the connection is kept, its body is read afterwards."""
    return replace(step, early=True)


class Wire:
    """A server on 127.0.0.1 that plays one step for each request, the last one for ever; `echo()` if there is none.

        async with Wire(committed(reset()), echo(), honours_keys=True) as wire: ...

    tls: makes it an https:// server. honours_keys: whether a write with a known Idempotency-Key is not carried out
    again, and `echo()` repeats the first answer to it.

    requests: all of them, also incomplete ones. connections: how many were accepted, open: how many are open now.
    effects: the Idempotency-Key, or None, of each write that was carried out.

    What is no request that it can read is raised at the end.
    """

    def __init__(self, *steps: Step, tls: ssl.SSLContext | None = None, honours_keys: bool = False) -> None:
        self.requests: list[Received] = []
        self.effects: list[str | None] = []
        self.connections = 0
        self.url = ""
        self._steps = list(steps) or [echo()]
        self._tls = tls
        self._first: dict[str, Received] | None = {} if honours_keys else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []

    @property
    def open(self) -> int:
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._tls)
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if self._errors:
            raise self._errors[0]

    def next_step(self) -> Step:
        return self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]

    def commit(self, request: Received) -> None:
        """Carry a write out, unless its key is known."""
        if request.method not in WRITES or self.first(request) is not request:
            return
        self.effects.append(request.key)
        if self._first is not None and request.key is not None:
            self._first[request.key] = request

    def first(self, request: Received) -> Received:
        """The request that this one repeats: itself, if its key is not known."""
        return (self._first or {}).get(request.key or "", request)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        line = Line(self, self.connections, reader, writer)
        # Nothing that is written may wait in here, where a FIN would overtake it; with high=0, TLS would wait for ever.
        writer.transport.set_write_buffer_limits(high=1, low=0)
        task = asyncio.create_task(line.serve())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(lambda _: writer.transport.abort())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._errors.append(error)


@dataclass
class Line:
    """One connection."""

    wire: Wire
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def serve(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._exchange()

    async def _exchange(self) -> None:
        request = await self._head()
        step = self.wire.next_step()
        if not step.early:
            await self._body(request)
        if step.commits:
            self.wire.commit(request)
        for act in step.acts:
            await self.do(act, request)
        if step.early:
            await self._body(request)

    async def _head(self) -> Received:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        request = Received(len(self.wire.requests) + 1, self.number, method, path, headers)
        self.wire.requests.append(request)
        return request

    async def _body(self, request: Received) -> None:
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            request.body = await self._chunks()
        else:
            request.body = await self.reader.readexactly(int(request.headers.get("content-length", 0)))
        request.complete = True

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            body += await self.reader.readexactly(size)
            await self.reader.readline()
        while (await self.reader.readline()).strip():
            pass  # trailers
        return body

    async def do(self, act: Act, request: Received) -> None:
        if isinstance(act, bytes):
            self.writer.write(act)
            await self.writer.drain()
        elif isinstance(act, int | float):
            await asyncio.sleep(act)
        else:
            await act(self, request)


Act = bytes | float | Callable[[Line, Received], Awaitable[None]]


async def echoes(line: Line, request: Received) -> None:
    first = line.wire.first(request)
    await line.do(first.echo(replayed=first is not request), request)


async def fin(line: Line, request: Received) -> None:
    # Not close(): with bytes of the client still unread, it would send RST. Over TLS it comes without a close_notify.
    with suppress(OSError):  # the client has gone already
        line.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    await ignore(line, request)


async def rst(line: Line, request: Received) -> None:
    line.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    line.writer.transport.abort()
    raise ConnectionResetError


async def ignore(line: Line, request: Received) -> None:
    while await line.reader.read(65536):
        pass
    raise ConnectionResetError


async def hold(line: Line, request: Received) -> None:
    await asyncio.Event().wait()
