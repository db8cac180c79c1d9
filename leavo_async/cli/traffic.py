"""What went over the wire during a command, and why nothing does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leavo_async._sansio.records import AttemptRecord

# Seconds of standing still that want an explanation.
_LONG = 5.0


@dataclass(slots=True)
class Traffic:
    """An observer that counts: requests sent, and how many were answered 429. say: prints a line."""

    say: Callable[[str], None]
    requests: int = 0
    too_many: int = 0

    def __call__(self, record: AttemptRecord) -> None:
        """Count one attempt."""
        self.requests += 1
        self.too_many += record.status == 429
        if record.delay is not None and record.delay >= _LONG:
            self.say(f"{record.method} {record.path}: waiting {record.delay:.0f} s ({record.because})")
