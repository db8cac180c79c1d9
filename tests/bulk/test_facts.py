"""What a job is, as its journal keeps it."""

from __future__ import annotations

import json
from pathlib import Path

from leavo_async.bulk.facts import Facts
from leavo_async.bulk.journal import Journal

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


def test_a_job_is_called_by_the_beginning_of_its_import() -> None:
    """Eight digits are enough for a person's jobs."""
    assert FACTS.job == "01234567"
