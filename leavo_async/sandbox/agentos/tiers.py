"""Where each tier's endpoints are, by version, and how a call finds its own."""

from collections.abc import Mapping
from types import MappingProxyType

from leavo_async.sandbox.agentos import (
    advertising,
    applications,
    appointments,
    company,
    contacts,
    legacy,
    maintenance,
    propertymanagement,
    referencing,
)
from leavo_async.sandbox.agentos.endpoints import Endpoint, Endpoints
from leavo_async.sandbox.messages import Call
from leavo_async.sandbox.routes import Routes, route

_Found = tuple[str, Endpoint]


def _routes(endpoints: Endpoints) -> Routes[_Found]:
    return {
        tuple(None if _is_name(part) else part for part in path.split("/")): {
            method: (path, endpoint) for method, endpoint in methods.items()
        }
        for path, methods in endpoints.items()
    }


def _is_name(part: str) -> bool:
    return part.startswith("{")


TIERS: Mapping[tuple[str, str], Routes[_Found]] = MappingProxyType(
    {
        ("v4", "advertising"): _routes({**company.ENDPOINTS, **advertising.ENDPOINTS}),
        ("v4", "appointments"): _routes({**company.ENDPOINTS, **appointments.ENDPOINTS}),
        ("v4", "maintenance"): _routes({**company.ENDPOINTS, **maintenance.ENDPOINTS}),
        ("v4", "propertymanagement"): _routes({**company.ENDPOINTS, **propertymanagement.ENDPOINTS}),
        ("v4", "contacts"): _routes({**company.ENDPOINTS, **contacts.ENDPOINTS}),
        ("v4", "referencing"): _routes({**company.ENDPOINTS, **referencing.ENDPOINTS}),
        ("v4", "applications"): _routes({**company.ENDPOINTS, **applications.ENDPOINTS}),
        ("v3", "diary"): _routes(legacy.DIARY),
        ("v3", "maintenance"): _routes(legacy.MAINTENANCE),
    }
)
"""Version and tier → routes after the short name."""

TIER_NAMES = tuple(dict.fromkeys(tier for _, tier in TIERS))


def endpoint(routes: Routes[_Found], call: Call) -> tuple[Endpoint, Mapping[str, str]]:
    """What answers a call whose segments begin after the short name, and the values of the names in its path.

    `Refused` (404, 405) if nothing does.
    """
    path, found = route(routes, call)
    parts = zip(path.split("/"), call.segments, strict=True)
    return found, {part[1:-1]: value for part, value in parts if _is_name(part)}
