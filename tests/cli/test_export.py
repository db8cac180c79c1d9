"""`leavo export leads`, as a person at a terminal meets it: a process of its own, its words and its exit code."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from leavo_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.asyncio
KEY = "made-up-key-1"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        sandbox.seed_leads(250)
        yield sandbox


async def started(sandbox: Sandbox, folder: Path, *arguments: str, stdout: Any = subprocess.PIPE) -> Any:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEAVO_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "leavo_async", *arguments, "--allow-insecure-loopback", "--limit", "6000"),
        stdout=stdout,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={
            **kept,
            "COLUMNS": "200",
            "LEAVO_API_KEY": sandbox.key,
            "LEAVO_BASE_URL": sandbox.url,
            "LEAVO_STATE_DIR": str(folder / "state"),
        },
    )


async def leavo(sandbox: Sandbox, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    process = await started(sandbox, folder, *arguments)
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return subprocess.CompletedProcess(arguments, process.returncode, out.decode(), err.decode())


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.01)


async def test_leads_are_written_as_csv_if_nothing_is_said(sandbox: Sandbox, tmp_path: Path) -> None:
    """To leads.csv; the summary says what to ask for the next time."""
    ended = await leavo(sandbox, tmp_path, "export", "leads")

    assert ended.returncode == 0
    assert "leads.csv: 250 rows in" in ended.stdout
    assert "  requests 3 · 429s seen 0" in ended.stdout
    assert "For what changes from now on:  --since 20" in ended.stdout
    assert f"Export  leads.csv · csv · from {sandbox.url}" in ended.stderr
    assert "exporting: 250 of 250 read, 250 written, 3 pages" in ended.stderr
    assert [row["id"] for row in rows(tmp_path / "leads.csv")] == [lead["id"] for lead in sandbox.leads]


async def test_the_summary_is_json_when_asked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    """And so is the progress, an object a line."""
    ended = await leavo(sandbox, tmp_path, "export", "leads", "--format", "jsonl", "--json", "--progress", "json")

    told = json.loads(ended.stdout)
    assert (told["file"], told["format"], told["rows"], told["exit_code"]) == ("leads.jsonl", "jsonl", 250, 0)
    assert datetime.fromisoformat(told["next_since"]).tzinfo is not None
    progress = json.loads(ended.stderr.splitlines()[-1])
    assert (progress["event"], progress["read"], progress["total"]) == ("progress", 250, 250)


async def test_only_those_that_are_asked_for_are_written(sandbox: Sandbox, tmp_path: Path) -> None:
    """By a search, by a status, by the moment of their last change."""
    lead = sandbox.leads[7]
    for file, arguments in (
        ("status.csv", ("--status-id", lead["status"]["id"], "--search", lead["phone"])),
        ("new.csv", ("--since", "2100-01-01", "--overlap", "0", "--progress", "bar")),
    ):
        assert (await leavo(sandbox, tmp_path, "export", "leads", "-o", file, *arguments)).returncode == 0

    assert [row["id"] for row in rows(tmp_path / "status.csv")] == [lead["id"]]
    assert rows(tmp_path / "new.csv") == []


async def test_an_exported_file_imports_again_as_the_same_leads(sandbox: Sandbox, tmp_path: Path) -> None:
    """With status, tags and custom fields, into another account."""
    await leavo(sandbox, tmp_path, "export", "leads", "--search", "lead2")
    async with Sandbox() as other:
        ended = await leavo(other, tmp_path, "import", "leads.csv", "--ignore", "*", "--progress", "none")
        there = {lead["phone"]: lead for lead in other.leads}

    wanted = [lead for lead in sandbox.leads if "lead2" in (lead["email"] or "")]
    assert (ended.returncode, len(there)) == (0, len(wanted))
    for lead in wanted:
        for field in ("name", "email", "company", "status", "tags", "custom_fields"):
            assert there[lead["phone"]][field] == lead[field]


async def test_standard_output_has_the_leads_and_nothing_else(sandbox: Sandbox, tmp_path: Path) -> None:
    """Fit for a pipe, and no file is left."""
    as_csv = await leavo(sandbox, tmp_path, "export", "leads", "-o", "-")
    as_json = await leavo(sandbox, tmp_path, "export", "leads", "-o", "-", "--format", "jsonl")

    ids = [lead["id"] for lead in sandbox.leads]
    assert [row["id"] for row in csv.DictReader(as_csv.stdout.splitlines())] == ids
    assert [json.loads(line)["id"] for line in as_json.stdout.splitlines()] == ids
    assert list(os.scandir(tmp_path)) == []


async def test_a_reader_that_has_gone_is_no_error(sandbox: Sandbox, tmp_path: Path) -> None:
    """As in `leavo export leads -o - | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    process = await started(sandbox, tmp_path, "export", "leads", "-o", "-", stdout=writing)
    os.close(writing)
    _, err = await process.communicate()

    assert (process.returncode, err) == (0, b"")


async def test_ctrl_c_keeps_what_is_there_and_prints_the_command_that_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """Exit code 130, and the second process reads only the rest."""
    sandbox.script(Fault(delay=30, skip=2))
    process = await started(sandbox, tmp_path, "export", "leads", "-o", "my leads.csv", "--restart")
    await until(lambda: len(sandbox.ledger.requests) >= 3)
    await until(lambda: (tmp_path / "my leads.csv.part").stat().st_size > 0)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    last = err.decode().splitlines()[-1]
    safe = last.removeprefix("Stopped: ").split()[0]

    assert process.returncode == 130
    assert "Traceback" not in err.decode()
    assert f"Stopped: {safe} rows in my leads.csv.part. Go on with:  leavo export leads -o 'my leads.csv'" in last
    words = shlex.split(last.split("Go on with:")[1])
    assert "--restart" not in words
    ended = await leavo(sandbox, tmp_path, *words[1:])
    assert ended.returncode == 0
    assert f"Going on: {safe} leads were read before." in ended.stderr
    assert [row["id"] for row in rows(tmp_path / "my leads.csv")] == [lead["id"] for lead in sandbox.leads]


async def test_an_error_of_the_server_keeps_what_is_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """Exit code 5; the last line is the error, the one before says how to go on."""
    sandbox.script(Fault(status=403, skip=2))
    ended = await leavo(sandbox, tmp_path, "export", "leads", "--search", "lead")
    again = await leavo(sandbox, tmp_path, "export", "leads", "--search", "lead")

    assert (ended.returncode, again.returncode) == (5, 0)
    assert "rows in leads.csv.part. Go on with:  leavo export leads --search lead" in ended.stderr.splitlines()[-2]
    assert "403" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("-o", "leads.txt"), "cannot tell the format", 4),
        (("-o", "nowhere/leads.csv"), "make it first", 4),
        (("-o", "there.csv"), "--overwrite", 4),
        (("-o", "-", "--format", "parquet"), "name a file with -o", 4),
        (("-o", "-", "--json"), "name a file", 2),
        (("--since", "yesterday"), "such as 2026-11-01", 2),
        (("--overlap", "-1"), "--overlap", 2),
    ],
)
async def test_what_cannot_work_is_told_before_anything_is_sent(
    arguments: tuple[str, ...], words: str, code: int, sandbox: Sandbox, tmp_path: Path
) -> None:
    """In one line that says what to do."""
    (tmp_path / "there.csv").touch()
    ended = await leavo(sandbox, tmp_path, "export", "leads", *arguments)

    assert (ended.returncode, ended.stdout, words in ended.stderr) == (code, "", True)
    assert sandbox.ledger.requests == []


async def test_a_full_disk_is_one_line(sandbox: Sandbox, tmp_path: Path) -> None:
    """Exit code 1."""
    with Path("/dev/full").open("wb") as full:  # noqa: ASYNC230
        process = await started(sandbox, tmp_path, "export", "leads", "-o", "-", stdout=full)
        _, err = await process.communicate()

    assert process.returncode == 1
    assert b"No space left on device" in err.splitlines()[-1]
    assert b"Traceback" not in err
