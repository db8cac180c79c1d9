"""What can be imported: open it, see its columns, read its rows one by one in constant memory."""

import codecs
import inspect
import io
import os
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Protocol, Self, cast

from pydantic import BaseModel

from leavo_async.bulk.arrow_source import arrow_table
from leavo_async.bulk.csv_source import DELIMITERS, CsvRows, sniff_delimiter
from leavo_async.bulk.frames import frame_table
from leavo_async.bulk.iterables import AsyncSource, ItemRows
from leavo_async.bulk.jsonl_source import JsonlRows
from leavo_async.bulk.lines import MARK_UNDECODABLE, Lines, RowTooLongError
from leavo_async.bulk.parquet_source import ENCRYPTED_MAGIC, MAGIC, ParquetRows
from leavo_async.bulk.rows import Row
from leavo_async.errors import ConfigError

__all__ = ["AsyncSource", "Format", "Row", "Source", "open_source", "source_of"]

Format = Literal["csv", "jsonl", "parquet"]

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}

# Longest first: the mark of UTF-32 LE begins with that of UTF-16 LE. https://www.unicode.org/faq/utf_bom.html
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive; save it as CSV UTF-8",
    b"\x1f\x8b": "packed with gzip; unpack it, or pipe it: gunzip -c FILE | leavo import -",
}
_HEAD = 4  # bytes: the longest mark

# Delimiters that a shell makes hard to type.
_SPELLED = {"\\t": "\t", "tab": "\t"}

_BUFFER = 256 * 1024  # bytes: one call of ours for about 3,000 rows


@dataclass(frozen=True)
class Source:
    """The rows of one file, data frame or iterable; they can be read once.

    name: the file's, or what kind of thing holds the rows.
    columns: the names in the header; of JSON Lines and iterables the keys of the first readable row, later rows may
        have others.
    description: format, delimiter and encoding, for people: "CSV, comma, utf-8-sig".
    path: the file; None if it is no regular file, which can be read a second time.
    """

    name: str
    columns: tuple[str, ...]
    description: str
    _rows: Iterator[Row] = field(repr=False)
    _close: Callable[[], None] = field(repr=False)
    path: Path | None = None

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; standard input, and what a program has handed over, stay open. May be called again."""
        self._close()


def source_of(
    thing: object,
    *,
    format: Format | None = None,  # noqa: A002  # the users' word
    delimiter: str | None = None,
    encoding: str | None = None,
    stdin: BinaryIO | None = None,
) -> Source | AsyncSource:
    """The rows of whatever a caller wants to import.

    thing: a path, or "-" for standard input; a data frame of pandas or polars; anything with `__arrow_c_stream__`; an
        iterable of mappings or pydantic models; an async iterable of them, which gives an AsyncSource.
    The rest is for paths: see `open_source`. Opening reads a little: of an iterable up to its first readable item.
    Raises ConfigError if there is nothing to read, or if it is something else.
    """
    if isinstance(thing, str | os.PathLike):
        path = Path(cast("str | os.PathLike[str]", thing))
        if "\n" in str(path):  # not repeated: it is people's data
            raise ConfigError("cannot read rows from a text of several lines: write it to a file and give its path")
        return open_source(path, format=format, delimiter=delimiter, encoding=encoding, stdin=stdin)
    name = _kind(thing)
    if format is not None or delimiter is not None or encoding is not None:
        raise ConfigError(f"cannot read {name}: only a file has a format, a delimiter or an encoding; leave them out")
    if isinstance(thing, AsyncIterable):
        return AsyncSource(cast("AsyncIterable[object]", thing), name)
    return _held(thing, name)


def _kind(thing: object) -> str:
    """Such as "pandas DataFrame" or "generator"; packages such as _duckdb without their underscores."""
    package = type(thing).__module__.partition(".")[0].strip("_")
    return f"{package} {type(thing).__name__}".removeprefix("builtins ")


def _held(thing: object, name: str) -> Source:
    """The rows of what is in memory, or comes out of it."""
    if (frame := frame_table(thing, name)) is not None:
        return Source(name, frame.columns, "data frame", frame.rows(), _nothing_to_close)
    if hasattr(thing, "__arrow_c_stream__"):
        table = arrow_table(thing, name)
        return Source(name, table.columns, "Arrow stream", table.rows(), _nothing_to_close)
    rows = ItemRows(_checked_iterable(thing, name))
    return Source(name, rows.columns, "iterable", iter(rows), _nothing_to_close)


def _nothing_to_close() -> None:
    """It is the caller's."""


def _checked_iterable(thing: object, name: str) -> Iterable[object]:
    if isinstance(thing, bytes | bytearray | memoryview):
        hint = "write them to a file and give its path"
    elif isinstance(thing, Mapping | BaseModel):
        hint = "for one row, put it into a list"
    elif hasattr(thing, "read"):
        hint = "give the path of the file instead of the open file"
    elif inspect.isawaitable(thing):
        hint = "await it, and give what comes of it"
    elif inspect.isroutine(thing):
        hint = "call it, and give what it returns"
    elif isinstance(thing, Iterable):
        return cast("Iterable[object]", thing)
    else:
        hint = "a path, a data frame, or an iterable of mappings was expected"
    raise ConfigError(f"cannot read rows from {name}: {hint}")


def open_source(
    path: str | Path,
    *,
    format: Format | None = None,  # noqa: A002  # the users' word
    delimiter: str | None = None,
    encoding: str | None = None,
    stdin: BinaryIO | None = None,
) -> Source:
    """The rows of a CSV, JSON Lines or Parquet file; of standard input for the path "-".

    format: None takes it from the suffix, else from the first characters.
    delimiter: None takes it from the header line.
    encoding: a Python codec name; None is UTF-8 with or without a byte order mark.
    Raises ConfigError if there is nothing to read: then one line says what to do.
    """
    name = "standard input" if str(path) == "-" else str(path)
    codec = _codec(encoding or "utf-8-sig")
    opened = _open(path, name, stdin)
    try:
        if _is_parquet(Path(path), opened.head, format):
            return _parquet(path, opened, name, is_text=delimiter is not None or encoding is not None)
        lines = Lines(_text(opened, codec, name))
        first = _first_line(lines, name)
        source = _source(lines, first, opened, name, format or _format_of(Path(path), first), delimiter)
    except BaseException:
        opened.close()
        raise
    return replace(source, path=_regular(path))


def _regular(path: str | Path) -> Path | None:
    return Path(path) if str(path) != "-" and Path(path).is_file() else None


def _is_parquet(path: Path, head: bytes, kind: Format | None) -> bool:
    by_content: Format | None = "parquet" if head in (MAGIC, ENCRYPTED_MAGIC) else None
    return (kind or _SUFFIXES.get(path.suffix.lower(), by_content)) == "parquet"


def _parquet(path: str | Path, opened: "_Opened", name: str, *, is_text: bool) -> Source:
    if is_text:
        raise ConfigError(
            f"cannot read {name}: it is Parquet, which has no delimiter and no encoding; "
            "leave --delimiter and --encoding out"
        )
    if opened.head == ENCRYPTED_MAGIC:
        raise ConfigError(f"cannot read {name}: it is encrypted; decrypt it first")
    regular = _regular(path)
    if regular is None:
        raise ConfigError(f"cannot read {name}: Parquet is read from its end, so it must be a file; save it as one")
    opened.close()
    rows = ParquetRows(regular, name)
    return Source(name, rows.columns, "Parquet", iter(rows), rows.close, regular)


class _Bytes(Protocol):
    """What a file and a standard input have in common."""

    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class _Opened(io.RawIOBase):
    """A binary stream whose first bytes were looked at: standard input cannot be wound back."""

    def __init__(self, stream: _Bytes, *, is_ours: bool) -> None:
        self._stream = stream
        self._is_ours = is_ours
        self.head = b""
        while len(self.head) < _HEAD and (more := stream.read(_HEAD - len(self.head))):
            self.head += more
        self._unread = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        data = self._unread or self._stream.read(len(buffer))
        self._unread = b""
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self._is_ours:
            self._stream.close()
        super().close()


def _open(path: str | Path, name: str, stdin: BinaryIO | None) -> _Opened:
    try:
        if str(path) == "-":
            return _Opened(stdin or stdin_bytes(), is_ours=False)
        return _opened_file(Path(path))
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        why = why_unreadable(error)
    raise ConfigError(f"cannot read {name}: {why}")


def stdin_bytes() -> BinaryIO:
    """Standard input; ConfigError if it is closed."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise ConfigError("cannot read standard input: it is closed; name a file")
    # Unbuffered: a thread that waits in a buffered read would hold its lock at the end of the process.
    raw: BinaryIO = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return raw


def _opened_file(path: Path) -> _Opened:
    stream = path.open("rb", buffering=0)
    try:
        return _Opened(stream, is_ours=True)
    except BaseException:
        stream.close()
        raise


def why_unreadable(error: Exception) -> str:
    """What was found instead of a readable file, and what to do."""
    match error:
        case FileNotFoundError():
            return "there is no such file; check the path"
        case IsADirectoryError():
            return "it is a directory; name one file in it"
        case PermissionError():
            return "permission denied; ask for the right to read it"
        case OSError(strerror=str(text)):
            return f"{text} ({type(error).__name__})"
        case _:
            return f"not a usable path ({type(error).__name__})"


def _codec(encoding: str) -> str:
    """The encoding's usual name. Raises ConfigError if it is none, or none for text."""
    try:
        codec = codecs.lookup(encoding).name
        bytes(range(256)).decode(codec, MARK_UNDECODABLE)
    except (LookupError, ValueError):
        codec = None
    if codec is None:
        raise ConfigError(f"unknown encoding {encoding!r}; give a name such as --encoding cp1252 or utf-16")
    return codec


def _text(opened: _Opened, codec: str, name: str) -> io.TextIOWrapper:
    for magic, found in _PACKED.items():
        if opened.head.startswith(magic):
            raise ConfigError(f"cannot read {name}: it is {found}")
    _check_mark(opened.head, codec, name)
    buffered = io.BufferedReader(opened, _BUFFER)
    # newline="": line ends inside a quoted cell belong to the cell.
    return io.TextIOWrapper(buffered, encoding=codec, errors=MARK_UNDECODABLE, newline="")


def _check_mark(head: bytes, codec: str, name: str) -> None:
    marked = next((family for mark, family in _MARKS if head.startswith(mark)), None)
    if marked is not None and not codec.startswith(marked):
        raise ConfigError(f"cannot read {name} as {codec}: it is marked as {marked}; give --encoding {marked}")


def _first_line(lines: Lines, name: str) -> str:
    try:
        first = lines.first_line()
    except RowTooLongError as error:
        first, why = "", f"{error}; is it a text file?"
    except UnicodeError:
        # Only the codecs "utf-16" and "utf-32" still raise: they need the mark to know the byte order.
        first, why = "", f"it has no {lines.encoding} mark; try --encoding {lines.encoding}-le"
    except OSError as error:
        first, why = "", why_unreadable(error)
    else:
        why = "it is empty; a header line or a JSON object was expected"
    if not first:
        raise ConfigError(f"cannot read {name}: {why}")
    return first


def _format_of(path: Path, first_line: str) -> Format:
    by_content: Format = "jsonl" if first_line.lstrip().startswith(("{", "[")) else "csv"
    return _SUFFIXES.get(path.suffix.lower(), by_content)


def _source(
    lines: Lines,
    first: str,
    opened: _Opened,
    name: str,
    kind: Format,
    delimiter: str | None,
) -> Source:
    if kind == "jsonl":
        _check_jsonl(first, delimiter, name)
        json_rows = JsonlRows(lines)
        return Source(name, json_rows.columns, f"JSON Lines, {lines.encoding}", iter(json_rows), opened.close)
    mark = sniff_delimiter(first) if delimiter is None else _checked(delimiter)
    rows = CsvRows(lines, delimiter=mark, name=name)
    description = f"CSV, {DELIMITERS.get(mark, repr(mark))}, {lines.encoding}"
    return Source(name, rows.columns, description, iter(rows), opened.close)


def _check_jsonl(first_line: str, delimiter: str | None, name: str) -> None:
    if first_line.lstrip().startswith("["):
        raise ConfigError(
            f"cannot read {name}: it is a JSON array, which must be in memory as a whole; "
            "write JSON Lines, one object a line (jq -c '.[]' does it)"
        )
    if delimiter is not None:
        raise ConfigError(f"cannot read {name}: it is JSON Lines, which has no delimiter; leave --delimiter out")


def _checked(delimiter: str) -> str:
    mark = _SPELLED.get(delimiter, delimiter)
    if len(mark) != 1 or mark in '"\r\n\0':
        raise ConfigError(f"--delimiter {delimiter!r} cannot be used; give one character, such as ';' or tab")
    return mark
