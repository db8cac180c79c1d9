import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async.bulk.frames import frame_table
from leavo_async.bulk.rows import Row, Values
from leavo_async.errors import ConfigError


def rows(frame: object) -> list[Row]:
    table = frame_table(frame, "frame")
    assert table is not None
    return list(table.rows())


def values(frame: object) -> list[Values]:
    return [row.values for row in rows(frame)]


@pytest.fixture(autouse=True)
def _without_arrow(monkeypatch):
    """No frame needs a package more."""
    for name in ("pyarrow", "nanoarrow"):
        monkeypatch.setitem(sys.modules, name, None)


def test_an_integer_column_with_gaps_has_integers_and_nulls():
    """Pandas makes floats of it: 1.0 and NaN would be sent otherwise."""
    found = values(pd.DataFrame({"age": [1, None, 3]}))

    assert '[{"age": 1}, {"age": null}, {"age": 3}]' == json.dumps(found)


def test_a_fraction_stays():
    """A column of floats is one."""
    assert [1.5, 2, None] == [row["score"] for row in values(pd.DataFrame({"score": [1.5, 2.0, None]}))]


def test_a_row_does_not_depend_on_its_neighbours():
    """Else a row more in the frame would change bodies that were sent already with their idempotency keys."""
    few, more = (values(pd.DataFrame({"age": ages})) for ages in ([1, None], [1, None, 1.5]))

    assert json.dumps(few) == json.dumps(more[:2])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_whatever_pandas_has_for_missing_is_null(missing):
    """Never the text "nan" or "NaT"."""
    assert [{"a": "x"}, {"a": None}] == values(pd.DataFrame({"a": pd.Series(["x", missing], dtype=object)}))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.to_datetime(["2026-01-02T08:30", None]), ["2026-01-02T08:30:00", None]),
        (pd.to_datetime(["2026-01-02T08:30Z", None]), ["2026-01-02T08:30:00+00:00", None]),
        (pd.Categorical(["gold", None]), ["gold", None]),
        (pd.array([1, None], dtype="Int64"), [1, None]),
        (pd.array([True, None], dtype="boolean"), [True, None]),
        (pd.array(["Ana", None], dtype="string"), ["Ana", None]),
        ([Decimal("1.50"), None], ["1.50", None]),
        ([date(2026, 1, 2), None], ["2026-01-02", None]),
        (["Ana", 5], ["Ana", 5]),
        ([["a"], {"b": np.int64(1)}], [["a"], {"b": 1}]),
        ([np.array([1, 2]), None], [[1, 2], None]),
    ],
)
def test_each_column_type_of_pandas_has_its_json(column, expected):
    """Also object columns of mixed types, which cannot become Arrow."""
    found = [row["a"] for row in values(pd.DataFrame({"a": column}))]

    assert json.dumps(expected) == json.dumps(found)


def test_the_index_of_pandas_is_not_a_column():
    """It numbers the rows; whoever wants it says reset_index()."""
    frame = pd.DataFrame({"name": ["Ana", "Rui"]}, index=pd.Index([70, 80], name="id"))

    assert [Row(1, {"name": "Ana"}), Row(2, {"name": "Rui"})] == rows(frame)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([1, None]), [1, None]),
        (pl.Series([1.5, float("nan")]), [1.5, None]),
        (
            pl.Series([datetime(2026, 1, 2, tzinfo=UTC)]).dt.convert_time_zone("America/Sao_Paulo"),
            ["2026-01-01T21:00:00-03:00"],
        ),
        (pl.Series(["gold"], dtype=pl.Categorical), ["gold"]),
        (pl.Series([Decimal("1.50")]), ["1.50"]),
        (pl.Series([[1], None]), [[1], None]),
        (pl.Series([{"plan": "gold"}]), [{"plan": "gold"}]),
        (pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)), [[1, 2]]),
    ],
)
def test_each_column_type_of_polars_has_its_json(column, expected):
    """The same forms as from pandas."""
    found = [row["a"] for row in values(pl.DataFrame({"a": column}))]

    assert json.dumps(expected) == json.dumps(found)


def test_bytes_cost_their_row():
    """JSON has none, and nobody knows their encoding."""
    problem = "column 'b' holds bytes, which JSON has no form for; decode them to text first"
    for frame in (pd.DataFrame({"b": [b"x", None]}), pl.DataFrame({"b": [b"x", None]})):
        assert [problem, None] == [row.problem for row in rows(frame)]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame(), "it has none"),
        (
            pd.DataFrame({0: [1], "a": [1], " ": [1]}),
            "the name of column 1, 3 is not text, or blank; give each column a name",
        ),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one is named 'a'; give each its own name"),
    ],
)
def test_columns_that_name_nothing_are_refused(frame, words):
    """As in the header of a CSV file."""
    with pytest.raises(ConfigError) as caught:
        rows(frame)
    assert f"cannot use the columns of frame: {words}" == str(caught.value)


def test_a_frame_without_rows_has_its_columns():
    """It is an import of nothing."""
    table = frame_table(pd.DataFrame({"name": []}), "frame")

    assert table is not None
    assert (("name",), []) == (table.columns, list(table.rows()))


@pytest.mark.parametrize("thing", [[{"a": 1}], pd.Series([1]), pl.Series([1]), "x"])
def test_what_is_no_frame_is_left_to_others(thing):
    """A column alone has no names."""
    assert frame_table(thing, "it") is None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
# One type a column, as pandas has it; integers that a float can hold, because those with gaps become floats.
COLUMNS = st.sampled_from(
    [
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        TEXT,
        st.lists(st.integers() | TEXT, max_size=2),
        st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False), max_size=2),
    ]
).flatmap(lambda cells: st.lists(cells | st.none(), min_size=3, max_size=3))


@settings(deadline=None)
@given(columns=st.dictionaries(TEXT.filter(str.strip), COLUMNS, min_size=1, max_size=3))
def test_what_goes_into_pandas_comes_out_as_json(columns):
    """Any values, with gaps: the same again, null for each gap."""
    expected = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]

    assert expected == json.loads(json.dumps(values(pd.DataFrame(columns))))
