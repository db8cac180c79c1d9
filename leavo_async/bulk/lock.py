"""One process at a time works on a job."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Self

from leavo_async.errors import ConfigError

# Seconds: somebody may just be looking whether it is taken.
_PATIENCE = 0.5


class JobLock:
    """The right to write a journal, held until `release` or until the process ends, however it ends.

    It is a lock of SQLite's on a file beside the journal: the system gives it back when a process dies, on every
    system, and readers of the journal are not kept out. The file stays, because to remove one that another process has
    just opened would let two have it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def take(cls, journal: Path) -> Self:
        """The lock of a journal; ConfigError if another process has it."""
        path = journal.with_suffix(".lock")
        connection = None
        try:
            _make(path)
            _check(path)
            connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            connection.execute("BEGIN EXCLUSIVE")
            return cls(path, connection)
        except (sqlite3.Error, OSError) as error:
            is_taken = "locked" in str(error)
            problem = getattr(error, "strerror", None) or str(error)
        if connection is not None:
            connection.close()
        if is_taken:
            raise ConfigError(
                f"job {journal.stem} is being worked on by another process: wait for it, or stop it; nothing was sent"
            )
        raise ConfigError(f"cannot lock {journal}: {problem}; nothing was sent")

    def release(self) -> None:
        """Give it back. May be called again."""
        self._connection.close()


def _make(path: Path) -> None:
    """The file, for nobody else to read, if it is not there."""
    # A file that is there is not opened, for to close it again would give back the locks that this process has on it:
    # https://www.sqlite.org/howtocorrupt.html, "Posix advisory locks canceled by a separate thread doing close()"
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check(path: Path) -> None:
    if not path.is_file():  # such as a pipe, which SQLite would wait for
        raise OSError(errno.EINVAL, f"{path} is no regular file")


def is_locked(journal: Path) -> bool:
    """Whether a process works on it at this moment. It blocks."""
    path = journal.with_suffix(".lock")
    if not path.is_file():
        return False
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.0)
    except sqlite3.Error:
        return False  # nobody has ever locked it
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        return True
    finally:
        connection.close()
    return False
