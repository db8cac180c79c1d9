"""A report from the journal of a job, whether it is finished, stopped or was killed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from leavo_async.bulk.history import Run
from leavo_async.bulk.journal import Journal, viewing
from leavo_async.bulk.lock import is_locked
from leavo_async.bulk.report import Reason, Report
from leavo_async.bulk.states import STATES, RowRecord, State

_REASONS = 100


def report_of(path: Path) -> Report:
    """What became of a job. It blocks: it reads all rows. ConfigError if there is no journal that can be read."""
    is_alive = is_locked(path)
    with viewing(path) as journal:
        return _report(journal, is_alive=is_alive)


def _report(journal: Journal, *, is_alive: bool) -> Report:
    facts, counts, slices = journal.facts, journal.counts(), journal.slices()
    runs = [run if is_alive or run.how != "running" else run._replace(how="killed") for run in journal.runs()]
    return Report(
        job=facts.job,
        name=facts.name,
        source=facts.source,
        place=facts.place,
        limit=facts.limit,
        limit_per_minute=facts.limit_per_minute,
        counts={state: counts[state] for state in STATES},
        outcomes=journal.outcomes(),
        empty=facts.empty,
        requests=sum(part.requests for part in slices),
        refused=sum(part.refused for part in slices),
        seconds=sum(max(0.0, run.ended - run.started) for run in runs),
        runs=tuple(runs),
        slices=tuple(slices),
        events=tuple(journal.events()),
        reasons=tuple(Reason(*row) for row in journal.reasons(_REASONS)),
        stopped_by=_stopped_by(runs, is_open=journal.is_open()),
        journal=journal.path,
        _rows=partial(_rows, journal.path),
    )


def _stopped_by(runs: list[Run], *, is_open: bool) -> str | None:
    if not is_open:
        return None
    return runs[-1].how if runs else "nothing was sent yet"


def _rows(path: Path, *states: State) -> Iterator[RowRecord]:
    with viewing(path) as journal:
        yield from journal.rows(*states)
