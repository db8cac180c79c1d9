"""What an import is about to do, told before it does it."""

from __future__ import annotations

from collections.abc import Iterator

from leavo_async import RateLimit
from leavo_async.bulk.survey import Survey
from leavo_async.cli.leads_file import OpenedLeads


def plan_lines(opened: OpenedLeads, found: Survey | None, limit: RateLimit | None) -> Iterator[str]:
    """The file, its columns, its rows, and how long sending them takes.

    found: None for standard input, which cannot be read twice. limit: None for a dry run.
    """
    yield f"Plan  {opened.source.name} · {opened.source.description}"
    columns = ", ".join(f"{field} ← {column}" for field, column in opened.plan.columns.items())
    left_out = ", ".join(opened.plan.left_out)
    yield f"      {columns}" + (f"; left out: {left_out}" if left_out else "")
    if found is not None:
        yield f"      {_rows(found)}"
        if limit is not None:
            yield f"      {found.to_send:,} requests, at most {limit}: about {duration(found.to_send / limit.rate)}"


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
    return f"{found.rows:,} rows: {', '.join(told)}"
