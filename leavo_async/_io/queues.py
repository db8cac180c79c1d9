"""Who waits at a gate, in which order they go, and when each event loop must look again."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Protocol

from leavo_async._io.line import Key, Line, Seat
from leavo_async._io.permit import Permit, RefusedError
from leavo_async._sansio.priority import EVERY

# So long a call of another loop that could go, and does not, keeps the others back: its loop may be blocked.
_COURTESY = 0.05
# Two loops that wake each other for less than this would do nothing else.
_NEAR = 0.001


class Door(Protocol):
    """What the queues ask the gate. All of it is called under the gate's lock."""

    def now(self) -> float:
        """The gate's clock."""
        ...

    def delay(self, groups: tuple[str, ...]) -> float:
        """Seconds until a call of these groups could go if it were the first, slots aside."""
        ...

    def grant(self, permit: Permit) -> RefusedError | None:
        """Take all that it needs, or say why it gets nothing."""
        ...

    def refusal(self, permit: Permit) -> RefusedError | None:
        """Why it should not wait any longer; None if it should."""
        ...

    def wake(self, seat: Seat) -> None:
        """Take the lock, and let this loop look at its calls."""
        ...


class Queues:
    """Calls in lines, and a seat for each event loop that has some.

    A loop grants to its own calls only: a permit granted to a loop that is blocked would be used late, and then in a
    bunch. So a loop tells another one when that one's turn comes, unless its timer is set for that moment already.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self.lines: dict[Key, Line] = {}  # those in which somebody waits
        self._seats: dict[asyncio.AbstractEventLoop, Seat] = {}
        self.passed_over = 0  # permits granted in a row while somebody of a lower priority waited
        self._pumping = self._changed = False

    def add(self, permit: Permit) -> None:
        """Queue one that waits on the running loop; its future tells when it is granted or refused."""
        loop = permit.future.get_loop()
        seat = self._seats.get(loop) or self._seats.setdefault(loop, Seat(loop))
        key = (loop, permit.slots, permit.groups, permit.rank)
        line = self.lines.get(key) or Line(key, seat)
        line.add(permit)
        self.lines[key] = line  # last: a finalizer in between may pump, and would drop a line that is still empty

    def cancelled(self, permit: Permit) -> None:
        """It waits no longer."""
        line = self.lines.get((permit.future.get_loop(), permit.slots, permit.groups, permit.rank))
        if line is not None:
            line.cancelled(permit)

    def tidy(self) -> None:
        """Forget those who will not go: on loops that are closed, or cancelled in this very turn."""
        self._drop_closed_loops()
        for line in list(self.lines.values()):
            line.tidy()
            if not line.waiting:
                del self.lines[line.key]

    def pump(self) -> None:
        """Grant what this loop may grant now, and see that each loop looks again when its next call is due."""
        if self.lines:
            self._pump(self._here())

    def _pump(self, seat: Seat | None) -> None:
        self._changed = True
        if self._pumping:
            return  # a finalizer came in between; the pump that runs will see what it has changed
        self._pumping = True
        try:
            while self.lines and self._changed:
                self._changed = False
                self._pass(seat)
        finally:
            self._pumping = False

    def recheck(self) -> None:
        """Refuse those who would not wait any longer, each on its own loop; then as `pump`."""
        here = self._here()
        for seat in self._seats.values():
            seat.recheck = True
            if seat is not here and self.lines:
                self._tell(seat)
        self.pump()

    def arrived(self, seat: Seat) -> None:
        """This loop has come to look, by its timer or because another loop has told it."""
        if seat.timer is not None:
            seat.timer.cancel()
            seat.timer = None
        seat.armed = math.inf
        seat.due_since = None
        self._pump(seat)

    def _here(self) -> Seat | None:
        """The seat of the running loop, which is awake."""
        try:
            seat = self._seats.get(asyncio.get_running_loop())
        except RuntimeError:  # a finalizer, where no loop runs
            return None
        if seat is not None:
            seat.due_since = None
        return seat

    def _pass(self, seat: Seat | None) -> None:
        """Look at the head of each line once, in order; grant the first of this loop's that can go."""
        if seat is not None and seat.recheck:
            self._refuse_the_impatient(seat)
        if len(self.lines) == 1 and self._pass_alone(seat):
            return
        wake, reserved = math.inf, False
        ready: Line | None = None
        for line, delay in self._in_order():
            if line.seat is not seat:
                courtesy = self._mind(line.seat, delay)
                reserved = reserved or courtesy > 0
                wake = min(wake, courtesy or math.inf)
            elif delay:
                # Also behind a head that is blocked: that one may be blocked for longer, by a limit of its own.
                wake = min(wake, delay)
            elif not reserved:
                ready = line
                break
        if ready is not None:
            self._let_go(ready)
            self._changed = True
        elif seat is not None:
            self._arm(seat, wake)

    def _pass_alone(self, seat: Seat | None) -> bool:
        """The same where all who wait are alike and of this loop, as they nearly always are; False if they are not."""
        (line,) = self.lines.values()
        if seat is None or line.seat is not seat:
            return False
        while line.head() is not None:
            delay = self._door.delay(line.groups) if line.slots.free else math.inf
            if delay:
                self._arm(seat, delay)
                return True
            self._let_go(line)
        return False

    def _in_order(self) -> list[tuple[Line, float]]:
        """Each line with the delay of its head: by rank, then by number; every fifth time a lower rank goes ahead."""
        delays = dict[tuple[str, ...], float]()  # the same for all lines of the same groups
        heads = list[tuple[int, int, Line, float]]()
        for line, head in self._heads():
            if line.groups not in delays:
                delays[line.groups] = self._door.delay(line.groups)
            heads.append((line.rank, head.seq, line, delays[line.groups] if line.slots.free else math.inf))
        if len(heads) > 1:
            heads.sort(key=lambda head: head[:2])
            if self.passed_over >= EVERY - 1:
                _favour_the_lower(heads)
        return [(line, delay) for _, _, line, delay in heads]

    def _heads(self) -> list[tuple[Line, Permit]]:
        if len(self._seats) > 1:
            self._drop_closed_loops()
        heads = [(key, line, line.head()) for key, line in self.lines.items()]
        for key, _, head in heads:
            if head is None:
                del self.lines[key]
        return [(line, head) for _, line, head in heads if head is not None]

    def _drop_closed_loops(self) -> None:
        """Whoever waited there will never come back."""
        for loop in [loop for loop in self._seats if loop.is_closed()]:
            del self._seats[loop]
            for key in [key for key in self.lines if key[0] is loop]:
                del self.lines[key]

    def _let_go(self, line: Line) -> None:
        """Grant to the head of a line, or refuse it if it must not wait any longer."""
        permit = line.pop()
        refusal = self._door.grant(permit)
        if refusal is None:
            lower_waits = len(self.lines) > 1 and any(
                other.rank > line.rank and other.waiting for other in self.lines.values()
            )
            self.passed_over = self.passed_over + 1 if lower_waits and self.passed_over < EVERY - 1 else 0
        permit.future.set_result(refusal)

    def _mind(self, seat: Seat, delay: float) -> float:
        """Look after a call of another loop. Seconds that it keeps those behind it back; 0.0 if it does not."""
        now = self._door.now()
        if now + delay < seat.armed - _NEAR:
            self._tell(seat)
        if delay:
            return 0.0
        if seat.due_since is None:
            seat.due_since = now
        return max(0.0, _COURTESY - (now - seat.due_since))

    def _tell(self, seat: Seat) -> None:
        seat.armed = self._door.now()
        with contextlib.suppress(RuntimeError):  # its loop has been closed just now
            seat.loop.call_soon_threadsafe(self._door.wake, seat)

    def _arm(self, seat: Seat, delay: float) -> None:
        moment = self._door.now() + delay
        if moment < seat.armed:
            if seat.timer is not None:
                seat.timer.cancel()
            seat.armed = moment
            seat.timer = seat.loop.call_later(seat.timer_delay(delay), self._door.wake, seat)

    def _refuse_the_impatient(self, seat: Seat) -> None:
        seat.recheck = False
        for line in self.lines.values():
            for permit in line.permits() if line.seat is seat else ():
                if refusal := self._door.refusal(permit):
                    line.refuse(permit, refusal)


def _favour_the_lower(heads: list[tuple[int, int, Line, float]]) -> None:
    """Of those who can go, put the oldest of a lower rank than the first before all others."""
    due = [head for head in heads if not head[3]]
    lower = [head for head in due if head[0] > due[0][0]]
    if lower:
        oldest = min(lower, key=lambda head: head[1])
        heads.remove(oldest)
        heads.insert(0, oldest)
