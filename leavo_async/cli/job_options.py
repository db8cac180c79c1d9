"""The options of every command that runs a job, and what is made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import click

from leavo_async.bulk.options import ImportOptions, most_failed
from leavo_async.cli.connection import Connection
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.job_run import Display
from leavo_async.cli.progress import Style
from leavo_async.cli.running import fail, on_signals
from leavo_async.cli.stopper import Stopper
from leavo_async.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


def seconds_of(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """90, 90s, 15m, 8h, 2d → seconds."""
    if value is None:
        return None
    number, unit = (value[:-1], value[-1]) if value[-1:].isalpha() else (value, "s")
    try:
        return float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
    except (ValueError, KeyError):
        raise click.BadParameter(f"{value!r}: expected a number and s, m, h or d, such as 8h") from None


def _share(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """100 or 5%, checked."""
    try:
        most_failed(value, 0)
    except ConfigError:
        raise click.BadParameter(f"{value!r}: expected a number of rows, or a share such as 5%") from None
    return value


def display_options(command: F) -> F:
    """The options of every command that runs a job."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object, on stdout."),
        click.option(
            "--progress",
            type=click.Choice(get_args(Style)),
            default="auto",
            show_default=True,
            help="auto: a bar on a terminal, else plain lines.",
        ),
        click.option("--rejects", metavar="FILE", help="Write the rows that did not get there, and why, as CSV."),
        click.option(
            "--concurrency",
            type=click.IntRange(1, 32),
            help="Rows under way at a time. Default: as many as the limit needs.",
        ),
        click.option(
            "--quarantine",
            metavar="TIME",
            callback=seconds_of,
            help="Wait so long before a row of unknown outcome is looked up. Default: 60s.",
        ),
        click.option(
            "--patience",
            metavar="TIME",
            callback=seconds_of,
            help="Wait so long for a server that is down. Default: 15m.",
        ),
        click.option(
            "--max-errors", metavar="N|N%", callback=_share, help="Stop when more rows than that have failed."
        ),
        click.option("--max-duration", metavar="TIME", callback=seconds_of, help="Stop after so long, such as 8h."),
    ):
        command = option(command)
    return command


def display_of(told: dict[str, Any], *, yes: bool = False) -> Display:
    """How the job is shown."""
    rejects = told["rejects"]
    return Display(told["progress"], told["as_json"], yes, None if rejects is None else Path(rejects))


def options_of(told: dict[str, Any]) -> ImportOptions:
    """What the job is told; what was not said keeps its default."""
    named = {
        "concurrency": told["concurrency"],
        "quarantine": told["quarantine"],
        "patience": told["patience"],
        "max_failed": told["max_errors"],
        "max_seconds": told["max_duration"],
    }
    return cast("ImportOptions", {name: value for name, value in named.items() if value is not None})


def connection_of(told: dict[str, Any]) -> Connection:
    """Where the job sends its rows."""
    return Connection(told["base_url"], told["allow_insecure_loopback"], told["limit"])


async def stoppable(command: Callable[[Stopper], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
    """A command that Ctrl-C stops gently; gives the exit code."""
    stopper = Stopper()
    try:
        with on_signals(stopper.on_signal):
            return await command(stopper)
    except asyncio.CancelledError:
        if stopper.signal is None:
            raise
    return fail("interrupted before anything was sent", ExitCode(128 + stopper.signal))
