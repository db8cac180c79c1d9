"""Applications: people who want to rent, and what they want to hear of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.company import Tier
from leavo_async.apis.agentos.forms import TenancyApplication, body_of, filled, wire_fields
from leavo_async.apis.agentos.imports import SAME_APPLICATION, applicants
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.report import Report
from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions


class Applications(Tier):
    """Tenancy applications and alerts. An e-mail address that agentOS knows links them to that contact.

    The vendor's pages disagree about the paths. Here they are those of
    https://letmc.zendesk.com/hc/en-us/articles/23026448939805 and
    https://hub.agentos.com/how-do-i-use-the-v4-applications-api-to-manage-leads-and-tenancy-applications, which fit
    the other tiers; the fields are those of the page that has other paths (see TenancyApplication). Two pages print
    the host api.letmc.com: `base_url=` takes it.

    more: further fields of TenancyApplicationWithAlerts, by their names in Swagger. staff_id: who deals with it.
    The answer is given as it came, a text as far as is known. Raises ConfigError for a form that does not fit, without
    its values, and OutcomeUnknownError if it may have been taken: no listing shows for certain whether it was, because
    contacts without consent are left out, and a second one sends a second mail.
    """

    _at = "/v4/applications/{short_name}"

    async def create(
        self,
        application: TenancyApplication | Mapping[str, Any],
        *,
        staff_id: str | None = None,
        more: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> JsonValue:
        """Create a prospect with an application, at once."""
        form = filled("applications.create", TenancyApplication, application)
        # The slash at the end is the vendor's.
        path = f"/prospects/tenancyapplication/{segment(form.branch_id, 'branch_id')}/"
        body = _whole("applications.create", form, more)
        return await self._send("POST", path, options, body, {"staffID": staff_id})

    async def import_(
        self, branch_id: str, source: object, *, integrator: str | None = None, **options: Unpack[ImportOptions]
    ) -> Report:
        """What became of each row of a file, a data frame or an iterable, once each is an application to this branch.

        source: CSV, JSON Lines or Parquet, as a path; a data frame; an iterable or async iterable of mappings. Its
        columns are named like the fields of TenancyApplication, without the branch, or mapped: map={"forename": "First
        name"}. integrator: the name of your system, for looking up rows whose answer was lost. options: see
        ImportOptions; same_by has agentOS's names, and is ("EmailAddress", "PropertyOID") by default.

        The same call again goes on where it was left, whatever ended it; a finished import is not done twice. agentOS
        knows no idempotency keys, and a second application sends a second mail: so a row of unknown outcome is never
        sent again. With `integrator` it is looked up among the lettings applicants of the branch: an e-mail address
        that is new there since the import began, and that no other row has, shows that it was done (its id is then that
        of the contact). All others are held for you: contacts who are known already or have not agreed to be shown, and
        what a process that was killed had under way. That listings show new applicants so, and under `EmailAddress`,
        is inferred.
        Raises ConfigError before anything is sent, JournalError if the journal cannot be written any more.
        """
        options.setdefault("same_by", SAME_APPLICATION)
        return await BulkJob(self._session, applicants(branch_id, integrator=integrator), source, **options).run()

    async def submit(
        self,
        application: TenancyApplication | Mapping[str, Any],
        *,
        staff_id: str | None = None,
        more: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> JsonValue:
        """Put an application into the in-tray, for staff to deal with."""
        form = filled("applications.submit", TenancyApplication, application)
        params = {"branchID": form.branch_id, "staffID": staff_id}
        body = _whole("applications.submit", form, more)
        return await self._send("POST", "/prospects/submittenancyapplication", options, body, params)

    async def create_alerts(
        self,
        branch_id: str,
        applicant: Mapping[str, Any],
        *,
        staff_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> JsonValue:
        """Have somebody told of lettings that fit.

        applicant: ApplicantSubmissionModel, its fields by their names in Swagger: no page tells them.
        """
        body = wire_fields("applications.create_alerts", applicant)
        return await self._send("POST", f"{_branch(branch_id)}/alerts", options, body, {"staffID": staff_id})

    async def create_many(
        self, branch_id: str, applicants: Sequence[Mapping[str, Any]], **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Create many prospects of a branch in one request; that its body is a list of them is inferred.

        applicants: the fields of each by their names in Swagger.
        """
        if not isinstance(applicants, (list, tuple)) or not applicants:
            raise ConfigError("applications.create_many: expected a list of one applicant or more")
        each = enumerate(applicants, 1)
        body = [wire_fields(f"applications.create_many: applicant {number}", one) for number, one in each]
        return await self._send("POST", _branch(branch_id), options, body)


def _branch(branch_id: str) -> str:
    return f"/prospects/{segment(branch_id, 'branch_id')}"


def _whole(call: str, form: TenancyApplication, more: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**({} if more is None else wire_fields(f"{call}: more", more)), **body_of(form)}
