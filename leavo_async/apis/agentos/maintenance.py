"""Maintenance: jobs, contractors, invoices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.company import Tier
from leavo_async.apis.agentos.forms import MaintenanceIssue, body_of, filled, wire_fields
from leavo_async.apis.agentos.models import Record
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Maintenance(Tier):
    """Maintenance jobs of a branch's properties.

    The forms of V4 are described in Swagger alone: give their fields by the names that they have there; what is
    missing only the server can say (BadRequestError). The answer to a write is given as it came; one that may have
    been done raises OutcomeUnknownError.
    https://hub.agentos.com/how-do-i-use-the-v4-maintenance-api-to-manage-maintenance-jobs
    """

    _at = "/v4/maintenance/{short_name}"

    def properties(self, branch_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The properties of a branch, archived ones too."""
        return self._list(f"/properties/{segment(branch_id, 'branch_id')}", options)

    def status_types(self, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The states that a job can have."""
        return self._list("/jobs/statusTypes", options)

    def jobs(self, branch_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The jobs of a branch."""
        return self._list(f"/jobs/{segment(branch_id, 'branch_id')}", options)

    async def job(self, job_id: str, **options: Unpack[CallOptions]) -> Record:
        """The job; NotFoundError if there is none."""
        return await self._get(_job(job_id), options)

    async def create_job(self, branch_id: str, job: Mapping[str, Any], **options: Unpack[CallOptions]) -> JsonValue:
        """Create a job. job: MaintenanceJobSubmissionModel, with property, description and status at least."""
        path = f"/jobs/{segment(branch_id, 'branch_id')}/job"
        return await self._send("POST", path, options, wire_fields("maintenance.create_job", job))

    async def update_job(self, job_id: str, changes: Mapping[str, Any], **options: Unpack[CallOptions]) -> JsonValue:
        """Change a job, such as its status."""
        return await self._send("PATCH", _job(job_id), options, wire_fields("maintenance.update_job", changes))

    async def attach_document(
        self, job_id: str, document: Mapping[str, Any], **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Attach a document to a job."""
        body = wire_fields("maintenance.attach_document", document)
        return await self._send("POST", f"{_job(job_id)}/attachdocument", options, body)

    def contractors(self, branch_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The contractors of a branch."""
        return self._list(f"/contacts/contractors/{segment(branch_id, 'branch_id')}", options)

    async def submit_invoice(self, invoice: Mapping[str, Any], **options: Unpack[CallOptions]) -> JsonValue:
        """Submit an invoice. invoice: ContractorInvoiceSubmissionModel, with contractor, job, amount and documents."""
        body = wire_fields("maintenance.submit_invoice", invoice)
        return await self._send("POST", "/invoice/submit", options, body)

    async def report_issue(
        self, branch_id: str, issue: MaintenanceIssue | Mapping[str, Any], **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Create a job by the V3 API, whose form is public; ConfigError if it does not fit."""
        body = body_of(filled("maintenance.report_issue", MaintenanceIssue, issue))
        path = f"/v3/maintenance/{{short_name}}/maintenance/{segment(branch_id, 'branch_id')}/createmaintenancejob"
        answer: JsonValue = await self._session.request("POST", path, json=body, **options)
        return answer


def _job(job_id: str) -> str:
    return f"/jobs/{segment(job_id, 'job_id')}"
