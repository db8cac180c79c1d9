"""A key that goes on after a 429 is blocked for a while, as some servers do to what they take for an attack."""

import math
from dataclasses import dataclass

from leavo_async.sandbox.checks import not_negative
from leavo_async.sandbox.moment import microseconds


@dataclass(frozen=True, slots=True)
class Block:
    """When a key is blocked, and for how long.

    A key is to be silent for `quiet` seconds after a 429. `tolerated` requests may come all the same; the next one and
    all that follow in `seconds` are answered 403. A key that has been silent for so long, or was blocked, begins anew.

    Raises ValueError for a negative number.
    """

    tolerated: int = 3
    quiet: float = 60.0
    seconds: float = 300.0

    def __post_init__(self) -> None:
        if self.tolerated < 0:
            raise ValueError(f"tolerated must be a number of requests, not negative, not {self.tolerated!r}")
        not_negative("quiet", self.quiet)
        not_negative("seconds", self.seconds)


class Patience:
    """What is left of a server's patience with one key. Moments are seconds on a clock that never steps back."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._ignored = 0
        # Ticks are whole microseconds, as limiters count: who waits to the end must not be early by a rounding error.
        self._quiet_until = self._blocked_until = -math.inf

    def admit(self, now: float) -> bool:
        """Whether a request that comes now finds the key open; it counts, and may be the one that has it blocked."""
        tick = microseconds(now)
        if tick < self._blocked_until:
            return False
        if tick >= self._quiet_until:
            self._ignored = 0
            return True
        self._ignored += 1
        return self._ignored <= self._block.tolerated or self._close(tick)

    def refused(self, now: float) -> None:
        """A request that came now was answered 429."""
        self._quiet_until = microseconds(now) + microseconds(self._block.quiet)

    def _close(self, tick: int) -> bool:
        self._blocked_until = tick + microseconds(self._block.seconds)
        self._quiet_until = -math.inf
        return False
