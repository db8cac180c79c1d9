"""The file of rows that are not done: each with all its columns and the reason, ready to be mended and sent again."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TextIO

from leavo_async.bulk.formats import guarded
from leavo_async.bulk.journal import Journal, viewing
from leavo_async.bulk.states import RowRecord, State
from leavo_async.bulk.whole import whole_file
from leavo_async.errors import ConfigError

OPEN_STATES: tuple[State, ...] = ("failed", "invalid", "held", "unknown", "pending", "in_flight")
"""Of the rows that are not there, as far as is known."""

# They begin with "_", so an import leaves them out; `_row` says which row of the job it is.
REASON_COLUMNS = (
    "_row",
    "_line",
    "_state",
    "_status",
    "_code",
    "_reason",
    "_field",
    "_request_id",
    "_attempts",
    "_first_sent",
)


def write_failed(path: Path, journal: Path, *states: State) -> int:
    """Write the rows in these states, whole or not at all; gives how many. Without any no file is written.

    It blocks. Raises OSError if it cannot be written.
    """
    with viewing(journal) as opened:
        rows = opened.rows(*(states or OPEN_STATES))
        first = next(rows, None)
        if first is None:
            return 0
        with whole_file(path, newline="") as file:
            return _write_csv(file, _columns(opened, states), chain([first], rows))


def print_failed(file: TextIO, journal: Path, *states: State) -> int:
    """Write them into an open file; gives how many. It blocks."""
    with viewing(journal) as opened:
        return _write_csv(file, _columns(opened, states), opened.rows(*(states or OPEN_STATES)))


def check_target(path: str | Path, source: str | Path | None) -> Path:
    """The path, if a file could be written there; ConfigError otherwise. source: a file that it must not be."""
    target = Path(path)
    try:
        found = _wrong_with(target, source) or _tried(target)
    except OSError as error:
        found = f"{error.strerror}; name another file"
    if found:
        raise ConfigError(f"cannot write rows to {target}: {found}")
    return target


def _tried(path: Path) -> str | None:
    """What only trying can tell: a place where nothing can be made, a disk without room for a name."""
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        return f"{error.strerror}; name a file elsewhere"
    return None


def _columns(journal: Journal, states: Sequence[State]) -> list[str]:
    """Those of the source, and what rows of JSON Lines have besides."""
    columns = dict.fromkeys(journal.facts.columns)
    for row in journal.rows(*(states or OPEN_STATES)):
        columns.update(dict.fromkeys(row.values))
    return [column for column in columns if column not in REASON_COLUMNS]


def _write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[RowRecord]) -> int:
    # The source's cells that begin with = + - @ are NOT defused with a quote, as OWASP advises for spreadsheets: the
    # file must import again as it was. The server's words are, for an import leaves them out.
    # https://owasp.org/www-community/attacks/CSV_Injection
    # The header is quoted throughout, so that no name in it can be taken for a delimiter.
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow([*columns, *REASON_COLUMNS])
    writer, count = csv.writer(file), 0
    for row in rows:
        cells = [_cell(row.values.get(column)) for column in columns]
        writer.writerow([*cells, *(guarded(_cell(reason)) for reason in _reasons(row))])
        count += 1
    return count


def _reasons(row: RowRecord) -> tuple[object, ...]:
    sent = None if row.first_sent is None else datetime.fromtimestamp(row.first_sent, UTC).isoformat(timespec="seconds")
    told = (row.row, row.line, row.state, row.status, row.code, row.reason)
    return (*told, row.field, row.request_id, row.attempts, sent)


def _cell(value: object) -> str:
    """The value as text: nothing for null, JSON for what is not text."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


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
