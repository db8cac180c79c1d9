"""What an import is about to do, told before it does it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from leavo_async._sansio.text import printable
from leavo_async.bulk.plan import Plan
from leavo_async.bulk.words import clock, counted, duration

_SHOWN = 300  # characters of the first row


def plan_lines(plan: Plan, *, is_dry: bool = False) -> Iterator[str]:
    """The source, its columns, its rows, where they go, how long that takes, where the journal is, the first row."""
    facts = plan.facts
    yield f"Plan  {facts.source} · {facts.description}"
    columns = ", ".join(f"{field} ← {column}" for field, column in facts.mapping.items())
    left_out = ", ".join(facts.left_out)
    yield f"      {columns}" + (f"; left out: {left_out}" if left_out else "")
    yield f"      {_rows(plan)}"
    if not is_dry:
        yield f"      to {facts.place}, at most {plan.limit}{_takes(plan)}"
        yield f"      journal {plan.journal} ({_size(plan.size)}) · idempotency keys: {_keys(plan)}"
    if plan.first:
        yield f"      first row: {printable(plan.first, _SHOWN)}"


def resumed_line(plan: Plan, now: float) -> str:
    """That it goes on with a job, and where that was left."""
    unknown = plan.counts["unknown"] + plan.counts["in_flight"]
    told = [f"Resuming {plan.facts.job}"]
    if plan.since is not None:
        told.append(f"last sign of life {duration(max(now - plan.since, 0.0))} ago")
    if unknown:
        told.append(f"{counted(unknown, 'row')} of unknown outcome")
    return " · ".join([*told, f"{counted(plan.to_send, 'row')} left"])


def _rows(plan: Plan) -> str:
    told = [f"{plan.to_send:,} to send"]
    if done := plan.counts["done"]:
        told.append(f"{done:,} done already")
    told += [f"{plan.counts[state]:,} {state}" for state in ("invalid", "failed", "held") if plan.counts[state]]
    if skipped := plan.counts["skipped"]:
        told.append(f"{counted(skipped, 'duplicate')} in the source")
    if empty := plan.facts.empty:
        told.append(f"{empty:,} empty")
    return f"{counted(plan.rows + plan.facts.empty, 'row')}: {', '.join(told)}"


def _takes(plan: Plan) -> str:
    if plan.seconds is None or not plan.to_send:
        return ""
    now = time.time()
    done = f", done at {clock(now + plan.seconds, now)}" if plan.seconds >= 60 else ""
    return f": about {duration(plan.seconds)}{done}"


def _keys(plan: Plan) -> str:
    return f"{plan.honoured}, {duration(plan.key_lasts)}" if plan.honoured == "honoured" else plan.honoured


def _size(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
