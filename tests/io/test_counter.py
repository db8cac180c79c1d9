"""The count behind a daily cap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError, DailyCap
from leavo_async._io.counter import Counter

from .gates import Clock

DAY = 86400.0
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC).timestamp()


def used(counter: Counter, times: int) -> None:
    for _ in range(times):
        assert counter.reset_at() is None
        counter.take()


def test_a_calendar_day_begins_anew_at_midnight_of_its_zone() -> None:
    """A minute late, for clocks differ."""
    wall = Clock(MIDNIGHT + 5 * 3600)
    counter = Counter(DailyCap(3, zone=timezone(timedelta(hours=5, minutes=30))), wall)  # 10:30 there
    used(counter, 3)
    assert counter.reset_at() == MIDNIGHT + 18.5 * 3600 + 60
    wall.now = MIDNIGHT + 18.5 * 3600 + 59
    assert counter.reset_at() is not None
    wall.now += 1
    assert counter.reset_at() is None
    used(counter, 3)


def test_what_leaves_in_the_last_minutes_of_a_day_counts_for_the_next_too() -> None:
    """The server's clock may be ahead."""
    wall = Clock(MIDNIGHT - 30)
    counter = Counter(DailyCap(3, zone=UTC), wall)
    used(counter, 2)
    wall.now = MIDNIGHT + 120
    used(counter, 1)

    assert counter.reset_at() == MIDNIGHT + DAY + 60


def test_a_day_of_23_hours_ends_after_23_hours() -> None:
    """When clocks are put forward."""
    zone = ZoneInfo("Europe/Berlin")
    morning = datetime(2026, 3, 29, 0, 30, tzinfo=zone).timestamp()
    counter = Counter(DailyCap(1, zone=zone), Clock(morning))
    used(counter, 1)

    assert counter.reset_at() == morning + 22.5 * 3600 + 60


def test_without_a_zone_the_cap_holds_in_any_24_hours() -> None:
    """Nobody knows when the server's day begins."""
    wall = Clock(MIDNIGHT + 7)
    counter = Counter(DailyCap(2), wall)
    used(counter, 1)
    wall.now += 3600
    used(counter, 1)
    assert counter.reset_at() == MIDNIGHT + 60 + DAY + 60
    wall.now = MIDNIGHT + 60 + DAY + 60
    used(counter, 1)
    assert counter.reset_at() == MIDNIGHT + 3600 + 60 + DAY + 60


@given(st.integers(1, 20), st.lists(st.floats(0, 20_000), max_size=200), st.sampled_from([None, UTC]))
def test_no_day_has_more_than_the_cap(cap: int, steps: list[float], zone: timezone | None) -> None:
    """Rolling: no 24 hours. Calendar: no day from midnight to midnight, even for a clock that is a minute off."""
    wall = Clock(MIDNIGHT)
    counter, taken = Counter(DailyCap(cap, zone=zone), wall), []
    for step in steps:
        wall.now += step
        while counter.reset_at() is None:
            counter.take()
            taken.append(wall.now)
    starts = taken if zone is None else [MIDNIGHT + day * DAY + off for day in range(50) for off in (-60, 0, 60)]

    assert all(sum(start <= at < start + DAY for at in taken) <= cap for start in starts)


def test_what_was_not_sent_is_not_counted() -> None:
    """A call that was cancelled after its grant gives its place back."""
    counter = Counter(DailyCap(1), Clock(MIDNIGHT))
    used(counter, 1)
    counter.give_back()
    assert counter.is_fresh()
    counter.give_back()
    assert counter.status().used == 0


def test_an_unknown_cap_is_closed_by_the_server_alone() -> None:
    """And a shorter word does not cut a longer one."""
    wall = Clock(MIDNIGHT)
    counter = Counter(DailyCap(None), wall)
    used(counter, 1000)
    counter.close(5000)
    counter.close(10)
    assert counter.reset_at() == MIDNIGHT + 5000
    wall.now += 5000
    assert counter.reset_at() is None


def test_a_count_is_small_whatever_the_cap() -> None:
    """By the minute, for a day."""
    wall = Clock(MIDNIGHT)
    counter = Counter(DailyCap(10**9), wall)
    for _ in range(20_000):
        wall.now += 20
        assert counter.reset_at() is None
        counter.take()

    assert len(counter._slices) <= 1442


def test_a_cap_below_one_is_refused() -> None:
    """It would let nothing pass."""
    with pytest.raises(ConfigError, match="at least 1"):
        DailyCap(0)


def test_a_count_that_the_server_has_closed_is_not_as_new() -> None:
    """Although nothing was counted: dropped now, it would forget the server's word."""
    counter = Counter(DailyCap(None), Clock(MIDNIGHT))
    counter.close(100)

    assert (counter.status().used, counter.is_fresh()) == (0, False)


def test_a_wall_clock_that_steps_back_forgets_nothing() -> None:
    """What was sent then counts with the latest minute, so for longer rather than shorter."""
    wall = Clock(MIDNIGHT)
    counter = Counter(DailyCap(3), wall)
    for step in (0, -3600, 3600):
        wall.now += step
        used(counter, 1)

    assert counter.reset_at() == MIDNIGHT + DAY + 120
    wall.now = MIDNIGHT + DAY + 59
    assert counter.status().used == 3
