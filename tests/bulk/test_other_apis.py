"""Imports into an API of one's own: a profile, an operation, and a server that has never heard of this library."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from leavo_async import (
    ApiProfile,
    BulkJob,
    HeaderKey,
    InvalidRowError,
    Offset,
    Operation,
    Repeat,
    Report,
    RetryPolicy,
    Route,
    Session,
)

pytestmark = pytest.mark.asyncio


def by_email(sent: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "/customers", {"email": sent["email"]}


def is_it(sent: Mapping[str, Any], found: Any) -> bool:
    return all(found[name] == sent[name] for name in ("name", "email"))


SHOP = ApiProfile(
    name="shop",
    base_url="https://api.shop.example",
    key_variable="SHOP_API_KEY",
    auth=HeaderKey("X-Shop-Key"),
    limits=(),
    paging=Offset(max_size=50),
    routes=(
        Route("POST", "/customers", repeat=Repeat.NATURAL, lookup=by_email, same=is_it),
        Route("POST", "/orders", repeat=Repeat.KEYED),
    ),
)


def _customer(fields: dict[str, Any]) -> Mapping[str, Any]:
    if "@" not in fields["email"]:
        raise InvalidRowError("email: is not an e-mail address")
    return fields


def of_the_same(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "/notes", {"email": body["email"]}


CUSTOMERS = Operation(
    "customers", "POST", "/customers", {"name": True, "email": True}, _customer, natural_key=("email",)
)
ORDERS = Operation("orders", "POST", "/orders", {"name": True, "email": True}, _customer)
NOTES = replace(
    CUSTOMERS,
    name="notes",
    path="/notes",
    is_unique=False,
    lookup=of_the_same,
    same=is_it,
)


class Shop:
    """It has each customer once, does an order once for each key, and takes every note.

    lost: numbers of those POSTs that it does without an answer; unheard: of those that it does not do either.
    """

    def __init__(self, lost: tuple[int, ...] = (), unheard: tuple[int, ...] = ()) -> None:
        self.kept: dict[str, list[Any]] = {"customers": [], "orders": [], "notes": []}
        self.posts = 0
        self._lost = lost
        self._unheard = unheard
        self._by_key: dict[str | None, Any] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{kind}", self.list)
        app.router.add_post("/{kind}", self.create)
        return app

    async def list(self, request: web.Request) -> web.Response:
        found = [each for each in self.kept[request.match_info["kind"]] if each["email"] == request.query["email"]]
        start = int(request.query.get("offset", 0))
        return web.json_response(found[start : start + 50])

    async def create(self, request: web.Request) -> web.Response:
        self.posts += 1
        number, kind = self.posts, request.match_info["kind"]
        if number not in self._unheard:
            answer = self.done(kind, await request.json(), request.headers.get("Idempotency-Key"))
        if number in (*self._lost, *self._unheard):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    def done(self, kind: str, given: Any, key: str | None) -> web.Response:
        if kind == "customers" and any(each["email"] == given["email"] for each in self.kept[kind]):
            return web.json_response({"error": {"code": "exists"}}, status=409)
        if kind != "orders" or key not in self._by_key:
            self._by_key[key] = {**given, "id": f"{kind}-{len(self.kept[kind])}"}
            self.kept[kind].append(self._by_key[key])
        return web.json_response(self._by_key[key], status=201)

    def names(self, kind: str) -> Counter[str]:
        return Counter(each["name"] for each in self.kept[kind])


@asynccontextmanager
async def session(shop: Shop) -> AsyncIterator[Session]:
    async with TestServer(shop.app()) as server:
        at = str(server.make_url("")).rstrip("/")
        quick = RetryPolicy(2, first_delay=0, max_delay=0)
        async with Session(SHOP, "made-up", base_url=at, allow_insecure_loopback=True, retry=quick) as session:
            yield session


async def imported(shop: Shop, operation: Operation, source: object, **options: Any) -> Report:
    async with session(shop) as opened:
        return await BulkJob(opened, operation, source, **{"progress": False, "quarantine": 0.01, **options}).run()


@pytest.fixture(autouse=True)
def no_pause_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leavo_async.bulk.outage._MAX_DELAY", 0.01)


def rows(count: int = 12) -> list[dict[str, Any]]:
    return [{"name": f"Ana {n}", "email": f"ana{n}@example.com"} for n in range(count)]


EACH_ONCE = Counter(row["name"] for row in rows())


async def test_what_has_a_natural_key_is_looked_up_as_its_route_says() -> None:
    """A customer whose answer was lost is found by the e-mail address, one that was not heard is sent again."""
    shop = Shop(lost=(2, 5), unheard=(8,))
    report = await imported(shop, CUSTOMERS, [*rows(), rows()[0], {"name": "Nobody", "email": "?"}])

    assert shop.names("customers") == EACH_ONCE
    assert (report.counts["done"], report.counts["skipped"], report.counts["invalid"]) == (12, 1, 1)
    assert 13 == shop.posts


async def test_a_conflict_over_a_natural_key_means_that_it_is_there() -> None:
    """Somebody has made it before us."""
    shop = Shop()
    shop.kept["customers"].append({"name": "Somebody", "email": "ana3@example.com"})
    report = await imported(shop, CUSTOMERS, rows())

    assert {"created": 11, "existing": 1} == report.outcomes


async def test_what_has_a_key_is_sent_again_with_it() -> None:
    """The server does it once; two rows that are alike are two orders."""
    shop = Shop(lost=(2, 3), unheard=(6,))
    report = await imported(shop, ORDERS, [*rows(), rows()[0]])

    assert shop.names("orders") == EACH_ONCE + Counter(["Ana 0"])
    assert 13 == report.counts["done"]
    ids = [row.id for row in await asyncio.to_thread(list, report.rows("done"))]
    assert {f"orders-{n}" for n in range(13)} == set(ids)


async def test_what_may_be_there_several_times_is_proved_by_what_is_new() -> None:
    """A note that was there before is not ours: ours is sent again if it is not there beside it."""
    shop = Shop(lost=(2,), unheard=(4,))
    shop.kept["notes"] = [{**row, "id": f"old-{row['name']}"} for row in rows()]
    report = await imported(shop, NOTES, rows(), concurrency=1)

    assert shop.names("notes") == EACH_ONCE + EACH_ONCE
    assert {"created": 11, "confirmed": 1} == report.outcomes


async def test_without_a_key_and_without_a_look_up_it_is_held() -> None:
    """Nobody but you can tell."""
    shop = Shop(lost=(2,))
    report = await imported(shop, replace(NOTES, lookup=None), rows())

    assert shop.names("notes") == EACH_ONCE
    assert (11, 1) == (report.counts["done"], report.counts["held"])


async def test_a_conflict_over_what_is_not_unique_is_a_refusal() -> None:
    """It does not say that this one is there."""
    shop = Shop()
    shop.kept["customers"].append({"name": "Somebody", "email": "ana3@example.com"})
    operation = replace(CUSTOMERS, is_unique=False, lookup=by_email, same=is_it)
    report = await imported(shop, operation, rows())

    assert (11, 1) == (report.counts["done"], report.counts["failed"])
