"""What one direction of a connection is like."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weather:
    """What one direction of each connection is like; fine weather by default.

    latency, jitter: seconds that each chunk is under way, `latency` plus or minus up to `jitter`; order is kept.
    bytes_per_second: what one connection carries at most; None for no limit.
    slice_bytes: the most bytes in one TCP segment, without Nagle's delay; None for as they come.
    cut_after: bytes until both sides see the end (FIN). reset_after: bytes until both see a reset (RST).
    reset_chance: 0 to 1, that a reset comes in place of a chunk of at most 64 KiB.
    black_hole: whether bytes are swallowed, and the end and resets too: the connection stays open, and nothing comes.

    The bytes of `cut_after` and `reset_after` are counted on each connection from when this weather was set; after 0
    the fault strikes in place of the first byte. What is swallowed never comes, even when the weather is fine again.
    Raises ValueError for a setting that cannot be.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bytes_per_second: float | None = None
    slice_bytes: int | None = None
    cut_after: int | None = None
    reset_after: int | None = None
    reset_chance: float = 0.0
    black_hole: bool = False

    def __post_init__(self) -> None:
        for wrong, reason in self._objections():
            if wrong:
                raise ValueError(f"{reason}: {self!r}")

    def _objections(self) -> tuple[tuple[bool, str], ...]:
        throttle = self.bytes_per_second
        return (
            (not 0 <= self.latency < math.inf, "latency must be a finite number of seconds, not negative"),
            (not 0 <= self.jitter < math.inf, "jitter must be a finite number of seconds, not negative"),
            (throttle is not None and not 0 < throttle < math.inf, "bytes_per_second must be finite and above 0"),
            (self.slice_bytes is not None and self.slice_bytes < 1, "slice_bytes must be at least 1"),
            (self.cut_after is not None and self.cut_after < 0, "cut_after must not be negative"),
            (self.reset_after is not None and self.reset_after < 0, "reset_after must not be negative"),
            (not 0 <= self.reset_chance <= 1, "reset_chance must be 0 to 1"),
        )
