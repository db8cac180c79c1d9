import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async.bulk.arrow_source import arrow_table
from leavo_async.bulk.rows import Row
from leavo_async.errors import ConfigError

ENGINES = ("pyarrow", "nanoarrow", "polars")


class Stream:
    """An object of whatever library: it has nothing but the capsule, and that once."""

    def __init__(self, table: pa.Table | pa.RecordBatchReader) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        taken, self._table = self._table, None
        return taken.__arrow_c_stream__(requested_schema)


def rows(table: pa.Table | pa.RecordBatchReader) -> list[Row]:
    return list(arrow_table(Stream(table), "it").rows())


def column(array: object) -> list[object]:
    return [row.problem or row.values["a"] for row in rows(pa.table({"a": array}))]


@pytest.fixture(params=ENGINES)
def _engine(request, monkeypatch):
    """Only one of the packages is installed."""
    for name in ENGINES:
        if name != request.param:
            monkeypatch.setitem(sys.modules, name, None)


MOMENT = datetime(2026, 1, 2, 8, 30, tzinfo=UTC)


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None]), [1, None]),
        (pa.array([1.0, 1.5, None, float("nan")]), [1, 1.5, None, None]),
        (pa.array([True, None]), [True, None]),
        (pa.array(["Ana", None]), ["Ana", None]),
        (pa.array(["Ana", None, "x" * 40], pa.string_view()), ["Ana", None, "x" * 40]),
        (pa.array(["gold", None, "gold"]).dictionary_encode(), ["gold", None, "gold"]),
        (pa.array([date(2026, 1, 2), None]), ["2026-01-02", None]),
        (pa.array([MOMENT, None]).cast(pa.timestamp("ns")), ["2026-01-02T08:30:00", None]),
        (pa.array([MOMENT], pa.timestamp("us", "America/Sao_Paulo")), ["2026-01-02T05:30:00-03:00"]),
        (pa.array([Decimal("1.50"), None]), ["1.50", None]),
        (pa.array([[1, None], None]), [[1, None], None]),
        (pa.array([{"plan": "gold"}, None]), [{"plan": "gold"}, None]),
        (pa.nulls(2), [None, None]),
        (
            pa.array([b"x", None]),
            ["column 'a' holds bytes, which JSON has no form for; decode them to text first", None],
        ),
    ],
)
def test_each_type_has_its_json_whatever_package_reads_it(array, expected):
    """A row must not depend on what else is installed: it may be sent again, from elsewhere."""
    assert json.dumps(expected) == json.dumps(column(array))


@pytest.mark.usefixtures("_engine")
def test_rows_are_numbered_through_all_batches():
    """And the capsule is asked for once: a second time the stream would be gone."""
    batches = [pa.record_batch({"n": [n, n + 1]}) for n in (0, 2)]
    reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)

    assert [Row(n + 1, {"n": n}) for n in range(4)] == rows(reader)


@pytest.mark.usefixtures("_engine")
def test_a_table_without_rows_has_its_columns():
    """It is an import of nothing."""
    table = arrow_table(Stream(pa.table({"name": pa.array([], pa.string())})), "it")

    assert (("name",), []) == (table.columns, list(table.rows()))


@pytest.mark.usefixtures("_engine")
def test_columns_that_name_nothing_are_refused():
    """As in the header of a CSV file."""
    with pytest.raises(ConfigError, match="cannot "):
        rows(pa.table([pa.array([1]), pa.array([2])], ["a", "a"]))
    with pytest.raises(ConfigError, match="cannot "):
        rows(pa.table({}))


def test_a_single_column_is_no_table():
    """It has no name that could be mapped."""
    with pytest.raises(ConfigError) as caught:
        arrow_table(pl.Series([1]), "polars Series")
    assert "cannot read polars Series: pyarrow finds no table in it (ArrowInvalid); has it named columns?" == str(
        caught.value
    )
    assert caught.value.__context__ is None


def test_without_a_package_that_reads_arrow_one_is_named(monkeypatch):
    """With the command that installs it."""
    for name in ENGINES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'leavo-async\[arrow\]'"):
        rows(pa.table({"a": [1]}))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([[("plan", "gold")], [], None], pa.map_(pa.string(), pa.string())), [{"plan": "gold"}, {}, None]),
        (pa.array([[1], None], pa.list_view(pa.int8())), [[1], None]),
        (pa.RunEndEncodedArray.from_arrays([2], ["x"]), ["x", "x"]),
        (pa.array([b"\0" * 16], pa.uuid()), ["00000000-0000-0000-0000-000000000000"]),
        (pa.array([1_999, None], pa.timestamp("ns")), ["1970-01-01T00:00:00.000001", None]),
    ],
)
def test_pyarrow_comes_first_because_it_knows_more_types(array, expected):
    """Maps, list views, run-end encoding, UUIDs; nanoseconds are left out without a warning."""
    assert expected == column(array)


def test_string_views_do_not_crash_nanoarrow(monkeypatch):
    """Read through its ArrayStream, they end the process within some dozen tables (seen in 0.6 to 0.9)."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    table = pa.table({"a": pa.array(["x" * 40, "y" * 40], pa.string_view())})
    for _ in range(300):
        assert ["x" * 40, "y" * 40] == [row.values["a"] for row in rows(table)]


def test_a_value_that_python_cannot_hold_costs_its_row():
    """A year after 9999, bytes in a text column: the rows around it are read."""
    far = pa.array([0, 2**50, None], pa.timestamp("s"))
    problem = "column 'a' holds a value of type timestamp[s] that Python cannot hold (OverflowError)"
    assert ["1970-01-01T00:00:00", problem, None] == column(far)

    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"Ana", b"\xff"]).buffers())
    problem = "column 'a' holds a value of type string that Python cannot hold (UnicodeDecodeError)"
    assert ["Ana", problem] == column(broken)


def test_a_stream_that_breaks_is_one_clear_line():
    """Without the library's own text, which may show values."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1, 2]})
        raise RuntimeError("SECRET")

    read = arrow_table(Stream(pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())), "it").rows()
    assert [1, 2] == [next(read).line, next(read).line]
    with pytest.raises(ConfigError, match="cannot read it after row 2") as caught:
        next(read)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=5)  # C has no NUL in text
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
CELLS = st.sampled_from([INTEGERS, FLOATS, st.booleans(), TEXT, st.lists(INTEGERS, max_size=2)])
COLUMNS = CELLS.flatmap(lambda cells: st.lists(cells | st.none(), min_size=3, max_size=3))


@settings(deadline=None)
@given(columns=st.dictionaries(NAMES, COLUMNS, min_size=1, max_size=3))
def test_what_goes_into_arrow_comes_out_as_json(columns):
    """Any values, with gaps: the same again, null for each gap."""
    expected = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]

    assert expected == json.loads(json.dumps([row.values for row in rows(pa.table(columns))]))
