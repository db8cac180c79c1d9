"""What a job is about to do, told before it does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from leavo_async._sansio.idempotency import Honoured
from leavo_async.bulk.facts import Facts
from leavo_async.bulk.states import State


class Plan(NamedTuple):
    """What a job will do.

    facts: what it is. counts: rows by state. is_resumed: whether it was there already; since: the last sign of life of
    an earlier run, in seconds since the Unix epoch. to_send: rows that are left. seconds: how long that takes at
    the key's limit; None without one. honoured, key_lasts: what the server does with idempotency keys, for how long.
    limit: what the key may send now. first: the JSON that is sent for the first row that is left. journal: where it is
    kept; size: in bytes.
    """

    facts: Facts
    counts: Mapping[State, int]
    is_resumed: bool
    since: float | None
    to_send: int
    seconds: float | None
    limit: str
    honoured: Honoured
    key_lasts: float
    first: str
    journal: Path
    size: int

    def __repr__(self) -> str:
        # Without the first row, which is somebody's.
        return f"<Plan of job {self.facts.job}: {self.to_send:,} of {self.rows:,} rows to send>"

    @property
    def total(self) -> int:
        """Rows that are to be sent, or were."""
        return self.rows - self.counts["invalid"] - self.counts["skipped"]

    @property
    def rows(self) -> int:
        """Rows of the source that are not empty."""
        return sum(self.counts.values())
