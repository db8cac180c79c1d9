"""Killed exactly where it hurts: each point between the source and the end, against each kind of server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leavo_async.bulk.journal import Journal
from leavo_async.sandbox import Fault, Sandbox

from .children import Nursery
from .judge import Rows, Seen, check_leads, check_rejects, check_report, journal_of, made_up, points, states
from .order import Order
from .servers import SERVERS, served

# The state of the row that was struck, whether its request had arrived, and whether its lead was there.
STRUCK = {
    "during the spool": (None, False, False),
    "before the intent": ("pending", False, False),
    "after the intent, before the first byte": ("in_flight", False, False),
    "after the server's commit, before the result's": ("in_flight", True, True),
    "after the result's commit": ("done", True, True),
    "power is lost after an intent": ("in_flight", False, False),
    "power is lost after a result": ("done", True, True),
}


def ordered(server: str, sandbox: Sandbox, file: Rows, **crash: Any) -> Order:
    home, kind = str(file.path.parent), SERVERS[server]
    options = {"quarantine": kind.quarantine, "concurrency": 4}
    return Order("library", sandbox.url, str(file.path), home, options, kind.idempotency, crash or None)


def found(home: Path, sandbox: Sandbox) -> tuple[str | None, bool, bool]:
    """What the row that was struck looks like from both sides."""
    n = json.loads((home / "struck").read_text())
    if (rows := states(home)) is None:
        return None, False, False
    key = list(rows)[n - 1]
    seen = Seen.by(sandbox)
    return rows[key], key in seen.asked, key in seen.done


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("point", STRUCK)
def test_no_row_is_lost_or_doubled(children: Nursery, home: Path, point: str, server: str) -> None:
    """Killed twice at the same point, for another row each time; then it ends as if nothing had happened."""
    file = made_up(home / "leads.csv", 1, 24)
    with served(SERVERS[server]) as sandbox:
        for nth in (5, 2):
            assert children.run(ordered(server, sandbox, file, at=point, nth=nth)) == -9, (home / "err").read_text()
            if "power" in point:
                lose_power(home)
            assert STRUCK[point] == found(home, sandbox)
        check_end(children, server, sandbox, file)


def test_a_commit_is_on_the_disk_when_it_returns(children: Nursery, home: Path) -> None:
    """What the tests of a power loss take for granted: they copy what was committed, which only FULL has synced."""
    file = made_up(home / "leads.csv", 1, 24)
    with served(SERVERS["ignores the key"]) as sandbox:
        crash = {"at": "after the result's commit", "nth": 5}
        assert children.run(ordered("ignores the key", sandbox, file, **crash)) == -9
    path = journal_of(home)
    assert path is not None
    journal = Journal.open(path)
    found = [journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    journal.close()
    assert found == ["wal", 2]


def lose_power(home: Path) -> None:
    """What the disk had is all there is."""
    journal = journal_of(home)
    assert journal is not None
    for part in journal.parent.glob(f"{journal.name}*"):
        part.unlink()
    for part in (home / "disk").iterdir():
        part.rename(journal.parent / part.name)
    (home / "disk").rmdir()


@pytest.mark.parametrize("server", SERVERS)
def test_a_request_of_a_dead_process_is_waited_for(children: Nursery, home: Path, server: str) -> None:
    """It is still with the server when its process is dead and the next one has begun: only later the lead is there."""
    file = made_up(home / "leads.csv", 1, 24)
    zombie = Fault(delay=SERVERS[server].quarantine / 4, method="POST", skip=5)
    with served(SERVERS[server], faults=[zombie]) as sandbox:
        pid = children.start(ordered(server, sandbox, file))
        while not any(entry.number == 6 for entry in sandbox.ledger.requests):
            pass
        assert children.kill(pid) == -9
        assert "sent, before the server's commit" in points(states(home), Seen.by(sandbox))
        check_end(children, server, sandbox, file)


def check_end(children: Nursery, server: str, sandbox: Sandbox, file: Rows) -> None:
    """Left alone it finishes, and everything is as it should be."""
    home = file.path.parent
    assert children.run(ordered(server, sandbox, file)) == 0, (home / "err").read_text()
    check_leads(file, sandbox)
    check_report(file, home)


def test_results_that_were_being_written_are_written_anew(children: Nursery, home: Path) -> None:
    """Half of a file is never seen under its name; the same command sends nothing and writes all of it."""
    file = made_up(home / "leads.csv", 1, 24)
    with served(SERVERS["ignores the key"]) as sandbox:
        order = Order("command", sandbox.url, str(file.path), str(home), {"quarantine": 0.4})
        deadly = replace(order, crash={"at": "while results are written", "nth": 9})
        assert children.run(deadly) == -9, (home / "err").read_text()
        assert not (home / "rejects.csv").exists()
        assert points(states(home), Seen.by(sandbox)) == {"while results are written"}
        sent = len(sandbox.ledger.requests)
        assert children.run(order) == 3, (home / "err").read_text()
        assert len(sandbox.ledger.requests) == sent
    check_leads(file, sandbox)
    check_report(file, home)
    check_rejects(file, home)
