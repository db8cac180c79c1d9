from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from leavo_async import (
    AuthenticationError,
    BadRequestError,
    ClosedError,
    ConflictError,
    ConnectError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    ResponseValidationError,
)
from leavo_async.bulk.importer import Importer, InvalidRowError
from leavo_async.bulk.results import RowResult
from leavo_async.bulk.rows import Row
from leavo_async.bulk.survey import survey

pytestmark = pytest.mark.asyncio


def rows(count: int) -> list[Row]:
    return [Row(line, {"n": str(line)}) for line in range(2, count + 2)]


def check(row: Row) -> int:
    number = int(row.values["n"])
    if number % 10 == 0:
        raise InvalidRowError("ends with a zero")
    return number


class Server:
    """Writes numbers; `answers` says for which of them something goes wrong."""

    def __init__(self, answers: dict[int, Exception] | None = None) -> None:
        self.answers = answers or {}
        self.written: list[int] = []
        self.inside = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, number: int) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.written.append(number)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            if number in self.answers:
                raise self.answers[number]
        finally:
            self.inside -= 1


class Told:
    def __init__(self) -> None:
        self.results: list[RowResult] = []

    async def __call__(self, result: RowResult) -> None:
        self.results.append(result)

    def states(self) -> dict[int, str]:
        return {result.row.line: result.state for result in self.results}


def importer(server: Server, told: Told, concurrency: int = 4) -> Importer[int]:
    return Importer(check, server.write, told, concurrency=concurrency)


async def test_each_row_is_written_once_and_told_once() -> None:
    """A few at a time, never more than asked for."""
    server, told = Server(), Told()
    tally = await importer(server, told).run(rows(100))

    assert sorted(server.written) == [n for n in range(2, 102) if n % 10]
    assert sorted(told.states()) == list(range(2, 102))
    assert dict(tally.counts) == {"created": 90, "rejected": 10}
    assert server.most == 4


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ConflictError("x", status=409), "existing"),
        (BadRequestError("x", status=400), "rejected"),
        (OutcomeUnknownError("x"), "unknown"),
        (ResponseValidationError("x"), "unknown"),
        (NotFoundError("x", status=404, code="NOT_FOUND"), "rejected"),
    ],
)
async def test_an_error_about_a_row_concerns_that_row_alone(error: Exception, state: str) -> None:
    """The others go on."""
    told = Told()
    run = importer(Server({5: error}), told)
    await run.run(rows(20))

    assert told.states()[5] == state
    assert (len(told.results), run.stopped_by) == (20, None)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("no key"),
        ConnectError("no net"),
        RateLimitError("too long", status=429),
        NotFoundError("no place", status=404),
    ],
)
async def test_an_error_that_every_row_would_meet_stops_the_import(error: Exception) -> None:
    """A revoked key must not burn a file of a million rows."""
    server, told = Server({5: error}), Told()
    run = importer(server, told)
    tally = await run.run(rows(1000))

    assert run.stopped_by == str(error)
    assert told.states()[5] == "unsent"
    assert len(server.written) < 20
    assert len(told.results) == tally.rows == tally.last_line - 1


async def test_a_server_that_fails_every_write_is_not_asked_for_ever() -> None:
    """Ten rows of unknown outcome one after the other are enough."""
    server, told = Server({n: OutcomeUnknownError("500") for n in range(2000)}), Told()
    run = importer(server, told, concurrency=1)
    await run.run(rows(1000))

    assert list(told.states().values()).count("unknown") == 10
    assert run.stopped_by is not None
    assert "10 rows" in run.stopped_by


async def test_stopping_lets_rows_under_way_finish() -> None:
    """Every row that was taken up has its result; no other was touched."""
    server, told = Server(), Told()
    server.gate.clear()
    run = importer(server, told)
    task = asyncio.create_task(run.run(rows(1000)))
    while server.inside < 4:
        await asyncio.sleep(0)
    run.stop("enough")
    server.gate.set()
    tally = await task

    assert (len(told.results), tally.last_line, run.stopped_by) == (4, 5, "enough")


async def test_stopped_before_it_began_it_sends_nothing() -> None:
    """Ctrl-C while the file was being looked through."""
    server = Server()
    run = importer(server, Told())
    run.stop("early")
    await run.run(rows(10))

    assert server.written == []


async def test_a_closed_session_tells_which_rows_were_under_way() -> None:
    """Stopped at once: what may have been done is "unknown", what was waiting is "unsent"."""
    flying, waiting = ClosedError("x"), ClosedError("x")
    flying.outcome = "unknown"
    told = Told()
    await importer(Server({2: flying, 3: waiting}), told).run(rows(2))

    assert told.states() == {2: "unknown", 3: "unsent"}


async def test_a_source_that_breaks_ends_the_import_with_its_error() -> None:
    """And what was read before it is sent."""

    def broken() -> Iterator[Row]:
        yield from rows(3)
        raise OSError("disk")

    server = Server()
    with pytest.raises(OSError, match="disk"):
        await importer(server, Told()).run(broken())

    assert sorted(server.written) == [2, 3, 4]


async def test_a_listener_that_fails_ends_the_import_with_its_error() -> None:
    """A full disk under the rejects file: nothing more is sent, what is under way is finished."""
    server = Server()

    async def full(result: RowResult) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await Importer(check, server.write, full, concurrency=2).run(rows(1000))

    assert len(server.written) <= 4


async def test_cancelling_the_import_leaves_no_task() -> None:
    """CancelledError passes through."""
    server = Server()
    server.gate.clear()
    task = asyncio.create_task(importer(server, Told()).run(rows(1000)))
    while server.inside < 4:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (server.inside, len(asyncio.all_tasks())) == (0, 1)


async def test_a_slow_server_does_not_fill_the_memory() -> None:
    """No more rows are read ahead than can be sent soon."""
    read = 0

    def counted() -> Iterator[Row]:
        nonlocal read
        for row in rows(10_000):
            read += 1
            yield row

    server = Server()
    server.gate.clear()
    run = importer(server, Told())
    task = asyncio.create_task(run.run(counted()))
    while server.inside < 4:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert read <= 4 + 2 * 4 + 1
    run.stop("enough")
    server.gate.set()
    await task


async def test_a_survey_finds_what_an_import_would_reject() -> None:
    """With the same check, and without sending."""
    mixed: list[Row] = [*rows(20), Row(30, {"n": " "}), Row(31, {}, "not UTF-8")]
    kept: list[Any] = []
    found = survey(mixed, check, on_result=kept.append)

    assert (found.rows, found.to_send, found.tally.counts["empty"]) == (22, 18, 1)
    assert [result.row.line for result in found.tally.open_rows] == [10, 20, 31]
    assert len(kept) == 4
