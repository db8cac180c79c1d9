"""`leavo jobs`: what there is, how it stands, and going on with it."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from leavo_async import LeavoClient
from leavo_async._sansio.text import printable
from leavo_async.apis.leavo import LEAVO
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.facts import Facts
from leavo_async.bulk.failed import check_target, print_failed, write_failed
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.journal import viewing
from leavo_async.bulk.lock import is_locked
from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.places import found, journals, purge, state_dir
from leavo_async.bulk.redrive import reconcile, redrive
from leavo_async.bulk.report import Report
from leavo_async.bulk.reporting import report_of
from leavo_async.bulk.sources import open_source
from leavo_async.bulk.states import OPEN, State
from leavo_async.bulk.threads import in_thread
from leavo_async.bulk.words import counted, duration
from leavo_async.cli.connection import Connection
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.job_run import Display, Screen, finish, work
from leavo_async.cli.running import confirmed, say, tell
from leavo_async.cli.stopper import Stopper
from leavo_async.cli.summary import report_json
from leavo_async.errors import ConfigError


async def list_jobs(*, as_json: bool) -> ExitCode:
    """Print a line for each job, the latest first."""
    for line in await in_thread(_listed, as_json=as_json):
        tell(line)
    return ExitCode.DONE


async def show_status(job: str | None, *, as_json: bool) -> ExitCode:
    """Print how a job stands."""
    path = await in_thread(_one, job)
    report = await in_thread(report_of, path)
    if as_json:
        tell(report_json(report, ExitCode.DONE, None, None))
        return ExitCode.DONE
    tell(*report.lines(), f"  {_state(path, report)} · journal {path}")
    return ExitCode.DONE


async def write_failures(job: str | None, output: str | None) -> ExitCode:
    """Write the rows that are not there, with their reasons, into a file or on stdout."""
    path = await in_thread(_one, job)
    states: tuple[State, ...] = ("failed", "invalid", "held", "unknown")
    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as the file is: it is to be imported again
        await in_thread(print_failed, sys.stdout, path, *states)
        return ExitCode.DONE
    count = await in_thread(write_failed, await in_thread(check_target, output, None), path, *states)
    say(f"{counted(count, 'row')} in {output}" if count else "Every row that was sent is there: no file was written.")
    return ExitCode.DONE


async def write_report(job: str | None, html: str) -> ExitCode:
    """Write the report as a page."""
    report = await in_thread(report_of, await in_thread(_one, job))
    await in_thread(report.write_html, html)
    say(f"Written to {html}")
    return ExitCode.DONE


async def purge_job(job: str, *, yes: bool) -> ExitCode:
    """Remove a journal, with all that is in it."""
    path = await in_thread(found, state_dir(), job)
    report = await in_thread(report_of, path)
    left = sum(report.counts[state] for state in OPEN)
    what = f"job {report.job} ({printable(report.source)}, {counted(left, 'row')} left)"
    if not yes and not await in_thread(confirmed, f"Remove {what} for good?"):
        say("Nothing was removed.")
        return ExitCode.NOT_STARTED
    await in_thread(purge, path)
    say(f"Removed {what}")
    return ExitCode.DONE


async def resume_job(
    job: str | None, connection: Connection, display: Display, options: ImportOptions, stopper: Stopper
) -> ExitCode:
    """Go on with a job."""
    path = await in_thread(_one, job)
    return await _gone_on(path, connection, display, options, stopper)


async def redrive_job(
    job: str, mended: str | None, connection: Connection, display: Display, options: ImportOptions, stopper: Stopper
) -> ExitCode:
    """Send rows anew that were refused."""
    path = await in_thread(found, state_dir(), job)
    told = await in_thread(_redriven, path, mended)
    return await _gone_on(path, connection, display, options, stopper, told)


async def reconcile_job(
    job: str,
    resend: Sequence[int],
    done: Sequence[int],
    connection: Connection,
    display: Display,
    options: ImportOptions,
    stopper: Stopper,
) -> ExitCode:
    """Settle rows of unknown outcome."""
    path = await in_thread(found, state_dir(), job)
    told = await in_thread(_reconciled, path, resend, done)
    return await _gone_on(path, connection, display, options, stopper, told)


def _redriven(path: Path, mended: str | None) -> str:
    _known(path)
    if mended is None:
        return _told(redrive(path, LEADS, None))
    with open_source(mended) as source:
        return _told(redrive(path, LEADS, source))


def _reconciled(path: Path, resend: Sequence[int], done: Sequence[int]) -> str:
    return _told(reconcile(path, resend=resend, done=done))


def _told(counts: Any) -> str:
    return ", ".join(f"{counted(count, 'row')} {what}" for what, count in counts.items()) or "nothing to do"


async def _gone_on(
    path: Path,
    connection: Connection,
    display: Display,
    options: ImportOptions,
    stopper: Stopper,
    told: str | None = None,
) -> ExitCode:
    if told is not None:
        say(told)
    facts = await in_thread(_known, path)
    async with _connected(facts, connection) as leavo:
        screen = Screen()
        options["progress"] = screen
        job = BulkJob.resume(leavo, LEADS, facts.job, **options)
        report = await work(job, screen, replace(display, yes=True), stopper)
        assert report is not None
        return await finish(job, report, display, stopper)


@asynccontextmanager
async def _connected(facts: Facts, connection: Connection) -> AsyncGenerator[LeavoClient, None]:
    """A client of the place that the job was begun with: nobody has to name it again, nor its limit."""
    if connection.base_url in (None, facts.place):
        is_here = facts.place.startswith("http://")  # permitted when it was begun
        connection = replace(connection, base_url=facts.place, allow_insecure_loopback=is_here)
    if connection.limit is None and facts.limit_per_minute is not None:
        connection = replace(connection, limit=round(facts.limit_per_minute))
    async with connection.client() as leavo:
        yield leavo


def _known(path: Path) -> Facts:
    """The facts of a job; ConfigError if the command line cannot go on with it."""
    with viewing(path) as journal:
        facts = journal.facts
    if (facts.api, facts.method, facts.path) != (LEAVO.name, LEADS.method, LEADS.path):
        raise ConfigError(
            f"job {facts.job} imports {facts.name} by way of {facts.api}: go on with it where it was begun, in Python "
            "(BulkJob.resume)"
        )
    return facts


def _one(job: str | None) -> Path:
    """The journal of a job; without a name that of the only one that is not finished, or else of the latest."""
    folder = state_dir()
    if job is not None:
        return found(folder, job)
    every = journals(folder)
    if not every:
        raise ConfigError(f"there is no job in {folder}")
    left = [path for path in every if not report_of(path).is_finished]
    if len(left) > 1:
        raise ConfigError(f"which job? Not finished are {', '.join(path.stem for path in left)}")
    return left[0] if left else every[0]


def _listed(*, as_json: bool) -> list[str]:
    lines: list[str] = []
    for path in journals(state_dir()):
        try:
            report = report_of(path)
        except ConfigError as error:
            lines.append(json.dumps({"job": path.stem, "error": str(error)}) if as_json else f"{path.stem}  {error}")
            continue
        lines.append(report_json(report, ExitCode.DONE, None, None) if as_json else _line(path, report))
    return lines or ([] if as_json else ["no jobs"])


def _line(path: Path, report: Report) -> str:
    done, total = report.counts["done"], sum(report.counts.values())
    return f"{report.job}  {report.name:<12} {done:>9,} of {total:>9,} done  {_state(path, report):<28} {report.source}"


def _state(path: Path, report: Report) -> str:
    if is_locked(path):
        return "running"
    if report.is_finished:
        return "finished"
    ago = f", {duration(max(time.time() - report.runs[-1].ended, 0.0))} ago" if report.runs else ""
    return f"{report.stopped_by}{ago}"
