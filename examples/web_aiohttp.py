"""Leads, streamed to a browser by aiohttp.web: docs/how-to/stream-to-a-browser.md tells how to try it.

Whoever reaches its port sees the leads: put your own login before it.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

from aiohttp import web

from leavo_async import Lead, LeavoClient, LeavoError

LEAVO = web.AppKey("leavo", LeavoClient)
PAGE = Path(__file__).with_name("leads.html").read_text(encoding="utf-8")
HEADERS = {"Content-Type": "application/x-ndjson", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
SHOWN = {"id", "name", "company"}  # what the browser gets, and no more


async def open_leavo(app: web.Application) -> AsyncIterator[None]:
    url = os.environ.get("LEAVO_BASE_URL")
    async with LeavoClient(base_url=url, allow_insecure_loopback=url is not None, deadline=10) as leavo:
        app[LEAVO] = leavo
        yield


async def index(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def leads(request: web.Request) -> web.StreamResponse:
    listing = request.app[LEAVO].leads.list(search=request.query.get("q") or None, priority="interactive")
    response = web.StreamResponse(headers=HEADERS)
    with suppress(ConnectionError):  # the browser may go while it is written to
        try:
            async with aclosing(listing.pages()) as pages:
                async for page in pages:
                    await response.prepare(request)  # sends the head, the first time
                    await response.write(as_lines(page))
        except LeavoError as error:
            if not response.prepared:
                response.set_status(502)
                await response.prepare(request)
            await response.write(json.dumps({"error": error.user_message}).encode() + b"\n")
    return response


def as_lines(page: list[Lead]) -> bytes:
    return "".join(lead.model_dump_json(include=SHOWN) + "\n" for lead in page).encode()


app = web.Application()
app.cleanup_ctx.append(open_leavo)
app.add_routes([web.get("/", index), web.get("/leads", leads)])

if __name__ == "__main__":
    # Without handler_cancellation a handler that waits for a page is not told that the browser has gone.
    web.run_app(app, host="127.0.0.1", port=8000, handler_cancellation=True, shutdown_timeout=3)
