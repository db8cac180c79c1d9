"""`leavo export leads`: to a file, or to standard output."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from leavo_async import LeavoError
from leavo_async.apis.leavo.columns import LEAD_COLUMNS
from leavo_async.bulk.export import ExportReport, export, format_of, writer_of
from leavo_async.bulk.formats import ExportFormat
from leavo_async.bulk.since import Since
from leavo_async.bulk.threads import in_thread
from leavo_async.bulk.words import counted
from leavo_async.cli.connection import Connection
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.export_progress import ExportStyle, Show, showing_export
from leavo_async.cli.running import on_signals, say, tell
from leavo_async.cli.traffic import Traffic
from leavo_async.errors import ConfigError

# The number of standard output.
_STDOUT = 1


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the user asked for. file: "-" is standard output; None for leads.FORMAT."""

    connection: Connection
    file: str | None
    format: ExportFormat | None
    search: str | None
    status_id: str | None
    since: Since | None
    guard: bool
    overwrite: bool
    restart: bool
    as_json: bool
    progress: ExportStyle

    @property
    def path(self) -> Path:
        """Where the leads go."""
        return Path(self.file or f"leads.{self.format or 'csv'}")


async def export_leads(options: ExportOptions) -> ExitCode:
    """Write the leads that fit; gives the exit code."""
    if options.file == "-":
        return await _to_stdout(options)
    stopper = _Stopper()
    traffic = Traffic(say)
    started = time.monotonic()
    try:
        with on_signals(stopper.on_signal):
            report = await _to_file(options, traffic, stopper)
    except asyncio.CancelledError:
        if stopper.signal is None:
            raise
        if stopper.latest is None or not stopper.latest.is_complete:
            _tell_how_to_go_on(stopper.latest)
            return ExitCode(128 + stopper.signal)
        report = stopper.latest  # the signal has come when all was done
    except (LeavoError, OSError) as error:
        if not isinstance(error, ConfigError):
            _tell_how_to_go_on(stopper.latest)
        raise
    seconds = time.monotonic() - started
    tell(*([_json(report, seconds)] if options.as_json else _lines(report, traffic, seconds)))
    return ExitCode.DONE


class _Stopper:
    """The first signal ends the export behind the page in hand; what was written is safe. latest: how far it is."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.latest: ExportReport | None = None
        self._command = asyncio.current_task()

    def on_signal(self, number: signal.Signals) -> None:
        """Called on the event loop for SIGINT and SIGTERM."""
        if self.signal is None and self._command is not None:
            self.signal = number
            self._command.cancel()

    def watch(self, show: Show, report: ExportReport) -> None:
        """Keep the report, and show it."""
        if self.latest is None and report.earlier:
            say(f"Going on: {counted(report.earlier, 'lead')} were read before.")
        self.latest = report
        show(report)


async def _to_file(options: ExportOptions, traffic: Traffic, stopper: _Stopper) -> ExportReport:
    connection, path = options.connection, options.path
    kind = options.format or format_of(path)
    async with connection.client([traffic]) as leavo:
        say(f"Export  {path} · {kind} · from {connection.place}, at most {connection.rate_limit}")
        with showing_export(options.progress) as show:
            return await export(
                partial(leavo.leads.list, search=options.search, status_id=options.status_id),
                path,
                format=kind,
                columns=None if kind == "jsonl" else LEAD_COLUMNS,
                since=options.since,
                guard=options.guard,
                overwrite=options.overwrite,
                restart=options.restart,
                on_progress=partial(stopper.watch, show),
            )


def _tell_how_to_go_on(latest: ExportReport | None) -> None:
    if latest is not None:
        say(f"Stopped: {counted(latest.rows, 'row')} in {latest.path}.part. Go on with:  {_command()}")


def _command() -> str:
    """This command once more; what begins anew is left out."""
    return shlex.join(["leavo", *(word for word in sys.argv[1:] if word != "--restart")])


async def _to_stdout(options: ExportOptions) -> ExitCode:
    """As they come: nothing is kept, so a second time begins anew."""
    kind = options.format or "csv"
    if kind == "parquet":
        raise ConfigError("a Parquet file cannot be written to standard output: name a file with -o")
    writer = writer_of(kind, None if kind == "jsonl" else LEAD_COLUMNS, guard=options.guard)
    async with options.connection.client([Traffic(say)]) as leavo:
        await in_thread(_write, writer.head)
        found = leavo.leads.list(search=options.search, status_id=options.status_id, dedupe_by="id")
        async for page in found.pages():
            kept = [lead for lead in page if options.since is None or options.since.keeps(lead)]
            await in_thread(_write, writer.rows(kept))
    return ExitCode.DONE


def _write(data: bytes) -> None:
    # Past sys.stdout, whose buffer would be written once more at the end of the process, to a pipe that is broken.
    left = memoryview(data)
    while left:
        left = left[os.write(_STDOUT, left) :]


def _lines(report: ExportReport, traffic: Traffic, seconds: float) -> Iterator[str]:
    yield f"{report.path}: {counted(report.rows, 'row')} in {seconds:.1f} s"
    if report.left_out:
        yield f"  not changed since   {report.left_out:>7,}"
    if report.repeated:
        yield f"  shown twice         {report.repeated:>7,}"
    if report.earlier:
        yield f"  read by earlier runs{report.earlier:>7,}"
    yield f"  requests {traffic.requests:,} · 429s seen {traffic.too_many:,}"
    yield f"For what changes from now on:  --since {_next_since(report)}"


def _json(report: ExportReport, seconds: float) -> str:
    told = {
        "file": str(report.path),
        **{name: getattr(report, name) for name in ("format", "rows", "left_out", "repeated", "earlier", "pages")},
        "seconds": round(seconds, 3),
        "next_since": _next_since(report),
        "exit_code": int(ExitCode.DONE),
    }
    return json.dumps(told)


def _next_since(report: ExportReport) -> str:
    return report.started.isoformat(timespec="seconds")
