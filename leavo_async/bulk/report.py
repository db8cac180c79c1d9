"""What became of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from leavo_async.bulk.history import Event, Run, Slice
from leavo_async.bulk.states import Outcome, RowRecord, State


class Reason(NamedTuple):
    """Why rows are not done, and how many: the most frequent first."""

    state: State
    status: int | None
    code: str | None
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the rows of a job so far.

    job: its id. name: of what is imported, such as "leads". source: the file's name, or what the rows were.
    place: where they go. limit: what the key may send, in words; limit_per_minute: as a number, None without a limit.
    counts: rows by state; all states are there. outcomes: done rows by how they got done. empty: rows without content.
    requests: attempts, look-ups included; refused: 429s among them. seconds: of running time, all runs together.
    reasons: why rows are not done. stopped_by: why the last run ended before the job was finished; None if it is.
    journal: the file that has it all.
    """

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
        return not any(self.counts[state] for state in ("pending", "in_flight", "unknown"))
