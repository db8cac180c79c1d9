"""Tier `appointments`: the diary, and who and what meets in it.

The fields of an appointment are made up: `BranchID`, `AppointmentTypeID`, `StartDate`, `EndDate`, `PropertyID`.
"""

import uuid
from datetime import date

from leavo_async.sandbox.agentos.agency import Kind
from leavo_async.sandbox.agentos.endpoints import Asked, Endpoints, changed, created, every, listing, single
from leavo_async.sandbox.agentos.given import day, day_in, fields, flag, require
from leavo_async.sandbox.agentos.refused import missing
from leavo_async.sandbox.messages import Done, Json


def allocations(asked: Asked) -> Done:
    """GET diary/appointmenttypes/allocations: free times of the day asked for and the seven after it."""
    return listing(asked, free_times(asked, "appointmentTypeID"))


def free_times(asked: Asked, name: str) -> list[Json]:
    """Those of the type under this name in the query.

    There is one a day, at ten, and it stays free: what takes a time away is not documented.
    """
    wanted = asked.call.query.get(name)
    first = day(asked.call.query, "preferredDate")
    if not wanted or first is None:
        raise missing("preferredDate" if wanted else name)
    kind = asked.agency.get("appointment types", wanted)
    # Ordinals, because the calendar may end before the eight days do.
    days = range(first.toordinal(), min(first.toordinal() + 7, date.max.toordinal()) + 1)
    return [_free(kind["OID"], date.fromordinal(n)) for n in days]


def guests(asked: Asked) -> Done:
    """GET contacts/guest/match: guests whose fields are what the query says.

    The names of its parameters are unknown: those of the fields are taken, whatever the case of their letters.
    """
    return listing(asked, matching_guests(asked))


def matching_guests(asked: Asked) -> list[Json]:
    """Guests that have what the query says in the fields of these names."""
    query = {name.lower(): value.casefold() for name, value in asked.call.query.items()}
    return [guest for guest in asked.agency.all("guests") if _matches(guest, query)]


def book(asked: Asked) -> Done:
    """POST diary: an appointment, at the properties named in the query, to let unless `lettings` is false.

    Its branch is the one in the body, or else that of the first property. No field of the body is known to be required.
    """
    found = properties(asked, "propertyID")
    branch = {"BranchID": found[0]["BranchID"]} if found else {}
    at = {"PropertyID": [it["OID"] for it in found]}
    return created(asked, "appointments", {**branch, **fields(asked.call.body), **at})


def properties(asked: Asked, name: str) -> list[Json]:
    """Those under this name in the query, to let unless `lettings` is false; `Refused` (404) if one is not there."""
    kind: Kind = "lettings" if flag(asked.call.query, "lettings", default=True) else "sales"
    return [asked.agency.get(kind, oid) for oid in asked.call.query.getall(name, [])]


def appointments(asked: Asked) -> Done:
    """GET diary/appointments/{branchID}: from one day to another, both included, and of certain types."""
    branch = asked.agency.get("branches", asked.path["branchID"])
    return listing(asked, between(asked, branch["OID"]))


def between(asked: Asked, branch: str) -> list[Json]:
    """Those of the branch with this OID that the days and types of the query allow."""
    found = asked.agency.where("appointments", "BranchID", branch)
    types = asked.call.query.getall("appointmentTypesToSearch", [])
    start, end = day(asked.call.query, "startDate"), day(asked.call.query, "endDate")
    return [it for it in found if _is_between(it, start, end) and _is_of(it, types)]


def change(asked: Asked) -> Done:
    """PATCH appointment/update: how the appointment is named is unknown; here by `OID` in the body."""
    given = fields(asked.call.body)
    require(given, ("OID",))
    return changed(asked, "appointments", given["OID"], given)


def _is_between(appointment: Json, start: date | None, end: date | None) -> bool:
    """Whether it begins on one of these days; one without a day does only if any day will do."""
    begins = day_in(appointment.get("StartDate"))
    if begins is None:
        return start is None and end is None
    return (start or begins) <= begins <= (end or begins)


def _is_of(appointment: Json, types: list[str]) -> bool:
    return not types or appointment.get("AppointmentTypeID") in types


def _matches(guest: Json, query: dict[str, str]) -> bool:
    texts = {name.lower(): str(value).casefold() for name, value in guest.items()}
    return all(query.get(name, text) == text for name, text in texts.items())


def _free(appointment_type: str, on: date) -> Json:
    oid, etag = (str(uuid.uuid5(uuid.NAMESPACE_URL, f"{part}/{appointment_type}/{on}")) for part in ("oid", "etag"))
    times = {"StartDate": f"{on}T10:00:00", "EndDate": f"{on}T10:30:00"}
    return {"AppointmentTypeID": appointment_type, **times, "OID": oid, "ETag": etag}


ENDPOINTS: Endpoints = {
    "diary": {"POST": book},
    "diary/appointmenttypes/{offset}/{count}": {"GET": every("appointment types")},
    "diary/appointmenttypes/allocations/{offset}/{count}": {"GET": allocations},
    "diary/appointments/{branchID}/{offset}/{count}": {"GET": appointments},
    "diary/appointment/{appointmentID}": {"GET": single("appointments", "appointmentID")},
    "appointment/update": {"PATCH": change},
    "contacts/guest/match/{offset}/{count}": {"GET": guests},
    "contacts/staff/{offset}/{count}": {"GET": every("staff")},
    "lettings/tenancies/advertised/{offset}/{count}": {"GET": every("lettings")},
    "sales/instructions/advertised/{offset}/{count}": {"GET": every("sales")},
}
