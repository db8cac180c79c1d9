"""A job at work before somebody's eyes: plan, question, progress, summary."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from leavo_async.bulk.failed import write_failed
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.plan import Plan
from leavo_async.bulk.report import Report
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.threads import in_thread
from leavo_async.bulk.words import counted, duration
from leavo_async.cli.exit_codes import ExitCode, of_report
from leavo_async.cli.plan import plan_lines, resumed_line
from leavo_async.cli.progress import Show, Style, showing
from leavo_async.cli.reading import counting
from leavo_async.cli.running import confirmed, fail, say, tell
from leavo_async.cli.stopper import Stopper
from leavo_async.cli.summary import report_json, summary_lines

# Seconds of work that want a question first, where somebody can answer it.
_LONG = 3600.0


@dataclass(frozen=True, slots=True)
class Display:
    """How a job is shown. as_json: the summary as one JSON object. yes: ask nothing. rejects: where open rows go."""

    progress: Style = "auto"
    as_json: bool = False
    yes: bool = False
    rejects: Path | None = None


class Screen:
    """What a job tells of its progress, shown once the bar is there."""

    def __init__(self) -> None:
        self.show: Show | None = None

    def __call__(self, snapshot: Snapshot) -> None:
        """A job's `progress`."""
        if self.show is not None:
            self.show(snapshot)


async def work(
    job: BulkJob, screen: Screen, display: Display, stopper: Stopper, *, is_demo: bool = False
) -> Report | None:
    """Prepare and run a job; its report, None if somebody did not want it."""
    async with counting(job, display.progress):
        plan = await job.prepare()
    try:
        is_wanted = await _announced(plan, display, is_demo=is_demo)
    except BaseException:
        await job.discard()
        raise
    if not is_wanted:
        await job.discard()
        return None
    stopper.watch(job)
    with showing(display.progress, plan.total) as screen.show:
        return await job.run()


async def finish(
    job: BulkJob,
    report: Report,
    display: Display,
    stopper: Stopper,
    read_back: int | None = None,
    *,
    is_kept: bool = True,
) -> ExitCode:
    """Print what became of the rows; gives the exit code. is_kept: whether there will be such a job, to go on with."""
    code = of_report(report, job.stopped, stopper.signal)
    written = None if display.rejects is None else await in_thread(_written, display.rejects, report)
    if display.as_json:
        _print(report_json(report, code, read_back, written))
    else:
        _print(*await in_thread(_lines, report, code, read_back, written, display, is_kept=is_kept))
    is_good_demo = read_back is not None and report.is_finished
    return ExitCode.DONE if is_good_demo else code


def _lines(
    report: Report, code: ExitCode, read_back: int | None, written: str | None, display: Display, *, is_kept: bool
) -> list[str]:
    asked = display.rejects is not None
    return list(summary_lines(report, code, read_back, written, asked=asked, is_kept=is_kept))


async def _announced(plan: Plan, display: Display, *, is_demo: bool) -> bool:
    """Whether it is to be done, once the plan was told."""
    for line in plan_lines(plan):
        say(line)
    if plan.is_resumed and not plan.to_send:
        say(f"This was imported already, as job {plan.facts.job}; nothing is sent. --new-run does it once more.")
    elif plan.is_resumed:
        say(resumed_line(plan, time.time()))
    is_long = plan.seconds is not None and plan.seconds >= _LONG
    if display.yes or is_demo or not is_long or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    question = f"Send {counted(plan.to_send, 'row')} in about {duration(plan.seconds or 0)}?"
    return await in_thread(confirmed, question)


def _written(path: Path, report: Report) -> str | None:
    """The name of the file with the open rows; None if there are none, or if it cannot be written."""
    try:
        return str(path) if write_failed(path, report.journal) else None
    except OSError as error:
        fail(
            f"cannot write {path} ({error.strerror}); `leavo jobs failures {report.job} -o FILE` writes them elsewhere",
            ExitCode.BROKEN,
        )
        return None


def _print(*lines: str) -> None:
    """Print the summary; if stdout cannot take it, on stderr: what was sent must be told somewhere."""
    try:
        tell(*lines)
    except BrokenPipeError:
        raise
    except OSError:
        for line in lines:
            say(line)
        raise
