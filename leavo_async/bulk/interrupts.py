"""What Ctrl-C, or the stop button of a notebook, does to a job that somebody has started by hand."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress


def is_interactive() -> bool:
    """Whether somebody types here: only Python's own prompt and IPython's, also in notebooks, set a prompt."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


@contextmanager
def interrupting(callback: Callable[[], None]) -> Generator[None, None, None]:
    """Have an interrupt call back on the running loop, where somebody types; elsewhere it stays as it is.

    Outside of the main thread, and where the loop cannot do it (Windows), it stays as it is, too.
    """
    if not is_interactive() or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, callback)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
