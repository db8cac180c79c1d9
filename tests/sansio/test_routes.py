"""Groups of routes."""

from __future__ import annotations

import pytest

from leavo_async import ConfigError, DailyCap, RateLimit, Route
from leavo_async._sansio.routes import fitting_limits, route_of

ROUTES = (
    Route("POST", "/{company}/messages/sms", groups=("messaging", "sms")),
    Route("POST", "/{company}/messages/{channel}", groups=("messaging",)),
    Route("GET", "/v1.0/templates"),
)


@pytest.mark.parametrize(
    ("method", "path", "groups"),
    [
        ("POST", "/acme/messages/sms", ("messaging", "sms")),
        ("POST", "/acme/messages/email", ("messaging",)),
        ("GET", "/acme/messages/sms", ()),
        ("POST", "/acme/messages/sms/1", ()),
        ("POST", "/a/b/messages/sms", ()),
        ("POST", "/acme/messages/", ()),
        ("GET", "/v1.0/templates", ()),
        ("GET", "/v1x0/templates", ()),
    ],
)
def test_a_call_belongs_to_the_first_route_that_fits(method: str, path: str, groups: tuple[str, ...]) -> None:
    """`{name}` is one segment, the rest is taken as it stands."""
    assert route_of(ROUTES, method, path).groups == groups


def test_a_limit_for_a_group_that_no_route_has_is_refused() -> None:
    """It would hold for nothing, and its author would think otherwise."""
    limits = [RateLimit(60), RateLimit(30, group="messaging"), DailyCap(500, "sms")]
    assert fitting_limits(limits, ROUTES) == tuple(limits)
    with pytest.raises(ConfigError, match="no group of routes 'mesaging': known are messaging, sms"):
        fitting_limits([RateLimit(30, group="mesaging")], ROUTES)
    with pytest.raises(ConfigError, match="no group of routes 'sms': it has none"):
        fitting_limits([DailyCap(5, "sms")], ())
