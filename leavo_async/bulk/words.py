"""How a job is told to people: numbers, durations, moments, states."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.states import Outcome, State

_OUTCOMES: tuple[Outcome, ...] = ("created", "existing", "confirmed")
_TROUBLE: tuple[State, ...] = ("failed", "held", "unknown")


def counted(number: int, noun: str) -> str:
    """A number and its noun, as in "1 row" and "2 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds as people say them: "40 s", "12 min", "17 h 30 min", "6 d 22 h"."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def plain(number: float) -> str:
    """A number in a few digits: "0.5", "96.1", "5,400"."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def clock(at: float, now: float) -> str:
    """A moment of the time to come, in local time: "15:07" if it is today, "Sun 15:07" in this week, "22 Nov 15:07".

    Both are seconds since the Unix epoch.
    """
    then, today = (datetime.fromtimestamp(moment).astimezone() for moment in (at, now))
    days = (then.date() - today.date()).days
    day = "" if days == 0 else f"{then:%a} " if days < 7 else f"{then.day} {then:%b} "
    return f"{day}{then:%H:%M}"


def time_left(snapshot: Snapshot, now: float) -> str | None:
    """How long a job still takes and when it will be finished: "ETA 14 h 23 min (15:07)"; None if nobody can tell.

    now: seconds since the Unix epoch.
    """
    if snapshot.eta is None:
        return None
    return f"ETA {duration(snapshot.eta)} ({clock(now + snapshot.eta, now)})"


def tempo(snapshot: Snapshot) -> list[str]:
    """How fast it goes, and why not faster, as far as that can be told: "97/min", "limited by rate limit"."""
    told = [] if snapshot.rate is None else [f"{snapshot.rate:,.0f}/min"]
    return [*told, f"limited by {snapshot.limited_by}"] if snapshot.limited_by else told


def trouble(snapshot: Snapshot) -> list[str]:
    """How many rows somebody may have to look at: "failed 139", "held 2", "unknown 2"; none are not told."""
    return _told({state: snapshot.counts.get(state, 0) for state in _TROUBLE})


def tallied(snapshot: Snapshot) -> list[str]:
    """How many rows are in which state, of those that are: "created 18,051", "failed 139", "in flight 2"."""
    done = _told({outcome: snapshot.outcomes.get(outcome, 0) for outcome in _OUTCOMES})
    return [*done, *trouble(snapshot), *_told({"in flight": snapshot.counts.get("in_flight", 0)})]


def _told(counts: Mapping[str, int]) -> list[str]:
    return [f"{name} {count:,}" for name, count in counts.items() if count]


def percent(done: int, total: int) -> str:
    """The share that is done: "17.9%". It is "100.0%" only when all is done."""
    share = 100 * done / total if total else 100.0
    return f"{share if done >= total else min(share, 99.9):.1f}%"
