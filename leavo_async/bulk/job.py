"""An import: from a source to a server, with a journal between them, so that nothing is lost and nothing done twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Self, Unpack

from leavo_async._io.guard import Guard, Watch
from leavo_async._sansio.explanation import Explanation
from leavo_async.bulk.beginning import Beginning, Begun, opened
from leavo_async.bulk.facts import Facts, limit_of
from leavo_async.bulk.journal import Journal
from leavo_async.bulk.operation import Operation
from leavo_async.bulk.options import ImportOptions, call_options, checked_import_options
from leavo_async.bulk.places import remove
from leavo_async.bulk.plan import Plan
from leavo_async.bulk.report import Report
from leavo_async.bulk.reporting import report_of
from leavo_async.bulk.run import Run
from leavo_async.bulk.sources import AsyncSource, source_of
from leavo_async.bulk.threads import in_thread, let_alone, to_its_end
from leavo_async.bulk.verdicts import Stop, Why
from leavo_async.errors import ConfigError, JournalError
from leavo_async.session import Session


class BulkJob:
    """An import of rows, each by one write, that survives whatever may happen to its process.

        job = BulkJob(session, operation, "customers.csv", map={"name": "Full name"})
        plan = await job.prepare()          # reads and checks every row; nothing is sent
        report = await job.run()            # sends them; the same again goes on where it was left

    source: a file (CSV, JSON Lines, Parquet), "-" for standard input, a data frame, an iterable or async iterable of
    mappings. operation: what is done with each row. options: see ImportOptions. rows_read: so many `prepare` has read.

    Each row is sent at least once and keeps one idempotency key for its life. A row whose outcome is unknown is sent
    again only where the server honours that key, or once a look-up has shown that it is not there; else it is held for
    you. What was told to be done is not forgotten, neither after `kill -9` nor after a power loss.
    """

    def __init__(
        self, session: Session, operation: Operation, source: object, **options: Unpack[ImportOptions]
    ) -> None:
        self._session = session
        self._operation = operation
        self._source = source
        self._options = checked_import_options(options)
        self._call = call_options(options)
        self._wall: Callable[[], float] = time.time
        self._reopened: str | None = None
        self._journal: Path | None = None
        self._has_read = False
        self._begun: Begun | None = None
        self._run: Run | None = None
        self._asked: Stop | None = None
        self.stopped: Stop | None = None
        self.rows_read = 0

    @classmethod
    def resume(cls, session: Session, operation: Operation, job: str, **options: Unpack[ImportOptions]) -> Self:
        """A job that was begun before, by its id: without its source, which is not needed any more.

        It may go on with another key than the one it was begun with.
        """
        resumed = cls(session, operation, None, **options)
        resumed._reopened = job
        return resumed

    async def prepare(self) -> Plan:
        """What it will do, once every row is read, checked and in the journal. No connection is opened.

        Raises ConfigError if the source cannot be read or mapped, has changed since the job was begun with it, or if
        the journal cannot be kept; AbortedError or DeadlineError if its signal has aborted by then.
        """
        if self._begun is None:
            await self._begin_unless_aborted()
        assert self._begun is not None
        return await to_its_end(in_thread(self._planned, self._begun))

    async def run(self) -> Report:
        """What became of the rows, once all are settled or it was stopped: `report.stopped_by` tells.

        Raises ConfigError, and all that `prepare` does, before anything is sent; JournalError if the journal cannot be
        written any more. A signal that aborts later stops it.
        """
        try:
            plan = await self.prepare()
            begun = self._begun
            assert begun is not None
            await self._check_key(begun.journal)
            self.stopped = await self._sent(begun) if plan.to_send else None
        finally:
            self._asked = None
            await self.aclose()
        return await in_thread(report_of, begun.journal.path)

    def stop(self, because: str = "stopped", why: Why = "asked") -> None:
        """Send no further row; those under way come to their end. On the loop of the job."""
        self._asked = self._asked or Stop(why, because)
        if self._run is not None:
            self._run.stop(self._asked)

    def abort(self, because: str = "aborted") -> None:
        """Stop, and end at once what is under way: those rows have an unknown outcome until it goes on."""
        self.stop(because)
        if self._run is not None:
            self._run.abort(because)

    async def discard(self) -> None:
        """Forget a job that was prepared and not begun; its journal is removed. One that was there before stays."""
        begun = self._begun
        if begun is not None and not begun.is_resumed:
            await to_its_end(in_thread(_removed, begun))
            self._journal = None
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the journal. May be called again."""
        begun, self._begun = self._begun, None
        if begun is not None:
            await to_its_end(in_thread(begun.close))

    async def _begin_unless_aborted(self) -> None:
        try:
            with Guard(Watch(asyncio.get_running_loop()), None, self._options.get("signal")) as guard:
                return await self._begin()
        except JournalError as error:
            problem = f"{error}; nothing was sent"
        else:
            raise guard.ending()
        raise ConfigError(problem)

    async def _begin(self) -> None:
        """Keeps it at once, so that it is let go of whatever comes next."""
        beginning = Beginning(self._operation, self._told(), self._options, self._wall, self._count)
        if self._reopened is not None:
            self._begun = await to_its_end(in_thread(beginning.reopened, self._reopened), Begun.close)
            return
        if self._journal is not None:
            self._begun = await to_its_end(in_thread(opened, self._journal), Begun.close)
            return
        if self._has_read and isinstance(self._source, (Iterator, AsyncIterator)):
            raise ConfigError("the source was read before, and can be read only once: give it anew; nothing was sent")
        self._has_read = True
        source = await in_thread(
            source_of,
            self._source,
            format=self._options.get("format"),
            delimiter=self._options.get("delimiter"),
            encoding=self._options.get("encoding"),
        )
        try:
            self._begun = await beginning.begin(source)
            self._journal = self._begun.journal.path
        finally:
            if isinstance(source, AsyncSource):
                await source.aclose()
            else:
                # A thread may read it still, and wait for a row that never comes.
                let_alone(source.close)

    def _count(self, rows: int) -> None:
        self.rows_read = rows

    def _told(self) -> Explanation:
        """What holds for its calls."""
        operation = self._operation
        return self._session.explain(operation.method, operation.path, path_params=self._call.get("path_params"))

    def _planned(self, begun: Begun) -> Plan:
        journal, told = begun.journal, self._told()
        counts, runs, first = journal.counts(), journal.runs(), journal.pending(0, 1)
        to_send = counts["pending"] + counts["unknown"] + counts["in_flight"]
        return Plan(
            facts=journal.facts,
            counts=counts,
            is_resumed=begun.is_resumed,
            since=runs[-1].ended if runs else None,
            to_send=to_send,
            seconds=None if told.rate is None else to_send / told.rate,
            limit=limit_of(told)[0],
            honoured=told.honoured,
            key_lasts=told.key_lasts,
            first=first[0].body.decode() if first else "",
            journal=journal.path,
            size=journal.path.stat().st_size,
        )

    async def _check_key(self, journal: Journal) -> None:
        """That it goes on with the key it was begun with, unless it was resumed by its name."""
        facts = journal.facts
        limit, limit_per_minute = limit_of(self._told())
        digest = await self._session.key_digest(facts.key_salt)
        if facts.key_digest and facts.key_digest != digest and self._reopened is None:
            raise ConfigError(
                f"job {facts.job} was begun with another key; nothing was sent. If the key was changed, go on with it: "
                f"leavo jobs resume {facts.job}. If this is another account, name it: --account (in Python account=)"
            )
        now = facts._replace(key_digest=digest, limit=limit, limit_per_minute=limit_per_minute)
        if now != facts:
            await to_its_end(in_thread(_tell, journal, now))

    async def _sent(self, begun: Begun) -> Stop | None:
        run = self._run = Run(self._session, self._operation, begun.journal, self._options, self._call, self._wall)
        if self._asked is not None:
            run.stop(self._asked)
        try:
            return await run.run()
        finally:
            self._run = None


def _removed(begun: Begun) -> None:
    """Under its lock: who has it next must not work on a journal that is gone."""
    begun.journal.close()
    remove(begun.journal.path)


def _tell(journal: Journal, facts: Facts) -> None:
    with journal.transaction():
        journal.tell(facts)
