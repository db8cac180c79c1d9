"""Data frames of pandas, polars and their like, read with their own means.

Not through Arrow, although they offer it: pandas would need pyarrow for that, would copy the whole frame, and refuses
columns of mixed types, such as phones of which some are numbers.
"""

from __future__ import annotations

from typing import Any

from leavo_async.bulk.tables import Table, reading, usable_columns


def frame_table(thing: Any, name: str) -> Table | None:
    """The columns and rows of a data frame, in constant memory; None if it is none.

    The index of pandas is not a column. Raises ConfigError if the columns have no usable names.
    """
    if hasattr(thing, "itertuples"):
        cells = thing.itertuples(index=False, name=None)
    elif hasattr(thing, "iter_rows") and hasattr(thing, "__arrow_c_stream__"):
        cells = thing.iter_rows()
    else:
        return None
    return Table(usable_columns(thing.columns, name), reading(cells, name))
