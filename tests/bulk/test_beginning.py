"""How a job comes to its journal: which import is the same one, and what keeps one from being begun."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leavo_async import ConfigError, LeavoClient
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.journal import Journal, Verdict
from leavo_async.bulk.keys import row_key
from leavo_async.bulk.lock import JobLock
from leavo_async.bulk.operation import Operation
from leavo_async.bulk.plan import Plan
from leavo_async.bulk.states import RowRecord
from leavo_async.testing import FakeTransport

SENDS_TWICE = replace(LEADS, natural_key=())
ANA, BEA, EVA = ("Ana,+5511900000001\n", "Bea,+5511900000002\n", "Eva,+5511900000003\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text("name,phone\n" + ANA + BEA)
    return path


def row(n: int, **more: Any) -> dict[str, Any]:
    return {"name": f"Ana {n}", "phone": f"+55119{n:08d}", **more}


async def nothing() -> AsyncIterator[dict[str, Any]]:
    return
    yield


async def prepared(source: object, operation: Operation = LEADS, **options: Any) -> Plan:
    async with LeavoClient("made-up-key", transport=FakeTransport()) as leavo:
        job = BulkJob(leavo, operation, source, **options)
        try:
            return await job.prepare()
        finally:
            await job.aclose()


def rows_of(plan: Plan) -> list[RowRecord]:
    with closing(Journal.view(plan.journal)) as journal:
        return list(journal.rows())


async def rows(plan: Plan) -> list[RowRecord]:
    return await asyncio.to_thread(rows_of, plan)


async def keys(plan: Plan) -> dict[str, str]:
    """The idempotency key of each row, by its name."""

    def read() -> dict[str, str]:
        with closing(Journal.view(plan.journal)) as journal:
            return {
                dict(each.values)["name"]: row_key(
                    plan.facts.import_id, opened.n if opened.row_id is None else opened.row_id, opened.gen
                )
                for each in journal.rows("pending")
                if (opened := journal.one(each.row)) is not None
            }

    return await asyncio.to_thread(read)


def finish(plan: Plan) -> None:
    """As if all rows had been sent."""
    with closing(Journal.open(plan.journal)) as journal, journal.transaction():
        for each in journal.pending(0, 100):
            journal.record(each.n, Verdict("done", "created"), 1.0)


def forget(plan: Plan) -> None:
    """As if the machine, and the journal with it, were gone."""
    plan.journal.unlink()


# The same import


@pytest.mark.asyncio
async def test_the_same_file_after_the_journal_was_lost_has_the_same_keys(file: Path, tmp_path: Path) -> None:
    """In a new container, at another place: a server that honours keys does nothing twice."""
    first = await prepared(file)
    before = await keys(first)
    await asyncio.to_thread(forget, first)
    other = tmp_path / "elsewhere.csv"
    shutil.copy(file, other)

    assert before == await keys(await prepared(other))
    assert len(set(before.values())) == 2


@pytest.mark.asyncio
async def test_a_file_goes_on_with_its_job(file: Path) -> None:
    """And a prepared job that was never run is there still."""
    first, again = await prepared(file), await prepared(file)

    assert (first.is_resumed, again.is_resumed, again.journal) == (False, True, first.journal)


@pytest.mark.asyncio
async def test_another_account_or_name_is_another_import(file: Path, tmp_path: Path) -> None:
    """So is the same once more, if one says so."""
    other = tmp_path / "other"
    ids = [
        (await prepared(file, journal_dir=other / str(number), **options)).facts.import_id  # type: ignore[arg-type]
        for number, options in enumerate(
            [
                {},
                {"account": "b"},
                {"name": "May"},
                {"name": "May", "account": "b"},
                {"new_run": True},
                {"new_run": True},
            ]
        )
    ]

    assert len(set(ids)) == len(ids)


@pytest.mark.asyncio
async def test_a_row_with_a_name_keeps_its_key(tmp_path: Path) -> None:
    """Whatever is edited, added or moved in the file; not so where its number is all that it has."""
    before, after = "id,name,phone\n1," + ANA + "2," + BEA, "id,name,phone\n3," + EVA + "2," + BEA + "1," + ANA
    file = tmp_path / "leads.csv"

    async def keys_of(text: str, **options: Any) -> dict[str, str]:
        file.write_text(text)
        plan = await prepared(file, ignore=["id"] if "row_key" not in options else [], **options)
        found = await keys(plan)
        await asyncio.to_thread(forget, plan)
        return found

    named, named_after = await keys_of(before, row_key="id"), await keys_of(after, row_key="id")
    assert named_after.items() > named.items()
    numbered, numbered_after = await keys_of(before), await keys_of(after)
    assert not set(numbered.values()) & set(numbered_after.values())


@pytest.mark.asyncio
async def test_rows_are_the_same_import_by_what_they_say(tmp_path: Path) -> None:
    """Lists, generators and standard input have no file that could be known again."""

    async def asked() -> AsyncIterator[dict[str, Any]]:
        for n in (1, 2):
            await asyncio.sleep(0)
            yield row(n)

    listed = await prepared([row(1), row(2)])
    iterated = await prepared(asked())
    other = await prepared([row(1), row(3)])

    assert (listed.is_resumed, iterated.is_resumed, other.is_resumed) == (False, True, False)
    assert iterated.journal == listed.journal
    assert not list(listed.journal.parent.glob("*.spool*"))


@pytest.mark.asyncio
async def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its rows are in the journal before one is sent."""
    stdin = io.TextIOWrapper(io.BytesIO(("name,phone\n" + ANA + BEA).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    plan = await prepared("-", format="csv")

    assert (plan.to_send, plan.facts.source_path) == (2, None)


# What is refused


@pytest.mark.asyncio
async def test_another_mapping_of_the_same_rows_is_refused(tmp_path: Path) -> None:
    """They would be sent under the same keys with other bodies."""
    file = tmp_path / "leads.csv"
    file.write_text("name,other,phone\nAna,Eva,+5511900000001\n")
    first = await prepared(file, ignore=["other"])
    with pytest.raises(ConfigError, match=f"another mapping.*leavo jobs resume {first.facts.job}.*--new-run"):
        await prepared(file, map={"name": "other"}, ignore=["name"])

    anew = await prepared(file, map={"name": "other"}, ignore=["name"], new_run=True)
    assert anew.journal != first.journal
    (await asyncio.to_thread(JobLock.take, first.journal)).release()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"row_key": "id"}, "there is no column 'id'"),
        ({"same_by": ["telephone"]}, "same_by: there is no field 'telephone'"),
        ({"map": {"nmae": "name"}}, "unknown field 'nmae'"),
    ],
)
async def test_what_names_nothing_is_refused(options: Any, message: str, file: Path) -> None:
    """A typing mistake must not mean that nothing is left out."""
    with pytest.raises(ConfigError, match=message):
        await prepared(file, **options)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "source",
    [[], iter(()), ["Ana"], [["Ana", "+5511999990001"]], nothing()],
    ids=["empty", "used up", "a text", "a list", "async"],
)
async def test_what_has_no_row_is_refused_as_that(source: Any) -> None:
    """And not for a column that it lacks: mostly it is a generator that was read before."""
    with pytest.raises(ConfigError, match="it is empty, or used up, or what comes first is not a mapping"):
        await prepared(source)


@pytest.mark.asyncio
async def test_a_coroutine_is_no_source() -> None:
    """It was not awaited."""
    coroutine = asyncio.sleep(0)
    with pytest.raises(ConfigError, match="coroutine: await it, and give what comes of it"):
        await prepared(coroutine)
    await coroutine


@pytest.mark.asyncio
async def test_what_reading_raises_comes_out_and_nothing_is_left(journals_of_its_own: Path) -> None:
    """Half an import is none: no row of it is sent, and no data stays behind."""

    def broken() -> Iterator[dict[str, Any]]:
        yield row(1)
        raise ZeroDivisionError("of the source")

    async def broken_later() -> AsyncIterator[dict[str, Any]]:
        yield row(1)
        await asyncio.sleep(0)
        raise ZeroDivisionError("of the source")

    for source in (broken(), broken_later()):
        with pytest.raises(ZeroDivisionError, match="of the source"):
            await prepared(source)
    assert list(journals_of_its_own.iterdir()) == []


@pytest.mark.asyncio
async def test_a_cancelled_beginning_leaves_nothing_behind(journals_of_its_own: Path) -> None:
    """It was not begun."""
    is_asked = asyncio.Event()

    async def endless() -> AsyncIterator[dict[str, Any]]:
        yield row(1)
        is_asked.set()
        await asyncio.sleep(3600)
        yield row(2)

    beginning = asyncio.create_task(prepared(endless()))
    await is_asked.wait()
    await asyncio.sleep(0.01)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning

    assert list(journals_of_its_own.iterdir()) == []


# Rows


@pytest.mark.asyncio
async def test_a_source_without_rows_is_a_job_without_rows(tmp_path: Path) -> None:
    """With nothing to send."""
    file = tmp_path / "leads.csv"
    file.write_text("name,phone\n,\n")
    plan = await prepared(file)

    assert (plan.to_send, plan.rows, plan.first, plan.facts.empty) == (0, 0, "", 1)


@pytest.mark.asyncio
async def test_rows_that_are_the_same_are_sent_once() -> None:
    """By the operation's natural key, by the fields that one names, by the row key; or each, if one says so."""
    twins = [row(1), row(1, name="Eva"), row(2, name="Eva")]
    by_phone, by_name, each = [
        (await prepared(twins, name=str(told), same_by=told)).counts["skipped"] for told in (None, ["name"], [])
    ]
    by_key = await prepared([row(n, id=n // 2) for n in (1, 2, 3)], row_key="id")

    assert (by_phone, by_name, each, by_key.counts["skipped"]) == (1, 1, 0, 1)


@pytest.mark.asyncio
async def test_phones_differ_by_more_than_case_and_space() -> None:
    """Values are compared without what people vary."""
    twins = [row(1, email="ana@example.com"), row(2, email=" ANA@example.com ")]

    assert (await prepared(twins, same_by=["email"])).counts["skipped"] == 1


@pytest.mark.asyncio
async def test_only_the_new_rows_of_a_changed_file_are_taken_up(file: Path) -> None:
    """Each of the others stays as it is: an invalid one is not told twice, nor an empty one counted twice."""
    file.write_text("name,phone\n" + ANA + ",\nNobody,123\n")
    first = await prepared(file)
    file.write_text("name,phone\n" + BEA + ANA + ",\nNobody,123\nSomebody,12\n")
    plan = await prepared(file, on_changed_source="new rows only")

    assert plan.journal == first.journal
    assert [(each.state, dict(each.values)["name"]) for each in await rows(plan)] == [
        ("pending", "Ana"), ("invalid", "Nobody"), ("pending", "Bea"), ("invalid", "Somebody"),
    ]  # fmt: skip
    assert plan.facts.empty == 1


@pytest.mark.asyncio
async def test_new_rows_only_holds_for_a_finished_job_as_well(file: Path) -> None:
    """A list that has grown by one name must not be sent once more from its beginning."""
    first = await prepared(file, SENDS_TWICE)
    await asyncio.to_thread(finish, first)
    file.write_text(file.read_text() + EVA)
    plan = await prepared(file, SENDS_TWICE, on_changed_source="new rows only")

    assert plan.journal == first.journal
    assert (plan.to_send, plan.counts["done"]) == (1, 2)
    assert "Eva" in plan.first


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("first", "second"),
    [({}, {"row_key": "name"}), ({"row_key": "name"}, {}), ({}, {"same_by": ["name"]}), ({}, {"same_by": []})],
)
async def test_new_rows_are_told_from_the_others_by_the_same_names(first: Any, second: Any, file: Path) -> None:
    """By others each row would look like a new one, and be sent once more."""
    begun = await prepared(file, name="leads", **first)
    await asyncio.to_thread(finish, begun)
    file.write_text(file.read_text() + EVA)

    with pytest.raises(ConfigError, match="tells its rows apart by"):
        await prepared(file, name="leads", on_changed_source="new rows only", **second)
    assert len(await rows(await prepared(file, name="leads", on_changed_source="new rows only", **first))) == 3


@pytest.mark.asyncio
async def test_a_full_disk_is_told_when_new_rows_are_looked_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when they are written."""

    def full(self: Journal) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    await prepared(file)
    file.write_text(file.read_text() + EVA)
    monkeypatch.setattr(Journal, "index_digests", full)
    with pytest.raises(ConfigError, match=r"cannot write the journal .*: database or disk is full.*; nothing was sent"):
        await prepared(file, on_changed_source="new rows only")


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["spool", "index"])
async def test_a_full_disk_before_anything_is_sent_is_a_refusal(
    what: str, file: Path, monkeypatch: pytest.MonkeyPatch, journals_of_its_own: Path
) -> None:
    """It says so, and leaves nothing behind."""

    def full(*args: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Journal, what, full)
    with pytest.raises(ConfigError, match=r"database or disk is full; free some space.*; nothing was sent"):
        await prepared(file)
    assert not list(journals_of_its_own.glob("*.spool"))


@pytest.mark.asyncio
async def test_a_journal_that_cannot_be_moved_to_its_place_is_a_refusal(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may say only then that it is full."""

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"cannot keep the journal .*\.db: No space left on device; nothing was sent"):
        await prepared(file)


@pytest.mark.asyncio
async def test_standard_input_that_is_closed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As some schedulers leave it."""
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(ConfigError, match="cannot read standard input: it is closed; name a file"):
        await prepared("-")


@pytest.mark.asyncio
async def test_rows_that_have_changed_are_refused_with_choices_that_they_have() -> None:
    """Nobody can tell which rows of a list are new, and a job may well be finished."""
    begun = await prepared([row(1)], name="May")
    await asyncio.to_thread(finish, begun)

    with pytest.raises(ConfigError, match=r"has changed since job \w+ was begun with it; nothing was sent") as caught:
        await prepared([row(1), row(2)], name="May", on_changed_source="new rows only")
    assert "new-rows-only" not in str(caught.value)


@pytest.mark.asyncio
async def test_two_that_begin_the_same_import_have_one_journal(
    file: Path, monkeypatch: pytest.MonkeyPatch, journals_of_its_own: Path
) -> None:
    """The slower one goes on with what the faster has done, and does not put a fresh journal in its place."""
    done: list[Plan] = []
    take = JobLock.take

    def overtaken(journal: Path) -> JobLock:
        if journal.suffix == ".db":
            monkeypatch.setattr(JobLock, "take", take)
            done.append(asyncio.run(prepared(file)))
            finish(done[0])
        return take(journal)

    monkeypatch.setattr(JobLock, "take", overtaken)
    plan = await prepared(file)

    assert (plan.journal, plan.is_resumed, plan.to_send) == (done[0].journal, True, 0)
    assert not list(journals_of_its_own.glob("*.spool*"))
