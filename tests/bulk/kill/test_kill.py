"""kill -9, at any moment and as often as one likes: no row is lost, none is done twice."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from .children import Nursery
from .judge import POINTS, check_leads, made_up, table
from .order import Order
from .rounds import play
from .servers import SERVERS, served


def test_a_forgetful_import_doubles_rows(children: Nursery, home: Path) -> None:
    """The judge sees what an import without a journal does: killed and begun anew, it sends everything twice."""
    file = made_up(home / "leads.csv", 1, 40)
    with served(SERVERS["ignores the key"], latency=0.02) as sandbox:
        order = Order("forgetful", sandbox.url, str(file.path), str(home))
        pid = children.start(order)
        while not sandbox.ledger.effects:
            pass
        assert children.kill(pid) == -9
        assert children.run(order) == 0, (home / "err").read_text()
        with pytest.raises(AssertionError, match="lost, doubled, foreign"):
            check_leads(file, sandbox)


TORTURE = pytest.mark.torture(real_time=True)
NORMAL, MORE = 10, 200
HIT: list[set[str]] = []


def rounds() -> list[Any]:
    """Every server and both ways to start an import take turns; ten are part of a plain run, 200 of the torture."""
    kinds = list(product(("library", "command"), SERVERS))
    turns = [(seed, *kinds[seed % len(kinds)]) for seed in range(NORMAL + MORE)]
    return [pytest.param(*turn, marks=[] if turn[0] < NORMAL else TORTURE) for turn in turns]


@pytest.mark.parametrize(("seed", "how", "server"), rounds())
def test_a_round_of_kills_loses_and_doubles_nothing(
    children: Nursery, home: Path, seed: int, how: str, server: str
) -> None:
    """Killed at random moments while connections break after commits; in the end each row is there once."""
    rows, kills = (60, 3) if seed < NORMAL else (100, 4)
    HIT.extend(play(children, home, server, seed, rows=rows, kills=kills, how=how))


@pytest.mark.torture(real_time=True)
def test_the_kills_have_hit_every_point(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the table, after all rounds before it."""
    with capsys.disabled():
        print(f"\n{len(HIT)} kills have hit\n{table(HIT)}")
    assert set(POINTS) == set().union(*HIT)
