"""The progress of a job in a notebook or a session of Python: a bar of tqdm's, or lines where there is no tqdm."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

from leavo_async.bulk.extras import optional
from leavo_async.bulk.interrupts import is_interactive
from leavo_async.bulk.plain_lines import PlainLines
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.words import tempo, time_left, trouble
from leavo_async.errors import ConfigError

Progress = bool | Literal["auto"] | Callable[[Snapshot], None]
"""True: show it; False: do not; "auto": only where somebody types, such as a notebook; a function is told of it."""

# Four a second look alive, and a notebook sends each to a browser.
_REDRAW_EACH = 0.25
# tqdm's own rate and time left know of no limit and no pause: ours stand in their place.
_FORMAT = "{l_bar}{bar}| {n:,}/{total:,}{postfix}"


class Bar(NamedTuple):
    """show: shows how far the job is; call it as often as you like. close: call it in the end."""

    show: Callable[[Snapshot], None]
    close: Callable[[], None]


def bar(progress: Progress, verb: str = "importing") -> Bar:
    """What shows the progress of one run in this way. verb: what is done with the rows.

    It draws on stderr, or in the notebook. What a function of yours raises comes out of `show`. ConfigError if
    `progress` is anything else.
    """
    if callable(progress):
        return Bar(progress, _nothing)
    if progress not in (True, False, "auto"):
        raise ConfigError(f'progress={progress!r}: expected True, False, "auto" or a function that takes a Snapshot')
    if not (is_interactive() if progress == "auto" else progress):
        return Bar(_nothing, _nothing)
    drawn = _Drawn(verb)
    return Bar(drawn.show, drawn.close)


def _nothing(*_: object) -> None:
    """Does nothing."""


class _Drawn:
    """Begins with the first snapshot, which says how many rows there are and how many were settled by earlier runs."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._shown: _Tqdm | PlainLines | None = None

    def show(self, snapshot: Snapshot) -> None:
        if self._shown is None:
            made = _tqdm(snapshot, self._verb)
            self._shown = PlainLines(snapshot.total, self._verb) if made is None else _Tqdm(made)
        self._shown.show(snapshot)

    def close(self) -> None:
        if isinstance(self._shown, _Tqdm):
            self._shown.close()


def _tqdm(snapshot: Snapshot, verb: str) -> Any:
    """A bar of tqdm's; None if it is not installed.

    Without ipywidgets its bar for notebooks has raised or stood still, depending on the version (tqdm#1082): then
    the one of text is taken, and also if a notebook cannot show the other for reasons of its own.
    """
    for module in (["tqdm.auto"] if find_spec("ipywidgets") else []) + ["tqdm.std"]:
        try:
            return optional(module).tqdm(
                total=snapshot.total,
                initial=snapshot.settled,
                desc=verb,
                bar_format=_FORMAT,
                dynamic_ncols=True,
            )
        except Exception:  # noqa: BLE001, S112  # whatever it is, it must not end the job
            continue
    return None


class _Tqdm:
    """Tells a bar of tqdm's of snapshots."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._last: Snapshot | None = None
        self._due = 0.0

    def show(self, snapshot: Snapshot) -> None:
        self._last = snapshot
        if (now := time.monotonic()) >= self._due:
            self._due = now + _REDRAW_EACH
            self._draw(snapshot)

    def close(self) -> None:
        if self._last is not None:
            self._draw(self._last)
        with suppress(Exception):
            self._bar.close()

    def _draw(self, snapshot: Snapshot) -> None:
        left = time_left(snapshot, time.time())
        told = [*([left] if left else []), *tempo(snapshot), *trouble(snapshot)]  # the end is cut off first
        with suppress(Exception):  # a browser that has gone, a stream that is closed: no reason to end the job
            self._bar.n = snapshot.settled
            self._bar.set_postfix_str(", ".join(told), refresh=False)
            self._bar.refresh()
