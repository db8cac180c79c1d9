"""How far an export is, kept in a file of its own beside the rows."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from leavo_async.errors import ConfigError

# "LvEx": so that nobody's database is taken for a cursor. https://www.sqlite.org/pragma.html#pragma_application_id
_APPLICATION = 0x4C764578
_VERSION = 1


class Position(NamedTuple):
    """How far an export is.

    token: where the listing goes on. size, digest: of the rows that are safe, head included. rows: how many they are.
    left_out: items that had not changed since. repeated: items that were there already. is_read: whether the listing
    has come to its end. final: the digest of the finished file; "" until that is known.
    """

    token: str | None = None
    size: int = 0
    digest: str = ""
    rows: int = 0
    left_out: int = 0
    repeated: int = 0
    is_read: bool = False
    final: str = ""

    @property
    def read(self) -> int:
        """Items of the listing that have been read."""
        return self.rows + self.left_out + self.repeated


class Begun(NamedTuple):
    """An export that was begun. asked: what the file is to be like. started: in seconds since the Unix epoch."""

    asked: Mapping[str, Any]
    started: float
    position: Position


class Cursor:
    """The file, locked for as long as it is open; made if it is not there, for its owner alone.

    A small SQLite database: what was written since the last `commit` is forgotten when the process is killed. It has
    the position, and the names of all items that are in the file, so that an item that comes again is known.
    Raises ConfigError when made if another process has it, or if it is something else; OSError as files do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Only if it is not there: to open and close a file that SQLite has open would end the locks of this process.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with self._told():
            self._made = path.stat()
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            with self._told():
                self._open()
        except BaseException:
            self._database.close()
            raise

    def begun(self) -> Begun | None:
        """The export that was begun; None for a new file."""
        with self._told():
            found = self._database.execute("SELECT asked, started, position FROM export").fetchone()
        return None if found is None else Begun(json.loads(found[0]), found[1], Position(*json.loads(found[2])))

    def begin(self, begun: Begun) -> None:
        """Forget what was there, and commit this."""
        with self._told():
            self._database.execute("DELETE FROM seen")
            self._database.execute("DELETE FROM export")
            row = (json.dumps(begun.asked), begun.started, json.dumps(begun.position))
            self._database.execute("INSERT INTO export VALUES (?, ?, ?)", row)
        self.commit(begun.position)

    def is_new(self, name: str) -> bool:
        """Whether this item was not there yet; from now on it was."""
        with self._told():
            return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1

    def commit(self, position: Position) -> None:
        """Make this position safe, and the items that were new."""
        with self._told():
            self._database.execute("UPDATE export SET position = ?", (json.dumps(position),))
            self._database.execute("COMMIT")
            self._database.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Unlock it; what was not committed is forgotten. May be called again."""
        self._database.close()

    def remove(self) -> None:
        """Remove the file while it is locked, so that it is never that of another process; then close it."""
        with self._told():
            self._database.rollback()
            self._database.execute("PRAGMA journal_mode = DELETE")  # else it would remove a log by name as it closes
        with suppress(PermissionError):  # Windows removes no file that is open
            self.path.unlink()
        self._database.close()
        if os.name == "nt":
            self.path.unlink(missing_ok=True)

    def _open(self) -> None:
        # The lock is kept from one transaction to the next, and ends with the process, however that ends.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_new = not self._database.execute("SELECT 1 FROM sqlite_master").fetchone()
        # From here on nobody else can remove it. Before, the process that had it may have: then two would have a lock.
        if not self.path.exists() or not os.path.samestat(self._made, self.path.stat()):
            raise self._in_use()
        if not is_new:
            self._check()
        # Of SQLite's journals the one that is gone after each clean end, also after one that wrote nothing.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("BEGIN EXCLUSIVE")
        if is_new:
            self._make()

    def _check(self) -> None:
        found = [self._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        if found[0] != _APPLICATION:
            raise ConfigError(f"{self.path} is not the cursor of an export: move it away")
        if found[1] != _VERSION:
            raise ConfigError(f"{self.path} is of another version of leavo-async: go on with that one, or delete it")

    def _make(self) -> None:
        self._database.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._database.execute(f"PRAGMA user_version = {_VERSION}")
        self._database.execute("CREATE TABLE export (asked TEXT, started REAL, position TEXT)")
        self._database.execute("CREATE TABLE seen (name TEXT PRIMARY KEY) WITHOUT ROWID")

    @contextmanager
    def _told(self) -> Generator[None, None, None]:
        """Errors of SQLite as those of files, which they mostly are: a disk that is full, a place that is read-only."""
        try:
            yield
        except sqlite3.Error as error:
            problem = error
        else:
            return
        match (
            getattr(problem, "sqlite_errorcode", 0) & 0xFF
        ):  # the rest tells more: https://www.sqlite.org/rescode.html
            case sqlite3.SQLITE_BUSY:
                raise self._in_use()
            case sqlite3.SQLITE_NOTADB:
                raise ConfigError(f"{self.path} is not the cursor of an export: move it away")
            case _:
                raise OSError(errno.EIO, str(problem), str(self.path))

    def _in_use(self) -> ConfigError:
        return ConfigError(f"{self.path} is in use: another process is at this export")
