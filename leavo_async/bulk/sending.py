"""The calls of a job: a row is sent, or looked up, in the name of its session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json

from leavo_async._io.abort import AbortSignal
from leavo_async._sansio.messages import JsonText, Response
from leavo_async._sansio.records import AttemptRecord
from leavo_async.bulk.journal import OpenRow, Verdict
from leavo_async.bulk.keys import row_key
from leavo_async.bulk.operation import Operation
from leavo_async.bulk.proof import Proof, listing_of
from leavo_async.bulk.settling import Found, Means
from leavo_async.errors import LeavoError
from leavo_async.options import CallOptions
from leavo_async.session import Session

# Beyond these, who looks for one thing among so many had better look himself.
_LOOKED_AT = 10_000


class Sending:
    """Sends the rows of one import with the session's guarantees; it lets everybody else of the key go first.

    observe: told of each attempt. signal: ends each call.
    """

    def __init__(
        self,
        session: Session,
        operation: Operation,
        import_id: str,
        *,
        signal: AbortSignal,
        observe: Callable[[AttemptRecord], None],
        options: CallOptions,
    ) -> None:
        self._session = session
        self._operation = operation
        self._import_id = import_id
        self._observe = observe
        self._options: CallOptions = {**options, "priority": "bulk", "signal": signal}
        told = session.explain(operation.method, operation.path, path_params=options.get("path_params"))
        self.means = Means(
            told.repeat, told.key_lasts, told.is_looked_up or operation.lookup is not None, operation.sees_all
        )
        self.has_natural_key = bool(operation.natural_key) and operation.is_unique
        self._proof = None if operation.is_unique or operation.lookup is None else Proof(operation.natural_key)
        self._reading = asyncio.Lock()

    def means_for(self, row: OpenRow) -> Means:
        """What there is to settle this row with."""
        if self._proof is None or self._proof.can_tell(row):
            return self.means
        return self.means._replace(can_look_up=False)

    async def send(self, row: OpenRow) -> Verdict:
        """What the server has done with the row. Raises the call's error."""
        if self._proof is not None:
            await self._look_before(self._proof, row)
        records: list[AttemptRecord] = []
        options: CallOptions = {
            **self._options,
            "idempotency_key": row_key(self._import_id, row.row_id or row.n, row.gen),
            "observers": [self._observe, records.append],
        }
        answer, response = await self._session.exchange(
            self._operation.method,
            self._operation.path,
            json=JsonText(row.body),
            cast_to=self._operation.answer,
            **options,
        )
        return Verdict(
            "done",
            outcome="confirmed" if _is_confirmed(response, records) else "created",
            status=response.status,
            id=self._operation.id_of(answer),
            attempts=len(records),
        )

    async def find(self, row: OpenRow) -> Found:
        """What is at the server that this row would have made. Raises the call's error."""
        options: CallOptions = {**self._options, "observers": [self._observe]}
        body = from_json(row.body)
        if self._operation.lookup is None:
            return Found(
                await self._session.look_up(
                    self._operation.method, self._operation.path, json=JsonText(row.body), **options
                )
            )
        path, filters = self._operation.lookup(body)
        listed = await self._listed(path, filters)
        things = [item for item in listed if self._operation.same(body, item)]
        if self._proof is not None:
            listing, id_of = listing_of(path, filters), self._operation.id_of
            things = [item for item in things if self._proof.is_new(listing, id_of(item))]
        return Found(things, is_all=len(listed) < _LOOKED_AT)

    async def _look_before(self, proof: Proof, row: OpenRow) -> None:
        """Read, before the first row is sent, the listing in which what it makes would stand."""
        assert self._operation.lookup is not None
        path, filters = self._operation.lookup(from_json(row.body))
        listing = listing_of(path, filters)
        async with self._reading:
            if not proof.knows(listing):
                proof.learn(listing, await self._ids(path, filters))
        proof.sending(row, listing)

    async def _ids(self, path: str, filters: Mapping[str, Any]) -> frozenset[str] | None:
        """The names of all that is in a listing; None if they cannot be told: then nothing in it proves anything."""
        try:
            items = await self._listed(path, filters)
        except LeavoError:
            return None
        names = frozenset(name for item in items if (name := self._operation.id_of(item)) is not None)
        return names if len(names) == len(items) < _LOOKED_AT else None

    async def _listed(self, path: str, filters: Mapping[str, Any]) -> list[Any]:
        options: CallOptions = {**self._options, "observers": [self._observe]}
        return await self._session.pages(
            path, params=filters, max_items=_LOOKED_AT, **_of_a_listing(path, options)
        ).collect(max_items=_LOOKED_AT)

    def found(self, thing: Any) -> Verdict:
        """The verdict for a row whose thing was found."""
        return Verdict("done", outcome="confirmed", id=self._operation.id_of(thing), attempts=1)


def _is_confirmed(response: Response, records: list[AttemptRecord]) -> bool:
    """Whether it was done by an attempt whose answer was lost."""
    return response.replayed or any(record.method == "GET" for record in records)


def _of_a_listing(path: str, options: CallOptions) -> CallOptions:
    """The options, without values for {names} that the listing's path has not."""
    own = {name: value for name, value in options.get("path_params", {}).items() if f"{{{name}}}" in path}
    return {**options, "path_params": own}
