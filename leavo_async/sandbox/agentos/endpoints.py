"""What endpoints are made of: the call they get, and the answers most of them give.

Reads answer 200, new things 201, changes 200, removals 204: which write answers which of these is a guess. A write
answers the bare OID of what it made or changed, as a JSON string.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from leavo_async.sandbox.agentos.agency import Agency, Kind
from leavo_async.sandbox.agentos.given import Fields, fields
from leavo_async.sandbox.agentos.paging import page
from leavo_async.sandbox.bodies import json_answer
from leavo_async.sandbox.messages import Answer, Call, Change, Done, Json


@dataclass(frozen=True, slots=True)
class Asked:
    """A call to one agency.

    path: what stands where the route has a name in braces. today: in UTC. unlisted: OIDs that lists do not find yet.
    """

    agency: Agency
    call: Call
    path: Mapping[str, str]
    today: date
    unlisted: Collection[str] = ()

    def listed(self, records: Sequence[Json]) -> Sequence[Json]:
        """Those of the records that lists find by now."""
        return [record for record in records if record["OID"] not in self.unlisted] if self.unlisted else records


Endpoint = Callable[[Asked], Done]
Endpoints = Mapping[str, Mapping[str, Endpoint]]
"""Route → method → endpoint. Routes begin after the short name, and the first one that fits counts."""


def every(kind: Kind) -> Endpoint:
    """Lists all records of this kind."""
    return lambda asked: listing(asked, asked.agency.all(kind))


def of_branch(kind: Kind) -> Endpoint:
    """Lists the records of this kind that belong to the branch in the path."""

    def endpoint(asked: Asked) -> Done:
        branch = asked.agency.get("branches", asked.path["branchID"])
        return listing(asked, asked.agency.where(kind, "BranchID", branch["OID"]))

    return endpoint


def single(kind: Kind, name: str = "OID") -> Endpoint:
    """Shows the record whose OID stands under this name in the path."""
    return lambda asked: shown(asked.agency.get(kind, asked.path[name]))


def creating(kind: Kind) -> Endpoint:
    """Makes a record of the body."""
    return lambda asked: created(asked, kind, fields(asked.call.body))


def changing(kind: Kind, name: str = "OID") -> Endpoint:
    """Changes the record whose OID stands under this name in the path."""
    return lambda asked: changed(asked, kind, asked.path[name], fields(asked.call.body))


def listing(asked: Asked, records: Sequence[Json]) -> Done:
    """The page of these records that the path asks for."""
    return shown(page(asked.listed(records), asked.path))


def shown(value: object) -> Done:
    """The answer that is this value."""
    return Done(json_answer(200, value))


def created(asked: Asked, kind: Kind, given: Fields, *, status: int = 201) -> Done:
    """The OID of a new record with these fields."""
    oid = asked.agency.add(kind, given)["OID"]
    return Done(json_answer(status, oid), Change("created", oid))


def changed(asked: Asked, kind: Kind, oid: str, given: Fields) -> Done:
    """The OID of the record, with these fields changed."""
    asked.agency.change(kind, oid, given)
    return Done(json_answer(200, oid), Change("updated", oid))


def removed(asked: Asked, kind: Kind, oid: str) -> Done:
    """Nothing: the record is gone."""
    asked.agency.remove(kind, oid)
    return Done(Answer(204), Change("deleted", oid))
