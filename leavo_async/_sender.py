"""One logical request and all its attempts: the one loop where deciding and waiting meet."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import backoff
from pydantic_core import to_json

from leavo_async._call import Call
from leavo_async._io.permit import ExhaustedError, HeldError, LateError, RefusedError
from leavo_async._io.progress import Progress
from leavo_async._sansio.decode import decode_page
from leavo_async._sansio.encode import encode
from leavo_async._sansio.idempotency import is_write
from leavo_async._sansio.messages import Headers, Lookup, Response
from leavo_async._sansio.priority import PRIORITIES
from leavo_async._sansio.quotas import read_quotas
from leavo_async._sansio.read import read
from leavo_async._sansio.retry import FREE, HOPELESS, Failure, Retry, Settled, Stop, is_free
from leavo_async.errors import (
    AuthenticationError,
    ConfigError,
    ConnectTimeoutError,
    DeadlineError,
    LeavoError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    TransportError,
)

T = TypeVar("T")
_BULK = PRIORITIES.index("bulk")
_OF_A_WRITE = ("Content-Type", "Idempotency-Key")


class TryAgain(Exception):
    """Another attempt after `delay` seconds. It carries nothing else, so nothing can leak through it."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self.delay = delay


async def send(call: Call[T]) -> T:
    """The value of a call, after as many attempts as its policy allows; raises the error that ended it."""
    if call.signal is not None:
        call.raise_if_aborted()
    unknown: OutcomeUnknownError | None = None
    with call:
        try:
            # Bare: a call that succeeds at once, as nearly all do, does not pay for the machinery of repeating.
            return await _attempt(call)
        except TryAgain as again:
            call.pending = again.delay
        except OutcomeUnknownError as error:
            unknown = error
        return await _further(call, unknown)
    raise call.ending()


async def _further(call: Call[T], unknown: OutcomeUnknownError | None) -> T:
    """What follows the first attempt: repeats, or a look at what it has done."""
    if unknown is None:
        try:
            return await _repeat(call)
        except OutcomeUnknownError as error:
            unknown = error
    if call.request.lookup is not None:
        return await _confirmed(call, call.request.lookup, unknown)
    raise unknown


async def _confirmed(call: Call[T], lookup: Lookup, unknown: OutcomeUnknownError) -> T:
    """The value of a write of unknown outcome, if the thing can be found; the error, if it cannot."""
    call.step = "wait"
    problem: str = ""
    for delay in (0.0, call.policy.first_delay, 2 * call.policy.first_delay):
        await asyncio.sleep(delay)  # the server may still be at it, or its listings a little behind
        try:
            found = await _found(call, lookup)
        except LeavoError as error:
            problem = f"the look-up failed: {error}"
            break
        if len(found) == 1:
            # Only the answer was lost; this is what it would have told.
            return call.decoded(call.request, Response(200, Headers(), to_json(found[0]), len(call.history)))
        problem = f"{len(found) or 'none'} found"
        if found:
            break
    unknown.lookup = problem
    unknown.args = (f"{unknown} ({problem})",)
    raise unknown


async def _found(call: Call[T], lookup: Lookup) -> list[Any]:
    """What the look-up shows of the thing. It is a call of its own, under the guard of the first."""
    engine = call.engine
    # With the fields that the write had: they may say whose thing it is, and another moment may have others.
    rules = engine.rules._replace(headers=None)
    headers = {name: text for name, text in call.request.headers.items() if name not in _OF_A_WRITE}
    request = encode(rules, "GET", lookup.path, params=lookup.params, headers=headers, new_key=str)
    decoded = partial(decode_page, engine.profile, paging=engine.profile.paging)
    look = Call(engine, request, call.policy, decoded, call.timeout, None, rank=call.permit.rank)
    look.observers = call.observers
    page = await send(look)
    return [item for item in page.items if lookup.is_it(item)]


def _delay(again: TryAgain | None = None) -> object:
    # backoff calls it with nothing at first, to see whether it is a constant: then it must give itself.
    return _delay if again is None else again.delay


with warnings.catch_warnings():
    # Decorating asks asyncio.iscoroutinefunction, which Python 3.14 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)

    # The policy speaks through TryAgain alone: no jitter of backoff's (it undercuts Retry-After), no limit of tries or
    # time (the policy has them), no logger (it prints the text of exceptions).
    @backoff.on_exception(backoff.runtime, TryAgain, value=_delay, jitter=None, logger=None)
    async def _repeat(call: Call[T]) -> T:
        if call.pending is not None:
            delay, call.pending = call.pending, None
            raise TryAgain(delay)  # backoff knows how to wait before the second attempt
        return await _attempt(call)


async def _attempt(call: Call[T]) -> T:
    call.step = "queue"
    if call.refused is not None or call.engine.credentials.current is None:
        await _ask_for_the_key(call)
    if call.history and call.permit.rank == _BULK:
        await _wait_for_budget(call)
    gate = call.gate = call.engine.gate
    try:
        if not gate.grant_at_once(call.permit):
            await gate.acquire(call.permit, call.left())
    except RefusedError as error:
        refusal = error
    else:
        try:
            if call.history:
                call.raise_if_forgotten()
            return _outcome(call, await _exchange(call))
        finally:
            # Not before the outcome was judged: a 429 must hold the gate before the next attempt can pass it.
            gate.release(call.permit)
    raise call.told(_refused(call, refusal))


async def _ask_for_the_key(call: Call[T]) -> None:
    """Before the first request of a session, and after the server has refused its key."""
    refused, call.refused = call.refused, None
    problem: LeavoError | None = refused
    call.bound(call.timeout)
    try:
        if refused is None:
            await call.engine.credentials.ready()
            return
        if await call.engine.credentials.renew(call.key, call.asked):
            return
    except asyncio.CancelledError:
        if not call.attempt_timed_out():
            raise
        problem = refused or ConnectTimeoutError(f"{call.request}: no key was given within {call.timeout:g} s")
    except Exception as error:
        if refused is None:
            raise
        refused.args = (f"{refused}; asking for another one has failed ({type(error).__name__})",)
    finally:
        call.unbound()
    assert problem is not None
    raise call.told(problem)


async def _wait_for_budget(call: Call[T]) -> None:
    """A long job has time: it waits until it may repeat, where others give up."""
    if call.history[-1].problem not in FREE:
        while delay := call.engine.budget.take(call.engine.watch.loop.time()):  # noqa: ASYNC110  # nobody tells it
            await asyncio.sleep(delay)


def _outcome(call: Call[T], outcome: Response | Failure) -> T:
    if isinstance(outcome, Failure):
        return _judge(call, outcome, getattr(outcome.error, "status", None))
    if call.history:
        outcome = replace(outcome, attempts=len(call.history) + 1)
    try:
        value = call.decoded(call.request, outcome)
    except LeavoError as error:
        failure = _unreadable(call, error)
    else:
        if call.observers:
            call.note(outcome.status, None, None)
        return value
    return _judge(call, failure, outcome.status)


def _unreadable(call: Call[T], error: LeavoError) -> Failure:
    """A good answer that says nothing of use. A write was done; a read may be told better the next time."""
    error.__traceback__ = None  # the frames of decoding hold people's data
    if isinstance(error, TransportError):
        call.progress.abort()  # it may have been another's answer: then each one on this connection would be
    again = isinstance(error, TransportError) and not is_write(call.request.method)
    return Failure(error, final=None if again else HOPELESS)


def _refused(call: Call[T], refusal: RefusedError) -> LeavoError:
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


def _held(call: Call[T], seconds: float) -> RateLimitError:
    """It would have to wait longer than its policy allows, because of another's 429."""
    error = RateLimitError(
        f"{call.request}: the key is told to wait {seconds:.0f} s, which would pass max_wait", status=429
    )
    error.retry_after, error.retry_at = seconds, call.engine.wall() + seconds
    return error


def _late(call: Call[T], estimate: float) -> DeadlineError:
    error = DeadlineError(
        f"{call.request}: its turn would come in {estimate:.1f} s, after the deadline{_not_sent(call)}"
        " (calls before it, or a pause that the server has asked for: see session.status())"
    )
    error.phase, error.estimate = "queue", estimate
    return error


def _exhausted(call: Call[T], reset_at: float) -> QuotaExhaustedError:
    moment = datetime.fromtimestamp(reset_at, UTC).isoformat(timespec="seconds")
    error = QuotaExhaustedError(f"{call.request}: the daily cap is used up until {moment}{_not_sent(call)}")
    error.reset_at = reset_at
    return error


def _not_sent(call: Call[T]) -> str:
    return "; nothing was sent" if call.step == "queue" and not call.history else ""


async def _exchange(call: Call[T]) -> Response | Failure:
    """One attempt, from permit to last byte."""
    engine = call.engine
    call.step, call.progress = "attempt", Progress()
    call.key, call.asked = engine.credentials.current, engine.credentials.asked
    call.started = call.bound(call.timeout)
    if not call.history:
        call.began = call.started
        engine.budget.sent(call.started)
    try:
        response = await engine.transport.send(call.request, call.progress)
    except (TransportError, ConfigError) as error:
        # A transport may have turned our cancellation into an error of its own: that ends the attempt, and not what the
        # cancellation was for.
        if not call.attempt_timed_out():
            call.raise_if_fired()
        refusal = call.progress.refusal
        if refusal is None:
            return Failure(error, final=HOPELESS if isinstance(error, ConfigError) else None)
        response = refusal  # its status counts more than its words, which are lost
    except asyncio.CancelledError:
        if not call.attempt_timed_out():
            raise
        refusal = call.progress.refusal
        if refusal is None:
            return Failure(call.timed_out())
        response = refusal
    finally:
        call.unbound()
    now = engine.wall()
    outcome = read(engine.profile, call.request, response, now=now, is_refused=call.gate.is_refused)
    if isinstance(outcome, Response):
        call.gate.accepted(call.permit, read_quotas(outcome.headers, now=now))
    elif not isinstance(outcome.error, RateLimitError):
        call.gate.accepted(call.permit, outcome.advice.quotas)
    return outcome


def _judge(call: Call[T], failure: Failure, status: int | None) -> T:
    """Raise TryAgain or the final error, whatever the policy decides."""
    if isinstance(failure.error, RateLimitError):
        failure = _told_to_wait(call, failure)
    decision = _decision(call, failure)
    error = failure.error
    call.note(status, error, decision)
    if isinstance(decision, Retry):
        call.step = "wait"
        call.refused = error if isinstance(error, AuthenticationError) else None
        raise TryAgain(decision.delay)
    if isinstance(decision, Settled):
        return call.decoded(call.request, Response(204, Headers(), attempts=len(call.history)))
    raise call.told(_final(call, error, decision))


def _decision(call: Call[T], failure: Failure) -> Retry | Stop | Settled:
    engine, error = call.engine, failure.error
    if call.policy.was_refused(error):
        error.outcome = "not sent"
    if isinstance(error, AuthenticationError):
        failure = failure._replace(may_renew=engine.credentials.may_renew)
    now = engine.watch.loop.time()
    is_bulk = call.permit.rank == _BULK  # it waits for the budget before its next attempt
    decision = call.policy.decide(
        call.request,
        failure,
        call.history,
        left=call.left(),
        draw=engine.draw(),
        age=now - call.began,
        has_budget=is_bulk or not engine.budget.delay(now),
    )
    if isinstance(decision, Retry) and not is_bulk and not is_free(error):
        engine.budget.take(now)
    return decision


def _told_to_wait(call: Call[T], failure: Failure) -> Failure:
    """Let all calls of the key wait: it is the key's limit. Another failure if it was the daily cap of this one."""
    # Where nobody says how long, one goes ahead after a moment, and the others wait for its answer.
    wait = call.policy.first_delay if failure.advice.wait is None else failure.advice.wait
    reset_at = call.gate.refused(call.permit, wait, failure.advice.quotas)
    return failure if reset_at is None else Failure(_exhausted(call, reset_at))


def _final(call: Call[T], error: LeavoError, stop: Stop) -> LeavoError:
    if stop.may_have_happened:
        unknown = OutcomeUnknownError(f"{error}; it may have been done, and doing it twice would do harm: look it up")
        unknown.because = str(error)
        unknown.request_id, unknown.retry_at = error.request_id, error.retry_at
        return unknown
    if stop.because != HOPELESS:
        error.args = (f"{error}; gave up: {stop.because}",)
    return error
