from __future__ import annotations

import aiolimiter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import RateLimit
from leavo_async._io.bucket import Bucket

from .gates import Clock


def used_once(limit: RateLimit, clock: Clock) -> Bucket:
    bucket = Bucket(limit, clock)
    assert bucket.delay() == 0.0
    bucket.take()
    return bucket


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_aiolimiter_still_has_what_the_bucket_stands_on(clock: Clock) -> None:
    """Its protected names and their meaning; a release that renames one fails here and not at a user's."""
    bucket = Bucket(RateLimit(60, 60, 0), clock)

    assert isinstance(bucket, aiolimiter.AsyncLimiter)
    assert (0.0, 1.5, pytest.approx(59.5 / 60)) == (bucket._level, bucket.max_rate, bucket._rate_per_sec)
    bucket = used_once(RateLimit(60, 60, 0), clock)
    clock.now += 0.5
    bucket._leak()
    assert (pytest.approx(1 - 0.5 * 59.5 / 60), clock.now) == (bucket._level, bucket._last_check)
    assert bucket.has_capacity(0.9)
    assert not bucket.has_capacity(1.1)


def test_a_token_comes_back_at_the_rate(clock: Clock) -> None:
    """One and a half at the start, then one each 1 / rate seconds."""
    limit = RateLimit(100)
    bucket = used_once(limit, clock)

    assert pytest.approx(0.5 / limit.rate) == bucket.delay()
    clock.now += 0.5 / limit.rate + 1e-9
    assert bucket.delay() == 0.0
    bucket.take()
    assert pytest.approx(1 / limit.rate) == bucket.delay()


def test_a_token_given_back_is_there_again(clock: Clock) -> None:
    """Whoever was cancelled before using it has used nothing."""
    bucket = used_once(RateLimit(100), clock)
    before = bucket.delay()
    clock.now += before
    bucket.take()
    bucket.give_back(clock.now)

    assert pytest.approx(0, abs=1e-9) == bucket.delay()


def test_the_bucket_shows_its_tokens(clock: Clock) -> None:
    """In repr, for whoever wonders why nothing moves."""
    bucket = used_once(RateLimit(100), clock)

    assert repr(bucket) == "<Bucket 100 requests a minute: 0.5 tokens, 97.9 a minute>"


def test_a_hundred_thousand_tokens_do_not_drift(clock: Clock) -> None:
    """Rounding does not add up, at odd rates."""
    odd = RateLimit(100, 61, 0.3)
    bucket, start = Bucket(odd, clock), clock.now
    for _ in range(100_000):
        clock.now += bucket.delay()
        bucket.take()

    assert clock.now - start == pytest.approx((100_000 - odd.burst) / odd.rate, abs=1 / odd.rate)


def test_a_clock_that_steps_back_gives_nobody_more(clock: Clock) -> None:
    """It costs time, never a request too many, and heals when the time is back."""
    bucket = used_once(RateLimit(100), clock)
    missing = bucket.delay()
    clock.now -= 3600
    assert bucket.delay() == pytest.approx(3600 + missing)
    clock.now += 3600
    assert bucket.delay() == pytest.approx(missing)


@given(st.integers(2, 1000), st.lists(st.floats(0, 3), max_size=50))
def test_no_stretch_of_time_gives_more_than_burst_and_rate(requests: int, steps: list[float]) -> None:
    """In any stretch of t seconds at most burst + rate × t tokens."""
    clock, limit = Clock(), RateLimit(requests)
    bucket, taken = Bucket(limit, clock), []
    for step in steps:
        clock.now += step
        while bucket.delay() == 0.0:
            bucket.take()
            taken.append(clock.now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= limit.burst + limit.rate * (taken[last] - start) + 1e-6


def test_a_bucket_that_has_learned_or_was_told_is_not_as_new(clock: Clock) -> None:
    """Full or not: dropped now, it would forget what the server has said."""
    told, refused = Bucket(RateLimit(100), clock), Bucket(RateLimit(100), clock)
    told.told(RateLimit(50))
    refused.refused(clock.now)

    assert (told.is_fresh(), refused.is_fresh()) == (False, False)


def test_a_refusal_slows_the_refill_at_once(clock: Clock) -> None:
    """Not only when the next token is asked for."""
    limit = RateLimit(100)
    bucket = used_once(limit, clock)
    bucket.take()
    bucket.refused(clock.now)
    clock.now += 0.5

    assert bucket.delay() == pytest.approx((2 - 0.5) / (limit.rate * 0.85) - 0.5)


def test_of_what_was_learned_and_what_was_told_the_lower_holds(clock: Clock) -> None:
    """The server may name more than it takes."""
    limit = RateLimit(100)
    bucket = Bucket(limit, clock)
    bucket.refused(clock.now)
    bucket.told(RateLimit(95))
    assert bucket.status().rate == pytest.approx(limit.rate * 0.85)
    bucket.told(RateLimit(30))
    assert bucket.status().rate == pytest.approx(RateLimit(30).rate)


def test_a_token_given_back_late_does_not_overfill(clock: Clock) -> None:
    """Half of it was refilled meanwhile: the bucket is full, and no more than full."""
    limit = RateLimit(100)
    bucket = used_once(limit, clock)
    taken_at = clock.now
    clock.now += 0.5 / limit.rate
    bucket.give_back(taken_at)

    assert (bucket.status().tokens, bucket.is_fresh()) == (limit.burst, True)


def test_an_old_refusal_is_no_news_when_the_rate_has_recovered(clock: Clock) -> None:
    """A slow answer to a request of that same flight teaches nothing again."""
    bucket, asked_at = Bucket(RateLimit(100, 1), clock), clock.now - 0.5
    bucket.refused(asked_at)
    clock.now += 10
    assert bucket.status().learned == 1
    bucket.refused(asked_at)
    assert bucket.status().learned == 1
