"""How fast a job goes, when it will be finished, and what holds it back. Pure: times are arguments."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from leavo_async._sansio.status import Status

# Five minutes, in parts of five seconds.
_PART = 5.0
_PARTS = 60
# Before that a handful of answers would be all that a rate is made of.
_FIRST = 5.0
# So much of what the limit allowed was used: then it is the limit that sets the pace.
_FULL = 0.9
# Before so many requests, one row that was asked for three times would make three of each that is left.
_ENOUGH = 10

_FEWEST, _MOST, _UNKNOWN = 2, 32, 8


@dataclass(slots=True)
class _Sum:
    """What has happened in some time. held: seconds of announced pauses; allowed: requests that the limit allowed."""

    number: int = 0
    requests: int = 0
    rows: int = 0
    held: float = 0.0
    allowed: float = 0.0


class Pace:
    """The pace of one run of a job: what earlier runs have done says nothing of it.

    Times are seconds of one clock that never runs backwards. rows, requests, refused: so many in this run.
    """

    def __init__(self, began: float) -> None:
        self.rows = 0
        self.requests = 0
        self.refused = 0
        self._began = began
        self._parts: deque[_Sum] = deque(maxlen=_PARTS)
        self._told_at = began
        self._held_until = began
        self._limit: float | None = None

    def settled(self, now: float, rows: int = 1) -> None:
        """So many rows got their result."""
        self.rows += rows
        self._part(now).rows += rows

    def asked(self, now: float, requests: int = 1, refused: int = 0) -> None:
        """So many requests were answered or given up; refused: 429s among them."""
        self.requests += requests
        self.refused += refused
        self._part(now).requests += requests

    def allowed(self, now: float, *, limit: float | None, held: float) -> None:
        """From now on so much is allowed; tell it about once a second.

        limit: requests a minute, None without one. held: no request for so many seconds. So a pause that is over, and a
        limit that was another one, do not stay in `eta` for five minutes.
        """
        part, passed = self._part(now), max(0.0, now - self._told_at)
        paused = min(passed, max(0.0, self._held_until - self._told_at))
        part.held += paused
        part.allowed += (passed - paused) * (self._limit or 0.0) / 60
        self._told_at, self._limit, self._held_until = now, limit, now + held

    def rate(self, now: float) -> float | None:
        """Requests a minute over the last five minutes of this run, pauses included; None in its first five seconds."""
        seconds = self._seconds(now)
        return None if seconds < _FIRST else self._recent(now).requests / seconds * 60

    def eta(self, left_rows: int, now: float, *, limit: float | None, held: float) -> float | None:
        """Seconds until the rows that are left are settled; None if nobody can tell.

        rows × requests for each ÷ requests a minute, + the pause. limit, held: as in `allowed`, at this moment. With a
        limit it can be told from the first second, when nothing but the limit is known.
        """
        if left_rows <= 0:
            return 0.0
        recent = self._recent(now)
        speed, each = self._speed(recent, now, limit), _requests_per_row(recent)
        if not speed or each is None:
            return None
        return left_rows * each / speed * 60 + max(0.0, held)

    def _speed(self, recent: _Sum, now: float, limit: float | None) -> float | None:
        """Requests a minute that are to be expected while nothing is paused."""
        seconds = self._seconds(now) - recent.held
        if seconds < _FIRST or not self.requests:
            return limit
        measured = recent.requests / seconds * 60
        if limit is None:
            return measured
        if recent.requests >= _FULL * recent.allowed > 0:
            measured = limit * recent.requests / recent.allowed
        return min(limit, measured)

    def _seconds(self, now: float) -> float:
        """How long the time is that counts: five minutes, less by what of the present part is still to come."""
        return max(0.0, now - self._began - _PART * max(0, self._number(now) - _PARTS + 1))

    def _recent(self, now: float) -> _Sum:
        oldest = self._number(now) - _PARTS + 1
        parts = [part for part in self._parts if part.number >= oldest]
        return _Sum(
            requests=sum(part.requests for part in parts),
            rows=sum(part.rows for part in parts),
            held=sum(part.held for part in parts),
            allowed=sum(part.allowed for part in parts),
        )

    def _part(self, now: float) -> _Sum:
        number = self._number(now)
        if not self._parts or self._parts[-1].number < number:
            self._parts.append(_Sum(number))
        return self._parts[-1]

    def _number(self, now: float) -> int:
        return int((now - self._began) // _PART)


def _requests_per_row(recent: _Sum) -> float | None:
    """How many requests a row takes, repeats and look-ups included; None if none of them settles one."""
    if recent.requests < _ENOUGH:
        return 1.0
    return max(1.0, recent.requests / recent.rows) if recent.rows else None


def limited_by(status: Status, *, in_flight: int, workers: int, supply: int, quarantined: int) -> str:
    """What holds a job back at this moment, as in `Snapshot.limited_by`.

    in_flight: rows that are being sent; workers: how many may be. supply: rows that are ready to be sent. quarantined:
    rows whose outcome may not be looked up yet.
    """
    if status.held or status.probing:
        return "pause"
    waiting = any(status.waiting.values())
    if waiting and status.in_flight < status.max_in_flight:
        return "rate limit"
    if waiting or in_flight >= workers:
        return "server"  # calls that wait although the limit has room wait for a slot, and so for an answer
    if supply:
        return ""
    return "quarantine" if quarantined and not in_flight else "input"


def workers_for(rate_per_s: float | None, latency: float | None) -> int:
    """How many rows to send at the same time, 2 to 32: rate × latency are needed, and half as many again to spare.

    rate_per_s: requests a second that the limit allows; None without one. latency: seconds from the intent to send
    a row to its answer, which 95 % of them do not exceed; None if it is not known yet.
    """
    if rate_per_s is None:
        return _MOST
    if latency is None:
        return _UNKNOWN
    return max(_FEWEST, math.ceil(min(_MOST, rate_per_s * latency * 1.5)))
