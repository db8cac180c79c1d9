"""What becomes of a key that goes on after a 429."""

from collections.abc import Iterable
from typing import Any

import pytest

from leavo_async.sandbox import Block, FixedWindow, Sandbox
from leavo_async.sandbox.blocking import Patience

BLOCK = Block(tolerated=2, quiet=60.0, seconds=300.0)


def admitted(moments: Iterable[float], patience: Patience) -> list[bool]:
    return [patience.admit(moment) for moment in moments]


def throttled_at(moment: float, block: Block = BLOCK) -> Patience:
    patience = Patience(block)
    patience.refused(moment)
    return patience


def test_without_a_429_nobody_is_blocked() -> None:
    """However often they ask."""
    assert [True] * 100 == admitted([0.0] * 100, Patience(BLOCK))


def test_some_requests_are_tolerated_and_then_no_more() -> None:
    """Two may come in the minute after a 429; the third has the key blocked."""
    assert [True, True, False] == admitted([1.0, 30.0, 59.9], throttled_at(0.0))


@pytest.mark.parametrize(("moment", "expected"), [(311.999, False), (312.0, True)])
def test_a_block_lasts_its_time(moment: float, expected: bool) -> None:
    """Five minutes from the request that was too much, also for those who ask meanwhile."""
    patience = throttled_at(0.0)
    admitted([10.0, 11.0, 12.0, 100.0], patience)

    assert expected is patience.admit(moment)


def test_after_a_block_everything_begins_anew() -> None:
    """It is no longer the minute after a 429."""
    patience = throttled_at(0.0, Block(tolerated=0, quiet=60.0, seconds=1.0))
    assert not patience.admit(5.0)

    assert [True, True] == admitted([6.0, 7.0], patience)


@pytest.mark.parametrize(("at", "moment"), [(0.0, 60.0), (4.4, 64.4)])
def test_who_is_silent_for_the_minute_is_let_in(at: float, moment: float) -> None:
    """To the microsecond, though floats make 4.4 to 64.4 a little less than a minute."""
    assert throttled_at(at, Block(tolerated=0)).admit(moment)


def test_a_silent_minute_wipes_out_what_came_before() -> None:
    """Of two 429s an hour apart, each tolerates its own two."""
    patience = throttled_at(0.0)
    admitted([1.0, 2.0, 3600.0], patience)
    patience.refused(3600.0)

    assert [True, True, False] == admitted([3601.0, 3602.0, 3603.0], patience)


def test_each_429_asks_for_a_minute_of_its_own() -> None:
    """Requests that are refused again and again add up, minute after minute."""
    patience = throttled_at(0.0)
    seen: list[bool] = []
    for moment in (50.0, 100.0, 150.0):
        seen.append(patience.admit(moment))
        patience.refused(moment)

    assert [True, True, False] == seen


WRONG = [{"tolerated": -1}, {"quiet": -1.0}, {"seconds": float("nan")}, {"seconds": float("inf")}]


@pytest.mark.parametrize("settings", WRONG)
def test_a_block_that_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    """With the name of what is wrong."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        Block(**settings)


# --- through the door ---------------------------------------------------------------------------------------


def one_in_ten_seconds() -> FixedWindow:
    return FixedWindow(1, 10)


@pytest.mark.asyncio
async def test_a_client_that_ignores_429_is_blocked(ask: Any, clock: Any) -> None:
    """403 for everything, also after the minute, also where the limit has room; then it may ask again."""
    statuses: list[int] = []
    async with Sandbox(limit=one_in_ten_seconds, block=Block(tolerated=1), clock=clock) as sandbox:
        for seconds in (0, 0, 20, 0, 0, 70, 229, 1):
            clock.now += seconds
            statuses.append((await ask(sandbox, "GET", "/backend/tags")).status)

    assert [200, 429, 200, 403, 403, 403, 403, 200] == statuses
    assert [True, False, True, False, False, False, False, True] == [it.admitted for it in sandbox.ledger.requests]


@pytest.mark.asyncio
async def test_a_block_is_for_one_key(ask: Any, clock: Any) -> None:
    """Others have done nothing."""
    async with Sandbox(keys=["b"], limit=one_in_ten_seconds, block=Block(tolerated=0), clock=clock) as sandbox:
        for _ in range(3):
            reply = await ask(sandbox, "GET", "/backend/tags")

        assert (403, "FORBIDDEN") == (reply.status, reply.error["code"])
        assert 200 == (await ask(sandbox, "GET", "/backend/tags", key="b")).status


@pytest.mark.parametrize(("api", "path", "last"), [("leavo", "/backend/tags", 429), ("agentos", "/v4/x", 403)])
@pytest.mark.asyncio
async def test_blocking_is_what_the_api_documents(ask: Any, clock: Any, api: Any, path: str, last: int) -> None:
    """Of these two, agentOS says that it blocks."""
    async with Sandbox(api=api, limit=one_in_ten_seconds, clock=clock) as sandbox:
        for _ in range(6):
            reply = await ask(sandbox, "GET", path, headers={"api_key": sandbox.key})

    assert last == reply.status


@pytest.mark.asyncio
async def test_blocking_can_be_switched_off(ask: Any, clock: Any) -> None:
    """block=False leaves the 429s."""
    async with Sandbox(api="agentos", limit=one_in_ten_seconds, block=False, clock=clock) as sandbox:
        replies = [await ask(sandbox, "GET", "/v4/x", headers={"api_key": sandbox.key}) for _ in range(9)]

    assert {404, 429} == {reply.status for reply in replies}
