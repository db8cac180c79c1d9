"""The pause of a key: nobody sends while the server has asked to wait, then one goes ahead to see."""

from __future__ import annotations

import math
from collections.abc import Callable

# So long the others wait for the answer to a probe; after that, another probe goes.
_PATIENCE = 5.0


class Pause:
    """Open; or held until a moment, after which a single request, the probe, decides whether it is open again."""

    __slots__ = ("_clock", "_held_until", "_open", "_probe_until", "since")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open = True
        self._held_until = 0.0
        self._probe_until = 0.0
        self.since = -math.inf  # the clock's seconds when the latest hold began

    def delay(self) -> float:
        """Seconds until a request may go; 0.0 if one may."""
        if self._open:
            return 0.0
        return max(0.0, max(self._held_until, self._probe_until) - self._clock())

    def hold(self, seconds: float) -> None:
        """Let nobody go for so many seconds; a longer hold that stands already stays."""
        now = self._clock()
        self._held_until = max(self._held_until, now + seconds)
        self._open = False
        self.since = now

    def held(self) -> float:
        """Seconds until the hold ends; 0.0 without one."""
        return 0.0 if self._open else max(0.0, self._held_until - self._clock())

    def take(self) -> bool:
        """One goes; True if it is the probe, and then `settle` must follow."""
        if self._open:
            return False
        self._probe_until = self._clock() + _PATIENCE
        return True

    def settle(self, *, accepted: bool) -> None:
        """The probe has ended. accepted: the server took it; otherwise it tells nothing, and another one goes."""
        self._probe_until = 0.0
        if accepted and not self.held():
            self._open = True

    @property
    def probing(self) -> bool:
        """Whether a probe is out, and the others wait for its answer."""
        return not self._open and self._probe_until > self._clock()

    @property
    def is_open(self) -> bool:
        """Whether nothing is asked of us."""
        return self._open
