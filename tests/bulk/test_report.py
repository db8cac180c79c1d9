import os
import stat
from dataclasses import replace

import pytest

from leavo_async.bulk.history import Run
from leavo_async.bulk.report import Reason
from leavo_async.bulk.states import RowRecord
from leavo_async.bulk.summary import plain
from leavo_async.errors import ConfigError

from .reports import BEGAN, open_rows, report, slice_at, week


def test_a_report_prints_as_a_few_lines():
    """What was done, what was not and why, how fast, and what to do next."""
    assert str(week()).splitlines() == [
        "Done in 6 d 12 h of running time (4 runs, 3 kills)",
        "  created 899,969 (14 of them confirmed by look-up or replay)   existing 31   failed 28,000   invalid 2,100",
        "  requests 897,264 · 429: 112 · avg 96/min of 100",
        "  reasons: 422 email: is not a valid address 18,000 · 422 phone: too short 9,000 · phone: missing 2,100",
        "  next:  leavo jobs failures 9f3c2a -o failed.csv",
    ]


def test_a_job_that_went_well_needs_two_words():
    """Nothing is told that did not occur."""
    job = report([Run(BEGAN, BEGAN + 40, "finished")], [slice_at(BEGAN, *[0.1] * 50)], counts={"done": 50})

    assert ["Done in 40 s of running time", "  created 50", "  requests 50 · 429: 0"] == list(job.lines())


@pytest.mark.parametrize(
    ("runs", "stopped_by", "expected"),
    [
        ((), None, "Not begun: 1,003 rows to send"),
        ((Run(0, 60, "running"),), None, "Running: 60 s of running time so far, 1,003 rows left"),
        ((Run(0, 60, "killed"),), None, "Stopped after 60 s of running time (1 run, 1 kill), 1,003 rows left"),
        (
            (Run(0, 60, "key refused"), Run(80, 140, "key refused")),
            "the key was refused",
            "Stopped (the key was refused) after 2 min of running time (2 runs), 1,003 rows left",
        ),
    ],
)
def test_the_headline_tells_how_far_it_is(runs, stopped_by, expected):
    """And why it is not further."""
    job = report(runs, counts={"pending": 1000, "unknown": 2, "in_flight": 1}, seconds=60.0 * len(runs))

    assert expected == next(replace(job, stopped_by=stopped_by).lines())


def test_nothing_to_send_is_done():
    """An empty file is no failure."""
    assert "Done: there was nothing to send" == next(report(counts={"invalid": 3}).lines())


@pytest.mark.parametrize(
    ("counts", "runs", "commands"),
    [
        ({"done": 1}, (Run(0, 9, "finished"),), []),
        ({"pending": 1}, (Run(0, 9, "killed"),), ["leavo jobs resume 9f3c2a"]),
        ({"pending": 1}, (Run(0, 9, "running"),), []),
        ({"invalid": 1}, (), ["leavo jobs failures 9f3c2a -o failed.csv"]),
        ({"held": 1}, (), ["leavo jobs reconcile 9f3c2a"]),
    ],
)
@pytest.mark.parametrize("show", [str, lambda job: job._repr_html_(), lambda job: job.html()])
def test_a_report_says_what_to_do_next(counts, runs, commands, show):
    """In full, to be copied; nothing while it runs, or when all is done."""
    shown = show(report(runs, counts=counts))

    assert commands == [command for command in _commands() if command in shown]


def _commands() -> list[str]:
    return [
        "leavo jobs resume 9f3c2a",
        "leavo jobs failures 9f3c2a -o failed.csv",
        "leavo jobs reconcile 9f3c2a",
    ]


def test_the_servers_words_do_not_act_in_a_terminal():
    """An escape sequence in a reason is printed as text."""
    job = replace(week(), reasons=(Reason("failed", 422, None, "\x1b[2J\nno", 3),))

    assert "422 \\x1b[2J\\nno 3" in str(job)


def test_a_reason_without_words_has_its_code_or_its_state():
    """Something must stand there."""
    job = replace(week(), reasons=(Reason("failed", 409, "taken", "", 2), Reason("held", None, None, "", 1)))

    assert "  reasons: 409 taken 2 · held 1" in job.lines()


@pytest.mark.parametrize(
    ("number", "text"), [(0.5, "0.5"), (96.14, "96.1"), (100.0, "100"), (5400.4, "5,400"), (600_000.0, "600,000")]
)
def test_rates_have_few_digits(number, text):
    """Nobody reads more, and nobody reads 6e+05."""
    assert text == plain(number)


def test_repr_is_one_line():
    """The slices of a week would fill the screen."""
    assert "<Report of job 9f3c2a: Done in 6 d 12 h of running time (4 runs, 3 kills)>" == repr(week())


def test_failed_rows_come_with_reasons_and_values():
    """To be looked at in a notebook: failed, invalid and held ones, a thousand at most."""
    invalid = report(rows=[RowRecord(1, 2, "invalid"), RowRecord(2, 3, "failed"), RowRecord(3, 4, "unknown")])
    few = report(rows=[RowRecord(1, 2, "done"), RowRecord(2, 3, "held", reason="two match", values={"name": "Ana"})])

    [row] = few.failed
    assert ("held", "two match", {"name": "Ana"}) == (row["state"], row["reason"], row["values"])
    assert [1, 2] == [row["row"] for row in invalid.failed]
    assert 1000 == len(report(rows=open_rows(1500)).failed)


def test_the_page_is_written_for_its_owner_alone(tmp_path):
    """It has the server's words, which may repeat what is in rows; an older page is replaced."""
    path = tmp_path / "report.html"
    path.write_text("old")
    week().write_html(path)

    assert week().html() == path.read_text(encoding="utf-8")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(tmp_path.iterdir())


def test_a_page_that_cannot_be_written_whole_is_not_written(tmp_path, monkeypatch):
    """A full disk leaves the old page, and nothing beside it."""
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"cannot write the report to .*: No space left on device; name a file"):
        week().write_html(path)

    assert "old" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_half_a_character_in_the_servers_words_does_not_keep_the_page_back(tmp_path):
    """JSON may hold half a surrogate pair."""
    job = replace(week(), source="leads\ud800.csv")
    job.write_html(tmp_path / "report.html")

    assert "leads\\ud800.csv" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_directory_that_is_not_there_is_told(tmp_path):
    """With what to do."""
    with pytest.raises(ConfigError, match="No such file or directory; name a file elsewhere"):
        week().write_html(tmp_path / "no" / "report.html")
