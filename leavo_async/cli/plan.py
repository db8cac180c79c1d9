"""What an import is about to do, told before it does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leavo_async import RateLimit
from leavo_async.bulk.survey import Survey
from leavo_async.bulk.words import counted, duration
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


def _rows(found: Survey) -> str:
    told = [f"{found.to_send:,} to send", f"{found.tally.counts['rejected']:,} rejected"]
    if empty := found.tally.counts["empty"]:
        told.append(f"{empty:,} empty")
    return f"{counted(found.rows, 'row')}: {', '.join(told)}"
