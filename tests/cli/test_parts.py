"""The words of the command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from leavo_async.bulk.journal import Verdict
from leavo_async.bulk.report import Report
from leavo_async.bulk.reporting import report_of
from leavo_async.bulk.rows import Row
from leavo_async.bulk.verdicts import Stop, Why
from leavo_async.cli.exit_codes import ExitCode, of_report
from leavo_async.cli.summary import open_row_lines, report_json, summary_lines

from ..bulk.told_journals import journal_of


def report(folder: Path, **counts: int) -> Report:
    """Of a job with so many rows in each state; the first stands in line 2."""
    states = [state for state, count in counts.items() for _ in range(count)]
    rows = [
        (
            Row(line, {"name": "Ana"}),
            Verdict(state, outcome="created" if state == "done" else None, reason=f"no {line}"),
        )  # type: ignore[arg-type]
        for line, state in enumerate(states, 2)
    ]
    return report_of(journal_of(folder / "job", *rows))


@pytest.mark.parametrize(
    ("counts", "why", "received", "code"),
    [
        ({"done": 3, "skipped": 1}, None, None, ExitCode.DONE),
        ({}, None, None, ExitCode.DONE),
        ({"done": 3, "failed": 1}, None, None, ExitCode.SOME_FAILED),
        ({"done": 3, "invalid": 1}, None, None, ExitCode.SOME_FAILED),
        ({"failed": 1, "held": 1}, None, None, ExitCode.SOME_HELD),
        ({"pending": 1, "failed": 1, "held": 1}, "refused", None, ExitCode.STOPPED_EARLY),
        ({"pending": 1}, "quota", None, ExitCode.STOPPED_EARLY),
        ({"unknown": 1}, "unreachable", None, ExitCode.STOPPED_EARLY),
        ({"pending": 1}, "asked", None, ExitCode.STOPPED_EARLY),
        ({"pending": 1}, "journal", None, ExitCode.BROKEN),
        ({"pending": 1}, "errors", None, ExitCode.LIMIT_REACHED),
        ({"pending": 1}, "time", None, ExitCode.LIMIT_REACHED),
        ({"pending": 1}, "asked", signal.SIGINT, ExitCode.INTERRUPTED),
        ({"pending": 1}, "asked", signal.SIGTERM, ExitCode.TERMINATED),
        # Too late to matter: all rows have come to their end.
        ({"done": 1}, "asked", signal.SIGINT, ExitCode.DONE),
        ({"failed": 1}, "errors", None, ExitCode.SOME_FAILED),
    ],
)
def test_the_gravest_code_applies(
    counts: dict[str, int], why: Why | None, received: signal.Signals | None, code: ExitCode, tmp_path: Path
) -> None:
    """As the table in the docs says."""
    stopped = None if why is None else Stop(why, "because")

    assert of_report(report(tmp_path, **counts), stopped, received) is code


def test_a_long_list_of_open_rows_is_cut_and_says_so(tmp_path: Path) -> None:
    """Ten are shown; a file can have them all."""
    job = report(tmp_path, failed=25)
    lines = list(open_row_lines(job, None, asked=False))

    assert sum(line.startswith("  line ") for line in lines) == 10
    assert f"  and 15 more: leavo jobs failures {job.job} -o FILE" in lines
    with_file = list(open_row_lines(job, "f.csv", asked=True))
    assert "  and 15 more" in with_file
    assert with_file[-1] == f"Written to f.csv. Mend it, and: leavo jobs redrive {job.job} f.csv"


def test_a_job_that_is_not_kept_is_not_named(tmp_path: Path) -> None:
    """After a dry run, or a demo, also one that was interrupted: there is nothing to go on with."""
    job = report(tmp_path, failed=25, pending=1)
    lines = list(summary_lines(job, ExitCode.INTERRUPTED, None, None, asked=False, is_kept=False))

    assert "  and 15 more: --rejects FILE" in lines
    assert job.job not in "\n".join([*lines, *open_row_lines(job, "f.csv", asked=True, is_kept=False)])


def test_a_short_list_is_whole(tmp_path: Path) -> None:
    """Rows to be sent, that are there, or that another row stands for are nobody's business."""
    lines = list(open_row_lines(report(tmp_path, done=1, pending=1, skipped=1, failed=5, held=5), None, asked=False))

    assert len(lines) == 10
    assert {line.split()[2] for line in lines} == {"failed:", "held:"}


def test_rows_are_told_in_the_order_of_the_source(tmp_path: Path) -> None:
    """With their lines, states and reasons, and without control characters that a server may have sent."""
    rows = [
        (Row(3, {}), Verdict("failed", reason="no\x1b[2J")),
        (Row(5, {}), Verdict("done", outcome="created")),
        (Row(9, {}), Verdict("held", reason="nobody knows")),
    ]
    lines = list(open_row_lines(report_of(journal_of(tmp_path / "job", *rows)), None, asked=False))

    assert [line.split()[:3] for line in lines] == [["line", "3", "failed:"], ["line", "9", "held:"]]
    assert lines[1].endswith("held: nobody knows")
    assert "\x1b" not in lines[0]


def test_an_early_end_says_what_to_do(tmp_path: Path) -> None:
    """In words, and in JSON."""
    job = report(tmp_path, done=2, pending=1)
    words = "\n".join(summary_lines(job, ExitCode.STOPPED_EARLY, None, None, asked=False))

    for told in ("1 row to send", f"leavo jobs resume {job.job}", "exit code 5: stopped early"):
        assert told in words
    found: dict[str, Any] = json.loads(report_json(job, ExitCode.STOPPED_EARLY, None, "f.csv"))
    assert (found["exit_code"], found["stopped_by"]) == (5, "nothing was sent yet")
    assert (found["rows"], found["created"], found["pending"], found["rejects"]) == (3, 2, 1, "f.csv")


def test_a_demo_says_what_a_real_import_would_have_said(tmp_path: Path) -> None:
    """And names no next step, for nothing of it is kept."""
    words = "\n".join(
        summary_lines(report(tmp_path, done=2, failed=1), ExitCode.SOME_FAILED, 2, None, asked=False, is_kept=False)
    )

    assert "Read back from the sandbox: 2 leads." in words
    assert "A real import would have ended with exit code 3: some rows failed" in words
    assert "next:" not in words
