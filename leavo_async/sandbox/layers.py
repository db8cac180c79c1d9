"""The way of a request through the sandbox: stamp, key, limit, fault, idempotency, effect.

The first three happen before the first await, so that requests are stamped, numbered and judged in one order.
Everything that changes data happens between two awaits.
"""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from aiohttp import web

from leavo_async.sandbox.connection import reset
from leavo_async.sandbox.faults import NO_FAULT, Fault, FaultScript
from leavo_async.sandbox.idempotency import Fresh, IdempotencyStore, InProgress, Mismatch, Replay
from leavo_async.sandbox.ledger import Effect, Ledger, RequestEntry
from leavo_async.sandbox.messages import Answer, Call, Done, Face, Refusal
from leavo_async.sandbox.reading import read_body, read_call, read_entry, read_segments
from leavo_async.sandbox.reception import Admission, Reception

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MISMATCH = Refusal(409, "This idempotency key was used for another request.", "IDEMPOTENCY_MISMATCH")
_IN_PROGRESS = Refusal(409, "The first request with this key is not finished.", "IDEMPOTENCY_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a request. answer: None if its connection is reset."""

    answer: Answer | None
    replayed: bool = False
    fault: Fault = NO_FAULT


@dataclass(frozen=True, slots=True)
class Layers:
    """All a request passes through, in order.

    idempotency: None if keys are ignored. marks_replays: whether a replayed answer says that it is one.
    latency: seconds of service.
    """

    face: Face
    reception: Reception
    script: FaultScript
    idempotency: IdempotencyStore | None
    marks_replays: bool
    ledger: Ledger
    latency: float
    clock: Callable[[], float]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The response to one request of aiohttp's server."""
        at = self.clock()
        segments = read_segments(request, self.face.prefix)
        admission = self._admission(request, segments, at)
        entry = self.ledger.arrive(read_entry(request, self.face, at, admission))
        body = await read_body(request)
        if body is None:
            return _hung_up(request)
        outcome = await self._outcome(admission, entry, read_call(request, entry, segments, body))
        self.ledger.conclude(_concluded(entry, body, outcome))
        return _response(request, admission, outcome)

    def _admission(self, request: web.Request, segments: tuple[str, ...], at: float) -> Admission:
        credential = self.face.credential(request.headers, request.query)
        return self.reception.receive(credential, self.face.groups(request.method, segments), at)

    async def _outcome(self, admission: Admission, entry: RequestEntry, call: Call) -> Outcome:
        if admission.refusal is not None:
            return Outcome(self.face.refuse(admission.refusal))
        fault = self.script.pick(entry.method, entry.path)
        outcome = await (self._instead(fault) if fault.instead else self._once(entry, call, fault))
        return replace(outcome, fault=fault, answer=None if fault.reset else outcome.answer)

    async def _instead(self, fault: Fault) -> Outcome:
        await _sleep(self.latency + fault.delay)
        return Outcome(None if fault.status is None else fault.over(self._bare(fault.status)))

    async def _once(self, entry: RequestEntry, call: Call, fault: Fault) -> Outcome:
        if self.idempotency is None or entry.idempotency_key is None or entry.method not in _WRITES:
            return Outcome(await self._work(call, fault))
        key = (entry.key, entry.idempotency_key)
        request = (entry.method, entry.path, entry.query, call.body)
        known = self.idempotency.begin(key, request, self.clock())
        if isinstance(known, Fresh):
            return await self._first(self.idempotency, key, known, call, fault)
        return await self._again(known, fault)

    async def _first(self, store: IdempotencyStore, key: Hashable, mine: Fresh, call: Call, fault: Fault) -> Outcome:
        try:
            answer = await self._work(call, fault)
        except BaseException:
            store.drop(key)
            raise
        mine.answer = answer
        return Outcome(answer)

    async def _again(self, known: Replay | Mismatch | InProgress, fault: Fault) -> Outcome:
        await _sleep(self.latency + fault.delay)
        match known:
            case Replay(first):
                mark = {"Idempotency-Replayed": "true"} if self.marks_replays else {}
                return Outcome(replace(first, headers={**first.headers, **mark}), replayed=True)
            case Mismatch():
                return Outcome(self.face.refuse(_MISMATCH))
            case InProgress():
                return Outcome(self.face.refuse(_IN_PROGRESS))

    async def _work(self, call: Call, fault: Fault) -> Answer:
        await _sleep(self.latency + fault.delay_before)
        done = self._perform(call)
        await _sleep(fault.delay_after)
        return fault.over(done.answer if fault.status is None else self._bare(fault.status))

    def _perform(self, call: Call) -> Done:
        done = self.face.perform(call)
        self.ledger.effects += [Effect(call.number, change.kind, change.id) for change in done.changes]
        return done

    def _bare(self, status: int) -> Answer:
        """What this API says with such a status, when nothing more is known."""
        if status < 400:
            return Answer(status)
        return self.face.refuse(Refusal(status, "This was scripted in the sandbox."))


def _concluded(entry: RequestEntry, body: bytes, outcome: Outcome) -> RequestEntry:
    return replace(
        entry,
        status=None if outcome.answer is None else outcome.answer.status,
        replayed=outcome.replayed,
        fault=None if outcome.fault is NO_FAULT else outcome.fault.name,
        body_bytes=len(body),
    )


def _hung_up(request: web.Request) -> web.Response:
    reset(request)
    # aiohttp wants a response; on a closed connection it is not sent.
    return web.Response()


def _response(request: web.Request, admission: Admission, outcome: Outcome) -> web.Response:
    answer = outcome.answer
    if answer is None:
        return _hung_up(request)
    return web.Response(status=answer.status, body=answer.body, headers={**admission.headers, **answer.headers})


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
