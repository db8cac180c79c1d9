"""The fifth API of docs/how-to/add-an-api.md, against a real server: it has all that the four have."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from leavo_async import ApiProfile, ConfigError, Pages, PermissionDeniedError, Session

PAGE = (Path(__file__).parent.parent / "docs/how-to/add-an-api.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]


def client() -> Any:
    names: dict[str, Any] = {"__name__": "docs"}
    exec(CODE, names)
    return names["ParcelsClient"]


class Parcels:
    """A server of that API: 120 parcels, pages of 50."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []
        self.labels: dict[str, str] = {}
        self.failures = 1

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/parcels", self.list)
        app.router.add_post("/v2/parcels/{id}/label", self.label)
        return app

    async def list(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("X-Parcels-Key"))
        begin, size = int(request.query.get("cursor", 0)), int(request.query["limit"])
        items = [{"id": f"p{number}"} for number in range(begin, min(120, begin + size))]
        paging = {"next_cursor": str(begin + size), "has_more": begin + size < 120}
        return web.json_response({"data": items, "paging": paging})

    async def label(self, request: web.Request) -> web.Response:
        if request.match_info["id"] == "p9":
            return web.json_response({"error": {"code": "insufficient_scope"}}, status=403)
        self.labels.setdefault(request.headers["Idempotency-Key"], request.match_info["id"])
        if self.failures:
            self.failures -= 1
            return web.json_response({}, status=500)
        return web.json_response({"data": f"https://labels.example/{request.match_info['id']}"}, status=201)


def test_it_takes_less_than_sixty_lines() -> None:
    """Imports and all."""
    assert len(CODE.splitlines()) < 60


@pytest.mark.asyncio
async def test_the_fifth_api_works() -> None:
    """Pages by cursor, keys in their header, writes that are done once, rights with their names, paths that hold."""
    parcels = Parcels()
    async with (
        TestServer(parcels.app()) as server,
        client()("made-up-key", base_url=f"{server.make_url('/v2')}", allow_insecure_loopback=True) as api,
    ):
        assert isinstance(api, Session)
        listing = api.parcels(max_items=60)
        assert isinstance(listing, Pages)
        assert [f"p{number}" for number in range(60)] == [parcel.id for parcel in await listing.collect()]
        assert await api.label("p 1/2") == "https://labels.example/p 1/2"
        with pytest.raises(PermissionDeniedError) as caught:
            await api.label("p9")
        with pytest.raises(ConfigError):
            await api.label("..")

    assert {"made-up-key"} == set(parcels.keys)
    assert ["p 1/2"] == list(parcels.labels.values())
    assert "labels:write" == caught.value.missing_scope


def test_the_page_names_every_field_of_a_profile() -> None:
    """What it does not name, nobody asks the documents of an API for."""
    fields = {field.name for field in dataclasses.fields(ApiProfile)}

    assert [name for name in sorted(fields) if not re.search(rf"`{name}`|^ +{name}=", PAGE, re.MULTILINE)] == []
