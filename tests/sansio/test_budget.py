"""How many repeats a session may send."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async._sansio.budget import AT_LEAST, SHARE, WINDOW, Budget


def used(requests: int, repeats: int, now: float = 0.0) -> Budget:
    budget = Budget()
    for _ in range(requests):
        budget.sent(now)
    for _ in range(repeats):
        assert not budget.take(now)
    return budget


@pytest.mark.parametrize(("requests", "repeats"), [(0, 10), (1, 10), (100, 10), (109, 10), (110, 11), (1000, 100)])
def test_ten_a_minute_are_free_and_above_that_a_tenth(requests: int, repeats: int) -> None:
    """A quiet session may repeat, a busy one may not multiply its load."""
    budget = used(requests, repeats)

    assert budget.delay(0.0) > 0
    assert budget.take(0.0) > 0


def test_room_comes_back_after_a_minute() -> None:
    """Counted by whole seconds, so never a moment too early."""
    budget = used(0, 10, now=5.5)

    assert budget.take(30.0) == pytest.approx(5 + WINDOW + 1 - 30)
    assert budget.take(65.9) > 0
    assert budget.take(66.0) == 0


@given(
    steps=st.lists(st.tuples(st.sampled_from(["sent", "take"]), st.floats(0, 20)), max_size=200),
)
def test_no_minute_has_more_repeats_than_its_share(steps: list[tuple[str, float]]) -> None:
    """Whatever comes when: the repeats of any minute are ten, or a tenth of the requests around it."""
    budget, now = Budget(), 0.0
    sent: list[float] = []
    taken: list[float] = []
    for what, pause in steps:
        now += pause
        if what == "sent":
            budget.sent(now)
            sent.append(now)
        elif not budget.take(now):
            taken.append(now)
    for moment in taken:
        repeats = sum(moment - WINDOW < at <= moment for at in taken)
        requests = sum(moment - WINDOW - 1 < at <= moment for at in sent)
        assert repeats <= max(AT_LEAST, SHARE * requests)


@given(requests=st.integers(0, 60), takes=st.integers(0, 60), now=st.floats(0, 1e6))
def test_the_delay_tells_when_to_ask_again(requests: int, takes: int, now: float) -> None:
    """Then there is room, if nobody else was quicker."""
    budget = Budget()
    for _ in range(requests):
        budget.sent(now)
    delays = [budget.take(now) for _ in range(takes)]
    first = next(iter(itertools.dropwhile(lambda delay: not delay, delays)), None)

    if first is not None:
        assert 0 < first <= WINDOW + 1
        assert budget.take(now + first) == 0
