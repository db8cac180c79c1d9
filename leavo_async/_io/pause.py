"""The pause of a key: nobody sends while the server has asked to wait, then one goes ahead to see."""

from __future__ import annotations

import math
from collections.abc import Callable

# So long the others wait for the answer to a probe; after that, another probe goes.
_PATIENCE = 5.0
# So long after its end a hold is of no interest to anybody, even if no probe has gone.
_FORGOTTEN = 600.0


class Pause:
    """Open; or held until a moment, after which a single request, the probe, decides whether it is open again."""

    __slots__ = ("_by_refusal", "_clock", "_held_until", "_probe_until", "is_open", "since")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.is_open = True  # nothing is asked of us
        self._held_until = 0.0
        self._probe_until = 0.0
        self._by_refusal = False
        self.since = -math.inf  # the clock's seconds when the latest hold began

    def delay(self) -> float:
        """Seconds until a request may go; 0.0 if one may."""
        if self.is_open:
            return 0.0
        return max(0.0, max(self._held_until, self._probe_until) - self._clock())

    def hold(self, seconds: float, *, by_refusal: bool = False) -> None:
        """Let nobody go for so many seconds; a longer hold that stands already stays.

        by_refusal: because the server has refused a request, and not because it was about to.
        """
        now = self._clock()
        self._by_refusal |= by_refusal
        self._held_until = max(self._held_until, now + seconds)
        self.is_open = False
        self.since = now

    def held(self) -> float:
        """Seconds until the hold ends; 0.0 without one."""
        return 0.0 if self.is_open else max(0.0, self._held_until - self._clock())

    def take(self) -> bool:
        """One goes; True if it is the probe, and then `settle` must follow."""
        if self.is_open:
            return False
        self._probe_until = self._clock() + _PATIENCE
        return True

    def settle(self, *, accepted: bool) -> None:
        """The probe has ended. accepted: the server took it; otherwise it tells nothing, and another one goes."""
        self._probe_until = 0.0
        if accepted and not self.held():
            self.is_open = True
            self._by_refusal = False

    def is_fresh(self) -> bool:
        """Whether it equals a new one."""
        return self.is_open or self._clock() - self._held_until > _FORGOTTEN

    @property
    def is_refused(self) -> bool:
        """Whether the server has refused a request, not long ago, and has taken none since."""
        return self._by_refusal and not self.is_fresh()

    @property
    def probing(self) -> bool:
        """Whether a probe is out, and the others wait for its answer."""
        return self._probe_until > self._clock()
