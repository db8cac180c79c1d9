"""An import keeps people's data in its journal and in the file of failed rows, and the key nowhere."""

from __future__ import annotations

import asyncio
import json
import logging
import pprint
import sqlite3
import stat
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rich.pretty

from leavo_async import ConfigError, JournalError, LeavoClient, RetryPolicy
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.failed import write_failed
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.journal import Journal
from leavo_async.bulk.redrive import reconcile
from leavo_async.bulk.report import Report
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.progress import _as_json
from leavo_async.cli.summary import open_row_lines, report_json, summary_lines
from leavo_async.sandbox import Fault, Sandbox

DONE, REFUSED, WRONG, LOST, HELD = (f"{name}CANARY" for name in ("DONE", "REFUSED", "WRONG", "LOST", "HELD"))
PHONES = {name: f"+55119876543{n:02}" for n, name in enumerate((DONE, REFUSED, WRONG, LOST, HELD))}
PHONES[WRONG] = "98765WRONG"
CODE = ExitCode.SOME_FAILED


def rows(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "phone": PHONES[name]} for name in names]


def client(sandbox: Sandbox) -> LeavoClient:
    return LeavoClient(sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, limits=())


def canaries(sandbox: Sandbox) -> tuple[str, ...]:
    return ("CANARY", "98765", sandbox.key)


def assert_silent(text: str, sandbox: Sandbox) -> None:
    """The canary is not named: the text of a failure is kept as well."""
    assert [n for n, canary in enumerate(canaries(sandbox)) if canary in text] == []


def shown(thing: object) -> str:
    return "\n".join((repr(thing), f"{thing}", pprint.pformat(thing), rich.pretty.pretty_repr(thing)))


async def worked(sandbox: Sandbox, folder: Path) -> tuple[Report, str]:
    """A job with a row of each kind; and all that it has shown on its way."""
    told: list[str] = []

    def show(now: Snapshot) -> None:
        told.extend((shown(now), _as_json("progress", now)))

    refused = json.dumps({"error": f"no lead for {sandbox.key}", "code": "INVALID"})
    # The first row is made, the second refused by a server that repeats the key, the third has no answer.
    sandbox.script(Fault(status=422, body=refused, method="POST", skip=1), Fault(reset="before", method="POST", skip=1))
    async with client(sandbox) as leavo:
        options: Any = {"progress": show, "journal_dir": folder, "concurrency": 1, "quarantine": 0.0}
        options["retry"] = RetryPolicy(first_delay=0, max_delay=0)
        job = BulkJob(leavo, LEADS, rows(DONE, REFUSED, WRONG, LOST), **options)
        plan = await job.prepare()
        told += [shown(job), shown(plan), shown(plan.facts)]
        report = await job.run()
        told.append(shown(job))
    return report, "\n".join(told)


def kept(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.mark.asyncio
async def test_neither_people_nor_the_key_are_shown(
    leavo_sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By job, plan, progress and report, in every form; nor in logs, nor in the names of files."""
    caplog.set_level(logging.DEBUG)
    report, told = await worked(leavo_sandbox, tmp_path / "jobs")
    assert (report.counts["done"], report.counts["failed"], report.counts["invalid"]) == (2, 1, 1)

    def forms() -> list[str]:
        records = [shown(row) for row in report.rows()]
        words = [*summary_lines(report, CODE, None, None, asked=False), *open_row_lines(report, None, asked=False)]
        names = [str(path) for path in (tmp_path / "jobs").iterdir()]
        return [*records, *words, *names, report.html(), report_json(report, CODE, None, None)]

    told += "\n".join([shown(report), str(report), report._repr_html_(), *await asyncio.to_thread(forms)])
    told += shown([report.runs, report.events, report.reasons, report.slices])
    told += "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert_silent(told, leavo_sandbox)
    assert "INVALID" in told


@pytest.mark.asyncio
async def test_people_are_in_two_files_for_their_owner_alone_and_the_key_in_none(
    leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """What is not done is in the journal and in the file of failed rows; of what is done nothing is left."""
    report, _ = await worked(leavo_sandbox, tmp_path / "jobs")
    await asyncio.to_thread(write_failed, tmp_path / "failed.csv", report.journal)
    journal, failed = await asyncio.to_thread(kept, tmp_path / "jobs"), (tmp_path / "failed.csv").read_bytes()

    for text in (journal, failed):
        assert [name for name in (DONE, REFUSED, WRONG, LOST) if name.encode() in text] == [REFUSED, WRONG]
        assert [name for name in (DONE, REFUSED, LOST) if PHONES[name].encode() in text] == [REFUSED]
        assert leavo_sandbox.key.encode() not in text
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (*(tmp_path / "jobs").iterdir(), tmp_path / "failed.csv")}
    assert modes == {0o600}


@pytest.mark.asyncio
async def test_its_errors_show_nothing_either(
    leavo_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that led to them."""
    errors: list[BaseException] = []

    async def fails(source: object, kind: type[BaseException], **options: Any) -> None:
        async with client(leavo_sandbox) as leavo:
            with pytest.raises(kind) as caught:
                await leavo.leads.import_(source, **{"progress": False, "journal_dir": tmp_path / "jobs", **options})
        errors.append(caught.value)

    def unreadable() -> Iterator[Any]:
        yield from rows(DONE)
        raise ValueError("the source itself")

    file = tmp_path / "leads.csv"
    file.write_text(f"name,phone\n{DONE},{PHONES[DONE]}\n")
    await fails([{"name": DONE, "phone": PHONES[DONE], "other": WRONG}], ConfigError)
    await fails([{"name": DONE}], ConfigError)
    await fails(rows(DONE), ConfigError, map={"phone": "tel"})
    await fails(unreadable(), ValueError)
    await fails(DONE.encode(), ConfigError)
    async with client(leavo_sandbox) as leavo:
        job = BulkJob(leavo, LEADS, file, journal_dir=tmp_path / "jobs", progress=False)
        job.stop()
        report = await job.run()
    file.write_text(f"name,phone\n{LOST},{PHONES[LOST]}\n")
    await fails(file, ConfigError)
    with pytest.raises(ConfigError) as caught:
        await asyncio.to_thread(lambda: reconcile(report.journal, done=[1]))
    errors.append(caught.value)

    def full(self: Journal, *_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Journal, "record", full)
    await fails(rows(HELD), JournalError)

    assert len(errors) == 8
    for error in errors:
        assert_silent("".join(traceback.format_exception(error)) + repr(error), leavo_sandbox)
