"""Where journals are kept."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from leavo_async import ConfigError
from leavo_async.bulk.journal import Verdict
from leavo_async.bulk.lock import JobLock
from leavo_async.bulk.places import (
    found,
    journal_path,
    journals,
    known,
    made,
    new_spool,
    purge,
    remove,
    settle,
    state_dir,
)
from leavo_async.bulk.reporting import report_of

from .journals import FACTS, filled, quick

AS_ROOT = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may write everywhere")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LEAVO_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}, "/a"),
        ({"LEAVO_STATE_DIR": "~/a"}, "/home/ana/a"),
        ({"LEAVO_STATE_DIR": "", "XDG_STATE_HOME": "/b"}, "/b/leavo"),
        ({"XDG_STATE_HOME": ""}, "/home/ana/.local/state/leavo"),
        ({}, "/home/ana/.local/state/leavo"),
    ],
)
def test_each_variable_names_the_place(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours first, then that of all programs; an empty one says nothing."""
    for name in ("LEAVO_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/ana", **variables}.items():
        monkeypatch.setenv(name, value)

    assert state_dir() == Path(expected)


def test_one_bad_journal_hides_no_other_job(tmp_path: Path) -> None:
    """A link to nothing, and a journal that has lost its rows: an import must still find the one it was begun with."""
    good = filled(tmp_path / "good.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "nothing")
    with sqlite3.connect(filled(tmp_path / "bad.db")) as connection:
        connection.execute("DROP TABLE row")
    connection.close()

    assert good in journals(tmp_path)
    assert list(known(tmp_path, finished=False)) == [FACTS]
    with pytest.raises(ConfigError, match=r"cannot read the journal .*bad\.db: no such table"):
        report_of(tmp_path / "bad.db")


def test_without_a_home_a_folder_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run as users whom the system does not know."""
    for name in ("LEAVO_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)

    with pytest.raises(ConfigError, match=r"there is no home directory.*LEAVO_STATE_DIR"):
        state_dir()


def test_a_new_folder_is_for_nobody_else(tmp_path: Path) -> None:
    """Those above it are as the system makes them; one that is there stays as it is."""
    folder = made(tmp_path / "new" / "leavo")

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made(folder) == folder


def test_a_place_that_is_a_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Before anything is read or sent."""
    (tmp_path / "leavo").write_text("")
    with pytest.raises(ConfigError, match=r"File exists; nothing was sent. LEAVO_STATE_DIR or journal_dir="):
        made(tmp_path / "leavo")


@AS_ROOT
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    """As is one in which none can be made."""
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="it may not be written to"):
        made(tmp_path)
    with pytest.raises(ConfigError, match="Permission denied"):
        made(tmp_path / "leavo")


def test_a_job_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    """If there is exactly one."""
    for name in ("0123abcd", "0199abcd"):
        (tmp_path / f"{name}.db").touch()

    assert found(tmp_path, "012").name == "0123abcd.db"
    assert found(tmp_path, "0199abcd").name == "0199abcd.db"
    with pytest.raises(ConfigError, match="more than one job begins with '01'"):
        found(tmp_path, "01")
    with pytest.raises(ConfigError, match="there is no job '02'"):
        found(tmp_path, "02")
    with pytest.raises(ConfigError, match="there is no job ''"):
        found(tmp_path, "")


def test_the_latest_journal_comes_first(tmp_path: Path) -> None:
    """A folder that is not there has none."""
    for name, age in (("a", 30), ("b", 10), ("c", 20)):
        (tmp_path / f"{name}.db").touch()
        os.utime(tmp_path / f"{name}.db", (time.time() - age,) * 2)

    assert [path.stem for path in journals(tmp_path)] == ["b", "c", "a"]
    assert journals(tmp_path / "nowhere") == []


def test_jobs_that_are_finished_are_known_if_one_asks_for_them(tmp_path: Path) -> None:
    """What is no journal is passed over."""
    filled(tmp_path / "open.db", 1, FACTS._replace(name="open"))
    with_done = quick(filled(tmp_path / "done.db", 1, FACTS._replace(name="done")))
    with with_done.transaction():
        with_done.record(1, Verdict("done"), 1.0)
    with_done.close()
    (tmp_path / "other.db").write_text("something else")

    assert [facts.name for facts in known(tmp_path, finished=False)] == ["open"]
    assert {facts.name for facts in known(tmp_path, finished=True)} == {"open", "done"}


def test_what_killed_processes_have_left_is_removed(tmp_path: Path) -> None:
    """It is people's data; what a living one is filling stays."""
    dead, alive = filled(tmp_path / "dead.spool"), filled(tmp_path / "alive.spool")
    (tmp_path / "dead.spool-wal").touch()
    (tmp_path / "dead.lock-journal").touch()
    lock = JobLock.take(alive)
    new = new_spool(tmp_path)
    lock.release()

    assert not dead.exists()
    assert not list(tmp_path.glob("dead.*"))
    assert alive.exists()
    assert not new.exists()
    assert new.parent == tmp_path


def test_a_filled_journal_moves_to_its_place(tmp_path: Path) -> None:
    """As a whole."""
    spool = filled(tmp_path / "x.spool")
    target = journal_path(tmp_path, FACTS.import_id)
    settle(spool, target)

    assert (target.name, target.exists(), spool.exists()) == ("01234567.db", True, False)


def test_purge_removes_all_of_a_job_unless_it_is_worked_on(tmp_path: Path) -> None:
    """Of others it removes nothing."""
    mine, other = filled(tmp_path / "a.db"), filled(tmp_path / "b.db")
    for end in ("-wal", "-shm", "-journal"):
        (tmp_path / f"a.db{end}").touch()
    lock = JobLock.take(mine)
    with pytest.raises(ConfigError, match="worked on"):
        purge(mine)
    assert mine.exists()
    lock.release()
    purge(mine)

    assert list(tmp_path.iterdir()) == [other]
    remove(mine)
