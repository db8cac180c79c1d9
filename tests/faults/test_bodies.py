"""Bodies that are broken: one right outcome for each, for reads, keyed writes and keyless ones."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from dataclasses import dataclass, replace
from typing import Any

import pytest

from leavo_async import (
    APIError,
    LeavoError,
    OutcomeUnknownError,
    ProtocolError,
    ReadTimeoutError,
    ResponseTooLargeError,
    ServerError,
)
from leavo_async.apis.leavo import LEAVO

from .judge import KINDS, Kind, trial
from .wire import Step, Wire, committed, echo, http, pieces, rst, then_close

pytestmark = pytest.mark.asyncio
OK_HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"path": "/asked"}'
PACKED = gzip.compress(BODY)
MORE = {"read": 4, "keyed": 4, "keyless": 1}  # as often as the policy says
ONCE_MORE = {"read": 2, "keyed": 2, "keyless": 1}
READS_ONCE_MORE = {"read": 2, "keyed": 1, "keyless": 1}
NEVER = {"read": 1, "keyed": 1, "keyless": 1}


@dataclass(frozen=True)
class Row:
    """A fault that lasts: what it ends in, how often it is asked for, and what a keyless write is told.

    keyless: "unknown" for an OutcomeUnknownError; "done" for the error itself with this outcome.
    """

    step: Step
    error: type[LeavoError]
    sends: dict[str, int]
    keyless: str = "unknown"


def whole(head: bytes, body: bytes = BODY) -> Step:
    return committed(then_close(OK_HEAD + head + b"\r\n" + body))


def length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def packed(body: bytes, coding: bytes = b"gzip") -> Step:
    return whole(b"Content-Encoding: " + coding + b"\r\n" + length(body), body)


BODIES = {
    "cut by FIN": Row(committed(then_close(http(body=BODY)[:-3])), ProtocolError, MORE, "done"),
    "cut by RST": Row(committed(Step((http(body=BODY)[:-3], 0.02, rst))), ProtocolError, MORE, "done"),
    "chunks cut": Row(committed(then_close(CHUNKED + b"12\r\n" + BODY[:5])), ProtocolError, MORE, "done"),
    "a bad chunk at once": Row(committed(then_close(CHUNKED + b"zz\r\n")), ProtocolError, ONCE_MORE),
    "a bad chunk later": Row(committed(pieces([CHUNKED, b"zz\r\n"], pause=0.03)), ReadTimeoutError, MORE),
    "cut where nobody can tell": Row(whole(b"", BODY), ProtocolError, MORE, "done"),
    "an empty list of HTTP/1.0": Row(committed(then_close(b"HTTP/1.0 200 OK\r\n\r\n[]")), ProtocolError, MORE, "done"),
    "a body that stalls": Row(committed(Step((http(body=BODY)[:-3], 1.0))), ReadTimeoutError, MORE),
    "a byte of the body now and then": Row(
        committed(Step((OK_HEAD + length(BODY) + b"\r\n", *[b"x", 0.03] * 9))),
        ReadTimeoutError,
        MORE,
    ),
    "corrupt gzip": Row(packed(PACKED[:12] + b"\xff\xff\xff\xff" + PACKED[16:]), ProtocolError, MORE, "done"),
    "cut gzip": Row(packed(PACKED[:-9]), ProtocolError, MORE, "done"),
    "gzip that is none": Row(packed(BODY), ProtocolError, ONCE_MORE, "done"),
    "an unknown coding": Row(packed(BODY, b"br"), ProtocolError, NEVER, "done"),
    "a page of HTML": Row(whole(length(b"<html>x"), b"<html>x"), ProtocolError, NEVER, "done"),
    "broken JSON": Row(whole(length(b'{"a'), b'{"a'), ProtocolError, READS_ONCE_MORE, "done"),
    "invalid UTF-8": Row(whole(length(b'"\xff"'), b'"\xff"'), ProtocolError, READS_ONCE_MORE, "done"),
    "not a number": Row(whole(length(b'{"a": NaN}'), b'{"a": NaN}'), ProtocolError, NEVER, "done"),
    "a number of 5,000 digits": Row(whole(length(b"9" * 5000), b"9" * 5000), ProtocolError, NEVER, "done"),
    "JSON of 100,000 levels": Row(whole(length(b"[" * 10**5), b"[" * 10**5), ProtocolError, NEVER, "done"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", BODIES.values(), ids=BODIES)
async def test_a_broken_answer_has_one_right_outcome(row: Row, kind: Kind) -> None:
    """It is asked for as often as that may help, and no more; what was or may be done is not done again."""
    async with Wire(row.step, honours_keys=kind == "keyed") as wire, trial(wire.url, kind) as one:
        ended = await one.call()
        sent, done = len(wire.requests), len(wire.effects)
        await one.check(ended, sent=sent, done=None, next_call=False)

    assert sent == row.sends[kind]
    if kind == "keyless" and row.keyless == "unknown":
        assert (OutcomeUnknownError, "unknown") == (type(ended), ended.outcome)
    else:
        assert row.error is type(ended)
        assert ended.outcome in (("done",) if row.keyless == "done" else ("unknown", "done"))
    assert done <= 1 or kind == "read"


@pytest.mark.parametrize("kind", ["read", "keyed"])
@pytest.mark.parametrize("name", [name for name, row in BODIES.items() if row.sends is not NEVER])
async def test_a_fault_that_passes_is_not_seen(name: str, kind: Kind) -> None:
    """The next answer is good, and so is what follows on the same session."""
    row = BODIES[name]
    if row.sends[kind] == 1:
        return  # a write that was done, and is told as that: the row above
    async with Wire(row.step, echo(), honours_keys=kind == "keyed") as wire, trial(wire.url, kind, later=5) as one:
        ended = await one.call()

        assert ended["path"] == "/asked"
        await one.check(ended, sent=2, done=1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_that_is_empty_is_no_object(kind: Kind) -> None:
    """Where one is promised; a write was done."""
    async with Wire(committed(then_close(http(body=b"")))) as wire, trial(wire.url, kind) as one:
        ended = await one.call(cast_to=dict[str, Any])

    assert (ProtocolError, "done") == (type(ended), ended.outcome)
    assert len(wire.requests) == READS_ONCE_MORE[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "value"),
    [(b"\xef\xbb\xbf{}", {}), (b'{"a": 1, "a": 2}', {"a": 2}), (b"[18446744073709551617]", [2**64 + 1])],
    ids=["a byte order mark", "a name twice", "a large number"],
)
async def test_what_can_be_read_is_read(body: bytes, value: Any, kind: Kind) -> None:
    """The last of two counts, as in every parser; an id never becomes a float."""
    answer = http(body=body, content_type="text/x; charset=bogus")
    async with Wire(committed(then_close(answer))) as wire, trial(wire.url, kind) as one:
        assert await one.call() == value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [404, 502, 503])
@pytest.mark.parametrize(
    "broken",
    [
        lambda head: head + b"Content-Length: 100\r\n\r\n<html>cut",
        lambda head: head + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        lambda head: head + b"Content-Length: 7\r\n\r\n<html>x",
        lambda head: head + b"\r\n<html>unframed",
    ],
    ids=["cut", "corrupt", "HTML", "unframed"],
)
async def test_an_error_counts_by_its_status_and_not_by_its_words(status: int, broken: Any, kind: Kind) -> None:
    """A proxy's page is no JSON, and a cut one not even that: the status says what matters."""
    answer = broken(f"HTTP/1.1 {status} X\r\n".encode())
    async with Wire(then_close(answer)) as wire, trial(wire.url, kind) as one:
        ended = await one.call()
        await one.check(ended, sent=len(wire.requests), done=0 if kind != "read" else None, next_call=False)

    if status == 404:
        assert (404, 1) == (ended.status, len(wire.requests))
    elif kind == "keyless":
        assert type(ended) is OutcomeUnknownError
    else:
        assert (ServerError, 4) == (type(ended), len(wire.requests))
    assert isinstance(ended, (APIError, OutcomeUnknownError))


def bomb(size: int) -> bytes:
    """So many zeros, packed piece by piece."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join([*(packer.compress(zeros) for _ in range(size >> 20)), packer.flush()])


CAP = 1 << 20
SMALL = replace(LEAVO, max_body_bytes=CAP)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_gzip_bomb_is_not_unpacked(kind: Kind) -> None:
    """200 MB out of 200 KB: it ends at the cap, and never takes twice that."""
    small = bomb(200 << 20)
    async with Wire(packed(small)) as wire, trial(wire.url, kind, profile=SMALL, timeout=10) as one:
        tracemalloc.start()
        ended = await one.call()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (ResponseTooLargeError, "done", 1) == (type(ended), ended.outcome, len(wire.requests))
    assert peak < 2 * CAP + 2 * len(small) + (1 << 20)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framed", ["by its length", "in chunks"])
async def test_a_body_of_100_mb_is_not_read(framed: str, kind: Kind) -> None:
    """It ends at the cap, and the connection with it."""
    piece = bytes(1 << 16)
    head = OK_HEAD + (b"Content-Length: %d\r\n\r\n" % (100 << 20))
    if framed == "in chunks":
        head, piece = CHUNKED, b"10000\r\n" + piece + b"\r\n"
    sent: list[int] = []

    async def pours(line: Any, request: Any) -> None:
        for _ in range(1600):
            line.writer.write(piece)
            await line.writer.drain()
            sent.append(len(piece))

    async with (
        Wire(Step((head, pours), commits=True), echo()) as wire,
        trial(wire.url, kind, profile=SMALL, timeout=5) as one,
    ):
        ended = await one.call()
        assert (ResponseTooLargeError, "done") == (type(ended), ended.outcome)
        await one.check(ended, sent=1, done=1)

    # What the kernel and the server's own buffer hold is not taken by the client.
    assert sum(sent) < CAP + (8 << 20)
