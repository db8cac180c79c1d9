"""From the fields of a row to a tenancy application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leavo_async._sansio.paths import segment
from leavo_async._sansio.validation import checked
from leavo_async.apis.agentos.forms import TenancyApplication, body_of
from leavo_async.bulk.operation import Body, InvalidRowError, Operation

_FIELDS = {name: field.is_required() for name, field in TenancyApplication.model_fields.items() if name != "branch_id"}
SAME_APPLICATION = ("EmailAddress", "PropertyOID")
"""One person may apply for several properties."""


def applicants(branch_id: str, *, integrator: str | None = None) -> Operation:
    """Applications to one branch, for a BulkJob; see Applications.import_. ConfigError for what can be no id."""
    # The slash at the end is the vendor's.
    path = f"/v4/applications/{{short_name}}/prospects/tenancyapplication/{segment(branch_id, 'branch_id')}/"

    def body(fields: dict[str, Any]) -> Body:
        return body_of(checked(TenancyApplication, {**fields, "branch_id": branch_id}, InvalidRowError))

    def contacts(body: Body) -> tuple[str, Mapping[str, Any]]:
        return "/v4/contacts/{short_name}/applicants/lettings", {"integration": integrator, "branchID": branch_id}

    return Operation(
        name="applicants",
        method="POST",
        path=path,
        fields=_FIELDS,
        body=body,
        # "Existing e-mail links to that contact": https://letmc.zendesk.com/hc/en-us/articles/23026448939805
        natural_key=("EmailAddress",),
        is_unique=False,
        lookup=None if integrator is None else contacts,
        same=_has_the_address,
        sees_all=False,  # who has not agreed to it is left out
        id_of=_oid,
    )


def _has_the_address(body: Body, contact: Any) -> bool:
    found = contact.get("EmailAddress") if isinstance(contact, Mapping) else None
    return isinstance(found, str) and found.strip().casefold() == body["EmailAddress"].casefold()


def _oid(answer: Any) -> str | None:
    """Of an application the answer is its OID alone; a contact has one among its fields."""
    found = answer.get("OID") if isinstance(answer, Mapping) else answer
    return found if isinstance(found, str) else None
