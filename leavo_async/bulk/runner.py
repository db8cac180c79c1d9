"""One run of a job: rows out of the journal, over the session, and what came of them back into it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from leavo_async.bulk.history import Event
from leavo_async.bulk.journal import OpenRow, Verdict
from leavo_async.bulk.meter import Meter
from leavo_async.bulk.outage import Outage
from leavo_async.bulk.sending import Sending
from leavo_async.bulk.settling import Way, resends, way
from leavo_async.bulk.states import State
from leavo_async.bulk.threads import to_its_end
from leavo_async.bulk.verdicts import Stop, Wait, follows, is_about_the_row, verdict_of
from leavo_async.bulk.writer import Writer
from leavo_async.errors import (
    ConflictError,
    JournalError,
    LeavoError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseValidationError,
)

# Rows read ahead: one look into the journal for so many.
_AHEAD = 256
# Seconds. A server that asks for a longer pause than this has a quota, and somebody should know.
_LONGEST_PAUSE = 3600.0
# What no later look-up would find out: this key may not read, or the listing is not there, or not what was promised.
_NO_LOOK_UP = (NotFoundError, PermissionDeniedError, ResponseValidationError)


class Runner:
    """Sends what is pending and settles what is unknown, a few rows at a time, until nothing is left or it is stopped.

    workers: gives how many rows may be under way. quarantine: seconds for which a row of unknown outcome is let alone.
    max_failed: rows that may fail before it stops.
    wall: seconds since the Unix epoch.
    """

    def __init__(
        self,
        writer: Writer,
        sending: Sending,
        meter: Meter,
        *,
        unknown: list[OpenRow],
        workers: Callable[[], int],
        quarantine: float,
        patience: float,
        max_failed: int | None,
        wall: Callable[[], float],
    ) -> None:
        self.stopped: Stop | None = None
        self.in_flight = 0
        self._held_until = 0.0
        self._writer = writer
        self._sending = sending
        self._meter = meter
        self._workers = workers
        self._quarantine = quarantine
        self._max_failed = max_failed
        self._wall = wall
        self._outage = Outage(patience)
        self._last = 0
        self._has_more = True
        self._ready: deque[OpenRow] = deque()
        # The loop's clock and not the wall's, which may be set: a quarantine that is cut short makes things twice.
        self._clock = asyncio.get_running_loop().time
        # All of the quarantine, for clocks that have been set since tell nothing of when it began.
        self._unknown = deque((self._clock() + quarantine, row) for row in unknown)
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    @property
    def quarantined(self) -> int:
        """Rows of unknown outcome that are let alone for now."""
        return len(self._unknown)

    @property
    def supply(self) -> int:
        """Rows at hand to be sent."""
        return len(self._ready) + self._has_more

    @property
    def held(self) -> float:
        """Seconds for which nothing more is to be sent."""
        return max(self._held_until - self._clock(), 0.0)

    async def run(self) -> Stop | None:
        """Why it has stopped; None if every row is settled. Raises what is no error of a row."""
        try:
            while (row := await self._next()) is not None:
                self._start(row)
            await self._drained()
        except JournalError as error:
            self.fail(error)
        finally:
            for task in self._tasks:
                task.cancel()
            await to_its_end(asyncio.gather(*self._tasks, return_exceptions=True))
        if self._failure is not None:
            raise self._failure
        return self.stopped

    def stop(self, stop: Stop) -> None:
        """Take up no further row; those under way come to their end."""
        if self.stopped is None:
            self.stopped = stop
            self._writer.note(Event(self._wall(), "stopped", stop.because))
        self._changed.set()

    def watched(self, watcher: asyncio.Task[None]) -> None:
        """A task that accompanies the run has ended: what it has failed with ends the run, and comes out of it."""
        if not watcher.cancelled() and (error := watcher.exception()) is not None:
            self.fail(error)

    def _start(self, row: OpenRow) -> None:
        self.in_flight += 1
        task = asyncio.create_task(self._one(row))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.in_flight -= 1
        self._tasks.discard(task)
        self.watched(task)
        self._changed.set()

    def fail(self, error: BaseException) -> None:
        """Stop, and have `run` raise this error in the end."""
        if self._failure is None:
            self._failure = error
        # What an error says that is not ours may be anything, and this is kept.
        self.stop(Stop("journal", str(error) if isinstance(error, LeavoError) else type(error).__name__))

    async def _drained(self) -> None:
        while self.in_flight:
            await self._wait(None)

    async def _next(self) -> OpenRow | None:
        """The next row to be sent or settled, once there is one, room for it, and no reason to wait."""
        while self.stopped is None:
            delay = self._delay()
            if delay is None:
                return None
            if delay > 0:
                await self._wait(delay)
            elif (row := await self._taken()) is not None:
                return row
        return None

    def _delay(self) -> float | None:
        """Seconds until it is worth taking a row; infinity until something changes; None if none is left."""
        if self.in_flight >= (self._workers() if self._outage.is_answering else 1):
            return float("inf")
        if (held := self.held) > 0:
            return held
        if self._ready or self._has_more:
            return 0.0
        if self._unknown:
            return max(self._unknown[0][0] - self._clock(), 0.0)
        return float("inf") if self.in_flight else None

    async def _taken(self) -> OpenRow | None:
        """A row of unknown outcome that is due, or the next one in the order of the source."""
        if self._unknown and self._unknown[0][0] <= self._clock():
            return self._unknown.popleft()[1]
        if not self._ready and self._has_more:
            rows = await self._writer.pending(self._last, _AHEAD)
            self._has_more = len(rows) == _AHEAD
            self._last = rows[-1].n if rows else self._last
            self._ready.extend(rows)
        return self._ready.popleft() if self._ready else None

    async def _wait(self, seconds: float | None) -> None:
        """Until something has changed, or so many seconds."""
        self._changed.clear()
        if seconds is None or seconds == float("inf"):
            await self._changed.wait()
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            timer.cancel()

    async def _one(self, row: OpenRow) -> None:
        try:
            if row.state == "unknown":
                await self._settle(row)
            else:
                await self._send(row)
        except JournalError as error:
            self.fail(error)  # nothing was sent that it does not know of

    async def _send(self, row: OpenRow) -> None:
        now = self._wall()
        await self._writer.intend(row.n, now)
        self._meter.moved(row.state, "in_flight")
        sent = row._replace(first_sent=now if row.first_sent is None else row.first_sent)
        try:
            verdict = await self._sending.send(sent)
        except LeavoError as error:
            verdict = verdict_of(
                error, has_natural_key=self._sending.has_natural_key, was_unknown=row.state == "unknown"
            )
            self._heed(error, is_unknown=verdict.state == "unknown")
        else:
            self._outage.answered()
        self._record(sent, "in_flight", verdict)

    async def _settle(self, row: OpenRow) -> None:
        match way(row, self._sending.means_for(row), self._wall()):
            case Way.RESEND:
                await self._send(row)
            case Way.HOLD:
                self._record(row, "unknown", _UNTOLD)
            case Way.LOOK_UP:
                await self._look_up(row)

    async def _look_up(self, row: OpenRow) -> None:
        try:
            found = await self._sending.find(row)
        except _NO_LOOK_UP as error:
            self._record(row, "unknown", row_held(f"its outcome is unknown, and the look-up failed: {error}"))
            return
        except LeavoError as error:
            self._heed(error, is_unknown=False)
            if is_about_the_row(error):
                self._record(row, "unknown", Verdict("unknown", reason=f"the look-up failed: {error}"))
            else:  # the server is not well, which says nothing about the row: no try of it is used up
                self._let_alone(row)
            return
        if not self._sending.means_for(row).can_look_up:  # meanwhile another row was sent that may have made it
            self._record(row, "unknown", _UNTOLD)
        elif len(found.things) == 1:
            self._record(row, "unknown", self._sending.found(found.things[0]))
        elif resends(found, self._sending.means):
            await self._send(row)
        else:
            count = len(found.things)
            what = f"{count} found that may be it" if count else "none found, and the listing does not show all"
            self._record(row, "unknown", row_held(f"its outcome is unknown: {what}"))

    def _record(self, row: OpenRow, before: State, verdict: Verdict) -> None:
        self._writer.record(row.n, verdict, self._wall())
        self._meter.moved(before, verdict.state, verdict.outcome)
        if verdict.state == "unknown":
            self._let_alone(row._replace(state="unknown", tries=row.tries + 1))
        elif verdict.state == "pending":
            self._ready.appendleft(row._replace(state="pending"))
        if self._max_failed is not None and self._meter.failed > self._max_failed:
            self.stop(Stop("errors", f"more than {self._max_failed:,} rows have failed"))

    def _let_alone(self, row: OpenRow) -> None:
        self._unknown.append((self._clock() + self._quarantine, row))

    def _heed(self, error: LeavoError, *, is_unknown: bool) -> None:
        """Let the rows that follow know."""
        if is_about_the_row(error) or isinstance(error, ConflictError):
            self._outage.answered()
            return
        match follows(error):
            case Stop() as stop:
                self.stop(stop)
            case Wait(until=until) as wait if until is not None and isinstance(error, RateLimitError):
                self._pause_until(until, wait)
            case Wait() as wait:
                if wait.until is not None or isinstance(error, RateLimitError):
                    self._outage.refused()
                self._suffer(wait, is_unknown=is_unknown, is_unreadable=error.outcome == "done")
            case None:
                self._outage.answered()

    def _pause_until(self, until: float, wait: Wait) -> None:
        if until - self._wall() > _LONGEST_PAUSE:
            self.stop(Stop("quota", wait.because))
        else:
            self._hold(until - self._wall())
            self._writer.note(Event(self._wall(), "pause", wait.because))

    def _suffer(self, wait: Wait, *, is_unknown: bool, is_unreadable: bool) -> None:
        delay = self._outage.failed(self._clock(), is_unknown=is_unknown, is_unreadable=is_unreadable)
        if delay is None:
            self.stop(Stop("unreachable", wait.because))
        else:
            asked = 0.0 if wait.until is None else wait.until - self._wall()
            self._hold(max(delay, min(asked, _LONGEST_PAUSE)))

    def _hold(self, seconds: float) -> None:
        """Send nothing for so long; a longer pause that was asked for stays."""
        self._held_until = max(self._held_until, self._clock() + seconds)


def row_held(reason: str) -> Verdict:
    """The verdict for a row that nobody but the user can tell about."""
    return Verdict("held", code="held", reason=reason)


_UNTOLD = row_held("its outcome is unknown, and nothing can tell it")
