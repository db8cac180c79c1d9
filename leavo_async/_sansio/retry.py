"""Whether a failed attempt is followed by another, and after how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from leavo_async._sansio.advice import ServerAdvice
from leavo_async._sansio.messages import Request
from leavo_async._sansio.records import AttemptRecord
from leavo_async.errors import (
    APIError,
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


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that did not succeed: the error, and what the server asked for.

    is_final: the same request would get the same answer, whatever the class of the error.
    """

    error: LeavoError
    advice: ServerAdvice = field(default_factory=ServerAdvice)
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay` seconds."""

    delay: float
    because: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not try again. may_have_happened: the request may have been acted on and must not be repeated."""

    because: str
    may_have_happened: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """The error shows that an earlier attempt has done what was asked."""

    because: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how long, a call is tried.

    max_attempts: sends of one call, the first included; answers of 429 do not count.
    first_delay, max_delay: the delay before attempt n + 1 is draw × min(max_delay, first_delay × 2ⁿ⁻¹) seconds, draw in
        [0, 1); after a server's wait it is that wait + draw × 1 s, never less.
    max_wait: seconds that all delays of a call may sum up to; a delay that does not fit gives up at once.

    Raises ConfigError for values out of range.
    """

    max_attempts: int = 4
    first_delay: float = 1.0
    max_delay: float = 30.0
    max_wait: float = 300.0

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
    ) -> Retry | Stop | Settled:
        """What follows after an attempt of `request` has failed.

        history: the attempts before this one. left: seconds until the caller's deadline; None without one.
        draw: chance, in [0, 1).
        """
        return (
            _settled(request, failure.error, history)
            or _forbidden(request, failure)
            or self._fitting(failure, history, left, draw)
        )

    def _fitting(
        self, failure: Failure, history: Sequence[AttemptRecord], left: float | None, draw: float
    ) -> Retry | Stop:
        counted = 1 + sum(record.status != 429 for record in history)
        is_429 = isinstance(failure.error, RateLimitError)
        if counted >= self.max_attempts and not is_429:
            return Stop(f"{counted} attempts failed")
        delay = self._delay(failure.advice.wait, len(history), draw)
        waited = sum(record.delay or 0.0 for record in history)
        if waited + delay > self.max_wait:
            return Stop(f"the next wait of {delay:.1f} s would pass max_wait of {self.max_wait:g} s")
        if left is not None and delay >= left:
            return Stop(f"the next wait of {delay:.1f} s would pass the deadline")
        return Retry(delay, _reason(failure))

    def _delay(self, wait: float | None, earlier: int, draw: float) -> float:
        if wait is not None:
            return wait + draw
        # The exponent is bounded so that a long row of attempts cannot overflow a float.
        return draw * min(self.max_delay, self.first_delay * 2.0 ** min(earlier, 60))


def _settled(request: Request, error: LeavoError, history: Sequence[AttemptRecord]) -> Settled | None:
    """A repeated DELETE that finds nothing: the attempt of unknown outcome before it has deleted it."""
    if request.method == "DELETE" and isinstance(error, NotFoundError):
        return Settled("an earlier attempt deleted it") if any(r.outcome == "unknown" for r in history) else None
    return None


def _forbidden(request: Request, failure: Failure) -> Stop | None:
    """A Stop if this error must not be followed by another attempt; the table is in docs/explanation/retries.md."""
    error = failure.error
    if _was_refused(error):
        return None
    unknown = error.outcome == "unknown" and not request.repeatable
    if failure.is_final or not _may_pass(error):
        return Stop(HOPELESS, may_have_happened=unknown)
    return Stop("it may already have been acted on", may_have_happened=True) if unknown else None


def _was_refused(error: LeavoError) -> bool:
    """The request never left, or was turned away before anybody acted on it: whatever it is, it may go again."""
    if isinstance(error, ConnectError):
        return not isinstance(error, TLSError)
    return isinstance(error, APIError) and error.status in (425, 429)


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
