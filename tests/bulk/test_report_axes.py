from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async.bulk.axes import band_path, log_ticks, nice_step, step_path, ticks, time_axis
from leavo_async.bulk.history import Run

from .reports import BEGAN

HOUR, DAY = 3600.0, 86_400.0
latencies = st.floats(min_value=0.001, max_value=200)


def labels(runs: list[Run]) -> list[tuple[str, str]]:
    return [(time, day) for _, time, day in time_axis(runs).ticks()]


@pytest.mark.parametrize(("least", "step"), [(0.3, 0.5), (1, 1), (1.1, 2), (2.5, 5), (51, 100), (0.3 / 3, 0.1)])
def test_a_step_is_a_round_number(least, step):
    """1, 2 or 5, and as many zeros as it takes."""
    assert step == pytest.approx(nice_step(least), rel=1e-12)


def test_ticks_begin_at_nothing_and_hold_the_highest_value():
    """The highest value is not drawn outside."""
    assert [0, 50, 100] == ticks(100)
    assert [0, 50, 100, 150] == ticks(101)


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_ticks_are_few_and_no_more_than_needed(top):
    """Whatever the values, there are 2 to 5 lines, and the top one is the first above."""
    found = ticks(top)

    assert 2 <= len(found) <= 5
    assert found[0] == 0
    assert found[-2] < top <= found[-1] * (1 + 1e-9)


@given(latencies, latencies)
def test_logarithmic_ticks_are_around_the_values(one, other):
    """Neither the quickest nor the slowest attempt is drawn outside, and there are never so many that they collide."""
    low, high = sorted((one, other))
    found = log_ticks(low, high)

    assert found[0] <= low <= high <= found[-1]
    assert found[0] < found[-1]
    assert len(found) <= 10


def test_runs_are_drawn_by_their_length():
    """A run of three hours is three times as wide as one of an hour."""
    axis = time_axis([Run(BEGAN, BEGAN + HOUR, "killed"), Run(BEGAN + 9 * HOUR, BEGAN + 12 * HOUR, "finished")])

    (start, end), (again, last) = (
        (axis.place(BEGAN), axis.place(BEGAN + HOUR)),
        (axis.place(BEGAN + 9 * HOUR), axis.place(BEGAN + 12 * HOUR)),
    )
    assert (start, last) == (0.0, pytest.approx(1.0))
    assert 3 * (end - start) == pytest.approx(last - again)


@pytest.mark.parametrize("pause", [0.0, 2.0, HOUR, 300 * DAY])
def test_all_pauses_are_equally_wide(pause):
    """A kill with a restart at once can be seen, and half a year between two runs leaves room for them."""
    axis = time_axis([Run(BEGAN, BEGAN + 60, "killed"), Run(BEGAN + 60 + pause, BEGAN + 120 + pause, "finished")])

    [found] = axis.pauses
    assert ("killed", pause) == (found.how, found.seconds)
    assert 0.05 / 1.05 == pytest.approx(found.right - found.left)


def test_many_pauses_leave_room_for_the_runs():
    """They take less than a quarter of the axis."""
    axis = time_axis([Run(BEGAN + 100 * n, BEGAN + 100 * n + 60, "killed") for n in range(100)])

    assert 0.2 < sum(pause.right - pause.left for pause in axis.pauses) < 0.25


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e5)), min_size=1, max_size=30), st.data())
def test_later_is_never_further_left(spans, data):
    """Also if a clock was set back between two runs, so that they overlap."""
    axis = time_axis([Run(start, start + length, "killed") for start, length in spans])
    moments = sorted(data.draw(st.lists(st.floats(-1e6, 2e6), min_size=2, max_size=9)))

    places = [axis.place(at) for at in moments]
    assert places == sorted(places)
    assert all(0 <= place <= 1 + 1e-9 for place in places)
    assert all(one.right <= other.left + 1e-9 for one, other in pairwise(axis.pauses))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (4, [("20:10:00", "21 Nov"), ("20:10:01", ""), ("20:10:02", ""), ("20:10:03", ""), ("20:10:04", "")]),
        (100, [("20:10:00", "21 Nov"), ("20:10:30", ""), ("20:11:00", ""), ("20:11:30", "")]),
        (1500, [("20:10", "21 Nov"), ("20:15", ""), ("20:20", ""), ("20:25", ""), ("20:30", ""), ("20:35", "")]),
        (6 * HOUR, [("22:00", "21 Nov"), ("00:00", "22 Nov"), ("02:00", "")]),
        (9 * DAY, [("23 Nov", ""), ("25 Nov", ""), ("27 Nov", ""), ("29 Nov", "")]),
        (70 * DAY, [("3 Dec", ""), ("17 Dec", ""), ("31 Dec", ""), ("14 Jan", ""), ("28 Jan", "")]),
    ],
)
def test_ticks_of_time_are_round_and_in_the_units_of_people(seconds, expected):
    """From seconds to weeks; the day is told once."""
    assert expected == labels([Run(BEGAN, BEGAN + seconds, "finished")])


def test_no_tick_is_in_a_pause():
    """There the axis is not to scale."""
    runs = [Run(BEGAN, BEGAN + HOUR, "killed"), Run(BEGAN + 5 * DAY, BEGAN + 5 * DAY + HOUR, "finished")]

    assert [("20:30", "21 Nov"), ("21:00", ""), ("20:30", "26 Nov"), ("21:00", "")] == labels(runs)


def test_without_round_moments_runs_are_labelled_where_they_begin():
    """Many short runs may have none, and an axis without times says nothing."""
    runs = [Run(BEGAN + 61 + HOUR * n, BEGAN + 62 + HOUR * n, "killed") for n in range(100)]
    starts = [*(BEGAN + HOUR * n + 1260 for n in range(11)), BEGAN + HOUR * 11 + 900]
    one_moment = [Run(start, start + 600, "killed") for start in starts]

    assert [("20:11:01", "21 Nov"), ("12:11:01", "22 Nov")] == labels(runs)[:2]
    assert ("20:31", "21 Nov") == labels(one_moment)[0]


def test_labels_do_not_run_into_each_other():
    """Where a pause brings two round moments together, the second has no label."""
    runs = [Run(BEGAN + HOUR * n, BEGAN + HOUR * n + 1300, "killed") for n in range(12)]
    places = [place for place, _, _ in time_axis(runs).ticks()]

    assert len(places) > 2
    assert all(right - left >= 0.16 for left, right in pairwise(places))


def test_a_path_of_steps_is_broken_where_nothing_is_known():
    """A line across a pause would claim that something was measured there."""
    assert "M0 5V5H10V7H20M30 1V1H40" == step_path([(0, 10, 5), (10, 20, 7), (30, 40, 1)])


def test_an_area_of_steps_is_closed_at_its_base():
    """Each piece on its own."""
    assert "M0 9V5H10V9ZM30 9V1H40V9Z" == step_path([(0, 10, 5), (30, 40, 1)], base=9)
    assert "" == step_path([], base=9)


def test_a_band_goes_along_the_upper_line_and_back_along_the_lower_one():
    """With a gap where a span does not begin where the last one ended."""
    path = band_path([((0, 9, 8), (10, 9, 5)), ((10, 9, 5), (20, 9, 4)), ((30, 9, 4), (40, 9, 3))])

    assert "M0 8L10 5L20 4L20 9L10 9L0 9ZM30 4L40 3L40 9L30 9Z" == path
