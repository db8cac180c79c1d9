"""The `leavo` command. It needs the extra `cli` (click and rich)."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command; without its extra, say how to install it."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)  # while modules were loaded; later on each command handles it


def _run() -> None:
    try:
        import click  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import rich  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError as missing:
        sys.exit(f"leavo: the command line needs {missing.name}: pip install 'leavo-async[cli]'")
    from leavo_async.cli.commands import leavo

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what an old code page lacks must not end a command
    leavo(prog_name="leavo")
