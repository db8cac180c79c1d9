from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError, LeavoClient, Request, Response, ResponseValidationError
from leavo_async.testing import FakeTransport, VirtualTimeLoop, reply, virtual_time


def server(count: int, *, enveloped: bool, gives: int = 100) -> FakeTransport:
    """A listing of `count` leads; never more than `gives` a page, whatever is asked for."""

    def answer(request: Request) -> Response:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        offset, limit = int(query["offset"]), min(int(query["limit"]), gives)
        data = [{"id": str(n)} for n in range(offset, min(count, offset + limit))]
        has_more = offset + len(data) < count
        pagination = {"total": count, "limit": limit, "offset": offset, "has_more": has_more}
        return reply(200, {"success": True, "data": data, "pagination": pagination} if enveloped else data)

    return FakeTransport(answer)


def client(transport: FakeTransport) -> LeavoClient:
    return LeavoClient("made-up-key-1", transport=transport, limits=())


@given(
    count=st.integers(0, 60),
    page_size=st.integers(1, 20),
    gives=st.integers(1, 20),
    enveloped=st.booleans(),
    most=st.none() | st.integers(0, 70),
)
def test_the_items_are_those_of_the_server_once_each_in_order(
    count: int, page_size: int, gives: int, enveloped: bool, most: int | None
) -> None:
    """For any size, any page size, either dialect, and a server that gives less than asked."""

    async def listed() -> tuple[list[str], list[str], int]:
        leavo = client(server(count, enveloped=enveloped, gives=gives))
        pages = leavo.leads.list(page_size=page_size, max_items=most)
        one_by_one = [lead.id async for lead in pages]
        by_page = [page async for page in pages.pages()]
        return one_by_one, [lead.id for page in by_page for lead in page], min(map(len, by_page), default=1)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        one_by_one, by_page, smallest = runner.run(listed())
    expected = [str(n) for n in range(count if most is None else min(count, most))]

    assert expected == one_by_one == by_page
    assert smallest >= 1


@virtual_time
async def test_a_server_that_gives_more_than_asked_is_cut() -> None:
    """max_items is a promise of ours, not of the server."""
    leavo = client(FakeTransport(reply(200, [{"id": str(n)} for n in range(50)])))

    assert [lead.id async for lead in leavo.leads.list(max_items=3)] == ["0", "1", "2"]


@virtual_time
async def test_a_server_that_ignores_the_offset_does_not_keep_us_for_ever() -> None:
    """The same page twice is an error, not a listing without end."""
    transport = FakeTransport(reply(200, [{"id": "1"}, {"id": "2"}]))

    with pytest.raises(ResponseValidationError, match="the server ignores the offset"):
        await client(transport).leads.list().collect()

    assert len(transport.requests) == 2


@virtual_time
async def test_filters_are_on_every_page() -> None:
    """Otherwise the second page would be of another listing."""
    transport = server(5, enveloped=True)

    await client(transport).leads.list(search="ana", tag_ids=["a", "b"], status_id="s", page_size=2).collect()

    assert [request.url.partition("search=ana&status_id=s&tag_ids=a%2Cb&")[2] for request in transport.requests] == [
        "limit=2&offset=0",
        "limit=2&offset=2",
        "limit=2&offset=4",
    ]


@virtual_time
async def test_a_listing_that_knows_its_end_costs_no_request_too_many() -> None:
    """Three hits are one request; without a total an empty page must say that it is over."""
    for enveloped, requests in ((True, 1), (False, 2)):
        transport = server(3, enveloped=enveloped)
        assert len(await client(transport).leads.list().collect()) == 3
        assert requests == len(transport.requests)


@virtual_time
async def test_nothing_is_fetched_before_it_is_asked_for() -> None:
    """Nor after the consumer has stopped."""
    transport = server(1000, enveloped=True)
    pages = client(transport).leads.list(page_size=10)
    assert len(transport.requests) == 0

    async for _ in pages:
        break
    assert len(transport.requests) == 1

    assert len(await pages.collect(max_items=25)) == 25
    assert "limit=5&offset=20" in transport.requests[-1].url


@virtual_time
async def test_a_page_size_out_of_range_is_refused_before_anything_is_sent() -> None:
    """The reference says 1 to 100."""
    leavo: Any = client(server(1, enveloped=True))
    for wrong in ({"page_size": 0}, {"page_size": 101}, {"max_items": -1}):
        with pytest.raises(ConfigError):
            leavo.leads.list(**wrong)
