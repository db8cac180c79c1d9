"""The slices of a job, put together until there are few enough to draw."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

from leavo_async.bulk.history import SLICE, Run, Slice, percentile


class Point(NamedTuple):
    """A stretch of one run, from `start` to `end` in seconds since the Unix epoch.

    rate: requests a minute. refused: 429s. done, failed, unknown: rows that got this result since the job began.
    p50, p95: latencies in seconds; None if nothing was sent.
    """

    start: float
    end: float
    rate: float
    refused: int
    done: int
    failed: int
    unknown: int
    p50: float | None
    p95: float | None


def timeline(runs: Sequence[Run], slices: Sequence[Slice], *, at_most: int = 200) -> list[Point]:
    """The job in stretches of the same length, about `at_most` of them; more only if there are that many runs."""
    running = sum(run.ended - run.started for run in runs)
    # Whole slices, or a stretch would hold now one more, now one less than its neighbour, and the line would shake.
    width = SLICE * max(1, ceil(running / at_most / SLICE))
    points: list[Point] = []
    for run, pieces in zip(runs, _by_run(runs, slices), strict=True):
        for start, end, inside in _stretches(run, pieces, width):
            # In less than a slice a limit may let some through at once: that is no rate, unless there is no more.
            length = max(end - start, min(SLICE, run.ended - run.started))
            points.append(_point(start, end, length, inside, points[-1] if points else None))
    return points


def _by_run(runs: Sequence[Run], slices: Sequence[Slice]) -> list[list[Slice]]:
    starts = [run.started for run in runs]
    found: list[list[Slice]] = [[] for _ in runs]
    for piece in slices if runs else ():
        found[max(bisect_left(starts, piece.at + SLICE) - 1, 0)].append(piece)
    return found


def _stretches(run: Run, pieces: list[Slice], width: float) -> Iterator[tuple[float, float, list[Slice]]]:
    """Each stretch of a run and the slices in it; also those in which nothing was sent."""
    origin = min([run.started, *(piece.at for piece in pieces)])
    inside: list[list[Slice]] = [[] for _ in range(max(1, ceil((run.ended - origin) / width)))]
    for piece in pieces:
        # A last slice may have begun after the last sign of life.
        inside[min(int((piece.at - origin) // width), len(inside) - 1)].append(piece)
    for number, here in enumerate(inside):
        start = max(origin + number * width, run.started)
        # A run of no length is drawn as a second, as on the axis.
        yield start, max(min(origin + (number + 1) * width, run.ended), start + 1.0), here


def _point(start: float, end: float, length: float, slices: list[Slice], before: Point | None) -> Point:
    latencies = [sum(same) for same in zip(*(piece.latencies for piece in slices), strict=True)]
    done, failed, unknown = (before.done, before.failed, before.unknown) if before else (0, 0, 0)
    return Point(
        start,
        end,
        rate=60 * sum(piece.requests for piece in slices) / length,
        refused=sum(piece.refused for piece in slices),
        done=done + sum(piece.done for piece in slices),
        failed=failed + sum(piece.failed for piece in slices),
        unknown=unknown + sum(piece.unknown for piece in slices),
        p50=percentile(latencies, 0.5),
        p95=percentile(latencies, 0.95),
    )
