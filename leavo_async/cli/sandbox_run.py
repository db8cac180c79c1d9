"""`leavo sandbox`: serves until a signal comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from leavo_async.cli.connection import serving
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.running import on_signals, say
from leavo_async.sandbox import MODELS, Fault, Sandbox


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What the user asked for.

    limit: requests a minute. filled: made-up things at the start, by kind. unknown: the share of writes (0 to 1) that
    are done and not answered.
    """

    api: Any
    port: int
    limit: int
    model: str
    dialect: Any
    idempotency: Any
    rate_headers: bool
    filled: Mapping[str, int]
    unknown: float = 0.0


@dataclass(frozen=True, slots=True)
class _Use:
    """How a client of one API is told of the sandbox.

    variables: of the environment, for the parts of the key. fixed: other variables. call: the line that uses it.
    """

    variables: tuple[str, ...]
    call: str
    fixed: tuple[str, ...] = ()


_USES: Mapping[str, _Use] = {
    "leavo": _Use(("LEAVO_API_KEY",), "leavo leads list --base-url {url} --allow-insecure-loopback"),
    "laabam": _Use(
        ("LAABAM_CLIENT_ID", "LAABAM_CLIENT_SECRET"),
        'LaabamClient(base_url="{url}", allow_insecure_loopback=True)',
        ("LAABAM_COMPANY=sandbox",),
    ),
    "agentos": _Use(
        ("AGENTOS_API_KEY",),
        'AgentOSClient(base_url="{url}", allow_insecure_loopback=True)',
        ("AGENTOS_SHORT_NAME=sandbox",),
    ),
    "language_confidence": _Use(
        ("LANGUAGE_CONFIDENCE_API_KEY",),
        'LanguageConfidenceClient(base_url="{url}", allow_insecure_loopback=True)',
    ),
}


async def serve(options: SandboxOptions) -> ExitCode:
    """Serve until Ctrl-C, then tell what came. click.UsageError for options that do not fit the API."""
    ended = asyncio.Event()
    async with serving(_sandbox(options)) as sandbox:
        with on_signals(lambda number: ended.set()):
            for line in told(sandbox, options):
                print(line, flush=True)
            await ended.wait()
        say(", ".join([f"{len(sandbox.ledger.requests):,} requests", *kept(sandbox)]))
    return ExitCode.DONE


def kept(sandbox: Sandbox) -> list[str]:
    """How many it has of each kind; of kinds that it has none of only where that is the only one."""
    numbers = {kind: len(sandbox.stored(kind)) for kind in sandbox.kinds}
    return [f"{n:,} {kind}" for kind, n in numbers.items() if n or len(numbers) == 1]


def _sandbox(options: SandboxOptions) -> Sandbox:
    try:
        sandbox = _empty(options)
        for kind, n in options.filled.items():
            sandbox.fill(kind, n)
    except (ValueError, RuntimeError) as error:
        raise click.UsageError(str(error)) from None
    return sandbox


def _empty(options: SandboxOptions) -> Sandbox:
    settings = {} if options.dialect is None else {"dialect": options.dialect}
    return Sandbox(
        api=options.api,
        limit=lambda: MODELS[options.model](options.limit, 60.0),
        idempotency=options.idempotency,
        rate_headers=options.rate_headers,
        port=options.port,
        faults=_unanswered(options.unknown),
        **settings,
    )


def _unanswered(share: float) -> list[Fault]:
    """A share of the writes is carried out, and then the connection breaks."""
    writes = ("POST", "PUT", "PATCH", "DELETE") if share else ()
    return [Fault(reset="after", method=method, chance=share, times=None) for method in writes]


def told(sandbox: Sandbox, options: SandboxOptions) -> tuple[str, ...]:
    """The lines that say where a running sandbox is, and how a client is told of it."""
    use = _USES[sandbox.api]
    keys = (f"{name}={part}" for name, part in zip(use.variables, sandbox.credentials, strict=True))
    return (
        f"Sandbox on {sandbox.url}, {options.limit} requests a minute ({options.model}); Ctrl-C ends it. To use it:",
        *(f"  export {variable}" for variable in (*keys, *use.fixed)),
        f"  {use.call.format(url=sandbox.base_url)}",
    )
