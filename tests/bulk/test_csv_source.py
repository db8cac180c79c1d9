import csv
import io
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import Source, open_source
from leavo_async.errors import ConfigError

HEADER = b"name,phone\n"


def opened(data: bytes, **options) -> Source:
    return open_source("-", stdin=io.BytesIO(data), format="csv", **options)


def rows(data: bytes, **options) -> list[Row]:
    return list(opened(data, **options))


def problems(data: bytes, **options) -> list[tuple[int, str | None]]:
    return [(row.line, row.problem) for row in rows(data, **options)]


def refusal(data: bytes, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        opened(data, **options)
    return str(caught.value)


def test_cells_are_text_and_stay_text():
    """A ZIP code keeps its zeros, a phone its plus, and no blank is cut off."""
    read = rows(b"zip,phone,name\n00501,+15555550100, Ana \n")

    assert [Row(2, {"zip": "00501", "phone": "+15555550100", "name": " Ana "})] == read


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        ("name,phone", "comma"),
        ("name;phone", "semicolon"),
        ("name\tphone", "tab"),
        ("name|phone", "pipe"),
        ('"a,b,c,d";phone;x', "semicolon"),
        ('"say ""a;b;c""",phone', "comma"),
        ("name", "comma"),
        ("a;b|c", "comma"),
    ],
)
def test_the_delimiter_is_read_from_the_header_outside_quotes(header, spoken):
    """Files from spreadsheets of any country open without an option."""
    assert f"CSV, {spoken}, utf-8-sig" == opened(f"{header}\n".encode()).description


def test_text_with_many_commas_does_not_change_the_delimiter():
    """Only the header decides: a free text has more commas than columns."""
    assert {"name": "Ana", "note": "a,b,c,d"} == rows(b"name;note\nAna;a,b,c,d\n")[0].values


@pytest.mark.parametrize("spelled", ["\t", "\\t", "tab"])
def test_a_tab_can_be_named_on_a_command_line(spelled):
    """A shell makes a tab hard to type."""
    assert ("a,b", "c") == opened(b"a,b\tc\n", delimiter=spelled).columns


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "\0"])
def test_a_delimiter_that_cannot_work_is_refused(delimiter):
    """The message says what can be given instead."""
    assert "give one character, such as ';' or tab" in refusal(HEADER, delimiter=delimiter)


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    """Excel writes one; a column with an invisible first letter would be unknown."""
    assert ("name", "phone") == opened(b"\xef\xbb\xbfname,phone\n").columns
    assert ("name", "phone") == opened(b"\xef\xbb\xbfname,phone\n", encoding="utf8").columns


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis"])
def test_other_encodings_are_read_when_named(encoding):
    """--encoding takes any codec of Python."""
    data = "name,phone\nAna,+1\n".encode(encoding)

    assert [Row(2, {"name": "Ana", "phone": "+1"})] == rows(data, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_marked_file_of_another_encoding_is_refused_with_the_encoding_to_give(encoding):
    """Otherwise each row would be rejected, one by one."""
    assert f"give --encoding {encoding}" in refusal("name,phone\n".encode(encoding))


def test_a_utf_8_mark_contradicts_another_encoding():
    """Read as cp1252 each accent would become two strange letters, and be sent."""
    assert "give --encoding utf-8" in refusal(b"\xef\xbb\xbfname\n", encoding="cp1252")


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "base64", "idna", "undefined", "a\0b"])
def test_an_encoding_that_is_none_is_refused(encoding):
    """Also codecs that are not for text, or cannot read a file."""
    assert "unknown encoding" in refusal(HEADER, encoding=encoding)


def test_undecodable_bytes_cost_one_row():
    """The row names its column and what to try; the next rows are read."""
    read = problems(HEADER + b"Jos\xe9,+1\nAna,+2\n")

    hint = "column 'name' is not utf-8-sig; if the file comes from Excel or Windows, try --encoding cp1252"
    assert [(2, hint), (3, None)] == read


def test_a_nul_byte_costs_one_row():
    """Databases refuse NUL; a NUL also tells of a wrong encoding."""
    read = problems(HEADER + b"Ana,+\x001\nBea,+2\n")

    assert [(2, "column 'phone' has a NUL byte; is this a text file, and its --encoding right?"), (3, None)] == read


@pytest.mark.parametrize(("line", "count"), [(b"Ana,+1,x", 3), (b"Ana", 1)])
def test_a_row_with_too_many_or_too_few_cells_has_no_values(line, count):
    """Shifted cells would put a company into a phone."""
    assert [Row(2, {}, f"{count} cells, the header has 2"), Row(3, {"name": "B", "phone": "2"})] == rows(
        HEADER + line + b"\nB,2\n"
    )


@pytest.mark.parametrize("line", [b"", b",", b"  ,\t", b",,,", b'"",""', b'" \n "'])
def test_a_row_of_blank_cells_is_empty_and_no_problem(line):
    """Spreadsheets export hundreds of them below the data."""
    first, last = rows(HEADER + line + b"\nB,2\n")

    assert (None, True, False) == (first.problem, first.is_empty, last.is_empty)


def test_a_row_is_numbered_by_the_line_it_starts_on():
    """Line breaks inside quotes count as lines, so that an editor finds the row."""
    read = rows(HEADER + b'"Ana\nMaria",+1\r\n\n"B\r\nC\rD",+2\nE,+3')

    assert [2, 4, 5, 8] == [row.line for row in read]
    assert "B\r\nC\rD" == read[2].values["name"]


def test_blank_lines_above_the_header_are_passed_over():
    """The numbers stay those of the file."""
    assert [(5, None)] == problems(b"\n \n\r\n" + HEADER + b"Ana,+1\n")


def test_a_bad_row_of_several_lines_names_them():
    """A quote in the wrong place may have joined them."""
    why = "3 cells, the header has 2 (lines 2 to 3 are left out)"

    assert [(2, why), (4, None)] == problems(HEADER + b'"Ana,+1\nBea",+2,x\nCleo,+3\n')


def test_text_behind_a_closing_quote_costs_one_row():
    """A lenient reader would glue the cells together without a word."""
    why = "text follows a closing quote; inside a quoted cell, write each quote twice"

    assert [(2, why), (3, None)] == problems(HEADER + b'"Big" Joe,+1\nAna,+2\n')


def test_a_quote_that_is_never_closed_is_reported_where_it_opens():
    """The rest of the file is inside that cell: it is named, not swallowed."""
    why = "a quote is opened here and never closed (lines 3 to 5 are left out)"

    assert [(2, None), (3, why)] == problems(HEADER + b'Ana,+1\n"Bea,+2\nCleo,+3\nDan,+4\n')


def test_an_open_quote_on_the_last_line_is_reported():
    """Nothing is left out but that line."""
    assert [(2, "a quote is opened here and never closed")] == problems(HEADER + b'Ana,"+1')


def test_rows_go_on_behind_a_quote_closed_by_the_next_quoted_cell():
    """The lines in between are named; what follows is read."""
    why = "text follows a closing quote; inside a quoted cell, write each quote twice (lines 2 to 4 are left out)"

    data = HEADER + b'"Ana,+1\nBea,+2\n"Cleo, Dr.",+3\nDan,+4\n'
    assert [(2, why), (5, None)] == problems(data)


def test_the_rest_of_a_quoted_cell_is_not_read_as_rows():
    """What someone wrote into a cell may look like a lead: it must never be sent as one."""
    data = HEADER + b'"Big" Joe,"note\nMallory,+666\n""x"",\nBob,+777\n"\nAna,+1\n'

    assert [(2, 0), (7, 2)] == [(row.line, len(row.values)) for row in rows(data)]


def test_a_huge_cell_costs_one_row():
    """The limit is csv.field_size_limit; the next rows are read."""
    huge = b"x" * (csv.field_size_limit() + 1)

    assert [(2, "a cell is longer than 131,072 characters"), (3, None)] == problems(HEADER + huge + b",+1\nAna,+2\n")


def test_a_huge_cell_of_many_lines_is_left_out_to_its_end():
    """Its lines are text, also where they look like rows, and quotes written twice do not end it."""
    text = b'Mallory,+666\nshe said ""yes"",\n' * 10_000
    why = "a cell is longer than 131,072 characters (lines 2 to 20002 are left out)"

    assert [(2, why), (20003, None)] == problems(HEADER + b'"' + text + b'",+1\nAna,+2\n')


def test_a_line_without_an_end_is_not_held_in_memory():
    """Five million characters without a line end are one bad row, not a full memory."""
    read = problems(HEADER + b"x,y" * 2_000_000 + b"\nAna,+2\n")

    assert [(2, "the row is longer than 4,194,304 characters"), (3, None)] == read


def test_a_row_of_endless_small_cells_is_bounded_too():
    """No cell is too long, but the row is."""
    read = problems(HEADER + b'"\n",' * 1_100_000 + b"x\nAna,+2\n")

    why = "the row is longer than 4,194,304 characters (lines 2 to 1100002 are left out)"
    assert [(2, why), (1100003, None)] == read


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"name,phone,name,phone\n", "more than one column is named 'name', 'phone'"),
        (b"name, name \n", "more than one column is named 'name'"),
        (b"name,,phone, \n", "no name for column 2, 4"),
        (b"name,n\xe9\n", "column 2 is not utf-8-sig; if the file comes from Excel or Windows, try --encoding"),
        (b"name,\0\n", "column 2 has a NUL byte"),
        (b'name,"phone\nAna,+1\n', "a quote is opened here and never closed"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(data, found):
    """Before any row is read, and with the column it is about."""
    assert f"cannot use the header of standard input (line 1): {found}" in refusal(data)


def test_names_in_the_header_are_stripped():
    """'name, phone' has a column phone."""
    assert ("name", "phone") == opened(b" name , phone\n").columns


def test_a_header_alone_is_a_source_without_rows():
    """An empty export is no error."""
    assert [] == rows(HEADER)


@pytest.mark.parametrize(
    "bad", [b"SECRET\xe9,+1", b"SECRET\0,+1", b'"SECRET" x,+1', b"SECRET,SECRET,SECRET", b'"SECRET']
)
def test_no_problem_shows_what_a_cell_contains(bad):
    """Cells are personal data; problems end up in logs."""
    assert all("SECRET" not in repr(row) for row in rows(HEADER + bad + b"\n"))


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
    lambda cell: cell == "" or not cell.isspace()
)
TABLE = st.lists(st.tuples(CELL, CELL, CELL))


def written(table: list[tuple[str, ...]], **style) -> tuple[bytes, list[int]]:
    """The file, and the line on which each row starts."""
    out, starts = io.StringIO(newline=""), []
    for cells in [("a", "b", "c"), *table]:
        starts.append(1 + len(io.StringIO(out.getvalue(), newline="").readlines()))
        csv.writer(out, **style).writerow(cells)
    return out.getvalue().encode(), starts[1:]


@settings(deadline=None)
@given(table=TABLE, delimiter=st.sampled_from(",;\t|"), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_a_csv_writer_writes_is_read_back(table, delimiter, quoting):
    """Any text, any delimiter: the same cells, at the right lines."""
    data, starts = written(table, delimiter=delimiter, quoting=quoting)
    read = rows(data)

    assert table == [tuple(row.values.values()) for row in read]
    assert starts == [row.line for row in read]


NOISE = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\0", b"\xff", b'""', b"\xef\xbb\xbf"])).map(b"".join),
)
ENCODING = st.sampled_from([None, "ascii", "utf-16", "utf-32", "utf-32-be", "gb18030", "utf-7", "shift_jis"])


@settings(deadline=None)
@given(data=NOISE, encoding=ENCODING)
def test_no_bytes_make_it_fail_with_anything_but_a_refusal(data, encoding):
    """Whatever the file: rows, problems, or a ConfigError; each row at a line of its own."""
    try:
        lines = [row.line for row in rows(data, encoding=encoding)]
    except ConfigError:
        return
    assert sorted(set(lines)) == lines


@settings(deadline=None)
@given(noise=NOISE)
def test_no_noise_without_quotes_loses_a_later_good_row(noise):
    """A bad line costs itself."""
    read = rows(HEADER + noise.replace(b'"', b"") + b"\nAna,+1\n")

    assert {"name": "Ana", "phone": "+1"} == read[-1].values


@settings(deadline=None)
@given(noise=NOISE)
def test_no_line_is_missing_without_a_word(noise):
    """Quotes may hide lines, but each that says something is in a row, or in a problem with its lines."""
    data = HEADER + noise + b"\nAna,+1\n"
    read = rows(data)
    covered = set[int]()
    for row in read:
        last = re.search(r"to (\d+) are left out", row.problem or "")
        breaks = len(re.findall("\r\n|\r|\n", "".join(row.values.values())))
        covered |= set(range(row.line, 1 + (int(last[1]) if last else row.line + breaks)))

    lines = enumerate(io.TextIOWrapper(io.BytesIO(data), "latin-1", newline=""), 1)
    assert {number for number, line in lines if number > 1 and line.strip('", \t\r\n')} <= covered


def test_a_large_file_is_read_in_constant_memory(tmp_path: Path):
    """Rows come one by one: the file is never in memory."""
    path = tmp_path / "large.csv"
    path.write_bytes(HEADER + b"Ana Souza,+15555550100\n" * 20_000)
    with open_source(path) as source:
        tracemalloc.start()
        count = sum(1 for _ in source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert 20_000 == count
    assert peak < path.stat().st_size / 2
