"""An export in a process of its own, which kills itself at a step of its own choice: `killed_export.py URL FILE STEP`.

A step is whatever changes a file. Half of the bytes are written where a write is to be the last step.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from leavo_async import LeavoClient
from leavo_async.apis.leavo.columns import LEAD_COLUMNS
from leavo_async.bulk import part
from leavo_async.bulk.cursor import Cursor
from leavo_async.bulk.export import export

PAGE = 10


class Steps:
    """Counts steps, and kills the process at the last one."""

    def __init__(self, last: int) -> None:
        self.left = last

    def before(self, owner: Any, name: str) -> None:
        """Make a step of this function; the process is killed before it does anything."""
        real: Callable[..., Any] = getattr(owner, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            self.take()
            return real(*args, **kwargs)

        setattr(owner, name, step)

    def take(self) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, real: Callable[..., None], this: part.Part, data: bytes) -> None:
        if self.left == 1 and this._file is not None:
            this._file.write(data[: len(data) // 2])
            this._file.flush()
        self.take()
        real(this, data)


def make_steps(last: int) -> None:
    steps = Steps(last)
    real = part.Part._write
    part.Part._write = lambda this, data: steps.write(real, this, data)  # type: ignore[method-assign]
    for owner, name in (
        (os, "fsync"),
        (Cursor, "begin"),
        (Cursor, "commit"),
        (Path, "replace"),
        (Path, "unlink"),
        (part, "_opened"),
        (part, "sync_folder"),
        (part, "write_parquet"),
    ):
        steps.before(owner, name)


async def main(url: str, file: str, last: int) -> None:
    part.COMMIT_EVERY = 0.0
    make_steps(last)
    async with LeavoClient(base_url=url, allow_insecure_loopback=True, limits=()) as leavo:
        listing = partial(leavo.leads.list, page_size=PAGE)
        await export(listing, file, columns=None if file.endswith("jsonl") else LEAD_COLUMNS)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
