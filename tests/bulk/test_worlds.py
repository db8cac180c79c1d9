"""The promise of the journal as a law: in whatever world, each row ends in one state, and nothing is there twice."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from leavo_async._sansio.idempotency import Repeat
from leavo_async.testing import VirtualTimeLoop

from .journals import filled
from .world import FATES, SIGHTS, Manners, Server, World

MANNERS = {
    "honours keys": Manners(Repeat.KEYED, honours=True),
    "honours keys and shows nothing": Manners(Repeat.KEYED, honours=True, can_look_up=False),
    "ignores keys": Manners(Repeat.NATURAL),
    "ignores keys and shows a part": Manners(Repeat.NATURAL, sees_all=False),
    "ignores keys and shows nothing": Manners(Repeat.UNSAFE, can_look_up=False),
    "refuses what it has": Manners(Repeat.NATURAL, is_unique=True),
    "honours keys, which nobody knows": Manners(Repeat.NATURAL, honours=True),
}
DEATH = st.tuples(
    st.one_of(st.floats(0.001, 2.0), st.floats(2.0, 300.0)),  # seconds of life
    st.booleans(),  # whether the last results were written
    st.floats(0.0, 400.0),  # seconds until the next run
    st.sampled_from([0.0, 0.0, 0.0, -7200.0, 7200.0]),  # seconds by which somebody sets the clock in the middle
)
WORLD = {
    "rows": st.integers(1, 6),
    "workers": st.integers(1, 4),
    "fates": st.lists(st.tuples(st.sampled_from(FATES), st.floats(0.01, 1.0)), max_size=30),
    "sights": st.lists(st.sampled_from(SIGHTS), max_size=10),
    "deaths": st.lists(DEATH, max_size=5),
    "twins": st.sets(st.integers(1, 6), max_size=2),
}


@pytest.fixture(autouse=True)
def journal_on_the_loop(no_blocking_call_on_the_loop: BlockBuster) -> None:
    """A thread would need real time: in these worlds the journal is written on the loop."""
    no_blocking_call_on_the_loop.deactivate()


async def lived(path: Path, world: dict[str, Any]) -> tuple[Server, World, list[Any]]:
    """The server, and the rows, once everything has gone wrong and the job has come to its end."""
    server = Server(MANNERS[world["manners"]], world["fates"], world["sights"], world["twins"])
    job = World(path, server, workers=world["workers"])
    for life, all_written, rest, set_by in world["deaths"]:
        if set_by < 0 or life > 15:  # set forward and killed before the next sign of life, nobody can know how long ago
            asyncio.get_running_loop().call_later(life / 2, job.set_clock, set_by)
        await job.run(life, all_written=all_written)
        await asyncio.sleep(rest)
    rows = list(await job.finish())
    await asyncio.sleep(100)  # whatever is under way arrives
    return server, job, rows


def check(world: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        path = filled(Path(folder) / "job.db", world["rows"])
        server, job, rows = runner.run(lived(path, world))
    assert [row.row for row in rows] == list(range(1, world["rows"] + 1))
    for row in rows:
        there = server.has(f'{{"name":"Ana {row.row}"}}'.encode())
        assert row.state in ("done", "failed", "held"), row
        assert there <= 1, f"row {row.row} was made {there} times"
        assert there == {"done": 1, "failed": 0}.get(row.state, there), row
        assert job.keys()[row.row] <= 1, "a row keeps its key for its life"
        assert bool(row.values) is (row.state != "done"), row


@pytest.mark.parametrize("manners", sorted(MANNERS))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(world=st.fixed_dictionaries(WORLD))
def test_whatever_happens_nothing_is_lost_and_nothing_is_there_twice(manners: str, world: dict[str, Any]) -> None:
    """Each row is done and there once, refused and not there, or held; never forgotten, never made a second time."""
    check({**world, "manners": manners})


@pytest.mark.torture
@pytest.mark.parametrize("part", range(20))
@pytest.mark.parametrize("manners", sorted(MANNERS))
def test_the_same_in_many_more_worlds(manners: str, part: int) -> None:
    """Thousands of them for each kind of server."""

    @seed(part)
    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(world=st.fixed_dictionaries(WORLD))
    def law(world: dict[str, Any]) -> None:
        check({**world, "manners": manners})

    law()


@pytest.mark.parametrize("fate", ["lost after", "acted on later", "stored 500", "lost before"])
@pytest.mark.parametrize("manners", ["honours keys", "ignores keys"])
def test_an_answer_that_was_lost_makes_nobody_twice(fate: str, manners: str) -> None:
    """Neither is it held, where a key or a look-up can tell."""
    world = {"manners": manners, "rows": 2, "workers": 1, "fates": [("done", 0.1), (fate, 0.5)], "sights": [],
             "deaths": [], "twins": set()}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        server, _, rows = runner.run(lived(filled(Path(folder) / "job.db", 2), world))

    assert [(row.state, row.attempts > 0) for row in rows] == [("done", True)] * 2
    assert len(server.made) == 2
