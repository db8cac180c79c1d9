"""Frozen records for observers and for the story an error tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["not sent", "unknown", "done"]
"""What happened at the server: nothing (it never left, or was refused), perhaps something, or what was asked."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt that has ended.

    method, path: the request, without query (it may hold personal data).
    number: 1 for the first send of a call.
    status: the HTTP status; None if no answer came.
    problem: name of the error that ended it; None if it succeeded.
    outcome: what it did at the server, "not sent", "unknown" or "done".
    seconds: from permit to last byte.
    delay: seconds until the next attempt; None if this was the last.
    because: why it is tried again, or why not; "" after success.
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


Observer = Callable[[AttemptRecord], None]
"""Called with each record right when the attempt has ended, before any wait. It must not block."""
