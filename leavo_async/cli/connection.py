"""Where a command sends its requests: the options for it, and the client made of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from leavo_async import LeavoClient, RateLimit
from leavo_async._sansio.records import Observer
from leavo_async.apis.leavo import LEAVO
from leavo_async.cli.running import say
from leavo_async.errors import ConfigError
from leavo_async.sandbox import FixedWindow, Sandbox

F = TypeVar("F", bound=Callable[..., Any])

# A file of 60 rows takes seconds, and the limit can still be seen at work.
_DEMO_LIMIT = RateLimit(600)


@dataclass(frozen=True, slots=True)
class Connection:
    """What the connection options say."""

    base_url: str | None
    allow_insecure_loopback: bool
    limit: int | None

    @property
    def rate_limit(self) -> RateLimit:
        """What the key may send."""
        leavo = next(limit for limit in LEAVO.limits if isinstance(limit, RateLimit))
        return leavo if self.limit is None else RateLimit(self.limit)

    @property
    def demo_limit(self) -> RateLimit:
        """What the key of the demo's sandbox may send."""
        return _DEMO_LIMIT if self.limit is None else RateLimit(self.limit)

    @property
    def place(self) -> str:
        """Where requests go."""
        return self.base_url or LEAVO.base_url

    def client(self, observers: Sequence[Observer] = ()) -> LeavoClient:
        """A client with the key from LEAVO_API_KEY; ConfigError without one."""
        return LeavoClient(
            base_url=self.base_url,
            allow_insecure_loopback=self.allow_insecure_loopback,
            limits=[self.rate_limit],
            observers=observers,
        )


@asynccontextmanager
async def demo(limit: RateLimit, observers: Sequence[Observer]) -> AsyncGenerator[LeavoClient, None]:
    """A client of a sandbox inside of this process."""
    async with serving(Sandbox(limit=lambda: FixedWindow(limit.requests, limit.per))) as sandbox:
        more = " (Leavo allows 100; with more the demo takes seconds)" if limit is _DEMO_LIMIT else ""
        say(f"Sandbox  {sandbox.url} · {limit}{more}")
        async with LeavoClient(
            sandbox.key,
            base_url=sandbox.url,
            allow_insecure_loopback=True,
            limits=[limit],
            observers=observers,
        ) as leavo:
            yield leavo


@asynccontextmanager
async def serving(sandbox: Sandbox) -> AsyncGenerator[Sandbox, None]:
    """The sandbox, started; ConfigError if its port cannot be had."""
    problem = ""
    try:
        await sandbox.start()
    except OSError as error:
        problem = f"the sandbox cannot listen ({error.strerror or error}): choose another --port"
    if problem:
        raise ConfigError(problem)
    async with aclosing(sandbox):
        yield sandbox


def connection_options(command: F) -> F:
    """The options of every command that talks to the API."""
    for option in (
        click.option("--limit", type=click.IntRange(min=1), help="Requests a minute of your key, if not Leavo's 100."),
        click.option("--allow-insecure-loopback", is_flag=True, help="Permit http:// to this machine (a sandbox)."),
        click.option(
            "--base-url", envvar="LEAVO_BASE_URL", show_envvar=True, help="Where the API is, if not at Leavo's."
        ),
    ):
        command = option(command)
    return command
