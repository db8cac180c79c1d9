"""Which request each method of the agentOS client makes, and what becomes of the answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from leavo_async.apis.agentos import AgentOSClient, DiaryAppointment, MaintenanceIssue, TenancyApplication
from leavo_async.errors import ConfigError, NotFoundError, ProtocolError, ResponseValidationError
from leavo_async.testing import FakeTransport, reply, virtual_time

Client = AgentOSClient
DAY = date(2026, 3, 2)
APPLICATION = {
    "branch_id": "B-1",
    "forename": "Ana",
    "surname": "Souza",
    "email_address": "ana@example.com",
    "property_oid": "P-1",
}
APPLICATION_SENT = {
    "BranchID": "B-1",
    "Forename": "Ana",
    "Surname": "Souza",
    "EmailAddress": "ana@example.com",
    "PropertyOID": "P-1",
}


def client(*answers: Any, **options: Any) -> tuple[AgentOSClient, FakeTransport]:
    transport = FakeTransport(*answers)
    return AgentOSClient("made-up-key-1", short_name="acme", transport=transport, limits=(), **options), transport


def sent(transport: FakeTransport) -> tuple[str, str, list[tuple[str, str]], Any]:
    """Method, path, query and body of the one request."""
    (request,) = transport.requests
    assert isinstance(request.body, bytes | None)
    body = None if request.body is None else json.loads(request.body)
    return request.method, request.path, parse_qsl(urlsplit(request.url).query), body


LISTINGS: list[tuple[Callable[[Client], Any], str, list[tuple[str, str]]]] = [
    (lambda a: a.advertising.branches(), "advertising/acme/company/branches", []),
    (lambda a: a.maintenance.branches(), "maintenance/acme/company/branches", []),
    (lambda a: a.advertising.lettings(), "advertising/acme/lettings/advertised", []),
    (
        lambda a: a.advertising.lettings(branch_id="B-1"),
        "advertising/acme/lettings/advertised",
        [("branchID", "B-1")],
    ),
    (
        lambda a: a.advertising.sales(branch_id="B-1", only_development=True, only_investments=False),
        "advertising/acme/sales/advertised",
        [("branchID", "B-1"), ("onlyDevelopement", "true"), ("onlyInvestements", "false")],
    ),
    (lambda a: a.advertising.features("S-1"), "advertising/acme/sales/salesinstructions/S-1/features", []),
    (lambda a: a.advertising.floorplans("S-1"), "advertising/acme/sales/salesinstructions/S-1/floorplans", []),
    (lambda a: a.advertising.photos("S-1"), "advertising/acme/sales/salesinstructions/S-1/photos", []),
    (lambda a: a.advertising.rooms("S-1"), "advertising/acme/sales/salesinstructions/S-1/rooms", []),
    (lambda a: a.appointments.types(), "appointments/acme/diary/appointmenttypes", []),
    (
        lambda a: a.appointments.allocations(appointment_type_id="T-1", preferred_date=DAY, branch_id="B-1"),
        "appointments/acme/diary/appointmenttypes/allocations",
        [("appointmentTypeID", "T-1"), ("preferredDate", "2026-03-02"), ("branchID", "B-1")],
    ),
    (
        lambda a: a.appointments.allocations(
            appointment_type_id="T-1",
            preferred_date=datetime(2026, 3, 2, 9, tzinfo=UTC),
            property_id="P-1",
            lettings=False,
        ),
        "appointments/acme/diary/appointmenttypes/allocations",
        [
            ("appointmentTypeID", "T-1"),
            ("preferredDate", "2026-03-02T09:00:00+00:00"),
            ("propertyIdentifier", "P-1"),
            ("lettings", "false"),
        ],
    ),
    (
        lambda a: a.appointments.match_guests(
            branch_id="B-1", forename="Ana", surname="Souza", email_address="ana@example.com"
        ),
        "appointments/acme/contacts/guest/match",
        [("branchID", "B-1"), ("forename", "Ana"), ("surname", "Souza"), ("emailaddress", "ana@example.com")],
    ),
    (lambda a: a.appointments.staff(branch_id="B-1"), "appointments/acme/contacts/staff", [("branchID", "B-1")]),
    (
        lambda a: a.appointments.between("B-1", start=DAY, end=DAY, appointment_type_ids=["T-1", "T-2"]),
        "appointments/acme/diary/appointments/B-1",
        [
            ("startDate", "2026-03-02"),
            ("endDate", "2026-03-02"),
            ("appointmentTypesToSearch", "T-1"),
            ("appointmentTypesToSearch", "T-2"),
        ],
    ),
    (lambda a: a.appointments.lettings(), "appointments/acme/lettings/tenancies/advertised", []),
    (lambda a: a.appointments.sales(), "appointments/acme/sales/instructions/advertised", []),
    (lambda a: a.maintenance.properties("B-1"), "maintenance/acme/properties/B-1", []),
    (lambda a: a.maintenance.status_types(), "maintenance/acme/jobs/statusTypes", []),
    (lambda a: a.maintenance.jobs("B-1"), "maintenance/acme/jobs/B-1", []),
    (lambda a: a.maintenance.contractors("B-1"), "maintenance/acme/contacts/contractors/B-1", []),
    (lambda a: a.property_management.lead_source_types(), "propertymanagement/acme/leads/sourceTypes", []),
    (
        lambda a: a.property_management.lettings_media.portal_media("P-1"),
        "propertymanagement/acme/lettings/lettingsproperty/P-1/portalmedia",
        [],
    ),
    (
        lambda a: a.property_management.sales_media.photos("S-1"),
        "propertymanagement/acme/sales/salesinstructions/S-1/photos/type",
        [],
    ),
    (
        lambda a: a.contacts.tenants(integrator="crm", branch_id="B-1"),
        "contacts/acme/tenants",
        [("integrator", "crm"), ("branchID", "B-1")],
    ),
    (lambda a: a.contacts.landlords(integrator="crm"), "contacts/acme/landlords", [("integrator", "crm")]),
    (lambda a: a.contacts.vendors(integrator="crm"), "contacts/acme/vendors", [("integrator", "crm")]),
    (
        lambda a: a.contacts.lettings_applicants(integrator="crm"),
        "contacts/acme/applicants/lettings",
        [("integration", "crm")],
    ),
    (
        lambda a: a.contacts.sales_applicants(integrator="crm"),
        "contacts/acme/applicants/sales",
        [("integration", "crm")],
    ),
    (lambda a: a.referencing.applications("B-1"), "referencing/acme/applications/B-1", []),
]


@pytest.mark.parametrize(("listing", "path", "query"), LISTINGS)
@virtual_time
async def test_a_listing_of_v4_has_its_place_in_the_path(
    listing: Callable[[Client], Any], path: str, query: list[tuple[str, str]]
) -> None:
    """`…/{offset}/{count}`, 1,000 at a time; an array repeats its name; what is not given is not sent."""
    agentos, transport = client(reply(200, {"Count": 1, "Data": [{"OID": "X-1", "ETag": "1"}]}))

    items = await listing(agentos).collect()

    assert sent(transport) == ("GET", f"/v4/{path}/0/1000", query, None)
    assert [item.OID for item in items] == ["X-1"]


@virtual_time
async def test_the_listings_of_v3_have_their_place_in_the_query() -> None:
    """`?offset=…&count=…`, as its specification has it."""
    empty = reply(200, {"Count": 0, "Data": []})
    agentos, transport = client(empty)
    await agentos.diary.types().collect()
    assert sent(transport) == ("GET", "/v3/diary/acme/appointmenttypes", [("count", "1000"), ("offset", "0")], None)

    agentos, transport = client(empty)
    await agentos.diary.between("B-1", start=DAY, end=DAY, appointment_type_ids=["T-1", "T-2"], page_size=7).collect()
    assert sent(transport)[1:3] == (
        "/v3/diary/acme/appointmentsbetweendates",
        [
            ("branchID", "B-1"),
            ("startDate", "2026-03-02"),
            ("endDate", "2026-03-02"),
            ("appointmentTypesToSearch", "T-1"),
            ("appointmentTypesToSearch", "T-2"),
            ("count", "7"),
            ("offset", "0"),
        ],
    )

    agentos, transport = client(empty)
    await agentos.diary.match_guests("B-1", forename="Ana", surname="Souza", email_address="ana@example.com").collect()
    path, query = sent(transport)[1:3]
    assert path == "/v3/diary/acme/B-1/guest/search"
    assert query[:3] == [("forename", "Ana"), ("surname", "Souza"), ("emailaddress", "ana@example.com")]


@virtual_time
async def test_pages_follow_each_other_until_the_total_is_reached() -> None:
    """`Count` is the number of all items, not of those on the page."""
    agentos, transport = client(
        reply(200, {"Count": 3, "Data": [{"OID": "1"}, {"OID": "2"}]}), reply(200, {"Count": 3, "Data": [{"OID": "3"}]})
    )

    branches = agentos.advertising.branches(page_size=2)
    assert [branch.OID async for branch in branches] == ["1", "2", "3"]
    assert branches.total == 3
    assert [request.path.rpartition("branches")[2] for request in transport.requests] == ["/0/2", "/2/2"]


@virtual_time
async def test_a_page_has_a_thousand_items_at_most() -> None:
    """The API gives no more, and more is refused at once."""
    agentos, transport = client()
    with pytest.raises(ConfigError, match=r"page_size=1001: expected 1 to 1000"):
        agentos.contacts.tenants(page_size=1001)
    with pytest.raises(ConfigError, match=r"page_size=1001"):
        agentos.diary.types(page_size=1001)

    assert transport.requests == []


SINGLE: list[tuple[Callable[[Client], Awaitable[Any]], str, list[tuple[str, str]]]] = [
    (lambda a: a.referencing.branch("X-1"), "/v4/referencing/acme/company/branches/X-1", []),
    (
        lambda a: a.advertising.sales_instruction("X-1"),
        "/v4/advertising/acme/sales/salesinstructions/X-1",
        [],
    ),
    (lambda a: a.appointments.get("X-1"), "/v4/appointments/acme/diary/appointment/X-1", []),
    (lambda a: a.maintenance.job("X-1"), "/v4/maintenance/acme/jobs/X-1", []),
    (
        lambda a: a.contacts.tenant("X-1", integrator="crm"),
        "/v4/contacts/acme/tenants/X-1",
        [("integrator", "crm")],
    ),
    (lambda a: a.contacts.landlord("X-1"), "/v4/contacts/acme/landlords/X-1", []),
    (lambda a: a.contacts.vendor("X-1"), "/v4/contacts/acme/vendors/X-1", []),
    (
        lambda a: a.contacts.lettings_applicant("X-1", integrator="crm"),
        "/v4/contacts/acme/applicants/lettings/X-1",
        [("integration", "crm")],
    ),
    (
        lambda a: a.contacts.sales_applicant("X-1", integrator="crm"),
        "/v4/contacts/acme/applicants/sales/X-1",
        [("integration", "crm")],
    ),
]


@pytest.mark.parametrize(("call", "path", "query"), SINGLE)
@virtual_time
async def test_one_object_is_read_by_its_oid(
    call: Callable[[Client], Awaitable[Any]], path: str, query: list[tuple[str, str]]
) -> None:
    """Its fields are attributes, under agentOS's names; an answer about another object is an error."""
    agentos, transport = client(reply(200, {"OID": "X-1", "ETag": "7", "Name": "x"}))
    found = await call(agentos)

    assert sent(transport) == ("GET", path, query, None)
    assert (found.OID, found.ETag, found.Name) == ("X-1", "7", "x")

    agentos, _ = client(reply(200, {"OID": "X-2"}))
    with pytest.raises(ProtocolError, match=r"another OID"):
        await call(agentos)
    agentos, _ = client(reply(404))
    with pytest.raises(NotFoundError):
        await call(agentos)
    agentos, _ = client(reply(200, {"Name": "x"}))
    with pytest.raises(ResponseValidationError, match=r"OID: missing"):
        await call(agentos)


@virtual_time
async def test_what_is_no_object_is_given_as_it_came() -> None:
    """Of these answers the form is not known, or is none."""
    reads: list[tuple[Callable[[Client], Awaitable[Any]], str, list[tuple[str, str]]]] = [
        (
            lambda a: a.property_management.lettings_media.portal_media_types(),
            "/v4/propertymanagement/acme/lettings/lettingsproperty/portalmedia/types",
            [],
        ),
        (
            lambda a: a.contacts.person_contacts("P-1", integrator="crm"),
            "/v4/contacts/acme/person/P-1/personcontacts",
            [("integrator", "crm")],
        ),
        (lambda a: a.referencing.custom_field("O-1", "F-1"), "/v4/referencing/acme/company/objects/O-1/F-1/value", []),
    ]
    for call, path, query in reads:
        for answer in (["x"], "x", {"a": 1}, 5):
            agentos, transport = client(reply(200, answer))
            assert await call(agentos) == answer
            assert sent(transport) == ("GET", path, query, None)


@virtual_time
async def test_the_company_and_custom_fields_may_have_any_field() -> None:
    """Also no OID."""
    agentos, transport = client(reply(200, {"CompanyName": "Acme"}))
    assert (await agentos.advertising.company()).CompanyName == "Acme"
    assert sent(transport)[1] == "/v4/advertising/acme/company/company"

    agentos, transport = client(reply(200, {"CustomFields": [{"ID": "F-1", "Value": None}]}))
    assert (await agentos.maintenance.custom_fields("O-1")).CustomFields[0]["ID"] == "F-1"
    assert sent(transport)[1] == "/v4/maintenance/acme/company/object/O-1/customfield"


@virtual_time
async def test_the_free_slots_and_the_appointment_of_v3() -> None:
    """Slots come all at once and have no OID; an appointment is named in the query."""
    agentos, transport = client(reply(200, [{"Start": "2026-03-02T09:00:00", "StaffName": "Bo"}]))
    (slot,) = await agentos.diary.allocations(
        appointment_type_id="T-1", preferred_date=DAY, property_id="P-1", branch_id="B-1", lettings=False
    )
    assert slot.Start == "2026-03-02T09:00:00"
    assert sent(transport) == (
        "GET",
        "/v3/diary/acme/allocations",
        [
            ("appointmentType", "T-1"),
            ("preferredDate", "2026-03-02"),
            ("propertyIdentifier", "P-1"),
            ("branchID", "B-1"),
            ("lettings", "false"),
        ],
        None,
    )

    agentos, transport = client(reply(200, {"OID": "A-1"}))
    assert (await agentos.diary.get("A-1")).OID == "A-1"
    assert sent(transport) == ("GET", "/v3/diary/acme/appointment", [("appointmentID", "A-1")], None)


FORM = {"PropertyOID": "P-1", "Note": "é"}
WRITES: list[tuple[Callable[[Client], Awaitable[Any]], str, str, list[tuple[str, str]], Any]] = [
    (
        lambda a: a.advertising.set_custom_field("O-1", "F-1", "cats"),
        "POST",
        "/v4/advertising/acme/company/objects/O-1/F-1/value",
        [],
        "cats",
    ),
    (
        lambda a: a.appointments.book(FORM, property_ids=["P-1", "P-2"]),
        "POST",
        "/v4/appointments/acme/diary",
        [("propertyID", "P-1"), ("propertyID", "P-2"), ("lettings", "true")],
        FORM,
    ),
    (lambda a: a.appointments.update(FORM), "PATCH", "/v4/appointments/acme/appointment/update", [], FORM),
    (lambda a: a.maintenance.create_job("B-1", FORM), "POST", "/v4/maintenance/acme/jobs/B-1/job", [], FORM),
    (lambda a: a.maintenance.update_job("J-1", FORM), "PATCH", "/v4/maintenance/acme/jobs/J-1", [], FORM),
    (
        lambda a: a.maintenance.attach_document("J-1", FORM),
        "POST",
        "/v4/maintenance/acme/jobs/J-1/attachdocument",
        [],
        FORM,
    ),
    (lambda a: a.maintenance.submit_invoice(FORM), "POST", "/v4/maintenance/acme/invoice/submit", [], FORM),
    (
        lambda a: a.maintenance.report_issue(
            "B-1",
            {
                "issue_title": " Boiler ",
                "tenant_email_address": "ana@example.com",
                "external_id": "1234567890",
                "reported_at": datetime(2026, 3, 2, 9, tzinfo=UTC),
                "documents": [{"mime_type": "image/png", "url": "https://example.com/a.png"}],
            },
        ),
        "POST",
        "/v3/maintenance/acme/maintenance/B-1/createmaintenancejob",
        [],
        {
            "IssueTitle": "Boiler",
            "TenantEMailAddress": "ana@example.com",
            "ExternalID": "1234567890",
            "ReportedAt": "2026-03-02T09:00:00Z",
            "Documents": [{"MimeType": "image/png", "URL": "https://example.com/a.png"}],
        },
    ),
    (
        lambda a: a.maintenance.report_issue("B-1", MaintenanceIssue(property_address1="1 High Street")),
        "POST",
        "/v3/maintenance/acme/maintenance/B-1/createmaintenancejob",
        [],
        {"PropertyAddress1": "1 High Street"},
    ),
    (lambda a: a.property_management.create_lead(FORM), "POST", "/v4/propertymanagement/acme/leads/create", [], FORM),
    (
        lambda a: a.property_management.lettings_media.add_portal_media("P-1", FORM),
        "POST",
        "/v4/propertymanagement/acme/lettings/lettingsproperty/P-1/portalmedia",
        [],
        FORM,
    ),
    (
        lambda a: a.property_management.lettings_media.add_photo("P-1", FORM),
        "PATCH",
        "/v4/propertymanagement/acme/lettings/lettingsproperty/P-1/addphoto",
        [],
        FORM,
    ),
    (
        lambda a: a.property_management.lettings_media.delete_photo("H-1"),
        "DELETE",
        "/v4/propertymanagement/acme/lettings/lettingsproperty/H-1/deletephoto",
        [],
        None,
    ),
    (
        lambda a: a.property_management.sales_media.add_floor_plan("S-1", FORM),
        "PATCH",
        "/v4/propertymanagement/acme/sales/salesinstructions/S-1/addfloorplan",
        [],
        FORM,
    ),
    (
        lambda a: a.property_management.sales_media.delete_floor_plan("H-1"),
        "DELETE",
        "/v4/propertymanagement/acme/sales/salesinstructions/H-1/deletefloorplan",
        [],
        None,
    ),
    (
        lambda a: a.referencing.attach_documents("A-1", FORM),
        "PATCH",
        "/v4/referencing/acme/applications/A-1/documents",
        [],
        FORM,
    ),
    (
        lambda a: a.applications.create(APPLICATION, staff_id="F-1"),
        "POST",
        "/v4/applications/acme/prospects/tenancyapplication/B-1/",
        [("staffID", "F-1")],
        APPLICATION_SENT,
    ),
    (
        lambda a: a.applications.submit(
            TenancyApplication(**APPLICATION), staff_id="F-1", more={"Pets": True, "Forename": "no"}
        ),
        "POST",
        "/v4/applications/acme/prospects/submittenancyapplication",
        [("branchID", "B-1"), ("staffID", "F-1")],
        {**APPLICATION_SENT, "Pets": True},
    ),
    (
        lambda a: a.applications.create_alerts("B-1", FORM, staff_id="F-1"),
        "POST",
        "/v4/applications/acme/prospects/B-1/alerts",
        [("staffID", "F-1")],
        FORM,
    ),
    (
        lambda a: a.applications.create_many("B-1", [FORM, FORM]),
        "POST",
        "/v4/applications/acme/prospects/B-1",
        [],
        [FORM, FORM],
    ),
    (
        lambda a: a.diary.book(
            DiaryAppointment(allocation_details={"Start": "s"}, appointment_type="T-1"),
            property_ids=["P-1", "P-2"],
            lettings=False,
        ),
        "POST",
        "/v3/diary/acme/appointment",
        [("propertyIdentifier", "P-1"), ("propertyIdentifier", "P-2"), ("lettings", "false")],
        {"AllocationDetails": {"Start": "s"}, "AppointmentType": "T-1"},
    ),
    (lambda a: a.diary.cancel("A-1"), "PATCH", "/v3/diary/acme/appointment/A-1/cancel", [], None),
]


@pytest.mark.parametrize(("call", "method", "path", "query", "body"), WRITES)
@virtual_time
async def test_a_write_sends_its_form_and_gives_what_came(
    call: Callable[[Client], Awaitable[Any]], method: str, path: str, query: list[tuple[str, str]], body: Any
) -> None:
    """A bare text, an object, or nothing: agentOS answers with each."""
    for answer in ("taken", {"OID": "X-1"}, None):
        agentos, transport = client(reply(200, answer))
        assert await call(agentos) == answer
        assert sent(transport) == (method, path, query, body)


@virtual_time
async def test_a_slot_is_given_back_as_it_came() -> None:
    """Every digit and every field that agentOS has put into it."""
    slot = {"Start": "2026-03-02T09:00:00.0000000", "End": None, "StaffID": "F-1", "New": [1]}
    agentos, transport = client(reply(200, [slot]), reply(200, "booked"))
    (found,) = await agentos.diary.allocations(appointment_type_id="T-1", preferred_date=DAY)
    guests = [{"forename": "Ana", "EmailAddress": "ana@example.com"}]
    await agentos.diary.book(
        {"allocation_details": found, "appointment_type": "T-1", "guests": guests}, property_ids=["P-1"], lettings=False
    )

    assert json.loads(transport.requests[1].body or b"") == {  # type: ignore[arg-type]
        "AllocationDetails": slot,
        "AppointmentType": "T-1",
        "Guests": [{"Forename": "Ana", "EmailAddress": "ana@example.com"}],
    }


@virtual_time
async def test_ids_cannot_leave_their_place() -> None:
    """In a path each is one segment, whatever it holds."""
    agentos, transport = client(reply(200, {"Count": 0, "Data": []}))
    await agentos.maintenance.jobs("a/../{short_name}").collect()
    assert sent(transport)[1] == "/v4/maintenance/acme/jobs/a%2F..%2F%7Bshort_name%7D/0/1000"


IDS: dict[str, list[Callable[[Client, str], Any]]] = {
    "instruction_id": [
        lambda a, x: a.advertising.sales_instruction(x),
        lambda a, x: a.advertising.photos(x),
    ],
    "branch_id": [
        lambda a, x: a.advertising.branch(x),
        lambda a, x: a.appointments.between(x, start=DAY, end=DAY),
        lambda a, x: a.maintenance.properties(x),
        lambda a, x: a.maintenance.jobs(x),
        lambda a, x: a.maintenance.create_job(x, FORM),
        lambda a, x: a.maintenance.contractors(x),
        lambda a, x: a.maintenance.report_issue(x, {}),
        lambda a, x: a.referencing.applications(x),
        lambda a, x: a.applications.create_alerts(x, FORM),
        lambda a, x: a.applications.create({**APPLICATION, "branch_id": x}),
        lambda a, x: a.diary.match_guests(x, forename="", surname="", email_address=""),
    ],
    "object_id": [
        lambda a, x: a.advertising.custom_fields(x),
        lambda a, x: a.advertising.custom_field(x, "F-1"),
    ],
    "field_id": [lambda a, x: a.advertising.custom_field("O-1", x)],
    "appointment_id": [lambda a, x: a.appointments.get(x), lambda a, x: a.diary.cancel(x)],
    "job_id": [lambda a, x: a.maintenance.job(x), lambda a, x: a.maintenance.attach_document(x, FORM)],
    "property_id": [lambda a, x: a.property_management.sales_media.photos(x)],
    "photo_id": [lambda a, x: a.property_management.sales_media.delete_photo(x)],
    "plan_id": [lambda a, x: a.property_management.sales_media.delete_floor_plan(x)],
    "tenant_id": [lambda a, x: a.contacts.tenant(x)],
    "landlord_id": [lambda a, x: a.contacts.landlord(x)],
    "vendor_id": [lambda a, x: a.contacts.vendor(x)],
    "applicant_id": [lambda a, x: a.contacts.lettings_applicant(x), lambda a, x: a.contacts.sales_applicant(x)],
    "person_id": [lambda a, x: a.contacts.person_contacts(x)],
    "application_id": [lambda a, x: a.referencing.attach_documents(x, FORM)],
}


async def made(agentos: Client, call: Callable[[Client, str], Any], value: str) -> None:
    """The call; a listing is refused when it is made, all else when it is awaited."""
    if inspect.isawaitable(waiting := call(agentos, value)):
        await waiting


@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in IDS.items() for call in calls])
@virtual_time
async def test_what_cannot_be_an_id_is_refused_by_its_name(name: str, call: Callable[[Client, str], Any]) -> None:
    """Before anything is sent."""
    agentos, transport = client()
    for wrong in ("", "..", "a\nb"):
        with pytest.raises(ConfigError, match=rf"\b{name}: "):
            await made(agentos, call, wrong)

    assert transport.requests == []


QUERY_IDS: list[tuple[str, Callable[[Client, str], Any]]] = [
    ("appointment_id", lambda a, x: a.diary.get(x)),
    ("appointment_type_id", lambda a, x: a.diary.allocations(appointment_type_id=x, preferred_date=DAY)),
    ("appointment_type_id", lambda a, x: a.appointments.allocations(appointment_type_id=x, preferred_date=DAY)),
    ("branch_id", lambda a, x: a.diary.between(x, start=DAY, end=DAY, appointment_type_ids=["T-1"])),
]


@pytest.mark.parametrize(("name", "call"), QUERY_IDS)
@virtual_time
async def test_an_id_in_the_query_is_there(name: str, call: Callable[[Client, str], Any]) -> None:
    """Without it the call would ask for something else: for any appointment, or for those of all branches."""
    agentos, transport = client()
    for wrong in ("", None, 5):
        with pytest.raises(ConfigError, match=rf"^{name}: expected a non-empty text"):
            await made(agentos, call, wrong)  # type: ignore[arg-type]

    assert transport.requests == []
