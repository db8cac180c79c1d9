"""An export that is stopped, by whatever, goes on as if nothing had happened."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import sqlite3
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pytest

from leavo_async import ConfigError, LeavoClient, LeavoError
from leavo_async.apis.leavo.columns import LEAD_COLUMNS
from leavo_async.bulk import part
from leavo_async.bulk.cursor import Cursor
from leavo_async.bulk.export import ExportReport, export
from leavo_async.bulk.formats import Columns
from leavo_async.bulk.since import Since
from leavo_async.sandbox import Fault, Sandbox
from leavo_async.testing import FakeTransport, reply

from .exports import FORMATS, columns_for, ids, lead, moving, names, stopped

pytestmark = pytest.mark.asyncio
KILLED = Path(__file__).parent / "killed_export.py"


@pytest.fixture(autouse=True)
def safe_after_each_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "COMMIT_EVERY", 0.0)


@pytest.mark.parametrize("suffix", FORMATS)
async def test_it_goes_on_where_an_error_has_stopped_it(
    suffix: str, leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Nothing is asked for twice, and the file is that of an export without an error."""
    file = tmp_path / f"leads.{suffix}"
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    leavo_sandbox.seed_leads(95)
    await stopped(leavo, leavo_sandbox, file)
    after_the_error = names(tmp_path)
    report = await export(partial(leavo.leads.list, page_size=10), file, columns=columns_for(file))

    assert after_the_error == [f"{file.name}.cursor", f"{file.name}.part"]
    assert (tmp_path / file.name).exists()
    assert ids(file) == [lead["id"] for lead in leavo_sandbox.leads]
    assert (report.rows, report.earlier, report.pages) == (95, 30, 7)
    assert len(leavo_sandbox.ledger.requests) == 4 + 7
    assert names(tmp_path) == [file.name]


async def test_both_files_of_an_export_under_way_are_its_owners_alone(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Rows are personal data."""
    leavo_sandbox.seed_leads(95)
    await stopped(leavo, leavo_sandbox, tmp_path / "leads.csv")

    assert {path.stat().st_mode & 0o777 for path in map(tmp_path.joinpath, names(tmp_path))} == {0o600}


async def test_an_export_that_has_written_nothing_leaves_nothing(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """A key that is refused is no beginning."""
    leavo_sandbox.script(Fault(status=401, times=None))
    with pytest.raises(LeavoError):
        await export(leavo.leads.list, tmp_path / "leads.csv", columns=LEAD_COLUMNS)

    assert names(tmp_path) == []


def write(file: Path, data: bytes) -> Callable[[], object]:
    return lambda: file.write_bytes(data)


async def test_what_is_changed_in_between_is_refused_before_anything_is_sent(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Cut, overwritten, or gone; and `restart` begins anew."""
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)
    await stopped(leavo, leavo_sandbox, file)
    rows = tmp_path / "leads.csv.part"
    good = rows.read_bytes()
    for change in (write(rows, good[:-1]), write(rows, good[:-9] + b"x" + good[-8:]), rows.unlink):
        change()
        sent = len(leavo_sandbox.ledger.requests)
        with pytest.raises(ConfigError, match=r"has changed since the export stopped.*--restart"):
            await export(leavo.leads.list, file, columns=LEAD_COLUMNS)
        assert len(leavo_sandbox.ledger.requests) == sent
        rows.write_bytes(good)
    rows.write_bytes(b"something else")
    report = await export(leavo.leads.list, file, columns=LEAD_COLUMNS, restart=True)

    assert (report.earlier, ids(file)) == (0, [lead["id"] for lead in leavo_sandbox.leads])


async def test_what_a_dead_process_has_written_beyond_its_cursor_is_cut_off(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Half a row must not stand in the file."""
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)
    await stopped(leavo, leavo_sandbox, file)
    with (tmp_path / "leads.csv.part").open("ab") as rows:
        rows.write(b"half of a ro" * 5000)
    await export(leavo.leads.list, file, columns=LEAD_COLUMNS)

    assert ids(file) == [lead["id"] for lead in leavo_sandbox.leads]


async def test_a_listing_that_was_read_to_its_end_is_not_read_again(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Although nothing but the name of the file was missing."""
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)

    def fail(report: ExportReport) -> None:
        raise RuntimeError("a defect of somebody else's")

    with pytest.raises(RuntimeError, match="somebody else's"):
        await export(leavo.leads.list, file, columns=LEAD_COLUMNS, on_progress=fail)
    sent = len(leavo_sandbox.ledger.requests)
    report = await export(leavo.leads.list, file, columns=LEAD_COLUMNS)

    assert (report.rows, report.pages, len(leavo_sandbox.ledger.requests)) == (95, 0, sent)
    assert ids(file) == [lead["id"] for lead in leavo_sandbox.leads]


@pytest.mark.parametrize(("overwrite", "moved", "asked"), [(False, False, 0), (True, False, 1), (False, True, 1)])
async def test_a_whole_file_whose_cursor_is_left_is_found_whole(
    overwrite: bool,
    moved: bool,
    asked: int,
    leavo: LeavoClient,
    leavo_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is asked for, unless it is to be replaced, or was moved away since."""
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)

    def fail(this: part.Part) -> None:
        raise OSError(errno.EIO, "the power is gone")

    with monkeypatch.context() as without_power:
        without_power.setattr(part.Part, "_remove", fail)
        with pytest.raises(OSError, match="the power is gone"):
            await export(leavo.leads.list, file, columns=LEAD_COLUMNS)
    if moved:
        file.unlink()
    sent = len(leavo_sandbox.ledger.requests)
    await export(leavo.leads.list, file, columns=LEAD_COLUMNS, overwrite=overwrite)

    assert len(leavo_sandbox.ledger.requests) == sent + asked
    assert ids(file) == [lead["id"] for lead in leavo_sandbox.leads]
    assert names(tmp_path) == ["leads.csv"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"guard": False}, "another guard"),
        ({"columns": Columns(("id", "name"))}, "another columns"),
        ({"since": Since(datetime(2026, 1, 1, tzinfo=UTC))}, "another since"),
        ({"unique": None}, "another unique"),
        ({"format": "jsonl", "columns": None}, "another format and columns"),
    ],
)
async def test_another_export_does_not_go_on_with_the_file(
    options: dict[str, Any], words: str, leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """It says what is different, and sends nothing."""
    leavo_sandbox.seed_leads(95)
    await stopped(leavo, leavo_sandbox, tmp_path / "leads.csv")
    with pytest.raises(ConfigError, match=words):
        await export(leavo.leads.list, tmp_path / "leads.csv", **{"columns": LEAD_COLUMNS, **options})

    assert len(leavo_sandbox.ledger.requests) == 4


async def test_other_filters_do_not_go_on_with_the_file(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """They would give other leads."""
    leavo_sandbox.seed_leads(95)
    await stopped(leavo, leavo_sandbox, tmp_path / "leads.csv")
    with pytest.raises(ConfigError, match=r"of another listing.*--restart"):
        await export(partial(leavo.leads.list, search="ana"), tmp_path / "leads.csv", columns=LEAD_COLUMNS)

    assert names(tmp_path) == ["leads.csv.cursor", "leads.csv.part"]


async def test_a_file_that_is_there_is_kept_unless_it_may_be_replaced(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """And replaced only when the new one is whole."""
    file = tmp_path / "leads.csv"
    file.write_text("precious")
    leavo_sandbox.seed_leads(95)
    with pytest.raises(ConfigError, match=r"is there already.*--overwrite"):
        await export(leavo.leads.list, file, columns=LEAD_COLUMNS)
    assert (leavo_sandbox.ledger.requests, names(tmp_path)) == ([], ["leads.csv"])
    await stopped(leavo, leavo_sandbox, file, overwrite=True)
    assert file.read_text() == "precious"
    await export(leavo.leads.list, file, columns=LEAD_COLUMNS, overwrite=True)

    assert len(ids(file)) == 95


async def test_a_file_that_has_come_into_being_meanwhile_is_kept(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path
) -> None:
    """The rows wait beside it, and are all there."""
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)

    def in_between(report: ExportReport) -> None:
        file.touch()

    with pytest.raises(ConfigError, match="is there already"):
        await export(leavo.leads.list, file, columns=LEAD_COLUMNS, on_progress=in_between)
    sent = len(leavo_sandbox.ledger.requests)
    await export(leavo.leads.list, file, columns=LEAD_COLUMNS, overwrite=True)

    assert (len(ids(file)), len(leavo_sandbox.ledger.requests)) == (95, sent)


class Held:
    """A listing that does something else between its first page and its end."""

    total = None
    resume_token = "made-up-token"

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._meanwhile = meanwhile

    async def pages(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        yield [lead(1)]
        await self._meanwhile()


async def test_two_exports_do_not_write_the_same_file(tmp_path: Path) -> None:
    """The second is refused, whatever it is told, and disturbs nothing."""
    file = tmp_path / "leads.jsonl"

    async def try_another() -> None:
        for restart in (False, True):
            with pytest.raises(ConfigError, match="another process is at this export"):
                await export(None, file, restart=restart)  # type: ignore[arg-type]

    await export(lambda resume: Held(try_another), file)  # type: ignore[arg-type, return-value]

    assert ids(file) == ["lead-1"]


async def test_foreign_files_beside_it_are_left_alone(leavo: LeavoClient, tmp_path: Path) -> None:
    """Whatever has the name of the part or of the cursor and is neither."""
    file = tmp_path / "leads.csv"
    part_file, cursor = tmp_path / "leads.csv.part", tmp_path / "leads.csv.cursor"
    part_file.write_text("a download")
    with pytest.raises(ConfigError, match="without its cursor"):
        await export(leavo.leads.list, file, columns=LEAD_COLUMNS)
    part_file.unlink()
    cursor.write_text("position of the mouse" * 100)
    with pytest.raises(ConfigError, match="not the cursor of an export"):
        await export(leavo.leads.list, file, columns=LEAD_COLUMNS)
    cursor.unlink()
    database = sqlite3.connect(cursor)
    database.execute("CREATE TABLE mine (it TEXT)")
    database.close()
    with pytest.raises(ConfigError, match="not the cursor of an export"):
        await export(leavo.leads.list, file, columns=LEAD_COLUMNS)

    assert names(tmp_path) == ["leads.csv.cursor"]


@pytest.mark.parametrize("failing", ["write", "flush", "commit"])
async def test_a_full_disk_loses_nothing_that_was_safe(
    failing: str, leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is that of the disk; when there is room again, it goes on."""
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)
    left = 4

    def full(*args: Any) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(file))

    owner, name = {
        "write": (part.Part, "_write"),
        "flush": (os, "fsync"),
        "commit": (part.Cursor, "commit"),
    }[failing]
    real = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args: (full(), real(*args))[1])
    with pytest.raises(OSError, match="No space left"):
        await export(partial(leavo.leads.list, page_size=10), file, columns=LEAD_COLUMNS)
    monkeypatch.setattr(owner, name, real)
    report = await export(partial(leavo.leads.list, page_size=10), file, columns=LEAD_COLUMNS)

    assert 0 < report.earlier <= 30
    assert ids(file) == [lead["id"] for lead in leavo_sandbox.leads]


@pytest.mark.parametrize(("every", "earlier"), [(0.0, 20), (1000.0, 0)])
async def test_a_page_that_was_not_written_is_not_taken_for_seen(
    every: float,
    earlier: int,
    leavo: LeavoClient,
    leavo_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else its rows would be left out as repeated when it comes again."""
    monkeypatch.setattr(part, "COMMIT_EVERY", every)
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)
    real, pages = part.Part._write, []

    def cut(this: part.Part, data: bytes) -> None:
        pages.append(data)
        if len(pages) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(this, data)

    monkeypatch.setattr(part.Part, "_write", cut)
    with pytest.raises(OSError, match="No space left"):
        await export(partial(leavo.leads.list, page_size=10), file, columns=LEAD_COLUMNS)
    monkeypatch.setattr(part.Part, "_write", real)
    report = await export(partial(leavo.leads.list, page_size=10), file, columns=LEAD_COLUMNS)

    assert (report.earlier, report.repeated, report.rows) == (earlier, 0, 95)


async def test_a_cancelled_export_keeps_the_page_in_hand(
    leavo: LeavoClient, leavo_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written to its end, made safe, and not asked for again."""
    monkeypatch.setattr(part, "COMMIT_EVERY", 1000.0)
    file = tmp_path / "leads.csv"
    leavo_sandbox.seed_leads(95)
    writing = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = part.Part._write

    def tell(this: part.Part, data: bytes) -> None:
        loop.call_soon_threadsafe(writing.set)
        real(this, data)

    monkeypatch.setattr(part.Part, "_write", tell)
    listing = partial(leavo.leads.list, page_size=10, concurrency=1)
    task = asyncio.ensure_future(export(listing, file, columns=LEAD_COLUMNS))
    await writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = await export(listing, file, columns=LEAD_COLUMNS)

    assert report.earlier >= 10
    assert ids(file) == [lead["id"] for lead in leavo_sandbox.leads]


async def test_a_lead_that_is_shown_twice_is_written_once_also_by_another_process(tmp_path: Path) -> None:
    """A listing moves while it is read, and what the first process has written counts for the second."""
    file = tmp_path / "leads.jsonl"
    first = [[lead(n) for n in range(100)], [lead(n) for n in range(99, 199)]]
    answers = [reply(200, {"data": page, "pagination": {"has_more": True}}) for page in first]
    transport = FakeTransport(*answers, reply(403))
    async with LeavoClient("made-up-key-1", transport=transport, limits=()) as leavo:
        with pytest.raises(LeavoError):
            await export(partial(leavo.leads.list, concurrency=1), file)
    async with moving([[lead(198), lead(199)]]) as leavo:
        report = await export(leavo.leads.list, file)

    assert ids(file) == [f"lead-{n}" for n in range(200)]
    assert (report.rows, report.repeated) == (200, 2)


async def run_killed(sandbox: Sandbox, file: Path, last: int) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(KILLED), sandbox.url, str(file), str(last), env={**os.environ, "LEAVO_API_KEY": sandbox.key}
    )
    return await process.wait()


async def check_kills(seed: int, folder: Path) -> int:
    """Kill exports of one listing at random steps until one comes to its end; gives how many were killed."""
    rng = random.Random(seed)
    file = folder / f"leads.{rng.choice(FORMATS) if seed else 'csv'}"
    kills = 0
    async with Sandbox() as sandbox:
        sandbox.seed_leads(rng.randint(40, 80))
        while code := await run_killed(sandbox, file, rng.randint(1, 20)):
            assert code == -9
            kills += 1
        assert ids(file) == [lead["id"] for lead in sandbox.leads]
    assert names(folder) == [file.name]
    return kills


async def test_a_kill_at_any_step_changes_nothing(tmp_path: Path) -> None:
    """Every lead once, in order, and nothing left beside the file."""
    assert await check_kills(0, tmp_path) >= 3


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(1, 51))
async def test_kills_at_many_steps_change_nothing(seed: int, tmp_path: Path) -> None:
    """In every format."""
    pytest.importorskip("pyarrow")
    await check_kills(seed, tmp_path)


@pytest.mark.torture(real_time=True)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("suffix", FORMATS)
async def test_a_kill_at_each_step_changes_nothing(suffix: str, tmp_path: Path) -> None:
    """One after the other, from the first to the last."""
    pytest.importorskip("pyarrow")
    async with Sandbox() as sandbox:
        sandbox.seed_leads(12)
        for last in range(1, 40):
            folder = tmp_path / str(last)
            folder.mkdir()
            file = folder / f"leads.{suffix}"
            if await run_killed(sandbox, file, last) == 0:
                break
            assert await run_killed(sandbox, file, 1000) == 0
            assert ids(file) == [lead["id"] for lead in sandbox.leads]
            assert names(folder) == [file.name]
        assert last > 10


async def test_what_another_process_begins_right_after_the_end_is_left_to_it(
    leavo: LeavoClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the lock is given back, the names beside the file may be those of somebody else's files."""
    file, given_back = tmp_path / "leads.csv", []
    others = [tmp_path / "leads.csv.part", tmp_path / "leads.csv.cursor"]

    def give_back(end: Callable[[Cursor], None], cursor: Cursor) -> None:
        end(cursor)
        if not given_back:
            given_back.extend(path.write_text("another's") for path in others)

    for name in ("close", "remove"):
        monkeypatch.setattr(Cursor, name, partialmethod(partial(give_back, getattr(Cursor, name))))
    await export(leavo.leads.list, file, columns=LEAD_COLUMNS)

    assert [path.read_text() for path in others] == ["another's"] * 2


async def test_a_cursor_that_is_removed_as_it_is_opened_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third process would make a new file, and both would write the same part."""
    connect = sqlite3.connect

    def race() -> None:
        first = Cursor(tmp_path / "leads.csv.cursor")

        def slowly(*told: Any, **more: Any) -> sqlite3.Connection:
            connection = connect(*told, **more)
            first.remove()
            return connection

        monkeypatch.setattr(sqlite3, "connect", slowly)
        Cursor(first.path)

    with pytest.raises(ConfigError, match="is in use: another process is at this export"):
        await asyncio.to_thread(race)
    assert names(tmp_path) == []
