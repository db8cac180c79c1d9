"""Rows of a CSV file. Cells are text and stay text: a ZIP code keeps its zeros, a phone its plus."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from leavo_async.bulk.lines import Lines, RowTooLongError, encoding_hint, has_surrogate, is_damaged
from leavo_async.bulk.rows import Row
from leavo_async.errors import ConfigError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def sniff_delimiter(header: str) -> str:
    """The candidate that stands most often outside quotes in the header line; comma when in doubt.

    csv.Sniffer looks at the data too, and is wrong more often: a free text has more commas than columns.
    """
    outside = "".join(header.split('"')[::2])
    counts = {candidate: outside.count(candidate) for candidate in DELIMITERS}
    most = max(counts.values())
    best = [candidate for candidate, count in counts.items() if count == most]
    return best[0] if len(best) == 1 else ","


class CsvRows:
    """An iterator of rows; `columns` has the names of the header, in order.

    Raises ConfigError when made if the header cannot be used.
    """

    def __init__(self, lines: Lines, *, delimiter: str, name: str) -> None:
        self._lines = lines
        # Strict: a quote in the wrong place is an error. Otherwise cells would be glued without a word,
        # and a quote that is never closed would swallow the rest of the file.
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        # An odd number of quotes before a delimiter or line end: inside the cell they stand in pairs.
        self._end_of_cell = re.compile(f'(?<!")"(?:"")*(?=[{re.escape(delimiter)}\r\n])')
        self.columns = self._header(name)

    def __iter__(self) -> Iterator[Row]:
        while (row := self._next()) is not None:
            yield row

    def _header(self, name: str) -> tuple[str, ...]:
        line = self._lines.start_row()
        read = self._cells(line)
        if isinstance(read, str):
            raise ConfigError(f"cannot use the header of {name} (line {line}): {read}")
        columns = tuple(cell.strip() for cell in read or ())
        if found := self._wrong_with(columns):
            raise ConfigError(f"cannot use the header of {name} (line {line}): {found}")
        return columns

    def _wrong_with(self, columns: Sequence[str]) -> str | None:
        if self._lines.damaged:
            return _damage(columns, range(1, len(columns) + 1), self._lines.encoding)
        if unnamed := [str(number) for number, column in enumerate(columns, 1) if not column]:
            return f"no name for column {', '.join(unnamed)}; give each column a name"
        if doubled := [repr(column) for column, times in Counter(columns).items() if times > 1]:
            return f"more than one column is named {', '.join(doubled)}; give each its own name"
        return None

    def _next(self) -> Row | None:
        line = self._lines.start_row()
        cells = self._cells(line)
        if cells is None:
            return None
        if isinstance(cells, str):
            return Row(line, {}, cells)
        if len(cells) == len(self.columns) and not self._lines.damaged:
            return Row(line, dict(zip(self.columns, cells, strict=True)))
        return self._irregular(line, cells)

    def _cells(self, line: int) -> list[str] | str | None:
        """The cells of the next row; words if it is not CSV; None at the end."""
        try:
            return next(self._reader, None)
        except RowTooLongError as error:
            why, is_too_long = str(error), True
        except csv.Error as error:
            # csv has no error codes. Its reader starts afresh with the next line after each error.
            is_too_long = "field larger" in str(error)
            why = _too_long() if is_too_long else self._misplaced_quote()
        self._leave_cell(line, is_too_long=is_too_long)
        return why + self._left_out(line)

    def _misplaced_quote(self) -> str:
        if self._lines.ended:
            return "a quote is opened here and never closed"
        return "text follows a closing quote; inside a quoted cell, write each quote twice"

    def _leave_cell(self, line: int, *, is_too_long: bool) -> None:
        """Go on behind the quoted cell we may still be in: its lines are text, and must not be sent as rows.

        After an error several lines below the opening quote, the last line's quotes may open or close:
        nobody can tell, and the next line is the best place to go on.
        """
        is_one_line = self._lines.number == line
        if self._lines.quotes % 2 and (is_too_long or is_one_line):
            self._lines.skip_through(self._is_outside_after)

    def _is_outside_after(self, line: str) -> bool:
        """True if the line closes the quoted cell it begins in, and opens no other that goes on below."""
        end = self._end_of_cell.search(line)
        return end is not None and line.count('"', end.end()) % 2 == 0

    def _left_out(self, line: int) -> str:
        last = self._lines.number
        return f" (lines {line} to {last} are left out)" if last > line else ""

    def _irregular(self, line: int, cells: list[str]) -> Row:
        if not any(cell.strip() for cell in cells):
            return Row(line, dict.fromkeys(self.columns, ""))
        if len(cells) != len(self.columns):
            why = f"{len(cells)} cells, the header has {len(self.columns)}"
        else:
            why = _damage(cells, self.columns, self._lines.encoding)
        return Row(line, {}, why + self._left_out(line))


def _too_long() -> str:
    return f"a cell is longer than {csv.field_size_limit():,} characters"


def _damage(cells: Sequence[str], names: Sequence[object], encoding: str) -> str:
    """Which cell has a NUL or undecodable bytes, without its content."""
    cell, name = next((c, n) for c, n in zip(cells, names, strict=True) if is_damaged(c))
    if has_surrogate(cell):
        return f"column {name!r} is not {encoding}; {encoding_hint(encoding)}"
    return f"column {name!r} has a NUL byte; is this a text file, and its --encoding right?"
