"""Rows of a job that somebody has looked at: sent anew, or told to be there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from leavo_async.bulk.beginning import opened
from leavo_async.bulk.failed import REASON_COLUMNS
from leavo_async.bulk.journal import Journal, cells_of
from leavo_async.bulk.mapping import MappingPlan, plan_mapping
from leavo_async.bulk.operation import InvalidRowError, Operation
from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import Source
from leavo_async.bulk.spool import body_of, identity_of, written_body
from leavo_async.bulk.states import State
from leavo_async.errors import ConfigError

_LEFT = "not failed, or not of this job: left as they are"
# The only ones that were certainly not done.
_TO_MEND: tuple[State, ...] = ("failed", "invalid", "pending")
# SQLite takes any number that is not longer. https://www.sqlite.org/datatype3.html
_DIGITS = 18


def redrive(journal: Path, operation: Operation, mended: Source | None) -> Counter[str]:
    """Have rows that were refused sent anew, with new keys; gives how many, and why others are not.

    mended: rows with what is to be sent instead, each with its `_row`, as the file of failed rows has it; None for all
    that the server has refused, as they are. Only rows that have failed, or were invalid, are sent anew: others are
    done, or may be. It blocks. ConfigError if there is no such column, or while another process works on the job.
    """
    begun = opened(journal)
    try:
        with begun.journal.transaction():
            if mended is None:
                return _as_they_are(begun.journal)
            return _mended(begun.journal, operation, mended)
    finally:
        begun.close()


def reconcile(journal: Path, *, resend: Iterable[int] = (), done: Iterable[int] = ()) -> Counter[str]:
    """Settle rows of unknown outcome, held or not: these are to be sent again, those are there; gives how many.

    The rest is looked up once more. It blocks. ConfigError for a row whose outcome is known, or that is in both, or
    while another process works on the job.
    """
    begun = opened(journal)
    try:
        with begun.journal.transaction():
            return _reconciled(begun.journal, set(resend), set(done))
    finally:
        begun.close()


def _as_they_are(journal: Journal) -> Counter[str]:
    counts: Counter[str] = Counter()
    for n in [record.row for record in journal.rows("failed")]:
        row = journal.one(n)
        if row is not None:
            journal.resend(row.n, row.body)
            counts["to be sent"] += 1
    return counts


def _mended(journal: Journal, operation: Operation, mended: Source) -> Counter[str]:
    if "_row" not in mended.columns:
        raise ConfigError(f"{mended.name} has no column _row, which says which row is which; `failures` writes it")
    facts = journal.facts
    columns = tuple(column for column in mended.columns if column not in REASON_COLUMNS)
    plan = plan_mapping(
        columns,
        operation.fields,
        mapped={field: column for field, column in facts.mapping.items() if column in columns},
        ignored={*facts.ignored, *(column for column in facts.left_out if column in columns)},
        open_prefix=operation.open_prefix,
    )
    journal.index_digests()
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    for row in mended:
        if not row.is_empty:
            n = _number(row.values.get("_row"))
            counts[_LEFT if n in seen else _mend(journal, operation, plan, n, row)] += 1
            seen.add(n)
    return counts


def _mend(journal: Journal, operation: Operation, plan: MappingPlan, n: int, row: Row) -> str:
    if journal.state(n) not in _TO_MEND:
        return _LEFT
    facts, values = journal.facts, {name: value for name, value in row.values.items() if name not in REASON_COLUMNS}
    try:
        body = body_of(Row(row.line, values, row.problem), plan, operation)
        written = written_body(body)
        row_id, digest = identity_of(row, body, written, row_key=facts.row_key, same_by=facts.same_by)
        # Else it might be sent under the key of that row, and told to be done because that one is.
        if (facts.row_key or facts.same_by) and (line := journal.twin(n, digest)) is not None:
            raise InvalidRowError(f"the same as line {line}")
    except InvalidRowError as problem:
        journal.move(n, "invalid", str(problem))
        return "still invalid"
    journal.resend(n, written, row_id, digest)
    journal.keep_cells(n, cells_of(values, facts.columns))
    return "to be sent"


def _number(told: object) -> int:
    """The number of a row; 0, which no row has, for what can be none."""
    text = str(told).strip()
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0


def _reconciled(journal: Journal, resend: set[int], done: set[int]) -> Counter[str]:
    held = [record.row for record in journal.rows("held", "unknown", "in_flight")]
    if both := sorted(resend & done):
        raise ConfigError(f"row {_told(both)} is to be sent again and is there: say one of both")
    if wrong := sorted((resend | done) - set(held)):
        raise ConfigError(f"not held: row {', '.join(map(str, wrong))} (held: {_told(held)})")
    counts: Counter[str] = Counter()
    for n in held:
        state: State = "done" if n in done else "pending" if n in resend else "unknown"
        journal.move(n, state, outcome="confirmed" if state == "done" else None)
        counts[{"done": "there", "pending": "to be sent", "unknown": "to be looked up"}[state]] += 1
    return counts


def _told(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:20])) + (" …" if len(rows) > 20 else "") or "none"
