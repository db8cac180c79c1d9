"""Tier `applications`: people who want to rent.

Two guides disagree about the paths; both forms are served. An applicant whose e-mail address is there already is
linked to that contact, not made a second time. That the method is POST everywhere, that alerts need no property, and
what a batch looks like are guesses.
"""

from itertools import chain

from leavo_async.sandbox.agentos.agency import Kind
from leavo_async.sandbox.agentos.endpoints import Asked, Endpoint, Endpoints
from leavo_async.sandbox.agentos.given import Fields, fields, list_of_fields, require
from leavo_async.sandbox.agentos.refused import invalid
from leavo_async.sandbox.bodies import json_answer
from leavo_async.sandbox.messages import Change, Done

_ALERT = ("BranchID", "Forename", "Surname", "EmailAddress")
_APPLICATION = (*_ALERT, "PropertyOID")
_APPLICANT = ("BranchID", "Forename", "Surname", "EmailAddress")


def submitting(kind: Kind, required: tuple[str, ...]) -> Endpoint:
    """Makes a record of this kind for an applicant, and the applicant if there is none with that e-mail address."""

    def endpoint(asked: Asked) -> Done:
        given = _checked(asked, fields(asked.call.body), required)
        oid, changes = _submitted(asked, kind, given)
        return Done(json_answer(201, oid), *changes)

    return endpoint


def submit_batch(asked: Asked) -> Done:
    """POST prospects/{branchID}: a list of applications, all of them or none; the answer is the list of their OIDs."""
    batch = [_checked(asked, given, _APPLICATION) for given in list_of_fields(asked.call.body)]
    oids, changes = zip(*(_submitted(asked, "applications", given) for given in batch), strict=True)
    return Done(json_answer(201, oids), *chain.from_iterable(changes))


def _checked(asked: Asked, given: Fields, required: tuple[str, ...]) -> Fields:
    """What was given, with the branch that stands in the path; `Refused` (400, 404) if it cannot be."""
    if "branchID" in asked.path:
        given = {**given, "BranchID": asked.agency.get("branches", asked.path["branchID"])["OID"]}
    require(given, required)
    if not asked.agency.has("branches", given["BranchID"]):
        raise invalid("BranchID", "must be the OID of a branch")
    if "PropertyOID" in required and not asked.agency.has("lettings", given["PropertyOID"]):
        raise invalid("PropertyOID", "must be the OID of a property to let")
    return given


def _submitted(asked: Asked, kind: Kind, given: Fields) -> tuple[str, tuple[Change, ...]]:
    """The OID of the new record, and all that was made for it."""
    known = asked.agency.applicant(given["EmailAddress"])
    applicant = known or asked.agency.add("lettings applicants", {name: given[name] for name in _APPLICANT})
    record = asked.agency.add(kind, {**given, "ApplicantOID": applicant["OID"]})
    made = [record] if known else [applicant, record]
    return record["OID"], tuple(Change("created", it["OID"]) for it in made)


_APPLYING = submitting("applications", _APPLICATION)
_ALERTING = submitting("alerts", _ALERT)

ENDPOINTS: Endpoints = {
    # As the Zendesk guide has them.
    "prospects/submittenancyapplication": {"POST": _APPLYING},
    "prospects/tenancyapplication/{branchID}": {"POST": _APPLYING},
    "prospects/{branchID}/alerts": {"POST": _ALERTING},
    # As the hub has them.
    "prospects/createTenancyApplication": {"POST": _APPLYING},
    "prospects/submitTenancyApplicationInbox": {"POST": _APPLYING},
    "prospects/setupAlerts": {"POST": _ALERTING},
    # Last: it would take the place of those above.
    "prospects/{branchID}": {"POST": submit_batch},
}
