"""The diary of V3, kept for those who use it already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.forms import DiaryAppointment, body_of, filled, ids, moment, one_id, period
from leavo_async.apis.agentos.models import Details, Record
from leavo_async.apis.agentos.profile import IN_QUERY
from leavo_async.apis.agentos.resource import Resource
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Diary(Resource):
    """The V3 diary, which pages in the query and looks back 30 days at most; for new code take `appointments`.

    Its specification names another header for the key; if yours is refused here, make a client with
    `auth=HeaderKey("ApiKey")`.
    https://live-api.letmc.com/swagger/docs/v3-diary
    """

    _at = "/v3/diary/{short_name}"

    def types(self, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The types of appointments, such as viewings."""
        return self._paged("/appointmenttypes", options)

    async def allocations(
        self,
        *,
        appointment_type_id: str,
        preferred_date: date,
        property_id: str | None = None,
        branch_id: str | None = None,
        lettings: bool | None = None,
        **options: Unpack[CallOptions],
    ) -> list[Details]:
        """The free slots of that day and the seven after it, all at once: Start, End, StaffID, StaffName.

        branch_id: needed if there is no property_id. lettings: False for sales.
        """
        params = {
            "appointmentType": one_id("appointment_type_id", appointment_type_id),
            "preferredDate": moment("preferred_date", preferred_date),
            "propertyIdentifier": property_id,
            "branchID": branch_id,
            "lettings": lettings,
        }
        path = f"{self._at}/allocations"
        found: list[Details] = await self._session.request("GET", path, params=params, cast_to=list[Details], **options)
        return found

    def between(
        self,
        branch_id: str,
        *,
        start: date,
        end: date,
        appointment_type_ids: Sequence[str],
        **options: Unpack[ListOptions],
    ) -> Pages[Record]:
        """The appointments of a branch between two moments. start: not more than 30 days ago."""
        types = ids("appointment_type_ids", appointment_type_ids)
        branch = one_id("branch_id", branch_id)
        params = {"branchID": branch, **period(start, end), "appointmentTypesToSearch": types}
        return self._paged("/appointmentsbetweendates", options, **params)

    async def get(self, appointment_id: str, **options: Unpack[CallOptions]) -> Record:
        """The appointment; NotFoundError if there is none."""
        return await self._get("/appointment", options, appointmentID=one_id("appointment_id", appointment_id))

    def match_guests(
        self, branch_id: str, *, forename: str, surname: str, email_address: str, **options: Unpack[ListOptions]
    ) -> Pages[Record]:
        """Contacts who may be this guest already. The API has the person in the URL, where logs may keep it."""
        person = {"forename": forename, "surname": surname, "emailaddress": email_address}
        return self._paged(f"/{segment(branch_id, 'branch_id')}/guest/search", options, **person)

    async def book(
        self,
        appointment: DiaryAppointment | Mapping[str, Any],
        *,
        property_ids: Sequence[str],
        lettings: bool | None = None,
        **options: Unpack[CallOptions],
    ) -> JsonValue:
        """Book a free slot of `allocations`; the answer, a text, is given as it came.

        property_ids: one or more. lettings: False for sales.
        Raises ConfigError for a form that does not fit, OutcomeUnknownError if it may have been booked.
        """
        body = body_of(filled("diary.book", DiaryAppointment, appointment))
        params = {"propertyIdentifier": ids("diary.book: property_ids", property_ids), "lettings": lettings}
        return await self._send("POST", "/appointment", options, body, params)

    async def cancel(self, appointment_id: str, **options: Unpack[CallOptions]) -> JsonValue:
        """Cancel an appointment; the answer, a text, is given as it came."""
        return await self._send("PATCH", f"/appointment/{segment(appointment_id, 'appointment_id')}/cancel", options)

    def _paged(self, path: str, options: ListOptions, **params: Any) -> Pages[Record]:
        return self._session.pages(self._at + path, params=params, paging=IN_QUERY, cast_to=Record, **options)
