"""The journal: what was meant to be done with each row, and what came of it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leavo_async import ConfigError, JournalError
from leavo_async.bulk.history import BOUNDS, Event, Run, Slice
from leavo_async.bulk.journal import VERSION, Journal, Spooled, Verdict, cells_of
from leavo_async.bulk.states import RowRecord

from .journals import FACTS, filled, quick, row

DONE = Verdict("done", "created", 201, id="L1", request_id="r1", attempts=2)
FAILED = Verdict("failed", None, 422, "bad", "phone: too short", "phone", None, "r2", 1)
AS_ROOT = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Three rows to be sent."""
    with closing(quick(filled(tmp_path / "job.db"))) as journal:
        yield journal


def shown(journal: Journal, n: int) -> RowRecord:
    return next(each for each in journal.rows() if each.row == n)


def pragma(journal: Journal, name: str) -> Any:
    return journal._db.execute(f"PRAGMA {name}").fetchone()[0]


# Settings


def test_what_was_committed_survives_a_power_loss(tmp_path: Path) -> None:
    """The settings on which the promise stands: a write-ahead log, and each commit on the disk."""
    opened = Journal.open(filled(tmp_path / "job.db"))
    settings = [pragma(opened, name) for name in ("journal_mode", "synchronous", "secure_delete", "busy_timeout")]
    opened.close()

    assert settings == ["wal", 2, 1, 5000]


def test_nobody_else_may_read_any_of_its_files(tmp_path: Path) -> None:
    """Neither the log beside it."""
    opened = Journal.open(filled(tmp_path / "job.db"))
    with opened.transaction():
        opened.intend(1, 1.0)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    opened.close()

    assert modes == {"job.db": 0o600, "job.db-wal": 0o600, "job.db-shm": 0o600}


# Opening what is none


@pytest.mark.parametrize("how", ["open", "view"])
def test_a_journal_of_another_version_is_refused(how: str, tmp_path: Path) -> None:
    """Newer or older: it may say what this version does not understand."""
    path = filled(tmp_path / "job.db")
    for version in (VERSION + 1, VERSION - 1):
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version={version}")
        connection.close()
        with pytest.raises(ConfigError, match=f"journal {version}, this one knows {VERSION}.*nothing was sent"):
            getattr(Journal, how)(path)


@pytest.mark.parametrize("how", ["open", "view"])
def test_what_is_no_journal_is_refused_and_left_as_it_is(how: str, tmp_path: Path) -> None:
    """A database of another program, a text, a journal that was cut off."""
    other, text, cut = (tmp_path / name for name in ("other.db", "text.db", "cut.db"))
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE job (facts TEXT)")
    connection.close()
    text.write_text("name,phone\n" * 500)
    cut.write_bytes(filled(tmp_path / "job.db").read_bytes()[:1000])
    before = {path: path.read_bytes() for path in (other, text, cut)}
    for path, message in ((other, "is no journal"), (text, "not a database"), (cut, "cannot open|is no journal")):
        with pytest.raises(ConfigError, match=message):
            getattr(Journal, how)(path)

    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("how", ["open", "view"])
def test_a_journal_that_is_not_there_is_not_made(how: str, tmp_path: Path) -> None:
    """An empty one would be taken for a job of its own."""
    with pytest.raises(ConfigError, match=r"there is no journal|cannot open the journal"):
        getattr(Journal, how)(tmp_path / "job.db")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner's number")
def test_a_journal_of_somebody_else_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where rows and the key are sent; in a folder that others may write to it may be theirs, or a link."""
    path, link = filled(tmp_path / "job.db"), tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(ConfigError, match="is no regular file; nothing was sent"):
        Journal.open(link)
    Journal.open(path).close()
    if os.geteuid() == 0:
        os.chown(path, 4242, -1)  # root's own are trusted
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(ConfigError, match="belongs to somebody else; nothing was sent"):
        Journal.open(path)


@AS_ROOT
def test_a_journal_that_may_only_be_read_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """By who would write it; who looks at it may."""
    path = filled(tmp_path / "job.db")
    path.chmod(0o400)
    with pytest.raises(ConfigError, match=r"readonly.*nothing was sent. LEAVO_STATE_DIR"):
        Journal.open(path)
    Journal.view(path).close()


def test_a_new_journal_takes_no_file_that_is_there(tmp_path: Path) -> None:
    """It may be somebody's."""
    filled(tmp_path / "job.db")
    with pytest.raises(ConfigError, match="File exists"):
        Journal.create(tmp_path / "job.db", FACTS)


def test_a_journal_can_be_looked_at_while_it_is_written(journal: Journal) -> None:
    """It shows what was committed; looking keeps nobody from writing."""
    with closing(Journal.view(journal.path)) as view:
        rows = view.rows()
        next(rows)
        with journal.transaction():
            journal.record(1, DONE, 5.0)
        rows.close()

        assert view.counts() == {"pending": 2, "done": 1}
        with pytest.raises(JournalError, match="attempt to write a readonly database"), view.transaction():
            view.record(2, DONE, 6.0)


# Rows


def test_rows_come_in_the_order_of_the_source(journal: Journal) -> None:
    """So many at a time, each after the one before."""
    first, second = journal.pending(0, 2)
    (third,) = journal.pending(2, 2)

    assert [first.n, second.n, third.n] == [1, 2, 3]
    assert first == (1, 2, None, 0, "pending", b'{"name":"Ana 1"}', None, 0)
    assert journal.pending(3, 2) == []
    assert journal.last() == 3


def test_an_intent_keeps_when_it_was_first_sent(journal: Journal) -> None:
    """The age of its key is counted from there."""
    journal.intend(1, 10.0)
    journal.intend(1, 20.0)

    sent = journal.one(1)
    assert sent is not None
    assert (sent.state, sent.first_sent) == ("in_flight", 10.0)
    assert [each.n for each in journal.pending(0, 9)] == [2, 3]


def test_what_came_of_a_row_is_kept(journal: Journal) -> None:
    """All of it; attempts add up, and each unknown outcome is a try."""
    journal.intend(1, 10.0)
    journal.record(1, Verdict("unknown", reason="lost", attempts=1), 20.0)
    (unknown,) = journal.unknown()
    journal.record(1, FAILED, 30.0)

    assert (unknown.n, unknown.tries) == (1, 1)
    assert shown(journal, 1) == RowRecord(
        1, 2, "failed", None, None, 422, "bad", "phone: too short", "phone", "r2", 2, 10.0,
        {"name": "Ana 1", "phone": "+550001"},
    )  # fmt: skip


def test_a_row_that_is_done_is_emptied_and_never_sent_again(journal: Journal) -> None:
    """It is somebody's data; neither its body nor its cells stay in the file."""
    with journal.transaction():
        journal.intend(1, 10.0)
        journal.record(1, DONE, 20.0)
    journal.close()
    content = b"".join(path.read_bytes() for path in journal.path.parent.iterdir())
    reopened = quick(journal.path)

    assert b"+550002" in content
    assert b"+550001" not in content
    assert b"Ana 1" not in content
    assert reopened.one(1) is None
    assert [each.n for each in reopened.pending(0, 9)] == [2, 3]
    assert shown(reopened, 1)[:6] == (1, 2, "done", "created", "L1", 201)
    assert shown(reopened, 1).values == {}
    reopened.close()


@pytest.mark.parametrize("told", ["by the server", "by somebody"])
def test_nothing_stays_of_a_row_that_is_done_however_long_it_was(told: str, tmp_path: Path) -> None:
    """Neither on the pages that a long row had for itself, nor its own name, which may be an e-mail address."""
    long = b'["Ana 1","' + b"+550001" * 2000 + b'"]'
    rows = [row(1, row_id="ana@x.example", body=long, cells=long), row(2, row_id="bob@x.example")]
    journal = quick(filled(tmp_path / "job.db", rows))
    with journal.transaction():
        journal.record(1, DONE, 20.0) if told == "by the server" else journal.move(1, "done")
    journal.close()
    content = (tmp_path / "job.db").read_bytes()

    assert b"bob@x.example" in content
    assert b"ana@x.example" not in content
    assert b"+550001" not in content


def test_what_was_in_flight_when_a_process_died_is_unknown(journal: Journal) -> None:
    """Nothing else is."""
    journal.intend(2, 10.0)
    journal.record(1, DONE, 10.0)

    assert journal.adopt() == 1
    assert [each.n for each in journal.unknown()] == [2]
    assert journal.adopt() == 0


def test_a_job_is_open_while_a_row_is(journal: Journal) -> None:
    """Pending, in flight or unknown."""
    for n in (1, 2, 3):
        journal.record(n, DONE, 10.0)
    assert not journal.is_open()
    for change in ("pending", "in_flight", "unknown"):
        journal.move(3, change)  # type: ignore[arg-type]
        assert journal.is_open()
    journal.move(3, "held")
    assert not journal.is_open()


def test_repeated_rows_are_skipped(tmp_path: Path) -> None:
    """All but the first of those that can be sent; one that is there already counts as the first."""
    rows = [
        row(1, digest=b"a", state="invalid"),
        row(2, digest=b"a"),
        row(3, digest=b"b"),
        row(4, digest=b"a"),
        row(5, digest=None),
        row(6, digest=None),
        row(7, digest=b"a", state="in_flight"),
    ]
    journal = quick(filled(tmp_path / "job.db", rows))
    journal.skip_repeated()
    journal.skip_repeated()

    assert [each.state for each in journal.rows()] == [
        "invalid", "pending", "pending", "skipped", "pending", "pending", "in_flight",
    ]  # fmt: skip
    assert (shown(journal, 4).code, shown(journal, 4).reason) == ("duplicate", "the same as line 3")
    assert journal.one(4) is None
    assert shown(journal, 4).values
    journal.close()


def test_a_row_that_was_refused_is_sent_anew_under_another_key(journal: Journal) -> None:
    """As another row: nothing of the old one stays but its place and its attempts."""
    journal.intend(1, 10.0)
    journal.record(1, FAILED, 11.0)
    journal.resend(1, b"{}", digest=b"new")

    again = journal.one(1)
    assert again == (1, 2, None, 1, "pending", b"{}", None, 0)
    assert shown(journal, 1)[3:11] == (None, None, None, None, "", None, None, 1)
    assert journal.has_digest(b"new")


def test_a_row_that_was_never_sent_keeps_its_key(journal: Journal) -> None:
    """An invalid row that was corrected is sent for the first time."""
    journal.move(1, "invalid")
    journal.resend(1, b"{}")

    again = journal.one(1)
    assert again is not None
    assert (again.gen, again.state) == (0, "pending")


def test_somebody_may_say_what_has_become_of_a_row(journal: Journal) -> None:
    """Done: then it is emptied; or to be sent again, with its tries forgotten."""
    for n in (1, 2):
        journal.record(n, Verdict("unknown"), 1.0)
        journal.record(n, Verdict("held", reason="two found"), 2.0)
    journal.move(1, "done", "seen by Ana", "confirmed")
    journal.move(2, "unknown")

    assert (shown(journal, 1).state, shown(journal, 1).outcome, shown(journal, 1).values) == ("done", "confirmed", {})
    assert journal.unknown()[0].tries == 0


def test_counts_outcomes_and_reasons(journal: Journal) -> None:
    """The most frequent reason first; what is done needs none."""
    journal.record(1, DONE, 1.0)
    journal.record(2, FAILED, 1.0)
    journal.record(3, FAILED, 1.0)
    journal.spool([row(4, state="held", reason="two found"), row(5)])

    assert journal.counts() == {"done": 1, "failed": 2, "held": 1, "pending": 1}
    assert journal.outcomes() == {"created": 1}
    assert journal.reasons(9) == [("failed", 422, "bad", "phone: too short", 2), ("held", None, None, "two found", 1)]
    assert len(journal.reasons(1)) == 1
    assert [each.row for each in journal.rows("failed", "held")] == [2, 3, 4]


# Transactions


def test_a_transaction_is_all_or_nothing(journal: Journal) -> None:
    """Whatever ends it."""
    with pytest.raises(ZeroDivisionError), journal.transaction():
        (journal.intend(1, 1.0), 1 // 0)

    assert journal.counts() == {"pending": 3}


def test_a_disk_that_is_full_is_told_by_what_to_do(journal: Journal) -> None:
    """SQLite's own limit stands for it here."""
    journal._db.execute(f"PRAGMA max_page_count={pragma(journal, 'page_count')}")
    many = [Spooled(n, n, None, "pending", b"x" * 9000, None, None) for n in range(10, 20)]
    with pytest.raises(JournalError, match="database or disk is full; free some space"), journal.transaction():
        journal.spool(many)

    assert journal.last() == 3


# History


def test_a_run_that_was_killed_is_known_by_the_next(journal: Journal) -> None:
    """By its last sign of life."""
    journal.begin_run(100.0)
    journal.beat(100.0, 105.0)
    journal.begin_run(200.0)
    journal.beat(200.0, 230.0, "finished")
    journal.begin_run(300.0)

    assert journal.runs() == [
        Run(100.0, 105.0, "killed"),
        Run(200.0, 230.0, "finished"),
        Run(300.0, 300.0, "running"),
    ]


def test_history_comes_back_in_its_order(journal: Journal) -> None:
    """A slice that is told again counts once."""
    latencies = tuple(range(len(BOUNDS) + 1))
    journal.add_slice(Slice(20.0, 1, 0, 1, 0, 0, latencies))
    journal.add_slice(Slice(10.0, 5, 1, 3, 1, 1, latencies))
    journal.add_slice(Slice(20.0, 2, 0, 2, 0, 0, latencies))
    journal.note(Event(2.0, "pause", "later"))
    journal.note(Event(1.0, "429", "earlier"))

    assert journal.slices() == [Slice(10.0, 5, 1, 3, 1, 1, latencies), Slice(20.0, 2, 0, 2, 0, 0, latencies)]
    assert [event.detail for event in journal.events()] == ["earlier", "later"]


# Cells


@pytest.mark.parametrize(
    "values",
    [
        {"name": "Ana", "phone": None},
        {"phone": "1", "name": "the order of the columns counts"},
        {"name": ["a", {"b": 1}], "other": "a key that is no column"},
        {},
        {"name": "\ud800 lone", "phone": "\u0000\u2028"},
    ],
)
def test_a_row_is_shown_as_it_stood_in_the_source(values: dict[str, Any], tmp_path: Path) -> None:
    """Whatever it holds that JSON can say."""
    cells = cells_of(values, FACTS.columns).encode("utf-8", "backslashreplace")
    view = Journal.view(filled(tmp_path / "job.db", [row(1, cells=cells)]))
    found = shown(view, 1).values
    view.close()

    assert dict(found) == values
