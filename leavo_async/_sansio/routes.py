"""What the routes of an API have of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from leavo_async._sansio.limits import Limit, checked_limits
from leavo_async.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Route:
    """Calls with one method to one form of path.

    path: as it is called; `{name}` stands for one segment. groups: those whose limits hold for it, beside the key's.
    """

    method: str
    path: str
    groups: tuple[str, ...] = ()

    def fits(self, method: str, path: str) -> bool:
        """Whether a call is one of these."""
        return method == self.method and _form(self.path).fullmatch(path) is not None


def groups_of(routes: Iterable[Route], method: str, path: str) -> tuple[str, ...]:
    """The groups of a call, by the first route that fits; () if none does."""
    return next((route.groups for route in routes if route.fits(method, path)), ())


def fitting_limits(limits: Iterable[Limit], routes: Sequence[Route]) -> tuple[Limit, ...]:
    """The limits, if each is for a group that some route has, or for the whole key; ConfigError otherwise."""
    checked = checked_limits(limits)
    groups = {group for route in routes for group in route.groups}
    for limit in checked:
        if limit.group is not None and limit.group not in groups:
            known = f"known are {', '.join(sorted(groups))}" if groups else "it has none"
            raise ConfigError(f"limits: this API has no group of routes {limit.group!r}: {known}")
    return checked


@lru_cache(maxsize=256)
def _form(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))
