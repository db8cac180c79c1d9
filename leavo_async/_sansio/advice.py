"""What a server asks of us: how long to wait, and what it tells about its quotas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from leavo_async._sansio.messages import Headers
from leavo_async._sansio.moments import milliseconds, seconds_from, server_now
from leavo_async._sansio.quotas import Quota, read_quotas


class ServerAdvice(NamedTuple):
    """What one answer asks for.

    wait: seconds before the next request of this key, 0.0 to a day; None if the server did not say.
    quotas: what it told about its limits; () if nothing.
    """

    wait: float | None = None
    quotas: tuple[Quota, ...] = ()


def read_advice(headers: Headers, details: object, *, now: float) -> ServerAdvice:
    """What an answer that reports an error asks for.

    The wait is the first that can be read of retry-after-ms, Retry-After, the reset of a quota that is used up, and a
    hint in the error's details.
    now: seconds since the Unix epoch; the Date of the answer goes before it.
    """
    clock = server_now(headers, now)
    quotas = read_quotas(headers, now=now)
    wait = _first(
        # https://github.com/Azure/azure-sdk-for-js/tree/main/sdk/core/core-rest-pipeline/src/retryStrategies
        milliseconds(headers.get("retry-after-ms")),
        # RFC 9110 §10.2.3; before the quotas: draft-ietf-httpapi-ratelimit-headers-11 §7
        seconds_from(headers.get("retry-after"), now=clock),
        _reset(quotas),
        _hint(details, clock),
    )
    return ServerAdvice(wait, quotas)


def _reset(quotas: Iterable[Quota]) -> float | None:
    """The longest reset of the quotas that may have caused a refusal; one of which something is left has not."""
    return max((quota.reset for quota in quotas if not quota.remaining and quota.reset is not None), default=None)


def _hint(details: object, now: float) -> float | None:
    """The wait in the error's details, under the names that are used for it."""
    if not isinstance(details, dict):
        return None
    return _first(
        seconds_from(details.get("retry_after"), now=now),
        milliseconds(details.get("retry_after_ms")),
        seconds_from(details.get("retryAfter"), now=now),
    )


def _first(*waits: float | None) -> float | None:
    return next((wait for wait in waits if wait is not None), None)
