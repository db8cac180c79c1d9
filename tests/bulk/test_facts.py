"""What a job is, as its journal keeps it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from leavo_async.bulk.facts import Facts
from leavo_async.bulk.journal import Journal
from leavo_async.errors import ConfigError

from .journals import FACTS, filled

FULL = FACTS._replace(
    source_path=None, columns=("näme", "\u2028"), left_out=("x",), ignored=("*",), row_key="id", limit_per_minute=None,
    empty=3, key_salt="s", key_digest="d",
)  # fmt: skip


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    """Tuples and all, also through the file."""
    assert Facts.of(json.loads(json.dumps(FULL._asdict()))) == FULL
    view = Journal.view(filled(tmp_path / "job.db", 0, FULL))
    view.close()
    assert view.facts == FULL


def test_facts_come_back_also_of_a_file_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    """Such names have halves of surrogate pairs in Python, which SQLite does not take."""
    odd = FULL._replace(source="leads\udcff.csv", columns=("n\ud800me",))
    view = Journal.view(filled(tmp_path / "job.db", 0, odd))
    view.close()
    assert view.facts == odd


@pytest.mark.parametrize(
    "change", ["facts='{'", "facts='null'", "facts='{}'", "facts=json_set(facts, '$.limit_per_minute', 'x')"]
)
def test_a_journal_without_good_facts_is_refused_in_one_line(change: str, tmp_path: Path) -> None:
    """Whoever has written it, it was not us."""
    path = filled(tmp_path / "job.db", 1)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE job SET {change}")
    connection.close()
    with pytest.raises(ConfigError, match="does not say what it is the journal of; nothing was sent"):
        Journal.view(path)


def test_a_job_is_called_by_the_beginning_of_its_import() -> None:
    """Eight digits are enough for a person's jobs."""
    assert FACTS.job == "01234567"
