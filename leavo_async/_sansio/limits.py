"""How many requests a key may make, and the rate at which that is never exceeded."""

from __future__ import annotations

from dataclasses import dataclass

from leavo_async.errors import ConfigError

# A timer of the event loop fires up to this much late (epoll counts in milliseconds); a bucket of one token
# would lose that time at each grant.
_TIMER_LATENESS = 0.003


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many `requests` in any window of `per` seconds.

    spread: by how many seconds the way to the server may vary from request to request (new connections, busy pools).
    Requests that leave in a window of per + spread may arrive in one of `per`; so `burst + rate × (per + spread) <=
    requests + 1` keeps arrivals at or below `requests` in any window, whatever the server's way of counting.

    Raises ConfigError if requests < 1, per <= 0 or spread < 0.
    """

    requests: int
    per: float = 60.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        # `not (… > 0)` refuses NaN as well.
        if self.requests < 1 or not self.per > 0 or not self.spread >= 0:
            raise ConfigError(f"{self}: requests must be at least 1, per above 0, spread 0 or more")

    @property
    def burst(self) -> float:
        """Requests that may leave at once after a pause."""
        return max(1.5, 1 + _TIMER_LATENESS * self.requests / self.per)

    @property
    def rate(self) -> float:
        """Requests a second in the long run: (requests + 1 - burst) / (per + spread), and a hair less.

        The hair keeps a window that counts both of its ends at or below the limit, too.
        """
        return (self.requests + 1 - self.burst) / (self.per + self.spread) * (1 - 1e-9)

    def __str__(self) -> str:
        per = "a minute" if self.per == 60 else f"in {self.per:g} s"
        return f"{self.requests} requests {per}"
