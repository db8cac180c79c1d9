"""The queues of a gate: one for each kind of call and each event loop."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from leavo_async._io.permit import Permit, RefusedError
from leavo_async._io.slots import Slots


class Seat:
    """One event loop that has calls waiting: its timer, and what others know of it.

    armed: when it will look at its queues, on the gate's clock; inf if nothing is set.
    due_since: since when another loop has seen that it could go and has not gone; None if that is not so.
    """

    __slots__ = ("_is_exact", "armed", "due_since", "loop", "recheck", "timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.timer: asyncio.TimerHandle | None = None
        self.armed = math.inf
        self.due_since: float | None = None
        self.recheck = False  # whether its calls must be asked if they still want to wait
        self._is_exact = hasattr(loop, "clock")  # as a loop of virtual time is

    def timer_delay(self, delay: float) -> float:
        """The delay for a timer that must not fire early: uvloop rounds to the nearest millisecond."""
        return delay if self._is_exact else math.ceil(delay * 1000) / 1000


Key = tuple[asyncio.AbstractEventLoop, Slots, tuple[str, ...], int]


class Line:
    """Calls of one loop that need the same slots and scopes and have the same rank, in the order they came."""

    __slots__ = ("_queue", "groups", "key", "rank", "seat", "slots", "waiting")

    def __init__(self, key: Key, seat: Seat) -> None:
        self.key = key
        _, self.slots, self.groups, self.rank = key
        self.seat = seat
        self.waiting = 0
        self._queue: deque[Permit] = deque()

    def add(self, permit: Permit) -> None:
        """Queue it by its number: last, unless it came back for another attempt."""
        queue = self._queue
        if not queue or queue[-1].seq < permit.seq:
            queue.append(permit)
        else:
            queue.insert(next(place for place, other in enumerate(queue) if other.seq > permit.seq), permit)
        self.waiting += 1

    def head(self) -> Permit | None:
        """The first that still waits; None if nobody does."""
        queue = self._queue
        while queue:
            if not _is_over(queue[0]):
                return queue[0]
            self._uncount(queue.popleft())
        return None

    def pop(self) -> Permit:
        """The head, out of the queue; call it only after `head` has shown it."""
        permit = self._queue.popleft()
        permit.is_waiting = False
        self.waiting -= 1
        return permit

    def refuse(self, permit: Permit, refusal: RefusedError) -> None:
        """End its wait with an error. Only its own loop may do so."""
        permit.future.set_result(refusal)
        self._uncount(permit)

    def cancelled(self, permit: Permit) -> None:
        """It waits no longer; it is taken out when its turn comes, or when most of the queue is like it."""
        self._uncount(permit)
        if len(self._queue) > 2 * self.waiting + 64:
            self._queue = deque(self.permits())

    def before(self, permit: Permit) -> int:
        """How many of those who wait will go before it: all, unless it comes back for another attempt."""
        if not self._queue or not permit.seq or self._queue[-1].seq < permit.seq:
            return self.waiting
        return sum(other.seq < permit.seq for other in self.permits())

    def tidy(self) -> None:
        """Take out all who wait no longer."""
        for permit in self._queue:
            if _is_over(permit):
                self._uncount(permit)
        self._queue = deque(self.permits())

    def permits(self) -> list[Permit]:
        """All that wait."""
        return [permit for permit in self._queue if not _is_over(permit)]

    def _uncount(self, permit: Permit) -> None:
        if permit.is_waiting:
            permit.is_waiting = False
            self.waiting -= 1


def _is_over(permit: Permit) -> bool:
    return not permit.is_waiting or permit.future.done()
