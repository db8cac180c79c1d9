"""Tier `maintenance`: properties, and the jobs to be done on them.

The fields of jobs and invoices are in the vendor's Swagger alone, so whatever a body has is kept.
"""

from leavo_async.sandbox.agentos.endpoints import (
    Asked,
    Endpoints,
    changing,
    created,
    creating,
    every,
    of_branch,
    single,
)
from leavo_async.sandbox.agentos.given import fields, something
from leavo_async.sandbox.messages import Done


def report(asked: Asked) -> Done:
    """POST jobs/{branchID}/job."""
    branch = asked.agency.get("branches", asked.path["branchID"])
    return created(asked, "jobs", {**fields(asked.call.body), "BranchID": branch["OID"]})


def attach(asked: Asked) -> Done:
    """POST jobs/{jobID}/attachdocument: the form of the body is unknown, so it may be anything but empty."""
    job = asked.agency.get("jobs", asked.path["jobID"])
    return created(asked, "documents", {"JobOID": job["OID"], "Bytes": something(asked.call.body)})


ENDPOINTS: Endpoints = {
    "properties/{branchID}/{offset}/{count}": {"GET": of_branch("lettings")},
    "jobs/statusTypes/{offset}/{count}": {"GET": every("job statuses")},
    "jobs/{branchID}/job": {"POST": report},
    "jobs/{jobID}": {"GET": single("jobs", "jobID"), "PATCH": changing("jobs", "jobID")},
    "jobs/{branchID}/{offset}/{count}": {"GET": of_branch("jobs")},
    "jobs/{jobID}/attachdocument": {"POST": attach},
    "contacts/contractors/{branchID}/{offset}/{count}": {"GET": of_branch("contractors")},
    "invoice/submit": {"POST": creating("invoices")},
}
