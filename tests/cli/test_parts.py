"""The words of the command line."""

from __future__ import annotations

import json
import signal

import pytest

from leavo_async.bulk.results import RowResult, Tally
from leavo_async.bulk.rows import Row
from leavo_async.cli.exit_codes import ExitCode, of_import
from leavo_async.cli.summary import Summary
from leavo_async.cli.traffic import Traffic


def tally(**counts: int) -> Tally:
    found, line = Tally(), 1
    for state, count in counts.items():
        for _ in range(count):
            line += 1
            found.add(RowResult(Row(line, {}), state, f"reason {line}"))  # type: ignore[arg-type]
    return found


def summary(counted: Tally, *, stopped_by: str | None = None, rejects: str | None = None) -> Summary:
    code = of_import(counted, stopped_by, None)
    return Summary(
        "leads.csv",
        counted,
        Traffic(print, 5, 1),
        2.5,
        "100 requests a minute",
        stopped_by,
        code,
        None,
        rejects,
        rejects is not None,
    )


@pytest.mark.parametrize(
    ("counts", "stopped_by", "received", "code"),
    [
        ({"created": 3, "existing": 1, "empty": 1}, None, None, ExitCode.DONE),
        ({"created": 3, "rejected": 1}, None, None, ExitCode.SOME_REJECTED),
        ({"rejected": 1, "unknown": 1}, None, None, ExitCode.SOME_UNKNOWN),
        ({"unknown": 1}, "401", None, ExitCode.STOPPED_EARLY),
        ({"created": 1}, "interrupted", signal.SIGINT, ExitCode.INTERRUPTED),
        ({"created": 1}, "interrupted", signal.SIGTERM, ExitCode.TERMINATED),
    ],
)
def test_the_gravest_code_applies(counts, stopped_by, received, code) -> None:
    """As the table in the docs says."""
    assert of_import(tally(**counts), stopped_by, received) is code


def test_a_long_list_of_rejected_rows_is_cut_and_says_so() -> None:
    """Twenty are shown; a file can have them all."""
    lines = list(summary(tally(rejected=25)).lines())

    assert sum(line.startswith("  line ") for line in lines) == 20
    assert "  and 5 more; --rejects FILE keeps them all" in lines
    with_file = list(summary(tally(rejected=25), rejects="r.csv").lines())
    assert "  and 5 more" in with_file
    assert any("r.csv" in line for line in with_file)


def test_rows_are_told_in_the_order_of_the_file() -> None:
    """Though they end in any order; memory is bounded, the count is not."""
    counted = Tally()
    for line in (9, 3, 5):
        counted.add(RowResult(Row(line, {}), "rejected", "no"))
    shown = [line.split()[1] for line in summary(counted).lines() if line.startswith("  line")]

    assert shown == ["3", "5", "9"]
    many = tally(rejected=1500)
    assert (len(many.open_rows), many.open_count) == (1000, 1500)


def test_an_early_end_says_where_and_what_to_do() -> None:
    """In words, and in JSON."""
    stopped = summary(tally(created=2, unsent=1), stopped_by="401 UNAUTHORIZED")
    words = "\n".join(stopped.lines())

    for told in ("Stopped: 401 UNAUTHORIZED", "after line 4", "exit code 5"):
        assert told in words
    assert json.loads(stopped.json())["stopped_by"] == "401 UNAUTHORIZED"
