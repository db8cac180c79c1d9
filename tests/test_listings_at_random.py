"""Whole listings through whole sessions, at random: every style, any latencies, faults, consumers and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from leavo_async import (
    AbortController,
    AbortedError,
    Before,
    Cursor,
    Offset,
    Pages,
    Paging,
    Parts,
    RateLimit,
    ReadError,
    Request,
    Response,
    RetryPolicy,
    Session,
)
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import VirtualTimeLoop, reply

WORLDS = 25  # each test
IN_PATH = Offset(1000, in_path=True, parts=Parts("Data", total="Count"))
STYLES = (Offset(1000), IN_PATH, Cursor(1000), Before(1000))


@dataclass
class Server:
    """One listing in one style, with latencies and faults; a transport of its own, so that it sees what is cut off."""

    random: Random
    paging: Paging
    count: int
    gives: int
    tells: str
    in_flight: int = 0
    most: int = 0
    asked: list[float] = field(default_factory=list)

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None: ...

    async def aclose(self) -> None: ...

    async def send(self, request: Request, progress: object) -> Response:
        self.asked.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(self.random.choice([0, 0.01, 0.3, self.random.expovariate(2)]))
        finally:
            self.in_flight -= 1
        fault = self.random.random()
        if fault < 0.04:
            raise ReadError("reset")
        if fault < 0.08:
            return reply(503)
        if fault < 0.1:
            return reply(429, headers={"Retry-After": "1"})
        return reply(200, self.page(request))

    def page(self, request: Request) -> Any:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        assert query["q"] == "made-up"
        if self.paging is IN_PATH:
            *_, offset, limit = request.path.split("/")
            return {"Count": self.count, "Data": self.items(int(offset), int(limit))}
        limit = int(query["limit"])
        if isinstance(self.paging, Offset):
            return self.numbered(int(query["offset"]), limit)
        if isinstance(self.paging, Cursor):
            return self.chained(int(query.get("cursor", "c0")[1:]), limit)
        return self.older(1000 - int(query.get("before", 1000)), limit, inclusive="before" in query)

    def items(self, first: int, limit: int) -> list[dict[str, str]]:
        # Now and then a page is shorter than the others.
        gives = self.gives if self.random.random() < 0.8 else self.random.randint(2, 25)
        last = min(self.count, first + min(limit, gives))
        return [{"id": str(number), "timestamp": f"{1000 - number:04}"} for number in range(first, last)]

    def numbered(self, offset: int, limit: int) -> Any:
        found = self.items(offset, limit)
        told = {"total": {"total": self.count}, "has_more": {"has_more": offset + len(found) < self.count}}
        return {"data": found, "pagination": told[self.tells]} if self.tells in told else found

    def chained(self, first: int, limit: int) -> Any:
        found = self.items(first, limit)
        reached = first + len(found)
        has_more = reached < self.count
        return {"data": found, "paging": {"has_more": has_more, "next_cursor": f"c{reached}" if has_more else None}}

    def older(self, first: int, limit: int, *, inclusive: bool) -> Any:
        skipped = 1 if inclusive and self.tells == "total" else 0  # a server that leaves the edge out
        return self.items(first + skipped, limit)


@dataclass
class World:
    """One listing, one consumer, one end."""

    random: Random
    server: Server
    session: Session
    options: dict[str, Any]

    @classmethod
    def of(cls, seed: int) -> World:
        random = Random(seed)
        least = 2  # back in time, a page of one item gets nowhere
        server = Server(
            random, random.choice(STYLES), random.randrange(80), random.randint(least, 25),
            random.choice(["nothing", "total", "has_more"]),
        )  # fmt: skip
        session = Session(
            LEAVO, f"made-up-key-{seed}", transport=server, limits=random.choice([(), [RateLimit(1200)]]),
            retry=RetryPolicy(max_attempts=20, first_delay=0.1), max_in_flight=random.choice([2, 32]),
        )  # fmt: skip
        options = {
            "paging": server.paging,
            "params": {"q": "made-up"},
            "page_size": random.randint(least, 20),
            "concurrency": random.choice([None, 1, 2, 3, 8]),
            "priority": "bulk",  # it waits where its session has repeated too much, and others give up
            "dedupe_by": random.choice([None, None, "id"]),
        }
        return cls(random, server, session, options)

    def listed(self, **options: Any) -> Pages[dict[str, str]]:
        return self.session.pages("/things", **{**self.options, **options})

    async def read(self, items: AsyncIterable[dict[str, str]], found: list[int], stop: int | None = None) -> None:
        pace = self.random.choice([0, 0, 0.05, 1])
        async for item in items:
            found.append(int(item["id"]))
            if len(found) == stop:
                break
            if self.random.random() < 0.2:
                await asyncio.sleep(pace)

    @property
    def whole(self) -> list[int]:
        return list(range(self.server.count))

    def is_whole(self, found: list[int]) -> bool:
        """In order; back in time, pages come in order, and within a page the server's order counts."""
        return found == self.whole or (self.server.paging is STYLES[3] and sorted(found) == self.whole)

    async def is_quiet(self) -> bool:
        for _ in range(3):
            await asyncio.sleep(0)
        return (self.server.in_flight, len(asyncio.all_tasks())) == (0, 1) and not self.session.status().in_flight


async def read_whole(world: World) -> None:
    found: list[int] = []
    await world.read(world.listed(), found)
    assert world.is_whole(found)
    concurrency = world.options["concurrency"] or 32
    assert world.server.most <= min(concurrency, world.session._max_in_flight)


async def read_without_order(world: World) -> None:
    found: list[int] = []
    await world.read(world.listed(ordered=False), found)
    assert sorted(found) == world.whole


async def read_some(world: World) -> None:
    most = world.random.randrange(100)
    pages = world.listed(max_items=most)
    found = [int(item["id"]) for item in await pages.collect()]
    assert sorted(found) == world.whole[:most]
    if pages.resume_token is not None:
        await world.read(world.listed(resume=pages.resume_token), found)
    assert sorted(found) == world.whole


async def leave(world: World) -> None:
    pages, found = world.listed(), list[int]()
    await world.read(pages, found, stop=world.random.randint(1, 60))
    await goes_on(world, pages, found)


async def abort(world: World) -> None:
    controller, found = AbortController(), list[int]()
    pages = world.listed(signal=controller.signal)
    asyncio.get_running_loop().call_later(world.random.uniform(0, 5), controller.abort)
    with suppress(AbortedError):
        await world.read(pages, found)
    await goes_on(world, pages, found)


async def cancel(world: World) -> None:
    pages, found = world.listed(), list[int]()
    task = asyncio.create_task(world.read(pages, found))
    await asyncio.sleep(world.random.uniform(0, 5))
    task.cancel()
    await asyncio.wait([task])
    await goes_on(world, pages, found)


async def goes_on(world: World, pages: Pages[Any], found: list[int]) -> None:
    assert await world.is_quiet()
    if pages.resume_token is not None:
        await world.read(world.listed(resume=pages.resume_token, page_size=world.random.randint(2, 20)), found)
    assert sorted(found) == world.whole


@pytest.mark.torture
@pytest.mark.parametrize("batch", range(400))
def test_nothing_is_lost_or_doubled_however_a_listing_is_read(batch: int) -> None:
    """Whole, in parts, left in the middle or ended from outside, and gone on with; a seed says which world fails."""
    for seed in range(batch * WORLDS, (batch + 1) * WORLDS):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(one(seed))


async def one(seed: int) -> None:
    world = World.of(seed)
    way = world.random.choice([read_whole, read_without_order, read_some, leave, abort, cancel])
    try:
        await way(world)
        assert await world.is_quiet()
        await world.session.aclose()
    except BaseException as error:
        error.add_note(f"seed {seed}: {way.__name__}, {world.server}, {world.options}")
        raise
