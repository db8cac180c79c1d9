"""Sessions with other keys than a bearer's, on the wire: the key goes out where it belongs, and shows nowhere else."""

from __future__ import annotations

import contextvars
import dataclasses
import logging
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from leavo_async import (
    ApiProfile,
    AuthenticationError,
    Bearer,
    ConfigError,
    HeaderKey,
    HeaderPair,
    KeyPair,
    LeavoError,
    Offset,
    QueryKey,
    ReadError,
    Repeat,
    Request,
    RetryPolicy,
    Route,
    Session,
)
from leavo_async._io.registry import GATES
from leavo_async.testing import FakeTransport, reply, virtual_time

from .faults.wire import Received, Wire, answer, hang_up, http, stall
from .security.servers import printed_locals, shown

CANARY = "made-up-CANARY+7f3a9b/="
PROFILE = ApiProfile(
    name="made-up",
    base_url="https://api.example.com",
    key_variable="MADE_UP_SECRET",
    id_variable="MADE_UP_ID",
    auth=Bearer(),
    limits=(),
    paging=Offset(max_size=10),
)
PAIR = HeaderPair("X-Client-Id", "X-Client-Secret")
WAYS: dict[str, tuple[Any, Any]] = {
    "header": (HeaderKey("api_key"), CANARY),
    "query": (QueryKey(), CANARY),
    "pair": (PAIR, KeyPair("id-1", CANARY)),
}
ways = pytest.mark.parametrize(("auth", "key"), WAYS.values(), ids=WAYS)
on_a_wire = pytest.mark.asyncio


def session(url: str, auth: Any, key: Any, **options: Any) -> Session:
    return Session(PROFILE, key, base_url=url, auth=auth, allow_insecure_loopback=True, **options)


def signed_by(request: Received) -> dict[str, str]:
    """All in which the key went out, by name."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
    return {name: value for name, value in {**query, **request.headers}.items() if CANARY in value}


@on_a_wire
@ways
async def test_the_key_goes_out_in_one_place(auth: Any, key: Any) -> None:
    """An underscore stays one; a key in the query is encoded, and stands behind the call's own parameters."""
    async with Wire(answer(http())) as wire, session(wire.url, auth, key) as api:
        await api.request("GET", "/x")
        await api.request("GET", "/x", params={"a": "1 2"})
        await api.request("POST", "/x", json={})

    name = "x-client-secret" if auth is PAIR else "api_key"
    assert [{name: CANARY}] * 3 == [signed_by(request) for request in wire.requests]
    assert {"a": ["1 2"]} == {k: v for k, v in parse_qs(urlsplit(wire.requests[1].path).query).items() if k == "a"}


@on_a_wire
@ways
@pytest.mark.parametrize("step", ["refused", "html", "hung up", "stalled"])
async def test_the_key_is_in_no_error_and_no_log(
    auth: Any, key: Any, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the server echoes it, and not in the locals of a traceback."""
    steps = {
        "refused": answer(http(401, b'{"message": "bad key ' + CANARY.encode() + b'"}')),
        "html": answer(http(200, b"<html>" + CANARY.encode())),
        "hung up": hang_up(),
        "stalled": stall(),
    }
    caplog.set_level(logging.DEBUG)
    async with Wire(steps[step]) as wire, session(wire.url, auth, key, timeout=0.1, retry=RetryPolicy(1)) as api:
        with pytest.raises(LeavoError) as caught:
            await api.request("GET", "/x", params={"a": 1})

    seen = "\n".join([shown(caught.value), printed_locals(caught.value), repr(api), caplog.text])
    assert wire.requests
    assert [] == [form for form in (CANARY, quote(CANARY, safe="")) if form in seen]


@virtual_time
async def test_a_pair_is_read_from_two_variables_and_again_when_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The id may have changed, too."""
    monkeypatch.setenv("MADE_UP_ID", "id-1")
    monkeypatch.setenv("MADE_UP_SECRET", "secret-1")
    transport = FakeTransport(reply(401), reply(200, {"ok": True}))
    api = Session(dataclasses.replace(PROFILE, auth=PAIR), transport=transport)
    monkeypatch.setenv("MADE_UP_ID", "id-2")

    assert {"ok": True} == await api.request("GET", "/x")
    assert 2 == transport.signed


@pytest.mark.parametrize("missing", ["MADE_UP_ID", "MADE_UP_SECRET"])
def test_half_a_pair_is_refused_with_both_variables_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent."""
    for name in {"MADE_UP_ID", "MADE_UP_SECRET"} - {missing}:
        monkeypatch.setenv(name, "something")

    with pytest.raises(ConfigError, match="set MADE_UP_ID and MADE_UP_SECRET in the environment"):
        Session(dataclasses.replace(PROFILE, auth=PAIR))


@virtual_time
async def test_pairs_with_other_ids_have_gates_of_their_own() -> None:
    """A limit belongs to the whole key."""
    before = len(GATES)
    pairs = (KeyPair("a", CANARY), KeyPair("b", CANARY), KeyPair("b", CANARY))
    sessions = [Session(PROFILE, pair, auth=PAIR, transport=FakeTransport(reply(200))) for pair in pairs]
    for api in sessions:
        await api.request("GET", "/x")

    assert 2 == len(GATES) - before


@virtual_time
async def test_what_a_401_may_mean_is_the_profiles_to_say() -> None:
    """Some answer so for a missing right, too."""
    profile = dataclasses.replace(PROFILE, on_401="the key is wrong, or the tier is not enabled for it")
    api = Session(profile, CANARY, transport=FakeTransport(reply(401)))

    with pytest.raises(AuthenticationError, match="enabled for it: put a valid one into MADE_UP_ID and MADE_UP_SECRET"):
        await api.request("GET", "/x")


# What all calls of a session have

USER: contextvars.ContextVar[str] = contextvars.ContextVar("user")


def user_of(request: Request) -> str:
    (value,) = [value for name, value in request.headers.items() if name.lower() == "x-user"]
    return value


@virtual_time
async def test_all_calls_have_the_fields_and_path_params_of_their_session() -> None:
    """Listings and raw answers as well; a call's own go before."""
    transport = FakeTransport(reply(200, []))
    api = Session(
        PROFILE, CANARY, transport=transport, path_params={"agency": "a b"}, headers=lambda: {"X-User": USER.get()}
    )
    USER.set("one")
    await api.request("GET", "/{agency}/x")
    await api.send("GET", "/{agency}/x", path_params={"agency": "c"})
    USER.set("two")
    assert [] == await api.pages("/{agency}/x").collect()
    await api.request("GET", "/x", headers={"x-user": "three"})

    assert ["/a%20b/x", "/c/x", "/a%20b/x", "/x"] == [request.path for request in transport.requests]
    users = [
        {name.lower(): value for name, value in request.headers.items()}["x-user"] for request in transport.requests
    ]
    assert ["one", "one", "two", "three"] == users


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"headers": {"api-key": "x"}}, None),
        ({"headers": {"api-key": "x"}, "auth": HeaderKey("API-Key")}, "headers: api-key is set by the library"),
        ({"headers": {"Host": "x"}}, "headers: Host is set by the library"),
        ({"headers": [("X", "a")]}, "headers: expected a mapping"),
        ({"headers": {"X": "a\r\nb"}}, "characters that no header may have"),
        ({"auth": HeaderKey("X-Key: 1")}, "auth: 'X-Key: 1' is no name of a header field"),
        ({"auth": HeaderKey("")}, "auth: '' is no name"),
        ({"path_params": {"a": ".."}}, "path_params: a: expected a non-empty text"),
        ({"path_params": {"a": 7}}, "expected a mapping of names to texts"),
        ({"path_params": "ab"}, "expected a mapping of names to texts"),
    ],
)
def test_what_cannot_work_for_any_call_is_refused_at_once(options: dict[str, Any], problem: str | None) -> None:
    """And not at the first call."""
    if problem is None:
        Session(PROFILE, CANARY, **options)
        return
    with pytest.raises(ConfigError, match=problem):
        Session(PROFILE, CANARY, **options)


@virtual_time
async def test_listings_of_other_path_params_are_other_listings() -> None:
    """A token of the one does not go on in the other."""
    transport = FakeTransport(*(reply(200, [{"id": str(at)} for at in range(10)]) for _ in range(2)), reply(200, []))
    api = Session(PROFILE, CANARY, transport=transport)
    pages = api.pages("/{agency}/x", path_params={"agency": "a"}, max_items=3)
    assert 3 == len(await pages.collect())

    with pytest.raises(ConfigError, match="resume"):
        api.pages("/{agency}/x", path_params={"agency": "b"}, resume=pages.resume_token)


@virtual_time
async def test_what_a_write_has_made_is_looked_up_where_it_was_sent() -> None:
    """With its header fields and path_params, and not with those that its session has at that moment."""
    users = iter(["one"])  # it is asked once: a function that fails later must not hide that a write may be done
    route = Route(
        "POST",
        "/{agency}/x/{kind}",
        repeat=Repeat.NATURAL,
        lookup=lambda sent: ("/{agency}/x", {"name": sent["name"]}),
        same=lambda sent, found: sent["name"] == found["name"],
    )
    transport = FakeTransport(ReadError("lost"), reply(200, [{"id": "1", "name": "Ana"}]))
    api = Session(
        dataclasses.replace(PROFILE, routes=(route,)),
        CANARY,
        transport=transport,
        path_params={"agency": "a"},
        headers=lambda: {"X-User": next(users), "X-Region": "all"},
    )
    where: Any = {"path_params": {"agency": "b", "kind": "k"}, "headers": {"X-Region": "own"}}

    assert "1" == (await api.request("POST", "/{agency}/x/{kind}", json={"name": "Ana"}, **where))["id"]
    look = transport.requests[1]
    assert ("GET", "/b/x", {"X-User": "one", "X-Region": "own"}) == (look.method, look.path, look.headers)
