"""Limits, paging, auth, unpacking: the smaller rules."""

from __future__ import annotations

import copy
import gzip
import pickle
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError, Headers, ProtocolError, RateLimit, ResponseTooLargeError
from leavo_async._sansio.auth import Bearer, Secret, checked_key
from leavo_async._sansio.text import printable
from leavo_async._sansio.unpack import unpack

CANARY = "lv_live_CANARY7f3a9b"


@given(st.integers(1, 100_000), st.floats(0.1, 86_400), st.floats(0, 10))
def test_no_window_gets_more_than_the_limit(requests: int, per: float, spread: float) -> None:
    """Burst + rate × (per + spread) stays at or below requests + 1, which is the condition for it."""
    limit = RateLimit(requests, per, spread)
    if limit.burst < requests + 1:
        assert limit.burst + limit.rate * (per + spread) <= (requests + 1) * (1 + 1e-12)


def test_the_rates_are_those_of_the_arithmetic() -> None:
    """Leavo's 100 a minute are used at 97.9 a minute, 600 at 589.7."""
    assert (RateLimit(100).burst, round(RateLimit(100).rate * 60, 2)) == (1.5, 97.87)
    assert (RateLimit(600).burst, round(RateLimit(600).rate * 60, 2)) == (1.5, 589.67)


@pytest.mark.parametrize("settings", [(0,), (-1,), (10, 0), (10, -1), (10, 60, -1), (10, float("nan"))])
def test_a_limit_that_cannot_be_is_refused(settings) -> None:
    """Also not-a-number."""
    with pytest.raises(ConfigError):
        RateLimit(*settings)


@pytest.mark.parametrize("requests", [1, 2, 5])
def test_even_a_tiny_limit_has_a_rate(requests: int) -> None:
    """One request an hour is a limit like any other."""
    assert RateLimit(requests, 3600).rate > 0


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "  ",
        " padded",
        "two words",
        "line\nbreak",
        "ключ",
        "https://x.example/key",
        "your_api_key_here",
        "<key>",
        "xxxx",
    ],
)
def test_a_key_that_cannot_be_one_is_refused(key: str | None) -> None:
    """The message names the variable to set, and never the key."""
    with pytest.raises(ConfigError, match="LEAVO_API_KEY") as caught:
        checked_key(Secret.of(key), Bearer(), variables="LEAVO_API_KEY")

    assert not key or not key.strip() or key not in str(caught.value)


def test_a_secret_shows_itself_to_nobody() -> None:
    """Not printed, not formatted, not copied, not pickled."""
    secret = Secret(CANARY)

    assert CANARY not in f"{secret!r} {secret} {secret.__slots__}"
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            duplicate(secret)


def test_a_bearer_key_is_one_header() -> None:
    """RFC 6750."""
    assert {"Authorization": f"Bearer {CANARY}"} == Bearer().headers(Secret(CANARY))


@given(st.binary(), st.sampled_from(["gzip", "deflate", "", "identity", " GZIP "]))
def test_unpacking_undoes_packing(body: bytes, coding: str) -> None:
    """In each coding we ask for."""
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}.get(coding.strip().lower(), bytes)

    assert body == unpack(pack(body), coding, max_bytes=10_000)


def test_a_gzip_body_of_several_members_is_one_body() -> None:
    """RFC 1952 allows it."""
    assert unpack(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip", max_bytes=4) == b"abcd"


@given(st.binary(min_size=1), st.data())
def test_a_cut_is_seen(body: bytes, data: st.DataObject) -> None:
    """Half a list must not look like a whole one."""
    packed = gzip.compress(body)
    cut = data.draw(st.integers(1, len(packed) - 1))

    with pytest.raises(ProtocolError):
        unpack(packed[:cut], "gzip", max_bytes=10_000)


def test_a_bomb_does_not_go_off() -> None:
    """It is stopped at the limit, not after it; several members count together."""
    bomb = gzip.compress(b"\0" * 50_000)

    with pytest.raises(ResponseTooLargeError, match="10,000 bytes"):
        unpack(bomb, "gzip", max_bytes=10_000)
    with pytest.raises(ResponseTooLargeError):
        unpack(gzip.compress(b"x" * 6000) * 2, "gzip", max_bytes=10_000)


def test_a_thousand_empty_pieces_are_refused() -> None:
    """Each would copy the rest of the body."""
    with pytest.raises(ProtocolError):
        unpack(gzip.compress(b"") * 1000, "gzip", max_bytes=10)


def test_a_bomb_is_not_even_unpacked() -> None:
    """What is beyond the limit never stands in memory."""
    bomb = gzip.compress(b"\0" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ResponseTooLargeError):
            unpack(bomb, "gzip", max_bytes=10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


@given(st.binary(), st.text())
def test_unpacking_raises_nothing_but_our_errors(body: bytes, coding: str) -> None:
    """Whatever the bytes, whatever they are called."""
    try:
        unpack(body, coding, max_bytes=100)
    except ProtocolError:
        pass


def test_headers_have_any_case_and_join_repeats() -> None:
    """RFC 9110 §5.2; repr shows names alone."""
    headers = Headers([("X-A", "1"), ("x-a", "2"), ("Set-Thing", CANARY)])

    assert (headers["X-a"], len(headers)) == ("1, 2", 2)
    assert CANARY not in repr(headers)


@given(st.text())
def test_printable_is_printable(text: str) -> None:
    """One line, no control characters, whatever comes in."""
    assert printable(text).isprintable()
