"""Cancelled at its first await, at its second, at its third, and so on: nothing is ever swallowed, and nothing left."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from leavo_async import (
    ClosedError,
    ConnectError,
    DailyCap,
    LeavoClient,
    NotFoundError,
    RateLimit,
    ReadError,
    Request,
    Response,
    RetryPolicy,
)
from leavo_async._io.registry import GATES
from leavo_async.bulk.report import Report
from leavo_async.sandbox import Fault, Sandbox
from leavo_async.testing import FakeTransport, VirtualTimeLoop, reply

KEY = "made-up-key-1"
ANA: Any = {"name": "Ana Souza", "phone": "+5511999990000"}
# In seconds; what takes longer hangs.
FAR = 10.0


# The harness


class CancelledAt:
    """Awaits what `work` makes, and cancels its task when it suspends for the n-th time.

    at_once: how often it is cancelled then. further: at how many of the suspensions that follow it is cancelled again.
    """

    def __init__(
        self, work: Callable[[], Coroutine[Any, Any, object]], n: int, *, at_once: int = 1, further: int = 0
    ) -> None:
        self.work = work
        self.suspensions = self.cancels = 0
        self._first, self._last = n, n + further
        self._at_once = at_once
        self.tasks = set[asyncio.Task[Any]]()  # that were there when it ended

    def __await__(self) -> Generator[Any, Any, object]:
        task = asyncio.current_task()
        assert task is not None
        inner = self.work().__await__()
        step = functools.partial(inner.send, None)
        while True:
            try:
                waited = step()
            except StopIteration as end:
                return end.value
            self.suspensions += 1
            if self._first <= self.suspensions <= self._last:
                for _ in range(self._at_once):
                    self.cancels += task.cancel()
            try:
                step = functools.partial(inner.send, (yield waited))
            except BaseException as error:
                step = functools.partial(inner.throw, error)

    async def run(self) -> object:
        try:
            return await self
        finally:
            self.tasks = asyncio.all_tasks()


class Turns:
    """A loop that cancels a task at the beginning of one of its turns."""

    turns, cancel_at, cancels = 0, 0, 0
    task: asyncio.Task[object] | None = None

    def _run_once(self) -> None:
        if self.task is not None:
            self.turns += 1
            if self.turns == self.cancel_at:
                self.cancels += self.task.cancel()
        super()._run_once()  # type: ignore[misc]


class VirtualLoop(Turns, VirtualTimeLoop):
    """For fake transports."""


class RealLoop(Turns, asyncio.SelectorEventLoop):
    """For real ones; it keeps the sockets of clients."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets = list[socket.socket]()

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.sockets.append(sock)
        await super().sock_connect(sock, address)


def loop() -> Any:
    return asyncio.get_running_loop()


@dataclass
class Trial:
    """Something to cancel, and what must hold afterwards.

    is_right: whether it has come to the right end, when it was not cancelled. goes_on: makes the next call, and looks
    at its answer. others: calls of the test itself, which must end well. requests: what the transport has seen.
    """

    leavo: LeavoClient
    work: Callable[[], Coroutine[Any, Any, object]]
    is_right: Callable[[Any], object]
    goes_on: Callable[[], Awaitable[None]]
    others: list[asyncio.Task[Any]] = field(default_factory=list)
    requests: list[Request] | None = None


Make = Callable[[], AbstractAsyncContextManager[Trial]]

# How it is cancelled: at an await, or from outside in some turn of the loop.
WAYS: dict[str, dict[str, int] | None] = {
    "once": {"at_once": 1},
    "twice at once": {"at_once": 2},
    "and again while it cleans up": {"further": 2},
    "in any turn": None,
}


def cancelled_everywhere(
    make: Make,
    way: str,
    runs: Callable[[], asyncio.AbstractEventLoop],
    *,
    least: int,
    judge: Judge | None = None,
    step: int = 1,
) -> None:
    """Try it with a cancellation at n = 1, 2, 3, …, each on a loop of its own, until one comes too late.

    least: how many must have come in time; else nothing would have been tested. step: from one n to the next.
    """
    hits = 0
    for n in itertools.count(1, step):
        GATES.clear()  # those of loops in real time would count what earlier trials have sent
        with asyncio.Runner(loop_factory=runs) as runner:
            if not runner.run(tried(make, way, n, judge or nothing_is_left)):
                break
        hits += 1
    assert hits >= least


async def tried(make: Make, way: str, n: int, judge: Judge) -> bool:
    """Whether it was cancelled; if so, CancelledError came out."""
    before = asyncio.all_tasks()
    async with make() as trial:
        before |= asyncio.all_tasks() - set(trial.others)
        options = WAYS[way]
        watched = CancelledAt(trial.work, n if options is not None else 0, **(options or {"further": -1}))
        task = asyncio.create_task(watched.run())
        if options is None:
            loop().task, loop().cancel_at = task, n
        async with asyncio.timeout(FAR * 1e6 if isinstance(loop(), VirtualTimeLoop) else FAR):
            await asyncio.wait([task])
        is_hit = bool(watched.cancels or loop().cancels)
        assert task.cancelled() is is_hit, "a cancellation was swallowed, or came from nowhere"
        if not is_hit:
            assert trial.is_right(task.result())
        if trial.requests is not None and judge is nothing_is_left:
            # Right then, and not a turn later: whoever starts a task awaits it. (aiohttp lets a writer end by itself.)
            assert watched.tasks <= before | {task, *trial.others}
        await judge(trial, before)
    return is_hit


Judge = Callable[[Trial, set[asyncio.Task[Any]]], Awaitable[None]]


def is_left(leavo: LeavoClient) -> dict[str, int]:
    """What is left behind, by name; nothing, if all is well."""
    engine = leavo._engine
    if engine is None:
        return {}
    status, transport = leavo.status(), engine.transport
    connectors = [getattr(getattr(transport, name, None), "connector", None) for name in ("_kept", "_fresh")]
    left = {
        "slots": engine.slots.used,
        "in flight": status.in_flight,
        "waiting": sum(status.waiting.values()),
        "guards": len(engine.watch._guards),
        "connections": sum(len(connector._acquired) for connector in connectors if connector is not None),
    }
    return {name: number for name, number in left.items() if number}


async def a_few_turns() -> None:
    """A writer that aiohttp has cancelled ends in the next turn."""
    for _ in range(5):
        await asyncio.sleep(0)


def own_tasks(before: set[asyncio.Task[Any]]) -> set[str]:
    """Tasks that were not there before, but for those of the server."""
    tasks = asyncio.all_tasks() - before
    return {repr(task) for task in tasks if "RequestHandler" not in repr(task)}


async def nothing_is_left(trial: Trial, before: set[asyncio.Task[Any]]) -> None:
    """No slot, permit, connection or task; the others end well, and so does the next call."""
    await asyncio.gather(*trial.others)
    await a_few_turns()
    assert is_left(trial.leavo) == {}
    assert own_tasks(before) == set()
    await trial.goes_on()
    assert is_left(trial.leavo) == {}
    if trial.requests is not None:
        # Each permit that was granted has been used, or else it was given back.
        assert trial.leavo.status().caps[0].used == len(trial.requests)
    await trial.leavo.aclose()
    await nothing_is_open(before)


async def nothing_is_open(before: set[asyncio.Task[Any]]) -> None:
    await a_few_turns()
    assert [sock for sock in getattr(loop(), "sockets", ()) if sock.fileno() != -1] == []
    assert own_tasks(before) == set()


# The harness itself


async def _suspends(times: int, seen: list[int]) -> str:
    for number in range(times):
        seen.append(number)
        await asyncio.sleep(0 if number % 2 else 0.001)
    return "done"


@pytest.mark.parametrize("n", range(1, 7))
def test_the_harness_cancels_at_the_await_it_is_told_to(n: int) -> None:
    """And lets what suspends less often come to its end."""
    seen = list[int]()

    async def play() -> bool:
        watched = CancelledAt(lambda: _suspends(4, seen), n)
        task = asyncio.create_task(watched.run())
        await asyncio.wait([task])
        assert task.cancelled() or task.result() == "done"
        return task.cancelled()

    assert asyncio.run(play()) is (n <= 4)
    assert len(seen) == min(n, 4)


def test_the_harness_sees_a_cancellation_that_is_swallowed() -> None:
    """As it sees a task that is left, and a coroutine that never waits."""

    async def swallows() -> object:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return {}

    async def leaves() -> object:
        asyncio.get_running_loop()._left = asyncio.create_task(asyncio.sleep(1e9))  # type: ignore[attr-defined]
        return await asyncio.sleep(1, {})

    async def never_waits() -> object:
        return {}

    for work, words in ((swallows, "swallowed"), (leaves, "1000000000|sleep"), (never_waits, "0 >= 1")):

        @asynccontextmanager
        async def make(work: Any = work) -> AsyncIterator[Trial]:
            transport = FakeTransport(reply(200, {}))
            leavo = LeavoClient(KEY, transport=transport, limits=[DailyCap(1000)])
            yield Trial(leavo, work, lambda found: found == {}, a_few_turns, requests=transport.requests)

        with pytest.raises(AssertionError, match=words):
            cancelled_everywhere(make, "once", VirtualLoop, least=1)


# On a fake transport, in virtual time


class Crm:
    """Answers like Leavo, after the faults; /ok never goes wrong."""

    def __init__(self, *faults: Response | Exception) -> None:
        self.faults = list(faults)

    def __call__(self, request: Request) -> Response:
        if request.path.startswith("/ok"):
            return reply(200, {"path": request.path})
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        if request.method == "DELETE":
            return reply(404)
        if request.method == "POST":
            return reply(201, {"id": "1", **json.loads(request.body or b"{}")})
        if "offset=" in request.url:
            first = int(request.url.split("offset=")[1])
            return reply(200, [{"id": str(number)} for number in range(first, min(5, first + 2))])
        if "search=" in request.url:
            return reply(200, [{"id": "7", **ANA}])
        return reply(200, {"id": request.path.rpartition("/")[2]})


@asynccontextmanager
async def faked(
    *faults: Response | Exception, seconds: float = 1.0, crm: Crm | None = None, **options: Any
) -> AsyncIterator[Trial]:
    """A client whose every wait takes time: for the key, a token, the answer and the next attempt."""

    async def vault() -> str:
        await asyncio.sleep(seconds)
        return KEY

    transport = FakeTransport(crm or Crm(*faults), seconds=seconds)
    limits = [RateLimit(10, 600), DailyCap(1000)]
    leavo = LeavoClient(vault, transport=transport, **{"limits": limits, **options})

    async def goes_on() -> None:
        assert await leavo.request("GET", "/ok/next") == {"path": "/ok/next"}

    async def work() -> object:
        raise NotImplementedError

    yield Trial(leavo, work, bool, goes_on, requests=transport.requests)


@asynccontextmanager
async def fake_get() -> AsyncIterator[Trial]:
    async with faked(reply(503)) as trial:
        trial.work = lambda: trial.leavo.leads.get("17")
        trial.is_right = lambda lead: lead.id == "17" and len(trial.requests or ()) == 2
        yield trial


@asynccontextmanager
async def fake_create() -> AsyncIterator[Trial]:
    async with faked(ConnectError("down"), reply(425)) as trial:
        trial.work = lambda: trial.leavo.leads.create(**ANA)
        trial.is_right = lambda lead: lead.name == ANA["name"] and len(trial.requests or ()) == 3
        yield trial


@asynccontextmanager
async def fake_delete() -> AsyncIterator[Trial]:
    async with faked(ReadError("reset")) as trial:
        trial.work = lambda: trial.leavo.leads.delete("17")
        trial.is_right = lambda found: found is None and len(trial.requests or ()) == 2
        yield trial


@asynccontextmanager
async def fake_look_up() -> AsyncIterator[Trial]:
    async with faked(ReadError("reset"), reply(200, [])) as trial:
        trial.work = lambda: trial.leavo.leads.create(**ANA)
        trial.is_right = lambda lead: lead.id == "7" and len(trial.requests or ()) == 3
        yield trial


@asynccontextmanager
async def fake_new_key() -> AsyncIterator[Trial]:
    keys = (f"made-up-key-{number}" for number in itertools.count(1))

    async def rotating() -> str:
        await asyncio.sleep(1)
        return next(keys)

    async with faked(reply(401)) as trial:
        leavo = LeavoClient(rotating, transport=trial.leavo._transport, limits=[DailyCap(1000)])

        async def goes_on() -> None:
            assert await leavo.request("GET", "/ok/next") == {"path": "/ok/next"}

        trial.leavo, trial.goes_on = leavo, goes_on
        trial.work = lambda: leavo.leads.get("17")
        trial.is_right = lambda lead: lead.id == "17" and len(trial.requests or ()) == 2
        yield trial


@asynccontextmanager
async def fake_gate() -> AsyncIterator[Trial]:
    """Behind others, for a slot and for a token; then those behind it must get theirs."""
    async with faked(max_in_flight=1) as trial:
        leavo = trial.leavo
        await leavo.request("GET", "/ok/first")

        async def other(number: int) -> None:
            assert await leavo.request("GET", f"/ok/{number}") == {"path": f"/ok/{number}"}

        async def work() -> object:
            trial.others.append(asyncio.create_task(other(3)))  # it begins when this one waits, and so behind it
            return await leavo.leads.get("17")

        trial.others += [asyncio.create_task(other(number)) for number in (1, 2)]
        await asyncio.sleep(0)
        trial.work = work
        trial.is_right = lambda lead: lead.id == "17"
        yield trial


@asynccontextmanager
async def fake_listing() -> AsyncIterator[Trial]:
    async with faked(reply(200, [{"id": "0"}, {"id": "1"}]), reply(503)) as trial:

        async def work() -> object:
            return [lead.id async for lead in trial.leavo.leads.list(page_size=2)]

        trial.work = work
        trial.is_right = lambda ids: ids == ["0", "1", "2", "3", "4"]
        yield trial


class Book(Crm):
    """Keeps the leads that it is given, one for each phone; its faults are those of its first requests."""

    def __init__(self, *faults: Response | Exception) -> None:
        super().__init__(*faults)
        self.leads = list[dict[str, str]]()

    def __call__(self, request: Request) -> Response:
        if self.faults or request.path.startswith("/ok"):
            return super().__call__(request)
        if request.method == "GET":
            return reply(200, self.leads)
        lead = {"id": str(len(self.leads)), **json.loads(request.body or b"{}")}
        if lead["phone"] in {other["phone"] for other in self.leads}:
            return reply(409, {"error": "there is one", "code": "CONFLICT"})
        self.leads.append(lead)
        return reply(201, lead)


ROWS = [{"name": f"Ana {n}", "phone": f"+55119999900{n:02}"} for n in range(4)]


@asynccontextmanager
async def importing(trial: Trial, leads: Callable[[], list[Any]]) -> AsyncIterator[Trial]:
    """An import of a few rows. Whatever ended it, the next run finishes it; no row is lost, and none is there twice."""
    with tempfile.TemporaryDirectory() as folder:

        async def work() -> Report:
            options: Any = {"concurrency": 2, "quarantine": 0.0, "journal_dir": folder, "progress": False}
            return await trial.leavo.leads.import_(ROWS, **options)

        def is_right(report: Report) -> bool:
            assert sorted(lead["name"] for lead in leads()) == [row["name"] for row in ROWS]
            return report.is_finished and report.counts["done"] == len(ROWS)

        async def goes_on() -> None:
            assert is_right(await work())
            assert not list(await asyncio.to_thread(lambda: list(Path(folder).glob("*.spool"))))
            await its_threads_end()

        trial.work, trial.is_right, trial.goes_on = work, is_right, goes_on
        yield trial


@asynccontextmanager
async def fake_import() -> AsyncIterator[Trial]:
    # In real time, for its journal is written by a thread.
    book = Book(ConnectError("down"), reply(425))
    quick: Any = {"seconds": 0.001, "limits": [DailyCap(1000)], "retry": RetryPolicy(first_delay=0.002)}
    async with faked(crm=book, max_in_flight=2, **quick) as trial, importing(trial, lambda: book.leads):
        yield trial


async def its_threads_end() -> None:
    """Those that read, and the one that writes the journal."""
    async with asyncio.timeout(FAR):
        while any(thread.name in ("leavo-files", "leavo-journal") for thread in threading.enumerate()):
            await asyncio.sleep(0)


FAKE: dict[str, tuple[Make, int]] = {
    "a GET": (fake_get, 5),
    "a create": (fake_create, 8),
    "a DELETE": (fake_delete, 5),
    "a create that is looked up": (fake_look_up, 8),
    "a call with a refused key": (fake_new_key, 5),
    "a call that waits at the gate": (fake_gate, 2),
    "a listing": (fake_listing, 5),
    "an import": (fake_import, 12),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", FAKE)
def test_whatever_is_cancelled_at_whichever_await_leaves_nothing(what: str, way: str) -> None:
    """Neither a slot nor a permit nor a task; the session works on."""
    make, awaits = FAKE[what]
    runs = RealLoop if what == "an import" else VirtualLoop
    cancelled_everywhere(make, way, runs, **wanted(what, way, awaits))


def wanted(what: str, way: str, awaits: int) -> dict[str, int]:
    """An import has many turns and a disk: every third of them is enough."""
    if WAYS[way] is not None:
        return {"least": awaits}
    return {"least": awaits, "step": 3} if what == "an import" else {"least": 2 * awaits}


# Over a real server


@asynccontextmanager
async def served(*faults: Fault, leads: int = 3, **options: Any) -> AsyncIterator[Trial]:
    """A sandbox with some leads, and a client of it whose delays are short."""
    async with Sandbox(faults=faults) as sandbox:
        sandbox.seed_leads(leads)
        first, last = (sandbox.leads[0], sandbox.leads[-1]) if leads else ({"id": None}, None)
        leavo = LeavoClient(
            sandbox.key,
            base_url=sandbox.url,
            allow_insecure_loopback=True,
            limits=(),
            timeout=FAR,
            retry=RetryPolicy(first_delay=0.002, max_delay=0.002),
            **options,
        )

        async def goes_on() -> None:
            # Twice: the first one may get the connection on which the cancelled call has waited.
            for lead in (last, last) if last else ():
                found = await leavo.leads.get(lead["id"])
                assert (found.id, found.name, found.phone) == (lead["id"], lead["name"], lead["phone"])

        async def work() -> object:
            raise NotImplementedError

        trial = Trial(leavo, work, bool, goes_on)
        trial.first, trial.sandbox = first["id"], sandbox  # type: ignore[attr-defined]
        yield trial


@asynccontextmanager
async def real_get() -> AsyncIterator[Trial]:
    async with served(Fault(status=503)) as trial:
        first = trial.first  # type: ignore[attr-defined]
        trial.work = lambda: trial.leavo.leads.get(first)
        trial.is_right = lambda lead: lead.id == first
        yield trial


@asynccontextmanager
async def real_create() -> AsyncIterator[Trial]:
    async with served(Fault(status=425)) as trial:
        trial.work = lambda: trial.leavo.leads.create(**ANA)
        trial.is_right = lambda lead: lead.name == ANA["name"]
        yield trial


@asynccontextmanager
async def real_delete() -> AsyncIterator[Trial]:
    async with served(Fault(reset="after", method="DELETE")) as trial:
        first, sandbox = trial.first, trial.sandbox  # type: ignore[attr-defined]
        trial.work = lambda: trial.leavo.leads.delete(first)
        trial.is_right = lambda found: found is None and first not in {lead["id"] for lead in sandbox.leads}
        yield trial


@asynccontextmanager
async def real_look_up() -> AsyncIterator[Trial]:
    async with served(Fault(reset="after", method="POST")) as trial:
        trial.work = lambda: trial.leavo.leads.create(**ANA)
        trial.is_right = lambda lead: lead.name == ANA["name"]
        yield trial


@asynccontextmanager
async def real_listing() -> AsyncIterator[Trial]:
    async with served(Fault(status=503, skip=1), leads=5) as trial:

        async def work() -> object:
            return [lead.id async for lead in trial.leavo.leads.list(page_size=2)]

        trial.work = work
        trial.is_right = lambda ids: len(set(ids)) == len(ids) == 5
        yield trial


@asynccontextmanager
async def real_gate() -> AsyncIterator[Trial]:
    """Behind another call, for a slot."""
    async with served(Fault(delay=0.01), max_in_flight=1) as trial:
        first = trial.first  # type: ignore[attr-defined]
        trial.others.append(asyncio.create_task(trial.leavo.leads.get(first)))
        await asyncio.sleep(0)
        trial.work = lambda: trial.leavo.leads.get(first)
        trial.is_right = lambda lead: lead.id == first
        yield trial


@asynccontextmanager
async def real_import() -> AsyncIterator[Trial]:
    async with served(Fault(status=425), Fault(reset="after", method="POST", skip=3), leads=0) as trial:
        sandbox = trial.sandbox  # type: ignore[attr-defined]
        async with importing(trial, lambda: sandbox.leads):
            yield trial


REAL: dict[str, tuple[Make, int]] = {
    "a GET": (real_get, 4),
    "a create": (real_create, 5),
    "a DELETE": (real_delete, 5),
    "a create that is looked up": (real_look_up, 5),
    "a call that waits at the gate": (real_gate, 2),
    "a listing": (real_listing, 3),
    "an import": (real_import, 12),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", REAL)
def test_over_real_connections_it_leaves_nothing_either(what: str, way: str) -> None:
    """No connection is open that nobody has, and none is used on which an answer may still come."""
    make, awaits = REAL[what]
    cancelled_everywhere(make, way, RealLoop, **wanted(what, way, awaits))


# Closing


async def everything_is_closed(trial: Trial, before: set[asyncio.Task[Any]]) -> None:
    """Whoever closes once more waits until it is; all calls have ended, each with an answer or a ClosedError."""
    await trial.leavo.aclose()
    ended = await asyncio.gather(*trial.others, return_exceptions=True)
    assert all(isinstance(found, ClosedError | NotFoundError | Mapping) for found in ended)
    await a_few_turns()
    assert is_left(trial.leavo) == {}
    await nothing_is_open(before)
    await trial.goes_on()


def closed_client(leavo: LeavoClient) -> Callable[[], Awaitable[None]]:
    async def goes_on() -> None:
        assert leavo._engine is None or getattr(leavo._transport, "closed", True)
        with pytest.raises(ClosedError):
            await leavo.request("GET", "/ok")

    return goes_on


@asynccontextmanager
async def closing(place: Make, drain: float, seconds: float = 0.0) -> AsyncIterator[Trial]:
    """With calls in flight and in the queue."""
    async with place() as trial:
        leavo = trial.leavo
        trial.others += [asyncio.create_task(leavo.request("GET", "/backend/leads/none")) for _ in range(3)]
        for call in trial.others:
            call.add_done_callback(lambda call: call.cancelled() or call.exception())
        await asyncio.sleep(seconds)
        trial.work = functools.partial(leavo.aclose, drain)
        trial.is_right, trial.goes_on = lambda found: found is None, closed_client(leavo)
        yield trial


@asynccontextmanager
async def used_in_a_block(place: Make) -> AsyncIterator[Trial]:
    """`async with`, a call inside of it, and its end."""
    async with place() as trial:
        leavo = trial.leavo

        async def work() -> object:
            async with leavo:
                with suppress(NotFoundError):
                    await leavo.request("GET", "/backend/leads/none")
            return True

        trial.work, trial.goes_on = work, closed_client(leavo)
        yield trial


class Slow(FakeTransport):
    """Takes a while to close, and is closed only then."""

    async def aclose(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        await asyncio.sleep(1)
        await super().aclose()


@asynccontextmanager
async def slow() -> AsyncIterator[Trial]:
    transport = Slow(Crm(), seconds=2)
    leavo = LeavoClient(KEY, transport=transport, limits=(), max_in_flight=2)
    yield Trial(leavo, a_few_turns, bool, a_few_turns, requests=transport.requests)


CLOSING: dict[str, tuple[Make, int]] = {
    "aclose": (lambda: closing(slow, 0.0), 1),
    "aclose, drained": (lambda: closing(slow, 60.0), 2),
    "async with": (lambda: used_in_a_block(slow), 2),
}
REAL_CLOSING: dict[str, tuple[Make, int]] = {
    "aclose": (lambda: closing(functools.partial(served, Fault(delay=0.05, times=None)), 0.0, 0.02), 1),
    "aclose, drained": (lambda: closing(functools.partial(served, Fault(delay=0.01, times=None)), 5.0, 0.002), 2),
    "async with": (lambda: used_in_a_block(served), 3),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", CLOSING)
def test_closing_is_finished_whenever_the_one_who_closes_is_cancelled(what: str, way: str) -> None:
    """CancelledError comes out, and whoever closes again finds or waits for the end."""
    make, awaits = CLOSING[what]
    cancelled_everywhere(make, way, VirtualLoop, least=awaits, judge=everything_is_closed)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", REAL_CLOSING)
def test_real_connections_are_closed_whenever_the_one_who_closes_is_cancelled(what: str, way: str) -> None:
    """None stays open, whether it was in use or not."""
    make, awaits = REAL_CLOSING[what]
    cancelled_everywhere(make, way, RealLoop, least=awaits, judge=everything_is_closed)
