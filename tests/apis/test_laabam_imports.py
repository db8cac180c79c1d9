"""Imports of SMS, against the sandbox: it honours keys, has limits, and caps the day."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leavo_async import DailyCap, RateLimit, RetryPolicy
from leavo_async.apis.laabam import LAABAM, LaabamClient
from leavo_async.apis.laabam.imports import SMS
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.report import Report
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.sandbox import Fault, Sandbox
from leavo_async.sandbox.limits import SlidingLog

pytestmark = pytest.mark.asyncio
QUICK: Any = {"progress": False, "quarantine": 0.01}
DAY = 86_400.0


class Clock:
    """The time of day, and hours that a test lets pass."""

    def __init__(self) -> None:
        self.passed = 0.0

    def wall(self) -> float:
        return time.time() + self.passed

    def monotonic(self) -> float:
        return time.monotonic() + self.passed


def rows(count: int, text: str = "Made up") -> list[dict[str, Any]]:
    return [{"to": f"49151{n:08d}", "message": f"{text} {n}"} for n in range(count)]


def client(sandbox: Sandbox, **more: Any) -> LaabamClient:
    settings: dict[str, Any] = {"limits": (), "retry": RetryPolicy(2, first_delay=0, max_delay=0), **more}
    here = {"company": "sandbox", "base_url": sandbox.base_url, "allow_insecure_loopback": True}
    return LaabamClient(*sandbox.credentials, **here, **settings)


def recipients(sandbox: Sandbox) -> Counter[str]:
    return Counter(message["to"] for message in sandbox.stored("messages"))


async def told(report: Report, *states: Any) -> list[str]:
    return [row.reason for row in await asyncio.to_thread(list, report.rows(*states))]


async def test_each_row_is_one_message_whatever_happens_to_the_answers(
    laabam_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are lost, and one failure is stored with its key: that row is held, and its message out, once."""
    monkeypatch.setattr("leavo_async.bulk.outage._MAX_DELAY", 0.01)
    laabam_sandbox.script(
        Fault(reset="after", method="POST", times=3, skip=2),
        Fault(status=500, commit=True, method="POST", skip=5),
        Fault(status=503, method="POST", skip=8),
    )
    async with client(laabam_sandbox) as laabam:
        report = await laabam.messages.import_sms(rows(30), patience=5.0, **QUICK)

    assert Counter(row["to"] for row in rows(30)) == recipients(laabam_sandbox)
    assert (29, 1) == (report.counts["done"], report.counts["held"])
    assert report.is_finished


async def test_each_row_is_checked_before_anything_is_sent(laabam_sandbox: Sandbox) -> None:
    """A recipient may be a number, as data frames have it; India asks for more; nobody's number is told."""
    dlt = {"sender_id": "MADEUP", "template_id": "1707000000000000001", "pe_id": "1101000000000000001"}
    good = {"to": 919800000000, "message": "Made up", **dlt}
    bad = {"to": "919800000001", "message": "Made up"}
    async with client(laabam_sandbox) as laabam:
        report = await laabam.messages.import_sms([good, bad], **QUICK)

    assert Counter({"919800000000": 1}) == recipients(laabam_sandbox)
    (reason,) = await told(report, "invalid")
    assert "sender_id, template_id, pe_id: needed for India" in reason
    assert "9198" not in reason


async def test_the_same_text_twice_is_two_messages(laabam_sandbox: Sandbox) -> None:
    """Unless it is said that such rows are the same."""
    twice = [*rows(2), *rows(2)]
    async with client(laabam_sandbox) as laabam:
        await laabam.messages.import_sms(twice, **QUICK)
        assert Counter({row["to"]: 2 for row in rows(2)}) == recipients(laabam_sandbox)
        once = await laabam.messages.import_sms(twice, same_by=("to", "message"), new_run=True, **QUICK)

    assert (2, 2) == (once.counts["done"], once.counts["skipped"])


async def test_messages_keep_to_their_limit() -> None:
    """Not one refusal by a server with the same limits."""
    per = 0.4
    limits = [RateLimit(60, per, 0.1), RateLimit(30, per, 0.1, group="messaging")]
    sandbox = Sandbox(
        api="laabam", limit=lambda: SlidingLog(60, per), group_limits={"messaging": lambda: SlidingLog(30, per)}
    )
    async with sandbox, client(sandbox, limits=limits) as laabam:
        report = await laabam.messages.import_sms(rows(50), concurrency=16, **QUICK)

    assert (50, 0) == (report.counts["done"], report.refused)
    assert 0 == sandbox.ledger.count(status=429)


async def test_a_read_goes_before_all_rows_that_wait(laabam_sandbox: Sandbox) -> None:
    """Of the same key: sixteen rows queue for its limit, and no more than two go out before a read that came last."""
    overtaken = []
    async with client(laabam_sandbox, limits=[RateLimit(30, 0.4, 0.1)]) as laabam:
        importing = asyncio.create_task(laabam.messages.import_sms(rows(50), concurrency=16, **QUICK))
        while not importing.done():
            before = len(laabam_sandbox.ledger.requests)
            await laabam.invoices.list(max_items=1).collect()
            last = max(entry.number for entry in laabam_sandbox.ledger.requests if entry.method == "GET")
            overtaken.append(last - before - 1)
            await asyncio.sleep(0.05)
        report = await importing

    assert 50 == report.counts["done"]
    assert len(overtaken) > 5
    assert max(overtaken) <= 2


async def test_a_daily_cap_stops_it_and_the_next_day_it_goes_on() -> None:
    """By the server's word; the rows that are left stay to be sent, and the report says until when."""
    clock = Clock()
    sandbox = Sandbox(
        api="laabam", group_limits={"sms": lambda: SlidingLog(10, DAY)}, clock=clock.monotonic, wall=clock.wall
    )
    limits = (DailyCap(None, group="sms"),)
    async with sandbox, client(sandbox, wall=clock.wall, limits=limits) as laabam:
        job = BulkJob(laabam, SMS, rows(15), **QUICK)
        stopped = await job.run()
        assert job.stopped is not None
        assert "quota" == job.stopped.why
        assert {"done": 10, "pending": 5} == {state: count for state, count in stopped.counts.items() if count}
        until = time.strftime("%Y-%m-%dT%H:", time.gmtime(clock.wall() + DAY))
        assert f"the daily cap is used up until {until}" in str(stopped.stopped_by)

        assert 10 == (await laabam.messages.import_sms(rows(15), **QUICK)).counts["done"], "it is still the same day"
        clock.passed += DAY + 60
        report = await laabam.messages.import_sms(rows(15), **QUICK)

    assert {"created": 15} == report.outcomes
    assert Counter(row["to"] for row in rows(15)) == recipients(sandbox)


async def test_a_cap_of_ones_own_stops_it_before_the_server_does(laabam_sandbox: Sandbox) -> None:
    """Nothing is sent beyond it."""
    clock = Clock()
    limits = [*LAABAM.limits[2:], DailyCap(4, group="sms")]
    async with client(laabam_sandbox, limits=limits, wall=clock.wall) as laabam:
        job = BulkJob(laabam, SMS, rows(6), **QUICK)
        stopped = await job.run()
        assert (4, 2) == (stopped.counts["done"], stopped.counts["pending"])
        assert job.stopped is not None
        assert "quota" == job.stopped.why
        assert 4 == len(laabam_sandbox.ledger.requests)
        clock.passed += DAY + 120
        report = await laabam.messages.import_sms(rows(6), **QUICK)

    assert {"created": 6} == report.outcomes


async def test_another_text_under_the_same_name_is_refused(laabam_sandbox: Sandbox, tmp_path: Path) -> None:
    """The journal is lost, the text was edited, the name says that it is the same import: so are the keys."""
    async with client(laabam_sandbox) as laabam:
        await laabam.messages.import_sms(rows(3), name="spring", journal_dir=tmp_path / "one", **QUICK)
        other = [*rows(2), {**rows(3)[2], "message": "edited"}]
        report = await laabam.messages.import_sms(other, name="spring", journal_dir=tmp_path / "two", **QUICK)

    assert Counter(row["to"] for row in rows(3)) == recipients(laabam_sandbox)
    assert {"done": 2, "failed": 1} == {state: count for state, count in report.counts.items() if count}
    (reason,) = await told(report, "failed")
    assert "key" in reason


@pytest.mark.parametrize(("hours", "counts"), [(19.1, {"done": 2}), (19.3, {"done": 1, "held": 1})])
async def test_a_key_that_the_server_may_have_forgotten_is_not_sent_again(hours: float, counts: dict[str, int]) -> None:
    """Of 24 hours it is trusted for 80 %, or 19.2: here it is forgotten then, and the message would go out twice."""
    clock = Clock()
    sandbox = Sandbox(api="laabam", clock=clock.monotonic, retention=19.2 * 3600)
    sandbox.script(Fault(reset="after", method="POST", skip=1))
    once = RetryPolicy(max_attempts=1)
    async with sandbox, client(sandbox, retry=once) as laabam:
        first: BulkJob = BulkJob(laabam, SMS, rows(2), quarantine=60.0, progress=lambda now: _stopped(first, now))
        assert 1 == (await first.run()).counts["unknown"]
        clock.passed = hours * 3600
        job = BulkJob(laabam, SMS, rows(2), **QUICK)
        job._wall = clock.wall
        report = await job.run()

    assert counts == {state: count for state, count in report.counts.items() if count}
    assert {"its outcome is unknown, and nothing can tell it"} >= set(await told(report, "held"))
    assert Counter(row["to"] for row in rows(2)) == recipients(sandbox)


def _stopped(job: BulkJob, now: Snapshot) -> None:
    if now.counts.get("unknown"):
        job.stop()
