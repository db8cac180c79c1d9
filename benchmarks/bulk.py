"""Imports: what a row costs into the journal, through it, and as a whole; and how much of a limit an import uses.

    python benchmarks/bulk.py [--spool] [--journal] [--pipeline] [--limit] [--rows 10000] [--quick] [--check]

Without a section all four are measured. Servers are on 127.0.0.1; files are made in the folder for temporary ones. How
to read the tables: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gc
import json
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
from aiolimiter import AsyncLimiter
from bars import Bar
from overhead import Answering
from peer import running_server, serve

from leavo_async import LeavoClient, RateLimit
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.facts import Facts
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.journal import Journal, Spooled, Verdict
from leavo_async.bulk.spool import Spooler
from leavo_async.bulk.writer import Writer
from leavo_async.sandbox import Sandbox, SlidingLog

MOST_GROWTH = 20.0  # MiB, from a tenth of the rows to the end
MOST_MICROSECONDS = 40.0  # CPU of a row, for the intent and the result

ROWS, ROWS_IF_QUICK = 1_000_000, 5000
SENT, SENT_IF_QUICK = 10_000, 300
ROUNDS = 3
BATCH = 128  # rows a commit
CONCURRENCY = 32  # what an import takes where there is no limit
RATES = (600, 6000)  # requests a minute
WINDOWS = 3
WINDOW, WINDOW_IF_QUICK = 6.0, 0.3  # seconds, in place of a minute
IN_MEMORY = Path("/dev/shm")

KEY = "made-up-key-1"
LEADS_PATH = "/backend/leads"
BODY = b'{"name":"Ana Souza","phone":"+5511999990000","email":"ana@example.com","company":"Example 17"}'


# What is imported


def write_leads(path: Path, rows: int) -> None:
    """A CSV file of leads, 107 bytes each: one in a hundred has the phone of an earlier one, one in a thousand none."""
    draw = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("name,phone,email,company,custom_fields.plan,custom_fields.note\n")
        for n in range(rows):
            other = draw.randrange(n) if n % 100 == 99 else n
            phone = "" if n % 1000 == 500 else f"+55119{other:08d}"
            plan = draw.choice(("free", "basic", "gold"))
            file.write(f"Ana Souza {n},{phone},ana.{n:07d}@example.com,Example {draw.randrange(10**6)},{plan},")
            file.write("met at the fair in hall 12 B04\n")


def client(url: str, key: str = KEY, limits: Sequence[RateLimit] = (), **options: Any) -> LeavoClient:
    return LeavoClient(key, base_url=url, allow_insecure_loopback=True, limits=limits, **options)


# Memory


class Memory:
    """Resident memory of this process, looked at twice a second, beside the rows that are through. Linux only."""

    def __init__(self, rows: int) -> None:
        self.through = 0
        self._rows = rows
        self._seen: list[tuple[int, float]] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def told(self) -> dict[str, float]:
        """MiB: the most at any time, and how much more than after a tenth of the rows it became."""
        self._look()
        late = [size for through, size in self._seen if through * 10 >= self._rows]
        return {"peak": _status("VmHWM"), "growth": max(late) - late[0]}

    def _watch(self) -> None:
        while True:
            self._look()
            time.sleep(0.5)

    def _look(self) -> None:
        self._seen.append((self.through, _status("VmRSS")))


def _status(name: str) -> float:
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(f"{name}:"))


# From the file into the journal, in a process of its own


class Times:
    """Seconds, wall and CPU, by what they were used for."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall[what] = self.wall.get(what, 0.0) + time.perf_counter() - wall
            self.cpu[what] = self.cpu.get(what, 0.0) + time.process_time() - cpu

    def watch(self, owner: Any, name: str, after: Callable[..., None] = lambda *given: None) -> None:
        """Measure every call of a method of a class; after: called with what it was given."""
        method = getattr(owner, name)

        def measured(*given: Any) -> Any:
            with self.of(name):
                found = method(*given)
            after(*given)
            return found

        setattr(owner, name, measured)


async def spool(path: Path, rows: int, folder: Path) -> dict[str, Any]:
    """The first half of an import: all that `prepare` does."""
    times, memory = Times(), Memory(rows)

    def count(journal: Journal, chunk: object) -> None:
        memory.through = min(memory.through + 2000, rows)

    times.watch(Spooler, "take")
    times.watch(Journal, "spool", count)
    times.watch(Journal, "skip_repeated")
    times.watch(Journal, "index")
    async with client("http://127.0.0.1:1") as leavo:
        job = BulkJob(leavo, LEADS, path, journal_dir=folder)
        with times.of("prepare"):
            plan = await job.prepare()
        await job.aclose()
    assert plan.rows == rows
    return {"wall": times.wall, "cpu": times.cpu, "size": plan.size / 2**20, **memory.told()}


def report_spool(folder: Path, rows: int) -> list[Bar]:
    path = folder / "leads.csv"
    write_leads(path, rows)
    found = in_process("spool", rows, folder)
    print(f"\n{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB of CSV, into a journal of {found['size']:.0f} MiB")
    print(f"{'':36}{'seconds':>9}{'rows/s':>9}{'CPU µs a row':>14}")
    for what, name in SPOOLED.items():
        wall, cpu = found["wall"][name], found["cpu"][name]
        print(f"{what:36}{wall:9.2f}{rows / wall:9,.0f}{cpu / rows * 1e6:14.2f}")
    return [memory_bar("spool", found)]


SPOOLED = {
    "read, map, check, write": "take",
    "find rows with the same phone": "skip_repeated",
    "index": "index",
    "all of prepare()": "prepare",
}


def memory_bar(what: str, found: dict[str, Any]) -> Bar:
    print(f"{'peak of resident memory':36}{found['peak']:9.1f} MiB, {found['growth']:.1f} more than after a tenth")
    return Bar(f"{what}: MiB more than after a tenth of the rows", MOST_GROWTH, found["growth"])


# Through the journal, in a process of its own


def filled(folder: Path, rows: int) -> Journal:
    """A journal of so many rows to be sent, open as for a run."""
    told: dict[str, Any] = dict.fromkeys(Facts._fields, "")
    others: dict[str, Any] = {"columns": (), "left_out": (), "ignored": (), "mapping": {}, "same_by": ()}
    numbers: dict[str, Any] = {"created": 0.0, "limit_per_minute": None, "empty": 0}
    path = folder / f"{time.time_ns()}.db"
    journal = Journal.create(path, Facts(**{**told, **others, **numbers}))
    with journal.transaction():
        digest = b"0123456789abcdef"
        journal.spool(Spooled(n, n + 1, None, "pending", BODY, BODY, digest) for n in range(1, rows + 1))
        journal.index()
    journal.close()
    return Journal.open(path)


DONE = Verdict("done", "created", 201, id="3f0c7c1e-8d5b-4f7e-9a53-0b8f2a6d4c11", attempts=1)


def through_journal(journal: Journal, times: Times, memory: Memory) -> None:
    """What a run does with each row, without the run."""
    while True:
        with times.of("claim"):
            rows = journal.pending(memory.through, BATCH)
        if not rows:
            return
        with times.of("change"), journal.transaction():
            for row in rows:
                journal.intend(row.n, 1.0)
        with times.of("change"), journal.transaction():
            for row in rows:
                journal.record(row.n, DONE, 2.0)
        memory.through = rows[-1].n


async def through_writer(journal: Journal, rows: int, times: Times) -> None:
    """So many calls that all want their row written before they begin, and have its result written afterwards."""
    writer = Writer(journal)

    async def send(n: int) -> None:
        await writer.intend(n, 1.0)
        writer.record(n, DONE, 2.0)

    for first in range(1, rows + 1, BATCH):
        with times.of("writer"):
            await asyncio.gather(*(send(n) for n in range(first, min(first + BATCH, rows + 1))))
    await writer.aclose()


def journal(rows: int, folder: Path) -> dict[str, Any]:
    journal, memory, times = filled(folder, rows), Memory(rows), Times()
    through_journal(journal, times, memory)
    assert journal.counts() == {"done": rows}
    journal.close()
    told = memory.told()
    few = max(rows // 10, BATCH)
    asyncio.run(through_writer(filled(folder, few), few, times))
    return {"wall": times.wall, "cpu": times.cpu, "few": few, **told}


def report_journal(folder: Path, rows: int) -> list[Bar]:
    found = in_process("journal", rows, folder)
    print(f"\nIntent and result of {rows:,} rows, {BATCH} rows a commit, synchronous=FULL")
    print(f"{'':36}{'µs a row':>9}{'CPU µs a row':>14}")
    lines = {"both, by the journal": "change", "both, by the writer's thread": "writer", "claim": "claim"}
    for what, name in lines.items():
        count = found["few"] if name == "writer" else rows
        print(f"{what:36}{found['wall'][name] / count * 1e6:9.1f}{found['cpu'][name] / count * 1e6:14.2f}")
    cost = found["cpu"]["change"] / rows * 1e6
    return [Bar("journal: CPU µs a row", MOST_MICROSECONDS, cost), memory_bar("journal", found)]


def in_process(role: str, rows: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--role", role, "--rows", str(rows), "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


# The whole, beside a script


def body_of(row: dict[str, str]) -> dict[str, Any]:
    """What a script would send for a row of the file."""
    custom = {"plan": row.pop("custom_fields.plan"), "note": row.pop("custom_fields.note")}
    return {**row, "custom_fields": custom}


async def by_hand(url: str, path: Path, *, closing: bool = False, limiter: AsyncLimiter | None = None) -> None:
    """What people write: no journal, no retries, no check. closing: a new connection for each row, as an import has."""
    slots = asyncio.Semaphore(CONCURRENCY)
    connector = aiohttp.TCPConnector(force_close=closing)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def send(row: dict[str, str]) -> None:
            async with slots:
                if limiter is not None:
                    await limiter.acquire()
                async with session.post(f"{url}{LEADS_PATH}", json=body_of(row)) as answer:
                    await answer.json()

        with path.open(encoding="utf-8", newline="") as file:
            await asyncio.gather(*(send(row) for row in csv.DictReader(file)))


async def created(url: str, path: Path) -> None:
    """The same with this library, and without a journal."""
    slots = asyncio.Semaphore(CONCURRENCY)
    async with client(url) as leavo:

        async def send(row: dict[str, str]) -> None:
            async with slots:
                # The file's few rows without a phone would be refused before anything is sent.
                lead = {**body_of(row), "phone": row["phone"] or "+5511900000000"}
                await leavo.leads.create(**lead)

        with path.open(encoding="utf-8", newline="") as file:
            await asyncio.gather(*(send(row) for row in csv.DictReader(file)))


async def imported(url: str, path: Path, folder: Path, **options: Any) -> None:
    """The same by an import, whose journal is somewhere in that folder."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        async with client(url, **options) as leavo:
            report = await leavo.leads.import_(path, journal_dir=place, progress=False)
    assert report.is_finished


def ways_of(url: str, path: Path, folder: Path) -> dict[str, Callable[[], Awaitable[None]]]:
    memory = IN_MEMORY if IN_MEMORY.is_dir() else folder
    return {
        "script": lambda: by_hand(url, path),
        "script, a connection for each row": lambda: by_hand(url, path, closing=True),
        "leads.create": lambda: created(url, path),
        "leads.import_": lambda: imported(url, path, folder),
        "  journal in memory": lambda: imported(url, path, memory),
        "  and keys honoured": lambda: imported(url, path, memory, idempotency="honoured"),
    }


async def report_pipeline(folder: Path, rows: int, rounds: int) -> list[Bar]:
    """By turns in one process; the server is another one."""
    path = folder / "some.csv"
    write_leads(path, rows)
    with running_server(__file__) as url:
        ways = ways_of(url, path, folder)
        found = [{way: await cost(work()) for way, work in ways.items()} for _ in range(rounds)]
    print(f"\n{rows:,} rows, {CONCURRENCY} at a time, from the file to a server without a limit, {rounds} rounds")
    print(f"{'':36}{'µs a row':>9}{'×':>7}{'CPU µs a row':>14}{'×':>7}")
    script = next(iter(ways))
    for way in ways:
        told = ""
        for kind, width in ((0, 9), (1, 14)):
            middle = statistics.median(each[way][kind] for each in found) / rows * 1e6
            ratio = statistics.median(each[way][kind] / each[script][kind] for each in found)
            told += f"{middle:{width}.0f}{ratio:7.2f}"
        print(f"{way:36}{told}")
    return []


async def cost(work: Awaitable[None]) -> tuple[float, float]:
    """Seconds, wall and CPU."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return time.perf_counter() - wall, time.process_time() - cpu


# At a limit


async def report_limit(folder: Path, window: float, rates: Sequence[int]) -> list[Bar]:
    """One after the other, each with a server of its own in this process: there is time enough."""
    print(f"\n{WINDOWS} windows of {window:g} s in place of a minute: what was admitted, of what the limit admits")
    print(f"{'':36}{'limit':>9}{'share':>9}{'429s':>7}")
    path = folder / "many.csv"
    for rate in rates:
        count = round(rate * window / 60)
        write_leads(path, count * (WINDOWS + 1))  # the script's first window has twice as many
        # The way to the server varies by a sixtieth of a window, as by a second in a minute.
        limit = RateLimit(count, window, spread=window / 60)
        print(told_share("leads.import_", rate, await at_limit(count, window, limited(path, folder, limit))))
        print(told_share("script with aiolimiter", rate, await at_limit(count, window, scripted(path, limit))))
    return []


Work = Callable[[str], Awaitable[None]]


def limited(path: Path, folder: Path, limit: RateLimit) -> Work:
    return lambda url: imported(url, path, folder, limits=[limit])


def scripted(path: Path, limit: RateLimit) -> Work:
    return lambda url: by_hand(url, path, limiter=AsyncLimiter(limit.requests, limit.per))


async def at_limit(count: int, window: float, work: Work) -> tuple[float, int]:
    """The share of the limit that was used in the first windows, and how often more was asked."""
    async with Sandbox(key=KEY, limit=lambda: SlidingLog(count, window)) as sandbox:
        await work(sandbox.url)
        asked = sandbox.ledger.requests
    counted = [entry for entry in asked if entry.at < asked[0].at + WINDOWS * window]
    admitted = sum(entry.admitted for entry in counted)
    return admitted / (count * WINDOWS), sum(entry.status == 429 for entry in counted)


def told_share(what: str, rate: int, found: tuple[float, int]) -> str:
    return f"{what:36}{rate:5}/min{found[0]:9.1%}{found[1]:7}"


# All of it


def report(options: argparse.Namespace) -> list[Bar]:
    quick, bars = options.quick, []
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "pydantic", "aiolimiter"))
    print(f"Python {platform.python_version()}, {packages}, SQLite {sqlite3.sqlite_version}")
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = ROWS_IF_QUICK if quick else ROWS
        if options.spool:
            bars += report_spool(folder, rows)
        if options.journal:
            bars += report_journal(folder, rows)
        if options.pipeline:
            sent = options.rows or (SENT_IF_QUICK if quick else SENT)
            bars += asyncio.run(report_pipeline(folder, sent, 1 if quick else ROUNDS))
        if options.limit:
            window, rates = (WINDOW_IF_QUICK, RATES[1:]) if quick else (WINDOW, RATES)
            bars += asyncio.run(report_limit(folder, window, rates))
    print(f"load at the end: {os.getloadavg()[0]:.1f}", "", *bars, sep="\n")
    return bars


SECTIONS = ("spool", "journal", "pipeline", "limit")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spool", action="store_true", help="from a file of a million rows into the journal")
    parser.add_argument("--journal", action="store_true", help="a million rows through the journal")
    parser.add_argument("--pipeline", action="store_true", help="the whole, beside a script")
    parser.add_argument("--limit", action="store_true", help="the share of a limit that is used")
    parser.add_argument("--rows", type=int, help="of the whole; default 10,000")
    parser.add_argument("--quick", action="store_true", help="a few rows of each, for a first look")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument(
        "--role", choices=["benchmark", "server", "spool", "journal"], default="benchmark", help=argparse.SUPPRESS
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not any(getattr(options, section) for section in SECTIONS):
        for section in SECTIONS:
            setattr(options, section, True)
    return options


def main() -> int:
    options = arguments()
    if options.role == "server":
        asyncio.run(serve(Answering))
    elif options.role == "spool":
        print(json.dumps(asyncio.run(spool(options.folder / "leads.csv", options.rows, options.folder))))
    elif options.role == "journal":
        print(json.dumps(journal(options.rows, options.folder)))
    else:
        bars = report(options)
        return int(options.check and not all(bar.is_held for bar in bars))
    return 0


if __name__ == "__main__":
    sys.exit(main())
