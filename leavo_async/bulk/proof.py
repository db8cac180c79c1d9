"""What a look-up proves where the server takes several things with the same natural key."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from pydantic_core import from_json

from leavo_async.bulk.journal import OpenRow
from leavo_async.bulk.spool import digest_of

Listing = Hashable


class Proof:
    """Whether a thing that is found shows that a row was done.

    It does only if it was not there before, and if no other row can have made it: a contact that the server has known
    for years says nothing about what was sent today. So the listing is read once before the first row is sent, and of
    a row that an earlier process has sent nothing can be told.

    natural_key: fields of the body; () for the whole of it.
    """

    def __init__(self, natural_key: tuple[str, ...]) -> None:
        self._natural_key = natural_key
        self._before: dict[Listing, frozenset[str] | None] = {}
        self._sent: dict[bytes, int | None] = {}

    def knows(self, listing: Listing) -> bool:
        """Whether that listing was read before."""
        return listing in self._before

    def learn(self, listing: Listing, ids: frozenset[str] | None) -> None:
        """What was in the listing before anything was sent; None if that cannot be told."""
        self._before[listing] = ids

    def sending(self, row: OpenRow, listing: Listing) -> None:
        """A row is about to be sent. Two rows with the same natural key prove nothing of each other."""
        if self._before[listing] is not None:
            digest = self._digest(row)
            self._sent[digest] = row.n if self._sent.get(digest, row.n) == row.n else None

    def can_tell(self, row: OpenRow) -> bool:
        """Whether what is found, or is not found, says anything about this row."""
        return self._sent.get(self._digest(row)) == row.n

    def is_new(self, listing: Listing, thing_id: str | None) -> bool:
        """Whether a thing was not there before."""
        before = self._before.get(listing)
        return before is not None and thing_id not in before

    def _digest(self, row: OpenRow) -> bytes:
        return digest_of(from_json(row.body), row.body, self._natural_key)


def listing_of(path: str, filters: Mapping[str, Any]) -> Listing:
    """What stands for a listing."""
    return path, tuple(sorted((name, str(value)) for name, value in filters.items()))
