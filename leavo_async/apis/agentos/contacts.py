"""People: tenants, landlords, vendors, applicants."""

from __future__ import annotations

from typing import Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.company import Tier
from leavo_async.apis.agentos.models import Record
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Contacts(Tier):
    """People who have agreed to third-party marketing: others are left out, so nobody is missing for certain.

    integrator: the name of your system, which the vendor wants with each call; for applicants it is sent as
    `integration` (documented for one applicant, inferred for their lists).
    https://hub.agentos.com/how-do-i-use-the-v4-contacts-api-to-access-tenant-landlord-and-applicant-data
    """

    _at = "/v4/contacts/{short_name}"

    def tenants(
        self, *, integrator: str | None = None, branch_id: str | None = None, **options: Unpack[ListOptions]
    ) -> Pages[Record]:
        """The tenants, of all branches or of one."""
        return self._list("/tenants", options, integrator=integrator, branchID=branch_id)

    async def tenant(self, tenant_id: str, *, integrator: str | None = None, **options: Unpack[CallOptions]) -> Record:
        """The tenant; NotFoundError if there is none, or perhaps no consent."""
        return await self._get(f"/tenants/{segment(tenant_id, 'tenant_id')}", options, integrator=integrator)

    def landlords(
        self, *, integrator: str | None = None, branch_id: str | None = None, **options: Unpack[ListOptions]
    ) -> Pages[Record]:
        """The landlords, of all branches or of one."""
        return self._list("/landlords", options, integrator=integrator, branchID=branch_id)

    async def landlord(
        self, landlord_id: str, *, integrator: str | None = None, **options: Unpack[CallOptions]
    ) -> Record:
        """The landlord; errors as in `tenant`."""
        return await self._get(f"/landlords/{segment(landlord_id, 'landlord_id')}", options, integrator=integrator)

    def vendors(
        self, *, integrator: str | None = None, branch_id: str | None = None, **options: Unpack[ListOptions]
    ) -> Pages[Record]:
        """The vendors, of all branches or of one."""
        return self._list("/vendors", options, integrator=integrator, branchID=branch_id)

    async def vendor(self, vendor_id: str, *, integrator: str | None = None, **options: Unpack[CallOptions]) -> Record:
        """The vendor; errors as in `tenant`."""
        return await self._get(f"/vendors/{segment(vendor_id, 'vendor_id')}", options, integrator=integrator)

    def lettings_applicants(
        self, *, integrator: str | None = None, branch_id: str | None = None, **options: Unpack[ListOptions]
    ) -> Pages[Record]:
        """Who wants to rent, of all branches or of one."""
        return self._list("/applicants/lettings", options, integration=integrator, branchID=branch_id)

    async def lettings_applicant(
        self, applicant_id: str, *, integrator: str | None = None, **options: Unpack[CallOptions]
    ) -> Record:
        """Somebody who wants to rent; errors as in `tenant`."""
        path = f"/applicants/lettings/{segment(applicant_id, 'applicant_id')}"
        return await self._get(path, options, integration=integrator)

    def sales_applicants(
        self, *, integrator: str | None = None, branch_id: str | None = None, **options: Unpack[ListOptions]
    ) -> Pages[Record]:
        """Who wants to buy, of all branches or of one."""
        return self._list("/applicants/sales", options, integration=integrator, branchID=branch_id)

    async def sales_applicant(
        self, applicant_id: str, *, integrator: str | None = None, **options: Unpack[CallOptions]
    ) -> Record:
        """Somebody who wants to buy; errors as in `tenant`."""
        path = f"/applicants/sales/{segment(applicant_id, 'applicant_id')}"
        return await self._get(path, options, integration=integrator)

    async def person_contacts(
        self, person_id: str, *, integrator: str | None = None, **options: Unpack[CallOptions]
    ) -> JsonValue:
        """All that one person is to the agency, such as a tenant and a landlord, as the server gives it."""
        path = f"{self._at}/person/{segment(person_id, 'person_id')}/personcontacts"
        params = {"integrator": integrator}
        found: JsonValue = await self._session.request("GET", path, params=params, **options)
        return found
