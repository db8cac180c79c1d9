"""V3 of agentOS as the vendor's specs have it: the diary, and jobs to be done."""

from datetime import UTC, datetime
from typing import Any

import pytest

from leavo_async.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"
PAGE = "offset=0&count=1000"
JOBS = "maintenance/sandbox/maintenance"


def v3() -> Sandbox:
    """A sandbox on 1 January 2026 with two of each thing that the diary speaks of."""
    sandbox = Sandbox(api="agentos", wall=datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp)
    for kind in ("lettings", "sales", "guests"):
        sandbox.fill(kind, 2)
    return sandbox


def first(sandbox: Sandbox, kind: str) -> str:
    return str(sandbox.stored(kind)[0]["OID"])


async def sent(ask: Any, sandbox: Sandbox, method: str, path: str, **options: Any) -> Any:
    """The answer to a request with the key in the header that the specs declare."""
    headers = {"ApiKey": sandbox.key}
    return await ask(sandbox, method, f"/v3/{path}", key=None, headers=headers, **options)


def booking(sandbox: Sandbox, start: str = "2026-01-02T10:00:00") -> dict[str, Any]:
    times = {"Start": start, "End": start.replace("T10:00", "T10:30")}
    return {"AppointmentType": first(sandbox, "appointment types"), "AllocationDetails": times, "Subject": "Keys"}


async def booked(ask: Any, sandbox: Sandbox, body: Any, of: str = "lettings", query: str = "") -> Any:
    path = f"diary/sandbox/appointment?propertyIdentifier={first(sandbox, of)}{query}"
    return await sent(ask, sandbox, "POST", path, json=body)


async def between(ask: Any, sandbox: Sandbox, **changes: str) -> Any:
    """Appointments of January at the first property's branch, unless told otherwise; "" leaves a parameter out."""
    asked = {
        "branchID": sandbox.stored("lettings")[0]["BranchID"],
        "startDate": "2026-01-01",
        "endDate": "2026-01-31",
        "appointmentTypesToSearch": first(sandbox, "appointment types"),
        "offset": "0",
        "count": "1000",
    }
    query = "&".join(f"{name}={value}" for name, value in {**asked, **changes}.items() if value)
    return await sent(ask, sandbox, "GET", f"diary/sandbox/appointmentsbetweendates?{query}")


@pytest.mark.parametrize(
    ("path", "kind"), [("appointmenttypes", "appointment types"), ("company/branches", "branches")]
)
@pytest.mark.asyncio
async def test_v3_pages_by_query(ask: Any, path: str, kind: str) -> None:
    """The same body as in V4."""
    async with v3() as sandbox:
        reply = await sent(ask, sandbox, "GET", f"diary/sandbox/{path}?offset=1&count=2")
        stored = sandbox.stored(kind)

    assert {"Count": len(stored), "Data": stored[1:3]} == reply.json


@pytest.mark.parametrize(
    "query", ["", "count=5", "offset=0", "offset=0&count=1001", "offset=0&count=0", "offset=-1&count=5"]
)
@pytest.mark.asyncio
async def test_v3_refuses_a_page_that_cannot_be(ask: Any, query: str) -> None:
    """Both parameters have to be there, and the bounds are those of V4."""
    async with v3() as sandbox:
        assert 400 == (await sent(ask, sandbox, "GET", f"diary/sandbox/appointmenttypes?{query}")).status


@pytest.mark.asyncio
async def test_v3_shows_a_single_branch(ask: Any) -> None:
    """By its OID in the path."""
    async with v3() as sandbox:
        branch = sandbox.stored("branches")[1]
        reply = await sent(ask, sandbox, "GET", f"diary/sandbox/company/branches/{branch['OID']}")

    assert branch == reply.json


# --- free times ---------------------------------------------------------------------------------------------

PLACES = [
    ("branchID={branch}", 200),
    ("propertyIdentifier={letting}", 200),
    ("propertyIdentifier={letting}&lettings=true", 200),
    ("propertyIdentifier={sale}&lettings=false", 200),
    ("propertyIdentifier={sale}", 404),
    ("branchID={nobody}", 404),
    ("", 400),
]


@pytest.mark.parametrize(("place", "status"), PLACES)
@pytest.mark.asyncio
async def test_free_times_of_v3_are_a_bare_list(ask: Any, place: str, status: int) -> None:
    """Those of a property or a branch, on a day and the seven after it."""
    async with v3() as sandbox:
        oids = {name: first(sandbox, kind) for name, kind in (("letting", "lettings"), ("sale", "sales"))}
        where = place.format(branch=first(sandbox, "branches"), nobody=NOBODY, **oids)
        kind = first(sandbox, "appointment types")
        path = f"diary/sandbox/allocations?appointmentType={kind}&preferredDate=2026-02-25T00:00:00&{where}"
        reply = await sent(ask, sandbox, "GET", path)

    assert status == reply.status
    if status == 200:
        assert {"Start": "2026-02-25T10:00:00", "End": "2026-02-25T10:30:00"} == reply.json[0]
        assert (8, "2026-03-04T10:00:00") == (len(reply.json), reply.json[-1]["Start"])


@pytest.mark.parametrize("name", ["appointmentType", "preferredDate"])
@pytest.mark.asyncio
async def test_free_times_of_v3_need_a_type_and_a_day(ask: Any, name: str) -> None:
    """The message says which is missing."""
    async with v3() as sandbox:
        query = {"appointmentType": first(sandbox, "appointment types"), "preferredDate": "2026-02-25"} | {name: ""}
        path = "&".join(f"{key}={value}" for key, value in query.items())
        path = f"diary/sandbox/allocations?branchID={first(sandbox, 'branches')}&{path}"
        reply = await sent(ask, sandbox, "GET", path)

    assert (400, True) == (reply.status, reply.json["Message"].startswith(name))


# --- appointments -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "query"), [("lettings", ""), ("sales", "&lettings=false")])
@pytest.mark.asyncio
async def test_an_appointment_of_v3_is_booked_shown_and_cancelled(ask: Any, of: str, query: str) -> None:
    """All writes answer 200 with the bare OID; what is cancelled stays."""
    async with v3() as sandbox:
        made = await booked(ask, sandbox, {**booking(sandbox), "ExtraComments": "Ring twice"}, of, query)
        path = "diary/sandbox/appointment"
        shown = (await sent(ask, sandbox, "GET", f"{path}?appointmentID={made.json}")).json
        cancelled = await sent(ask, sandbox, "PATCH", f"{path}/{made.json}/cancel")
        after = (await sent(ask, sandbox, "GET", f"{path}?appointmentID={made.json}")).json
        effects = [(effect.kind, effect.id) for effect in sandbox.ledger.effects]

        wanted = {"Start": "2026-01-02T10:00:00", "End": "2026-01-02T10:30:00", "Subject": "Keys"}
        wanted |= {"Comment": "Ring twice", "AppointmentType": first(sandbox, "appointment types"), "OID": made.json}
        assert (200, 200, made.json) == (made.status, cancelled.status, cancelled.json)
        assert {**shown, **wanted, "Cancelled": False} == shown
        assert (True, shown["Start"]) == (after["Cancelled"], after["Start"])
        assert [("created", made.json), ("updated", made.json)] == effects


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?appointmentID=" + NOBODY, 404)])
@pytest.mark.asyncio
async def test_an_appointment_that_is_not_there_is_not_shown(ask: Any, query: str, status: int) -> None:
    """Nor cancelled."""
    async with v3() as sandbox:
        shown = await sent(ask, sandbox, "GET", f"diary/sandbox/appointment{query}")
        cancelled = await sent(ask, sandbox, "PATCH", f"diary/sandbox/appointment/{NOBODY}/cancel")

    assert (status, 404) == (shown.status, cancelled.status)


WRONG: list[tuple[dict[str, Any], int]] = [
    ({"AppointmentType": None}, 400),
    ({"AppointmentType": NOBODY}, 404),
    ({"AllocationDetails": None}, 400),
    ({"AllocationDetails": "soon"}, 400),
    ({"AllocationDetails": {"Start": "2026-01-02T10:00:00"}}, 400),
    ({"AllocationDetails": {"Start": "soon", "End": "2026-01-02T10:00:00"}}, 400),
]


@pytest.mark.parametrize(("change", "status"), WRONG)
@pytest.mark.asyncio
async def test_an_appointment_of_v3_needs_a_type_and_a_time(ask: Any, change: dict[str, Any], status: int) -> None:
    """Nothing is booked without them."""
    async with v3() as sandbox:
        reply = await booked(ask, sandbox, {**booking(sandbox), **change})

    assert (status, []) == (reply.status, sandbox.ledger.effects)


@pytest.mark.asyncio
async def test_an_appointment_of_v3_needs_a_property(ask: Any) -> None:
    """Named in the query."""
    async with v3() as sandbox:
        reply = await sent(ask, sandbox, "POST", "diary/sandbox/appointment", json=booking(sandbox))

    assert (400, []) == (reply.status, sandbox.ledger.effects)


@pytest.mark.asyncio
async def test_appointments_of_v3_are_searched_between_two_days(ask: Any) -> None:
    """Of a branch and a type, as a page with V3's own names."""
    async with v3() as sandbox:
        days = ("2026-01-02T10:00:00", "2026-01-03T10:00:00", "2026-02-01T10:00:00")
        for start in days:
            await booked(ask, sandbox, booking(sandbox, start))
        found = (await between(ask, sandbox)).json
        other_type = (await between(ask, sandbox, appointmentTypesToSearch="other")).json
        other_branch = (await between(ask, sandbox, branchID=first(sandbox, "branches"))).json
        page = (await between(ask, sandbox, offset="1", count="1")).json

    assert list(days[:2]) == [it["Start"] for it in found["Data"]]
    assert (0, 0) == (other_type["Count"], other_branch["Count"])
    assert {"Count": 2, "Data": found["Data"][1:]} == page


@pytest.mark.parametrize(("start", "status"), [("2025-12-01", 400), ("2025-12-02", 200), ("soon", 400)])
@pytest.mark.asyncio
async def test_a_search_of_v3_begins_30_days_ago_at_most(ask: Any, start: str, status: int) -> None:
    """Older is an error, not an empty page."""
    async with v3() as sandbox:
        assert status == (await between(ask, sandbox, startDate=start)).status


@pytest.mark.parametrize("name", ["branchID", "startDate", "endDate", "appointmentTypesToSearch", "offset", "count"])
@pytest.mark.asyncio
async def test_a_search_of_v3_needs_all_its_parameters(ask: Any, name: str) -> None:
    """The message says which is missing."""
    async with v3() as sandbox:
        reply = await between(ask, sandbox, **{name: ""})

    assert (400, True) == (reply.status, reply.json["Message"].startswith(name))


@pytest.mark.asyncio
async def test_a_search_of_v3_can_lag_behind(ask: Any) -> None:
    """An appointment is shown by its id at once, and not found between two days yet."""
    settings: Any = {"search_lag": 5.0, "wall": datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp}
    async with Sandbox(api="agentos", **settings) as sandbox:
        sandbox.fill("lettings", 1)
        oid = (await booked(ask, sandbox, booking(sandbox))).json
        one = await sent(ask, sandbox, "GET", f"diary/sandbox/appointment?appointmentID={oid}")
        found = await between(ask, sandbox)

    assert (oid, 0) == (one.json["OID"], found.json["Count"])


@pytest.mark.asyncio
async def test_a_guest_of_v3_is_found_by_name_and_email(ask: Any) -> None:
    """All three have to be given, and to fit."""
    async with v3() as sandbox:
        guest = sandbox.stored("guests")[1]
        path = f"diary/sandbox/{first(sandbox, 'branches')}/guest/search?{PAGE}"
        names = f"&forename={guest['Forename']}&surname={guest['Surname']}"
        queries = [f"{names}&emailaddress={guest['EmailAddress']}", f"{names}&emailaddress=other", names]
        found, other, missing = [await sent(ask, sandbox, "GET", path + query) for query in queries]
        astray = await sent(ask, sandbox, "GET", path.replace(first(sandbox, "branches"), NOBODY) + queries[0])

    assert {"Count": 1, "Data": [guest]} == found.json
    assert (0, 400, 404) == (other.json["Count"], missing.status, astray.status)


# --- jobs ---------------------------------------------------------------------------------------------------

IDS = [("X" * 10, 200), ("X" * 11, 400), (None, 200)]


@pytest.mark.parametrize(("external_id", "status"), IDS)
@pytest.mark.asyncio
async def test_a_job_of_v3_has_a_short_external_id(ask: Any, agentos: Any, external_id: object, status: int) -> None:
    """Of ten characters at most, or none; the job is then at the branch in V4, too."""
    async with v3() as sandbox:
        branch = first(sandbox, "branches")
        body = {"IssueTitle": "Tap drips", "ExternalID": external_id}
        reply = await sent(ask, sandbox, "POST", f"{JOBS}/{branch}/createmaintenancejob", json=body)
        jobs = (await agentos(sandbox, "GET", f"maintenance/jobs/{branch}/0/10")).json

    assert status == reply.status
    assert ([reply.json] if status == 200 else []) == [job["OID"] for job in jobs["Data"]]
    assert len(jobs["Data"]) == len(sandbox.ledger.effects)


@pytest.mark.asyncio
async def test_a_job_of_v3_is_at_a_branch_that_is_there(ask: Any) -> None:
    """Nothing is made elsewhere."""
    async with v3() as sandbox:
        reply = await sent(ask, sandbox, "POST", f"{JOBS}/{NOBODY}/createmaintenancejob", json={"IssueTitle": "x"})

    assert (404, []) == (reply.status, sandbox.ledger.effects)


def test_a_tier_of_two_versions_is_named_once() -> None:
    """V3 and V4 both have maintenance, and a key has a right to a tier."""
    with pytest.raises(ValueError, match="tier") as refused:
        Sandbox(api="agentos", tiers={"gardening"})

    assert 1 == str(refused.value).count("maintenance")
