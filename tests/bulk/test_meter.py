"""What a run has done, counted and cut into slices."""

from __future__ import annotations

from leavo_async._sansio.records import AttemptRecord
from leavo_async.bulk.history import SLICE, latency_class
from leavo_async.bulk.meter import Meter


def attempt(status: int | None = 201, seconds: float = 0.1) -> AttemptRecord:
    return AttemptRecord("POST", "/leads", 1, status, None, "done", seconds, None, "")


def test_rows_that_are_not_sent_do_not_count() -> None:
    """Invalid and skipped ones; what earlier runs have settled does."""
    meter = Meter({"pending": 5, "done": 3, "failed": 1, "held": 1, "invalid": 7, "skipped": 2}, {"created": 3}, 0.0)

    assert (meter.total, meter.settled, meter.sent, meter.failed) == (10, 5, 0, 0)


def test_a_row_goes_from_state_to_state() -> None:
    """It is counted in one of them, and as sent once it needs nothing more."""
    meter = Meter({"pending": 3}, {"created": 3}, 0.0)
    meter.moved("pending", "in_flight")
    meter.moved("in_flight", "unknown")
    meter.moved("unknown", "done", "confirmed")
    meter.moved("pending", "in_flight")
    meter.moved("in_flight", "failed")

    assert {state: count for state, count in meter.counts.items() if count} == {"pending": 1, "done": 1, "failed": 1}
    assert (meter.total, meter.settled, meter.sent, meter.failed) == (3, 2, 2, 1)
    assert meter.outcomes == {"created": 3, "confirmed": 1}


def test_a_slice_has_what_came_in_it() -> None:
    """The slice under way is told again as it grows; once it has ended the next one begins at nought."""
    meter = Meter({"pending": 9}, {}, 1000.0)
    meter.attempt(attempt(429, 0.2))
    meter.attempt(attempt())
    meter.moved("in_flight", "done", "created")
    (first,) = meter.slices(1004.0)
    meter.moved("in_flight", "unknown")
    (whole,) = meter.slices(1000.0 + SLICE)
    meter.moved("in_flight", "failed")
    (second,) = meter.slices(1000.0 + SLICE)

    assert first[:6] == (1000.0, 2, 1, 1, 0, 0)
    assert (first.latencies[latency_class(0.1)], first.latencies[latency_class(0.2)], sum(first.latencies)) == (1, 1, 2)
    assert whole[:6] == (1000.0, 2, 1, 1, 0, 1)
    assert second[:6] == (1000.0 + SLICE, 0, 0, 0, 1, 0)
    assert (meter.requests, meter.refused, sum(meter.latencies)) == (2, 1, 2)


def test_nothing_is_lost_when_the_process_slept() -> None:
    """A slice that was told late is told once; the next one stands where its time is."""
    meter = Meter({"pending": 9}, {}, 1000.0)
    meter.attempt(attempt())
    (late,) = meter.slices(1000.0 + 7.5 * SLICE)
    meter.attempt(attempt())
    (after,) = meter.slices(1000.0 + 7.6 * SLICE)

    assert (late.at, late.requests, after.at, after.requests) == (1000.0, 1, 1000.0 + 7 * SLICE, 1)


def test_a_clock_that_goes_back_moves_no_slice() -> None:
    """What comes then joins the slice under way."""
    meter = Meter({"pending": 9}, {}, 1000.0)
    meter.slices(1025.0)
    meter.attempt(attempt())

    assert [(part.at, part.requests) for part in meter.slices(900.0)] == [(1020.0, 1)]
