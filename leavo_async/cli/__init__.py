"""The `leavo` command. It needs the extra `cli` (click and rich)."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path


def main() -> None:
    """Run the command; without its extra, say how to install it."""
    _open_streams()
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)  # while modules were loaded; later on each command handles it


def _open_streams() -> None:
    """Have all three standard streams, and what goes into a file or a pipe in UTF-8, whatever the locale says.

    Where one is closed, the next file that is opened gets its number, and whatever is told ends up in there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # until the end
    if isinstance(sys.stdout, TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")


def _run() -> None:
    try:
        import click  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import rich  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError as missing:
        sys.exit(f"leavo: the command line needs {missing.name}: pip install 'leavo-async[cli]'")
    from leavo_async.cli.commands import leavo

    leavo(prog_name="leavo")
