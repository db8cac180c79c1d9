"""Settings that cannot be are refused where they are given."""

from collections.abc import Iterable


def one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    """The value; ValueError if it is none of these."""
    if value not in (known := tuple(allowed)):
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    return value


def not_negative(name: str, seconds: float) -> float:
    """The seconds; ValueError if they are negative or endless."""
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name} must be a finite number of seconds, not negative, not {seconds!r}")
    return seconds
