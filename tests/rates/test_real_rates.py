"""The same over real sockets, with short windows: what the machine and its network really do."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from leavo_async import LeavoClient, RateLimit
from leavo_async.sandbox import Sandbox

from .servers import MODELS

WINDOWS = 3


@pytest.mark.torture(real_time=True)
@pytest.mark.timeout(120)
@pytest.mark.asyncio
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("limit", [RateLimit(600, 6, 0.1), RateLimit(100, 5, 0.1)], ids=str)
async def test_no_429_and_97_percent_of_the_limit_over_sockets(
    model: str, limit: RateLimit, record_property: pytest.RecordProperty
) -> None:
    """Three windows, with work waiting all the time."""
    phase = time.monotonic() % limit.per
    sandbox = Sandbox(limit=lambda: MODELS[model](limit.requests, limit.per, phase))
    async with sandbox, client(sandbox, limit) as leavo:
        await saturate(leavo, WINDOWS * limit.per)
    admitted = sum(entry.admitted for entry in sandbox.ledger.requests)
    refused = len(sandbox.ledger.requests) - admitted
    share = admitted / (limit.requests * WINDOWS)
    record_property("share", f"{share:.4f}")
    print(f"{model}, {limit}: {share:.2%} of the limit, {refused} × 429, {sandbox.ledger.busiest(limit.per)} at most")

    assert refused == 0
    assert share >= 0.97
    assert sandbox.ledger.busiest(limit.per) <= limit.requests


def client(sandbox: Sandbox, limit: RateLimit) -> LeavoClient:
    return LeavoClient(sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, limits=[limit])


async def saturate(leavo: LeavoClient, seconds: float) -> None:
    numbers = itertools.count()

    async def worker() -> None:
        while True:
            await leavo.leads.list(search=str(next(numbers)), max_items=1).collect()

    workers = [asyncio.create_task(worker()) for _ in range(16)]
    await asyncio.sleep(seconds)
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
