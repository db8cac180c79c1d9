import contextlib
import csv
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async.bulk.mapping import plan_mapping
from leavo_async.bulk.rejects import Rejects
from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import open_source
from leavo_async.errors import ConfigError

ANA = Row(7, {"name": "Ana", "phone": "+15555550100"})


def rejected(path: Path, *rows: Row, columns=("name", "phone")) -> list[dict[str, str]]:
    with Rejects(path, columns, source="leads.csv") as rejects:
        for row in rows:
            rejects.add(row, state="failed", status=422, code="invalid", reason="phone: too short")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_rejected_row_has_all_its_columns_and_the_reason(tmp_path):
    """So that it can be mended where it stands."""
    reason = {"_line": "7", "_state": "failed", "_status": "422", "_code": "invalid", "_reason": "phone: too short"}

    assert [{"name": "Ana", "phone": "+15555550100", **reason}] == rejected(tmp_path / "r.csv", ANA)


def test_the_columns_stand_in_their_order_before_the_reasons(tmp_path):
    """The mended file looks like the first one."""
    rejected(tmp_path / "r.csv", ANA, columns=("phone", "unused", "name"))

    with open_source(tmp_path / "r.csv") as source:
        assert ("phone", "unused", "name", "_line", "_state", "_status", "_code", "_reason") == source.columns


def test_without_rejects_there_is_no_file(tmp_path):
    """An empty rejects file would only raise a question."""
    Rejects(tmp_path / "r.csv", ["name"], source=None).close()

    assert [] == list(tmp_path.iterdir())


def test_nothing_stands_under_the_final_name_before_it_is_whole(tmp_path):
    """Nor beside it: a killed process leaves no half file."""
    rejects = Rejects(tmp_path / "r.csv", ["name"], source=None)
    rejects.add(ANA, state="failed", reason="no")
    before = list(tmp_path.iterdir())
    rejects.close()

    assert [] == before
    assert ["r.csv"] == [path.name for path in tmp_path.iterdir()]


def test_only_the_owner_may_read_it(tmp_path):
    """It holds personal data."""
    rejected(tmp_path / "r.csv", ANA)

    assert 0o600 == (tmp_path / "r.csv").stat().st_mode & 0o777


def test_an_interrupt_leaves_a_complete_file_of_what_was_added(tmp_path):
    """Ctrl-C in the middle of an import."""
    with contextlib.suppress(KeyboardInterrupt), Rejects(tmp_path / "r.csv", ["name"], source=None) as rejects:
        rejects.add(ANA, state="failed", reason="no")
        raise KeyboardInterrupt

    with open_source(tmp_path / "r.csv") as source:
        assert ["Ana"] == [row.values["name"] for row in source]


def test_closing_twice_writes_once(tmp_path):
    """A signal handler and a `with` may both close it."""
    path = tmp_path / "r.csv"
    rejects = Rejects(path, ["name"], source=None)
    rejects.add(ANA, state="failed", reason="no")
    rejects.close()
    path.unlink()
    rejects.close()

    assert (1, False) == (rejects.count, path.exists())


def test_a_failed_write_leaves_the_earlier_file_and_no_other(tmp_path, monkeypatch):
    """Disk full: what stood there is better than half of the new one."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "r.csv"
    path.write_text("earlier")
    rejects = Rejects(path, ["name"], source=None)
    rejects.add(ANA, state="failed", reason="no")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        rejects.close()

    assert ["earlier"] == [found.read_text() for found in tmp_path.iterdir()]


def test_what_is_not_text_is_written_as_json(tmp_path):
    """Objects and lists of JSON Lines; null is a blank cell."""
    values = {"tags": ["é"], "custom_fields": {"plan": "pro"}, "vip": True, "note": None}
    found = rejected(tmp_path / "r.csv", Row(1, values), columns=values)[0]

    assert ['["é"]', '{"plan": "pro"}', "true", ""] == [found[name] for name in values]


def test_keys_of_later_rows_become_columns(tmp_path):
    """The columns of JSON Lines are those of the first row: no value of another row is lost."""
    found = rejected(tmp_path / "r.csv", ANA, Row(8, {"name": "Bea", "email": "b@example.com"}))

    assert [("", "+15555550100"), ("b@example.com", "")] == [(row["email"], row["phone"]) for row in found]


def test_a_row_that_could_not_be_read_keeps_its_line_and_reason(tmp_path):
    """Half a row, or one with shifted cells, would be imported wrongly the next time."""
    found = rejected(tmp_path / "r.csv", Row(9, {}, "5 cells, the header has 6"))[0]

    assert ("", "9") == (found["name"], found["_line"])


def test_a_mended_rejects_file_is_imported_like_the_first(tmp_path):
    """The reasons are no columns of the data; rejected again, they are replaced."""
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    rejected(first, ANA)
    with open_source(first) as source:
        fields = {"name": True, "phone": True}
        plan = plan_mapping(source.columns, fields, mapped={}, ignored=())
        again = list(source)
    rejected(second, *again, columns=source.columns)
    with open_source(second) as source:
        assert ("name", "phone", "_line", "_state", "_status", "_code", "_reason") == source.columns

    assert [{"name": "Ana", "phone": "+15555550100"}] == [plan.apply(row.values) for row in again]


def test_a_directory_is_refused_as_target(tmp_path):
    """Found before anything is sent."""
    with pytest.raises(ConfigError, match="it is a directory; name a file in it"):
        Rejects(tmp_path, ["name"], source=None)


def test_a_missing_directory_is_refused(tmp_path):
    """It is not made: the path may be misspelled."""
    with pytest.raises(ConfigError, match=r"there is no directory .*; make it first"):
        Rejects(tmp_path / "nope" / "r.csv", ["name"], source=None)


def test_a_device_is_refused(tmp_path):
    """Replacing /dev/null by a file harms the whole machine."""
    with pytest.raises(ConfigError, match="not a regular file"):
        Rejects("/dev/null", ["name"], source=None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_to_is_refused(tmp_path):
    """Found before anything is sent."""
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="may not be written to"):
        Rejects(tmp_path / "r.csv", ["name"], source=None)


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_the_source_itself_is_refused_as_target(tmp_path, link):
    """By whatever name: the import would destroy its own input."""
    source = target = tmp_path / "leads.csv"
    source.write_text("name\n")
    if link is not None:
        target = tmp_path / "other.csv"
        link(source, target)

    with pytest.raises(ConfigError, match="it is the file being imported"):
        Rejects(target, ["name"], source=source)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
NAMES = TEXT.map(str.strip).filter(lambda name: name and not name.startswith(("_", "\ufeff")))


@settings(deadline=None, max_examples=40)
@given(data=st.data(), columns=st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_whatever_the_cells_the_file_is_read_back_equal(data, columns):
    """Delimiters, quotes, line breaks and formulas in names and cells survive."""
    cells = data.draw(st.lists(st.tuples(*[TEXT] * len(columns)), min_size=1, max_size=3))
    wanted = [dict(zip(columns, row, strict=True)) for row in cells]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.csv"
        with Rejects(path, columns, source=None) as rejects:
            for line, values in enumerate(wanted, 2):
                rejects.add(Row(line, values), state="failed", reason="no\nreason")
        with open_source(path) as source:
            read = [{name: row.values[name] for name in columns} for row in source]

    assert wanted == read
