"""One logical request and all its attempts: the one loop where deciding and waiting meet."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeVar

import backoff

from leavo_async._io.gate import Gate
from leavo_async._io.guard import Guard, Watch
from leavo_async._io.permit import ExhaustedError, HeldError, LateError, Permit, RefusedError
from leavo_async._io.slots import Slots
from leavo_async._io.transport import Transport
from leavo_async._sansio.messages import Headers, Request, Response
from leavo_async._sansio.priority import NORMAL
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.quotas import read_quotas
from leavo_async._sansio.read import read
from leavo_async._sansio.records import AttemptRecord, Observer
from leavo_async._sansio.retry import HOPELESS, Failure, Retry, RetryPolicy, Settled, Stop
from leavo_async.errors import (
    APIError,
    ClosedError,
    DeadlineError,
    LeavoError,
    OutcomeUnknownError,
    QuotaExhaustedError,
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
    slots: Slots
    transport: Transport
    watch: Watch
    observers: Sequence[Observer]
    wall: Callable[[], float]
    draw: Callable[[], float]


class Call(Guard):
    """One call under way: its request, its limits of time, and its story so far."""

    __slots__ = ("engine", "first", "history", "permit", "phase", "policy", "request", "started", "timeout")

    def __init__(
        self,
        engine: Engine,
        request: Request,
        policy: RetryPolicy,
        *,
        timeout: float,
        deadline: float | None,
        rank: int = NORMAL,
    ) -> None:
        """rank: its place in PRIORITIES."""
        super().__init__(engine.watch, deadline)
        self.permit = Permit(engine.slots, request.groups, rank, policy.max_wait)
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
    gate, left = call.engine.gate, call.left()
    try:
        await gate.acquire(call.permit, left)
    except RefusedError as error:
        refusal = error
    else:
        try:
            return _outcome(call, await _exchange(call))
        finally:
            # Not before the outcome was judged: a 429 must hold the gate before the next attempt can pass it.
            gate.release(call.permit)
    raise call.told(_refused(call, refusal))


def _outcome(call: Call, outcome: Response | Failure) -> Response:
    if isinstance(outcome, Failure):
        return _judge(call, outcome)
    if call.history:
        outcome = replace(outcome, attempts=len(call.history) + 1)
    if call.engine.observers:
        call.note(outcome.status, None, None)
    return outcome


def _refused(call: Call, refusal: RefusedError) -> LeavoError:
    """The error for a call that the gate has not let wait."""
    match refusal:
        case HeldError(seconds=seconds):
            return _held(call, seconds)
        case LateError(estimate=estimate):
            return _late(call, estimate)
        case ExhaustedError(reset_at=reset_at):
            return _exhausted(call, reset_at)
        case _:
            raise AssertionError(refusal)


def _held(call: Call, seconds: float) -> RateLimitError:
    """It would have to wait longer than its policy allows, because of another's 429."""
    error = RateLimitError(
        f"{call.request}: the key is told to wait {seconds:.0f} s, which would pass max_wait", status=429
    )
    error.retry_after, error.retry_at = seconds, call.engine.wall() + seconds
    return error


def _late(call: Call, estimate: float) -> DeadlineError:
    error = DeadlineError(
        f"{call.request}: its turn would come in {estimate:.1f} s, after the deadline{_not_sent(call)}"
        " (calls before it, or a pause that the server has asked for: see session.status())"
    )
    error.phase, error.estimate = "queue", estimate
    return error


def _exhausted(call: Call, reset_at: float) -> QuotaExhaustedError:
    moment = datetime.fromtimestamp(reset_at, UTC).isoformat(timespec="seconds")
    error = QuotaExhaustedError(f"{call.request}: the daily cap is used up until {moment}{_not_sent(call)}")
    error.reset_at = reset_at
    return error


def _not_sent(call: Call) -> str:
    return "" if call.history else "; nothing was sent"


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
    now = engine.wall()
    outcome = read(engine.profile, call.request, response, now=now)
    if isinstance(outcome, Response):
        engine.gate.accepted(call.permit, read_quotas(outcome.headers, now=now))
    elif not isinstance(outcome.error, RateLimitError):
        engine.gate.accepted(call.permit, outcome.advice.quotas)
    return outcome


def _judge(call: Call, failure: Failure) -> Response:
    """Raise TryAgain or the final error, whatever the policy decides."""
    status = failure.error.status if isinstance(failure.error, APIError) else None
    if isinstance(failure.error, RateLimitError):
        failure = _told_to_wait(call, failure)
    error = failure.error
    left = call.left()
    decision = call.policy.decide(call.request, failure, call.history, left=left, draw=call.engine.draw())
    call.note(status, error, decision)
    if isinstance(decision, Retry):
        call.phase = "wait"
        raise TryAgain(decision.delay)
    if isinstance(decision, Settled):
        return Response(204, Headers(), attempts=len(call.history))
    raise call.told(_final(call, error, decision))


def _told_to_wait(call: Call, failure: Failure) -> Failure:
    """Let all calls of the key wait: it is the key's limit. Another failure if it was the daily cap of this one."""
    reset_at = call.engine.gate.refused(call.permit, failure.advice.wait or 0.0, failure.advice.quotas)
    return failure if reset_at is None else Failure(_exhausted(call, reset_at))


def _final(call: Call, error: LeavoError, stop: Stop) -> LeavoError:
    if stop.may_have_happened:
        unknown = OutcomeUnknownError(f"{error}; it may have been done, and doing it twice would do harm: look it up")
        unknown.because = str(error)
        return unknown
    if stop.because != HOPELESS:
        error.args = (f"{error}; gave up: {stop.because}",)
    return error
