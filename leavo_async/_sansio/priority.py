"""Who goes first when calls wait for the same limit."""

from __future__ import annotations

from typing import Any, Literal

from leavo_async.errors import ConfigError

Priority = Literal["interactive", "normal", "bulk"]
"""Somebody waits for the answer; the default; a long job that has time."""

PRIORITIES: tuple[Priority, ...] = ("interactive", "normal", "bulk")

EVERY = 5
"""Every fifth permit goes to the longest-waiting call of a lower priority, so that none waits for ever."""


def rank(priority: Any) -> int:
    """0 for those that go first; ConfigError for what is no priority."""
    if priority not in PRIORITIES:
        raise ConfigError(f"priority={priority!r}: expected one of {', '.join(PRIORITIES)}")
    return PRIORITIES.index(priority)


NORMAL = rank("normal")


def place(higher: int, same: int, passed_over: int = 0) -> int:
    """How many permits are granted before that of a newcomer, at least, from who waits now.

    higher: those of higher priorities; same: those of its own. passed_over: permits since the last turn of a lower one.
    """
    return min(higher + same, EVERY * (same + 1) - 1 - passed_over)
