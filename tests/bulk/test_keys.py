"""Idempotency keys that are derived: the same for the same row of the same import, for ever."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async.bulk.keys import content_digest, file_digest, import_id, row_key

NAMES = st.one_of(st.text(max_size=8), st.integers(0, 10**6))
PARTS = st.lists(st.binary(max_size=4), max_size=4)


@pytest.mark.parametrize(
    ("of", "key"),
    [
        (("import", 1, 0), "26112509-f99f-8583-b12e-074e808e31e4"),
        (("import", "1", 0), "9bd1d1d8-3f9e-8b8a-abf4-5fc00f5ad8f1"),
        (("import", "Ana", 1), "00226379-86b3-82dd-ac11-1262740a5958"),
    ],
)
def test_a_key_is_the_same_in_each_version(of: tuple[str, str | int, int], key: str) -> None:
    """A job that goes on after an update must not send its rows under other keys."""
    assert key == row_key(*of)


def test_an_import_has_the_same_name_in_each_version() -> None:
    """Else the same command would begin anew what an older version has begun."""
    assert (
        import_id("leavo", "https://api.example", "POST", "/leads", "", "", "content", "d1")
        == "dd548c8a7798814566fdd3c37807f243"
    )


@given(NAMES, st.integers(0, 50))
def test_a_key_is_a_uuid_of_version_8(row_id: str | int, generation: int) -> None:
    """Some servers take nothing else. RFC 9562 §5.8."""
    key = uuid.UUID(row_key("import", row_id, generation))

    assert (key.version, key.variant) == (8, uuid.RFC_4122)


@given(st.lists(st.tuples(st.text(max_size=3), NAMES, st.integers(0, 3)), unique_by=repr, max_size=20))
def test_no_two_rows_share_a_key(rows: list[tuple[str, str | int, int]]) -> None:
    """Neither two generations of one row, nor row 5 and the row that is named "5"."""
    assert len({row_key(*row) for row in rows}) == len(rows)


def test_a_key_tells_nothing_about_its_row() -> None:
    """Servers keep keys in their logs."""
    assert "ana" not in row_key("import", "ana@example.com", 0)


@given(PARTS, PARTS)
def test_other_parts_have_another_digest(one: list[bytes], other: list[bytes]) -> None:
    """Also where their bytes in a row are the same: ("ab", "c") is not ("a", "bc")."""
    assert (content_digest(*one) == content_digest(*other)) is (one == other)
    cut = b"".join(one)
    assert (content_digest(cut) == content_digest(*one)) is ([cut] == one)


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    """Whatever it is called; a byte more is another file."""
    names = [tmp_path / name for name in ("a", "b", "c")]
    for name, content in zip(names, (b"x" * 3_000_000, b"x" * 3_000_000, b"x" * 3_000_001), strict=True):
        name.write_bytes(content)
    one, same, other = map(file_digest, map(str, names))

    assert one == same
    assert one != other
    assert len(one) == 32
