"""The header fields of a call, and {names} in its path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError, HeaderRule, Request
from leavo_async._sansio.encode import Rules, encode
from leavo_async._sansio.fields import merged_headers
from leavo_async._sansio.paths import checked_path, filled

BASE = "https://api.example.com"


def no_blanks(value: str) -> str | None:
    return "must not hold a blank" if " " in value else None


def encoded(path: str = "/x", *, rules: dict[str, Any], **call: Any) -> Request:
    return encode(Rules(BASE, **rules), "GET", path, new_key=str, **call)


def test_what_a_call_says_of_a_field_goes_before_what_all_say() -> None:
    """In whatever letters: two fields of one name would be two values."""
    assert {"A": "1", "x-user": "own"} == merged_headers({"A": "1", "X-User": "all"}, {"x-user": "own"})
    assert {"X-User": "all"} == merged_headers({"X-User": "all"}, None)


def test_the_fields_of_all_calls_are_asked_for_at_each_call() -> None:
    """They may come from a context variable."""
    values = iter(["1", "2"])
    rules: dict[str, Any] = {"headers": lambda: {"X-User": next(values)}}

    assert ["1", "2"] == [encoded(rules=rules).headers["X-User"] for _ in range(2)]


@pytest.mark.parametrize("given", [None, [("X-User", "1")], "X-User: 1"])
@pytest.mark.parametrize("own", [None, {"X": "1"}])
def test_a_function_that_gives_no_mapping_is_told_of(given: Any, own: Any) -> None:
    """Before anything is sent, and not by a TypeError from the depths."""
    with pytest.raises(ConfigError, match="headers: expected a mapping of names to values, or a plain function"):
        encoded(rules={"headers": lambda: given}, headers=own)


@pytest.mark.parametrize("name", ["api_key", "API_KEY", "Authorization"])
@pytest.mark.parametrize("own", [True, False])
def test_a_field_that_signs_is_the_librarys(name: str, own: bool) -> None:
    """A caller could sign as somebody else."""
    fields = {name: "x"}
    rules: dict[str, Any] = {"signing": frozenset({"api_key"}), "headers": None if own else lambda: fields}

    with pytest.raises(ConfigError, match="is set by the library"):
        encoded(rules=rules, headers=fields if own else None)


def test_a_parameter_that_signs_is_the_librarys_too() -> None:
    """Whatever its name."""
    with pytest.raises(ConfigError, match="a key does not belong into a URL"):
        encoded(rules={"signing": frozenset({"token"})}, params={"Token": "x"})


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({}, "header X-User: is missing; pass headers="),
        ({"x-user": "CANARY CANARY"}, "header X-User: must not hold a blank"),
        ({"X-User": "a1"}, None),
    ],
)
def test_what_an_api_demands_of_a_field_is_seen_before_anything_is_sent(
    headers: dict[str, str], problem: str | None
) -> None:
    """And its value, which may be a person's, is not in the message."""
    rules: dict[str, Any] = {"header_rules": (HeaderRule("X-User", no_blanks, required=True),)}
    if problem is None:
        assert encoded(rules=rules, headers=headers).headers == headers
        return
    with pytest.raises(ConfigError, match=problem) as caught:
        encoded(rules=rules, headers=headers)
    assert "CANARY" not in str(caught.value)


def test_a_field_that_need_not_be_there_is_checked_if_it_is() -> None:
    """Required is one question, right another."""
    rules: dict[str, Any] = {"header_rules": (HeaderRule("X-User", no_blanks),)}

    assert {} == encoded(rules=rules).headers
    with pytest.raises(ConfigError, match="must not hold a blank"):
        encoded(rules=rules, headers={"X-User": "a b"})


# Paths


def test_names_in_a_path_are_filled_in_and_quoted() -> None:
    """Of the call first, then of the session."""
    request = encoded(
        "/v4/{tier}/{agency}", rules={"path_params": {"tier": "a/b", "agency": "x"}}, path_params={"agency": "y"}
    )

    assert (request.path, request.url) == ("/v4/a%2Fb/y", f"{BASE}/v4/a%2Fb/y")


@pytest.mark.parametrize("value", ["", ".", "..", "a\nb", "\0"])
def test_a_value_that_is_no_segment_is_refused(value: str) -> None:
    """It could climb out of the path."""
    with pytest.raises(ConfigError, match="agency: expected a non-empty text"):
        encoded("/v4/{agency}", rules={"path_params": {"agency": value}})


@pytest.mark.parametrize("own", [None, {}, {"agency": None}, {"agency": 7}])
def test_a_name_without_a_text_is_refused(own: Any) -> None:
    """With what to pass."""
    with pytest.raises(ConfigError, match=r"path: no value for \{agency\}: pass path_params=|agency must be a text"):
        encoded("/v4/{agency}", rules={}, path_params=own)


@pytest.mark.parametrize("path", ["/{", "/}", "/{}", "/{a b}", "/{a", "/a}b"])
def test_other_braces_are_no_names(path: str) -> None:
    """And no characters of a path."""
    with pytest.raises(ConfigError, match="path"):
        encoded(path, rules={"path_params": {"a": "1"}})


@given(st.text())
def test_whatever_a_value_is_it_fills_one_segment_or_is_refused(value: str) -> None:
    """Slashes, dots, braces, other scripts."""
    try:
        path = filled("/v4/{agency}/x", {"agency": value})
    except ConfigError:
        return
    assert path == checked_path(path)
    assert path.count("/") == 3


def test_a_mistyped_name_does_not_ask_somebody_else() -> None:
    """The session's own value would stand where the call's should."""
    with pytest.raises(ConfigError, match=r"path_params: /\{agency\}/x has no \{agancy\}"):
        filled("/{agency}/x", {"agency": "a"}, {"agancy": "b"})
    assert "/x" == filled("/x", {"agency": "a"}, {"agency": "b"})  # nobody is named there
