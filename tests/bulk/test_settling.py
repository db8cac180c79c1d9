"""How a row of unknown outcome is settled."""

from __future__ import annotations

import math

import pytest

from leavo_async._sansio.idempotency import Repeat
from leavo_async.bulk.settling import MAX_TRIES, Found, Means, Way, resends, way

from .journals import open_row

DAY = 86_400.0


@pytest.mark.parametrize(
    ("repeat", "can_look_up", "age", "expected"),
    [
        (Repeat.PURE, False, 0.0, Way.RESEND),
        (Repeat.PURE, True, 10 * DAY, Way.RESEND),
        (Repeat.KEYED, True, 0.0, Way.RESEND),
        (Repeat.KEYED, True, 0.79 * DAY, Way.RESEND),
        (Repeat.KEYED, True, 0.8 * DAY, Way.LOOK_UP),
        (Repeat.KEYED, False, 0.79 * DAY, Way.RESEND),
        (Repeat.KEYED, False, 0.8 * DAY, Way.HOLD),
        (Repeat.KEYED, True, -1.0, Way.LOOK_UP),
        (Repeat.KEYED, False, -1.0, Way.HOLD),
        (Repeat.NATURAL, True, 0.0, Way.LOOK_UP),
        (Repeat.NATURAL, False, 0.0, Way.HOLD),
        (Repeat.UNSAFE, True, 0.0, Way.LOOK_UP),
        (Repeat.UNSAFE, False, 0.0, Way.HOLD),
    ],
)
def test_the_way_to_settle_a_row(repeat: Repeat, can_look_up: bool, age: float, expected: Way) -> None:
    """By its key while the server knows it, else by a look-up, else by you; a clock that went back is not believed."""
    row = open_row(state="unknown", first_sent=1e9, tries=1)

    assert expected is way(row, Means(repeat, DAY, can_look_up, sees_all=True), 1e9 + age)


def test_a_key_that_is_known_for_ever() -> None:
    """Some servers say so."""
    means = Means(Repeat.KEYED, math.inf, can_look_up=False, sees_all=False)

    assert way(open_row(first_sent=0.0), means, 1e12) is Way.RESEND


@pytest.mark.parametrize("repeat", Repeat)
def test_after_so_many_tries_it_is_somebody_elses_turn(repeat: Repeat) -> None:
    """A row that never gets an answer must not be sent for ever."""
    row = open_row(first_sent=0.0, tries=MAX_TRIES + 1)

    assert way(row, Means(repeat, DAY, can_look_up=True, sees_all=True), 0.0) is Way.HOLD


@pytest.mark.parametrize(
    ("tries", "can_look_up", "expected"),
    [
        (0, True, Way.RESEND),
        (1, True, Way.RESEND),
        (2, True, Way.LOOK_UP),
        (MAX_TRIES, True, Way.LOOK_UP),
        (2, False, Way.RESEND),
        (MAX_TRIES, False, Way.RESEND),
        (MAX_TRIES + 1, True, Way.HOLD),
    ],
)
def test_a_row_whose_key_brings_no_answer_is_looked_up(tries: int, can_look_up: bool, expected: Way) -> None:
    """A server that has stored a 500 for the key would answer it for ever, though the row is there."""
    assert (
        way(open_row(first_sent=1000.0, tries=tries), Means(Repeat.KEYED, DAY, can_look_up, sees_all=True), 1001.0)
        is expected
    )


@pytest.mark.parametrize(
    ("found", "sees_all", "expected"),
    [
        (Found([]), True, True),
        (Found([]), False, False),
        (Found([], is_all=False), True, False),
        (Found(["it"]), True, False),
    ],
)
def test_what_shows_that_a_row_was_not_done(found: Found, sees_all: bool, expected: bool) -> None:
    """Nothing found, to the end of a listing that shows everything."""
    assert expected is resends(found, Means(Repeat.NATURAL, DAY, can_look_up=True, sees_all=sees_all))
