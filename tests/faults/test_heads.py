"""An answer whose head is broken: nobody knows whether the request was acted on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from leavo_async import LeavoError, OutcomeUnknownError, ProtocolError, ReadError, ReadTimeoutError, RetryPolicy

from .judge import CANARY, KINDS, Kind, Trial, on_time, trial
from .wire import Line, Received, Step, Wire, answer, committed, drip, echo, http, ignore, pieces, rst, then_close

pytestmark = pytest.mark.asyncio

ATTEMPTS = RetryPolicy().max_attempts
LIMIT = 0.1  # seconds for an attempt, where they are what ends it
OK = b"HTTP/1.1 200 OK\r\n"
BODY = b'{"path": "/asked"}'
LENGTH = b"Content-Length: 18\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n"
CHUNKED = b"12\r\n" + BODY + b"\r\n0\r\n\r\n"
STRAY = http(body=b'{"path": "/stray"}')
KEY = CANARY.encode()  # the server gives it back: no text of an error may show it

every_kind = pytest.mark.parametrize("kind", KINDS)


@dataclass(frozen=True)
class Row:
    """What comes for an answer, the error that it is, and how often it is sent where it may be done twice."""

    step: Step
    error: type[ReadError | ProtocolError]
    sends: int

    @property
    def limit(self) -> float:
        """Seconds for an attempt: few where they are what ends it, many where they must not be."""
        return LIMIT if self.error is ReadTimeoutError else 5


def broken(step: Step) -> Row:
    """The connection breaks in the middle: as often as the policy says."""
    return Row(step, ReadError, ATTEMPTS)


def slow(step: Step) -> Row:
    """It is not there in time: as often as the policy says."""
    return Row(step, ReadTimeoutError, ATTEMPTS)


def no_http(raw: bytes) -> Row:
    """It is not HTTP, on a connection that is kept: who says that twice would say it again."""
    return Row(answer(raw), ProtocolError, 2)


def with_length(value: bytes) -> Row:
    return no_http(OK + b"Content-Length: " + value + b"\r\n\r\n" + BODY)


def status(code: bytes) -> Row:
    return no_http(b"HTTP/1.1 " + code + b" Odd\r\n" + LENGTH + b"\r\n" + BODY)


def field(line: bytes) -> Row:
    return no_http(OK + line + b"\r\n" + LENGTH + b"\r\n" + BODY)


def endless_head() -> Step:
    async def act(line: Line, request: Received) -> None:
        await line.do(OK, request)
        while True:
            await line.do(b"X-A: a\r\n", request)
            await asyncio.sleep(0.01)

    return Step((act,))


ROWS = {
    "closed inside the status line": broken(then_close(b"HTTP/1.1 20")),
    "closed after the status line": broken(then_close(OK)),
    "closed inside a field": broken(then_close(OK + b"X-Key: " + KEY)),
    "closed after a field": broken(then_close(OK + LENGTH)),
    "closed before the last line of the head": broken(then_close(OK + LENGTH + b"\r")),
    "reset inside a field": broken(Step((OK + b"X-Key: " + KEY, 0.02, rst))),
    "closed after an interim answer": broken(then_close(b"HTTP/1.1 102 Processing\r\n\r\n")),
    "a byte of the head now and then": slow(drip(http(body=BODY))),
    "a field of the head now and then, for ever": slow(endless_head()),
    "half of the head, and then nothing": slow(Step((OK + LENGTH, ignore))),
    "an interim answer, and then nothing": slow(Step((b"HTTP/1.1 100 Continue\r\n\r\n", ignore))),
    "a field of 20 KB": field(b"X-A: " + b"a" * 20_000),
    "the name of a field of 20 KB": field(b"a" * 20_000 + b": a"),
    "a reason of 20 KB": no_http(b"HTTP/1.1 200 " + b"a" * 20_000 + b"\r\n" + LENGTH + b"\r\n" + BODY),
    "5,000 fields": field(b"\r\n".join(b"X-%d: a" % number for number in range(5_000))),
    "NUL in the value of a field": field(b"X-Key: " + KEY + b"\0"),
    "NUL in the name of a field": field(b"X\0A: a"),
    "a field without a colon": field(b"Bearer " + KEY),
    "a blank before the colon": field(b"Content-Type : a"),
    "another protocol": no_http(b"SSH-2.0-OpenSSH_9.2 " + KEY + b"\r\n"),
    "another protocol, and the end": Row(then_close(b"220 mail ESMTP\r\n"), ProtocolError, 2),
    "an alert of TLS": no_http(b"\x15\x03\x01\x00\x02\x02\x46"),
    "zeros": no_http(bytes(1000)),
    "a body without a head, as HTTP/0.9 had it": Row(then_close(BODY), ProtocolError, 2),
    "a page without a head": Row(then_close(b"<html>" + KEY), ProtocolError, 2),
    "a status of six digits": status(b"999999"),
    "a status of two digits": status(b"20"),
    "a status below zero": status(b"-200"),
    "a status that is a word": status(b"OK"),
    "a length and chunks": no_http(OK + LENGTH + CHUNKS + b"\r\n" + CHUNKED),
    "chunks and a length": no_http(OK + CHUNKS + LENGTH + b"\r\n" + CHUNKED),
    "two lengths": no_http(OK + LENGTH + b"Content-Length: 3\r\n\r\n" + BODY),
    "the same length twice": no_http(OK + LENGTH * 2 + b"\r\n" + BODY),
    "two lengths in one field": with_length(b"18, 18"),
    "a length below zero": with_length(b"-18"),
    "a length with a sign": with_length(b"+18"),
    "a length in hexadecimal digits": with_length(b"0x12"),
    "a length that is a word": with_length(KEY),
    "an empty length": with_length(b""),
    "a length of 24 digits": with_length(b"9" * 24),
    "no content, and a body": no_http(b"HTTP/1.1 204 No Content\r\n" + LENGTH + b"\r\n" + BODY),
    "no content, and a body without its length": no_http(b"HTTP/1.1 204 No Content\r\n\r\n" + BODY),
    "no content, and chunks": no_http(b"HTTP/1.1 204 No Content\r\n" + CHUNKS + b"\r\n" + CHUNKED),
}
SWITCHES = {
    "with an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "with words of the other protocol": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05" + KEY
    ),
    "without one": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}


def story(error: Any) -> tuple[Any, ...]:
    return type(error), error.outcome, error.safe_to_retry


def problems(one: Trial) -> list[str | None]:
    return [record.problem for record in one.records]


def check_unknown(ended: Any, one: Trial, because: type[LeavoError]) -> None:
    """A keyless write was sent once, and nobody knows."""
    assert (OutcomeUnknownError, "unknown", False) == story(ended)
    assert [because.__name__] == problems(one)


def check_each_has_its_own_connection(wire: Wire, faulty: int) -> None:
    """What has carried a broken answer carries nothing else."""
    spoiled = [each.connection for each in wire.requests[:faulty]]
    others = {each.connection for each in wire.requests[faulty:]}
    assert faulty == len(set(spoiled))
    assert not others & set(spoiled)


@every_kind
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_what_may_be_done_twice_is_sent_again_after_a_broken_head(row: Row, kind: Kind) -> None:
    """On a new connection, and succeeds; a keyless write may have been done, and is sent once."""
    await on_time(lambda: check_once(row, kind))


async def check_once(row: Row, kind: Kind) -> None:
    async with (
        Wire(committed(row.step), echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=5, later=5) as one,
    ):
        ended = await one.call(timeout=row.limit)

        if kind == "keyless":
            check_unknown(ended, one, row.error)
        else:
            assert [row.error.__name__, None] == problems(one)
            assert "/asked" == ended["path"]
        await one.check(ended, sent=len(wire.requests), done=len(wire.effects))
        check_each_has_its_own_connection(wire, 1)


@every_kind
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_a_head_that_is_always_broken_is_given_up(row: Row, kind: Kind) -> None:
    """Four sends where it may well pass, two where the server does not speak HTTP; each in its time."""
    await on_time(lambda: check_always(row, kind))


async def check_always(row: Row, kind: Kind) -> None:
    sends = 1 if kind == "keyless" else row.sends
    # One more send than that would succeed.
    script = [committed(row.step)] * sends
    async with (
        Wire(*script, echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=5) as one,
    ):
        ended = await one.call(timeout=row.limit)

        assert all(record.seconds < row.limit + 0.1 for record in one.records)
        if kind == "keyless":
            check_unknown(ended, one, row.error)
        else:
            assert (row.error, "unknown", True) == story(ended)
            assert [row.error.__name__] * sends == problems(one)
            assert (None, "read") == (ended.status, ended.phase)
        await one.check(ended, sent=sends, done=len(wire.effects))
        check_each_has_its_own_connection(wire, sends)


@every_kind
@pytest.mark.parametrize("raw", SWITCHES.values(), ids=SWITCHES)
async def test_another_protocol_that_nobody_has_asked_for_is_refused(raw: bytes, kind: Kind) -> None:
    """It is not asked for again, and its connection is not used for anything else."""
    async with Wire(committed(answer(raw)), echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call()

        if kind == "keyless":
            check_unknown(ended, one, ProtocolError)
        else:
            assert (ProtocolError, "unknown", True) == story(ended)
            assert 101 == ended.status
        assert [101] == [record.status for record in one.records]
        await one.check(ended, sent=1, done=len(wire.effects))
        check_each_has_its_own_connection(wire, 1)


INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
}


def interims() -> Iterator[Any]:
    for name, raw in INTERIM.items():
        yield pytest.param([raw], id=f"{name} in a segment of its own")
        yield pytest.param([raw[:12], raw[12:]], id=f"{name} in two segments")
    yield pytest.param([b"".join(INTERIM.values()) * 3], id="many")


@every_kind
@pytest.mark.parametrize("together", [False, True], ids=["the answer later", "the answer at once"])
@pytest.mark.parametrize("before", list(interims()))
async def test_what_comes_before_the_answer_is_passed_over(before: list[bytes], together: bool, kind: Kind) -> None:
    """The final answer counts, and the connection stays good."""

    async def act(line: Line, request: Received) -> None:
        for part in before[:-1]:
            await line.do(part, request)
            await asyncio.sleep(0.01)
        await line.do(before[-1] + (request.echo() if together else b""), request)
        await asyncio.sleep(0.01)
        if not together:
            await line.do(request.echo(), request)

    async with Wire(Step((act,), commits=True)) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call()

        assert {"path": "/asked", "n": 1} == ended
        await one.check(ended, sent=1, done=len(wire.effects))
        kept = {each.connection for each in wire.requests if each.method == "GET"}
        assert 1 == len(kept)


# Line feeds without carriage returns


LONE_FEEDS = {
    "everywhere in the head": lambda raw: raw.replace(b"\r\n", b"\n"),
    "after the status line": lambda raw: raw.replace(b"\r\n", b"\n", 1),
    "after the head": lambda raw: raw.replace(b"\r\n\r\n", b"\r\n\n"),
}


@every_kind
@pytest.mark.parametrize("segments", [1, 1000], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("bare", LONE_FEEDS.values(), ids=LONE_FEEDS)
async def test_lone_line_feeds_end_a_line_too(bare: Any, segments: int, kind: Kind) -> None:
    """RFC 9112 §2.2 lets us; whoever asks next on the same connection gets the own answer."""

    async def act(line: Line, request: Received) -> None:
        raw = bare(request.echo())
        size = -(-len(raw) // segments)
        for at in range(0, len(raw), size):
            await line.do(raw[at : at + size], request)
            await asyncio.sleep(0)

    async with Wire(Step((act,), commits=True)) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call()

        assert {"path": "/asked", "n": 1} == ended
        await one.check(ended, sent=1, done=len(wire.effects))


@every_kind
async def test_lone_line_feeds_hide_no_second_answer(kind: Kind) -> None:
    """One parser may see one answer where another sees two: the first counts, its connection ends."""
    two = http(body=BODY).replace(b"\r\n", b"\n") + STRAY.replace(b"\r\n", b"\n")
    async with Wire(committed(answer(two)), echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call()

        assert {"path": "/asked"} == ended
        await one.check(ended, sent=1, done=len(wire.effects))
        check_each_has_its_own_connection(wire, 1)


@every_kind
async def test_lone_line_feeds_between_chunks_are_no_http(kind: Kind) -> None:
    """Where chunks end decides where the next answer begins, so nothing is guessed there."""
    raw = OK + CHUNKS + b"\r\n" + CHUNKED.replace(b"\r\n", b"\n")
    async with (
        Wire(committed(answer(raw)), echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=5, later=5) as one,
    ):
        ended = await one.call()

        if kind == "keyless":
            check_unknown(ended, one, ProtocolError)
        else:
            assert "/asked" == ended["path"]
        await one.check(ended, sent=len(wire.requests), done=len(wire.effects))
        check_each_has_its_own_connection(wire, 1)


# No content, and yet a body


NO_CONTENT = b"HTTP/1.1 204 No Content\r\n"


@every_kind
async def test_no_content_is_a_success_without_a_value(kind: Kind) -> None:
    """And its connection stays good."""
    async with Wire(committed(answer(NO_CONTENT + b"\r\n")), echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call()

        assert ended is None
        await one.check(ended, sent=1, done=len(wire.effects))
        reused = [each.number for each in wire.requests if each.connection == 1]
        assert {"read": 3, "keyed": 4, "keyless": 1}[kind] == len(reused)


@every_kind
@pytest.mark.parametrize("announced", [LENGTH, CHUNKS], ids=["its length", "chunks"])
async def test_no_content_that_announces_a_body_is_the_last_of_its_connection(announced: bytes, kind: Kind) -> None:
    """If the body comes later, or never: the success counts, and what was announced is nobody's answer."""
    async with (
        Wire(committed(answer(NO_CONTENT + announced + b"\r\n")), echo()) as wire,
        trial(wire.url, kind, timeout=5) as one,
    ):
        ended = await one.call()

        assert ended is None
        await one.check(ended, sent=1, done=len(wire.effects))
        check_each_has_its_own_connection(wire, 1)


async def test_what_no_content_has_announced_is_not_taken_for_the_next_answer() -> None:
    """It looks like an answer and comes when the next call has asked already."""

    async def late_body(line: Line, request: Received) -> None:
        await line.do((STRAY if line.number == 1 else b"") + request.echo(), request)

    announced = b"Content-Length: %d\r\n" % len(STRAY)
    async with (
        Wire(answer(NO_CONTENT + announced + b"\r\n"), Step((late_body,))) as wire,
        trial(wire.url, "read", timeout=5) as one,
    ):
        assert await one.call() is None
        ended = await one.call("/second")

        assert {"path": "/second", "n": 2} == ended
        assert [1, 2] == [each.connection for each in wire.requests]


@pytest.mark.parametrize("kind", ["read", "keyed"])
async def test_the_body_of_no_content_that_comes_later_does_no_harm(kind: Kind) -> None:
    """It was a success; whoever asks next gets the own answer at the first attempt."""
    late = Step((NO_CONTENT + LENGTH + b"\r\n", 0.03, BODY, ignore), commits=True)
    async with Wire(late, echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        assert await one.call() is None
        await asyncio.sleep(0.06)
        one.records.clear()
        ended = await one.call("/second")

        assert {"path": "/second", "n": 2} == ended
        await one.check(ended, sent=1, done=len(wire.effects) - 1)


@every_kind
@pytest.mark.parametrize("pause", [0.0, 0.001], ids=["at once", "slowly"])
async def test_a_head_in_slices_of_one_byte_is_a_head(pause: float, kind: Kind) -> None:
    """However the network has cut it."""
    raw = http(body=BODY, x_a="a" * 50)
    sliced = committed(pieces([raw[at : at + 1] for at in range(len(raw))], pause))
    async with Wire(sliced, echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call()

        assert {"path": "/asked"} == ended
        await one.check(ended, sent=1, done=len(wire.effects))
