"""A job to be shown."""

from __future__ import annotations

from typing import Any

from leavo_async.bulk.snapshot import Snapshot

# The job of the pictures: 101,880 rows at a hundred a minute.
JOB = Snapshot(
    job="9f3c2a",
    total=101_880,
    settled=18_204,
    counts={"pending": 83_674, "in_flight": 2, "done": 18_063, "failed": 139, "unknown": 2, "held": 0},
    outcomes={"created": 18_051, "existing": 12, "confirmed": 0},
    sent=120,
    requests=124,
    refused=1,
    rate=97.4,
    limit=100.0,
    limited_by="rate limit",
    eta=51_780.0,
    seconds=75.0,
)


def job(**changed: Any) -> Snapshot:
    """The job, except for what is told otherwise."""
    return JOB._replace(**changed)


def small(settled: int, total: int = 1000) -> Snapshot:
    """A job of which so many rows have been created, and no more is known."""
    return job(
        total=total, settled=settled, counts={}, outcomes={"created": settled}, rate=None, limited_by="", eta=None
    )
