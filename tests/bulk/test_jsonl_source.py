import io
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import Source, open_source
from leavo_async.errors import ConfigError


def opened(data: bytes, **options) -> Source:
    return open_source("-", stdin=io.BytesIO(data), format="jsonl", **options)


def rows(data: bytes) -> list[Row]:
    return list(opened(data))


def test_values_keep_their_types_and_their_nesting():
    """An object is an object, a number a number, null is null."""
    value = {"name": "Ana", "age": 30, "score": 1.5, "tags": ["a"], "custom_fields": {"plan": None}}

    assert [Row(1, value)] == rows(json.dumps(value).encode())


def test_the_columns_are_the_keys_of_the_first_readable_row():
    """Blank lines and bad ones before it do not count, and are not lost."""
    source = opened(b'\n\n?\n{}\n{"name": "Ana", "phone": "+1"}\n{"email": "x"}\n')

    assert ("name", "phone") == source.columns
    assert [3, 4, 5, 6] == [row.line for row in source]


def test_only_the_first_rows_are_searched_for_columns():
    """They are kept in memory meanwhile, so the search has an end; no row is lost by it."""
    source = opened(b"?\n" * 150 + b'{"name": "Ana"}\n')

    assert ((), 151) == (source.columns, len(list(source)))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{name: 1}", "not JSON: it stops making sense at character 2"),
        (b"7", "not a JSON object: each line must be {…}"),
        (b'["Ana"]', "not a JSON object: each line must be {…}"),
        (b'{"a": NaN}', "NaN is not JSON; use null"),
        (b'{"a": -Infinity}', "-Infinity is not JSON; use null"),
        (b'{"a": 1e999}', "a number too large for JSON readers"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number with too many digits"),
        (b'{"a": 1, "a": 2}', "the same key twice in one object"),
        (b'{"a": "\xe9"}', "the line is not utf-8-sig; if the file comes from Excel or Windows, try --encoding cp1252"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair (\\ud800 to \\udfff) without the other half"),
        (b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}", "nested deeper than 64 levels"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 64 levels"),
        (b'{"a": "\0"}', "not JSON: it stops making sense at character 8"),
    ],
)
def test_a_line_that_cannot_be_used_costs_one_row(line, problem):
    """The next rows are read."""
    read = rows(b'{"a": 0}\n' + line + b'\n{"a": 1}\n')

    assert [(1, None), (2, problem), (3, None)] == [(row.line, row.problem) for row in read]


def test_a_whole_surrogate_pair_is_a_character():
    """That is how many programs write an emoji."""
    assert [Row(1, {"a": "\U0001f600"})] == rows(b'{"a": "\\ud83d\\ude00"}')


def test_nesting_up_to_the_limit_is_read():
    """64 levels are more than any API has."""
    assert [None] == [row.problem for row in rows(b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}")]


@pytest.mark.parametrize("line", [b"", b"  ", b"{}", b'{"a": null, "b": " "}'])
def test_a_line_that_says_nothing_is_empty_and_no_problem(line):
    """As with CSV."""
    read = rows(b'{"a": 0}\n' + line + b'\n{"a": 1}\n')

    assert [False, True, False] == [row.is_empty for row in read]


def test_false_and_zero_say_something():
    """They are values, not blanks."""
    assert [False, False] == [row.is_empty for row in rows(b'{"a": 0}\n{"a": false}\n')]


def test_a_json_array_is_refused_with_the_way_out():
    """It would have to be in memory as a whole."""
    with pytest.raises(ConfigError, match="write JSON Lines, one object a line"):
        opened(b'[\n {"name": "Ana"}\n]')


def test_json_lines_have_no_delimiter():
    """An option that would do nothing is refused."""
    with pytest.raises(ConfigError, match="leave --delimiter out"):
        opened(b'{"a": 1}', delimiter=";")


def test_a_line_without_an_end_is_not_held_in_memory():
    """It is one bad row; the next is read."""
    read = rows(b'{"a": 0}\n{"a": "' + b"x" * 5_000_000 + b'"}\n{"a": 1}\n')

    assert [None, "the row is longer than 4,194,304 characters", None] == [row.problem for row in read]


@pytest.mark.parametrize("bad", [b'{"a": "SECRET', b'"SECRET"', b'{"SECRET": 1, "SECRET": 1}', b'{"a": "SECRET\xe9"}'])
def test_no_problem_shows_what_the_line_contains(bad):
    """Cells are personal data; problems end up in logs."""
    assert [False] == ["SECRET" in repr(row) for row in rows(bad)]


def test_a_deep_stack_of_the_caller_does_not_matter():
    """Near the recursion limit a deep line is still a bad row, not a crash."""

    def deep(levels: int) -> list[Row]:
        return deep(levels - 1) if levels else rows(b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}")

    assert ["nested deeper than 64 levels"] == [row.problem for row in deep(sys.getrecursionlimit() // 2)]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.dictionaries(TEXT, JSON, max_size=3), min_size=1, max_size=3), ascii_only=st.booleans())
def test_what_json_writes_is_read_back(values, ascii_only):
    """Any objects: the same values, one a line."""
    data = "\n".join(json.dumps(value, ensure_ascii=ascii_only) for value in values).encode()

    assert [Row(line, value) for line, value in enumerate(values, 1)] == rows(data)


@settings(deadline=None)
@given(noise=st.binary(max_size=300), encoding=st.sampled_from([None, "utf-16", "shift_jis"]))
def test_no_bytes_make_it_fail_with_anything_but_a_refusal(noise, encoding):
    """Whatever the file: rows, problems, or a ConfigError."""
    try:
        read = list(opened(noise, encoding=encoding))
    except ConfigError:
        return
    assert read


@settings(deadline=None)
@given(noise=st.binary(max_size=300))
def test_no_noise_loses_a_later_good_row(noise):
    """A bad line costs itself."""
    assert {"a": 1} == rows(b'{"a": 0}\n' + noise + b'\n{"a": 1}\n')[-1].values
