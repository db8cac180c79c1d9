"""Whole jobs against the sandbox: what a user calls, and what the server has afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import sys
from collections import Counter
from pathlib import Path
from traceback import TracebackException
from typing import Any

import pytest

from leavo_async import AbortController, ConfigError, JournalError, LeavoClient, RateLimit, RetryPolicy
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk import job as job_module
from leavo_async.bulk import outage
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.journal import Journal
from leavo_async.bulk.lock import JobLock, is_locked
from leavo_async.bulk.places import remove
from leavo_async.bulk.report import Report
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.writer import Writer
from leavo_async.sandbox import Fault, Sandbox

LOST = Fault(reset="after", method="POST")


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"name": f"Ana {n}", "phone": f"+55119{n:08d}"} for n in range(first, first + count)]


def client(sandbox: Sandbox, key: str | None = None, **more: Any) -> LeavoClient:
    settings = {"limits": (), **more}
    return LeavoClient(key or sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, **settings)


async def imported(sandbox: Sandbox, source: object, **options: Any) -> Report:
    async with client(sandbox) as leavo:
        return await leavo.leads.import_(source, **{"progress": False, "quarantine": 0.05, **options})


def names(sandbox: Sandbox) -> Counter[str]:
    return Counter(lead["name"] for lead in sandbox.leads)


@pytest.mark.asyncio
async def test_every_row_is_a_lead_or_is_told_why_not(leavo_sandbox: Sandbox) -> None:
    """Each row in one state; the second of two with the same phone makes no second lead."""
    bad = [
        {"name": "Nobody", "phone": "123"},
        {"name": "", "phone": ""},
        {"name": "Ana twin", "phone": "+5511900000001"},
    ]
    report = await imported(leavo_sandbox, [*rows(20), *bad])

    assert (report.counts["done"], report.counts["invalid"], report.counts["skipped"], report.empty) == (20, 1, 1, 1)
    assert report.outcomes == {"created": 20}
    assert (report.is_finished, report.stopped_by, report.requests) == (True, None, 20)
    assert names(leavo_sandbox) == Counter(row["name"] for row in rows(20))
    (invalid,) = await asyncio.to_thread(list, report.rows("invalid"))
    assert (invalid.line, invalid.values["name"]) == (21, "Nobody")
    assert "phone: is not a number" in invalid.reason
    (skipped,) = await asyncio.to_thread(list, report.rows("skipped"))
    assert skipped.reason == "the same as line 2"
    done = await asyncio.to_thread(list, report.rows("done"))
    assert not any(row.values for row in done), "what is done is emptied: it is people's data"


@pytest.mark.asyncio
async def test_the_same_call_again_sends_nothing(leavo_sandbox: Sandbox) -> None:
    """It gives the report of what was done."""
    first = await imported(leavo_sandbox, rows(5))
    again = await imported(leavo_sandbox, rows(5))

    assert (again.job, again.counts, len(again.runs)) == (first.job, first.counts, 1)
    assert len(leavo_sandbox.ledger.requests) == 5
    once_more = await imported(leavo_sandbox, rows(5), new_run=True)
    assert once_more.outcomes == {"existing": 5}


@pytest.mark.asyncio
async def test_an_import_that_another_process_finishes_meanwhile_is_not_done_again(
    leavo_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one has its journal in its place before this one has read all rows: it is gone on with, not replaced."""
    done = await imported(leavo_sandbox, rows(5), journal_dir=tmp_path / "there")
    here, take = tmp_path / "here", JobLock.take

    def late(journal: Path) -> JobLock:
        if journal.suffix == ".db" and not journal.exists():
            shutil.copyfile(done.journal, journal)
        return take(journal)

    monkeypatch.setattr(JobLock, "take", late)
    again = await imported(leavo_sandbox, rows(5), journal_dir=here)

    assert (again.journal.parent, again.counts) == (here, done.counts)
    assert len(leavo_sandbox.ledger.requests) == 5


@pytest.mark.asyncio
async def test_a_discarded_job_is_removed_under_its_lock(
    leavo_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process could begin it in between, and would work on a journal that nobody finds again."""
    async with client(leavo_sandbox) as leavo:
        job = BulkJob(leavo, LEADS, rows(5))
        journal = (await job.prepare()).journal
        locked: list[bool] = []

        def removed(path: Path) -> None:
            locked.append(is_locked(path))
            remove(path)

        monkeypatch.setattr(job_module, "remove", removed)
        await job.discard()

    assert (locked, journal.exists()) == ([True], False)


@pytest.mark.asyncio
async def test_a_row_whose_answer_was_lost_is_looked_up(leavo_sandbox: Sandbox) -> None:
    """And told as confirmed, not as created a second time."""
    leavo_sandbox.script(LOST, Fault(status=500, commit=True, method="POST", skip=3))
    report = await imported(leavo_sandbox, rows(10))

    assert report.outcomes == {"created": 8, "confirmed": 2}
    assert len(leavo_sandbox.leads) == 10


@pytest.mark.asyncio
async def test_an_outage_holds_no_row(leavo_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a look-up fails because the server is down: once it is up again, the row is found."""
    monkeypatch.setattr(outage, "_MAX_DELAY", 0.001)
    leavo_sandbox.script(LOST, Fault(status=503, method="GET", times=20))
    async with client(leavo_sandbox, retry=RetryPolicy(max_attempts=1)) as leavo:
        report = await leavo.leads.import_(rows(3), progress=False, quarantine=0.001)

    assert (report.counts["done"], report.counts["held"]) == (3, 0)
    assert report.outcomes["confirmed"] == 1


@pytest.mark.asyncio
async def test_a_job_that_was_stopped_goes_on_where_it_was(leavo_sandbox: Sandbox) -> None:
    """Rows that are done are not sent again; the report knows of both runs."""
    async with client(leavo_sandbox, limits=[RateLimit(1000, per=1)]) as leavo:
        job = BulkJob(leavo, LEADS, rows(200), progress=lambda now: job.stop("lunch") if now.sent >= 20 else None)
        stopped = await job.run()
    assert (stopped.stopped_by, stopped.is_finished) == ("lunch", False)
    assert 20 <= stopped.counts["done"] < 200
    assert stopped.counts["in_flight"] == stopped.counts["unknown"] == 0

    report = await imported(leavo_sandbox, rows(200))
    assert (report.counts["done"], len(report.runs)) == (200, 2)
    assert sum(request.method == "POST" for request in leavo_sandbox.ledger.requests) == 200
    assert [run.how for run in report.runs] == ["lunch", "finished"]


@pytest.mark.asyncio
async def test_a_revoked_key_stops_the_job_and_burns_no_row(leavo_sandbox: Sandbox) -> None:
    """All rows are still to be sent; with another key it goes on by the name of the job alone."""
    async with client(leavo_sandbox, "revoked-key-1") as leavo:
        job = BulkJob(leavo, LEADS, rows(100), progress=False)
        report = await job.run()
    assert job.stopped is not None
    assert job.stopped.why == "refused"
    assert report.counts["pending"] == 100
    assert len(leavo_sandbox.ledger.requests) == 1, "one row goes first"

    with pytest.raises(ConfigError, match=f"another key; nothing was sent.*leavo jobs resume {report.job}"):
        await imported(leavo_sandbox, rows(100))
    async with client(leavo_sandbox) as leavo:
        resumed = await BulkJob.resume(leavo, LEADS, report.job, progress=False).run()
    assert resumed.outcomes == {"created": 100}


@pytest.mark.asyncio
async def test_a_file_that_has_changed_is_refused_with_choices(leavo_sandbox: Sandbox, tmp_path: Path) -> None:
    """While its job is not finished; the choices do what they say."""
    file = tmp_path / "leads.csv"
    file.write_text("name,phone\n" + "".join(f"{row['name']},{row['phone']}\n" for row in rows(50)))
    async with client(leavo_sandbox, "revoked-key-1") as leavo:
        await leavo.leads.import_(file, progress=False)
    file.write_text(file.read_text() + "Bea,+5511888880000\n")

    with pytest.raises(ConfigError, match="has changed since job") as refused:
        await imported(leavo_sandbox, file)
    assert "--on-changed-source new-rows-only" in str(refused.value)
    assert not leavo_sandbox.leads
    async with client(leavo_sandbox) as leavo:
        job = str(refused.value).partition("jobs resume ")[2][:8]
        await BulkJob.resume(leavo, LEADS, job, max_failed=1, progress=False).run()
    report = await imported(leavo_sandbox, file)
    assert report.outcomes == {"created": 1, "existing": 50}, "the file is another one than that of the finished job"


@pytest.mark.asyncio
async def test_only_the_new_rows_of_a_changed_file(leavo_sandbox: Sandbox, tmp_path: Path) -> None:
    """They join the job that the file was begun with."""
    file = tmp_path / "leads.csv"
    file.write_text("name,phone\n" + "".join(f"{row['name']},{row['phone']}\n" for row in rows(5)))
    async with client(leavo_sandbox) as leavo:
        job = BulkJob(leavo, LEADS, file, progress=False)
        job.stop()
        before = await job.run()
        file.write_text("name,phone\nBea,+5511888880000\n" + file.read_text().partition("\n")[2])
        report = await leavo.leads.import_(file, on_changed_source="new rows only", progress=False)

    assert (report.job, report.outcomes) == (before.job, {"created": 6})
    assert names(leavo_sandbox) == Counter([*(row["name"] for row in rows(5)), "Bea"])


@pytest.mark.asyncio
async def test_a_signal_ends_the_calls_under_way(leavo_sandbox: Sandbox) -> None:
    """What it has ended is of unknown outcome, and settled by the next run."""
    leavo_sandbox.script(Fault(delay=30.0, method="POST", skip=5, times=3))
    controller = AbortController()
    async with client(leavo_sandbox) as leavo:
        running = asyncio.create_task(
            leavo.leads.import_(rows(30), signal=controller.signal, progress=False, concurrency=3)
        )
        while len(leavo_sandbox.ledger.requests) < 5:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        controller.abort("enough")
        report = await running
    assert report.stopped_by == "enough"
    assert report.counts["in_flight"] == 0
    assert report.counts["unknown"] > 0

    report = await imported(leavo_sandbox, rows(30))
    assert (report.counts["done"], len(leavo_sandbox.leads)) == (30, 30)


@pytest.mark.asyncio
async def test_a_cancelled_job_leaves_its_journal_in_order(leavo_sandbox: Sandbox) -> None:
    """The cancellation comes out; the same call again goes on."""
    leavo_sandbox.script(Fault(delay=30.0, method="POST", skip=5))
    async with client(leavo_sandbox) as leavo:
        running = asyncio.create_task(leavo.leads.import_(rows(10), progress=False, concurrency=1))
        while len(leavo_sandbox.ledger.requests) < 5:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        stopped = await BulkJob(leavo, LEADS, rows(10), progress=False, max_seconds=0.0).run()
        assert [each.reason for each in stopped.reasons] == [
            "the process that sent it ended before its outcome was known"
        ]

    report = await imported(leavo_sandbox, rows(10))
    assert (report.counts["done"], len(leavo_sandbox.leads)) == (10, 10)


@pytest.mark.asyncio
async def test_progress_is_told_from_the_beginning_to_the_end(leavo_sandbox: Sandbox) -> None:
    """The last telling is the whole."""
    told: list[Snapshot] = []
    await imported(leavo_sandbox, rows(50), progress=told.append)

    assert (told[0].settled, told[0].total) == (0, 50)
    assert (told[-1].settled, told[-1].sent, told[-1].outcomes["created"], told[-1].eta) == (50, 50, 50, 0.0)


def test_nobody_else_may_read_a_journal(journals_of_its_own: Path) -> None:
    """It is people's data."""

    async def run() -> Report:
        async with Sandbox() as sandbox:
            return await imported(sandbox, rows(3))

    report = asyncio.run(run())

    assert report.journal.parent == journals_of_its_own
    assert stat.S_IMODE(journals_of_its_own.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in journals_of_its_own.iterdir()} == {0o600}
    assert not list(journals_of_its_own.glob("*.spool"))


@pytest.mark.asyncio
async def test_two_runs_of_one_job_at_a_time_are_refused(leavo_sandbox: Sandbox) -> None:
    """The second one, before it sends anything."""
    async with client(leavo_sandbox) as leavo:
        first = BulkJob(leavo, LEADS, rows(5), progress=False)
        await first.prepare()
        with pytest.raises(ConfigError, match="worked on by another process"):
            await leavo.leads.import_(rows(5))
        await first.discard()


@pytest.mark.asyncio
async def test_where_somebody_types_an_interrupt_stops_it_gently(
    leavo_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the stop button of a notebook does: the cell gives its report, and the old handler is back."""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    before = signal.getsignal(signal.SIGINT)

    def interrupt(now: Snapshot) -> None:
        if now.sent == now.requests == 0:
            os.kill(os.getpid(), signal.SIGINT)

    leavo_sandbox.script(Fault(delay=0.3, method="POST", skip=1, times=None))
    report = await imported(leavo_sandbox, rows(50), progress=interrupt, concurrency=2)

    assert report.stopped_by == "interrupted"
    assert 0 < report.counts["pending"] < 51
    assert report.counts["unknown"] == 0
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.asyncio
async def test_leads_are_exported_by_one_call(leavo_sandbox: Sandbox, tmp_path: Path) -> None:
    """And what was exported imports as it is."""
    leavo_sandbox.seed_leads(30)
    async with client(leavo_sandbox) as leavo:
        told = await leavo.leads.export(tmp_path / "leads.csv", overwrite=True)
        report = await leavo.leads.import_(tmp_path / "leads.csv", ignore=["*"], progress=False)

    assert (told.rows, told.is_complete) == (30, True)
    assert report.outcomes == {"existing": 30}


@pytest.mark.asyncio
async def test_a_limit_that_has_changed_holds_from_the_next_run_on(leavo_sandbox: Sandbox) -> None:
    """The plan tells the one that holds, and so does the report."""
    async with client(leavo_sandbox, limits=[RateLimit(100)]) as leavo:
        job = BulkJob(leavo, LEADS, rows(2), progress=False)
        assert "100 requests" in (await job.prepare()).limit
        job.stop()
        assert (await job.run()).limit_per_minute == 100
    async with client(leavo_sandbox, limits=[RateLimit(6000)]) as leavo:
        job = BulkJob(leavo, LEADS, rows(2), progress=False)
        assert "6000 requests" in (await job.prepare()).limit
        assert (await job.run()).limit_per_minute == 6000


@pytest.mark.asyncio
async def test_a_slow_disk_is_met_with_more_rows_at_a_time(
    leavo_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the rows would wait for the disk one after the other, and the limit would not be used."""
    told: list[float] = []

    def workers(rate: float | None, latency: float | None) -> int:
        told.append(latency or 0.0)
        return 2

    monkeypatch.setattr("leavo_async.bulk.run.workers_for", workers)
    intend = Writer.intend

    async def slowly(writer: Writer, n: int, now: float) -> None:
        await intend(writer, n, now)
        writer.seconds_to_intend = 700.0

    monkeypatch.setattr(Writer, "intend", slowly)
    await imported(leavo_sandbox, rows(5))

    assert max(told) > 700


@pytest.mark.asyncio
async def test_headers_may_say_whose_the_rows_are(leavo_sandbox: Sandbox) -> None:
    """The same rows for another tenant are another import."""
    one = await imported(leavo_sandbox, rows(2), headers={"X-Tenant": "acme"})
    other = await imported(leavo_sandbox, rows(2), headers={"x-tenant": "other"})
    again = await imported(leavo_sandbox, rows(2), headers={"x-tenant": "acme"})

    assert (one.job == again.job, one.job == other.job) == (True, False)
    assert len(leavo_sandbox.ledger.requests) == 4


@pytest.mark.asyncio
async def test_a_traceback_with_locals_shows_no_row_and_no_key(
    leavo_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of any frame of ours: error trackers send them away."""

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Journal, "record", full)
    with pytest.raises(JournalError) as caught:
        await imported(leavo_sandbox, iter(rows(20)))
    told = "".join(TracebackException.from_exception(caught.value, capture_locals=True).format())

    assert "runner.py" in told
    assert "OpenRow" in told
    assert "Ana" not in told
    assert leavo_sandbox.key not in told
