"""Leads, streamed to a browser by FastAPI: docs/how-to/stream-to-a-browser.md tells how to try it.

Whoever reaches its port sees the leads: put your own login before it.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from leavo_async import AbortController, AbortSignal, Lead, LeavoClient, LeavoError

PAGE = Path(__file__).with_name("leads.html").read_text(encoding="utf-8")
HEADERS = {"Content-Type": "application/x-ndjson", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
SHOWN = {"id", "name", "company"}  # what the browser gets, and no more


@asynccontextmanager
async def open_leavo(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ.get("LEAVO_BASE_URL")
    async with LeavoClient(base_url=url, allow_insecure_loopback=url is not None, deadline=10) as leavo:
        app.state.leavo = leavo
        yield


async def gone(request: Request) -> AsyncIterator[AbortSignal]:
    """A signal that aborts when the browser goes, and at the latest when the request has ended."""
    controller = AbortController()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        controller.abort("the browser has gone")

    watcher = asyncio.create_task(watch())
    try:
        yield controller.signal
    finally:
        watcher.cancel()
        controller.abort("the request has ended")


app = FastAPI(lifespan=open_leavo)


@app.get("/")
async def index() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.get("/leads")
async def leads(request: Request, signal: Annotated[AbortSignal, Depends(gone)], q: str = "") -> Response:
    leavo: LeavoClient = request.app.state.leavo
    pages = leavo.leads.list(search=q or None, priority="interactive", signal=signal).pages()
    try:
        first: list[Lead] = await anext(pages, [])
    except LeavoError as error:
        return Response(as_line(error), 502, HEADERS)
    return StreamingResponse(stream(first, pages), headers=HEADERS)


async def stream(first: list[Lead], rest: AsyncIterator[list[Lead]]) -> AsyncIterator[bytes]:
    yield as_lines(first)
    try:
        async for page in rest:
            yield as_lines(page)
    except LeavoError as error:
        yield as_line(error)


def as_lines(page: list[Lead]) -> bytes:
    return "".join(lead.model_dump_json(include=SHOWN) + "\n" for lead in page).encode()


def as_line(error: LeavoError) -> bytes:
    return json.dumps({"error": error.user_message}).encode() + b"\n"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000, timeout_graceful_shutdown=3)
