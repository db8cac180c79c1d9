"""What a run has done so far, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from leavo_async._sansio.records import AttemptRecord
from leavo_async.bulk.history import BOUNDS, SLICE, Slice, latency_class
from leavo_async.bulk.states import Outcome, State

_UNSENT: tuple[State, ...] = ("invalid", "skipped")
_SETTLED: tuple[State, ...] = ("done", "failed", "held")


class Meter:
    """Counts rows and attempts, and cuts them into slices.

    counts, outcomes: as the journal had them when the run began. began: seconds since the Unix epoch.
    sent: rows that got a result in this run. failed: those of them that the server refused. latencies: attempts of this
    run by class, as `latency_class` numbers them.
    """

    def __init__(self, counts: Mapping[State, int], outcomes: Mapping[Outcome, int], began: float) -> None:
        self.counts: Counter[State] = Counter(counts)
        self.outcomes: Counter[Outcome] = Counter(outcomes)
        self.began = began
        self.sent = self.failed = self.requests = self.refused = 0
        self.latencies = [0] * (len(BOUNDS) + 1)
        self._number = 0
        self._part = _Part()

    @property
    def total(self) -> int:
        """Rows that are to be sent, or were."""
        return self.counts.total() - sum(self.counts[state] for state in _UNSENT)

    @property
    def settled(self) -> int:
        """Rows that need nothing more."""
        return sum(self.counts[state] for state in _SETTLED)

    def attempt(self, record: AttemptRecord) -> None:
        """Count an attempt: an observer."""
        self.requests += 1
        self.refused += record.status == 429
        self._part.requests += 1
        self._part.refused += record.status == 429
        speed = latency_class(record.seconds)
        self.latencies[speed] += 1
        self._part.latencies[speed] += 1

    def moved(self, before: State, after: State, outcome: Outcome | None = None) -> None:
        """Count a row that has come from one state into another."""
        self.counts[before] -= 1
        self.counts[after] += 1
        if outcome is not None:
            self.outcomes[outcome] += 1
        if after in _SETTLED:
            self.sent += 1
            self.failed += after == "failed"
        self._part.done += after == "done"
        self._part.failed += after == "failed"
        self._part.unknown += after == "unknown"

    def slices(self, now: float) -> list[Slice]:
        """What is to be kept of the history now: the slice under way, and the one before if that has just ended."""
        number = int((now - self.began) // SLICE)
        told = [self._part.told(self.began + SLICE * self._number)]
        if number > self._number:
            self._number, self._part = number, _Part()
        return told


class _Part:
    """A slice under way."""

    def __init__(self) -> None:
        self.requests = self.refused = self.done = self.failed = self.unknown = 0
        self.latencies = [0] * (len(BOUNDS) + 1)

    def told(self, at: float) -> Slice:
        return Slice(at, self.requests, self.refused, self.done, self.failed, self.unknown, tuple(self.latencies))
