"""The gate in random worlds, in virtual time: whatever comes together, it breaks none of its promises."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Iterable

import pytest

from leavo_async import DailyCap, RateLimit
from leavo_async._io.gate import Gate
from leavo_async._io.permit import Permit, RefusedError
from leavo_async._io.slots import Slots
from leavo_async._sansio.limits import Limit
from leavo_async._sansio.priority import EVERY, PRIORITIES
from leavo_async._sansio.quotas import Quota
from leavo_async.testing import VirtualTimeLoop

from .gates import TEN_A_SECOND, permit

LIMITS: list[list[Limit]] = [
    [],
    [TEN_A_SECOND],
    [TEN_A_SECOND, RateLimit(3, 1, 0, "m")],
    [RateLimit(50, 1, 0), RateLimit(700, 60, 0)],
    [RateLimit(100, 1, 0), RateLimit(5, 1, 0, "n"), RateLimit(3, 1, 0, "m")],
    [RateLimit(60), RateLimit(30, 60, 1, "m"), DailyCap(200, "m")],
    [RateLimit(20, 1, 0), DailyCap(30), DailyCap(None, "n")],
]
DAY = 80_000.0  # shorter than a real one: no cap has room again within it
CRUMB = 1e-6
# A share that was learned grows by 2 % at a window's end; a timer that is set already stays as it is.
GROWTH = 0.03


class Loop(VirtualTimeLoop):
    """Virtual time that says so before it passes: then all have done what they could."""

    at_rest: Callable[[], None]

    def jump(self, seconds: float) -> None:
        self.at_rest()
        super().jump(seconds)


class Books:
    """What is used of each limit, reckoned apart from the gate."""

    def __init__(self, limits: Iterable[Limit], now: float) -> None:
        self.used, self.now = dict.fromkeys(limits, 0.0), now

    def until(self, now: float) -> dict[Limit, float]:
        for limit, used in self.used.items():
            leaked = (now - self.now) * limit.rate if isinstance(limit, RateLimit) else 0
            self.used[limit] = max(0.0, used - leaked)
        self.now = now
        return self.used

    def use(self, groups: tuple[str, ...]) -> list[Limit]:
        """The limits that are exceeded by one more."""
        self.used |= {limit: used + 1 for limit, used in self.used.items() if limit.group in (None, *groups)}
        return [limit for limit, used in self.used.items() if used > most(limit) + CRUMB]


def most(limit: Limit) -> float:
    return limit.burst if isinstance(limit, RateLimit) else limit.requests or math.inf


class WatchedGate(Gate):
    """A gate that writes down each promise that it breaks, with the moment and its state."""

    def __init__(self, limits: list[Limit], now: Callable[[], float]) -> None:
        self.broken: list[str] = []
        self.passed_over = 0
        self.books: Books | None = Books(limits, now())
        self.on_grant: Callable[[Permit], None]
        super().__init__(limits, clock=now, wall=lambda: now() + 1.7e9)

    def expect(self, kept: bool, promise: str, *found: object) -> None:
        if not kept:
            lines = [(line.groups, line.rank, line.slots, line.waiting) for line in self._queues.lines.values()]
            self.broken.append(f"at {self.now():.6f}, expected {promise}: {found}; {self!r}; {lines}")

    def heads(self) -> dict[Permit, float]:
        """The first of each line, with the seconds until it could go."""
        firsts = [waiting[0] for line in self._queues.lines.values() if (waiting := line.permits())]
        return {first: self.delay(first.groups) if first.slots.free else math.inf for first in firsts}

    def grant(self, permit: Permit) -> RefusedError | None:
        self.expect(permit.slots.free > 0, "a free slot", permit.slots)
        self.expect(self._pause.delay() < CRUMB, "no grant in a hold", self._pause.delay())
        self.expect(permit is (first := self.turn(permit)), "another's turn", (permit.rank, permit.seq), first.seq)
        self.on_grant(permit)
        refusal = super().grant(permit)
        if refusal is None:
            lower = any(line.rank > permit.rank and line.permits() for line in self._queues.lines.values())
            self.passed_over = self.passed_over + 1 if lower and self.passed_over < EVERY - 1 else 0
        return refusal

    def turn(self, permit: Permit) -> Permit:
        """Who must go now, of this one and those that could: by rank, then by number; every fifth time a lower one."""
        due = [permit, *(head for head, delay in self.heads().items() if not delay)]
        first = min(due, key=lambda one: (one.rank, one.seq))
        lower = [one for one in due if one.rank > first.rank]
        return min(lower, key=lambda one: one.seq) if lower and self.passed_over == EVERY - 1 else first

    def used(self, permit: Permit) -> None:
        if self.books:
            self.books.until(self.now())
            exceeded = self.books.use(permit.groups)
            self.expect(not exceeded, "at most burst + rate × T in any T", *exceeded)

    def check_queues(self) -> None:
        soonest = min(self.heads().values(), default=math.inf)
        self.expect(soonest > 0, "nobody who could go")
        timers = [seat.timer.when() - self.now() for seat in self._queues._seats.values() if seat.timer]
        learned = any(bucket._learned.since > 0 for bucket in self._buckets.values())
        in_time = min(timers, default=math.inf) <= soonest * (1 + GROWTH * learned) + CRUMB
        self.expect(in_time, "a timer for the next one", soonest, timers)
        for line in self._queues.lines.values():
            waiting = line.permits()
            self.expect(0 < line.waiting == len(waiting), "a count of all who wait", line.waiting, len(waiting))
            self.expect(not any(map(self.refusal, waiting)), "nobody who waits in vain")

    def check_books(self, *, of_rates: bool) -> None:
        """Each token and each count was used or given back. of_rates: whether the server left them as configured."""
        status, used = self.status(), self.books.until(self.now()) if self.books else {}
        found = {cap.cap: float(cap.used) for cap in status.caps}
        found |= {rate.limit: rate.limit.burst - rate.tokens for rate in status.rates if of_rates}
        wrong = [(str(limit), found[limit], used[limit]) for limit in used.keys() & found.keys()]
        wrong = [each for each in wrong if abs(each[1] - each[2]) > CRUMB]
        self.expect(not wrong, "as many taken as used", *wrong)


class World(random.Random):
    """Sessions of random sizes and their random calls, a server that may have a word on limits, and a changing mind."""

    def __init__(self, seed: int, loop: Loop) -> None:
        super().__init__(seed)
        self.loop = loop
        self.sessions = [Slots(self.choice([1, 2, 5, 50])) for _ in range(self.randint(1, 4))]
        self.callers: dict[Permit, asyncio.Task[None] | None] = {}
        self.gate = WatchedGate(self.choice(LIMITS), loop.time)
        self.gate.on_grant = self.leave_when_granted
        self.server_speaks, self.limits_change = self.random() < 0.5, self.random() < 0.4
        if self.limits_change:
            self.gate.books = None
        loop.at_rest = self.check

    def check(self) -> None:
        self.gate.check_queues()
        self.gate.check_books(of_rates=not self.server_speaks)

    def seconds(self, *likely: float) -> float:
        """One of the likely numbers, or a short or a long time."""
        return self.choice([*likely, self.expovariate(3), self.expovariate(0.3)])

    async def call(self) -> None:
        """Up to three attempts, as the gate lets them go."""
        groups = self.choice([(), (), ("m",), ("n",), ("m", "n")])
        priority, patience = self.choice([*PRIORITIES, "normal"]), self.choice([math.inf, 300, 20])
        one = permit(self.choice(self.sessions), *groups, priority=priority, patience=patience)
        self.callers[one] = asyncio.current_task()
        with contextlib.suppress(RefusedError):
            for _ in range(self.choice([1, 1, 1, 2, 3])):
                await self.attempt(one)

    async def attempt(self, one: Permit) -> None:
        await self.gate.acquire(one, self.choice([None, None, None, self.uniform(0, 30)]))
        self.gate.used(one)
        try:
            await asyncio.sleep(self.seconds(0, 0.001))
            self.answer(one)
        finally:
            self.gate.release(one)

    def answer(self, one: Permit) -> None:
        """As servers do: a 429, nothing left, nothing at all, another limit; mostly only the answer."""
        kind = self.random() if self.server_speaks else 1.0
        named = Quota(limit=self.randint(5, 1000), window=60.0)
        if kind < 0.02:
            self.gate.refused(one, self.choice([0, 0.5, 5, 60, 400]), self.choice([(), (named,)]))
        elif kind < 0.03:
            self.gate.accepted(one, [Quota(limit=100, window=60.0, remaining=0, reset=self.uniform(0.1, 20))])
        elif kind > 0.05:
            self.gate.accepted(one, [named] if kind < 0.1 else ())

    def leave_when_granted(self, one: Permit) -> None:
        """Cancelled after the grant, before the caller knows of it."""
        if (caller := self.callers[one]) and self.random() < 0.05:
            self.loop.call_soon(caller.cancel)

    def meddle(self, calls: list[asyncio.Task[None]]) -> None:
        if self.random() < 0.25:
            self.loop.call_later(self.seconds(0, 0), self.choice(calls[-5:]).cancel)
        if self.random() < 0.01:
            self.gate.hold(self.choice([0, 0.1, 1, 10]))
        if self.limits_change and self.random() < 0.02:
            self.gate.change(self.choice(LIMITS))

    async def run(self) -> None:
        """A day at most; then all have been served or told why not, and nothing is left of them."""
        calls: list[asyncio.Task[None]] = []
        for _ in range(self.choice([30, 100, 200])):
            calls.append(asyncio.create_task(self.call()))
            self.meddle(calls)
            if self.random() < 0.3:
                await asyncio.sleep(self.seconds(0, 0, self.expovariate(20)))
        ended, stuck = await asyncio.wait(calls, timeout=DAY)
        errors = [call.exception() for call in ended if not call.cancelled() and call.exception()]
        self.gate.expect(not stuck and not errors, "an end for each call", len(stuck), *errors)
        self.gate.expect(not self.gate._queues.lines, "empty queues at the end")
        self.gate.expect(all(slots.used == 0 for slots in self.sessions), "all slots back", *self.sessions)


def broken_promises(seed: int) -> list[str]:
    """The first few that the gate breaks in one random world."""
    loop = Loop()
    world = World(seed, loop)
    loop.set_exception_handler(lambda _, found: world.gate.expect(False, "no error on the loop", found))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(world.run())
    return world.gate.broken[:3]


@pytest.mark.parametrize("seed", range(300, 305))
def test_no_promise_is_broken_in_a_random_world(seed: int) -> None:
    """Order, rate, slots, timers and counts hold while calls come, wait, repeat and leave as chance has it."""
    assert broken_promises(seed) == []


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(300))
def test_no_promise_is_broken_in_many_random_worlds(seed: int) -> None:
    """The same in three hundred others; the seed replays it."""
    assert broken_promises(seed) == []
