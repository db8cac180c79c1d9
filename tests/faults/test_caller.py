"""What the caller does, or cannot help: cancel, close, change the loop, have no descriptors, get bytes one by one."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
import sys
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trustme

from leavo_async import (
    AbortController,
    AbortedError,
    ClosedError,
    ConfigError,
    ConnectTimeoutError,
    DeadlineError,
    LeavoClient,
    OutcomeUnknownError,
    RateLimit,
    ReadTimeoutError,
    RetryPolicy,
    Session,
)
from leavo_async.apis.leavo import LEAVO
from leavo_async.sandbox import Sandbox
from leavo_async.testing import FakeTransport, FaultProxy, VirtualTimeLoop, Weather, reply

from .judge import CANARY, KINDS, Kind, Trial, check_hidden, settled, trial
from .wire import Step, Wire, answer, echo, echoes, http, ignore, stall, zero_window

every_kind = pytest.mark.parametrize("kind", KINDS)
PROC = Path("/proc/self/fd")
counts_sockets = pytest.mark.skipif(not PROC.exists(), reason="sockets are counted in /proc")
WAITS_LONG = RetryPolicy(first_delay=30)


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, and that of a client which knows its authority."""
    authority, server, client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


def phases(one: Trial) -> Counter[str]:
    """What the calls under way are doing."""
    assert one.session._engine is not None
    return Counter(getattr(guard, "phase", "?") for guard in one.session._engine.watch._guards)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def assert_clean(one: Trial, *, next_call: bool = True) -> None:
    """No call, slot, place in the queue or connection is left, and the next calls get their own answers."""
    engine = one.session._engine
    assert engine is not None
    await settled(lambda: one.connections() == 0)
    waiting = sum(one.session.status().waiting.values())
    assert (0, 0, 0, 0) == (one.connections(), engine.slots.used, waiting, phases(one).total())
    check_hidden(None, one.log)
    if next_call:
        await one._check_next()


def sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for descriptor in PROC.iterdir():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:  # that of the listing itself
            pass
    return count


# Cancelled


@dataclass
class Scene:
    """A call brought to a phase in which it waits.

    phase: what the client says it does. sent: requests that have arrived then. is_there: what must hold as well.
    afterwards: what makes the world whole again. works: whether the server can answer then.
    """

    one: Trial
    phase: str
    sent: int = 0
    works: bool = True
    body: Any = field(default_factory=dict)
    path: str = "/asked"
    is_there: Callable[[], object] = lambda: True
    afterwards: Callable[[], object] = lambda: None

    def call(self, kind: Kind) -> Awaitable[Any]:
        method, body = ("GET", None) if kind == "read" else ("POST", self.body)
        return self.one.session.request(method, self.path, json=body)


Stage = Callable[[AsyncExitStack, Kind, Contexts], Awaitable[tuple[Scene, Wire | None]]]


async def staged(stack: AsyncExitStack, kind: Kind, *steps: Step, **options: Any) -> tuple[Trial, Wire]:
    wire = await stack.enter_async_context(Wire(*steps))
    return await stack.enter_async_context(trial(wire.url, kind, **{"timeout": 30, **options})), wire


async def waiting_for_a_slot(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    one, wire = await staged(stack, kind, stall(), echo(), max_in_flight=1)
    other = asyncio.create_task(one.call("/other"))
    await until(lambda: wire.requests)
    return Scene(one, "queue", sent=1, afterwards=other.cancel), wire


async def waiting_for_its_turn(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    one, wire = await staged(stack, kind, echo(), limits=[RateLimit(1, 60.0)])
    await one.call("/other")
    return Scene(one, "queue", sent=1, works=False), wire


async def held_by_the_server(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    one, wire = await staged(stack, kind, echo())
    one.session._opened().gate.hold(30)
    return Scene(one, "queue", works=False), wire


async def looking_up_the_name(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    wire = await stack.enter_async_context(Wire(echo()))
    url = wire.url.replace("127.0.0.1", "localhost")
    one = await stack.enter_async_context(trial(url, kind, timeout=30))
    loop: Any = asyncio.get_running_loop()
    real, asked, answered = loop.getaddrinfo, [], asyncio.Event()

    async def slow(*args: Any, **options: Any) -> Any:
        asked.append(args)
        await answered.wait()
        return await real(*args, **options)

    stack.enter_context(pytest.MonkeyPatch.context()).setattr(loop, "getaddrinfo", slow)
    return Scene(one, "connect", is_there=lambda: asked, afterwards=answered.set), wire


async def connecting(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    url = await stack.enter_async_context(black_hole())
    one = await stack.enter_async_context(trial(url, kind, timeout=30))
    return Scene(one, "connect", works=False), None


async def shaking_hands(stack: AsyncExitStack, kind: Kind, contexts: Contexts) -> tuple[Scene, Wire | None]:
    server, client = contexts
    wire = await stack.enter_async_context(Wire(echo(), tls=server))
    proxy = await stack.enter_async_context(FaultProxy(wire.url, up=Weather(black_hole=True)))
    one = await stack.enter_async_context(trial(proxy.url, kind, ssl_context=client, timeout=30))

    def fine_again() -> None:
        proxy.up = Weather()  # for the next connections: this one has lost its first bytes for ever

    return Scene(one, "connect", is_there=lambda: proxy.connections, afterwards=fine_again), wire


async def writing(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    one, wire = await staged(stack, kind, zero_window(), echo())
    return Scene(one, "send", sent=1, body="x" * 16_000_000), wire


async def awaiting_the_head(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    one, wire = await staged(stack, kind, stall(), echo())
    return Scene(one, "read", sent=1), wire


async def in_the_middle_of_the_body(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    """On the client's side it is there when the connection knows of a body that is not whole."""
    one, wire = await staged(stack, kind, Step((http(body=b"[1, 2, 3]")[:-3], ignore)), echo())

    def has_a_body() -> bool:
        acquired = [p for s in (one.transport._kept, one.transport._fresh) for p in s.connector._acquired]  # type: ignore[union-attr]
        return any(getattr(protocol, "_payload", None) is not None for protocol in acquired)

    return Scene(one, "read", sent=1, is_there=has_a_body), wire


async def between_attempts(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    one, wire = await staged(stack, kind, answer(http(425)), echo(), retry=WAITS_LONG)
    one.session._opened().draw = lambda: 1.0
    return Scene(one, "wait", sent=1), wire


async def told_to_wait(stack: AsyncExitStack, kind: Kind, _: Contexts) -> tuple[Scene, Wire | None]:
    one, wire = await staged(stack, kind, answer(http(429, retry_after="30")), echo())
    return Scene(one, "wait", sent=1, works=False), wire


STAGES = {
    "waiting for a slot": waiting_for_a_slot,
    "waiting for its turn": waiting_for_its_turn,
    "held, as the server asked": held_by_the_server,
    "looking up the name": looking_up_the_name,
    "connecting": connecting,
    "shaking hands": shaking_hands,
    "writing": writing,
    "awaiting the head": awaiting_the_head,
    "in the middle of the body": in_the_middle_of_the_body,
    "between attempts": between_attempts,
    "told to wait": told_to_wait,
}


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        pytest.param(stage, kind, id=f"{name}-{kind}")
        for name, stage in STAGES.items()
        for kind in KINDS
        if (stage, kind) != (writing, "read")  # it has no body
    ],
)
async def test_a_call_can_be_cancelled_wherever_it_waits(stage: Stage, kind: Kind, contexts: Contexts) -> None:
    """Its task gets the cancellation as it was made, nothing stays behind, and the session goes on."""
    async with AsyncExitStack() as stack:
        scene, wire = await stage(stack, kind, contexts)
        under_way = phases(scene.one).total()
        seen: list[asyncio.CancelledError] = []

        async def caller() -> None:
            try:
                await scene.call(kind)
            except asyncio.CancelledError as error:
                seen.append(error)
                raise

        task = asyncio.create_task(caller())
        await until(lambda: phases(scene.one).total() == under_way + 1 and phases(scene.one)[scene.phase])
        await until(lambda: scene.is_there() and (wire is None or len(wire.requests) == scene.sent))
        task.cancel("by the caller")
        await asyncio.wait([task])

        assert (True, 1) == (task.cancelled(), task.cancelling())
        assert [("by the caller",)] == [error.args for error in seen]
        assert [None] == [error.__cause__ for error in seen]
        scene.afterwards()
        await assert_clean(scene.one, next_call=scene.works)


@asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """The URL of a socket whose queue is full: what knocks there gets no answer at all."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        inside: list[socket.socket] = []
        try:
            for _ in range(8):
                each = socket.socket()
                inside.append(each)
                each.setblocking(False)
                each.connect_ex(listener.getsockname())
            await asyncio.sleep(0.02)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for each in inside:
                each.close()


# Cancelled in the very moment in which something else ends the call


@dataclass
class Race:
    """A call that ends by itself at one moment, and is cancelled at about the same."""

    task: asyncio.Task[Any]
    transport: FakeTransport
    was_under_way: bool = False

    def cancel(self, turns: int) -> None:
        """So many turns of the loop from now."""
        if turns:
            asyncio.get_running_loop().call_soon(self.cancel, turns - 1)
        else:
            self.was_under_way = self.task.cancel()


END = 10.0
"""Seconds after which the call ends by itself."""


def by_its_limit(session: Session) -> Awaitable[Any]:
    return session.request("GET", "/asked", timeout=END, retry=RetryPolicy(max_attempts=1))


def by_its_limit_with_repeats(session: Session) -> Awaitable[Any]:
    return session.request("GET", "/asked", timeout=END, retry=RetryPolicy(max_attempts=2, first_delay=0, max_delay=0))


def by_its_deadline(session: Session) -> Awaitable[Any]:
    return session.request("GET", "/asked", deadline=END)


def by_its_signal(session: Session) -> Awaitable[Any]:
    controller = AbortController()
    asyncio.get_running_loop().call_later(END, controller.abort)
    return session.request("GET", "/asked", signal=controller.signal)


def by_the_end_of_the_session(session: Session) -> Awaitable[Any]:
    loop = asyncio.get_running_loop()
    loop.call_later(END, lambda: closing.append(loop.create_task(session.aclose())))
    closing: list[asyncio.Task[None]] = []
    return session.request("GET", "/asked")


async def by_the_callers_own_timeout(session: Session) -> Any:
    async with asyncio.timeout(END):
        return await session.request("GET", "/asked")


ENDS: dict[str, tuple[Callable[[Session], Awaitable[Any]], type[Exception]]] = {
    "its limit": (by_its_limit, ReadTimeoutError),
    "its limit, with repeats": (by_its_limit_with_repeats, ReadTimeoutError),
    "its deadline": (by_its_deadline, DeadlineError),
    "its signal": (by_its_signal, AbortedError),
    "the end of the session": (by_the_end_of_the_session, ClosedError),
    "the caller's own timeout": (by_the_callers_own_timeout, TimeoutError),
}


async def raced(call: Callable[[Session], Awaitable[Any]], offset: float, turns: int) -> tuple[Race, Session]:
    transport = FakeTransport(reply(200, {}), seconds=1000)
    session = Session(LEAVO, CANARY, transport=transport, limits=())
    session._opened()

    async def caller() -> Any:
        return await call(session)

    race = Race(asyncio.create_task(caller()), transport)
    asyncio.get_running_loop().call_later(END + offset, race.cancel, turns)
    await asyncio.wait([race.task])
    await asyncio.sleep(1)
    return race, session


@pytest.mark.parametrize(("call", "error"), ENDS.values(), ids=ENDS)
def test_a_cancellation_is_never_swallowed_by_what_ends_the_call_in_the_same_moment(
    call: Callable[[Session], Awaitable[Any]], error: type[Exception]
) -> None:
    """Whoever cancels a task that is under way sees it cancelled; who comes too late sees the error."""
    chance = Random("71")
    seen: Counter[bool] = Counter()
    for _ in range(300):
        offset, turns = chance.choice((-1e-6, -1e-9, 0.0, 1e-9, 1e-6)), chance.randrange(6)
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            race, session = runner.run(raced(call, offset, turns))
        seen[race.was_under_way] += 1
        if race.was_under_way:
            assert race.task.cancelled(), (offset, turns, race.task)
            assert 1 == race.task.cancelling()
        else:
            assert error is type(race.task.exception())
        engine = session._engine
        assert engine is not None
        assert (0, 0) == (engine.slots.used, len(engine.watch._guards))
        assert len(race.transport.requests) <= 2

    # With repeats, none comes too late: the second attempt is under way.
    assert min(seen[True], seen[False]) > 20 or call is by_its_limit_with_repeats


@pytest.mark.asyncio
@every_kind
async def test_cancellations_and_limits_of_hundreds_of_calls_at_once_over_a_wire(kind: Kind) -> None:
    """Each ends in one of the two, and nothing stays behind."""

    async def act(line: Any, request: Any) -> None:
        await (ignore if request.path == "/asked" else echoes)(line, request)

    chance = Random(f"71 {kind}")
    loop = asyncio.get_running_loop()
    once = RetryPolicy(max_attempts=1)
    async with (
        Wire(Step((act,), commits=True)) as wire,
        trial(wire.url, kind, timeout=0.1, retry=once, max_in_flight=100, limits=()) as one,
    ):
        start = loop.time()
        tasks = [asyncio.create_task(one.call()) for _ in range(100)]
        under_way: dict[asyncio.Task[Any], bool] = {}

        def cancel(task: asyncio.Task[Any]) -> None:
            under_way[task] = task.cancel()

        for task in tasks:
            loop.call_at(start + 0.1 + chance.uniform(-0.005, 0.02), cancel, task)
        await asyncio.wait(tasks)
        await until(lambda: len(under_way) == 100)

        for task in tasks:
            if under_way[task]:
                assert task.cancelled()
            else:
                assert type(task.result()) in (ReadTimeoutError, ConnectTimeoutError, OutcomeUnknownError)
        await assert_clean(one, next_call=False)
        await settled(lambda: wire.open == 0)
        assert 0 == wire.open
        await one.session.request("GET", "/next", timeout=10)


# Closed with calls in flight


class HalfOpen:
    """A server that takes what comes, answers none, and from some moment on lets others knock in vain."""

    def __init__(self) -> None:
        self.taken: list[socket.socket] = []
        self._listener = socket.socket()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def __aenter__(self) -> HalfOpen:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(100)
        self._listener.setblocking(False)
        self._task = asyncio.create_task(self._take())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.shut()
        for each in (self._listener, *self.taken):
            each.close()

    def shut(self) -> None:
        """Later ones get no answer at all, once one or two wait to be taken."""
        self._task.cancel()
        self._listener.listen(0)

    async def _take(self) -> None:
        while True:
            self.taken.append((await asyncio.get_running_loop().sock_accept(self._listener))[0])


Server = Callable[[AsyncExitStack, Contexts], Awaitable[tuple[str, Callable[[], int], Callable[[], object]]]]
"""From what is needed for it to its URL, how many requests it has, and what lets no more connections come."""


async def plain(stack: AsyncExitStack, _: Contexts) -> tuple[str, Callable[[], int], Callable[[], object]]:
    server = await stack.enter_async_context(HalfOpen())
    return server.url, lambda: len(server.taken), server.shut


async def over_tls(stack: AsyncExitStack, contexts: Contexts) -> tuple[str, Callable[[], int], Callable[[], object]]:
    wire = await stack.enter_async_context(Wire(stall(), tls=contexts[0]))
    proxy = await stack.enter_async_context(FaultProxy(wire.url))

    def no_more_handshakes() -> None:
        proxy.up = Weather(black_hole=True)

    return proxy.url, lambda: len(wire.requests), no_more_handshakes


@counts_sockets
@pytest.mark.asyncio
@pytest.mark.parametrize("server", [plain, over_tls])
async def test_closing_ends_fifty_calls_half_of_which_are_connecting(server: Server, contexts: Contexts) -> None:
    """Each with ClosedError that says how far it had got; no warning, and no socket stays."""
    before = sockets()
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with AsyncExitStack() as stack:
        url, arrived, no_more = await server(stack, contexts)
        one = await stack.enter_async_context(
            trial(url, ssl_context=contexts[1] if server is over_tls else None, timeout=30, max_in_flight=50)
        )
        tasks = [asyncio.create_task(called(one.session, number)) for number in range(25)]
        await until(lambda: arrived() == 25 and phases(one) == {"read": 25})
        no_more()
        tasks += [asyncio.create_task(called(one.session, number)) for number in range(25)]
        await until(lambda: phases(one)["connect"] >= 20)
        await asyncio.sleep(0.02)
        doing = phases(one)
        await one.session.aclose()
        ended = await asyncio.gather(*tasks, return_exceptions=True)

        assert doing["connect"] >= 20
        assert 50 == doing["connect"] + doing["read"]
        assert [ClosedError] * 50 == [type(error) for error in ended]
        assert {"not sent": doing["connect"], "unknown": doing["read"]} == Counter(error.outcome for error in ended)
        engine = one.session._engine
        assert engine is not None
        assert (0, 0) == (engine.slots.used, phases(one).total())
        del tasks, ended
    await settled(lambda: sockets() == before)
    assert (before, []) == (sockets(), complaints)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
    assert [] == complaints


async def called(session: Session, number: int) -> Any:
    return await (session.request("POST", "/x", json={}) if number % 2 else session.request("GET", "/x"))


# Other loops


def test_a_call_from_another_loop_is_refused_while_its_own_goes_on() -> None:
    """Nothing is sent for it, and the calls on the right loop do not notice."""
    refusals: list[BaseException] = []

    def elsewhere(session: Session) -> None:
        try:
            asyncio.run(called(session, 1))
        except ConfigError as error:
            refusals.append(error)

    async def here() -> int:
        async with Wire(Step((0.1, echoes), commits=True), echo()) as wire, trial(wire.url) as one:
            under_way = asyncio.create_task(one.call())
            await until(lambda: wire.requests)
            await asyncio.to_thread(elsewhere, one.session)
            assert {"path": "/asked", "n": 1} == await under_way
            await one.check({}, sent=1, done=None)
            return len([request for request in wire.requests if request.path == "/x"])

    assert 0 == asyncio.run(here())
    assert [True] == ["another event loop" in str(refusal) for refusal in refusals]


def test_a_session_of_a_loop_that_is_gone_can_be_closed_over_tls(contexts: Contexts) -> None:
    """Its connections cannot say goodbye any more; that is no warning."""
    server, client = contexts
    left: list[Session] = []

    async def first() -> None:
        async with Wire(echo(), tls=server) as wire:
            session = Session(LEAVO, CANARY, base_url=wire.url, ssl_context=client, limits=())
            left.append(session)
            await asyncio.gather(*(called(session, number) for number in range(4)))

    asyncio.run(first())
    with pytest.raises(ConfigError, match="one session for each loop"):
        asyncio.run(called(left[0], 0))
    asyncio.run(left[0].aclose())
    left.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


# No descriptors


WITHOUT_DESCRIPTORS = """
import asyncio, json, os, resource, sys
from leavo_async import LeavoError, RetryPolicy, Session
from leavo_async.apis.leavo import LEAVO

SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)

def forbid():
    lowest = os.dup(0)  # the lowest that is free: all below are in use
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, HARD))

def allow():
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, HARD))

async def main(url, kind):
    problems = []
    def observe(record):
        problems.append(record.problem)
        if len(problems) == 6:
            allow()
    def session():
        return Session(
            LEAVO, "made-up-key-1", base_url=url, allow_insecure_loopback=True, limits=(), observers=[observe],
            retry=RetryPolicy(first_delay=0.01), idempotency="honoured" if kind == "keyed" else "ignored",
        )
    async def call(leavo, path):
        try:
            return await leavo.request("GET" if kind == "read" else "POST", path, json=None if kind == "read" else {})
        except LeavoError as error:
            return [type(error).__name__, error.outcome, error.safe_to_retry, len(error.attempts)]
    async with session() as leavo:
        warm = await call(leavo, "/warm")  # all modules are loaded now
    problems.clear()
    async with session() as leavo:
        forbid()
        never = await call(leavo, "/never")
        soon = await call(leavo, "/soon")
        then = await call(leavo, "/then")
    print(json.dumps({"warm": warm, "never": never, "soon": soon, "then": then, "problems": problems}))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@every_kind
async def test_without_a_descriptor_nothing_is_sent_and_the_call_goes_again(kind: Kind) -> None:
    """The process may open nothing: that is no connection; when it may again, the same call succeeds."""
    async with Wire() as wire:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WITHOUT_DESCRIPTORS, wire.url, kind, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        told = json.loads(output)

        assert 0 == process.returncode
        assert ["ConnectError", "not sent", True, 4] == told["never"]
        assert ({"path": "/soon", "n": 2}, {"path": "/then", "n": 3}) == (told["soon"], told["then"])
        assert ["ConnectError"] * 6 + [None, None] == told["problems"]
        assert ["/warm", "/soon", "/then"] == [request.path for request in wire.requests]


# Bytes one by one


@asynccontextmanager
async def sliced(upstream: str, size: int) -> AsyncIterator[FaultProxy]:
    slices = Weather(slice_bytes=size)
    async with FaultProxy(upstream, up=slices, down=slices) as proxy:
        yield proxy


@pytest.mark.asyncio
@every_kind
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_bytes_may_come_one_by_one(tls: bool, kind: Kind, contexts: Contexts) -> None:
    """In both directions, from the handshake to the end of the answer."""
    server, client = contexts
    async with (
        Wire(tls=server if tls else None) as wire,
        sliced(wire.url, 1) as proxy,
        trial(proxy.url, kind, ssl_context=client if tls else None, timeout=10) as one,
    ):
        ended = await one.call()

        assert {"path": "/asked", "n": 1} == ended
        await one.check(ended, sent=1, done=len(wire.effects))


LARGE = "y" * 300_000


@pytest.mark.asyncio
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "size", [pytest.param(1, marks=pytest.mark.torture(real_time=True)), 97], ids=lambda size: f"slices of {size}"
)
async def test_large_bodies_may_come_in_slices(size: int) -> None:
    """300 KB there, and the same back."""
    async with Sandbox() as sandbox, sliced(sandbox.url, size) as proxy, client(sandbox, proxy) as leavo:
        made = await leavo.leads.create(name="Ana", phone="+5511999990000", custom_fields={"note": LARGE})
        read = await leavo.leads.get(made.id)

        assert (LARGE, LARGE) == (made.custom_fields["note"], read.custom_fields["note"])
        assert 2 == len(sandbox.ledger.requests)


@pytest.mark.asyncio
async def test_a_listing_may_come_byte_by_byte() -> None:
    """Four pages, in order and whole."""
    async with Sandbox() as sandbox, sliced(sandbox.url, 1) as proxy, client(sandbox, proxy) as leavo:
        sandbox.seed_leads(7)
        listed = [lead.id async for lead in leavo.leads.list(page_size=2)]

        assert [lead["id"] for lead in sandbox.leads] == listed
        assert 4 == len(sandbox.ledger.requests)


def client(sandbox: Sandbox, proxy: FaultProxy) -> LeavoClient:
    return LeavoClient(
        sandbox.key, base_url=proxy.url, allow_insecure_loopback=True, limits=(), timeout=150, retry=WAITS_LONG
    )


# Large requests


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["keyed", "keyless"])
async def test_a_large_request_is_sent_without_a_warning(kind: Kind) -> None:
    """Aiohttp has advice for bodies of more than a megabyte that our caller could not follow."""
    async with Wire() as wire, trial(wire.url, kind, timeout=10) as one:
        ended = await one.session.request("POST", "/asked", json="x" * 2_000_000)

        assert {"path": "/asked", "n": 1} == ended
        assert [2_000_002] == [len(request.body) for request in wire.requests]
        assert ["application/json"] == [request.headers["content-type"] for request in wire.requests]
