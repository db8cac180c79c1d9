"""Whether a failed attempt is followed by another, and after how long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leavo_async._sansio.advice import ServerAdvice
from leavo_async._sansio.messages import Request
from leavo_async._sansio.records import AttemptRecord
from leavo_async.errors import (
    APIError,
    AuthenticationError,
    ConfigError,
    ConnectError,
    LeavoError,
    NotFoundError,
    RateLimitError,
    ResponseTooLargeError,
    ServerError,
    TLSError,
    TransportError,
)

HOPELESS = "trying again would not help"
FORGOTTEN = "the server may have forgotten the idempotency key by then"
# Errors that use up no attempt: they are about the key, not about the call.
FREE = ("AuthenticationError", "RateLimitError")


class Failure(NamedTuple):
    """An attempt that did not succeed: the error, and what the server asked for.

    final: why the same request would get the same answer, whatever the class of the error; None if it may not.
    in_progress: the server says that the first request with this idempotency key is not answered yet.
    may_renew: the credentials can be asked for again.
    """

    error: LeavoError
    advice: ServerAdvice = ServerAdvice()
    final: str | None = None
    in_progress: bool = False
    may_renew: bool = False


class Retry(NamedTuple):
    """Try again after `delay` seconds."""

    delay: float
    because: str


class Stop(NamedTuple):
    """Do not try again. may_have_happened: the request may have been acted on and must not be repeated."""

    because: str
    may_have_happened: bool = False


class Settled(NamedTuple):
    """The error shows that an earlier attempt has done what was asked."""

    because: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how long, a call is tried.

    max_attempts: sends of one call, the first included; answers of 429 do not count, nor the block of a key, nor one of
        401 after which the key was asked for again.
    first_delay, max_delay: the delay before attempt n + 1 is draw × min(max_delay, first_delay × 2ⁿ⁻¹) seconds, draw in
        [0, 1); after a server's wait it is that wait + draw × 1 s, never less.
    max_wait: seconds that all delays of a call may sum up to; a delay that does not fit gives up at once.
    refusals: statuses with which the server turns a request away before anybody acts on it, so that a write may go
        again whatever it is. Add 503 if your server sends it only then.

    Raises ConfigError for values out of range.
    """

    max_attempts: int = 4
    first_delay: float = 1.0
    max_delay: float = 30.0
    max_wait: float = 300.0
    refusals: frozenset[int] = frozenset({425, 429})

    def __post_init__(self) -> None:
        if self.max_attempts < 1 or not 0 <= self.first_delay <= self.max_delay or not self.max_wait >= 0:
            raise ConfigError(
                f"{self}: max_attempts must be at least 1, 0 <= first_delay <= max_delay, max_wait 0 or more"
            )

    def decide(
        self,
        request: Request,
        failure: Failure,
        history: Sequence[AttemptRecord],
        *,
        left: float | None,
        draw: float,
        age: float = 0.0,
        has_budget: bool = True,
    ) -> Retry | Stop | Settled:
        """What follows after an attempt of `request` has failed.

        history: the attempts before this one. left: seconds until the caller's deadline; None without one.
        draw: chance, in [0, 1). age: seconds since the first attempt began. has_budget: whether the session may repeat
        something.
        """
        return (
            _settled(request, failure.error, history)
            or self._forbidden(request, failure, history)
            or self._fitting(request, failure, history, left, draw, age, has_budget=has_budget)
        )

    def was_refused(self, error: LeavoError) -> bool:
        """The request never left, or was turned away before anybody acted on it: whatever it is, it may go again."""
        if isinstance(error, ConnectError):
            return not isinstance(error, TLSError)
        return isinstance(error, APIError) and (error.status in self.refusals or _is_block(error))

    def _forbidden(self, request: Request, failure: Failure, history: Sequence[AttemptRecord]) -> Stop | None:
        """A Stop if this error must not be followed by another attempt; the table is in docs/explanation/retries.md."""
        error = failure.error
        unknown = error.outcome == "unknown" and not request.repeatable
        if failure.final is not None or _is_believed(error, history):
            return Stop(failure.final or "the same error came again", may_have_happened=unknown)
        if self.was_refused(error) or _asks_again(failure, history) or _is_in_progress(request, failure, history):
            return None
        if not _may_pass(error) or (error.outcome == "done" and not request.repeatable):
            return Stop(HOPELESS, may_have_happened=unknown)
        return Stop("it may already have been acted on", may_have_happened=True) if unknown else None

    def _fitting(
        self,
        request: Request,
        failure: Failure,
        history: Sequence[AttemptRecord],
        left: float | None,
        draw: float,
        age: float,
        *,
        has_budget: bool,
    ) -> Retry | Stop:
        # A policy without delays would ask for ever where nobody says how long to wait.
        endless = isinstance(failure.error, RateLimitError) and failure.advice.wait is None and not self.first_delay
        if endless or not is_free(failure.error):
            counted = 1 + sum(endless or record.problem not in FREE for record in history)
            if counted >= self.max_attempts:
                return Stop(f"{counted} attempts failed")
            if not has_budget:
                return Stop("too many of the session's calls are being repeated (over 10 % of them, and ten a minute)")
        delay = 0.0 if _asks_again(failure, history) else self._delay(failure.advice.wait, len(history), draw)
        waited = sum(record.delay or 0.0 for record in history)
        if waited + delay > self.max_wait:
            return Stop(f"the next wait of {delay:.1f} s would pass max_wait of {self.max_wait:g} s")
        if left is not None and delay >= left:
            return Stop(f"the next wait of {delay:.1f} s would pass the deadline")
        if is_forgotten(request, age + delay, history, failure.error):
            return Stop(FORGOTTEN, may_have_happened=True)
        return Retry(delay, _reason(failure))

    def _delay(self, wait: float | None, earlier: int, draw: float) -> float:
        if wait is not None:
            return wait + draw
        # The exponent is bounded so that a long row of attempts cannot overflow a float.
        return draw * min(self.max_delay, self.first_delay * 2.0 ** min(earlier, 60))


def is_forgotten(
    request: Request, age: float, history: Sequence[AttemptRecord], error: LeavoError | None = None
) -> bool:
    """Whether the server may take the idempotency key for a new one, and do again what it may have done already.

    age: seconds since the first attempt began. history, error: the attempts that have ended, and what ended one more.
    """
    may_be_done = _may_be_done(history) or (error is not None and error.outcome != "not sent")
    return age >= request.key_lasts and may_be_done


def _settled(request: Request, error: LeavoError, history: Sequence[AttemptRecord]) -> Settled | None:
    """A repeated DELETE that finds nothing: an attempt before it, whose answer was lost, has deleted it."""
    if request.method == "DELETE" and isinstance(error, NotFoundError) and _may_be_done(history):
        return Settled("an earlier attempt deleted it")
    return None


def _is_believed(error: LeavoError, history: Sequence[AttemptRecord]) -> bool:
    """A name that does not exist, an answer that is not HTTP: after so many of them the next would be the same."""
    if not isinstance(error, TransportError) or error.max_repeats is None:
        return False
    return sum(record.problem == type(error).__name__ for record in history) >= error.max_repeats


def _asks_again(failure: Failure, history: Sequence[AttemptRecord]) -> bool:
    """A refused key is asked for again, once: some services lock a key after a few bad tries."""
    refused = failure.may_renew and isinstance(failure.error, AuthenticationError)
    return refused and all(record.status != 401 for record in history)


def _is_in_progress(request: Request, failure: Failure, history: Sequence[AttemptRecord]) -> bool:
    """The server still works on an earlier attempt, and will give its answer for the same key.

    Some say so by a code; where none tells, a conflict with an attempt of unknown outcome before it can be nothing else
    if keys are honoured: https://docs.stripe.com/error-low-level
    """
    if request.key_lasts == math.inf:
        return False
    is_conflict = isinstance(failure.error, APIError) and failure.error.status == 409
    return failure.in_progress or (is_conflict and _may_be_done(history))


def _may_be_done(history: Sequence[AttemptRecord]) -> bool:
    """Whether one of these attempts has, or may have, done what was asked."""
    return any(record.outcome != "not sent" for record in history)


def _is_block(error: APIError) -> bool:
    """A 403 for having asked too often: the server's gate-keeper gives it, and nobody behind has seen the request."""
    return isinstance(error, RateLimitError) and error.status == 403


def is_free(error: LeavoError) -> bool:
    """Whether it uses up neither an attempt nor the budget."""
    return type(error).__name__ in FREE


def _may_pass(error: LeavoError) -> bool:
    """Whether the same request may well succeed a little later."""
    if isinstance(error, TransportError):
        return not isinstance(error, (TLSError, ResponseTooLargeError))
    return isinstance(error, ServerError)


def _reason(failure: Failure) -> str:
    if failure.advice.wait is not None:
        return f"the server asked for {failure.advice.wait:g} s"
    if isinstance(failure.error, APIError):
        return f"status {failure.error.status}"
    return type(failure.error).__name__
