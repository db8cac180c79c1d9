"""Journals for tests: with made-up rows, and without waiting for the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from leavo_async.bulk.facts import Facts
from leavo_async.bulk.journal import Journal, OpenRow, Spooled

FACTS = Facts(
    import_id="0123456789abcdef0123456789abcdef",
    name="leads",
    api="leavo",
    place="https://api.example",
    method="POST",
    path="/leads",
    source="leads.csv",
    source_path="/home/ana/leads.csv",
    source_digest="d1",
    description="CSV, comma, utf-8-sig",
    columns=("name", "phone"),
    mapping={"name": "name", "phone": "phone"},
    left_out=(),
    ignored=(),
    row_key=None,
    account="",
    limit="100 requests / 60 s",
    limit_per_minute=100.0,
    created=1000.0,
)


def row(n: int, **more: Any) -> Spooled:
    """Row n, as it comes out of a source."""
    told = Spooled(
        n,
        n + 1,
        None,
        "pending",
        f'{{"name":"Ana {n}"}}'.encode(),
        f'["Ana {n}","+55{n:04d}"]'.encode(),
        f"digest {n}".encode(),
    )
    return told._replace(**more)


def filled(path: Path, rows: Iterable[Spooled] | int = 3, facts: Facts = FACTS) -> Path:
    """The file of a journal with these rows, or with so many."""
    journal = Journal.create(path, facts)
    with journal.transaction():
        journal.spool([row(n + 1) for n in range(rows)] if isinstance(rows, int) else rows)
        journal.index()
    journal.close()
    return path


def quick(path: Path) -> Journal:
    """A journal that was opened to be written, without waiting for the disk: power does not fail in a test."""
    journal = Journal.open(path)
    journal._db.execute("PRAGMA synchronous=OFF")
    return journal


def in_vain(path: Path) -> Journal:
    """A journal that never waits for the disk, and keeps no log: for processes that only seem to die."""
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;")
    return Journal(path, connection)


def open_row(n: int = 1, **more: Any) -> OpenRow:
    """Row n, as it is sent."""
    return OpenRow(n, n + 1, None, 0, "pending", f'{{"name":"Ana {n}"}}'.encode(), None, 0)._replace(**more)
