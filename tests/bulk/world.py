"""A world in which everything goes wrong that may go wrong: a server, a network, and processes that die."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leavo_async import ConnectError, LeavoError, RateLimitError, ReadError, ServerError, UnprocessableError
from leavo_async._sansio.idempotency import Repeat
from leavo_async.bulk.history import Event
from leavo_async.bulk.journal import Journal, OpenRow, Verdict
from leavo_async.bulk.keys import row_key
from leavo_async.bulk.meter import Meter
from leavo_async.bulk.run import _begin
from leavo_async.bulk.runner import Runner
from leavo_async.bulk.settling import Found, Means
from leavo_async.errors import AuthenticationError, ConflictError

from .journals import in_vain

# Seconds: a request is acted on at the latest so long after it was sent, and the listing is behind at the most so long.
SLOWEST, LAG = 30.0, 30.0
QUARANTINE = SLOWEST + LAG
KEY_LASTS = 250.0

FATES = (
    "done", "refused", "lost before", "lost after", "acted on later", "stored 500", "429", "no connection", "401",
)  # fmt: skip
SIGHTS = ("true", "no connection", "500", "429", "lost")


@dataclass(frozen=True)
class Manners:
    """How the server behaves. repeat: what is known of that. is_unique: it refuses what it has already."""

    repeat: Repeat
    honours: bool = False
    is_unique: bool = False
    can_look_up: bool = True
    sees_all: bool = True


class Server:
    """It has things, under the body that made them. What was sent to it goes on when the sender is dead.

    twins: rows for which its listing shows two things that somebody else has made.
    """

    def __init__(self, manners: Manners, fates: list[tuple[str, float]], sights: list[str], twins: set[int]) -> None:
        self.manners = manners
        self.made: list[tuple[bytes, float]] = []
        self.requests: list[tuple[str, int]] = []
        self.twins = twins
        self._fates = iter(fates)
        self._sights = iter(sights)
        self._answers: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()

    def has(self, body: bytes) -> int:
        """How often it has this."""
        return sum(made == body for made, _ in self.made)

    async def post(self, row: OpenRow, wall: Callable[[], float]) -> bool:
        """Whether it was a replay. Raises what a session would raise."""
        fate, share = next(self._fates, ("done", 0.01))
        key = row_key("import", row.n, row.gen)
        self.requests.append((key, row.n))
        if fate in ("no connection", "429", "401"):
            await asyncio.sleep(share)
            raise _refusal(fate, wall() + 40 * share)
        late = SLOWEST if fate == "acted on later" else SLOWEST * share * 0.9
        acted = self._loop.create_future()
        acted.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        if fate != "lost before":
            self._loop.call_later(late, self._act, row.body, key, fate == "refused", acted)
        if fate in ("lost before", "acted on later"):
            await asyncio.sleep(SLOWEST * share)
            raise ReadError("the connection broke")
        was_replay = await asyncio.shield(acted)
        if fate == "lost after":
            raise ReadError("the connection broke")
        if fate == "stored 500":
            raise ServerError("failed after it had acted", status=500)
        return was_replay

    def _act(self, body: bytes, key: str, is_refused: bool, acted: asyncio.Future[bool]) -> None:
        now = self._loop.time()
        answered = self._answers.get(key)
        if self.manners.honours and answered is not None and now - answered < KEY_LASTS:
            acted.set_result(True)
        elif self.manners.is_unique and self.has(body):
            acted.set_exception(ConflictError("exists already", status=409))
        elif is_refused:
            acted.set_exception(UnprocessableError("not so", status=422))
        else:
            self.made.append((body, now))
            self._answers[key] = now
            acted.set_result(False)

    async def find(self, row: OpenRow, wall: Callable[[], float]) -> Found:
        """What its listing shows: it is behind."""
        sight = next(self._sights, "true")
        await asyncio.sleep(0.5)
        if sight in ("no connection", "429"):
            raise _refusal(sight, wall() + 30)
        if sight in ("500", "lost"):
            raise ServerError("cannot list", status=500) if sight == "500" else ReadError("the connection broke")
        visible = [body for body, at in self.made if body == row.body and self._loop.time() - at >= LAG]
        if not self.manners.sees_all and row.n % 2:
            return Found([])
        return Found(visible + [b"another's"] * 2 if row.n in self.twins else visible)


class FakeSending:
    """Sends to such a server."""

    def __init__(self, server: Server, wall: Callable[[], float]) -> None:
        manners = server.manners
        self.means = Means(manners.repeat, KEY_LASTS, manners.can_look_up, manners.sees_all)
        self.has_natural_key = manners.is_unique
        self._server = server
        self._wall = wall

    def means_for(self, row: OpenRow) -> Means:
        return self.means

    async def send(self, row: OpenRow) -> Verdict:
        was_replay = await self._server.post(row, self._wall)
        return Verdict("done", outcome="confirmed" if was_replay else "created", attempts=1)

    async def find(self, row: OpenRow) -> Found:
        return await self._server.find(row, self._wall)

    def found(self, thing: Any) -> Verdict:
        return Verdict("done", outcome="confirmed", attempts=1)


class InlineWriter:
    """A writer without a thread. What nobody waits for is written a moment later, or never if the process dies."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._late: list[Callable[[], Any]] = []
        self._is_dead = False

    async def intend(self, n: int, now: float) -> None:
        await asyncio.sleep(0.004)
        self._written(lambda: self.journal.intend(n, now))

    async def pending(self, after: int, limit: int) -> list[OpenRow]:
        await asyncio.sleep(0.001)
        return self._written(lambda: self.journal.pending(after, limit))

    def record(self, n: int, verdict: Verdict, now: float) -> None:
        self._late.append(lambda: self.journal.record(n, verdict, now))
        asyncio.get_running_loop().call_later(0.1, self._written, lambda: None)

    def note(self, event: Event) -> None:
        self._late.append(lambda: self.journal.note(event))

    def die(self, *, all_written: bool) -> None:
        if all_written:
            self._written(lambda: None)
        self._is_dead = True
        self.journal.close()

    def _written(self, work: Callable[[], Any]) -> Any:
        if self._is_dead:
            return None
        late, self._late = self._late, []
        with self.journal.transaction():
            for each in late:
                each()
            return work()


class World:
    """A job in such a world: runs that die, one after the other, and a last one that does not."""

    def __init__(self, path: Path, server: Server, *, workers: int) -> None:
        self.server = server
        self.set_ahead = 0.0
        self._path = path
        self._workers = workers
        self._loop = asyncio.get_running_loop()

    def wall(self) -> float:
        return self._loop.time() + self.set_ahead

    def set_clock(self, by: float) -> None:
        self.set_ahead += by

    async def run(self, dies_after: float | None, *, all_written: bool = True) -> Runner:
        """One run; dead after so many seconds, if it is not at its end by then."""
        journal = in_vain(self._path)
        began = self.wall()
        with journal.transaction():
            _begin(journal, began)
        writer = InlineWriter(journal)
        runner = Runner(
            writer,  # type: ignore[arg-type]
            FakeSending(self.server, self.wall),  # type: ignore[arg-type]
            Meter(journal.counts(), journal.outcomes(), began),
            unknown=journal.unknown(),
            workers=lambda: self._workers,
            quarantine=QUARANTINE,
            patience=3600.0,
            max_failed=None,
            wall=self.wall,
        )
        self._alive_at = began
        beating = asyncio.create_task(self._beat())
        running = asyncio.create_task(runner.run())
        if dies_after is not None:
            self._loop.call_later(dies_after, running.cancel)
        with suppress(asyncio.CancelledError):
            await running
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        with journal.transaction():
            journal.beat(began, self._alive_at)
        writer.die(all_written=all_written or dies_after is None)
        return runner

    async def _beat(self) -> None:
        while True:
            self._alive_at = self.wall()
            await asyncio.sleep(5)

    async def finish(self) -> Iterator[Any]:
        """Run until nothing is left; the rows as they are then."""
        for _ in range(60):
            runner = await self.run(None)
            assert runner.in_flight == 0
            journal = Journal.view(self._path)
            try:
                if not journal.is_open():
                    return iter(list(journal.rows()))
            finally:
                journal.close()
            await asyncio.sleep(1)
        raise AssertionError("it comes to no end")

    def keys(self) -> Counter[int]:
        """Different keys under which each row was sent."""
        return Counter(n for _, n in set(self.server.requests))


def _refusal(kind: str, until: float) -> LeavoError:
    if kind == "no connection":
        return ConnectError("refused")
    if kind == "401":
        return AuthenticationError("revoked", status=401)
    error = RateLimitError("too many", status=429)
    error.retry_at = until
    return error
