"""The progress of a job in notebooks and sessions of Python."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from leavo_async.bulk.bars import bar
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.errors import ConfigError

from .snapshots import JOB, job


class FakeTqdm:
    """A bar that keeps what it was told."""

    made: list[FakeTqdm]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.n = options["initial"]
        self.drawn: list[tuple[int, str]] = []
        self.closed = False
        self.postfix = ""
        self.made.append(self)

    def set_postfix_str(self, text: str, *, refresh: bool) -> None:
        self.postfix = text

    def refresh(self) -> None:
        self.drawn.append((self.n, self.postfix))

    def close(self) -> None:
        self.closed = True


class Notebooks(FakeTqdm):
    """The one of notebooks."""


class Broken(FakeTqdm):
    """The one of notebooks, where it cannot be shown."""

    def __init__(self, **options: Any) -> None:
        raise ImportError("IProgress not found")


@pytest.fixture
def tqdm(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A tqdm, and no ipywidgets."""
    FakeTqdm.made = []
    for name, made in (("tqdm", FakeTqdm), ("tqdm.std", FakeTqdm), ("tqdm.auto", Notebooks)):
        module = ModuleType(name)
        monkeypatch.setattr(module, "tqdm", made, raising=False)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    return monkeypatch


def widgets(patch: pytest.MonkeyPatch, shown: type[FakeTqdm] = Notebooks) -> None:
    """Install ipywidgets, so that notebooks have a bar of their own."""
    module = ModuleType("ipywidgets")
    module.__spec__ = ModuleSpec("ipywidgets", None)
    patch.setitem(sys.modules, "ipywidgets", module)
    patch.setattr(sys.modules["tqdm.auto"], "tqdm", shown)


def clock(patch: pytest.MonkeyPatch, seconds: list[float]) -> None:
    """Let time.monotonic give these, one after the other."""
    patch.setattr("time.monotonic", lambda: seconds.pop(0))


def test_a_function_is_told_of_each_snapshot() -> None:
    """Of every one: how often it does something is its own business."""
    told: list[Snapshot] = []
    shown = bar(told.append)
    shown.show(JOB)
    shown.show(JOB)
    shown.close()

    assert [JOB, JOB] == told


@pytest.mark.parametrize("progress", [False, "auto"])
def test_nothing_is_shown_unless_asked_for_or_somebody_types(
    tqdm: pytest.MonkeyPatch, progress: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A web app that imports has no bar in its log."""
    tqdm.delattr(sys, "ps1", raising=False)
    shown = bar(progress)
    shown.show(JOB)
    shown.close()

    assert [] == FakeTqdm.made
    assert capsys.readouterr().err == ""


def test_where_somebody_types_there_is_a_bar(tqdm: pytest.MonkeyPatch) -> None:
    """Python and IPython have a prompt then."""
    tqdm.setattr(sys, "ps1", ">>> ", raising=False)
    bar("auto").show(JOB)

    assert len(FakeTqdm.made) == 1


@pytest.mark.parametrize("progress", ["bar", None, 3])
def test_anything_else_is_refused(progress: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match="expected True, False"):
        bar(progress)


def test_a_bar_begins_where_the_job_goes_on(tqdm: pytest.MonkeyPatch) -> None:
    """So tqdm does not take the rows of yesterday for those of the first second."""
    bar(True).show(JOB)
    [made] = FakeTqdm.made

    assert (made.options["total"], made.options["initial"]) == (101_880, 18_204)


def test_a_bar_shows_how_far_and_how_fast_a_few_times_a_second(tqdm: pytest.MonkeyPatch) -> None:
    """What came last is shown in the end, however quick it was."""
    clock(tqdm, [10.0, 10.1, 10.2, 10.3, 10.31])
    shown = bar(True)
    for settled in range(5):
        shown.show(job(settled=settled))
    shown.close()
    [made] = FakeTqdm.made

    assert [0, 3, 4] == [settled for settled, _ in made.drawn]
    assert made.drawn[0][1].startswith("ETA 14 h 23 min (")
    assert made.drawn[0][1].endswith("), 97/min, limited by rate limit, failed 139, unknown 2")
    assert made.closed


def test_a_job_without_a_snapshot_has_no_bar(tqdm: pytest.MonkeyPatch) -> None:
    """It was refused before it began."""
    bar(True).close()

    assert [] == FakeTqdm.made


@pytest.mark.parametrize(("installed", "shown"), [(None, FakeTqdm), (Notebooks, Notebooks), (Broken, FakeTqdm)])
def test_the_bar_of_notebooks_is_taken_where_it_works(
    tqdm: pytest.MonkeyPatch, installed: type[FakeTqdm] | None, shown: type[FakeTqdm]
) -> None:
    """Without ipywidgets it has raised or stood still, so text is taken then."""
    if installed is not None:
        widgets(tqdm, installed)
    bar(True).show(JOB)

    assert [shown] == [type(made) for made in FakeTqdm.made]


def test_without_tqdm_there_are_lines(tqdm: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an extra."""
    for name in ("tqdm", "tqdm.std", "tqdm.auto"):
        tqdm.setitem(sys.modules, name, None)
    seconds = [0.0]
    tqdm.setattr("time.monotonic", lambda: seconds[0])
    shown = bar(True, "exporting")
    shown.show(job(settled=0))
    seconds[0] = 31.0
    shown.show(JOB)
    shown.close()

    assert capsys.readouterr().err.startswith("exporting: 18,204 of 101,880 rows (17.9%), 97/min")


def test_a_bar_that_breaks_does_not_end_the_job(tqdm: pytest.MonkeyPatch) -> None:
    """The browser of a notebook may go while the job is under way."""

    def gone(self: FakeTqdm) -> None:
        raise RuntimeError("no comm")

    tqdm.setattr(FakeTqdm, "refresh", gone)
    tqdm.setattr(FakeTqdm, "close", gone)
    shown = bar(True)
    shown.show(JOB)
    shown.close()


def test_tqdm_itself_draws_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """If it is installed here."""
    std = pytest.importorskip("tqdm.std")
    monkeypatch.setattr(std.tqdm, "monitor_interval", 0)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    shown = bar(True)
    shown.show(JOB)
    shown.close()

    assert "| 18,204/101,880, ETA 14 h 23 min" in capsys.readouterr().err
