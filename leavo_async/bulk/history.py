"""The history of a job in small slices: what a report draws."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

# Seconds. A week of them is 60,480 slices, a few megabytes.
SLICE = 10.0
# Upper ends of the classes of latencies, in seconds: from 1 ms to 185 s, each 1.41 times the one before.
BOUNDS = tuple(0.001 * 2 ** (step / 2) for step in range(36))


class Slice(NamedTuple):
    """Ten seconds of a job.

    at: when it began, in seconds since the Unix epoch. requests: attempts that ended in it; refused: 429s among them.
    done, failed, unknown: rows that got this result in it. latencies: attempts by class, as `latency_class` numbers
    them; one class more than BOUNDS has.
    """

    at: float
    requests: int
    refused: int
    done: int
    failed: int
    unknown: int
    latencies: tuple[int, ...]


class Run(NamedTuple):
    """One process that worked on a job.

    started, ended: in seconds since the Unix epoch; `ended` is its last sign of life if it was killed.
    how: "running", "finished", "killed", or why it stopped.
    """

    started: float
    ended: float
    how: str


class Event(NamedTuple):
    """Something worth telling. kind: such as "429", "pause", "limit", "stopped". detail: in words."""

    at: float
    kind: str
    detail: str


def latency_class(seconds: float) -> int:
    """The number of the class that a latency is in: the first whose upper end is not below it."""
    return bisect_left(BOUNDS, seconds)


def percentile(latencies: Sequence[int], share: float) -> float | None:
    """The latency that this share (0 to 1) of attempts did not exceed, in seconds; None without attempts.

    It is the upper end of a class, so up to 41 % too high.
    """
    left = share * sum(latencies)
    if not left:
        return None
    for number, count in enumerate(latencies):
        left -= count
        if left <= 0:
            return BOUNDS[min(number, len(BOUNDS) - 1)]
    return BOUNDS[-1]
