"""Frozen records for observers and for the story an error tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Outcome = Literal["not sent", "unknown", "done"]
"""What happened at the server: nothing (it never left, or was refused), perhaps something, or what was asked."""

Phase = Literal["queue", "connect", "send", "read", "wait"]
"""What a call is doing: waiting for its permit, the three steps of an attempt, waiting for the next one."""


class AttemptRecord(NamedTuple):
    """One attempt that has ended.

    method, path: the request, without query (it may hold personal data).
    number: 1 for the first send of a call.
    status: the HTTP status; None if no answer came.
    problem: name of the error that ended it; None if it succeeded.
    outcome: what it did at the server, "not sent", "unknown" or "done".
    seconds: from permit to last byte.
    delay: seconds until the next attempt; None if this was the last.
    because: why it is tried again, or why not; "" after success.
    request_id: the server's name for it; None if it gave none, and after success.
    """

    method: str
    path: str
    number: int
    status: int | None
    problem: str | None
    outcome: Outcome
    seconds: float
    delay: float | None
    because: str
    request_id: str | None = None

    def __str__(self) -> str:
        what = " ".join(str(word) for word in (self.status, self.problem) if word is not None)
        then = "" if self.delay is None else f", then waited {self.delay:.1f} s"
        because = f" ({self.because})" if self.because else ""
        return f"attempt {self.number}: {what} after {self.seconds:.2f} s{then}{because}"


Observer = Callable[[AttemptRecord], None]
"""Called with each record right when the attempt has ended, before any wait. It must not block."""
