"""What the end of a call says about its row, and about those that come after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from leavo_async.bulk.journal import Verdict
from leavo_async.errors import (
    AbortedError,
    APIError,
    BadRequestError,
    ClosedError,
    ConflictError,
    DeadlineError,
    IdempotencyMismatchError,
    LeavoError,
    NotFoundError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    TLSError,
    TransportError,
    UnprocessableError,
)

Why = Literal["refused", "quota", "unreachable", "asked", "errors", "time", "journal"]
"""Why a run stops before its job is finished: the server lets nobody do this; a quota is used up; it cannot be reached;
somebody has asked for it; too many rows have failed; its time is over; the journal cannot be written."""

# Of one row: too large. https://www.rfc-editor.org/rfc/rfc9110#section-15.5.14
_TOO_LARGE = 413
_OF_THE_ROW = (BadRequestError, UnprocessableError, IdempotencyMismatchError, ConflictError)


class Stop(NamedTuple):
    """A run ends: why, and in words."""

    why: Why
    because: str


class Wait(NamedTuple):
    """Nothing more is to be sent for a while. until: seconds since the Unix epoch; None if only trying can tell."""

    until: float | None
    because: str


def verdict_of(error: LeavoError, *, has_natural_key: bool, was_unknown: bool) -> Verdict:
    """What is known of a row whose call has ended in this error.

    has_natural_key: a conflict means that it is there. was_unknown: it may have been done before this call.
    """
    api = error if isinstance(error, APIError) else None
    told = Verdict(
        _state(error, has_natural_key=has_natural_key, was_unknown=was_unknown),
        status=None if api is None else api.status,
        code=None if api is None else api.code,
        reason=str(error),
        field=_field(None if api is None else api.details),
        request_id=error.request_id,
        attempts=len(error.attempts),
    )
    return told._replace(outcome="existing") if told.state == "done" else told


def follows(error: LeavoError) -> Stop | Wait | None:
    """What it says about the next rows; None if they may well fare better."""
    match error:
        case AbortedError() | ClosedError():
            return Stop("asked", str(error))
        case RateLimitError():
            return Wait(error.retry_at, str(error))
        case _ if _is_exhausted(error):
            return Stop("quota", str(error))
        case TLSError():
            return Stop("refused", str(error))
        case TransportError() | ServerError() | DeadlineError():
            return Wait(error.retry_at, str(error))
        case _ if is_about_the_row(error):
            return None
        case _ if error.outcome == "not sent":
            return Stop("refused", str(error))
        case _:
            return Wait(error.retry_at, str(error))


def is_about_the_row(error: LeavoError) -> bool:
    """Whether the server has looked at this row and had something against it.

    A ConfigError is not: rows were checked before, so it is about the session or the options, and meets every row.
    """
    if isinstance(error, NotFoundError):
        return error.code is not None  # else there is no such place, for no row
    return isinstance(error, _OF_THE_ROW) or (isinstance(error, APIError) and error.status == _TOO_LARGE)


def _state(
    error: LeavoError, *, has_natural_key: bool, was_unknown: bool
) -> Literal["done", "failed", "pending", "unknown", "held"]:
    if isinstance(error, ConflictError) and has_natural_key and not error.in_progress:
        return "done"
    if error.outcome != "not sent":
        return "unknown"
    if not is_about_the_row(error):
        return "unknown" if was_unknown else "pending"
    if was_unknown and isinstance(error, (IdempotencyMismatchError, ConflictError)):
        return "held"
    return "failed"


def _is_exhausted(error: LeavoError) -> bool:
    return isinstance(error, QuotaExhaustedError) or (isinstance(error, APIError) and error.status == 402)


def _field(details: Any) -> str | None:
    """The field that the server names as the one that is wrong, where it names one."""
    found = details.get("field") if isinstance(details, Mapping) else None
    return found if isinstance(found, str) else None
