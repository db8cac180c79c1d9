"""The one thread that writes a journal: in order, many at a time, and never silently."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leavo_async import JournalError
from leavo_async.bulk.history import Event
from leavo_async.bulk.journal import Journal, Verdict
from leavo_async.bulk.meter import Meter
from leavo_async.bulk.writer import Writer

from .journals import filled, quick

DONE = Verdict("done", outcome="created", attempts=1)


class Watched(Journal):
    """Counts its transactions; the first ones wait until they may begin; one that breaks fails."""

    gate: threading.Event
    transactions: int
    breaks: bool

    @contextmanager
    def transaction(self) -> Generator[None, None, None]:
        self.gate.wait()
        self.transactions += 1
        with super().transaction():
            yield
            if self.breaks:
                raise JournalError("the disk is full")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    journal = quick(filled(tmp_path / "job.db", 50))
    journal.__class__ = Watched
    assert isinstance(journal, Watched)
    journal.gate, journal.transactions, journal.breaks = threading.Event(), 0, False
    journal.gate.set()
    return journal


def seen(journal: Journal, work: Callable[[Journal], Any]) -> Any:
    """What a reader of the file sees."""
    view = Journal.view(journal.path)
    try:
        return work(view)
    finally:
        view.close()


async def seen_in(journal: Journal, state: str) -> int:
    return await asyncio.to_thread(seen, journal, lambda view: view.counts()[state])


@pytest.mark.asyncio
async def test_an_intent_is_on_the_disk_when_it_returns(watched: Watched) -> None:
    """And a result once the writer is closed."""
    writer = Writer(watched)
    await writer.intend(1, 10.0)
    assert await seen_in(watched, "in_flight") == 1
    writer.record(1, DONE, 11.0)
    await writer.aclose()

    assert await seen_in(watched, "done") == 1
    assert not any(thread.name == "leavo-journal" for thread in threading.enumerate())


@pytest.mark.asyncio
async def test_what_is_asked_is_done_in_its_order(watched: Watched) -> None:
    """A row that is sent again right after its result must not end as the result."""
    writer = Writer(watched)
    await writer.intend(1, 10.0)
    writer.record(1, Verdict("pending"), 11.0)
    await writer.intend(1, 12.0)
    assert await writer.do(lambda journal: journal.counts()["in_flight"]) == 1
    assert (await writer.pending(0, 2))[0].n == 2
    await writer.aclose()


@pytest.mark.asyncio
async def test_intents_that_gather_are_one_transaction(watched: Watched) -> None:
    """The disk is waited for once for all of them."""
    watched.gate.clear()
    writer = Writer(watched)
    asked = [asyncio.create_task(writer.intend(n, 10.0)) for n in range(1, 51)]
    await asyncio.sleep(0.01)
    watched.gate.set()
    await asyncio.gather(*asked)
    await writer.aclose()

    assert watched.transactions <= 3
    assert await seen_in(watched, "in_flight") == 50


@pytest.mark.asyncio
async def test_whoever_waits_does_not_wait_for_company(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody waits for is late on purpose; an intent before it is not."""
    monkeypatch.setattr("leavo_async.bulk.writer._LATE", 3600.0)
    writer = Writer(watched)
    watched.gate.clear()
    held = asyncio.create_task(writer.intend(1, 10.0))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(writer.intend(2, 10.0))
    await asyncio.sleep(0)
    writer.record(3, DONE, 10.0)
    watched.gate.set()
    async with asyncio.timeout(10):
        await held
        await waiting
    await writer.aclose()


@pytest.mark.asyncio
async def test_what_nobody_waits_for_is_written_soon(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results, slices, events and signs of life, although no row follows."""
    monkeypatch.setattr("leavo_async.bulk.writer._LATE", 0.0)
    writer = Writer(watched)
    await writer.do(lambda journal: journal.begin_run(1.0))
    writer.record(1, DONE, 10.0)
    writer.note(Event(1.0, "pause", "a moment"))
    writer.keep(Meter({}, {}, 0.0).slices(1.0)[0])
    writer.beat(1.0, 6.0)
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(
            seen, watched, lambda view: view.runs()[0].ended == 6.0 and view.counts()["done"]
        ):
            await asyncio.sleep(0.005)
    assert await writer.do(lambda journal: (len(journal.slices()), journal.events()[0].detail)) == (1, "a moment")
    await writer.aclose()


@pytest.mark.asyncio
async def test_a_failure_is_told_to_all_and_nothing_of_it_is_written(watched: Watched) -> None:
    """To who waits, to who asks later, and to who closes; a send that needs the intent never begins."""
    writer = Writer(watched)
    watched.breaks = True
    watched.gate.clear()
    asked = [asyncio.create_task(writer.intend(n, 10.0)) for n in (1, 2)]
    await asyncio.sleep(0.01)
    watched.gate.set()
    told = await asyncio.gather(*asked, return_exceptions=True)
    watched.breaks = False

    assert [str(error) for error in told] == ["the disk is full"] * 2
    writer.record(3, DONE, 10.0)
    with pytest.raises(JournalError, match="the disk is full"):
        await writer.intend(4, 10.0)
    with pytest.raises(JournalError, match="the disk is full"):
        await writer.aclose()
    assert await seen_in(watched, "pending") == 50


@pytest.mark.asyncio
async def test_a_defect_of_ours_is_told_as_well(watched: Watched) -> None:
    """Nobody waits for ever for a thread that has died."""
    writer = Writer(watched)
    with pytest.raises(JournalError, match=r"has failed .ZeroDivisionError"):
        await writer.do(lambda journal: 1 // 0)
    with pytest.raises(JournalError):
        await writer.aclose()


@pytest.mark.asyncio
async def test_who_has_gone_is_not_told(watched: Watched) -> None:
    """The intent of a cancelled caller is written all the same; the next run settles it."""
    watched.gate.clear()
    writer = Writer(watched)
    asked = asyncio.create_task(writer.intend(1, 10.0))
    await asyncio.sleep(0.01)
    asked.cancel()
    watched.gate.set()
    await asyncio.gather(asked, return_exceptions=True)
    await writer.aclose()

    assert await seen_in(watched, "in_flight") == 1


@pytest.mark.asyncio
async def test_a_closed_writer_refuses(watched: Watched) -> None:
    """Instead of letting one wait for ever; to close it again does nothing."""
    writer = Writer(watched)
    await writer.aclose()
    await writer.aclose()
    with pytest.raises(JournalError, match="closed already"):
        await writer.intend(1, 10.0)


def test_a_loop_that_was_closed_is_no_harm(watched: Watched) -> None:
    """What was asked before is written, and the thread lives on without it."""
    watched.gate.clear()

    async def leave() -> Writer:
        writer = Writer(watched)
        writer.record(1, DONE, 10.0)
        asked = asyncio.create_task(writer.intend(2, 10.0))
        await asyncio.sleep(0.01)
        asked.cancel()
        return writer

    writer = asyncio.run(leave())
    watched.gate.set()
    asyncio.run(writer.aclose())

    assert seen(watched, lambda view: (view.counts()["done"], view.counts()["in_flight"])) == (1, 1)


@pytest.mark.asyncio
async def test_it_tells_how_long_an_intent_takes(watched: Watched) -> None:
    """From the moment when it is asked for, whatever it waits for: an eighth of each that comes counts."""
    writer = Writer(watched)
    watched.gate.clear()
    waiting = asyncio.create_task(writer.intend(1, 1.0))
    await asyncio.sleep(0.016)
    before = writer.seconds_to_intend
    watched.gate.set()
    await waiting
    await writer.aclose()

    assert before == 0.0
    assert writer.seconds_to_intend > 0.001
