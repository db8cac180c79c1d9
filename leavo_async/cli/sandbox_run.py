"""`leavo sandbox`: serves until a signal comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from leavo_async.cli.connection import serving
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.running import on_signals, say
from leavo_async.sandbox import MODELS, Sandbox


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What the user asked for. limit: requests a minute. seeded: made-up leads at the start."""

    port: int
    limit: int
    model: str
    dialect: Any
    idempotency: Any
    rate_headers: bool
    seeded: int


async def serve(options: SandboxOptions) -> ExitCode:
    """Serve until Ctrl-C, then tell what came."""
    ended = asyncio.Event()
    async with serving(_sandbox(options)) as sandbox:
        with on_signals(lambda number: ended.set()):
            sandbox.seed_leads(options.seeded)
            for line in _told(sandbox, options):
                print(line, flush=True)
            await ended.wait()
        say(f"{len(sandbox.ledger.requests):,} requests, {len(sandbox.leads):,} leads")
    return ExitCode.DONE


def _sandbox(options: SandboxOptions) -> Sandbox:
    return Sandbox(
        limit=lambda: MODELS[options.model](options.limit, 60.0),
        dialect=options.dialect,
        idempotency=options.idempotency,
        rate_headers=options.rate_headers,
        port=options.port,
    )


def _told(sandbox: Sandbox, options: SandboxOptions) -> tuple[str, ...]:
    return (
        f"Sandbox on {sandbox.url}, {options.limit} requests a minute ({options.model}); Ctrl-C ends it. To use it:",
        f"  export LEAVO_API_KEY={sandbox.key}",
        f"  leavo leads list --base-url {sandbox.url} --allow-insecure-loopback",
    )
