"""From the rows of a source to rows of a journal: mapped, checked, with the body that will be sent. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any

from leavo_async._sansio.encode import json_bytes
from leavo_async.bulk.journal import Journal, Spooled, cells_of
from leavo_async.bulk.keys import content_digest
from leavo_async.bulk.mapping import MappingPlan
from leavo_async.bulk.operation import InvalidRowError, Operation
from leavo_async.bulk.rows import Row, is_blank
from leavo_async.errors import ConfigError

_CHUNK = 2000  # rows a transaction


class Spooler:
    """Takes rows up into a journal. It blocks: for a thread.

    row_key: the column with each row's own name. same_by: fields of the body by which rows are the same; () for the
    whole of it. only_new: leave out what the journal has already. told: is told now and then how many rows were read.
    """

    def __init__(
        self,
        journal: Journal,
        plan: MappingPlan,
        operation: Operation,
        *,
        row_key: str | None,
        same_by: Sequence[str],
        only_new: bool = False,
        told: Callable[[int], None] | None = None,
    ) -> None:
        self.empty = 0
        self._read = 0
        self._told = told
        self._journal = journal
        self._plan = plan
        self._operation = operation
        self._row_key = row_key
        self._same_by = tuple(same_by)
        self._only_new = only_new
        self._columns = journal.facts.columns
        self._n = journal.last()
        self._content = blake2b(digest_size=16)

    @property
    def content(self) -> str:
        """What stands for all rows so far."""
        return self._content.hexdigest()

    def take(self, rows: Iterable[Row]) -> None:
        """Take up rows, a few thousand in one transaction."""
        rows = iter(rows)
        while chunk := list(islice(rows, _CHUNK)):
            with self._journal.transaction():
                self._journal.spool(found for row in chunk if (found := self._spooled(row)) is not None)
            self._read += len(chunk)
            if self._told is not None:
                self._told(self._read)

    def _spooled(self, row: Row) -> Spooled | None:
        if row.is_empty:
            self.empty += 1
            return None
        cells = cells_of(row.values, self._columns).encode("utf-8", "backslashreplace")
        self._content.update(cells)
        n = self._n + 1
        try:
            body, row_id, digest = self._checked(row)
            found = Spooled(n, row.line, row_id, "pending", body, cells, digest)
        except InvalidRowError as problem:
            digest = content_digest(b"invalid", cells)
            found = Spooled(n, row.line, None, "invalid", None, cells, digest, "invalid", str(problem))
        if self._only_new and self._journal.has_digest(digest):
            return None
        self._n = n
        return found

    def _checked(self, row: Row) -> tuple[bytes, str | None, bytes]:
        body = body_of(row, self._plan, self._operation)
        written = written_body(body)
        return written, *identity_of(row, body, written, row_key=self._row_key, same_by=self._same_by)


def body_of(row: Row, plan: MappingPlan, operation: Operation) -> Mapping[str, Any]:
    """What is sent for a row; InvalidRowError says why nothing can be."""
    if row.problem is not None:
        raise InvalidRowError(row.problem)
    if unknown := plan.unknown(row.values):
        names = ", ".join(repr(name) for name in unknown)
        raise InvalidRowError(f"unknown keys {names}: map them, or leave them out (ignore)")
    return operation.body(plan.apply(row.values))


def identity_of(
    row: Row, body: Mapping[str, Any], written: bytes, *, row_key: str | None, same_by: Sequence[str]
) -> tuple[str | None, bytes]:
    """A row's own name, where rows have one, and what it is about; InvalidRowError if it should have a name."""
    if row_key is None:
        return None, digest_of(body, written, same_by)
    row_id = _row_id(row, row_key)
    return row_id, content_digest(row_id.encode())


def digest_of(body: Mapping[str, Any], written: bytes, same_by: Sequence[str]) -> bytes:
    """What a body is about: these of its fields, or all of it if it has none of them."""
    values = [body.get(name) for name in same_by]
    if all(is_blank(value) for value in values):
        return content_digest(written)
    return content_digest(*(_plain(value) for value in values))


def _plain(value: Any) -> bytes:
    return json_bytes(value.strip().casefold() if isinstance(value, str) else value)


def written_body(body: Mapping[str, Any]) -> bytes:
    """A body as the JSON that is sent; InvalidRowError if it cannot be written."""
    try:
        return json_bytes(body)
    except ConfigError as error:
        problem = str(error).removeprefix("json: ")
    raise InvalidRowError(f"the row {problem}")


def _row_id(row: Row, column: str) -> str:
    value = row.values.get(column)
    if is_blank(value):
        raise InvalidRowError(f"column {column!r}, the row key, is empty")
    return str(value).strip()
