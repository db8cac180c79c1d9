"""What a server asks of us: how long to wait."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from leavo_async._sansio.messages import Headers

_LONGEST = 1e12  # no wait of anybody's, and far from where floats end
_SECONDS = re.compile(r"\d{1,12}(\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class ServerAdvice:
    """What one answer asks for.

    wait: seconds before the next request of this key; None if the server did not say. Never negative.
    """

    wait: float | None = None


def read_advice(headers: Headers, details: object, *, now: float) -> ServerAdvice:
    """The wait a server asks for, by header or else by `retry_after` in the error's details.

    now: seconds since the Unix epoch, needed for the date form.
    """
    wait = retry_after(headers, now=now)
    return ServerAdvice(_hint(details) if wait is None else wait)


def retry_after(headers: Headers, *, now: float) -> float | None:
    """Seconds asked for by Retry-After; None if it is absent or cannot be read.

    now: seconds since the Unix epoch, needed for the date form. Never negative.
    RFC 9110 §10.2.3
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    return _until(text, now)


def _until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def _hint(details: object) -> float | None:
    value = details.get("retry_after") if isinstance(details, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LONGEST:
        return None
    return float(value)
