"""How long an abort takes, until the caller has its error, beside a bare `task.cancel()`, in one process.

    python benchmarks/abort.py [--rounds 300] [--check]

Requests go to a small server of its own on 127.0.0.1, in another process. How to read the table: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import platform
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from bars import Bar
from peer import running_server, serve

from leavo_async import AbortController, AbortedError, AbortSignal, RateLimit, RetryPolicy, Session
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import FakeTransport, reply

MOST_MILLISECONDS = 10.0  # for the slowest of a hundred aborts
MOST_TURNS = 2  # what docs/how-to/stop-calls.md promises

KEY, USED_UP_KEY = "made-up-key-1", "made-up-key-2"
SLOW = RetryPolicy(first_delay=200, max_delay=200)
# More than the buffers of a connection take together: 4 MiB to send (net.ipv4.tcp_wmem), and RECEIVE_BUFFER.
BODY = {"text": "x" * 8_000_000}
RAW_BODY = BODY["text"].encode()
RECEIVE_BUFFER = 4096
# A server that reads nothing does not see its client leave.
STALL_SECONDS = 0.1
WARM_UP_ROUNDS = 5

Work = Coroutine[Any, Any, object]


class CountingLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, counting its turns."""

    turns = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()  # type: ignore[misc]


def loop() -> CountingLoop:
    """The running one."""
    running = asyncio.get_running_loop()
    assert isinstance(running, CountingLoop)
    return running


# The server


class Stalling(asyncio.Protocol):
    """Comes to a stop where the path says: /send, /head or /body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen = (self._seen + data)[:100]
        if b" /send " in self._seen:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(STALL_SECONDS, self._transport.abort)
        elif b" /body " in self._seen:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")


def small_listener() -> socket.socket:
    """Where a body of 8 MB does not fit into the buffers."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def black_hole() -> Iterator[str]:
    """The base URL of a listener whose queue is full: the system throws further connections away."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second, socket.socket() as third:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second, third):
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# Where a call waits


@dataclass(frozen=True)
class Place:
    """A wait: how ours and the bare one get there, and in how many seconds they certainly have.

    phase: what the error must tell, so that nothing else was measured.
    """

    name: str
    phase: str
    seconds: float
    ours: Callable[[AbortSignal], Work]
    bare: Callable[[], Work]


async def pause() -> None:
    """The least that waits for a time."""
    await asyncio.sleep(60)


@asynccontextmanager
async def places(url: str, hole: str) -> AsyncIterator[list[Place]]:
    """All of them, while the sessions are open."""
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(aiohttp.ClientSession())
        fake = FakeTransport(reply(200, {}))
        queue = await _opened(stack, USED_UP_KEY, transport=fake, limits=[RateLimit(1, 86_400)])
        await queue.request("GET", "/first")  # it takes the one token of the day
        real = {each: await _opened(stack, base_url=each, allow_insecure_loopback=True) for each in (url, hole)}

        async def get(base: str, path: str) -> None:
            async with plain.get(base + path) as answer:
                await answer.read()

        async def put() -> None:
            async with plain.put(f"{url}/send", data=io.BytesIO(RAW_BODY)) as answer:
                await answer.read()

        yield [
            Place("queue", "queue", 0.001, _get(queue, "/next"), pause),
            Place("connect", "connect", 0.005, _get(real[hole], "/x"), lambda: get(hole, "/x")),
            Place("send", "send", 0.03, _put(real[url], "/send"), put),
            Place("read head", "read", 0.005, _get(real[url], "/head"), lambda: get(url, "/head")),
            Place("read body", "read", 0.005, _get(real[url], "/body"), lambda: get(url, "/body")),
            Place("sleep", "wait", 0.001, between, pause),
        ]


async def _opened(stack: AsyncExitStack, key: str = KEY, **options: Any) -> Session:
    return await stack.enter_async_context(Session(LEAVO, key, **{"limits": (), **options}))


def _get(session: Session, path: str) -> Callable[[AbortSignal], Work]:
    return lambda signal: session.request("GET", path, signal=signal)


def _put(session: Session, path: str) -> Callable[[AbortSignal], Work]:
    return lambda signal: session.request("PUT", path, json=BODY, signal=signal)


def between(signal: AbortSignal) -> Work:
    """A call that waits for its second attempt, of a session of its own: one alone may not repeat so much."""
    session = Session(LEAVO, KEY, transport=FakeTransport(reply(503)), limits=(), retry=SLOW)
    session._opened().draw = lambda: 0.9
    return session.request("GET", "/busy", signal=signal)


# Measuring


@dataclass(frozen=True)
class Cost:
    """What lies between the abort and the error: seconds, and turns of the loop."""

    seconds: float
    turns: int


@dataclass
class Found:
    """The costs of both, one pair for each round."""

    ours: list[Cost] = field(default_factory=list)
    bare: list[Cost] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        return [ours.seconds / bare.seconds for ours, bare in zip(self.ours, self.bare, strict=True)]


async def measure(place: Place, rounds: int) -> Found:
    """Both by turns, in one process and one loop, so that a slow moment of the machine meets both."""
    found = Found()
    gc.collect()
    for number in range(WARM_UP_ROUNDS + rounds):
        turns = [(aborted, found.ours), (cancelled, found.bare)]
        for ending, costs in turns if number % 2 else reversed(turns):
            cost = await ending(place)
            if number >= WARM_UP_ROUNDS:
                costs.append(cost)
    return found


async def aborted(place: Place) -> Cost:
    """One call of ours, aborted."""
    controller = AbortController()
    cost, error = await ended(place.ours(controller.signal), place.seconds, lambda task: controller.abort())
    if not isinstance(error, AbortedError) or error.phase != place.phase:
        sys.exit(f"{place.name}: the call was not there, it ended in {error!r}, {getattr(error, 'phase', 'nowhere')}")
    return cost


async def cancelled(place: Place) -> Cost:
    """One bare wait, cancelled."""
    cost, error = await ended(place.bare(), place.seconds, lambda task: task.cancel())
    if not isinstance(error, asyncio.CancelledError):
        sys.exit(f"{place.name}: the baseline was not there, it ended in {error!r}")
    return cost


async def ended(
    work: Work, seconds: float, end: Callable[[asyncio.Task[None]], object]
) -> tuple[Cost, BaseException | None]:
    """What it costs to end this work once it waits, and the error that its caller gets."""
    caught: BaseException | None = None
    at, turn = 0.0, 0

    async def caller() -> None:
        nonlocal caught, at, turn
        try:
            await work
        except BaseException as error:  # noqa: BLE001  # CancelledError is one
            at, turn = time.perf_counter(), loop().turns
            caught = error

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)  # a large body is encoded in the first turn
    await asyncio.sleep(seconds)
    start, first = time.perf_counter(), loop().turns
    end(task)
    await asyncio.wait([task])
    return Cost(at - start, turn - first), caught


# The report


def line(place: Place, found: Found) -> str:
    """Median and p99 of both, the median of the ratios with quartiles, and the most turns of both."""
    cells = [number * 1e6 for costs in (found.bare, found.ours) for number in middle_and_most(costs)]
    low, ratio, high = statistics.quantiles(found.ratios, n=4)
    numbers = "".join(f"{cell:>10.1f}" for cell in cells)
    turns = "".join(f"{max(cost.turns for cost in costs):>7}" for costs in (found.bare, found.ours))
    return f"{place.name:<12}{numbers}{ratio:>9.2f}   {f'{low:.2f} to {high:.2f}':<16}{turns}"


def middle_and_most(costs: Sequence[Cost]) -> tuple[float, float]:
    """The median of the seconds, and what 99 of a hundred do not pass."""
    seconds = [cost.seconds for cost in costs]
    return statistics.median(seconds), statistics.quantiles(seconds, n=100, method="inclusive")[98]


async def report(url: str, hole: str, rounds: int) -> list[Bar]:
    """Measure and print everything; the bars."""
    print(f"{'':<12}{'bare cancel, µs':>20}{'leavo_async, µs':>20}{'':>28}{'turns, at most':>16}")
    print(f"{'':<12}{'median':>10}{'p99':>10}{'median':>10}{'p99':>10}{'ratio':>9}   {'quartiles':<16}", end="")
    print(f"{'bare':>7}{'ours':>7}")
    slowest = most = 0.0
    async with places(url, hole) as all_places:
        for place in all_places:
            found = await measure(place, rounds)
            print(line(place, found), flush=True)
            slowest = max(slowest, middle_and_most(found.ours)[1])
            most = max(most, *(cost.turns for cost in found.ours))
    return [
        Bar("ms to the error, p99, anywhere", MOST_MILLISECONDS, slowest * 1e3),
        Bar("turns of the loop, anywhere", MOST_TURNS, most),
    ]


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300, help="aborts in each place (at least 2)")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar is not held")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2, for a median with quartiles")
    return options


def main() -> int:
    """The exit code."""
    options = arguments()
    if options.role == "server":
        asyncio.run(serve(Stalling, small_listener()))
        return 0
    print(f"From an abort to the error, Python {platform.python_version()}, aiohttp {aiohttp.__version__},", end=" ")
    print(f"{options.rounds} rounds")
    with running_server(__file__) as url, black_hole() as hole, asyncio.Runner(loop_factory=CountingLoop) as runner:
        bars = runner.run(report(url, hole, options.rounds))
    print("\nbars:", *bars, sep="\n")
    return 1 if options.check and not all(bar.is_held for bar in bars) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
