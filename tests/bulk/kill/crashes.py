"""Points at which a child kills itself, or its disk fills up: wrapped around the functions that touch the journal."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from leavo_async.bulk import failed
from leavo_async.bulk.journal import Journal


class Crash:
    """The death of this process at the point `at`, when it is reached for row `nth` of those that reach it."""

    def __init__(self, at: str, nth: int = 1) -> None:
        self._nth = nth
        self._struck: int | None = None
        _ARMED[at](self)

    @property
    def has_struck(self) -> bool:
        """Whether its row has been reached."""
        return self._struck is not None

    def counted(self, n: int) -> None:
        """Row n has reached the function: whether it is its turn."""
        self._nth -= 1
        if self._nth == 0:
            self._struck = n

    def strike(self, before: Callable[[], None] = lambda: None) -> None:
        """Die if a row has been struck."""
        if self.has_struck:
            before()
            Path("struck").write_text(json.dumps(self._struck))
            die()


def die() -> NoReturn:
    """As a process that is killed does: nothing is flushed, closed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives that")


def _around(name: str, *, committed: bool, before: Callable[[Journal], None] = lambda journal: None) -> Any:
    """Dies when a transaction in which this function was called is about to be committed, or has just been."""

    def arm(crash: Crash) -> None:
        function, transaction = getattr(Journal, name), Journal.transaction

        def counting(journal: Journal, n: int, *rest: Any) -> Any:
            crash.counted(n)
            return function(journal, n, *rest)

        @contextmanager
        def deadly(journal: Journal) -> Iterator[None]:
            with transaction(journal):
                yield
                if not committed:
                    crash.strike()
            crash.strike(lambda: before(journal))

        setattr(Journal, name, counting)
        Journal.transaction = deadly  # type: ignore[method-assign,assignment]

    return arm


def _full(fill: Callable[[Journal], None]) -> Any:
    """The disk fills up when the intent of a row is about to be committed."""

    def arm(crash: Crash) -> None:
        intend, transaction = Journal.intend, Journal.transaction

        def counting(journal: Journal, n: int, now: float) -> None:
            crash.counted(n)
            intend(journal, n, now)

        @contextmanager
        def filling(journal: Journal) -> Iterator[None]:
            with transaction(journal):
                yield
                if crash.has_struck:
                    fill(journal)

        Journal.intend = counting  # type: ignore[method-assign]
        Journal.transaction = filling  # type: ignore[method-assign,assignment]

    return arm


def _no_space(journal: Journal) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def _no_byte_more(journal: Journal) -> None:
    """The system refuses to make any file longer than the log is now."""
    size = journal.path.with_name(f"{journal.path.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _in_the_spool(crash: Crash) -> None:
    spool = Journal.spool

    def deadly(journal: Journal, rows: Iterable[Any]) -> None:
        def passing() -> Iterator[Any]:
            for row in rows:
                crash.counted(row.n)
                crash.strike()
                yield row

        spool(journal, passing())

    Journal.spool = deadly  # type: ignore[method-assign]


def _in_the_results(crash: Crash) -> None:
    written = failed._cell

    def deadly(value: object) -> str:
        crash.counted(0)
        crash.strike()
        return written(value)

    failed._cell = deadly


def _power_loss(journal: Journal) -> None:
    """Keep what the disk has, with half a frame that was just being written."""
    disk = Path("disk")
    disk.mkdir()
    for name in (journal.path.name, f"{journal.path.name}-wal"):
        shutil.copyfile(journal.path.with_name(name), disk / name)
    with (disk / f"{journal.path.name}-wal").open("ab") as log:
        log.write(os.urandom(2000))


_ARMED: dict[str, Callable[[Crash], None]] = {
    "during the spool": _in_the_spool,
    "before the intent": _around("intend", committed=False),
    "after the intent, before the first byte": _around("intend", committed=True),
    "after the server's commit, before the result's": _around("record", committed=False),
    "after the result's commit": _around("record", committed=True),
    "the disk is full": _full(_no_space),
    "no file may grow": _full(_no_byte_more),
    "while results are written": _in_the_results,
    "power is lost after an intent": _around("intend", committed=True, before=_power_loss),
    "power is lost after a result": _around("record", committed=True, before=_power_loss),
}
