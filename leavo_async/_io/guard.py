"""What ends calls: any wait inside a guard ends when its time is up, its signal aborts, or the session closes."""

from __future__ import annotations

import asyncio
import contextlib
import math
from enum import Enum
from types import TracebackType

from leavo_async._io.abort import AbortSignal
from leavo_async.errors import AbortedError, ClosedError, DeadlineError

# With thousands of calls, each with its own end, looking at all of them for each end would be quadratic.
_GRAIN = 0.005


class Fired(Enum):
    """What ended the wait inside a guard."""

    ATTEMPT = "attempt"
    DEADLINE = "deadline"
    ABORTED = "aborted"
    CLOSED = "closed"


_ATTEMPT, _DEADLINE = Fired.ATTEMPT, Fired.DEADLINE  # to ask an Enum for its members costs each request


class Watch:
    """All guards of one session, with a single timer between them.

    Most calls end long before their time is up: so the timer is set for the earliest end it has seen, and only when it
    fires are the guards looked at. Guards come and go without touching it.
    """

    __slots__ = ("_armed", "_guards", "_idle", "_timer", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._guards: set[Guard] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._armed = math.inf
        self._idle: asyncio.Event | None = None

    def add(self, guard: Guard) -> None:
        """Watch over this guard until it is removed."""
        self._guards.add(guard)

    def remove(self, guard: Guard) -> None:
        """Watch over it no longer."""
        self._guards.discard(guard)
        if self._idle is not None and not self._guards:
            self._idle.set()

    def holds(self, guard: Guard) -> bool:
        """Whether it watches over this one now."""
        return guard in self._guards

    async def drained(self, seconds: float) -> None:
        """Wait until there is no guard any more, but not for longer than this."""
        if self._guards:
            idle = self._idle = self._idle or asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await idle.wait()

    def arm(self, moment: float) -> None:
        """Look at the guards at this moment of the loop's clock, or earlier."""
        if moment < self._armed:
            if self._timer is not None:
                self._timer.cancel()
            self._armed = moment
            self._timer = self.loop.call_later(max(0.0, moment - self.loop.time()), self._look)

    def close(self) -> None:
        """End every call that is under way, with a ClosedError."""
        if self._timer is not None:
            self._timer.cancel()
        # Delivered by the loop, never by the closing code itself: so it always lands at an await inside of a guard; and
        # to the guards there are then, for a call that has ended by itself must not be cancelled any more.
        self.loop.call_soon(self._end_all)

    def _end_all(self) -> None:
        for guard in self._guards:
            guard.fire(Fired.CLOSED)

    def _look(self) -> None:
        self._timer, self._armed = None, math.inf
        # A timer may fire a rounding error before its moment; setting it again for that crumb could go on for ever.
        now = self.loop.time() + 1e-6
        for guard in self._guards:
            if guard.until <= now:
                guard.fire(guard.limit)
        earliest = min((guard.until for guard in self._guards if guard.fired is None), default=math.inf)
        self.arm(max(earliest, now + _GRAIN))


class Guard:
    """A `with` block whose waits end in time: at the deadline, when the signal aborts, or when the session closes.

        with guard:
            return await something
        raise guard.ending()    # reached only if the guard ended the block

    It works by cancelling the task from a callback of the loop, and takes back just the cancellation it made: one from
    elsewhere passes through untouched.
    """

    __slots__ = ("_before", "_task", "_watch", "deadline", "fired", "limit", "signal", "until")

    def __init__(self, watch: Watch, deadline: float | None, signal: AbortSignal | None = None) -> None:
        """deadline: seconds from now for everything inside; None for no limit."""
        self._watch = watch
        self.signal = signal
        if signal is not None and (left := signal.left()) < math.inf:
            deadline = left if deadline is None else min(deadline, left)
        self.deadline = math.inf if deadline is None else watch.loop.time() + deadline
        self.until = self.deadline
        self.limit = _DEADLINE
        self.fired: Fired | None = None

    def __enter__(self) -> Guard:
        task = asyncio.current_task(self._watch.loop)
        if task is None:
            raise RuntimeError("leavo_async must be called from a task, such as the one asyncio.run makes")
        self._task = task
        # Not compared with 0: a TaskGroup of Python 3.11 leaves a 1 behind on its parent.
        self._before = task.cancelling()
        self._watch.add(self)
        if self.signal is not None:
            self._listen(self.signal)
        if self.until < math.inf:
            self._watch.arm(self.until)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """True, which ends the block quietly, if the cancellation was ours; the code after it raises `ending()`.

        Not raised here: the error would have the CancelledError as context, and with it every frame below.
        """
        self._watch.remove(self)
        if self.signal is not None:
            for source in self.signal.sources:
                source.remove_listener(self._aborted)
        task = self._task
        del self._task  # it has the error, whose frames have this guard
        if self.fired is None:
            return False
        ours_alone = task.uncancel() <= self._before
        return kind is asyncio.CancelledError and ours_alone

    def bound(self, seconds: float) -> float:
        """From now until `unbound`, waits end after so many seconds, if the deadline is not earlier.

        The moment from which they count, on the loop's clock.
        """
        now = self._watch.loop.time()
        end = now + seconds
        if end < self.deadline:
            self.until, self.limit = end, _ATTEMPT
            self._watch.arm(end)
        return now

    def unbound(self) -> None:
        """Back to the deadline alone."""
        self.until, self.limit = self.deadline, _DEADLINE
        if self.until < math.inf:
            self._watch.arm(self.until)

    def attempt_timed_out(self) -> bool:
        """Whether the cancellation just caught is our own, for the limit of `bound`; it is taken back if so."""
        if self.fired is not Fired.ATTEMPT or self._task.cancelling() > self._before + 1:
            return False
        self._task.uncancel()
        self.fired = None
        return True

    def raise_if_fired(self) -> None:
        """End the block after all, if something below has swallowed the cancellation that should have ended it."""
        if self.fired is not None:
            raise asyncio.CancelledError

    def left(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self.deadline == math.inf else self.deadline - self._watch.loop.time()

    def fire(self, cause: Fired) -> None:
        """End the wait inside. Only a callback of the loop may call it."""
        if self.fired is None:
            self.fired = cause
            self._task.cancel()
        elif self.fired is Fired.ATTEMPT:
            # The cancellation is on its way already; what ends the call outdoes what ends one attempt.
            self.fired = cause

    def ending(self) -> ClosedError | DeadlineError | AbortedError:
        """The error for what has fired."""
        if self.fired is Fired.CLOSED:
            return ClosedError("the session was closed during the call")
        if self.signal is not None and self.signal.aborted:
            return self.signal.error()
        return DeadlineError("the deadline of the call has passed")

    def _listen(self, signal: AbortSignal) -> None:
        """To the sources that somebody aborts; those that time out are part of the deadline."""
        for source in signal.sources:
            if source.left() == math.inf and not source.listen(self._aborted):
                self._aborted(source)

    def _aborted(self, source: AbortSignal) -> None:
        """In whatever thread; so the loop delivers it, and always at an await inside of the guard."""
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._watch.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        if self._watch.holds(self):
            self.fire(Fired.ABORTED)
