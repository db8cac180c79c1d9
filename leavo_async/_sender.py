"""One logical request and all its attempts: the one loop where deciding and waiting meet."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import backoff

from leavo_async._io.gate import Gate, HeldError
from leavo_async._io.guard import Guard, Watch
from leavo_async._io.transport import Transport
from leavo_async._sansio.messages import Headers, Request, Response
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.read import read
from leavo_async._sansio.records import AttemptRecord, Observer
from leavo_async._sansio.retry import HOPELESS, Failure, Retry, RetryPolicy, Settled, Stop
from leavo_async.errors import (
    APIError,
    ClosedError,
    DeadlineError,
    LeavoError,
    OutcomeUnknownError,
    RateLimitError,
    ReadTimeoutError,
    TransportError,
)

E = TypeVar("E", bound=LeavoError)


class TryAgain(Exception):
    """Another attempt after `delay` seconds. It carries nothing else, so nothing can leak through it."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self.delay = delay


@dataclass(frozen=True, slots=True)
class Engine:
    """What all calls of one session share. draw: chance, in [0, 1); wall: seconds since the Unix epoch."""

    profile: ApiProfile
    gate: Gate
    transport: Transport
    watch: Watch
    observers: Sequence[Observer]
    wall: Callable[[], float]
    draw: Callable[[], float]


class Call(Guard):
    """One call under way: its request, its limits of time, and its story so far."""

    __slots__ = ("engine", "first", "history", "phase", "policy", "request", "started", "timeout")

    def __init__(
        self, engine: Engine, request: Request, policy: RetryPolicy, *, timeout: float, deadline: float | None
    ) -> None:
        super().__init__(engine.watch, deadline)
        self.engine = engine
        self.request = request
        self.policy = policy
        self.timeout = timeout
        self.history: tuple[AttemptRecord, ...] = ()
        self.phase: Literal["queue", "attempt", "wait"] = "queue"
        self.started = 0.0
        self.first: TryAgain | None = None

    def note(self, status: int | None, error: LeavoError | None, decision: Retry | Stop | Settled | None) -> None:
        """Add the attempt that has just ended to the story, and tell the observers."""
        record = AttemptRecord(
            method=self.request.method,
            path=self.request.path,
            number=len(self.history) + 1,
            status=status,
            problem=None if error is None else type(error).__name__,
            outcome="done" if error is None else error.outcome,
            seconds=self.engine.watch.loop.time() - self.started,
            delay=decision.delay if isinstance(decision, Retry) else None,
            because="" if decision is None else decision.because,
        )
        self.history += (record,)
        for observer in self.engine.observers:
            _tell(observer, record)

    def told(self, error: E) -> E:
        """The error, with the story of this call."""
        if error.outcome == "not sent" and any(record.outcome == "unknown" for record in self.history):
            error.outcome = "unknown"  # this attempt did nothing, but an earlier one may have
        error.attempts = self.history
        error.idempotency_key = self.request.idempotency_key
        error.safe_to_retry = self.request.repeatable or error.outcome == "not sent"
        return error

    def misread(self, error: LeavoError, response: Response) -> None:
        """Give an error about the answer of this call the call's story."""
        if len(self.history) < response.attempts:
            self.note(response.status, None, None)
        self.told(error)

    def ending(self) -> ClosedError | DeadlineError:
        """The error for a call that was ended from outside."""
        error = super().ending()
        error.args = (f"{self.request}: {error}",)
        if isinstance(error, DeadlineError):
            error.phase = self.phase
        if self.phase == "attempt":
            error.outcome = "unknown"
            self.note(None, error, Stop("the call was ended"))
        return self.told(error)


async def send(call: Call) -> Response:
    """The answer of a call, after as many attempts as its policy allows; raises the error that ended it."""
    with call:
        try:
            # Bare: a call that succeeds at once, as nearly all do, does not pay for the machinery of repeating.
            return await _attempt(call)
        except TryAgain as again:
            call.first = again
        return await _repeat(call)
    raise call.ending()


def _tell(observer: Observer, record: AttemptRecord) -> None:
    """Tell an observer; its own failure must not make a call fail that has done its work."""
    try:
        observer(record)
    except Exception as error:  # noqa: BLE001
        context = {"message": "an observer of leavo_async failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)


def _delay(again: TryAgain | None = None) -> object:
    # backoff calls it with nothing at first, to see whether it is a constant: then it must give itself.
    return _delay if again is None else again.delay


with warnings.catch_warnings():
    # Decorating asks asyncio.iscoroutinefunction, which Python 3.14 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)

    # The policy speaks through TryAgain alone: no jitter of backoff's (it undercuts Retry-After), no limit of tries or
    # time (the policy has them), no logger (it prints the text of exceptions).
    @backoff.on_exception(backoff.runtime, TryAgain, value=_delay, jitter=None, logger=None)
    async def _repeat(call: Call) -> Response:
        if call.first is not None:
            first, call.first = call.first, None
            raise first  # backoff knows how to wait before the second attempt
        return await _attempt(call)


async def _attempt(call: Call) -> Response:
    call.phase = "queue"
    try:
        await call.engine.gate.acquire(call.policy.max_wait)
    except HeldError as held:
        seconds = held.seconds
    else:
        try:
            return _outcome(call, await _exchange(call))
        finally:
            # Not before the outcome was judged: a 429 must hold the gate before the next attempt can pass it.
            call.engine.gate.release()
    raise call.told(_held(call, seconds))


def _outcome(call: Call, outcome: Response | Failure) -> Response:
    if isinstance(outcome, Failure):
        return _judge(call, outcome)
    if call.history:
        outcome = replace(outcome, attempts=len(call.history) + 1)
    if call.engine.observers:
        call.note(outcome.status, None, None)
    return outcome


def _held(call: Call, seconds: float) -> RateLimitError:
    """The error for a call that would have to wait longer than its policy allows, because of another's 429."""
    error = RateLimitError(
        f"{call.request}: the key is told to wait {seconds:.0f} s, which would pass max_wait", status=429
    )
    error.retry_after, error.retry_at = seconds, call.engine.wall() + seconds
    return error


async def _exchange(call: Call) -> Response | Failure:
    """One attempt, from permit to last byte."""
    engine = call.engine
    call.phase = "attempt"
    call.started = engine.watch.loop.time()
    call.bound(call.timeout)
    try:
        response = await engine.transport.send(call.request)
    except TransportError as error:
        call.attempt_timed_out()  # a transport that turns our cancellation into an error of its own has answered it
        return Failure(error)
    except asyncio.CancelledError:
        if not call.attempt_timed_out():
            raise
        return Failure(ReadTimeoutError(f"{call.request}: no complete answer within {call.timeout:g} s"))
    finally:
        call.unbound()
    return read(engine.profile, call.request, response, now=engine.wall())


def _judge(call: Call, failure: Failure) -> Response:
    """Raise TryAgain or the final error, whatever the policy decides."""
    error = failure.error
    left = call.left()
    decision = call.policy.decide(call.request, failure, call.history, left=left, draw=call.engine.draw())
    call.note(error.status if isinstance(error, APIError) else None, error, decision)
    if isinstance(error, RateLimitError):
        call.engine.gate.hold(failure.advice.wait or 0.0)  # it is the key's limit: all its calls wait
    if isinstance(decision, Retry):
        call.phase = "wait"
        raise TryAgain(decision.delay)
    if isinstance(decision, Settled):
        return Response(204, Headers(), attempts=len(call.history))
    raise call.told(_final(call, error, decision))


def _final(call: Call, error: LeavoError, stop: Stop) -> LeavoError:
    if stop.may_have_happened:
        unknown = OutcomeUnknownError(f"{error}; it may have been done, and doing it twice would do harm: look it up")
        unknown.because = str(error)
        return unknown
    if stop.because != HOPELESS:
        error.args = (f"{error}; gave up: {stop.because}",)
    return error
