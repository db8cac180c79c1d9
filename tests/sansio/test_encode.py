from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError, Repeat, Request, Route
from leavo_async._sansio.encode import Rules, checked_base_url, encode
from leavo_async._sansio.paths import checked_path, segment

BASE = "https://api.example.com"
RULES = Rules(BASE)


def encoded(method: str = "GET", path: str = "/leads", rules: Rules = RULES, **call: Any) -> Request:
    return encode(rules, method, path, new_key=lambda: "new-key", **call)


def test_a_read_carries_no_idempotency_key() -> None:
    """It changes nothing, so there is nothing to do twice."""
    request = encoded("GET")

    assert (request.idempotency_key, request.body, request.headers) == (None, None, {})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_write_carries_a_new_key(method: str) -> None:
    """Made once, when the call is made: all attempts share it."""
    request = encoded(method)

    assert (request.idempotency_key, request.headers["Idempotency-Key"]) == ("new-key", "new-key")


def test_the_callers_own_key_is_used() -> None:
    """Whoever keeps keys across restarts gives them."""
    assert encoded("POST", idempotency_key="order-17").headers["Idempotency-Key"] == "order-17"


@pytest.mark.parametrize("key", ["", "a b", "ä", "a\n", "x" * 65])
def test_a_key_that_no_server_would_take_is_refused(key: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match="idempotency_key"):
        encoded("POST", idempotency_key=key)


@pytest.mark.parametrize(
    ("method", "honoured", "repeatable"),
    [
        ("GET", "unknown", True),
        ("PUT", "unknown", True),
        ("DELETE", "ignored", True),
        ("POST", "unknown", False),
        ("POST", "ignored", False),
        ("POST", "honoured", True),
        ("PATCH", "unknown", False),
    ],
)
def test_whether_it_may_be_repeated_is_settled_when_it_is_made(method: str, honoured: Any, repeatable: bool) -> None:
    """A key alone does not make a POST repeatable: the server must honour it."""
    assert repeatable is encoded(method, rules=Rules(BASE, honoured=honoured)).repeatable


def test_the_query_is_encoded_once() -> None:
    """Absent values are left out, lists repeat the name, truth is written as JSON writes it."""
    params = {"search": "Ana & João", "none": None, "tag": ["a", "b"], "active": True, "limit": 5}

    assert f"{BASE}/leads?search=Ana+%26+Jo%C3%A3o&tag=a&tag=b&active=true&limit=5" == encoded(params=params).url


def test_json_goes_out_as_utf8_bytes() -> None:
    """Dates and models are written as JSON by pydantic."""
    request = encoded("POST", json={"name": "João", "at": datetime(2026, 1, 2, tzinfo=UTC)})

    assert '{"name":"João","at":"2026-01-02T00:00:00Z"}'.encode() == request.body
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("value", [float("nan"), [float("-inf")], {"a": {"b": float("inf")}}, object()])
def test_what_json_cannot_express_is_refused(value: Any) -> None:
    """The message does not show the value, and neither does its cause."""
    with pytest.raises(ConfigError, match=r"^json: holds") as caught:
        encoded("POST", json={"value": value})

    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_text_that_speaks_of_infinity_is_fine() -> None:
    """Only the number is refused."""
    assert encoded("POST", json="NaN or Infinity").body == b'"NaN or Infinity"'


@pytest.mark.parametrize(
    "path",
    [
        "leads",
        "",
        "/",
        "/a//b",
        "/leads/../admin",
        "/leads/%2e%2E/x",
        "/./x",
        "/a?b=1",
        "/a#b",
        "/a b",
        "/a\n",
        "/a\\b",
        "/ä",
        "/a%zz",
    ],
)
def test_a_path_that_could_mean_another_is_refused(path: str) -> None:
    """No server, proxy or library gets to reinterpret it."""
    with pytest.raises(ConfigError, match=r"^path"):
        checked_path(path)


@given(st.text())
def test_a_segment_stays_one_segment(text: str) -> None:
    """Whatever an id holds, it cannot leave its place in the path."""
    try:
        quoted = segment(text)
    except ConfigError:
        assert not text or text in (".", "..") or not text.isprintable()
    else:
        assert f"/leads/{quoted}" == checked_path(f"/leads/{quoted}")
        assert not set(quoted) & set("/?#\\")


@pytest.mark.parametrize("value", [None, 5, b"a", ["a"]])
def test_a_segment_is_a_text(value: Any) -> None:
    """An id that was never found, or a number, is told by its name and not by a TypeError from the depths."""
    with pytest.raises(ConfigError, match=r"^lead_id: expected a text$"):
        segment(value, "lead_id")


def test_a_slash_in_an_id_does_not_start_another_segment() -> None:
    """Nor does a space, a percent sign or an accent mean anything to the path."""
    assert segment("a/b c%2e é") == "a%2Fb%20c%252e%20%C3%A9"


@pytest.mark.parametrize("name", ["Authorization", "host", "Idempotency-Key", "Content-Length", "Transfer-Encoding"])
def test_headers_of_the_library_cannot_be_replaced(name: str) -> None:
    """Nobody signs as somebody else by accident."""
    with pytest.raises(ConfigError, match=r"is set by the library"):
        encoded(headers={name: "x"})


@pytest.mark.parametrize("headers", [{"X-A": "a\r\nX-B: b"}, {"X A": "a"}, {"": "a"}, {"X-A": "\0"}])
def test_a_header_cannot_smuggle_another(headers: dict[str, str]) -> None:
    """Line breaks and NUL are refused before any I/O."""
    with pytest.raises(ConfigError, match=r"^headers"):
        encoded(headers=headers)


def test_the_name_of_a_header_is_a_text() -> None:
    """Anything else is told, and not an AttributeError from the depths."""
    with pytest.raises(ConfigError, match=r"^headers: expected texts$"):
        encoded(headers={5: "x"})


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://user@127.0.0.1",
        "ftp://x",
        "api.example.com",
        "https://",
        "https://user:secret@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com:99999",
        "https://api.example.com:x",
        "https://[::1",
        "https://api.example.com/a b",
        "https://api.example.com/../x",
        "https://api.example.com/\n",
        "https://äpi.example.com",
    ],
)
def test_only_https_is_spoken(url: str) -> None:
    """Anything else is refused, and a password in it is not repeated."""
    with pytest.raises(ConfigError, match=r"^base_url") as caught:
        checked_base_url(url, loopback_http=True)

    assert "secret" not in str(caught.value)


def test_a_sandbox_on_this_machine_may_be_http_when_asked_for() -> None:
    """And only then."""
    assert checked_base_url("http://127.0.0.1:8080/", loopback_http=True) == "http://127.0.0.1:8080"
    with pytest.raises(ConfigError, match="allow_insecure_loopback"):
        checked_base_url("http://127.0.0.1:8080", loopback_http=False)


def test_a_text_that_is_no_text_is_refused() -> None:
    """Half of a surrogate pair cannot be sent."""
    with pytest.raises(ConfigError, match="params"):
        encoded(params={"search": "\ud800"})


def test_a_path_may_stand_before_all_paths() -> None:
    """Behind a proxy the API may have a prefix."""
    assert (
        checked_base_url("https://proxy.example.com/leavo/", loopback_http=False) == "https://proxy.example.com/leavo"
    )


def test_the_callers_content_type_stays_alone() -> None:
    """Whatever its case."""
    assert encoded("POST", json={}, headers={"content-type": "application/x"}).headers == {
        "content-type": "application/x",
        "Idempotency-Key": "new-key",
    }


@pytest.mark.parametrize("method", ["get", "G T", "", "GET\r\n"])
def test_a_method_is_capital_letters(method: str) -> None:
    """It goes into the first line of the request as it is."""
    with pytest.raises(ConfigError, match=r"^method"):
        encoded(method)


def looked_for(sent: Any) -> tuple[str, dict[str, Any]]:
    return "/leads", {"search": sent["phone"]}


def is_same(sent: Any, found: Any) -> bool:
    return bool(sent["phone"] == found["phone"])


ROUTES = (
    Route("POST", "/leads", repeat=Repeat.NATURAL, lookup=looked_for, same=is_same),
    Route("POST", "/scores", repeat=Repeat.PURE),
    Route("POST", "/orders", repeat=Repeat.KEYED),
    Route("PUT", "/counters/{id}", repeat=Repeat.UNSAFE),
    Route("GET", "/leads/{id}", echo="id"),
    Route("POST", "/hooks", callbacks=("url",)),
)


@pytest.mark.parametrize(
    ("method", "path", "honoured", "repeatable", "key_lasts"),
    [
        ("POST", "/leads", "unknown", False, float("inf")),
        ("POST", "/leads", "honoured", True, 60),
        ("POST", "/scores", "ignored", True, float("inf")),
        ("POST", "/orders", "unknown", True, 60),
        ("POST", "/orders", "ignored", False, float("inf")),
        ("PUT", "/counters/1", "honoured", False, float("inf")),
        ("PUT", "/others/1", "honoured", True, float("inf")),
        ("POST", "/others", "honoured", True, 60),
    ],
)
def test_a_route_may_know_better_than_the_method(
    method: str, path: str, honoured: Any, repeatable: bool, key_lasts: float
) -> None:
    """Scoring is pure although it is a POST; a counter is not although it is a PUT."""
    rules = Rules(BASE, routes=ROUTES, honoured=honoured, key_lasts=60)
    request = encoded(method, path, rules, json={"phone": "+1"})

    assert (request.repeatable, request.key_lasts) == (repeatable, key_lasts)


def test_what_must_not_be_repeated_may_be_looked_up() -> None:
    """By what was sent; where that is missing, the server will say so itself."""
    rules = Rules(BASE, routes=ROUTES)
    lookup = encoded("POST", "/leads", rules, json={"phone": "+1"}).lookup

    assert lookup is not None
    assert (lookup.path, lookup.params) == ("/leads", {"search": "+1"})
    assert [lookup.is_it({"phone": phone}) for phone in ("+1", "+2")] == [True, False]
    assert encoded("POST", "/leads", rules, json={"name": "Ana"}).lookup is None
    assert encoded("POST", "/leads", rules, json=[1]).lookup is None
    assert encoded("POST", "/leads", Rules(BASE, ROUTES, "honoured"), json={"phone": "+1"}).lookup is None


def test_an_answer_must_be_about_what_was_asked_for() -> None:
    """The id of the path, as it was before it was quoted."""
    assert encoded("GET", "/leads/a%2Fb", Rules(BASE, routes=ROUTES)).echo == ("id", "a/b")
    assert encoded("GET", "/leads", Rules(BASE, routes=ROUTES)).echo is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_read_only_session_refuses_every_write(method: str) -> None:
    """Before anything is sent; reads go on."""
    with pytest.raises(ConfigError, match=f"^{method} /leads: the session is read-only"):
        encoded(method, rules=Rules(BASE, read_only=True))
    assert encoded("GET", rules=Rules(BASE, read_only=True)).method == "GET"


def test_a_private_callback_is_refused_unless_the_session_may_name_one() -> None:
    """As a sandbox on this machine may."""
    with pytest.raises(ConfigError, match="url"):
        encoded("POST", "/hooks", Rules(BASE, routes=ROUTES), json={"url": "https://10.0.0.1/x"})
    assert encoded("POST", "/hooks", Rules(BASE, routes=ROUTES, private_targets=True), json={"url": "https://10.0.0.1"})
    assert encoded("POST", "/hooks", Rules(BASE, routes=ROUTES), json={"url": "https://example.com/x"})
    assert encoded("POST", "/hooks", Rules(BASE, routes=ROUTES), json={"active": False})


@pytest.mark.parametrize("name", ["api_key", "API_KEY", "Api-Key", "access_token", "ACCESS_token"])
def test_no_key_goes_into_a_url(name: str) -> None:
    """Logs and proxies keep it there, in whatever letters its name is written."""
    with pytest.raises(ConfigError, match="URL"):
        encoded(params={"a": 1, name: "x"})
