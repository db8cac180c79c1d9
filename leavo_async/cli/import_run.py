"""An import from the command line, step by step: open, survey, send, report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from leavo_async import LeavoClient, NewLead
from leavo_async.bulk.importer import Importer
from leavo_async.bulk.rejects import Rejects
from leavo_async.bulk.results import Tally
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.states import Outcome, State
from leavo_async.bulk.survey import Survey, survey
from leavo_async.bulk.threads import in_thread
from leavo_async.cli.connection import Connection, demo
from leavo_async.cli.exit_codes import ExitCode, of_import
from leavo_async.cli.leads_file import LeadsFile, OpenedLeads
from leavo_async.cli.plan import Target, plan_lines
from leavo_async.cli.progress import Style, showing
from leavo_async.cli.reporter import Reporter
from leavo_async.cli.running import say
from leavo_async.cli.stopper import Stopper
from leavo_async.cli.summary import Summary
from leavo_async.cli.traffic import Traffic


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user asked for. rejects: where rows that are not there in the end are written."""

    file: LeadsFile
    connection: Connection
    sandbox: bool
    rejects: str | None
    as_json: bool
    progress: Style
    concurrency: int


async def import_leads(options: ImportOptions, stopper: Stopper) -> ExitCode:
    """Send the rows of the file, print what became of them; gives the exit code."""
    traffic = Traffic(say)
    target = _target(options)
    async with opened(options.file, options.rejects) as (leads, rejects), _client(options, traffic) as leavo:
        stopper.leavo = leavo
        total = await _announced(options, leads, target, stopper)
        started = time.monotonic()
        importer = await _sent(options, stopper, leads, rejects, total)
        seconds = time.monotonic() - started
        sent = replace(traffic)
        written = None if rejects is None else await in_thread(_closed, rejects)
        read_back = await _read_back(leavo) if options.sandbox and not stopper.is_stopped() else None
    code = of_import(importer.tally, importer.stopped_by, stopper.signal)
    summary = Summary(
        name=leads.source.name,
        tally=importer.tally,
        traffic=sent,
        seconds=seconds,
        limit=str(target.limit),
        stopped_by=importer.stopped_by,
        code=code,
        read_back=read_back,
        rejects=written,
        asked=options.rejects is not None,
    )
    _print(summary.json() if options.as_json else "\n".join(summary.lines()))
    return ExitCode.DONE if read_back is not None and importer.stopped_by is None else code


@asynccontextmanager
async def opened(file: LeadsFile, rejects: str | None) -> AsyncGenerator[tuple[OpenedLeads, Rejects | None], None]:
    """The file, and the rejects file if one is asked for. Files block, so threads open and close them."""
    if file.path == "-":
        say("Reading standard input ...")
    leads = await in_thread(file.open)
    try:
        columns, source = leads.source.columns, None if file.path == "-" else file.path
        yield leads, None if rejects is None else await in_thread(Rejects, rejects, columns, source=source)
    finally:
        await in_thread(leads.source.close)


def _client(options: ImportOptions, traffic: Traffic) -> AbstractAsyncContextManager[LeavoClient]:
    connection = options.connection
    return demo(connection.demo_limit, [traffic]) if options.sandbox else connection.client([traffic])


def _target(options: ImportOptions) -> Target:
    connection = options.connection
    if options.sandbox:
        return Target("the sandbox", connection.demo_limit)
    return Target(connection.place, connection.rate_limit)


async def _announced(options: ImportOptions, leads: OpenedLeads, target: Target, stopper: Stopper) -> int | None:
    """Rows in all, once the plan has been told; None for what cannot be read twice."""
    found = None if options.file.is_read_once else await in_thread(_survey, options.file, stopper)
    for line in plan_lines(leads, found, target):
        say(line)
    return None if found is None else found.rows


def _survey(file: LeadsFile, stopper: Stopper) -> Survey:
    leads = file.open()
    with leads.source:
        return survey(leads.source, leads.check, is_stopped=stopper.is_stopped)


async def _sent(
    options: ImportOptions, stopper: Stopper, leads: OpenedLeads, rejects: Rejects | None, total: int | None
) -> Importer[NewLead]:
    assert stopper.leavo is not None
    with showing(options.progress, total) as show:
        report = Reporter(lambda: show(_snapshot(importer.tally, total)), rejects)
        # Rows have time: they let everybody else go first, and wait where others would give up.
        write = partial(stopper.leavo.leads.create_from, priority="bulk")
        importer = Importer(leads.check, write, report, concurrency=options.concurrency)
        stopper.watch(importer)
        ticking = asyncio.create_task(_tick(lambda: show(_snapshot(importer.tally, total))))
        try:
            await importer.run(leads.source)
        except OSError as error:
            # The disk, not the network: what has been sent is told all the same.
            importer.stop(f"{error.filename or leads.source.name}: {error.strerror or type(error).__name__}")
        finally:
            ticking.cancel()
    return importer


def _snapshot(tally: Tally, total: int | None) -> Snapshot:
    counts: dict[State, int] = {"failed": tally.counts["rejected"], "unknown": tally.counts["unknown"]}
    outcomes: dict[Outcome, int] = {"created": tally.counts["created"], "existing": tally.counts["existing"]}
    rows = tally.rows
    return Snapshot("", total or rows, rows, counts, outcomes, rows, 0, 0, None, None, "", None, 0.0)


async def _tick(show: Callable[[], None]) -> None:
    """Shows the progress also while no row gets its result, so that a slow server does not look like a hung program."""
    while True:
        await asyncio.sleep(1.0)
        show()


def _print(text: str) -> None:
    """Print the summary; if stdout cannot take it, on stderr: what was sent must be told somewhere."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        say(text)
        raise


async def _read_back(leavo: LeavoClient) -> int:
    """Leads that are there now, counted over HTTP like everything else."""
    return len(await leavo.leads.list().collect())


def _closed(rejects: Rejects) -> str | None:
    """The name of the rejects file once it is written; None if there is nothing in it."""
    try:
        rejects.close()
    except OSError as error:
        say(f"leavo: cannot write {rejects.path} ({error.strerror}); --json lists the first thousand of its rows")
        return None
    return str(rejects.path) if rejects.count else None
