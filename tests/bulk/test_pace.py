"""The pace of a job: rate, time left, and what holds it back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leavo_async._sansio.status import Status
from leavo_async.bulk.pace import Pace, limited_by, workers_for

DAY = 86_400.0
LIMITS = st.none() | st.floats(1, 10_000)


def worked(
    seconds: int,
    a_minute: float,
    *,
    pace: Pace | None = None,
    at: float = 0.0,
    limit: float | None = None,
    held: float = 0.0,
    each: int = 1,
) -> Pace:
    """A pace after so many seconds of so many rows a minute, `each` requests for each, told what is allowed."""
    pace = pace or Pace(at)
    due = 0.0
    for second in range(seconds):
        now = at + second
        pace.allowed(now, limit=limit, held=max(0.0, held - second))
        due += a_minute / 60
        while due >= 1:
            due -= 1
            pace.asked(now, each)
            pace.settled(now)
    return pace


# Rate


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, None), (4.9, None), (5.0, 0.0), (60.0, 0.0)])
def test_a_rate_is_told_after_a_few_seconds(seconds: float, expected: float | None) -> None:
    """Three answers in the first second are not 180 a minute."""
    assert expected == Pace(100.0).rate(100.0 + seconds)


def test_the_rate_is_that_of_the_last_five_minutes() -> None:
    """What was quick an hour ago says nothing of now."""
    pace = worked(3600, 600)
    worked(300, 60, pace=pace, at=3600.0)

    assert pace.rate(3900.0) == pytest.approx(60, rel=0.02)
    assert pace.rate(3900.0 + 300.0) == 0.0


def test_a_pace_counts_what_happens_in_its_run() -> None:
    """Of all requests, those that were refused too."""
    pace = Pace(0.0)
    pace.asked(1.0)
    pace.asked(2.0, 3, refused=2)
    pace.settled(2.0, 2)

    assert (2, 4, 2) == (pace.rows, pace.requests, pace.refused)


def test_memory_does_not_grow_with_time() -> None:
    """A million rows take a week."""
    pace = Pace(0.0)
    for hour in range(200):
        pace.asked(hour * 600.0)
    for second in range(1000):
        pace.asked(DAY * 2 + second)

    assert len(pace._parts) == 60


# Time left


def test_with_a_limit_the_time_left_is_told_from_the_first_second() -> None:
    """Without one nobody knows."""
    assert Pace(0.0).eta(100_000, 0.0, limit=100.0, held=0.0) == 60_000.0
    assert Pace(0.0).eta(100_000, 0.0, limit=None, held=0.0) is None


def test_the_first_answer_may_take_its_time() -> None:
    """Nothing has come after ten seconds: the limit is still all that is known."""
    assert Pace(0.0).eta(100, 10.0, limit=100.0, held=0.0) == 60.0


@given(rows=st.integers(1, 10**6), a_minute=st.integers(1, 5000), seconds=st.integers(60, 400), limit=LIMITS)
def test_time_left_is_rows_over_rate(rows: int, a_minute: int, seconds: int, limit: float | None) -> None:
    """Rows are rate × time left, at the limit or at what was measured, whichever is less."""
    pace = Pace(0.0)
    for second in range(seconds):
        pace.asked(second, a_minute)
        pace.settled(second, a_minute)
    rate, eta = pace.rate(seconds), pace.eta(rows, seconds, limit=limit, held=0.0)

    assert rate is not None
    assert eta is not None
    assert eta * min(rate, limit or rate) / 60 == pytest.approx(rows)


@given(
    more=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 5), st.integers(0, 5)), max_size=20),
    rows=st.integers(1, 10**6),
    limit=LIMITS,
    held=st.floats(0, 3600),
)
def test_time_left_is_never_negative_and_grows_with_rows_and_pauses(
    more: list[tuple[int, int, int]], rows: int, limit: float | None, held: float
) -> None:
    """Whatever has happened, and however long nothing has."""
    pace, now = Pace(0.0), 0.0
    for wait, requests, settled in more:
        now += wait
        pace.allowed(now, limit=limit, held=held)
        pace.asked(now, requests)
        pace.settled(now, settled)
    eta = pace.eta(rows, now, limit=limit, held=held)
    assume(eta is not None)
    assert eta is not None
    longer = [pace.eta(rows + 1, now, limit=limit, held=held), pace.eta(rows, now, limit=limit, held=held + 1)]

    assert eta >= 0
    assert all(each is not None and each >= eta for each in longer)


@given(limit=st.floats(1, 1000), more=st.floats(0, 1000), a_minute=st.integers(1, 1000))
def test_a_higher_limit_never_makes_it_longer(limit: float, more: float, a_minute: int) -> None:
    """Whether the limit or the server sets the pace."""
    pace = worked(60, a_minute, limit=limit)
    before, after = (pace.eta(1000, 60.0, limit=each, held=0.0) for each in (limit, limit + more))

    assert before is None or (after is not None and after <= before * (1 + 1e-9))


def test_a_run_that_goes_on_with_a_job_counts_from_its_own_beginning() -> None:
    """A day off would make a week of the hour that is left; the rows of before would make it a minute."""
    pace = worked(120, 97, at=DAY, limit=100.0)
    eta = pace.eta(9_700, DAY + 120, limit=100.0, held=0.0)

    assert pace.rate(DAY + 120) == pytest.approx(97, rel=0.02)
    assert eta == pytest.approx(6000, rel=0.02)


def test_requests_that_settle_nothing_make_it_longer() -> None:
    """Each row has taken two requests, so those that are left will."""
    pace = worked(120, 50, limit=100.0, each=2)

    assert pace.eta(1000, 120.0, limit=100.0, held=0.0) == pytest.approx(1200, rel=0.02)


def test_the_repeats_of_the_first_row_are_no_rule() -> None:
    """One row that was asked for three times does not make three of each of the others."""
    pace = Pace(0.0)
    pace.asked(1.0, 3)
    pace.settled(1.0)

    assert pace.eta(1000, 1.0, limit=100.0, held=0.0) == 600.0


def test_rows_that_are_settled_without_a_request_are_no_rule() -> None:
    """A look-up may settle ten at once; those that are left take a request each."""
    pace = Pace(0.0)
    pace.asked(1.0, 10)
    pace.settled(1.0, 100)

    assert pace.eta(1000, 1.0, limit=100.0, held=0.0) == 600.0


@pytest.mark.parametrize("limit", [None, 100.0])
def test_when_nothing_gets_settled_nobody_can_tell(limit: float | None) -> None:
    """Every request fails, or none has been answered for five minutes."""
    failing, silent = Pace(0.0), worked(60, 50)
    failing.asked(30.0, 50)

    assert failing.eta(1000, 60.0, limit=limit, held=0.0) is None
    assert silent.eta(1000, 600.0, limit=limit, held=0.0) is None


def test_nothing_left_takes_no_time() -> None:
    """Not even that of a pause."""
    assert worked(60, 50).eta(0, 60.0, limit=None, held=30.0) == 0.0


@pytest.mark.parametrize("limit", [None, 100.0])
def test_a_pause_is_added_and_then_forgotten(limit: float | None) -> None:
    """While it lasts the time left falls second by second; afterwards it is what it was."""
    pace = worked(200, 96, limit=limit)
    before = pace.eta(960, 200.0, limit=limit, held=0.0)
    worked(30, 0, pace=pace, at=200.0, limit=limit, held=60.0)
    middle = pace.eta(960, 230.0, limit=limit, held=30.0)
    worked(31, 0, pace=pace, at=230.0, limit=limit, held=30.0)
    after = pace.eta(960, 260.0, limit=limit, held=0.0)

    assert before == pytest.approx(600, rel=0.02)
    assert middle == pytest.approx(630, rel=0.02)
    assert after == pytest.approx(600, rel=0.02)


@pytest.mark.parametrize(("old", "new"), [(100.0, 50.0), (50.0, 100.0)])
def test_a_limit_that_changes_counts_at_once(old: float, new: float) -> None:
    """Where the limit set the pace: five minutes of the old one would make the time left wrong for as long."""
    pace = worked(300, old * 0.97, limit=old)

    assert pace.eta(1000, 300.0, limit=new, held=0.0) == pytest.approx(1000 / (new * 0.97) * 60, rel=0.03)


def test_a_pause_is_no_reason_to_think_the_server_slow() -> None:
    """The limit was used up except for the pause, so a higher one will be too."""
    pace = worked(150, 48.5, limit=50.0)
    worked(120, 0, pace=pace, at=150.0, limit=50.0, held=120.0)
    pace.allowed(270.0, limit=50.0, held=0.0)

    assert pace.eta(1000, 270.0, limit=100.0, held=0.0) == pytest.approx(1000 / 97 * 60, rel=0.03)


@pytest.mark.parametrize("new", [50.0, 200.0])
def test_where_the_server_sets_the_pace_the_limit_changes_nothing(new: float) -> None:
    """40 a minute stay 40."""
    pace = worked(300, 40, limit=100.0)

    assert pace.eta(1000, 300.0, limit=new, held=0.0) == pytest.approx(1500, rel=0.02)


# What holds it back


def limited(*, workers: int = 8, supply: int = 100, in_flight: int = 8, quarantined: int = 0, **changed: Any) -> str:
    waiting = {"interactive": 0, "normal": 0, "bulk": changed.pop("waiting", 0)}
    held, probing, slots = changed.pop("held", 0.0), changed.pop("probing", False), changed.pop("slots", (1, 32))
    status = Status((), (), waiting, held, probing, *slots)
    return limited_by(status, in_flight=in_flight, workers=workers, supply=supply, quarantined=quarantined)


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        ({"held": 12.0, "waiting": 7}, "pause"),
        ({"probing": True, "waiting": 7}, "pause"),
        ({"waiting": 7}, "rate limit"),
        ({"waiting": 1, "in_flight": 2}, "rate limit"),
        ({}, "server"),
        ({"waiting": 3, "slots": (32, 32), "in_flight": 3}, "server"),
        ({"supply": 0, "in_flight": 0, "quarantined": 2}, "quarantine"),
        ({"supply": 0, "in_flight": 1, "quarantined": 2}, "input"),
        ({"supply": 0, "in_flight": 3}, "input"),
        ({"supply": 5, "in_flight": 3}, ""),
        ({"supply": 5, "in_flight": 0, "quarantined": 2}, ""),
    ],
)
def test_what_holds_a_job_back(scene: dict[str, Any], expected: str) -> None:
    """The pause before the limit, the limit before the server, and what is lacking last."""
    assert expected == limited(**scene)


@pytest.mark.parametrize(
    ("rate_per_s", "latency", "expected"),
    [
        (None, None, 32),
        (None, 0.1, 32),
        (1.6, None, 8),
        (1.6, 0.2, 2),
        (1.6, 2.0, 5),
        (1.6, 90.0, 32),
        (1000.0, 0.01, 15),
        (1000.0, float("inf"), 32),
    ],
)
def test_as_many_at_a_time_as_the_limit_needs(rate_per_s: float | None, latency: float | None, expected: int) -> None:
    """More would be no quicker, and leave more rows of unknown outcome after a crash."""
    assert expected == workers_for(rate_per_s, latency)
