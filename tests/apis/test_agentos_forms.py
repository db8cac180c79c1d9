"""What may be sent to agentOS, and what is said when it may not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from leavo_async.apis.agentos import AgentOSClient, Details, DiaryAppointment, Guest, Record, TenancyApplication
from leavo_async.errors import ConfigError
from leavo_async.testing import FakeTransport, virtual_time

APPLICATION: dict[str, Any] = {
    "branch_id": "B-1",
    "forename": "Ana Canary",
    "surname": "Canary",
    "email_address": "canary@example.com",
    "property_oid": "P-1",
}
ISSUE: dict[str, Any] = {"issue_title": "Canary"}
BOOKING: dict[str, Any] = {"allocation_details": {"Start": "canary"}, "appointment_type": "T-1"}


def client() -> tuple[AgentOSClient, FakeTransport]:
    transport = FakeTransport()
    return AgentOSClient("made-up-key-1", short_name="acme", transport=transport, limits=()), transport


@pytest.mark.parametrize("field", APPLICATION)
@virtual_time
async def test_an_application_needs_the_fields_that_the_page_names(field: str) -> None:
    """All that are missing or empty are named at once, and nothing is sent."""
    agentos, transport = client()
    for form in ({**APPLICATION, field: " "}, {k: v for k, v in APPLICATION.items() if k != field}, {}):
        with pytest.raises(ConfigError, match=rf"^applications.create: .*{field}: ") as caught:
            await agentos.applications.create(form)
        assert "anary" not in str(caught.value)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    assert transport.requests == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"email_address": "canary"}, "email_address: is not an e-mail address"),
        ({"email_address": "canary@localhost"}, "email_address: is not an e-mail address"),
        ({"email_address": "a canary@example.com"}, "email_address: is not an e-mail address"),
        ({"email_address": "c" * 243 + "@example.com"}, "email_address: String should have at most 254 characters"),
        ({"forename": "canary \ud83d"}, "forename: .*unicode"),
        ({"forename": 5}, "forename: "),
        ({"surname": "c" * 256}, "surname: String should have at most 255 characters"),
        ({"title": "c" * 256}, "title: String should have at most 255 characters"),
        ({"message": "c" * 20_001}, "message: String should have at most 20000 characters"),
        ({"mobile_phone": ["canary"]}, "mobile_phone: "),
        ({"forname": "canary"}, "forname: Extra inputs are not permitted"),
    ],
)
@virtual_time
async def test_an_application_that_does_not_fit_is_refused(fields: dict[str, Any], reason: str) -> None:
    """With the field and the reason, without the value; in both calls that take one."""
    agentos, transport = client()
    for name, call in (("create", agentos.applications.create), ("submit", agentos.applications.submit)):
        with pytest.raises(ConfigError, match=rf"^applications.{name}: {reason}") as caught:
            await call({**APPLICATION, **fields})
        assert "canary" not in str(caught.value)

    assert transport.requests == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"external_id": "12345678901"}, "external_id: String should have at most 10 characters"),
        ({"issue_priority": "Canary"}, "issue_priority: Input should be 'Low', 'Medium' or 'High'"),
        ({"tenant_email_address": "canary"}, "tenant_email_address: is not an e-mail address"),
        ({"documents": [{"mime_type": "a/b", "url": "canary"}]}, "documents.0.url: "),
        ({"documents": [{"url": "https://example.com/canary"}]}, "documents.0.mime_type: is missing"),
        ({"reported_at": "canary"}, "reported_at: "),
    ],
)
@virtual_time
async def test_an_issue_that_does_not_fit_is_refused(fields: dict[str, Any], reason: str) -> None:
    """The V3 form is public, so each field is known."""
    agentos, transport = client()
    with pytest.raises(ConfigError, match=rf"^maintenance.report_issue: {reason}") as caught:
        await agentos.maintenance.report_issue("B-1", {**ISSUE, **fields})

    assert "canary" not in str(caught.value)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"allocation_details": "canary"}, "allocation_details: "),
        ({"appointment_type": ""}, "appointment_type: "),
        ({"guests": [{"email_address": "canary"}]}, "guests.0.email_address: is not an e-mail address"),
    ],
)
@virtual_time
async def test_a_booking_of_v3_that_does_not_fit_is_refused(fields: dict[str, Any], reason: str) -> None:
    """A slot and a type are needed."""
    agentos, transport = client()
    with pytest.raises(ConfigError, match=rf"^diary.book: {reason}") as caught:
        await agentos.diary.book({**BOOKING, **fields}, property_ids=["P-1"])
    with pytest.raises(ConfigError, match=r"^diary.book: expected a DiaryAppointment or a mapping of its fields"):
        await agentos.diary.book("canary", property_ids=["P-1"])  # type: ignore[arg-type]

    assert "canary" not in str(caught.value)
    assert transport.requests == []


@pytest.mark.parametrize("wrong", [[], "P-1", [""], [5], None, 5, {"P-1": 1}])
@virtual_time
async def test_a_booking_is_for_one_property_or_more(wrong: Any) -> None:
    """A text is not taken for a list of its letters."""
    agentos, transport = client()
    with pytest.raises(ConfigError, match=r"^appointments.book: property_ids: expected a list of one id or more"):
        await agentos.appointments.book({"Subject": "x"}, property_ids=wrong)
    with pytest.raises(ConfigError, match=r"^diary.book: property_ids"):
        await agentos.diary.book(BOOKING, property_ids=wrong)

    assert transport.requests == []


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({}, "expected a mapping with the fields of the form"),
        (None, "expected a mapping with the fields of the form"),
        ([("Note", "canary")], "expected a mapping with the fields of the form"),
        ({"Note": object(), "Other": 1}, "Note: JSON cannot express it"),
        ({"Note": "canary \ud83d"}, "Note: JSON cannot express it"),
        ({"Note": {"deep": ["canary", {"x": "\ud83d"}]}}, "Note: JSON cannot express it"),
        ({5: "canary"}, "field 1: JSON cannot express it"),
        ({"Note": "x", "\ud83d": "canary"}, "field 2: JSON cannot express it"),
    ],
)
@virtual_time
async def test_a_form_that_only_swagger_knows_is_checked_for_what_json_can_say(form: Any, reason: str) -> None:
    """Its fields are not known here, so nothing more can be said of them."""
    agentos, transport = client()
    calls: dict[str, Any] = {
        "maintenance.create_job": lambda: agentos.maintenance.create_job("B-1", form),
        "maintenance.update_job": lambda: agentos.maintenance.update_job("J-1", form),
        "maintenance.attach_document": lambda: agentos.maintenance.attach_document("J-1", form),
        "maintenance.submit_invoice": lambda: agentos.maintenance.submit_invoice(form),
        "appointments.book": lambda: agentos.appointments.book(form, property_ids=["P-1"]),
        "appointments.update": lambda: agentos.appointments.update(form),
        "create_lead": lambda: agentos.property_management.create_lead(form),
        "add_photo": lambda: agentos.property_management.sales_media.add_photo("P-1", form),
        "add_floor_plan": lambda: agentos.property_management.sales_media.add_floor_plan("P-1", form),
        "add_portal_media": lambda: agentos.property_management.sales_media.add_portal_media("P-1", form),
        "attach_documents": lambda: agentos.referencing.attach_documents("A-1", form),
        "applications.create_alerts": lambda: agentos.applications.create_alerts("B-1", form),
        "applications.create_many: applicant 2": lambda: agentos.applications.create_many("B-1", [{"A": 1}, form]),
    }
    for name, call in calls.items():
        with pytest.raises(ConfigError, match=f"^{name}: {reason}") as caught:
            await call()
        assert "canary" not in str(caught.value)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    assert transport.requests == []


@virtual_time
async def test_a_form_may_be_as_long_as_its_limits_and_as_short_as_a_letter() -> None:
    """Somebody's surname is O; an empty optional field of a web form is nothing wrong."""
    agentos, transport = client()
    longest = "c" * 242 + "@example.com"
    form = {**APPLICATION, "forename": "c" * 255, "surname": "O", "email_address": longest}
    await agentos.applications.create({**form, "title": "", "message": "c" * 20_000})

    assert len(transport.requests) == 1


@virtual_time
async def test_values_of_python_are_sent_as_json() -> None:
    """A date and a Decimal need not be made texts first."""
    agentos, transport = client()
    await agentos.maintenance.submit_invoice({"Date": date(2026, 3, 2), "Amount": Decimal("12.50")})

    assert transport.requests[0].body == b'{"Date":"2026-03-02","Amount":"12.50"}'


@virtual_time
async def test_a_form_is_checked_as_it_is_when_it_is_sent() -> None:
    """Its attributes, and those of its guests, may have been set since it was made; no warning shows their values."""
    agentos, transport = client()
    application = TenancyApplication(**APPLICATION)
    application.email_address = "canary"
    application.branch_id = application.forename = ["Canary"]  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"branch_id: .*forename: .*email_address: is not") as caught:
        await agentos.applications.create(application)
    assert "anary" not in str(caught.value)
    booking = DiaryAppointment(**BOOKING, guests=[Guest(forename="Ana")])
    booking.guests[0].email_address = "canary"
    with pytest.raises(ConfigError, match=r"^diary.book: guests.0.email_address: is not an e-mail address"):
        await agentos.diary.book(booking, property_ids=["P-1"])

    assert transport.requests == []


@virtual_time
async def test_a_guest_who_is_added_later_comes_too() -> None:
    """The list of guests is there from the beginning, and may be filled; what is None is as if it were not given."""
    agentos, transport = client()
    booking = DiaryAppointment(**BOOKING, subject=None)
    booking.guests.append(Guest(forename="Ana"))
    await agentos.diary.book(booking, property_ids=["P-1"])

    assert b'"AppointmentType":"T-1","Guests":[{"Forename":"Ana"}]}' in (transport.requests[0].body or b"")
    assert b"Subject" not in (transport.requests[0].body or b"")


@virtual_time
async def test_a_web_form_is_taken_as_it_comes() -> None:
    """What somebody left empty is an empty text there; what is needed must not be."""
    agentos, transport = client()
    optional = ("tenant_email_address", "issue_priority", "reported_at", "tenant_presence_requested", "external_id")
    await agentos.maintenance.report_issue("B-1", {**ISSUE, **dict.fromkeys(optional, "")})
    with pytest.raises(ConfigError, match=r"^applications.create: forename: is missing$"):
        await agentos.applications.create({**APPLICATION, "forename": ""})

    assert [request.body for request in transport.requests] == [b'{"IssueTitle":"Canary"}']


@virtual_time
async def test_what_can_be_read_once_is_sent_whole() -> None:
    """A generator of documents is not emptied by being checked."""
    agentos, transport = client()
    await agentos.referencing.attach_documents("A-1", {"Documents": ({"Url": name} for name in ("a", "b"))})

    assert transport.requests[0].body == b'{"Documents":[{"Url":"a"},{"Url":"b"}]}'


@virtual_time
async def test_more_fields_of_an_application_are_checked_too() -> None:
    """They are added by the names in Swagger."""
    agentos, transport = client()
    with pytest.raises(ConfigError, match=r"^applications.create: more: Note: JSON cannot express it"):
        await agentos.applications.create(APPLICATION, more={"Note": object()})
    with pytest.raises(ConfigError, match=r"^applications.submit: more: "):
        await agentos.applications.submit(APPLICATION, more={})
    for wrong in ([], "canary", {"Forename": "Ana"}, 5, iter(())):
        with pytest.raises(ConfigError, match=r"^applications.create_many: expected a list"):
            await agentos.applications.create_many("B-1", wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^set_custom_field: value: "):
        await agentos.advertising.set_custom_field("O-1", "F-1", None)

    assert transport.requests == []


def test_moments_are_dates_and_in_order() -> None:
    """A text is refused: whether its day or its month comes first nobody can tell."""
    agentos, _ = client()
    with pytest.raises(ConfigError, match=r"^start: expected a date or a datetime"):
        agentos.appointments.between("B-1", start="02/03/2026", end=date(2026, 3, 3))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^end: is before start"):
        agentos.appointments.between("B-1", start=date(2026, 3, 4), end=date(2026, 3, 3))
    with pytest.raises(ConfigError, match=r"^appointment_type_ids: expected a list"):
        agentos.appointments.between("B-1", start=date(2026, 3, 4), end=date(2026, 3, 4), appointment_type_ids="T-1")
    with pytest.raises(ConfigError, match=r"^preferred_date: expected a date"):
        agentos.appointments.allocations(appointment_type_id="T-1", preferred_date=1)  # type: ignore[arg-type]


def test_moments_are_compared_as_far_as_they_can_be() -> None:
    """With their zones and hours where both have them, else by their days."""
    agentos, _ = client()
    east = timezone(timedelta(hours=2))
    fine: list[tuple[date, date]] = [
        (datetime(2026, 3, 3, 0, 30, tzinfo=east), datetime(2026, 3, 2, 23, tzinfo=UTC)),
        (datetime(2026, 3, 2, 10, tzinfo=UTC), datetime(2026, 3, 2, 9)),
        (datetime(2026, 3, 2, 10), date(2026, 3, 2)),
    ]
    for start, end in fine:
        agentos.appointments.between("B-1", start=start, end=end)
    with pytest.raises(ConfigError, match=r"^end: is before start"):
        agentos.appointments.between("B-1", start=datetime(2026, 3, 2, 10), end=datetime(2026, 3, 2, 9))


def test_no_personal_data_is_shown() -> None:
    """repr, str and format are for logs; model_dump() and the attributes have everything."""
    person = Record.model_validate({"OID": "X-1", "Forename": "Canary"})
    slot = Details.model_validate({"StaffName": "Canary"})
    forms = (TenancyApplication(**APPLICATION), DiaryAppointment(**BOOKING))

    for value in (person, slot, *forms):
        for shown in (repr(value), str(value), f"{value}", repr([value])):
            assert "anary" not in shown
    assert repr(person) == "Record(OID='X-1')"
    assert (person.Forename, slot.model_dump()) == ("Canary", {"StaffName": "Canary"})
    with pytest.raises(AttributeError):
        _ = person.Surname
    for kind, wrong in ((TenancyApplication, {"Title": ["Canary"]}), (Record, {"OID": ["Canary"]})):
        with pytest.raises(ValidationError) as caught:
            kind.model_validate(wrong)
        assert "anary" not in str(caught.value)
