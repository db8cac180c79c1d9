import asyncio
import gzip
import io
import os
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

from leavo_async.bulk.sources import AsyncSource, Row, Source, open_source, source_of, why_unreadable
from leavo_async.errors import ConfigError

CSV, JSONL = b"name\nAna\n", b'{"name": "Ana"}\n'


class Problem(BaseModel):
    words: str


class Pipe(io.BytesIO):
    """Standard input as it comes: a few bytes at a time, and no way back."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 3))

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise OSError("a pipe cannot be wound back")


def refusal(path: Path | str, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        open_source(path, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("leads.csv", CSV, "CSV"),
        ("leads.TSV", CSV, "CSV"),
        ("leads.txt", CSV, "CSV"),
        ("{.csv", b"{name\nAna\n", "CSV"),
        ("leads.jsonl", JSONL, "JSON Lines"),
        ("leads.NDJSON", JSONL, "JSON Lines"),
        ("leads", JSONL, "JSON Lines"),
        ("leads.data", b"\xef\xbb\xbf \r\n\n" + JSONL, "JSON Lines"),
        ("leads.data", CSV, "CSV"),
    ],
)
def test_the_format_is_that_of_the_suffix_else_of_the_content(tmp_path, name, data, kind):
    """A known suffix decides; without one, the first character that is not blank."""
    path = tmp_path / name
    path.write_bytes(data)
    with open_source(path) as source:
        assert kind == source.description.partition(", ")[0]
        assert ["Ana"] == [value for row in source for value in row.values.values()]


def test_a_given_format_overrules_the_suffix(tmp_path):
    """A JSON Lines file may be called .txt."""
    path = tmp_path / "leads.txt"
    path.write_bytes(JSONL)
    with open_source(path, format="jsonl") as source:
        assert "JSON Lines, utf-8-sig" == source.description


@pytest.mark.parametrize(
    ("data", "kind"), [(CSV, "CSV"), (JSONL, "JSON Lines"), (b"\xef\xbb\xbf\n" + JSONL, "JSON Lines")]
)
def test_standard_input_is_read_as_it_comes(data, kind):
    """Nothing is wound back, nothing read twice, and it is left open."""
    pipe = Pipe(data)
    with open_source("-", stdin=pipe) as source:
        assert kind == source.description.partition(", ")[0]
        assert ["Ana"] == [row.values["name"] for row in source]
    assert "standard input" == source.name
    assert not pipe.closed


def test_a_json_array_of_unknown_suffix_is_refused(tmp_path):
    """Rather than read as CSV with strange columns."""
    path = tmp_path / "leads.json"
    path.write_bytes(b'  [{"name": "Ana"}]')

    assert "write JSON Lines, one object a line" in refusal(path)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n\n\t", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(tmp_path, data):
    """It is a mistake, not an import of nothing."""
    path = tmp_path / "leads.csv"
    path.write_bytes(data)

    assert f"cannot read {path}: it is empty; a header line or a JSON object was expected" == refusal(path)


def test_a_missing_file_is_refused(tmp_path):
    """With the path that was tried."""
    path = tmp_path / "nope.csv"

    assert f"cannot read {path}: there is no such file; check the path" == refusal(path)


def test_a_directory_is_refused(tmp_path):
    """One file has to be named."""
    assert f"cannot read {tmp_path}: it is a directory; name one file in it" == refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    """With what is missing."""
    path = tmp_path / "leads.csv"
    path.write_bytes(CSV)
    path.chmod(0)

    assert f"cannot read {path}: permission denied; ask for the right to read it" == refusal(path)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), "permission denied; ask for the right to read it"),
        (OSError(5, "Input/output error"), "Input/output error (OSError)"),
        (ValueError("embedded null byte"), "not a usable path (ValueError)"),
    ],
)
def test_each_failure_to_open_has_words(error, words):
    """Never a traceback for what a user can mend."""
    assert words == why_unreadable(error)


def test_a_path_that_cannot_be_one_is_refused():
    """Not a traceback about null bytes."""
    assert "not a usable path" in refusal("a\0b.csv")


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"PK\x03\x04rest", "save it as CSV UTF-8"), (gzip.compress(CSV), "gunzip -c FILE | leavo import -")],
)
def test_a_workbook_or_packed_file_is_named_as_what_it_is(tmp_path, data, words):
    """The commonest files given by mistake."""
    path = tmp_path / "leads.csv"
    path.write_bytes(data)

    assert words in refusal(path)


def test_utf_16_without_a_mark_is_refused_with_the_encoding_to_try(tmp_path):
    """Without the mark its byte order is unknown."""
    path = tmp_path / "leads.csv"
    path.write_bytes("name\nAna\n".encode("utf-16-le"))

    assert "it has no utf-16 mark; try --encoding utf-16-le" in refusal(path, encoding="utf-16")


def test_a_first_line_without_an_end_is_refused():
    """A binary file is not held in memory to find that out."""
    assert "is it a text file?" in refusal("-", stdin=io.BytesIO(b"x" * 5_000_000))


def test_a_refused_file_is_closed(tmp_path):
    """An open file would be reported as a leak (warnings are errors here)."""
    path = tmp_path / "leads.csv"
    path.write_bytes(b"name,name\n")

    assert "more than one column" in refusal(path)


def test_a_source_can_be_closed_twice(tmp_path):
    """And then gives no more rows."""
    path = tmp_path / "leads.csv"
    path.write_bytes(CSV)
    with open_source(path) as source:
        source.close()

    with pytest.raises(ValueError, match="closed"):
        list(source)


def test_the_example_leads_show_each_kind_of_row():
    """60 rows in the docs' own file: one empty, one phone twice, one bad e-mail, none unreadable."""
    with open_source(Path(__file__).parents[2] / "examples" / "leads.csv") as source:
        read = list(source)
    full = [row.values for row in read if not row.is_empty]

    assert ("name", "phone", "email", "company") == source.columns
    assert [] == [row.line for row in read if row.problem]
    assert (60, 59, 58) == (len(read), len(full), len({row["phone"] for row in full}))
    assert 1 == sum("@" not in row["email"] for row in full)
    assert 1 == sum("\n" in row["company"] for row in full)


def test_the_example_json_lines_are_readable():
    """8 rows, one with custom fields."""
    with open_source(Path(__file__).parents[2] / "examples" / "leads.jsonl") as source:
        read = list(source)

    assert (8, 1) == (len(read), sum("custom_fields" in row.values for row in read))
    assert [] == [row.line for row in read if row.problem]


async def generated():
    yield {"name": "Ana"}


def taken(thing, **options) -> Source:
    source = source_of(thing, **options)
    assert isinstance(source, Source)
    return source


@pytest.mark.parametrize(
    ("thing", "name", "description"),
    [
        (pd.DataFrame({"name": ["Ana"]}), "pandas DataFrame", "data frame"),
        (pl.DataFrame({"name": ["Ana"]}), "polars DataFrame", "data frame"),
        (pa.table({"name": ["Ana"]}), "pyarrow Table", "Arrow stream"),
        ([{"name": "Ana"}], "list", "iterable"),
        (({"name": name} for name in ["Ana"]), "generator", "iterable"),
    ],
)
def test_what_holds_rows_is_a_source(thing, name, description):
    """Under the name of its kind: no content is shown."""
    with taken(thing) as source:
        assert (name, description, None) == (source.name, source.description, source.path)
        assert ("name",) == source.columns
        assert [Row(1, {"name": "Ana"})] == list(source)


@pytest.mark.asyncio
async def test_an_async_iterable_is_an_async_source():
    """It is read on the loop, the others in a thread."""
    source = source_of(generated())
    assert isinstance(source, AsyncSource)
    assert ("async_generator", "async iterable", None) == (source.name, source.description, source.path)
    assert [Row(1, {"name": "Ana"})] == [row async for row in source]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_a_file_with_its_options(tmp_path, kind):
    """Text is always a path, never rows."""
    path = tmp_path / "leads.data"
    path.write_bytes("name;city\nAna;São Paulo\n".encode("cp1252"))
    with taken(kind(path), format="csv", delimiter=";", encoding="cp1252") as source:
        assert [{"name": "Ana", "city": "São Paulo"}] == [row.values for row in source]
    assert path == source.path


def test_a_minus_is_standard_input():
    """It can be read once, so it has no path."""
    source = taken("-", stdin=Pipe(CSV))

    assert ("standard input", None, 1) == (source.name, source.path, len(list(source)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_has_no_path_to_read_again(tmp_path):
    """What was read is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    try:
        os.write(writer, CSV)
        with taken(pipe) as source:
            assert source.path is None
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (b"name\nAna\n", "bytes: write them to a file and give its path"),
        ({"name": "Ana"}, "dict: for one row, put it into a list"),
        (Problem(words="Ana"), "tests Problem: for one row, put it into a list"),
        (io.StringIO("name\nAna\n"), "io StringIO: give the path of the file instead of the open file"),
        (
            pl.LazyFrame({"name": ["Ana"]}),
            "polars LazyFrame: a path, a data frame, or an iterable of mappings was expected",
        ),
        ("name,phone\nAna,+5511999990001\n", "a text of several lines: write it to a file and give its path"),
        (asyncio.sleep, "function: call it, and give what it returns"),
        (5, "int: a path, a data frame, or an iterable of mappings was expected"),
    ],
)
def test_what_holds_no_rows_is_refused_with_a_hint(thing, words):
    """By its kind, without its content."""
    with pytest.raises(ConfigError) as caught:
        source_of(thing)
    assert str(caught.value) == f"cannot read rows from {words}"


@pytest.mark.parametrize("options", [{"format": "csv"}, {"delimiter": ";"}, {"encoding": "utf-8"}])
def test_only_files_have_a_format(options):
    """An option that would do nothing is refused."""
    with pytest.raises(ConfigError, match="cannot read list: only a file has a format"):
        source_of([{"name": "Ana"}], **options)


def test_closing_a_source_leaves_what_the_caller_handed_over():
    """A generator is the caller's; whoever opened it closes it."""
    items = ({"n": n} for n in range(3))
    with taken(items) as source:
        next(iter(source))

    assert {"n": 1} == next(items)


def test_standard_input_that_is_closed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under a daemon."""
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(ConfigError, match="cannot read standard input: it is closed; name a file"):
        open_source("-")
