"""Journals of jobs that were never run: rows of made-up people, in the states that a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leavo_async.bulk.journal import Journal, Spooled, Verdict, cells_of
from leavo_async.bulk.rows import Row

from . import journals

REFUSED = Verdict("failed", status=422, code="invalid", reason="phone: too short", attempts=1)
FACTS = journals.FACTS._replace(import_id="ab12cd34" + 24 * "0", source_path=None, created=1_700_000_000.0)


def journal_of(folder: Path, *rows: tuple[Row, Verdict], columns: Sequence[str] = ("name", "phone")) -> Path:
    """The journal of a job with these rows, numbered from 1, and what has become of each."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)  # whatever the umask of the test
    path = folder / "ab12cd34.db"
    journal = Journal.create(path, FACTS._replace(columns=tuple(columns)))
    with journal.transaction():
        for n, (row, verdict) in enumerate(rows, 1):
            cells = cells_of(row.values, tuple(columns)).encode()
            journal.spool([Spooled(n, row.line, None, "pending", b"{}", cells, None)])
            if verdict.state != "invalid":
                journal.intend(n, FACTS.created)
            journal.record(n, verdict, FACTS.created)
        journal.index()
    journal.close()
    return path
