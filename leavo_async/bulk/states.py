"""What can become of a row of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

State = Literal["pending", "in_flight", "done", "failed", "unknown", "held", "invalid", "skipped"]
"""pending: not sent yet. in_flight: about to be sent, or sent and not answered. done: it is there. failed: the server
refused it. unknown: it may be there, and will be looked up or sent again with the same key. held: nobody but you can
tell. invalid: it was not sent, because it cannot be right. skipped: it was not sent, because an earlier row of the
source is about the same thing."""

Outcome = Literal["created", "existing", "confirmed"]
"""How a row got done: made by this job; there already; made by this job, as a look-up or a replay has shown."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[State, ...] = ("pending", "in_flight", "unknown")


class RowRecord(NamedTuple):
    """One row of a job and what became of it.

    row: its number in the job, from 1. line: where it stands in the source, from 1.
    outcome: how it got done; None unless it is. id: the server's name for what it made.
    status, code, reason, field: what the server, or the check before it, had against it.
    request_id: the server's name for the last request. attempts: requests sent for it, look-ups included.
    first_sent: when it was first sent, in seconds since the Unix epoch; None if it never was.
    values: the row as it stands in the source; empty once it is done, for it is personal data.
    """

    row: int
    line: int
    state: State
    outcome: Outcome | None = None
    id: str | None = None
    status: int | None = None
    code: str | None = None
    reason: str = ""
    field: str | None = None
    request_id: str | None = None
    attempts: int = 0
    first_sent: float | None = None
    values: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        # Without the values, which are somebody's.
        return f"<RowRecord {self.row}: {self.state}>"
