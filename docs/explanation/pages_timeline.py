"""Print when each page of a listing is on its way: what docs/explanation/pages.md shows.

A made-up server, 0.3 s a page, in virtual time; a column is 0.1 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from leavo_async import LeavoClient, RateLimit, Request, Response
from leavo_async.testing import VirtualTimeLoop, reply

SECONDS = 0.3
COLUMN = 0.1


class Server:
    """Leads in pages of ten; notes when each page was asked for and when it came."""

    def __init__(self, count: int, *, tells_total: bool) -> None:
        self.count, self.tells_total = count, tells_total
        self.began = asyncio.get_running_loop().time()
        self.lines: list[tuple[int, float, bool]] = []

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None: ...

    async def aclose(self) -> None: ...

    async def send(self, request: Request, progress: object) -> Response:
        """The page, after a while."""
        query = parse_qs(urlsplit(request.url).query)
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        leads = [{"id": str(number)} for number in range(offset, min(self.count, offset + limit))]
        self.lines.append((offset, asyncio.get_running_loop().time() - self.began, bool(leads)))
        await asyncio.sleep(SECONDS)
        return reply(200, {"data": leads, "pagination": {"total": self.count}} if self.tells_total else leads)


async def timeline(count: int, *, tells_total: bool, limits: list[RateLimit], **options: Any) -> str:
    """A line for each request: "=" while it is on its way, "-" if it finds nothing."""
    server = Server(count, tells_total=tells_total)
    async with LeavoClient("made-up-key-1", transport=server, limits=limits) as leavo:
        await leavo.leads.list(page_size=10, **options).collect()
    bar = round(SECONDS / COLUMN)
    return "\n".join(
        f"{offset:4} {' ' * round(moment / COLUMN)}{('=' if found else '-') * bar}"
        for offset, moment, found in server.lines
    )


WAYS: dict[str, dict[str, Any]] = {
    "one after the other": {"count": 100, "tells_total": True, "limits": [], "concurrency": 1},
    "the total is known, no limit, concurrency=4": {"count": 100, "tells_total": True, "limits": [], "concurrency": 4},
    "no total, no limit, concurrency=4": {"count": 95, "tells_total": False, "limits": [], "concurrency": 4},
    "the total is known, 300 requests a minute": {"count": 100, "tells_total": True, "limits": [RateLimit(300)]},
}


def timelines() -> str:
    """All of them, as they stand on the page."""
    parts: list[str] = []
    for name, way in WAYS.items():
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            parts.append(f"{name}\n{runner.run(timeline(**way))}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(timelines(), end="")
