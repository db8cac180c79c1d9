"""Appointments: free slots, bookings, and who comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Unpack

from pydantic import JsonValue

from leavo_async._sansio.paths import segment
from leavo_async.apis.agentos.company import Tier
from leavo_async.apis.agentos.forms import ids, moment, one_id, period, wire_fields
from leavo_async.apis.agentos.models import Details, Record
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages


class Appointments(Tier):
    """The diary of V4: a type, a free slot of that type, and a booking.

    https://hub.agentos.com/how-do-i-use-the-v4-appointments-api-to-manage-property-viewing-bookings
    """

    _at = "/v4/appointments/{short_name}"

    def types(self, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The types of appointments, such as viewings."""
        return self._list("/diary/appointmenttypes", options)

    def allocations(
        self,
        *,
        appointment_type_id: str,
        preferred_date: date,
        branch_id: str | None = None,
        property_id: str | None = None,
        lettings: bool | None = None,
        **options: Unpack[ListOptions],
    ) -> Pages[Details]:
        """The free slots of that day and the seven after it; staff make them in agentOS.

        appointment_type_id: an OID of `types`. preferred_date: a date or a datetime. lettings: False for sales.
        """
        params = {
            "appointmentTypeID": one_id("appointment_type_id", appointment_type_id),
            "preferredDate": moment("preferred_date", preferred_date),
            "branchID": branch_id,
            "propertyIdentifier": property_id,
            "lettings": lettings,
        }
        path = f"{self._at}/diary/appointmenttypes/allocations"
        return self._session.pages(path, params=params, cast_to=Details, **options)

    def match_guests(
        self,
        *,
        branch_id: str | None = None,
        forename: str | None = None,
        surname: str | None = None,
        email_address: str | None = None,
        **options: Unpack[ListOptions],
    ) -> Pages[Record]:
        """Contacts who may be this guest already. The API has the person in the URL, where logs may keep it."""
        person = {"forename": forename, "surname": surname, "emailaddress": email_address}
        return self._list("/contacts/guest/match", options, branchID=branch_id, **person)

    def staff(self, *, branch_id: str | None = None, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The staff, of all branches or of one."""
        return self._list("/contacts/staff", options, branchID=branch_id)

    async def book(
        self,
        appointment: Mapping[str, Any],
        *,
        property_ids: Sequence[str],
        lettings: bool = True,
        **options: Unpack[CallOptions],
    ) -> JsonValue:
        """Book an appointment; the answer, a reference, is given as it came.

        appointment: AppointmentDiaryEntrySubmissionModel, its fields by their names in Swagger: no page tells them.
        property_ids: one or more, in the query as in V3 (inferred). lettings: False for sales.
        Raises ConfigError for what cannot be sent, OutcomeUnknownError if it may have been booked: look with `between`.
        """
        params = {"propertyID": ids("appointments.book: property_ids", property_ids), "lettings": lettings}
        return await self._send("POST", "/diary", options, wire_fields("appointments.book", appointment), params)

    def between(
        self,
        branch_id: str,
        *,
        start: date,
        end: date,
        appointment_type_ids: Sequence[str] | None = None,
        **options: Unpack[ListOptions],
    ) -> Pages[Record]:
        """The appointments of a branch between two moments, of all types or of some. start, end: date or datetime."""
        types = None if appointment_type_ids is None else ids("appointment_type_ids", appointment_type_ids)
        path = f"/diary/appointments/{segment(branch_id, 'branch_id')}"
        return self._list(path, options, **period(start, end), appointmentTypesToSearch=types)

    async def get(self, appointment_id: str, **options: Unpack[CallOptions]) -> Record:
        """The appointment; NotFoundError if there is none."""
        return await self._get(f"/diary/appointment/{segment(appointment_id, 'appointment_id')}", options)

    async def update(self, changes: Mapping[str, Any], **options: Unpack[CallOptions]) -> JsonValue:
        """Change an appointment; the answer is given as it came.

        changes: AppointmentDiaryEntryUpdateSubmissionModel, its fields by their names in Swagger. Errors as in `book`.
        """
        return await self._send("PATCH", "/appointment/update", options, wire_fields("appointments.update", changes))

    def lettings(self, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The advertised tenancies, to be viewed."""
        return self._list("/lettings/tenancies/advertised", options)

    def sales(self, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The advertised sales, to be viewed."""
        return self._list("/sales/instructions/advertised", options)
