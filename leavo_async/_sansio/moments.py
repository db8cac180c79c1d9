"""From what a server says about a moment to seconds from now."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from leavo_async._sansio.messages import Headers

LONGEST = 86_400.0
"""Seconds in a day: nobody is told to wait for longer. Whoever is still refused after it is told again."""

# Servers give one header all these meanings, and only the size of a number tells them apart: as a wait 1.7e9 seconds
# are 54 years, as seconds since 1970 they are November 2023.
# https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-11.html, "fields currently used on the web"
_EPOCH = 1.7e9
_EPOCH_MS = 1.7e12
_UNBELIEVABLE = 1e15

# The digits are spelled out and counted: `\d` and float() take digits of all scripts, and float() takes 1_000 and 1e9.
_AMOUNT = r"[0-9]{1,15}(?:\.[0-9]{1,18})?"
_NUMBER = re.compile(_AMOUNT)
# Go writes durations so, and APIs with it: https://pkg.go.dev/time#Duration.String,
# https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
_PART = re.compile(f"({_AMOUNT})(ms|s|m|h)")
_DURATION = re.compile(f"(?:{_PART.pattern})+")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# The standard library's parser takes almost anything for a date; this is the shape of the three forms that HTTP has.
_DATE = re.compile(r"[A-Z][a-z]{2,8},? [0-9A-Za-z :+-]{20,26}")


def seconds_from(told: object, *, now: float) -> float | None:
    """Seconds from `now` to the moment told; None if it cannot be read. 0.0 to LONGEST: what is past is 0.0.

    told: text or number: seconds ("7", "1.5"), a duration ("6m0s"), seconds or milliseconds since the Unix epoch, or an
        HTTP-date in one of its three forms.
    now: seconds since the Unix epoch, by the server's clock where it is known (see server_now).

    RFC 9110 §5.6.7 and §10.2.3
    """
    number = _number(told)
    if number is not None:
        return _clamped(_from_now(number, now))
    return _seconds_in_text(told.strip(), now) if isinstance(told, str) else None


def milliseconds(told: object) -> float | None:
    """The seconds in a number of milliseconds, text or number; None if it cannot be read. 0.0 to LONGEST."""
    number = _number(told)
    return None if number is None else _clamped(number / 1000)


def server_now(headers: Headers, now: float) -> float:
    """Seconds since the Unix epoch by the clock of the server that sent these headers; `now` if they do not say.

    A moment that a server names is a moment of its own clock, and clocks differ.
    RFC 9110 §6.6.1
    """
    moment = _date(headers.get("date", ""))
    return now if moment is None else moment


def _number(told: object) -> float | None:
    if isinstance(told, str):
        text = told.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(told, bool) or not isinstance(told, (int, float)):
        return None
    return float(told) if 0 <= told < _UNBELIEVABLE else None


def _from_now(number: float, now: float) -> float:
    if number >= _EPOCH_MS:
        return number / 1000 - now
    return number - now if number >= _EPOCH else number


def _seconds_in_text(text: str, now: float) -> float | None:
    if _DURATION.fullmatch(text):
        return _clamped(sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(text)))
    moment = _date(text)
    return None if moment is None else _clamped(moment - now)


def _date(text: str) -> float | None:
    """An HTTP-date as seconds since the Unix epoch; None if it is none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    # asctime names no zone; HTTP has no other than this one.
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _clamped(seconds: float) -> float:
    return min(LONGEST, max(0.0, seconds))
