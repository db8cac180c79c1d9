"""Parquet files, made of JSON Lines: a Parquet file ends with its index, so nothing can be appended after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

from leavo_async.bulk.extras import optional
from leavo_async.bulk.formats import Columns, text_of
from leavo_async.errors import ConfigError

# Rows of a row group: those of two groups are in memory at a time, some twenty megabytes of leads.
_GROUP = 10_000


def check_pyarrow() -> None:
    """ConfigError if Parquet cannot be written here."""
    if optional("pyarrow") is None or optional("pyarrow.parquet") is None:
        raise ConfigError("Parquet takes pyarrow: pip install 'leavo-async[parquet]', or choose csv or jsonl")


def write_parquet(lines: Iterable[bytes], target: BinaryIO, columns: Columns) -> None:
    """Write these lines, an object with all columns each, as a Parquet file: in constant memory.

    Moments are UTC in microseconds, one without a zone is taken to be in UTC; all other columns are texts.
    """
    arrow, parquet = optional("pyarrow"), optional("pyarrow.parquet")
    moment = arrow.timestamp("us", tz="UTC")
    schema = arrow.schema([(name, moment if name in columns.times else arrow.string()) for name in columns.names])
    with parquet.ParquetWriter(target, schema) as writer:
        for group in _groups(lines):
            cells = [_column(name, group, is_time=name in columns.times) for name in columns.names]
            writer.write_table(arrow.table(cells, schema=schema))


def _groups(lines: Iterable[bytes]) -> Iterator[list[dict[str, Any]]]:
    left = iter(lines)
    while group := [json.loads(line) for line in islice(left, _GROUP)]:
        yield group


def _column(name: str, rows: Sequence[dict[str, Any]], *, is_time: bool) -> list[Any]:
    return [_moment(name, row[name]) if is_time else text_of(row[name]) for row in rows]


def _moment(name: str, value: Any) -> datetime | None:
    try:
        return None if value is None else datetime.fromisoformat(value)
    except (ValueError, TypeError):
        pass
    raise ConfigError(f"column {name!r} has something else than moments: take it out of `times`")
