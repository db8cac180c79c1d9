"""What callers give stays in its place, and nothing that a server says changes where requests go."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import string
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import pydantic
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from leavo_async import ConfigError, LeavoClient
from leavo_async.testing import FakeTransport, reply, virtual_time

from ..faults.wire import Line, Received, Step, Wire, answer, http
from .servers import KEY, ONCE, client

on_a_wire = pytest.mark.asyncio


def _named() -> Step:
    """The lead with the id that stands in the path."""

    async def act(line: Line, request: Received) -> None:
        lead = {"id": unquote(request.path.partition("?")[0].rpartition("/")[2])}
        await line.do(http(200, json.dumps(lead).encode()), request)

    return Step((act,))


class Place:
    """A server, and a client of it, for many examples."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.wire = Wire(_named())
        runner.run(self.wire.__aenter__())
        self.leavo = client(self.wire.url, timeout=2, retry=ONCE)

    def arrived(self, call: Awaitable[Any]) -> tuple[Any, Received] | None:
        """The value of the call and the request that it was; None if it was refused and nothing was sent."""
        before = len(self.wire.requests)

        async def main() -> Any:
            return await call

        try:
            value = self.runner.run(main())
        except ConfigError:
            assert before == len(self.wire.requests)
            return None
        assert before + 1 == len(self.wire.requests)
        return value, self.wire.requests[-1]

    def close(self) -> None:
        self.runner.run(self.leavo.aclose())
        self.runner.run(self.wire.__aexit__())


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with asyncio.Runner() as runner:
        made = Place(runner)
        yield made
        made.close()


TRICKS = st.text(alphabet="./\\%2eEfF?#;:@&=+~ \t\r\n\0é\u200b\u202e", max_size=12)
TEXTS = st.text() | TRICKS


# Paths


@given(lead_id=TEXTS)
@example(lead_id="..")
@example(lead_id=".")
@example(lead_id="")
@example(lead_id="../../admin")
@example(lead_id="%2e%2e")
@example(lead_id="%2E%2E/%2E%2E/admin")
@example(lead_id="1?api_key=x")
@example(lead_id="1#x")
@example(lead_id="1 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
def test_an_id_arrives_as_it_was_given_or_is_refused(place: Place, lead_id: str) -> None:
    """It cannot leave its place in the path, whatever it is made of."""
    found = place.arrived(place.leavo.leads.get(lead_id))

    if found is None:
        assert lead_id in ("", ".", "..") or not lead_id.isprintable()
        return
    lead, request = found
    assert ["", "backend", "leads", request.path.rpartition("/")[2]] == request.path.split("/")
    assert lead_id == unquote(request.path.rpartition("/")[2]) == lead.id


PARTS = ["a", "b.c", "..", ".", "%2e", "%2E%2e", "%2F", "%41", "%7e", "%", "%zz", "", ";x", "a b", "é", "@"]
SEGMENTS = st.lists(st.sampled_from(PARTS))
PATHS = st.text() | TRICKS | SEGMENTS.map(lambda parts: "/" + "/".join(parts))


@given(path=PATHS)
@example(path="/leads/../../admin")
@example(path="/leads/%2e%2e/admin")
@example(path="//evil.example/x")
@example(path="/\\evil.example")
@example(path="http://evil.example/")
@example(path="@evil.example/x")
@example(path=":80@evil.example/x")
def test_a_path_arrives_as_it_was_given_or_is_refused(place: Place, path: str) -> None:
    """No library and no proxy on the way gets anything to make another path of."""
    found = place.arrived(place.leavo.send("GET", path))

    if found is not None:
        assert path == found[1].path
        assert [] == [part for part in path.split("/") if unquote(part) in (".", "..")]


# Parameters


def _pairs(params: dict[str, Any]) -> list[tuple[str, str]]:
    words = {True: "true", False: "false"}
    return [
        (name, words[item] if isinstance(item, bool) else str(item))
        for name, value in params.items()
        for item in (value if isinstance(value, list) else [] if value is None else [value])
    ]


VALUES = TEXTS | st.integers() | st.booleans() | st.none() | st.floats()
RESERVED_PARAMS = ("api_key", "api-key", "access_token")


@given(params=st.dictionaries(TEXTS, VALUES | st.lists(TEXTS, max_size=3), max_size=4))
@example(params={"a": "1&api_key=x", "b=c": "#", "": "?"})
def test_parameters_arrive_as_they_were_given_or_are_refused(place: Place, params: dict[str, Any]) -> None:
    """Names and values alike: none can become two, or another one's name."""
    assume(not set(RESERVED_PARAMS) & {name.lower() for name in params})
    found = place.arrived(place.leavo.send("GET", "/x", params=params))

    if found is None:
        assert any("\ud800" <= letter <= "\udfff" for letter in f"{params}")
        return
    path, _, query = found[1].path.partition("?")
    assert "/x" == path
    assert _pairs(params) == parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))


@pytest.mark.parametrize("name", ["limit", "offset"])
@virtual_time
async def test_the_place_of_a_page_is_not_the_callers_to_say(name: str) -> None:
    """It would skip leads, or give some twice, without a word."""
    transport = FakeTransport(reply(200, []))
    leavo = LeavoClient(KEY, transport=transport)
    for value in (0, 5, "5", None, [1, 2]):
        with pytest.raises(ConfigError, match="limit and offset are set by"):
            leavo.pages("/backend/leads", params={"search": "ana", name: value})

    assert [] == transport.requests


# Headers

RESERVED = ["Authorization", "Host", "Content-Length", "Transfer-Encoding", "Connection", "Idempotency-Key"]
TOKEN = {*string.ascii_letters, *string.digits, *"!#$%&'*+-.^_`|~"}  # RFC 9110 §5.6.2
TOKENS = st.text(alphabet=sorted(TOKEN), min_size=1, max_size=12)
NAMES = TOKENS | TEXTS
# Not told here: Expect, which asks the server for a word before the body.
OURS = {name.lower() for name in RESERVED} | {"expect"}


@given(name=NAMES, value=TEXTS)
@example(name="X-A", value="a\r\nAuthorization: Bearer other")
@example(name="X-A", value="a\nb")
@example(name="X-A", value="a\rb")
@example(name="X-A", value="a\0b")
@example(name="X-A\r\nX-B", value="a")
@example(name="X-A:", value="a")
@example(name="X-A ", value="a")
@example(name="X-A", value="\ud800")
@example(name="X-A", value="Jo\xe3o \u4f60")
def test_a_header_arrives_as_it_was_given_or_is_refused(place: Place, name: str, value: str) -> None:
    """It cannot begin a second one; what stands around a value is no part of it (RFC 9110 §5.5)."""
    assume(name.lower() not in OURS)
    found = place.arrived(place.leavo.send("GET", "/x", headers={name: value}))

    if found is None:
        assert set(name) - TOKEN or not name or not value.replace("\t", "").isprintable()
        return
    headers = found[1].headers
    on_the_wire = value.encode().decode("latin-1").strip()
    assert on_the_wire == headers[name.lower()]
    usual = {"host", "authorization", "accept", "accept-encoding", "user-agent"}
    assert usual | {name.lower()} == headers.keys()
    assert f"Bearer {KEY}" == headers["authorization"]


@given(name=st.sampled_from(RESERVED), capitals=st.lists(st.booleans(), min_size=20, max_size=20))
def test_a_header_of_the_library_is_replaced_in_no_spelling(place: Place, name: str, capitals: list[bool]) -> None:
    """Nobody signs as somebody else, names another host, or begins a second request inside of the first."""
    spelled = "".join(c.upper() if up else c.lower() for c, up in zip(name, capitals, strict=False))
    for method in ("GET", "POST"):
        assert place.arrived(place.leavo.send(method, "/x", json={}, headers={spelled: "5"})) is None


# Links of the server


@on_a_wire
async def test_no_link_of_a_server_is_followed() -> None:
    """Not the next page that it names, nor any other place: pages are asked for by limit and offset alone."""
    async with Wire(answer(http(200))) as elsewhere:
        evil = f"{elsewhere.url}/next"
        page: dict[str, Any] = {
            "success": True,
            "data": [{"id": "1", "photo": evil, "url": evil, "href": evil}],
            "pagination": {"total": 2, "has_more": True, "next": evil, "next_cursor": evil, "offset": 77},
            "links": {"next": evil},
            "next": evil,
        }
        last = {**page, "data": [{"id": "2"}], "pagination": {**page["pagination"], "has_more": False}}
        links = {"link": f'<{evil}>; rel="next"', "location": evil, "refresh": f"0; url={evil}"}
        pages = [answer(http(200, json.dumps(body).encode(), **links)) for body in (page, last)]
        async with Wire(*pages) as wire, client(wire.url) as leavo:
            leads = await leavo.leads.list(page_size=1).collect()
            created = await leavo.send("POST", "/x", json={})

    assert ["1", "2"] == [lead.id for lead in leads]
    assert evil == created.headers["location"]
    assert ["/backend/leads?limit=1&offset=0", "/backend/leads?limit=1&offset=1", "/x"] == [
        request.path for request in wire.requests
    ]
    assert (0, []) == (elsewhere.connections, elsewhere.requests)


# URLs that the server will call


@dataclasses.dataclass
class Hook:
    """A body as a dataclass."""

    url: Any
    events: tuple[str, ...] = ("lead.created",)


class HookModel(pydantic.BaseModel):
    """A body as a model."""

    url: Any


PRIVATE = [
    "http://example.com/hook",
    "HTTP://example.com/hook",
    "ftp://example.com/hook",
    "file:///etc/passwd",
    "//example.com/hook",
    "example.com/hook",
    "",
    "https://127.0.0.1/hook",
    "https://127.0.0.1:8443/hook",
    "https://127.8.8.8/hook",
    "https://0.0.0.0/hook",
    "https://localhost/hook",
    "https://LOCALHOST/hook",
    "https://localhost./hook",
    "https://api.localhost/hook",
    "https://10.1.2.3/hook",
    "https://172.16.0.1/hook",
    "https://192.168.1.1/hook",
    "https://100.64.0.1/hook",
    "https://169.254.169.254/latest/meta-data",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://vault.internal/hook",
    "https://vault.internal./hook",
    "https://printer.local/hook",
    "https://router.home.arpa/hook",
    "https://intranet/hook",
    "https://[::1]/hook",
    "https://[::]/hook",
    "https://[fd00::1]/hook",
    "https://[fe80::1]/hook",
    "https://[::ffff:127.0.0.1]/hook",
    "https://[::ffff:a9fe:a9fe]/hook",
    "https://user:pass@127.0.0.1/hook",
    "https://example.com@127.0.0.1/hook",
    "https://example.com:443@127.0.0.1/hook",
    # Old forms of an IPv4 address that servers understand: https://url.spec.whatwg.org/#concept-ipv4-parser
    "https://2130706433/hook",
    "https://017700000001/hook",
    "https://0x7f000001/hook",
    "https://0x7f.1/hook",
    "https://127.1/hook",
    "https://0177.0.0.1/hook",
    "https://127.0.0.1./hook",
    "https://0/hook",
    "https://0x7f.0x0.0x0.0x1/hook",
    "https://127.0.0.0x1/hook",
    "https://127.0.0.0x1./hook",
    "https://0x7f.0X1/hook",
    # What some parsers take for another host than others do.
    "https://127.0.0.1\\@example.com/hook",
    "https:\\\\127.0.0.1\\hook",
    "https://127.0.0.1%2e/hook",
    "https://127.0.0.1%23.example.com/hook",
    "https://127.0.0.1 .example.com/hook",
    "https://127.0.0.1\t/hook",
    "https://127.0\n.0.1/hook",
    "https://127.0.0.1\0.example.com/hook",
    "https://127\u30020\u30020\u30021/hook",
    "https://\u2460\u2461\u2466.0.0.1/hook",
    "https://\uff11\uff12\uff17.0.0.1/hook",
    "https://\uff4cocalhost/hook",
    "https://vault.\uff49nternal/hook",
    "https://printer.\u217cocal/hook",
    # Addresses that hold an IPv4 address: RFC 4291 §2.5.5.1, RFC 6052, RFC 3056.
    "https://[::127.0.0.1]/hook",
    "https://[64:ff9b::7f00:1]/hook",
    "https://[2002:7f00:1::]/hook",
]
PUBLIC = [
    "https://example.com/hook",
    "https://hooks.example.com:8443/a/b?c=d&e=%20#f",
    "HTTPS://Hooks.Example.COM/hook",
    "https://example.com./hook",
    "https://xn--bcher-kva.example/hook",
    "https://my_hooks.example.com/hook",
    "https://93.184.216.34/hook",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/hook",
    "https://local.example.com/hook",
    "https://internal.example.com/hook",
    "https://0x7f.example.com/hook",
    "https://127.0.0.1.example.com/hook",
    "https://user:pass@example.com/hook",
]
CALLS = {
    "POST /backend/webhooks": "url",
    "PUT /backend/webhooks/7": "url",
    "POST /ai/process": "postback_url",
}


async def sent(call: str, body: Any, **options: Any) -> bool:
    """Whether it goes out; otherwise it is refused by a ConfigError that names the field."""
    transport = FakeTransport(reply(200, {}))
    method, _, path = call.partition(" ")
    refusal = ""
    try:
        await LeavoClient(KEY, transport=transport, limits=(), **options).request(method, path, json=body)
    except ConfigError as error:
        refusal = str(error)
    assert bool(transport.requests) is not refusal.startswith(("url: ", "target_url: ", "postback_url: "))
    return not refusal


@pytest.mark.parametrize("url", PRIVATE, ids=ascii)
@virtual_time
async def test_a_server_is_not_told_to_call_a_private_place(url: str) -> None:
    """From its own net it would reach what nobody else can: itself, its neighbours, the keys of its cloud."""
    assert [False] * 3 == [await sent(call, {name: url, "active": True}) for call, name in CALLS.items()]


@pytest.mark.parametrize("url", PUBLIC, ids=ascii)
@virtual_time
async def test_a_server_is_told_to_call_a_public_place(url: str) -> None:
    """As webhooks are for."""
    assert [True] * 3 == [await sent(call, {name: url, "active": True}) for call, name in CALLS.items()]


FORMS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "by the name of the other page": ("POST /backend/webhooks", lambda url: {"target_url": url}),
    "beside a public one": ("POST /backend/webhooks", lambda url: {"url": PUBLIC[0], "target_url": url}),
    "as a URL of pydantic's": ("POST /backend/webhooks", lambda url: {"url": pydantic.HttpUrl(url)}),
    "in a dataclass": ("POST /backend/webhooks", Hook),
    "in a model": ("PUT /backend/webhooks/7", lambda url: HookModel(url=url)),
    "to a path with a slash behind it": ("POST /backend/webhooks/", lambda url: {"url": url}),
}


@pytest.mark.parametrize(("call", "body"), FORMS.values(), ids=FORMS)
@virtual_time
async def test_a_place_is_seen_in_each_form_of_a_body(call: str, body: Callable[[str], Any]) -> None:
    """Whatever may be passed as json= is looked at as it will be sent."""
    assert await sent(call, body("https://example.com/hook"))
    assert not await sent(call, body("https://169.254.169.254/latest/meta-data"))


@virtual_time
async def test_a_sandbox_may_call_this_machine() -> None:
    """Whoever allows http to this machine works on it."""
    assert await sent("POST /backend/webhooks", {"url": "http://127.0.0.1:8080/"}, allow_insecure_loopback=True)
