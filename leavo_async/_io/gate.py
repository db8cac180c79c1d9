"""The gate all attempts of a key pass: in order, at the key's rate, so many at a time."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence

from leavo_async._io.bucket import Bucket
from leavo_async._sansio.limits import RateLimit

# Rounding leaves about 1e-13 of a token missing at the very moment a timer was set for. Waiting for such a crumb would
# set a timer for "now" again and again, for ever where the clock stands still.
_CRUMB = 1e-9


class HeldError(Exception):
    """The gate is held for `seconds`, longer than the caller would wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Gate:
    """Permits in the order they were asked for; each takes a slot and a token of every limit, all at once.

    Tokens are taken only when a slot is free: a stall of the server so never lets permits pile up and leave in a bunch.
    limits: the key's limits; () for slots alone. slots: attempts in flight at the most. clock: see Bucket.
    """

    def __init__(self, limits: Sequence[RateLimit], slots: int, clock: Callable[[], float]) -> None:
        self._buckets = [Bucket(limit, clock) for limit in limits]
        self._free = slots
        self._slots = slots
        self._clock = clock
        self._held_until = 0.0  # 0.0: no hold
        self._queue: deque[tuple[asyncio.Future[None], float]] = deque()  # permit, patience
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, patience: float = math.inf) -> None:
        """Wait for a permit; the caller gives the slot back with `release`.

        Raises HeldError, at once, when a hold will last longer than `patience` seconds.
        """
        if not self._queue and self._free and not self._delay():
            self._take()
        elif (held := self.held()) > patience:
            raise HeldError(held)
        else:
            await self._wait(patience)

    def release(self) -> None:
        """Give the slot back, when the attempt has ended."""
        self._free += 1
        if self._queue:
            self._pump()

    def hold(self, seconds: float) -> None:
        """No permit for anybody for so many seconds; a longer hold that stands already stays."""
        self._held_until = max(self._held_until, self._clock() + seconds)
        held = self.held()
        for permit, patience in self._queue:
            if held > patience and not permit.done():
                permit.set_exception(HeldError(held))

    def held(self) -> float:
        """Seconds until the hold ends; 0.0 without one."""
        return max(0.0, self._held_until - self._clock()) if self._held_until else 0.0

    async def _wait(self, patience: float) -> None:
        permit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((permit, patience))
        self._pump()
        try:
            await permit
        except asyncio.CancelledError:
            if not permit.cancelled() and permit.exception() is None:
                self._give_back()  # granted, but the caller was cancelled before it could use it
            self._pump()
            raise

    def _pump(self) -> None:
        """Grant what can be granted, and set the timer for the next."""
        while self._queue:
            if self._queue[0][0].done():
                self._queue.popleft()  # its caller was cancelled, or would not wait
            elif not self._free:
                return  # the next release comes here again
            elif delay := self._delay():
                self._arm(delay)
                return
            else:
                self._take()
                self._queue.popleft()[0].set_result(None)

    def _arm(self, delay: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._pump()

    def _delay(self) -> float:
        """Seconds until the next permit, slots aside."""
        delay = self.held()
        for bucket in self._buckets:
            if (needed := bucket.delay()) > delay:
                delay = needed
        return delay if delay > _CRUMB else 0.0

    def _take(self) -> None:
        self._free -= 1
        self._held_until = 0.0  # it is over: the clock need not be asked about it again
        for bucket in self._buckets:
            bucket.take()

    def _give_back(self) -> None:
        self._free += 1
        for bucket in self._buckets:
            bucket.give_back()

    def __repr__(self) -> str:
        held = self.held()
        parts = [
            *(repr(bucket) for bucket in self._buckets),
            f"{self._slots - self._free} of {self._slots} slots used",
            f"{len(self._queue)} waiting",
            *([f"held for {held:.1f} s"] if held > 0 else []),
        ]
        return f"<Gate {', '.join(parts)}>"
