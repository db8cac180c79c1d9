"""An import from the command line."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from leavo_async import LeavoClient
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.failed import check_target, write_failed
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.plan import Plan
from leavo_async.bulk.reporting import report_of
from leavo_async.bulk.threads import in_thread
from leavo_async.cli.connection import Connection, demo
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.job_run import Display, Screen, finish, work
from leavo_async.cli.plan import plan_lines
from leavo_async.cli.reading import counting
from leavo_async.cli.running import say, tell
from leavo_async.cli.stopper import Stopper
from leavo_async.cli.summary import open_row_lines, report_json


@dataclass(frozen=True, slots=True)
class ImportCommand:
    """What the user asked for. file: "-" is standard input."""

    file: str
    connection: Connection
    sandbox: bool
    display: Display
    options: ImportOptions


async def import_leads(command: ImportCommand, stopper: Stopper) -> ExitCode:
    """Send the rows of the file, print what became of them; gives the exit code."""
    await _check(command)
    async with _place(command) as (leavo, options):
        screen = Screen()
        options["progress"] = screen
        job = BulkJob(leavo, LEADS, command.file, **options)
        report = await work(job, screen, command.display, stopper, is_demo=command.sandbox)
        if report is None:
            say("Nothing was sent.")
            return ExitCode.NOT_STARTED
        read_back = await _read_back(leavo) if command.sandbox and report.is_finished else None
        return await finish(job, report, command.display, stopper, read_back, is_kept=not command.sandbox)


async def check_leads(command: ImportCommand, stopper: Stopper) -> ExitCode:
    """Check the rows of the file and print what an import would do; no key is needed, no connection is opened."""
    await _check(command)
    with tempfile.TemporaryDirectory(prefix="leavo-") as folder:
        # The key is never used: nothing is sent.
        leavo = LeavoClient("dry-run", limits=[command.connection.rate_limit])
        options: ImportOptions = {**command.options, "journal_dir": folder, "progress": False}
        job = BulkJob(leavo, LEADS, command.file, **options)
        async with counting(job, command.display.progress):
            plan = await job.prepare()
        await job.aclose()
        return await in_thread(_checked, command, plan)


def _checked(command: ImportCommand, plan: Plan) -> ExitCode:
    report, rejects = report_of(plan.journal), command.display.rejects
    written = str(rejects) if rejects is not None and write_failed(rejects, plan.journal, "invalid") else None
    code = ExitCode.SOME_FAILED if report.counts["invalid"] else ExitCode.DONE
    if command.display.as_json:
        tell(report_json(report, code, None, written))
        return code
    tell(*plan_lines(plan, is_dry=True), *open_row_lines(report, written, asked=rejects is not None, is_kept=False))
    tell(f"Dry run: nothing was sent. Exit code {code}: {code.meaning if code else 'every row can be sent'}.")
    return code


async def _check(command: ImportCommand) -> None:
    """What would be a pity to find out in the end."""
    if command.file == "-":
        say("Reading standard input ...")
    if command.display.rejects is not None:
        await in_thread(check_target, command.display.rejects, None if command.file == "-" else command.file)


@asynccontextmanager
async def _place(command: ImportCommand) -> AsyncGenerator[tuple[LeavoClient, ImportOptions], None]:
    """The client, and the options of the import; a demo leaves nothing behind."""
    if not command.sandbox:
        async with command.connection.client() as leavo:
            yield leavo, {**command.options}
        return
    with tempfile.TemporaryDirectory(prefix="leavo-") as folder:
        async with demo(command.connection.demo_limit, ()) as leavo:
            yield leavo, {**command.options, "journal_dir": folder}


async def _read_back(leavo: LeavoClient) -> int:
    """Leads that are there now, counted over HTTP like everything else."""
    return len(await leavo.leads.list().collect())
