"""How a row of unknown outcome is settled, by what there is to settle it with."""

from __future__ import annotations

import pytest

from leavo_async._sansio.idempotency import Repeat
from leavo_async.bulk.journal import OpenRow
from leavo_async.bulk.settling import MAX_TRIES, Means, Way, way

KEYED = Means(Repeat.KEYED, key_lasts=86_400.0, can_look_up=True, sees_all=True)


def row(tries: int) -> OpenRow:
    return OpenRow(1, 2, None, 0, "unknown", b"{}", first_sent=1000.0, last_sent=1000.0, tries=tries)


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
    assert way(row(tries), KEYED._replace(can_look_up=can_look_up), now=1001.0) is expected
