"""Every error this library raises, as one tree.

    LeavoError                    .outcome .attempts .idempotency_key .safe_to_retry .request_id .retry_at .user_message
    ├── ConfigError (ValueError)  refused before any I/O: bad key, http://, bad path, read-only session, wrong loop
    ├── ClosedError               the session was closed before or during the call
    ├── QuotaExhaustedError       a daily cap is used up; .reset_at
    ├── APIError                  the server's answer: .status .code .details .response
    │   ├── BadRequestError 400 · UnprocessableError 422
    │   ├── AuthenticationError 401 · PermissionDeniedError 403 (.missing_scope)
    │   ├── NotFoundError 404 · ConflictError 409 · IdempotencyMismatchError
    │   ├── RateLimitError 429    .retry_after; also a 403 that blocks a key for having asked too often
    │   └── ServerError 408, 5xx
    ├── TransportError            ended one attempt; .phase: connect | send | read
    │   ├── ConnectError          nothing was sent
    │   │   ├── ConnectTimeoutError (TimeoutError)
    │   │   └── TLSError          never tried again
    │   ├── ReadError             the outcome is unknown
    │   │   └── ReadTimeoutError (TimeoutError)
    │   └── ProtocolError         not HTTP, cut short, not JSON, a redirect
    │       └── ResponseTooLargeError
    ├── OutcomeUnknownError       a write that may have happened and must not be repeated; .because .lookup
    ├── DeadlineError (TimeoutError)  the caller's deadline has passed, or would pass in the queue; .phase .estimate
    ├── AbortedError              the caller's signal has aborted; .phase .reason
    ├── ResponseValidationError   a 2xx whose shape is not what was promised; .problems
    └── JournalError              the journal of an import cannot be read or written

`outcome` tells what happened at the server: "not sent" (nothing was done: the request never left, or it was refused),
"unknown" (it may have been done) or "done" (it was done, but the answer is of no use).
Errors survive `copy` and `pickle`, and never hold a key.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from leavo_async._sansio.messages import Response
from leavo_async._sansio.records import AttemptRecord, Outcome, Phase

__all__ = [
    "APIError",
    "AbortedError",
    "AuthenticationError",
    "BadRequestError",
    "ClosedError",
    "ConfigError",
    "ConflictError",
    "ConnectError",
    "ConnectTimeoutError",
    "DeadlineError",
    "IdempotencyMismatchError",
    "JournalError",
    "LeavoError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "ProtocolError",
    "QuotaExhaustedError",
    "RateLimitError",
    "ReadError",
    "ReadTimeoutError",
    "ResponseTooLargeError",
    "ResponseValidationError",
    "ServerError",
    "TLSError",
    "TransportError",
    "UnprocessableError",
]


class LeavoError(Exception):
    """Base of all errors of this library.

    outcome: "not sent", "unknown" or "done" (see the module's text).
    attempts: one record for each attempt made, oldest first.
    idempotency_key: the key all attempts carried; None for reads.
    safe_to_retry: True if the same call can be made again without doing anything twice; a write with this
        idempotency_key.
    request_id: the server's name for the last request that it answered, for its support; None if it gave none.
    retry_at: when the server would be asked again, in seconds since the Unix epoch; None if it did not say.
    resume_token: for a listing that it has ended, where to go on: pass it as `resume=`. All items before were given.
    """

    outcome: Outcome = "not sent"
    attempts: tuple[AttemptRecord, ...] = ()
    idempotency_key: str | None = None
    safe_to_retry: bool = True
    request_id: str | None = None
    retry_at: float | None = None
    resume_token: str | None = None
    user_message: ClassVar[str] = "Something went wrong. Please try again later."
    """A sentence for end users, without detail."""

    @property
    def story(self) -> str:
        """What happened, a line for each attempt: what came, after how long, and what followed."""
        return "\n".join(map(str, self.attempts))


class ConfigError(LeavoError, ValueError):
    """The call or the settings cannot work; nothing was sent."""

    user_message = "This request cannot be made. Please contact support."


class ClosedError(LeavoError):
    """The session was closed before or during the call."""


class QuotaExhaustedError(LeavoError):
    """A daily cap is used up: found by us before anything was sent, or told by the server.

    reset_at: when there is room again, in seconds since the Unix epoch; None if that is not known.
    """

    user_message = "Today's quota is used up. Please try again tomorrow."
    reset_at: float | None = None


class APIError(LeavoError):
    """The server answered, and the answer is an error.

    status: the HTTP status. code, details: the server's own, None if it gave none.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        code: str | None = None,
        details: Any = None,
        request_id: str | None = None,
        response: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details
        self.request_id = request_id
        self.response = response


class BadRequestError(APIError):
    """400: the server could not accept the data."""

    user_message = "Some of the data was not accepted. Please check it."


class UnprocessableError(APIError):
    """422: the server understood the data and refused it."""

    user_message = BadRequestError.user_message


class AuthenticationError(APIError):
    """401: the key is missing, wrong, expired or revoked."""

    user_message = "The service could not sign in. Please contact support."


class PermissionDeniedError(APIError):
    """403: the key lacks the right.

    missing_scope: the right that it lacks; None if the server does not name it.
    """

    user_message = "This is not allowed."
    missing_scope: str | None = None


class NotFoundError(APIError):
    """404: there is no such thing."""

    user_message = "This could not be found."


class ConflictError(APIError):
    """409: it exists already, or its state forbids the change.

    in_progress: the server says instead that the first request with this idempotency key is not answered yet: the
        outcome is unknown.
    """

    in_progress: bool = False
    user_message = "This exists already."


class IdempotencyMismatchError(APIError):
    """The server knows this idempotency key from another request: a key names one operation, and this is another."""

    user_message = ConfigError.user_message


class RateLimitError(APIError):
    """429: too many requests, and waiting as long as asked would not fit.

    With status 403 it is the block of a key that went on after a 429. retry_after: seconds the server asked us to wait.
    """

    user_message = "The service is busy. Please try again in a few minutes."
    retry_after: float | None = None


class ServerError(APIError):
    """5xx: the server failed, perhaps after it had acted; also 408."""

    outcome = "unknown"


class TransportError(LeavoError):
    """An attempt ended without an answer that can be used.

    phase: how far it got, "connect", "send" or "read".
    status: that of the answer, if its head was read.
    max_repeats: sends after which the same error is believed; None if it may well pass.
    """

    outcome: Outcome = "unknown"
    phase: Literal["connect", "send", "read"] = "read"
    status: int | None = None
    max_repeats: int | None = None
    user_message = "The service cannot be reached. Please try again later."


class ConnectError(TransportError):
    """No connection could be made; nothing was sent."""

    outcome = "not sent"
    phase = "connect"


class ConnectTimeoutError(ConnectError, TimeoutError):
    """No connection was made in time; nothing was sent."""


class TLSError(ConnectError):
    """The server's certificate or TLS version was refused; never tried again."""


class ReadError(TransportError):
    """The connection broke before the whole answer was there."""


class ReadTimeoutError(ReadError, TimeoutError):
    """The attempt took longer than `timeout`."""


class ProtocolError(TransportError):
    """What came back is not a complete answer of the promised kind: not HTTP, cut short, not JSON, a redirect."""


class ResponseTooLargeError(ProtocolError):
    """The answer is larger than the profile allows."""


class OutcomeUnknownError(LeavoError):
    """A write may have happened, and repeating it could do it twice.

    because: what went wrong. Look the thing up before sending it again.
    lookup: what was found when we looked it up; None where that cannot be done.
    """

    outcome = "unknown"
    safe_to_retry = False
    user_message = "We could not confirm that this was saved. Please check before trying again."
    because: str = ""
    lookup: str | None = None


class DeadlineError(LeavoError, TimeoutError):
    """The caller's deadline passed.

    A wait that would not fit into it is not begun. Between attempts the error of the last attempt is raised then; in
    the queue it is this one.

    phase: what the call was doing: "queue", "connect", "send", "read", or "wait" between attempts.
    estimate: seconds that it would at least have had to wait in the queue; None if it was not refused for that.
    """

    phase: Phase = "queue"
    estimate: float | None = None
    user_message = "This took too long. Please try again later."


class AbortedError(LeavoError):
    """The caller's signal has aborted.

    phase: what the call was doing, as in DeadlineError. reason: what the signal was aborted with.
    """

    phase: Phase = "queue"
    reason: Any = None
    user_message = "This was stopped."


class ResponseValidationError(LeavoError):
    """The server reported success, but the body has not the promised shape.

    problems: place and reason of each, without the values (they may be personal data).
    """

    outcome = "done"
    problems: tuple[str, ...] = ()


class JournalError(LeavoError):
    """The journal of an import cannot be read or written: nothing is sent that it does not know of."""

    user_message = "The import cannot go on. Please contact support."
