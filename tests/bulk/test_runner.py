"""One run of a job, moment by moment: what is sent when, and why it stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from blockbuster import BlockBuster

from leavo_async import (
    ConfigError,
    ConnectError,
    JournalError,
    LeavoError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ReadError,
    ResponseValidationError,
    ServerError,
    UnprocessableError,
)
from leavo_async._sansio.idempotency import Repeat
from leavo_async.bulk.journal import Journal, OpenRow, Spooled, Verdict
from leavo_async.bulk.meter import Meter
from leavo_async.bulk.runner import Runner
from leavo_async.bulk.settling import MAX_TRIES, Found, Means
from leavo_async.bulk.verdicts import Stop
from leavo_async.errors import AuthenticationError, ClosedError
from leavo_async.testing import virtual_time

from .journals import filled, in_vain, row
from .world import InlineWriter

NATURAL = Means(Repeat.NATURAL, 86_400.0, can_look_up=True, sees_all=True)
DONE = Verdict("done", "created", attempts=1)
REFUSED = UnprocessableError("not so", status=422)
LOST = ReadError("the connection broke")
DOWN = ConnectError("refused")


@pytest.fixture(autouse=True)
def journal_on_the_loop(no_blocking_call_on_the_loop: BlockBuster) -> None:
    """A thread would need real time."""
    no_blocking_call_on_the_loop.deactivate()


def busy(seconds: float) -> RateLimitError:
    """A 429 that asks for so many seconds, counted from when it comes."""
    error = RateLimitError("too many", status=429)
    error.retry_after = seconds
    return error


class Late(NamedTuple):
    """An answer that takes longer than a second."""

    seconds: float
    answer: Any


class Script:
    """Gives for each send, or look-up, what is next, a second later; at the end that it is done, or not there."""

    has_natural_key = False

    def __init__(self, sends: dict[int, list[Any]], finds: list[Any], means: Means) -> None:
        self.means = means
        self.sent: list[tuple[int, float]] = []
        self.found_at: list[float] = []
        self.under_way = self.most = 0
        self.wall: Callable[[], float]
        self._sends = sends
        self._finds = finds

    def means_for(self, row: OpenRow) -> Means:
        return self.means

    async def send(self, row: OpenRow) -> Verdict:
        self.sent.append((row.n, self._now()))
        return await self._next(self._sends.get(row.n), DONE)

    async def find(self, row: OpenRow) -> Found:
        self.found_at.append(self._now())
        return await self._next(self._finds, Found([]))

    def found(self, thing: Any) -> Verdict:
        return Verdict("done", "confirmed", id=thing, attempts=1)

    async def _next(self, answers: list[Any] | None, default: Any) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            answer = answers.pop(0) if answers else default
            seconds, answer = answer if isinstance(answer, Late) else (1, answer)
            await asyncio.sleep(seconds)
        finally:
            self.under_way -= 1
        if isinstance(answer, RateLimitError) and answer.retry_after is not None:
            answer.retry_at = self.wall() + answer.retry_after
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _now(self) -> float:
        return round(asyncio.get_running_loop().time() - 1000.0, 1)


OPENED: list[Journal] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Python 3.13 warns of a database that nobody has closed."""
    yield
    while OPENED:
        OPENED.pop().close()


class Bench:
    """A runner over a journal, and what there is to see of it."""

    def __init__(
        self,
        folder: Path,
        rows: int | Iterable[Spooled] = 3,
        sends: dict[int, list[Any]] | None = None,
        finds: list[Any] | None = None,
        means: Means = NATURAL,
        **options: Any,
    ) -> None:
        self.journal = in_vain(filled(folder / "job.db", rows))
        OPENED.append(self.journal)
        self.journal.adopt()
        self.script = Script(sends or {}, finds or [], means)
        self.script.wall = self.wall
        self.set_ahead = 0.0
        self.writer = InlineWriter(self.journal)
        told: dict[str, Any] = {
            "workers": lambda: 1,
            "quarantine": 60.0,
            "patience": 900.0,
            "max_failed": None,
            "wall": self.wall,
        }
        self.meter = Meter(self.journal.counts(), {}, self.wall())
        unknown = self.journal.unknown()
        self.runner = Runner(
            self.writer,  # type: ignore[arg-type]
            self.script,  # type: ignore[arg-type]
            self.meter,
            unknown=unknown,
            **{**told, **options},
        )

    def wall(self) -> float:
        return asyncio.get_running_loop().time() + self.set_ahead

    async def run(self) -> Stop | None:
        """Why it stopped; the journal then agrees with what was counted, and nothing is under way."""
        stopped = await self.runner.run()
        await asyncio.sleep(0.2)
        assert self.runner.in_flight == self.script.under_way == 0
        assert self.states == {state: count for state, count in self.meter.counts.items() if count}
        return stopped

    @property
    def states(self) -> Counter[Any]:
        return self.journal.counts()

    def reason(self, n: int) -> str:
        return next(each.reason for each in self.journal.rows() if each.row == n)


@virtual_time
async def test_one_row_goes_first_and_then_as_many_as_may(tmp_path: Path) -> None:
    """Until the server has answered, one is enough to find out whether it does."""
    bench = Bench(tmp_path, 9, workers=lambda: 4)

    assert await bench.run() is None
    assert [at for _, at in bench.script.sent] == [0, *[1.0] * 4, *[2.0] * 4]
    assert [sorted(n for n, at in bench.script.sent if at == moment) for moment in (0, 1, 2)] == [
        [1], [2, 3, 4, 5], [6, 7, 8, 9],
    ]  # fmt: skip
    assert bench.script.most == 4


@virtual_time
async def test_an_unknown_row_is_settled_when_its_quarantine_ends(tmp_path: Path) -> None:
    """Not a moment earlier; the other rows go on meanwhile."""
    bench = Bench(tmp_path, 3, {1: [DONE], 2: [LOST]}, [Found(["L2"])])

    assert await bench.run() is None
    assert [n for n, _ in bench.script.sent] == [1, 2, 3]
    assert bench.script.found_at == [62.0]
    assert bench.states == {"done": 3}


@virtual_time
async def test_a_row_that_a_dead_process_has_sent_is_in_quarantine_too(tmp_path: Path) -> None:
    """All of it: clocks may have been set since, and tell nothing of when it was sent."""
    bench = Bench(tmp_path, [row(1, state="in_flight")])

    assert await bench.run() is None
    assert bench.script.found_at == [60.0]
    assert bench.script.sent == [(1, 61.0)]


@virtual_time
async def test_a_clock_that_is_set_forward_ends_no_quarantine(tmp_path: Path) -> None:
    """The dead request may still be under way at the server, whatever the wall says."""
    bench = Bench(tmp_path, 99, {2: [LOST]}, [Found(["L2"])])
    asyncio.get_running_loop().call_later(10, setattr, bench, "set_ahead", 3600.0)

    assert await bench.run() is None
    assert 62.0 <= bench.script.found_at[0] < 64.0


@virtual_time
async def test_a_row_that_was_not_found_is_sent_again(tmp_path: Path) -> None:
    """With its key and its bytes; where keys are honoured, without a look-up."""
    keyed = Means(Repeat.KEYED, 86_400.0, can_look_up=True, sees_all=True)
    for number, (means, look_ups) in enumerate(((NATURAL, 1), (keyed, 0))):
        (tmp_path / str(number)).mkdir()
        bench = Bench(tmp_path / str(number), 2, {2: [LOST]}, means=means)
        assert await bench.run() is None
        assert [n for n, _ in bench.script.sent] == [1, 2, 2]
        assert len(bench.script.found_at) == look_ups


@virtual_time
async def test_what_a_look_up_cannot_tell_is_held(tmp_path: Path) -> None:
    """Several that may be it; none in a listing that does not show all, or was not read to its end."""
    partly = NATURAL._replace(sees_all=False)
    blind = Means(Repeat.UNSAFE, 0.0, can_look_up=False, sees_all=False)
    cases = [
        (NATURAL, Found(["a", "b"]), "2 found that may be it"),
        (partly, Found([]), "none found, and the listing does not show all"),
        (NATURAL, Found([], is_all=False), "none found, and the listing does not show all"),
        (blind, None, "nothing can tell it"),
    ]
    for number, (means, found, reason) in enumerate(cases):
        (tmp_path / str(number)).mkdir()
        bench = Bench(tmp_path / str(number), 2, {2: [LOST]}, [found], means)
        assert await bench.run() is None
        assert bench.states == {"done": 1, "held": 1}
        assert reason in bench.reason(2)
        assert [n for n, _ in bench.script.sent] == [1, 2]


@virtual_time
async def test_a_row_that_never_gets_an_answer_is_held_in_the_end(tmp_path: Path) -> None:
    """After so many tries somebody should look."""
    bench = Bench(tmp_path, 2, {2: [LOST] * 99})

    assert await bench.run() is None
    assert bench.states == {"done": 1, "held": 1}
    assert [n for n, _ in bench.script.sent] == [1] + [2] * (MAX_TRIES + 1)


@virtual_time
async def test_a_look_up_that_reached_nobody_is_no_try(tmp_path: Path) -> None:
    """A network that is away for an hour must not leave rows for people to look at."""
    bench = Bench(tmp_path, 2, {2: [LOST]}, [DOWN] * 50 + [Found(["L2"])], patience=1e9)

    assert await bench.run() is None
    assert bench.states == {"done": 2}
    assert len(bench.script.found_at) == 51


@virtual_time
async def test_a_look_up_that_always_fails_ends_the_run_and_not_the_row(tmp_path: Path) -> None:
    """The server is not well; the next run looks again."""
    bench = Bench(tmp_path, 2, {2: [LOST]}, [LOST] * 99)

    assert await bench.run() == Stop("unreachable", "the connection broke")
    assert bench.states == {"done": 1, "unknown": 1}


@virtual_time
@pytest.mark.parametrize(
    "error",
    [
        PermissionDeniedError("no right to read", status=403),
        NotFoundError("no such place", status=404),
        ResponseValidationError("no listing"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_look_up_that_can_never_work_holds_its_row_and_nothing_else(error: LeavoError, tmp_path: Path) -> None:
    """A key that may write and not read sends all rows; those that nobody else can tell are for you to look up."""
    bench = Bench(tmp_path, 99, {2: [LOST], 3: [LOST]}, [error, error])

    assert await bench.run() is None
    assert bench.states == {"done": 97, "held": 2}
    assert f"the look-up failed: {error}" in bench.reason(2)


@virtual_time
async def test_a_first_answer_of_429_is_waited_for(tmp_path: Path) -> None:
    """The server is there, whether it says how long it wants to be let alone or not; but not for ever."""
    bench = Bench(tmp_path, 3, {1: [RateLimitError("too many", status=429)] * 6})
    assert await bench.run() is None
    assert bench.states == {"done": 3}
    assert [n for n, _ in bench.script.sent] == [1] * 7 + [2, 3]

    (tmp_path / "2").mkdir()
    bench = Bench(tmp_path / "2", 3, {1: [RateLimitError("too many", status=429)] * 999})
    assert await bench.run() == Stop("unreachable", "too many")
    assert bench.states == {"pending": 3}
    assert 900 < bench.script.sent[-1][1] < 1000


@virtual_time
async def test_a_server_that_says_when_it_will_be_well_is_asked_then(tmp_path: Path) -> None:
    """Also if it has never said anything else: not one row after the other must become one of unknown outcome."""
    error = ServerError("in maintenance", status=503)
    error.retry_at = 1000.0 + 301.0
    bench = Bench(tmp_path, 9, {1: [error]})
    assert await bench.run() is None
    assert bench.states == {"done": 9}
    assert bench.script.found_at == [301.0]
    assert bench.script.sent[:2] == [(1, 0.0), (1, 302.0)]


@virtual_time
async def test_a_new_server_whose_successes_nobody_can_read_gets_two_rows(tmp_path: Path) -> None:
    """It is not ours: no thousand rows for it, not even ten. Once may be an accident."""
    page = ProtocolError("a page of HTML")
    page.outcome = "done"
    bench = Bench(tmp_path, 50, {1: [page], 2: [page]})
    assert await bench.run() == Stop("unreachable", "a page of HTML")
    assert bench.states == {"unknown": 2, "pending": 48}

    (tmp_path / "2").mkdir()
    bench = Bench(tmp_path / "2", 50, {1: [page], 3: [page], 4: [page]})
    assert await bench.run() is None
    assert bench.states == {"done": 50}


@virtual_time
async def test_a_server_that_is_busy_is_let_alone_until_then(tmp_path: Path) -> None:
    """And the row is sent again; it was not taken."""
    bench = Bench(tmp_path, 3, {2: [busy(40.0)]})

    assert await bench.run() is None
    assert bench.script.sent == [(1, 0.0), (2, 1.0), (2, 42.0), (3, 43.0)]
    assert [event.kind for event in bench.journal.events()] == ["pause"]


@virtual_time
async def test_a_shorter_wait_does_not_end_a_longer_pause(tmp_path: Path) -> None:
    """The server has asked for it, and a broken connection has not taken it back."""
    bench = Bench(tmp_path, 9, {2: [busy(40.0)], 3: [Late(2, LOST)], 4: [Late(3, busy(5.0))]}, workers=lambda: 4)
    await bench.run()

    assert [at for _, at in sorted(bench.script.sent, key=lambda sent: sent[1])][:6] == [0.0, *[1.0] * 4, 42.0]


@virtual_time
async def test_a_pause_of_hours_is_a_quota(tmp_path: Path) -> None:
    """Somebody should know; the rows stay."""
    bench = Bench(tmp_path, 3, {2: [busy(7200.0)]})

    assert await bench.run() == Stop("quota", "too many")
    assert bench.states == {"done": 1, "pending": 2}


@virtual_time
async def test_a_server_that_went_away_is_asked_more_and_more_rarely(tmp_path: Path) -> None:
    """By one row at a time; when it is back all go on."""
    bench = Bench(tmp_path, 9, {2: [DOWN] * 4}, workers=lambda: 1)

    assert await bench.run() is None
    assert [at for n, at in bench.script.sent if n == 2] == [1.0, 3.0, 6.0, 11.0, 20.0]
    assert bench.states == {"done": 9}


@virtual_time
async def test_patience_ends_a_run_and_fails_no_row(tmp_path: Path) -> None:
    """Waiting is not failing."""
    bench = Bench(tmp_path, 9, {n: [DOWN] * 999 for n in range(2, 10)}, workers=lambda: 4, patience=100.0)

    assert await bench.run() == Stop("unreachable", "refused")
    assert bench.states == {"done": 1, "pending": 8}
    assert bench.script.sent[-1][1] > 100.0


@virtual_time
async def test_a_server_that_never_answers_gets_ten_rows(tmp_path: Path) -> None:
    """One after the other."""
    bench = Bench(tmp_path, 30, {n: [LOST] for n in range(1, 31)}, workers=lambda: 4)

    assert await bench.run() == Stop("unreachable", "the connection broke")
    assert (len(bench.script.sent), bench.script.most) == (10, 1)
    assert bench.states == {"unknown": 10, "pending": 20}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (AuthenticationError("revoked", status=401), "refused"),
        (ConfigError("read-only session"), "refused"),
        (ClosedError("closed"), "asked"),
    ],
    ids=lambda value: getattr(value, "args", [value])[0],
)
@virtual_time
async def test_what_meets_every_row_stops_the_run(error: Exception, why: str, tmp_path: Path) -> None:
    """A key that is revoked burns no row."""
    bench = Bench(tmp_path, 9, {n: [error] for n in range(2, 10)}, workers=lambda: 4)
    stopped = await bench.run()

    assert stopped == Stop(why, str(error))  # type: ignore[arg-type]
    assert bench.states == {"done": 1, "pending": 8}
    assert len(bench.script.sent) == 5


@virtual_time
async def test_a_stop_lets_those_under_way_come_to_their_end(tmp_path: Path) -> None:
    """And takes up no other."""
    bench = Bench(tmp_path, 9, workers=lambda: 3)
    asyncio.get_running_loop().call_later(1.5, bench.runner.stop, Stop("asked", "lunch"))

    assert await bench.run() == Stop("asked", "lunch")
    assert bench.states == {"done": 4, "pending": 5}
    assert [event.detail for event in bench.journal.events()] == ["lunch"]


@virtual_time
async def test_a_stop_ends_a_pause(tmp_path: Path) -> None:
    """Nobody waits for an hour to see it stop."""
    bench = Bench(tmp_path, 3, {2: [busy(3000.0)]})
    asyncio.get_running_loop().call_later(10, bench.runner.stop, Stop("asked", "lunch"))
    await bench.run()

    assert bench.wall() < 1011


@virtual_time
async def test_so_many_rows_may_fail(tmp_path: Path) -> None:
    """One more ends the run."""
    bench = Bench(tmp_path, 9, {n: [REFUSED] for n in range(1, 10)}, max_failed=2)

    assert await bench.run() == Stop("errors", "more than 2 rows have failed")
    assert bench.states == {"failed": 3, "pending": 6}


@virtual_time
async def test_nothing_is_sent_that_the_journal_does_not_know_of(tmp_path: Path) -> None:
    """An intent that could not be written: the row is not sent, and the error comes out."""
    bench = Bench(tmp_path, 9, workers=lambda: 2)
    intend = bench.writer.intend

    async def full(n: int, now: float) -> None:
        if n == 4:
            raise JournalError("the disk is full")
        await intend(n, now)

    bench.writer.intend = full  # type: ignore[method-assign]
    with pytest.raises(JournalError, match="the disk is full"):
        await bench.runner.run()

    assert 4 not in {n for n, _ in bench.script.sent}
    assert len(bench.script.sent) < 6
    assert bench.script.under_way == 0


@virtual_time
async def test_the_intent_is_written_before_the_row_is_sent(tmp_path: Path) -> None:
    """It is what lets the next process know that it may be there."""
    bench = Bench(tmp_path, 3)
    seen: list[str] = []
    send = bench.script.send

    async def watched(row: OpenRow) -> Verdict:
        found = bench.journal.one(row.n)
        assert found is not None
        seen.append(found.state)
        return await send(row)

    bench.script.send = watched  # type: ignore[method-assign]
    await bench.run()

    assert seen == ["in_flight"] * 3


@virtual_time
async def test_what_nobody_has_thought_of_comes_out(tmp_path: Path) -> None:
    """From a row or from whoever watches; those under way come to their end, and nothing hangs."""
    for number, breaks in enumerate(("row", "watcher")):
        (tmp_path / str(number)).mkdir()
        bench = Bench(
            tmp_path / str(number), 9, {3: [ZeroDivisionError("ours")] if breaks == "row" else []}, workers=lambda: 3
        )
        if breaks == "watcher":

            async def watch() -> None:
                await asyncio.sleep(1.5)
                raise ZeroDivisionError("ours")

            asyncio.create_task(watch()).add_done_callback(bench.runner.watched)
        with pytest.raises(ZeroDivisionError, match="ours"):
            await bench.runner.run()
        await asyncio.sleep(0.2)
        assert bench.states["in_flight"] == (breaks == "row")
        assert len(bench.script.sent) == 4


@virtual_time
async def test_a_cancelled_run_cancels_what_is_under_way(tmp_path: Path) -> None:
    """Its rows stay in flight in the journal: the next run settles them."""
    bench = Bench(tmp_path, 9, workers=lambda: 3)
    running = asyncio.create_task(bench.runner.run())
    await asyncio.sleep(1.5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert bench.script.under_way == 0
    assert bench.states == {"done": 1, "in_flight": 3, "pending": 5}
    assert bench.journal.adopt() == 3
