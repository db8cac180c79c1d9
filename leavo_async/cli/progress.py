"""The progress of an import, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from leavo_async.bulk.results import Tally
from leavo_async.cli.open_rows import WORDS

Style = Literal["auto", "bar", "plain", "none"]
Show = Callable[[Tally], None]

# A line at each tenth of the file, but not more than one a second; at least one each half minute.
_STEP = 0.1
_SOON, _LATE = 1.0, 30.0


@contextmanager
def showing(style: Style, total: int | None) -> Generator[Show, None, None]:
    """A function that shows how far the import is. total: rows in all; None if nobody knows."""
    console = Console(stderr=True)
    if style == "none":
        yield lambda tally: None
    elif style == "bar" or (style == "auto" and console.is_terminal):
        with _bar(console) as progress:
            task = progress.add_task("importing", total=total, counts="")
            yield lambda tally: progress.update(task, completed=tally.rows, counts=counts(tally))
    else:
        yield _Lines(console, total).show


def counts(tally: Tally) -> str:
    """The states that occurred, such as "created 41 · existing 1"."""
    return " · ".join(f"{WORDS[state]} {tally.counts[state]}" for state in WORDS if tally.counts[state])


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
        console=console,
        transient=console.is_terminal,  # the summary says it all in the end; into a file only the end is written
    )


class _Lines:
    """Plain lines: no carriage return ever, so that a log stays readable."""

    def __init__(self, console: Console, total: int | None) -> None:
        self._console = console
        self._total = total
        self._shown_at = time.monotonic()
        self._shown_rows = 0

    def show(self, tally: Tally) -> None:
        """Print a line if it is time for one."""
        if not self._is_time(tally.rows):
            return
        self._shown_at, self._shown_rows = time.monotonic(), tally.rows
        done = f"{tally.rows:,}" if self._total is None else f"{tally.rows:,} of {self._total:,}"
        self._console.print(f"importing: {done} rows, {counts(tally)}", highlight=False, soft_wrap=True)

    def _is_time(self, rows: int) -> bool:
        since = time.monotonic() - self._shown_at
        step = (self._total or 0) * _STEP
        return since >= _LATE or (since >= _SOON and rows - self._shown_rows >= step)
