"""What an import is about to do, told before it does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leavo_async import RateLimit
from leavo_async.bulk.survey import Survey
from leavo_async.cli.leads_file import OpenedLeads


@dataclass(frozen=True, slots=True)
class Target:
    """Where an import goes, and how fast."""

    place: str
    limit: RateLimit


def plan_lines(opened: OpenedLeads, found: Survey | None, target: Target | None) -> Iterator[str]:
    """The file, its columns, its rows, where they go and how long that takes.

    found: None for what cannot be read twice. target: None for a dry run.
    """
    yield f"Plan  {opened.source.name} · {opened.source.description}"
    columns = ", ".join(f"{field} ← {column}" for field, column in opened.plan.columns.items())
    left_out = ", ".join(opened.plan.left_out)
    yield f"      {columns}" + (f"; left out: {left_out}" if left_out else "")
    if found is not None:
        yield f"      {_rows(found)}"
    if target is not None:
        takes = "" if found is None else f": about {duration(found.to_send / target.limit.rate)}"
        yield f"      to {target.place}, at most {target.limit}{takes}"


def duration(seconds: float) -> str:
    """Seconds as people say them: "40 s", "12 min", "17 h 30 min", "6 d 22 h"."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def _rows(found: Survey) -> str:
    told = [f"{found.to_send:,} to send", f"{found.tally.counts['rejected']:,} rejected"]
    if empty := found.tally.counts["empty"]:
        told.append(f"{empty:,} empty")
    return f"{counted(found.rows, 'row')}: {', '.join(told)}"


def counted(number: int, noun: str) -> str:
    """A number and its noun, as in "1 row" and "2 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
