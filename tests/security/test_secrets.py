"""Keys and people's data show nowhere. The tests of this folder stand in the order of a checklist."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import io
import json
import logging
import pickle
import pprint
import reprlib
import traceback
import warnings
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rich
import rich.console
import rich.pretty
import trustme
from pydantic_core import to_json

import leavo_async.errors as tree
from leavo_async import (
    AbortController,
    AuthenticationError,
    ConfigError,
    DailyCap,
    Lead,
    LeavoClient,
    LeavoError,
    PermissionDeniedError,
    RetryPolicy,
    Secret,
    Session,
)
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import FakeTransport, reply, virtual_time

from ..faults.wire import Line, Received, Step, Wire, answer, hang_up, http, ignore, reset, stall, then_close
from .servers import KEY, ONCE, client, nobody_listens, printed_locals, serving, shown, trusting, tunnel

on_a_wire = pytest.mark.asyncio

OTHER_KEY = "lv_live_OTHER5c8d1e"
PASSWORD = "PROXYCANARY42"
BASIC = "dXNlcjpQUk9YWUNBTkFSWTQy"  # user:PROXYCANARY42
SENT = "SENTCANARY"  # what a caller sends of a person
TOLD = "TOLDCANARY"  # what a server tells of a person


# A key is held in one object that does not show it


@dataclasses.dataclass
class Settings:
    """What an application may keep a key in."""

    key: Any


def _inspected(held: Any) -> str:
    console = rich.console.Console(file=io.StringIO(), width=200, record=True)
    rich.inspect(held, all=True, console=console)
    return console.export_text()


def _logged(held: Any) -> str:
    record = logging.LogRecord("app", logging.INFO, "app.py", 1, "with %s %r", (held, held), None)
    return logging.Formatter().format(record)


def _with_locals(held: Any) -> str:
    try:
        raise ValueError
    except ValueError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(report.format())


WAYS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda held: f"{held} {held!r} {held!s} {held!a}",
    "format with a width": "{:>40}".format,
    "percent": lambda held: "%s %r" % (held, held),  # noqa: UP031
    "in a list": lambda held: [held],
    "in a dict": lambda held: {held: held},
    "vars": vars,
    "__dict__": lambda held: held.__dict__,
    "the state for pickle": lambda held: object.__getattribute__(held, "__getstate__")(),
    "all attributes": lambda held: [getattr(held, name, None) for name in dir(held)],
    "pprint": pprint.pformat,
    "reprlib": reprlib.repr,
    "rich": lambda held: rich.pretty.pretty_repr(held, expand_all=True),
    "rich inspect": _inspected,
    "json": json.dumps,
    "json by str": lambda held: json.dumps(held, default=str),
    "json by vars": lambda held: json.dumps(held, default=vars),
    "json of pydantic": to_json,
    "json of pydantic, whatever it is": lambda held: to_json(held, serialize_unknown=True),
    "asdict": lambda held: dataclasses.asdict(Settings(held)),
    "astuple": lambda held: dataclasses.astuple(Settings(held)),
    "a dataclass": lambda held: Settings(held),
    "pickle": lambda held: [pickle.dumps(held, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)],
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "a log line": _logged,
    "a traceback with locals": _with_locals,
    "bytes": lambda held: bytes(held),
}


def shown_by(way: Callable[[Any], object], held: Any) -> str:
    """What comes of it, or the error that it ends in."""
    try:
        return repr(way(held))
    except Exception as error:
        return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_secret_is_shown_in_no_way(way: Callable[[Any], object]) -> None:
    """However an application prints, stores or copies what it has."""
    assert KEY not in shown_by(way, Secret(KEY))
    assert KEY not in shown_by(way, {"key": Secret(KEY, expires_at=datetime(2099, 1, 1, tzinfo=UTC))})


@pytest.mark.parametrize("hook", ["_repr_pretty_", "_repr_html_", "_repr_mimebundle_", "_ipython_display_", "__rich__"])
def test_a_notebook_prints_a_secret_by_its_repr(hook: str) -> None:
    """It has no way of its own of showing it there."""
    assert not hasattr(Secret(KEY), hook)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps, lambda held: held.__reduce_ex__(4)])
def test_a_secret_leaves_the_process_in_no_way(duplicate: Callable[[Any], object]) -> None:
    """Pickled, it would lie in a cache or in a job queue; nor can what holds it be pickled."""
    for held in (Secret(KEY), [Secret(KEY)], Session(LEAVO, KEY)):
        if isinstance(held, Secret) or duplicate is pickle.dumps:
            with pytest.raises(TypeError):
                duplicate(held)


@on_a_wire
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", [Session, LeavoClient])
async def test_a_session_does_not_show_its_key(kind: type[Session], way: Callable[[Any], object]) -> None:
    """Before its first call, and after it, when everything that it needs is made."""
    async with Wire(answer(http(200))) as wire:
        place: Any = {"base_url": wire.url, "allow_insecure_loopback": True, "limits": ()}
        async with LeavoClient(KEY, **place) if kind is LeavoClient else Session(LEAVO, KEY, **place) as session:
            before = shown_by(way, session)
            await session.request("GET", "/x")

            assert KEY in wire.requests[0].headers["authorization"]
            assert KEY not in before + shown_by(way, session) + repr(vars(session))


# Errors, logs and warnings


class Case:
    """Something that goes wrong, and the error that comes of it."""

    def __init__(
        self,
        kind: type[LeavoError],
        *steps: Step,
        method: str = "POST",
        url: str | None = None,
        tls: bool = False,
        meanwhile: Callable[[LeavoClient], Awaitable[None]] | None = None,
        before: int = 0,
        options: dict[str, Any] | None = None,
        **call: Any,
    ) -> None:
        self.kind, self.steps, self.method, self.url, self.tls = kind, steps, method, url, tls
        self.meanwhile, self.before, self.options, self.call = meanwhile, before, options or {}, call

    async def ended(self, **options: Any) -> LeavoError:
        """The error, from a real server that echoes whatever it can."""
        context = serving(trustme.CA()) if self.tls else None
        async with Wire(*self.steps, tls=context) as wire:
            url = self.url or (wire.url if not self.options.get("silent") else wire.url.replace("http:", "https:"))
            settings = {name: value for name, value in {**self.options, **options}.items() if name != "silent"}
            async with client(url, **settings) as leavo:
                for _ in range(self.before):
                    await self.asked(leavo)
                helper = asyncio.ensure_future(self.meanwhile(leavo)) if self.meanwhile else None
                with pytest.raises(LeavoError) as caught:
                    await self.asked(leavo)
                if helper is not None:
                    await helper
        assert self.kind is type(caught.value)
        return caught.value

    async def asked(self, leavo: LeavoClient) -> Any:
        call = {"retry": ONCE, "cast_to": Lead, "params": {"search": SENT}, "headers": {"X-Note": SENT}, **self.call}
        body = None if self.method == "GET" else {"name": SENT, "phone": SENT}
        return await leavo.request(self.method, "/x", json=body, **call)


def said(status: int, code: str = "X", **headers: str) -> Step:
    """An answer with the key in every place that an error is made from, and with a person beside it."""
    echoed = {"code": code, "message": f"no {KEY}, Bearer {KEY}", "details": {"key": KEY, "all": [f"Bearer {KEY}"]}}
    body = {"success": False, "error": echoed, "data": {"name": TOLD}, "key": KEY}
    fields = {
        "x_request_id": KEY,
        "x_echo": f"Bearer {KEY}",
        "x_person": TOLD,
        "set_cookie": f"a={KEY}; b={TOLD}",
        "www_authenticate": f'Bearer error="insufficient_scope", scope="{KEY}"',
        **headers,
    }
    return answer(http(status, json.dumps(body).encode(), **fields))


async def closing(leavo: LeavoClient) -> None:
    await asyncio.sleep(0.05)
    await leavo.aclose()


ABORTED = AbortController()
SILENT = {"silent": True}  # a server that speaks no TLS at all, and says nothing
FINE = answer(http(200, b'{"id": "1"}', x_echo=KEY))
HTML = f"<html>{TOLD} {KEY}</html>".encode()
PLAIN_TEXT = {"Content-Type": "text/plain"}
CASES = {
    "400": Case(tree.BadRequestError, said(400)),
    "401": Case(tree.AuthenticationError, said(401)),
    "403": Case(tree.PermissionDeniedError, said(403)),
    "404": Case(tree.NotFoundError, said(404)),
    "409": Case(tree.ConflictError, said(409)),
    "409 for a used key": Case(tree.IdempotencyMismatchError, said(409, "IDEMPOTENCY_MISMATCH")),
    "418": Case(tree.APIError, said(418, f"TEAPOT {KEY}")),
    "422": Case(tree.UnprocessableError, said(422)),
    "429": Case(tree.RateLimitError, said(429, retry_after="60"), retry=RetryPolicy(max_wait=0)),
    "500 of a read": Case(tree.ServerError, said(500), method="GET"),
    "500 of a write": Case(tree.OutcomeUnknownError, said(500)),
    "a failure in a 200": Case(tree.APIError, said(200)),
    "a redirect": Case(tree.ProtocolError, said(302, location=f"https://evil.example/{TOLD}?key={KEY}#{KEY}")),
    "a page of HTML": Case(tree.ProtocolError, answer(http(200, HTML, content_type="text/html")), method="GET"),
    "no HTTP": Case(tree.ProtocolError, answer(f"{KEY} {TOLD}\r\n\r\n".encode()), method="GET"),
    "a header that is none": Case(
        tree.ProtocolError, answer(f"HTTP/1.1 200 OK\r\n{KEY} {TOLD}\r\n\r\n".encode()), method="GET"
    ),
    "a reason with the key": Case(
        tree.BadRequestError, answer(f"HTTP/1.1 400 {KEY} {TOLD}\r\nContent-Length: 0\r\n\r\n".encode())
    ),
    "a cut answer": Case(tree.ProtocolError, then_close(http(200, HTML, content_length="999")), method="GET"),
    "a large answer": Case(tree.ResponseTooLargeError, answer(http(200, b"", content_length="99999999")), method="GET"),
    "another shape": Case(tree.ResponseValidationError, answer(http(200, f'{{"id": ["{TOLD}", "{KEY}"]}}'.encode()))),
    "a hang-up": Case(tree.ReadError, hang_up(), method="GET"),
    "a reset of a write": Case(tree.OutcomeUnknownError, reset()),
    "no answer": Case(tree.ReadTimeoutError, stall(), method="GET", timeout=0.05),
    "nobody there": Case(tree.ConnectError, url=nobody_listens()),
    "no handshake": Case(tree.ConnectTimeoutError, options=SILENT, timeout=0.05),
    "a certificate of nobody": Case(tree.TLSError, tls=True),
    "a deadline": Case(tree.DeadlineError, stall(), deadline=0.05),
    "a signal": Case(
        tree.AbortedError, stall(), signal=ABORTED.signal, meanwhile=lambda _: asyncio.to_thread(ABORTED.abort, "bye")
    ),
    "a closed session": Case(tree.ClosedError, stall(), meanwhile=closing),
    "a daily cap": Case(tree.QuotaExhaustedError, FINE, before=1, options={"limits": [DailyCap(1)]}),
    "a setting that cannot be": Case(tree.ConfigError, timeout=-1),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_there_is_a_case_for_every_error() -> None:
    """Or one of them would be proven by none. JournalError is no error of a call."""
    classes = {getattr(tree, name) for name in tree.__all__}
    not_of_a_call = {tree.LeavoError, tree.TransportError, tree.JournalError}

    assert classes - not_of_a_call == {case.kind for case in CASES.values()}


@on_a_wire
@every_case
async def test_an_error_does_not_show_the_key(case: Case) -> None:
    """Whatever the server has echoed: not in its texts, its answer, its story, nor in a traceback with all locals."""
    error = await case.ended()

    assert KEY not in shown(error)
    assert KEY not in printed_locals(error)
    assert (None, None) == (error.__cause__, error.__context__)


@on_a_wire
@every_case
async def test_an_error_shows_nothing_of_people(case: Case) -> None:
    """Neither what was sent of them nor what came; only the words that the server itself calls its error."""
    error = await case.ended()
    texts = [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]

    assert SENT not in "".join(texts)
    # What was sent stands in the locals of whoever has sent it, as arguments do.
    assert TOLD not in "".join([*texts, printed_locals(error)])


@on_a_wire
@every_case
async def test_neither_logs_nor_warnings_show_a_key_or_people(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, of all loggers, with an event loop in debug mode that tells of each step it makes."""
    loop = asyncio.get_running_loop()
    caplog.set_level(logging.DEBUG)
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0  # every step is logged as a slow one
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        await case.ended()
        gc.collect()
        await asyncio.sleep(0)
    told = caplog.text + "".join(str(warning.message) for warning in warned)

    assert caplog.records
    assert [] == [canary for canary in (KEY, SENT, TOLD) if canary in told]


HALF = f"HTTP/1.1 200 OK\r\nX-Echo: {KEY}, {TOLD}\r\nContent-Length: 9\r\n\r\n{{".encode()


async def _cancelled(call: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0.1)
    task.cancel()
    await task


async def _in_time(call: Awaitable[Any]) -> None:
    async with asyncio.timeout(0.1):
        await call


@on_a_wire
@pytest.mark.parametrize("given_up", [_cancelled, _in_time], ids=["by cancel", "by asyncio.timeout"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("step", [stall(), Step((HALF, ignore))], ids=["before the answer", "amid the answer"])
async def test_a_call_that_was_given_up_does_not_show_the_key(
    step: Step,
    method: str,
    given_up: Callable[[Awaitable[Any]], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error is asyncio's own then, with all the frames between; nor do they show the password of a proxy."""
    authority = trustme.CA()
    async with Wire(step, tls=serving(authority)) as wire, Wire(tunnel()) as proxy:
        through(monkeypatch, proxy.url.replace("http://", f"http://user:{PASSWORD}@"))
        async with client(wire.url, ssl_context=trusting(authority), trust_env=True) as leavo:
            with pytest.raises((asyncio.CancelledError, TimeoutError)) as caught:
                await given_up(leavo.request(method, "/x"))
    told = printed_locals(caught.value) + "".join(traceback.format_exception(caught.value))

    assert 1 == len(wire.requests)
    assert "aiohttp_transport" in told
    assert [] == [canary for canary in (KEY, PASSWORD, BASIC, TOLD) if canary in told]


@on_a_wire
async def test_a_session_that_is_never_closed_does_not_show_its_key(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python warns of it, and asyncio logs its connections."""
    caplog.set_level(logging.DEBUG)
    authority = trustme.CA()
    async with Wire(answer(http(200)), tls=serving(authority)) as wire, Wire(tunnel()) as proxy:
        through(monkeypatch, proxy.url.replace("http://", f"http://user:{PASSWORD}@"))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            leavo = client(wire.url, ssl_context=trusting(authority), trust_env=True)
            await leavo.request("GET", "/x")
            del leavo
            gc.collect()
            await asyncio.sleep(0)
    told = caplog.text + "".join(str(warning.message) for warning in warned)

    assert "Unclosed" in told
    assert [] == [canary for canary in (KEY, PASSWORD) if canary in told]


# The password of a proxy


def through(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy)


ECHOED = {"proxy_authenticate": f'Basic realm="{PASSWORD} {BASIC}"', "x_echo": f"Basic {BASIC} {KEY}"}
PROXIES: dict[str, tuple[Step | None, type[LeavoError]]] = {
    "that is not there": (None, tree.ConnectError),
    "that wants another password": (then_close(http(407, PASSWORD.encode(), **ECHOED)), tree.ConfigError),
    "that makes no connection": (then_close(http(502, PASSWORD.encode(), **ECHOED)), tree.ConnectError),
    "that speaks no HTTP": (then_close(f"{PASSWORD} {BASIC}\r\n\r\n".encode()), tree.ConnectError),
    "that hangs up": (hang_up(), tree.ConnectError),
    "that says nothing": (stall(), tree.ConnectTimeoutError),
    "behind which the server fails": (tunnel(), tree.ServerError),
}


@on_a_wire
@pytest.mark.parametrize(("step", "kind"), PROXIES.values(), ids=PROXIES)
async def test_the_password_of_a_proxy_is_not_shown(
    step: Step | None, kind: type[LeavoError], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By no error, by no log, and to no server."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().slow_callback_duration = 0.0
    authority = trustme.CA()
    async with Wire(said(500), tls=serving(authority)) as wire, Wire(step or hang_up()) as proxy:
        place = nobody_listens() if step is None else proxy.url
        through(monkeypatch, place.replace("http://", f"http://user:{PASSWORD}@"))
        async with client(wire.url, ssl_context=trusting(authority), trust_env=True) as leavo:
            with pytest.raises(LeavoError) as caught:
                await leavo.request("GET", "/x", retry=ONCE, timeout=0.3)
            told = shown(caught.value) + printed_locals(caught.value) + caplog.text + repr(leavo) + repr(vars(leavo))

    assert kind is type(caught.value)
    assert [] == [canary for canary in (PASSWORD, BASIC, KEY) if canary in told]
    assert PASSWORD not in f"{wire.requests}"
    assert BASIC not in f"{wire.requests}"
    assert [f"Basic {BASIC}"] * len(proxy.requests) == [each.headers["proxy-authorization"] for each in proxy.requests]


@on_a_wire
@pytest.mark.parametrize(
    "form", ["user:{}@127.0.0.1:9", "socks5://user:{}@127.0.0.1:9", "http://user:{}@", "http://user:{}@h:x"]
)
async def test_a_proxy_that_cannot_be_one_is_not_shown_either(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in HTTPS_PROXY must not put its password into a log."""
    through(monkeypatch, form.format(PASSWORD))
    with pytest.raises(LeavoError) as caught:
        async with client("https://127.0.0.1:9", trust_env=True) as leavo:
            await leavo.request("GET", "/x", retry=ONCE)

    assert PASSWORD not in shown(caught.value) + printed_locals(caught.value)


# No key in a URL


@on_a_wire
async def test_the_key_is_in_one_header_and_nowhere_else() -> None:
    """Not in a URL, where servers and proxies log it, and not in a body; whoever tries it is told."""
    leads = [http(200, b'{"id": "1"}'), http(200, b'[{"id": "1"}]'), http(200, b"[]"), http(201, b'{"id": "2"}')]
    answers = map(answer, [*leads, http(200, b'{"id": "1"}'), http(204, b""), http(200)])
    async with Wire(*answers) as wire, client(wire.url) as leavo:
        await leavo.leads.get("1")
        await leavo.leads.list(search="ana").collect()
        await leavo.leads.create(name="Ana", phone="+5511999990000")
        await leavo.leads.update("1", name="Bea")
        await leavo.leads.delete("1")
        await leavo.send("GET", "/x", params={"a": "b"})
        for name in ("api_key", "api-key", "access_token"):
            with pytest.raises(ConfigError, match="URL"):
                await leavo.request("GET", "/x", params={name: KEY})

    assert 7 == len(wire.requests)
    for request in wire.requests:
        assert ["authorization"] == [name for name, value in request.headers.items() if KEY in value]
        assert KEY not in request.path + request.body.decode()


# Where a key comes from


async def _vault() -> str:
    return "made-up-key-of-the-vault"


@on_a_wire
@pytest.mark.parametrize(
    ("given", "used"),
    [("made-up-key-given", "made-up-key-given"), (_vault, "made-up-key-of-the-vault"), (None, "made-up-key-set")],
)
async def test_a_key_that_is_given_goes_before_the_environment(
    given: Any, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text, then a function, then the variable; and a refused one is not replaced by one from elsewhere."""
    monkeypatch.setenv("LEAVO_API_KEY", "made-up-key-set")
    async with Wire(answer(http(200)), said(401)) as wire, client(wire.url, given) as leavo:
        await leavo.request("GET", "/x")
        with pytest.raises(AuthenticationError):
            await leavo.request("GET", "/x")

    assert [f"Bearer {used}"] * 2 == [request.headers["authorization"] for request in wire.requests]


@virtual_time
@pytest.mark.parametrize("wrong", [KEY.encode(), [KEY], {"key": KEY}, bytearray(KEY.encode())])
async def test_a_key_that_is_no_text_is_refused_and_not_shown(wrong: Any) -> None:
    """Vaults and files give bytes: that is told, without them, also where all locals are printed."""

    async def vault() -> Any:
        return wrong

    caught: list[BaseException] = []
    for source in (wrong, vault):
        try:
            await LeavoClient(source, transport=FakeTransport(reply(200, {}))).request("GET", "/x")
        except Exception as error:
            caught.append(error)

    assert [ConfigError, ConfigError] == [type(error) for error in caught]
    assert KEY not in "".join([str(error) + repr(error) + printed_locals(error) for error in caught])


@virtual_time
@pytest.mark.parametrize("given", [KEY, Secret(KEY), None])
async def test_a_function_that_does_not_wait_is_refused_before_anything_is_sent(given: Any) -> None:
    """The error says what to make of it, and neither it nor its traceback shows the key that was given."""
    transport = FakeTransport(reply(200, {}))
    caught: list[Any] = []
    for _ in range(2):
        try:
            await LeavoClient(lambda: given, transport=transport).request("POST", "/x", json={})
        except Exception as error:
            caught.append(error)

    assert [(ConfigError, "not sent")] * 2 == [(type(error), error.outcome) for error in caught]
    assert "make it a coroutine function (async def)" in str(caught[0])
    assert [] == transport.requests
    assert KEY not in "".join([str(error) + repr(error) + printed_locals(error) for error in caught])


@virtual_time
async def test_a_function_may_give_anything_that_can_be_awaited() -> None:
    """Such as a task, a future, or the coroutine of another function."""
    made: list[asyncio.Task[str]] = []

    def vault() -> asyncio.Task[str]:
        made.append(asyncio.create_task(_vault()))
        return made[0]

    for source in (vault, lambda: _vault()):
        assert {} == await LeavoClient(source, transport=FakeTransport(reply(200, {}))).request("GET", "/x")


# A key that ends, and one that is refused


class Vault:
    """Gives one key after the other, the last one for ever."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0.01)
        return self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]


def opens_to(key: str) -> Step:
    """Good answers for this key, a 401 for each other one."""

    async def act(line: Line, request: Received) -> None:
        is_known = request.headers["authorization"] == f"Bearer {key}"
        await line.do(http(200 if is_known else 401, b'{"id": "1"}'), request)

    return Step((act,))


@on_a_wire
async def test_a_new_key_is_used_without_a_restart_and_asked_for_once() -> None:
    """Fifty calls are refused together: one of them asks, all go again, and the old key is never sent after that."""
    vault = Vault(KEY, OTHER_KEY)
    async with Wire(opens_to(OTHER_KEY)) as wire, client(wire.url, vault, max_in_flight=50) as leavo:
        await asyncio.gather(*(leavo.request("POST", "/x", json={}) for _ in range(50)))
        together = len(wire.requests)
        await asyncio.gather(*(leavo.request("GET", "/x") for _ in range(50)))

    assert 2 == vault.asked
    assert together <= 100
    assert [f"Bearer {OTHER_KEY}"] * 50 == [request.headers["authorization"] for request in wire.requests[together:]]


@on_a_wire
async def test_a_key_that_stays_refused_costs_one_request_a_call() -> None:
    """Some services lock a key after five bad tries: it is asked for again, and the same one is not sent again."""
    vault = Vault(KEY)
    async with Wire(said(401)) as wire, client(wire.url, vault, max_in_flight=20) as leavo:
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                await leavo.request("GET", "/x")
        one_by_one = len(wire.requests), vault.asked
        errors = await asyncio.gather(*(leavo.request("POST", "/x") for _ in range(20)), return_exceptions=True)

    assert (3, 1 + 3) == one_by_one
    assert {AuthenticationError} == {type(error) for error in errors}
    assert (3 + 20, 1 + 3 + 1) == (len(wire.requests), vault.asked)


END = datetime(2030, 6, 30, tzinfo=UTC)


async def announced(days_left: list[float], *keys: Secret) -> list[tuple[float, str]]:
    """With how many days left a warning came, from a session that makes a call at each of these moments."""
    told: list[tuple[float, str]] = []
    now = END
    leavo = LeavoClient(keys[0], transport=FakeTransport(reply(200, {})), wall=lambda: now.timestamp(), limits=())
    for left in days_left:
        now = END - timedelta(days=left)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            await leavo.request("GET", "/x")
            await leavo.request("GET", "/x")
        told += [(left, str(warning.message)) for warning in warned]
    return told


@virtual_time
@pytest.mark.parametrize(
    ("days_left", "warned_at"),
    [
        ([20, 15, 14.01], []),
        ([20, 14, 13, 8, 7, 6, 2, 1, 0.5, 0, -1], [14, 7, 1]),
        ([10, 9, 7, 1], [10, 7, 1]),
        ([15, 3, 2, 0.9], [3, 0.9]),
        ([0.2, 0.1], [0.2]),
        ([-3, -4], [-3]),
    ],
)
async def test_the_end_of_a_key_is_announced_three_times(days_left: list[float], warned_at: list[float]) -> None:
    """With fourteen, seven and one days left, once each, however many calls there are; the key is not named."""
    told = await announced(days_left, Secret(KEY, expires_at=END))

    assert warned_at == [left for left, _ in told]
    for left, words in told:
        assert ("has expired:" if left < 0 else "expires") + " 2030-06-30T00:00+00:00" in words
        assert KEY not in words


@virtual_time
async def test_a_key_without_an_end_announces_nothing() -> None:
    """Nor does one that comes in the place of one that ends."""
    assert [] == await announced([20, 1, -5], Secret(KEY))


@virtual_time
async def test_the_end_of_a_new_key_counts_and_not_that_of_the_old_one() -> None:
    """It is announced anew, once."""
    late = Secret(OTHER_KEY, expires_at=END + timedelta(days=30))
    now = END - timedelta(days=1)
    keys = [Secret(KEY, expires_at=END), late]

    async def vault() -> Secret:
        return keys.pop(0)

    transport = FakeTransport(reply(200, {}), reply(401), reply(200, {}))
    leavo = LeavoClient(vault, transport=transport, wall=lambda: now.timestamp(), limits=())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(3):
            await leavo.request("GET", "/x")
        old = len(warned)
        for _ in range(3):
            await leavo.request("GET", "/x")
        now = END + timedelta(days=29)
        await leavo.request("GET", "/x")

    assert ([], 1, 2) == (keys, old, len(warned))
    assert "2030-07-30" in str(warned[1].message)


# A key that lacks a right


@pytest.mark.parametrize(
    ("details", "header", "scope"),
    [
        ({"missing_scope": "leads:write"}, None, "leads:write"),
        ({"required_scope": "leads:write"}, None, "leads:write"),
        ({"scope": "leads:write"}, 'Bearer scope="other"', "leads:write"),
        (None, 'Bearer realm="x", error="insufficient_scope", scope="leads:write tags:read"', "leads:write tags:read"),
        ({"missing_scope": 5}, 'Bearer scope="leads:write"', "leads:write"),
        ({"missing_scope": "\x1b[2Jleads\n"}, None, "\\x1b[2Jleads\\n"),
        ({}, 'Bearer error="insufficient_scope"', None),
        (None, None, None),
    ],
)
@virtual_time
async def test_a_right_that_the_key_lacks_is_named(details: Any, header: str | None, scope: str | None) -> None:
    """From the details or from WWW-Authenticate (RFC 6750 §3), so that nobody has to ask for all rights."""
    headers = None if header is None else {"WWW-Authenticate": header}
    transport = FakeTransport(reply(403, {"error": {"code": "FORBIDDEN", "details": details}}, headers))
    with pytest.raises(PermissionDeniedError) as caught:
        await LeavoClient(KEY, transport=transport).request("POST", "/x")

    assert scope == caught.value.missing_scope
    assert scope is None or str(caught.value).endswith(f"the key lacks the scope {scope}")
    assert 1 == len(transport.requests)
