"""One process at a time works on a job."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leavo_async import ConfigError
from leavo_async.bulk.lock import JobLock, is_locked

OTHER = """
import sys, pathlib
from leavo_async.bulk.lock import JobLock
lock = JobLock.take(pathlib.Path(sys.argv[1]))
print("taken", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "0123abcd.db"


def other_process(journal: Path) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", OTHER, str(journal)], text=True, **pipes)  # type: ignore[call-overload]


@pytest.fixture
def owner(journal: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock."""
    with other_process(journal) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_is_killed(journal: Path, owner: subprocess.Popen[str]) -> None:
    """The system gives the lock back, however a process ends."""
    with pytest.raises(ConfigError, match="job 0123abcd is being worked on by another process"):
        JobLock.take(journal)
    assert is_locked(journal)
    owner.kill()
    owner.wait()

    JobLock.take(journal).release()
    assert not is_locked(journal)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_in_its_place_is_not_waited_for(journal: Path) -> None:
    """Who lays one there must not make every command hang."""
    os.mkfifo(journal.with_suffix(".lock"))

    assert not is_locked(journal)
    with pytest.raises(ConfigError, match="is no regular file; nothing was sent"):
        JobLock.take(journal)


def test_to_ask_for_a_lock_does_not_give_it_back(journal: Path) -> None:
    """POSIX takes all locks on a file from a process that closes the file once, also by another handle."""
    lock = JobLock.take(journal)
    assert is_locked(journal)
    with pytest.raises(ConfigError):
        JobLock.take(journal)

    with other_process(journal) as other:
        _, problem = other.communicate("\n")
    assert "is being worked on by another process" in problem
    lock.release()


def test_a_lock_may_be_released_twice_and_taken_again(journal: Path) -> None:
    """By the same process too; nobody else may read its file."""
    lock = JobLock.take(journal)
    lock.release()
    lock.release()

    JobLock.take(journal).release()
    assert stat.S_IMODE(journal.with_suffix(".lock").stat().st_mode) == 0o600


def test_a_lock_that_cannot_be_kept_is_not_called_taken(tmp_path: Path) -> None:
    """There is no such folder: waiting for another process would not help."""
    with pytest.raises(ConfigError, match=r"cannot lock .*: No such file or directory; nothing was sent"):
        JobLock.take(tmp_path / "nowhere" / "job.db")
