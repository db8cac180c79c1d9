from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import hypothesis
import pytest
from aioresponses import aioresponses, core
from blockbuster import BlockBuster, blockbuster_ctx

pytest_plugins = ["leavo_async.testing.pytest_plugin"]

# Time limits belong to pytest-timeout; in CI the examples are the same each time.
hypothesis.settings.register_profile("suite", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def no_blocking_call_on_the_loop() -> Iterator[BlockBuster]:
    """A read, a sleep or a lock that stops the event loop is an error, wherever in the package it stands."""
    with blockbuster_ctx("leavo_async") as blocking:
        yield blocking


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
