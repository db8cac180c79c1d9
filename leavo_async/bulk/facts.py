"""What a job is, as its journal keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import pydantic

from leavo_async._sansio.explanation import Explanation


def limit_of(told: Explanation) -> tuple[str, float | None]:
    """What the key may send, in words, and as requests a minute by the slowest of its limits; None without one."""
    words = "; ".join(map(str, told.limits)) or "no limit"
    return words, told.rates[0].requests / told.rates[0].per * 60 if told.rates else None


class Facts(NamedTuple):
    """What was settled when a job was begun, and holds for all its runs.

    import_id: derived from what makes it the same import. name: of the operation. api, place: the profile's name and
    the base URL. method, path: the call; the path is filled in. source: the file's name, or what the rows were.
    source_path: the file, where it is one that can be read again; source_digest: of its content, or of all rows.
    description: of the source, such as "CSV, comma, utf-8-sig". columns: of the source. mapping: field -> column.
    left_out: columns that feed no field. ignored: as the mapping was told. row_key: the column with each row's name.
    same_by: fields of which no two rows have the same. account: as the user calls it. limit, limit_per_minute: of the
    key.
    created: in seconds since the Unix epoch. empty: rows without content.
    key_salt, key_digest: to see whether it goes on with the key it was begun with; empty until it sends.
    """

    import_id: str
    name: str
    api: str
    place: str
    method: str
    path: str
    source: str
    source_path: str | None
    source_digest: str
    description: str
    columns: tuple[str, ...]
    mapping: Mapping[str, str]
    left_out: tuple[str, ...]
    ignored: tuple[str, ...]
    row_key: str | None
    account: str
    limit: str
    limit_per_minute: float | None
    created: float
    empty: int = 0
    same_by: tuple[str, ...] = ()
    key_salt: str = ""
    key_digest: str = ""

    @property
    def job(self) -> str:
        """The short name of the job."""
        return self.import_id[:8]

    @classmethod
    def of(cls, told: Any) -> Facts:
        """From what a journal has kept, in which each tuple is a list; ValueError if that is something else."""
        return _checked().validate_python(told)


@cache
def _checked() -> pydantic.TypeAdapter[Facts]:
    return pydantic.TypeAdapter(Facts)
