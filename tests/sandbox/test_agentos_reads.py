"""What agentOS lists and shows: pages, single records, and the filters that its guides name."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from leavo_async.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"
WHO = "?integrator=Acme"
ALLOCATIONS = "appointments/diary/appointmenttypes/allocations"


def wall() -> float:
    return datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def filled(*kinds: str) -> Sandbox:
    """A sandbox with six of each kind."""
    sandbox = Sandbox(api="agentos", wall=wall)
    for kind in kinds:
        sandbox.fill(kind, 6)
    return sandbox


def oids(records: Any) -> list[str]:
    return [record["OID"] for record in records]


LISTINGS = [
    ("advertising/company/branches", "branches"),
    ("advertising/lettings/advertised", "lettings"),
    ("advertising/sales/advertised", "sales"),
    ("appointments/diary/appointmenttypes", "appointment types"),
    ("appointments/contacts/guest/match", "guests"),
    ("appointments/contacts/staff", "staff"),
    ("appointments/lettings/tenancies/advertised", "lettings"),
    ("appointments/sales/instructions/advertised", "sales"),
    ("maintenance/jobs/statusTypes", "job statuses"),
    ("propertymanagement/leads/sourceTypes", "lead sources"),
    ("contacts/tenants", "tenants"),
    ("contacts/landlords", "landlords"),
    ("contacts/vendors", "vendors"),
    ("contacts/applicants/lettings", "lettings applicants"),
    ("contacts/applicants/sales", "sales applicants"),
]


@pytest.mark.parametrize(("path", "kind"), LISTINGS)
@pytest.mark.asyncio
async def test_a_listing_has_all_there_is_of_its_kind(agentos: Any, path: str, kind: str) -> None:
    """Count is that of all, Data a page of them; each has an id and a revision."""
    async with filled(kind) as sandbox:
        everything = (await agentos(sandbox, "GET", f"{path}/0/1000{WHO}")).json
        part = (await agentos(sandbox, "GET", f"{path}/2/3{WHO}")).json

    stored = sandbox.stored(kind)
    assert {"Count": len(stored), "Data": everything["Data"][2:5]} == part
    assert oids(stored) == oids(everything["Data"])
    assert all({"OID", "ETag"} <= record.keys() for record in everything["Data"])


OF_BRANCHES = [
    ("appointments/diary/appointments", "appointments"),
    ("maintenance/properties", "lettings"),
    ("maintenance/jobs", "jobs"),
    ("maintenance/contacts/contractors", "contractors"),
    ("referencing/applications", "applications"),
]


@pytest.mark.parametrize(("path", "kind"), OF_BRANCHES)
@pytest.mark.asyncio
async def test_a_branch_has_its_own(agentos: Any, path: str, kind: str) -> None:
    """Every second one of what is made up; a branch that is not there is not found."""
    async with filled(kind) as sandbox:
        branch = sandbox.stored("branches")[0]["OID"]
        found = (await agentos(sandbox, "GET", f"{path}/{branch}/0/1000")).json
        astray = await agentos(sandbox, "GET", f"{path}/{NOBODY}/0/1000")

    own = [record for record in sandbox.stored(kind) if record["BranchID"] == branch]
    assert {"Count": 3, "Data": own} == found
    assert 404 == astray.status


@pytest.mark.parametrize("kind", ["features", "floorplans", "photos", "rooms"])
@pytest.mark.asyncio
async def test_a_property_for_sale_links_to_its_parts(agentos: Any, kind: str) -> None:
    """Each link leads to the page of what belongs to that property."""
    async with filled("sales", kind) as sandbox:
        oid = sandbox.stored("sales")[1]["OID"]
        sale = (await agentos(sandbox, "GET", f"advertising/sales/salesinstructions/{oid}")).json
        link = next(link for link in sale["Links"] if link["Relationship"] == kind)
        parts = (
            await agentos(sandbox, link["Method"], link["Href"].replace("/v4/advertising/sandbox", "advertising"))
        ).json
        listed = (await agentos(sandbox, "GET", "advertising/sales/advertised/1/1")).json["Data"]

    assert [oid] == [part["PropertyOID"] for part in parts["Data"]]
    assert [sale] == listed


SINGLES = [
    ("appointments/diary/appointment", "appointments"),
    ("maintenance/jobs", "jobs"),
    ("contacts/tenants", "tenants"),
    ("contacts/landlords", "landlords"),
    ("contacts/vendors", "vendors"),
    ("contacts/applicants/lettings", "lettings applicants"),
    ("contacts/applicants/sales", "sales applicants"),
]


@pytest.mark.parametrize(("path", "kind"), SINGLES)
@pytest.mark.asyncio
async def test_a_single_record_is_a_bare_object(agentos: Any, path: str, kind: str) -> None:
    """The record itself, without an envelope."""
    async with filled(kind) as sandbox:
        record = sandbox.stored(kind)[0]
        found = await agentos(sandbox, "GET", f"{path}/{record['OID']}{WHO}")
        astray = await agentos(sandbox, "GET", f"{path}/{NOBODY}{WHO}")

    assert (200, record, 404) == (found.status, found.json, astray.status)


@pytest.mark.parametrize("base", ["lettings/lettingsproperty", "sales/salesinstructions"])
@pytest.mark.asyncio
async def test_types_of_portal_media_are_a_bare_list(agentos: Any, base: str) -> None:
    """All at once: their path has no place for a page."""
    async with Sandbox(api="agentos") as sandbox:
        found = await agentos(sandbox, "GET", f"propertymanagement/{base}/portalmedia/types")

    assert found.json
    assert sandbox.stored("portal media types") == found.json


@pytest.mark.asyncio
async def test_a_single_lead_source_comes_before_its_name(agentos: Any) -> None:
    """Its OID stands in the middle of the path."""
    async with Sandbox(api="agentos") as sandbox:
        source = sandbox.stored("lead sources")[1]
        found = await agentos(sandbox, "GET", f"propertymanagement/leads/{source['OID']}/sourceTypes")

    assert source == found.json


@pytest.mark.parametrize("page", ["0/1001", "0/0", "-1/5", "x/5", "0/x", "0/1.5", "%D9%A1/5", "0/" + "9" * 5000])
@pytest.mark.asyncio
async def test_a_page_that_cannot_be_is_refused(agentos: Any, page: str) -> None:
    """At most 1,000 at a time, and whole numbers only."""
    async with Sandbox(api="agentos") as sandbox:
        assert 400 == (await agentos(sandbox, "GET", f"advertising/company/branches/{page}")).status


@pytest.mark.asyncio
async def test_a_page_beyond_the_end_is_empty(agentos: Any) -> None:
    """Count still says how many there are."""
    async with Sandbox(api="agentos") as sandbox:
        assert {"Count": 2, "Data": []} == (await agentos(sandbox, "GET", "advertising/company/branches/2/1000")).json


# --- filters ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_sales_are_filtered_under_their_misspelt_names(agentos: Any) -> None:
    """Of a branch, developments, investments, alone and together."""
    async with Sandbox(api="agentos") as sandbox:
        sandbox.fill("sales", 60)
        branch = sandbox.stored("branches")[0]["OID"]
        tests = {
            f"branchID={branch}": lambda sale: sale["BranchID"] == branch,
            "onlyDevelopement=true": lambda sale: sale["IsDevelopment"],
            "onlyInvestements=True": lambda sale: sale["IsInvestment"],
            "onlyInvestements=false": lambda sale: True,
        }
        for names in itertools.chain(itertools.combinations(tests, 1), itertools.combinations(tests, 3)):
            found = (await agentos(sandbox, "GET", "advertising/sales/advertised/0/1000?" + "&".join(names))).json
            wanted = [sale for sale in sandbox.stored("sales") if all(tests[name](sale) for name in names)]
            assert wanted
            assert oids(wanted) == oids(found["Data"])


@pytest.mark.asyncio
async def test_a_flag_that_is_neither_true_nor_false_is_refused(agentos: Any) -> None:
    """A misunderstanding is not taken for false."""
    async with Sandbox(api="agentos") as sandbox:
        reply = await agentos(sandbox, "GET", "advertising/sales/advertised/0/10?onlyDevelopement=1")

    assert 400 == reply.status


async def booked(agentos: Any, sandbox: Sandbox, start: str | None, kind: str) -> str:
    body = {"BranchID": sandbox.stored("branches")[0]["OID"], "AppointmentTypeID": kind}
    body |= {"StartDate": start} if start else {}
    return (await agentos(sandbox, "POST", "appointments/diary", json=body)).json


DIARY = [
    ("", [0, 1, 2, 3]),
    ("startDate=2026-01-02", [1, 2]),
    ("endDate=2026-01-02", [0, 1]),
    ("startDate=2026-01-02T23:00:00Z&endDate=2026-01-02", [1]),
    ("startDate=2026-01-04", []),
    ("appointmentTypesToSearch=a", [0, 2]),
    ("appointmentTypesToSearch=a&appointmentTypesToSearch=b", [0, 1, 2]),
    ("appointmentTypesToSearch=a&endDate=2026-01-02", [0]),
]


@pytest.mark.parametrize(("query", "expected"), DIARY)
@pytest.mark.asyncio
async def test_the_diary_is_asked_for_days_and_types(agentos: Any, query: str, expected: list[int]) -> None:
    """Both days included; several types by repeating the name."""
    async with Sandbox(api="agentos") as sandbox:
        branch = sandbox.stored("branches")[0]["OID"]
        made = [("2026-01-01T09:00:00", "a"), ("2026-01-02T18:00:00", "b"), ("2026-01-03", "a"), (None, "c")]
        all_oids = [await booked(agentos, sandbox, *each) for each in made]
        found = (await agentos(sandbox, "GET", f"appointments/diary/appointments/{branch}/0/1000?{query}")).json

    assert [all_oids[number] for number in expected] == oids(found["Data"])


@pytest.mark.parametrize("name", ["startDate", "endDate"])
@pytest.mark.asyncio
async def test_a_day_that_cannot_be_read_is_refused(agentos: Any, name: str) -> None:
    """British order is not ISO 8601."""
    async with Sandbox(api="agentos") as sandbox:
        branch = sandbox.stored("branches")[0]["OID"]
        reply = await agentos(sandbox, "GET", f"appointments/diary/appointments/{branch}/0/10?{name}=31/01/2026")

    assert (400, True) == (reply.status, name in reply.json["Message"])


@pytest.mark.asyncio
async def test_free_times_are_those_of_a_day_and_the_seven_after_it(agentos: Any) -> None:
    """For one type of appointment, the same ones each time, up to the last day of the calendar."""
    async with Sandbox(api="agentos") as sandbox:
        kind = sandbox.stored("appointment types")[0]["OID"]
        path = f"{ALLOCATIONS}/0/1000?appointmentTypeID={kind}&preferredDate="
        first, second = [(await agentos(sandbox, "GET", path + "2026-02-25")).json for _ in range(2)]
        last = (await agentos(sandbox, "GET", path + "9999-12-30")).json

    assert first == second
    assert (8, 8) == (first["Count"], len({*oids(first["Data"])}))
    assert ("2026-02-25", "2026-03-04") == tuple(first["Data"][n]["StartDate"][:10] for n in (0, -1))
    assert 2 == last["Count"]


INCOMPLETE = [
    ("preferredDate=2026-02-25", 400, "appointmentTypeID"),
    ("appointmentTypeID=x", 400, "preferredDate"),
    ("appointmentTypeID=x&preferredDate=soon", 400, "preferredDate"),
    ("appointmentTypeID=x&preferredDate=2026-02-25", 404, "appointment types"),
]


@pytest.mark.parametrize(("query", "status", "said"), INCOMPLETE)
@pytest.mark.asyncio
async def test_free_times_need_a_type_and_a_day(agentos: Any, query: str, status: int, said: str) -> None:
    """The message says which is missing."""
    async with Sandbox(api="agentos") as sandbox:
        reply = await agentos(sandbox, "GET", f"{ALLOCATIONS}/0/10?{query}")

    assert (status, True) == (reply.status, said in reply.json["Message"])


@pytest.mark.asyncio
async def test_a_guest_is_matched_by_fields(agentos: Any) -> None:
    """Whatever the case; a field that guests do not have matches everybody."""
    async with filled("guests") as sandbox:
        guest = sandbox.stored("guests")[3]
        query = f"emailAddress={guest['EmailAddress'].upper()}&shoeSize=38"
        found = (await agentos(sandbox, "GET", f"appointments/contacts/guest/match/0/10?{query}")).json

    assert [guest] == found["Data"]


# --- contacts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status"), [("", 400), ("?integrator=", 400), ("?integrator=a", 200), ("?integration=a", 200)]
)
@pytest.mark.parametrize("path", ["tenants/0/10", "applicants/sales/0/10", "person/{}/personcontacts", "tenants/{}"])
@pytest.mark.asyncio
async def test_contacts_are_shown_to_those_who_say_who_they_are(
    agentos: Any, path: str, query: str, status: int
) -> None:
    """Under either of the names that the guides use."""
    async with filled("tenants") as sandbox:
        path = path.format(sandbox.stored("tenants")[0]["OID"])

        assert status == (await agentos(sandbox, "GET", f"contacts/{path}{query}")).status


@pytest.mark.parametrize("kind", ["tenants", "landlords", "vendors", "lettings applicants", "sales applicants"])
@pytest.mark.asyncio
async def test_a_person_has_contacts(agentos: Any, kind: str) -> None:
    """The e-mail address, as a page; nobody is not found."""
    async with filled(kind) as sandbox:
        person = sandbox.stored(kind)[2]
        found = await agentos(sandbox, "GET", f"contacts/person/{person['OID']}/personcontacts{WHO}")
        astray = await agentos(sandbox, "GET", f"contacts/person/{NOBODY}/personcontacts{WHO}")

    assert (1, person["EmailAddress"]) == (found.json["Count"], found.json["Data"][0]["Value"])
    assert 404 == astray.status
