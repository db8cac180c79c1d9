from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import (
    APIError,
    AttemptRecord,
    ConfigError,
    ConnectError,
    ConnectTimeoutError,
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
    return [AttemptRecord("GET", "/x", n, status, "E", "unknown", 0.1, wait, "") for n, wait in enumerate(waits, 1)]


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
