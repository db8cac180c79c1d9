"""A listing as a file: what is in it, and what cannot be one."""

from __future__ import annotations

import errno
import json
import os
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from leavo_async import ConfigError, LeavoClient
from leavo_async.apis.leavo.columns import LEAD_COLUMNS
from leavo_async.bulk import part
from leavo_async.bulk.export import export
from leavo_async.bulk.formats import Columns
from leavo_async.bulk.since import Since
from leavo_async.sandbox import Sandbox
from leavo_async.testing import FakeTransport, reply

from .exports import FORMATS, columns_for, ids, lead, moving, names

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("suffix", FORMATS)
async def test_a_file_has_every_lead_once_in_order(
    suffix: str, leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """And nothing else is left beside it."""
    file = tmp_path / f"leads.{suffix}"
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    leavo_sandbox.seed_leads(250)

    report = await export(leavo.leads.list, file, columns=columns_for(file))

    assert ids(file) == [lead["id"] for lead in leavo_sandbox.leads]
    assert (report.rows, report.read, report.pages, report.total, report.is_complete) == (250, 250, 3, 250, True)
    assert names(tmp_path) == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600


async def test_an_export_of_nothing_is_a_file_too(leavo: LeavoClient, tmp_path: Path) -> None:
    """With the names of its columns."""
    report = await export(leavo.leads.list, tmp_path / "leads.csv", columns=LEAD_COLUMNS)

    assert (tmp_path / "leads.csv").read_bytes() == ",".join(LEAD_COLUMNS.names).encode() + b"\r\n"
    assert (report.rows, report.is_complete) == (0, True)


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("nowhere/leads.csv", {}, "make it first"),
        (".", {"format": "csv"}, "it is no regular file"),
        ("/dev/null", {"format": "csv", "overwrite": True}, "it is no regular file"),
        ("x" * 300 + ".csv", {}, "File name too long"),
        ("leads.txt", {}, "cannot tell the format"),
        ("leads.csv", {"columns": None}, "needs columns"),
    ],
)
async def test_what_cannot_be_written_is_told_before_anything_is_sent(
    file: str, options: dict[str, Any], words: str, leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """In one sentence that says what to do."""
    with pytest.raises(ConfigError, match=words):
        await export(leavo.leads.list, tmp_path / file, **{"columns": LEAD_COLUMNS, **options})

    assert (leavo_sandbox.ledger.requests, names(tmp_path)) == ([], [])


@pytest.mark.parametrize("function", ["access", "open"])
async def test_a_place_that_is_read_only_is_told_before_anything_is_sent(
    function: str, leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says so: the rights of the folder, or the file system when it is tried."""

    def refuse(*args: Any, **options: Any) -> Any:
        if function == "access":
            return False
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, function, refuse)
    with pytest.raises(ConfigError, match=r"may not be written|Read-only"):
        await export(leavo.leads.list, tmp_path / "leads.csv", columns=LEAD_COLUMNS)

    assert leavo_sandbox.ledger.requests == []


async def test_without_pyarrow_parquet_is_refused_before_anything_is_sent(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match="pip install"):
        await export(leavo.leads.list, tmp_path / "leads.parquet", columns=LEAD_COLUMNS)

    assert leavo_sandbox.ledger.requests == []


async def test_only_what_has_changed_since_is_written(tmp_path: Path) -> None:
    """By updated_at, else created_at; five minutes before count as well, and what has neither."""
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    shown = [
        lead(1, updated_at="2026-11-01T12:00:00Z"),
        lead(2, updated_at="2026-11-01T11:55:00Z"),
        lead(3, updated_at="2026-11-01T11:54:59Z", created_at="2026-11-01T12:00:00Z"),
        lead(4, created_at="2026-11-01T09:00:00-03:00"),
        lead(5, created_at="2026-10-01T00:00:00Z"),
        lead(6),
    ]
    async with moving([shown]) as leavo:
        before = datetime.now(UTC)
        report = await export(leavo.leads.list, tmp_path / "leads.jsonl", since=Since(moment))

    assert ids(tmp_path / "leads.jsonl") == ["lead-1", "lead-2", "lead-4", "lead-6"]
    assert report.left_out == 2
    assert before <= report.started <= before + timedelta(minutes=1)


async def test_json_lines_have_what_the_server_has_given(tmp_path: Path) -> None:
    """Its own fields included; nothing that it has left out."""
    given = lead(1, phone=None, score=7, tags=[{"id": "t", "name": "vip"}])
    async with moving([[given]]) as leavo:
        await export(leavo.leads.list, tmp_path / "leads.jsonl")

    assert json.loads((tmp_path / "leads.jsonl").read_text()) == given


async def test_items_that_are_plain_json_are_exported_too(tmp_path: Path) -> None:
    """Of any endpoint; a column is empty where an item has none."""
    async with moving([[{"id": 7, "a": [1, "é"]}, {"id": 8}]]) as leavo:
        listing = partial(leavo.pages, "/backend/anything")
        await export(listing, tmp_path / "things.csv", columns=Columns(("id", "a")))

    assert (tmp_path / "things.csv").read_text() == 'id,a\n7,"[1,""é""]"\n8,\n'


async def test_parquet_has_moments_as_moments_and_texts_as_texts(tmp_path: Path) -> None:
    """Nested values are JSON, and nothing stays null."""
    parquet = pytest.importorskip("pyarrow.parquet")
    shown = [lead(1, phone="+5511999990001", custom_fields={"a": 1}, created_at="2026-11-01T09:00:00-03:00")]
    shown += [lead(2, updated_at="2026-11-01T09:00:00")]
    async with moving([shown]) as leavo:
        await export(leavo.leads.list, tmp_path / "leads.parquet", columns=LEAD_COLUMNS)

    first, second = parquet.read_table(tmp_path / "leads.parquet").to_pylist()
    assert (first["phone"], first["custom_fields"]) == ("+5511999990001", '{"a":1}')
    assert first["created_at"] == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert (second["phone"], second["created_at"]) == (None, None)
    assert second["updated_at"] == datetime(2026, 11, 1, 9, tzinfo=UTC)


def endless(number: int) -> FakeTransport:
    """A server with so many leads."""

    def page(request: Any) -> Any:
        query = dict(parse_qsl(urlsplit(request.url).query))
        begin, size = int(query.get("offset", 0)), int(query.get("limit", 100))
        items = [lead(n, phone=f"+5511{n:09}") for n in range(begin, min(begin + size, number))]
        return reply(200, {"data": items, "pagination": {"has_more": begin + size < number, "total": number}})

    return FakeTransport(page)


async def peak(number: int, file: Path) -> int:
    """Bytes of memory that an export of so many leads takes at most."""
    async with LeavoClient("made-up-key-1", transport=endless(number), limits=()) as leavo:
        tracemalloc.start()
        try:
            await export(leavo.leads.list, file, columns=columns_for(file))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.torture(real_time=True)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("suffix", FORMATS)
async def test_memory_does_not_grow_with_the_listing(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100,000 leads it takes no more than of 30,000."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(part, "COMMIT_EVERY", 1.0)
    small = await peak(30_000, tmp_path / f"small.{suffix}")
    large = await peak(100_000, tmp_path / f"large.{suffix}")

    assert large - small < 5_000_000
