"""The file of an export while it is made: as it stands under its name only when it is whole."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from leavo_async._sansio.paging import field_of
from leavo_async.bulk.cursor import Begun, Cursor, Position
from leavo_async.bulk.formats import Columns, ExportFormat, Writer
from leavo_async.bulk.parquet_writer import write_parquet
from leavo_async.bulk.since import Since
from leavo_async.bulk.whole import sync_folder
from leavo_async.errors import ConfigError

# Seconds between two times that rows are made safe: a kill costs the pages of one second, and a disk that takes 10 ms
# for it slows an export by 1 %.
COMMIT_EVERY = 1.0
_CHUNK = 1024 * 1024
# Each where it exists: no link that somebody has laid there, no line ends of the system's own.
_FLAGS: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Plan(NamedTuple):
    """What the file is to be. unique: the field that names an item; None if items may come twice."""

    path: Path
    format: ExportFormat
    writer: Writer
    columns: Columns | None
    since: Since | None
    unique: str | None
    guard: bool

    @property
    def asked(self) -> Mapping[str, Any]:
        """What must be the same when the export goes on."""
        return {
            "format": self.format,
            "columns": None if self.columns is None else list(self.columns.names),
            "guard": self.guard,
            "since": None if self.since is None else str(self.since),
            "unique": self.unique,
        }


class Part:
    """FILE.part, with the rows, and FILE.cursor, which tells how many of them count; all of it blocks.

    After each second, at the end and at `close` the rows are made safe first, then the position: so whatever the
    cursor speaks of is there, and what is there beyond it is cut off by the next process.
    """

    def __init__(self, plan: Plan) -> None:
        self.position = Position()
        self.earlier = 0  # items that earlier processes have read
        self.started = 0.0
        self.is_complete = False
        self.plan = plan
        self._path = plan.path.with_name(f"{plan.path.name}.part")
        self._cursor_path = plan.path.with_name(f"{plan.path.name}.cursor")
        self._cursor: Cursor | None = None
        self._file: BinaryIO | None = None
        self._hash = hashlib.blake2b()
        self._safe = self.position
        self._safe_at = 0.0
        self._is_sound = False
        self._is_bare = False  # made by us, and nothing in it is safe yet

    def open(self, *, overwrite: bool, restart: bool) -> None:
        """Begin, or go on where an earlier process has stopped. Raises ConfigError if neither can be."""
        try:
            self._check_place()
            self._open(overwrite, restart)
        except OSError as error:
            problem = error
        else:
            return
        raise ConfigError(f"cannot write {problem.filename or self.plan.path}: {problem.strerror}")

    def add(self, items: Iterable[Any], token: str | None) -> None:
        """Write a page. token: where the listing goes on behind it; None if it does not."""
        with self._sound():
            kept, left_out, repeated = self._sorted(items)
            self._write(self.plan.writer.rows(kept))
            at = self.position
            self.position = at._replace(
                token=token,
                is_read=token is None,
                rows=at.rows + len(kept),
                left_out=at.left_out + left_out,
                repeated=at.repeated + repeated,
            )
            if time.monotonic() - self._safe_at >= COMMIT_EVERY:
                self._make_safe()

    def finish(self, *, overwrite: bool) -> None:
        """Give the whole file its name, and remove what led to it. May be done again by another process."""
        if not self.is_complete:
            with self._sound():
                self._finish(overwrite)
        self._remove()
        self.is_complete = True

    def close(self) -> None:
        """Make safe what was written, and let go of both files. Without a page in them they are removed."""
        try:
            if self._is_sound and not self.is_complete and self.position != self._safe:
                with self._sound():
                    self._make_safe()
        finally:
            self._let_go()

    def _open(self, overwrite: bool, restart: bool) -> None:
        if not self._cursor_path.exists():
            self._refuse_existing(overwrite)
            if self._path.exists() and not restart:
                raise ConfigError(f"{self._path} is there without its cursor: move it away, or restart (--restart)")
        self._cursor = Cursor(self._cursor_path)
        begun = None if restart else self._cursor.begun()
        if begun and begun.position.is_read and not overwrite and self._is_at_its_place(begun.position):
            self.position, self.earlier, self.started = begun.position, begun.position.read, begun.started
            self.is_complete = True
            return
        self._refuse_existing(overwrite)
        if begun is None or (begun.position.is_read and not self._path.exists()):
            self._begin(self._cursor)
        else:
            self._go_on(begun)
        self._safe_at, self._is_sound = time.monotonic(), True

    def _let_go(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what it could not write is not spoken of
                self._file.close()
        if self._is_bare:
            self._remove()
        if self._cursor is not None:
            self._cursor.close()

    def _remove(self) -> None:
        self._path.unlink(missing_ok=True)
        assert self._cursor is not None
        self._cursor.remove()

    def _check_place(self) -> None:
        path, folder = self.plan.path, self.plan.path.parent
        if not folder.is_dir():
            raise ConfigError(f"cannot write {path}: there is no directory {folder}; make it first")
        if path.exists() and not path.is_file():
            raise ConfigError(f"cannot write {path}: it is no regular file; name another one")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(f"cannot write {path}: the directory {folder} may not be written to; name another one")

    def _refuse_existing(self, overwrite: bool) -> None:
        if self.plan.path.exists() and not overwrite:
            raise ConfigError(f"{self.plan.path} is there already: name another file, or overwrite it (--overwrite)")

    def _is_at_its_place(self, position: Position) -> bool:
        """Whether the finished file has its name: an earlier process was killed just before its end."""
        path = self.plan.path
        return bool(position.final) and path.is_file() and position.final == _hash_of(path).hexdigest()

    def _begin(self, cursor: Cursor) -> None:
        self.started = time.time()
        cursor.begin(Begun(self.plan.asked, self.started, self.position))
        self._file = _opened(self._path)
        self._file.truncate(0)
        self._is_bare = True
        sync_folder(self._path.parent)

    def _go_on(self, begun: Begun) -> None:
        self._refuse_other(begun.asked)
        self._file = _opened(self._path)
        self._hash = _hash_of(self._path, begun.position.size)
        if begun.position.digest != (self._hash.hexdigest() if begun.position.size else ""):
            raise ConfigError(
                f"{self._path} has changed since the export stopped: put it back as it was, or restart (--restart)"
            )
        self._file.truncate(begun.position.size)
        self._file.seek(begun.position.size)
        self.position = self._safe = begun.position
        self.earlier, self.started = begun.position.read, begun.started

    def _refuse_other(self, asked: Mapping[str, Any]) -> None:
        if other := [name for name, value in self.plan.asked.items() if asked.get(name) != value]:
            raise ConfigError(
                f"{self._path} was begun with another {' and '.join(other)}: ask for the same again, or restart "
                "(--restart)"
            )

    def _sorted(self, items: Iterable[Any]) -> tuple[list[Any], int, int]:
        """The items that are wanted and new; how many were not wanted; how many were not new."""
        since = self.plan.since
        items = list(items)
        wanted = items if since is None else [item for item in items if since.keeps(item)]
        kept = [item for item in wanted if self._is_new(item)]
        return kept, len(items) - len(wanted), len(wanted) - len(kept)

    def _is_new(self, item: Any) -> bool:
        name = None if self.plan.unique is None else field_of(item, self.plan.unique)
        assert self._cursor is not None
        return name is None or self._cursor.is_new(str(name))

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        if not self.position.size:
            data = self.plan.writer.head + data
        self._file.write(data)
        self._hash.update(data)
        self.position = self.position._replace(size=self.position.size + len(data))

    def _make_safe(self) -> None:
        assert self._file is not None
        assert self._cursor is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self.position = self.position._replace(digest=self._hash.hexdigest() if self.position.size else "")
        self._cursor.commit(self.position)
        self._safe, self._safe_at, self._is_bare = self.position, time.monotonic(), False

    def _finish(self, overwrite: bool) -> None:
        self._write(b"")
        self.position = self.position._replace(token=None, is_read=True)
        ready = self._converted() if self.plan.format == "parquet" else self._path
        digest = self._hash if ready is self._path else _hash_of(ready)
        self.position = self.position._replace(final=digest.hexdigest())
        self._make_safe()
        self._refuse_existing(overwrite)
        assert self._file is not None
        self._file.close()  # a file that is open cannot be renamed everywhere
        ready.replace(self.plan.path)
        sync_folder(self.plan.path.parent)

    def _converted(self) -> Path:
        """The Parquet file, under a name that is not its own yet."""
        self._make_safe()
        assert self.plan.columns is not None
        path = self._path.with_name(f"{self._path.name}.parquet")
        with self._path.open("rb") as rows, _opened(path) as file:
            file.truncate(0)
            write_parquet(rows, file, self.plan.columns)
            file.flush()
            os.fsync(file.fileno())
        return path

    @contextmanager
    def _sound(self) -> Generator[None, None, None]:
        """What fails halfway is not made safe."""
        self._is_sound = False
        yield
        self._is_sound = True


def _opened(path: Path) -> BinaryIO:
    """The file for reading and writing, made for its owner alone: rows are personal data."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    return os.fdopen(handle, "r+b")


def _hash_of(path: Path, size: int | None = None) -> hashlib.blake2b:
    """Of the first `size` bytes; of all of them for None."""
    digest, left = hashlib.blake2b(), path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return digest
