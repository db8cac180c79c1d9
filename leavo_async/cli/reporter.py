"""Told of each row: shows the progress, keeps the rows that are not there in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from leavo_async.bulk.rejects import Rejects
from leavo_async.bulk.results import RowResult
from leavo_async.bulk.threads import in_thread


class Reporter:
    """Passes each result on. show: draws the progress. rejects: None where no file was asked for."""

    def __init__(self, show: Callable[[], None], rejects: Rejects | None) -> None:
        self._show = show
        self._rejects = rejects
        self._writing = asyncio.Lock()

    async def __call__(self, result: RowResult) -> None:
        """Tell of one row. Raises OSError if it cannot be kept."""
        self._show()
        if self._rejects is not None and result.is_open:
            async with self._writing:  # one at a time, and in a thread: files block
                await in_thread(keep, self._rejects, result)


def keep(rejects: Rejects, result: RowResult) -> None:
    """Write the row, with what became of it, into the rejects file; an OSError names that file."""
    try:
        rejects.add(result.row, state=result.state, status=result.status, code=result.code, reason=result.reason)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(rejects.path)) from None
