"""A server with faults on demand and a client of it, in virtual time: who did what, and what the client said of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from leavo_async import (
    AbortController,
    AttemptRecord,
    ConnectError,
    LeavoError,
    ProtocolError,
    ReadError,
    Repeat,
    Request,
    Response,
    RetryPolicy,
    Route,
    Session,
)
from leavo_async._io.progress import Progress
from leavo_async._sansio.auth import Bearer
from leavo_async._sansio.paging import Offset
from leavo_async._sansio.profile import ApiProfile
from leavo_async.testing import reply

FAULTS = (
    "none",
    "refused",
    "connecting for ever",
    "reset before",
    "reset after",
    "silent before",
    "silent after",
    "slow",
    "late",
    "500 before",
    "500 after",
    "500 stored",
    "429",
    "503",
    "cut",
    "not json",
)
"""What may happen to one attempt; "late": the work is done long after the client has given up."""

KINDS = {
    "unsafe": ("POST", "/notes"),
    "keyed": ("POST", "/orders"),
    "natural": ("POST", "/leads"),
    "put": ("PUT", "/things/{id}"),
    "delete": ("DELETE", "/things/{id}"),
    "read": ("GET", "/things/{id}"),
}
ONCE = ("unsafe", "keyed", "natural")

PROFILE = ApiProfile(
    name="model",
    base_url="https://model.example",
    key_variable="MODEL_KEY",
    auth=Bearer(),
    limits=(),
    paging=Offset(max_size=100),
    wait_after_429=5.0,
    routes=(
        Route("POST", "/orders", repeat=Repeat.KEYED),
        Route(
            "POST",
            "/leads",
            repeat=Repeat.NATURAL,
            lookup=lambda sent: ("/leads", {"search": sent["op"]}),
            same=lambda sent, found: bool(sent["op"] == found["op"]),
        ),
    ),
)


@dataclass
class Op:
    """One call of the client. faults: what happens to its attempts, one after the other; then nothing more."""

    number: int
    kind: str
    faults: list[str]
    controller: AbortController = field(default_factory=AbortController)
    task: asyncio.Task[Any] | None = None
    sent: int = 0
    records: list[AttemptRecord] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"op-{self.number}"

    @property
    def path(self) -> str:
        return KINDS[self.kind][1].format(id=self.name)


class Server:
    """A transport that plays the server: it keeps what it did, by operation."""

    def __init__(self) -> None:
        self.ops: dict[str, Op] = {}
        self.done: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self._stored: dict[str, Response | None] = {}  # answers by key; None while the first is not answered
        self._late: set[asyncio.Task[None]] = set()

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None:
        assert headers == {"Authorization": "Bearer made-up-key"}

    async def aclose(self) -> None:
        for task in self._late:
            task.cancel()

    async def send(self, request: Request, progress: Progress) -> Response:
        if request.path == "/leads" and request.method == "GET":
            return await self._lookup(request)
        op = self.ops[json.loads(request.body)["op"] if request.body else request.path.rpartition("/")[2]]
        fault = op.faults.pop(0) if op.faults else "none"
        op.sent += 1
        if fault == "refused":
            raise ConnectError(f"{request}: refused")
        progress.connecting()
        await asyncio.sleep(1e6 if fault == "connecting for ever" else 0.05)
        progress.sending(None)
        await asyncio.sleep(0.05)
        self.seen[op.name] += 1
        return await self._answer(op, request, fault)

    async def _answer(self, op: Op, request: Request, fault: str) -> Response:
        match fault:
            case "429":
                return reply(429, None, {"Retry-After": "2"})
            case "503":
                return reply(503, None, {"Retry-After": "1"})
            case "reset before":
                raise ReadError(f"{request}: reset")
            case "silent before":
                await asyncio.sleep(1e6)
            case "500 before":
                return reply(500)
            case "late":
                task = asyncio.create_task(self._work_late(op, request))
                self._late.add(task)
                await asyncio.sleep(1e6)
            case "slow":
                await asyncio.sleep(3)
        return await self._after(op, request, fault)

    async def _after(self, op: Op, request: Request, fault: str) -> Response:
        answer = self._work(op, request, fails=fault == "500 stored")
        match fault:
            case "reset after":
                raise ReadError(f"{request}: reset")
            case "silent after":
                await asyncio.sleep(1e6)
            case "500 after":
                return reply(500)
            case "cut" if answer.status < 300:
                error = ProtocolError(f"{request}: cut")
                error.status, error.outcome = answer.status, "done"
                raise error
            case "not json" if answer.status < 300:
                return Response(answer.status, answer.headers, b'{"op": "')
        return answer

    async def _work_late(self, op: Op, request: Request) -> None:
        """The work begins now, so its key is taken; it is done after the client's time limit."""
        key = self._key(request)
        if key is not None and key in self._stored:
            return
        if key is not None:
            self._stored[key] = None
        await asyncio.sleep(12)
        if key is not None:
            del self._stored[key]
        self._work(op, request, fails=False)

    def _work(self, op: Op, request: Request, *, fails: bool) -> Response:
        key = self._key(request)
        if key is not None and key in self._stored:
            stored = self._stored[key]
            if stored is None:
                return reply(409, {"error": {"code": "CONFLICT"}})
            return Response(stored.status, reply(headers={"Idempotency-Replayed": "true"}).headers, stored.body)
        if op.kind == "natural" and self.done[op.name]:
            return reply(409, {"error": {"code": "ALREADY_EXISTS"}})
        if op.kind == "delete" and self.done[op.name]:
            return reply(404)
        self.done[op.name] += 1
        answer = reply(500) if fails else reply(200, {"op": op.name})
        if key is not None:
            self._stored[key] = answer
        return answer

    def _key(self, request: Request) -> str | None:
        return request.idempotency_key if request.path == "/orders" else None

    async def _lookup(self, request: Request) -> Response:
        await asyncio.sleep(0.1)
        name = request.url.rpartition("=")[2]
        return reply(200, [{"op": name}] if self.done[name] else [])


class World:
    """One session and its server. `check` compares what they say."""

    def __init__(self) -> None:
        self.server = Server()
        self.session = Session(
            PROFILE,
            "made-up-key",
            transport=self.server,
            timeout=10,
            max_in_flight=3,
            retry=RetryPolicy(max_wait=60),
        )

    def start(self, kind: str, faults: list[str], *, deadline: float | None, bulk: bool) -> Op:
        op = Op(len(self.server.ops) + 1, kind, faults)
        self.server.ops[op.name] = op
        op.task = asyncio.create_task(self._call(op, deadline, bulk=bulk))
        return op

    def _call(self, op: Op, deadline: float | None, *, bulk: bool) -> Coroutine[Any, Any, Any]:
        method, _ = KINDS[op.kind]
        return self.session.request(
            method,
            op.path,
            json={"op": op.name} if op.kind in (*ONCE, "put") else None,
            signal=op.controller.signal,
            priority="bulk" if bulk else "normal",
            deadline=deadline,
        )

    async def end(self) -> None:
        """Wait until every call has ended, and close."""
        tasks = [op.task for op in self.server.ops.values() if op.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(20)  # what is late is done
        engine = self.session._engine
        if engine is not None:
            assert engine.slots.used == 0
            assert sum(engine.gate.status().waiting.values()) == 0
            assert not engine.watch._guards
        await self.session.aclose()

    def check(self) -> None:
        """Each operation exactly once, or reported as unknown; never twice."""
        for op in self.server.ops.values():
            self._check(op)

    def _check(self, op: Op) -> None:
        assert op.task is not None
        done = self.server.done[op.name]
        story = f"{op.kind} {op.name}: done {done} times"
        if op.kind in ONCE:
            assert done <= 1, story
        if not op.task.done() or op.task.cancelled():
            return
        error = op.task.exception()
        if error is None:
            assert done >= 1, story
            return
        assert isinstance(error, LeavoError), repr(error)
        story = f"{story}, reported {error.outcome}: {error}\n{error.story}"
        assert len(error.attempts) == op.sent, story
        assert error.outcome == "unknown" or done == (error.outcome == "done") or op.kind not in ONCE, story
        if error.outcome == "not sent":
            assert done == 0, story
        if op.kind in ("unsafe", "natural") and error.safe_to_retry:
            assert done == 0, story
        assert not (op.kind in ("unsafe", "natural") and error.outcome == "unknown" and error.safe_to_retry), story


def schedule(seed: int) -> Coroutine[Any, Any, World]:
    """A whole life of a session, told by its seed."""
    return _schedule(random.Random(seed))


async def _schedule(chance: random.Random) -> World:
    random.seed(chance.random())  # the session's own draws
    world = World()
    for _ in range(chance.randint(1, 12)):
        faults = [chance.choice(FAULTS) for _ in range(chance.choice((0, 1, 1, 2, 3, 5)))]
        deadline = chance.choice((None, None, None, chance.uniform(0.01, 40)))
        op = world.start(chance.choice(list(KINDS)), faults, deadline=deadline, bulk=chance.random() < 0.3)
        loop, moment = asyncio.get_running_loop(), chance.choice((0.0, 0.05, 0.1, chance.uniform(0, 40)))
        match chance.randint(0, 9):
            case 0:
                loop.call_later(moment, op.controller.abort)
            case 1:
                assert op.task is not None
                loop.call_later(moment, op.task.cancel)
        await asyncio.sleep(chance.choice((0.0, 0.0, 0.05, chance.uniform(0, 10))))
    if chance.random() < 0.1:
        await world.session.aclose()
    await world.end()
    return world
