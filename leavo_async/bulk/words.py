"""How a job is told to people: numbers, durations, moments, states."""

from __future__ import annotations


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
