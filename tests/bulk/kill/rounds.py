"""One round: an import that is killed several times at random moments, started again each time, and then left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from leavo_async.sandbox import Sandbox

from .children import Nursery
from .judge import Rows, Seen, check_leads, check_rejects, check_report, journal_of, made_up, points, states
from .order import Order
from .servers import SERVERS, random_faults, served

LATENCY = 0.02


@dataclass
class Moment:
    """A moment to kill at: so many seconds after something is so."""

    name: str
    is_there: Callable[[], object]
    later: float


def play(nursery: Nursery, home: Path, server: str, seed: int, *, rows: int, kills: int, how: str) -> list[set[str]]:
    """Play it, judge it, and give the points that its kills have hit."""
    random = Random(f"{seed} kills")
    # A 500 that is stored for a row that is refused is all that anybody ever hears of it: that row is held.
    file = made_up(home / "leads.csv", seed, rows, refused=0 if "honours" in server else None)
    hit: list[set[str]] = []
    with served(SERVERS[server], faults=random_faults(0.03, 0.015), seed=seed, latency=LATENCY) as sandbox:
        order = ordered(how, sandbox, server, file, home)
        for _ in range(kills):
            pid = nursery.start(order)
            wait_for(a_moment(random, sandbox, file, home))
            code = nursery.kill(pid)
            assert code in (-9, finished(how)), (home / "err").read_text()
            if code == -9:
                hit.append(points(states(home), Seen.by(sandbox)))
        code = nursery.run(order)
        told = (home / "err").read_text() + (home / "out").read_text()
        assert code == finished(how), f"seed {seed}: {told}"
        check_leads(file, sandbox)
        check_report(file, home)
        if how == "command":
            check_rejects(file, home)
    return hit


def ordered(how: str, sandbox: Sandbox, server: str, file: Rows, home: Path) -> Order:
    """What a child is told: the same each time."""
    kind = SERVERS[server]
    return Order(how, sandbox.url, str(file.path), str(home), {"quarantine": kind.quarantine}, kind.idempotency)


def finished(how: str) -> int:
    """The exit code when all is well: some rows cannot be imported."""
    return 3 if how == "command" else 0


def a_moment(random: Random, sandbox: Sandbox, file: Rows, home: Path) -> Moment:
    """A random one, with more chances for those that are short."""
    asked, all_there = len(sandbox.ledger.requests), len(file.phones)
    left = max(1, all_there - len(sandbox.leads))
    at = asked + random.randint(1, left)
    choices = [
        Moment("any", lambda: True, random.uniform(0, left / all_there)),
        Moment("while it reads", lambda: journal_of(home) or has_spool(home), random.uniform(0, 0.02)),
        Moment("first requests", lambda: len(sandbox.ledger.requests) > asked, random.uniform(0, 2 * LATENCY)),
        Moment("while it sends", lambda: len(sandbox.ledger.requests) >= at, random.uniform(0, LATENCY)),
        Moment("at the end", lambda: len(sandbox.ledger.effects) >= all_there, random.uniform(0, 0.1)),
    ]
    return random.choices(choices, [3, 2, 2, 3, 2])[0]


def has_spool(home: Path) -> bool:
    """Whether a child has begun to take up the rows."""
    return any((home / "state").glob("*.spool"))


def wait_for(moment: Moment) -> None:
    """Until the moment; at most a few seconds, for it may be past."""
    end = time.monotonic() + 3
    while not moment.is_there() and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(moment.later)
