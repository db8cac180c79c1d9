"""A job in a few sentences, for a terminal, a notebook and a page."""

from __future__ import annotations

from collections.abc import Iterator

from leavo_async._sansio.text import printable
from leavo_async.bulk.findings import Findings, Reason
from leavo_async.bulk.states import OPEN
from leavo_async.bulk.words import counted, duration

_A_MINUTE = 60.0


def summary(job: Findings) -> Iterator[str]:
    """What became of it, as lines of text: the first is the headline."""
    yield headline(job)
    yield "  " + "   ".join(results(job))
    if job.requests:
        yield f"  {traffic(job)}"
    if job.reasons:
        yield "  reasons: " + " · ".join(f"{why(reason)} {reason.rows:,}" for reason in job.reasons[:3])
    for command in next_steps(job):
        yield f"  next:  {command}"


def headline(job: Findings) -> str:
    """How far the job is and how long that took, in one sentence."""
    took = f"{duration(job.seconds)} of running time{_runs(job)}"
    left = counted(sum(job.counts[state] for state in OPEN), "row")
    if job.is_finished:
        return f"Done in {took}" if job.runs else "Done: there was nothing to send"
    if not job.runs:
        return f"Not begun: {left} to send"
    if job.runs[-1].how == "running":
        return f"Running: {took} so far, {left} left"
    because = "" if job.stopped_by is None else f" ({printable(job.stopped_by)})"
    return f"Stopped{because} after {took}, {left} left"


def results(job: Findings) -> Iterator[str]:
    """What became of the rows, with their numbers; what does not occur is left out."""
    confirmed = job.outcomes.get("confirmed", 0)
    yield f"created {job.outcomes.get('created', 0) + confirmed:,}" + (
        f" ({confirmed:,} of them confirmed by look-up or replay)" if confirmed else ""
    )
    if existing := job.outcomes.get("existing", 0):
        yield f"existing {existing:,}"
    for state, rows in job.counts.items():
        if rows and state != "done":
            yield f"{state.replace('_', ' ')} {rows:,}"
    if job.empty:
        yield f"empty {job.empty:,}"


def traffic(job: Findings) -> str:
    """Requests, refusals, and the rate against the limit."""
    told = f"requests {job.requests:,} · 429: {job.refused:,}"
    if job.seconds < _A_MINUTE:
        return told  # what may leave at once weighs too much in so short a time
    of = "" if job.limit_per_minute is None else f" of {plain(job.limit_per_minute)}"
    return f"{told} · avg {plain(average(job))}/min{of}"


def average(job: Findings) -> float:
    """Requests a minute of running time."""
    return 60 * job.requests / max(job.seconds, 1.0)


def plain(number: float) -> str:
    """A number in a few digits: "0.5", "96.1", "5,400"."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def why(reason: Reason) -> str:
    """A reason in few words: the status and what the server said. Its text may hold anything: escape it in HTML."""
    said = reason.reason or reason.code or reason.state
    return printable(said if reason.status is None else f"{reason.status} {said}", 160)


def next_steps(job: Findings) -> Iterator[str]:
    """The commands that the job asks for now; none if all is done."""
    if not job.is_finished and not (job.runs and job.runs[-1].how == "running"):
        yield f"leavo jobs resume {job.job}"
    if job.counts["failed"] or job.counts["invalid"]:
        yield f"leavo jobs failures {job.job} -o failed.csv"
    if job.counts["held"]:
        yield f"leavo jobs reconcile {job.job}"


def _runs(job: Findings) -> str:
    kills = sum(run.how == "killed" for run in job.runs)
    if len(job.runs) < 2 and not kills:
        return ""
    return f" ({counted(len(job.runs), 'run')}{', ' + counted(kills, 'kill') if kills else ''})"
