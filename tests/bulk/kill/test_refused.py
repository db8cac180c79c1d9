"""What keeps a journal from being written keeps rows from being sent, and says so."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leavo_async.sandbox import Sandbox

from .children import Nursery, nursery
from .judge import Rows, Seen, check_leads, check_report, journal_of, made_up, states
from .order import Order
from .rounds import finished, ordered
from .servers import SERVERS, served

SERVER = "ignores the key"


def command(sandbox: Sandbox, file: Rows, **crash: Any) -> Order:
    order = ordered("command", sandbox, SERVER, file, file.path.parent)
    return Order(**{**vars(order), "crash": crash or None})


def said(home: Path) -> str:
    return (home / "err").read_text()


def check_end(children: Nursery, sandbox: Sandbox, file: Rows) -> None:
    """Once nothing is in the way, the same command finishes it."""
    home = file.path.parent
    assert children.run(command(sandbox, file)) == finished("command"), said(home)
    check_leads(file, sandbox)
    check_report(file, home)


def test_two_processes_do_not_work_on_one_job(children: Nursery, home: Path) -> None:
    """The second one is told why, and sends nothing; the first one is not disturbed."""
    file = made_up(home / "leads.csv", 1, 24)
    with served(SERVERS[SERVER], latency=0.05) as sandbox, nursery() as others:
        pid = children.start(command(sandbox, file))
        while not sandbox.ledger.requests:
            pass
        os.kill(pid, signal.SIGSTOP)
        assert others.run(command(sandbox, file)) == 4
        assert "is being worked on by another process" in said(home)
        os.kill(pid, signal.SIGCONT)
        assert children.wait() == finished("command")
        check_leads(file, sandbox)
    assert set(Counter(entry.idempotency_key for entry in sandbox.ledger.requests).values()) == {1}


def half_done(children: Nursery, sandbox: Sandbox, file: Rows) -> Path:
    """The journal of an import that was killed."""
    assert children.run(command(sandbox, file, at="after the result's commit", nth=5)) == -9, said(file.path.parent)
    journal = journal_of(file.path.parent)
    assert journal is not None
    return journal


def by_a_newer_version(journal: Path) -> None:
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA user_version=99")
    connection.close()


def by_another_program(journal: Path) -> None:
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA application_id=1")
    connection.close()


def not_at_all(journal: Path) -> None:
    journal.with_name(f"{journal.name}-wal").unlink()  # SQLite would put the pages in it back
    journal.write_bytes(b"made up\n" * 1000)


def in_part(journal: Path) -> None:
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'row'").fetchone()[0]
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    with journal.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x05" + b"\xff" * (size - 1))  # still of a kind that there is


WRITTEN = [
    (in_part, "the journal"),
    (by_a_newer_version, "was written by another version of leavo-async (journal 99, "),
    (by_another_program, "is no journal of an import"),
    (not_at_all, "cannot open the journal"),
]


@pytest.mark.parametrize(("written", "words"), WRITTEN)
def test_a_journal_that_is_not_understood_is_left_alone(
    children: Nursery, home: Path, written: Callable[[Path], None], words: str
) -> None:
    """Nothing is sent, and the message names the file."""
    file = made_up(home / "leads.csv", 1, 24)
    with served(SERVERS[SERVER]) as sandbox:
        journal = half_done(children, sandbox, file)
        written(journal)
        before = len(sandbox.ledger.requests)
        assert children.run(command(sandbox, file)) == 4
    assert len(sandbox.ledger.requests) == before
    assert words in said(home)
    assert str(journal) in said(home)
    assert "nothing was sent" in said(home)


def is_a_file(state: Path) -> None:
    state.write_text("made up")


def is_read_only(state: Path) -> None:
    state.mkdir(mode=0o500)


ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@pytest.mark.parametrize("made", [is_a_file, pytest.param(is_read_only, marks=ROOT)])
def test_nothing_is_sent_without_a_place_for_the_journal(
    children: Nursery, home: Path, made: Callable[[Path], None]
) -> None:
    """The message names the directory, and how to choose another."""
    file = made_up(home / "leads.csv", 1, 24)
    made(home / "state")
    with served(SERVERS[SERVER]) as sandbox:
        assert children.run(command(sandbox, file)) == 4, said(home)
    assert not sandbox.ledger.requests
    assert str(home / "state") in said(home)
    assert "LEAVO_STATE_DIR" in said(home)


@pytest.mark.parametrize("how", ["the disk is full", "no file may grow"])
def test_a_row_is_not_sent_whose_intent_cannot_be_kept(children: Nursery, home: Path, how: str) -> None:
    """The command ends with 1 and names the journal; once there is space again, it goes on."""
    file = made_up(home / "leads.csv", 1, 24)
    with served(SERVERS[SERVER]) as sandbox:
        assert children.run(command(sandbox, file, at=how, nth=9)) == 1, said(home)
        assert f"cannot write the journal {journal_of(home)}" in said(home)
        kept = states(home)
        assert kept is not None
        unsent = {key for key, state in kept.items() if state == "pending"}
        assert unsent
        assert not unsent & Seen.by(sandbox).asked
        check_end(children, sandbox, file)
