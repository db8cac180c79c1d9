"""What a call may set for itself, and whether that can work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypedDict

from leavo_async._io.abort import AbortSignal
from leavo_async._sansio.priority import Priority, rank
from leavo_async._sansio.records import Observer
from leavo_async._sansio.retry import RetryPolicy
from leavo_async.errors import ConfigError


class CallOptions(TypedDict, total=False):
    """What each call may set for itself.

    timeout: seconds for one attempt. deadline: seconds for the whole call, queue and waits included.
    signal: an AbortSignal that ends the call, wherever it waits.
    idempotency_key: your own name for a write, 1 to 64 visible ASCII characters. priority: "interactive" goes before
    "normal", the default, and that before "bulk". retry: another RetryPolicy. headers: more header fields.
    path_params: values of {names} in the path, in place of the session's. observers: told of each attempt of this call,
    as the session's are.
    """

    timeout: float
    deadline: float | None
    signal: AbortSignal | None
    idempotency_key: str
    priority: Priority
    retry: RetryPolicy
    headers: Mapping[str, str]
    path_params: Mapping[str, str]
    observers: Sequence[Observer]


class ListOptions(CallOptions, total=False):
    """What each listing may set for itself, beside the CallOptions.

    page_size: items a request, default as many as the API allows. max_items: where to end at the latest.
    concurrency: pages in hand at a time, in flight or waiting for the consumer; 1 fetches nothing ahead. By default as
    many as the key's rate allows at the latency that is measured, at most 32, and 8 where there is no limit.
    ordered: False gives each page as it comes. dedupe_by: the field, or a function of an item, by which an item that
    was given already is left out; all its values are kept in memory, and None leaves nothing out. resume: the
    `resume_token` of a listing with the same filters, to go on where that one has stopped. deadline, signal: for the
    whole iteration.
    """

    page_size: int | None
    concurrency: int | None
    max_items: int | None
    ordered: bool
    dedupe_by: str | Callable[[Any], Hashable] | None
    resume: str | None


_NAMES = frozenset(CallOptions.__annotations__)


def checked_options(options: CallOptions) -> CallOptions:
    """The options, if each can work; ConfigError if not; TypeError, as Python's own, if there is no such option."""
    if unknown := options.keys() - _NAMES:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}; a call may set {', '.join(sorted(_NAMES))}")
    if "timeout" in options:
        seconds("timeout", options["timeout"])
    if (deadline := options.get("deadline")) is not None:
        seconds("deadline", deadline)
    if "priority" in options:
        rank(options["priority"])
    _check("signal", options.get("signal"), AbortSignal, "an AbortSignal, such as AbortController().signal")
    _check("retry", options.get("retry"), RetryPolicy, "a RetryPolicy")
    _check("idempotency_key", options.get("idempotency_key"), str, "a text")
    _check("observers", options.get("observers"), Sequence, "a list of functions")
    for name in ("headers", "path_params"):
        _check(name, options.get(name), Mapping, "a mapping of names to values")
    return options


def seconds(name: str, value: Any) -> float:
    """The value, if it is a finite number of seconds above 0; ConfigError otherwise."""
    # Infinity would be no limit at all, and an attempt without one can hang for ever. NaN fails each comparison.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= sys.float_info.max:
        raise ConfigError(f"{name}: expected a finite number of seconds above 0")
    return value


def _check(name: str, value: Any, kind: type, expected: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise ConfigError(f"{name}: expected {expected}")
