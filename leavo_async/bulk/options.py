"""What an import may be told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, cast, get_args

from leavo_async._io.abort import AbortSignal
from leavo_async._sansio.retry import RetryPolicy
from leavo_async.bulk.snapshot import Snapshot
from leavo_async.bulk.sources import Format
from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions, checked_options, seconds

Progress = Literal["auto"] | bool | Callable[[Snapshot], None]


class ImportOptions(TypedDict, total=False):
    """What an import may be told; each has a default.

    map: field -> column, where they are not named alike. ignore: columns to leave out; "*" for all that feed no field.
    format, delimiter, encoding: of a file, where they cannot be seen.
    row_key: the column with each row's own name: then a row keeps its idempotency key when others are added or edited.
    same_by: fields of which no two rows have the same; later ones are left out. Default the operation's natural key.
    name: what the import is called, where neither its file nor its rows say that it is the same one. account: where one
    server has several accounts of yours. new_run: do it once more, with new keys, although it was done.
    on_changed_source: what to do with a file that has changed since the job was begun: "abort", or "new rows only".
    journal_dir: where the journal is kept; default LEAVO_STATE_DIR, else ~/.local/state/leavo.
    concurrency: rows at the same time; None takes as many as the limit needs, 2 to 32. quarantine: seconds for which a
    row of unknown outcome is let alone before it is looked up. patience: seconds for which a server that does not
    answer is waited for. max_failed: so many rows may fail; a text such as "5%" is a share. max_seconds: when to stop.
    signal: ends it, and each of its calls. progress: "auto" shows it in notebooks and on terminals; or a function.
    timeout, retry, headers, path_params: of each call.
    """

    map: Mapping[str, str]
    ignore: Collection[str]
    format: Format | None
    delimiter: str | None
    encoding: str | None
    row_key: str | None
    same_by: Sequence[str] | None
    name: str | None
    account: str
    new_run: bool
    on_changed_source: Literal["abort", "new rows only"]
    journal_dir: str | Path | None
    concurrency: int | None
    quarantine: float
    patience: float
    max_failed: int | str | None
    max_seconds: float | None
    signal: AbortSignal | None
    progress: Progress
    timeout: float
    retry: RetryPolicy
    headers: Mapping[str, str]
    path_params: Mapping[str, str]


_OF_A_CALL = ("timeout", "retry", "headers", "path_params")
_MAPPING = 'a mapping of fields to columns, such as {"name": "Full name"}'
_KINDS: Mapping[str, tuple[Any, str]] = {
    "map": (Mapping, _MAPPING),
    "ignore": (Collection, "names, such as a list of them"),
    "same_by": ((Collection, type(None)), "names, such as a list of them"),
    **dict.fromkeys(("delimiter", "encoding", "row_key", "name"), (str | None, "a text")),
    "account": (str, "a text"),
    "new_run": (bool, "True or False"),
    "journal_dir": (str | Path | None, "the path of a folder"),
    "signal": (AbortSignal | None, "an AbortSignal, such as AbortController().signal"),
}
_NAMES = frozenset(ImportOptions.__annotations__)


def checked_import_options(options: ImportOptions) -> ImportOptions:
    """The options, if each can work; ConfigError if not; TypeError, as Python's own, if there is no such option."""
    if unknown := options.keys() - _NAMES:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}; an import takes {', '.join(sorted(_NAMES))}")
    for name in ("quarantine", "patience", "max_seconds"):
        value: Any = options.get(name)
        may_be_none = name == "max_seconds" or name not in options
        if not (value == 0 or (value is None and may_be_none)):
            seconds(name, value)
    _check_kinds(options)
    concurrency: Any = options.get("concurrency")
    if concurrency is not None and (type(concurrency) is not int or not 1 <= concurrency <= 32):
        raise ConfigError(f"concurrency={concurrency}: expected 1 to 32, or None")
    if options.get("on_changed_source", "abort") not in ("abort", "new rows only"):
        raise ConfigError('on_changed_source: expected "abort" or "new rows only"')
    checked_options(call_options(options))
    if options.get("max_failed") is not None:
        most_failed(options.get("max_failed"), 0)
    return options


def _check_kinds(told: Mapping[str, Any]) -> None:
    """ConfigError for what would fail in the depths, or be taken for something else."""
    for name, (kind, expected) in _KINDS.items():
        value = told.get(name)
        is_one_text = isinstance(value, str) and name in ("ignore", "same_by")
        if name in told and (is_one_text or not isinstance(value, kind)):
            raise ConfigError(f"{name}: expected {expected}")
    if not all(isinstance(text, str) for pair in told.get("map", {}).items() for text in pair):
        raise ConfigError(f"map: expected {_MAPPING}")
    if told.get("format") not in (None, *get_args(Format)):
        raise ConfigError(f"format: expected one of {', '.join(get_args(Format))}")


def call_options(options: ImportOptions) -> CallOptions:
    """Those of the options that are for each call."""
    return cast("CallOptions", {name: value for name, value in options.items() if name in _OF_A_CALL})


def most_failed(told: int | str | None, total: int) -> int | None:
    """How many of so many rows may fail; None for all. ConfigError for what is neither a number nor a share."""
    if told is None:
        return None
    text = str(told).strip()
    if text.isdecimal():
        return int(text)
    share = text.removesuffix("%").strip()
    if text.endswith("%") and share.replace(".", "", 1).isdecimal() and float(share) <= 100:
        return int(total * float(share) / 100)
    raise ConfigError(f"max_failed={told!r}: expected a number of rows, or a share such as '5%'")
