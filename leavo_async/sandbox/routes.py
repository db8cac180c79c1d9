"""Which function of a face answers a call."""

from collections.abc import Mapping
from typing import TypeVar

from leavo_async.sandbox.messages import Call, Refusal
from leavo_async.sandbox.refused import Refused

H = TypeVar("H")

Routes = Mapping[tuple[str | None, ...], Mapping[str, H]]
"""Paths cut at their slashes, None for any one part; for each the functions by method."""


def route(routes: Routes[H], call: Call) -> H:
    """The function for this call; `Refused` (404, 405) if there is none."""
    for pattern, methods in routes.items():
        if _is_like(call.segments, pattern):
            return _for_method(methods, call.method)
    # The path is not repeated: in one that went astray anything may stand.
    raise Refused(Refusal(404, "There is no such route"))


def _is_like(segments: tuple[str, ...], pattern: tuple[str | None, ...]) -> bool:
    return len(segments) == len(pattern) and all(p in (None, s) for s, p in zip(segments, pattern, strict=True))


def _for_method(methods: Mapping[str, H], method: str) -> H:
    if method not in methods:
        allowed = ", ".join(methods)
        raise Refused(Refusal(405, f"Only {allowed} here, not {method}", headers={"Allow": allowed}))
    return methods[method]
