"""What servers tell about quotas: how many requests, in what time, how many are left, and when there are more.

They speak four dialects. The first in which an answer tells anything is read, and nothing of the others:

1. `RateLimit: "default";r=50;t=30` with `RateLimit-Policy: "default";q=100;w=60`
   https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-11.html
2. `RateLimit: limit=10, remaining=1, reset=7` with `RateLimit-Policy: 10;w=1, 50;w=60`
   https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-07
3. `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`, with that policy or with `RateLimit-Limit: 10, 10;w=1`
   https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06 and -01
4. the fields of 3 as `X-RateLimit-…` or `X-Rate-Limit-…`, and Discord's `X-RateLimit-Reset-After`
   https://discord.com/developers/docs/topics/rate-limits#header-format
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from leavo_async._sansio.messages import Headers
from leavo_async._sansio.moments import seconds_from, server_now

_MOST = 10**9  # more than any quota of requests: who says more counts something else, or errs
_MANY = 20  # windows that anybody has; fields can be long, and each answer is read
_COUNT = re.compile(r"[0-9]{1,10}")
# A quoted string that is not closed goes on to the end: so each character is looked at once, whatever is sent.
_QUOTED = r'"(?:[^"\\]|\\.?)*(?:"|\Z)'
_MEMBER = re.compile(rf'(?:[^",]|{_QUOTED})+', re.DOTALL)
_PART = re.compile(rf'(?:[^";]|{_QUOTED})+', re.DOTALL)
_NAME = re.compile(r'"[^"]*"|[A-Za-z*][^\s"=]*')

_Facts = dict[str, str]


class Quota(NamedTuple):
    """One quota as a server tells it; None for what it does not tell.

    limit: requests in a window, 1 to 10⁹. window: its length in seconds, above 0.
    remaining: requests that are left, 0 to 10⁹. reset: seconds from now until there are more, 0.0 to a day.
    """

    limit: int | None = None
    window: float | None = None
    remaining: int | None = None
    reset: float | None = None


def read_quotas(headers: Headers, *, now: float) -> tuple[Quota, ...]:
    """The quotas that an answer tells of; () if of none. What is malformed is passed over, nothing raises.

    now: seconds since the Unix epoch; the Date of the answer goes before it.
    """
    # Asked of every answer, and most tell nothing: to find that out must cost next to nothing.
    if not headers.any_begins_with("rRxX"):
        return ()
    names = headers.all_names()
    if "ratelimit" not in names and "rate-limit" not in names:
        return ()
    clock = server_now(headers, now)
    told = (_told(read(headers, clock)) for field, read in _DIALECTS if field in names)
    return next((quotas for quotas in told if quotas), ())


def _told(quotas: Iterable[Quota]) -> tuple[Quota, ...]:
    return tuple(quota for quota in quotas if quota != _NOTHING)


def _named_policies(headers: Headers, now: float) -> Iterator[Quota]:
    """What is left of each policy, with its limit; then the policies that are only announced."""
    policies, left = _named(headers, "ratelimit-policy"), _named(headers, "ratelimit")
    announced, reported = dict(policies), dict(left)
    for name, facts in left + [policy for policy in policies if policy[0] not in reported]:
        told = announced.get(name, {}) | facts
        if told.get("qu", "requests").strip('"') == "requests":
            reset = seconds_from(told.get("t"), now=now)
            yield Quota(_limit(told.get("q")), _window(told), _count(told.get("r")), reset)


def _one_field(headers: Headers, now: float) -> Iterator[Quota]:
    told = dict(_pair(head) for head, _ in _items(headers.get("ratelimit", "")))
    reset = seconds_from(told.get("reset"), now=now)
    current = Quota(_limit(told.get("limit")), None, _count(told.get("remaining")), reset)
    # A policy alone is left to dialect 3, which has the same and may tell more.
    if current != _NOTHING:
        yield from _with_policies(current, _items(headers.get("ratelimit-policy", "")))


def _three_fields(headers: Headers, now: float, *, prefix: str) -> Iterator[Quota]:
    (limit, facts), *policies = _items(headers.get(prefix + "limit", "")) or [("", _Facts())]
    # Reset-After first: it is a span, for which no two clocks need to agree.
    told = (seconds_from(headers.get(prefix + name), now=now) for name in ("reset-after", "reset"))
    reset = next((seconds for seconds in told if seconds is not None), None)
    current = Quota(_limit(limit), _window(facts), _count(headers.get(prefix + "remaining")), reset)
    yield from _with_policies(current, policies + _items(headers.get(prefix + "policy", "")))


_NOTHING = Quota()
# How the names of its fields begin, in Headers.all_names, and what reads them.
_DIALECTS: tuple[tuple[str, Callable[[Headers, float], Iterator[Quota]]], ...] = (
    ("\nratelimit", _named_policies),
    ("\nratelimit", _one_field),
    ("\nratelimit-", partial(_three_fields, prefix="ratelimit-")),
    ("\nx-ratelimit-", partial(_three_fields, prefix="x-ratelimit-")),
    ("\nx-rate-limit-", partial(_three_fields, prefix="x-rate-limit-")),
)


def _with_policies(current: Quota, policies: list[tuple[str, _Facts]]) -> Iterator[Quota]:
    """The current quota, with the window of the policy that has its limit; then the other policies."""
    windows = {limit: _window(facts) for head, facts in policies if (limit := _limit(head))}
    window = windows.pop(current.limit, None) if current.limit else None
    yield current if window is None else current._replace(window=window)
    yield from (Quota(limit, window) for limit, window in windows.items())


def _named(headers: Headers, field: str) -> list[tuple[str, _Facts]]:
    """The items of a field that are names; a name is the same with quotes and without."""
    return [(head.strip('"'), facts) for head, facts in _items(headers.get(field, "")) if _NAME.fullmatch(head)]


def _items(text: str) -> list[tuple[str, _Facts]]:
    """The first members of a structured-field list, each with its parameters.

    RFC 9651 §3.1
    """
    members = [[part.strip() for part in _PART.findall(member)] for member in _MEMBER.findall(text)[:_MANY]]
    return [(parts[0], dict(map(_pair, parts[1:]))) for parts in members if parts]


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip().lower(), value.strip()


def _count(text: str | None) -> int | None:
    count = int(text) if text and _COUNT.fullmatch(text) else None
    return None if count is None or count > _MOST else count


def _limit(text: str | None) -> int | None:
    # A limit of 0 would let nothing pass for ever: nobody means that.
    return _count(text) or None


def _window(facts: _Facts) -> float | None:
    seconds = _count(facts.get("w"))
    return float(seconds) if seconds else None
