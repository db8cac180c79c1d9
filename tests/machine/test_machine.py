"""The server's ledger against the client's word, under random faults: each operation once, or told to be unknown."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from leavo_async._io.registry import GATES
from leavo_async.testing import VirtualTimeLoop

from .world import FAULTS, KINDS, Op, World, schedule

BLOCK = 100


class Life(RuleBasedStateMachine):
    """A session that is used, aborted, cancelled and closed while its server misbehaves."""

    ops: Bundle[Op] = Bundle("ops")

    def __init__(self) -> None:
        super().__init__()
        GATES.clear()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.world = self.run(self.made())

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    async def made(self) -> World:
        return World()

    @rule(
        target=ops,
        kind=st.sampled_from(sorted(KINDS)),
        faults=st.lists(st.sampled_from(FAULTS), max_size=5),
        deadline=st.none() | st.floats(0.01, 60),
        bulk=st.booleans(),
    )
    def call(self, kind: str, faults: list[str], deadline: float | None, bulk: bool) -> Op:
        async def start() -> Op:
            return self.world.start(kind, faults, deadline=deadline, bulk=bulk)

        return self.run(start())

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.1, 1.0, 10.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(op=ops)
    def abort(self, op: Op) -> None:
        async def aborts() -> None:
            op.controller.abort("enough")

        self.run(aborts())

    @rule(op=ops)
    def cancel(self, op: Op) -> None:
        async def cancels() -> None:
            assert op.task is not None
            op.task.cancel()

        self.run(cancels())

    @invariant()
    def nothing_is_done_twice(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.run(self.world.end())
            self.world.check()
        finally:
            self.runner.close()


TestLife = Life.TestCase
TestLife.settings = hypothesis.settings(max_examples=150, stateful_step_count=20, deadline=None)


def lived(seed: int) -> World:
    GATES.clear()
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(schedule(seed))


@pytest.mark.parametrize("seed", range(50))
def test_a_schedule_ends_well(seed: int) -> None:
    """Replay any of the torture test with its seed here."""
    lived(seed).check()


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(100))
def test_ten_thousand_schedules_end_well(block: int) -> None:
    """A hundred seeds each."""
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            lived(seed).check()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
