"""How a request is signed, and keys that cannot be meant."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from leavo_async import ConfigError, HeaderKey, HeaderPair, KeyPair, QueryKey, Secret
from leavo_async._sansio.auth import Auth, Bearer, checked_key, names_of

CANARY = "made-up-CANARY-7f3a9b"
PAIR = HeaderPair("X-Id", "X-Secret", id_prefix="id_", secret_prefix="secret_")


@pytest.mark.parametrize(
    ("auth", "secret", "headers", "params"),
    [
        (Bearer(), Secret(CANARY), {"Authorization": f"Bearer {CANARY}"}, {}),
        (HeaderKey("api_key"), Secret(CANARY), {"api_key": CANARY}, {}),
        (QueryKey(), Secret(CANARY), {}, {"api_key": CANARY}),
        (PAIR, KeyPair("id_1", "secret_1"), {"X-Id": "id_1", "X-Secret": "secret_1"}, {}),
    ],
)
def test_each_way_to_sign(auth: Auth, secret: Secret, headers: dict[str, str], params: dict[str, str]) -> None:
    """In header fields, or in the query."""
    assert (headers, params) == (auth.headers(secret), auth.params(secret))
    assert {name.lower() for name in (*headers, *params)} == names_of(auth)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (Secret("secret_1"), "a key without its id"),
        (KeyPair("", "secret_1"), "no id"),
        (KeyPair("id 1", "secret_1"), "the id holds spaces"),
        (KeyPair("secret_CANARY", "id_CANARY"), "stand in each other's place"),
        (KeyPair("CANARY", "secret_1"), "the id does not begin with id_"),
        (KeyPair("id_1", "CANARY"), "the secret does not begin with secret_"),
        (KeyPair("id_1", ""), "no API key"),
        (None, "no API key"),
    ],
)
def test_a_pair_that_cannot_be_one_is_refused(secret: Secret | None, problem: str) -> None:
    """Above all the two in each other's place, which a server answers with a 401 that does not say why."""
    with pytest.raises(ConfigError, match=problem) as caught:
        checked_key(secret, PAIR, variables="THE_ID and THE_SECRET")

    assert "set THE_ID and THE_SECRET in the environment, or pass the id and the secret" in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_a_pair_may_have_any_form_where_none_is_known() -> None:
    """Prefixes are those of one API."""
    pair = KeyPair("one", "two")

    assert pair is checked_key(pair, HeaderPair("X-Id", "X-Secret"), variables="X")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("pair", [KeyPair("id_1", CANARY), KeyPair(CANARY, "id_1")])
def test_a_pair_does_not_show_itself(pair: KeyPair, duplicate: Any) -> None:
    """Not even if the two are swapped. The id may be logged by whoever asks for it."""
    assert repr(pair) == "<KeyPair>"
    assert CANARY not in f"{pair!r} {pair} {pair.reveal!r}"
    with pytest.raises(TypeError):
        duplicate(pair)


def test_keys_are_the_same_if_all_of_them_is() -> None:
    """So that pairs with one secret and two ids share neither limit nor renewal."""
    pair = KeyPair("id_1", CANARY)

    assert pair.is_same(KeyPair("id_1", CANARY))
    assert not pair.is_same(KeyPair("id_2", CANARY))
    assert not pair.is_same(KeyPair("id_1", "other"))
    assert not pair.is_same(None)
    assert pair.digest("here") != pair.digest("there")
    assert CANARY not in pair.digest("here")
