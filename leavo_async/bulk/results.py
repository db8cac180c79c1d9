"""What became of each row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from leavo_async.bulk.rows import Row
from leavo_async.errors import (
    APIError,
    BadRequestError,
    ConfigError,
    ConflictError,
    LeavoError,
    NotFoundError,
    UnprocessableError,
)

State = Literal["created", "existing", "rejected", "unknown", "unsent", "empty"]

_OPEN: tuple[State, ...] = ("rejected", "unknown", "unsent")
_ABOUT_THE_ROW = (BadRequestError, UnprocessableError, NotFoundError, ConfigError)
# Enough to see what is wrong; the rejects file has them all.
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row.

    state: "created"; "existing": the server has it already; "rejected": it cannot be imported as it is; "unknown": it
        may have been created; "unsent": nothing was done with it; "empty": there is nothing in it.
    reason: why it is not there; where the server refused it, in the server's words.
    """

    row: Row
    state: State
    reason: str = ""
    status: int | None = None
    code: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody has to look at it."""
        return self.state in _OPEN


def result_of(row: Row, error: LeavoError) -> RowResult:
    """The result of a row whose write ended in this error."""
    status, code = (error.status, error.code) if isinstance(error, APIError) else (None, None)
    return RowResult(row, _state(error), str(error), status, code)


def is_about_the_row(error: LeavoError) -> bool:
    """Whether the next row may fare better; if not, going on would spend every row on the same error."""
    if isinstance(error, NotFoundError) and error.code is None:
        return False  # a 404 that is not the API's own: there is no such place, for no row
    return isinstance(error, (*_ABOUT_THE_ROW, ConflictError)) or error.outcome != "not sent"


def _state(error: LeavoError) -> State:
    if isinstance(error, ConflictError):
        return "existing"
    if error.outcome != "not sent":
        # "done" too: an answer of success that cannot be read, perhaps of something that is not the API at all.
        return "unknown"
    return "rejected" if is_about_the_row(error) else "unsent"


@dataclass(slots=True)
class Tally:
    """The results of an import so far.

    last_line: the last line of the file that was taken up. open_rows: the first thousand that somebody has to look at.
    """

    counts: Counter[State] = field(default_factory=Counter[State])
    last_line: int = 0
    open_rows: list[RowResult] = field(default_factory=list[RowResult])

    def add(self, result: RowResult) -> None:
        """Count one more row."""
        self.counts[result.state] += 1
        self.last_line = max(self.last_line, result.row.line)
        if result.is_open and len(self.open_rows) < _KEPT:
            self.open_rows.append(result)

    @property
    def open_count(self) -> int:
        """Rows that somebody has to look at."""
        return sum(self.counts[state] for state in _OPEN)

    @property
    def rows(self) -> int:
        """Rows that were taken up."""
        return self.counts.total()
