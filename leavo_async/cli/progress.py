"""The progress of a job, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Literal

from rich.console import Console
from rich.live import Live

from leavo_async.bulk.plain_lines import PlainLines, print_line
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.cli.drawing import Drawing

Style = Literal["auto", "bar", "plain", "json", "none"]
Show = Callable[[Snapshot], None]

_REDRAWS_A_SECOND = 5
_AN_OBJECT_EACH = 1.0


@contextmanager
def showing(style: Style, total: int | None) -> Generator[Show, None, None]:
    """A function that shows how far a job is; call it as often as you like. total: rows in all; None if nobody knows.

    auto: a bar on a terminal, otherwise plain. json: an object a line, each second at the most, and one at the end.
    """
    console = Console(stderr=True)
    if style == "bar" or (style == "auto" and sys.stderr.isatty() and not console.is_dumb_terminal):
        with _bar(console, total) as show:
            yield show
    elif style == "json":
        with _objects() as show:
            yield show
    else:
        yield PlainLines(total).show if style in ("auto", "plain") else _nothing


def _nothing(snapshot: Snapshot) -> None:
    """Shows nothing."""


@contextmanager
def _bar(console: Console, total: int | None) -> Generator[Show, None, None]:
    drawing = Drawing(total)
    # A thread of Live's draws it, however often it is told. What stands there goes in the end, for the summary says it
    # all; into a file only the end is written. stdout is left alone, for it has results, unless it is the same screen.
    live = Live(
        drawing,
        console=console,
        refresh_per_second=_REDRAWS_A_SECOND,
        transient=console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    )
    # A terminal that has gone ends no job, and what became of the rows can still be written elsewhere.
    with suppress(OSError):
        live.start()
    try:
        yield drawing.show
    finally:
        with suppress(OSError):
            live.stop()
            if not console.is_terminal:
                console.line()


@contextmanager
def _objects() -> Generator[Show, None, None]:
    """Snapshots as JSON objects, one a line."""
    last: Snapshot | None = None
    due = time.monotonic()

    def show(snapshot: Snapshot) -> None:
        nonlocal last, due
        last = snapshot
        if (now := time.monotonic()) >= due:
            due = now + _AN_OBJECT_EACH
            print_line(_as_json("progress", snapshot))

    try:
        yield show
    finally:
        if last is not None:
            print_line(_as_json("end", last))


def _as_json(event: str, snapshot: Snapshot) -> str:
    at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    counts, outcomes = dict(snapshot.counts), dict(snapshot.outcomes)
    return json.dumps({"event": event, "at": at, **snapshot._asdict(), "counts": counts, "outcomes": outcomes})
