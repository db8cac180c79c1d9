"""A local server that speaks Leavo's API or another, with limits and faults on demand: for demos, and for tests.

    from leavo_async.sandbox import Fault, FixedWindow, Sandbox

    async with Sandbox(limit=lambda: FixedWindow(100, 60), faults=[Fault(status=503)]) as sandbox:
        sandbox.seed_leads(250)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {sandbox.key}"}) as session:
            await session.get(f"{sandbox.url}/backend/leads")
    assert sandbox.ledger.busiest(60) <= 100

It shares no code with the client: it is its judge.
"""

from leavo_async.sandbox.blocking import Block
from leavo_async.sandbox.faces import APIS
from leavo_async.sandbox.faults import Fault
from leavo_async.sandbox.ledger import Effect, Ledger, RequestEntry
from leavo_async.sandbox.limits import (
    MODELS,
    FixedWindow,
    Gcra,
    Limiter,
    SlidingLog,
    TokenBucket,
    TwoWindowCounter,
    Verdict,
)
from leavo_async.sandbox.server import Sandbox

__all__ = [
    "APIS",
    "MODELS",
    "Block",
    "Effect",
    "Fault",
    "FixedWindow",
    "Gcra",
    "Ledger",
    "Limiter",
    "RequestEntry",
    "Sandbox",
    "SlidingLog",
    "TokenBucket",
    "TwoWindowCounter",
    "Verdict",
]
