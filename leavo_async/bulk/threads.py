"""Blocking work of a job, and what becomes of it when the job is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the function gives or raises, run in a daemon thread. Cancelled, it is let alone: nobody waits for it.

    asyncio.to_thread would do, but for its threads: the process waits for them at its end, and one that waits for a
    terminal's next line, or reads a file without end, never comes back.
    """
    return await _started(lambda: work(*args, **kwargs))


def let_alone(work: Callable[[], object]) -> None:
    """Have it done in a daemon thread, whatever comes of it, and whenever that is."""
    _started(work).cancel()


async def to_its_end(work: Awaitable[R], undo: Callable[[R], object] | None = None) -> R:
    """What is awaited; a cancellation waits for its end, and comes out only then. For work that ends soon.

    So nothing is under way any more when the caller goes on, and cleans up. undo: what to do in a thread with what
    nobody gets, such as to close it.
    """
    working, cancelled = asyncio.ensure_future(work), None
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return working.result()
    if not working.cancelled() and working.exception() is None and undo is not None:
        result = working.result()
        await to_its_end(_started(lambda: undo(result)))
    raise cancelled


def _started(work: Callable[[], R]) -> asyncio.Future[R]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()

    def settle(result: R | None, error: BaseException | None) -> None:
        if not done.done():
            done.set_result(result) if error is None else done.set_exception(error)  # type: ignore[arg-type]

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  # it is raised where it is awaited
            problem = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, name="leavo-files", daemon=True).start()
    return done
