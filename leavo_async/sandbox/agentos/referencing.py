"""Tier `referencing`: the applications of a branch, their documents and custom fields.

The bodies are unknown. The path of the custom fields, `/applications/{applicationID}/customfields`, is made up.
"""

from leavo_async.sandbox.agentos.endpoints import Asked, Endpoints, changed, created, of_branch, shown
from leavo_async.sandbox.agentos.given import fields, something
from leavo_async.sandbox.messages import Done


def file_documents(asked: Asked) -> Done:
    """PATCH applications/{applicationID}/documents: the body may be anything but empty."""
    application = asked.agency.get("applications", asked.path["applicationID"])
    size = something(asked.call.body)
    asked.agency.add("documents", {"ApplicationOID": application["OID"], "Bytes": size})
    return changed(asked, "applications", application["OID"], {})


def custom_fields(asked: Asked) -> Done:
    """GET applications/{applicationID}/customfields: all at once, in the shape of a page."""
    application = asked.agency.get("applications", asked.path["applicationID"])
    found = asked.agency.where("custom fields", "ApplicationOID", application["OID"])
    return shown({"Count": len(found), "Data": found})


def add_custom_field(asked: Asked) -> Done:
    """POST applications/{applicationID}/customfields."""
    application = asked.agency.get("applications", asked.path["applicationID"])
    return created(asked, "custom fields", {**fields(asked.call.body), "ApplicationOID": application["OID"]})


ENDPOINTS: Endpoints = {
    "applications/{branchID}/{offset}/{count}": {"GET": of_branch("applications")},
    "applications/{applicationID}/documents": {"PATCH": file_documents},
    "applications/{applicationID}/customfields": {"GET": custom_fields, "POST": add_custom_field},
}
