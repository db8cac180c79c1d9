"""The rejects file: rows that were not imported, each with its reason, ready to be mended and imported again."""

import contextlib
import csv
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from leavo_async.bulk.rows import Row
from leavo_async.errors import ConfigError

# They begin with "_", so a later import leaves them out.
REASON_COLUMNS = ("_line", "_state", "_status", "_code", "_reason")


class Rejects:
    """A writer of rejected rows: a CSV file with all original columns and the reason, once it is closed.

    Until then nothing stands under the final name: rows wait in a file without a name, which the system
    removes if the process is killed. Rows with keys that `columns` has not (JSON Lines) add columns. If nothing is
    added, no file is written, and one from an earlier run stays.

    Raises ConfigError when made, before anything is sent, if the file could not be written later.
    """

    def __init__(self, path: str | Path, columns: Iterable[str], *, source: str | Path | None) -> None:
        self.path = Path(path)
        self.count = 0
        # A rejects file imported again brings reasons of its own: they are replaced.
        self._columns = [column for column in columns if column not in REASON_COLUMNS]
        self._waiting: TextIO | None = None
        _check_target(self.path, source)
        _try_to_write(self.path)

    def add(self, row: Row, *, state: str, status: int | None = None, code: str | None = None, reason: str) -> None:
        """Keep the row. A row that could not be read has no values: its line and the reason must do."""
        if self._waiting is None:
            # Closed by close(), or by the end of the process.
            self._waiting = tempfile.TemporaryFile("w+", encoding="ascii", dir=self.path.parent)  # noqa: SIM115
        values = {key: value for key, value in row.values.items() if key not in REASON_COLUMNS}
        self._columns += [key for key in values if key not in self._columns]
        reasons = (row.line, state, status, code, reason)
        self._waiting.write(json.dumps([values, reasons]) + "\n")
        self.count += 1

    def close(self) -> None:
        """Write the file under its name, whole or not at all. May be called again."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        with waiting:
            waiting.seek(0)
            # What was cut by an interrupt in the middle of `add` is not counted.
            self._write(json.loads(line) for line in islice(waiting, self.count))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, rows: Iterator[Any]) -> None:
        # mkstemp opens with O_EXCL and mode 0600: the rows are personal data.
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                _write_csv(file, self._columns, rows)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise


def _write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[tuple[dict[str, Any], list[Any]]]) -> None:
    # Cells that begin with = + - @ are NOT defused with a quote, as OWASP advises for spreadsheets: phones begin
    # with +, and the file must import again as it was. https://owasp.org/www-community/attacks/CSV_Injection
    # The header is quoted throughout, so that no name in it can be taken for a delimiter.
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow([*columns, *REASON_COLUMNS])
    writer = csv.writer(file)
    for values, reasons in rows:
        writer.writerow([*(_cell(values.get(column)) for column in columns), *(_cell(item) for item in reasons)])


def _cell(value: object) -> str:
    """The value as text: nothing for null, JSON for what is not text."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _check_target(path: Path, source: str | Path | None) -> None:
    try:
        found = _wrong_with(path, source)
    except OSError as error:
        found = f"{error.strerror}; name another file"
    if found:
        raise ConfigError(f"cannot write rejected rows to {path}: {found}")


def _try_to_write(path: Path) -> None:
    """What only trying can tell: a place where nothing can be made, a disk without room for a name."""
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        problem = error.strerror
    else:
        return
    raise ConfigError(f"cannot write rejected rows to {path}: {problem}; name a file elsewhere")


def _wrong_with(path: Path, source: str | Path | None) -> str | None:
    if not path.parent.is_dir():
        return f"there is no directory {path.parent}; make it first"
    if path.is_dir():
        return "it is a directory; name a file in it"
    if path.exists() and not path.is_file():
        return "it is not a regular file; name another one"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"the directory {path.parent} may not be written to; name a file elsewhere"
    if source is not None and _is_same(path, Path(source)):
        return "it is the file being imported; name another one"
    return None


def _is_same(one: Path, other: Path) -> bool:
    """True for two names of one file, also by a link."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()
