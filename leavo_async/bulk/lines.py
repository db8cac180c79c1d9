"""The lines of a text stream: counted, of bounded length, and watched for bytes that could not be decoded."""

import codecs
import re
from collections.abc import Callable
from typing import TextIO

# Characters. Far above any row an API would take; it bounds memory when a "line" turns out to be a
# gigabyte without a line end.
MAX_ROW = 4 * 1024 * 1024

# Not "surrogateescape": that one raises for bytes below 128, which the UTF-16 and CJK codecs do report.
MARK_UNDECODABLE = "leavo_async.mark_undecodable"
_UNDECODABLE = re.compile("[\ud800-\udfff]")

_BYTE_ORDER_MARK = "\ufeff"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """A lone surrogate in place of what could not be decoded: no valid text contains one."""
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error(MARK_UNDECODABLE, _mark)


def is_damaged(text: str) -> bool:
    """True if the text stands for bytes that could not be decoded, or has a NUL."""
    return "\0" in text or has_surrogate(text)


def has_surrogate(text: str) -> bool:
    """True if the text has half of a surrogate pair: it cannot be written as UTF-8."""
    return not text.isascii() and _UNDECODABLE.search(text) is not None


def encoding_hint(encoding: str) -> str:
    """What to try when bytes are not of that encoding."""
    if encoding.startswith("utf-8"):
        return "if the file comes from Excel or Windows, try --encoding cp1252"
    return "try another --encoding"


class RowTooLongError(Exception):
    """The row in hand exceeds the limit; the line that went over it has been skipped to its end."""


class Lines:
    """An iterator of lines with their ends, which knows about the row they are read for.

    number: of the line handed out last, from 1.
    quotes: double quotes seen since `start_row`.
    damaged: True if a line since `start_row` has a NUL or undecodable bytes.
    ended: True once the stream has been read to its end.

    An iterator with `__next__`, not a generator: it must survive raising RowTooLongError.
    """

    def __init__(self, stream: TextIO, *, limit: int = MAX_ROW) -> None:
        self.number = 0
        self.quotes = 0
        self.damaged = False
        self.ended = False
        self._stream = stream
        self._limit = limit
        self._held = ""
        self._size = 0

    @property
    def encoding(self) -> str:
        """The name of the encoding the stream is read with."""
        return self._stream.encoding

    def start_row(self) -> int:
        """The number of the next line; what was counted for the row before is forgotten."""
        self.quotes = 0
        self.damaged = False
        self._size = 0
        return self.number + 1

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._held or self._stream.readline(self._limit)
        self._held = ""
        if not line:
            self.ended = True
            raise StopIteration
        self._count(line)
        if self._size >= self._limit:
            self._finish_line(line)
            raise RowTooLongError(f"the row is longer than {self._limit:,} characters")
        return line

    def first_line(self) -> str:
        """The first line that is not blank, without a byte order mark; it will be handed out again."""
        line = next(self, "").removeprefix(_BYTE_ORDER_MARK)
        while line.isspace():
            self.start_row()
            line = next(self, "")
        if line:
            self._held = line
            self.number -= 1
        self.start_row()
        return line

    def skip_through(self, is_last: Callable[[str], bool]) -> None:
        """Leave out all lines up to and including the first that is the last one to leave out."""
        while piece := self._stream.readline(self._limit):
            self.number += 1
            self._finish_line(piece)
            if is_last(piece):
                return
        self.ended = True

    def _count(self, line: str) -> None:
        self.number += 1
        self.quotes += line.count('"')
        self._size += len(line)
        if "\0" in line or has_surrogate(line):
            self.damaged = True

    def _finish_line(self, piece: str) -> None:
        while piece and piece[-1] not in "\r\n":
            piece = self._stream.readline(self._limit)
            self.quotes += piece.count('"')
