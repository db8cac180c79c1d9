"""A snapshot of a job, drawn for a terminal of any width."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.words import percent, tallied, tempo, time_left

_NARROWEST, _WIDEST = 8, 40


class Drawing:
    """The last snapshot on two lines: how far and how fast; how many of which kind, and until when."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._snapshot: Snapshot | None = None
        self._told_at = 0.0
        self._unicode, self._ascii = Spinner("dots", "importing"), Spinner("line", "importing")

    def show(self, snapshot: Snapshot) -> None:
        """Draw this from now on."""
        self._told_at = time.time()
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._snapshot is not None:
            yield self._head(self._snapshot, options)
            yield self._foot(self._snapshot, options)

    def _head(self, snapshot: Snapshot, options: ConsoleOptions) -> Table:
        # What does not fit is left out, from the end.
        room = options.max_width - len("* importing") - (0 if self._total is None else 2 + _NARROWEST)
        facts = self._facts(snapshot)
        while len(facts) > 1 and _width(facts) > room:
            facts.pop()
        bar = max(1, min(_WIDEST, _NARROWEST + room - _width(facts)))
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_row(
            self._ascii if options.ascii_only else self._unicode,
            *([] if self._total is None else [ProgressBar(self._total, snapshot.settled, width=bar)]),
            *facts,
        )
        return row

    def _facts(self, snapshot: Snapshot) -> list[str]:
        if self._total is None:
            return [f"{snapshot.settled:,} rows", *tempo(snapshot)]
        return [f"{snapshot.settled:,}/{self._total:,}", percent(snapshot.settled, self._total), *tempo(snapshot)]

    def _foot(self, snapshot: Snapshot, options: ConsoleOptions) -> Text:
        width = options.max_width - 2
        lines = _filled(tallied(snapshot), " - " if options.ascii_only else " · ", width)
        # As it was when it was told: else the moment of the end would run ahead of an old snapshot.
        if left := time_left(snapshot, self._told_at):
            lines = [*lines[:-1], *_filled([*lines[-1:], left], "   ", width)]
        return Text("\n".join(f" {line}" for line in lines), no_wrap=True, overflow="crop")


def _width(facts: Sequence[str]) -> int:
    return sum(2 + len(fact) for fact in facts)


def _filled(items: Sequence[str], between: str, width: int) -> list[str]:
    """The items on as few lines of this width as will do."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1] + between + item) <= width:
            lines[-1] += between + item
        else:
            lines.append(item)
    return lines
