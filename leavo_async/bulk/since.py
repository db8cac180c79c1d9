"""Only what has changed since a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leavo_async._sansio.paging import field_of
from leavo_async.errors import ConfigError

# The first that an item has counts.
_FIELDS = ("updated_at", "created_at")


@dataclass(frozen=True, slots=True)
class Since:
    """Keeps items that were changed at a moment or later.

    moment: without a zone it is in UTC.
    overlap: seconds before it that count as well: what was written then may have been seen only later, and clocks
        differ. Raises ConfigError if it is negative.
    """

    moment: datetime
    overlap: float = 300.0

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < float("inf"):
            raise ConfigError(f"overlap={self.overlap}: expected a number of seconds, 0 or more")

    def keeps(self, item: Any) -> bool:
        """Whether the item's `updated_at`, or else `created_at`, is not earlier; True if it has neither."""
        changed = next((value for name in _FIELDS if (value := _moment(field_of(item, name)))), None)
        return changed is None or (_utc(self.moment) - changed).total_seconds() <= self.overlap

    def __str__(self) -> str:
        return f"{_utc(self.moment).isoformat()} less {self.overlap:g} s"


def moment_of(text: str) -> datetime:
    """The moment in a text such as "2026-11-01" or "2026-11-01T08:00:00-03:00"; without a zone it is in UTC.

    Raises ConfigError if it is none.
    """
    if found := _moment(text):
        return found
    raise ConfigError(f"since {text!r}: expected a date or a moment, such as 2026-11-01 or 2026-11-01T08:00:00-03:00")


def _moment(value: Any) -> datetime | None:
    """None for what is no moment."""
    try:
        return _utc(datetime.fromisoformat(value) if isinstance(value, str) else value)
    except (ValueError, AttributeError, OverflowError):
        return None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
