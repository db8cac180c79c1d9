"""A job as one page of HTML: no script, nothing from the network, no values of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from leavo_async._sansio.markup import escape_html
from leavo_async.bulk.axes import time_axis
from leavo_async.bulk.findings import Findings
from leavo_async.bulk.plots import COLOURS, latency_plot, outcome_plot, rate_plot, share_bar, state_bar, told
from leavo_async.bulk.states import State
from leavo_async.bulk.summary import average, headline, next_steps, plain, why
from leavo_async.bulk.timeline import timeline
from leavo_async.bulk.words import counted, duration

_REASONS, _ROWS, _EVENTS = 10, 100, 60

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1c2127; --quiet: #59636e; --rule: #dce1e6; --soft: #f5f7f9 }
@media (prefers-color-scheme: dark) {
  :root { --back: #14181c; --text: #e8ebee; --quiet: #a0a9b2; --rule: #343b42; --soft: #1d2329 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1160px; padding: 28px 20px; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif }
header { margin-bottom: 24px }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere }
h2 { margin: 0 0 6px; font-size: 16px }
p { margin: 4px 0 } .quiet, small { color: var(--quiet) } small { font-size: 13px }
code { padding: 2px 6px; border-radius: 4px; background: var(--soft); font-size: 14px; overflow-wrap: anywhere }
section, figure { margin: 0; padding: 16px 18px; border: 1px solid var(--rule); border-radius: 10px; min-width: 0 }
.bar { margin: 18px 0 6px } .bar svg, .reason svg { height: 12px; border-radius: 3px } .reason svg { height: 8px }
.keys { display: flex; flex-wrap: wrap; gap: 2px 18px; margin-bottom: 18px }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0 0 16px }
.tiles div { padding: 10px 14px; border-radius: 10px; background: var(--soft) }
dt { color: var(--quiet); font-size: 13px } dd { margin: 0; font-size: 21px; font-weight: 600 }
dd small { display: block; font-weight: 400 }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px }
.wide { grid-column: 1 / -1 } .reason { margin: 0 0 10px; overflow-wrap: anywhere } .reason b { float: right }
figure > svg { display: block; width: 100%; height: auto; overflow: visible }
svg text { fill: var(--text); font-size: 13px } svg text.small { fill: var(--quiet); font-size: 12px }
.grid { stroke: var(--rule) } .axis { stroke: var(--quiet) } .pause { fill: var(--quiet); opacity: .16 }
table { width: 100%; border-collapse: collapse; font-size: 14px }
th, td { padding: 5px 14px 5px 0; border-top: 1px solid var(--rule); text-align: left; vertical-align: top }
th { border: 0; color: var(--quiet); font-weight: 400; font-size: 13px }
td { overflow-wrap: anywhere } td.short { width: 1%; padding-right: 28px; white-space: nowrap; overflow-wrap: normal }
@media (max-width: 560px) { body { padding: 18px 12px } section, figure { padding: 12px }
  svg text { font-size: 19px } svg text.small { font-size: 15px } dd { font-size: 18px } }
@media print { :root { --back: #fff; --text: #000; --quiet: #444; --rule: #ccc; --soft: #f3f3f3 }
  body { padding: 0; font-size: 12px } figure, .tiles, tr { break-inside: avoid }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""

# Should markup get through after all, the browser runs nothing and asks nobody for anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(job: Findings) -> str:
    """The page."""
    title = escape_html(f"{job.source}: import of {job.name}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>"
        + "\n".join([*_head(job), "<main>", *_plots(job), *_reasons(job), *_rows(job), *_story(job), "</main>"])
        + "</body></html>\n"
    )


def _head(job: Findings) -> Iterator[str]:
    yield f"<header><h1>{escape_html(job.source)}</h1><p>{escape_html(headline(job))}</p>"
    yield f'<p class="quiet">{escape_html(f"{job.name} to {job.place} · {job.limit} · job {job.job}")}</p>'
    yield f'<div class="bar">{state_bar(job.counts)}</div><div class="keys">{"".join(_keys(job))}</div>'
    yield f'<dl class="tiles">{"".join(_tile(*tile) for tile in _numbers(job))}</dl>'
    for command in next_steps(job):
        yield f"<p>Next: <code>{escape_html(command)}</code></p>"
    yield "</header>"


def _keys(job: Findings) -> Iterator[str]:
    for state, colour in COLOURS.items():
        if rows := job.counts[state]:
            yield f'<span><span style="color:{colour}">■</span> {told(state, rows)}</span>'


def _numbers(job: Findings) -> Iterator[tuple[str, str, str]]:
    rows, done = sum(job.counts.values()), job.counts["done"]
    existing = job.outcomes.get("existing", 0)
    yield "Rows done", f"{done:,}", f"of {rows:,}" + (f", {existing:,} were there already" if existing else "")
    kills = sum(run.how == "killed" for run in job.runs)
    yield "Running time", duration(job.seconds), counted(len(job.runs), "run") + _also(kills, "kill")
    yield "Requests", f"{job.requests:,}", f"{job.refused:,} refused with 429"
    if job.requests:
        limit = job.limit_per_minute
        share = "without a limit" if limit is None else f"{average(job) / limit:.0%} of the limit of {plain(limit)}"
        yield "Average a minute", plain(average(job)), share


def _also(number: int, noun: str) -> str:
    return f", {counted(number, noun)}" if number else ""


def _tile(name: str, number: str, note: str) -> str:
    return f"<div><dt>{name}</dt><dd>{number} <small>{note}</small></dd></div>"


def _plots(job: Findings) -> Iterator[str]:
    if not job.runs or not job.slices:
        yield '<section class="wide">Nothing was sent, so there is nothing to draw.</section>'
        return
    points, axis = timeline(job.runs, job.slices), time_axis(job.runs)
    pauses = "; pauses between runs are shaded, all equally wide" if axis.pauses else ""
    yield _figure("Requests a minute", rate_plot(points, axis, job.limit_per_minute), f"Times are UTC{pauses}.")
    latency = "What half of the attempts (p50) and 95% of them (p95) did not exceed; up to 41% too high."
    yield _figure("Latency", latency_plot(points, axis), latency)
    results = "A row counts again when it gets another result: once it is settled, or sent again."
    yield _figure("Results so far", outcome_plot(points, axis), results)


def _figure(title: str, drawing: str, note: str) -> str:
    return f"<figure><h2>{title}</h2>{drawing}<small>{note}</small></figure>"


def _reasons(job: Findings) -> Iterator[str]:
    # Not only those listed: a report may have left out what is rare.
    states: set[State] = {reason.state for reason in job.reasons}
    rows = sum(job.counts[state] for state in states)
    bars = [
        f'<div class="reason"><b>{reason.rows:,}</b>{escape_html(why(reason))}'
        f"{share_bar(reason.rows, rows, COLOURS[reason.state])}<small>{reason.state}</small></div>"
        for reason in job.reasons[:_REASONS]
    ]
    more = len(job.reasons) - _REASONS
    bars += [f"<small>and {counted(more, 'more reason')}</small>"] if more > 0 else []
    bars = bars or ["No row was refused or held."]
    yield f"<figure><h2>Why rows are not done</h2>{''.join(bars)}</figure>"


def _rows(job: Findings) -> Iterator[str]:
    found = list(islice(job.rows("failed", "invalid", "held", "unknown"), _ROWS))
    if not found:
        return
    whole = sum(job.counts[state] for state in ("failed", "invalid", "held", "unknown"))
    title = f"The first {_ROWS} of {whole:,} rows to look at" if whole > _ROWS else "Rows to look at"
    cells = [(f"{row.row:,}", f"{row.line:,}", row.state, row.reason or row.code or "") for row in found]
    yield _table(title, ("row", "line", "state", "reason"), cells)


def _story(job: Findings) -> Iterator[str]:
    events: list[tuple[float, str]] = [(run.started, f"run {number} began") for number, run in enumerate(job.runs, 1)]
    events += [
        (run.ended, f"run {number}: {run.how}") for number, run in enumerate(job.runs, 1) if run.how != "running"
    ]
    events += [(event.at, f"{event.kind}: {event.detail}") for event in job.events]
    if events:
        more = f" (the last {_EVENTS} of {len(events):,} events)" if len(events) > _EVENTS else ""
        cells = [(_moment(at), what) for at, what in sorted(events)[-_EVENTS:]]
        yield _table(f"What happened{more}", ("time in UTC", "event"), cells)


def _table(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(_row(*row) for row in rows)
    return f'<section class="wide"><h2>{title}</h2><table><tr>{head}</tr>{body}</table></section>'


def _row(*cells: str) -> str:
    *narrow, wide = map(escape_html, cells)
    before = "".join(f'<td class="short">{cell}</td>' for cell in narrow)
    return f"<tr>{before}<td>{wide}</td></tr>"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
