"""Rows of whatever offers an Arrow stream, such as pyarrow tables and duckdb relations.

https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from leavo_async.bulk.extras import optional
from leavo_async.bulk.plain import NotPlainError
from leavo_async.bulk.tables import Table, reading, usable_columns
from leavo_async.errors import ConfigError

_Read = tuple[Sequence[object], Iterator[Sequence[object]]]


def arrow_table(thing: object, name: str) -> Table:
    """The columns and rows of an object with `__arrow_c_stream__`, batch by batch.

    Read with the first that is installed: pyarrow; nanoarrow, which knows fewer types; polars, which holds all rows
    in memory. Raises ConfigError if none is, or if it is no table.
    """
    for module, read in _ENGINES.items():
        if (engine := optional(module)) is not None:
            columns, cells = _begun(read, engine, thing, name)
            return Table(usable_columns(columns, name), reading(cells, name))
    raise ConfigError(f"cannot read {name}: an Arrow stream takes a package more; pip install 'leavo-async[arrow]'")


def _begun(read: Callable[[Any, Any], _Read], engine: Any, thing: object, name: str) -> _Read:
    try:
        return read(engine, thing)
    except Exception as error:  # noqa: BLE001  # each library has its own
        why = type(error).__name__
    raise ConfigError(f"cannot read {name}: {engine.__name__} finds no table in it ({why}); has it named columns?")


def _by_pyarrow(pyarrow: Any, thing: object) -> _Read:
    reader = pyarrow.RecordBatchReader.from_stream(thing)
    return reader.schema.names, chain.from_iterable(batch_cells(pyarrow, batch) for batch in reader)


def _by_nanoarrow(nanoarrow: Any, thing: object) -> _Read:
    stream = nanoarrow.c_array_stream(thing)
    names = [child.name for child in stream.get_schema().children]
    # Not its ArrayStream, whose arrays of string views crash the process (seen in 0.6 to 0.9).
    return names, nanoarrow.iterator.iter_tuples(stream)


def _by_polars(polars: Any, thing: object) -> _Read:
    frame = polars.DataFrame(thing)
    return frame.columns, frame.iter_rows()


_ENGINES: dict[str, Callable[[Any, Any], _Read]] = {
    "pyarrow": _by_pyarrow,
    "nanoarrow": _by_nanoarrow,
    "polars": _by_polars,
}


def batch_cells(pyarrow: Any, batch: Any) -> Iterator[Sequence[object]]:
    """The rows of a record batch of pyarrow."""
    return zip(*(_column(pyarrow, column) for column in batch.columns), strict=True)


def _column(pyarrow: Any, column: Any) -> list[object]:
    kind = column.type
    if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
        # Python's datetime has microseconds; of nanoseconds pyarrow makes something else if pandas is installed.
        column = column.cast(pyarrow.timestamp("us", kind.tz), safe=False)
    values = _values(column)
    if pyarrow.types.is_map(kind):
        return [dict(pairs) if isinstance(pairs, list) else pairs for pairs in values]
    return values


def _values(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except Exception:  # noqa: BLE001  # one bad value is enough; the others are found one by one
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except Exception as error:  # noqa: BLE001  # such as a year after 9999, a zone without data, text that is not UTF-8
        return NotPlainError(f"holds a value of type {scalar.type} that Python cannot hold ({type(error).__name__})")
