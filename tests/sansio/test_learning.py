"""How much of a limit to use, after what the server has said."""

from __future__ import annotations

import pytest

from leavo_async import RateLimit
from leavo_async._sansio.learning import Learned, named_limit, pause_for
from leavo_async._sansio.quotas import Quota

HUNDRED = RateLimit(100)
AN_HOUR = RateLimit(1000, 3600)


def refused(times: int, apart: float) -> Learned:
    """After so many 429s, at a limit of a minute."""
    learned = Learned()
    for number in range(times):
        learned = learned.lowered(number * apart, 60)
    return learned


@pytest.mark.parametrize(
    ("times", "apart", "share"), [(0, 1, 1), (1, 1, 0.85), (2, 0.99, 0.85), (2, 1, 0.85**2), (100, 2, 0.05)]
)
def test_each_refusal_takes_the_rate_down_but_never_to_nothing(times: int, apart: float, share: float) -> None:
    """By 15 %, at most once a second, to 5 %."""
    assert refused(times, apart).share == pytest.approx(share)


def test_a_refusal_takes_down_what_has_come_back_meanwhile() -> None:
    """Five windows give 10 % back; the next step starts from there."""
    assert refused(2, 5 * 60).share == pytest.approx(0.95 * 0.85)


@pytest.mark.parametrize(
    ("limit", "quotas", "believed", "requests"),
    [
        (HUNDRED, [Quota(limit=50, window=60)], False, 50),
        (HUNDRED, [Quota(limit=90, window=60), Quota(limit=30, window=60)], False, 30),
        (HUNDRED, [Quota(limit=500, window=3600)], False, None),
        (AN_HOUR, [Quota(limit=500, window=3600)], False, 500),
        (HUNDRED, [Quota(limit=50)], True, 50),
        (HUNDRED, [Quota(limit=49)], True, None),
        (HUNDRED, [Quota(limit=50)], False, None),
        (HUNDRED, [Quota(remaining=0)], True, None),
    ],
)
def test_a_limit_is_named_by_its_number_and_a_window_that_is_not_too_long(
    limit: RateLimit, quotas: list[Quota], believed: bool, requests: int | None
) -> None:
    """The lowest counts; without a window one of half of ours or more, and only if there is a reason."""
    named = named_limit(limit, quotas, believed=believed)

    assert (named and named.requests) == requests


@pytest.mark.parametrize(
    ("quotas", "per", "seconds"),
    [
        ([Quota(remaining=0, reset=7.0), Quota(remaining=0, reset=3.0)], 60, 7),
        ([Quota(remaining=0, reset=3.0), Quota(remaining=5, reset=7.0)], 60, 3),
        ([Quota(remaining=0, reset=0.0)], 60, 0),
        ([Quota(remaining=0)], 60, 0),
        ([Quota(remaining=0, reset=53.0)], 60, 53),
        ([Quota(remaining=0, reset=54.0)], 60, 0),
        ([Quota(remaining=0, reset=54.0, window=3600)], 60, 54),
        ([Quota(remaining=0, reset=54.0)], None, 54),
    ],
)
def test_what_is_used_up_is_waited_for_until_the_last_reset(
    quotas: list[Quota], per: float | None, seconds: float
) -> None:
    """If it is less than nine tenths of the window away."""
    assert pause_for(quotas, per) == seconds
