"""Rows that somebody has looked at: sent anew with other keys, or told to be there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from leavo_async import ConfigError, LeavoClient
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.beginning import opened
from leavo_async.bulk.failed import write_failed
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.journal import Verdict
from leavo_async.bulk.redrive import reconcile, redrive
from leavo_async.bulk.report import Report
from leavo_async.bulk.sources import open_source
from leavo_async.bulk.states import STATES, RowRecord
from leavo_async.sandbox import Fault, Sandbox

REFUSED = Fault(status=422, body='{"error": "no", "code": "invalid"}', method="POST")
SENT_AT = 1_700_000_000.0


def rows(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Ana {n}", "phone": f"+55119{n:08d}"} for n in range(count)]


def client(sandbox: Sandbox) -> LeavoClient:
    return LeavoClient(sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, limits=())


async def imported(sandbox: Sandbox, source: object, **options: Any) -> Report:
    async with client(sandbox) as leavo:
        return await leavo.leads.import_(source, **{"progress": False, "quarantine": 0.0, **options})


async def gone_on(sandbox: Sandbox, report: Report) -> Report:
    async with client(sandbox) as leavo:
        return await BulkJob.resume(leavo, LEADS, report.job, progress=False, quarantine=0.0).run()


async def prepared(sandbox: Sandbox, source: object, verdicts: Mapping[int, Verdict], **options: Any) -> Report:
    """A job that nobody has run, whose rows have come to these states all the same."""
    async with client(sandbox) as leavo:
        job = BulkJob(leavo, LEADS, source, progress=False, **options)
        job.stop()
        report = await job.run()
    await asyncio.to_thread(put, report.journal, verdicts)
    return report


def put(path: Path, verdicts: Mapping[int, Verdict]) -> None:
    begun = opened(path)
    with begun.journal.transaction():
        for n, verdict in verdicts.items():
            if verdict.state not in ("pending", "invalid", "skipped"):
                begun.journal.intend(n, SENT_AT)
            begun.journal.record(n, verdict, SENT_AT)
    begun.close()


def mended(report: Report, *lines: Mapping[str, Any]) -> dict[str, int]:
    """What comes of a file with these rows."""
    file = report.journal.with_suffix(".jsonl")
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with open_source(file) as source:
        return dict(redrive(report.journal, LEADS, source))


async def records(report: Report) -> list[RowRecord]:
    return await asyncio.to_thread(lambda: list(report.rows()))


def keys(sandbox: Sandbox) -> list[str | None]:
    """The idempotency keys that the server has seen, in their order."""
    return [entry.idempotency_key for entry in sandbox.ledger.requests if entry.method == "POST"]


@pytest.mark.asyncio
async def test_what_was_refused_is_sent_anew_with_another_key(leavo_sandbox: Sandbox) -> None:
    """The server may give its first answer again for the first key; each time it is another one."""
    leavo_sandbox.script(Fault(status=422, body="{}", method="POST", times=2))
    report = await imported(leavo_sandbox, rows(1))
    assert report.counts["failed"] == 1

    for requests in (2, 3):
        assert await asyncio.to_thread(redrive, report.journal, LEADS, None) == {"to be sent": 1}
        (row,) = await records(report)
        assert (row.state, row.status, row.code, row.reason, row.first_sent) == ("pending", None, None, "", None)
        report = await gone_on(leavo_sandbox, report)
        assert len(set(keys(leavo_sandbox))) == len(keys(leavo_sandbox)) == requests

    assert report.outcomes == {"created": 1}
    assert [(lead["name"], lead["phone"]) for lead in leavo_sandbox.leads] == [("Ana 0", "+5511900000000")]


@pytest.mark.asyncio
async def test_told_twice_it_is_one_new_key(leavo_sandbox: Sandbox) -> None:
    """Nothing has failed since, so there is nothing to do: neither a second time, nor after a stop."""
    report = await prepared(leavo_sandbox, rows(1), {1: Verdict("failed", status=422)})
    assert await asyncio.to_thread(redrive, report.journal, LEADS, None) == {"to be sent": 1}

    assert await asyncio.to_thread(redrive, report.journal, LEADS, None) == {}
    assert (await gone_on(leavo_sandbox, report)).counts["done"] == 1
    assert len(keys(leavo_sandbox)) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("state", [state for state in STATES if state not in ("failed", "invalid", "pending")])
async def test_what_has_not_failed_is_left_as_it_is(state: str, leavo_sandbox: Sandbox) -> None:
    """It is there, or may be: a new key would make it a second time."""
    report = await prepared(leavo_sandbox, rows(2), {1: Verdict(state), 2: Verdict("failed")})  # type: ignore[arg-type]
    before = (await records(report))[0]
    bea = {"_row": 1, "name": "Bea", "phone": "+5511900000009"}

    told = await asyncio.to_thread(mended, report, bea)
    assert told == {"not failed, or not of this job: left as they are": 1}
    assert await asyncio.to_thread(redrive, report.journal, LEADS, None) == {"to be sent": 1}
    assert (await records(report))[0] == before


@pytest.mark.asyncio
async def test_a_row_that_is_still_to_be_sent_can_be_mended_too(leavo_sandbox: Sandbox) -> None:
    """It may be the one that ends every run, and it was certainly not done."""
    report = await prepared(leavo_sandbox, rows(2), {1: Verdict("pending"), 2: Verdict("pending")})

    told = await asyncio.to_thread(mended, report, {"_row": 1, "name": "Bea", "phone": "+5511900000009"})
    assert told == {"to be sent": 1}
    assert [row.values["name"] for row in await records(report)] == ["Bea", rows(2)[1]["name"]]


@pytest.mark.asyncio
async def test_a_mended_row_is_sent_as_it_stands_in_the_file(leavo_sandbox: Sandbox) -> None:
    """Whether the server has refused it or our own check; rows that the file leaves out stay as they are."""
    bad = [{"name": "Bea", "phone": "123"}, {"name": "Cleo", "phone": "+5511900000008"}]
    leavo_sandbox.script(Fault(status=422, body="{}", method="POST", times=3))
    report = await imported(leavo_sandbox, [*rows(2), *bad], concurrency=1)
    assert (report.counts["failed"], report.counts["invalid"]) == (3, 1)
    file = report.journal.with_suffix(".csv")
    await asyncio.to_thread(write_failed, file, report.journal)
    lines = (await asyncio.to_thread(file.read_text)).splitlines(keepends=True)
    text = "".join(lines[:2] + lines[3:4]).replace("Ana 0", "Ana Zero").replace("Bea,123", "Bea,+5511900000007")
    await asyncio.to_thread(file.write_text, text)

    def redriven() -> dict[str, int]:
        with open_source(file) as source:
            return dict(redrive(report.journal, LEADS, source))

    assert await asyncio.to_thread(redriven) == {"to be sent": 2}
    assert [dict(row.values) for row in await records(report)][::2] == [
        {"name": "Ana Zero", "phone": "+5511900000000"},
        {"name": "Bea", "phone": "+5511900000007"},
    ]
    report = await gone_on(leavo_sandbox, report)
    assert (report.counts["done"], report.counts["failed"], report.counts["invalid"]) == (2, 2, 0)
    assert sorted(lead["name"] for lead in leavo_sandbox.leads) == ["Ana Zero", "Bea"]
    assert len(set(keys(leavo_sandbox))) == 5


@pytest.mark.asyncio
async def test_a_row_that_is_still_wrong_says_why(leavo_sandbox: Sandbox) -> None:
    """And is not sent; mended at last, it has another key than the one that was refused."""
    leavo_sandbox.script(REFUSED)
    report = await imported(leavo_sandbox, rows(1))
    wrong, right = ({"_row": 1, "name": "Ana", "phone": phone} for phone in ("12", "+5511900000000"))

    assert await asyncio.to_thread(mended, report, wrong) == {"still invalid": 1}
    (row,) = await records(report)
    assert (row.state, "phone" in row.reason) == ("invalid", True)
    assert await asyncio.to_thread(mended, report, right) == {"to be sent": 1}
    assert (await gone_on(leavo_sandbox, report)).counts["done"] == 1
    assert len(set(keys(leavo_sandbox))) == 2


@pytest.mark.asyncio
async def test_a_row_that_is_there_twice_counts_once(leavo_sandbox: Sandbox) -> None:
    """The first one: by then it is to be sent, and not failed any more."""
    report = await prepared(leavo_sandbox, rows(1), {1: Verdict("failed")})
    ana, bea = ({"_row": 1, "name": name, "phone": "+5511900000000"} for name in ("Ana", "Bea"))

    assert (await asyncio.to_thread(mended, report, ana, bea))["to be sent"] == 1
    await gone_on(leavo_sandbox, report)
    assert [lead["name"] for lead in leavo_sandbox.leads] == ["Ana"]


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [0, -1, 3, 1.5, "", "one", "9" * 20, "9" * 5000, None])
async def test_a_row_that_the_job_has_not_is_left(number: object, leavo_sandbox: Sandbox) -> None:
    """Whatever stands there as its number; the others are taken."""
    report = await prepared(leavo_sandbox, rows(1), {1: Verdict("failed")})
    ana = {"name": "Ana", "phone": "+5511900000000"}

    assert await asyncio.to_thread(mended, report, {**ana, "_row": number}, {**ana, "_row": " 1 "}) == {
        "not failed, or not of this job: left as they are": 1,
        "to be sent": 1,
    }


@pytest.mark.asyncio
async def test_a_file_without_numbers_is_refused(leavo_sandbox: Sandbox) -> None:
    """Nobody could tell which row is which; and it says which command writes them."""
    report = await prepared(leavo_sandbox, rows(1), {1: Verdict("failed")})

    with pytest.raises(ConfigError, match="has no column _row, which says which row is which; `failures` writes it"):
        await asyncio.to_thread(mended, report, rows(1)[0])
    assert [row.state for row in await records(report)] == ["failed"]


@pytest.mark.asyncio
async def test_a_mended_file_that_breaks_changes_nothing(leavo_sandbox: Sandbox) -> None:
    """All of it or nothing: else nobody knew which rows have been taken."""
    report = await prepared(leavo_sandbox, rows(1), {1: Verdict("failed")})

    def broken() -> None:
        file = report.journal.with_suffix(".csv")
        file.write_text("_row,name,phone\n1,Ana,+5511900000000\n")
        with open_source(file) as source:
            source.close()
            redrive(report.journal, LEADS, source)

    with pytest.raises(ValueError, match="closed file"):
        await asyncio.to_thread(broken)
    assert [row.state for row in await records(report)] == ["failed"]


@pytest.mark.asyncio
async def test_nothing_is_changed_while_a_process_works_on_the_job(leavo_sandbox: Sandbox) -> None:
    """It would not see what was changed under it."""
    report = await prepared(leavo_sandbox, rows(2), {1: Verdict("failed"), 2: Verdict("held")})
    begun = await asyncio.to_thread(opened, report.journal)

    for work in (lambda: redrive(report.journal, LEADS, None), lambda: reconcile(report.journal, done=[2])):
        with pytest.raises(ConfigError, match="worked on by another process"):
            await asyncio.to_thread(work)
    await asyncio.to_thread(begun.close)
    assert [row.state for row in await records(report)] == ["failed", "held"]


# Rows keep their names, and are found again, when others are added to their file


def table(*lines: Sequence[str]) -> str:
    return "".join(",".join(line) + "\n" for line in (("id", "name", "phone"), *lines))


@pytest.mark.asyncio
@pytest.mark.parametrize("options", [{"row_key": "id"}, {"ignore": ["id"]}], ids=["by name", "by phone"])
@pytest.mark.parametrize("is_mended", [False, True])
async def test_a_row_that_was_sent_anew_is_not_new_in_a_changed_file(
    options: dict[str, Any], is_mended: bool, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Only rows that the job does not have are added to it: else it would be sent once more, with a third key."""
    file = tmp_path / "leads.csv"
    file.write_text(table(("a", "Ana", "+5511900000001"), ("b", "Bea", "+5511900000002")))
    report = await prepared(leavo_sandbox, file, {1: Verdict("failed")}, **options)
    if is_mended:
        line = {"_row": 1, "id": "a", "name": "Ana Souza", "phone": "+5511900000001"}
        assert await asyncio.to_thread(mended, report, line) == {"to be sent": 1}
    else:
        await asyncio.to_thread(redrive, report.journal, LEADS, None)
    file.write_text(file.read_text() + "c,Cleo,+5511900000003\n")

    report = await imported(leavo_sandbox, file, on_changed_source="new rows only", **options)
    assert (report.counts["done"], sum(report.counts.values())) == (3, 3)
    assert len(keys(leavo_sandbox)) == 3


@pytest.mark.asyncio
async def test_a_row_that_is_mended_has_its_own_name(leavo_sandbox: Sandbox, tmp_path: Path) -> None:
    """It had none as long as it could not be read: its key is that of its name, as if it had been right at once."""
    file = tmp_path / "leads.csv"
    file.write_text(table(("a", "Ana", "12"), ("b", "Bea", "+5511900000002")))
    report = await prepared(leavo_sandbox, file, {}, row_key="id")
    line = {"_row": 1, "id": "a", "name": "Ana", "phone": "+5511900000001"}
    assert await asyncio.to_thread(mended, report, line) == {"to be sent": 1}
    await gone_on(leavo_sandbox, report)

    right = tmp_path / "right" / "leads.csv"
    right.parent.mkdir()
    right.write_text(table(("a", "Ana", "+5511900000001"), ("b", "Bea", "+5511900000002")))
    await imported(leavo_sandbox, right, row_key="id", journal_dir=tmp_path / "lost")
    assert keys(leavo_sandbox)[:2] == keys(leavo_sandbox)[2:]


@pytest.mark.asyncio
@pytest.mark.parametrize("options", [{"ignore": ["id"]}, {"row_key": "id"}], ids=["by its phone", "by its name"])
async def test_a_row_that_is_mended_into_another_one_is_not_sent(
    options: dict[str, Any], leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """It would have the key of that one: the server would give its answer, and this one would be told to be done."""
    file = tmp_path / "leads.csv"
    file.write_text(table(("a", "Ana", "+5511900000001"), ("", "Bea", "12")))
    report = await prepared(leavo_sandbox, file, {1: Verdict("done", "created")}, **options)
    right = {"_row": 2, "id": "b", "name": "Bea", "phone": "+5511900000002"}
    same = {**right, **({"id": "a"} if "row_key" in options else {"phone": "+5511900000001"})}

    assert await asyncio.to_thread(mended, report, same) == {"still invalid": 1}
    assert (await records(report))[1].reason == "the same as line 2"
    assert await asyncio.to_thread(mended, report, right) == {"to be sent": 1}


@pytest.mark.asyncio
async def test_invalid_rows_of_a_changed_file_are_not_counted_twice(leavo_sandbox: Sandbox, tmp_path: Path) -> None:
    """Those that are in the job already are no new ones; and what is invalid among the new ones joins it."""
    file = tmp_path / "leads.csv"
    file.write_text(table(("a", "Ana", "+5511900000001"), ("b", "Nobody", "12")))
    await prepared(leavo_sandbox, file, {}, ignore=["id"])
    file.write_text(file.read_text() + "c,Nobody else,13\n")
    report = await imported(leavo_sandbox, file, on_changed_source="new rows only", ignore=["id"])

    assert (report.counts["done"], report.counts["invalid"]) == (1, 2)


# Held


HELD = Verdict("held", code="held", reason="its outcome is unknown")


@pytest.mark.asyncio
async def test_held_rows_are_settled_as_they_are_told_to_be(leavo_sandbox: Sandbox) -> None:
    """Sent again, there, or looked up once more."""
    report = await prepared(leavo_sandbox, rows(4), {1: HELD, 2: HELD, 3: HELD})

    told = await asyncio.to_thread(lambda: reconcile(report.journal, resend=[1], done=[2]))
    assert told == {"to be sent": 1, "there": 1, "to be looked up": 1}
    one, two, three, four = await records(report)
    assert [row.state for row in (one, two, three, four)] == ["pending", "done", "unknown", "pending"]
    assert (two.outcome, dict(two.values)) == ("confirmed", {})
    report = await gone_on(leavo_sandbox, report)
    assert (report.is_finished, report.counts["done"], report.counts["held"]) == (True, 4, 0)
    assert sorted(lead["name"] for lead in leavo_sandbox.leads) == ["Ana 0", "Ana 2", "Ana 3"]


@pytest.mark.asyncio
async def test_a_held_row_that_is_sent_again_keeps_its_key(leavo_sandbox: Sandbox) -> None:
    """It may be there: the server had better know it."""
    report = await prepared(leavo_sandbox, rows(1), {1: HELD})
    await asyncio.to_thread(lambda: reconcile(report.journal, resend=[1]))
    await gone_on(leavo_sandbox, report)
    first = keys(leavo_sandbox)
    await imported(leavo_sandbox, rows(1), journal_dir=report.journal.parent / "lost")

    assert [*first, *first] == keys(leavo_sandbox)


@pytest.mark.asyncio
async def test_a_row_that_no_run_can_settle_may_be_settled_by_hand(leavo_sandbox: Sandbox) -> None:
    """The server may fail each look-up for it: whoever knows better need not wait until that has ended."""
    unknown, lost = Verdict("unknown"), Verdict("in_flight")
    report = await prepared(leavo_sandbox, rows(3), {1: unknown, 2: lost, 3: unknown})

    told = await asyncio.to_thread(lambda: reconcile(report.journal, resend=[1], done=[2]))
    assert told == {"to be sent": 1, "there": 1, "to be looked up": 1}
    assert [row.state for row in await records(report)] == ["pending", "done", "unknown"]


@pytest.mark.asyncio
async def test_without_a_word_all_held_rows_are_looked_up(leavo_sandbox: Sandbox) -> None:
    """Somebody may have tidied up at the server."""
    leavo_sandbox.script()
    report = await prepared(leavo_sandbox, rows(2), {1: HELD, 2: HELD})

    assert await asyncio.to_thread(reconcile, report.journal) == {"to be looked up": 2}
    assert (await gone_on(leavo_sandbox, report)).counts["done"] == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("told", [{"resend": [2]}, {"done": [2]}, {"done": [1, 7]}, {"resend": [10**30]}])
async def test_what_is_not_held_is_not_settled(told: dict[str, list[int]], leavo_sandbox: Sandbox) -> None:
    """A wrong number changes nothing at all, and the right ones are told."""
    report = await prepared(leavo_sandbox, rows(2), {1: HELD})

    with pytest.raises(ConfigError, match=r"not held: row \d+ \(held: 1\)"):
        await asyncio.to_thread(lambda: reconcile(report.journal, **told))
    assert [row.state for row in await records(report)] == ["held", "pending"]


@pytest.mark.asyncio
async def test_a_row_cannot_be_there_and_be_sent_again(leavo_sandbox: Sandbox) -> None:
    """Which of both is meant, nobody can tell."""
    report = await prepared(leavo_sandbox, rows(2), {1: HELD})

    with pytest.raises(ConfigError, match="row 1 is to be sent again and is there: say one of both"):
        await asyncio.to_thread(lambda: reconcile(report.journal, resend=[1], done=[1]))
    assert [row.state for row in await records(report)] == ["held", "pending"]
