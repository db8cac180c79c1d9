"""The company controller, which every tier of V4 has: the company, its branches, and custom fields of anything.

That the guides of some tiers leave out the company or the single branch is not taken to mean that it is not there.
Custom fields: https://hub.agentos.com/how-do-i-use-custom-fields-with-the-api (not in the tier Calmony, which is not
here) and https://hub.agentos.com/-how-do-i-use-the-v4-referencing-api-to-manage-pre-tenancy-referencing (their paths).
"""

from collections.abc import Mapping
from typing import cast

from leavo_async.sandbox.agentos.endpoints import Asked, Endpoints, changed, every, shown, single
from leavo_async.sandbox.agentos.given import parsed
from leavo_async.sandbox.agentos.refused import missing, not_found
from leavo_async.sandbox.messages import Done, Json


def company(asked: Asked) -> Done:
    """GET company/company: the agency itself, which serves as a test of the connection."""
    return shown(asked.agency.all("companies")[0])


def custom_fields(asked: Asked) -> Done:
    """GET company/object/{objectID}/customfield: all fields with their values; null (a guess) where none was set.

    That each object has each of the agency's fields is made up.
    """
    oid = _object(asked)
    return shown({"CustomFields": [_with_value(field, oid) for field in asked.agency.all("custom fields")]})


def custom_value(asked: Asked) -> Done:
    """GET company/objects/{objectID}/{fieldID}/value: the value alone."""
    oid = _object(asked)
    return shown(asked.agency.get("custom fields", asked.path["fieldID"])["Values"].get(oid))


def set_custom_value(asked: Asked) -> Done:
    """POST company/objects/{objectID}/{fieldID}/value; the answer, the OID of the field, is made up."""
    oid = _object(asked)
    field = asked.agency.get("custom fields", asked.path["fieldID"])
    return changed(asked, "custom fields", field["OID"], {"Values": {**field["Values"], oid: _given_value(asked)}})


def _object(asked: Asked) -> str:
    """The OID in the path; `Refused` (404) if nothing has it."""
    if not asked.agency.knows(asked.path["objectID"]):
        raise not_found("objects")
    return asked.path["objectID"]


def _with_value(field: Json, oid: str) -> Json:
    names = {name: field[name] for name in ("TabName", "GroupName", "FieldName")}
    return {"ID": field["OID"], **names, "Value": field["Values"].get(oid)}


def _given_value(asked: Asked) -> object:
    """The parameter `Value`, in the query or the body, or else the bare body: its place is not documented."""
    query = {name.lower(): value for name, value in asked.call.query.items()}
    if "value" in query:
        return query["value"]
    body = parsed(asked.call.body)
    if not isinstance(body, dict):
        return body
    if "Value" not in body:
        raise missing("Value")
    return cast("Mapping[str, object]", body)["Value"]


ENDPOINTS: Endpoints = {
    "company/company": {"GET": company},
    "company/branches/{offset}/{count}": {"GET": every("branches")},
    "company/branches/{branchID}": {"GET": single("branches", "branchID")},
    "company/object/{objectID}/customfield": {"GET": custom_fields},
    "company/objects/{objectID}/{fieldID}/value": {"GET": custom_value, "POST": set_custom_value},
}
