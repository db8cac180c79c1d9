"""What all APIs have in common: by samples of their answers, and against their faces of the sandbox."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import inspect
import json
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from leavo_async import (
    APIError,
    AuthenticationError,
    ConfigError,
    LeavoError,
    NewLead,
    NotFoundError,
    OutcomeUnknownError,
    Pages,
    RateLimitError,
    Request,
    RetryPolicy,
    ServerError,
    Session,
)
from leavo_async.sandbox import Fault, FixedWindow
from leavo_async.testing import FakeTransport, reply, virtual_time

from ..faults.wire import Wire
from ..security.servers import Tagging, printed_locals, shown
from .samples import ALL, ErrorSample, PageSample, Refusal, Samples, secret, speech

ONCE = RetryPolicy(max_attempts=1, max_wait=0.0)
each_api = pytest.mark.parametrize("api", ALL, ids=lambda api: api.api)
each_import = pytest.mark.parametrize("api", [api for api in ALL if api.imports], ids=lambda api: api.api)
on_a_wire = pytest.mark.asyncio


def of_each(kind: str) -> pytest.MarkDecorator:
    """A test for each sample of a kind, of each API."""
    cases = [
        pytest.param(api, sample, id=f"{api.api}-{number}")
        for api in ALL
        for number, sample in enumerate(getattr(api, kind))
    ]
    return pytest.mark.parametrize(("api", "sample"), cases)


# Samples


@of_each("refusals")
@virtual_time
async def test_a_429_gives_a_wait(api: Samples, sample: Refusal) -> None:
    """The server's, the vendor's, or a delay that grows; for the whole key, and the call then succeeds."""
    transport = FakeTransport(reply(429, sample.body or None, sample.headers), reply(200, {"id": "x", "data": []}))
    session = api.client("one", transport=transport)
    calls = [asyncio.create_task(session.send("GET", api.path)) for _ in range(2)]
    await asyncio.sleep(2)

    held = session.status().held
    await asyncio.gather(*calls)
    gap = min(moment for moment in transport.moments if moment > transport.moments[0] + 0.5) - transport.moments[0]
    if sample.wait is None:
        assert 1.0 <= gap <= 3.0
    else:
        assert sample.wait - 2 == pytest.approx(held, abs=1)
        assert sample.wait <= gap <= sample.wait + 2


@of_each("refusals")
@virtual_time
async def test_a_429_that_is_too_long_to_wait_for_is_told(api: Samples, sample: Refusal) -> None:
    """With the wait that was asked for."""
    session = api.client("one", transport=FakeTransport(reply(429, sample.body or None, sample.headers)))

    with pytest.raises(RateLimitError) as caught:
        await session.send("GET", api.path, retry=ONCE)
    assert sample.wait == caught.value.retry_after


@of_each("pages")
@virtual_time
async def test_a_page_leads_to_its_successor(api: Samples, sample: PageSample) -> None:
    """The second request is for the page that follows."""
    transport = FakeTransport(reply(200, sample.answer), reply(500))
    session = api.client("one", transport=transport, retry=ONCE)

    with pytest.raises(LeavoError):
        await sample.listing(session).collect()
    assert transport.requests[1].url.endswith(sample.successor)


@of_each("errors")
@virtual_time
async def test_an_error_has_its_class_and_says_what_was_wrong(api: Samples, sample: ErrorSample) -> None:
    """Whatever the form in which this API says it."""
    session = api.client("one", transport=FakeTransport(reply(sample.status, sample.body or None)))

    with pytest.raises(LeavoError) as caught:
        await session.send("GET", api.path, retry=ONCE)
    assert sample.kind is type(caught.value)
    assert sample.tells in str(caught.value)


# Paths


def resources(client: Any) -> Iterator[Any]:
    """The client and all that hangs on it."""
    yield client
    for name in dir(type(client)):
        if isinstance(inspect.getattr_static(type(client), name), cached_property):
            yield from resources(getattr(client, name))


def methods(client: Any) -> Iterator[Callable[..., Any]]:
    """Each public method of theirs, but for those of every Session."""
    for resource in resources(client):
        for name, _ in inspect.getmembers(type(resource), inspect.isfunction):
            if not name.startswith("_") and not hasattr(Session, name):
                yield getattr(resource, name)


def methods_with_ids(client: Any) -> Iterator[tuple[Callable[..., Any], str]]:
    """Each that takes a part of its path, and the name of that parameter."""
    for method in methods(client):
        parameters = inspect.signature(method).parameters
        if "source" in parameters:
            continue  # an import: its rows end in a report, and what its paths are like is tested beside it
        for parameter in parameters.values():
            if (parameter.name.endswith("_id") and _is_required(parameter)) or parameter.name == "accent":
                yield method, parameter.name


def _is_required(parameter: inspect.Parameter) -> bool:
    """Parts of a path are; filters, and fields of what is sent, are named and may be left out."""
    return parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty


MOMENT = datetime.datetime(2026, 1, 5, 9, tzinfo=datetime.UTC)
APPLICANT = {
    "branch_id": "b1",
    "forename": "Ana",
    "surname": "Souza",
    "email_address": "ana@example.com",
    "property_oid": "p1",
}
# By how annotations begin.
VALUES: Mapping[str, Any] = {
    "datetime": MOMENT,
    "date": MOMENT.date(),
    "Audio": speech(),
    "TenancyApplication": APPLICANT,
    "NewLead": NewLead(name="Ana Souza", phone="+5511999990001"),
    "MaintenanceIssue": {"issue_title": "The tap drips"},
    "Mapping": {"Name": "Ana"},
    "Sequence[Mapping": [{"Name": "Ana"}],
    "Sequence": ["x"],
}


def plausible(parameter: inspect.Parameter) -> Any:
    """Something that the parameter may be."""
    kind = str(parameter.annotation)
    return next((value for name, value in VALUES.items() if kind.startswith(name)), "x")


def called_with(method: Callable[..., Any], **given: Any) -> Any:
    """The method, called with these values, and something plausible for whatever else it must have."""
    required = [
        parameter
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    return method(**{**{parameter.name: plausible(parameter) for parameter in required}, **given})


@each_api
@pytest.mark.filterwarnings("ignore:accent", "ignore:audio")
@pytest.mark.parametrize("value", ["..", ".", "", "a\nb"])
@virtual_time
async def test_no_id_climbs_out_of_its_path(api: Samples, value: str) -> None:
    """Every method with an id in its path refuses it before anything is sent."""
    transport = FakeTransport(reply(500))
    passed = []
    for method, name in methods_with_ids(api.client("one", transport=transport, retry=ONCE)):
        try:
            await finished(called_with(method, **{name: value}))
        except ConfigError as error:
            if "expected a non-empty text" not in str(error):
                passed.append(f"{method.__qualname__}({name}): {error}")
        except ServerError:
            if not in_query(transport.requests[-1], value):  # there it is as good as any text
                passed.append(f"{method.__qualname__}({name})")

    assert [] == passed


@each_api
@pytest.mark.filterwarnings("ignore:accent", "ignore:audio")
@virtual_time
async def test_an_id_stays_one_segment(api: Samples) -> None:
    """With slashes, question marks and percent signs."""
    transport = FakeTransport(reply(500))
    found = list(methods_with_ids(api.client("one", transport=transport, retry=ONCE, limits=())))
    for method, name in found:
        with pytest.raises((ServerError, OutcomeUnknownError)):
            await finished(called_with(method, **{name: "a/../b?c#d%2e"}))

    in_one_piece = [request for request in transport.requests if "a%2F..%2Fb%3Fc%23d%252e" in request.url]
    assert found
    assert len(found) == len(transport.requests) == len(in_one_piece)


def finished(result: Any) -> Awaitable[Any]:
    """What a method gives, to the end."""
    return result.collect() if isinstance(result, Pages) else result


def in_query(request: Request, value: str) -> bool:
    """Whether a parameter has this value, and no segment of the path."""
    url = urlsplit(request.url)
    values = [text for _, text in parse_qsl(url.query, keep_blank_values=True)]
    return value in values and value not in url.path[1:].split("/")


@each_api
@pytest.mark.parametrize("path", ["/a/../b", "/..", "/a/%2e%2e/b", "/a?b=c", "/a#b", "a", "//"])
@virtual_time
async def test_no_path_climbs_or_smuggles(api: Samples, path: str) -> None:
    """Neither of a call nor of a listing."""
    transport = FakeTransport(reply(200, {}))
    session = api.client("one", transport=transport)

    with pytest.raises(ConfigError):
        await session.request("GET", path)
    with pytest.raises(ConfigError):
        session.pages(path)
    assert [] == transport.requests


@each_api
@virtual_time
async def test_nobody_signs_as_somebody_else(api: Samples) -> None:
    """The fields that carry the key are refused in a call's headers."""
    transport = FakeTransport(reply(200, {}))
    session = api.client("one", transport=transport)
    names = _signing_names(session)

    for name in names:
        with pytest.raises(ConfigError, match="is set by the library"):
            await session.send("GET", api.path, headers={name.upper(): "x"})
    assert names
    assert [] == transport.requests


def _signing_names(session: Session) -> list[str]:
    secret = session._credentials.current
    assert secret is not None
    return list(session._profile.auth.headers(secret))


# Against the sandbox


@each_api
@on_a_wire
async def test_a_write_goes_through(api: Samples) -> None:
    """Once."""
    async with api.sandbox() as sandbox, api.at(sandbox) as session:
        await api.write(session)

    assert [True] == [request.admitted for request in sandbox.ledger.requests]
    assert (1 if api.kept else 0) == len(sandbox.ledger.effects)  # what keeps nothing has no effects


@each_api
@on_a_wire
async def test_listings_give_all_that_is_there(api: Samples) -> None:
    """In order, over several pages."""
    async with api.sandbox() as sandbox, api.at(sandbox, limits=()) as session:
        for kind, listing, identity in api.kept:
            sandbox.fill(kind, 30)
            found = [str(getattr(item, identity)) for item in await listing(session).collect()]
            stored = [str(item[identity]) for item in sandbox.stored(kind)]
            assert stored == found
            assert len(found) >= 30


@each_api
@on_a_wire
async def test_the_limit_of_the_server_is_heard(api: Samples) -> None:
    """A second request in a minute that allows one."""
    async with api.sandbox(limit=lambda: FixedWindow(1, 60)) as sandbox, api.at(sandbox, limits=()) as session:
        await api.write(session)
        with pytest.raises(RateLimitError) as caught:
            await session.send("GET", api.path, retry=ONCE)

    assert caught.value.retry_after is None or 0 < caught.value.retry_after <= 60


@each_api
@on_a_wire
async def test_a_key_that_nobody_knows_is_refused(api: Samples) -> None:
    """With the environment variable that should hold another."""
    async with api.sandbox() as sandbox, api.at(sandbox, who="nobody") as session:
        with pytest.raises(AuthenticationError, match=session._profile.key_variable):
            await session.send("GET", api.path)


@each_api
@on_a_wire
async def test_what_is_not_there_is_not_found(api: Samples) -> None:
    """A path that the API does not have."""
    async with api.sandbox() as sandbox, api.at(sandbox) as session:
        with pytest.raises(NotFoundError):
            await session.send("GET", "/nowhere/at/all")


@each_api
@pytest.mark.filterwarnings("ignore:accent", "ignore:audio")
@on_a_wire
async def test_the_sandbox_speaks_all_that_the_client_asks(api: Samples) -> None:
    """It may refuse what is made up here, but not because it knows no such path or method."""
    unspoken = []
    async with api.sandbox() as sandbox, api.at(sandbox, limits=(), retry=ONCE) as session:
        with pytest.raises(NotFoundError, match="/nowhere") as nowhere:
            await session.send("GET", "/nowhere")
        for method in methods(session):
            try:
                await finished(called_with(method))
            except APIError as error:
                if error.status == 405 or str(error).endswith(str(nowhere.value).rpartition(": ")[2]):
                    unspoken.append(method.__qualname__)
            except ConfigError:
                pass  # such as for a form: its test knows what it needs

    assert [] == unspoken
    assert sandbox.ledger.requests


@each_api
@on_a_wire
async def test_a_write_whose_answer_is_lost_is_never_done_twice(api: Samples) -> None:
    """It is repeated where that is harmless or where keys are honoured; else its outcome is told as unknown."""
    async with api.sandbox(faults=[Fault(reset="after", method="POST")]) as sandbox, api.at(sandbox) as session:
        try:
            await api.write(session)
            ended_by = None
        except LeavoError as error:
            ended_by = type(error)

    assert api.lost == (sandbox.ledger.count("POST"), ended_by)
    assert (1 if api.kept else 0) == len(sandbox.ledger.effects)


@each_import
@pytest.mark.parametrize(
    "fault", [Fault(reset="after"), Fault(reset="before"), Fault(status=500, commit=True)], ids=lambda fault: fault.name
)
@on_a_wire
async def test_no_row_of_an_import_is_done_twice(api: Samples, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens to the second: it is done, or held for somebody who can tell. The same again sends nothing."""
    assert api.imports is not None
    monkeypatch.setattr("leavo_async.bulk.outage._MAX_DELAY", 0.01)
    kind, imported = api.imports
    faults = [dataclasses.replace(fault, method="POST", skip=1)]
    at_once = RetryPolicy(1, first_delay=0)
    async with api.sandbox(faults=faults) as sandbox, api.at(sandbox, limits=(), retry=at_once) as session:
        report = await imported(session, sandbox, progress=False, quarantine=0.01)
        sent = len(sandbox.ledger.requests)
        again = await imported(session, sandbox, progress=False, quarantine=0.01)

    assert 3 == report.counts["done"] + report.counts["held"]
    assert 3 - (report.counts["held"] if fault.reset == "before" else 0) == len(sandbox.stored(kind))
    assert (report.counts, sent) == (again.counts, len(sandbox.ledger.requests))


# Secrets


async def _error_of(call: Awaitable[Any]) -> LeavoError:
    with pytest.raises(LeavoError) as caught:
        await call
    return caught.value


@each_api
@on_a_wire
async def test_no_secret_is_in_any_repr_or_log_line(api: Samples, caplog: pytest.LogCaptureFixture) -> None:
    """Nor in an error, its story, its locals, or what the server echoes; the sandbox writes no key either."""
    caplog.set_level(logging.DEBUG)
    canary = secret(api.api, "one")
    echo = json.dumps({"error": {"message": canary, "details": canary}, "Message": canary, "detail": canary})
    faults = [
        Fault(status=401, body=echo, headers={"X-Request-Id": canary}),
        Fault(status=500, body=canary),
        Fault(status=200, body=f"<html>{canary}"),
        Fault(reset="before"),
        Fault(delay=0.3),
    ]
    async with api.sandbox() as sandbox, api.at(sandbox, limits=()) as session:
        await api.write(session)
        for _, listing, _ in api.kept:
            await listing(session).collect()
        sandbox.script(*faults)
        limits = [0.1 if fault.delay else 10.0 for fault in faults]
        errors = [await _error_of(session.request("GET", api.path, timeout=limit, retry=ONCE)) for limit in limits]
        seen = [repr(session), repr(vars(session)), f"{session.status()}", repr(session._profile), repr(sandbox)]

    assert len({type(error) for error in errors}) == 5
    for error in errors:
        seen += [shown(error), printed_locals(error)]
    seen += [caplog.text, repr(sandbox.ledger.requests)]
    assert [] == [text for text in seen if canary in text]


# Tenants


@each_api
@on_a_wire
@pytest.mark.parametrize("rounds", [12, pytest.param(50, marks=pytest.mark.torture(real_time=True))])
async def test_tenants_never_cross(api: Samples, rounds: int) -> None:
    """Two keys, two hundred calls a round between each other, connections that are used again, stray answers."""
    chance = random.Random(3)
    server = Tagging({who: secret(api.api, who) for who in ("one", "two")})
    crossed: list[Any] = []

    async def call(session: Session, tenant: str, path: str) -> None:
        value = await session.request(chance.choice(["GET", "GET", "PUT"]), path)
        if value != {"tenant": tenant, "path": path}:
            crossed.append((tenant, path, value))

    options: dict[str, Any] = {"allow_insecure_loopback": True, "limits": (), "max_in_flight": 8}
    async with (
        Wire(server.step) as wire,
        api.client("one", base_url=wire.url, **options) as one,
        api.client("two", base_url=wire.url, **options) as two,
    ):
        for number in range(rounds):
            calls = [chance.choice([(one, "one"), (two, "two")]) for _ in range(200)]
            # The same paths for both, so that only the key tells whose answer it is.
            await asyncio.gather(*(call(*whose, f"/{number}/{at // 2}") for at, whose in enumerate(calls)))
            if number % 2:
                server.stray()
            if number % 4 == 1:  # the loop sees it before the next call begins; otherwise only the socket has it then
                await asyncio.sleep(0.01)

    assert [] == crossed
    assert 200 * rounds == len(wire.requests)
    assert wire.connections < 1000  # each of them is used again and again
    assert [] == [request for request in wire.requests if "cookie" in request.headers]
    keys: dict[int, set[str]] = {}
    for request in wire.requests:
        keys.setdefault(request.connection, set()).add(server.asked_by(request))
    assert {1} == {len(found) for found in keys.values()}  # no connection has carried two keys
