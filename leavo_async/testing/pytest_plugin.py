"""Fixtures for users' own tests: put `pytest_plugins = ["leavo_async.testing.pytest_plugin"]` into conftest.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import pytest
import pytest_asyncio

from leavo_async import LeavoClient
from leavo_async._io.registry import GATES
from leavo_async.sandbox import Sandbox


@pytest.fixture(autouse=True)
def leavo_gates() -> Iterator[None]:
    """No test waits for what another one has sent: each begins with its own limits, none of them used."""
    GATES.clear()
    yield
    GATES.clear()


@pytest_asyncio.fixture
async def leavo_sandbox() -> AsyncGenerator[Sandbox, None]:
    """A sandbox of its own for each test, without a limit; script faults with `leavo_sandbox.script`."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def laabam_sandbox() -> AsyncGenerator[Sandbox, None]:
    """The same with Laabam's API: a client of it takes `laabam_sandbox.credentials` and `.base_url`."""
    async with Sandbox(api="laabam") as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def agentos_sandbox() -> AsyncGenerator[Sandbox, None]:
    """The same for agentOS: one agency, "sandbox", with all tiers and little in it; `agentos_sandbox.fill` adds."""
    async with Sandbox(api="agentos") as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def language_confidence_sandbox() -> AsyncGenerator[Sandbox, None]:
    """The same with Language Confidence's API."""
    async with Sandbox(api="language_confidence") as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def leavo(leavo_sandbox: Sandbox) -> AsyncGenerator[LeavoClient, None]:
    """A client of that sandbox, without a limit."""
    async with LeavoClient(
        leavo_sandbox.key, base_url=leavo_sandbox.url, allow_insecure_loopback=True, limits=()
    ) as client:
        yield client
