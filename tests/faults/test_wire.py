"""The scripted server does what its steps say: a fault that does not happen proves nothing."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme

from .wire import (
    Step,
    Wire,
    answer,
    committed,
    drip,
    early,
    echo,
    echoes,
    fin,
    hang_up,
    http,
    pieces,
    push_later,
    reset,
    stall,
    then_close,
    then_reset,
    zero_window,
)

pytestmark = pytest.mark.asyncio


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, method: str = "GET", path: str = "/", body: bytes = b"", **headers: str) -> None:
        given = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)

    async def answer(self) -> tuple[bytes, Any]:
        """Head and JSON of a whole answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        return head, json.loads(await self.reader.readexactly(length))

    async def ask(self, *args: Any, **headers: Any) -> tuple[bytes, Any]:
        self.send(*args, **headers)
        return await self.answer()

    async def segments(self) -> list[bytes]:
        """What comes until the end, as it comes."""
        found = []
        while data := await self.reader.read(1000):
            found.append(data)
        return found

    async def is_silent(self) -> bool:
        try:
            async with asyncio.timeout(0.05):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def dialled(wire: Wire, **options: Any) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(wire.url.rsplit(":", 1)[1]), **options)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def closed(wire: Wire) -> None:
    async with asyncio.timeout(2):
        while wire.open:
            await asyncio.sleep(0.001)


async def test_without_a_script_each_request_gets_its_own_answer() -> None:
    """And all of them are kept, with the connection that they came on."""
    async with Wire() as wire:
        async with dialled(wire) as client, dialled(wire) as other:
            assert (await client.ask("GET", "/a?b=c", Some_Name="x"))[1] == {"path": "/a?b=c", "n": 1}
            assert (await other.ask("POST", "/d", b"body"))[1] == {"path": "/d", "n": 2}
            assert (await client.ask("GET", "/e"))[1] == {"path": "/e", "n": 3}
            assert (wire.connections, wire.open) == (2, 2)
        await closed(wire)

    first, second, third = wire.requests
    assert [each.connection for each in wire.requests] == [1, 2, 1]
    assert (first.method, first.path, first.headers["some-name"]) == ("GET", "/a?b=c", "x")
    assert (second.method, second.body, second.complete, third.body) == ("POST", b"body", True, b"")


async def test_a_body_in_chunks_is_put_together() -> None:
    """And what follows it is the next request."""
    async with Wire() as wire, dialled(wire) as client:
        client.writer.write(b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.writer.write(b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n")
        await client.answer()
        await client.ask("GET", "/y")

    assert [(each.path, each.body) for each in wire.requests] == [("/x", b"abcde"), ("/y", b"")]


async def test_the_script_goes_on_with_each_request_and_its_last_step_stays() -> None:
    """On whatever connection."""
    async with Wire(answer(http(500)), answer(http(404, retry_after="1", content_type=None)), echo()) as wire:
        heads = []
        for _ in range(4):
            async with dialled(wire) as client:
                heads.append((await client.ask())[0])

    assert [head.split(b" ")[1] for head in heads] == [b"500", b"404", b"200", b"200"]
    assert heads[1] == b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("step", "segments"),
    [
        (Step((*pieces([b"ab", b"c"]).acts, fin)), [b"ab", b"c"]),
        (Step((*drip(b"abc", every=0.01).acts, fin)), [b"a", b"b", b"c"]),
        (then_close(b"abc"), [b"abc"]),
        (hang_up(), []),
    ],
)
async def test_bytes_come_as_the_step_says_and_then_the_end(step: Step, segments: list[bytes]) -> None:
    """The connection is not kept, and the client that leaves is let go."""
    async with Wire(step) as wire:
        async with dialled(wire) as client:
            client.send()
            assert await client.segments() == segments
        await closed(wire)


@pytest.mark.parametrize(("step", "sent"), [(reset(), b""), (then_reset(b"abc"), b"abc")])
async def test_a_reset_is_no_end(step: Step, sent: bytes) -> None:
    """Nothing but the bytes before it."""
    async with Wire(step) as wire, dialled(wire) as client:
        client.send()
        assert await client.reader.readexactly(len(sent)) == sent
        with pytest.raises(ConnectionResetError):
            await client.reader.read(1)


async def test_a_stall_lasts_until_the_client_leaves() -> None:
    """Nothing is sent, not even an end."""
    async with Wire(stall()) as wire:
        async with dialled(wire) as client:
            client.send()
            assert await client.is_silent()
            assert wire.open == 1
        await closed(wire)


async def test_bytes_that_nobody_asked_for_come_after_the_answer() -> None:
    """So that a client which takes them for its next answer is found out."""
    async with Wire(push_later(http(body=b'"not yours"')), echo()) as wire, dialled(wire) as client:
        assert (await client.ask("GET", "/a"))[1] == {"path": "/a", "n": 1}
        assert await client.is_silent()
        assert (await client.answer())[1] == "not yours"
        assert (await client.ask("GET", "/b"))[1] == {"path": "/b", "n": 2}


async def test_an_early_answer_comes_before_the_body() -> None:
    """Which is read afterwards, if the connection is kept."""
    async with Wire(early(answer(http(413))), echo()) as wire, dialled(wire) as client:
        client.writer.write(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
        assert b" 413 " in (await client.answer())[0]
        assert not wire.requests[0].complete
        client.writer.write(b"abcde")
        await client.ask()

    assert wire.requests[0].body == b"abcde"


async def test_an_early_end_is_no_reset() -> None:
    """Although the body is still on its way: an answer that is there can be read."""
    async with Wire(early(then_close(http(413)))) as wire, dialled(wire) as client:
        client.send("POST", "/", bytes(5_000_000))
        assert b" 413 " in b"".join(await client.segments())
        await asyncio.sleep(0.02)
        assert client.reader.exception() is None

    assert not wire.requests[0].complete


async def test_a_zero_window_stops_the_client() -> None:
    """It cannot send what does not fit into the buffers of both systems."""
    async with Wire(zero_window()) as wire, dialled(wire) as client:
        client.send("POST", "/", bytes(20_000_000))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.writer.drain()

    assert not wire.requests[0].complete


@pytest.mark.parametrize("honours_keys", [True, False])
async def test_a_write_is_carried_out_before_the_fault(honours_keys: bool) -> None:
    """And with its key only once, if the server honours keys: the first answer is repeated, and said to be so."""
    async with Wire(committed(reset()), echo(), honours_keys=honours_keys) as wire:
        async with dialled(wire) as client:
            client.send("POST", "/a", Idempotency_Key="k")
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)
        async with dialled(wire) as client:
            head, value = await client.ask("POST", "/a", Idempotency_Key="k")
            other, _ = await client.ask("POST", "/a")

    assert (b"Idempotency-Replayed: true" in head, value["n"]) == ((True, 1) if honours_keys else (False, 2))
    assert b"Replayed" not in other
    assert wire.effects == (["k", None] if honours_keys else ["k", "k", None])


async def test_only_writes_that_were_carried_out_are_effects() -> None:
    """Not a read, not a write that was refused; the same fault does not carry a write out twice."""
    lost = committed(hang_up())
    async with Wire(answer(http(503)), echo(), lost, lost, honours_keys=True) as wire:
        for method, key in (("POST", "a"), ("GET", "b"), ("POST", "c"), ("POST", "c")):
            async with dialled(wire) as client:
                client.send(method, Idempotency_Key=key)
                await client.reader.read(1)

    assert wire.effects == ["c"]


async def test_steps_are_made_of_acts() -> None:
    """For a fault that has no name."""
    async with Wire(Step((echoes, 0.01, b"x", fin))) as wire, dialled(wire) as client:
        client.send()
        assert len(await client.segments()) == 2


@pytest.mark.parametrize(("step", "sent"), [(then_close(b"abc"), b"abc"), (hang_up(), b"")])
async def test_over_tls_it_is_the_same(step: Step, sent: bytes) -> None:
    """Answers, ends and resets."""
    authority = trustme.CA()
    there, here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(there)
    authority.configure_trust(here)
    async with Wire(echo(), step, reset(), tls=there) as wire:
        assert wire.url.startswith("https://")
        async with dialled(wire, ssl=here) as client:
            assert (await client.ask("GET", "/a"))[1] == {"path": "/a", "n": 1}
            client.send()
            assert b"".join(await client.segments()) == sent
        async with dialled(wire, ssl=here) as client:
            client.send()
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)


@pytest.mark.parametrize("step", [stall(), zero_window(), hang_up(), drip(bytes(1000)), answer(b"x")])
async def test_the_end_of_the_wire_leaves_nothing(step: Step) -> None:
    """No task and no socket, while a client still waits."""
    async with Wire(step) as wire, dialled(wire) as client:
        client.send()
        await asyncio.sleep(0.02)
        await wire.__aexit__()
        assert [task for task in asyncio.all_tasks() if "faults/wire.py" in repr(task)] == []
        await client.segments()
    gc.collect()

    assert wire.open == 0


async def test_what_is_no_request_is_told_at_the_end() -> None:
    """A client that sends nonsense is a failed test."""
    wire = Wire()
    await wire.__aenter__()
    async with dialled(wire) as client:
        client.writer.write(b"nonsense\r\n\r\n")
        await client.segments()

    with pytest.raises(ValueError, match="unpack"):
        await wire.__aexit__()
