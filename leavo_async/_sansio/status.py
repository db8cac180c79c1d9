"""What holds a session's calls back at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from leavo_async._sansio.limits import DailyCap, RateLimit
from leavo_async._sansio.priority import Priority


class RateStatus(NamedTuple):
    """One rate limit.

    tokens: permits that could be granted at once; below 0 after the limit was lowered.
    rate: permits a second in the long run, as it is now. learned: the share of the configured rate that the server's
    refusals have left, 1.0 if none. told: requests a second that the server's own headers name, if that is less than
    configured, otherwise None.
    """

    limit: RateLimit
    tokens: float
    rate: float
    learned: float = 1.0
    told: float | None = None

    def __str__(self) -> str:
        why = "" if self.learned == 1 else f" (down to {self.learned:.0%}, the server has refused more)"
        told = "" if self.told is None else " (the server names less than is configured)"
        return f"{self.limit}: {round(self.tokens, 1) + 0.0} tokens, {self.rate * 60:.1f} a minute{why}{told}"


class CapStatus(NamedTuple):
    """One daily cap.

    used: requests that count now. reset_at: when it has room again, in seconds since the Unix epoch; None while it has.
    """

    cap: DailyCap
    used: int
    reset_at: float | None = None

    def __str__(self) -> str:
        return f"{self.cap}: {self.used} used" + ("" if self.reset_at is None else ", used up")


class Status(NamedTuple):
    """The limits of a key and who waits for them. It prints as a few lines.

    waiting: calls that wait, of all sessions with this key in this process, by priority.
    held: seconds until the pause ends that the server has asked for; 0.0 without one.
    probing: the pause is over, and one request is out to see whether the server takes them again.
    in_flight, max_in_flight: attempts of this session.
    """

    rates: tuple[RateStatus, ...]
    caps: tuple[CapStatus, ...]
    waiting: Mapping[Priority, int]
    held: float
    probing: bool
    in_flight: int
    max_in_flight: int

    def __str__(self) -> str:
        waiting = ", ".join(f"{count} {name}" for name, count in self.waiting.items() if count) or "none"
        return "\n".join(
            [
                *(str(limit) for limit in (*self.rates, *self.caps)),
                f"{self.in_flight} of {self.max_in_flight} attempts in flight; waiting: {waiting}",
                *([f"held for {self.held:.1f} s, as the server asked"] if self.held else []),
                *(["one request is out to see whether the server takes them again"] if self.probing else []),
            ]
        )
