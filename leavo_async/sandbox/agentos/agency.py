"""The records of one agency, in memory."""

import uuid
from collections.abc import Mapping
from random import Random
from typing import Literal

from leavo_async.sandbox.agentos.refused import not_found
from leavo_async.sandbox.messages import Json

Kind = Literal[
    "alerts",
    "applications",
    "appointments",
    "appointment types",
    "branches",
    "companies",
    "contractors",
    "custom fields",
    "documents",
    "features",
    "floorplans",
    "guests",
    "invoices",
    "jobs",
    "job statuses",
    "landlords",
    "leads",
    "lead sources",
    "lettings",
    "lettings applicants",
    "photos",
    "portal media",
    "portal media types",
    "rooms",
    "sales",
    "sales applicants",
    "staff",
    "tenants",
    "vendors",
]


class Agency:
    """Records of many kinds, each with an `OID` (its id) and an `ETag` (its revision), in order of creation.

    Both come from `seed` and the short name, so no two agencies share one. They are UUIDs: their true form is unknown.
    """

    def __init__(self, short_name: str, seed: int) -> None:
        self.short_name = short_name
        self.seed = seed
        self._random = Random(f"{seed} {short_name} ids")
        self._kinds: dict[Kind, dict[str, Json]] = {}
        self._applicants: dict[str, str] = {}

    def add(self, kind: Kind, fields: Mapping[str, object]) -> Json:
        """The new record with these fields."""
        record: Json = {**fields, "OID": self._new_id(), "ETag": self._new_id()}
        self._kinds.setdefault(kind, {})[record["OID"]] = record
        if kind == "lettings applicants":
            self._applicants[record["EmailAddress"].casefold()] = record["OID"]
        return record

    def get(self, kind: Kind, oid: str) -> Json:
        """The record with this OID; `Refused` (404) if there is none."""
        if not self.has(kind, oid):
            raise not_found(kind)
        return self._kinds[kind][oid]

    def has(self, kind: Kind, oid: str) -> bool:
        """Whether there is a record of this kind with this OID."""
        return oid in self._kinds.get(kind, {})

    def knows(self, oid: str) -> bool:
        """Whether there is a record with this OID, of whatever kind."""
        return any(oid in records for records in self._kinds.values())

    def all(self, kind: Kind) -> list[Json]:
        """All records of this kind."""
        return list(self._kinds.get(kind, {}).values())

    def where(self, kind: Kind, name: str, value: str) -> list[Json]:
        """The records of this kind that have this value in this field."""
        return [record for record in self.all(kind) if record.get(name) == value]

    def change(self, kind: Kind, oid: str, fields: Mapping[str, object]) -> Json:
        """The record with these fields changed and a new `ETag`; `Refused` (404) if there is none."""
        record: Json = {**self.get(kind, oid), **fields, "OID": oid, "ETag": self._new_id()}
        self._kinds[kind][oid] = record
        return record

    def remove(self, kind: Kind, oid: str) -> None:
        """Forget the record; `Refused` (404) if there is none."""
        self.get(kind, oid)
        del self._kinds[kind][oid]

    def applicant(self, email: str) -> Json | None:
        """The lettings applicant with this e-mail address, whatever the case of its letters; None if there is none."""
        oid = self._applicants.get(email.casefold())
        return None if oid is None else self.get("lettings applicants", oid)

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
