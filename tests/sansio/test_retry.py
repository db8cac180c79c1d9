from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import (
    APIError,
    AttemptRecord,
    AuthenticationError,
    ConfigError,
    ConflictError,
    ConnectError,
    ConnectTimeoutError,
    IdempotencyMismatchError,
    LeavoError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    ReadError,
    ReadTimeoutError,
    Request,
    ResponseTooLargeError,
    RetryPolicy,
    ServerError,
    TLSError,
)
from leavo_async._sansio.advice import ServerAdvice
from leavo_async._sansio.retry import Failure, Retry, Settled, Stop

POLICY = RetryPolicy(max_attempts=4, first_delay=1, max_delay=30, max_wait=300)
READ = Request("GET", "/x", "https://api.example.com/x", {})
DELETE = Request("DELETE", "/x", "https://api.example.com/x", {}, None, "k")
KEYED = Request("POST", "/x", "https://api.example.com/x", {}, b"", "k", repeatable=True)
KEYLESS = Request("POST", "/x", "https://api.example.com/x", {}, b"", "k", repeatable=False)
UNKNOWN = Stop("it may already have been acted on", may_have_happened=True)
HOPELESS = Stop("trying again would not help")


def status(number: int) -> APIError:
    kind = RateLimitError if number == 429 else ServerError if number == 408 or number >= 500 else APIError
    return kind("x", status=number)


def past(*waits: float, status: int | None = 500) -> list[AttemptRecord]:
    problem = {401: "AuthenticationError", 429: "RateLimitError"}.get(status or 0, "E")
    return [AttemptRecord("GET", "/x", n, status, problem, "unknown", 0.1, wait, "") for n, wait in enumerate(waits, 1)]


def decide(request: Request, error: LeavoError, history=(), left=None, draw=0.5, wait=None):
    return POLICY.decide(request, Failure(error, ServerAdvice(wait)), history, left=left, draw=draw)


# What must happen, error by error: for reads, writes whose key is honoured, and writes that must not be repeated.
TABLE = [
    (ConnectError(), Retry, Retry, Retry),
    (ConnectTimeoutError(), Retry, Retry, Retry),
    (status(429), Retry, Retry, Retry),
    (status(425), Retry, Retry, Retry),
    (TLSError(), HOPELESS, HOPELESS, HOPELESS),
    (ReadError(), Retry, Retry, UNKNOWN),
    (ReadTimeoutError(), Retry, Retry, UNKNOWN),
    (ProtocolError(), Retry, Retry, UNKNOWN),
    (ResponseTooLargeError(), HOPELESS, HOPELESS, Stop("trying again would not help", may_have_happened=True)),
    (status(408), Retry, Retry, UNKNOWN),
    (status(500), Retry, Retry, UNKNOWN),
    (status(502), Retry, Retry, UNKNOWN),
    (status(503), Retry, Retry, UNKNOWN),
    (status(504), Retry, Retry, UNKNOWN),
    (status(400), HOPELESS, HOPELESS, HOPELESS),
    (status(401), HOPELESS, HOPELESS, HOPELESS),
    (status(403), HOPELESS, HOPELESS, HOPELESS),
    (status(404), HOPELESS, HOPELESS, HOPELESS),
    (status(409), HOPELESS, HOPELESS, HOPELESS),
    (status(422), HOPELESS, HOPELESS, HOPELESS),
]


@pytest.mark.parametrize(("error", "read", "keyed", "keyless"), TABLE)
def test_each_error_has_one_right_outcome(error: LeavoError, read, keyed, keyless) -> None:
    """What was refused or never left may go again; what may have been acted on only if repeating is harmless."""
    for request, expected in ((READ, read), (KEYED, keyed), (KEYLESS, keyless)):
        decision = decide(request, error)
        assert expected == decision if isinstance(expected, Stop) else isinstance(decision, expected)


def test_a_redirect_is_not_tried_again() -> None:
    """Though it is a ProtocolError: the same request would be sent elsewhere again."""
    assert HOPELESS == POLICY.decide(READ, Failure(ProtocolError(), final=HOPELESS.because), (), left=None, draw=0.5)


@pytest.mark.parametrize(("earlier", "delay"), [(0, 0.5), (1, 1.0), (2, 2.0)])
def test_delays_double(earlier: int, delay: float) -> None:
    """Draw × min(max_delay, first_delay × 2ⁿ⁻¹), at draw = 0.5."""
    assert Retry(delay, "status 500") == decide(READ, status(500), past(*[0.0] * earlier))


def test_the_fourth_failure_is_the_last() -> None:
    """max_attempts counts the first send."""
    assert Stop("4 attempts failed") == decide(READ, status(500), past(0, 0, 0))


def test_a_429_uses_up_no_attempt() -> None:
    """It was not tried: it was told to come later."""
    assert isinstance(decide(READ, status(500), past(1, 1, 1, 1, 1, status=429)), Retry)
    assert isinstance(decide(READ, status(429), past(0, 0, 0), wait=1), Retry)


@pytest.mark.parametrize(("draw", "delay"), [(0.0, 7.0), (0.25, 7.25)])
def test_a_servers_wait_is_never_shortened(draw: float, delay: float) -> None:
    """Chance is added on top, so that the callers do not all come back at once."""
    assert Retry(delay, "the server asked for 7 s") == decide(READ, status(429), wait=7, draw=draw)


def test_a_wait_longer_than_max_wait_gives_up_at_once() -> None:
    """An hour's wait is for the caller to decide, and the error says when."""
    decision = decide(READ, status(429), wait=3600, draw=0)

    assert Stop("the next wait of 3600.0 s would pass max_wait of 300 s") == decision


def test_the_waits_of_a_call_are_summed_up() -> None:
    """Five times a minute is max_wait; the sixth is too much."""
    waits = past(60, 60, 60, 60, status=429)

    assert isinstance(decide(READ, status(429), waits, wait=60, draw=0), Retry)
    assert isinstance(decide(READ, status(429), past(*[60] * 5, status=429), wait=60, draw=0), Stop)


def test_a_wait_that_does_not_fit_the_deadline_is_not_begun() -> None:
    """The real error now is worth more than a DeadlineError later."""
    assert Stop("the next wait of 7.5 s would pass the deadline") == decide(READ, status(429), wait=7, left=7.5)
    assert isinstance(decide(READ, status(429), wait=7, left=7.6), Retry)


def test_a_repeated_delete_that_finds_nothing_has_succeeded() -> None:
    """The first attempt did it, and only its answer was lost."""
    assert Settled("an earlier attempt deleted it") == decide(DELETE, NotFoundError("x", status=404), past(0))
    assert Settled("an earlier attempt deleted it") == decide(DELETE, NotFoundError("x", status=404), [record("done")])
    assert decide(DELETE, NotFoundError("x", status=404)) == HOPELESS
    assert decide(READ, NotFoundError("x", status=404), past(0)) == HOPELESS


@given(
    earlier=st.integers(0, 2000),
    draw=st.floats(0, 1, exclude_max=True),
    wait=st.none() | st.floats(0, 1e9),
    left=st.none() | st.floats(0, 1e9),
)
def test_a_delay_keeps_every_bound(earlier: int, draw: float, wait: float | None, left: float | None) -> None:
    """Never negative, never below a server's wait, always within max_delay, max_wait and the deadline."""
    decision = decide(READ, status(429), past(*[0.0] * earlier, status=429), draw=draw, wait=wait, left=left)

    if isinstance(decision, Retry):
        assert 0 <= decision.delay <= (30 if wait is None else wait + 1)
        assert decision.delay >= (wait or 0)
        assert decision.delay <= POLICY.max_wait
        assert left is None or decision.delay < left


@pytest.mark.parametrize(
    "settings",
    [{"max_attempts": 0}, {"first_delay": -1}, {"first_delay": 40}, {"max_wait": -1}, {"max_wait": float("nan")}],
)
def test_a_policy_that_cannot_work_is_refused(settings: dict[str, float]) -> None:
    """When it is made, not when the first error comes."""
    with pytest.raises(ConfigError):
        RetryPolicy(**settings)  # type: ignore[arg-type]


def record(outcome="unknown", status=None, problem="ReadError", delay=0.0) -> AttemptRecord:
    return AttemptRecord("POST", "/x", 1, status, problem, outcome, 0.1, delay, "")


def believed(error: LeavoError, sends: int) -> LeavoError:
    error.max_repeats = sends
    return error


def test_a_name_that_does_not_exist_is_believed_the_second_time() -> None:
    """The resolver may have been out of its mind once; twice it is a typing error."""
    nowhere = believed(ConnectError(), 1)

    assert isinstance(decide(READ, nowhere), Retry)
    assert Stop("the same error came again") == decide(READ, nowhere, [record("not sent", None, "ConnectError")])


@pytest.mark.parametrize(("request_", "may_have"), [(READ, False), (KEYED, False), (KEYLESS, True)])
def test_what_speaks_no_http_is_asked_once_more_at_most(request_: Request, may_have: bool) -> None:
    """And a write that must not be repeated not even once."""
    error = believed(ProtocolError(), 1)
    again = decide(request_, error, [record(problem="ProtocolError")])

    assert isinstance(decide(request_, error), Stop if may_have else Retry)
    assert Stop("the same error came again", may_have_happened=may_have) == again


def test_what_was_done_is_not_done_again_for_its_description() -> None:
    """A cut answer of success: whoever may repeat gets it again, for the others it is told as done."""
    cut = ProtocolError()
    cut.outcome = "done"

    assert isinstance(decide(READ, cut), Retry)
    assert isinstance(decide(KEYED, cut), Retry)
    assert decide(KEYLESS, cut) == HOPELESS


FORGETFUL = Request("POST", "/x", "https://api.example.com/x", {}, b"", "k", key_lasts=3600)


@pytest.mark.parametrize("error", [ReadError(), ConnectError(), status(429)])
def test_no_key_is_sent_after_the_server_may_have_forgotten_it(error: LeavoError) -> None:
    """It would be taken for a new request, and done a second time."""
    history = [record("unknown")]

    def after(age: float):
        return POLICY.decide(FORGETFUL, Failure(error), history, left=None, draw=0.0, age=age)

    assert isinstance(after(3599), Retry)
    assert Stop("the server may have forgotten the idempotency key by then", may_have_happened=True) == after(3600)


def test_a_key_that_was_never_taken_up_may_be_sent_however_old() -> None:
    """Nothing was sent with it."""
    assert isinstance(POLICY.decide(FORGETFUL, Failure(ConnectError()), (), left=None, draw=0, age=9999), Retry)


def test_a_conflict_after_an_unknown_attempt_is_that_attempt() -> None:
    """The server still works on it, and gives its answer for the same key a little later."""
    conflict = ConflictError("x", status=409)

    assert isinstance(decide(FORGETFUL, conflict, [record("unknown")]), Retry)
    assert decide(FORGETFUL, conflict) == HOPELESS
    assert decide(FORGETFUL, conflict, [record("not sent")]) == HOPELESS
    assert decide(KEYLESS, conflict, [record("unknown")]) == HOPELESS


def test_a_server_that_says_so_is_waited_for_at_once() -> None:
    """By a code of its own, or by 423: the first request with this key is not answered yet."""
    busy = Failure(ConflictError("x", status=409), in_progress=True)

    assert isinstance(POLICY.decide(FORGETFUL, busy, (), left=None, draw=0), Retry)
    assert POLICY.decide(KEYLESS, busy, (), left=None, draw=0) == HOPELESS


def test_a_mismatch_is_not_tried_again() -> None:
    """The key belongs to another request; it always will."""
    told_by_code = Failure(IdempotencyMismatchError("x", status=409), final=HOPELESS.because)

    assert POLICY.decide(FORGETFUL, told_by_code, [record("unknown")], left=None, draw=0.5) == HOPELESS


def test_a_stored_failure_is_not_asked_for_again() -> None:
    """The server gives the same answer for the same key, as often as one likes."""
    stored = Failure(status(500), final="stored")

    assert Stop("stored") == POLICY.decide(KEYED, stored, (), left=None, draw=0)
    assert Stop("stored", may_have_happened=True) == POLICY.decide(KEYLESS, stored, (), left=None, draw=0)


def test_a_refused_key_is_asked_for_again_once() -> None:
    """At once, without using up an attempt; then it is believed."""
    refused = Failure(AuthenticationError("x", status=401), may_renew=True)
    once = POLICY.decide(KEYLESS, refused, (), left=None, draw=0.9)

    assert Retry(0.0, "status 401") == once
    assert POLICY.decide(KEYLESS, refused, [record("not sent", 401)], left=None, draw=0.9) == HOPELESS
    assert decide(KEYLESS, refused.error) == HOPELESS


def test_a_status_that_refuses_lets_any_write_go_again() -> None:
    """If its server is known to send 503 only before it acts."""
    policy = RetryPolicy(refusals=frozenset({425, 429, 503}))

    assert isinstance(policy.decide(KEYLESS, Failure(status(503)), (), left=None, draw=0), Retry)
    assert decide(KEYLESS, status(503)) == UNKNOWN


@pytest.mark.parametrize(("number", "goes_on"), [(500, False), (429, True)])
def test_without_budget_nothing_is_repeated_but_what_was_told_to_wait(number: int, goes_on: bool) -> None:
    """A server that is down must not get four times the load; a 429 is no sign of that."""
    decision = POLICY.decide(READ, Failure(status(number)), (), left=None, draw=0.5, has_budget=False)

    assert isinstance(decision, Retry) is goes_on
    assert goes_on or "10 %" in decision.because
