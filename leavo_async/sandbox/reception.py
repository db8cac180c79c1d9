"""The door: is the key known, is its limit kept, and what do the headers say about both?"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from leavo_async.sandbox.joint import admit_by_all
from leavo_async.sandbox.keys import Holder, KeyRing
from leavo_async.sandbox.limits import Limiter, Verdict
from leavo_async.sandbox.messages import Refusal

RetryAfter = bool | Literal["ms"]

_NO_KEY = Refusal(401, "The API key is missing or not known here.")
_BLOCKED = Refusal(403, "This API key is blocked for a while: it went on after a 429.")


@dataclass(frozen=True, slots=True)
class Admission:
    """What the door decided about one request.

    label: whose key it is; None if nobody's. refusal: None if the request may pass.
    headers: what every answer to it has to say about the limit.
    """

    label: str | None
    refusal: Refusal | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Reception:
    """Judges each request by its key and the moment it arrives."""

    def __init__(
        self, keys: KeyRing, wall: Callable[[], float], *, retry_after: RetryAfter, rate_headers: bool
    ) -> None:
        self._keys = keys
        self._wall = wall
        self._retry_after = retry_after
        self._rate_headers = rate_headers

    def receive(self, credential: str | None, groups: Iterable[str], now: float) -> Admission:
        """The decision on a request with this credential that arrives at `now`; it counts against its limits.

        groups: of routes it belongs to.
        """
        holder = self._keys.holder(credential)
        if holder is None:
            return Admission(None, _NO_KEY)
        if holder.patience is not None and not holder.patience.admit(now):
            return Admission(holder.label, _BLOCKED)
        return self._judged(holder, groups, now)

    def _judged(self, holder: Holder, groups: Iterable[str], now: float) -> Admission:
        if not (limiters := holder.limiters(groups)):
            return Admission(holder.label)
        limiter, verdict = admit_by_all(limiters, now)
        headers = self._quota(limiter, verdict) if self._rate_headers else {}
        refusal = None if verdict.allowed else self._too_many(verdict)
        if refusal is not None and holder.patience is not None:
            holder.patience.refused(now)
        return Admission(holder.label, refusal, headers)

    def _quota(self, limiter: Limiter, verdict: Verdict) -> Mapping[str, str]:
        return {
            "X-RateLimit-Limit": str(limiter.requests),
            "X-RateLimit-Remaining": str(verdict.remaining),
            "X-RateLimit-Reset": str(_up(self._wall() + verdict.reset_after)),
        }

    def _too_many(self, verdict: Verdict) -> Refusal:
        seconds = _up(verdict.retry_after)
        headers = {"Retry-After": str(seconds)} if self._retry_after else {}
        if self._retry_after == "ms":
            headers["Retry-After-Ms"] = str(_up(verdict.retry_after * 1000))
        message = f"Too many requests; try again in {seconds} s."
        return Refusal(429, message, details={"retry_after": seconds}, headers=headers)


def _up(value: float) -> int:
    # 60.000000000000007 is what subtraction leaves of 60: it must not become 61.
    return math.ceil(round(value, 6))
