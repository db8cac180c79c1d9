"""What the tests of exports have in common."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leavo_async import LeavoClient, LeavoError, RetryPolicy
from leavo_async.apis.leavo.columns import LEAD_COLUMNS
from leavo_async.bulk.export import export
from leavo_async.bulk.formats import Columns
from leavo_async.sandbox import Fault, Sandbox
from leavo_async.testing import FakeTransport, reply

FORMATS = ("csv", "jsonl", "parquet")


def columns_for(file: Path) -> Columns | None:
    return None if file.suffix == ".jsonl" else LEAD_COLUMNS


def ids(file: Path) -> list[str]:
    """The ids in an exported file, in order."""
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as lines:
            return [row["id"] for row in csv.DictReader(lines)]
    if file.suffix == ".jsonl":
        return [json.loads(line)["id"] for line in file.read_text().splitlines()]
    found: list[str] = pytest.importorskip("pyarrow.parquet").read_table(file)["id"].to_pylist()
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def stopped(leavo: LeavoClient, sandbox: Sandbox, file: Path, **options: Any) -> None:
    """An export that ends with an error after the third of ten pages."""
    sandbox.script(Fault(status=403, skip=3))
    with pytest.raises(LeavoError):
        await export(partial(leavo.leads.list, page_size=10, concurrency=1), file, columns=columns_for(file), **options)


def moving(pages: list[list[dict[str, Any]]]) -> LeavoClient:
    """A client of a server that gives these pages, whatever is asked for."""
    answers = [reply(200, {"data": page, "pagination": {"has_more": page is not pages[-1]}}) for page in pages]
    return LeavoClient("made-up-key-1", transport=FakeTransport(*answers), limits=(), retry=RetryPolicy(max_attempts=1))


def lead(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"lead-{number}", "name": f"Lead {number}", **fields}
