"""One gate for each key in the process."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import time
import warnings

import pytest

from leavo_async import DailyCap, RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.permit import Permit
from leavo_async._io.registry import GATES, Registry
from leavo_async._io.slots import Slots
from leavo_async._sansio.auth import Secret
from leavo_async._sansio.limits import Limit

from .gates import Clock, permit

HUNDRED = RateLimit(100)
FIFTY = RateLimit(50)


class Office:
    """A registry, and sessions that join it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.clock = Clock()

    def join(self, *limits: Limit, key: str = "made-up-key-1", url: str = "https://a.example", slots: Slots) -> Gate:
        return self.registry.join(Secret(key), url, limits, slots, self.clock, time.time)

    def use(self, gate: Gate) -> None:
        gate.grant(permit())


@pytest.fixture
def office() -> Office:
    return Office()


def test_sessions_with_one_key_share_a_gate(office: Office) -> None:
    """Another key, or another place, has another one."""
    one, two = Slots(1), Slots(1)
    shared = office.join(HUNDRED, slots=one)

    assert office.join(HUNDRED, slots=two) is shared
    assert office.join(HUNDRED, slots=two, key="made-up-key-2") is not shared
    assert office.join(HUNDRED, slots=two, url="https://b.example") is not shared


def test_a_gate_stays_while_it_is_used_or_remembers_anything(office: Office) -> None:
    """Dropped too early, a key would start with a new burst."""
    one, two = Slots(1), Slots(1)
    shared = office.join(HUNDRED, slots=one)
    office.use(shared)
    shared.users.pop(one)

    assert office.join(HUNDRED, slots=two) is shared  # its token is not back yet
    office.clock.now += 10
    assert office.join(HUNDRED, slots=Slots(1)) is shared  # it is, but somebody uses it


def test_gates_that_nobody_would_miss_are_dropped(office: Office) -> None:
    """A web app that serves a thousand tenants does not keep a thousand gates for ever."""
    for number in range(1000):
        slots = Slots(1)
        office.use(office.join(HUNDRED, slots=slots, key=f"made-up-key-{number}"))
        del slots  # the session is gone, closed or not
        office.clock.now += 1
    gc.collect()

    assert len(office.registry) <= 3


def test_the_lower_of_two_limits_holds_and_a_warning_tells(office: Office) -> None:
    """Two sessions at once cannot both be right about a key."""
    one, two = Slots(1), Slots(1)
    shared = office.join(FIFTY, slots=one)
    with pytest.warns(
        UserWarning, match=r"other limits \(100 requests a minute\) than.*\(50 requests a minute\).*lower"
    ):
        office.join(HUNDRED, slots=two)

    assert shared.limits == (FIFTY, HUNDRED)
    shared.users.pop(two)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        office.join(FIFTY, slots=two)
    assert shared.limits == (FIFTY,)


def test_limits_may_change_when_the_session_before_is_closed(office: Office) -> None:
    """A notebook cell that is run again with other limits: no warning, and no second burst."""
    one, two = Slots(1), Slots(1)
    shared = office.join(FIFTY, DailyCap(9), slots=one)
    office.use(shared)
    shared.users.pop(one)
    changed = office.join(HUNDRED, slots=two)
    assert (changed.limits, changed.status(two).rates[0].tokens) == ((HUNDRED,), 0)

    changed.users.pop(two)
    assert office.join(HUNDRED, DailyCap(9), slots=one).status(one).caps[0].used == 1


def test_gates_that_stay_do_not_keep_others_from_being_dropped(office: Office) -> None:
    """Three tenants that are always there, and two hundred that come and go."""
    stay = [Slots(1) for _ in range(3)]
    for number, slots in enumerate(stay):
        office.join(HUNDRED, slots=slots, key=f"made-up-key-{number}")
    for number in range(200):
        office.join(HUNDRED, slots=Slots(1), key=f"made-up-key-of-a-guest-{number}")
    gc.collect()
    for number in range(200):
        office.join(HUNDRED, slots=stay[0], key=f"made-up-key-{number % 3}")

    assert len(office.registry) == 3


def test_a_limit_that_is_added_before_anything_was_sent_costs_nothing(office: Office) -> None:
    """Only a gate that was used starts a new limit without a token."""
    one, two = Slots(1), Slots(1)
    office.join(HUNDRED, slots=one)
    with pytest.warns(UserWarning, match="other limits"):
        shared = office.join(FIFTY, slots=two)

    assert [rate.tokens for rate in shared.status().rates] == [HUNDRED.burst, FIFTY.burst]


def test_each_clock_has_its_gate(office: Office) -> None:
    """Moments of virtual time mean nothing in real time."""
    one, two = Slots(1), Slots(1)
    before = office.join(HUNDRED, slots=one)
    office.clock = Clock()

    assert office.join(HUNDRED, slots=two) is not before


def test_the_key_is_nowhere_in_the_registry(office: Office) -> None:
    """Only a digest of it."""
    office.join(HUNDRED, slots=Slots(1), key="canary-key-123")

    assert "canary" not in repr(vars(office.registry))


def _first_waits(results: multiprocessing.Queue[object]) -> None:
    try:
        gate = GATES.join(
            Secret("made-up-key-9"), "https://a.example", [RateLimit(10, 1, 0)], Slots(1), time.monotonic, time.time
        )

        async def main() -> None:
            await gate.acquire(Permit(Slots(1)))

        start = time.monotonic()
        asyncio.run(main())
        results.put(time.monotonic() - start)
    except BaseException as error:
        results.put(error)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_starts_without_a_token() -> None:
    """What its parent has used it cannot know; also if a thread of the parent held the lock at that moment."""
    slots = Slots(1)
    GATES.join(Secret("made-up-key-9"), "https://a.example", [RateLimit(10, 1, 0)], slots, time.monotonic, time.time)
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[object] = context.Queue()
    with GATES._lock:
        child = context.Process(target=_first_waits, args=(results,))
        child.start()
    waited = results.get(timeout=20)
    child.join(20)

    assert isinstance(waited, float), waited
    assert waited >= 1 / RateLimit(10, 1, 0).rate - 0.001
