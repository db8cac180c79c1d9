"""From items to bytes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError
from leavo_async.apis.leavo.columns import LEAD_COLUMNS
from leavo_async.apis.leavo.models import Lead
from leavo_async.bulk.formats import Columns, CsvWriter, JsonlWriter, guarded
from leavo_async.bulk.parquet_writer import write_parquet
from leavo_async.bulk.since import Since, moment_of

VALUE = Columns(("value",))


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "+",
        "-",
        "+55 11",
        "-.5",
        "+5511999990000x",
        "\uff1d1",
        "\0=1",
        "-1e",
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_guarded(cell: str) -> None:
    """With an apostrophe, which spreadsheets take for the beginning of a text."""
    assert f"'{cell}" == guarded(cell)


@pytest.mark.parametrize(
    "cell", ["", "Ana", "+5511999990000", "-12", "-1.50", "-1e-7", "12", "'=1", "a=b", "{}", "ana@example.com"]
)
def test_other_cells_stay_what_they_are(cell: str) -> None:
    """Phones and numbers above all: they must come back as they were."""
    assert cell == guarded(cell)


@pytest.mark.parametrize(("guard", "cell"), [(True, "'=1"), (False, "=1")])
def test_the_guard_can_be_left_out(guard: bool, cell: str) -> None:
    """Where nobody opens the file in a spreadsheet."""
    assert f"{cell}\r\n".encode() == CsvWriter(VALUE, guard=guard).rows([{"value": "=1"}])


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, ""), (True, "true"), (7, "7"), (-1.5, "-1.5"), ("é", "é"), ([], "[]"), ({"a": None}, '{"a":null}')],
)
def test_what_is_no_text_is_json(value: Any, cell: str) -> None:
    """Nothing is lost, and nothing is Python's."""
    assert [[cell]] == list(csv.reader(io.StringIO(CsvWriter(VALUE, guard=True).rows([{"value": value}]).decode())))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1))
def test_csv_is_read_as_it_was_written(cells: list[str]) -> None:
    """Line ends, quotes and delimiters in cells included."""
    written = CsvWriter(VALUE, guard=False).rows([{"value": cell} for cell in cells]).decode()

    assert [[cell] for cell in cells] == list(csv.reader(io.StringIO(written, newline=""), strict=True))


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.lists(st.booleans())))
def test_json_lines_are_read_as_they_were_written(item: dict[str, Any]) -> None:
    """One line each, whatever line ends are in the texts."""
    written = JsonlWriter().rows([item, item])

    assert [item, item] == [json.loads(line) for line in written.split(b"\n")[:-1]]


@pytest.mark.parametrize("columns", [None, VALUE])
def test_a_number_that_json_has_not_is_null(columns: Columns | None) -> None:
    """Whatever reads the file would stumble over NaN."""
    assert b'{"value":null}\n' == JsonlWriter(columns).rows([{"value": float("nan")}])


def test_a_lead_as_a_row_has_the_ids_that_an_import_takes_and_the_names_that_people_read() -> None:
    """Also where a server gives a status or a tag as mere text."""
    named = Lead(
        id="1",
        status={"id": "s", "name": "New"},  # type: ignore[arg-type]
        tags=[{"id": "a", "name": "vip"}, {"id": "b"}],  # type: ignore[list-item]
    )
    plain = Lead(id="2", status="New", tags=["vip"])
    rows = [LEAD_COLUMNS.values(lead) for lead in (named, plain)]

    assert [("s", "New", "a,b", "vip, b"), (None, "New", "", "vip")] == [
        (row["status_id"], row["status"], row["tag_ids"], row["tags"]) for row in rows
    ]


def test_a_column_of_moments_that_has_something_else_is_named() -> None:
    """Not what stands in it."""
    pytest.importorskip("pyarrow")
    with pytest.raises(ConfigError, match="column 'value' has something else than moments"):
        write_parquet([b'{"value":"yesterday"}'], io.BytesIO(), Columns(("value",), times=("value",)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T08:00", "2026-11-01T08:00:00+00:00"),
        ("2026-11-01T08:00:00-03:00", "2026-11-01T11:00:00+00:00"),
        ("2026-11-01T08:00:00Z", "2026-11-01T08:00:00+00:00"),
    ],
)
def test_a_moment_without_a_zone_is_in_utc(text: str, moment: str) -> None:
    """The same on every machine."""
    assert moment == moment_of(text).isoformat()


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00+01:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(ConfigError, match="such as 2026-11-01"):
        moment_of(text)


def test_an_overlap_of_nothing_is_one_too() -> None:
    """Then the moment itself counts, and nothing before it."""
    since = Since(moment_of("2026-11-01"), overlap=0)

    assert since.keeps({"updated_at": "2026-11-01T00:00:00Z"})
    assert not since.keeps({"updated_at": "2026-10-31T23:59:59Z"})


@pytest.mark.parametrize("overlap", [-1.0, float("inf"), float("nan")])
def test_an_overlap_is_a_number_of_seconds(overlap: float) -> None:
    """Not less than none."""
    with pytest.raises(ConfigError, match="overlap"):
        Since(moment_of("2026-11-01"), overlap)
