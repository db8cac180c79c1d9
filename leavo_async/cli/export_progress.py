"""The progress of an export, on stderr: a bar on a terminal, a line now and then elsewhere, or JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from leavo_async.bulk.export import ExportReport
from leavo_async.cli.running import say

ExportStyle = Literal["auto", "bar", "plain", "json", "none"]
Show = Callable[[ExportReport], None]

# Seconds between two lines: for people, and for programs.
_LATE, _OFTEN = 10.0, 1.0


@contextmanager
def showing_export(style: ExportStyle) -> Generator[Show, None, None]:
    """A function that shows how far the export is."""
    console = Console(stderr=True)
    if style == "none":
        yield lambda report: None
    elif style == "bar" or (style == "auto" and console.is_terminal):
        with _bar(console) as progress:
            yield _Bar(progress).show
    elif style == "json":
        yield _Lines(_as_json, _OFTEN).show
    else:
        yield _Lines(_in_words, _LATE).show


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=console.is_terminal,  # the summary says it all in the end
    )


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def show(self, report: ExportReport) -> None:
        """Move the bar. It begins where earlier processes have stopped: they have no part in the speed."""
        if self._task is None:
            self._task = self._progress.add_task("exporting", total=report.total, completed=report.earlier)
        self._progress.update(self._task, total=report.total, completed=report.read)


class _Lines:
    """A line if it is time for one: no carriage return ever, so that a log stays readable."""

    def __init__(self, line: Callable[[ExportReport], str], every: float) -> None:
        self._line = line
        self._every = every
        self._shown_at = time.monotonic()

    def show(self, report: ExportReport) -> None:
        now = time.monotonic()
        if report.is_complete or now - self._shown_at >= self._every:
            self._shown_at = now
            say(self._line(report))


def _in_words(report: ExportReport) -> str:
    of = "" if report.total is None else f" of {report.total:,}"
    return f"exporting: {report.read:,}{of} read, {report.rows:,} written, {report.pages:,} pages"


def _as_json(report: ExportReport) -> str:
    told = {name: getattr(report, name) for name in ("read", "total", "rows", "pages", "is_complete")}
    return json.dumps({"event": "progress", **told})
