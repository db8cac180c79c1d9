"""Groups of routes."""

from __future__ import annotations

import pytest

from leavo_async import ConfigError, DailyCap, RateLimit, Route
from leavo_async._sansio.paths import checked_path
from leavo_async._sansio.routes import PLAIN, fitting_limits, route_of

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


def test_caps_of_unknown_height_hold_beside_other_limits() -> None:
    """They say what a refusal for hours is about; a cap of one's own stands for it."""
    known = [RateLimit(60), DailyCap(None, "sms"), DailyCap(9, "mail")]
    routes = (Route("POST", "/sms", groups=("sms",)), Route("POST", "/mail", groups=("mail",)))

    assert (RateLimit(120), DailyCap(None, "sms")) == fitting_limits([RateLimit(120)], routes, known)
    assert (DailyCap(5, "sms"),) == fitting_limits([DailyCap(5, "sms")], routes, known)
    assert tuple(known) == fitting_limits(known, routes, known)


@pytest.mark.parametrize("path", ["/", "leads", "/leads/{id", "/{id}:do", "/a b", "/a/../b", "/a//b", "/a?b=c"])
def test_a_route_that_no_path_can_fit_is_refused(path: str) -> None:
    """A name stands for a whole segment, and the rest for itself."""
    with pytest.raises(ConfigError, match="expected"):
        route_of([Route("GET", path)], "GET", "/leads/1")


ODD = ["", "/", "//", ".", "..", "%2e", "%2E%2e", "a b", "a?b", "a#b", "a\\b", "a/b", "%", "%4", "é", "a\n", "\0"]


@pytest.mark.parametrize("odd", ODD)
def test_a_path_that_fits_a_route_can_only_mean_itself(odd: str) -> None:
    """It is not checked once more."""
    routes = [Route("GET", "/leads/{id}"), Route("GET", "/{company}/leads"), Route("GET", "/leads/")]
    for path in (f"/leads/{odd}", f"/{odd}/leads", f"/leads{odd}"):
        if route_of(routes, "GET", path) is not PLAIN:
            assert checked_path(path) == path


@pytest.mark.parametrize("segment", ["1", "a-b", "...", ".a", "%41", "a%20b", "a:b", "a@b,c;d=e", "~", "{id}"])
def test_a_name_stands_for_any_segment(segment: str) -> None:
    """That may stand in a path."""
    fits = route_of([Route("GET", "/leads/{id}")], "GET", f"/leads/{segment}") is not PLAIN
    assert fits is (segment != "{id}")
