"""One call under way: what ends it, and its story so far."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from leavo_async._io.abort import AbortSignal
from leavo_async._io.credentials import Credentials
from leavo_async._io.gate import Gate
from leavo_async._io.guard import Fired, Guard, Watch
from leavo_async._io.permit import Permit
from leavo_async._io.progress import Progress
from leavo_async._io.slots import Slots
from leavo_async._io.transport import Transport
from leavo_async._sansio.auth import Secret
from leavo_async._sansio.budget import Budget
from leavo_async._sansio.encode import Rules
from leavo_async._sansio.messages import Request, Response
from leavo_async._sansio.priority import NORMAL
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.records import AttemptRecord, Observer, Outcome, Phase
from leavo_async._sansio.retry import FORGOTTEN, Retry, RetryPolicy, Settled, Stop, is_forgotten
from leavo_async.errors import (
    AbortedError,
    AuthenticationError,
    ClosedError,
    ConnectTimeoutError,
    DeadlineError,
    LeavoError,
    OutcomeUnknownError,
    ReadTimeoutError,
    TransportError,
)

T = TypeVar("T")
E = TypeVar("E", bound=LeavoError)
_CERTAINTY: tuple[Outcome, ...] = ("not sent", "unknown", "done")


@dataclass(slots=True)
class Engine:
    """What all calls of one session share. draw: chance, in [0, 1); wall: seconds since the Unix epoch."""

    profile: ApiProfile
    rules: Rules
    gate: Gate
    slots: Slots
    transport: Transport
    credentials: Credentials
    watch: Watch
    observers: Sequence[Observer]
    wall: Callable[[], float]
    draw: Callable[[], float]
    budget: Budget = field(default_factory=Budget)


class Call(Guard, Generic[T]):
    """One call under way: its request, what ends it, and its story so far."""

    __slots__ = (
        "asked",
        "began",
        "decoded",
        "ended_in",
        "engine",
        "gate",
        "history",
        "key",
        "observers",
        "pending",
        "permit",
        "policy",
        "progress",
        "refused",
        "request",
        "started",
        "step",
        "timeout",
    )

    key: Secret | None  # with which its latest attempt was signed
    asked: int  # how often it had been asked for then
    progress: Progress  # of its latest attempt
    ended_in: Phase  # what it was doing when it was ended

    def __init__(
        self,
        engine: Engine,
        request: Request,
        policy: RetryPolicy,
        decoded: Callable[[Request, Response], T],
        timeout: float,
        deadline: float | None,
        signal: AbortSignal | None = None,
        rank: int = NORMAL,
        observers: Sequence[Observer] = (),
    ) -> None:
        """decoded: the value of a good answer; raises a LeavoError if it cannot be read. rank: place in PRIORITIES.

        observers: those of this call, beside the session's.
        """
        super().__init__(engine.watch, deadline, signal)
        self.permit = Permit(engine.slots, request.groups, rank, policy.max_wait)
        self.engine = engine
        self.gate = engine.gate  # of its latest attempt: a new key may bring another
        self.request = request
        self.policy = policy
        self.decoded = decoded
        self.timeout = timeout
        self.observers = (*engine.observers, *observers) if observers else engine.observers
        self.history: tuple[AttemptRecord, ...] = ()
        self.step: Literal["queue", "attempt", "wait"] = "queue"
        self.began = self.started = 0.0  # its first attempt, its latest one
        self.pending: float | None = None  # the delay before its second attempt, until that begins
        self.refused: AuthenticationError | None = None  # a key was; it is asked for again before the next attempt

    @property
    def phase(self) -> Phase:
        """What it is doing."""
        return self.progress.phase if self.step == "attempt" else self.step

    def fire(self, cause: Fired) -> None:
        """End the wait inside, and remember which it was: afterwards the connection is gone."""
        if self.fired is None:
            self.ended_in = self.phase
        super().fire(cause)

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
            request_id=None if error is None else error.request_id,
        )
        self.history += (record,)
        for observer in self.observers:
            _tell(observer, record)

    def told(self, error: E) -> E:
        """The error, with the story of this call."""
        # The latest attempt may have done nothing, and an earlier one something.
        outcomes: set[Outcome] = {error.outcome, *(record.outcome for record in self.history)}
        error.outcome = max(outcomes, key=_CERTAINTY.index)
        error.attempts = self.history
        error.idempotency_key = self.request.idempotency_key
        is_known = not isinstance(error, OutcomeUnknownError)
        error.safe_to_retry = is_known and (self.request.repeatable or error.outcome == "not sent")
        if error.request_id is None:
            error.request_id = next((r.request_id for r in reversed(self.history) if r.request_id), None)
        return error

    def ending(self) -> ClosedError | DeadlineError | AbortedError:
        """The error for a call that was ended from outside."""
        error = super().ending()
        error.args = (f"{self.request}: {error}",)
        if isinstance(error, (DeadlineError, AbortedError)):
            error.phase = self.ended_in
        if self.step == "attempt":
            error.outcome = "not sent" if self.ended_in == "connect" else "unknown"
            self.note(None, error, Stop("the call was ended"))
        return self.told(error)

    def timed_out(self) -> TransportError:
        """The error for an attempt that has taken too long."""
        if self.ended_in == "connect":
            return ConnectTimeoutError(f"{self.request}: no connection within {self.timeout:g} s")
        what = "the request was not taken" if self.ended_in == "send" else "no complete answer"
        error = ReadTimeoutError(f"{self.request}: {what} within {self.timeout:g} s")
        error.phase = "send" if self.ended_in == "send" else "read"
        error.status = None if self.progress.head is None else self.progress.head.status
        return error

    def raise_if_forgotten(self) -> None:
        """Nothing is sent again once the server may take its key for a new one, however long the queue was."""
        age = self.engine.watch.loop.time() - self.began
        if is_forgotten(self.request, age, self.history):
            error = OutcomeUnknownError(f"{self.request}: it may have been done, and {FORGOTTEN}: look it up")
            error.because = FORGOTTEN
            raise self.told(error)

    def raise_if_aborted(self) -> None:
        """Nothing is sent for a signal that has aborted already."""
        if self.signal is not None and self.signal.aborted:
            raise self.told(self.signal.error(f"{self.request}: "))


def _tell(observer: Observer, record: AttemptRecord) -> None:
    """Tell an observer; its own failure must not make a call fail that has done its work."""
    try:
        observer(record)
    except Exception as error:  # noqa: BLE001
        context = {"message": "an observer of leavo_async failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
