"""What went over the wire during a command."""

from __future__ import annotations

from dataclasses import dataclass

from leavo_async._sansio.records import AttemptRecord


@dataclass(slots=True)
class Traffic:
    """An observer that counts: requests sent, and how many were answered 429."""

    requests: int = 0
    too_many: int = 0

    def __call__(self, record: AttemptRecord) -> None:
        """Count one attempt."""
        self.requests += 1
        self.too_many += record.status == 429
