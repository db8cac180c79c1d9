"""The gate all attempts of a key pass: in order, at the key's rate, from every session, thread and event loop."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from weakref import WeakKeyDictionary

from leavo_async._io.bucket import Bucket
from leavo_async._io.counter import Counter
from leavo_async._io.line import Seat
from leavo_async._io.pause import Pause
from leavo_async._io.permit import ExhaustedError, HeldError, LateError, Permit, RefusedError
from leavo_async._io.queues import Queues
from leavo_async._io.scopes import Scopes
from leavo_async._io.slots import Slots
from leavo_async._sansio.learning import named_limit, pause_for
from leavo_async._sansio.limits import DailyCap, Limit, RateLimit, checked_limits
from leavo_async._sansio.priority import PRIORITIES, place
from leavo_async._sansio.quotas import Quota
from leavo_async._sansio.status import Status

# Rounding leaves about 1e-13 of a token missing at the very moment a timer was set for. Waiting for such a crumb would
# set a timer for "now" again and again, for ever where the clock stands still.
_CRUMB = 1e-9
# A refusal for longer than this is not about a minute, but about a day.
_LONG = 300.0


class Gate:
    """Permits in the order they are asked for; each takes a slot and a token of every limit, all at once.

        gate = Gate([RateLimit(100)])
        async with LeavoClient(limiter=gate) as leavo: ...

    Sessions with the same key share one by themselves; give them one only if several keys share a limit, or if one
    session is to be apart.

    limits: those of the key and of its groups of routes; () for none. clock: seconds that never run backwards.
    wall: seconds since the Unix epoch, for daily caps. empty: start without a token, as who has used them is not known.

    Event loops of any thread may use it together. Tokens are taken only when a slot is free: a stall of the server so
    never lets permits pile up and leave in a bunch.
    """

    def __init__(
        self,
        limits: Iterable[Limit] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        empty: bool = False,
    ) -> None:
        self.now = clock
        self._wall = wall
        self._pause = Pause(clock)
        self._buckets: dict[RateLimit, Bucket] = {}
        self._counters: dict[DailyCap, Counter] = {}
        self._limits: tuple[Limit, ...] = ()
        self._scopes = _ByGroups(self)
        self._queues = Queues(self)
        self._numbers = itertools.count(1)
        # The sessions that share it, by their slots, with the limits that each has named.
        self.users: WeakKeyDictionary[Slots, Sequence[Limit]] = WeakKeyDictionary()
        # Reentrant, because a finalizer that the garbage collector runs in between may release a slot.
        self._lock = threading.RLock()
        self.change(limits, empty=empty)

    # What a call does

    async def acquire(self, permit: Permit, left: float | None = None) -> None:
        """Wait until the permit is granted; the caller gives its slot back with `release`.

        left: seconds until the caller's deadline; None without one. Raises, each as soon as it is known: HeldError if
        a hold will outlast its patience, LateError if its turn will come after the deadline, ExhaustedError if a daily
        cap is used up.
        """
        if self.grant_at_once(permit):
            return
        with self._lock:
            self._queue(permit, left)
        await self._granted(permit)

    def grant_at_once(self, permit: Permit) -> bool:
        """Whether it is granted without a wait, as nearly every call's is: then it costs no coroutine."""
        if not permit.seq:
            permit.seq = next(self._numbers)
        with self._lock:
            # Nobody waits, nothing is held, a slot is free, and so are tokens.
            at_once = not self._queues.lines and self._pause.is_open and permit.slots.free
            if at_once and self._scopes[permit.groups].take_if_free():
                permit.slots.free -= 1
                permit.granted_at = self.now()
                return True
        return False

    def release(self, permit: Permit) -> None:
        """Give the slot back, when the attempt has ended."""
        permit.slots.free += 1
        if permit.is_probe:
            self._settle(permit, accepted=False)
        elif permit.slots.free == 1 and self._queues.lines:  # somebody may have waited for it
            with self._lock:
                self._queues.pump()

    def accepted(self, permit: Permit, quotas: Sequence[Quota] = ()) -> None:
        """The server has answered with anything but a 429. quotas: what its headers tell of its limits."""
        if permit.is_probe:
            self._settle(permit, accepted=True)
        if quotas and permit.granted_at >= self._pause.since:  # else it is older than what we know
            with self._lock:
                self._heed(permit, quotas)

    def refused(self, permit: Permit, wait: float, quotas: Sequence[Quota] = ()) -> float | None:
        """The server has answered with a 429: all calls of the key pause for `wait` seconds, and the rate comes down.

        But more than five minutes, for a call with a daily cap of its own, are about the day and close this cap alone.
        Then the moment is returned when it has room again, in seconds since the Unix epoch; otherwise None.
        """
        with self._lock:
            capped = [counter for counter in self._scopes[permit.groups].kept if counter.cap.group is not None]
            if capped and wait > _LONG:
                for counter in capped:
                    counter.close(wait)
                self._queues.recheck()
                return self._wall() + wait
            if not permit.is_probe:
                self._learn(permit, quotas)
            self._pause.hold(wait, by_refusal=True)
            self._queues.recheck()
            return None

    # What may change

    def hold(self, seconds: float) -> None:
        """No permit for anybody for so many seconds; a longer hold that stands already stays."""
        with self._lock:
            self._pause.hold(seconds)
            self._queues.recheck()

    def change(self, limits: Iterable[Limit], *, empty: bool = True) -> None:
        """Keep these limits from now on, also for those who wait already. empty: new ones start without a token.

        A daily cap that is not kept counts on, for when it is kept again.
        """
        with self._lock:
            self._limits = checked_limits(limits)
            rates = [limit for limit in self._limits if isinstance(limit, RateLimit)]
            self._buckets = {limit: self._buckets.get(limit) or Bucket(limit, self.now, empty=empty) for limit in rates}
            for limit in self._limits:
                if isinstance(limit, DailyCap) and limit not in self._counters:
                    self._counters[limit] = Counter(limit, self._wall, self._counter_of(limit.group))
            self._scopes.clear()
            self._queues.recheck()

    # What can be seen

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All that it keeps."""
        return self._limits

    def held(self) -> float:
        """Seconds until the hold ends; 0.0 without one."""
        return self._pause.held()

    @property
    def is_refused(self) -> bool:
        """Whether the server has answered with a 429, and has taken no request since."""
        return self._pause.is_refused

    def estimate(self, permit: Permit) -> float:
        """Seconds until a call like this would be granted if it came now, at least; slots aside."""
        with self._lock:
            scopes = self._scopes[permit.groups]
            return max(self.held(), scopes.delay(1 + self._ahead(permit, scopes)))

    def rate(self, groups: tuple[str, ...] = ()) -> float:
        """Permits a second that calls in these groups may have in the long run, as it is now; inf without a limit."""
        with self._lock:
            return min((bucket.status().rate for bucket in self._scopes[groups].buckets), default=math.inf)

    def is_fresh(self) -> bool:
        """Whether it equals a new one: nobody waits, nothing is used, held or learned."""
        with self._lock:
            unused = all(bucket.is_fresh() for bucket in self._buckets.values())
            uncounted = all(counter.is_fresh() for counter in self._counters.values())
            return not self._queues.lines and self._pause.is_fresh() and unused and uncounted

    def status(self, slots: Slots | None = None) -> Status:
        """All that can hold a call back. slots: those of one session; None for all that use the gate."""
        with self._lock:
            users = list(self.users) if slots is None else [slots]
            waiting = dict.fromkeys(PRIORITIES, 0)
            for line in self._queues.lines.values():
                waiting[PRIORITIES[line.rank]] += line.waiting
            return Status(
                rates=tuple(bucket.status() for bucket in self._buckets.values()),
                caps=tuple(counter.status() for cap, counter in self._counters.items() if cap in self._limits),
                waiting=waiting,
                held=self.held(),
                probing=self._pause.probing,
                in_flight=sum(user.used for user in users),
                max_in_flight=sum(user.size for user in users),
            )

    def __repr__(self) -> str:
        status = self.status()
        parts = [
            *map(str, status.rates),
            *map(str, status.caps),
            f"{sum(status.waiting.values())} waiting",
            *([f"held for {status.held:.1f} s"] if status.held else ["probing"] if status.probing else []),
        ]
        return f"<Gate {', '.join(parts)}>"

    # What the queues ask, under the lock

    def delay(self, groups: tuple[str, ...]) -> float:
        """Seconds until a call of these groups could go if it were the first, slots aside."""
        delay = self._scopes[groups].delay()
        if not self._pause.is_open:
            delay = max(delay, self._pause.delay())
        return delay if delay > _CRUMB else 0.0

    def refusal(self, permit: Permit) -> RefusedError | None:
        """Why a call should not wait any longer; None if it should."""
        scopes = self._scopes[permit.groups]
        if scopes.kept and (exhausted := _exhausted(scopes)):
            return exhausted
        held = self.held()
        if held > permit.patience:
            return HeldError(held)
        return LateError(held) if held and self.now() + held > permit.deadline else None

    def grant(self, permit: Permit) -> RefusedError | None:
        """Take all that it needs, or say why it gets nothing: a daily cap is used up."""
        scopes = self._scopes[permit.groups]
        if scopes.kept and (exhausted := _exhausted(scopes)):
            return exhausted
        permit.taken = scopes
        scopes.take()
        permit.slots.free -= 1
        permit.granted_at = self.now()
        if not self._pause.is_open:
            permit.is_probe = self._pause.take()
        if scopes.kept and _exhausted(scopes):
            self._queues.recheck()  # nobody waits for tomorrow
        return None

    def wake(self, seat: Seat) -> None:
        """Let the loop of this seat, which is the running one, look at its calls."""
        with self._lock:
            self._queues.arrived(seat)

    # How it is done

    def _queue(self, permit: Permit, left: float | None) -> None:
        permit.wait(math.inf if left is None else self.now() + left)
        if refusal := self.refusal(permit):
            raise refusal
        if left is not None and self.estimate(permit) > left:
            self._queues.tidy()  # some of those ahead may be there no more
            if (estimate := self.estimate(permit)) > left:
                raise LateError(estimate)
        self._queues.add(permit)
        self._queues.pump()

    async def _granted(self, permit: Permit) -> None:
        try:
            refusal = await permit.future
        except BaseException:  # cancelled; or closed, with a loop that will not run again
            with self._lock:
                self._withdraw(permit)
            raise
        if refusal is not None:
            raise refusal

    def _withdraw(self, permit: Permit) -> None:
        """The caller has gone: give back what it was granted, and let others go."""
        if permit.taken is not None:
            permit.taken.give_back(permit.granted_at)
            self.release(permit)
        else:
            self._queues.cancelled(permit)
        self._queues.pump()

    def scopes(self, groups: tuple[str, ...]) -> Scopes:
        """What holds for calls in these groups."""
        return Scopes.of(self._buckets.values(), self._counters.values(), self._limits, groups)

    def _counter_of(self, group: str | None) -> Counter | None:
        """The fullest of a group, whatever its cap."""
        counters = [counter for cap, counter in self._counters.items() if cap.group == group]
        return max(counters, key=lambda counter: counter.status().used, default=None)

    def _ahead(self, permit: Permit, scopes: Scopes) -> int:
        """How many will certainly go before it: those held up by nothing that does not hold it up as well."""
        mine = set(scopes.buckets)
        lines = [
            line
            for line in self._queues.lines.values()
            if line.slots.free and mine.issuperset(self._scopes[line.groups].buckets)
        ]
        higher = sum(line.waiting for line in lines if line.rank < permit.rank)
        same = sum(line.before(permit) for line in lines if line.rank == permit.rank)
        return place(higher, same, self._queues.passed_over)

    def _settle(self, permit: Permit, *, accepted: bool) -> None:
        permit.is_probe = False
        with self._lock:
            # An answer to a request that left before the latest hold tells nothing about its end.
            self._pause.settle(accepted=accepted and permit.granted_at >= self._pause.since)
            self._queues.pump()

    def _learn(self, permit: Permit, quotas: Sequence[Quota]) -> None:
        """Take the rate down to what the headers name, or else by a step."""
        for bucket in self._scopes[permit.groups].own:
            named = named_limit(bucket.limit, quotas, believed=True)
            if named is not None and named.rate < bucket.limit.rate:
                bucket.told(named)
            else:
                bucket.refused(permit.granted_at)

    def _heed(self, permit: Permit, quotas: Sequence[Quota]) -> None:
        """Pause if the server has nothing left; go down to the limit it names, or back to ours."""
        own = self._scopes[permit.groups].own
        spent = any(quota.remaining == 0 for quota in quotas)
        for bucket in own:
            named = named_limit(bucket.limit, quotas, believed=spent or bucket.is_told)
            if named is not None:
                bucket.told(named)
                self._queues.pump()  # it may be more than it was
        if pause := pause_for(quotas, min((bucket.limit.per for bucket in own), default=None)):
            self.hold(pause)


def _exhausted(scopes: Scopes) -> ExhaustedError | None:
    reset_at = scopes.reset_at()
    return None if reset_at is None else ExhaustedError(reset_at)


class _ByGroups(dict[tuple[str, ...], Scopes]):
    """The scopes for each combination of groups, made when it is first met."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def __missing__(self, groups: tuple[str, ...]) -> Scopes:
        made = self[groups] = self._gate.scopes(groups)
        return made
