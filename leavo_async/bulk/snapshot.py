"""How far a job is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from leavo_async.bulk.states import Outcome, State


class Snapshot(NamedTuple):
    """How far a job is, at one moment.

    job: its id. total: rows that are to be sent, or were, in all runs; settled: those of them that need nothing more.
    counts: rows by state; outcomes: done rows by how they got done.
    sent: rows that got a result in this run; requests: attempts of this run; refused: 429s among them.
    rate: requests a minute over the last five minutes of this run; None in its first seconds.
    limit: requests a minute that the key may send; None without a limit.
    limited_by: what holds it back: "rate limit", "pause", "server", "quarantine", "input" or "" if nothing can be told.
    eta: seconds until it is finished; None if nobody can tell. seconds: since this run began.
    """

    job: str
    total: int
    settled: int
    counts: Mapping[State, int]
    outcomes: Mapping[Outcome, int]
    sent: int
    requests: int
    refused: int
    rate: float | None
    limit: float | None
    limited_by: str
    eta: float | None
    seconds: float
