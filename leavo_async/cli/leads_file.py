"""From the rows of a file to leads."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from leavo_async import NewLead
from leavo_async._sansio.validation import checked
from leavo_async.bulk.importer import InvalidRowError
from leavo_async.bulk.mapping import MappingPlan, plan_mapping
from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import Format, Source, open_source
from leavo_async.errors import ConfigError

# Field name -> whether a lead needs it.
FIELDS = {"name": True, "phone": True, "email": False, "company": False, "status_id": False, "tag_ids": False}
_CUSTOM = "custom_fields."
_SEPARATOR = re.compile(r"[,;|]")


@dataclass(frozen=True, slots=True)
class LeadsFile:
    """A file of leads, and how it is to be read; "-" is standard input.

    mapped: field -> column. ignored: columns to leave out.
    """

    path: str
    format: Format | None
    delimiter: str | None
    encoding: str | None
    mapped: Mapping[str, str]
    ignored: Sequence[str]

    @property
    def is_read_once(self) -> bool:
        """Whether what is read is gone: standard input, a pipe."""
        return self.path == "-" or not Path(self.path).is_file()

    def open(self) -> OpenedLeads:
        """The rows and the plan for their columns; ConfigError if the file cannot be imported as it is."""
        stdin = _stdin() if self.path == "-" else None
        source = open_source(
            self.path, format=self.format, delimiter=self.delimiter, encoding=self.encoding, stdin=stdin
        )
        try:
            plan = plan_mapping(source.columns, FIELDS, mapped=self.mapped, ignored=self.ignored, open_prefix=_CUSTOM)
        except BaseException:
            source.close()
            raise
        return OpenedLeads(source, plan)


@dataclass(frozen=True, slots=True)
class OpenedLeads:
    """An opened file of leads."""

    source: Source
    plan: MappingPlan

    def check(self, row: Row) -> NewLead:
        """The lead of a row; InvalidRowError says why there is none."""
        unknown = self.plan.unknown(row.values)
        if unknown:
            names = ", ".join(repr(name) for name in unknown)
            raise InvalidRowError(f"unknown keys {names}: map them with --map or leave them out with --ignore")
        return checked(NewLead, _with_tags(self.plan.apply(row.values)), InvalidRowError)


def _stdin() -> BinaryIO:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise ConfigError("cannot read standard input: it is closed; name a file")
    # Unbuffered: a thread that waits in a buffered read would hold its lock at the end of the process.
    raw: BinaryIO = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return raw


def _with_tags(fields: dict[str, Any]) -> dict[str, Any]:
    tags = fields.get("tag_ids")
    if isinstance(tags, str):
        fields["tag_ids"] = [tag.strip() for tag in _SEPARATOR.split(tags) if tag.strip()]
    return fields
