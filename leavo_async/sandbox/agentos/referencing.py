"""Tier `referencing`: the applications of a branch, and their documents."""

from leavo_async.sandbox.agentos.endpoints import Asked, Endpoints, changed, of_branch
from leavo_async.sandbox.agentos.given import something
from leavo_async.sandbox.messages import Done


def file_documents(asked: Asked) -> Done:
    """PATCH applications/{applicationID}/documents: the body may be anything but empty."""
    application = asked.agency.get("applications", asked.path["applicationID"])
    size = something(asked.call.body)
    asked.agency.add("documents", {"ApplicationOID": application["OID"], "Bytes": size})
    return changed(asked, "applications", application["OID"], {})


ENDPOINTS: Endpoints = {
    "applications/{branchID}/{offset}/{count}": {"GET": of_branch("applications")},
    "applications/{applicationID}/documents": {"PATCH": file_documents},
}
