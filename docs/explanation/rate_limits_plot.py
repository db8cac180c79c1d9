"""The plot of rate-limits.md: two clients with a limit of 100 a minute, against five ways of counting it.

    pip install matplotlib
    python docs/explanation/rate_limits_plot.py [--out FILE]

Only `draw` needs matplotlib; what is simulated can be had without, and in virtual time. The same version of matplotlib
writes the same bytes again.
"""

import argparse
import asyncio
import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aiolimiter import AsyncLimiter

from leavo_async._io.gate import Gate
from leavo_async._io.permit import Permit
from leavo_async._io.slots import Slots
from leavo_async._sansio.limits import RateLimit
from leavo_async.sandbox.limits import FixedWindow, Gcra, Limiter, SlidingLog, TokenBucket, TwoWindowCounter
from leavo_async.testing import VirtualTimeLoop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REQUESTS = 100
PER = 60.0
SECONDS = 240.0
# The server's windows begin at this second of a minute; a client cannot know.
PHASE = 25.0

Clock = Callable[[], float]
Answered = Callable[[float | None], None]
"""Takes the answer to a request: None if it was accepted, or the seconds that a 429 asks to wait."""


# What is simulated


@dataclass(frozen=True, slots=True)
class Run:
    """What a server has seen of a client: when requests arrived, and when it refused one, in seconds from the start."""

    arrivals: Sequence[float]
    refusals: Sequence[float]
    seconds: float = SECONDS

    def trailing(self, moment: float) -> int:
        """Requests that arrived in the 60 s that end at this moment, refused ones as well."""
        return bisect_right(self.arrivals, moment) - bisect_right(self.arrivals, moment - PER)

    @property
    def most(self) -> int:
        """The most that arrived in any 60 s."""
        return max(map(self.trailing, self.arrivals), default=0)

    @property
    def share(self) -> float:
        """Accepted requests, divided by what the limit means: 100 for each minute."""
        return (len(self.arrivals) - len(self.refusals)) / (REQUESTS * self.seconds / PER)


Runs = Mapping[str, Mapping[str, Run]]
"""By server, then by client."""


class Client(Protocol):
    """It always has work waiting."""

    async def turn(self) -> Answered:
        """Wait until the next request may leave."""
        ...


class Ours:
    """The gate of leavo_async."""

    def __init__(self, clock: Clock) -> None:
        self._gate = Gate([RateLimit(REQUESTS, PER)], clock=clock)
        self._slots = Slots(1000)

    async def turn(self) -> Answered:
        permit = Permit(self._slots)
        await self._gate.acquire(permit)
        return partial(self._answered, permit)

    def _answered(self, permit: Permit, wait: float | None) -> None:
        if wait is None:
            self._gate.accepted(permit)
        else:
            self._gate.refused(permit, wait)
        self._gate.release(permit)


class Usual:
    """A bare AsyncLimiter(100, 60); after a 429 nothing leaves for as long as the server asks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limiter = AsyncLimiter(REQUESTS, PER)
        self._held_until = 0.0

    async def turn(self) -> Answered:
        await self._limiter.acquire()
        while (held := self._held_until - self._clock()) > 0:  # noqa: ASYNC110  # it may grow while we sleep
            await asyncio.sleep(held)
        return self._answered

    def _answered(self, wait: float | None) -> None:
        if wait is not None:
            self._held_until = max(self._held_until, self._clock() + wait)


CLIENTS: Mapping[str, Callable[[Clock], Client]] = {f"AsyncLimiter({REQUESTS}, {PER:g})": Usual, "leavo_async": Ours}

SERVERS: Mapping[str, Callable[[], Limiter]] = {
    "Fixed window": lambda: FixedWindow(REQUESTS, PER, PHASE),
    "Sliding log": lambda: SlidingLog(REQUESTS, PER),
    "Token bucket": lambda: TokenBucket(REQUESTS, PER),
    "GCRA": lambda: Gcra(REQUESTS, PER),
    "Two-window counter": lambda: TwoWindowCounter(REQUESTS, PER, PHASE),
}


def simulate(client: Callable[[Clock], Client], server: Limiter, *, seconds: float = SECONDS, seed: int = 1) -> Run:
    """So many virtual seconds of a client with work always waiting; the same seed gives the same run."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(_saturate(client, server, seconds, random.Random(seed)))


def simulate_all() -> Runs:
    """Each client against each server."""
    return {
        server: {client: simulate(make, make_server()) for client, make in CLIENTS.items()}
        for server, make_server in SERVERS.items()
    }


class _Loop(VirtualTimeLoop):
    """Its clock moves by 0.1 µs at each look: else a rounding error could keep aiolimiter busy for ever."""

    def time(self) -> float:
        self.jump(0)
        return super().time()


async def _saturate(make: Callable[[Clock], Client], server: Limiter, seconds: float, chance: random.Random) -> Run:
    clock = asyncio.get_running_loop().time
    client, wire = make(clock), _Wire(server, clock)
    async with asyncio.TaskGroup() as flights:
        while wire.now() < seconds:
            answered = await client.turn()
            flights.create_task(wire.carry(_way_there(chance), answered))
    return wire.run(seconds)


class _Wire:
    """Carries requests to the server and answers back."""

    def __init__(self, server: Limiter, clock: Clock) -> None:
        self._server, self._clock, self._start = server, clock, clock()
        self._arrivals: list[float] = []
        self._refusals: list[float] = []

    def now(self) -> float:
        return self._clock() - self._start

    async def carry(self, way_there: float, answered: Answered) -> None:
        await asyncio.sleep(way_there)
        wait = self._arrive(self.now())
        await asyncio.sleep(0.04)
        answered(wait)

    def _arrive(self, now: float) -> float | None:
        """The server's Retry-After, in whole seconds as in the header; None if it accepts the request."""
        self._arrivals.append(now)
        verdict = self._server.admit(now)
        if verdict.allowed:
            return None
        self._refusals.append(now)
        return math.ceil(verdict.retry_after)

    def run(self, seconds: float) -> Run:
        arrivals, refusals = ([at for at in log if at < seconds] for log in (self._arrivals, self._refusals))
        return Run(arrivals, refusals, seconds)


def _way_there(chance: random.Random) -> float:
    """40 ms, 50 more on average, and now and then a spike; it varies by 1 s at most, as RateLimit takes for granted."""
    spike = chance.uniform(0.3, 1.0) if chance.random() < 0.01 else 0.0
    return 0.04 + min(1.0, chance.expovariate(1 / 0.05) + spike)


def bunches(moments: Iterable[float], gap: float = 3.0) -> list[tuple[float, int]]:
    """What one mark can stand for: so many moments without a pause longer than `gap`, and the last of them."""
    found: list[tuple[float, int]] = []
    for moment in moments:
        goes_on = found and moment - found[-1][0] <= gap
        count = found.pop()[1] if goes_on else 0
        found.append((moment, count + 1))
    return found


# How it is drawn

# The colour-blind tell them apart (https://jfly.uni-koeln.de/color/). The first is lighter there, too light for text.
COLOURS = dict(zip(CLIENTS, ("#c45200", "#0072b2"), strict=True))
GREY = "#57606a"
TOP = 218

HOW_IT_COUNTS = {
    "Fixed window": f"from 0 again each minute: here at {PHASE:g} s, {PHASE + PER:g} s, …",
    "Sliding log": "all that it admitted in the last 60 s",
    "Token bucket": "100 tokens, 100 more a minute: as AsyncLimiter counts, too",
    "GCRA": "100 a minute at a steady pace, 10 at once",
    "Two-window counter": "this minute, and a part of the one before",
}
ABOUT = """\
Each client has work waiting all the time, and after a 429 waits as long as the server asks. AsyncLimiter(100, 60) lets
100 go at once, and almost 100 more in the minute after that; leavo_async spaces them from the start.

Curves: requests that reached the server in the last 60 s, refused ones too. ×: answered with 429."""
SMALL_PRINT = """\
Accepted: in these four minutes, as a share of 100 a minute. What is above 100 % is the burst, gained once.
Virtual time. The way to the server takes 40 ms, and 50 ms more on average; one in a hundred is held up by up to 1 s."""

# Where the numbers beside a panel end, in widths of the panel.
COLUMNS = {"429s": 1.30, "most in\n60 s": 1.43, "accepted": 1.59}


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the plot of rate-limits.md.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("rate-limits.svg"), metavar="FILE")
    draw(simulate_all(), parser.parse_args().out)


def draw(runs: Runs, out: Path) -> None:
    """Write the picture; the ending of the name says the format."""
    import matplotlib.style

    # Text stays text in the default fonts (DejaVu Sans, Verdana, … sans-serif): outlines would treble the size.
    settings = {"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "rate-limits"}
    with matplotlib.style.context(["default", settings]):
        # No date, so that the same picture is the same file.
        metadata = {"Title": title(runs), "Creator": None, "Date": None} if out.suffix == ".svg" else None
        _figure(runs).savefig(out, metadata=metadata)


def title(runs: Runs) -> str:
    """What is found."""
    usual, ours = (sum(len(by_client[client].refusals) for by_client in runs.values()) for client in CLIENTS)
    return f"100 a minute, counted in five ways: {ours} answers of 429 for leavo_async, {usual} for a bare aiolimiter"


def _figure(runs: Runs) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9.6), facecolor="white")
    panels = figure.subplots(len(runs), sharex=True)
    figure.subplots_adjust(left=0.055, right=0.63, top=0.83, bottom=0.085, hspace=0.45)
    figure.text(0.02, 0.972, title(runs), fontsize=11, fontweight="bold")
    figure.text(0.02, 0.960, ABOUT, linespacing=1.4, va="top")
    figure.text(0.02, 0.012, SMALL_PRINT, color=GREY, fontsize=8, linespacing=1.4)
    for axes, (server, by_client) in zip(panels, runs.items(), strict=True):
        _panel(axes, server, by_client)
    _labels(panels[0])
    return figure


def _panel(axes: "Axes", server: str, by_client: Mapping[str, Run]) -> None:
    _frame(axes, server)
    for row, (client, run) in enumerate(by_client.items()):
        _curve(axes, run, COLOURS[client])
        _marks(axes, run)
        _numbers(axes, row, client, run)


def _frame(axes: "Axes", server: str) -> None:
    """A line for the limit, and no box."""
    axes.set(xlim=(-3, SECONDS), ylim=(0, TOP), yticks=(0, REQUESTS, 2 * REQUESTS))
    axes.set_xticks(range(0, int(SECONDS) + 1, 60), ["0", "1 min", "2 min", "3 min", "4 min"])
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.spines["bottom"].set_color("#d0d7de")
    axes.tick_params(length=0, colors=GREY)
    axes.axhline(REQUESTS, color="black", linewidth=0.8, zorder=1)
    name = axes.set_title(server, loc="left", fontsize=10, fontweight="bold")
    axes.annotate(
        HOW_IT_COUNTS[server], (1, 0), (8, 0), xycoords=name, textcoords="offset points", color=GREY, va="bottom"
    )


def _curve(axes: "Axes", run: Run, colour: str) -> None:
    """A point each half second; what is above the limit is filled."""
    moments = [tick / 2 for tick in range(int(run.seconds * 2) + 1)]
    counts = [run.trailing(moment) for moment in moments]
    axes.plot(moments, counts, color=colour, linewidth=1.8)
    # By one or two above it is less than the line is wide.
    above = [count > REQUESTS + 2 for count in counts]
    axes.fill_between(moments, REQUESTS, counts, where=above, color=colour, alpha=0.2, linewidth=0)


def _marks(axes: "Axes", run: Run) -> None:
    for moment, count in bunches(run.refusals):
        at = (moment, run.trailing(moment))
        axes.plot(*at, marker="x", color="black", markersize=6, markeredgewidth=1.6, zorder=3)
        if count > 1:
            axes.annotate(f"{count}", at, (0, 7), textcoords="offset points", fontweight="bold", ha="center")


def _numbers(axes: "Axes", row: int, client: str, run: Run) -> None:
    y = 0.55 - 0.2 * row
    values = f"{len(run.refusals)}", f"{run.most}", f"{100 * run.share:.0f} %"
    axes.text(1.03, y, client.partition("(")[0], color=COLOURS[client], transform=axes.transAxes)
    for x, value in zip(COLUMNS.values(), values, strict=True):
        axes.text(x, y, value, color=COLOURS[client], transform=axes.transAxes, ha="right")


def _labels(axes: "Axes") -> None:
    """What the lines and columns are, told once."""
    usual, ours = CLIENTS
    axes.text(63, 158, usual, color=COLOURS[usual])
    axes.text(38, 33, ours, color=COLOURS[ours])
    axes.text(SECONDS, REQUESTS - 33, f"the limit: {REQUESTS} in {PER:g} s", ha="right")
    for heading, x in COLUMNS.items():
        axes.text(x, 0.8, heading, color=GREY, transform=axes.transAxes, ha="right")


if __name__ == "__main__":
    main()
