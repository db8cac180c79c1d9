"""The console blocks of docs/tutorial.md are typed into a shell as they are printed, and what they show comes out.

Nothing is replaced but the port, and with it the job's name, which is derived from the place.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from leavo_async.bulk.keys import file_digest, import_id

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/tutorial.md").read_text()
PORT = "8080"
# What may differ each time: numbers, and with them plurals.
NUMBER = re.compile(r"\d[\d,.]*")


class Typed(NamedTuple):
    """A command, the lines that the page shows for it, and whether Ctrl-C is pressed in the middle."""

    command: str
    lines: list[str]
    is_interrupted: bool


def typed() -> Iterator[Typed]:
    """All commands of the page, in their order."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for part in block.split("$ ")[1:] if block.startswith("$ ") else []:
            command, *lines = part.splitlines()
            yield Typed(command, [line for line in lines if line not in ("…", "^C")], "^C" in lines)


def job(port: str) -> str:
    """The name of the page's job, with the sandbox on this port."""
    place = f"http://127.0.0.1:{port}"
    digest = file_digest(str(ROOT / "examples/leads.csv"))
    return import_id("leavo", place, "POST", "/backend/leads", "", "", "content", digest)[:8]


def shape(line: str) -> str:
    """A line without what may differ each time."""
    # Whether a killed process had sent a row, or it still waited for its turn, is chance.
    line = re.sub(r" \(\d+ of them confirmed[^)]*\)", "", line)
    return NUMBER.sub("#", line).replace("rows", "row").rstrip()


class Terminal:
    """A shell in which one command after the other is typed; what was exported stays."""

    def __init__(self, folder: Path, port: str) -> None:
        self._folder = folder
        self._port = port
        self._exported: list[str] = []
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if name[:6] != "LEAVO_" or name == "LEAVO_STATE_DIR"}
        self._environment = {**kept, "PATH": path, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}

    def here(self, text: str) -> str:
        return text.replace(PORT, self._port).replace(job(PORT), job(self._port))

    def start(self, command: str) -> subprocess.Popen[str]:
        script = "; ".join([*self._exported, self.here(command)])
        return subprocess.Popen(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # so that Ctrl-C reaches all that it reaches on a terminal, and not us
        )

    def run(self, typed: Typed) -> list[str]:
        """The lines that the command prints."""
        if typed.command.startswith("export "):
            self._exported.append(self.here(typed.command))
        printed = []
        with self.start(typed.command) as process:
            assert process.stdout is not None
            for line in process.stdout:
                printed.append(line.rstrip("\n"))
                if typed.is_interrupted and line.startswith("importing:"):
                    os.killpg(process.pid, signal.SIGINT)
                    typed = typed._replace(is_interrupted=False)
        return printed


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """In a directory with what the tutorial uses of the repository."""
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples/leads.csv", tmp_path / "examples")
    (script,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    port = free_port()
    (tmp_path / "first_import.py").write_text(script.replace(PORT, port))
    return Terminal(tmp_path, port)


@pytest.fixture
def first(terminal: Terminal) -> Iterator[list[str]]:
    """The first terminal, with the sandbox in it: what it has printed by the time it serves."""
    command = next(typed())
    process = terminal.start(command.command.replace("--limit", f"--port {terminal.here(PORT)} --limit"))
    assert process.stdout is not None
    try:
        yield [process.stdout.readline().rstrip("\n") for _ in command.lines]
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate()


@pytest.mark.timeout(120)  # a dozen processes, one after the other
def test_the_tutorial_runs_as_it_is_printed(terminal: Terminal, first: list[str]) -> None:
    """Each line that the page shows is printed, in its order, but for numbers that differ each time."""
    sandbox, *commands = typed()
    assert [terminal.here(line) for line in sandbox.lines] == first

    for each in commands:
        printed = terminal.run(each)
        left = iter([shape(line) for line in printed])
        for line in each.lines:
            assert shape(terminal.here(line)) in left, f"$ {each.command}\n" + "\n".join(printed)
        if "wc -l" in each.command:
            assert [line.strip() for line in printed] == each.lines, (
                "how many leads there are is no number that differs"
            )


def test_the_job_has_the_name_that_the_page_gives_it() -> None:
    """On everybody's machine: it is derived from the file and the place."""
    named = set(re.findall(r"\b[0-9a-f]{8}\b", PAGE))

    assert named == {job(PORT)}
