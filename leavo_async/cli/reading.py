"""How many rows of a file were read, on a terminal, for as long as it is read."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from leavo_async.bulk.job import BulkJob
from leavo_async.cli.progress import Style

# A small file is read before anybody could read the line.
_EACH = 0.5


@asynccontextmanager
async def counting(job: BulkJob, style: Style) -> AsyncGenerator[None, None]:
    """Count the rows that a job reads on one line of the terminal, which is gone in the end; elsewhere say nothing."""
    if style not in ("auto", "bar") or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    counter = asyncio.create_task(_count(job))
    try:
        yield
    finally:
        counter.cancel()
        await asyncio.wait([counter])


async def _count(job: BulkJob) -> None:
    line = ""
    try:
        while True:
            await asyncio.sleep(_EACH)
            line = f"Reading: {job.rows_read:,} rows"
            _write(f"\r{line}")
    finally:
        if line:
            _write(f"\r{' ' * len(line)}\r")


def _write(text: str) -> None:
    with suppress(OSError):  # the terminal has gone
        sys.stderr.write(text)
        sys.stderr.flush()
