"""`leavo import`, as a person at a terminal meets it: a process of its own, its words and its exit code."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leavo_async.sandbox import Fault, FixedWindow, Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = "made-up-key-1"


def leavo(
    *arguments: str | Path, cwd: Path | None = None, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    ended = subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=variables(**environment),
        timeout=50,
        check=False,
    )
    out, err = ended.stdout.decode(), ended.stderr.decode()
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(ended.args, ended.returncode, out, err)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "leavo_async", *map(str, arguments)]


def variables(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name[:6] != "LEAVO_" or name == "LEAVO_STATE_DIR"}
    return {**kept, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200", **more}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text("name,phone\nAna,+5511999990001\nJoão,+55 (11) 99999-0002\nAna again,+5511999990001\nNobody,123\n")
    return path


def test_the_demo_of_the_readme_imports_sixty_leads() -> None:
    """Through the real client, over real HTTP, within the limit; and they can be read back."""
    ended = leavo("import", EXAMPLES / "leads.csv", "--sandbox")

    assert ended.returncode == 0
    for words in (
        "Done in",
        "created 57   invalid 1   skipped 1   empty 1",
        "requests 57 · 429: 0",
        "line 35     invalid: email: is not an e-mail address",
        "Read back from the sandbox: 57 leads.",
        "A real import would have ended with exit code 3: some rows failed, or were not valid.",
    ):
        assert words in ended.stdout
    assert "600 requests a minute" in ended.stderr
    assert "importing:" in ended.stderr
    assert "\r" not in ended.stderr


def test_json_lines_are_read_and_the_summary_is_json_when_asked_for() -> None:
    """One object on stdout, nothing else."""
    ended = leavo("import", EXAMPLES / "leads.jsonl", "--sandbox", "--json")

    told = json.loads(ended.stdout)
    assert (told["rows"], told["created"], told["read_back"], told["exit_code"]) == (8, 8, 8, 0)


def test_standard_input_is_a_file_like_any_other() -> None:
    """Read once, as it comes."""
    ended = leavo("import", "-", "--sandbox", "--progress", "none", stdin=b"name,phone\nAna,+5511999990001\n")

    assert (ended.returncode, "created 1" in ended.stdout) == (0, True)


def test_a_dry_run_needs_no_key_and_sends_nothing(file: Path) -> None:
    """It tells what would be rejected, and why."""
    ended = leavo("import", file, "--dry-run")

    assert ended.returncode == 3
    assert "4 rows: 2 to send, 1 invalid, 1 duplicate in the source" in ended.stdout
    assert "line 5      invalid: phone: is not a number with country code" in ended.stdout
    assert "nothing was sent" in ended.stdout


def test_rejected_rows_go_into_a_file_that_can_be_imported_again(file: Path, tmp_path: Path) -> None:
    """With all their columns and the reason."""
    rejects = tmp_path / "rejects.csv"
    ended = leavo("import", file, "--sandbox", "--rejects", rejects)

    (row,) = csv.DictReader(rejects.read_text().splitlines())
    assert (row["name"], row["phone"], row["_line"], row["_state"]) == ("Nobody", "123", "5", "invalid")
    assert f"Written to {rejects}" in ended.stdout
    rejects.write_text(rejects.read_text().replace("123", "+5511999990009"))
    again = leavo("import", rejects, "--sandbox")
    assert "created 1" in again.stdout


def test_columns_are_mapped_and_left_out(tmp_path: Path) -> None:
    """As the user says."""
    path = tmp_path / "pessoas.csv"
    path.write_text("Nome;Telefone;Origem;Obs\nAna;+5511999990001;feira;x\n")
    mapped = ("--map", "name=Nome", "--map", "phone=Telefone", "--map", "custom_fields.source=Origem")
    ended = leavo("import", path, "--sandbox", *mapped, "--ignore", "Obs")

    assert ended.returncode == 0
    assert "name ← Nome, phone ← Telefone, custom_fields.source ← Origem; left out: Obs" in ended.stderr


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (b"", (), "it is empty"),
        (b"name,phone,Notes\n", (), "unknown column 'Notes'"),
        (b"name,phone\n", ("--map", "email=Mail"), "there is no column 'Mail'"),
        (b"name\nAna\n", (), "no column for the required field 'phone'"),
        ("name,phone\n".encode("utf-16"), (), "--encoding utf-16"),
        (b"name,phone\n", ("--encoding", "klingon"), "unknown encoding"),
        (b"name,phone\n", ("--rejects", "nowhere/r.csv"), "make it first"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(
    content: bytes, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    """Exit code 4: nothing was sent."""
    path = tmp_path / "leads.csv"
    path.write_bytes(content)
    ended = leavo("import", path, "--sandbox", *arguments, cwd=tmp_path)

    last = ended.stderr.strip().splitlines()[-1]
    assert (ended.returncode, ended.stdout) == (4, "")
    assert last.startswith("leavo: ")
    assert words in last


@pytest.mark.parametrize(
    ("environment", "arguments", "words"),
    [
        ({}, (), "no API key: set LEAVO_API_KEY"),
        ({"LEAVO_API_KEY": "your_api_key_here"}, (), "looks like a placeholder"),
        ({"LEAVO_API_KEY": KEY}, ("--base-url", "http://api.example.com"), "use https"),
        ({"LEAVO_API_KEY": KEY, "LEAVO_BASE_URL": "http://127.0.0.1:9"}, (), "use https"),
    ],
)
def test_a_key_or_url_that_cannot_work_is_refused(
    environment: dict[str, str], arguments: tuple[str, ...], words: str, file: Path
) -> None:
    """Exit code 4, before any connection."""
    ended = leavo("import", file, *arguments, **environment)

    assert (ended.returncode, ended.stdout, words in ended.stderr) == (4, "", True)


def test_wrong_usage_is_clicks(file: Path) -> None:
    """Exit code 2."""
    assert leavo("import", file, "--map", "nonsense").returncode == 2
    assert leavo("import").returncode == 2


def test_no_server_stops_the_import_at_once(file: Path) -> None:
    """Exit code 5, and every row is accounted for."""
    ended = leavo("import", file, "--base-url", "http://127.0.0.1:9", "--allow-insecure-loopback", LEAVO_API_KEY=KEY)

    assert ended.returncode == 5
    assert "no connection could be made" in ended.stdout
    assert "pending 2" in ended.stdout
    assert "leavo jobs resume" in ended.stdout


@pytest.fixture
def slow_file(tmp_path: Path) -> Path:
    path = tmp_path / "slow.csv"
    path.write_text("name,phone\n" + "".join(f"Lead {n},+5511{n:09}\n" for n in range(500)))
    return path


@pytest.mark.asyncio
async def test_an_unknown_outcome_is_told_and_nothing_is_doubled(file: Path) -> None:
    """The connection breaks after the lead is there, and lists do not show it yet: going on finds it there."""
    fault = Fault(reset="after", method="POST", times=1)
    async with Sandbox(faults=[fault], search_lag=3.5) as sandbox:
        first = await _against(sandbox, "import", str(file), "--concurrency", "1", "--max-duration", "0.5s")
        second = await _against(sandbox, "import", str(file), "--quarantine", "3.5s")
        effects = [effect.kind for effect in sandbox.ledger.effects]

    assert (first.returncode, second.returncode) == (7, 3)
    assert "unknown 1" in first.stdout
    assert "1 row of unknown outcome" in second.stderr
    assert "created 2 (1 of them confirmed" in second.stdout
    assert effects == ["created", "created"]


@pytest.mark.asyncio
async def test_a_wrong_key_stops_the_import_and_burns_no_row(slow_file: Path) -> None:
    """Exit code 5 after the first answers, not after five hundred."""
    async with Sandbox(key="another-key") as sandbox:
        ended = await _against(sandbox, "import", str(slow_file), key=KEY)

    assert ended.returncode == 5
    assert "401 UNAUTHORIZED" in ended.stdout
    assert len(sandbox.ledger.requests) == 1
    assert KEY not in ended.stdout + ended.stderr


@pytest.mark.asyncio
async def test_a_429_is_waited_out(file: Path) -> None:
    """The limit is lower than the client believes: it waits as told, and nothing is lost."""
    async with Sandbox(limit=lambda: FixedWindow(1, 1)) as sandbox:
        ended = await _against(sandbox, "import", str(file), "--limit", "6000", "--json")

    told = json.loads(ended.stdout)
    assert (told["created"], told["skipped"], told["invalid"]) == (2, 1, 1)
    assert told["responses_429"] >= 1


@pytest.mark.asyncio
async def test_ctrl_c_finishes_what_is_under_way_and_says_where_it_stopped(slow_file: Path) -> None:
    """Exit code 130; as many leads are there as it says."""
    async with Sandbox(latency=0.2) as sandbox:
        process = await _started(sandbox, "import", str(slow_file), "--limit", "6000", "--json")
        await _until(lambda: len(sandbox.ledger.effects) >= 10)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        created = len(sandbox.ledger.effects)

    told = json.loads(out)
    assert process.returncode == 130
    assert (told["created"], told["unknown"], told["stopped_by"]) == (created, 0, "interrupted by SIGINT")
    assert "Stopping" in err.decode()
    assert created < 500


@pytest.mark.asyncio
async def test_ctrl_c_twice_ends_at_once_and_names_the_rows_left_open(slow_file: Path) -> None:
    """What was under way is "unknown"; what waited for its turn is still to be sent."""
    async with Sandbox(faults=[Fault(delay=30, method="POST", skip=1, times=None)]) as sandbox:
        process = await _started(sandbox, "import", str(slow_file), "--limit", "6000", "--json", "--concurrency", "8")
        await _until(lambda: len(sandbox.ledger.effects) >= 1)
        await asyncio.sleep(1.0)  # until eight have left
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while b"Stopping" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        out, _ = await process.communicate()

    told = json.loads(out)
    assert process.returncode == 130
    assert time.monotonic() - started < 20
    assert (told["created"], told["unknown"], told["pending"], told["in_flight"]) == (1, 8, 491, 0)


@pytest.mark.parametrize(
    ("arguments", "number"), [((), signal.SIGINT), (("--dry-run",), signal.SIGINT), (("--sandbox",), signal.SIGTERM)]
)
def test_a_silent_input_does_not_keep_it_alive(arguments: tuple[str, ...], number: signal.Signals) -> None:
    """Nothing has been read, nothing sent: the first signal ends it, and one line says so."""
    process = subprocess.Popen(
        command("import", "-", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(LEAVO_API_KEY=KEY),
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"Reading standard input ...\n"
    process.send_signal(number)
    try:
        process.wait(20)  # with its input still open: communicate would close it
    finally:
        process.kill()
    _, err = process.communicate()

    assert process.returncode == 128 + number
    assert err.decode().splitlines()[-1] == "leavo: interrupted before anything was sent"


def test_what_can_be_read_once_is_read_once(tmp_path: Path) -> None:
    """A named pipe is no file to be looked through first."""
    pipe = tmp_path / "leads.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("name,phone\nAna,+5511999990001\n"))
    writer.start()
    ended = leavo("import", pipe, "--sandbox")
    writer.join()

    assert (ended.returncode, "created 1" in ended.stdout) == (0, True)


@pytest.mark.asyncio
async def test_an_answer_that_cannot_be_read_leaves_the_row_unknown(file: Path) -> None:
    """The lead may be there, and the others go on; then it is looked up."""
    async with Sandbox(faults=[Fault(body='{"id": "4', method="POST")]) as sandbox:
        ended = await _against(sandbox, "import", str(file), "--json", "--quarantine", "0.2s")

    told = json.loads(ended.stdout)
    assert (told["created"], told["confirmed"], told["unknown"], told["exit_code"]) == (1, 1, 0, 3)
    assert len(sandbox.leads) == 2


@pytest.mark.asyncio
async def test_a_server_that_asks_for_too_long_a_wait_stops_the_import(slow_file: Path) -> None:
    """At once, also for the rows that were waiting for their turn."""
    fault = Fault(status=429, headers={"Retry-After": "4000"}, method="POST")
    async with Sandbox(faults=[fault]) as sandbox:
        started = time.monotonic()
        ended = await _against(sandbox, "import", str(slow_file), "--limit", "600")

    assert ended.returncode == 5
    assert time.monotonic() - started < 20
    assert "would pass max_wait" in ended.stdout


@pytest.mark.asyncio
async def test_the_summary_is_told_also_when_stdout_cannot_take_it(file: Path) -> None:
    """The leads are there; somebody must be able to read it."""
    with Path("/dev/full").open("wb") as full:  # noqa: ASYNC230
        async with Sandbox() as sandbox:
            process = await _started(sandbox, "import", str(file), stdout=full)
            _, err = await process.communicate()

    assert process.returncode == 1
    assert "created 2" in err.decode()
    assert "No space left on device" in err.decode().splitlines()[-1]
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("import", "FILE", "--sandbox", "--base-url", "http://127.0.0.1:9"), "--sandbox is a place of its own", 2),
        (("import", "FILE", "--dry-run", "--rejects", "x" * 300), "name another file", 4),
        (("import", "FILE", "--dry-run", "--rejects", "/proc/x.csv"), "name a file elsewhere", 4),
        (("leads", "list", "--base-url", "http://[::1"), "not a URL", 4),
        (("leads", "list", "--base-url", "https://127.0.0.1:99999"), "not a URL", 4),
    ],
)
def test_more_bad_input_is_one_line_too(arguments: tuple[str, ...], words: str, code: int, file: Path) -> None:
    """With the documented code."""
    ended = leavo(*(str(file) if word == "FILE" else word for word in arguments), LEAVO_API_KEY=KEY)

    assert (ended.returncode, words in ended.stderr.splitlines()[-1]) == (code, True)


def test_the_demo_has_the_limit_that_is_asked_for(file: Path) -> None:
    """And says so."""
    ended = leavo("import", file, "--sandbox", "--limit", "6000")

    assert "6000 requests a minute" in ended.stderr


def test_a_dry_run_of_a_good_file_says_that_it_can_be_sent(tmp_path: Path) -> None:
    """Not that it is there."""
    path = tmp_path / "good.csv"
    path.write_text("name,phone\nAna,+5511999990001\n")

    assert "Exit code 0: every row can be sent." in leavo("import", path, "--dry-run").stdout


def test_ctrl_c_does_not_wait_for_standard_input(journals_of_its_own: Path) -> None:
    """A terminal on which nobody types must not keep it alive; what was read so far is not kept."""
    process = subprocess.Popen(
        command("import", "-", "--format", "csv"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(LEAVO_API_KEY=KEY),
    )
    assert process.stdin is not None
    process.stdin.write(b"name,phone\nAna,+5511999990001\n")
    process.stdin.flush()
    while not list(journals_of_its_own.glob("*.spool")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 130
    _, err = process.communicate()
    assert b"interrupted before anything was sent" in err
    assert not [path for path in journals_of_its_own.iterdir() if path.suffix != ".lock"]


def test_without_its_extra_the_command_says_how_to_install_it() -> None:
    """One line, and no traceback."""
    code = "import sys; sys.modules['click'] = None; from leavo_async.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr == "leavo: the command line needs click: pip install 'leavo-async[cli]'\n"


@pytest.mark.asyncio
async def test_leads_are_listed_as_json_lines(file: Path) -> None:
    """One object a line, fit for jq; or columns for people."""
    async with Sandbox() as sandbox:
        sandbox.seed_leads(150)
        as_json = await _against(sandbox, "leads", "list", "--json", "--max", "120")
        plain = await _against(sandbox, "leads", "list", "--search", sandbox.leads[0]["phone"])

    assert len([json.loads(line)["id"] for line in as_json.stdout.splitlines()]) == 120
    assert plain.stdout.split("\t")[0] == sandbox.leads[0]["id"]


@pytest.mark.asyncio
async def test_names_that_others_have_given_do_not_act_on_the_terminal(tmp_path: Path) -> None:
    """Of files, columns and fields: neither in the plan, nor in the summary, nor among the jobs."""
    file = tmp_path / "\x1b]0;leads.csv"
    file.write_text("name,phone,\x1b[31mred\nAna,+5511999990001,x\n")
    column = ("--map", "custom_fields.\x9bred=\x1b[31mred")
    told = [leavo("import", file, *column, "--dry-run"), leavo("import", file, *column, "--sandbox")]
    async with Sandbox() as sandbox:
        told += [await _against(sandbox, "import", str(file), *column)]
        told += [leavo("jobs", *words) for words in (["list"], ["list", "--json"], ["status"])]

    assert [ended.returncode for ended in told] == [0] * 6
    for ended in told:
        shown = [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
        assert [line for line in shown if not line.isprintable()] == []


def test_an_old_code_page_ends_no_command(tmp_path: Path) -> None:
    """Into a pipe or a file everything goes as UTF-8, whatever the locale says."""
    file = tmp_path / "leads.csv"
    file.write_text("name,phone\n漢,123\n", encoding="utf-8")
    dry = leavo("import", file, "--dry-run", PYTHONIOENCODING="ascii")
    leavo("import", file, LEAVO_API_KEY=KEY)
    failures = leavo("jobs", "failures", PYTHONIOENCODING="ascii")

    assert (dry.returncode, "name ← name" in dry.stdout) == (3, True)
    assert failures.stdout.splitlines()[1].startswith("漢,123,1,2,invalid")


@pytest.fixture
def served() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("sandbox", "--port", "0", "--leads", "3"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=variables(),
    )
    yield process
    process.kill()
    process.communicate()


def test_the_sandbox_serves_until_ctrl_c(served: subprocess.Popen[str]) -> None:
    """The lines it prints are those that use it."""
    assert served.stdout is not None
    url = served.stdout.readline().split()[2].rstrip(",")
    key = served.stdout.readline().split("=")[1].strip()
    listed = leavo("leads", "list", "--base-url", url, "--allow-insecure-loopback", LEAVO_API_KEY=key)
    taken = leavo("sandbox", "--port", url.rsplit(":", 1)[1])
    served.send_signal(signal.SIGINT)

    assert len(listed.stdout.splitlines()) == 3
    assert (taken.returncode, "choose another --port" in taken.stderr) == (4, True)
    assert served.wait(20) == 0


async def _started(
    sandbox: Sandbox, *arguments: str, key: str | None = None, stdout: Any = subprocess.PIPE
) -> asyncio.subprocess.Process:
    environment = variables(LEAVO_API_KEY=key or sandbox.key, LEAVO_BASE_URL=sandbox.url)
    return await asyncio.create_subprocess_exec(
        *command(*arguments, "--allow-insecure-loopback"),
        stdout=stdout,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment,
    )


async def _against(sandbox: Sandbox, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    process = await _started(sandbox, *arguments, key=key)
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return subprocess.CompletedProcess(arguments, process.returncode or 0, out.decode(), err.decode())


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.01)
