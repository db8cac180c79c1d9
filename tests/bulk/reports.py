"""Reports made by hand, of jobs that never ran."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from leavo_async.bulk.history import BOUNDS, SLICE, Event, Run, Slice, latency_class
from leavo_async.bulk.report import Reason, Report
from leavo_async.bulk.states import STATES, RowRecord, State

# 21 November 2026, 20:10 UTC.
BEGAN = 1_795_291_800.0
CANARY = "canary@example.com"


def slice_at(at: float, *latencies: float, refused: int = 0, done: int = 0, failed: int = 0, unknown: int = 0) -> Slice:
    """Ten seconds with attempts of these latencies, and the rows that got a result."""
    classes = [0] * (len(BOUNDS) + 1)
    for latency in latencies:
        classes[latency_class(latency)] += 1
    return Slice(at, len(latencies) + refused, refused, done, failed, unknown, tuple(classes))


def slices_of(run: Run, *, seed: int = 1, per_slice: float = 16.0, failing: float = 0.03) -> list[Slice]:
    """A run at about this many requests a slice, some of them slow or failing."""
    chance = random.Random(seed)
    some = [_slice(chance, int(per_slice + chance.random()), failing) for _ in range(40)]
    times = range(int((run.ended - run.started) / SLICE))
    return [chance.choice(some)._replace(at=run.started + number * SLICE) for number in times]


def _slice(chance: random.Random, sent: int, failing: float) -> Slice:
    latencies = [chance.lognormvariate(-1.6, 0.5) for _ in range(sent)]
    failed = sum(chance.random() < failing for _ in range(sent))
    return slice_at(0, *latencies, done=sent - failed, failed=failed)


def report(
    runs: Sequence[Run] = (), slices: Sequence[Slice] = (), rows: Sequence[RowRecord] = (), **changes: Any
) -> Report:
    """A report of a job with these runs, slices and rows; what is counted in them is counted here."""

    def in_states(*states: State) -> Iterator[RowRecord]:
        return (row for row in rows if not states or row.state in states)

    counts = {state: sum(row.state == state for row in rows) for state in STATES}
    counts |= changes.pop("counts", {})
    values: dict[str, Any] = {
        "job": "9f3c2a",
        "name": "leads",
        "source": "leads.csv",
        "place": "https://api.example.com",
        "limit": "100 requests in 60 s",
        "limit_per_minute": 100.0,
        "counts": counts,
        "outcomes": {"created": counts["done"], "existing": 0, "confirmed": 0},
        "empty": 0,
        "requests": sum(piece.requests for piece in slices),
        "refused": sum(piece.refused for piece in slices),
        "seconds": sum(run.ended - run.started for run in runs),
        "runs": tuple(runs),
        "slices": tuple(slices),
        "events": (),
        "reasons": (),
        "stopped_by": None,
        "journal": Path("/var/lib/example/9f3c2a.db"),
        "_rows": in_states,
    }
    return Report(**values | changes)


@cache
def week() -> Report:
    """A million rows at 100 a minute, with three kills in the week that it takes."""
    day = 86_400.0
    starts = [(0.0, 1.3), (1.31, 3.9), (4.5, 5.2), (5.2001, 7.1)]
    hows = ("killed", "killed", "killed", "finished")
    runs = [Run(BEGAN + start * day, BEGAN + end * day, how) for (start, end), how in zip(starts, hows, strict=True)]
    slices = [piece for number, run in enumerate(runs) for piece in slices_of(run, seed=number)]
    for number in range(0, len(slices), 500):
        slices[number] = slices[number]._replace(refused=1)
    return report(
        runs,
        slices,
        open_rows(300),
        requests=897_264,
        refused=112,
        counts={"done": 900_000, "failed": 28_000, "invalid": 2_100},
        outcomes={"created": 899_955, "existing": 31, "confirmed": 14},
        events=(Event(BEGAN + 500, "429", "the server asked for a wait of 20 s"),),
        reasons=(
            Reason("failed", 422, "invalid", "email: is not a valid address", 18_000),
            Reason("failed", 422, "invalid", "phone: too short", 9_000),
            Reason("invalid", None, None, "phone: missing", 2_100),
            Reason("failed", 409, None, "", 1_000),
        ),
    )


def open_rows(number: int) -> list[RowRecord]:
    """Failed rows, with personal data in their values."""
    return [
        RowRecord(
            n,
            n + 1,
            "failed",
            status=422,
            code="invalid",
            reason="phone: too short",
            attempts=1,
            first_sent=BEGAN + n,
            values={"email": CANARY},
        )
        for n in range(1, number + 1)
    ]
