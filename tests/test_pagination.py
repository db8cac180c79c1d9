from __future__ import annotations

import asyncio
import functools
import gc
import weakref
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import (
    AbortController,
    AbortedError,
    ClosedError,
    ConfigError,
    ConnectError,
    Lead,
    LeavoClient,
    Pages,
    RateLimit,
    Request,
    Response,
    ResponseValidationError,
    RetryPolicy,
    Session,
)
from leavo_async._io.progress import Progress
from leavo_async._sansio.paging import Cursor, Offset, Parts
from leavo_async.apis.leavo import LEAVO
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
    """Nor after the consumer has stopped; with concurrency=1 nothing is fetched ahead."""
    transport = server(1000, enveloped=True)
    pages = client(transport).leads.list(page_size=10, concurrency=1)
    assert len(transport.requests) == 0

    async for _ in pages:
        break
    assert len(transport.requests) == 1

    assert len(await pages.collect(max_items=25)) == 25
    assert "limit=5&offset=20" in transport.requests[-1].url


@virtual_time
async def test_settings_that_cannot_work_are_refused_before_anything_is_sent() -> None:
    """The reference says 1 to 100 for a page."""
    leavo: Any = client(server(1, enveloped=True))
    for wrong in (
        {"page_size": 0}, {"page_size": 101}, {"max_items": -1}, {"max_items": True}, {"concurrency": 0},
        {"concurrency": 1.5}, {"resume": "x"}, {"dedupe_by": 3}, {"ordered": "no"}, {"signal": "x"}, {"retry": 3},
        {"headers": 3}, {"timeout": 0}, {"timeout": True}, {"deadline": -1}, {"priority": "high"},
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            leavo.leads.list(**wrong)
    for wrong in ({"paging": "x"}, {"params": [1]}, {"cast_to": "nonsense"}, {"cast_to": {1: 2}}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            leavo.pages("/x", **wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'page_szie'"):
        leavo.leads.list(page_szie=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'timout'"):
        await leavo.leads.get("1", timout=3)


# Ahead of the consumer


class Crm:
    """A transport with a listing, whose pages take some time; it counts what is in flight and what was cancelled."""

    def __init__(
        self, count: int, *, seconds: float | Callable[[int], float] = 1.0, fails: dict[int, Any] | None = None,
        tells: bool = True,
    ) -> None:  # fmt: skip
        self.count, self.fails, self.tells = count, fails or {}, tells
        self.seconds = seconds if callable(seconds) else lambda _: seconds
        self.asked: list[int] = []
        self.urls: list[str] = []
        self.came: list[int] = []
        self.in_flight = self.most = self.cancelled = 0

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None: ...

    async def aclose(self) -> None: ...

    async def send(self, request: Request, progress: Progress) -> Response:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        offset, limit = int(query["offset"]), int(query["limit"])
        self.asked.append(offset)
        self.urls.append(request.url)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(self.seconds(offset))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        if failure := self.fails.get(offset):
            if failure != "once":
                raise failure
            del self.fails[offset]
            return reply(503)
        self.came.append(offset)
        data = [{"id": str(n)} for n in range(offset, min(self.count, offset + limit))]
        return reply(200, {"data": data, "pagination": {"total": self.count}} if self.tells else data)


def ids(count: int, first: int = 0) -> list[str]:
    return [str(n) for n in range(first, first + count)]


def leads(crm: Crm, **options: Any) -> Pages[Lead]:
    leavo = LeavoClient("made-up-key-1", transport=crm, limits=(), retry=RetryPolicy(max_attempts=2, first_delay=0.1))
    return leavo.leads.list(**{"page_size": 10, **options})


async def seen(pages: AsyncIterable[Lead]) -> list[str]:
    return [lead.id async for lead in pages]


async def into(found: list[str], pages: AsyncIterable[Lead]) -> None:
    async for lead in pages:
        found.append(lead.id)


@virtual_time
async def test_pages_are_fetched_ahead_and_given_in_order() -> None:
    """Four at a time: the first alone, then 19 in five rounds."""
    crm, began = Crm(200), asyncio.get_running_loop().time()

    assert await seen(leads(crm, concurrency=4)) == ids(200)
    assert (crm.most, len(crm.asked)) == (4, 20)
    assert asyncio.get_running_loop().time() - began == pytest.approx(6, abs=0.01)


@virtual_time
async def test_in_whatever_order_pages_come_they_are_given_in_theirs() -> None:
    """The last of a round comes first; without order, each is given as it comes."""
    for ordered in (True, False):
        crm = Crm(90, seconds=lambda offset: 1 - offset / 100)
        found = await seen(leads(crm, concurrency=8, ordered=ordered))
        assert crm.came != sorted(crm.came)
        by_page = [str(n) for offset in crm.came for n in range(offset, offset + 10)]
        assert found == (ids(90) if ordered else by_page)


@virtual_time
async def test_a_slow_consumer_holds_no_more_pages_than_it_was_allowed() -> None:
    """In flight, waiting, and in its hands together; it begins no page that it has no room for."""
    for concurrency in (1, 2, 5):
        crm, given = Crm(300, seconds=0.1), 0
        async for _ in leads(crm, concurrency=concurrency):
            given += 1
            if given % 10 == 1:
                await asyncio.sleep(5)
                assert len(crm.asked) == min(30, (given - 1) // 10 + concurrency)
        assert given == 300


@virtual_time
async def test_without_a_total_no_more_is_asked_for_than_pages_were_read() -> None:
    """Of 45 items in pages of 10 there are five; of the three asked for ahead two were needed to see the end."""
    crm = Crm(45, tells=False)

    assert await seen(leads(crm, concurrency=8)) == ids(45)
    assert len(crm.asked) <= 6 + 4


@virtual_time
async def test_by_default_as_many_pages_are_in_hand_as_rate_and_latency_ask_for() -> None:
    """At ten a second and 0.3 s each, three are under way; 1.5 times as many are asked for, and one is given."""
    crm, began = Crm(2000, seconds=0.3), asyncio.get_running_loop().time()
    leavo = LeavoClient("made-up-key-2", transport=crm, limits=[RateLimit(600)])
    found = await seen(leavo.leads.list(page_size=10))

    assert found == ids(2000)
    assert asyncio.get_running_loop().time() - began <= 22
    assert 3 <= crm.most <= 6


# The end of an iteration


async def stop_by_break(pages: Pages[Lead]) -> None:
    async for _ in pages:
        break


async def stop_by_error(pages: Pages[Lead]) -> None:
    with suppress(ZeroDivisionError):
        async for _ in pages:
            raise ZeroDivisionError


async def stop_by_return(pages: Pages[Lead]) -> None:
    async def first() -> Lead:
        async for lead in pages:
            return lead
        raise AssertionError

    await first()


async def stop_by_closing(pages: Pages[Lead]) -> None:
    run = aiter(pages)
    await anext(run)
    await run.aclose()  # type: ignore[attr-defined]


async def stop_by_forgetting(pages: Pages[Lead]) -> None:
    run = aiter(pages)
    await anext(run)
    del run


async def stop_pages(pages: Pages[Lead]) -> None:
    async for _ in pages.pages():
        break


STOPS = [stop_by_break, stop_by_error, stop_by_return, stop_by_closing, stop_by_forgetting, stop_pages]


@pytest.mark.parametrize("stop", STOPS)
def test_whoever_stops_iterating_stops_the_fetching(stop: Callable[[Pages[Lead]], Awaitable[None]]) -> None:
    """Within two turns of the loop, without `aclosing`; nothing more is asked for, and no task is left."""

    @virtual_time
    async def run() -> None:
        crm = Crm(1000, seconds=lambda offset: 0.1 if offset == 0 else 60)
        await stop(leads(crm, concurrency=5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert (crm.in_flight, len(asyncio.all_tasks())) == (0, 1)
        await asyncio.sleep(100)
        assert len(crm.asked) <= 5

    run()


@virtual_time
async def test_a_consumer_that_is_cancelled_stops_the_fetching() -> None:
    """Where it waits for a page, and where it is busy with one."""
    for seconds, busy in ((60.0, False), (0.1, True)):
        crm = Crm(1000, seconds=lambda offset, seconds=seconds: 0.1 if offset == 0 else seconds)  # type: ignore[misc]

        async def consume(crm: Crm = crm, busy: bool = busy) -> None:
            async for _ in leads(crm, concurrency=5):
                await asyncio.sleep(1000 if busy else 0)

        task = asyncio.create_task(consume())
        await asyncio.sleep(1)
        asked = len(crm.asked)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert (task.cancelled(), crm.in_flight, len(asyncio.all_tasks())) == (True, 0, 1)
        await asyncio.sleep(100)
        assert len(crm.asked) == asked


@virtual_time
async def test_a_consumer_may_be_cancelled_in_any_turn_of_the_loop() -> None:
    """However far the pages are by then: no task, slot or page in flight is left, and the session works on."""
    crm = Crm(60, seconds=0, fails={20: "once"})
    leavo = LeavoClient("made-up-key-1", transport=crm, limits=(), retry=RetryPolicy(first_delay=0.001))
    for turns in range(90):
        task = asyncio.create_task(seen(leavo.leads.list(page_size=10, concurrency=4)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert (crm.in_flight, len(asyncio.all_tasks()), leavo.status().in_flight) == (0, 1, 0)
    assert not task.cancelled()
    assert await seen(leavo.leads.list()) == ids(60)


@virtual_time
async def test_an_abort_ends_all_pages_in_flight() -> None:
    """Within two turns; what waits for the consumer is not given any more, and can be had by the token."""
    crm, controller = Crm(1000, seconds=lambda offset: 0.1 if offset < 20 else 60), AbortController()
    pages = leads(crm, concurrency=5, signal=controller.signal)
    found: list[str] = []

    async def consume() -> None:
        async for lead in pages:
            found.append(lead.id)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(consume())
    await asyncio.sleep(1)
    controller.abort("enough")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert crm.in_flight == 0
    with pytest.raises(AbortedError) as caught:
        await task

    assert found == ids(10)
    crm.seconds = lambda _: 0.1
    assert await seen(leads(crm, resume=caught.value.resume_token)) == ids(990, 10)


@virtual_time
async def test_a_task_that_somebody_else_cancels_does_not_keep_the_consumer_waiting() -> None:
    """Such as a framework that goes through all tasks."""
    crm = Crm(100, seconds=lambda offset: 0.1 if offset == 0 else 60)
    task = asyncio.create_task(seen(leads(crm, concurrency=3)))
    await asyncio.sleep(1)
    for other in asyncio.all_tasks() - {task, asyncio.current_task()}:
        other.cancel()
    with pytest.raises(ClosedError, match="GET /backend/leads: this iteration has ended before the end") as caught:
        await asyncio.wait_for(task, 1)

    assert len(asyncio.all_tasks()) == 1
    crm.seconds = lambda _: 0.1
    assert await seen(leads(crm, resume=caught.value.resume_token)) == ids(90, 10)


@virtual_time
async def test_nothing_is_kept_of_an_iteration_that_has_ended() -> None:
    """Its pages go at once, without the garbage collector."""
    gc.disable()
    try:
        crm = Crm(1000, seconds=lambda offset: 0.1 if offset == 0 else 60)
        run = aiter(leads(crm, concurrency=5))
        await anext(run)
        fetching = weakref.ref(run._fetching)  # type: ignore[attr-defined]
        del run
        for _ in range(4):
            await asyncio.sleep(0)
        assert fetching() is None
    finally:
        gc.enable()


@virtual_time
async def test_each_iteration_is_a_fresh_one() -> None:
    """Also two at a time; and two consumers may share one."""
    crm = Crm(40)
    pages = leads(crm)
    assert await asyncio.gather(seen(pages), seen(pages)) == [ids(40), ids(40)]

    shared = aiter(pages)
    parts = await asyncio.gather(seen(shared), seen(shared), seen(shared))
    assert sorted((name for part in parts for name in part), key=int) == ids(40)


@virtual_time
async def test_after_its_end_an_iteration_stays_at_its_end() -> None:
    """By itself, or because it was closed."""
    run = aiter(leads(Crm(15)))
    assert (len(await seen(run)), await seen(run)) == (15, [])

    run = aiter(leads(Crm(15)))
    await anext(run)
    await run.aclose()
    assert await seen(run) == []


@virtual_time
async def test_an_iteration_that_was_cut_off_does_not_look_as_if_it_had_ended() -> None:
    """By an error, or by a time limit around one step; the token leads on."""
    crm = Crm(30, seconds=lambda offset: 1 if offset < 10 else 60)
    run = aiter(leads(crm))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(seen(run), 5)
    with pytest.raises(ClosedError) as caught:
        await anext(run)
    assert await seen(leads(Crm(30), resume=caught.value.resume_token)) == ids(20, 10)


@virtual_time
async def test_consumers_that_share_an_iteration_lose_nothing() -> None:
    """However slow they are: no page is turned before it is empty."""
    for pace in (0.0, 0.3, 2.0):
        shared, found = aiter(leads(Crm(60), concurrency=4)), list[str]()

        async def work(shared: Any = shared, found: list[str] = found, pace: float = pace) -> None:
            async for lead in shared:
                await asyncio.sleep(pace)
                found.append(lead.id)

        await asyncio.gather(work(), work(), work())
        assert sorted(found, key=int) == ids(60)


@virtual_time
async def test_if_one_of_several_consumers_ends_the_iteration_none_hangs() -> None:
    """One that closes it, one that is cancelled, and a page that fails."""
    for way in ("aclose", "cancel", "fail"):
        crm = Crm(100, seconds=lambda offset: 1 if offset < 20 else 30, fails={20: ConnectError("down")})
        shared = aiter(leads(crm, concurrency=2))
        tasks = [asyncio.create_task(seen(shared)) for _ in range(3)]
        await asyncio.sleep(5)
        if way == "aclose":
            await shared.aclose()
        elif way == "cancel":
            tasks[0].cancel()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 100)
        kinds = [type(each) for each in done]
        assert kinds.count(ClosedError) == {"aclose": 0, "cancel": 2, "fail": 2}[way], kinds
        assert kinds.count(list) == (3 if way == "aclose" else 0)


@virtual_time
async def test_a_step_that_is_closed_ends_the_iteration() -> None:
    """As the garbage collector does with a consumer that nobody runs any more: nothing can be awaited then."""
    crm = Crm(30, seconds=60)
    run = aiter(leads(crm))
    step = run.__anext__()
    step.send(None)
    await asyncio.sleep(1)
    step.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (crm.in_flight, len(asyncio.all_tasks())) == (0, 1)


def test_a_loop_that_ends_is_not_kept_busy() -> None:
    """asyncio.run cancels all tasks at its end; none of them begins another one."""
    crm = Crm(1000, seconds=lambda offset: 0.01 if offset <= 20 else 60)
    kept: list[Any] = []

    async def main() -> None:
        kept.append(aiter(leads(crm, concurrency=4)))
        await anext(kept[0])
        await asyncio.sleep(0.1)

    asyncio.run(main())
    asked = len(crm.asked)
    assert (crm.in_flight, asked) == (0, len(set(crm.asked)))
    kept.clear()
    assert len(crm.asked) == asked


@virtual_time
async def test_with_less_allowed_than_is_in_hand_the_page_that_is_waited_for_is_still_asked_for() -> None:
    """Latency has fallen, so less is allowed; what a short page lacked comes first nevertheless."""

    class Short(Crm):
        async def send(self, request: Request, progress: Progress) -> Response:
            answer = await super().send(request, progress)
            if self.asked.count(10) == 1 and request.url.endswith("offset=10"):
                data = [{"id": str(n)} for n in range(10, 17)]
                return reply(200, {"data": data, "pagination": {"total": self.count}})
            return answer

    crm = Short(400, seconds=lambda offset: 5 if offset == 0 else 0.01)
    leavo = LeavoClient("made-up-key-3", transport=crm, limits=[RateLimit(600)])
    found: list[str] = []
    async for lead in leavo.leads.list(page_size=10):
        found.append(lead.id)
        if lead.id == "0":
            await asyncio.sleep(30)

    assert found == ids(400)


# A page that fails


@virtual_time
async def test_a_page_that_failed_once_is_asked_for_again_in_its_place() -> None:
    """The others go on meanwhile."""
    crm = Crm(60, fails={20: "once"})

    assert await seen(leads(crm, concurrency=4)) == ids(60)
    assert crm.asked.count(20) == 2


@pytest.mark.parametrize("ordered", [True, False])
def test_a_page_that_fails_for_good_ends_the_listing_behind_all_before_it(ordered: bool) -> None:
    """The error tells where to go on; nothing before is missing, and with order nothing comes twice."""

    @virtual_time
    async def run() -> None:
        crm = Crm(100, seconds=lambda offset: 5 if offset == 20 else 1, fails={30: ConnectError("down")})
        pages, found = leads(crm, concurrency=6, ordered=ordered), list[str]()
        with pytest.raises(ConnectError) as caught:
            await into(found, pages)
        assert set(found) >= set(ids(30))
        assert caught.value.resume_token == pages.resume_token
        assert "from item 30 on" in str(caught.value)
        assert (crm.in_flight, len(asyncio.all_tasks())) == (0, 1)

        crm.fails.clear()
        rest = await seen(leads(crm, resume=caught.value.resume_token))
        assert rest == ids(70, 30)
        if ordered:
            assert found == ids(30)

    run()


@virtual_time
async def test_a_list_that_cannot_be_collected_whole_begins_anew() -> None:
    """Nothing of it was given, so that is where the token leads."""
    crm = Crm(100, fails={50: ConnectError("down")})
    pages = leads(crm)
    with pytest.raises(ConnectError) as caught:
        await pages.collect()

    crm.fails.clear()
    assert caught.value.resume_token == pages.resume_token
    assert await seen(leads(crm, resume=pages.resume_token)) == ids(100)


@virtual_time
async def test_a_session_that_is_closed_ends_its_listings() -> None:
    """With the error that says so."""
    crm = Crm(100, seconds=lambda offset: 0.1 if offset == 0 else 60)
    async with LeavoClient("made-up-key-1", transport=crm, limits=()) as leavo:
        task = asyncio.create_task(seen(leavo.leads.list(page_size=10)))
        await asyncio.sleep(1)
    with pytest.raises(ClosedError):
        await task
    assert crm.in_flight == 0


# Where to go on


@virtual_time
async def test_the_token_names_the_first_item_that_was_not_given() -> None:
    """At each item; None at the end."""
    for stop in range(25):
        pages = leads(Crm(25), concurrency=3)
        assert pages.resume_token is not None
        found = []
        async for lead in pages:
            found.append(lead.id)
            if len(found) == stop:
                break
        if stop and stop < 25:
            found += await seen(leads(Crm(25), resume=pages.resume_token))
        assert found == ids(25)
    assert pages.resume_token is not None
    await pages.collect()
    assert pages.resume_token is None


@virtual_time
async def test_a_listing_may_be_read_in_pieces() -> None:
    """max_items ends it early, and the token goes on."""
    token, found = None, []
    for piece in (7, 10, 100):
        pages = leads(Crm(45), max_items=piece, resume=token)
        found += await seen(pages)
        token = pages.resume_token
    assert (found, token) == (ids(45), None)


@virtual_time
async def test_without_order_the_token_names_the_first_that_is_missing() -> None:
    """What came behind it comes again."""
    crm = Crm(60, seconds=lambda offset: 50 if offset == 10 else 1)
    pages, found = leads(crm, concurrency=4, ordered=False), list[str]()
    async for lead in pages:
        found.append(lead.id)
        if len(found) == 25:
            break
    crm.seconds = lambda _: 1
    rest = await seen(leads(crm, resume=pages.resume_token))

    assert (found[:10], found[10] != "10", rest) == (ids(10), True, ids(50, 10))


@virtual_time
async def test_the_filters_are_those_that_the_listing_was_made_with() -> None:
    """Whatever the caller does with the mapping afterwards."""
    crm, params = Crm(45), {"search": "ana"}
    session = Session(LEAVO, "made-up-key-1", transport=crm, limits=())
    async for _ in session.pages("/x", params=params, page_size=10):
        params["search"] = "bea"
    assert all("search=ana" in url for url in crm.urls)


def test_a_token_is_the_same_in_every_process() -> None:
    """Although the order of a set is not; and it is not that of another server."""
    make = functools.partial(LeavoClient, "made-up-key-1")
    tags = [{"a", "b", "c"}, frozenset("cba"), {"c", "b", "a"}]
    tokens = {make().pages("/x", params={"tags": each}).resume_token for each in tags}
    assert len(tokens) == 1
    with pytest.raises(ConfigError, match="another listing"):
        make(base_url="https://other.example.com").pages("/x", params={"tags": tags[0]}, resume=tokens.pop())


@virtual_time
async def test_a_token_of_other_filters_is_refused() -> None:
    """It would go on somewhere in the middle of something else."""
    pages = leads(Crm(45), search="ana", max_items=5)
    await pages.collect()
    with pytest.raises(ConfigError, match="another listing"):
        leads(Crm(45), search="bea", resume=pages.resume_token)


# Twice the same


def shifting() -> FakeTransport:
    """A lead is made in front of the others after each page, so that the last of a page comes again on the next."""
    pages = [["0", "1", "2"], ["2", "3", "4"], ["4", "5"], []]
    return FakeTransport(*[reply(200, [{"id": name} for name in page]) for page in pages])


@virtual_time
async def test_what_comes_again_can_be_left_out() -> None:
    """By a field or by a function; max_items counts what is given."""
    for key in ("id", lambda lead: lead.id):
        for most in (None, 4):
            pages = client(shifting()).leads.list(page_size=3, concurrency=1, dedupe_by=key, max_items=most)
            assert await seen(pages) == ids(most or 6)


@virtual_time
async def test_no_more_is_asked_for_than_may_be_wanted() -> None:
    """Where duplicates are left out it may be more, but not all that is allowed."""
    for most, requests in ((5, 1), (10, 1), (15, 2), (95, 10)):
        for options in ({}, {"dedupe_by": "id"}):
            crm = Crm(1000)
            assert await seen(leads(crm, max_items=most, concurrency=8, **options)) == ids(most)
            assert len(crm.asked) == requests


@virtual_time
async def test_a_listing_without_duplicates_may_be_read_in_pieces() -> None:
    """A page may be cut in its middle."""
    token, found = None, []
    for piece in (3, 4, 100):
        pages = leads(Crm(45), max_items=piece, resume=token, dedupe_by="id")
        found += await seen(pages)
        token = pages.resume_token
    assert (found, token) == (ids(45), None)


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_a_page_of_which_all_was_there_already_holds_nothing_up(concurrency: int) -> None:
    """It is not given, and the next one is asked for."""

    @virtual_time
    async def run() -> None:
        pages = [["0", "1"], ["1", "0"], ["1", "1"], ["2", "3"], []]
        answers = {2 * number: [{"id": name} for name in page] for number, page in enumerate(pages)}
        transport = FakeTransport(lambda request: reply(200, answers.get(int(request.url.split("offset=")[1]), [])))
        listed = client(transport).leads.list(page_size=2, concurrency=concurrency, dedupe_by="id")
        assert await seen(listed) == ids(4)
        assert [2, 2] == [len(page) async for page in listed.pages()]

    run()


@virtual_time
async def test_a_field_that_no_item_has_is_an_error() -> None:
    """All items would have the same nothing there, and all but one would be left out."""
    with pytest.raises(ConfigError, match="dedupe_by='uid': an item has no such field"):
        await client(shifting()).leads.list(dedupe_by="uid").collect()


@virtual_time
async def test_what_has_no_name_is_not_left_out() -> None:
    """None is no name."""
    transport = FakeTransport(reply(200, [{"id": None}, {"id": None}, {"id": 1}]), reply(200, []))
    session = Session(LEAVO, "made-up-key-1", transport=transport, limits=())

    assert [{"id": None}, {"id": None}, {"id": 1}] == await session.pages("/x", dedupe_by="id").collect()


# Other styles


@virtual_time
async def test_a_cursor_listing_is_one_page_ahead() -> None:
    """While the consumer works; never more, however many are allowed."""

    def answer(request: Request) -> Response:
        number = len(transport.requests)
        return reply(200, {"data": [number], "paging": {"next_cursor": f"c{number}", "has_more": number < 9}})

    transport = FakeTransport(answer, seconds=1)
    session = Session(LEAVO, "made-up-key-1", transport=transport, limits=())
    began = asyncio.get_running_loop().time()
    found = []
    async for item in session.pages("/x", params={"q": "a"}, paging=Cursor(100), concurrency=8):
        found.append(item)
        await asyncio.sleep(1)
        assert len(transport.requests) <= item + 1

    assert found == list(range(1, 10))
    assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.01)
    assert "q=a&limit=100&cursor=c8" in transport.requests[-1].url


@virtual_time
async def test_pages_in_the_path_have_a_grand_total() -> None:
    """As /properties/{offset}/{count}, with {"Count": …, "Data": […]}."""

    def answer(request: Request) -> Response:
        *_, offset, count = request.path.split("/")
        data = [{"OID": n} for n in range(int(offset), min(35, int(offset) + int(count)))]
        return reply(200, {"Count": 35, "Data": data})

    transport = FakeTransport(answer, seconds=1)
    session = Session(LEAVO, "made-up-key-1", transport=transport, limits=())
    paging = Offset(1000, in_path=True, parts=Parts("Data", total="Count"))
    pages = session.pages("/properties", params={"branch": 1}, paging=paging, page_size=10)

    assert [{"OID": n} for n in range(35)] == await pages.collect()
    assert ["/properties/0/10", "/properties/10/10", "/properties/20/10", "/properties/30/10"] == [
        request.path for request in transport.requests
    ]
    assert all(request.url.endswith("?branch=1") for request in transport.requests)
    assert pages.total == 35


@virtual_time
async def test_errors_of_the_paging_say_which_listing_it_was() -> None:
    """And hold no cursor."""
    rest = {"paging": {"next_cursor": "secret-cursor", "has_more": True}}
    transport = FakeTransport(lambda request: reply(200, {"data": [len(transport.requests)], **rest}))
    session = Session(LEAVO, "made-up-key-1", transport=transport, limits=())
    with pytest.raises(ResponseValidationError, match="GET /x: the page that follows was there already") as caught:
        await session.pages("/x", paging=Cursor(100)).collect()
    assert "secret-cursor" not in str(caught.value)


def test_pages_tell_what_they_are() -> None:
    """In a notebook cell."""
    pages = client(server(1, enveloped=True)).leads.list(page_size=7)
    assert repr(pages) == "<Pages of GET /backend/leads, 7 a page>"
