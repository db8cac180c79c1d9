"""The servers of the kill tests: in a thread of their own, with faults that leave the outcome of a write unknown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from leavo_async.sandbox import Fault, Sandbox


class Kind(NamedTuple):
    """A kind of server: what it does with keys and how long its lists lag, and what the client is told about it.

    quarantine: longer than a list lags and a request of a dead process takes, together.
    """

    settings: dict[str, Any]
    idempotency: str | None = None
    quarantine: float = 0.4


# None of them refuses a second lead with the same phone: what is done twice is seen.
SERVERS = {
    "honours the key": Kind({"idempotency": "honoured"}, "honoured"),
    "ignores the key": Kind({"idempotency": "ignored"}),
    "ignores the key, and lists lag": Kind({"idempotency": "ignored", "search_lag": 0.5}, quarantine=0.9),
}


def random_faults(reset: float, failed: float) -> tuple[Fault, ...]:
    """Shares of the writes that are done, and then the connection breaks, or a 500 is answered and stored."""
    broken = Fault(reset="after", method="POST", chance=reset, times=None)
    return broken, Fault(status=500, commit=True, method="POST", chance=failed, times=None)


@contextmanager
def served(kind: Kind, *, faults: Iterable[Fault] = (), **settings: Any) -> Iterator[Sandbox]:
    """A sandbox that runs; everything in it may be read from here."""
    sandbox = Sandbox(unique_phones=False, faults=faults, **kind.settings, **settings)
    started, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with sandbox:
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait()
    try:
        yield sandbox
    finally:
        ended.set()
        thread.join()
