"""The file of rows that are not done."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async.bulk.failed import REASON_COLUMNS, check_target, print_failed, write_failed
from leavo_async.bulk.journal import Verdict
from leavo_async.bulk.mapping import plan_mapping
from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import open_source
from leavo_async.bulk.states import STATES
from leavo_async.errors import ConfigError

from .told_journals import REFUSED, journal_of

ANA = Row(7, {"name": "Ana", "phone": "+15555550100"})
BEA = Row(8, {"name": "Bea", "phone": "+15555550101"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the file alone; the journal stands elsewhere."""
    made = tmp_path / "out"
    made.mkdir()
    return made


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def failed(folder: Path, *rows: Row, columns: Sequence[str] = ("name", "phone")) -> list[dict[str, str]]:
    journal = journal_of(folder.parent / "job", *((row, REFUSED) for row in rows), columns=columns)
    assert write_failed(folder / "failed.csv", journal) == len(rows)
    return read(folder / "failed.csv")


def test_what_a_server_says_is_no_formula_in_a_spreadsheet(folder: Path) -> None:
    """What the row had is as it was, for it is imported again."""
    verdict = REFUSED._replace(code="=1+1", reason="@SUM(A1)", field="-x", request_id='=cmd|"/c calc"!A0')
    write_failed(folder / "f.csv", journal_of(folder.parent / "job", (Row(2, {"name": "=Ana"}), verdict)))
    (row,) = read(folder / "f.csv")

    assert row["name"] == "=Ana"
    assert [row[name] for name in ("_code", "_reason", "_field", "_request_id")] == [
        "'=1+1", "'@SUM(A1)", "'-x", "'=cmd|\"/c calc\"!A0",
    ]  # fmt: skip


def test_a_failed_row_has_all_its_columns_and_the_reason(folder: Path) -> None:
    """So that it can be mended where it stands."""
    verdict = REFUSED._replace(field="phone", request_id="req-1", attempts=2)
    write_failed(folder / "f.csv", journal_of(folder.parent / "job", (ANA, verdict)))
    reason = {
        "_row": "1",
        "_line": "7",
        "_state": "failed",
        "_status": "422",
        "_code": "invalid",
        "_reason": "phone: too short",
        "_field": "phone",
        "_request_id": "req-1",
        "_attempts": "2",
        "_first_sent": "2023-11-14T22:13:20+00:00",
    }

    assert read(folder / "f.csv") == [{"name": "Ana", "phone": "+15555550100", **reason}]


def test_the_columns_stand_in_their_order_before_the_reasons(folder: Path) -> None:
    """The mended file looks like the first one."""
    row = Row(2, {"phone": "1", "unused": "", "name": "Ana"})
    failed(folder, row, columns=("phone", "unused", "name"))

    with open_source(folder / "failed.csv") as source:
        assert source.columns == ("phone", "unused", "name", *REASON_COLUMNS)


@pytest.mark.parametrize("state", STATES)
def test_each_row_that_is_not_there_is_in_it(state: str, folder: Path) -> None:
    """Of whatever state, but for what is done and for what another row has done; or only those that are asked for."""
    held = Verdict("held", reason="nobody can tell")
    journal = journal_of(folder.parent / "job", (ANA, Verdict(state)), (BEA, held))  # type: ignore[arg-type]
    write_failed(folder / "all.csv", journal)
    assert write_failed(folder / "held.csv", journal, "held") == 1 + (state == "held")

    expected = ["Bea"] if state in ("done", "skipped") else ["Ana", "Bea"]
    assert [row["name"] for row in read(folder / "all.csv")] == expected
    assert [row["name"] for row in read(folder / "held.csv")][-1] == "Bea"


def test_without_such_rows_there_is_no_file(folder: Path) -> None:
    """An empty one would only raise a question."""
    journal = journal_of(folder.parent / "job", (ANA, Verdict("done", outcome="created")))

    assert write_failed(folder / "failed.csv", journal) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("broken", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_earlier_file_and_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken: BaseException
) -> None:
    """Disk full, or Ctrl-C: what stood there is better than half of the new one."""

    def fails(_: int) -> None:
        raise broken

    (folder / "failed.csv").write_text("earlier")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(type(broken)):
        write_failed(folder / "failed.csv", journal_of(folder.parent / "job", (ANA, REFUSED)))

    assert [found.read_text() for found in folder.iterdir()] == ["earlier"]


def test_nothing_stands_under_its_name_before_it_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process leaves no half file under it."""
    before: list[tuple[bool, list[int]]] = []

    def look(_: int) -> None:
        modes = [found.stat().st_mode & 0o777 for found in folder.iterdir()]
        before.append(((folder / "failed.csv").exists(), modes))

    monkeypatch.setattr(os, "fsync", look)
    failed(folder, ANA)

    assert before == [(False, [0o600]), (True, [0o600])], "the second is the folder's"
    assert [found.name for found in folder.iterdir()] == ["failed.csv"]


def test_what_is_not_text_is_written_as_json(folder: Path) -> None:
    """Objects and lists of JSON Lines; null is a blank cell."""
    values = {"tags": ["é"], "custom_fields": {"plan": "pro"}, "vip": True, "note": None}
    (found,) = failed(folder, Row(1, values), columns=tuple(values))

    assert [found[name] for name in values] == ['["é"]', '{"plan": "pro"}', "true", ""]


def test_keys_of_later_rows_become_columns(folder: Path) -> None:
    """The columns of JSON Lines are those of the first row: no value of another row is lost."""
    found = failed(folder, ANA, Row(8, {"name": "Bea", "email": "b@example.com"}))

    assert [(row["email"], row["phone"]) for row in found] == [("", "+15555550100"), ("b@example.com", "")]


def test_a_row_that_could_not_be_read_keeps_its_line_and_reason(folder: Path) -> None:
    """Half a row, or one with shifted cells, would be imported wrongly the next time."""
    problem = Verdict("invalid", code="invalid", reason="5 cells, the header has 6")
    write_failed(folder / "f.csv", journal_of(folder.parent / "job", (Row(9, {}), problem)))
    (found,) = read(folder / "f.csv")

    assert (found["name"], found["_line"], found["_first_sent"]) == ("", "9", "")
    assert found["_reason"] == "5 cells, the header has 6"


def test_it_can_be_imported_as_it_is(folder: Path) -> None:
    """The reasons feed no field, and rows that fail again have each reason once."""
    failed(folder, ANA)
    with open_source(folder / "failed.csv") as source:
        plan = plan_mapping(source.columns, {"name": True, "phone": True}, mapped={}, ignored=())
        again, columns = list(source), source.columns
    journal = journal_of(folder.parent / "again", *((row, REFUSED) for row in again), columns=columns)
    write_failed(folder / "again.csv", journal)

    assert [plan.apply(row.values) for row in again] == [dict(ANA.values)]
    with open_source(folder / "again.csv") as source:
        assert source.columns == ("name", "phone", *REASON_COLUMNS)


def test_it_can_be_printed_as_well(folder: Path) -> None:
    """For a pipe: the same text, and the header alone if there is nothing."""
    journal = journal_of(folder.parent / "job", (ANA, REFUSED))
    write_failed(folder / "f.csv", journal)
    told, nothing = io.StringIO(newline=""), io.StringIO(newline="")

    assert (print_failed(told, journal), print_failed(nothing, journal, "held")) == (1, 0)
    assert told.getvalue().encode() == (folder / "f.csv").read_bytes()
    assert len(nothing.getvalue().splitlines()) == 1


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
NAMES = TEXT.map(str.strip).filter(lambda name: name and not name.startswith(("_", "\ufeff")))


@settings(deadline=None, max_examples=40)
@given(data=st.data(), columns=st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_whatever_the_cells_the_file_is_read_back_equal(data: st.DataObject, columns: list[str]) -> None:
    """Delimiters, quotes, line breaks and formulas in names and cells survive."""
    cells = data.draw(st.lists(st.tuples(*[TEXT] * len(columns)), min_size=1, max_size=3))
    wanted = [dict(zip(columns, row, strict=True)) for row in cells]
    verdict = REFUSED._replace(reason='no\nreason; "none"')
    with tempfile.TemporaryDirectory() as name:
        rows = [(Row(line, values), verdict) for line, values in enumerate(wanted, 2)]
        write_failed(Path(name) / "f.csv", journal_of(Path(name), *rows, columns=columns))
        with open_source(Path(name) / "f.csv") as source:
            found = [{column: row.values[column] for column in columns} for row in source]

    assert found == wanted


def test_a_column_full_of_delimiters_does_not_pass_for_the_header(folder: Path) -> None:
    """Names are quoted, so that the comma is found all the same."""
    name = "a;b;c;d;e;f;g;h;i;j;k;l;m;n"
    failed(folder, Row(2, {name: "1"}), columns=(name,))

    with open_source(folder / "failed.csv") as source:
        assert source.columns == (name, *REASON_COLUMNS)


# Where it may be written


def test_a_good_target_is_left_as_it_is(folder: Path) -> None:
    """Trying whether it can be written leaves nothing behind."""
    (folder / "old.csv").write_text("earlier")

    assert check_target(folder / "new.csv", None) == folder / "new.csv"
    assert check_target(str(folder / "old.csv"), None) == folder / "old.csv"
    assert [found.read_text() for found in folder.iterdir()] == ["earlier"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (".", "it is a directory; name a file in it"),
        ("nope/f.csv", r"there is no directory .*nope; make it first"),
        ("/dev/null", "it is not a regular file; name another one"),
    ],
)
def test_a_target_that_cannot_be_one_is_refused(folder: Path, target: str, words: str) -> None:
    """Before anything is sent: no directory is made for a misspelled path, no device replaced by a file."""
    with pytest.raises(ConfigError, match=words):
        check_target(folder / target, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_to_is_refused(folder: Path) -> None:
    """Found before anything is sent."""
    folder.chmod(0o500)
    with pytest.raises(ConfigError, match="may not be written to"):
        check_target(folder / "f.csv", None)


def test_a_place_where_only_trying_tells_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room for one more name, though all rights are there."""

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(ConfigError, match=r"cannot write rows to .*: No space left on device; name a file elsewhere"):
        check_target(folder / "f.csv", None)


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_the_imported_file_is_refused_as_target(folder: Path, link: Callable[[Path, Path], None] | None) -> None:
    """By whatever name: the import would destroy its own input."""
    source = target = folder / "leads.csv"
    source.write_text("name\n")
    if link is not None:
        target = folder / "other.csv"
        link(source, target)

    with pytest.raises(ConfigError, match="it is the file being imported"):
        check_target(target, source)


def test_there_is_no_file_of_a_job_that_cannot_be_read(folder: Path) -> None:
    """It says so, and makes none."""
    with pytest.raises(ConfigError, match="there is no journal"):
        write_failed(folder / "f.csv", folder / "none.db")
    assert list(folder.iterdir()) == []
