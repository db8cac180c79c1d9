"""Referencing: applications that wait for it, and its documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.company import Tier
from leavo_async.apis.agentos.forms import wire_fields
from leavo_async.apis.agentos.models import Record
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Referencing(Tier):
    """For agencies that check tenants. Results may also go into custom fields: `set_custom_field`.

    https://hub.agentos.com/-how-do-i-use-the-v4-referencing-api-to-manage-pre-tenancy-referencing
    """

    _at = "/v4/referencing/{short_name}"

    def applications(self, branch_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The tenancy applications of a branch that wait for referencing."""
        return self._list(f"/applications/{segment(branch_id, 'branch_id')}", options)

    async def attach_documents(
        self, application_id: str, documents: Mapping[str, Any], **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Attach documents, which changes the application's state; the answer is given as it came.

        documents: their fields by their names in Swagger. Raises ConfigError for what cannot be sent,
        OutcomeUnknownError if they may have been attached.
        """
        path = f"/applications/{segment(application_id, 'application_id')}/documents"
        return await self._send("PATCH", path, options, wire_fields("attach_documents", documents))
