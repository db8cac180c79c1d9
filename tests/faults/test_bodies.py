"""An answer whose body is broken: what was acted on is not done again, and half of a truth is never taken for it."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from aiohttp.client_proto import ResponseHandler

from leavo_async import (
    APIError,
    LeavoError,
    NotFoundError,
    OutcomeUnknownError,
    ProtocolError,
    ReadTimeoutError,
    ResponseTooLargeError,
    ResponseValidationError,
    RetryPolicy,
    ServerError,
    UnprocessableError,
)
from leavo_async.apis.leavo import LEAVO

from .judge import CANARY, KINDS, Kind, Trial, on_time, trial
from .wire import Line, Received, Step, Wire, answer, committed, echo, fin, http, ignore, rst, then_close

ATTEMPTS = RetryPolicy().max_attempts
LIMIT = 0.1  # seconds for an attempt, where they are what ends it
OK = b"HTTP/1.1 200 OK\r\n"
BODY = b'{"path": "/asked"}'
ENTITY = b"12\r\n" + BODY + b"\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = gzip.compress(BODY, mtime=0)
ZLIB = zlib.compress(BODY)
KEY = CANARY.encode()  # the server gives it back: no text of an error may show it
PAGE = b"<!DOCTYPE html><title>Sign in</title>" + KEY

asynchronous = pytest.mark.asyncio
every_kind = pytest.mark.parametrize("kind", KINDS)
typed_or_not = pytest.mark.parametrize("cast_to", [None, dict[str, Any]], ids=["untyped", "typed"])


def head(*fields: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def whole(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """An answer that says how long it is, and is so long."""
    return head(b"Content-Length: %d" % len(body), *fields, status=status) + body


def packed(body: bytes, coding: bytes = b"gzip", status: bytes = b"200 OK") -> bytes:
    return whole(body, b"Content-Encoding: " + coding, status=status)


def later(*segments: bytes, then: Any = ignore) -> Step:
    """Each segment 20 ms after the one before it, and then nothing, or whatever is done."""
    first, *rest = segments
    return Step((first, *(act for part in rest for act in (0.02, part)), 0.02, then))


@dataclass(frozen=True)
class Row:
    """What comes for an answer, the error that it is, and how often what may be done twice is sent.

    done: the error says that a write was done; otherwise a keyless one is of unknown outcome.
    reads_only: writes are sent once, whatever they are.
    clean: the whole answer was read, so its connection may be used again.
    """

    step: Step
    error: type[LeavoError]
    sends: int
    done: bool = True
    reads_only: bool = False
    clean: bool = False

    @property
    def limit(self) -> float:
        """Seconds for an attempt: few where they are what ends it, many where they must not be."""
        return LIMIT if self.error is ReadTimeoutError else 5

    def sent(self, kind: Kind) -> int:
        return 1 if kind == "keyless" or (self.reads_only and kind != "read") else self.sends

    def problems(self, kind: Kind) -> list[str]:
        return [self.error.__name__] * self.sent(kind)


def cut(step: Step) -> Row:
    return Row(step, ProtocolError, ATTEMPTS)


def corrupt(raw: bytes) -> Row:
    return Row(answer(raw), ProtocolError, ATTEMPTS, clean=True)


def slow(step: Step) -> Row:
    return Row(step, ReadTimeoutError, ATTEMPTS, done=False)


def wrongly_packed(raw: bytes, sends: int) -> Row:
    return Row(answer(raw), ProtocolError, sends, clean=True)


def no_json(body: bytes, sends: int = 2) -> Row:
    return Row(answer(whole(body)), ProtocolError, sends, reads_only=True, clean=True)


def final(body: bytes) -> Row:
    return no_json(body, sends=1)


CUT = {
    "cut by the end of the connection": cut(then_close(whole(BODY)[:-3])),
    "cut after its head": cut(then_close(whole(BODY)[: -len(BODY)])),
    "cut by the end of the connection, later": cut(later(whole(BODY)[:-9], BODY[-9:-3], then=fin)),
    "cut by a reset": cut(later(whole(BODY)[:-3], then=rst)),
    "cut by a reset after its head": cut(later(whole(BODY)[: -len(BODY)], then=rst)),
    "a chunk cut by the end of the connection": cut(then_close(CHUNKED + ENTITY[:9])),
    "a chunk cut by a reset": cut(later(CHUNKED + ENTITY[:9], then=rst)),
    "cut between chunks": cut(then_close(CHUNKED + ENTITY)),
    "cut in the last chunk": cut(then_close(CHUNKED + ENTITY + b"0\r\n")),
    "cut before the first chunk": cut(then_close(CHUNKED)),
    "without its length": cut(then_close(OK + b"\r\n" + BODY)),
    "without its length, as announced": cut(then_close(OK + b"Connection: close\r\n\r\n" + BODY)),
    "empty and without its length": cut(then_close(OK + b"\r\n")),
    "an empty list of HTTP/1.0": cut(then_close(b"HTTP/1.0 200 OK\r\n\r\n[]")),
    "a coding in place of chunks": cut(then_close(OK + b"Transfer-Encoding: identity\r\n\r\n" + BODY)),
    "gzip with a wrong bit": corrupt(packed(GZIP[:12] + bytes([GZIP[12] ^ 1]) + GZIP[13:])),
    "gzip with a wrong sum": corrupt(packed(GZIP[:-8] + bytes(4) + GZIP[-4:])),
    "gzip and more": corrupt(packed(GZIP + b"more")),
    "cut gzip": corrupt(packed(GZIP[:-9])),
    "gzip without its sum": corrupt(packed(GZIP[:-8])),
    "gzip without its last byte": corrupt(packed(GZIP[:-1])),
    "the first bytes of gzip": corrupt(packed(GZIP[:2])),
    "cut gzip in chunks": corrupt(
        head(b"Transfer-Encoding: chunked", b"Content-Encoding: gzip") + b"5\r\n" + GZIP[:5] + b"\r\n0\r\n\r\n"
    ),
    "cut deflate": corrupt(packed(ZLIB[:-1], b"deflate")),
}
BAD_CHUNK = b"zz\r\n"
FRAMING = {
    "a bad chunk together with the head": Row(answer(CHUNKED + BAD_CHUNK), ProtocolError, 2, done=False),
    "a bad second chunk together with the head": Row(
        answer(CHUNKED + ENTITY + BAD_CHUNK), ProtocolError, 2, done=False
    ),
    "a bad chunk in a later segment": slow(later(CHUNKED, BAD_CHUNK)),
    "a bad second chunk in a later segment": slow(later(CHUNKED + ENTITY, BAD_CHUNK)),
    "a bad chunk in a later segment, and the end": slow(later(CHUNKED, BAD_CHUNK, then=fin)),
    "a chunk that is longer than it says": slow(later(CHUNKED, b"5\r\n" + BODY + b"\r\n")),
    "a chunk below zero": slow(later(CHUNKED, b"-1\r\n")),
    "a chunk of 2⁷² bytes": slow(later(CHUNKED, b"f" * 18 + b"\r\n")),
    "a body that stalls": slow(later(whole(BODY)[:-3])),
    "a body that stalls before it begins": slow(later(whole(BODY)[: -len(BODY)])),
    "chunks that stall": slow(later(CHUNKED, ENTITY)),
    "a byte of the body now and then": slow(
        Step((whole(BODY)[: -len(BODY)], *(act for n in range(len(BODY)) for act in (0.03, BODY[n : n + 1]))))
    ),
    "a chunk now and then, for ever": slow(Step((CHUNKED, *[b"1\r\n \r\n", 0.01] * 1000))),
}
PACKING = {
    "gzip that is plain text": wrongly_packed(packed(BODY), sends=2),
    "gzip that is a page": wrongly_packed(packed(PAGE), sends=2),
    "deflate that is plain text": wrongly_packed(packed(BODY, b"deflate"), sends=2),
    "deflate that is a page": wrongly_packed(packed(PAGE, b"deflate"), sends=2),
    "deflate without its frame": wrongly_packed(packed(ZLIB[2:-4], b"deflate"), sends=2),
    "an unknown coding": wrongly_packed(packed(BODY, b"br"), sends=1),
    "a coding that was not asked for": wrongly_packed(packed(BODY, b"zstd"), sends=1),
    "two codings": wrongly_packed(packed(GZIP, b"gzip, gzip"), sends=1),
    "the key for a coding": wrongly_packed(packed(BODY, KEY), sends=1),
}
CONTENT = {
    "a page": final(PAGE),
    "a page after blank lines": final(b"\r\n\r\n" + PAGE),
    "a page after a byte order mark": final(b"\xef\xbb\xbf" + PAGE),
    "a packed page": Row(answer(packed(gzip.compress(PAGE))), ProtocolError, 1, reads_only=True, clean=True),
    "words": no_json(b"Please sign in " + KEY),
    "half of an object": no_json(b'{"a": "' + KEY),
    "two values": no_json(BODY + BODY),
    "a byte that is not UTF-8": no_json(b'{"a": "\xff"}'),
    "half of a letter": no_json(b'{"a": "\xc3"}'),
    "half of a pair of surrogates": no_json(rb'{"a": "\ud800"}'),
    "UTF-16": no_json(BODY.decode().encode("utf-16")),
    "Latin-1, as announced": Row(
        answer(http(body='{"a": "é"}'.encode("latin-1"), content_type="application/json; charset=latin-1")),
        ProtocolError,
        2,
        reads_only=True,
        clean=True,
    ),
    "not a number": final(b'{"a": NaN}'),
    "infinity": final(b'{"a": Infinity}'),
    "infinity below zero": final(b'{"a": [-Infinity]}'),
    "a number of 5,000 digits": final(b'{"a": ' + b"9" * 5_000 + b"}"),
    "lists of 100,000 levels": final(b"[" * 100_000 + b"]" * 100_000),
    "lists of 100,000 levels in an object": final(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "objects of 100,000 levels": final(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "100,000 levels without an end": final(b"[" * 100_000),
}
ROWS = CUT | FRAMING | PACKING | CONTENT


def problems(one: Trial) -> list[str | None]:
    return [record.problem for record in one.records]


def check_ended(ended: Any, row: Row, kind: Kind) -> None:
    if kind == "keyless" and not row.done:
        assert (OutcomeUnknownError, "unknown", False) == (type(ended), ended.outcome, ended.safe_to_retry)
        return
    assert (row.error, "done" if row.done else "unknown") == (type(ended), ended.outcome)
    assert (kind != "keyless") is ended.safe_to_retry


def check_connections(wire: Wire, row: Row, faulty: int) -> None:
    """What has carried an answer that was not read to its end carries nothing else."""
    spoiled = [each.connection for each in wire.requests[:faulty]]
    others = {each.connection for each in wire.requests[faulty:]}
    assert row.clean or (faulty == len(set(spoiled)) and not others & set(spoiled))


@asynchronous
@every_kind
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_what_may_be_told_better_is_asked_for_again(row: Row, kind: Kind) -> None:
    """It succeeds then; a write that must not be done twice is sent once."""
    await on_time(lambda: check_once(row, kind))


async def check_once(row: Row, kind: Kind) -> None:
    async with (
        Wire(committed(row.step), echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=5, later=5) as one,
    ):
        ended = await one.call(timeout=row.limit)

        if row.sent(kind) == 1:
            assert [row.error.__name__] == problems(one)
            check_ended(ended, row, kind)
        else:
            assert [row.error.__name__, None] == problems(one)
            assert "/asked" == ended["path"]
        await one.check(ended, sent=len(wire.requests), done=len(wire.effects))
        check_connections(wire, row, 1)


@asynchronous
@every_kind
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_what_is_always_broken_is_given_up(row: Row, kind: Kind) -> None:
    """After as many sends as may help, each in its time; the error says whether a write was done."""
    await on_time(lambda: check_always(row, kind))


async def check_always(row: Row, kind: Kind) -> None:
    sends = row.sent(kind)
    # One more send than that would succeed.
    script = [committed(row.step)] * sends
    async with (
        Wire(*script, echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=5) as one,
    ):
        ended = await one.call(timeout=row.limit)

        assert all(record.seconds < row.limit + 0.1 for record in one.records)
        assert row.problems(kind) == problems(one)
        check_ended(ended, row, kind)
        await one.check(ended, sent=sends, done=len(wire.effects))
        check_connections(wire, row, sends)


@asynchronous
@every_kind
@pytest.mark.parametrize("row", CONTENT.values(), ids=CONTENT)
async def test_what_is_no_json_is_no_answer_for_a_type_either(row: Row, kind: Kind) -> None:
    """The same error, as often, where a type was promised."""
    async with Wire(committed(row.step)) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call(cast_to=dict[str, Any])

        check_ended(ended, row, kind)
        await one.check(ended, sent=row.sent(kind), done=len(set(wire.effects)), next_call=False)


@pytest.mark.parametrize(
    "good",
    [
        whole(BODY),
        CHUNKED + b"6\r\n" + BODY[:6] + b"\r\nc\r\n" + BODY[6:] + b"\r\n0\r\n\r\n",
        packed(GZIP),
        whole(b"[]"),
        whole(b"12345678"),
    ],
    ids=["by its length", "in chunks", "packed", "a list", "a number"],
)
@asynchronous
async def test_no_part_of_an_answer_is_taken_for_the_whole(good: bytes) -> None:
    """Wherever the connection ends, in head or body: the read is asked for again."""
    for at in range(len(good)):
        async with Wire(then_close(good[:at]), echo()) as wire, trial(wire.url, timeout=5) as one:
            assert {"path": "/asked", "n": 2} == await one.call()
            await one.check(None, sent=2, done=None, next_call=False)


# Listings


def item_pages(*steps: Step) -> Wire:
    full = http(body=b'{"data": [' + b", ".join(b'{"id": "%d"}' % number for number in range(3)) + b"]}")
    return Wire(answer(full), *steps)


async def read_into(found: list[Any], one: Trial) -> None:
    async for item in one.session.pages("/items", page_size=3, concurrency=1):
        found.append(item["id"])


CUT_LISTS = {
    "an empty list of HTTP/1.0": then_close(b"HTTP/1.0 200 OK\r\n\r\n[]"),
    "an empty list without its length": then_close(OK + b"Content-Type: application/json\r\n\r\n[]"),
    "nothing, without its length": then_close(OK + b"\r\n"),
    "a list that is cut": then_close(OK + b'\r\n{"data": [{"id": "4"}'),
    "an empty list of cut gzip": answer(packed(gzip.compress(b"[]")[:-8])),
    "an empty list of cut chunks": then_close(CHUNKED + b"2\r\n[]\r\n"),
    "an empty body": answer(http(body=b"")),
    "a page of HTML": answer(http(body=PAGE)),
}


@asynchronous
@pytest.mark.parametrize("step", CUT_LISTS.values(), ids=CUT_LISTS)
async def test_a_broken_page_is_never_the_end_of_a_listing(step: Step) -> None:
    """It is an error, after what has been read until then."""
    found: list[Any] = []
    async with item_pages(step) as wire, trial(wire.url, timeout=5) as one:
        with pytest.raises(ProtocolError) as ended:
            await read_into(found, one)
        assert "done" == ended.value.outcome

    assert ["0", "1", "2"] == found


@asynchronous
@pytest.mark.parametrize("step", list(CUT_LISTS.values())[:-1], ids=list(CUT_LISTS)[:-1])
async def test_a_page_that_was_broken_once_leaves_nothing_out(step: Step) -> None:
    """The page is asked for again, and the listing goes on."""
    rest = [answer(http(body=b'[{"id": "3"}, {"id": "4"}, {"id": "5"}]')), answer(http(body=b"[]"))]
    async with item_pages(step, *rest) as wire, trial(wire.url, timeout=5) as one:
        await read_into(found := list[Any](), one)

    assert list("012345") == found
    assert 4 == len(wire.requests)


# Too large

CAP = 1 << 20
SMALL = replace(LEAVO, max_body_bytes=CAP)
# aiohttp stops reading at twice 64 KiB, asyncio reads up to 256 KiB at once.
AHEAD = 256 * 1024


@contextmanager
def counted() -> Iterator[list[int]]:
    """Sizes of what is taken off the client's sockets meanwhile."""
    taken: list[int] = []
    original = ResponseHandler.data_received

    def counts(self: ResponseHandler, data: bytes) -> None:
        taken.append(len(data))
        original(self, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResponseHandler, "data_received", counts)
        yield taken


@contextmanager
def measured() -> Iterator[list[int]]:
    """The most memory that was in use meanwhile, above what was in use before."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


PIECE = bytes(1 << 16)
FLOODS = {
    "by its length": (b"Content-Length: %d" % (100 << 20), PIECE),
    "in chunks": (b"Transfer-Encoding: chunked", b"10000\r\n" + PIECE + b"\r\n"),
    "packed, in chunks": (b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked", b"10000\r\n" + PIECE + b"\r\n"),
}


def flood(field: bytes, piece: bytes, status: bytes = b"200 OK") -> Step:
    """100 MB, piece by piece, as fast as they are taken."""

    async def pours(line: Line, request: Received) -> None:
        for _ in range(1600):
            await line.do(piece, request)

    return Step((head(field, status=status), pours))


@asynchronous
@every_kind
@pytest.mark.parametrize(("field", "piece"), FLOODS.values(), ids=FLOODS)
async def test_a_body_of_100_mb_ends_at_the_limit(field: bytes, piece: bytes, kind: Kind) -> None:
    """Little more than the limit is taken off the socket, and less than twice the limit is in memory."""
    async with (
        Wire(committed(flood(field, piece)), echo()) as wire,
        trial(wire.url, kind, profile=SMALL, timeout=5) as one,
    ):
        with counted() as taken, measured() as peak:
            ended = await one.call()

        assert (ResponseTooLargeError, "done", 200) == (type(ended), ended.outcome, ended.status)
        await one.check(ended, sent=1, done=len(wire.effects))
        check_connections(wire, ROWS["cut by a reset"], 1)

    assert sum(taken) <= CAP + AHEAD
    assert peak[0] < 2 * CAP


@asynchronous
async def test_an_announced_length_above_the_limit_is_not_read_at_all() -> None:
    """Its head tells enough."""
    async with Wire(flood(*FLOODS["by its length"])) as wire, trial(wire.url, profile=SMALL, timeout=5) as one:
        with counted() as taken:
            ended = await one.call()

    assert ResponseTooLargeError is type(ended)
    assert sum(taken) <= 2 * AHEAD


@cache
def bomb(size: int) -> bytes:
    """So many zeros, packed piece by piece."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join([*(packer.compress(zeros) for _ in range(size >> 20)), packer.flush()])


def chunked_bomb() -> bytes:
    small = bomb(200 << 20)
    fields = head(b"Content-Encoding: gzip", b"Transfer-Encoding: chunked")
    return fields + b"%x\r\n" % len(small) + small + b"\r\n0\r\n\r\n"


BOMBS = {
    "one member": lambda: packed(bomb(200 << 20)),
    "200 members": lambda: packed(bomb(1 << 20) * 200),
    "in chunks": chunked_bomb,
}


@asynchronous
@every_kind
@pytest.mark.parametrize("made", BOMBS.values(), ids=BOMBS)
async def test_a_bomb_of_200_mb_is_not_unpacked(made: Callable[[], bytes], kind: Kind) -> None:
    """Less than twice the limit is in memory, and a write was done."""
    profile = replace(LEAVO, max_body_bytes=4 * CAP)
    async with (
        Wire(committed(answer(made())), echo()) as wire,
        trial(wire.url, kind, profile=profile, timeout=5) as one,
    ):
        with measured() as peak:
            ended = await one.call()

        assert (ResponseTooLargeError, "done", 200) == (type(ended), ended.outcome, ended.status)
        await one.check(ended, sent=1, done=len(wire.effects))

    assert peak[0] < 2 * 4 * CAP


@asynchronous
@every_kind
@pytest.mark.parametrize(("size", "fits"), [(CAP, True), (CAP + 1, False)], ids=["just fits", "one byte too many"])
@pytest.mark.parametrize("form", ["by its length", "in chunks", "packed"])
async def test_the_limit_is_the_largest_body_that_is_taken(form: str, size: int, fits: bool, kind: Kind) -> None:
    """However it comes; packed, it counts as it is unpacked."""
    body = b'"' + b"a" * (size - 2) + b'"'
    raw = {
        "by its length": whole(body),
        "in chunks": CHUNKED + b"%x\r\n" % size + body + b"\r\n0\r\n\r\n",
        "packed": packed(gzip.compress(body)),
    }[form]
    async with Wire(committed(answer(raw)), echo()) as wire, trial(wire.url, kind, profile=SMALL, timeout=5) as one:
        ended = await one.call()

        assert fits is (ended == "a" * (size - 2))
        assert fits or (ResponseTooLargeError, "done") == (type(ended), ended.outcome)
        await one.check(ended, sent=1, done=len(wire.effects))


# Errors


def begun(status: bytes, *fields: bytes) -> bytes:
    """The head of an answer in chunks."""
    return head(b"Transfer-Encoding: chunked", *fields, status=status)


WORDS: dict[str, Callable[[bytes], Step]] = {
    "a page": lambda status: answer(whole(PAGE, status=status)),
    "nothing": lambda status: answer(whole(b"", status=status)),
    "cut JSON": lambda status: answer(whole(b'{"error": {"code": "' + KEY, status=status)),
    "a body that is cut": lambda status: then_close(whole(PAGE, status=status)[:-3]),
    "a body that is cut by a reset": lambda status: later(whole(PAGE, status=status)[:-3], then=rst),
    "chunks that are cut": lambda status: then_close(
        head(b"Transfer-Encoding: chunked", status=status) + b"5\r\n<html"
    ),
    "chunks that are cut later": lambda status: later(begun(status), b"5\r\n<html\r\n", then=fin),
    "chunks that are cut by a reset": lambda status: later(begun(status), b"5\r\n<html\r\n", then=rst),
    "a body without its length": lambda status: then_close(head(status=status) + PAGE),
    "corrupt gzip": lambda status: answer(packed(GZIP[:-9] + bytes(9), status=status)),
    "cut gzip": lambda status: answer(packed(GZIP[:-9], status=status)),
    "gzip that is plain text": lambda status: answer(packed(BODY, status=status)),
    "an unknown coding": lambda status: answer(packed(BODY, b"br", status=status)),
    "a bomb": lambda status: answer(packed(bomb(4 << 20), status=status)),
    "100 MB": lambda status: flood(*FLOODS["in chunks"], status=status),
    "not a number": lambda status: answer(whole(b'{"error": NaN}', status=status)),
    "100,000 levels": lambda status: answer(whole(b"[" * 100_000, status=status)),
    "a byte that is not UTF-8": lambda status: answer(whole(b'{"error": "\xff"}', status=status)),
}
STATUSES: dict[bytes, type[APIError]] = {
    b"404 Not Found": NotFoundError,
    b"422 Unprocessable Content": UnprocessableError,
    b"502 Bad Gateway": ServerError,
}


@asynchronous
@every_kind
@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.decode())
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
async def test_an_error_counts_by_its_status_and_not_by_its_words(
    words: Callable[[bytes], Step], status: bytes, kind: Kind
) -> None:
    """A page of a proxy is no JSON, and half of one neither: the status says what to do."""
    expected, code = STATUSES[status], int(status[:3])
    sends = ATTEMPTS if expected is ServerError and kind != "keyless" else 1
    async with (
        Wire(*[words(status)] * sends, echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, profile=SMALL, timeout=5) as one,
    ):
        ended = await one.call()

        if expected is ServerError and kind == "keyless":
            assert (OutcomeUnknownError, "unknown", False) == (type(ended), ended.outcome, ended.safe_to_retry)
        else:
            assert (expected, code, None) == (type(ended), ended.status, ended.code)
            assert ("unknown" if expected is ServerError else "not sent") == ended.outcome
        assert [(code, expected.__name__)] * sends == [(each.status, each.problem) for each in one.records]
        await one.check(ended, sent=sends, done=len(wire.effects))


REDIRECT = b"302 Found"
SCRAPS = {name: words for name, words in WORDS.items() if name not in ("a bomb", "100 MB")}


@asynchronous
@every_kind
@pytest.mark.parametrize("words", SCRAPS.values(), ids=SCRAPS)
async def test_a_redirect_counts_by_its_status_too(words: Callable[[bytes], Step], kind: Kind) -> None:
    """Whatever its page: who redirects has not acted, and will redirect again."""
    async with Wire(words(REDIRECT), echo()) as wire, trial(wire.url, kind, profile=SMALL, timeout=5) as one:
        ended = await one.call()

        assert (ProtocolError, 302, "not sent") == (type(ended), getattr(ended, "status", None), ended.outcome)
        await one.check(ended, sent=1, done=0)


STALLS: dict[str, Callable[[bytes], Step]] = {
    "a body that stalls": lambda status: later(whole(PAGE, status=status)[:-3]),
    "a body that stalls before it begins": lambda status: later(whole(PAGE, status=status)[: -len(PAGE)]),
    "chunks that stall": lambda status: later(begun(status), b"5\r\n<html\r\n"),
    # aiohttp closes the connection then, and tells nobody who waits for more.
    "a chunk without a length": lambda status: later(begun(status), b"5\r\n<html\r\n", b"<body>\r\n"),
    "a chunk that is longer than it says": lambda status: later(begun(status), b"5\r\n<html>\r\n"),
    "a head that has the key": lambda status: later(begun(status, b"X-Key: " + KEY), b"5\r\n<html\r\n"),
    "a chunk now and then, for ever": lambda status: Step((begun(status), *[b"1\r\n \r\n", 0.01] * 1000)),
}


@asynchronous
@every_kind
@pytest.mark.parametrize("status", [*STATUSES, REDIRECT], ids=lambda status: status.decode())
@pytest.mark.parametrize("words", STALLS.values(), ids=STALLS)
async def test_an_error_whose_words_do_not_come_counts_by_its_status(
    words: Callable[[bytes], Step], status: bytes, kind: Kind
) -> None:
    """The attempt takes all of its time, and then what it has been told is not forgotten."""
    await on_time(lambda: check_stalled(words, status, kind))


async def check_stalled(words: Callable[[bytes], Step], status: bytes, kind: Kind) -> None:
    expected, code = STATUSES.get(status, ProtocolError), int(status[:3])
    sends = ATTEMPTS if expected is ServerError and kind != "keyless" else 1
    async with (
        Wire(*[words(status)] * sends, echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=5) as one,
    ):
        ended = await one.call(timeout=LIMIT)

        if expected is ServerError and kind == "keyless":
            assert (OutcomeUnknownError, "unknown", False) == (type(ended), ended.outcome, ended.safe_to_retry)
            assert f"answered {code}" in ended.because
        else:
            assert (expected, code) == (type(ended), ended.status)
            assert ("unknown" if expected is ServerError else "not sent") == ended.outcome
        assert [expected.__name__] * sends == problems(one)
        await one.check(ended, sent=sends, done=len(wire.effects))


@asynchronous
@every_kind
@pytest.mark.parametrize("words", STALLS.values(), ids=STALLS)
async def test_a_429_whose_words_do_not_come_is_one(words: Callable[[bytes], Step], kind: Kind) -> None:
    """Nobody has acted, so that any write may go again, after the wait that its head asks for."""
    refusal = b"429 Too Many Requests\r\nRetry-After: 0"
    async with (
        Wire(words(refusal), echo(), honours_keys=kind == "keyed") as wire,
        trial(wire.url, kind, timeout=5, later=5) as one,
    ):
        ended = await one.call(timeout=LIMIT)

        assert ["RateLimitError", None] == problems(one)
        assert "/asked" == ended["path"]
        await one.check(ended, sent=2, done=len(wire.effects))


@asynchronous
@pytest.mark.parametrize("kind", ["read", "keyed"])
@pytest.mark.parametrize(("step", "status"), [(later(whole(BODY)[:-3]), 200), (later(OK), None)], ids=["body", "head"])
async def test_a_timeout_tells_the_status_that_was_read(step: Step, status: int | None, kind: Kind) -> None:
    """If there was one: the server has answered, and only its body is missing."""
    async with Wire(step, echo()) as wire, trial(wire.url, kind, retry=RetryPolicy(max_attempts=1)) as one:
        ended = await one.call(timeout=LIMIT)

        assert (ReadTimeoutError, status, "read", "unknown") == (type(ended), ended.status, ended.phase, ended.outcome)
        assert [status] == [record.status for record in one.records]
        await one.check(ended, sent=1, done=len(wire.effects), next_call=False)


# What can be read, and what says nothing

VALUES: dict[str, tuple[bytes, Any]] = {
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, {"path": "/asked"}),
    "a name twice": (b'{"a": 1, "a": 2}', {"a": 2}),
    "an integer above 2⁶⁴": (b'{"id": 18446744073709551617}', {"id": 2**64 + 1}),
    "an integer that no float can be": (b'{"id": 9007199254740993}', {"id": 2**53 + 1}),
    "an integer below zero": (b'{"id": -18446744073709551617}', {"id": -(2**64) - 1}),
    "an integer of 4,300 digits": (b'{"id": ' + b"9" * 4_300 + b"}", {"id": 10**4_300 - 1}),
    "the words NaN and Infinity": (b'{"a": "NaN, Infinity"}', {"a": "NaN, Infinity"}),
    "190 levels": (b'{"a":' * 190 + b"1" + b"}" * 190, None),
    "NUL in a text": (rb'{"a": "\u0000"}', {"a": "\0"}),
    "a pair of surrogates": (rb'{"a": "\ud83d\ude00"}', {"a": "😀"}),
}


def exact(value: Any) -> Any:
    """The value with the types of all that is in it: 1 is not 1.0 here."""
    return {name: (type(each), each) for name, each in value.items()}


@asynchronous
@typed_or_not
@pytest.mark.parametrize("charset", ["", "; charset=bogus"], ids=["without charset", "a bogus charset"])
@pytest.mark.parametrize(("body", "value"), VALUES.values(), ids=VALUES)
async def test_what_can_be_read_is_read(body: bytes, value: Any, charset: str, cast_to: Any) -> None:
    """Of a name that comes twice the last counts, an id never becomes a float, and JSON is UTF-8 whatever is said."""
    raw = http(body=body, content_type=f"application/json{charset}")
    async with Wire(answer(raw), echo()) as wire, trial(wire.url, timeout=5) as one:
        ended = await one.call(cast_to=cast_to)

        assert value is None or exact(value) == exact(ended)
        await one.check(ended, sent=1, done=None)


NOTHING = {
    "an empty body": answer(whole(b"")),
    "no chunks": answer(CHUNKED + b"0\r\n\r\n"),
    "blanks": answer(whole(b" \r\n\t")),
    "packed, and empty": answer(packed(b"")),
    "packed nothing": answer(packed(gzip.compress(b""))),
    "no content": answer(b"HTTP/1.1 204 No Content\r\n\r\n"),
}


@asynchronous
@every_kind
@pytest.mark.parametrize("step", NOTHING.values(), ids=NOTHING)
async def test_nothing_is_a_value_where_nothing_was_promised(step: Step, kind: Kind) -> None:
    """Many writes are answered so."""
    async with Wire(committed(step), echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call()

        assert ended is None
        await one.check(ended, sent=1, done=len(wire.effects))


@asynchronous
@every_kind
@pytest.mark.parametrize("step", NOTHING.values(), ids=NOTHING)
async def test_nothing_is_no_object(step: Step, kind: Kind) -> None:
    """Where one was promised, a read is asked for once more; a write was done."""
    sends = 2 if kind == "read" else 1
    async with Wire(*[committed(step)] * sends, echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call(cast_to=dict[str, Any])

        assert (ProtocolError, "done", kind != "keyless") == (type(ended), ended.outcome, ended.safe_to_retry)
        await one.check(ended, sent=sends, done=len(wire.effects))


@asynchronous
@pytest.mark.parametrize("step", NOTHING.values(), ids=NOTHING)
async def test_a_read_that_was_empty_once_succeeds(step: Step) -> None:
    """The second answer has the object."""
    async with Wire(step, echo()) as wire, trial(wire.url, timeout=5) as one:
        ended = await one.call(cast_to=dict[str, Any])

        assert {"path": "/asked", "n": 2} == ended
        await one.check(ended, sent=2, done=None)


@asynchronous
@every_kind
@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"text"', b"true"], ids=bytes.decode)
async def test_another_value_than_was_promised_is_told_by_its_shape(body: bytes, kind: Kind) -> None:
    """It is JSON, and would come again."""
    async with Wire(committed(answer(whole(body))), echo()) as wire, trial(wire.url, kind, timeout=5) as one:
        ended = await one.call(cast_to=dict[str, Any])

        assert (ResponseValidationError, "done") == (type(ended), ended.outcome)
        await one.check(ended, sent=1, done=len(wire.effects))
