"""The limit models: what each promises at its edges, and the laws all of them keep."""

import copy
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async.sandbox import MODELS, FixedWindow, Gcra, SlidingLog, TokenBucket, TwoWindowCounter, Verdict

R = st.integers(1, 12)
PER = st.sampled_from([0.1, 0.3, 1.0, 7.0, 60.0])
# Milliseconds: many at once, many in one window, and some far apart.
GAPS = st.lists(st.just(0) | st.integers(0, 100) | st.integers(0, 30_000), max_size=40)


@st.composite
def limiters(draw: st.DrawFn) -> Any:
    """Any model, with any setting it takes."""
    requests, per = draw(R), draw(PER)
    phase, burst = draw(st.sampled_from([0.0, 0.05, -3.0])), draw(st.integers(1, 15))
    return draw(
        st.sampled_from(
            [
                FixedWindow(requests, per, phase),
                SlidingLog(requests, per),
                TokenBucket(requests, per, burst),
                Gcra(requests, per, burst),
                TwoWindowCounter(requests, per, phase),
            ]
        )
    )


def moments(gaps: list[int], start: int = 1_000_000) -> list[int]:
    """Arrivals in whole milliseconds, so that a test can count without rounding."""
    times, now = [], start
    for gap in gaps:
        now += gap
        times.append(now)
    return times


def admitted(limiter: Any, times: list[int]) -> list[int]:
    return [time for time in times if limiter.admit(time / 1000).allowed]


def capacity(limiter: Any) -> int:
    """How many a rested key may ask at once."""
    return getattr(limiter, "burst", limiter.requests)


def verdicts(limiter: Any, *times: float) -> list[bool]:
    return [limiter.admit(time).allowed for time in times]


# --- what each model defines --------------------------------------------------------------------------------


@given(R, PER, st.sampled_from([0, 50, -3000]), GAPS)
def test_a_fixed_window_never_holds_more_than_its_number(
    requests: int, per: float, phase: int, gaps: list[int]
) -> None:
    """Whatever the arrivals, no aligned window has more than R of them, and none is refused below R."""
    width = round(per * 1000)
    limiter = FixedWindow(requests, per, phase / 1000)
    seen: dict[int, int] = {}
    for time in moments(gaps):
        window = (time - phase) // width
        expected = seen.get(window, 0) < requests
        assert expected == limiter.admit(time / 1000).allowed
        seen[window] = seen.get(window, 0) + expected


@given(R, PER, GAPS)
def test_a_sliding_log_never_holds_more_than_its_number_in_any_window(
    requests: int, per: float, gaps: list[int]
) -> None:
    """Whatever the arrivals, no half-open window has more than R of them, and none is refused without need."""
    width = round(per * 1000)
    limiter, let_in = SlidingLog(requests, per), list[int]()
    for time in moments(gaps):
        expected = sum(time - other < width for other in let_in) < requests
        assert expected == limiter.admit(time / 1000).allowed
        if expected:
            let_in.append(time)


@given(R, PER, st.integers(1, 15), GAPS)
def test_a_token_bucket_never_lets_through_more_than_burst_plus_rate(
    requests: int, per: float, burst: int, gaps: list[int]
) -> None:
    """Between any two arrivals there are at most burst + rate × time of them."""
    times = admitted(TokenBucket(requests, per, burst), moments(gaps))
    rate = Fraction(requests, round(per * 1000))
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - start)


@given(R, PER, st.integers(1, 15), GAPS)
def test_gcra_and_a_token_bucket_with_its_burst_are_the_same_limiter(
    requests: int, per: float, burst: int, gaps: list[int]
) -> None:
    """Two ways of counting the same thing, so each checks the other."""
    bucket, meter = TokenBucket(requests, per, burst), Gcra(requests, per, burst)
    for time in moments(gaps):
        assert bucket.admit(time / 1000) == meter.admit(time / 1000)


@given(R, PER, st.sampled_from([0, 50, -3000]), GAPS)
def test_a_two_window_counter_keeps_its_weighted_sum(requests: int, per: float, phase: int, gaps: list[int]) -> None:
    """The sum previous × (1 − f) + current never passes R, and nobody is refused while there is room for one."""
    width = round(per * 1000)
    limiter = TwoWindowCounter(requests, per, phase / 1000)
    seen: dict[int, int] = {}
    for time in moments(gaps):
        window, over = divmod(time - phase, width)
        weighted = seen.get(window - 1, 0) * (1 - Fraction(over, width)) + seen.get(window, 0)
        expected = weighted + 1 <= requests
        assert expected == limiter.admit(time / 1000).allowed
        seen[window] = seen.get(window, 0) + expected


# --- what all of them keep ----------------------------------------------------------------------------------


@given(limiters(), GAPS)
def test_a_refused_request_changes_nothing(limiter: Any, gaps: list[int]) -> None:
    """A limiter that never saw the refused requests says the same to all the others."""
    other = copy.deepcopy(limiter)
    for time in moments(gaps):
        verdict = limiter.admit(time / 1000)
        if verdict.allowed:
            assert verdict == other.admit(time / 1000)


@given(limiters(), GAPS, st.floats(0, 4e9))
def test_waiting_retry_after_is_enough(limiter: Any, gaps: list[int], start: float) -> None:
    """A client that waits as long as it is told is let in, on any clock from a fresh one to the Unix time."""
    for time in moments(gaps, start=0):
        now = start + time / 1000
        verdict = limiter.admit(now)
        if not verdict.allowed:
            assert copy.deepcopy(limiter).admit(now + verdict.retry_after).allowed


def test_waiting_retry_after_is_enough_between_two_microseconds() -> None:
    """Found by search: here the wait counted from the rounded moment ended a microsecond too early."""
    limiter, now = FixedWindow(1, 60, phase=52.600193), 1671941608.6634674
    limiter.admit(now)

    assert limiter.admit(now + limiter.admit(now).retry_after).allowed


@given(limiters(), GAPS)
def test_waiting_less_than_retry_after_is_not_enough(limiter: Any, gaps: list[int]) -> None:
    """The wait is not longer than it has to be."""
    for time in moments(gaps):
        verdict = limiter.admit(time / 1000)
        if not verdict.allowed and verdict.retry_after > 2e-6:
            assert not copy.deepcopy(limiter).admit(time / 1000 + verdict.retry_after - 2e-6).allowed


@given(limiters(), GAPS)
def test_the_quota_is_whole_again_after_reset_after(limiter: Any, gaps: list[int]) -> None:
    """Capacity returns, all of it, at the moment the verdict names."""
    for time in moments(gaps):
        verdict = limiter.admit(time / 1000)
        later = copy.deepcopy(limiter).admit(time / 1000 + verdict.reset_after)
        assert (True, capacity(limiter) - 1) == (later.allowed, later.remaining)


@given(limiters(), GAPS)
def test_remaining_is_how_many_more_are_let_in_now(limiter: Any, gaps: list[int]) -> None:
    """Not one more and not one less, if they come at once."""
    for time in moments(gaps):
        verdict = limiter.admit(time / 1000)
        burst = verdicts(copy.deepcopy(limiter), *[time / 1000] * (verdict.remaining + 1))
        assert [True] * verdict.remaining + [False] == burst


@given(limiters())
def test_a_clock_that_steps_back_opens_nothing(limiter: Any) -> None:
    """A used-up limiter stays so when its clock jumps into the past."""
    verdicts(limiter, *[1000.0] * capacity(limiter))

    assert not limiter.admit(900.0).allowed


# --- exact edges --------------------------------------------------------------------------------------------

EDGES = [
    ("first of a fixed window", FixedWindow(2, 60), [0, 0], 60.0, True),
    ("last of a fixed window", FixedWindow(2, 60), [0, 59.999999], 59.999999, False),
    ("a full burst on each side of an edge", FixedWindow(2, 60), [59, 59, 60], 60.0, True),
    ("a window with a phase ends at the phase", FixedWindow(1, 60, phase=15), [20], 75.0, True),
    ("and not before", FixedWindow(1, 60, phase=15), [20], 74.999999, False),
    ("0.3 is three windows of 0.1", FixedWindow(1, 0.1), [0.2], 0.3, True),
    ("0.3 / 0.1 is 2.9999999999999996", FixedWindow(1, 0.1), [0.3], 0.35, False),
    ("1.0 // 0.1 is 9.0", FixedWindow(1, 0.1), [0.9], 1.0, True),
    ("exactly `per` later is outside the log", SlidingLog(2, 60), [1, 30], 61.0, True),
    ("a microsecond less is inside", SlidingLog(2, 60), [1, 30], 60.999999, False),
    ("0.1 + 0.2 is 0.30000000000000004", SlidingLog(1, 0.2), [0.1], 0.1 + 0.2, True),
    ("a whole token has come back", TokenBucket(2, 60, burst=1), [0], 30.0, True),
    ("almost a token is none", TokenBucket(2, 60, burst=1), [0], 29.999999, False),
    ("thirds of a second add up", TokenBucket(3, 1, burst=2), [0, 0, 0.333334, 0.666667], 1.0, True),
    ("a bucket starts full", TokenBucket(3, 60), [0, 0], 0.0, True),
    ("and is empty then", TokenBucket(3, 60), [0, 0, 0], 0.0, False),
    ("a tenth at once", Gcra(20, 60), [0], 0.0, True),
    ("and no more", Gcra(20, 60), [0, 0], 2.999999, False),
    ("until the next is due", Gcra(20, 60), [0, 0], 3.0, True),
    ("half of the last window still counts", TwoWindowCounter(2, 60), [0, 0], 89.999999, False),
    ("then one has room", TwoWindowCounter(2, 60), [0, 0], 90.0, True),
    ("two windows later all is forgotten", TwoWindowCounter(1, 60), [59], 120.0, True),
    ("but not one window later", TwoWindowCounter(1, 60), [59], 119.999999, False),
]


@pytest.mark.parametrize(("limiter", "before", "now", "expected"), [e[1:] for e in EDGES], ids=[e[0] for e in EDGES])
def test_a_model_is_exact_at_its_edge(limiter: Any, before: list[float], now: float, expected: bool) -> None:
    """A microsecond decides, and float rounding does not."""
    limiter = copy.deepcopy(limiter)
    assert all(verdicts(limiter, *before))

    assert expected == limiter.admit(now).allowed


VERDICTS = [
    (FixedWindow(1, 60), 10, Verdict(True, 0, 0.0, 50.0), 11, Verdict(False, 0, 49.0, 49.0)),
    (SlidingLog(1, 60), 10, Verdict(True, 0, 0.0, 60.0), 11, Verdict(False, 0, 59.0, 59.0)),
    (TokenBucket(1, 60), 10, Verdict(True, 0, 0.0, 60.0), 11, Verdict(False, 0, 59.0, 59.0)),
    (TokenBucket(2, 60), 10, Verdict(True, 1, 0.0, 30.0), 25, Verdict(True, 0, 0.0, 45.0)),
    (Gcra(1, 60), 10, Verdict(True, 0, 0.0, 60.0), 11, Verdict(False, 0, 59.0, 59.0)),
    (TwoWindowCounter(1, 60), 10, Verdict(True, 0, 0.0, 110.0), 11, Verdict(False, 0, 109.0, 109.0)),
    (TwoWindowCounter(1, 60), 59, Verdict(True, 0, 0.0, 61.0), 61, Verdict(False, 0, 59.0, 59.0)),
]


@pytest.mark.parametrize(("limiter", "at", "first", "later", "second"), VERDICTS)
def test_a_verdict_says_what_is_left_and_when_it_comes_back(
    limiter: Any, at: float, first: Verdict, later: float, second: Verdict
) -> None:
    """To the second, for a request and the one after it."""
    limiter = copy.deepcopy(limiter)

    assert (first, second) == (limiter.admit(at), limiter.admit(later))


@pytest.mark.parametrize("per", [0.1, 1.0, 7.0, 60.0])
@pytest.mark.parametrize("name", MODELS)
def test_a_used_up_quota_names_the_very_moment_of_the_next_request(name: str, per: float) -> None:
    """Used up again and again over three windows, also where `per` cannot be divided by the number of requests."""
    for requests in range(1, 16):
        limiter = MODELS[name](requests, per)
        for now in (1000.0 + per * step / 7 for step in range(21)):
            while (verdict := limiter.admit(now)).allowed:
                pass
            early, due = (now + verdict.retry_after - less for less in (2e-6, 0.0))
            assert [False, True] == verdicts(copy.deepcopy(limiter), early, due)


WRONG = [
    (FixedWindow, (0, 60), "requests must be a whole number"),
    (SlidingLog, (1.5, 60), "requests must be a whole number"),
    (Gcra, (float("nan"), 60), "requests must be a whole number"),
    (TokenBucket, (1, 0), "per must be"),
    (TokenBucket, (1, -1), "per must be"),
    (TwoWindowCounter, (1, float("inf")), "per must be"),
    (SlidingLog, (1, 1e-7), "at least a microsecond"),
    (FixedWindow, (1, 60, float("nan")), "phase must be"),
    (TokenBucket, (1, 60, 0), "burst must be"),
    (Gcra, (1, 60, 0), "burst must be"),
]


@pytest.mark.parametrize(("model", "settings", "reason"), WRONG)
def test_a_setting_that_cannot_be_is_refused_with_the_reason(model: Any, settings: Any, reason: str) -> None:
    """A wrong number is noticed where it is written."""
    with pytest.raises(ValueError, match=reason):
        model(*settings)


def test_a_gcra_lets_a_tenth_through_at_once_but_at_least_one() -> None:
    """The default burst is R / 10."""
    assert (10, 1) == (Gcra(100, 60).burst, Gcra(5, 60).burst)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_can_be_made_by_its_name(name: str) -> None:
    """The command line knows all five."""
    limiter = MODELS[name](100, 60.0)

    assert (100, True) == (limiter.requests, limiter.admit(0.0).allowed)


def test_a_model_shows_its_setting() -> None:
    """What one prints is what one made."""
    assert "<FixedWindow 100 per 60 s>" == repr(FixedWindow(100, 60))
