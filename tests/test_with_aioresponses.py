"""A user's own test, with the mock they know: each request is seen, and what comes of each status."""

from __future__ import annotations

import json

import aiohttp
import pytest
from aioresponses import aioresponses
from yarl import URL

from leavo_async import (
    ConnectError,
    LeavoClient,
    NotFoundError,
    OutcomeUnknownError,
    ReadTimeoutError,
    RetryPolicy,
    ServerError,
)

LEADS = "https://api.leavo.ai/backend/leads"
AT_ONCE = RetryPolicy(first_delay=0, max_delay=0)


def client() -> LeavoClient:
    return LeavoClient("made-up-key-1", limits=(), retry=AT_ONCE)


@pytest.mark.asyncio
async def test_a_create_is_one_post_with_body_and_key(mocked: aioresponses) -> None:
    """What went out stands in `mocked.requests`."""
    mocked.post(LEADS, payload={"success": True, "data": {"id": "1", "name": "Ana"}}, status=201)

    async with client() as leavo:
        lead = await leavo.leads.create(name="Ana", phone="+55 (11) 99999-0000")

    (sent,) = mocked.requests["POST", URL(LEADS)]
    assert (lead.id, json.loads(sent.kwargs["data"])) == ("1", {"name": "Ana", "phone": "+5511999990000"})
    assert len(sent.kwargs["headers"]["Idempotency-Key"]) == 36


@pytest.mark.asyncio
async def test_an_update_sends_what_is_given_and_nothing_else(mocked: aioresponses) -> None:
    """None is sent as null; a field that is not given is not touched."""
    mocked.put(f"{LEADS}/1", payload={"id": "1"})

    async with client() as leavo:
        await leavo.leads.update("1", company=None, name="Ana")

    (sent,) = mocked.requests["PUT", URL(f"{LEADS}/1")]
    assert json.loads(sent.kwargs["data"]) == {"company": None, "name": "Ana"}


@pytest.mark.asyncio
async def test_a_read_is_repeated_after_a_503(mocked: aioresponses) -> None:
    """Both requests are seen."""
    mocked.get(f"{LEADS}/1", status=503)
    mocked.get(f"{LEADS}/1", payload={"id": "1"})

    async with client() as leavo:
        assert (await leavo.leads.get("1")).id == "1"

    assert len(mocked.requests["GET", URL(f"{LEADS}/1")]) == 2


@pytest.mark.asyncio
async def test_a_create_is_not_repeated_after_a_503(mocked: aioresponses) -> None:
    """It may have been done."""
    mocked.post(LEADS, status=503, repeat=True)

    async with client() as leavo:
        with pytest.raises(OutcomeUnknownError):
            await leavo.leads.create(name="Ana", phone="+5511999990000")

    assert len(mocked.requests["POST", URL(LEADS)]) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        (aiohttp.ServerDisconnectedError(), OutcomeUnknownError),
        (TimeoutError(), OutcomeUnknownError),
    ],
)
async def test_exceptions_of_the_mock_become_ours(
    mocked: aioresponses, exception: Exception, kind: type[Exception]
) -> None:
    """Whatever aiohttp raises, callers catch errors of this library."""
    mocked.post(LEADS, exception=exception)

    async with client() as leavo:
        with pytest.raises(kind):
            await leavo.leads.create(name="Ana", phone="+5511999990000")


@pytest.mark.asyncio
async def test_a_delete_answers_none_and_a_missing_lead_is_an_error(mocked: aioresponses) -> None:
    """204 has no body; 404 has a class."""
    mocked.delete(f"{LEADS}/1", status=204)
    mocked.delete(f"{LEADS}/2", status=404, payload={"error": {"code": "NOT_FOUND", "message": "no such lead"}})

    async with client() as leavo:
        await leavo.leads.delete("1")
        with pytest.raises(NotFoundError, match="NOT_FOUND: no such lead"):
            await leavo.leads.delete("2")


@pytest.mark.asyncio
async def test_a_delete_whose_answer_was_lost_is_not_a_404(mocked: aioresponses) -> None:
    """The repeat finds nothing, because the first attempt did it."""
    mocked.delete(f"{LEADS}/1", status=502)
    mocked.delete(f"{LEADS}/1", status=404)

    async with client() as leavo:
        await leavo.leads.delete("1")


@pytest.mark.asyncio
async def test_a_large_answer_is_read_whole(mocked: aioresponses) -> None:
    """Also above the 64 KiB at which the mock alone would stop."""
    mocked.get(f"{LEADS}/1", payload={"id": "1", "name": "x" * 300_000})

    async with client() as leavo:
        assert len((await leavo.leads.get("1")).name or "") == 300_000


@pytest.mark.asyncio
async def test_every_page_is_a_request(mocked: aioresponses) -> None:
    """With its place in the query."""
    for offset in (0, 2):
        more = offset == 0
        data = [{"id": str(offset + n)} for n in range(2)]
        mocked.get(
            f"{LEADS}?limit=2&offset={offset}",
            payload={"success": True, "data": data, "pagination": {"has_more": more}},
        )

    async with client() as leavo:
        assert [lead.id async for lead in leavo.leads.list(page_size=2)] == ["0", "1", "2", "3"]


@pytest.mark.asyncio
async def test_the_last_error_of_a_read_is_the_real_one(mocked: aioresponses) -> None:
    """A ServerError, not a wrapper."""
    mocked.get(f"{LEADS}/1", status=500, repeat=True)

    async with client() as leavo:
        with pytest.raises(ServerError, match="4 attempts failed"):
            await leavo.leads.get("1")


def test_timeouts_and_refused_connections_have_classes_of_their_own() -> None:
    """So that callers can tell "never sent" from "perhaps done"."""
    assert issubclass(ReadTimeoutError, TimeoutError)
    assert not issubclass(ConnectError, TimeoutError)
