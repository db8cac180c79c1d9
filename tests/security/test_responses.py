"""A server that is hostile, broken or chatty harms nobody who asks it."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.client_proto import ResponseHandler
from hypothesis import example, given
from hypothesis import strategies as st

from leavo_async import (
    APIError,
    BadRequestError,
    Lead,
    LeavoClient,
    LeavoError,
    PermissionDeniedError,
    ProtocolError,
    ResponseTooLargeError,
    ResponseValidationError,
    RetryPolicy,
    ServerError,
    Session,
)
from leavo_async._sansio.messages import Headers, Request, Response
from leavo_async._sansio.read import read
from leavo_async._sansio.retry import Failure
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import FakeTransport, reply, virtual_time

from ..faults.wire import Line, Received, Step, Wire, answer, http
from .servers import KEY, client, shown

on_a_wire = pytest.mark.asyncio

AT_ONCE = RetryPolicy(max_attempts=1, max_wait=0)  # also where a 429 asks to wait
CAP = 1024 * 1024
# What asyncio reads at once, and what aiohttp takes before it makes the server wait.
SLACK = 256 * 1024
MUCH = 100_000_000


# Size


def endless(head: bytes, piece: bytes, total: int = MUCH) -> Step:
    """A head, and then the piece again and again until the client leaves."""

    async def act(line: Line, request: Received) -> None:
        line.writer.write(head)
        for _ in range(total // len(piece)):
            line.writer.write(piece)
            await line.writer.drain()
        await asyncio.Event().wait()

    return Step((act,))


@asynccontextmanager
async def small(wire: Wire) -> AsyncIterator[Session]:
    """A session that takes answers of one MiB at most."""
    profile = replace(LEAVO, max_body_bytes=CAP)
    async with Session(profile, KEY, base_url=wire.url, allow_insecure_loopback=True, limits=(), timeout=20) as session:
        yield session


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what aiohttp gets from the socket."""
    sizes: list[int] = []
    handle = ResponseHandler.data_received

    def counting(self: ResponseHandler, data: bytes) -> None:
        sizes.append(len(data))
        handle(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", counting)
    return sizes


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"
BODIES = {
    "in chunks": (endless(OK + CHUNKED, CHUNK), ResponseTooLargeError),
    "by its length": (endless(OK + b"Content-Length: %d\r\n\r\n" % MUCH, b"x" * 65536), ResponseTooLargeError),
    "packed": (endless(OK + b"Content-Encoding: gzip\r\n" + CHUNKED, CHUNK), ResponseTooLargeError),
    "of an error": (endless(b"HTTP/1.1 500 X\r\n" + CHUNKED, CHUNK), ServerError),
    "of a redirect": (endless(b"HTTP/1.1 302 X\r\nLocation: /y\r\n" + CHUNKED, CHUNK), ProtocolError),
}


@on_a_wire
@pytest.mark.parametrize(("step", "kind"), BODIES.values(), ids=BODIES)
async def test_no_more_is_read_than_is_taken(step: Step, kind: type[LeavoError], received: list[int]) -> None:
    """Of a hundred megabytes no more than the limit comes off the wire, and what one read brings."""
    async with Wire(step) as wire, small(wire) as session:
        with pytest.raises(kind):
            await session.request("GET", "/x", retry=AT_ONCE)

    assert sum(received) <= CAP + SLACK


HEADS = {
    "fields without end": endless(OK, b"X-A: b\r\n" * 1000),
    "a value without end": endless(OK + b"X-A: ", b"x" * 65536),
    "a name without end": endless(OK + b"X-", b"x" * 65536),
    "a reason without end": endless(b"HTTP/1.1 200 ", b"x" * 65536),
    "folded lines without end": endless(OK + b"X-A: b\r\n", b" c\r\n" * 1000),
    "trailers without end": endless(OK + CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n" * 1000),
}


@on_a_wire
@pytest.mark.parametrize("step", HEADS.values(), ids=HEADS)
async def test_a_head_without_end_is_ended(step: Step, received: list[int]) -> None:
    """Fields, names, values and trailers have their limits, too, long before that of a body."""
    async with Wire(step) as wire, small(wire) as session:
        with pytest.raises(ProtocolError):
            await session.request("GET", "/x", retry=AT_ONCE)

    assert sum(received) <= 2 * SLACK


@on_a_wire
@pytest.mark.parametrize("status", [200, 400])
async def test_a_bomb_does_not_fill_the_memory(status: int) -> None:
    """A hundred kilobytes that unpack to a hundred megabytes: they are unpacked as far as they are taken."""
    bomb = gzip.compress(bytes(MUCH))
    async with Wire(answer(http(status, bomb, content_encoding="gzip"))) as wire, small(wire) as session:
        with pytest.raises(ResponseTooLargeError if status == 200 else BadRequestError):
            await session.request("GET", "/x", retry=AT_ONCE)  # all is loaded that is needed
        tracemalloc.start()
        try:
            with pytest.raises(LeavoError):
                await session.request("GET", "/x", retry=AT_ONCE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 2.5 * CAP  # zlib collects pieces and joins them: twice the limit for a moment


# JSON


DEEP = b"[" * 100_000
STRANGE = {
    "deep": DEEP + b"]" * 100_000,
    "deep and cut": DEEP,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number with a million digits": b'{"id": ' + b"9" * 1_000_000 + b"}",
    "not a number": b'{"id": "1", "custom_fields": {"a": NaN}}',
    "infinity": b'{"id": "1", "custom_fields": {"a": [-Infinity]}}',
    "half of a pair": b'{"id": "\\ud800"}',
    "no UTF-8": b'{"id": "\xff\xfe"}',
}


@on_a_wire
@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
async def test_json_that_nobody_should_send_is_an_error_of_ours(body: bytes, status: int) -> None:
    """In a good answer and in an error, which keeps its class; no recursion, no crash."""
    async with Wire(answer(http(status, body))) as wire, client(wire.url) as leavo:
        for cast_to in (None, Lead):
            with pytest.raises(ProtocolError if status == 200 else APIError) as caught:
                await leavo.request("GET", "/x", cast_to=cast_to, retry=AT_ONCE)
            assert isinstance(caught.value, ProtocolError) or status == caught.value.status

    assert 2 == len(wire.requests)


@on_a_wire
async def test_what_is_not_known_is_kept_as_it_came() -> None:
    """New fields, large numbers, and texts, which only who shows them can escape for the place where they stand."""
    told = {
        "id": "1",
        "name": "<script>alert(1)</script> & \u202eevil\x1b[2J\0",
        "custom_fields": {"large": 2**80 + 1, "exact": 0.1, "deep": [[{"a": None}]]},
        "brand_new": {"x": [1, 2**64]},
    }
    async with Wire(answer(http(200, json.dumps(told).encode()))) as wire, client(wire.url) as leavo:
        lead = await leavo.leads.get("1")
        plain = await leavo.request("GET", "/x")

    assert told == plain
    assert (told["name"], told["custom_fields"]) == (lead.name, lead.custom_fields)
    assert {"brand_new": told["brand_new"]} == lead.model_extra


# Words


WORDS = st.text() | st.text(alphabet="\x1b[2J\n\r\t\0\x7f\x9b\u2028\u202e\u200b\U0001f600x", max_size=1000)
NASTY = "\x1b]0;owned\x07\x1b[2J\r\nERROR root: forged line\u2028\u202e" + "x" * 50_000
GET = Request("GET", "/x", "https://api.example.com/x", {})


def _is_tame(text: str, limit: int) -> bool:
    return text.isprintable() and len(text) <= limit


@given(words=WORDS, status=st.sampled_from([302, 400, 401, 403, 404, 409, 418, 429, 500]))
@example(words=NASTY, status=302)
@example(words=NASTY, status=403)
@example(words=NASTY, status=500)
def test_words_of_a_server_do_nothing_where_they_are_printed(words: str, status: int) -> None:
    """Messages, codes, scopes and request ids: one line each, cut, without escapes, wherever the server puts them."""
    body = {"error": {"code": words, "message": words, "details": {"missing_scope": words}}}
    headers = Headers([("X-Request-Id", words), ("Location", f"https://{words}/"), ("WWW-Authenticate", words)])
    failure = read(LEAVO, GET, Response(status, headers, json.dumps(body).encode()), now=0.0)

    assert isinstance(failure, Failure)
    error = failure.error
    assert _is_tame(str(error), 6000)
    assert _is_tame(error.request_id or "", 1000)
    if isinstance(error, APIError):
        assert _is_tame(error.code or "", 1000)
    if isinstance(error, PermissionDeniedError):
        assert _is_tame(error.missing_scope or "", 1000)


@on_a_wire
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 500])
async def test_a_nasty_server_writes_nothing_into_a_log(status: int) -> None:
    """The whole way from its bytes to what is printed of the error: each text of it is one line, and short."""
    body = {"success": False, "error": {"code": NASTY, "message": NASTY, "details": {"scope": NASTY}}}
    # All that a header can hold.
    words = ("\x1b[2J\t\u202e\u2028" + "x" * 2000).encode()
    raw = http(status, json.dumps(body).encode(), x_request_id="@", location="https://@/", www_authenticate='scope="@"')
    async with Wire(answer(raw.replace(b"@", words))) as wire, client(wire.url) as leavo:
        with pytest.raises(LeavoError) as caught:
            await leavo.request("GET", "/x", retry=AT_ONCE)

    error = caught.value
    texts = [str(error), *error.story.split("\n"), error.request_id or "", *map(repr, error.attempts)]
    assert [] == [text for text in texts if not _is_tame(text, 6000)]


@virtual_time
async def test_names_that_a_server_makes_up_are_tame_in_what_is_told_of_a_wrong_shape() -> None:
    """They are the places of what is wrong; the values are not told."""
    leavo = LeavoClient(KEY, transport=FakeTransport(reply(200, {NASTY: "VALUECANARY", "other": NASTY})))
    with pytest.raises(ResponseValidationError) as caught:
        await leavo.request("GET", "/x", cast_to=dict[str, int])

    assert any("owned" in problem for problem in caught.value.problems)
    assert [] == [text for text in (str(caught.value), *caught.value.problems) if not _is_tame(text, 6000)]
    assert "VALUECANARY" not in shown(caught.value)


# For end users


@virtual_time
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 418, 422, 429, 500, 200])
async def test_what_end_users_read_holds_no_detail(status: int) -> None:
    """One sentence for each kind of error, whatever the server says."""
    body: Any = {"success": False, "error": {"code": "E42", "message": "SELECT * FROM leads", "details": {"a": "b"}}}
    leavo = LeavoClient(KEY, transport=FakeTransport(reply(status, body, {"Retry-After": "0"})))
    with pytest.raises(LeavoError) as caught:
        await leavo.request("GET", "/secret-path", retry=AT_ONCE)

    sentence = caught.value.user_message
    assert type(caught.value).user_message is sentence
    assert [] == [word for word in ("E42", "SELECT", "/secret-path", str(status), "leavo") if word in sentence]
