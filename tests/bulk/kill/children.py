"""Starting and killing children, from the side of the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .order import Order


class Nursery:
    """Has one child at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._child: int | None = None

    def start(self, order: Order) -> int:
        """The pid of a child that carries out the order."""
        self._tell(str(order))
        self._child = int(self._answer())
        return self._child

    def wait(self) -> int:
        """Its exit code, once it is dead; -9 if it was killed."""
        code = int(self._answer())
        self._tell("it may be buried")
        self._child = None
        return code

    def kill(self, pid: int) -> int:
        """Kill it as no program can prevent, and wait for it. Its exit code, if it was quicker."""
        os.kill(pid, signal.SIGKILL)
        return self.wait()

    def run(self, order: Order) -> int:
        """Let it end; its exit code."""
        self.start(order)
        return self.wait()

    def clear(self) -> None:
        """Kill the child that a test has left."""
        if self._child is not None:
            self.kill(self._child)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery, closed at the end."""
    script = Path(__file__).with_name("child.py")
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, str(script)], stdin=pipe, stdout=pipe, text=True) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()
