"""What a job does with its rows, and with a server that does not do as it should."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leavo_async import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConflictError,
    ConnectError,
    JournalError,
    LeavoError,
    NotFoundError,
    OutcomeUnknownError,
    ReadError,
    Request,
    Response,
    ResponseValidationError,
    RetryPolicy,
    Session,
)
from leavo_async.apis.leavo import LEAVO
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.journal import Journal
from leavo_async.bulk.report import Report
from leavo_async.bulk.reporting import report_of
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.verdicts import verdict_of
from leavo_async.testing import FakeTransport, reply

KEY = "made-up-key-1"
AT_ONCE = RetryPolicy(first_delay=0, max_delay=0)
Answer = Response | Exception
# Without the look-up that the profile's route has.
NO_ROUTE = replace(LEADS, path="/backend/people")


def rows(count: int) -> list[dict[str, Any]]:
    return [{"name": str(n), "phone": f"+55119{n:08d}"} for n in range(1, count + 1)]


class Server(FakeTransport):
    """Makes leads; `answers` says for which of them something goes wrong. It waits while `gate` is closed."""

    def __init__(self, answers: dict[int, Answer] | None = None, *, always: Answer | None = None) -> None:
        super().__init__()
        self.answers = answers or {}
        self.always = always
        self.written: list[int] = []
        self.inside = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, request: Request, progress: Any) -> Response:
        self.requests.append(request)
        if request.method == "GET":
            return reply(200, [])
        lead = json.loads(request.body or b"")
        number = int(lead["name"])
        self.written.append(number)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.gate.wait()
            await asyncio.sleep(0.001)
        finally:
            self.inside -= 1
        answer = self.always or self.answers.get(number, reply(201, {"id": str(number), **lead}))
        if isinstance(answer, Exception):
            raise answer
        return answer


def job(server: Server, source: object, **options: Any) -> BulkJob:
    session = Session(LEAVO, KEY, transport=server, limits=())
    return BulkJob(session, LEADS, source, **{"progress": False, "retry": AT_ONCE, **options})


async def states(report: Report) -> dict[int, str]:
    """Row -> state."""
    return await asyncio.to_thread(lambda: {row.row: row.state for row in report.rows()})


@pytest.mark.asyncio
async def test_each_row_is_sent_once_and_has_its_result() -> None:
    """A few at a time, never more than asked for."""
    server = Server()
    report = await job(server, [*rows(100), {"name": "bad", "phone": "12"}], concurrency=4).run()

    assert Counter(server.written) == Counter(range(1, 101))
    assert await states(report) == {**dict.fromkeys(range(1, 101), "done"), 101: "invalid"}
    assert server.most == 4


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "state", "outcome"),
    [
        (reply(409, {"error": "there is one", "code": "CONFLICT"}), "done", "existing"),
        (reply(400, {"error": "no", "code": "BAD_REQUEST"}), "failed", None),
        (reply(422, {"error": "no", "code": "INVALID"}), "failed", None),
        (reply(413), "failed", None),
        (reply(404, {"error": "no such status", "code": "NOT_FOUND"}), "failed", None),
        (reply(200, ["no lead"]), "unknown", None),
    ],
    ids=["409", "400", "422", "413", "404 with a code", "no lead"],
)
async def test_an_error_about_a_row_concerns_that_row_alone(answer: Response, state: str, outcome: str | None) -> None:
    """The others go on; a row that may be there is looked up."""
    stop_at: dict[str, Any] = {"max_seconds": 0.6} if state == "unknown" else {}
    report = await job(Server({5: answer}), rows(20), quarantine=60.0, **stop_at).run()

    found = await asyncio.to_thread(lambda: {row.row: row for row in report.rows()})
    assert (found[5].state, found[5].outcome) == (state, outcome)
    assert {row.state for n, row in found.items() if n != 5} == {"done"}
    assert len(found) == 20


@pytest.mark.asyncio
async def test_a_row_that_the_server_is_still_at_is_asked_for_again() -> None:
    """With the same key, until there is an answer: neither told to be there already, nor held."""

    class Busy(Server):
        async def send(self, request: Request, progress: Any) -> Response:
            if self.written.count(5) == 6:
                self.answers.clear()
            return await super().send(request, progress)

    server = Busy({5: reply(409, {"error": {"code": "IDEMPOTENCY_IN_PROGRESS"}})})
    session = Session(LEAVO, KEY, transport=server, limits=(), idempotency="honoured")
    options: dict[str, Any] = {"progress": False, "retry": AT_ONCE, "quarantine": 0.01, "concurrency": 1}
    report = await BulkJob(session, NO_ROUTE, rows(8), **options).run()

    assert report.outcomes == {"created": 8}
    assert server.written.count(5) == 7
    assert len({request.idempotency_key for request in server.requests}) == 8


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(401), "refused"),
        (reply(403), "refused"),
        (reply(404), "refused"),
        (reply(402), "quota"),
        (reply(429, None, {"Retry-After": "7200"}), "quota"),
        (ConnectError("no net"), "unreachable"),
    ],
    ids=["401", "403", "404 of the place", "402", "429 for two hours", "no net"],
)
async def test_an_error_that_every_row_would_meet_stops_the_job(answer: Answer, why: str) -> None:
    """A revoked key must not burn a file of a million rows: all of them are still to be sent, and it asks only once."""
    server = Server(always=answer)
    work = job(server, rows(1000), concurrency=4)
    report = await work.run()

    assert work.stopped is not None
    assert (work.stopped.why, work.stopped.because) == (why, report.stopped_by)
    assert set((await states(report)).values()) == {"pending"}
    assert set(server.written) == {1}


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [reply(401), reply(402)], ids=["401", "402"])
async def test_what_stops_it_later_burns_no_row_either(answer: Response) -> None:
    """The rows under way end; the others are left."""
    server = Server({5: answer})
    report = await job(server, rows(1000), concurrency=2).run()

    found = await states(report)
    assert found[5] == "pending"
    assert set(found.values()) == {"done", "pending"}
    assert len(server.written) < 20


@pytest.mark.asyncio
async def test_a_server_that_fails_every_write_is_not_asked_for_ever() -> None:
    """Ten rows of unknown outcome one after the other, and not one that was made, are enough."""
    report = await job(Server(always=reply(500)), rows(1000), retry=RetryPolicy(1, 0, 0)).run()

    assert Counter((await states(report)).values()) == {"unknown": 10, "pending": 990}
    assert report.stopped_by is not None
    assert "500" in report.stopped_by


@pytest.mark.asyncio
async def test_stopping_lets_rows_under_way_finish() -> None:
    """Every row that was taken up has its result; no other was touched."""
    server = Server()
    work = job(server, rows(1000), concurrency=4)
    running = asyncio.create_task(work.run())
    while len(server.written) < 1:
        await asyncio.sleep(0.001)
    server.gate.clear()
    while server.inside < 4:
        await asyncio.sleep(0.001)
    work.stop("enough")
    server.gate.set()
    report = await running

    assert (report.counts["done"], report.stopped_by) == (len(server.written), "enough")
    assert report.counts["in_flight"] == report.counts["unknown"] == 0


@pytest.mark.asyncio
async def test_stopped_before_it_began_it_sends_nothing() -> None:
    """Ctrl-C while the source was being read."""
    server = Server()
    work = job(server, rows(10))
    work.stop("early")
    report = await work.run()

    assert (server.requests, report.stopped_by, report.counts["pending"]) == ([], "early", 10)


@pytest.mark.asyncio
async def test_a_job_that_was_stopped_can_be_run_again() -> None:
    """What it was told before holds for the run that it was told to."""
    server = Server()
    work = job(server, rows(10))
    work.stop("early")
    assert (await work.run()).stopped_by == "early"

    assert (await work.run()).is_finished
    assert Counter(server.written) == Counter(range(1, 11))


@pytest.mark.asyncio
async def test_a_job_that_is_run_again_does_not_read_its_source_again() -> None:
    """A generator has no rows left then, and an import of none would be told to be finished."""
    server = Server({4: reply(401)})
    work = job(server, iter(rows(10)), concurrency=1)
    assert (await work.run()).counts["pending"] == 7

    server.answers.clear()
    report = await work.run()
    assert (report.counts["done"], report.is_finished) == (10, True)


@pytest.mark.asyncio
async def test_a_source_that_was_read_in_part_is_not_taken_for_the_whole() -> None:
    """The rows that a cancelled job has read are gone."""
    read = asyncio.Event()

    async def slow() -> AsyncIterator[dict[str, Any]]:
        for row in rows(10):
            yield row
            if row["name"] == "5":
                read.set()
                await asyncio.sleep(60)

    work = job(Server(), slow())
    running = asyncio.create_task(work.run())
    await read.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(ConfigError, match="can be read only once: give it anew; nothing was sent"):
        await work.run()


@pytest.mark.asyncio
async def test_a_clock_that_is_set_ends_no_run_and_mixes_up_none() -> None:
    """How long it has run is a matter of time that has passed, and what came last is not the latest by the clock."""
    clock = 1_700_000_000.0

    def wall() -> float:
        nonlocal clock
        clock += 3600.0
        return clock

    work = job(Server({5: reply(401)}), rows(10), concurrency=1, max_seconds=60)
    work._wall = wall
    report = await work.run()
    assert "401" in str(report.stopped_by)

    clock = 1_600_000_000.0
    work = job(Server({7: reply(402)}), rows(10), concurrency=1, max_seconds=60)
    work._wall = wall
    report = await work.run()
    assert "402" in str(report.stopped_by)
    assert report.counts["done"] == 6


@pytest.mark.asyncio
async def test_a_closed_session_tells_which_rows_were_under_way() -> None:
    """What may have been done is unknown, what was waiting is still to be sent."""
    server = Server()
    session = Session(LEAVO, KEY, transport=server, limits=(), max_in_flight=2)
    running = asyncio.create_task(BulkJob(session, LEADS, rows(50), concurrency=4, progress=False).run())
    while len(server.written) < 10:
        await asyncio.sleep(0.001)
    server.gate.clear()
    await asyncio.sleep(0.05)  # those that were past the gate come to their end
    while server.inside < 2 or session.status().in_flight + sum(session.status().waiting.values()) < 4:
        await asyncio.sleep(0.001)
    await session.aclose()
    report = await running

    assert (report.counts["unknown"], report.counts["in_flight"]) == (2, 0)
    assert report.counts["done"] + report.counts["pending"] == 48
    assert report.stopped_by is not None
    assert "closed" in report.stopped_by


@pytest.mark.asyncio
async def test_a_source_that_breaks_ends_the_job_with_its_error(journals_of_its_own: Path) -> None:
    """Before anything is sent, and nothing of it is left."""

    def broken() -> Iterator[dict[str, Any]]:
        yield from rows(3)
        raise OSError("disk")

    server = Server()
    with pytest.raises(OSError, match="disk"):
        await job(server, broken()).run()

    assert server.requests == []
    assert await asyncio.to_thread(lambda: list(journals_of_its_own.glob("*"))) == []


@pytest.mark.asyncio
async def test_a_progress_function_that_fails_ends_the_job_with_its_error() -> None:
    """At once: what is under way is finished, and nothing more is sent. What the error says is kept nowhere."""
    server = Server()

    def show(now: Snapshot) -> None:
        if now.sent >= 5:
            raise OSError("a full disk at Ana's")

    work = job(server, rows(1000), concurrency=2, progress=show)
    plan = await work.prepare()
    with pytest.raises(OSError, match="a full disk"):
        await work.run()

    assert len(server.written) < 1000
    report = await asyncio.to_thread(report_of, plan.journal)
    assert (report.counts["done"], report.counts["in_flight"]) == (len(server.written), 0)
    assert "Ana" not in repr((report.stopped_by, report.events, report.runs))


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["intend", "record"])
async def test_a_journal_that_cannot_be_written_ends_the_job(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: nothing is sent that it does not know of, and the next run settles what it has not heard of."""
    server, calls, write = Server(), 0, getattr(Journal, what)

    def full(self: Journal, *args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise sqlite3.OperationalError("database or disk is full")
        write(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, what, full)
        with pytest.raises(
            JournalError, match=r"cannot write the journal .*: database or disk is full; free some space"
        ):
            await job(server, rows(1000), concurrency=2).run()
    assert len(server.written) <= 5 + 2 * 2
    assert server.inside == 0

    report = await job(server, rows(1000), quarantine=0.0, concurrency=8).run()
    assert report.counts["done"] == 1000
    assert max(Counter(server.written).values()) <= 2


@pytest.mark.asyncio
async def test_a_job_that_is_prepared_has_sent_nothing(journals_of_its_own: Path) -> None:
    """It tells what it would do, with the checks of the real thing; and can be forgotten."""
    server = Server()
    mixed = [*rows(20), {"name": " ", "phone": ""}, {"name": "Nobody", "phone": "12"}, {"name": "9", "phone": 9}]
    work = job(server, [*mixed, rows(1)[0]])
    plan = await work.prepare()

    assert (plan.to_send, plan.rows, plan.facts.empty) == (20, 23, 1)
    assert plan.counts == {"pending": 20, "invalid": 2, "skipped": 1}
    assert json.loads(plan.first) == rows(1)[0]
    await work.discard()
    assert server.requests == []
    assert await asyncio.to_thread(lambda: list(journals_of_its_own.glob("*.db"))) == []


@pytest.mark.asyncio
async def test_options_that_cannot_work_are_refused_at_once() -> None:
    """Before the source is read."""
    with pytest.raises(ConfigError, match="concurrency=0: expected 1 to 32"):
        job(Server(), rows(1), concurrency=0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'workers'"):
        job(Server(), rows(1), workers=3)


def told(error: LeavoError, outcome: Any) -> LeavoError:
    error.outcome = outcome
    return error


VERDICTS: dict[str, tuple[Callable[[], LeavoError], str, str, str]] = {
    # the error; the state of a new row, of one that was unknown, and of one whose conflict proves nothing
    "conflict": (lambda: ConflictError("x", status=409), "done", "done", "failed"),
    "bad request": (lambda: BadRequestError("x", status=400), "failed", "failed", "failed"),
    "no such thing": (lambda: NotFoundError("x", status=404, code="N"), "failed", "failed", "failed"),
    "no such place": (lambda: NotFoundError("x", status=404), "pending", "unknown", "pending"),
    "no key": (lambda: AuthenticationError("x"), "pending", "unknown", "pending"),
    "not connected": (lambda: told(ConnectError("x"), "not sent"), "pending", "unknown", "pending"),
    "reset": (lambda: told(ReadError("x"), "unknown"), "unknown", "unknown", "unknown"),
    "unknown": (lambda: OutcomeUnknownError("x"), "unknown", "unknown", "unknown"),
    "unreadable": (lambda: ResponseValidationError("x"), "unknown", "unknown", "unknown"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_state_of_a_row_follows_from_the_error_of_its_call(name: str) -> None:
    """A row that may be there stays so, unless the server has said what it is; a refusal costs no row a new one."""
    make, new, unknown, other = VERDICTS[name]
    found = [
        verdict_of(make(), has_natural_key=has_natural_key, was_unknown=was_unknown).state
        for has_natural_key, was_unknown in ((True, False), (True, True), (False, False))
    ]

    assert found == [new, unknown, other]


def test_a_conflict_about_a_row_that_may_be_there_is_held() -> None:
    """Where no natural key says what it is about."""
    verdict = verdict_of(ConflictError("x", status=409), has_natural_key=False, was_unknown=True)

    assert verdict.state == "held"
