"""Where journals are kept."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from leavo_async.bulk.facts import Facts
from leavo_async.bulk.journal import viewing
from leavo_async.bulk.lock import JobLock, is_locked
from leavo_async.bulk.whole import sync_folder
from leavo_async.errors import ConfigError

_SUFFIX = ".db"
_SPOOL = ".spool"


def state_dir() -> Path:
    """LEAVO_STATE_DIR, or the place for such files: https://specifications.freedesktop.org/basedir-spec/latest/.

    ConfigError if that is below a home, and there is none, as for a user of a container whom the system does not know.
    """
    named = os.environ.get("LEAVO_STATE_DIR")
    with suppress(RuntimeError):
        return Path(named or Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state") / "leavo").expanduser()
    raise ConfigError(
        "there is no home directory to keep a journal in; nothing was sent. Name a folder: LEAVO_STATE_DIR"
    )


def made(folder: Path) -> Path:
    """The folder, for nobody else to read; ConfigError if it cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        problem = "it may not be written to"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise ConfigError(
        f"cannot keep a journal in {folder}: {problem}; nothing was sent. LEAVO_STATE_DIR or journal_dir= name another"
    )


def journal_path(folder: Path, import_id: str) -> Path:
    """Where the journal of an import is, or would be."""
    return folder / f"{import_id[:8]}{_SUFFIX}"


def journals(folder: Path) -> list[Path]:
    """All that are there, the latest first."""
    seen: list[tuple[float, Path]] = []
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError):  # removed meanwhile, or a link to nothing: no reason not to see the others
            seen.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(seen, reverse=True)]


def found(folder: Path, job: str) -> Path:
    """The journal of a job, by its id or by the beginning of it; ConfigError unless it is exactly one."""
    fitting = [path for path in journals(folder) if job and path.stem.startswith(job)]
    if len(fitting) == 1:
        return fitting[0]
    what = f"more than one job begins with {job!r}" if fitting else f"there is no job {job!r}"
    raise ConfigError(f"{what} in {folder}; `leavo jobs list` shows them")


def known(folder: Path, *, finished: bool) -> Iterator[Facts]:
    """The facts of each job, the latest first. finished: of those too that have no rows left."""
    for path in journals(folder):
        with suppress(ConfigError), viewing(path) as journal:
            if finished or journal.is_open():
                yield journal.facts


def new_spool(folder: Path) -> Path:
    """Where a new journal is filled. What killed processes have left there is removed: it is people's data."""
    for left in folder.glob(f"*{_SPOOL}"):
        if not is_locked(left):
            remove(left)
    return folder / f"{uuid.uuid4().hex}{_SPOOL}"


def settle(spool: Path, target: Path) -> None:
    """Move a filled journal to its place, safe on the disk first; ConfigError if it cannot be."""
    try:
        with spool.open("rb") as file:
            os.fsync(file.fileno())
        spool.replace(target)
        sync_folder(target.parent)
        return
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise ConfigError(f"cannot keep the journal {target}: {problem}; nothing was sent")


def remove(journal: Path) -> None:
    """Remove a journal and what SQLite keeps beside it. What is gone is gone."""
    for path in (journal, *(journal.with_name(journal.name + end) for end in ("-wal", "-shm", "-journal"))):
        path.unlink(missing_ok=True)
    for end in (".lock", ".lock-journal"):  # a process that was killed leaves both
        journal.with_suffix(end).unlink(missing_ok=True)


def purge(journal: Path) -> None:
    """Remove the journal of a job; ConfigError while a process works on it."""
    lock = JobLock.take(journal)
    try:
        remove(journal)
    finally:
        lock.release()
