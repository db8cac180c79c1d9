import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async.bulk.history import Run
from leavo_async.bulk.timeline import timeline

from .reports import BEGAN, slice_at, slices_of


def test_a_short_job_is_drawn_slice_by_slice():
    """Nothing is lost where there is room for all."""
    run = Run(BEGAN, BEGAN + 30, "finished")
    points = timeline([run], [slice_at(BEGAN + at, *[0.1] * 8, done=8) for at in (0, 10, 20)])

    assert [(BEGAN, BEGAN + 10), (BEGAN + 10, BEGAN + 20), (BEGAN + 20, BEGAN + 30)] == [p[:2] for p in points]
    assert [48.0] * 3 == [point.rate for point in points]
    assert [8, 16, 24] == [point.done for point in points]


def test_a_job_of_one_slice_has_the_rate_of_its_own_length():
    """Five requests in four seconds are 75 a minute."""
    [point] = timeline([Run(BEGAN, BEGAN + 4, "finished")], [slice_at(BEGAN - 3, *[0.1] * 5)])

    assert (BEGAN, BEGAN + 4, 75.0) == point[:3]


def test_a_week_is_drawn_in_two_hundred_points():
    """However long a job takes, its page stays small; and no point has more slices than its neighbour."""
    run = Run(BEGAN, BEGAN + 7 * 86_400, "finished")
    points = timeline([run], [slice_at(BEGAN + 10 * n, *[0.1] * 16) for n in range(60_480)])

    assert 190 < len(points) <= 200
    assert {96.0} == {round(point.rate, 3) for point in points}


def test_the_last_seconds_of_a_job_do_not_look_too_fast():
    """A limit lets some through at once: two requests in the last second are not 120 a minute."""
    run = Run(BEGAN, BEGAN + 11, "finished")
    points = timeline([run], [slice_at(BEGAN, *[0.1] * 16), slice_at(BEGAN + 10, 0.1, 0.1)])

    assert [96.0, 12.0] == [point.rate for point in points]


def test_slices_belong_to_the_run_they_were_in():
    """Also if they begin at full ten seconds, before their run, and if a run ends within one."""
    first, second = Run(BEGAN + 7, BEGAN + 12, "killed"), Run(BEGAN + 107, BEGAN + 113, "finished")
    points = timeline([first, second], [slice_at(BEGAN + at, 0.1, done=1) for at in (0, 10, 100, 110)])

    assert [BEGAN + 7, BEGAN + 10, BEGAN + 107, BEGAN + 110] == [point.start for point in points]
    assert [1, 2, 3, 4] == [point.done for point in points]
    assert all(point.start < point.end for point in points)


def test_a_slice_after_the_last_sign_of_life_counts():
    """Of a killed process the journal may know a little more than when it lived."""
    points = timeline([Run(BEGAN, BEGAN + 20, "killed")], [slice_at(BEGAN + at, 0.1, done=1) for at in (0, 10, 20)])

    assert 3 == points[-1].done


def test_time_in_which_nothing_was_sent_is_drawn_too():
    """A wait of an hour is a rate of nothing, without a latency."""
    points = timeline([Run(BEGAN, BEGAN + 30, "finished")], [slice_at(BEGAN, 0.1), slice_at(BEGAN + 20, 0.1)])

    assert [6.0, 0.0, 6.0] == [point.rate for point in points]
    assert (None, None) == (points[1].p50, points[1].p95)


def test_latencies_are_those_of_all_attempts_in_a_stretch():
    """p95 is what only one in twenty exceeded."""
    [point] = timeline([Run(BEGAN, BEGAN + 10, "finished")], [slice_at(BEGAN, *[0.1] * 90, *[2.0] * 10)])

    assert (0.128, 2.048) == pytest.approx((point.p50, point.p95))


def test_without_a_run_there_is_nothing_to_draw():
    """A job that was only planned has no history."""
    assert [] == timeline([], [])
    assert [] == timeline([], [slice_at(BEGAN, 0.1)])


@given(st.lists(st.tuples(st.floats(1, 1e5), st.floats(0.1, 5_000)), min_size=1, max_size=8), st.integers(1, 300))
def test_no_row_and_no_refusal_is_lost(spans, at_most):
    """However runs and pauses lie, the last point has all results; nor are there many more points than asked for."""
    runs, at = [], BEGAN
    for pause, length in spans:
        runs.append(Run(at + pause, at + pause + length, "killed"))
        at += pause + length
    slices = [piece for number, run in enumerate(runs) for piece in slices_of(run, seed=number)]
    points = timeline(runs, slices, at_most=at_most)

    assert sum(piece.done for piece in slices) == points[-1].done
    assert sum(piece.failed for piece in slices) == points[-1].failed
    assert sum(piece.refused for piece in slices) == sum(point.refused for point in points)
    assert len(points) <= at_most + 2 * len(runs)
