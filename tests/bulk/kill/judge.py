"""What is true after all kills: nothing lost, nothing doubled, every row accounted for; and where a kill has struck."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from leavo_async.bulk.keys import row_key
from leavo_async.bulk.states import STATES
from leavo_async.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"

# The points of the table in docs/explanation: where a process can be killed.
POINTS = (
    "during the spool",
    "before the intent",
    "after the intent, before the first byte",
    "sent, before the server's commit",
    "after the server's commit, before the result's",
    "after the result's commit",
    "while results are written",
)


@dataclass(frozen=True)
class Rows:
    """A made-up file. phones: of rows that have to be there in the end. counts: rows by state, if all goes well."""

    path: Path
    phones: frozenset[str]
    counts: Mapping[str, int]


def made_up(path: Path, seed: int, n: int, *, refused: int | None = None) -> Rows:
    """A file of so many leads, and among them rows that cannot be, repeat an earlier one, or are refused."""
    each = n // 20 + 1
    refused = each if refused is None else refused
    random = Random(f"{seed} rows")
    phones = [f"+55119{number:08}" for number in random.sample(range(10**8), n)]
    lines = [{"name": f"Ana {number}", "phone": phone, "status_id": ""} for number, phone in enumerate(phones)]
    others = [{"name": "Nobody", "phone": "123", "status_id": ""}] * each
    others += [{"name": "Refused", "phone": f"+4420{k:08}", "status_id": NOBODY} for k in range(refused)]
    repeated = random.sample(lines, each)
    lines += others
    random.shuffle(lines)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", "phone", "status_id"])
        writer.writeheader()
        writer.writerows([*lines, *repeated])
    counts = {"done": n, "invalid": each, "failed": refused, "skipped": each}
    return Rows(path, frozenset(phones), {state: n for state, n in counts.items() if n})


def check_leads(rows: Rows, sandbox: Sandbox) -> None:
    """Each valid row is there exactly once, and nothing else is."""
    found = Counter(lead["phone"] for lead in sandbox.leads)
    lost, foreign = rows.phones - found.keys(), found.keys() - rows.phones
    doubled = {phone for phone, times in found.items() if times > 1}
    assert (set(), set(), set()) == (lost, doubled, foreign), "lost, doubled, foreign"


def check_report(rows: Rows, home: Path) -> None:
    """Every row of the file is in the report of the last child, in the state that it has to be in."""
    told = json.loads((home / "out").read_text())
    assert rows.counts == {state: told[state] for state in STATES if told[state]}


def check_rejects(rows: Rows, home: Path) -> None:
    """The file of rows that are not there is whole."""
    with (home / "rejects.csv").open(newline="") as file:
        found = Counter(row["_state"] for row in csv.DictReader(file))
    assert {state: n for state, n in rows.counts.items() if state in ("invalid", "failed")} == found


def journal_of(home: Path) -> Path | None:
    """The file with the journal of the only job; None before there is one."""
    return next(iter(sorted((home / "state").glob("*.db"))), None)


def states(home: Path) -> dict[str, str] | None:
    """The state of each row by its idempotency key, as the journal has it; None before there is one.

    It reads a copy: opening the journal itself would change what a kill has left.
    """
    if (journal := journal_of(home)) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        copied(journal, Path(folder))
        connection = sqlite3.connect(Path(folder, journal.name))
        try:
            facts = json.loads(connection.execute("SELECT facts FROM job").fetchone()[0])
            rows = connection.execute("SELECT coalesce(row_id, n), gen, state FROM row ORDER BY n").fetchall()
        finally:
            connection.close()
    return {row_key(facts["import_id"], row_id, gen): state for row_id, gen, state in rows}


def copied(journal: Path, folder: Path) -> None:
    """Copy a journal with its log, as a disk would keep them."""
    for name in (journal.name, f"{journal.name}-wal"):
        if (part := journal.with_name(name)).exists():
            shutil.copyfile(part, folder / name)


@dataclass(frozen=True)
class Seen:
    """What a server had seen at one moment, by idempotency key. asked: requests. done: those that made a lead."""

    asked: frozenset[str]
    done: frozenset[str]

    @classmethod
    def by(cls, sandbox: Sandbox) -> Seen:
        # Copies: the server's thread goes on.
        requests, effects = list(sandbox.ledger.requests), list(sandbox.ledger.effects)
        made = {effect.number for effect in effects}
        keyed = [(entry.number, entry.idempotency_key) for entry in requests if entry.method == "POST"]
        asked = frozenset(key for _, key in keyed if key)
        return cls(asked, frozenset(key for number, key in keyed if key and number in made))


def points(found: Mapping[str, str] | None, seen: Seen) -> set[str]:
    """The points that a kill has hit: of several rows under way each may be at another one."""
    if found is None:
        return {"during the spool"}
    hit = {_POINT_OF.get(state) for state in found.values()} | {
        _in_flight(key, seen) for key, state in found.items() if state == "in_flight"
    }
    if not {"pending", "in_flight", "unknown"} & set(found.values()):
        hit = {"while results are written"}
    return {point for point in hit if point is not None}


_POINT_OF = {"pending": "before the intent", "done": "after the result's commit"}


def _in_flight(key: str, seen: Seen) -> str:
    if key in seen.done:
        return "after the server's commit, before the result's"
    return "sent, before the server's commit" if key in seen.asked else "after the intent, before the first byte"


def table(kills: Iterable[set[str]]) -> str:
    """How many kills have hit each point."""
    counts = Counter(point for kill in kills for point in kill)
    return "\n".join(f"{counts[point]:6}  {point}" for point in POINTS)
