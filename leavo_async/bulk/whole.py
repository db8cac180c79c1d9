"""Text files that are there as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from leavo_async.errors import ConfigError


def write_whole(path: str | Path, text: str, *, what: str) -> None:
    """Write a file that only its owner can read; until it is whole and on the disk, what was there before stays.

    Raises ConfigError if that fails, with what was to be written.
    """
    try:
        with whole_file(Path(path), newline="\n") as file:
            file.write(text)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    else:
        return
    raise ConfigError(f"cannot write {what} to {path}: {problem}; name a file elsewhere")


@contextmanager
def whole_file(path: Path, *, newline: str) -> Generator[TextIO, None, None]:
    """A file to be written, which gets its name at the end, once it is safe; it is removed if an error comes before."""
    # mkstemp opens with O_EXCL and mode 0600: rows are personal data.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        # Half a surrogate pair in a server's words is no reason to have no report.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a new name safe; systems that cannot open a folder do it by themselves."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
