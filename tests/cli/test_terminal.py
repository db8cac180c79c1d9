"""The command where things are not as usual: streams that are closed, gone or of another encoding; a terminal."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .test_import import KEY, command, leavo, variables

LONG = "".join(f"Lead {n},+5511{n:09}\n" for n in range(7000))  # more than an hour of work: a question


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pessoas.csv"
    path.write_text("name,phone\nJoão €,123\nAna,+5511999990001\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("closed", "out"), [("<&-", "created 1"), (">&-", ""), ("2>&-", "created 1"), ("<&- 2>&- >&-", "")]
)
def test_a_closed_stream_changes_nothing_else(closed: str, out: str, file: Path) -> None:
    """Nor does what is told on one turn up on another."""
    line = f"exec {' '.join(command('import', file, '--sandbox'))} {closed}"
    ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=variables(), check=False)

    assert (ended.returncode, "Traceback" in ended.stderr, "Plan" in ended.stdout) == (0, False, False)
    assert out in ended.stdout


def test_standard_input_that_is_closed_is_empty() -> None:
    """One line says so."""
    line = f"exec {' '.join(command('import', '-', '--sandbox'))} <&-"
    ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=variables(), check=False)

    assert (ended.returncode, "cannot read standard input: it is empty" in ended.stderr) == (4, True)


def test_what_is_said_on_the_way_may_go_nowhere(file: Path) -> None:
    """A full disk behind stderr ends no import."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            command("import", file, "--sandbox"), stdout=subprocess.PIPE, stderr=full, env=variables(), check=False
        )

    assert (ended.returncode, b"created 1" in ended.stdout) == (0, True)


def test_a_pipe_gets_utf_8_whatever_the_locale_says(file: Path) -> None:
    """A summary that cannot be printed would be lost, and a CSV in another encoding could not be sent again."""
    poor = {"PYTHONIOENCODING": "ascii", "LEAVO_API_KEY": KEY, "LEAVO_BASE_URL": "http://127.0.0.1:9"}
    dry = leavo("import", file, "--dry-run", **poor)
    stopped = leavo("import", file, "--allow-insecure-loopback", **poor)
    failures = leavo("jobs", "failures", **poor)
    told = json.loads(leavo("jobs", "status", "--json", **poor).stdout)

    assert (dry.returncode, "name ← name" in dry.stdout) == (3, True)
    assert (stopped.returncode, "pending 1" in stopped.stdout) == (5, True)
    assert next(csv.DictReader(failures.stdout.splitlines()))["name"] == "João €"
    assert told["file"] == str(file)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_question_nobody_answers_does_not_keep_it_alive(
    number: signal.Signals, tmp_path: Path, journals_of_its_own: Path
) -> None:
    """One line says that nothing was sent, and nothing is left."""
    ended, said = _asked(tmp_path, lambda process, _: process.send_signal(number))

    assert (ended, said.splitlines()[-1]) == (128 + number, "leavo: interrupted before anything was sent")
    assert not list(journals_of_its_own.glob("*.db"))


@pytest.mark.parametrize("typed", [b"n\n", b"\n", b"\x04", b"maybe\nNO\n"])
def test_what_is_no_yes_is_a_no(typed: bytes, tmp_path: Path, journals_of_its_own: Path) -> None:
    """Enter alone, and the end of what is typed, too; anything else is asked again."""
    ended, said = _asked(tmp_path, lambda _, terminal: os.write(terminal, typed))

    assert (ended, said.splitlines()[-1]) == (4, "Nothing was sent.")
    assert said.count("[y/N]") == (2 if b"maybe" in typed else 1)
    assert not list(journals_of_its_own.glob("*.db"))


def test_a_yes_is_a_yes(tmp_path: Path) -> None:
    """Then it goes on."""
    ended, said = _asked(tmp_path, lambda _, terminal: os.write(terminal, b"Y\n"))

    assert (ended, "no connection could be made" in said) == (5, True)


def test_a_terminal_that_is_closed_takes_no_results_with_it(file: Path, tmp_path: Path) -> None:
    """The file of rows that did not get there is written all the same."""
    rejects = tmp_path / "rejects.csv"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("import", file, "--sandbox", "--rejects", rejects, "--progress", "bar"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=variables(TERM="xterm"),
    )
    os.close(theirs)
    os.read(ours, 1)
    os.close(ours)

    assert process.wait(20) == 1
    assert "João €" in rejects.read_text(encoding="utf-8")


def _asked(folder: Path, act: Callable[[subprocess.Popen[bytes], int], object]) -> tuple[int, str]:
    """The exit code, and all that stands on a terminal, of a long import; act: what is done once it has asked."""
    path = folder / "long.csv"
    path.write_text(f"name,phone\n{LONG}")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("import", path, "--base-url", "http://127.0.0.1:9", "--allow-insecure-loopback"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=variables(LEAVO_API_KEY=KEY, TERM="dumb"),
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while b"[y/N]: " not in said:
            said += os.read(ours, 4096)
        act(process, ours)
        while True:
            said += os.read(ours, 4096)
    os.close(ours)
    return process.wait(20), said.decode().replace("[y/N]: ", "[y/N]:\n")
