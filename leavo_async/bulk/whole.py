"""Text files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from leavo_async.errors import ConfigError


def write_whole(path: str | Path, text: str, *, what: str) -> None:
    """Write a file that only its owner can read; until it is whole and on the disk, what was there before stays.

    Raises ConfigError if that fails, with what was to be written.
    """
    try:
        _write(Path(path), text)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    else:
        return
    raise ConfigError(f"cannot write {what} to {path}: {problem}; name a file elsewhere")


def _write(path: Path, text: str) -> None:
    # mkstemp opens with O_EXCL and mode 0600.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        # Half a surrogate pair in a server's words is no reason to have no report.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
