"""Tier `contacts`: tenants, landlords, vendors, applicants.

The vendor shows an integrator only those who have consented, and wants to be told its name: `integrator`, on some
pages `integration`. That a call without it is refused is a guess. Everybody in the sandbox has consented.
"""

import uuid
from collections.abc import Mapping

from leavo_async.sandbox.agentos.agency import Kind
from leavo_async.sandbox.agentos.endpoints import Asked, Endpoint, Endpoints, every, shown, single
from leavo_async.sandbox.agentos.refused import missing, not_found
from leavo_async.sandbox.messages import Done, Json

_PEOPLE: Mapping[str, Kind] = {
    "tenants": "tenants",
    "landlords": "landlords",
    "vendors": "vendors",
    "applicants/lettings": "lettings applicants",
    "applicants/sales": "sales applicants",
}


def person_contacts(asked: Asked) -> Done:
    """GET person/{personID}/personcontacts: how to reach somebody; all of it at once, in the shape of a page.

    Shape and fields are made up, and so is that a person's id is the OID of a tenant, landlord, vendor or applicant.
    """
    found = [person for kind in _PEOPLE.values() for person in asked.agency.where(kind, "OID", asked.path["personID"])]
    if not found:
        raise not_found("people")
    return shown({"Count": 1, "Data": [_email(found[0])]})


def _email(person: Json) -> Json:
    oid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"e-mail/{person['OID']}"))
    return {"Type": "Email", "Value": person["EmailAddress"], "OID": oid, "ETag": person["ETag"]}


def _told_who_asks(endpoint: Endpoint) -> Endpoint:
    def asking(asked: Asked) -> Done:
        if not (asked.call.query.get("integrator") or asked.call.query.get("integration")):
            raise missing("integrator")
        return endpoint(asked)

    return asking


ENDPOINTS: Endpoints = {
    **{f"{path}/{{offset}}/{{count}}": {"GET": _told_who_asks(every(kind))} for path, kind in _PEOPLE.items()},
    **{f"{path}/{{OID}}": {"GET": _told_who_asks(single(kind))} for path, kind in _PEOPLE.items()},
    "person/{personID}/personcontacts": {"GET": _told_who_asks(person_contacts)},
}
