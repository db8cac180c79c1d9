"""The progress of a job at the command line."""

from __future__ import annotations

import asyncio
import io
import json
import sys

import pytest
from rich.console import Console

from leavo_async import LeavoClient
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.job import BulkJob
from leavo_async.cli.drawing import Drawing
from leavo_async.cli.progress import Style, showing
from leavo_async.cli.reading import counting
from leavo_async.testing import FakeTransport

from ..bulk.snapshots import JOB, job, small


class Terminal(io.StringIO):
    """A stderr that is one."""

    def isatty(self) -> bool:
        return True


def drawn(width: int, *, total: int | None = JOB.total, encoding: str = "utf-8") -> list[str]:
    """The job as it stands on a terminal of this width, without colours."""
    drawing = Drawing(total)
    drawing.show(JOB)
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=width, force_terminal=True, color_system=None).print(drawing)
    file.seek(0)
    return [line.rstrip() for line in file.read().splitlines()]


def test_a_wide_terminal_shows_it_on_two_lines() -> None:
    """How far and how fast; how many of which kind, and until when."""
    head, foot = drawn(110)

    assert head[1:].startswith(" importing  ━━━━")
    assert head.endswith("  18,204/101,880  17.9%  97/min  limited by rate limit")
    assert foot.startswith(" created 18,051 · existing 12 · failed 139 · unknown 2 · in flight 2   ETA 14 h 23 min (")


@pytest.mark.parametrize("width", [200, 110, 80, 60, 40, 30])
def test_a_narrow_terminal_shows_less_and_breaks_nothing(width: int) -> None:
    """Numbers stay whole; what does not fit is left out on the first line, and goes to the next one below."""
    head, *foot = drawn(width)

    assert all(len(line) <= width for line in (head, *foot))
    assert "18,204/101,880" in head
    assert ("limited by rate limit" in head) == (width >= 80)
    assert "created 18,051existing 12failed 139unknown 2in flight 2" in "".join(
        line.strip() for line in " · ".join(foot).split(" · ")
    )


def test_a_terminal_without_unicode_gets_none() -> None:
    """Its bar is of dashes."""
    lines = drawn(110, encoding="ascii")

    assert all(line.isascii() for line in lines)
    assert " importing  ---" in lines[0]


def test_a_job_of_unknown_length_has_no_bar() -> None:
    """Only how many."""
    assert drawn(110, total=None)[0][1:] == " importing  18,204 rows  97/min  limited by rate limit"


def test_a_bar_is_drawn_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Into a file only its end, and a whole line."""
    with showing("bar", 1000) as show:
        show(small(10))
        show(small(20))
    printed = capsys.readouterr().err

    assert "created 20" in printed
    assert "created 10" not in printed
    assert printed.endswith("\n")


@pytest.mark.parametrize(("term", "has_bar"), [("xterm", True), ("dumb", False)])
def test_a_terminal_gets_a_bar_unless_it_is_dumb(monkeypatch: pytest.MonkeyPatch, term: str, has_bar: bool) -> None:
    """A dumb one cannot move its cursor."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with showing("auto", JOB.total) as show:
        show(JOB)
        now = 31.0
        show(JOB)

    assert has_bar == ("18,204/101,880" in terminal.getvalue())
    assert has_bar != ("importing: 18,204 of 101,880 rows" in terminal.getvalue())


def test_a_log_gets_no_bar_even_if_colours_are_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they are on many build servers."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with showing("auto", JOB.total) as show:
        show(JOB)

    assert capsys.readouterr().err == ""


def test_results_do_not_go_through_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed on stdout stays there, with a bar on stderr."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(sys, "stdout", results := io.StringIO())
    with showing("auto", JOB.total):
        print("a result")
        print("a word", file=sys.stderr)

    assert results.getvalue() == "a result\n"
    assert "a word" in terminal.getvalue()


def test_none_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even an end."""
    with showing("none", 10) as show:
        show(JOB)

    assert ("", "") == tuple(capsys.readouterr())


def test_programs_get_an_object_a_second_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with a moment and everything that is known."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("time.time", lambda: 1_795_000_000.25)
    with showing("json", JOB.total) as show:
        for settled in range(250):
            show(job(settled=settled))
            now += 0.01
    printed = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert [0, 100, 200, 249] == [each["settled"] for each in printed]
    assert ["progress", "progress", "progress", "end"] == [each["event"] for each in printed]
    assert printed[-1] == {
        "event": "end",
        "at": "2026-11-18T11:06:40.250+00:00",
        **job(settled=249)._asdict(),
    }


def test_a_job_that_fails_at_once_has_no_object() -> None:
    """There was nothing to tell."""
    with pytest.raises(ZeroDivisionError), showing("json", None):
        _ = 1 / 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("term", "style", "said"), [("xterm", "auto", True), ("dumb", "auto", False), ("xterm", "none", False)]
)
async def test_rows_are_counted_while_they_are_read(
    monkeypatch: pytest.MonkeyPatch, term: str, style: Style, said: bool
) -> None:
    """On one line, which is gone in the end."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("leavo_async.cli.reading._EACH", 0.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    async with LeavoClient("made-up-key", transport=FakeTransport()) as leavo:
        reading = BulkJob(leavo, LEADS, [{"name": f"Ana {n}", "phone": f"+55119{n:08d}"} for n in range(3000)])
        async with counting(reading, style):
            await reading.prepare()
            await asyncio.sleep(0.01)
        await reading.aclose()

    assert ("\rReading: 3,000 rows" in terminal.getvalue()) == said
    assert terminal.getvalue().endswith(f"\r{' ' * len('Reading: 3,000 rows')}\r" if said else "")
