"""Listings: how long many pages take, what an item costs, and how much memory a long listing holds.

    python benchmarks/pages.py [--quick] [--check]

Requests go to a small server of its own on 127.0.0.1, in another process. How to read the table: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from bars import Bar
from peer import running_server, serve
from pydantic import BaseModel

from leavo_async import Lead, LeavoClient, Pages, RateLimit

PAGES, LATENCY = 200, 0.3
RATE = RateLimit(600)
CONCURRENCY = 8
MOST_SECONDS_MORE = 2.0  # than the pages take at that rate: 22 s for 200
MOST_OF_IDEAL = 1.10  # without a limit
CPU_ITEMS, CPU_ROUNDS = 20_000, 5
MEMORY_ITEMS = 1_000_000
MOST_GROWTH = 4.0  # MiB, from a tenth of the listing to its end

_KEYS = (f"made-up-key-{number}" for number in itertools.count(1))

Read = Callable[[str, int, float], Awaitable[int]]
"""Read a listing of so many items with this latency from this server; gives how many came."""


# The server


class Listing(asyncio.Protocol):
    """Leads by limit and offset.

    What is searched for, such as "2000-300", says how many there are, and after how many milliseconds each page comes;
    "2000-300-bare" has neither envelope nor total.
    """

    _ASKED = re.compile(rb"\?search=(\d+)-(\d+)(-bare)?&limit=(\d+)&offset=(\d+) ")
    _LEAD = (
        b'{"id":"3f0c7c1e-8d5b-4f7e-9a53-%012d","name":"Ana Souza","phone":"+5511999990000",'
        b'"email":"ana@example.com","company":"Acme","status":{"id":"s-1","name":"New","color":"#3366ff"},'
        b'"tags":[{"id":"t-1","name":"VIP"}],"custom_fields":{"source":"fair"},"created_at":"2026-01-15T10:30:00Z"}'
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        found = self._ASKED.search(data)
        assert found is not None, data
        count, milliseconds, limit, offset = (int(found[part]) for part in (1, 2, 4, 5))
        body = b"[%b]" % b",".join(self._LEAD % n for n in range(offset, min(count, offset + limit)))
        if not found[3]:
            has_more = b"true" if offset + limit < count else b"false"
            body = b'{"success":true,"data":%b,"pagination":{"total":%d,"has_more":%b}}' % (body, count, has_more)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        if milliseconds:
            asyncio.get_running_loop().call_later(milliseconds / 1000, self._transport.write, head + body)
        else:
            self._transport.write(head + body)


# The clients


class Envelope(BaseModel):
    """What the server answers."""

    data: list[Lead]
    pagination: dict[str, int | bool]


def typed(body: bytes) -> dict[str, Any]:
    """As `json.loads`, with leads for dicts."""
    return dict(Envelope.model_validate_json(body))


async def one_after_the_other(
    url: str, items: int, latency: float, *, size: int = 10, read: Callable[[bytes], dict[str, Any]] = json.loads
) -> int:
    """Plain aiohttp: the next page is asked for when the one before is read."""
    found = 0
    async with aiohttp.ClientSession() as session:
        while True:
            params = {"search": f"{items}-{latency * 1000:.0f}", "limit": str(size), "offset": str(found)}
            async with session.get(f"{url}/backend/leads", params=params) as answer:
                page = read(await answer.read())
            for _ in page["data"]:
                found += 1
            if not page["pagination"]["has_more"]:
                return found


def listed(leavo: LeavoClient, items: int, latency: float, *, size: int, kind: str = "", **options: int) -> Pages[Lead]:
    """The same with leads.list."""
    return leavo.leads.list(search=f"{items}-{latency * 1000:.0f}{kind}", page_size=size, **options)


def client(url: str, limit: RateLimit | None) -> LeavoClient:
    limits = [] if limit is None else [limit]
    return LeavoClient(next(_KEYS), base_url=url, allow_insecure_loopback=True, limits=limits)


async def ahead(
    url: str, items: int, latency: float, *, limit: RateLimit | None, kind: str = "", **options: int
) -> int:
    """With everything on, pages of 10."""
    async with client(url, limit) as leavo:
        return len([lead.id async for lead in listed(leavo, items, latency, size=10, kind=kind, **options)])


# How long


async def seconds(work: Awaitable[int], items: int) -> float:
    began = time.perf_counter()
    assert await work == items
    return time.perf_counter() - began


async def report_time(url: str, slow_pages: int) -> list[Bar]:
    """The four of them one after the other, so that none has the other's CPU. slow_pages: of the first two."""
    slow, many = slow_pages * 10, PAGES * 10
    print(f"pages of 10 items, {LATENCY * 1000:.0f} ms each\n{'':42}{'pages':>7}{'seconds':>9}{'× the ideal':>13}")
    plain = await seconds(one_after_the_other(url, slow, LATENCY), slow)
    print(line("one after the other, plain aiohttp", slow_pages, plain, slow_pages * LATENCY))
    limited = await seconds(ahead(url, slow, LATENCY, limit=RATE), slow)
    print(line(f"leads.list, {RATE}", slow_pages, limited, slow_pages / RATE.requests * RATE.per))
    ideal = PAGES * LATENCY / CONCURRENCY
    free = await seconds(ahead(url, many, LATENCY, limit=None, concurrency=CONCURRENCY), many)
    print(line(f"leads.list, no limit, concurrency={CONCURRENCY}", PAGES, free, ideal))
    blind = await seconds(ahead(url, many, LATENCY, limit=None, kind="-bare", concurrency=CONCURRENCY), many)
    print(line("  the same, from a server without a total", PAGES, blind, ideal))
    return [
        Bar(
            f"seconds for {slow_pages} pages at {RATE}",
            slow_pages / RATE.requests * RATE.per + MOST_SECONDS_MORE,
            limited,
        ),
        Bar(f"× pages × latency / {CONCURRENCY}", MOST_OF_IDEAL, free / ideal),
    ]


def line(label: str, pages: int, found: float, ideal: float) -> str:
    return f"{label:42}{pages:7}{found:9.2f}{found / ideal:13.2f}"


# What an item costs


async def report_cpu(url: str, rounds: int) -> None:
    """By turns in one process, pages of 100."""
    async with client(url, None) as leavo:
        ways: dict[str, Callable[[], Awaitable[int]]] = {
            "plain aiohttp, json, dicts": lambda: one_after_the_other(url, CPU_ITEMS, 0, size=100),
            "plain aiohttp, pydantic, typed": lambda: one_after_the_other(url, CPU_ITEMS, 0, size=100, read=typed),
            "leads.list, typed": lambda: count(listed(leavo, CPU_ITEMS, 0, size=100)),
        }
        # The first round warms up.
        found = [{way: await cpu(work()) for way, work in ways.items()} for _ in range(rounds + 1)][1:]
    print(
        f"\nCPU of an item, {CPU_ITEMS * rounds:,} items in pages of 100, consumed one by one\n{'':36}{'µs':>8}{'×':>8}"
    )
    plain = next(iter(ways))
    for way in ways:
        ratio = statistics.median(each[way] / each[plain] for each in found)
        print(f"{way:36}{statistics.median(each[way] for each in found):8.2f}{ratio:8.2f}")


async def cpu(work: Awaitable[int]) -> float:
    """Microseconds an item."""
    gc.collect()
    began = time.process_time()
    assert await work == CPU_ITEMS
    return (time.process_time() - began) / CPU_ITEMS * 1e6


async def count(pages: Pages[Lead]) -> int:
    found = 0
    async for _ in pages:
        found += 1
    return found


# How much memory


def report_memory(url: str, items: int) -> list[Bar]:
    """In a process of its own."""
    command = [sys.executable, __file__, "--role", "reader", "--url", url, "--items", str(items)]
    early, late = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    print(f"\nPeak memory of a listing of {items:,} typed items, consumed one by one")
    print(f"{'after a tenth':24}{early:8.1f} MiB\n{'at the end':24}{late:8.1f} MiB")
    return [Bar("MiB more at the end than after a tenth", MOST_GROWTH, late - early)]


async def read_all(url: str, items: int) -> None:
    """Print the peak of resident memory after a tenth, and at the end."""
    found = 0
    async with client(url, None) as leavo:
        async for _ in listed(leavo, items, 0, size=100):
            found += 1
            if found in (items // 10, items):
                print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the pages, and a tenth of the long listing")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument(
        "--role", choices=["benchmark", "server", "reader"], default="benchmark", help=argparse.SUPPRESS
    )
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def report(*, quick: bool) -> Sequence[Bar]:
    with running_server(__file__) as url:
        print(f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}\n")
        bars = asyncio.run(report_time(url, PAGES // 5 if quick else PAGES))
        asyncio.run(report_cpu(url, CPU_ROUNDS))
        bars += report_memory(url, MEMORY_ITEMS // 10 if quick else MEMORY_ITEMS)
    print("", *bars, sep="\n")
    return bars


def main() -> int:
    options = arguments()
    if options.role == "server":
        asyncio.run(serve(Listing))
    elif options.role == "reader":
        asyncio.run(read_all(options.url, options.items))
    else:
        bars = report(quick=options.quick)
        return int(options.check and not all(bar.is_held for bar in bars))
    return 0


if __name__ == "__main__":
    sys.exit(main())
