"""One guard, every wait: wherever a call waits and whatever ends it, it ends at once, says how, and leaves nothing."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import json
import socket
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from leavo_async import (
    AbortController,
    AbortedError,
    AbortSignal,
    AttemptRecord,
    ClosedError,
    ConnectError,
    DeadlineError,
    LeavoClient,
    LeavoError,
    RateLimit,
    ReadError,
    Request,
    Response,
    RetryPolicy,
    ServerError,
    Session,
)
from leavo_async._io.progress import Progress
from leavo_async.apis.leavo import LEAVO
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.report import Report
from leavo_async.testing import FakeTransport, VirtualTimeLoop, reply, virtual_time

KEY = "made-up-key-1"
REASON = {"the": "user has left"}
ANA: Any = {"name": "Ana Souza", "phone": "+5511999990000"}
# In virtual time it is a moment; in real time long enough to get anywhere on loopback.
SECONDS, REAL_SECONDS = 5.0, 0.2
# Nothing that is tested takes as long; what hangs is seen after this.
FAR, REAL_FAR = 100_000.0, 5.0


class Turns:
    """A loop that counts its turns."""

    turns = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()  # type: ignore[misc]


class VirtualLoop(Turns, VirtualTimeLoop):
    seconds, far = SECONDS, FAR


class RealLoop(Turns, asyncio.SelectorEventLoop):
    """Keeps the sockets that were connected by it, or tried to be; names are never found while `names_hang`."""

    seconds, far = REAL_SECONDS, REAL_FAR
    names_hang = False

    def __init__(self) -> None:
        super().__init__()
        self.sockets = list[socket.socket]()

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.sockets.append(sock)
        await super().sock_connect(sock, address)

    async def getaddrinfo(self, *args: Any, **options: Any) -> Any:
        if self.names_hang:
            await asyncio.Event().wait()
        return await super().getaddrinfo(*args, **options)


def on(loop: Callable[[], asyncio.AbstractEventLoop]) -> Callable[..., Callable[..., None]]:
    """Decorator: a plain function that runs the coroutine function on a loop of this kind."""

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*args: Any, **options: Any) -> None:
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(test(*args, **options))

        return run

    return decorate


def loop() -> Any:
    return asyncio.get_running_loop()


# What ends a call


@dataclass
class Source:
    """Something that ends a call: what the call is given, what happens then, and the error that it must end in."""

    options: dict[str, Any]
    strike: Callable[[Session], Awaitable[None]]
    error: type[BaseException] = AbortedError

    @property
    def signals(self) -> tuple[AbortSignal, ...]:
        signal = self.options.get("signal")
        return () if signal is None else (signal, *signal.sources)


async def nothing(leavo: Session) -> None:
    """Its time will come."""


def aborting(controller: AbortController) -> Callable[[Session], Awaitable[None]]:
    async def strike(leavo: Session) -> None:
        controller.abort(REASON)

    return strike


def by_controller() -> Source:
    controller = AbortController()
    return Source({"signal": controller.signal}, aborting(controller))


def by_thread() -> Source:
    controller = AbortController()

    async def strike(leavo: Session) -> None:
        thread = threading.Thread(target=controller.abort, args=(REASON,))
        thread.start()
        thread.join()

    return Source({"signal": controller.signal}, strike)


def by_any() -> Source:
    controller = AbortController()
    signal = AbortSignal.any([AbortSignal.timeout(loop().far), AbortSignal.any([controller.signal])])
    return Source({"signal": signal}, aborting(controller))


def by_timeout() -> Source:
    return Source({"signal": AbortSignal.timeout(loop().seconds)}, nothing, DeadlineError)


def by_any_timeout() -> Source:
    signal = AbortSignal.any([AbortController().signal, AbortSignal.timeout(loop().seconds)])
    return Source({"signal": signal}, nothing, DeadlineError)


def by_deadline() -> Source:
    return Source({"deadline": loop().seconds, "signal": AbortController().signal}, nothing, DeadlineError)


def by_closing() -> Source:
    return Source({"signal": AbortController().signal}, lambda leavo: leavo.aclose(), ClosedError)


SOURCES = {
    "a controller": by_controller,
    "a controller in another thread": by_thread,
    "any, by its controller": by_any,
    "a timeout": by_timeout,
    "any, by its timeout": by_any_timeout,
    "a deadline": by_deadline,
    "closing": by_closing,
}
AT_ONCE = ("a controller", "any, by its controller")  # those for which turns are promised
OF_TIME = ("a timeout", "any, by its timeout", "a deadline")


# Where a call waits


@dataclass
class Scene:
    """A session, and a call that comes to wait somewhere.

    there: returns when it waits. clear: takes away what held it up, so that the next call goes through.
    """

    leavo: Session
    call: Callable[..., Coroutine[Any, Any, object]]
    there: Callable[[], Awaitable[None]]
    clear: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """A wait of a call: how to get there, and what its error must tell."""

    enter: Callable[[], AbstractAsyncContextManager[Scene]]
    phase: str
    outcome: str
    sent: int = 0  # requests that the transport has seen


class Peer(FakeTransport):
    """Answers with the path that was asked for; what is asked of /wait, or of all but /ok if `script` is empty, hangs.

    script: what comes before it hangs: errors and answers.
    """

    def __init__(self, *script: Any, tells: Callable[[Progress], None] = lambda progress: None) -> None:
        super().__init__()
        self.script = list(script)
        self.tells = tells

    async def send(self, request: Request, progress: Progress) -> Response:
        self.requests.append(request)
        if request.path == "/ok":
            return reply(200, {"path": "/ok"})
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.tells(progress)
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


class Blocked(asyncio.WriteTransport):
    """A connection whose peer has not taken everything."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = True

    def is_closing(self) -> bool:
        return not self.is_open

    def get_write_buffer_size(self) -> int:
        return 1

    def abort(self) -> None:
        self.is_open = False


def connecting(progress: Progress) -> None:
    progress.connecting()


def sending(progress: Progress) -> None:
    progress.connecting()
    progress.sending(Blocked())


def reading(progress: Progress) -> None:
    progress.connecting()
    progress.sending(None)


async def a_while() -> None:
    """Turns enough for everything that needs no time."""
    for _ in range(50):
        await asyncio.sleep(0)


def scene(leavo: Session, method: str = "POST", path: str = "/wait", **options: Any) -> Scene:
    body = {} if method == "GET" else {"json": ANA}

    async def call(**more: Any) -> object:
        return await leavo.request(method, path, **body, **options, **more)

    return Scene(leavo, call, a_while, a_while)


@asynccontextmanager
async def held_up(peer: Peer, method: str = "POST", **options: Any) -> AsyncIterator[Scene]:
    """In the transport, or wherever its answers lead."""
    async with Session(LEAVO, KEY, transport=peer, limits=(), **options) as leavo:
        yield scene(leavo, method)


@asynccontextmanager
async def no_token() -> AsyncIterator[Scene]:
    async with Session(LEAVO, KEY, transport=Peer(), limits=[RateLimit(1, 3600)]) as leavo:
        await leavo.request("GET", "/ok")
        yield scene(leavo)


@asynccontextmanager
async def no_slot() -> AsyncIterator[Scene]:
    async with Session(LEAVO, KEY, transport=Peer(), limits=(), max_in_flight=1) as leavo:
        other = asyncio.create_task(leavo.request("GET", "/other"))

        async def clear() -> None:
            other.cancel()
            await asyncio.wait([other])
            other.cancelled() or other.exception()

        await a_while()
        found = scene(leavo)
        found.clear = clear
        yield found
        await clear()


@asynccontextmanager
async def held() -> AsyncIterator[Scene]:
    async with Session(LEAVO, KEY, transport=Peer(), limits=()) as leavo:
        await leavo.request("GET", "/ok")
        leavo._opened().gate.hold(60)
        yield scene(leavo)


@asynccontextmanager
async def no_key() -> AsyncIterator[Scene]:
    asked = 0

    async def vault() -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.Event().wait()
        return KEY

    async with Session(LEAVO, vault, transport=Peer(), limits=()) as leavo:
        yield scene(leavo, timeout=FAR)


@asynccontextmanager
async def new_key() -> AsyncIterator[Scene]:
    """After the server has refused the one that there was."""
    asked = 0

    async def vault() -> str:
        nonlocal asked
        asked += 1
        if asked == 2:
            await asyncio.Event().wait()
        return f"made-up-key-{asked}"

    async with Session(LEAVO, vault, transport=Peer(reply(401)), limits=()) as leavo:
        yield scene(leavo, timeout=FAR)


@asynccontextmanager
async def looking(*listings: Response) -> AsyncIterator[Scene]:
    peer = Peer(ReadError("reset"), *listings, tells=reading)
    async with Session(LEAVO, KEY, transport=peer, limits=(), retry=RetryPolicy(1, 1000, 1000)) as leavo:
        yield scene(leavo, path="/backend/leads")


@asynccontextmanager
async def no_budget() -> AsyncIterator[Scene]:
    peer = Peer(ReadError("reset"))
    async with Session(LEAVO, KEY, transport=peer, limits=(), retry=RetryPolicy(first_delay=0, max_delay=0)) as leavo:
        budget = leavo._opened().budget
        while not budget.take(loop().time()):
            pass
        yield scene(leavo, "GET", priority="bulk")


PLACES = {
    "queue: no token": Place(no_token, "queue", "not sent", 1),
    "queue: no slot": Place(no_slot, "queue", "not sent", 1),
    "queue: the server has asked to wait": Place(held, "queue", "not sent", 1),
    "the first key": Place(no_key, "queue", "not sent"),
    "a new key": Place(new_key, "queue", "not sent", 1),
    "connect": Place(lambda: held_up(Peer(tells=connecting)), "connect", "not sent", 1),
    "send": Place(lambda: held_up(Peer(tells=sending)), "send", "unknown", 1),
    "read": Place(lambda: held_up(Peer(tells=reading)), "read", "unknown", 1),
    "read of a GET": Place(lambda: held_up(Peer(tells=reading), "GET"), "read", "unknown", 1),
    "a transport that tells nothing": Place(lambda: held_up(Peer()), "read", "unknown", 1),
    "between attempts": Place(
        lambda: held_up(Peer(reply(503, None, {"Retry-After": "60"})), "GET"), "wait", "unknown", 1
    ),
    "between attempts that were not sent": Place(
        lambda: held_up(Peer(ConnectError("down")), retry=RetryPolicy(4, 200, 200)), "wait", "not sent", 1
    ),
    "the second attempt": Place(
        lambda: held_up(Peer(reply(503), tells=connecting), "GET", retry=RetryPolicy(4, 0, 0)), "connect", "unknown", 2
    ),
    "a look-up": Place(looking, "wait", "unknown", 2),
    "between look-ups": Place(lambda: looking(reply(200, [])), "wait", "unknown", 2),
    "the retry budget": Place(no_budget, "queue", "unknown", 1),
}
# A wait of known length that does not fit is not begun.
PAUSES = ("between attempts", "between attempts that were not sent")


@dataclass
class Ending:
    """How a call has ended, in its own task: the error, in which turn, and how often the task is being cancelled."""

    error: BaseException | None = None
    turn: int = 0
    cancelling: int = -1

    async def of(self, call: Awaitable[object]) -> None:
        try:
            await call
        except BaseException as error:
            self.error = error
        self.turn = getattr(loop(), "turns", 0)
        self.cancelling = asyncio.current_task().cancelling()  # type: ignore[union-attr]


async def ended(scene: Scene, source: Source, strike: Callable[[asyncio.Task[None]], object] | None = None) -> Ending:
    """How the call of a scene ends by this source; the turn is counted from the strike."""
    ending = Ending()
    task = asyncio.create_task(ending.of(scene.call(**source.options)))
    await scene.there()
    start = getattr(loop(), "turns", 0)
    if strike is not None:
        strike(task)
    async with asyncio.timeout(loop().far):
        await source.strike(scene.leavo)
        await asyncio.wait([task])
    ending.turn -= start
    return ending


def judge(ending: Ending, place: Place, source: Source) -> None:
    """The class, and what the error tells."""
    error = ending.error
    assert type(error) is source.error
    assert ending.cancelling == 0
    assert isinstance(error, LeavoError)
    assert error.outcome == place.outcome
    assert (error.__cause__, error.__context__) == (None, None)
    if isinstance(error, AbortedError | DeadlineError):
        assert error.phase == place.phase
    if isinstance(error, AbortedError):
        assert error.reason is REASON
    assert all(record.method for record in error.attempts)


def listeners_of(signal: AbortSignal) -> int:
    """How many it would tell: listeners, and signals that were made of it."""
    return len(signal._listeners) + len(signal._dependents)


def is_left(leavo: Session, *signals: AbortSignal) -> dict[str, object]:
    """What a call has left behind, by name; nothing, if all is well."""
    engine = leavo._engine
    assert engine is not None
    status, transport = leavo.status(), engine.transport
    connectors = [getattr(getattr(transport, name, None), "connector", None) for name in ("_kept", "_fresh")]
    left = {
        "sockets": sum(sock.fileno() != -1 for sock in getattr(loop(), "sockets", ())),
        "slots": engine.slots.used,
        "in flight": status.in_flight,
        "waiting": sum(status.waiting.values()),
        "guards": len(engine.watch._guards),
        "listeners": sum(map(listeners_of, signals)),
        "connections": sum(len(connector._acquired) for connector in connectors if connector is not None),
    }
    return {name: number for name, number in left.items() if number}


async def nothing_is_left(scene: Scene, source: Source, before: set[asyncio.Task[Any]]) -> None:
    """No slot, place, guard, listener, connection or task; and the next call gets its own answer."""
    await scene.clear()
    await a_while()
    assert is_left(scene.leavo, *source.signals) == {}
    assert asyncio.all_tasks() - serving() <= before
    if not scene.leavo._closed:
        assert await scene.leavo.request("GET", "/ok") == {"path": "/ok"}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("where", PLACES)
@on(VirtualLoop)
async def test_every_wait_ends_whatever_ends_it(where: str, name: str) -> None:
    """With the right error, at the right moment, and as if the call had never been."""
    if where in PAUSES and name in OF_TIME:
        return  # such a wait is not begun; see the next test
    place, source, before = PLACES[where], SOURCES[name](), asyncio.all_tasks()
    async with place.enter() as scene:
        start = loop().time()
        ending = await ended(scene, source)

        judge(ending, place, source)
        assert len(scene.leavo._engine.transport.requests) == place.sent  # type: ignore[union-attr]
        if name in AT_ONCE:
            assert ending.turn <= 2
        if name in OF_TIME:
            # Where it is known from the beginning that its turn comes too late, nobody waits for that.
            refused = ending.error.estimate is not None  # type: ignore[union-attr]
            assert loop().time() - start == pytest.approx(0 if refused else SECONDS, abs=1e-3)
            assert refused is (where in ("queue: no token", "queue: the server has asked to wait"))
        await nothing_is_left(scene, source, before)


@pytest.mark.parametrize("name", OF_TIME)
@pytest.mark.parametrize("where", PAUSES)
@on(VirtualLoop)
async def test_a_wait_between_attempts_that_does_not_fit_is_not_begun(where: str, name: str) -> None:
    """The error of the attempt comes at once: waiting for the end would tell nothing more."""
    place, source, before = PLACES[where], SOURCES[name](), asyncio.all_tasks()
    async with place.enter() as scene:
        scene.leavo._opened().draw = lambda: 0.9
        start = loop().time()
        ending = await ended(scene, source)

        assert isinstance(ending.error, ServerError | ConnectError)
        assert "would pass the deadline" in str(ending.error)
        assert (ending.error.outcome, ending.cancelling, loop().time()) == (place.outcome, 0, start)
        await nothing_is_left(scene, source, before)


@on(VirtualLoop)
async def test_an_error_says_which_of_the_two_times_has_passed() -> None:
    """That of the signal or that of the call, and for which request."""
    for source, words in ((by_timeout(), "the signal's timeout of 5 s has passed"), (by_deadline(), "the deadline of")):
        async with PLACES["read"].enter() as scene:
            ending = await ended(scene, source)
            assert str(ending.error).startswith(f"POST /wait: {words}")


@pytest.mark.parametrize("where", PLACES)
@on(VirtualLoop)
async def test_a_foreign_cancellation_passes_unchanged(where: str) -> None:
    """With its message, as the only one, though a signal is listened to."""
    place, source, before = PLACES[where], Source({"signal": AbortController().signal}, nothing), asyncio.all_tasks()
    async with place.enter() as scene:
        ending = await ended(scene, source, lambda task: task.cancel("why"))

        assert type(ending.error) is asyncio.CancelledError
        assert (ending.error.args, ending.cancelling) == (("why",), 1)
        await nothing_is_left(scene, source, before)


@on(VirtualLoop)
async def test_a_task_that_was_cancelled_before_can_be_aborted() -> None:
    """What Python 3.11's TaskGroup leaves behind, or a caller has caught, is neither taken nor taken for ours."""
    controller = AbortController()
    async with PLACES["read"].enter() as scene:

        async def caller() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)
            await scene.call(signal=controller.signal)

        ending = Ending()
        task = asyncio.create_task(ending.of(caller()))
        await a_while()
        task.cancel()
        await a_while()
        controller.abort()
        await task

        assert (type(ending.error), ending.cancelling) == (AbortedError, 1)


class Hiding(FakeTransport):
    """Answers a cancellation with an error of its own, as a transport of a user's may."""

    async def send(self, request: Request, progress: Progress) -> Response:
        try:
            return await super().send(request, progress)
        except asyncio.CancelledError:
            error = ReadError("hidden")
        raise error


@pytest.mark.parametrize("name", SOURCES)
@on(VirtualLoop)
async def test_a_transport_that_hides_our_cancellation_does_not_save_the_call(name: str) -> None:
    """It ends then, with the right error, and not after another attempt: least of all in a session that is closed."""
    transport, source = Hiding(reply(200, {}), seconds=60), SOURCES[name]()
    async with Session(LEAVO, KEY, transport=transport, limits=(), timeout=FAR) as leavo:
        start = loop().time()
        ending = await ended(scene(leavo, "GET"), source)

        assert (type(ending.error), ending.cancelling) == (source.error, 0)
        assert len(transport.requests) == 1
        assert loop().time() - start == pytest.approx(SECONDS if name in OF_TIME else 0, abs=1e-3)
        assert is_left(leavo, *source.signals) == {}


# The same with real sockets


class Server:
    """Answers each request with the path that was asked for; it goes only as far as `until` while that is set.

    until: "send": reads the head of a request and no more until `goes_on`. "head": says nothing. "body": sends half of
    the answer. received: bytes of bodies that it has read in the end.
    """

    def __init__(self, until: str = "") -> None:
        self.until = until
        self.reached, self.goes_on = asyncio.Event(), asyncio.Event()
        self.open = self.received = 0

    @asynccontextmanager
    async def listening(self, listener: socket.socket | None = None) -> AsyncIterator[str]:
        options: Any = {"host": "127.0.0.1", "port": 0} if listener is None else {"sock": listener}
        server = await asyncio.start_server(self._serve, **options)
        host, port = server.sockets[0].getsockname()
        self._tasks = set[asyncio.Task[Any]]()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        self.open += 1
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            return  # asyncio.streams would report it as an error
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = b'{"path": "%s"}' % head.split()[1].encode()
        if self.until:
            await self._hang(reader, writer, body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()

    async def _hang(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
        if self.until == "body":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body[:5]))
            await writer.drain()
        self.reached.set()
        if self.until == "send":
            await self.goes_on.wait()  # asyncio stops reading at 128 KiB
        while chunk := await reader.read(1_000_000):
            self.received += len(chunk)
        raise ConnectionResetError

    async def is_left_alone(self) -> None:
        """Return when no client is connected any more."""
        async with asyncio.timeout(REAL_FAR):
            while self.open:
                await asyncio.sleep(0.001)


def real(url: str) -> Session:
    return Session(LEAVO, KEY, base_url=url, allow_insecure_loopback=True, limits=())


async def a_moment() -> None:
    await asyncio.sleep(0.03)


@asynccontextmanager
async def stopped_at(until: str, body: Any = ANA) -> AsyncIterator[Scene]:
    """A server that goes so far, and goes on when it is told to."""
    server = Server()
    async with server.listening() as url, real(url) as leavo:
        await leavo.request("GET", "/ok")  # so that a connection is there to be used again
        server.until = until

        async def there() -> None:
            async with asyncio.timeout(REAL_FAR):
                await server.reached.wait()
            # Until what it has sent is read, and what it does not take has filled the buffers.
            await asyncio.sleep(0.1 if until == "send" else 0.02)

        async def clear() -> None:
            server.until = ""
            if until != "send":  # who does not read does not see the client leave
                await server.is_left_alone()

        found = scene(leavo, "PUT", timeout=REAL_FAR)
        found.call = functools.partial(leavo.request, "PUT", "/wait", json=body, timeout=REAL_FAR)
        found.there, found.clear = there, clear
        yield found


@functools.cache
def large() -> dict[str, str]:
    """20 MB: more than all buffers of a connection on loopback together."""
    return {"text": "x" * 20_000_000}


@asynccontextmanager
async def black_hole() -> AsyncIterator[Scene]:
    """A listener whose queue is full: the system throws further connections away."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        leavo = await stack.enter_async_context(real(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        serving = AsyncExitStack()

        async def clear() -> None:
            await serving.enter_async_context(Server().listening(listener.dup()))

        stack.push_async_callback(serving.aclose)
        yield Scene(leavo, functools.partial(leavo.request, "PUT", "/wait", json=ANA), a_moment, clear)


@asynccontextmanager
async def silent_tls() -> AsyncIterator[Scene]:
    """It takes the connection and does not say hello."""
    server = Server("send")
    async with server.listening() as url:
        leavo = Session(LEAVO, KEY, base_url=url.replace("http:", "https:"), limits=())
        async with leavo:
            yield Scene(leavo, functools.partial(leavo.request, "PUT", "/wait", json=ANA), a_moment, leavo.aclose)


@asynccontextmanager
async def no_name() -> AsyncIterator[Scene]:
    async with Server().listening() as url, real(url.replace("127.0.0.1", "localhost")) as leavo:
        loop().names_hang = True

        async def clear() -> None:
            # aiohttp shares a look-up among all that wait for it, and lets it end by itself.
            loop().names_hang = False
            for task in asyncio.all_tasks():
                if "_resolve_host" in repr(task):
                    task.cancel()

        yield Scene(leavo, functools.partial(leavo.request, "PUT", "/wait", json=ANA), a_moment, clear)


REAL_PLACES = {
    "connect": Place(black_hole, "connect", "not sent"),
    "connect: TLS": Place(silent_tls, "connect", "not sent"),
    "connect: the name": Place(no_name, "connect", "not sent"),
    "send": Place(lambda: stopped_at("send", large()), "send", "unknown"),
    "read: head": Place(lambda: stopped_at("head"), "read", "unknown"),
    "read: body": Place(lambda: stopped_at("body"), "read", "unknown"),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("where", REAL_PLACES)
@on(RealLoop)
async def test_every_wait_for_a_real_connection_ends_whatever_ends_it(where: str, name: str) -> None:
    """Nor is the connection used again: what was asked on it may still be answered."""
    before = asyncio.all_tasks()
    async with REAL_PLACES[where].enter() as scene:
        source = SOURCES[name]()
        ending = await ended(scene, source)

        judge(ending, REAL_PLACES[where], source)
        if name in AT_ONCE:
            assert ending.turn <= 2
        await nothing_is_left(scene, source, before)


@pytest.mark.parametrize("name", ["a controller", "a deadline", "an attempt's limit", "a cancellation"])
@on(RealLoop)
async def test_what_the_server_had_not_taken_is_not_sent_after_the_end_of_the_call(name: str) -> None:
    """The connection is gone with all that waits in it: a server that wakes up later must not get the whole write."""
    server, source = Server("send"), SOURCES.get(name, by_controller)()
    async with server.listening() as url, real(url) as leavo:
        timeout = REAL_SECONDS if name == "an attempt's limit" else REAL_FAR
        call = leavo.request("PUT", "/wait", json=large(), timeout=timeout, retry=RetryPolicy(1), **source.options)
        ending = Ending()
        task = asyncio.create_task(ending.of(call))
        async with asyncio.timeout(REAL_FAR):
            await server.reached.wait()
            await asyncio.sleep(0.1)
            if name == "a cancellation":
                task.cancel()
            elif name == "a controller":
                await source.strike(leavo)
            await task
            await a_while()
            assert is_left(leavo, *source.signals) == {}
            server.goes_on.set()
            await server.is_left_alone()

        assert getattr(ending.error, "phase", "send") == "send"
        assert server.received < 20_000_000


@pytest.mark.parametrize("where", REAL_PLACES)
@on(RealLoop)
async def test_a_foreign_cancellation_passes_from_a_real_connection(where: str) -> None:
    """As it does from a fake one."""
    before = asyncio.all_tasks()
    async with REAL_PLACES[where].enter() as scene:
        source = Source({"signal": AbortController().signal}, nothing)
        ending = await ended(scene, source, lambda task: task.cancel("why"))

        assert (type(ending.error), ending.cancelling) == (asyncio.CancelledError, 1)
        await nothing_is_left(scene, source, before)


def serving() -> set[asyncio.Task[Any]]:
    """Tasks of the test's own server."""
    return {task for task in asyncio.all_tasks() if "Server._serve" in repr(task)}


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run there")
@pytest.mark.parametrize("name", ["a controller", "a controller in another thread", "a deadline"])
@pytest.mark.parametrize("where", ["connect", "send", "read: head", "read: body"])
def test_every_wait_ends_on_uvloop_as_well(where: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turns are counted by a task of our own."""
    monkeypatch.setattr(sys.modules[__name__], "loop", lambda: RealLoop)

    async def play() -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        before = asyncio.all_tasks()
        async with REAL_PLACES[where].enter() as scene:
            source, seen = SOURCES[name](), list[int]()
            strike = source.strike

            async def counted(leavo: Session) -> None:
                counting = asyncio.create_task(count())
                await asyncio.sleep(0)
                seen.append(turns)
                task.add_done_callback(lambda _: (seen.append(turns), counting.cancel()))
                await strike(leavo)

            ending = Ending()
            task = asyncio.create_task(ending.of(scene.call(**source.options)))
            await scene.there()
            await counted(scene.leavo)
            await asyncio.wait([task], timeout=REAL_FAR)

            judge(ending, REAL_PLACES[where], source)
            if name in AT_ONCE:
                # One more than it takes: the callback of the task that has ended comes a turn later.
                assert seen[1] - seen[0] <= 3
            await nothing_is_left(scene, source, before)

    with asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop) as runner:
        runner.run(play())


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_an_abort_from_a_thread_wakes_a_loop_that_sleeps(kind: str) -> None:
    """It has nothing else to do, and would not look for a long time."""
    if kind == "uvloop" and sys.platform == "win32":
        pytest.skip("uvloop does not run there")
    controller, ending = AbortController(), Ending()

    async def play() -> float:
        async with Session(LEAVO, KEY, transport=Peer(tells=reading), limits=(), timeout=FAR) as leavo:
            thread = threading.Timer(0.05, controller.abort, [REASON])
            thread.start()
            start = time.monotonic()
            waiting = asyncio.create_task(ending.of(leavo.request("POST", "/wait", json={}, signal=controller.signal)))
            await asyncio.wait([waiting], timeout=REAL_FAR)
            waiting.cancel()
            thread.join()
            assert is_left(leavo, controller.signal) == {}
            return time.monotonic() - start

    new_loop = asyncio.SelectorEventLoop if kind == "asyncio" else importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        seconds = runner.run(play())

    assert (type(ending.error), ending.cancelling) == (AbortedError, 0)
    assert seconds < REAL_FAR / 2


# Signals that have aborted already, and signals of many calls


@virtual_time
async def test_a_signal_that_has_aborted_already_sends_nothing() -> None:
    """Whatever kind it is, a read or a write; the error says that nothing was sent."""
    transport = FakeTransport(reply(200, {}))
    controller = AbortController()
    controller.abort(REASON)
    kinds: list[tuple[AbortSignal, type[LeavoError]]] = [
        (controller.signal, AbortedError),
        (AbortSignal.abort(REASON), AbortedError),
        (AbortSignal.any([AbortController().signal, controller.signal]), AbortedError),
        (AbortSignal.timeout(0), DeadlineError),
        (AbortSignal.any([AbortController().signal, AbortSignal.timeout(0)]), DeadlineError),
    ]
    async with LeavoClient(KEY, transport=transport) as leavo:
        for signal, kind in kinds:
            for call in (
                leavo.request("GET", "/x", signal=signal),
                leavo.send("DELETE", "/x", signal=signal),
                leavo.leads.create(**ANA, signal=signal, idempotency_key="op-1"),
                leavo.leads.list(signal=signal).collect(),
            ):
                with pytest.raises(kind) as caught:
                    await call
                error: Any = caught.value
                assert (error.phase, error.outcome, error.safe_to_retry, error.attempts) == (
                    "queue",
                    "not sent",
                    True,
                    (),
                )
                assert getattr(error, "reason", REASON) is REASON
            assert error.__context__ is None

        assert (transport.requests, is_left(leavo, *(signal for signal, _ in kinds))) == ([], {})
        assert await leavo.request("GET", "/x") == {}


@on(VirtualLoop)
async def test_one_signal_ends_fifty_calls_at_once() -> None:
    """Those in flight and those that wait, all within two turns of the loop."""
    controller, before = AbortController(), asyncio.all_tasks()
    async with Session(LEAVO, KEY, transport=Peer(tells=reading), limits=(), max_in_flight=10) as leavo:
        endings = [Ending() for _ in range(50)]
        tasks = [
            asyncio.create_task(ending.of(leavo.request("POST", "/wait", json={}, signal=controller.signal)))
            for ending in endings
        ]
        await a_while()
        assert listeners_of(controller.signal) == 50
        start = loop().turns
        controller.abort(REASON)
        await asyncio.wait(tasks, timeout=FAR)

        errors: list[Any] = [ending.error for ending in endings]
        assert {AbortedError} == {type(error) for error in errors}
        assert [("read", "unknown")] * 10 + [("queue", "not sent")] * 40 == [
            (error.phase, error.outcome) for error in errors
        ]
        assert all(error.reason is REASON for error in errors)
        assert max(ending.turn - start for ending in endings) <= 2
        source = Source({"signal": controller.signal}, nothing)
        await nothing_is_left(scene(leavo), source, before)


@virtual_time
async def test_a_call_that_leaves_the_queue_in_its_middle_is_not_counted_any_more() -> None:
    """Those before and behind it keep their places, and get their answers in order."""
    controller, transport = (
        AbortController(),
        FakeTransport(lambda request: reply(200, {"path": request.path}), seconds=1),
    )
    async with Session(LEAVO, KEY, transport=transport, limits=(), max_in_flight=1) as leavo:
        calls = [
            asyncio.create_task(leavo.request("GET", f"/{n}", signal=controller.signal if n == 2 else None))
            for n in range(5)
        ]
        await a_while()
        assert leavo.status().waiting["normal"] == 4
        controller.abort()
        await a_while()
        assert leavo.status().waiting["normal"] == 3
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [answer for n, answer in enumerate(answers) if n != 2] == [{"path": f"/{n}"} for n in (0, 1, 3, 4)]
    assert isinstance(answers[2], AbortedError)
    assert [request.path for request in transport.requests] == ["/0", "/1", "/3", "/4"]


@virtual_time
async def test_a_signal_that_lives_for_ever_keeps_nothing_of_the_calls_that_had_it() -> None:
    """Three hundred calls, each with its own `any` of it; no signal and no error of theirs is alive afterwards."""
    parent, made = AbortController(), list[weakref.ref[Any]]()
    async with Session(LEAVO, KEY, transport=FakeTransport(reply(200, {})), limits=()) as leavo:
        for number in range(300):
            own = AbortController()
            signal = AbortSignal.any([parent.signal, own.signal, AbortSignal.timeout(60)])
            if number % 3 == 0:
                own.abort()
            with suppress(AbortedError):
                await leavo.request("GET", "/x", signal=signal)
            made += [weakref.ref(signal), weakref.ref(own.signal)]
        del own, signal
        gc.collect()

        assert [ref() for ref in made] == [None] * 600
        assert listeners_of(parent.signal) == 0
        assert not parent.signal.aborted


# Listings


class Crm(FakeTransport):
    """Six leads in pages of two; a request beyond `most` hangs."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.most = most

    async def send(self, request: Request, progress: Progress) -> Response:
        self.requests.append(request)
        if len(self.requests) > self.most:
            await asyncio.Event().wait()
        first = int(request.url.split("offset=")[1])
        leads = [{"id": str(number)} for number in range(first, min(6, first + 2))]
        return reply(200, {"success": True, "data": leads, "pagination": {"total": 6}})


@virtual_time
async def test_an_abort_between_pages_ends_a_listing_before_the_next_request() -> None:
    """What has come is still given; also if the listing is made of `any`."""
    for wrap in (lambda signal: signal, lambda signal: AbortSignal.any([signal, AbortSignal.timeout(60)])):
        controller, transport, seen = AbortController(), Crm(), list[str]()
        signal = wrap(controller.signal)
        async with LeavoClient(KEY, transport=transport, limits=()) as leavo:

            async def read(leavo: LeavoClient = leavo, seen: list[str] = seen) -> None:
                async for lead in leavo.leads.list(page_size=2, concurrency=1, signal=signal):  # noqa: B023
                    seen.append(lead.id)
                    if len(seen) == 3:
                        controller.abort(REASON)  # noqa: B023

            with pytest.raises(AbortedError) as caught:
                await read()

            assert (seen, len(transport.requests)) == (["0", "1", "2", "3"], 2)
            assert (caught.value.reason, caught.value.phase, caught.value.outcome) == (REASON, "queue", "not sent")
            assert is_left(leavo, signal, controller.signal) == {}


@on(VirtualLoop)
async def test_an_abort_inside_of_a_page_ends_a_listing_at_once() -> None:
    """After two turns the page that was asked for has ended, and a turn later the consumer, who waits for it, knows."""
    controller, transport, before = AbortController(), Crm(most=2), asyncio.all_tasks()
    async with LeavoClient(KEY, transport=transport, limits=()) as leavo:
        ending = Ending()
        task = asyncio.create_task(ending.of(leavo.leads.list(page_size=2, signal=controller.signal).collect()))
        await a_while()
        start = loop().turns
        controller.abort(REASON)
        await asyncio.wait([task], timeout=FAR)

        assert isinstance(ending.error, AbortedError)
        assert (ending.error.phase, ending.error.reason, ending.cancelling) == ("read", REASON, 0)
        assert (ending.turn - start, len(transport.requests)) == (3, 3)
        assert is_left(leavo, controller.signal) == {}
        assert asyncio.all_tasks() <= before


@virtual_time
@pytest.mark.parametrize("options", [{"signal": AbortSignal.timeout}, {"deadline": float}])
async def test_one_time_limit_holds_for_all_pages_together(options: dict[str, Callable[[float], Any]]) -> None:
    """As a signal or as a deadline of the listing; the session's own deadline holds for each page."""
    transport = FakeTransport(lambda request: reply(200, [{"id": request.url}]), seconds=2)
    async with LeavoClient(KEY, transport=transport, limits=(), deadline=5) as leavo:
        one_by_one: Any = {"concurrency": 1, "max_items": 6, "page_size": 1}
        start, limits = loop().time(), {name: make(5) for name, make in options.items()}
        with pytest.raises(DeadlineError):
            await leavo.leads.list(**one_by_one, **limits).collect()
        assert (len(transport.requests), loop().time() - start) == (3, pytest.approx(5, abs=0.01))
        assert len(await leavo.leads.list(**one_by_one).collect()) == 6
        assert len(await leavo.leads.list(**one_by_one, deadline=None).collect()) == 6


async def slowly(pages: AsyncIterable[object]) -> None:
    async for _ in pages:
        await asyncio.sleep(10)


@virtual_time
async def test_a_deadline_that_passes_while_the_consumer_works_lets_no_more_page_go_out() -> None:
    """Nor is one given that has come before; each iteration has the deadline for itself."""
    transport = FakeTransport(lambda request: reply(200, [{"id": request.url}]), seconds=1)
    async with LeavoClient(KEY, transport=transport, limits=()) as leavo:
        pages = leavo.leads.list(page_size=1, concurrency=1, deadline=5)
        for _ in range(2):
            before = len(transport.requests)
            with pytest.raises(DeadlineError, match="the deadline of the listing has passed"):
                await slowly(pages)
            assert len(transport.requests) == before + 1
        with pytest.raises(DeadlineError):
            await slowly(leavo.leads.list(page_size=1, deadline=5))


# Imports


def rows(count: int) -> Iterator[dict[str, str]]:
    return ({"name": f"Ana {n}", "phone": f"+55119999{n:05}"} for n in range(count))


def created(request: Request) -> Response:
    return reply(201, {"id": "1", **json.loads(request.body or b"{}")})


def job(leavo: Session, source: object, signal: AbortSignal) -> BulkJob:
    return BulkJob(leavo, LEADS, source, signal=signal, concurrency=4, quarantine=0.0, progress=False)


async def states(report: Report) -> Counter[str]:
    """Of the rows, as the journal has them."""
    return await asyncio.to_thread(lambda: Counter(row.state for row in report.rows()))


@pytest.mark.parametrize("by", ["the loop", "a thread"])
@on(RealLoop)
async def test_an_abort_ends_an_import_and_its_rows_under_way(by: str) -> None:
    """Those in flight are unknown, those that waited are still to be sent; the next run settles and sends them."""
    controller, before = AbortController(), asyncio.all_tasks()
    peer = Peer(reply(201, {"id": "1", **next(rows(1))}), tells=reading)
    async with Session(LEAVO, KEY, transport=peer, limits=(), max_in_flight=2) as leavo:
        task = asyncio.create_task(job(leavo, rows(50), controller.signal).run())
        async with asyncio.timeout(REAL_FAR):
            while len(leavo._opened().watch._guards) < 4:
                await asyncio.sleep(0.001)
            if by == "a thread":
                await asyncio.to_thread(controller.abort, REASON)
            else:
                controller.abort(REASON)
            report = await task

        assert await states(report) == {"done": 1, "unknown": 2, "pending": 47}
        assert [row.row for row in await asyncio.to_thread(list, report.rows("unknown"))] == [2, 3]
        assert (report.stopped_by, len(peer.requests)) == ("aborted", 3)
        assert is_left(leavo, controller.signal) == {}
        assert asyncio.all_tasks() == before

    def answer(request: Request) -> Response:
        return reply(200, []) if request.method == "GET" else created(request)

    async with Session(LEAVO, KEY, transport=FakeTransport(answer), limits=()) as leavo:
        report = await job(leavo, rows(50), AbortController().signal).run()
    assert await states(report) == {"done": 50}


@pytest.mark.parametrize("read", [0, 3])
@pytest.mark.parametrize("kind", ["controller", "any", "timeout"])
@on(RealLoop)
async def test_an_import_whose_source_blocks_ends_all_the_same(kind: str, read: int, journals_of_its_own: Path) -> None:
    """Aborted from a thread, or by the time, while it waits for a row that does not come; it leaves no journal."""
    controller, source, before = AbortController(), threading.Event(), asyncio.all_tasks()
    signal = {
        "controller": controller.signal,
        "any": AbortSignal.any([controller.signal, AbortSignal.timeout(60)]),
        "timeout": AbortSignal.timeout(0.2),
    }[kind]
    waiting = threading.Event()

    def blocking() -> Iterator[dict[str, str]]:
        yield from rows(read)
        waiting.set()
        source.wait(REAL_FAR)
        yield from rows(5000)

    peer = FakeTransport(created)
    async with Session(LEAVO, KEY, transport=peer, limits=()) as leavo:
        task = asyncio.create_task(job(leavo, blocking(), signal).run())
        while not waiting.is_set():
            await asyncio.sleep(0.001)
        start = time.monotonic()
        thread = threading.Timer(0.05, controller.abort)  # when the loop sleeps, and has nothing else to wake it
        if kind != "timeout":
            thread.start()
        async with asyncio.timeout(REAL_FAR):
            with pytest.raises(DeadlineError if kind == "timeout" else AbortedError):
                await task

        assert time.monotonic() - start < REAL_FAR / 2
        assert is_left(leavo, signal, *signal.sources) == {}
        assert asyncio.all_tasks() == before
    source.set()
    async with asyncio.timeout(REAL_FAR):
        while any(thread.name == "leavo-files" for thread in threading.enumerate()):
            await asyncio.sleep(0.001)
    assert peer.requests == []
    assert await asyncio.to_thread(lambda: list(journals_of_its_own.glob("*"))) == []


@on(RealLoop)
async def test_an_import_with_a_signal_that_has_aborted_sends_nothing(journals_of_its_own: Path) -> None:
    """Nor does one that is aborted when it is prepared; and one that comes to its end listens no longer."""
    controller, peer = AbortController(), FakeTransport(created)
    async with Session(LEAVO, KEY, transport=peer, limits=()) as leavo:
        with pytest.raises(AbortedError, match="aborted: the user has left"):
            await job(leavo, rows(50), AbortSignal.abort("the user has left")).run()
        assert await asyncio.to_thread(lambda: list(journals_of_its_own.glob("*"))) == []

        late = AbortController()
        prepared = job(leavo, rows(50), late.signal)
        await prepared.prepare()
        late.abort("the user has left")
        report = await prepared.run()
        assert await states(report) == {"pending": 50}
        assert (report.stopped_by, peer.requests) == ("the user has left", [])

        report = await job(leavo, rows(50), controller.signal).run()
        assert await states(report) == {"done": 50}
        assert (report.stopped_by, listeners_of(controller.signal), listeners_of(late.signal)) == (None, 0, 0)


# In the same turn


def after(turns: int, act: Callable[[], object]) -> None:
    """Do it so many turns later."""
    if turns:
        loop().call_soon(after, turns - 1, act)
    else:
        act()


@dataclass
class Collision:
    """A caller whose call is hit by several things in the same turn, or within a few turns.

    It goes on after the call: a cancellation that comes too late for the call is not lost, and one of ours that came
    too late would be seen.
    """

    seed: int
    ended: list[str] = field(default_factory=list)
    cancelling: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.controller = AbortController()

    async def caller(self, call: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await call()
            self.ended.append("answer")
        except Exception as error:
            self.ended.append(type(error).__name__)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            self.cancelling.append(task.cancelling())
            raise
        self.cancelling.append(task.cancelling())
        await asyncio.sleep(30)

    def hit(self, moment: float, *acts: Callable[[], object]) -> None:
        """All of them at this moment, each up to four turns later, in any order."""
        shuffled = self.random.sample(acts, len(acts))
        for act in shuffled:
            loop().call_at(moment, after, self.random.randrange(5), act)


SEEDS = range(300)


async def collided(
    seeds: range,
    play: Callable[[Collision, Session], Coroutine[Any, Any, asyncio.Task[None]]],
    make: Callable[[], FakeTransport],
    **options: Any,
) -> list[tuple[Collision, asyncio.Task[None]]]:
    """Play one collision for each seed, each with a session of its own; afterwards nothing is left of any."""
    found = list[tuple[Collision, asyncio.Task[None]]]()
    before = asyncio.all_tasks()
    for seed in seeds:
        collision = Collision(seed)
        leavo = Session(LEAVO, KEY, transport=make(), limits=(), max_in_flight=1, **options)
        task = await play(collision, leavo)
        await asyncio.wait([task], timeout=FAR)
        assert task.done()
        assert is_left(leavo, collision.controller.signal) == {}, seed
        assert asyncio.all_tasks() <= before, seed
        if not leavo._closed:
            leavo._engine.transport = FakeTransport(reply(200, {"next": seed}))  # type: ignore[union-attr]
            assert await leavo.request("GET", "/next") == {"next": seed}
        await leavo.aclose()
        found.append((collision, task))
    return found


@virtual_time
async def test_a_foreign_cancellation_in_the_turn_of_an_abort_is_not_lost() -> None:
    """The task ends as cancelled, by the one cancellation that is not ours, in hundreds of orders."""

    async def play(collision: Collision, leavo: Session) -> asyncio.Task[None]:
        signal = collision.controller.signal
        task = asyncio.create_task(collision.caller(lambda: leavo.request("POST", "/x", json={}, signal=signal)))
        collision.hit(loop().time() + 5, collision.controller.abort, task.cancel)
        return task

    found = await collided(SEEDS, play, lambda: FakeTransport(reply(200, {}), seconds=60))

    assert all(task.cancelled() for _, task in found)
    assert {("cancelled", 1), ("AbortedError", 0)} == {(one.ended[0], one.cancelling[0]) for one, _ in found}


@virtual_time
async def test_a_timeout_of_asyncio_in_the_turn_of_an_abort_stays_its_own() -> None:
    """A TimeoutError of asyncio's or an AbortedError of ours, and nothing of either afterwards."""

    async def play(collision: Collision, leavo: Session) -> asyncio.Task[None]:
        limit = asyncio.timeout(None)

        async def call() -> None:
            async with limit:
                await leavo.request("POST", "/x", json={}, signal=collision.controller.signal)

        def expire() -> None:
            with suppress(RuntimeError):  # the call has ended before
                limit.reschedule(loop().time())

        collision.hit(loop().time() + 5, collision.controller.abort, expire)
        return asyncio.create_task(collision.caller(call))

    found = await collided(SEEDS, play, lambda: FakeTransport(reply(200, {}), seconds=60))

    assert not any(task.cancelled() for _, task in found)
    assert {("TimeoutError", 0), ("AbortedError", 0)} == {(one.ended[0], one.cancelling[0]) for one, _ in found}


@virtual_time
async def test_an_abort_in_the_turn_in_which_an_attempt_times_out_ends_the_call() -> None:
    """No further attempt is made, whichever of the two came first."""

    async def play(collision: Collision, leavo: Session) -> asyncio.Task[None]:
        signal = collision.controller.signal
        call = functools.partial(leavo.request, "GET", "/x", signal=signal, timeout=5)
        if collision.seed % 2:
            collision.hit(loop().time() + 5, collision.controller.abort)
        task = asyncio.create_task(collision.caller(call))
        await asyncio.sleep(0)
        if not collision.seed % 2:
            collision.hit(loop().time() + 5, collision.controller.abort)
        return task

    peers = list[FakeTransport]()

    def make() -> FakeTransport:
        peers.append(FakeTransport(reply(200, {}), seconds=60))
        return peers[-1]

    found = await collided(SEEDS, play, make, retry=RetryPolicy(first_delay=10))

    assert not any(task.cancelled() for _, task in found)
    assert {("AbortedError", 0)} == {(one.ended[0], one.cancelling[0]) for one, _ in found}
    assert {1} == {len(peer.requests) for peer in peers}


@virtual_time
async def test_an_abort_in_the_turn_of_the_answer_ends_the_call_or_comes_too_late() -> None:
    """It never hits what the caller does next."""

    async def play(collision: Collision, leavo: Session) -> asyncio.Task[None]:
        signal = collision.controller.signal
        call = functools.partial(leavo.request, "POST", "/x", json={}, signal=signal)
        if collision.seed % 2:
            collision.hit(loop().time() + 5, collision.controller.abort)
        task = asyncio.create_task(collision.caller(call))
        await asyncio.sleep(0)
        if not collision.seed % 2:
            collision.hit(loop().time() + 5, collision.controller.abort)
        return task

    found = await collided(SEEDS, play, lambda: FakeTransport(reply(200, {}), seconds=5))

    assert not any(task.cancelled() for _, task in found)
    assert {("answer", 0), ("AbortedError", 0)} == {(one.ended[0], one.cancelling[0]) for one, _ in found}


@virtual_time
async def test_everything_at_once_leaves_nothing() -> None:
    """Answer or failure, attempt's limit, deadline, abort, timeout, closing and a cancellation, a few turns apart."""

    async def play(collision: Collision, leavo: Session) -> asyncio.Task[None]:
        random = collision.random
        moment = loop().time() + 5
        signal = AbortSignal.any([collision.controller.signal, AbortSignal.timeout(random.choice([5, 60]))])
        options = {"signal": signal, "timeout": random.choice([5, 60]), "deadline": random.choice([5, 60])}

        async def call() -> None:
            async with asyncio.timeout_at(random.choice([moment, None])):
                await leavo.request("GET", "/x", **options)

        closing = set[asyncio.Task[None]]()
        task = asyncio.create_task(collision.caller(call))
        await asyncio.sleep(0)
        acts: list[Callable[[], object]] = [
            collision.controller.abort,
            lambda: closing.add(asyncio.create_task(leavo.aclose())),
            lambda: (collision.ended.append("foreign") if not task.done() else None, task.cancel()),
        ]
        collision.hit(moment, *random.sample(acts, random.randrange(4)))
        await asyncio.sleep(6)
        await asyncio.gather(*closing)
        return task

    answers = [reply(200, {}), reply(503), ReadError("reset"), ConnectError("down")]
    random = Random(0)
    found = await collided(
        range(600),
        play,
        lambda: FakeTransport(*random.sample(answers, 4), seconds=random.choice([5, 60])),
        retry=RetryPolicy(first_delay=1),
    )

    for one, task in found:
        assert task.cancelled() is ("foreign" in one.ended), one.seed
        assert one.cancelling == [1 if "cancelled" in one.ended else 0], one.seed
    kinds = {name for one, _ in found for name in one.ended}
    assert {"answer", "cancelled", "AbortedError", "DeadlineError", "ClosedError", "TimeoutError"} <= kinds


@virtual_time
async def test_an_observer_may_abort_the_call_that_it_observes() -> None:
    """After a success the answer is given; before another attempt the call ends; nothing comes afterwards."""
    controllers = list[AbortController]()

    def abort(record: AttemptRecord) -> None:
        controllers[-1].abort(REASON)

    for answer, error, phase, sent in (
        (reply(200, {"id": "1"}), None, None, 1),
        (reply(503), AbortedError, "wait", 1),
        (ConnectError("down"), AbortedError, "wait", 1),
        (reply(404), LeavoError, None, 1),
    ):
        controllers.append(AbortController())
        transport = FakeTransport(answer, seconds=1)
        async with Session(LEAVO, KEY, transport=transport, limits=(), observers=[abort]) as leavo:
            ending, caller = Ending(), Collision(0)
            call = leavo.request("GET", "/x", signal=controllers[-1].signal)
            task = asyncio.create_task(caller.caller(lambda call=call, ending=ending: ending.of(call)))
            await asyncio.wait([task], timeout=FAR)

            assert isinstance(ending.error, error or type(None))
            assert getattr(ending.error, "phase", None) == phase
            assert (len(transport.requests), ending.cancelling, task.cancelled()) == (sent, 0, False)
            assert is_left(leavo, controllers[-1].signal) == {}


# Groups of tasks


@virtual_time
async def test_an_abort_in_a_task_group_is_an_error_of_that_call_alone() -> None:
    """The group cancels the others, and raises the AbortedError in its group; a third time as the first."""
    for _ in range(3):
        controller = AbortController()
        async with Session(LEAVO, KEY, transport=Peer(tells=reading), limits=()) as leavo:
            loop().call_later(5, controller.abort, REASON)
            with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(leavo.request("POST", "/wait", json={}, signal=controller.signal))
                    other = tasks.create_task(leavo.request("POST", "/other", json={}))
                    await leavo.request("POST", "/mine", json={})
            (error,) = caught.value.exceptions

            assert (type(error), error.reason, other.cancelled()) == (AbortedError, REASON, True)  # type: ignore[attr-defined]
            assert is_left(leavo, controller.signal) == {}


@virtual_time
async def test_an_abort_of_the_parent_of_a_task_group_ends_the_group() -> None:
    """With the error itself in the group; after a sibling's failure it is that alone."""
    for first, kind in (("abort", AbortedError), ("failure", KeyError)):
        controller = AbortController()
        async with Session(LEAVO, KEY, transport=Peer(tells=reading), limits=()) as leavo:

            async def fail(first: str = first) -> None:
                await asyncio.sleep(3 if first == "failure" else 60)
                raise KeyError

            loop().call_later(5, controller.abort, REASON)
            with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(fail())
                    await leavo.request("POST", "/wait", json={}, signal=controller.signal)

            assert [kind] == [type(error) for error in caught.value.exceptions]
            assert is_left(leavo, controller.signal) == {}


@virtual_time
async def test_a_task_group_inside_of_a_call_ends_with_it() -> None:
    """As in a function that gives the key: its children are cancelled, and the call is aborted as everywhere."""
    children = list[asyncio.Task[Any]]()

    async def vault() -> str:
        async with asyncio.TaskGroup() as tasks:
            children.extend(tasks.create_task(asyncio.sleep(1000)) for _ in range(2))
        return KEY

    for _ in range(2):  # the second time with what Python 3.11 leaves behind
        controller = AbortController()
        async with Session(LEAVO, vault, transport=Peer(), limits=()) as leavo:
            loop().call_later(5, controller.abort, REASON)
            with pytest.raises(AbortedError) as caught:
                await leavo.request("GET", "/wait", signal=controller.signal, timeout=FAR)

            assert (caught.value.phase, caught.value.reason) == ("queue", REASON)
            assert is_left(leavo, controller.signal) == {}

    assert [True] * 4 == [child.cancelled() for child in children]
    assert len(asyncio.all_tasks()) == 1
