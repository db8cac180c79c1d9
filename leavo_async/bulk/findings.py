"""What is known of a job: the values that a report shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from leavo_async.bulk.history import Event, Run, Slice
from leavo_async.bulk.states import OPEN, Outcome, RowRecord, State


class Reason(NamedTuple):
    """Why rows are not done, and how many: the most frequent first."""

    state: State
    status: int | None
    code: str | None
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Findings:
    """The values of a Report, for whatever shows them."""

    job: str
    name: str
    source: str
    place: str
    limit: str
    limit_per_minute: float | None
    counts: Mapping[State, int]
    outcomes: Mapping[Outcome, int]
    empty: int
    requests: int
    refused: int
    seconds: float
    runs: tuple[Run, ...]
    slices: tuple[Slice, ...]
    events: tuple[Event, ...]
    reasons: tuple[Reason, ...]
    stopped_by: str | None
    journal: Path
    _rows: Callable[..., Iterator[RowRecord]] = field(repr=False, compare=False)

    def rows(self, *states: State) -> Iterator[RowRecord]:
        """The rows in these states, default all, in the order of the source; read from the journal, one by one."""
        return self._rows(*states)

    @property
    def is_finished(self) -> bool:
        """Whether no row is left to be sent or settled."""
        return not any(self.counts[state] for state in OPEN)
