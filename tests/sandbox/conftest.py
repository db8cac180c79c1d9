"""What every test of the sandbox needs: a clock that moves by hand, and a client that is not ours."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from leavo_async.sandbox import Sandbox


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Reply:
    """What came back, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def error(self) -> Any:
        return self.json["error"]


Ask = Callable[..., Awaitable[Reply]]


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Let the loop run until something is so."""

    async def until(is_so: Callable[[], object]) -> None:
        for _ in range(5000):
            if is_so():
                return
            await asyncio.sleep(0.001)
        raise AssertionError("it never came to be so")

    return until


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ask() -> Ask:
    """Ask a sandbox once, on a connection of its own; `key=None` shows no key."""

    async def ask(
        sandbox: Sandbox, method: str, path: str, *, key: str | None = "sandbox-key", **options: Any
    ) -> Reply:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        return await send(method, sandbox.url + path, headers=headers, **options)

    return ask


async def send(method: str, url: str, **options: Any) -> Reply:
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        return Reply(response.status, response.headers, await response.read())


@pytest.fixture
def ask_as() -> Ask:
    """Ask a sandbox of any API once: the headers that show the key come first."""

    async def ask_as(sandbox: Sandbox, key: dict[str, str], method: str, path: str, **options: Any) -> Reply:
        return await send(method, sandbox.base_url + path, headers=key | options.pop("headers", {}), **options)

    return ask_as


@pytest.fixture
def agentos(ask: Ask) -> Ask:
    """Ask the sandbox's own agency once, in V4: the path begins with the tier."""

    async def agentos(sandbox: Sandbox, method: str, path: str, **options: Any) -> Reply:
        tier, _, rest = path.partition("/")
        headers = {"api_key": sandbox.key}
        return await ask(sandbox, method, f"/v4/{tier}/sandbox/{rest}", key=None, headers=headers, **options)

    return agentos
