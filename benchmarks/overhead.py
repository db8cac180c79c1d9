"""CPU per request: LeavoClient with everything on, against plain aiohttp, in one process.

    python benchmarks/overhead.py [--rounds 100] [--unique-ids] [--instructions] [--check]

Requests go to a small server of its own on 127.0.0.1, in another process. How to read the table: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from peer import running_server, serve

from leavo_async import LeavoClient, RateLimit

BAR = 1.30
AIM = 1.15
CONCURRENCY = 32
READS_A_BATCH = 400
# Each of them leaves a closed connection behind, which keeps its port for a minute: not more than the machine has.
WRITES_A_BATCH = 100
WARM_UP_BATCHES = 3
# Instructions are the difference between these two, so start-up, imports and warm-up cancel out.
CALLS_UNDER_VALGRIND = (400, 1200)

KEY = "made-up-key-1"
LEADS = "/backend/leads"
FIXED_ID = "3f0c7c1e-8d5b-4f7e-9a53-0b8f2a6d4c11"
NEW_LEAD = {"name": "Ana Souza", "phone": "+5511999990000", "email": "ana@example.com"}
LEAD = (
    f'{{"success":true,"data":{{"id":"{FIXED_ID}","name":"Ana Souza","phone":"+5511999990000",'
    '"email":"ana@example.com","company":"Acme","status":{"id":"s-1","name":"New","color":"#3366ff"},'
    '"tags":[{"id":"t-1","name":"VIP"}],"custom_fields":{"source":"fair"},"created_at":"2026-01-15T10:30:00Z"}}'
).encode()

Call = Callable[[str], Awaitable[object]]
"""One request for the lead of this id."""

Client = Callable[[str], AbstractAsyncContextManager[Call]]
"""The calls of a client of this base URL, while it is open."""


# The server


class Answering(asyncio.Protocol):
    """Answers each request with the lead it asks for; reads just enough to see which, and where the request ends."""

    _LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
    _CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
    _ID = re.compile(rb"GET /\S+/(\S+) ")
    _HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._end_of_request()) is not None:
            self._answer(self._lead(), closing=self._CLOSE.search(self._seen, 0, end) is not None)
            self._seen = self._seen[end:]

    def _end_of_request(self) -> int | None:
        head = self._seen.find(b"\r\n\r\n") + 4
        if head < 4:
            return None
        length = self._LENGTH.search(self._seen, 0, head)
        end = head + (int(length[1]) if length else 0)
        return end if len(self._seen) >= end else None

    def _lead(self) -> bytes:
        asked = self._ID.match(self._seen)
        return LEAD if asked is None else LEAD.replace(FIXED_ID.encode(), asked[1])

    def _answer(self, lead: bytes, *, closing: bool) -> None:
        ending = b"Connection: close\r\n\r\n" if closing else b"\r\n"
        self._transport.write(self._HEAD % len(lead) + ending + lead)
        if closing:
            self._transport.close()


# The clients


@asynccontextmanager
async def plain_reads(url: str) -> AsyncIterator[Call]:
    """`get` and `json()` of one ClientSession."""
    async with aiohttp.ClientSession() as session:

        async def call(lead_id: str) -> object:
            async with session.get(f"{url}{LEADS}/{lead_id}") as answer:
                return await answer.json()

        yield call


@asynccontextmanager
async def plain_writes(url: str) -> AsyncIterator[Call]:
    """`post` and `json()` of one ClientSession, each on a new connection, as LeavoClient does."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:

        async def call(lead_id: str) -> object:
            async with session.post(f"{url}{LEADS}", json=NEW_LEAD) as answer:
                return await answer.json()

        yield call


@asynccontextmanager
async def leavo_reads(url: str) -> AsyncIterator[Call]:
    """`leads.get`, with everything on."""
    async with _leavo(url) as leavo:
        yield leavo.leads.get


@asynccontextmanager
async def leavo_writes(url: str) -> AsyncIterator[Call]:
    """`leads.create`, with everything on."""
    async with _leavo(url) as leavo:
        yield lambda lead_id: leavo.leads.create(**NEW_LEAD)


def _leavo(url: str) -> LeavoClient:
    # The gate works as always; its limit is so high that nobody ever waits for it.
    return LeavoClient(KEY, base_url=url, allow_insecure_loopback=True, limits=[RateLimit(10_000_000)])


@dataclass(frozen=True)
class Pair:
    """One kind of call, done by plain aiohttp and by us."""

    label: str
    plain: Client
    ours: Client
    calls_a_batch: int


PAIRS = {
    "reads": Pair("leads.get", plain_reads, leavo_reads, READS_A_BATCH),
    "writes": Pair("leads.create", plain_writes, leavo_writes, WRITES_A_BATCH),
}


async def batch(call: Call, ids: Sequence[str]) -> None:
    """One call for each id, so many at a time."""
    waiting = iter(ids)

    async def work() -> None:
        for lead_id in waiting:
            await call(lead_id)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


class Ids:
    """The ids of each batch: always the same one, or a new one for each call."""

    def __init__(self, *, unique: bool) -> None:
        self._unique = unique
        self._next = 0

    def take(self, count: int) -> list[str]:
        if not self._unique:
            return [FIXED_ID] * count
        self._next += count
        return [f"{FIXED_ID[:-8]}{number:08d}" for number in range(self._next - count, self._next)]


# CPU time


@dataclass(frozen=True)
class Result:
    """Seconds of CPU per request, one pair of numbers for each round."""

    plain: list[float]
    ours: list[float]

    @property
    def ratios(self) -> list[float]:
        return [ours / plain for plain, ours in zip(self.plain, self.ours, strict=True)]


async def measure(pair: Pair, url: str, *, rounds: int, ids: Ids) -> Result:
    """Both clients in turn, in one process and one loop, so that a slow moment of the machine meets both."""
    async with pair.plain(url) as plain, pair.ours(url) as ours:
        for _ in range(WARM_UP_BATCHES):
            await batch(plain, ids.take(pair.calls_a_batch))
            await batch(ours, ids.take(pair.calls_a_batch))
        result = Result([], [])
        for number in range(rounds):
            turns = [(plain, result.plain), (ours, result.ours)]
            for call, seconds in turns if number % 2 else reversed(turns):
                seconds.append(await cpu_per_call(call, ids.take(pair.calls_a_batch)))
        return result


async def cpu_per_call(call: Call, ids: Sequence[str]) -> float:
    """Seconds of CPU that this process spends on each call of a batch."""
    gc.collect()  # neither pays for the other's garbage; then it stays on, as it does for users
    start = time.process_time()
    await batch(call, ids)
    return (time.process_time() - start) / len(ids)


# Instructions


def instructions_per_call(kind: str, who: str, url: str, *, unique_ids: bool) -> float:
    """What valgrind counts for one call more; the same to about 1 % each time."""
    few, many = (_counted(kind, who, url, calls, unique_ids=unique_ids) for calls in CALLS_UNDER_VALGRIND)
    return (many - few) / (CALLS_UNDER_VALGRIND[1] - CALLS_UNDER_VALGRIND[0])


def _counted(kind: str, who: str, url: str, calls: int, *, unique_ids: bool) -> int:
    role = ["--role", who, "--kind", kind, "--url", url, "--calls", str(calls), *(["--unique-ids"] * unique_ids)]
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        run = subprocess.run(
            [*valgrind, sys.executable, __file__, *role],
            env={**os.environ, "PYTHONHASHSEED": "0"},  # else the layout of every dict differs from run to run
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            sys.exit(f"valgrind failed:\n{run.stderr}")
        totals = re.search(r"^(?:totals|summary): (\d+)", Path(folder, "out").read_text(), re.MULTILINE)
    assert totals is not None
    return int(totals[1])


async def only_call(pair: Pair, who: str, url: str, calls: int, ids: Ids) -> None:
    """So many calls of one client, for valgrind to look at."""
    async with (pair.plain if who == "plain" else pair.ours)(url) as call:
        await batch(call, ids.take(calls))


# The report


def time_line(label: str, result: Result) -> str:
    """Median CPU of both and the median of the ratios, with quartiles."""
    plain, ours = (statistics.median(seconds) * 1e6 for seconds in (result.plain, result.ours))
    low, middle, high = statistics.quantiles(result.ratios, n=4)
    return f"{label:<24}{plain:>10.1f} µs{ours:>10.1f} µs{middle:>9.3f}   {low:.3f} to {high:.3f}"


def instruction_line(label: str, plain: float, ours: float) -> str:
    """Thousands of instructions of both, and their ratio."""
    return f"{label:<24}{plain / 1e3:>11.1f} k{ours / 1e3:>11.1f} k{ours / plain:>9.3f}   instructions (valgrind)"


def verdict(ratio: float) -> str:
    """The bar, and whether it is held."""
    words = "above it: FAIL" if ratio > BAR else "held, and the aim reached" if ratio <= AIM else "held"
    return f"bar for leads.get: at most {BAR:.2f} × plain aiohttp, aim {AIM:.2f}; {ratio:.3f} is {words}"


def report(options: argparse.Namespace) -> float:
    """Measure and print everything; the ratio that the bar is about."""
    print(f"CPU of one request, Python {platform.python_version()}, aiohttp {aiohttp.__version__},", end=" ")
    print(f"{CONCURRENCY} at a time, {options.rounds} rounds")
    print(f"{'':<24}{'plain aiohttp':>13}{'leavo_async':>13}{'ratio':>9}   quartiles")
    ids = Ids(unique=options.unique_ids)
    with running_server(__file__) as url:
        reads = asyncio.run(measure(PAIRS["reads"], url, rounds=options.rounds, ids=ids))
        print(time_line(PAIRS["reads"].label, reads))
        writes = asyncio.run(measure(PAIRS["writes"], url, rounds=max(2, options.rounds // 4), ids=ids))
        print(time_line(PAIRS["writes"].label + " (no bar)", writes))
        if options.instructions:
            report_instructions(url, unique_ids=options.unique_ids)
    ratio = statistics.median(reads.ratios)
    print(verdict(ratio))
    return ratio


def report_instructions(url: str, *, unique_ids: bool) -> None:
    """One line for each kind of call; or why there is none."""
    if shutil.which("valgrind") is None:
        print("instructions: skipped, valgrind is not installed (apt-get install valgrind)")
        return
    # Side by side: unlike time, a count does not change when the machine is busy.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = {
            (kind, who): pool.submit(instructions_per_call, kind, who, url, unique_ids=unique_ids)
            for kind in PAIRS
            for who in ("plain", "ours")
        }
        for kind, pair in PAIRS.items():
            print(instruction_line(pair.label, counts[kind, "plain"].result(), counts[kind, "ours"].result()))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="batches of each client (at least 2)")
    parser.add_argument("--unique-ids", action="store_true", help="another lead, so another URL, for each call")
    parser.add_argument("--instructions", action="store_true", help="also count instructions, with valgrind")
    parser.add_argument("--check", action="store_true", help=f"exit code 1 if the ratio is above {BAR}")
    for inner in ("--role", "--kind", "--url"):
        parser.add_argument(inner, help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2, for a median with quartiles")
    return options


def main() -> int:
    """The exit code."""
    options = arguments()
    if options.role == "server":
        asyncio.run(serve(Answering))
        return 0
    if options.role:
        ids = Ids(unique=options.unique_ids)
        asyncio.run(only_call(PAIRS[options.kind], options.role, options.url, options.calls, ids))
        return 0
    ratio = report(options)
    return 1 if options.check and ratio > BAR else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
