"""The plot of docs/explanation/rate-limits.md is drawn from what is simulated."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

EXPLANATION = Path(__file__).parent.parent / "docs/explanation"


@pytest.fixture(scope="module")
def plot() -> ModuleType:
    """The script, without the library that draws."""
    spec = importlib.util.spec_from_file_location("rate_limits_plot", EXPLANATION / "rate_limits_plot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plot_shows_what_the_simulation_gives(plot: ModuleType) -> None:
    """Its title and the three numbers of each client at each server stand in the committed picture."""
    drawn = re.findall(r"<!-- (.*?) -->|>([^<>]+)</text>", (EXPLANATION / "rate-limits.svg").read_text())
    texts = [text for pair in drawn for text in pair if text]
    runs = plot.simulate_all()

    assert any(plot.title(runs) in text for text in texts)
    for clients in runs.values():
        for run in clients.values():
            assert {str(len(run.refusals)), str(run.most), f"{run.share * 100:.0f} %"} <= set(texts)


def test_ours_is_never_refused(plot: ModuleType) -> None:
    """As the page claims, for other seeds as well; the share of the limit is above 97 %."""
    for make in plot.SERVERS.values():
        for seed in (2, 3):
            run = plot.simulate(plot.CLIENTS["leavo_async"], make(), seed=seed)
            assert (len(run.refusals), run.most <= 100, run.share >= 0.97) == (0, True, True)
