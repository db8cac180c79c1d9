"""Photos, floor plans and portal media of one kind of property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.forms import wire_fields
from leavo_async.apis.agentos.models import Record
from leavo_async.apis.agentos.resource import Resource
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Media(Resource):
    """The pictures of lettings properties, or of sales instructions; property_id is the OID of either.

    Fields by their names in Swagger, answers as they came, and errors, as in Maintenance. Of sales only portal media
    are documented in what could be read; the rest is taken to be as for lettings.
    https://hub.agentos.com/v4-property-management-api
    """

    def portal_media(self, property_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The portal media of a property."""
        return self._list(f"{_place(property_id)}/portalmedia", options)

    async def portal_media_types(self, **options: Unpack[CallOptions]) -> JsonValue:
        """The kinds of portal media, as the server gives them; it has no pages of them."""
        found: JsonValue = await self._session.request("GET", f"{self._at}/portalmedia/types", **options)
        return found

    async def add_portal_media(
        self, property_id: str, media: Mapping[str, Any], **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Add portal media to a property."""
        body = wire_fields("add_portal_media", media)
        return await self._send("POST", f"{_place(property_id)}/portalmedia", options, body)

    def photos(self, property_id: str, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The photos of a property."""
        return self._list(f"{_place(property_id)}/photos/type", options)

    async def add_photo(self, property_id: str, photo: Mapping[str, Any], **options: Unpack[CallOptions]) -> JsonValue:
        """Add a photo to a property."""
        return await self._send("PATCH", f"{_place(property_id)}/addphoto", options, wire_fields("add_photo", photo))

    async def delete_photo(self, photo_id: str, **options: Unpack[CallOptions]) -> JsonValue:
        """Delete a photo. It is not sent a second time after an unknown outcome."""
        return await self._send("DELETE", f"/{segment(photo_id, 'photo_id')}/deletephoto", options)

    async def add_floor_plan(
        self, property_id: str, plan: Mapping[str, Any], **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Add a floor plan to a property."""
        body = wire_fields("add_floor_plan", plan)
        return await self._send("PATCH", f"{_place(property_id)}/addfloorplan", options, body)

    async def delete_floor_plan(self, plan_id: str, **options: Unpack[CallOptions]) -> JsonValue:
        """Delete a floor plan. It is not sent a second time after an unknown outcome."""
        return await self._send("DELETE", f"/{segment(plan_id, 'plan_id')}/deletefloorplan", options)


class LettingsMedia(Media):
    """The pictures of lettings properties."""

    _at = "/v4/propertymanagement/{short_name}/lettings/lettingsproperty"


class SalesMedia(Media):
    """The pictures of sales instructions."""

    _at = "/v4/propertymanagement/{short_name}/sales/salesinstructions"


def _place(property_id: str) -> str:
    return f"/{segment(property_id, 'property_id')}"
