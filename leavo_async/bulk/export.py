"""A listing as a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypedDict, TypeVar

from leavo_async.bulk.formats import Columns, CsvWriter, ExportFormat, JsonlWriter, Writer
from leavo_async.bulk.parquet_writer import check_pyarrow
from leavo_async.bulk.part import Part, Plan
from leavo_async.bulk.since import Since
from leavo_async.errors import ConfigError
from leavo_async.pagination import Pages

P = ParamSpec("P")
R = TypeVar("R")

_SUFFIXES: dict[str, ExportFormat] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


class ResumableListing(Protocol):
    """What gives a listing, from the beginning or from a token on, such as `leavo.leads.list`."""

    def __call__(self, *, resume: str | None) -> Pages[Any]:
        """The listing."""
        ...


class ExportOptions(TypedDict, total=False):
    """What each export may be told, as in `export`."""

    guard: bool
    overwrite: bool
    restart: bool
    on_progress: Callable[[ExportReport], object]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """How far an export is, and what became of it.

    rows: in the file. left_out: items that have not changed since; repeated: items that were there already.
    earlier: items that earlier processes had read. pages: read by this one.
    total: items in the whole listing, as the server has said last; None if it has not.
    started: when the first process began: what has changed from then on is for the next export, as its `since`.
    is_complete: whether the file is whole, and has its name.
    """

    path: Path
    format: ExportFormat
    rows: int
    left_out: int
    repeated: int
    earlier: int
    pages: int
    total: int | None
    started: datetime
    is_complete: bool

    @property
    def read(self) -> int:
        """Items of the listing that have been read, those of earlier processes included."""
        return self.rows + self.left_out + self.repeated


async def export(
    listing: ResumableListing,
    path: str | Path,
    *,
    format: ExportFormat | None = None,  # noqa: A002  # the users' word
    columns: Columns | None = None,
    since: Since | None = None,
    unique: str | None = "id",
    guard: bool = True,
    overwrite: bool = False,
    restart: bool = False,
    on_progress: Callable[[ExportReport], object] = lambda report: None,
) -> ExportReport:
    """Write all items of a listing to a file; when it has its name, it is whole.

        await export(partial(leavo.leads.list, search="ana"), "leads.jsonl")

    Until then the rows are in PATH.part, and PATH.cursor tells how far they go. However it ends before, by an error, by
    cancellation, by kill -9 or a power failure: the same call goes on there, and the file gets the same rows as if
    nothing had happened. Leave `max_items` of the listing out: it would count anew.

    format: default as the path ends. columns: CSV and Parquet need them. Parquet is written at the end, from
    JSON Lines. since: keeps what has changed from then on; the whole listing is read all the same. unique: the field
    that names an item, to keep it out when a listing that moves shows it again; None keeps all.
    guard: whether cells of CSV that a spreadsheet would take for formulas get an apostrophe in front.
    overwrite: whether a file that is there may be replaced, at the end. restart: forget what an earlier call has left.
    on_progress: called after each page, and at the end, whatever that is.
    Raises ConfigError before anything is sent if the file cannot be written, is there, is being written by another
    process, or was begun with other settings; OSError if the disk is full: then nothing that was safe is lost.
    """
    running = _Export(_plan(Path(path), format, columns, since, unique, guard=guard))
    try:
        await running.do(running.part.open, overwrite=overwrite, restart=restart)
        if not running.part.position.is_read:
            await running.write(_listed(listing, running.part.position.token), on_progress)
        await running.do(running.part.finish, overwrite=overwrite)
    finally:
        await running.close()
        if running.part.started:
            on_progress(running.report())
    return running.report()


class _Export:
    """An export under way.

    All that blocks is done by one thread, so that the steps of a file come one after the other, whoever is cancelled.
    """

    def __init__(self, plan: Plan) -> None:
        self.part = Part(plan)
        self._pages = 0
        self._total: int | None = None
        self._thread = ThreadPoolExecutor(1, "leavo-export")

    async def do(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def write(self, found: Pages[Any], on_progress: Callable[[ExportReport], object]) -> None:
        async with aclosing(found.pages()) as run:
            async for page in run:
                await self.do(self.part.add, page, found.resume_token)
                self._pages, self._total = self._pages + 1, found.total
                on_progress(self.report())

    async def close(self) -> None:
        """Behind the page that is being written."""
        try:
            await self.do(self.part.close)
        finally:
            self._thread.shutdown(wait=False)

    def report(self) -> ExportReport:
        at, plan = self.part.position, self.part.plan
        return ExportReport(
            path=plan.path,
            format=plan.format,
            rows=at.rows,
            left_out=at.left_out,
            repeated=at.repeated,
            earlier=self.part.earlier,
            pages=self._pages,
            total=self._total,
            started=datetime.fromtimestamp(self.part.started, UTC),
            is_complete=self.part.is_complete,
        )


def format_of(path: Path) -> ExportFormat:
    """The format that the file's name ends with; ConfigError if it does not."""
    if found := _SUFFIXES.get(path.suffix.lower()):
        return found
    raise ConfigError(f"{path}: cannot tell the format by the name: say csv, jsonl or parquet (--format)")


def writer_of(kind: ExportFormat, columns: Columns | None, *, guard: bool) -> Writer:
    """What makes rows of items; ConfigError if there can be none."""
    if kind == "jsonl":
        return JsonlWriter(columns)
    if columns is None:
        raise ConfigError(f"a {kind} file needs columns: name them")
    if kind == "csv":
        return CsvWriter(columns, guard=guard)
    check_pyarrow()
    return JsonlWriter(columns)


def _plan(
    path: Path,
    kind: ExportFormat | None,
    columns: Columns | None,
    since: Since | None,
    unique: str | None,
    *,
    guard: bool,
) -> Plan:
    kind = kind or format_of(path)
    return Plan(path, kind, writer_of(kind, columns, guard=guard), columns, since, unique, guard)


def _listed(listing: ResumableListing, token: str | None) -> Pages[Any]:
    try:
        return listing(resume=token)
    except ConfigError as error:
        if token is None:
            raise
        problem = str(error)
    raise ConfigError(f"cannot go on with the export: {problem}; or restart it (--restart)")
