"""The journal of a job: one SQLite file that knows of each row what was meant to be done and what came of it.

Blocking, and for one thread at a time; `Writer` is the thread. Settings, and why: WAL with synchronous=FULL, because
what was committed must survive a power loss: the intent to send a row is what prevents a second one. One connection
writes, no other process does (see `lock`): https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from leavo_async.bulk.facts import Facts
from leavo_async.bulk.history import Event, Run, Slice
from leavo_async.bulk.states import STATES, Outcome, RowRecord, State
from leavo_async.errors import ConfigError, JournalError

# "leav": says whose file it is. https://www.sqlite.org/pragma.html#pragma_application_id
_APPLICATION = 0x6C656176
VERSION = 1
_SCHEMA = """
CREATE TABLE job (facts TEXT NOT NULL);
CREATE TABLE row (
    n INTEGER PRIMARY KEY, line INTEGER NOT NULL, row_id TEXT, gen INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL,
    body BLOB, cells BLOB, digest BLOB, first_sent REAL, last_sent REAL, tries INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, outcome TEXT, status INTEGER, code TEXT, reason TEXT, field TEXT, id TEXT,
    request_id TEXT
);
CREATE TABLE slice (
    at REAL PRIMARY KEY, requests INTEGER, refused INTEGER, done INTEGER, failed INTEGER, unknown INTEGER,
    latencies TEXT
);
CREATE TABLE run (started REAL PRIMARY KEY, ended REAL NOT NULL, how TEXT NOT NULL);
CREATE TABLE event (at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL);
"""
# Partial: it shrinks as the job comes to its end.
_INDEX = "CREATE INDEX row_open ON row(state, n) WHERE state IN ('pending', 'in_flight', 'unknown')"
_INSERT = "INSERT INTO row (n, line, row_id, state, body, cells, digest, code, reason) VALUES (?,?,?,?,?,?,?,?,?)"
_INTEND = "UPDATE row SET state='in_flight', first_sent=coalesce(first_sent, ?1), last_sent=?1 WHERE n=?2"
_RECORD = """
UPDATE row SET state=?1, outcome=?2, status=?3, code=?4, reason=?5, field=?6, id=?7, request_id=?8, last_sent=?9,
    attempts=attempts + ?10, tries=tries + (?1 = 'unknown')
WHERE n=?11
"""
_EMPTY = "UPDATE row SET body=NULL, cells=NULL, row_id=NULL, reason=NULL WHERE n=? AND state='done'"
_LEFT = "the process that sent it ended before its outcome was known"
_OPENED = "SELECT n, line, row_id, gen, state, body, first_sent, tries FROM row"
_CELLS = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_SHOWN = """
SELECT n, line, state, outcome, id, status, code, coalesce(reason, ''), field, request_id, attempts, first_sent, cells
FROM row
"""


class Spooled(NamedTuple):
    """A row as it comes into the journal.

    cells: the row as it stands in the source, as JSON. body: what is to be sent. digest: what it is about.
    """

    n: int
    line: int
    row_id: str | None
    state: State
    body: bytes | None
    cells: bytes | None
    digest: bytes | None
    code: str | None = None
    reason: str | None = None

    def __repr__(self) -> str:
        return f"<Spooled {self.n}: {self.state}>"


class OpenRow(NamedTuple):
    """A row to be sent or settled. tries: how often its outcome was unknown."""

    n: int
    line: int
    row_id: str | None
    gen: int
    state: State
    body: bytes
    first_sent: float | None
    tries: int

    def __repr__(self) -> str:
        # Without the body, which is somebody's: it is shown with the locals of a traceback.
        return f"<OpenRow {self.n}: {self.state}>"


class Verdict(NamedTuple):
    """What came of sending a row; see RowRecord for what each says."""

    state: State
    outcome: Outcome | None = None
    status: int | None = None
    code: str | None = None
    reason: str = ""
    field: str | None = None
    id: str | None = None
    request_id: str | None = None
    attempts: int = 0


class Journal:
    """The journal of one job, opened. Raises ConfigError when it cannot be opened, JournalError when writing fails."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        # A thread that was let alone may be at it when another one closes it, and Python would crash.
        self._busy = threading.Lock()
        self.facts = self._read_facts()

    @classmethod
    def create(cls, path: Path, facts: Facts) -> Journal:
        """A new one, to be filled and then moved to its place: nothing is safe in it before that."""
        with _refusing(path):
            # Before SQLite opens it, so that nobody else may read it, nor the files beside it, which get its mode.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            connection = sqlite3.connect(path, check_same_thread=False)
            connection.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_SCHEMA}")
            connection.execute(f"PRAGMA application_id={_APPLICATION}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("INSERT INTO job VALUES (?)", (_written(facts),))
            connection.commit()
            return cls(path, connection)

    @classmethod
    def open(cls, path: Path) -> Journal:
        """To go on with it; whoever opens it has its lock."""
        with _refusing(path):
            _check_owner(path)
            connection = sqlite3.connect(_address(path, "rw"), uri=True, check_same_thread=False, timeout=5.0)
            try:
                connection.execute("PRAGMA secure_delete=ON")  # FAST leaves what was long, on pages of its own
                _check_version(connection, path)
                _check_pages(connection, path)
                # Not on a network drive, which has no shared memory: there a rollback journal is as safe, and slower.
                if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                    connection.execute("PRAGMA journal_mode=TRUNCATE")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA fullfsync=1")  # of macOS alone, where fsync does not reach the disk
                connection.execute("BEGIN IMMEDIATE")
                connection.commit()
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise

    @classmethod
    def view(cls, path: Path) -> Journal:
        """To read it, also while a job writes it."""
        with _refusing(path):
            if not path.is_file():
                raise ConfigError(f"there is no journal {path}")
            connection = sqlite3.connect(_address(path, "ro"), uri=True, check_same_thread=False)
            try:
                _check_version(connection, path)
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        """Close it. May be called again."""
        with self._busy:
            self._db.close()

    @contextmanager
    def transaction(self) -> Generator[None, None, None]:
        """All of it, or nothing; JournalError if it cannot be written."""
        try:
            with self._busy, self._db:
                yield
            return
        except sqlite3.Error as error:
            problem = f"cannot write the journal {self.path}: {error}; free some space, or mend the disk, and go on"
        raise JournalError(problem)

    def tell(self, facts: Facts) -> None:
        """Keep other facts."""
        self.facts = facts
        self._db.execute("UPDATE job SET facts=?", (_written(facts),))

    def spool(self, rows: Iterable[Spooled]) -> None:
        """Take up rows."""
        self._db.executemany(_INSERT, rows)

    def index(self) -> None:
        """Once all rows are there: what makes finding the open ones quick."""
        self._db.execute(_INDEX)

    def skip_repeated(self) -> None:
        """Leave out each row to be sent whose digest an earlier one has. Sorted on disk, whatever their number."""
        self._db.execute(
            """
            UPDATE row SET state='skipped', code='duplicate', body=NULL, reason='the same as line ' || found.first
            FROM (SELECT n, first FROM (
                SELECT n, first_value(line) OVER same AS first, row_number() OVER same AS nth FROM row
                WHERE state NOT IN ('invalid', 'skipped') AND digest IS NOT NULL
                WINDOW same AS (PARTITION BY digest ORDER BY n)) WHERE nth > 1) AS found
            WHERE row.n = found.n AND row.state = 'pending'
            """
        )

    def intend(self, n: int, now: float) -> None:
        """Before the first byte of a row is sent."""
        self._db.execute(_INTEND, (now, n))

    def record(self, n: int, verdict: Verdict, now: float) -> None:
        """What came of a row. One that is done is emptied: it is somebody's data, and nobody needs it any more."""
        *told, attempts = verdict
        self._db.execute(_RECORD, (*told, now, attempts, n))
        self._db.execute(_EMPTY, (n,))

    def adopt(self) -> int:
        """Rows in flight whose process is gone have an unknown outcome; gives how many."""
        return self._db.execute("UPDATE row SET state='unknown', reason=? WHERE state='in_flight'", (_LEFT,)).rowcount

    def pending(self, after: int, limit: int) -> list[OpenRow]:
        """The next rows to be sent."""
        where = f"{_OPENED} WHERE state='pending' AND n > ? ORDER BY n LIMIT ?"
        return [OpenRow(*row) for row in self._db.execute(where, (after, limit))]

    def unknown(self) -> list[OpenRow]:
        """The rows to be settled: not more than were ever in flight."""
        return [OpenRow(*row) for row in self._db.execute(f"{_OPENED} WHERE state='unknown' ORDER BY n")]

    def one(self, n: int) -> OpenRow | None:
        """A row that has a body still, by its number."""
        row = self._db.execute(f"{_OPENED} WHERE n=? AND body IS NOT NULL", (n,)).fetchone()
        return None if row is None else OpenRow(*row)

    def state(self, n: int) -> State | None:
        """The state of a row; None if there is none."""
        row = self._db.execute("SELECT state FROM row WHERE n=?", (n,)).fetchone()
        return None if row is None else row[0]

    def resend(self, n: int, body: bytes, row_id: str | None = None, digest: bytes | None = None) -> None:
        """Send a row anew that was refused, with another key. Its name, and what it is about, stay unless given."""
        self._db.execute(
            """
            UPDATE row SET state='pending', gen=gen + (first_sent IS NOT NULL), body=?, row_id=coalesce(?, row_id),
                digest=coalesce(?, digest), first_sent=NULL, tries=0, outcome=NULL, status=NULL, code=NULL, reason=NULL,
                field=NULL, request_id=NULL WHERE n=?
            """,
            (body, row_id, digest, n),
        )

    def keep_cells(self, n: int, cells: str) -> None:
        """Keep a row as it stands in the source now."""
        self._db.execute("UPDATE row SET cells=? WHERE n=?", (cells.encode("utf-8", "backslashreplace"), n))

    def move(self, n: int, state: State, reason: str = "", outcome: Outcome | None = None) -> None:
        """Put a row into a state, because somebody has said so."""
        self._db.execute("UPDATE row SET state=?, reason=?, outcome=?, tries=0 WHERE n=?", (state, reason, outcome, n))
        self._db.execute(_EMPTY, (n,))

    def has_digest(self, digest: bytes) -> bool:
        """Whether a row is about the same thing."""
        return self._db.execute("SELECT 1 FROM row WHERE digest=?", (digest,)).fetchone() is not None

    def twin(self, n: int, digest: bytes) -> int | None:
        """The line of another row that is, or was to be, sent about the same thing; None without one."""
        query = "SELECT line FROM row WHERE digest=? AND n<>? AND state NOT IN ('invalid', 'skipped') LIMIT 1"
        row = self._db.execute(query, (digest, n)).fetchone()
        return None if row is None else row[0]

    def index_digests(self) -> None:
        """What makes `has_digest` and `twin` quick."""
        self._db.execute("CREATE INDEX IF NOT EXISTS row_digest ON row(digest)")

    def is_open(self) -> bool:
        """Whether a row is left to be sent or settled."""
        query = "SELECT 1 FROM row WHERE state IN ('pending', 'in_flight', 'unknown') LIMIT 1"
        return self._db.execute(query).fetchone() is not None

    def last(self) -> int:
        """The number of the last row; 0 without one."""
        return int(self._db.execute("SELECT coalesce(max(n), 0) FROM row").fetchone()[0])

    def counts(self) -> Counter[State]:
        """Rows by state. It reads all of them."""
        return Counter(dict(self._db.execute("SELECT state, count(*) FROM row GROUP BY state")))

    def outcomes(self) -> Counter[Outcome]:
        """Done rows by how they got done."""
        return Counter(dict(self._db.execute("SELECT outcome, count(*) FROM row WHERE state='done' GROUP BY outcome")))

    def rows(self, *states: State) -> Iterator[RowRecord]:
        """The rows in these states, default all, in the order of the source."""
        marks = ",".join("?" * len(states or STATES))
        query = f"{_SHOWN} WHERE state IN ({marks}) ORDER BY n"
        for row in self._db.execute(query, states or STATES):
            yield RowRecord._make((*row[:-1], self._values(row[-1])))

    def reasons(self, limit: int) -> list[tuple[Any, ...]]:
        """State, status, code, reason and rows of what is not done, the most frequent first."""
        return self._db.execute(
            """
            SELECT state, status, code, coalesce(reason, ''), count(*) AS rows FROM row
            WHERE state IN ('failed', 'invalid', 'held', 'unknown') GROUP BY 1, 2, 3, 4 ORDER BY rows DESC, 4 LIMIT ?
            """,
            (limit,),
        ).fetchall()

    def begin_run(self, now: float) -> None:
        """A process begins to work; what an earlier one has left as running was killed."""
        self._db.execute("UPDATE run SET how='killed' WHERE how='running'")
        self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, 'running')", (now, now))

    def beat(self, started: float, now: float, how: str = "running") -> None:
        """A sign of life of the run; its last one says how it ended."""
        self._db.execute("UPDATE run SET ended=?, how=? WHERE started=?", (now, how, started))

    def runs(self) -> list[Run]:
        """All runs, in their order."""
        # Not by the time: clocks are set back.
        return [Run(*row) for row in self._db.execute("SELECT started, ended, how FROM run ORDER BY rowid")]

    def add_slice(self, part: Slice) -> None:
        """Keep ten seconds of history; told again, the later telling counts."""
        told = (*part[:-1], json.dumps(part.latencies, separators=(",", ":")))
        self._db.execute("INSERT OR REPLACE INTO slice VALUES (?,?,?,?,?,?,?)", told)

    def slices(self) -> list[Slice]:
        """The history, in its order."""
        rows = self._db.execute("SELECT * FROM slice ORDER BY at")
        return [Slice._make((*row[:-1], tuple(json.loads(row[-1])))) for row in rows]

    def note(self, event: Event) -> None:
        """Keep something worth telling."""
        self._db.execute("INSERT INTO event VALUES (?, ?, ?)", event)

    def events(self) -> list[Event]:
        """What was worth telling, in its order."""
        return [Event(*row) for row in self._db.execute("SELECT at, kind, detail FROM event ORDER BY at")]

    def _values(self, cells: bytes | None) -> Mapping[str, Any]:
        if cells is None:
            return MappingProxyType({})
        with suppress(ValueError):
            found = json.loads(cells)
            return dict(zip(self.facts.columns, found, strict=True) if isinstance(found, list) else found)
        raise ConfigError(f"the journal {self.path} is damaged: a row has no cells that can be read")

    def _read_facts(self) -> Facts:
        found = self._db.execute("SELECT facts FROM job").fetchone()
        with suppress(ValueError):
            return Facts.of(found and json.loads(found[0]))
        raise ConfigError(f"{self.path} does not say what it is the journal of; nothing was sent")


@contextmanager
def viewing(path: Path) -> Generator[Journal, None, None]:
    """A journal to be read, also while a job writes it; ConfigError if it cannot be, even if that shows later."""
    try:
        with closing(Journal.view(path)) as journal:
            yield journal
        return
    except sqlite3.Error as error:
        problem = str(error)
    raise ConfigError(f"cannot read the journal {path}: {problem}")


def cells_of(values: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    """A row as it stands in the source, as JSON: without the names where those are the columns'."""
    kept: object = list(values.values()) if tuple(values) == columns else dict(values)
    return _CELLS.encode(kept)


def _written(facts: Facts) -> str:
    return json.dumps(facts._asdict())  # in ASCII: not every name of a file is UTF-8, which SQLite asks for


def _address(path: Path, mode: str) -> str:
    """With a mode under which SQLite makes no file that is not there."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def _check_owner(path: Path) -> None:
    """ConfigError for a file that others may have laid there: it says where rows, and the key, are sent to."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"the journal {path} is no regular file; nothing was sent")
    if hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"the journal {path} belongs to somebody else; nothing was sent")


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    kind, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if kind != _APPLICATION:
        raise ConfigError(f"{path} is no journal of an import; nothing was sent")
    if version != VERSION:
        raise ConfigError(
            f"{path} was written by another version of leavo-async (journal {version}, this one knows {VERSION}): "
            "go on with that one; nothing was sent"
        )


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """ConfigError for a damaged file: it may have forgotten what was sent. A third of a second for a million rows."""
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise ConfigError(
            f"the journal {path} is damaged ({found.splitlines()[-1]}); nothing was sent. Go on with a copy of it, if "
            "there is one; else look up what is there before you import the rest"
        )


@contextmanager
def _refusing(path: Path) -> Generator[None, None, None]:
    """Whatever keeps a journal from being opened, as a ConfigError: nothing has been sent by then."""
    try:
        yield
        return
    except sqlite3.Error as error:
        problem = str(error)
    except OSError as error:
        problem = cast("str", error.strerror) or type(error).__name__
    raise ConfigError(
        f"cannot open the journal {path}: {problem}; nothing was sent. LEAVO_STATE_DIR names another place"
    )
