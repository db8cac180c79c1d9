"""A moment in whole microseconds, beside the float it came from."""

from dataclasses import dataclass
from typing import Self

# Floats near today's Unix time are 0.24 microseconds apart: finer ticks could not be told from each other.
_TICKS = 1_000_000


def microseconds(seconds: float) -> int:
    """The nearest whole number of microseconds."""
    return round(seconds * _TICKS)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A point on any clock that counts seconds."""

    seconds: float
    tick: int

    @classmethod
    def at(cls, seconds: float) -> Self:
        """The moment a clock shows as `seconds`."""
        return cls(seconds, microseconds(seconds))

    def until(self, tick: int) -> float:
        """Seconds from here to that tick; 0.0 if it is past."""
        # From the float, not from our own tick: the two differ by up to half a tick, and a caller who adds
        # the answer to his float must arrive.
        return max(0.0, tick / _TICKS - self.seconds)
