from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import hypothesis
import pytest
from aioresponses import aioresponses, core
from blockbuster import BlockBuster

pytest_plugins = ["leavo_async.testing.pytest_plugin"]

# Of the torture tests, a plain run has every so-manieth: always the same ones.
TORTURE_SLICE = 50

_NUMBERS = itertools.count()

# Time limits belong to pytest-timeout; in CI the examples are the same each time.
hypothesis.settings.register_profile("suite", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`pytest -m torture` runs all of the torture tests, `pytest` a slice of those that do not need a quiet machine."""
    if "torture" in config.getoption("-m"):
        return
    torture = {item: mark for item in items if (mark := item.get_closest_marker("torture"))}
    virtual = [item for item, mark in torture.items() if not mark.kwargs.get("real_time")]
    left_out = torture.keys() - set(virtual[::TORTURE_SLICE])
    config.hook.pytest_deselected(items=[item for item in torture if item in left_out])
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def blockbuster() -> BlockBuster:
    """To make one takes ten times as long as to switch it on."""
    return BlockBuster("leavo_async")


@pytest.fixture(autouse=True)
def no_blocking_call_on_the_loop(blockbuster: BlockBuster) -> Iterator[BlockBuster]:
    """A read, a sleep or a lock that stops the event loop is an error, wherever in the package it stands."""
    blockbuster.activate()
    yield blockbuster
    blockbuster.deactivate()


@pytest.fixture(autouse=True)
def journals_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test finds the jobs of another one, nor those of whoever runs the tests. It is made by who needs it."""
    folder = tmp_path_factory.getbasetemp() / f"journals-{next(_NUMBERS)}"
    monkeypatch.setenv("LEAVO_STATE_DIR", str(folder))
    return folder


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Aioresponses 0.7.9, made to work with aiohttp 3.14; the same stands in docs/how-to/test-your-code.md."""

    class Answer(aiohttp.ClientResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)

    def reader(loop: Any = None) -> aiohttp.StreamReader:
        return aiohttp.StreamReader(Mock(), limit=2**30, loop=loop)

    monkeypatch.setattr(core, "ClientResponse", Answer)
    monkeypatch.setattr(core, "stream_reader_factory", reader)
    with aioresponses() as mocked:
        yield mocked
