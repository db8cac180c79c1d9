"""Scales, ticks and paths: where things stand in a plot, as numbers from 0 to 1, and how they are drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, floor, log10
from typing import NamedTuple

from leavo_async.bulk.history import Run

_DAY = 86_400
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, _DAY)


def nice_step(least: float) -> float:
    """The first of 1, 2, 5, 10, 20, 50 and so on, also 0.5, 0.2, that is not below `least`."""
    unit = 10.0 ** floor(log10(least))
    # A hair less, for 0.3 / 3 is more than 0.1 in binary.
    return next(unit * digit for digit in (1, 2, 5, 10) if unit * digit >= least * (1 - 1e-9))


def ticks(top: float, *, at_most: int = 4) -> list[float]:
    """Round numbers from 0 to the first that is not below `top`, which must be above 0."""
    step = nice_step(top / at_most)
    return [step * number for number in range(ceil(top / step * (1 - 1e-9)) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers from one not above `low` to one not below `high`, both above 0: 1, 2, 5, 10 or only 1, 10, 100."""
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    digits = (1, 2, 5) if len(decades) < 4 else (1,)
    marks = [digit * 10.0**decade for decade in decades for digit in digits]
    first = max(number for number, mark in enumerate(marks) if mark <= low)
    last = min(number for number, mark in enumerate(marks) if mark >= high)
    return marks[first : max(last, first + 1) + 1]


Corner = tuple[float, float, float]
"""Where an area is at one x: (x, lower, upper)."""


class Pause(NamedTuple):
    """The time between two runs. how: what ended the first one; seconds: until the next one began."""

    how: str
    seconds: float
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The running time of a job from left (0) to right (1), with all pauses between the runs equally wide.

    A night between two runs of ten minutes would leave no room for the runs.
    knots: moments and their places, in order.
    """

    knots: tuple[tuple[float, float], ...]
    pauses: tuple[Pause, ...]

    def place(self, at: float) -> float:
        """Where a moment stands; the end of the axis for what is beyond it."""
        number = bisect_right(self.knots, (at, 2.0))
        if number in (0, len(self.knots)):
            return self.knots[min(number, len(self.knots) - 1)][1]
        (before, left), (after, right) = self.knots[number - 1 : number + 1]
        return left + (right - left) * (at - before) / (after - before)

    def ticks(self, *, at_most: int = 5) -> list[tuple[float, str, str]]:
        """Round moments within the runs: their places, the time and, where it is another than before, the day; UTC."""
        runs = list(zip(self.knots[::2], self.knots[1::2], strict=True))
        step = _time_step(sum(end - start for (start, _), (end, _) in runs) / at_most)
        moments = [at for (start, _), (end, _) in runs for at in _multiples(step, start, end)]
        if len(moments) < 2:
            moments = [start for (start, _), _ in runs]
        return list(_labelled(_apart([(self.place(at), at) for at in moments], 0.8 / at_most), step))


def time_axis(runs: Sequence[Run]) -> TimeAxis:
    """The axis of these runs: one or more, in order."""
    lengths = [max(run.ended - run.started, 1.0) for run in runs]
    pause = sum(lengths) * min(0.05, 0.3 / len(runs))
    whole = sum(lengths) + pause * (len(runs) - 1)
    knots: list[tuple[float, float]] = []
    for run, length in zip(runs, lengths, strict=True):
        left = knots[-1][1] + pause / whole if knots else 0.0
        knots += [(run.started, left), (run.started + length, left + length / whole)]
    pauses = [
        Pause(run.how, max(following.started - run.ended, 0.0), left, right)
        for (run, following), (_, left), (_, right) in zip(pairwise(runs), knots[1::2], knots[2::2], strict=False)
    ]
    return TimeAxis(tuple(knots), tuple(pauses))


def _time_step(least: float) -> int:
    """Seconds between two ticks: a step that clocks and calendars know."""
    return next((step for step in _TIME_STEPS if step >= least), ceil(least / _DAY) * _DAY)


def _multiples(step: int, start: float, end: float) -> list[float]:
    return [float(at) for at in range(ceil(start / step) * step, floor(end) + 1, step)]


def _apart(marks: Iterable[tuple[float, float]], least: float) -> Iterator[tuple[float, float]]:
    """Those marks whose labels do not run into the one before."""
    last = -1.0
    for place, at in marks:
        if place - last >= least:
            last = place
            yield place, at


def _labelled(marks: Iterable[tuple[float, float]], step: int) -> Iterator[tuple[float, str, str]]:
    last = ""
    for place, at in marks:
        moment = datetime.fromtimestamp(at, UTC)
        day, clock = f"{moment.day} {moment:%b}", f"{moment:%H:%M}" if step >= 60 else f"{moment:%H:%M:%S}"
        yield (place, day, "") if step >= _DAY else (place, clock, "" if day == last else day)
        last = day


def step_path(spans: Iterable[tuple[float, float, float]], *, base: float | None = None) -> str:
    """The path of an SVG over spans of (left, right, height), with a gap where one does not begin where the last ended.

    base: a height down to which the area is closed; None for a line.
    """
    parts: list[str] = []
    last = None
    for left, right, height in spans:
        if left != last:
            parts.append(_close(base, parts) + f"M{left:.4g} {height if base is None else base:.4g}")
        parts.append(f"V{height:.4g}H{right:.4g}")
        last = right
    return "".join(parts) + _close(base, parts)


def _close(base: float | None, parts: Sequence[str]) -> str:
    return "" if base is None or not parts else f"V{base:.4g}Z"


def band_path(spans: Iterable[tuple[Corner, Corner]]) -> str:
    """The path of an SVG around the area between two lines, over spans that each have two ends of (x, lower, upper).

    There is a gap where a span does not begin at the x where the last one ended.
    """
    bands: list[list[Corner]] = []
    for start, end in spans:
        if not bands or bands[-1][-1][0] != start[0]:
            bands.append([start])
        bands[-1].append(end)
    return "".join(map(_around, bands))


def _around(corners: Sequence[Corner]) -> str:
    there = [f"{x:.4g} {upper:.4g}" for x, _, upper in corners]
    back = [f"{x:.4g} {lower:.4g}" for x, lower, _ in reversed(corners)]
    return f"M{'L'.join([*there, *back])}Z"
