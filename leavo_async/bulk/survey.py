"""What an import would do, found by reading the file once before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from leavo_async.bulk.importer import checked_row
from leavo_async.bulk.results import RowResult, Tally
from leavo_async.bulk.rows import Row


@dataclass(slots=True)
class Survey:
    """What the file holds. to_send: rows that would be sent. tally: the others."""

    to_send: int
    tally: Tally

    @property
    def rows(self) -> int:
        """Rows in all."""
        return self.to_send + self.tally.rows


def survey(
    rows: Iterable[Row],
    check: Callable[[Row], object],
    *,
    on_result: Callable[[RowResult], None] = lambda result: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Survey:
    """What an import of these rows would send and reject.

    on_result: told of each row that would not be sent. is_stopped: asked at each row, for long files.
    """
    found = Survey(0, Tally())
    for row in rows:
        if is_stopped():
            break
        result = checked_row(row, check)
        if isinstance(result, RowResult):
            found.tally.add(result)
            on_result(result)
        else:
            found.to_send += 1
    return found
