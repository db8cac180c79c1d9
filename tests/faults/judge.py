"""The six conditions that hold after every fault, whatever it was."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from leavo_async import ApiProfile, AttemptRecord, LeavoError, OutcomeUnknownError, RetryPolicy, Session
from leavo_async._io.aiohttp_transport import AiohttpTransport
from leavo_async._sansio.records import Observer
from leavo_async.apis.leavo import LEAVO

CANARY = "lv_live_CANARY7f3a9b"
Kind = Literal["read", "keyed", "keyless"]
KINDS: tuple[Kind, ...] = ("read", "keyed", "keyless")
AT_ONCE = RetryPolicy(first_delay=0, max_delay=0)
# Only for a test that hangs; limits of attempts are far below.
HUNG = 20


@dataclass
class Trial:
    """A session against one misbehaving server, and what came of its call.

    kind: "read" is a GET, "keyed" a POST whose key the server honours, "keyless" a POST that must not be repeated.
    """

    kind: Kind
    session: Session
    records: list[AttemptRecord] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    async def call(self, path: str = "/asked", *, json: Any = None, **options: Any) -> Any:
        """The value of the call, or the error that it ended in. json: another body than the usual one."""
        method, usual = ("GET", None) if self.kind == "read" else ("POST", {"a": 1})
        json = usual if json is None else json
        async with asyncio.timeout(HUNG):
            try:
                return await self.session.request(method, path, json=json, **options)
            except LeavoError as error:
                return error

    @property
    def transport(self) -> AiohttpTransport:
        """The real one, which the session has made for itself."""
        engine = self.session._engine
        assert engine is not None
        assert isinstance(engine.transport, AiohttpTransport)
        return engine.transport

    def connections(self) -> int:
        """How many are in use now, in both of its pools."""
        return sum(len(each.connector._acquired) for each in (self.transport._kept, self.transport._fresh))  # type: ignore[union-attr]

    async def check(self, ended: Any, *, sent: int, done: int | None, next_call: bool = True) -> None:
        """The six conditions. sent: requests that the server has seen; done: writes that it has carried out."""
        self._check_story(ended, sent)
        self._check_ledger(ended, done)
        check_hidden(ended, self.log)
        await settled(lambda: self.connections() == 0)
        assert self.connections() == 0
        engine = self.session._engine
        assert engine is not None
        assert engine.slots.used == 0
        if next_call:
            await self._check_next()

    def _check_story(self, ended: Any, sent: int) -> None:
        """The client has counted what went over the wire: attempts without a connection are not among them."""
        counted = [each for each in self.records if not _never_connected(each)]
        assert len(counted) == sent, f"{sent} on the wire, told: {[str(each) for each in self.records]}"
        if isinstance(ended, LeavoError):
            assert tuple(self.records) == ended.attempts
            assert (ended.idempotency_key is None) is (self.kind == "read")

    def _check_ledger(self, ended: Any, done: int | None) -> None:
        if self.kind == "read" or done is None:
            return
        assert done <= 1, "a write was done twice"
        if not isinstance(ended, LeavoError):
            assert done == 1
        elif ended.outcome != "unknown":
            assert done == (ended.outcome == "done"), f"{ended!r} says {ended.outcome}"
        if self.kind == "keyless":
            unknown = isinstance(ended, LeavoError) and ended.outcome == "unknown"
            assert not (unknown and ended.safe_to_retry)

    async def _check_next(self) -> None:
        """A read and a write on the same session each get their own answer, and not what was left over."""
        for method in ("GET", "POST", "GET"):
            async with asyncio.timeout(HUNG):
                value = await self.session.request(method, f"/next/{method}", json={} if method == "POST" else None)
            assert value["path"] == f"/next/{method}"


def _never_connected(record: AttemptRecord) -> bool:
    return record.outcome == "not sent" and record.status is None


def check_hidden(ended: Any, log: list[str], secret: str = CANARY) -> None:
    """No key in any text of an error, in its chain, in a traceback with locals of ours, or in a log."""
    assert secret not in "\n".join(log)
    if not isinstance(ended, LeavoError):
        return
    assert (ended.__cause__, ended.__context__) == (None, None)
    shown = traceback.TracebackException.from_exception(ended, capture_locals=True)
    ours = [frame.locals for frame in shown.stack if "/tests/" not in frame.filename]
    response: Any = getattr(ended, "response", None)
    kept = f"{dict(response.headers)} {response.body}" if response else ""
    because = ended.because if isinstance(ended, OutcomeUnknownError) else ""
    assert secret not in f"{ended} {ended!r} {vars(ended)} {ended.story} {because} {kept} {ours}"


async def settled(holds: Any) -> None:
    """Until it holds, but not for longer than a second: a transport closes a few turns of the loop later."""
    for _ in range(200):
        if holds():
            return
        await asyncio.sleep(0.005)


class _Kept(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@asynccontextmanager
async def trial(
    url: str,
    kind: Kind = "read",
    *,
    profile: ApiProfile = LEAVO,
    observers: Sequence[Observer] = (),
    later: float | None = None,
    **options: Any,
) -> AsyncIterator[Trial]:
    """A session for one kind of call: no limit of rate, no wait between attempts, 0.2 s for each attempt.

    observers: are told of each attempt before the next one begins, and so may put an end to the fault.
    later: seconds for attempts after the first one of a call, where those have to succeed on a busy machine.
    """
    settings: dict[str, Any] = {
        "base_url": url,
        "allow_insecure_loopback": True,
        "limits": (),
        "retry": AT_ONCE,
        "timeout": 0.2,
        "idempotency": "honoured" if kind == "keyed" else "ignored",
        **options,
    }
    records: list[AttemptRecord] = []
    lines: list[str] = []

    def be_patient(_: AttemptRecord) -> None:
        assert session._engine is not None
        for call in session._engine.watch._guards:
            call.timeout = call.timeout if later is None else later  # type: ignore[attr-defined]

    handler = _Kept(lines)
    logger = logging.getLogger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        async with Session(profile, CANARY, observers=[records.append, be_patient, *observers], **settings) as session:
            yield Trial(kind, session, records, lines)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@asynccontextmanager
async def lateness() -> AsyncIterator[list[float]]:
    """The most seconds that this machine has come too late to whoever waited meanwhile; others use it, too."""
    late = [0.0]

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            late[0] = max(late[0], time.monotonic() - before - 0.005)

    task = asyncio.create_task(watch())
    try:
        yield late
    finally:
        task.cancel()


async def on_time(run: Callable[[], Awaitable[None]]) -> None:
    """Once more, five times at most, where it failed while the machine came late: that is no fault of ours."""
    for _ in range(5):
        async with lateness() as late:
            try:
                return await run()
            except AssertionError:
                await asyncio.sleep(0.01)  # it sees what has held the loop last
                if late[0] < 0.02:
                    raise
    return await run()
