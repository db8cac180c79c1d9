"""What tests that kill have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .children import Nursery, nursery


@pytest.fixture(scope="package")
def one_nursery() -> Iterator[Nursery]:
    """One process that forks all children."""
    with nursery() as open_nursery:
        yield open_nursery


@pytest.fixture
def children(one_nursery: Nursery) -> Iterator[Nursery]:
    """None is left when a test begins, and none when it ends, however it ends."""
    yield one_nursery
    one_nursery.clear()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The working directory of the children of a test."""
    return tmp_path
