"""What the routes of an API have of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from leavo_async._sansio.idempotency import Repeat
from leavo_async._sansio.limits import DailyCap, Limit, checked_limits
from leavo_async._sansio.messages import Lookup
from leavo_async.errors import ConfigError

Sent = Mapping[str, Any]
SEGMENT = r"(?!(?:\.|%2[eE]){1,2}(?:/|\Z))(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]++|%[0-9A-Fa-f]{2})++"
"""One segment of a path: of the characters that may stand there as they are (RFC 3986 §3.3), and not "." or ".."."""
_NAME = re.compile(r"(?<=/)\{\w+\}(?=/|\Z)")
_TEMPLATE = re.compile(rf"(?:/(?:{SEGMENT}|\{{\w+\}}))++/?")


class Route(NamedTuple):
    """Calls with one method to one form of path.

    path: as it is called; `{name}` stands for one segment. groups: those whose limits hold for it, beside the key's.
    repeat: whether it may be sent again after an unknown outcome; None leaves that to the method and the key.
    lookup: for Repeat.NATURAL, the path and the parameters of a listing that shows what was sent, if it is there.
    same: for Repeat.NATURAL, whether an item found there is the thing that was sent: same(sent, found).
    callbacks: fields with a URL that the server will call; a private one is refused.
    echo: a field that an answer must have with the value of the last segment of the path, as ids are.
    scopes: the rights that a key needs for it; an error that does not name the missing one gets them from here.
    """

    method: str
    path: str
    groups: tuple[str, ...] = ()
    repeat: Repeat | None = None
    lookup: Callable[[Sent], tuple[str, Mapping[str, Any]]] | None = None
    same: Callable[[Sent, Any], bool] | None = None
    callbacks: tuple[str, ...] = ()
    echo: str | None = None
    scopes: tuple[str, ...] = ()

    def echoed(self, path: str) -> tuple[str, str] | None:
        """The field and the value that the answer to a call with this path must have."""
        if self.echo is None:
            return None
        value = path.rstrip("/").rpartition("/")[2]
        return self.echo, unquote(value) if "%" in value else value

    def looked_up(self, sent: Any) -> Lookup | None:
        """How to find what this call has made; None if it cannot be told from what was sent."""
        lookup, same = self.lookup, self.same
        if lookup is None or same is None or not isinstance(sent, Mapping):
            return None
        try:
            path, params = lookup(sent)
        except KeyError:
            return None  # what it would be found by was not sent; the server will say so
        return Lookup(path, params, lambda found: same(sent, found))


PLAIN = Route("*", "*")
"""What has nothing of its own."""


def route_of(routes: Iterable[Route], method: str, path: str) -> Route:
    """The first route that fits a call; one without anything of its own if none does.

    A path that fits one can only mean itself.
    """
    for route in routes:
        if route.method == method and _form(route.path).fullmatch(path):
            return route
    return PLAIN


def fitting_limits(limits: Iterable[Limit], routes: Sequence[Route], known: Iterable[Limit] = ()) -> tuple[Limit, ...]:
    """The limits, if each is for a group that some route has, or for the whole key; ConfigError otherwise.

    known: those of the API. Of these, caps of unknown height hold beside others: that there is one decides what a long
    wait after a 429 is about, and it limits nothing before that.
    """
    checked = checked_limits(limits)
    groups = {group for route in routes for group in route.groups}
    for limit in checked:
        if limit.group is not None and limit.group not in groups:
            names = f"known are {', '.join(sorted(groups))}" if groups else "it has none"
            raise ConfigError(f"limits: this API has no group of routes {limit.group!r}: {names}")
    capped = {limit.group for limit in checked if isinstance(limit, DailyCap)}
    caps = (limit for limit in known if isinstance(limit, DailyCap) and limit.requests is None)
    return (*checked, *(cap for cap in caps if cap.group not in capped))


@lru_cache(maxsize=256)
def _form(path: str) -> re.Pattern[str]:
    """What paths that fit look like; a slash at the end changes nothing."""
    if not _TEMPLATE.fullmatch(path):
        raise ConfigError(f'route {path!r}: expected "/" and segments, each quoted or a {{name}} that stands for one')
    return re.compile(SEGMENT.join(map(re.escape, _NAME.split(path.removesuffix("/")))) + "/?")
