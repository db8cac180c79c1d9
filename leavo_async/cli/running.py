"""Running a coroutine as a command: signals, and errors as one line."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from leavo_async._sansio.text import printable
from leavo_async.bulk.plain_lines import print_line
from leavo_async.bulk.sources import stdin_bytes
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.errors import ConfigError, JournalError, LeavoError


def run(command: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command to its end and leave with its exit code; an error of ours is one line on stderr."""
    try:
        code = asyncio.run(command)
    except KeyboardInterrupt:
        code = fail("interrupted", ExitCode.INTERRUPTED)
    except ConfigError as error:
        code = fail(str(error), ExitCode.NOT_STARTED)
    except JournalError as error:
        code = fail(str(error), ExitCode.BROKEN)
    except LeavoError as error:
        code = fail(str(error), ExitCode.STOPPED_EARLY)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone, as `leavo leads list | head` does
        code = ExitCode.DONE
    except OSError as error:
        code = fail(f"a file cannot be read or written: {error.strerror}{_place(error)}", ExitCode.BROKEN)
    sys.exit(code)


def _place(error: OSError) -> str:
    return f" ({error.filename})" if error.filename else ""


def fail(message: str, code: ExitCode) -> ExitCode:
    """Print one line on stderr; gives the code back."""
    say(f"leavo: {printable(message, 1000)}")
    return code


def say(line: str) -> None:
    """Print a line on stderr: stdout is for results. Nothing fails because nobody can read it."""
    print_line(_harmless(line))


def tell(*lines: str) -> None:
    """Print results, for people, on stdout."""
    print("\n".join(map(_harmless, lines)), flush=True)


def _harmless(line: str) -> str:
    """Names of files and columns come from others too, and must not act on a terminal."""
    return printable(line, len(line))


def confirmed(question: str) -> bool:
    """Whether somebody answers with yes; the end of what is typed is a no. It blocks, in a thread if need be.

    Unbuffered, and so not click's: Python cannot end while a thread waits for a line with the lock of stdin's buffer.
    """
    while True:
        sys.stderr.write(f"{question} [y/N]: ")
        sys.stderr.flush()
        answer = stdin_bytes().readline().decode(errors="replace").strip().casefold()
        if answer in ("y", "yes"):
            return True
        if answer in ("", "n", "no"):
            return False


@contextmanager
def on_signals(callback: Callable[[signal.Signals], None]) -> Generator[None, None, None]:
    """Have SIGINT and SIGTERM call back on the event loop instead of ending the process.

    Where the loop cannot do that (Windows) Ctrl-C stays a KeyboardInterrupt.
    """
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    with suppress(NotImplementedError):
        for each in signals:
            loop.add_signal_handler(each, callback, each)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            for each in signals:
                loop.remove_signal_handler(each)
