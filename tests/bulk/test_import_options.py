"""What an import may be told."""

from __future__ import annotations

import math
from typing import Any

import pytest

from leavo_async import ConfigError
from leavo_async.bulk.options import checked_import_options, most_failed

BAD: list[tuple[str, Any]] = [
    *((name, value) for name in ("quarantine", "patience", "max_seconds") for value in (-1, "5", math.nan, math.inf)),
    ("quarantine", None),
    ("patience", None),
    *(("concurrency", value) for value in (0, 33, -1, 2.5, "4", True)),
    ("on_changed_source", "all"),
    *(("max_failed", value) for value in (-1, 1.5, "x", "%", "101%", "-5%", "5 per cent", "1e2%", True)),
    ("same_by", "phone"),
    ("ignore", "Notes"),
    ("ignore", None),
    *(("map", value) for value in (None, ["name"], "name=Nome", {"name": 3}, {3: "Nome"})),
    *((name, 3) for name in ("delimiter", "encoding", "row_key", "name", "account", "journal_dir", "signal")),
    ("account", None),
    ("format", "xlsx"),
    ("new_run", "no"),
    ("timeout", "3"),
    ("retry", 3),
    ("headers", ["X-Trace"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD, ids=repr)
def test_what_cannot_work_is_refused_by_its_name(name: str, value: Any) -> None:
    """Before a row is read."""
    with pytest.raises(ConfigError, match=name):
        checked_import_options({name: value})  # type: ignore[misc]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quarantine": 0, "patience": 0.0, "max_seconds": 0},
        {"max_seconds": None, "concurrency": None, "max_failed": None, "same_by": None},
        {"concurrency": 1},
        {"concurrency": 32, "on_changed_source": "new rows only", "max_failed": "5%", "same_by": ["phone"]},
        {"map": {"name": "Nome"}, "ignore": {"Obs"}, "format": "csv", "account": "", "new_run": True, "timeout": 3},
        dict.fromkeys(("format", "delimiter", "encoding", "row_key", "name", "journal_dir", "signal")),
    ],
)
def test_what_can_work_is_taken(options: Any) -> None:
    """None where it has a meaning, and nought."""
    assert checked_import_options(options) == options


def test_an_option_that_there_is_not() -> None:
    """As Python says it."""
    with pytest.raises(TypeError, match="'retries'; an import takes account, "):
        checked_import_options({"retries": 3})  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize(
    ("told", "expected"),
    [(None, None), (0, 0), (7, 7), ("7", 7), ("0%", 0), ("5%", 10), (" 2.5 % ", 5), ("0.4%", 0), ("100%", 200)],
)
def test_how_many_of_200_rows_may_fail(told: int | str | None, expected: int | None) -> None:
    """A number, or a share rounded down."""
    assert expected == most_failed(told, 200)
