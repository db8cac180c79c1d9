"""Rows of a Parquet file, in constant memory.

https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from leavo_async.bulk.arrow_source import batch_cells
from leavo_async.bulk.extras import optional
from leavo_async.bulk.rows import Row
from leavo_async.bulk.tables import Table, reading, usable_columns
from leavo_async.errors import ConfigError

# The first bytes of a file; the second those of one whose schema is encrypted too.
# https://github.com/apache/parquet-format/blob/master/Encryption.md
MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"

_BATCH = 5000  # rows
_BUFFER = 1024 * 1024  # bytes for each column; without it a whole row group is read at once


class ParquetRows:
    """An iterator of rows; `columns` has the names of the top level, in order.

    Raises ConfigError when made if the file cannot be read, and later if it is damaged further down.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._pyarrow = _pyarrow(name)
        self._file = self._pyarrow.OSFile(str(path))
        try:
            self._reader = self._opened(name)
            self.columns = usable_columns(self._reader.schema_arrow.names, name)
        except BaseException:
            self._file.close()
            raise
        self._table = Table(self.columns, reading(self._cells(), name))

    def __iter__(self) -> Iterator[Row]:
        return self._table.rows()

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()

    def _opened(self, name: str) -> Any:
        try:
            return self._pyarrow.parquet.ParquetFile(self._file, buffer_size=_BUFFER, pre_buffer=False)
        except (ValueError, OSError) as error:
            why = type(error).__name__
        raise ConfigError(f"cannot read {name}: it is not Parquet, or damaged ({why}); write it again")

    def _cells(self) -> Iterator[Any]:
        batches = self._reader.iter_batches(batch_size=_BATCH, use_threads=False)
        return chain.from_iterable(batch_cells(self._pyarrow, batch) for batch in batches)


def _pyarrow(name: str) -> Any:
    pyarrow = optional("pyarrow")
    if pyarrow is None or optional("pyarrow.parquet") is None:
        raise ConfigError(f"cannot read {name}: Parquet takes pyarrow; pip install 'leavo-async[parquet]'")
    return pyarrow
