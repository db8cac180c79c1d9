"""Keys and limits as a client meets them: 401, 429, and the headers that go with them."""

from typing import Any

import pytest

from leavo_async.sandbox import FixedWindow, Gcra, Sandbox, SlidingLog


def one_a_minute() -> FixedWindow:
    return FixedWindow(1, 60)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sandbox-key"}, {"Authorization": "Bearer"}],
)
@pytest.mark.asyncio
async def test_a_request_without_a_known_key_is_refused(ask: Any, headers: dict[str, str]) -> None:
    """No key, an unknown key and another scheme are 401 alike."""
    async with Sandbox() as sandbox:
        reply = await ask(sandbox, "GET", "/backend/leads", key=None, headers=headers)

    assert (401, "UNAUTHORIZED") == (reply.status, reply.error["code"])


@pytest.mark.asyncio
async def test_an_unknown_key_uses_up_nothing(ask: Any, clock: Any) -> None:
    """The limit of a key is spent by its owner only."""
    async with Sandbox(limit=one_a_minute, clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/leads", key="wrong")

        assert 200 == (await ask(sandbox, "GET", "/backend/leads")).status


@pytest.mark.asyncio
async def test_each_key_has_a_limit_of_its_own(ask: Any, clock: Any) -> None:
    """What one key uses, another still has; the ledger tells them apart by label."""
    async with Sandbox(key="a", keys=["b"], limit=one_a_minute, clock=clock) as sandbox:
        statuses = [(await ask(sandbox, "GET", "/backend/tags", key=key)).status for key in "abab"]

    assert [200, 200, 429, 429] == statuses
    assert ["key-1", "key-2", "key-1", "key-2"] == [request.key for request in sandbox.ledger.requests]


@pytest.mark.asyncio
async def test_too_many_requests_are_told_how_long_to_wait(ask: Any, clock: Any) -> None:
    """Whole seconds, rounded up, in the body and in the header."""
    clock.now = 1020.5  # windows begin at 1020 and 1080
    async with Sandbox(limit=one_a_minute, clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/tags")
        clock.now = 1030.25
        reply = await ask(sandbox, "GET", "/backend/tags")

    assert (429, "RATE_LIMIT_EXCEEDED", {"retry_after": 50}) == (
        reply.status,
        reply.error["code"],
        reply.error["details"],
    )
    assert "50" == reply.headers["Retry-After"]
    assert "Retry-After-Ms" not in reply.headers


@pytest.mark.asyncio
async def test_a_client_that_waits_as_told_is_let_in(ask: Any, clock: Any) -> None:
    """The wait is enough, and the quota comes back."""
    async with Sandbox(limit=lambda: SlidingLog(2, 60), clock=clock) as sandbox:
        for _ in range(2):
            await ask(sandbox, "GET", "/backend/tags")
        refused = await ask(sandbox, "GET", "/backend/tags")
        clock.now += int(refused.headers["Retry-After"])

        assert 200 == (await ask(sandbox, "GET", "/backend/tags")).status


@pytest.mark.asyncio
async def test_float_noise_does_not_add_a_second_to_the_wait(ask: Any, clock: Any) -> None:
    """From 4.4 to 64.4 is a minute, though floats make it 60.00000000000001 seconds."""
    clock.now = 4.4
    async with Sandbox(limit=lambda: SlidingLog(1, 60), clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/tags")
        reply = await ask(sandbox, "GET", "/backend/tags")

    assert "60" == reply.headers["Retry-After"]


@pytest.mark.asyncio
async def test_the_header_can_be_left_out(ask: Any, clock: Any) -> None:
    """retry_after=False leaves only the hint in the body."""
    async with Sandbox(limit=one_a_minute, retry_after=False, clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/tags")
        reply = await ask(sandbox, "GET", "/backend/tags")

    assert (None, 20) == (reply.headers.get("Retry-After"), reply.error["details"]["retry_after"])


@pytest.mark.asyncio
async def test_milliseconds_can_be_added(ask: Any, clock: Any) -> None:
    """retry_after="ms" says both, each rounded up."""
    clock.now = 1019.9996
    async with Sandbox(limit=one_a_minute, retry_after="ms", clock=clock) as sandbox:
        await ask(sandbox, "GET", "/backend/tags")
        reply = await ask(sandbox, "GET", "/backend/tags")

    assert ("1", "1") == (reply.headers["Retry-After"], reply.headers["Retry-After-Ms"])


@pytest.mark.asyncio
async def test_rate_headers_stand_on_every_answer_when_switched_on(ask: Any, clock: Any) -> None:
    """Limit, what remains, and the epoch second at which the quota is whole again."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    async with Sandbox(
        limit=lambda: Gcra(20, 60, burst=2), rate_headers=True, clock=clock, wall=lambda: 5000.5
    ) as sandbox:
        replies = [await ask(sandbox, "GET", "/backend/tags") for _ in range(3)]

    assert [
        (200, ("20", "1", "5004")),
        (200, ("20", "0", "5007")),
        (429, ("20", "0", "5007")),
    ] == [(reply.status, tuple(reply.headers[name] for name in names)) for reply in replies]


@pytest.mark.asyncio
async def test_rate_headers_are_off_by_default(ask: Any) -> None:
    """Leavo documents none."""
    async with Sandbox(limit=one_a_minute) as sandbox:
        reply = await ask(sandbox, "GET", "/backend/tags")

    assert not [name for name in reply.headers if name.startswith("X-RateLimit")]


@pytest.mark.asyncio
async def test_there_is_no_limit_unless_one_is_given(ask: Any) -> None:
    """A sandbox for a demo does not get in the way."""
    async with Sandbox() as sandbox:
        assert {200} == {(await ask(sandbox, "GET", "/backend/tags")).status for _ in range(20)}


def test_an_empty_key_is_refused() -> None:
    """It could never be shown."""
    with pytest.raises(ValueError, match="key must not be empty"):
        Sandbox(key="")
