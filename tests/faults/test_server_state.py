"""A server that answers, and what it says of its own state: refused, overloaded, done already, moved."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
import trustme

from leavo_async import (
    ApiProfile,
    ConnectError,
    LeavoError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimit,
    RateLimitError,
    ReadError,
    RetryPolicy,
    ServerError,
    Session,
)
from leavo_async.apis.leavo import LEAVO
from leavo_async.sandbox import Fault, Sandbox
from leavo_async.testing import FakeTransport, reply, virtual_time

from .judge import CANARY, KINDS, Kind, Trial, trial
from .wire import Step, Wire, answer, committed, echo, http, reset, stall

KEY = "made-up-key-1"
NOW = 1_800_000_000.0
KEYS_LAST = 30.0
FORGETFUL = replace(LEAVO, key_lasts=KEYS_LAST)

ANA: Any = {"name": "Ana Souza", "phone": "+5511999990000"}
every_kind = pytest.mark.parametrize("kind", KINDS)
both_writes = pytest.mark.parametrize("kind", ["keyed", "keyless"])
on_a_wire = pytest.mark.asyncio


class Faked:
    """A session for one kind of call on a scripted transport, in virtual time, with chance and clock under control."""

    def __init__(
        self,
        kind: Kind,
        *answers: Any,
        draw: float = 0.0,
        wall: Callable[[], float] = lambda: NOW,
        profile: ApiProfile = LEAVO,
        seconds: float = 0.0,
        **options: Any,
    ) -> None:
        self.kind = kind
        self.transport = FakeTransport(*answers, seconds=seconds)
        settings = {"limits": (), "idempotency": "honoured" if kind == "keyed" else "ignored", **options}
        self.session = Session(profile, KEY, transport=self.transport, wall=wall, **settings)
        self.session._opened().draw = lambda: draw

    async def call(self, **options: Any) -> Any:
        """The value of the call, or the error that it ended in."""
        method, json = ("GET", None) if self.kind == "read" else ("POST", {"a": 1})
        try:
            return await self.session.request(method, "/asked", json=json, **options)
        except LeavoError as error:
            return error

    @property
    def sent(self) -> list[float]:
        """When each attempt left, in seconds after the first."""
        start = self.transport.moments[0]
        return [pytest.approx(moment - start, abs=1e-3) for moment in self.transport.moments]


def date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


def without_chance(trial: Trial) -> Trial:
    """Every draw is 0: a wait is as long as it must be, and not longer."""
    assert trial.session._engine is not None
    trial.session._engine.draw = lambda: 0.0
    return trial


# Done, and the answer is lost


@on_a_wire
async def test_a_keyed_write_whose_answer_was_reset_is_told_what_it_did() -> None:
    """The server gives its first answer again, and has one record."""
    async with Wire(committed(reset()), echo(), honours_keys=True) as wire, trial(wire.url, "keyed", timeout=2) as one:
        ended = await one.call()

        assert ({"path": "/asked", "n": 1}, 2) == (ended, len(wire.requests))
        assert [wire.requests[0].key] == wire.effects
        await one.check(ended, sent=2, done=1)


LATE = {
    "when the client has left": committed(stall()),
    "a little after the client has left": Step((0.25, *echo().acts), commits=True),
}
UNDER_WAY = {
    "by a code": http(409, b'{"error": {"code": "IDEMPOTENCY_IN_PROGRESS"}}'),
    "by the conflict alone": http(409, b'{"error": "Conflict"}'),
    "by 423": http(423),
}


@on_a_wire
@pytest.mark.parametrize("said", UNDER_WAY.values(), ids=UNDER_WAY)
@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
async def test_a_keyed_write_that_is_still_under_way_is_waited_for(late: Step, said: bytes) -> None:
    """The server says so in one of its ways, then gives the answer; there is one record."""
    async with Wire(late, answer(said), echo(), honours_keys=True) as wire, trial(wire.url, "keyed", later=2) as one:
        ended = await one.call()

        assert {"path": "/asked", "n": 1} == ended
        assert [wire.requests[0].key] == wire.effects
        assert [None, int(said[9:12]), 200] == [record.status for record in one.records]
        await one.check(ended, sent=3, done=1)


@on_a_wire
@pytest.mark.parametrize("lost", [committed(reset()), *LATE.values()], ids=["reset", *LATE])
async def test_a_keyless_write_whose_answer_is_lost_is_sent_once(lost: Step) -> None:
    """It was done, which nobody can know: the caller is told to look."""
    async with Wire(lost, echo()) as wire, trial(wire.url, "keyless") as one:
        ended = await one.call()

        assert (OutcomeUnknownError, "unknown", False) == (type(ended), ended.outcome, ended.safe_to_retry)
        assert (1, 1) == (len(wire.requests), len(wire.effects))
        await one.check(ended, sent=1, done=1)


@on_a_wire
@pytest.mark.parametrize(
    "fault", [Fault(reset="after"), Fault(commit=True, delay=0.3), Fault(status=500, commit=True)], ids=lambda f: f.name
)
async def test_a_server_that_keeps_its_promise_makes_one_lead(fault: Fault) -> None:
    """The sandbox answers 409 while the first attempt is under way, and afterwards what it has answered first."""
    patient = RetryPolicy(first_delay=0.1, max_delay=0.1, max_attempts=12)
    async with (
        Sandbox(key=CANARY, idempotency="honoured", faults=[fault]) as sandbox,
        trial(sandbox.url, "keyed", timeout=0.1 if fault.delay else 2, retry=patient) as one,
    ):
        try:
            ended: Any = await one.session.send("POST", "/backend/leads", json=ANA)
        except LeavoError as error:
            ended = error

        assert ["created"] == [effect.kind for effect in sandbox.ledger.effects]
        if fault.status:  # it has stored its failure, and is believed
            assert (ServerError, 2) == (type(ended), len(ended.attempts))
        else:
            assert (201, True) == (ended.status, ended.replayed)
        await one.check(ended, sent=len(sandbox.ledger.requests), done=None, next_call=False)


# Failures that the server has stored


@on_a_wire
@pytest.mark.parametrize("name", ["idempotency_replayed", "idempotent_replayed"])
async def test_a_failure_that_the_server_has_stored_is_not_asked_for_again(name: str) -> None:
    """It would be given for ever: the second time is the last."""
    stored = http(500, **{name: "true"})
    async with (
        Wire(committed(answer(http(500))), answer(stored), echo()) as wire,
        trial(wire.url, "keyed", timeout=2) as one,
    ):
        ended = await one.call()

        assert (ServerError, 500, "unknown") == (type(ended), ended.status, ended.outcome)
        assert "the server has stored this failure" in ended.attempts[-1].because
        assert (2, 1) == (len(wire.requests), len(wire.effects))
        await one.check(ended, sent=2, done=1)


@on_a_wire
async def test_a_keyless_write_that_has_failed_is_not_repeated_to_see_whether_that_is_stored() -> None:
    """It may have been done."""
    async with Wire(committed(answer(http(500))), echo()) as wire, trial(wire.url, "keyless", timeout=2) as one:
        ended = await one.call()

        assert (OutcomeUnknownError, "unknown", 1) == (type(ended), ended.outcome, len(wire.requests))
        await one.check(ended, sent=1, done=1)


# Keys that the server may have forgotten


@on_a_wire
async def test_a_write_that_is_older_than_the_server_keeps_its_key_stays_as_it_is() -> None:
    """It was done, and the key would be taken for a new one: nothing is sent."""
    slow = Step((0.15, *reset().acts), commits=True)
    async with (
        Wire(slow, echo(), honours_keys=True) as wire,
        trial(wire.url, "keyed", profile=replace(LEAVO, key_lasts=0.1), timeout=2) as one,
    ):
        ended = await one.call()

        assert (OutcomeUnknownError, "unknown") == (type(ended), ended.outcome)
        assert (1, 1) == (len(wire.requests), len(wire.effects))
        await one.check(ended, sent=1, done=1)


LATER = RetryPolicy(first_delay=2 * KEYS_LAST, max_delay=2 * KEYS_LAST)
FORGOTTEN = [
    pytest.param(ReadError("reset"), 0.0, id="the next attempt would be too late"),
    pytest.param(ReadError("reset"), KEYS_LAST + 1, id="the first attempt took too long"),
    pytest.param(reply(503, None, {"Retry-After": "40"}), 0.0, id="the server asks to wait for too long"),
]


@virtual_time
@pytest.mark.parametrize(("fault", "seconds"), FORGOTTEN)
async def test_a_write_is_not_repeated_once_the_server_may_have_forgotten_its_key(fault: Any, seconds: float) -> None:
    """It would be taken for a new request, and done a second time."""
    leavo = Faked("keyed", fault, reply(200, {}), draw=0.9, seconds=seconds, profile=FORGETFUL, retry=LATER)
    ended = await leavo.call()

    assert (OutcomeUnknownError, "unknown", False) == (type(ended), ended.outcome, ended.safe_to_retry)
    assert len(leavo.transport.requests) == 1
    assert "may have forgotten the idempotency key" in ended.story


@virtual_time
async def test_a_write_that_waits_in_the_queue_until_its_key_is_forgotten_is_not_sent_again() -> None:
    """Another call's 429 holds the queue for longer than the server keeps the key."""
    leavo = Faked("keyed", ReadError("reset"), reply(200, {}), draw=0.5, profile=FORGETFUL)
    under_way = asyncio.create_task(leavo.call())
    await asyncio.sleep(0.1)
    leavo.session._opened().gate.hold(KEYS_LAST + 10)
    ended = await under_way

    assert len(leavo.transport.requests) == 1
    assert (OutcomeUnknownError, "unknown") == (type(ended), ended.outcome)


@virtual_time
async def test_a_write_that_never_left_may_go_whatever_the_age_of_its_key() -> None:
    """The server has never seen it."""
    leavo = Faked("keyed", ConnectError("refused"), reply(200, {}), draw=0.9, profile=FORGETFUL, retry=LATER)

    assert {} == await leavo.call()
    assert [0, 54] == leavo.sent


# Told to wait


DAY = 86_400.0
WAITS = [
    pytest.param({"Retry-After": "7"}, 7, id="seconds"),
    pytest.param({"Retry-After": "1.5"}, 1.5, id="a fraction of seconds"),
    pytest.param({"Retry-After": "0"}, 0, id="no seconds"),
    pytest.param({"Retry-After": date(NOW + 30)}, 30, id="a date"),
    pytest.param({"Retry-After": date(NOW - 30)}, 0, id="a date that is past"),
    pytest.param({"Retry-After": date(NOW - 3570), "Date": date(NOW - 3600)}, 30, id="a date by a clock that is late"),
    pytest.param({"Retry-After": f"{NOW + 20:.0f}"}, 20, id="seconds since 1970"),
    pytest.param({"Retry-After-Ms": "2500"}, 2.5, id="milliseconds"),
    pytest.param({"Retry-After-Ms": "2500", "Retry-After": "9"}, 2.5, id="milliseconds beside seconds"),
    pytest.param({"Retry-After-Ms": "soon", "Retry-After": "9"}, 9, id="junk beside seconds"),
    pytest.param({"Retry-After": "299"}, 299, id="just below the cap"),
]
UNREADABLE = [
    pytest.param({}, id="absent"),
    pytest.param({"Retry-After": ""}, id="empty"),
    pytest.param({"Retry-After": "-5"}, id="negative"),
    pytest.param({"Retry-After": "soon"}, id="junk"),
    pytest.param({"Retry-After": "inf"}, id="infinite"),
    pytest.param({"Retry-After": "1e3"}, id="with an exponent"),
    pytest.param({"Retry-After": "٧"}, id="digits of another script"),
    pytest.param({"Retry-After": "7, 9"}, id="two of them"),
]
TOO_LONG = [
    pytest.param({"Retry-After": "301"}, 301, id="just above the cap"),
    pytest.param({"Retry-After": "1000000000"}, DAY, id="thirty years"),
    pytest.param({"Retry-After": date(NOW + 1e9)}, DAY, id="a date in thirty years"),
    pytest.param({"Retry-After-Ms": "1000000000"}, DAY, id="a million seconds in milliseconds"),
]


@virtual_time
@every_kind
@pytest.mark.parametrize("draw", [0.0, 0.75])
@pytest.mark.parametrize(("told", "wait"), WAITS)
async def test_after_a_429_a_call_waits_as_it_is_told(
    told: dict[str, str], wait: float, draw: float, kind: Kind
) -> None:
    """Never less, at most a second more, in whatever form the server says it."""
    leavo = Faked(kind, reply(429, None, told), reply(200, {}), draw=draw)

    assert {} == await leavo.call()
    assert [0, wait + draw] == leavo.sent


@virtual_time
@every_kind
@pytest.mark.parametrize("told", UNREADABLE)
async def test_after_a_429_that_does_not_say_how_long_a_call_waits_a_minute(told: dict[str, str], kind: Kind) -> None:
    """What cannot be read is as good as nothing: the API's own wait counts."""
    leavo = Faked(kind, reply(429, None, told), reply(200, {}))

    assert {} == await leavo.call()
    assert [0, LEAVO.wait_after_429] == leavo.sent


@virtual_time
@pytest.mark.parametrize("told", UNREADABLE)
async def test_after_a_503_that_does_not_say_how_long_a_read_backs_off(told: dict[str, str]) -> None:
    """As if there were no such header."""
    leavo = Faked("read", reply(503, None, told), reply(200, {}), draw=0.75)

    assert {} == await leavo.call()
    assert [0, 0.75] == leavo.sent


@virtual_time
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("told", "wait"), TOO_LONG)
async def test_a_wait_that_is_too_long_is_not_begun(told: dict[str, str], wait: float, status: int) -> None:
    """The caller hears at once when the server would be asked again; nobody is told to wait for longer than a day."""
    leavo = Faked("read", reply(status, None, told), reply(200, {}))
    ended = await leavo.call()

    assert (RateLimitError if status == 429 else ServerError) is type(ended)
    assert (NOW + wait, 1, 1000.0) == (ended.retry_at, len(leavo.sent), asyncio.get_running_loop().time())
    assert "would pass max_wait" in str(ended)


# Refused on every try


def refusing(kind: Kind) -> Faked:
    """Eight times, which is one more than fit into 300 s, then it fails once and answers."""
    return Faked(kind, *[reply(429, None, {"Retry-After": "40"})] * 8, ReadError("reset"), reply(200, {}), draw=0.5)


@virtual_time
@every_kind
async def test_a_429_on_every_try_ends_when_the_waits_sum_up_to_max_wait(kind: Kind) -> None:
    """After seven waits of forty seconds; nothing was done, and the caller may come back."""
    leavo = refusing(kind)
    ended = await leavo.call()

    assert (RateLimitError, "not sent", True) == (type(ended), ended.outcome, ended.safe_to_retry)
    assert [number * 40.5 for number in range(8)] == leavo.sent
    assert (40, NOW + 40, 8) == (ended.retry_after, ended.retry_at, len(ended.attempts))


@virtual_time
@every_kind
async def test_a_429_on_every_try_ends_before_the_deadline(kind: Kind) -> None:
    """Before the wait that would pass it, and with what the server has said."""
    leavo = refusing(kind)
    ended = await leavo.call(deadline=100)

    assert (RateLimitError, "not sent") == (type(ended), ended.outcome)
    assert [0, 40.5, 81] == leavo.sent
    assert pytest.approx(1081, abs=1e-3) == asyncio.get_running_loop().time()


@virtual_time
@pytest.mark.parametrize("kind", ["read", "keyed"])
async def test_calls_that_were_refused_leave_the_repeats_for_others(kind: Kind) -> None:
    """A refusal is no sign of a server that is down."""
    leavo = refusing(kind)
    await leavo.call()
    assert leavo.session._opened().budget._repeats == 0

    assert {} == await leavo.call()
    assert leavo.session._opened().budget._repeats == 1


# A clock that jumps


class Wall:
    """A clock on the wall that somebody sets."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return NOW + self.ahead + asyncio.get_running_loop().time()


async def moments(kind: Kind, jump: float) -> list[float]:
    """When the attempts of three calls leave, if the clock jumps in the middle of each wait."""
    wall = Wall()
    refused = reply(429, None, {"Retry-After": "8"})
    broken = ConnectError("refused")
    answers = [refused, broken, reply(200, {}), reply(200, {}), reply(200, {})]
    profile = replace(LEAVO, key_lasts=1800.0)
    leavo = Faked(
        kind,
        *answers,
        wall=wall,
        draw=0.5,
        profile=profile,
        limits=[RateLimit(6, 60.0)],
        retry=RetryPolicy(max_wait=10),
    )
    loop = asyncio.get_running_loop()

    def set_it() -> None:
        wall.ahead = jump - wall.ahead
        loop.call_later(3, set_it)

    loop.call_later(3, set_it)
    for _ in range(3):
        assert {} == await leavo.call(deadline=600)
    return leavo.transport.moments


@every_kind
@pytest.mark.parametrize("jump", [3600.0, -3600.0], ids=["an hour forward", "an hour back"])
def test_a_clock_that_is_set_while_calls_wait_changes_nothing(kind: Kind, jump: float) -> None:
    """Waits, limits, deadlines and the age of keys go by a clock that nobody sets."""
    assert virtual_time(moments)(kind, 0.0) == virtual_time(moments)(kind, jump)


# The same over a wire


@on_a_wire
@every_kind
async def test_a_wait_that_was_told_is_kept_over_a_wire(kind: Kind) -> None:
    """The second attempt comes no sooner, and is the one that counts."""
    async with Wire(answer(http(429, retry_after_ms="120")), echo()) as wire, trial(wire.url, kind, timeout=2) as one:
        without_chance(one)
        loop = asyncio.get_running_loop()
        start = loop.time()
        ended = await one.call()

        assert loop.time() - start >= 0.12
        assert ({"path": "/asked", "n": 2}, 2) == (ended, len(wire.requests))
        await one.check(ended, sent=2, done=len(wire.effects))


@on_a_wire
@every_kind
async def test_a_429_on_every_try_ends_over_a_wire(kind: Kind) -> None:
    """Three waits would pass max_wait."""
    steps = [answer(http(429, retry_after_ms="50"))] * 3
    policy = RetryPolicy(first_delay=0, max_wait=0.12)
    async with Wire(*steps, echo()) as wire, trial(wire.url, kind, retry=policy, timeout=2) as one:
        without_chance(one)
        ended = await one.call()

        assert (RateLimitError, "not sent", 3) == (type(ended), ended.outcome, len(wire.requests))
        assert one.session._opened().budget._repeats == 0
        await one.check(ended, sent=3, done=0)


BUSY = answer(http(503, retry_after="0"))
REFUSES = RetryPolicy(first_delay=0, max_delay=0, refusals=frozenset({425, 429, 503}))


@on_a_wire
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("read", {}, id="read"),
        pytest.param("keyed", {}, id="keyed"),
        pytest.param("keyless", {"retry": REFUSES}, id="keyless, where the user says that a 503 is a refusal"),
    ],
)
async def test_a_server_that_is_busy_for_a_moment_is_asked_again(kind: Kind, options: dict[str, Any]) -> None:
    """After 503 with Retry-After the call succeeds; if it goes on, it ends with the fourth attempt."""
    async with Wire(BUSY, echo()) as wire, trial(wire.url, kind, **options, timeout=2) as one:
        ended = await without_chance(one).call()

        assert ({"path": "/asked", "n": 2}, 2) == (ended, len(wire.requests))
        await one.check(ended, sent=2, done=len(wire.effects))
    async with Wire(*[BUSY] * 4, echo()) as wire, trial(wire.url, kind, **options, timeout=2) as one:
        ended = await without_chance(one).call()

        assert (ServerError, 503, 4) == (type(ended), ended.status, len(wire.requests))
        assert ("not sent" if options else "unknown") == ended.outcome
        await one.check(ended, sent=4, done=0)


@on_a_wire
async def test_a_keyless_write_is_not_repeated_after_a_503() -> None:
    """Unless the user says that it is a refusal, it may have been done."""
    async with Wire(BUSY, echo()) as wire, trial(wire.url, "keyless", timeout=2) as one:
        ended = await without_chance(one).call()

        assert (OutcomeUnknownError, "unknown", 1) == (type(ended), ended.outcome, len(wire.requests))
        await one.check(ended, sent=1, done=0)


# Redirects


ELSEWHERE = {
    "the same origin": ("/other?token=PRIVATE", ""),
    "another origin": ("{other}/PRIVATE?token=PRIVATE", " to http://127.0.0.1"),
    "another host": ("https://user:PRIVATE@evil.example/PRIVATE#PRIVATE", " to https://evil.example"),
    "a host without a scheme": ("//evil.example/PRIVATE", " to ://evil.example"),
    "a file": ("file:///etc/PRIVATE", ""),
    "itself": ("/asked", ""),
    "nowhere": (None, ""),
    "no URL": ("https://[PRIVATE", ""),
}


@on_a_wire
@every_kind
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("location", "shown"), ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_redirect_is_not_followed(location: str | None, shown: str, status: int, kind: Kind) -> None:
    """Wherever it points, one request is sent; the error names no more of the target than its host."""
    async with Wire() as other:
        target = None if location is None else location.format(other=other.url)
        async with Wire(answer(http(status, location=target)), echo()) as wire, trial(wire.url, kind, timeout=2) as one:
            ended = await one.call()

            assert (ProtocolError, "not sent", status, 1) == (
                type(ended),
                ended.outcome,
                ended.status,
                len(wire.requests),
            )
            assert f"unexpected status {status}{shown} (" in str(ended)
            assert "PRIVATE" not in f"{ended!r} {vars(ended)} {ended.story}"
            await one.check(ended, sent=1, done=0)

    assert (0, []) == (other.connections, other.requests)


@on_a_wire
@every_kind
async def test_a_redirect_from_https_to_http_is_not_followed(kind: Kind) -> None:
    """The key would travel in clear text."""
    authority, server, client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    async with Wire() as plain:
        step = answer(http(308, location=f"{plain.url}/asked"))
        async with Wire(step, echo(), tls=server) as wire, trial(wire.url, kind, ssl_context=client, timeout=2) as one:
            ended = await one.call()

            assert (ProtocolError, "not sent", 1) == (type(ended), ended.outcome, len(wire.requests))
            assert "unexpected status 308 to http://127.0.0.1 (" in str(ended)
            await one.check(ended, sent=1, done=0)

    assert 0 == plain.connections
