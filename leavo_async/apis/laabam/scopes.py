"""Which scopes a key has: asked of the server in ways that change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Unpack

from leavo_async.apis.laabam.profile import CHANNELS, RESOURCES
from leavo_async.errors import BadRequestError, ConfigError, NotFoundError, PermissionDeniedError, UnprocessableError
from leavo_async.options import CallOptions
from leavo_async.session import Session


class Probe(NamedTuple):
    """A call that only a key with the scope may make, and that has no effect.

    json: a body that nothing can be done with, so that the refusal of it shows that the key was let through.
    """

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Mapping[str, Any] | None = None


_NOBODY = "/messaging/{company}/messages/none"  # no message has this id
_SENDING = {name: Probe("POST", f"/messaging/{{company}}/{name}", json={}) for name in CHANNELS}
# Two pages of the documents spell the scopes of messages differently: docs/security has messaging:send.
PROBES: Mapping[str, tuple[Probe, ...]] = {
    **{f"{name}:read": (Probe("GET", f"/{name}", params={"limit": 1}),) for name in RESOURCES},
    **{f"{name}:write": () for name in RESOURCES},
    **{f"messages:{name}:send": (probe,) for name, probe in _SENDING.items()},
    "messages:read": (Probe("GET", _NOBODY),),
    "messaging:send": tuple(_SENDING.values()),
}
"""Those of each scope; none where nothing but a real write would tell."""


async def require_scopes(session: Session, scopes: Iterable[str], **options: Unpack[CallOptions]) -> frozenset[str]:
    """The scopes that could not be checked; PermissionDeniedError for the first that the key lacks."""
    wanted = dict.fromkeys(scopes)
    if unknown := [scope for scope in wanted if scope not in PROBES]:
        raise ConfigError(f"require_scopes: no scope {', '.join(map(repr, unknown))}: known are {', '.join(PROBES)}")
    if "idempotency_key" in options:
        raise ConfigError("require_scopes: an idempotency key names one write, and this may make several requests")
    return frozenset([scope for scope in wanted if not await _is_there(session, scope, options)])


async def _is_there(session: Session, scope: str, options: CallOptions) -> bool:
    """Whether the key is known to have the scope. Raises PermissionDeniedError if it lacks it."""
    passed = [await _passes(session, scope, probe, options) for probe in PROBES[scope]]
    return bool(passed) and all(passed)


async def _passes(session: Session, scope: str, probe: Probe, options: CallOptions) -> bool:
    """Whether the call shows that the key has the scope. Raises PermissionDeniedError if it lacks it."""
    try:
        await session.request(probe.method, probe.path, params=probe.params, json=probe.json, **options)
    except (BadRequestError, UnprocessableError):
        return probe.json is not None
    except NotFoundError:
        if probe.json is not None:
            raise  # there is no such company, and no message would go out
        return False  # the path may not exist, for most are inferred
    except PermissionDeniedError as error:
        if error.missing_scope is None:
            raise  # not for a scope, but for an address or an origin that the key is not for
        denied = error
    else:
        return True
    denied.missing_scope = scope
    denied.args = (f"require_scopes: the key lacks {scope} ({denied})",)
    raise denied
