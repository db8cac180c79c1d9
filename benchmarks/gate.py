"""What the gate costs: CPU, wake-ups and memory, against a bare timer and against other limiters, in one process.

    python benchmarks/gate.py [--rounds 8] [--quick] [--uvloop] [--check]

The others are measured if they are installed: pip install pyrate-limiter throttled-py. How to read the tables:
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import math
import platform
import statistics
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from aiolimiter import AsyncLimiter
from bars import Bar

from leavo_async import RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.permit import Permit
from leavo_async._io.slots import Slots
from leavo_async.testing.virtual_time_loop import VirtualTimeLoop

MOST_TIMES_BARE = 2.0
MOST_MICROSECONDS = 20.0  # for a grant in virtual time
MOST_WAKE_UPS = 1.05  # for a grant
MOST_TIMERS = 1
MOST_BYTES = 2048  # for a waiter with its task

WAITERS = 10_000
WAITERS_IF_QUICK = 2000
RATES = (5000, 2000)
CALLS_A_BATCH = 2000  # where nobody waits
BATCHES_A_ROUND = 5
SLOTS = 32
ONE_IN = 3  # rounds with those for which there is no bar
LONGEST = 5.0  # seconds for one line in real time, for those that do not keep up with the rate

UNLIMITED = RateLimit(1_000_000_000, 1, 0)
NO_TURN = RateLimit(1, 86400, 0)  # nobody who waits gets a turn

Turn = Callable[[], None]
"""To be called by a call when its turn has come."""

Call = Callable[[Turn], Coroutine[Any, Any, None]]
"""One call: wait, say that the turn has come, give back what is to be given back."""


# The limiters


def clock() -> Callable[[], float]:
    """The one that a session chooses on this loop; uvloop's own stands still in between two turns."""
    return getattr(asyncio.get_running_loop(), "clock", time.monotonic)


def gate(limit: RateLimit) -> Call:
    """The gate as a session uses it: a new permit for each call, which takes a slot and a token."""
    gate = Gate([limit], clock=clock())
    slots = Slots(SLOTS)

    async def call(turn: Turn) -> None:
        permit = Permit(slots)
        await gate.acquire(permit)
        turn()
        gate.release(permit)

    return call


class Bare:
    """The least that keeps a rate in order: one timer, a deque of futures and a count of tokens."""

    def __init__(self, limit: RateLimit) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock()
        self._tokens, self._burst, self._rate = limit.burst, limit.burst, limit.rate
        self._filled_at = self._clock()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if not self._waiting and self._has_token():
            self._tokens -= 1
            return
        self._waiting.append(self._loop.create_future())
        if len(self._waiting) == 1:
            self._set_timer()
        await self._waiting[-1]

    def _wake(self) -> None:
        while self._waiting and self._has_token():
            future = self._waiting.popleft()
            if not future.done():
                self._tokens -= 1
                future.set_result(None)
        if self._waiting:
            self._set_timer()

    def _has_token(self) -> bool:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return self._tokens >= 1 - 1e-9  # what rounding takes

    def _set_timer(self) -> None:
        self._loop.call_later((1 - self._tokens) / self._rate, self._wake)


def bare(limit: RateLimit) -> Call:
    """`Bare`, which has nothing to give back."""
    limiter = Bare(limit)

    async def call(turn: Turn) -> None:
        await limiter.acquire()
        turn()

    return call


def aiolimiter(limit: RateLimit) -> Call:
    """AsyncLimiter with its own queue, which the gate never enters."""
    limiter = AsyncLimiter(limit.burst, limit.burst / limit.rate)

    async def call(turn: Turn) -> None:
        await limiter.acquire()
        turn()

    return call


def pyrate(limit: RateLimit) -> Call:
    """Its token bucket, without the 50 ms that it adds to each wait, and without its thread."""
    library = importlib.import_module("pyrate_limiter")
    rate = library.Rate(int(limit.rate * limit.per), int(limit.per * 1000), burst=int(limit.burst))

    class LoopClock(library.AbstractClock):  # type: ignore[misc, name-defined]
        _seconds = staticmethod(clock())

        def now(self) -> int:
            return int(self._seconds() * 1000)

    bucket = library.StateBucket([rate], algorithm=library.TokenBucket(), clock=LoopClock())
    limiter = library.Limiter(library.SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=0)

    async def call(turn: Turn) -> None:
        await limiter.try_acquire_async()
        turn()

    return call


def throttled(limit: RateLimit) -> Call:
    """Its GCRA in memory; it waits because it has a timeout."""
    library = importlib.import_module("throttled.asyncio")
    quota = library.per_duration(timedelta(seconds=limit.per), int(limit.rate * limit.per), burst=int(limit.burst))
    limiter = library.Throttled(key="key", using="gcra", quota=quota, store=library.MemoryStore(), timeout=3600)

    async def call(turn: Turn) -> None:
        await limiter.limit()
        turn()

    return call


async def no_limiter(turn: Turn) -> None:
    """What `call` itself costs; it is taken off where nobody waits."""
    turn()


@dataclass(frozen=True)
class Peer:
    """One limiter. package: what must be installed; not_virtual: why it cannot be measured in virtual time."""

    name: str
    make: Callable[[RateLimit], Call]
    package: str = "aiolimiter"
    not_virtual: str = ""


GATE, BARE, AIOLIMITER = Peer("gate", gate), Peer("bare timer", bare), Peer("aiolimiter", aiolimiter)
PYRATE = Peer("pyrate-limiter", pyrate, "pyrate-limiter")
THROTTLED = Peer("throttled-py", throttled, "throttled-py", "not measured: it reads time.monotonic and no other clock")


# Measuring


class Counts:
    """What a loop counts: its timers that fire, with their CPU time, and how many it has at the most."""

    fired = most_set = most_kept = 0
    seconds = 0.0

    def fire(self, callback: Any, *args: Any) -> None:
        """Run a timer's callback."""
        start = time.thread_time()
        callback(*args)
        self.seconds += time.thread_time() - start
        self.fired += 1


class CountingLoop(Counts, asyncio.SelectorEventLoop):
    """asyncio's loop, counting. It keeps cancelled timers for a while: `most_kept` has them, `most_set` has not."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        timer = super().call_at(when, self.fire, callback, *args, context=context)
        self.most_kept = max(self.most_kept, len(self._scheduled))
        self.most_set = max(self.most_set, len(self._scheduled) - self._timer_cancelled_count)
        return timer


class MovingLoop(VirtualTimeLoop):
    """Virtual time that passes at each turn, if little: aiolimiter sets timers for now where rounding left a crumb."""

    def _run_once(self) -> None:
        self.jump(0)
        super()._run_once()


class CountingMovingLoop(CountingLoop, MovingLoop):
    """Virtual time, counting."""


Loop = Callable[[], asyncio.AbstractEventLoop]


@dataclass(frozen=True)
class Mode:
    """A kind of time in which limiters are measured: a loop to measure CPU time, and one that counts timers."""

    loop: Loop
    counting: Loop
    limit: RateLimit
    waiters: int
    grants: float = math.inf  # how many are measured
    longest: float | None = None


@dataclass
class Queue:
    """What a queue has cost: seconds of CPU to ask and for a grant; grants a second; and how its timers fared."""

    to_ask: float
    to_grant: float
    rate: float
    wake_ups: float = math.nan
    share_of_timers: float = math.nan  # of the CPU, in what timers call
    most_set: int = 0
    most_kept: int = 0


async def queue(peer: Peer, mode: Mode) -> Queue:
    """So many tasks ask at once; what follows from then on, until enough of those that must wait are granted."""
    loop, now = asyncio.get_running_loop(), clock()
    call = peer.make(mode.limit)
    over = loop.create_future()
    granted, last = 0, math.inf

    def turn() -> None:
        nonlocal granted
        granted += 1
        if granted == last:
            over.set_result((time.process_time(), now()))

    gc.collect()  # nobody pays for another's garbage; then it stays on, as it does for users
    begin = time.process_time()
    tasks = [loop.create_task(call(turn)) for _ in range(mode.waiters)]
    await asyncio.sleep(0)  # now all have asked
    before, last = granted, min(granted + mode.grants, mode.waiters)
    if isinstance(loop, Counts):
        loop.fired, loop.seconds = 0, 0.0
    start, started_at = time.process_time(), now()
    await asyncio.wait([over], timeout=mode.longest)
    end, ended_at = over.result() if over.done() else (time.process_time(), now())
    count = granted - before
    found = Queue((start - begin) / mode.waiters, (end - start) / count, count / (ended_at - started_at))
    if isinstance(loop, Counts):
        found.wake_ups, found.share_of_timers = loop.fired / count, loop.seconds / (end - start)
        found.most_set, found.most_kept = loop.most_set, loop.most_kept
    await _cancel(tasks)
    return found


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def batch(call: Call) -> float:
    """Seconds of CPU for a call, where nobody waits."""
    gc.collect()
    start = time.process_time()
    for _ in range(CALLS_A_BATCH):
        await call(_nothing)
    return (time.process_time() - start) / CALLS_A_BATCH


def _nothing() -> None:
    pass


async def bytes_a_waiter(peer: Peer, waiters: int, *, with_task: bool) -> float:
    """What is kept for a call that waits; without its task: its coroutine, and all that the limiter keeps for it."""
    loop = asyncio.get_running_loop()
    call = peer.make(NO_TURN)
    await call(_nothing)  # the one that need not wait
    gc.collect()
    tasks: list[asyncio.Task[None]] = []
    coroutines: list[Coroutine[Any, Any, None]] = []
    tracemalloc.start()
    for _ in range(waiters):
        if with_task:
            tasks.append(loop.create_task(call(_nothing)))
        else:
            coroutines.append(call(_nothing))
            coroutines[-1].send(None)
    for _ in range(3):
        await asyncio.sleep(0)  # all have asked, and the loop has thrown away what it does not need
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await _cancel(tasks)
    for coroutine in coroutines:
        coroutine.close()
    return size / waiters


# All rounds


@dataclass
class Queues:
    """The queues of one limiter, with the ratio of each to the bare one of the same round; and one that was counted."""

    rounds: list[Queue] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    counted: Queue | None = None


def measure_batches(peers: Sequence[Peer], rounds: int) -> dict[Peer, list[float]]:
    """Seconds of CPU for a call where nobody waits, by turns, on one loop."""

    async def measure() -> dict[Peer, list[float]]:
        calls = {peer: peer.make(UNLIMITED) for peer in peers}
        found: dict[Peer, list[float]] = {peer: [] for peer in peers}
        for number in range(-1, rounds * BATCHES_A_ROUND):
            without = await batch(no_limiter)
            for peer in peers if number % 2 else reversed(peers):
                cost = await batch(calls[peer]) - without
                if number >= 0:  # the first is for warming up
                    found[peer].append(cost)
        return found

    return asyncio.run(measure())


def measure_queues(peers: Sequence[Peer], mode: Mode, rounds: int) -> dict[Peer, Queues]:
    """The queues of all limiters, by turns, each on a loop of its own: a slow moment of the machine meets all."""
    found = {peer: Queues() for peer in peers}
    for number in range(rounds):
        taking_part = [peer for peer in peers if peer in (GATE, BARE) or number % ONE_IN == 0]
        costs = {peer: run(mode.loop, peer, mode) for peer in (taking_part if number % 2 else reversed(taking_part))}
        for peer, cost in costs.items():
            found[peer].rounds.append(cost)
            found[peer].ratios.append(cost.to_grant / costs[BARE].to_grant)
    for peer in peers:
        found[peer].counted = run(mode.counting, peer, replace(mode, longest=None))
    return found


def run(loop: Loop, peer: Peer, mode: Mode) -> Queue:
    """One queue, on a loop of its own."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(queue(peer, mode))


def uvloop_loops() -> tuple[Loop, Loop]:
    """One to measure CPU time, and one that counts timers."""
    uvloop = importlib.import_module("uvloop")

    class CountingUvloop(Counts, uvloop.Loop):  # type: ignore[misc, name-defined]
        def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
            return super().call_later(delay, self.fire, callback, *args, context=context)

    return uvloop.new_event_loop, CountingUvloop


# The report


def report(options: argparse.Namespace) -> list[Bar]:
    """Measure and print everything; the bars."""
    peers = installed()
    packages = [f"{name} {version(name)}" for name in dict.fromkeys(peer.package for peer in peers)]
    print(f"CPU of the gate, Python {platform.python_version()}, {', '.join(packages)}, {options.rounds} rounds")
    report_batches(peers, options.rounds)
    bars = [*report_virtual(peers, options), *report_real(peers, options), *report_memory(options.waiters)]
    print("\nbars for the gate:", *bars, sep="\n")
    return bars


def installed() -> list[Peer]:
    """The limiters that can be measured; a line for each that cannot."""
    found = []
    for peer in (GATE, BARE, AIOLIMITER, PYRATE, THROTTLED):
        try:
            version(peer.package)
        except PackageNotFoundError:
            print(f"{peer.name}: left out, it is not installed (pip install {peer.package})")
        else:
            found.append(peer)
    return found


def report_batches(peers: Sequence[Peer], rounds: int) -> None:
    """CPU where nobody waits."""
    print(f"\nnobody waits\n{'':<16}{'µs a call':>10}   quartiles")
    for peer, costs in measure_batches(peers, rounds).items():
        print(f"{peer.name:<16}{statistics.median(costs) * 1e6:>10.2f}   {quartiles(costs, 1e6, 2)}")


def report_virtual(peers: Sequence[Peer], options: argparse.Namespace) -> list[Bar]:
    """CPU of a grant where time is virtual; its bars."""
    mode = Mode(MovingLoop, CountingMovingLoop, RateLimit(RATES[0], 1, 0), options.waiters)
    found = measure_queues([peer for peer in peers if not peer.not_virtual], mode, options.rounds)
    print_queues(f"{mode.waiters:,} wait, {RATES[0]}/s, virtual time", found)
    for peer in peers:
        if peer.not_virtual:
            print(f"{peer.name:<16}{'-':>10}   {peer.not_virtual}")
    cost = statistics.median(queue.to_grant for queue in found[GATE].rounds) * 1e6
    return [Bar("µs a grant, virtual time", MOST_MICROSECONDS, cost), *bars_of_timers("virtual time", found)]


def report_real(peers: Sequence[Peer], options: argparse.Namespace) -> list[Bar]:
    """CPU of a grant on the clock; its bars."""
    loops: tuple[Loop, Loop] = (asyncio.SelectorEventLoop, CountingLoop)
    name = "real time"
    if options.uvloop:
        loops, name, peers = uvloop_loops(), "uvloop", [GATE, BARE]
    bars = []
    for rate in RATES[:1] if options.quick else RATES:
        grants = rate / 5 if options.quick else rate
        mode = Mode(*loops, RateLimit(rate, 1, 0), options.waiters, grants, LONGEST)
        found = measure_queues(peers, mode, options.rounds)
        print_queues(f"{mode.waiters:,} wait, {rate}/s, {name}", found)
        where = f"{rate}/s, {name}"
        bars.append(Bar(f"× bare timer, {where}", MOST_TIMES_BARE, statistics.median(found[GATE].ratios)))
        bars += bars_of_timers(where, found)
    return bars


def print_queues(heading: str, found: dict[Peer, Queues]) -> None:
    """A line for each limiter."""
    print(f"\n{heading}\n{'':<16}{'µs a grant':>10}   {'quartiles':<16}{'× bare':>7}   {'quartiles':<14}", end="")
    print(f"{'in timers':>9}{'to ask':>8}{'wake-ups':>10}{'timers':>8}{'kept':>7}{'grants/s':>10}")
    for peer, queues in found.items():
        costs, counted = [queue.to_grant for queue in queues.rounds], queues.counted
        assert counted is not None
        print(f"{peer.name:<16}{statistics.median(costs) * 1e6:>10.1f}   {quartiles(costs, 1e6, 1):<16}", end="")
        print(f"{statistics.median(queues.ratios):>7.2f}   {quartiles(queues.ratios, 1, 2):<14}", end="")
        print(f"{counted.share_of_timers:>9.0%}", end="")
        print(f"{statistics.median(queue.to_ask for queue in queues.rounds) * 1e6:>8.1f}", end="")
        print(f"{counted.wake_ups:>10.2f}{counted.most_set or '-':>8}{counted.most_kept or '-':>7}", end="")
        print(f"{statistics.median(queue.rate for queue in queues.rounds):>10.0f}")


def bars_of_timers(where: str, found: dict[Peer, Queues]) -> list[Bar]:
    """Those about wake-ups and timers; uvloop does not tell how many timers it has."""
    counted = found[GATE].counted
    assert counted is not None
    timers = [Bar(f"timers at a time, {where}", MOST_TIMERS, counted.most_set)] if counted.most_set else []
    return [Bar(f"wake-ups a grant, {where}", MOST_WAKE_UPS, counted.wake_ups), *timers]


def report_memory(waiters: int) -> list[Bar]:
    """Bytes for each that waits; its bar."""
    print(f"\n{waiters:,} wait\n{'':<16}{'bytes a waiter':>15}{'without its task':>19}")
    found = {}
    for peer in (GATE, BARE, AIOLIMITER):
        found[peer] = asyncio.run(bytes_a_waiter(peer, waiters, with_task=True))
        without = asyncio.run(bytes_a_waiter(peer, waiters, with_task=False))
        print(f"{peer.name:<16}{found[peer]:>15.0f}{without:>19.0f}")
    return [Bar("bytes a waiter, with its task", MOST_BYTES, found[GATE])]


def quartiles(values: Sequence[float], times: float, digits: int) -> str:
    """Half of the values lie between them; nothing if there are too few."""
    if len(values) < 4:
        return ""
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low * times:.{digits}f} to {high * times:.{digits}f}"


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="queues of each limiter (at least 1)")
    parser.add_argument("--quick", action="store_true", help="one round, one rate and 2,000 waiters: a first look")
    parser.add_argument("--uvloop", action="store_true", help="real time on uvloop, the gate and the bare timer only")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar is not held")
    options = parser.parse_args()
    options.waiters = WAITERS
    if options.quick:
        options.rounds, options.waiters = 1, WAITERS_IF_QUICK
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if options.uvloop and importlib.util.find_spec("uvloop") is None:
        parser.error("--uvloop: it is not installed (pip install uvloop)")
    return options


def main() -> int:
    """The exit code."""
    options = arguments()
    bars = report(options)
    return 1 if options.check and not all(bar.is_held for bar in bars) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
