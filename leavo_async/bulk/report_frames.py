"""Rows of a job as frames of pandas, polars or Arrow; each is imported only when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from leavo_async.bulk.extras import optional
from leavo_async.bulk.states import RowRecord
from leavo_async.errors import ConfigError

# What a column holds. A frame must not guess: a column without any value would have another type.
_COLUMNS = {
    "row": "integer",
    "line": "integer",
    "state": "text",
    "outcome": "text",
    "id": "text",
    "status": "integer",
    "code": "text",
    "reason": "text",
    "field": "text",
    "request_id": "text",
    "attempts": "integer",
    "first_sent": "time",
}
# Rows at a time: their Python objects go before the next ones come.
_BATCH = 10_000


def arrow_table(rows: Iterator[RowRecord], *, values: bool) -> Any:
    """A pyarrow.Table."""
    pa = _package("pyarrow")
    types = {"integer": pa.int64(), "text": pa.string(), "time": pa.timestamp("us", tz="UTC")}
    schema = pa.schema([(name, types[kind]) for name, kind in _columns(values=values).items()])
    batches = [pa.RecordBatch.from_pydict(batch, schema=schema) for batch in _batches(rows, values=values)]
    return pa.Table.from_batches(batches, schema=schema)


def polars_frame(rows: Iterator[RowRecord], *, values: bool) -> Any:
    """A polars.DataFrame."""
    pl = _package("polars")
    types = {"integer": pl.Int64(), "text": pl.String(), "time": pl.Datetime("us", "UTC")}
    schema = {name: types[kind] for name, kind in _columns(values=values).items()}
    batches = [pl.DataFrame(batch, schema=schema) for batch in _batches(rows, values=values)]
    return pl.concat([pl.DataFrame(schema=schema), *batches])


def pandas_frame(rows: Iterator[RowRecord], *, values: bool) -> Any:
    """A pandas.DataFrame, with columns that know missing values, so that integers stay integers."""
    pd = _package("pandas")
    types = {"integer": "Int64", "text": "string", "time": "datetime64[us, UTC]"}
    kinds = {name: types[kind] for name, kind in _columns(values=values).items()}
    batches = [pd.DataFrame(batch).astype(kinds) for batch in _batches(rows, values=values)]
    return pd.concat([pd.DataFrame(columns=list(kinds)).astype(kinds), *batches], ignore_index=True)


def _package(name: str) -> Any:
    found = optional(name)
    if found is None:
        raise ConfigError(f"cannot make a frame, {name} could not be imported: pip install {name}")
    return found


def _columns(*, values: bool) -> dict[str, str]:
    return _COLUMNS | {"values": "text"} if values else _COLUMNS


def _batches(rows: Iterator[RowRecord], *, values: bool) -> Iterator[dict[str, list[Any]]]:
    names = _columns(values=values)
    while batch := [_cells(row) for row in islice(rows, _BATCH)]:
        yield {name: [cells[name] for cells in batch] for name in names}


def _cells(row: RowRecord) -> dict[str, Any]:
    cells = row._asdict()
    cells["values"] = json.dumps(dict(row.values), ensure_ascii=False, default=str) if row.values else None
    if row.first_sent is not None:
        cells["first_sent"] = datetime.fromtimestamp(row.first_sent, UTC)
    return cells
