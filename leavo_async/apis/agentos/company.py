"""What every tier of V4 has: the company, its branches, and custom fields of its objects."""

from __future__ import annotations

from typing import Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.models import Details, Record
from leavo_async.apis.agentos.resource import Resource
from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Tier(Resource):
    """One tier of V4. A key is enabled for each tier on its own, and gets 401 from the others."""

    async def company(self, **options: Unpack[CallOptions]) -> Details:
        """The company; the vendor's own test of a connection."""
        path = f"{self._at}/company/company"
        found: Details = await self._session.request("GET", path, cast_to=Details, **options)
        return found

    def branches(self, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The branches, whose OID many calls ask for. page_size, of all listings: 1 to 1,000, default 1,000."""
        return self._list("/company/branches", options)

    async def branch(self, branch_id: str, **options: Unpack[CallOptions]) -> Record:
        """The branch; NotFoundError if there is none. Documented for two tiers, inferred for the others."""
        return await self._get(f"/company/branches/{segment(branch_id, 'branch_id')}", options)

    async def custom_fields(self, object_id: str, **options: Unpack[CallOptions]) -> Details:
        """The custom fields of any object, such as a property or a tenancy, under `CustomFields`.

        https://letmc.zendesk.com/hc/en-us/articles/8227769545501-Custom-Fields-API
        """
        path = f"{self._at}/company/object/{segment(object_id, 'object_id')}/customfield"
        found: Details = await self._session.request("GET", path, cast_to=Details, **options)
        return found

    async def custom_field(self, object_id: str, field_id: str, **options: Unpack[CallOptions]) -> JsonValue:
        """The value of one custom field. field_id: its `ID` in `custom_fields`."""
        found: JsonValue = await self._session.request("GET", self._at + _value(object_id, field_id), **options)
        return found

    async def set_custom_field(
        self, object_id: str, field_id: str, value: JsonValue, **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Change the value of one custom field; the answer is given as it came.

        value: anything but None. That it is the body is inferred: the page does not say where it goes.
        """
        if value is None:
            raise ConfigError("set_custom_field: value: expected one; nothing is known of how to clear a field")
        return await self._send("POST", _value(object_id, field_id), options, value)


def _value(object_id: str, field_id: str) -> str:
    return f"/company/objects/{segment(object_id, 'object_id')}/{segment(field_id, 'field_id')}/value"
