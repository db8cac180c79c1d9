"""How a job is told to people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from leavo_async.bulk.words import clock, counted, duration, percent, tallied, tempo, time_left, trouble

from .snapshots import JOB, job


@pytest.fixture(params=["UTC", "<-03>3"])
def noon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Noon of a Wednesday, here and elsewhere."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield datetime(2026, 11, 18, 12, 0).timestamp()
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (40.4, "40 s"), (89, "89 s"), (720, "12 min"), (63000, "17 h 30 min"), (601200, "6 d 23 h")],
)
def test_a_duration_is_told_as_people_say_it(seconds: float, words: str) -> None:
    """A million rows at a hundred a minute are not "600000 s"."""
    assert duration(seconds) == words


def test_a_number_has_the_form_of_its_noun() -> None:
    """Nobody reads "1 rows", nor 101880 at a glance."""
    assert ["0 rows", "1 row", "101,880 rows"] == [counted(number, "row") for number in (0, 1, 101_880)]


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0, "12:00"),
        (11.9, "23:54"),
        (12, "Thu 00:00"),
        (4 * 24, "Sun 12:00"),
        (6 * 24, "Tue 12:00"),
        (168, "25 Nov 12:00"),
    ],
)
def test_a_moment_names_its_day_when_it_is_not_today(noon: float, hours: float, words: str) -> None:
    """In the time of where one is."""
    assert words == clock(noon + hours * 3600, noon)


def test_the_time_left_names_its_end(noon: float) -> None:
    """Or says nothing, if nobody knows."""
    assert time_left(job(eta=3 * 3600 + 420.0), noon) == "ETA 3 h 7 min (15:07)"
    assert time_left(job(eta=None), noon) is None


def test_the_tempo_is_told_as_far_as_it_is_known() -> None:
    """In the first seconds of a run there is none."""
    assert ["97/min", "limited by rate limit"] == tempo(JOB)
    assert [] == tempo(job(rate=None, limited_by=""))


def test_states_that_occur_are_told() -> None:
    """And no others."""
    assert ["created 18,051", "existing 12", "failed 139", "unknown 2", "in flight 2"] == tallied(JOB)
    assert ["failed 139", "unknown 2"] == trouble(JOB)
    assert [] == tallied(job(counts={}, outcomes={}))


@pytest.mark.parametrize(
    ("done", "total", "words"),
    [(0, 3, "0.0%"), (18_204, 101_880, "17.9%"), (101_879, 101_880, "99.9%"), (3, 3, "100.0%"), (0, 0, "100.0%")],
)
def test_all_is_done_only_when_it_is(done: int, total: int, words: str) -> None:
    """A last row that waits for an hour is not 100.0%."""
    assert words == percent(done, total)
