"""One run of a job: its journal's thread, its runner, and whoever watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from leavo_async._io.abort import AbortController, AbortSignal
from leavo_async._sansio.limits import RateLimit
from leavo_async._sansio.status import Status
from leavo_async.bulk.bars import bar
from leavo_async.bulk.history import percentile
from leavo_async.bulk.interrupts import interrupting
from leavo_async.bulk.journal import Journal
from leavo_async.bulk.meter import Meter
from leavo_async.bulk.operation import Operation
from leavo_async.bulk.options import ImportOptions, most_failed
from leavo_async.bulk.pace import Pace, limited_by, workers_for
from leavo_async.bulk.runner import Runner
from leavo_async.bulk.sending import Sending
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.threads import to_its_end
from leavo_async.bulk.verdicts import Stop
from leavo_async.bulk.writer import Writer
from leavo_async.options import CallOptions
from leavo_async.session import Session

# Seconds between two looks at a run, and between two signs of life.
_TICK = 0.2
_BEAT = 2.0


class Run:
    """One run of a job, until all rows are settled or it is stopped."""

    def __init__(
        self,
        session: Session,
        operation: Operation,
        journal: Journal,
        options: ImportOptions,
        call: CallOptions,
        wall: Callable[[], float],
    ) -> None:
        self._session = session
        self._operation = operation
        self._journal = journal
        self._options = options
        self._call = call
        self._wall = wall
        self._abort = AbortController()
        self._stopped: Stop | None = None
        self._runner: Runner | None = None
        self._bar = bar(options.get("progress", "auto"))
        told = session.explain(operation.method, operation.path, path_params=call.get("path_params"))
        self._rates = told.rates

    def stop(self, stop: Stop) -> None:
        """Take up no further row."""
        self._stopped = self._stopped or stop
        if self._runner is not None:
            self._runner.stop(self._stopped)

    def abort(self, because: str) -> None:
        """End at once what is under way."""
        self._abort.abort(because)

    async def run(self) -> Stop | None:
        """Why it has stopped; None if every row is settled."""
        began = self._wall()
        writer = Writer(self._journal)
        how = "failed"
        try:
            runner = await self._begun(writer, began)
            how = await self._watched(runner, writer, began)
            return runner.stopped
        finally:
            await to_its_end(self._ended(writer, began, how))

    async def _begun(self, writer: Writer, began: float) -> Runner:
        """All in its place, and the rows that a killed process has left in flight known to be of unknown outcome."""
        await writer.do(lambda journal: _begin(journal, began))
        counts, outcomes, unknown = await writer.do(
            lambda journal: (journal.counts(), journal.outcomes(), journal.unknown())
        )
        self._writer = writer
        self._meter = meter = Meter(counts, outcomes, began)
        self._pace = Pace(asyncio.get_running_loop().time())
        options = self._options
        sending = Sending(
            self._session,
            self._operation,
            self._journal.facts.import_id,
            signal=self._abort.signal,
            observe=meter.attempt,
            options=self._call,
        )
        self._runner = Runner(
            writer,
            sending,
            meter,
            unknown=unknown,
            workers=self._workers,
            quarantine=options.get("quarantine", 60.0),
            patience=options.get("patience", 900.0),
            max_failed=most_failed(options.get("max_failed"), meter.total),
            wall=self._wall,
        )
        return self._runner

    async def _watched(self, runner: Runner, writer: Writer, began: float) -> str:
        ticking = asyncio.create_task(self._tick(runner, writer, began))
        ticking.add_done_callback(runner.watched)
        try:
            with self._listening(), interrupting(self._interrupted):
                if self._stopped is not None:
                    runner.stop(self._stopped)
                stopped = await runner.run()
        finally:
            ticking.cancel()
            await to_its_end(asyncio.gather(ticking, return_exceptions=True))
        self._look(runner)
        return "finished" if stopped is None else stopped.because

    async def _ended(self, writer: Writer, began: float, how: str) -> None:
        self._bar.close()
        now = self._wall()
        if self._runner is not None:
            for part in self._meter.slices(now):
                writer.keep(part)
        try:
            if writer.failure is None:
                await writer.do(lambda journal: journal.beat(began, now, how))
        finally:
            await writer.aclose()

    @contextmanager
    def _listening(self) -> Generator[None, None, None]:
        """End when the caller's signal aborts, in whatever thread that happens."""
        signal, loop = self._options.get("signal"), asyncio.get_running_loop()
        if signal is None:
            yield
            return

        def heard(_: AbortSignal) -> None:
            loop.call_soon_threadsafe(self._aborted, signal)

        signal.add_listener(heard)
        if signal.aborted:
            self._aborted(signal)
        try:
            yield
        finally:
            signal.remove_listener(heard)

    def _interrupted(self) -> None:
        """The first time what is under way comes to its end; the second time it is ended."""
        if self._stopped is not None:
            self.abort("interrupted twice")
        self.stop(Stop("asked", "interrupted"))

    def _aborted(self, signal: AbortSignal) -> None:
        # A reason that is no text is the program's own business, and not for a journal.
        because = signal.reason if isinstance(signal.reason, str) else str(signal.error())
        self.stop(Stop("asked", because))
        self.abort(because)

    def _workers(self) -> int:
        told = self._options.get("concurrency")
        if told is not None:
            return told
        rate = self._rates[0].rate if self._rates else None
        latency = percentile(self._meter.latencies, 0.95)
        # A row has its place also while its intent is being written: some milliseconds, or many on a slow disk.
        return workers_for(rate, None if latency is None else latency + self._writer.seconds_to_intend)

    async def _tick(self, runner: Runner, writer: Writer, began: float) -> None:
        """Looks at the run now and then: shows how far it is, gives signs of life, watches the clock."""
        loop = asyncio.get_running_loop()
        started = beat_at = loop.time()
        until = self._options.get("max_seconds")
        while True:
            self._look(runner)
            now = self._wall()
            if loop.time() >= beat_at:
                beat_at = loop.time() + _BEAT
                writer.beat(began, now)
                for part in self._meter.slices(now):
                    writer.keep(part)
            if until is not None and loop.time() - started >= until:
                runner.stop(Stop("time", f"it has run for {until:g} s"))
            await asyncio.sleep(_TICK)

    def _look(self, runner: Runner) -> None:
        self._bar.show(self._snapshot(runner))

    def _snapshot(self, runner: Runner) -> Snapshot:
        meter, pace, status = self._meter, self._pace, self._session.status()
        now, limit = asyncio.get_running_loop().time(), _per_minute(status, self._rates)
        pace.settled(now, meter.sent - pace.rows)
        pace.asked(now, meter.requests - pace.requests, meter.refused - pace.refused)
        held = max(status.held, runner.held)
        pace.allowed(now, limit=limit, held=held)
        return Snapshot(
            job=self._journal.facts.job,
            total=meter.total,
            settled=meter.settled,
            counts=dict(meter.counts),
            outcomes=dict(meter.outcomes),
            sent=meter.sent,
            requests=meter.requests,
            refused=meter.refused,
            rate=pace.rate(now),
            limit=self._rates[0].requests / self._rates[0].per * 60 if self._rates else None,
            limited_by=self._limited_by(runner, status),
            eta=pace.eta(meter.total - meter.settled, now, limit=limit, held=held),
            seconds=self._wall() - meter.began,
        )

    def _limited_by(self, runner: Runner, status: Status) -> str:
        if runner.held and not status.held:
            return "server"
        return limited_by(
            status,
            in_flight=runner.in_flight,
            workers=self._workers(),
            supply=runner.supply,
            quarantined=runner.quarantined,
        )


def _begin(journal: Journal, began: float) -> None:
    """From now on this run is the one that works."""
    journal.adopt()
    journal.begin_run(began)


def _per_minute(status: Status, rates: Sequence[RateLimit]) -> float | None:
    """Requests a minute that the key may send at this moment, by the limits that hold for this call; None without."""
    now = [each.rate for each in status.rates if each.limit in rates]
    return min(now) * 60 if now else None
