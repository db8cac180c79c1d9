"""Half an hour over a bad network, with fifty tasks at work, and the server's own book to compare with afterwards.

    SOAK_SECONDS=120 pytest -m torture tests/faults/test_soak.py -s

The servers run in a process of their own, this file as a script, so that the memory measured is the client's alone.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from leavo_async import (
    AttemptRecord,
    LeavoClient,
    LeavoError,
    NotFoundError,
    OutcomeUnknownError,
    ReadError,
    RetryPolicy,
)
from leavo_async.sandbox import Sandbox
from leavo_async.testing import FaultProxy, Weather

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
SEED = int(os.environ.get("SOAK_SEED", "78"))
TASKS = 50
# 300 ms ± 200 ms there and back, 64 KB a second on each connection, a reset in place of one chunk in a hundred.
WEATHER = Weather(latency=0.15, jitter=0.1, bytes_per_second=64 * 1024, reset_chance=0.01)
# One kept connection lives for 4 s without work, and aiohttp looks at them as often; the client's own is twice that.
SETTLING = 9
# The most leads that one task holds at a time: with more, the test itself would grow.
MOST_HELD = 10
# What the parts of the interpreter that are loaded late may still take.
SLACK = 3 * 2**20
FLAT = 1.05
PROC = Path("/proc/self")
MODES = ("honoured", "ignored")


@pytest.mark.torture(real_time=True)
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.asyncio
@pytest.mark.skipif(not (PROC / "statm").exists(), reason="sockets and memory are counted in /proc")
async def test_half_an_hour_over_a_bad_network_loses_and_doubles_nothing(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """What fifty tasks were told is what the server has done; no socket stays, and memory does not grow."""
    book = Book(tmp_path / "reported.txt")
    memory: list[int] = []
    async with served() as (told, finish):
        before = sockets()
        clients = {mode: client(told[mode], mode, book) for mode in MODES}
        end = time.monotonic() + SECONDS
        workers = [Worker(number, clients[MODES[number % 2]], book) for number in range(TASKS)]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sampled(memory, end))
            for worker in workers:
                tasks.create_task(worker.work(end))
        in_use = [slots_and_connections(each) for each in clients.values()]
        await asyncio.sleep(SETTLING)
        idle = sockets() - before
        for each in clients.values():
            await each.aclose()
        await asyncio.sleep(0.2)
        left = sockets() - before
        seen = await finish()
    book.close()
    facts = compared(workers, book, seen)
    first, second = halves(memory)
    figures = {
        **facts,
        **book.figures(),
        "requests": sum(each["requests"] for each in seen.values()),
        "connections": sum(each["connections"] for each in seen.values()),
        "sockets while idle": idle,
        "sockets after closing": left,
        "open at the proxies": sum(each["open"] for each in seen.values()),
        "RSS MiB": (round(first / 2**20, 2), round(second / 2**20, 2)),
    }
    record_property("figures", json.dumps(figures))
    print(f"\n{SECONDS:g} s, {TASKS} tasks, seed {SEED}:")
    print("\n".join(f"  {name}: {value}" for name, value in figures.items()))

    assert book.attempts["ReadError"] > 0
    assert [(0, 0)] * 2 == in_use
    assert (0, 0, 0) == (idle, left, figures["open at the proxies"])
    assert {"lost": 0, "doubled": 0, "sent twice": 0, "unexpected": {}, "wrong": 0} == {
        name: figures[name] for name in ("lost", "doubled", "sent twice", "unexpected", "wrong")
    }
    assert second <= first * FLAT + SLACK


class Book:
    """What the client has said, on disk: in memory it would grow with the time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.attempts: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()
        self.wrong = 0
        self._file = path.open("w")

    def note(self, record: AttemptRecord) -> None:
        self.attempts[record.problem or "well"] += 1

    def report(self, kind: str, lead_id: str) -> None:
        self.calls[kind] += 1
        self._file.write(f"{kind} {lead_id}\n")

    def close(self) -> None:
        self._file.close()

    def reported(self, kind: str) -> Counter[str]:
        lines = (line.split() for line in self.path.read_text().splitlines())
        return Counter(lead_id for what, lead_id in lines if what == kind)

    def figures(self) -> dict[str, Any]:
        return {
            "calls": dict(self.calls),
            "attempts": dict(self.attempts),
            "unknown, then looked up": dict(self.unknown),
            "unexpected": dict(self.unexpected),
            "wrong": self.wrong,
        }


@dataclass
class Held:
    """A lead as its task believes it to be."""

    id: str
    phone: str
    company: str


@dataclass
class Worker:
    """One task: it makes leads, reads, changes and deletes them, and believes what it is told."""

    number: int
    leavo: LeavoClient
    book: Book
    held: list[Held] = field(default_factory=list)

    async def work(self, end: float) -> None:
        chance = Random(f"{SEED} {self.number}")
        for turn in itertools.count():
            if time.monotonic() >= end:
                return
            try:
                await self._turn(chance, turn)
            except LeavoError as error:
                self.book.unexpected[f"{type(error).__name__}: {error.outcome}"] += 1
                print(f"task {self.number}: {error}\n{error.story}", file=sys.stderr)

    async def _turn(self, chance: Random, turn: int) -> None:
        what = chance.choices(("create", "read", "list", "update", "delete"), (4, 4, 1, 4, 3))[0]
        lead = chance.choice(self.held) if self.held else None
        if lead is None or (what == "create" and len(self.held) < MOST_HELD):
            await self._create(turn)
        elif what == "list":
            await self._list(lead)
        elif what == "update":
            await self._update(lead, f"company {turn}")
        elif what == "read":
            await self._read(lead)
        else:
            await self._delete(lead)

    async def _create(self, turn: int) -> None:
        phone = f"+5511{self.number:02}{turn:07}"
        name = f"Lead {self.number} {turn}"
        while True:
            try:
                lead_id = (await self.leavo.leads.create(name=name, phone=phone, company="none")).id
            except OutcomeUnknownError as error:
                # As the error asks: look it up, and only then make it again.
                self.book.unknown[f"create, {error.lookup}"] += 1
                found = await self.leavo.leads.list(search=phone).collect()
                if not found:
                    continue
                lead_id = found[0].id
            self.held.append(Held(lead_id, phone, "none"))
            self.book.report("created", lead_id)
            return

    async def _read(self, lead: Held) -> None:
        self._compare(lead, await self.leavo.leads.get(lead.id))

    async def _list(self, lead: Held) -> None:
        """Its own phone, or a whole page: that takes the throttle half a second."""
        mine = f"+5511{self.number:02}"
        found = {each.id: each for each in await self.leavo.leads.list(search=mine).collect()}
        self._compare(lead, found.get(lead.id))
        self.book.wrong += found.keys() != {each.id for each in self.held}

    def _compare(self, lead: Held, found: Any) -> None:
        self.book.calls["read"] += 1
        expected = (lead.id, lead.phone, lead.company)
        self.book.wrong += found is None or expected != (found.id, found.phone, found.company)

    async def _update(self, lead: Held, company: str) -> None:
        try:
            found = await self.leavo.leads.update(lead.id, company=company)
        except ReadError:
            self.book.unknown["update"] += 1
            found = await self.leavo.leads.get(lead.id)
            company = company if found.company == company else lead.company
        lead.company = company
        self._compare(lead, found)
        self.book.report("updated", lead.id)

    async def _delete(self, lead: Held) -> None:
        try:
            await self.leavo.leads.delete(lead.id)
        except ReadError:
            self.book.unknown["delete"] += 1
            try:
                await self.leavo.leads.get(lead.id)
            except NotFoundError:
                pass
            else:
                return
        self.held.remove(lead)
        self.book.report("deleted", lead.id)


def client(told: dict[str, Any], mode: Any, book: Book) -> LeavoClient:
    return LeavoClient(
        told["key"],
        base_url=told["url"],
        allow_insecure_loopback=True,
        limits=(),
        max_in_flight=TASKS,
        timeout=10,
        idempotency=mode,
        retry=RetryPolicy(first_delay=0.2),
        observers=[book.note],
    )


def slots_and_connections(leavo: LeavoClient) -> tuple[int, int]:
    engine = leavo._engine
    assert engine is not None
    transport: Any = engine.transport
    in_use = sum(len(each.connector._acquired) for each in (transport._kept, transport._fresh))  # type: ignore[union-attr]
    return engine.slots.used, in_use


def compared(workers: list[Worker], book: Book, seen: dict[str, Any]) -> dict[str, int]:
    """The servers' books against what the client said."""
    effects = Counter((kind, lead_id) for each in seen.values() for kind, lead_id in each["effects"])
    there = {lead["id"]: lead for each in seen.values() for lead in each["leads"]}
    held = {lead.id: lead for worker in workers for lead in worker.held}
    lost = doubled = 0
    for kind in ("created", "deleted", "updated"):
        done = Counter({lead_id: count for (what, lead_id), count in effects.items() if what == kind})
        said = book.reported(kind)
        lost += (said - done).total()
        if kind != "updated":  # of those a repeat shows as an effect of its own, which is no harm
            doubled += (done - said).total()
    lost += sum(lead_id not in there or there[lead_id]["company"] != lead.company for lead_id, lead in held.items())
    doubled += len(there.keys() - held.keys())
    return {"lost": lost, "doubled": doubled, "sent twice": seen["ignored"]["twice"]}


def sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for descriptor in (PROC / "fd").iterdir():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:  # that of the listing itself
            pass
    return count


async def sampled(memory: list[int], end: float) -> None:
    """The resident memory in bytes, once a second."""
    while time.monotonic() < end:
        gc.collect(0)
        memory.append(int((PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        await asyncio.sleep(1)


def halves(memory: list[int]) -> tuple[float, float]:
    """The medians of both halves, without a tenth at the beginning that warms up."""
    warm = memory[len(memory) // 10 :]
    middle = len(warm) // 2
    return statistics.median(warm[:middle]), statistics.median(warm[middle:])


# The other process


@asynccontextmanager
async def served() -> AsyncIterator[tuple[dict[str, Any], Any]]:
    """What a client must know of the two servers, and a function that ends them and tells what they have seen."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    async def finish() -> dict[str, Any]:
        output, _ = await process.communicate(b"\n")
        seen: dict[str, Any] = json.loads(output)
        return seen

    try:
        yield json.loads(await process.stdout.readline()), finish
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def serve() -> None:
    """One sandbox that honours idempotency keys and one that ignores them, each behind bad weather, until told."""
    # Each with a seed of its own: from the same one both would give the same ids.
    sandboxes = {mode: Sandbox(idempotency=mode, seed=SEED + n) for n, mode in enumerate(MODES)}  # type: ignore[arg-type]
    honoured, ignored = sandboxes.values()
    async with honoured, ignored:
        proxies = {
            mode: FaultProxy(sandbox.url, up=WEATHER, down=WEATHER, seed=SEED) for mode, sandbox in sandboxes.items()
        }
        first, second = proxies.values()
        async with first, second:
            told = {mode: {"url": proxies[mode].url, "key": sandboxes[mode].key} for mode in MODES}
            print(json.dumps(told), flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            print(json.dumps({mode: seen(sandboxes[mode], proxies[mode]) for mode in MODES}), flush=True)


def seen(sandbox: Sandbox, proxy: FaultProxy) -> dict[str, Any]:
    ledger = sandbox.ledger
    keys = Counter(request.idempotency_key for request in ledger.requests if request.method == "POST")
    return {
        "effects": [(effect.kind, effect.id) for effect in ledger.effects],
        "leads": sandbox.leads,
        "twice": sum(count > 1 for count in keys.values()),
        "requests": len(ledger.requests),
        "connections": proxy.connections,
        "open": proxy.open,
    }


if __name__ == "__main__":
    asyncio.run(serve())
