"""Ways in which such clients are commonly wrong, built in on purpose: the suite must see each of them."""

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
        "            self._pause.hold(wait, by_refusal=True)\n            self._queues.recheck()\n",
        "",
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
    Mutant(
        "a write sent again although it may have been done",
        "_sansio/idempotency.py",
        "    return Repeat.NATURAL if named is Repeat.NATURAL else Repeat.UNSAFE\n",
        "    return Repeat.KEYED\n",
        "tests/machine",
    ),
    Mutant(
        "a key that the server has forgotten",
        "_sansio/retry.py",
        "    return age >= request.key_lasts and may_be_done\n",
        "    return False\n",
        "tests/sansio/test_retry.py",
    ),
    Mutant(
        "a deletion that was done, told as not found",
        "_sansio/retry.py",
        "isinstance(error, NotFoundError) and _may_be_done(history)",
        'isinstance(error, NotFoundError) and any(r.outcome == "unknown" for r in history)',
        "tests/sansio/test_retry.py",
    ),
    Mutant(
        "what an earlier attempt may have done, forgotten",
        "_call.py",
        "{error.outcome, *(record.outcome for record in self.history)}",
        "{error.outcome}",
        "tests/machine",
    ),
    Mutant(
        "an attempt that was connecting, told as sent",
        "_call.py",
        '"not sent" if self.ended_in == "connect" else "unknown"',
        '"not sent"',
        "tests/machine",
    ),
    Mutant(
        "a budget without an end",
        "_sansio/budget.py",
        "        if self._repeats < max(AT_LEAST, math.floor(SHARE * self._requests)):\n",
        "        if True:\n",
        "tests/sansio/test_budget.py",
    ),
    Mutant(
        "repeats of a long job beyond the budget",
        "_sender.py",
        "        await _wait_for_budget(call)\n",
        "        pass\n",
        "tests/test_retries_of_a_session.py",
    ),
    Mutant(
        "a lead of the same phone and another name, taken for ours",
        "apis/leavo/profile.py",
        'for name in ("phone", "name"))',
        'for name in ("phone",))',
        "tests/test_against_the_sandbox.py",
    ),
    Mutant(
        "a key asked for by each call that was refused",
        "_io/credentials.py",
        "            if self.asked == asked:\n",
        "            if True:\n",
        "tests/test_lifetime.py",
    ),
    Mutant(
        "a limit of its own for the new key",
        "_io/registry.py",
        "gate = before or Gate(",
        "gate = Gate(",
        "tests/test_lifetime.py",
    ),
    Mutant(
        "aiohttp's second send",
        "_io/aiohttp_transport.py",
        "_SENT_AGAIN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)\n",
        "_SENT_AGAIN = (ZeroDivisionError,)\n",
        "tests/io/test_aiohttp_transport.py",
    ),
    Mutant(
        "a foreign cancellation taken for ours",
        "_io/guard.py",
        "        ours_alone = task.uncancel() <= self._before\n",
        "        ours_alone = task.uncancel() is not None\n",
        "tests/io/test_guard.py",
    ),
    Mutant(
        "a signal that is heard too late",
        "_io/guard.py",
        "            self._listen(self.signal)\n",
        "            pass\n",
        "tests/test_abort.py",
    ),
    Mutant(
        "a connection on which the server has spoken unasked",
        "_io/aiohttp_transport.py",
        "if is_readable is None or not (protocol.should_close or is_readable()):",
        "if True:",
        "tests/faults/test_misrouted.py",
    ),
    Mutant(
        "the key in an error, as the server has echoed it",
        "_io/aiohttp_transport.py",
        '                body = body.replace(secret, b"[redacted]")\n',
        "                pass\n",
        "tests/io/test_aiohttp_transport.py",
    ),
    Mutant(
        "a short page for the end of a listing",
        "_sansio/plan.py",
        "return reached == total if page.has_more is None else",
        "return reached == total or len(page.items) < span.size if page.has_more is None else",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "what a short page lacks, forgotten",
        "_sansio/plan.py",
        "            self.spans.insert(self.spans.index(span) + 1, gap)\n",
        "            pass\n",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "all pages asked for ahead, whether or not there are any",
        "_sansio/plan.py",
        "        return waiting < self._full and ",
        "        return ",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "more pages asked for ahead than were read",
        "_sansio/plan.py",
        "        return waiting < self._full and ",
        "        return waiting < 2 * self._full and ",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "pages given as they come",
        "_sansio/plan.py",
        "    if not ordered and (came",
        "    if (came",
        "tests/test_pagination.py",
    ),
    Mutant(
        "the page that the consumer has, not counted",
        "_fetching.py",
        " + (self._given is not None)",
        "",
        "tests/test_pagination.py",
    ),
    Mutant(
        "a page turned over another consumer's head",
        "_fetching.py",
        "            if length_hint(self.rest):  # of several",
        "            if False:  # of several",
        "tests/test_pagination.py",
    ),
    Mutant(
        "a gap that nobody asks for",
        "_fetching.py",
        "(self._may_go_ahead() or self._is_starved())",
        "self._may_go_ahead()",
        "tests/test_pagination.py",
    ),
    Mutant(
        "a listing that was cut off, told as ended",
        "_fetching.py",
        "        if self._is_cut_off:\n",
        "        if False:\n",
        "tests/test_pagination.py",
    ),
    Mutant(
        "tasks that outlive their iteration",
        "pagination.py",
        "        self._fetching.abandon()\n",
        "        pass\n",
        "tests/test_pagination.py",
    ),
    Mutant(
        "items before the one that failed, not given",
        "_sansio/plan.py",
        "        self._drop(self._after(span))\n",
        "        self._drop(list(self.spans)[:-1])\n",
        "tests/test_pagination.py",
    ),
    Mutant(
        "a token one item too far",
        "_sansio/given.py",
        "done = self._marks[len(self._marks) - 1 - length_hint(self.rest)]",
        "done = min(self._marks[len(self._marks) - 1 - length_hint(self.rest)] + 1, self._marks[-1])",
        "tests/test_pagination.py",
    ),
    Mutant(
        "a token behind what is missing, without order",
        "_sansio/given.py",
        "self._at.after(done).or_earlier(behind)",
        "self._at.after(done)",
        "tests/test_pagination.py",
    ),
    Mutant(
        "the last of a page, given again by the next one",
        "_sansio/paging.py",
        "            return page.items\n        seen",
        "            pass\n        return page.items\n        seen",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "a server that leads in a circle",
        "_sansio/plan.py",
        "        if hash(following.place) in self._met:\n",
        "        if False:\n",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "a server that ignores the offset",
        "_sansio/same_page.py",
        "        if _is_same(page, self._before) or _is_same(page, self._kept):\n",
        "        if False:\n",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "a deadline of each page for that of the listing",
        "_fetching.py",
        "        if (left := self._until - self._loop.time()) > 0:\n",
        "        if left := self._listing.deadline:\n",
        "tests/test_abort.py",
    ),
    Mutant(
        "another listing, gone on with in the middle",
        "_sansio/resume.py",
        " if of == listing:",
        " if of:",
        "tests/sansio/test_plan.py",
    ),
    Mutant(
        "each 403 for a matter of rights",
        "_sansio/read.py",
        "is_refused and response.status == 403",
        "False and response.status == 403",
        "tests/test_refusals_of_a_key.py",
    ),
    Mutant(
        "each 403 for a block",
        "_sansio/read.py",
        "is_refused and response.status == 403",
        "response.status == 403",
        "tests/test_refusals_of_a_key.py",
    ),
    Mutant(
        "a block that ends never",
        "_io/pause.py",
        "            self._by_refusal = False\n",
        "",
        "tests/test_refusals_of_a_key.py",
    ),
    Mutant(
        "a block that is not waited for by all",
        "_io/gate.py",
        "            self._pause.hold(wait, by_refusal=True)\n",
        "            self._pause.hold(min(wait, 60.0), by_refusal=True)\n",
        "tests/test_refusals_of_a_key.py",
    ),
    Mutant(
        "a value that climbs out of its path",
        "_sansio/paths.py",
        'path.replace(f"{{{name}}}", segment(value, name))',
        'path.replace(f"{{{name}}}", value)',
        "tests/sansio/test_fields.py",
    ),
    Mutant(
        "a caller who signs as somebody else",
        "_sansio/fields.py",
        " or name.lower() in signing:",
        ":",
        "tests/sansio/test_fields.py",
    ),
    Mutant(
        "one limit for two pairs with the same secret",
        "_sansio/auth.py",
        'super().digest(f"{place}\\n{self.id}")',
        "super().digest(place)",
        "tests/sansio/test_auth.py",
    ),
    Mutant(
        "a key in the query that is not taken out of what a server echoes",
        "_io/aiohttp_transport.py",
        "(*headers.values(), *params.values())",
        "headers.values()",
        "tests/test_ways_to_sign.py",
    ),
    Mutant(
        "a mismatch under a key that was made for the call",
        "_sansio/read.py",
        "request.key_is_named and status",
        "status",
        "tests/test_refusals_of_a_key.py",
    ),
    Mutant(
        "a row sent before the journal knows of it",
        "bulk/runner.py",
        "        await self._writer.intend(row.n, now)\n",
        "        asyncio.get_running_loop().call_later(\n"
        "            0, lambda: asyncio.ensure_future(self._writer.intend(row.n, now)))\n",
        "tests/bulk/test_runner.py",
    ),
    Mutant(
        "a row of unknown outcome settled at once",
        "bulk/runner.py",
        "self._unknown.append((self._clock() + self._quarantine, row))",
        "self._unknown.append((self._clock(), row))",
        "tests/bulk/test_worlds.py",
    ),
    Mutant(
        "a quarantine by a clock that may be set",
        "bulk/runner.py",
        "self._clock = asyncio.get_running_loop().time",
        "self._clock = wall",
        "tests/bulk/test_runner.py",
    ),
    Mutant(
        "several found, and one of them taken for ours",
        "bulk/runner.py",
        "if len(found.things) == 1:",
        "if found.things:",
        "tests/bulk/test_worlds.py",
    ),
    Mutant(
        "what a listing does not show, taken for not there",
        "bulk/settling.py",
        "found.is_all and means.sees_all",
        "found.is_all",
        "tests/bulk/test_settling.py",
    ),
    Mutant(
        "a key that the server may have forgotten, trusted",
        "bulk/settling.py",
        "0 <= now - row.first_sent < _SHARE_OF_KEY_LIFE * means.key_lasts",
        "True",
        "tests/bulk/test_worlds.py",
    ),
    Mutant(
        "the age of a key counted from its last use",
        "bulk/journal.py",
        "first_sent=coalesce(first_sent, ?1)",
        "first_sent=?1",
        "tests/bulk/test_journal.py",
    ),
    Mutant(
        "a row that was in flight, taken for not sent",
        "bulk/journal.py",
        "UPDATE row SET state='unknown', reason=? WHERE state='in_flight'",
        "UPDATE row SET state='pending', reason=? WHERE state='in_flight'",
        "tests/bulk/test_worlds.py",
    ),
    Mutant(
        "a commit that a power loss takes back",
        "bulk/journal.py",
        "PRAGMA synchronous=FULL",
        "PRAGMA synchronous=NORMAL",
        "tests/bulk/test_journal.py",
    ),
    Mutant(
        "a corrected row under the key of the refused one",
        "bulk/keys.py",
        ", str(row_id), str(generation))",
        ", str(row_id))",
        "tests/bulk/test_keys.py",
    ),
    Mutant(
        "one import for two accounts",
        "bulk/beginning.py",
        "facts.path, facts.account, self._salt",
        "facts.path, self._salt",
        "tests/bulk/test_beginning.py",
    ),
    Mutant(
        "a lock that keeps nobody out",
        "bulk/lock.py",
        'connection.execute("BEGIN EXCLUSIVE")',
        'connection.execute("BEGIN")',
        "tests/bulk/test_lock.py",
    ),
    Mutant(
        "a lock that is given back by asking for it",
        "bulk/lock.py",
        "os.O_CREAT | os.O_EXCL | os.O_RDWR",
        "os.O_CREAT | os.O_RDWR",
        "tests/bulk/test_lock.py",
    ),
    Mutant(
        "what came of a row, told to nobody but the bar",
        "bulk/runner.py",
        "        self._writer.record(row.n, verdict, self._wall())\n",
        "",
        "tests/bulk/test_runner.py",
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
