"""V3, kept for those who use it already: the diary, and jobs to be done. Pages by query, writes answer 200.

Paths, parameters, statuses and field names are those of the vendor's specs, stored at
https://github.com/APIs-guru/openapi-directory/tree/main/APIs/letmc.com (diary/v3-diary, maintenance/v3-maintenance).
Not here: changing, deleting and recurring appointments, and feedback.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from leavo_async.sandbox.agentos.agency import Kind
from leavo_async.sandbox.agentos.appointments import between, free_times, matching_guests, properties
from leavo_async.sandbox.agentos.endpoints import Asked, Endpoint, Endpoints, changed, created, shown, single
from leavo_async.sandbox.agentos.given import Fields, day, day_in, fields, require
from leavo_async.sandbox.agentos.paging import page
from leavo_async.sandbox.agentos.refused import invalid, missing
from leavo_async.sandbox.messages import Done, Json

_LOOK_BACK = timedelta(days=30)
"""A search that begins earlier is an error: https://hub.agentos.com/how-does-the-legacy-v3-diary-api-work"""

_ID_LENGTH = 10
"""Letters that an ExternalID may have, as its description in the spec of maintenance says."""

_V3_NAMES = {"StartDate": "Start", "EndDate": "End", "AppointmentTypeID": "AppointmentType"}
"""What the diary calls the fields whose names in V4 are made up."""


def _every(kind: Kind) -> Endpoint:
    """Lists all records of this kind."""
    return lambda asked: _listing(asked, asked.agency.all(kind))


def allocations(asked: Asked) -> Done:
    """GET allocations: free times as a bare list, for a property, or else for a branch."""
    if not properties(asked, "propertyIdentifier"):
        _branch(asked)
    _required(asked, "appointmentType", "preferredDate")
    found = [_as_v3(it) for it in free_times(asked, "appointmentType")]
    return shown([{"Start": it["Start"], "End": it["End"]} for it in found])


def appointment(asked: Asked) -> Done:
    """GET appointment?appointmentID=."""
    _required(asked, "appointmentID")
    return shown(_as_v3(asked.agency.get("appointments", asked.call.query["appointmentID"])))


def appointments(asked: Asked) -> Done:
    """GET appointmentsbetweendates: of a branch and certain types, from a day of the last 30 or later to another."""
    _required(asked, "startDate", "endDate", "appointmentTypesToSearch")
    start = day(asked.call.query, "startDate")
    if start and start < asked.today - _LOOK_BACK:
        raise invalid("startDate", "must not be more than 30 days ago")
    return _listing(asked, [_as_v3(it) for it in between(asked, _branch(asked))])


def book(asked: Asked) -> Done:
    """POST appointment: at the properties of the query, at the time of `AllocationDetails`, which may be any."""
    _required(asked, "propertyIdentifier")
    at = properties(asked, "propertyIdentifier")
    given = fields(asked.call.body)
    require(given, ("AppointmentType",))
    kind = asked.agency.get("appointment types", given["AppointmentType"])
    times = _times(given)
    known = {"BranchID": at[0]["BranchID"], "PropertyID": [it["OID"] for it in at], "AppointmentTypeID": kind["OID"]}
    rest = {name: given[name] for name in ("Subject", "Guests") if name in given}
    return created(asked, "appointments", {**rest, **times, **known, "Comment": given.get("ExtraComments")}, status=200)


def cancel(asked: Asked) -> Done:
    """PATCH appointment/{appointmentID}/cancel: it stays in the diary."""
    return changed(asked, "appointments", asked.path["appointmentID"], {"Cancelled": True})


def guests(asked: Asked) -> Done:
    """GET {branchID}/guest/search: guests with this name and e-mail address, whatever the branch."""
    asked.agency.get("branches", asked.path["branchID"])
    _required(asked, "forename", "surname", "emailaddress")
    return _listing(asked, matching_guests(asked))


def report(asked: Asked) -> Done:
    """POST maintenance/{branchID}/createmaintenancejob: the spec says no more of its answer than «object»."""
    branch = asked.agency.get("branches", asked.path["branchID"])
    given = fields(asked.call.body)
    if len(str(given.get("ExternalID") or "")) > _ID_LENGTH:
        raise invalid("ExternalID", f"must have at most {_ID_LENGTH} characters")
    return created(asked, "jobs", {**given, "BranchID": branch["OID"]}, status=200)


def _listing(asked: Asked, records: Sequence[Json]) -> Done:
    _required(asked, "offset", "count")
    return shown(page(asked.listed(records), asked.call.query))


def _required(asked: Asked, *names: str) -> None:
    for name in names:
        if not asked.call.query.get(name):
            raise missing(name)


def _branch(asked: Asked) -> str:
    _required(asked, "branchID")
    return str(asked.agency.get("branches", asked.call.query["branchID"])["OID"])


def _times(given: Fields) -> Fields:
    details = given.get("AllocationDetails")
    if not isinstance(details, dict):
        raise missing("AllocationDetails")
    booked = cast("Fields", details)
    for name in ("Start", "End"):
        if day_in(booked.get(name)) is None:
            raise invalid(f"AllocationDetails.{name}", "must be a time, such as 2026-01-31T10:00:00")
    return {"StartDate": booked["Start"], "EndDate": booked["End"]}


def _as_v3(record: Json) -> Json:
    return {"Cancelled": False, **{_V3_NAMES.get(name, name): value for name, value in record.items()}}


DIARY: Endpoints = {
    "company/branches": {"GET": _every("branches")},
    "company/branches/{branchID}": {"GET": single("branches", "branchID")},
    "appointmenttypes": {"GET": _every("appointment types")},
    "allocations": {"GET": allocations},
    "appointment": {"GET": appointment, "POST": book},
    "appointment/{appointmentID}/cancel": {"PATCH": cancel},
    "appointmentsbetweendates": {"GET": appointments},
    "{branchID}/guest/search": {"GET": guests},
}

MAINTENANCE: Endpoints = {"maintenance/{branchID}/createmaintenancejob": {"POST": report}}
