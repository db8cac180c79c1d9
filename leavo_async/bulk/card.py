"""A job as one card of a notebook."""

from __future__ import annotations

from collections.abc import Iterator

from leavo_async._sansio.markup import escape_html
from leavo_async.bulk.axes import time_axis
from leavo_async.bulk.findings import Findings
from leavo_async.bulk.plots import COLOURS, sparkline, state_bar, told
from leavo_async.bulk.summary import headline, next_steps, traffic, why
from leavo_async.bulk.timeline import timeline

# Colours of the notebook's own theme, light or dark; a style element would reach the whole notebook.
_CARD = "border:1px solid #8888;border-radius:8px;padding:12px 16px;max-width:460px;font:13px/1.5 system-ui,sans-serif"
_QUIET = "opacity:.75"


def card(job: Findings) -> str:
    """HTML without the values of any row."""
    return f'<div style="{_CARD}">{"".join(_parts(job))}</div>'


def _parts(job: Findings) -> Iterator[str]:
    yield f"<div><b>{escape_html(job.source)}</b> <span style='{_QUIET}'>job {escape_html(job.job)}</span></div>"
    yield f"<div>{escape_html(headline(job))}</div><div style='margin:8px 0 2px'>{state_bar(job.counts)}</div>"
    yield f"<div>{' '.join(_count(job))}</div>"
    if job.requests and job.slices and job.runs:
        drawn = sparkline(timeline(job.runs, job.slices, at_most=80), time_axis(job.runs), job.limit_per_minute)
        yield f"<div style='margin:8px 0 2px'>{drawn}</div><div style='{_QUIET}'>{traffic(job)}</div>"
    for reason in job.reasons[:3]:
        yield f"<div>{reason.rows:,} × {escape_html(why(reason))}</div>"
    for command in next_steps(job):
        yield f"<div style='margin-top:6px'>Next: <code>{escape_html(command)}</code></div>"


def _count(job: Findings) -> Iterator[str]:
    for state, colour in COLOURS.items():
        if rows := job.counts[state]:
            mark = f"<span style='color:{colour}'>■</span>"
            yield f"<span style='white-space:nowrap;margin-right:8px'>{mark} {told(state, rows)}</span>"
