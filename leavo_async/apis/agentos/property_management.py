"""Leads, and the pictures of properties."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Unpack

from pydantic import JsonValue

from leavo_async.apis.agentos.company import Tier
from leavo_async.apis.agentos.forms import wire_fields
from leavo_async.apis.agentos.media import LettingsMedia, SalesMedia
from leavo_async.apis.agentos.models import Record
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class PropertyManagement(Tier):
    """Leads and media. https://hub.agentos.com/v4-property-management-api."""

    _at = "/v4/propertymanagement/{short_name}"

    async def create_lead(self, lead: Mapping[str, Any], **options: Unpack[CallOptions]) -> JsonValue:
        """Create a lead; the answer is given as it came.

        lead: its fields by their names in Swagger, with a type and a source at least: no page tells them.
        Raises ConfigError for what cannot be sent, OutcomeUnknownError if it may have been created.
        """
        return await self._send("POST", "/leads/create", options, wire_fields("create_lead", lead))

    def lead_source_types(self, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The sources that a lead can have."""
        return self._list("/leads/sourceTypes", options)

    @cached_property
    def lettings_media(self) -> LettingsMedia:
        """Photos, floor plans and portal media of lettings properties."""
        return LettingsMedia(self._session)

    @cached_property
    def sales_media(self) -> SalesMedia:
        """Photos, floor plans and portal media of sales instructions."""
        return SalesMedia(self._session)
