"""What the end of a call says about its row, and about those that come after it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from leavo_async import errors
from leavo_async._sansio.records import AttemptRecord
from leavo_async.bulk.verdicts import Stop, Wait, follows, is_about_the_row, verdict_of
from leavo_async.errors import LeavoError

# Of each class of errors: the state of a row without a natural key, and with one; the same, where it may have been done
# before; and what follows for the next rows.
TABLE: dict[str, tuple[str, str, str, str, str | None]] = {
    "ConfigError": ("pending", "pending", "unknown", "unknown", "refused"),
    "ClosedError": ("pending", "pending", "unknown", "unknown", "asked"),
    "QuotaExhaustedError": ("pending", "pending", "unknown", "unknown", "quota"),
    "APIError": ("pending", "pending", "unknown", "unknown", "refused"),
    "BadRequestError": ("failed", "failed", "failed", "failed", None),
    "UnprocessableError": ("failed", "failed", "failed", "failed", None),
    "AuthenticationError": ("pending", "pending", "unknown", "unknown", "refused"),
    "PermissionDeniedError": ("pending", "pending", "unknown", "unknown", "refused"),
    "NotFoundError": ("pending", "pending", "unknown", "unknown", "refused"),
    "ConflictError": ("failed", "done", "held", "done", None),
    "IdempotencyMismatchError": ("failed", "failed", "held", "held", None),
    "RateLimitError": ("pending", "pending", "unknown", "unknown", "wait"),
    "ServerError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "TransportError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "ConnectError": ("pending", "pending", "unknown", "unknown", "wait"),
    "ConnectTimeoutError": ("pending", "pending", "unknown", "unknown", "wait"),
    "TLSError": ("pending", "pending", "unknown", "unknown", "refused"),
    "ReadError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "ReadTimeoutError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "ProtocolError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "ResponseTooLargeError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "OutcomeUnknownError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "DeadlineError": ("pending", "pending", "unknown", "unknown", "wait"),
    "AbortedError": ("pending", "pending", "unknown", "unknown", "asked"),
    "ResponseValidationError": ("unknown", "unknown", "unknown", "unknown", "wait"),
    "JournalError": ("pending", "pending", "unknown", "unknown", "refused"),
}
CASES = [(name, *case) for name, told in TABLE.items() for case in zip(("row", "unique", "unknown", "both"), told)]  # noqa: B905


def made(name: str, **told: Any) -> LeavoError:
    error = getattr(errors, name)("what happened")
    for key, value in told.items():
        setattr(error, key, value)
    return error


def test_the_table_knows_each_error() -> None:
    """A new class of errors has its line here, so that somebody has thought of it."""
    public = {name for name in errors.__all__ if inspect.isclass(getattr(errors, name))}

    assert public - {"LeavoError"} == TABLE.keys()


@pytest.mark.parametrize(("name", "which", "state"), CASES)
def test_the_state_of_a_row_after_each_error(name: str, which: str, state: str) -> None:
    """Nothing that may have been done is told as failed; nothing that only waits is, either."""
    verdict = verdict_of(
        made(name), has_natural_key=which in ("unique", "both"), was_unknown=which in ("unknown", "both")
    )

    assert (state, "what happened") == (verdict.state, verdict.reason)
    assert verdict.outcome == ("existing" if state == "done" else None)


@pytest.mark.parametrize(("name", "what"), [(name, told[-1]) for name, told in TABLE.items()])
def test_what_follows_for_the_next_rows(name: str, what: str | None) -> None:
    """A key that was revoked burns no row; a server that is ill is waited for."""
    match follows(made(name)):
        case Stop(why=why, because=because):
            assert (why, because) == (what, "what happened")
        case Wait(until=until):
            assert (what, until) == ("wait", None)
        case None:
            assert what is None


@pytest.mark.parametrize("name", [name for name, told in TABLE.items() if told[-1] is not None])
def test_what_stops_or_waits_is_no_matter_of_the_row(name: str) -> None:
    """Else a row would be told as failed for what no row can help."""
    assert not is_about_the_row(made(name))


def test_an_attempt_of_unknown_outcome_before_a_refusal_leaves_the_row_unknown() -> None:
    """The session says so by the outcome of the error that it raises."""
    error = made("ConflictError", outcome="unknown")

    assert verdict_of(error, has_natural_key=False, was_unknown=False).state == "unknown"


@pytest.mark.parametrize("has_natural_key", [True, False])
@pytest.mark.parametrize("was_unknown", [True, False])
def test_a_row_that_the_server_is_still_at_is_waited_for(has_natural_key: bool, was_unknown: bool) -> None:
    """Such a conflict says that an earlier request with its key is not answered, and not that the thing is there."""
    error = made("ConflictError", outcome="unknown", in_progress=True)

    assert verdict_of(error, has_natural_key=has_natural_key, was_unknown=was_unknown).state == "unknown"


def test_a_429_says_until_when() -> None:
    """In seconds since the Unix epoch."""
    assert follows(made("RateLimitError", retry_at=1060.0)) == Wait(1060.0, "what happened")


def test_a_quota_may_be_told_by_402() -> None:
    """Some services say so instead of 429."""
    assert follows(made("APIError", status=402)) == Stop("quota", "what happened")


def test_a_row_that_is_too_large_is_its_own_fault() -> None:
    """The next one may be smaller."""
    assert follows(made("APIError", status=413)) is None
    assert verdict_of(made("APIError", status=413), has_natural_key=False, was_unknown=False).state == "failed"


def test_a_404_with_a_code_is_about_the_row() -> None:
    """Such as one that names a group which is not there; without a code there is no such place, for no row."""
    assert follows(made("NotFoundError", code="group_not_found")) is None


def test_a_verdict_says_what_the_server_has_said() -> None:
    """All that a report needs."""
    error = made(
        "UnprocessableError", status=422, code="bad_phone", details={"field": "phone"}, request_id="r1",
        attempts=(AttemptRecord("POST", "/leads", 1, 422, "UnprocessableError", "not sent", 0.1, None, "refused"),),
    )  # fmt: skip
    verdict = verdict_of(error, has_natural_key=True, was_unknown=False)

    assert verdict == ("failed", None, 422, "bad_phone", "what happened", "phone", None, "r1", 1)


@pytest.mark.parametrize("details", [None, [], {"field": 1}, {"other": "x"}, "field"])
def test_a_field_is_only_told_where_the_server_names_one(details: Any) -> None:
    """Details have any shape."""
    error = made("BadRequestError", details=details)

    assert verdict_of(error, has_natural_key=False, was_unknown=False).field is None
