"""How a job is told to people."""

from __future__ import annotations

import pytest

from leavo_async.bulk.words import counted, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (40.4, "40 s"), (89, "89 s"), (720, "12 min"), (63000, "17 h 30 min"), (601200, "6 d 23 h")],
)
def test_a_duration_is_told_as_people_say_it(seconds: float, words: str) -> None:
    """A million rows at a hundred a minute are not "600000 s"."""
    assert duration(seconds) == words


def test_a_number_has_the_form_of_its_noun() -> None:
    """Nobody reads "1 rows", nor 101880 at a glance."""
    assert ["0 rows", "1 row", "101,880 rows"] == [counted(number, "row") for number in (0, 1, 101_880)]
