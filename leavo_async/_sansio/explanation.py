"""The policy in force for one call, and where each value comes from."""

from __future__ import annotations

from typing import NamedTuple

from leavo_async._sansio.idempotency import Honoured, Repeat
from leavo_async._sansio.limits import Limit, RateLimit


class Explanation(NamedTuple):
    """What holds for a call with this method and path. It prints as a few lines.

    api: the profile's name. base_url: where it goes.
    repeat: whether and why it may be sent again after an unknown outcome. honoured: what the server does with
    idempotency keys, for key_lasts seconds. is_looked_up: whether what it has made can be found.
    limits: those that hold for it, its key's and its groups'. timeout: seconds for an attempt.
    """

    method: str
    path: str
    api: str
    base_url: str
    repeat: Repeat
    honoured: Honoured
    key_lasts: float
    is_looked_up: bool
    limits: tuple[Limit, ...]
    timeout: float

    @property
    def rates(self) -> tuple[RateLimit, ...]:
        """The limits that are rates, the slowest first."""
        return tuple(sorted((each for each in self.limits if isinstance(each, RateLimit)), key=lambda each: each.rate))

    @property
    def rate(self) -> float | None:
        """Requests a second in the long run, by the slowest of its limits; None without one."""
        return self.rates[0].rate if self.rates else None

    def __str__(self) -> str:
        found = " (what it made can be looked up)" if self.is_looked_up else ""
        return "\n".join(
            [
                f"{self.method} {self.path} of {self.api}, at {self.base_url}",
                f"  repeated: {self.repeat.value}{found}",
                f"  idempotency keys: {self.honoured}, for {self.key_lasts:g} s",
                f"  limits: {'; '.join(map(str, self.limits)) or 'none'}",
                f"  an attempt takes {self.timeout:g} s at the most",
            ]
        )
