"""A server for a benchmark, in another process, so that its CPU time is not counted."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


async def serve(protocol: Callable[[], asyncio.Protocol], listener: socket.socket | None = None) -> None:
    """Print the port, then answer until standard input ends: with the benchmark, however that ends."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    if listener is None:
        listener = socket.create_server(("127.0.0.1", 0))
    await loop.create_server(protocol, sock=listener, backlog=512)
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(over.set)), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    await over.wait()


@contextmanager
def running_server(script: str) -> Iterator[str]:
    """The base URL of the server that `script --role server` is."""
    # In a session of its own, so that Ctrl-C reaches the benchmark alone; it ends when its standard input is closed.
    with subprocess.Popen(
        [sys.executable, script, "--role", "server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
