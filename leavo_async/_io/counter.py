"""The count behind a daily cap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from leavo_async._sansio.limits import DailyCap
from leavo_async._sansio.status import CapStatus

# Counted by the minute: a day is 1440 numbers at most, whatever the cap.
_SLICE = 60.0


class Counter:
    """Requests of one day, against the cap. It lets nobody wait: a full one is full for hours."""

    __slots__ = ("_closed_until", "_slices", "_used", "_wall", "cap")

    def __init__(self, cap: DailyCap, wall: Callable[[], float], before: Counter | None = None) -> None:
        """wall: seconds since the Unix epoch. before: one of the same group whose count goes on here."""
        self.cap = cap
        self._wall = wall
        self._slices: deque[list[float]] = deque(
            list(part) for part in (before._slices if before else ())
        )  # begin, count
        self._used: int = before._used if before else 0
        self._closed_until: float = before._closed_until if before else 0.0  # by the server's word

    def reset_at(self) -> float | None:
        """When there is room again, in seconds since the Unix epoch; None if there is room now."""
        now = self._wall()
        if now < self._closed_until:
            return self._closed_until
        self._forget(self.cap.counts_from(now))
        if self.cap.requests is None or self._used < self.cap.requests:
            return None
        return self.cap.renews_at(now, self._slices[0][0] + _SLICE)

    def take(self) -> None:
        """Count one request."""
        begin = self._wall() // _SLICE * _SLICE
        if not self._slices or self._slices[-1][0] < begin:
            self._slices.append([begin, 0])
        self._slices[-1][1] += 1
        self._used += 1

    def give_back(self) -> None:
        """One that was counted has not left."""
        if self._slices and self._slices[-1][1]:
            self._slices[-1][1] -= 1
            self._used -= 1

    def close(self, seconds: float) -> None:
        """The server says that it is used up for so long."""
        self._closed_until = max(self._closed_until, self._wall() + seconds)

    def is_fresh(self) -> bool:
        """Whether nothing is counted."""
        return self.reset_at() is None and self._used == 0

    def status(self) -> CapStatus:
        """What is used, and until when."""
        reset_at = self.reset_at()
        return CapStatus(self.cap, self._used, reset_at)

    def _forget(self, before: float) -> None:
        while self._slices and self._slices[0][0] + _SLICE <= before:
            self._used -= int(self._slices.popleft()[1])

    def __repr__(self) -> str:
        return f"<Counter {self.status()}>"
