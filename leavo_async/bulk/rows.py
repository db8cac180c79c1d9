"""One row of a file, whatever the format of the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One row as it stands in the file: readable values, or the problem that makes it unreadable.

    line: where the row starts, from 1; the header of a CSV file counts.
    problem: why the row cannot be read, in words that hold no content of any cell (it may be personal);
        `values` is then empty, because half a row, or a row with shifted cells, must never be sent.
    """

    line: int
    values: Values
    problem: str | None = None

    def __repr__(self) -> str:
        # Without the values, which are somebody's: it is shown with the locals of a traceback.
        return f"<Row of line {self.line}: {self.problem or 'readable'}>"

    @property
    def is_empty(self) -> bool:
        """True if the row was read and every cell is blank: a blank line, or nothing but delimiters."""
        return self.problem is None and all(is_blank(value) for value in self.values.values())


def is_blank(value: object) -> bool:
    """True for a cell that says nothing: null, or text of nothing but white space."""
    return value is None or (isinstance(value, str) and not value.strip())
