"""A made-up agency, the same one for the same seed.

The documents name no fields of these things: `Name`, `Address`, `Price` and the like are made up, and so are two
branches, three types of appointment and all else that an agency is born with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from leavo_async.sandbox.agentos.agency import Agency, Kind

_FORENAMES = ("Amir", "Beth", "Callum", "Dilys", "Esther", "Femi", "Grace", "Hamish", "Isla", "Joanne", "Kofi", "Lewis")
_SURNAMES = ("Abbott", "Bevan", "Choudhury", "Dunne", "Evans", "Fraser", "Grant", "Hughes", "Okafor", "Price")
_STREETS = ("Alder Lane", "Brook Street", "Church Road", "Dock Row", "Elm Walk")

_BORN_WITH: Mapping[Kind, tuple[str, ...]] = {
    "companies": ("Sandbox Estates",),
    "branches": ("North", "South"),
    "appointment types": ("Viewing", "Valuation", "Inventory"),
    "job statuses": ("Reported", "Under way", "Done"),
    "portal media types": ("Virtual tour", "Brochure"),
    "lead sources": ("Web site", "Portal", "Walk-in"),
}


def born(short_name: str, seed: int) -> Agency:
    """An agency with branches, types and statuses, and nothing else yet."""
    agency = Agency(short_name, seed)
    for kind, names in _BORN_WITH.items():
        for name in names:
            agency.add(kind, {"Name": name})
    return agency


def fill(agency: Agency, kind: Kind, n: int, today: date) -> None:
    """Add n records of a kind. They belong to each branch in turn, or to each property for sale."""
    first = len(agency.all(kind)) + 1
    for number in range(first, first + n):
        random = Random(f"{agency.seed} {kind} {number}")
        agency.add(kind, _MAKERS.get(kind, _named)(_Origin(agency, number, random, today)))


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a record is made of. number: 1 for the first of its kind. today: where appointments begin."""

    agency: Agency
    number: int
    random: Random
    today: date

    def turn(self, kind: Kind) -> str:
        """The OID of that one among the records of a kind whose turn it is."""
        records = self.agency.all(kind)
        return str(records[self.number % len(records)]["OID"])


_Fields = Mapping[str, Any]


def _named(origin: _Origin) -> _Fields:
    return {"Name": f"Number {origin.number}"}


def _at_branch(origin: _Origin) -> _Fields:
    return {**_named(origin), "BranchID": origin.turn("branches")}


def _person(origin: _Origin) -> _Fields:
    names = {"Forename": origin.random.choice(_FORENAMES), "Surname": origin.random.choice(_SURNAMES)}
    return {**names, "EmailAddress": f"person{origin.number}@example.com"}


def _property(origin: _Origin) -> _Fields:
    address = f"{origin.number} {origin.random.choice(_STREETS)}"
    return {"Address": address, "Price": origin.random.randrange(500, 5000, 25), "BranchID": origin.turn("branches")}


def _sale(origin: _Origin) -> _Fields:
    development, investment = (origin.random.random() < 0.3 for _ in range(2))
    return {**_property(origin), "IsDevelopment": development, "IsInvestment": investment}


def _part(origin: _Origin) -> _Fields:
    if not origin.agency.all("sales"):
        fill(origin.agency, "sales", 1, origin.today)
    return {**_named(origin), "PropertyOID": origin.turn("sales")}


def _appointment(origin: _Origin) -> _Fields:
    on = origin.today + timedelta(days=origin.number % 14)
    times = {"StartDate": f"{on}T10:00:00", "EndDate": f"{on}T10:30:00"}
    return {**times, "BranchID": origin.turn("branches"), "AppointmentTypeID": origin.turn("appointment types")}


def _custom_field(origin: _Origin) -> _Fields:
    """The names are the vendor's; Values has what was set for each object, by its OID."""
    return {"TabName": "Details", "GroupName": "More", "FieldName": f"Number {origin.number}", "Values": {}}


def _application(origin: _Origin) -> _Fields:
    return {**_person(origin), "BranchID": origin.turn("branches")}


_MAKERS: Mapping[Kind, Callable[[_Origin], _Fields]] = {
    "alerts": _application,
    "applications": _application,
    "appointments": _appointment,
    "contractors": _at_branch,
    "custom fields": _custom_field,
    "features": _part,
    "floorplans": _part,
    "guests": _person,
    "jobs": _at_branch,
    "landlords": _person,
    "lettings": _property,
    "lettings applicants": _person,
    "photos": _part,
    "portal media": _part,
    "rooms": _part,
    "sales": _sale,
    "sales applicants": _person,
    "staff": _person,
    "tenants": _person,
    "vendors": _person,
}
