"""Ways in which a limiter is commonly wrong, built in on purpose: the suite must see each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Mutant:
    """A wrong text in the place of the right one, and the tests that must fail for it."""

    name: str
    file: str
    right: str
    wrong: str
    tests: str


MUTANTS = [
    Mutant(
        "a burst of the whole limit",
        "_sansio/limits.py",
        "return max(1.5, 1 + _TIMER_LATENESS * self.requests / self.per)",
        "return float(self.requests)",
        "tests/rates",
    ),
    Mutant(
        "no room for requests that overtake each other",
        "_sansio/limits.py",
        "/ (self.per + self.spread)",
        "/ self.per",
        "tests/rates",
    ),
    Mutant(
        "the wall clock",
        "session.py",
        '"clock", time.monotonic)',
        '"clock", time.time)',
        "tests/test_limits_of_a_session.py",
    ),
    Mutant(
        "limits one after the other",
        "_io/scopes.py",
        "            if (delay := bucket.delay(tokens)) > longest:\n                longest = delay\n",
        "            if delay := bucket.delay(tokens):\n                return delay\n            bucket.take()\n",
        "tests/io/test_gate.py",
    ),
    Mutant(
        "the permit before the slot",
        "_io/queues.py",
        "delay = self._door.delay(line.groups) if line.slots.free else math.inf",
        "delay = self._door.delay(line.groups)",
        "tests/io/test_gate.py",
    ),
    Mutant(
        "nothing given back after a cancellation",
        "_io/gate.py",
        "            permit.taken.give_back(permit.granted_at)\n",
        "",
        "tests/io/test_gate.py",
    ),
    Mutant(
        "repeats for nothing",
        "_io/gate.py",
        "        scopes.take()\n",
        "        if permit.granted_at == 0.0:\n            scopes.take()\n",
        "tests/io/test_gate.py",
    ),
    Mutant(
        "chance below what the server asked for",
        "_sansio/retry.py",
        "return wait + draw",
        "return wait * draw",
        "tests/sansio/test_retry.py",
    ),
    Mutant(
        "a pause for one call alone",
        "_io/gate.py",
        "            self.hold(wait)\n            return None\n",
        "            return None\n",
        "tests/test_limits_of_a_session.py",
    ),
    Mutant(
        "everybody at once after a pause",
        "_io/pause.py",
        "        self._probe_until = self._clock() + _PATIENCE\n",
        "        self._open = True\n",
        "tests/io/test_gate_advice.py",
    ),
    Mutant(
        "the timer of the first in line, although the next may go earlier",
        "_io/queues.py",
        "                wake = min(wake, delay)\n",
        "                wake = min(wake, delay)\n                break\n",
        "tests/io/test_gate.py",
    ),
    Mutant(
        "a permit for a loop that may be blocked",
        "_io/queues.py",
        "            if line.seat is not seat:",
        "            if False:",
        "tests/io/test_gate_loops.py",
    ),
]


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_suite_sees_it(mutant: Mutant, tmp_path: Path) -> None:
    """At least one test fails in a copy with this mistake."""
    for folder in ("leavo_async", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "leavo_async" / mutant.file
    source = file.read_text()
    assert source.count(mutant.right) == 1, "the right text is not there any more: bring the mutant up to date"
    file.write_text(source.replace(mutant.right, mutant.wrong))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout=30", *mutant.tests.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 1, run.stdout[-2000:]
    assert "failed" in run.stdout
