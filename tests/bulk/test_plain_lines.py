"""The progress of a job as lines of text."""

from __future__ import annotations

import sys

import pytest

from leavo_async.bulk.plain_lines import PlainLines, plain_line

from .snapshots import JOB, job, small


class Clock:
    """Seconds that tests move."""

    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that lines are told by."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    return clock


def test_a_line_is_printed_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """At each twentieth, not at each row; and no carriage return, so that logs stay readable."""
    lines = PlainLines(1000)
    for settled in range(1, 1001):
        clock.now += 0.05
        lines.show(small(settled))
    printed = capsys.readouterr().err

    assert printed.startswith("importing: 50 of 1,000 rows (5.0%); created 50\n")
    assert len(printed.splitlines()) == 20
    assert "\r" not in printed


def test_a_quick_job_prints_no_more_than_a_line_a_second(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Of its twentieths one in five is told."""
    lines = PlainLines(1000)
    for settled in range(1, 1001):
        clock.now += 0.0045
        lines.show(small(settled))

    assert len(capsys.readouterr().err.splitlines()) == 4


def test_a_slow_job_prints_a_line_each_half_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """So that nobody thinks it dead."""
    lines = PlainLines(100_000)
    for second in range(121):
        clock.now = float(second)
        lines.show(small(second, total=100_000))

    assert len(capsys.readouterr().err.splitlines()) == 4


def test_what_was_done_before_is_no_news(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """A job that goes on at 52 % says nothing until 55 %."""
    lines = PlainLines(1000)
    for settled in range(520, 551):
        clock.now += 0.5
        lines.show(small(settled))

    assert capsys.readouterr().err == "importing: 550 of 1,000 rows (55.0%); created 550\n"


def test_a_line_says_all_that_a_bar_does_and_is_ascii() -> None:
    """Logs are read by many programs."""
    line = plain_line(JOB, JOB.total, 0.0)

    assert line.isascii()
    assert line.startswith(
        "18,204 of 101,880 rows (17.9%), 97/min, limited by rate limit; "
        "created 18,051, existing 12, failed 139, unknown 2, in flight 2; ETA 14 h 23 min ("
    )
    assert plain_line(job(eta=None), None, 0.0).startswith("18,204 rows, 97/min")


def test_nobodys_job_ends_because_nobody_reads_its_lines(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `2>&1 | head`, or when stderr was closed."""
    lines = PlainLines(2)
    lines.show(small(0, total=2))
    for failure in (BrokenPipeError, ValueError):

        class Gone:
            def write(self, text: str, failure: type[Exception] = failure) -> None:
                raise failure

        monkeypatch.setattr(sys, "stderr", Gone())
        clock.now += 60
        lines.show(small(1, total=2))
