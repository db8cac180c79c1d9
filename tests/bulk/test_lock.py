"""The lock of a job: one process at a time, however often somebody asks."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from leavo_async import ConfigError
from leavo_async.bulk.lock import JobLock, is_locked

ASK = "import sys, pathlib; from leavo_async.bulk.lock import is_locked; print(is_locked(pathlib.Path(sys.argv[1])))"


def another_process_finds_it_locked(journal: Path) -> bool:
    asked = subprocess.run([sys.executable, "-c", ASK, str(journal)], capture_output=True, text=True, check=True)
    return asked.stdout == "True\n"


def test_a_lock_is_kept_though_its_own_process_asks_for_it(tmp_path: Path) -> None:
    """A file that is opened and closed gives back the locks of its process: two once worked on one job by that."""
    journal = tmp_path / "a.db"
    lock = JobLock.take(journal)
    assert is_locked(journal)
    with pytest.raises(ConfigError, match="job a is being worked on by another process"):
        JobLock.take(journal)
    assert another_process_finds_it_locked(journal)
    lock.release()
    assert not another_process_finds_it_locked(journal)


def test_a_lock_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    """It has nothing in it, but its name tells of a job."""
    lock = JobLock.take(tmp_path / "a.db")
    assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600
    lock.release()
