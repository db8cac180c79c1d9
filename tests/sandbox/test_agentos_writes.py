"""What can be done to an agency: the answers are bare OIDs, the ledger shows what was made."""

from typing import Any

import pytest

from leavo_async.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"
ANA = {"Forename": "Ana", "Surname": "Grant", "EmailAddress": "ana@example.com"}


def filled(*kinds: str) -> Sandbox:
    """A sandbox with two of each kind."""
    sandbox = Sandbox(api="agentos")
    for kind in kinds:
        sandbox.fill(kind, 2)
    return sandbox


def first(sandbox: Sandbox, kind: str) -> str:
    return str(sandbox.stored(kind)[0]["OID"])


def effects(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(effect.kind, effect.id) for effect in sandbox.ledger.effects]


# --- things -------------------------------------------------------------------------------------------------

CREATIONS = [
    ("appointments/diary", "", "appointments"),
    ("maintenance/jobs/{}/job", "branches", "jobs"),
    ("maintenance/invoice/submit", "", "invoices"),
    ("maintenance/jobs/{}/attachdocument", "jobs", "documents"),
    ("propertymanagement/leads/create", "", "leads"),
    ("propertymanagement/lettings/lettingsproperty/{}/portalmedia", "lettings", "portal media"),
    ("propertymanagement/sales/salesinstructions/{}/portalmedia", "sales", "portal media"),
]


@pytest.mark.parametrize(("path", "of", "kind"), CREATIONS)
@pytest.mark.asyncio
async def test_a_new_thing_is_told_by_its_oid_alone(agentos: Any, path: str, of: str, kind: str) -> None:
    """A JSON string, and one thing more; an empty body, and a place that is not there, make nothing."""
    async with filled("jobs", "lettings", "sales") as sandbox:
        there = path.format(first(sandbox, of)) if of else path
        before = len(sandbox.stored(kind))
        reply = await agentos(sandbox, "POST", there, json={"Note": "x", "OID": "mine", "ETag": "mine"})
        refused = [(await agentos(sandbox, "POST", there, data=b"")).status]
        refused += [(await agentos(sandbox, "POST", path.format(NOBODY), json={"a": 1})).status] if of else [404]

    made = sandbox.stored(kind)[before:]
    assert (201, [reply.json]) == (reply.status, [record["OID"] for record in made])
    assert "mine" not in (made[0]["OID"], made[0]["ETag"])
    assert [("created", reply.json)] == effects(sandbox)
    assert [400, 404] == refused


NO_OBJECTS = [b"", b"{", b"[]", b"{}", b'"x"', b"\xff", b'{"a": NaN}', b"[" * 100_000]


@pytest.mark.parametrize("body", NO_OBJECTS, ids=lambda body: repr(body[:10]))
@pytest.mark.asyncio
async def test_a_body_that_is_no_object_is_refused(agentos: Any, body: bytes) -> None:
    """Whatever the bytes, and also if it is an empty one."""
    async with Sandbox(api="agentos") as sandbox:
        reply = await agentos(sandbox, "POST", "propertymanagement/leads/create", data=body)

    assert (400, [], []) == (reply.status, sandbox.stored("leads"), sandbox.ledger.effects)
    assert reply.json["Message"].startswith("The body must be")


CHANGES = [
    ("maintenance/jobs/{}", "jobs"),
    ("referencing/applications/{}/documents", "applications"),
]


@pytest.mark.parametrize(("path", "kind"), CHANGES)
@pytest.mark.asyncio
async def test_a_change_gives_a_new_revision(agentos: Any, path: str, kind: str) -> None:
    """The id stays, the ETag does not; what is not there cannot be changed, nor can nothing be changed."""
    async with filled(kind) as sandbox:
        old = sandbox.stored(kind)[0]
        reply = await agentos(sandbox, "PATCH", path.format(old["OID"]), json={"Name": "new"})
        refused = [
            (await agentos(sandbox, "PATCH", path.format(old["OID"]), data=b"")).status,
            (await agentos(sandbox, "PATCH", path.format(NOBODY), json={"Name": "new"})).status,
        ]

    new = sandbox.stored(kind)[0]
    assert (200, old["OID"], old["OID"]) == (reply.status, reply.json, new["OID"])
    assert old["ETag"] != new["ETag"]
    assert ([400, 404], [("updated", old["OID"])]) == (refused, effects(sandbox))


@pytest.mark.asyncio
async def test_a_job_is_listed_at_its_branch(agentos: Any) -> None:
    """That of the path, whatever the body says."""
    async with Sandbox(api="agentos") as sandbox:
        branch, other = (record["OID"] for record in sandbox.stored("branches"))
        oid = (await agentos(sandbox, "POST", f"maintenance/jobs/{branch}/job", json={"BranchID": other})).json
        found = (await agentos(sandbox, "GET", f"maintenance/jobs/{branch}/0/10")).json

    assert [oid] == [job["OID"] for job in found["Data"]]


@pytest.mark.asyncio
async def test_a_job_keeps_what_a_change_does_not_name(agentos: Any) -> None:
    """A PATCH is not a replacement."""
    async with filled("jobs") as sandbox:
        old = sandbox.stored("jobs")[0]
        await agentos(sandbox, "PATCH", f"maintenance/jobs/{old['OID']}", json={"Note": "x", "OID": "other"})
        new = sandbox.stored("jobs")[0]

    assert {**old, "Note": "x", "ETag": new["ETag"]} == new


# --- pictures -----------------------------------------------------------------------------------------------

PROPERTIES = [("lettings/lettingsproperty", "lettings"), ("sales/salesinstructions", "sales")]
PICTURES = [
    ("PATCH", "addphoto", "photos", "photos/type"),
    ("PATCH", "addfloorplan", "floorplans", ""),
    ("POST", "portalmedia", "portal media", "portalmedia"),
]


@pytest.mark.parametrize(("method", "adding", "kind", "listing"), PICTURES)
@pytest.mark.parametrize(("base", "of"), PROPERTIES)
@pytest.mark.asyncio
async def test_a_picture_is_listed_at_its_property(
    agentos: Any, base: str, of: str, method: str, adding: str, kind: str, listing: str
) -> None:
    """Told by its OID alone; an empty body, and a property that is not there, make nothing."""
    async with filled(of) as sandbox:
        own, other = (f"propertymanagement/{base}/{record['OID']}" for record in sandbox.stored(of))
        reply = await agentos(sandbox, method, f"{own}/{adding}", data=b"\x89PNG")
        refused = [
            (await agentos(sandbox, method, f"{own}/{adding}", data=b"")).status,
            (await agentos(sandbox, method, f"propertymanagement/{base}/{NOBODY}/{adding}", data=b"x")).status,
        ]
        pages = [(await agentos(sandbox, "GET", f"{it}/{listing}/0/10")).json for it in (own, other) if listing]

    made = sandbox.stored(kind)
    assert (201, [reply.json], [400, 404]) == (reply.status, [record["OID"] for record in made], refused)
    assert [("created", reply.json)] == effects(sandbox)
    assert pages in ([], [{"Count": 1, "Data": made}, {"Count": 0, "Data": []}])


@pytest.mark.parametrize(("adding", "removing"), [("addphoto", "deletephoto"), ("addfloorplan", "deletefloorplan")])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.asyncio
async def test_a_picture_is_removed_by_its_own_oid(agentos: Any, number: int, adding: str, removing: str) -> None:
    """Once, and not among properties of the other kind."""
    async with filled("lettings", "sales") as sandbox:
        (base, of), (astray, _) = PROPERTIES[number], PROPERTIES[1 - number]
        path = f"propertymanagement/{base}/{first(sandbox, of)}/{adding}"
        oid = (await agentos(sandbox, "PATCH", path, data=b"\x89PNG")).json
        statuses = [
            (await agentos(sandbox, "DELETE", f"propertymanagement/{where}/{oid}/{removing}")).status
            for where in (astray, base, base)
        ]

    assert [404, 204, 404] == statuses
    assert [("created", oid), ("deleted", oid)] == effects(sandbox)


@pytest.mark.asyncio
async def test_a_picture_of_a_sale_is_advertised(agentos: Any) -> None:
    """What one tier has put there, another one lists."""
    async with filled("sales") as sandbox:
        sale = f"sales/salesinstructions/{first(sandbox, 'sales')}"
        oid = (await agentos(sandbox, "PATCH", f"propertymanagement/{sale}/addphoto", data=b"\x89PNG")).json
        found = (await agentos(sandbox, "GET", f"advertising/{sale}/photos/0/10")).json

    assert [oid] == [photo["OID"] for photo in found["Data"]]


# --- the diary ----------------------------------------------------------------------------------------------

BOOKED = [("", "lettings"), ("&lettings=true", "lettings"), ("&lettings=false", "sales")]


@pytest.mark.parametrize(("query", "kind"), BOOKED)
@pytest.mark.asyncio
async def test_an_appointment_is_at_the_properties_of_the_query(agentos: Any, query: str, kind: str) -> None:
    """Named one after the other, to let or for sale; it stands in the diary of their branch."""
    async with filled("lettings", "sales") as sandbox:
        one, two = sandbox.stored(kind)
        path = f"appointments/diary?propertyID={one['OID']}&propertyID={two['OID']}{query}"
        oid = (await agentos(sandbox, "POST", path, json={"Note": "x"})).json
        shown = (await agentos(sandbox, "GET", f"appointments/diary/appointment/{oid}")).json
        diary = (await agentos(sandbox, "GET", f"appointments/diary/appointments/{one['BranchID']}/0/10")).json

    assert ([one["OID"], two["OID"]], "x") == (shown["PropertyID"], shown["Note"])
    assert {"Count": 1, "Data": [shown]} == diary


@pytest.mark.parametrize("query", ["propertyID=" + NOBODY, "lettings=maybe"])
@pytest.mark.asyncio
async def test_an_appointment_that_cannot_be_is_refused(agentos: Any, query: str) -> None:
    """A property that is not there, a flag that is none."""
    async with Sandbox(api="agentos") as sandbox:
        reply = await agentos(sandbox, "POST", f"appointments/diary?{query}", json={"Note": "x"})

    assert reply.status in (400, 404)
    assert ([], []) == (sandbox.stored("appointments"), sandbox.ledger.effects)


@pytest.mark.asyncio
async def test_an_appointment_is_changed_by_the_oid_in_the_body(agentos: Any) -> None:
    """Without one it is a 400, with an unknown one a 404."""
    async with filled("appointments") as sandbox:
        oid = first(sandbox, "appointments")
        bodies = [{"OID": oid, "Note": "x"}, {"Note": "x"}, {"OID": 5}, {"OID": NOBODY}]
        replies = [await agentos(sandbox, "PATCH", "appointments/appointment/update", json=body) for body in bodies]

    assert [200, 400, 400, 404] == [reply.status for reply in replies]
    assert (oid, "x") == (replies[0].json, sandbox.stored("appointments")[0]["Note"])


# --- applications -------------------------------------------------------------------------------------------

FORMS = [
    ("prospects/submittenancyapplication", "applications"),
    ("prospects/tenancyapplication/{}", "applications"),
    ("prospects/tenancyapplication/{}/", "applications"),
    ("prospects/createTenancyApplication", "applications"),
    ("prospects/submitTenancyApplicationInbox", "applications"),
    ("prospects/{}/alerts", "alerts"),
    ("prospects/setupAlerts", "alerts"),
]


async def submitted(agentos: Any, sandbox: Sandbox, form: str, **fields: Any) -> Any:
    """Ana applies, for the first property and at the first branch unless told otherwise."""
    place = {"BranchID": first(sandbox, "branches"), "PropertyOID": first(sandbox, "lettings")}
    given = {name: value for name, value in {**ANA, **place, **fields}.items() if value is not None}
    return await agentos(sandbox, "POST", "applications/" + form.format(first(sandbox, "branches")), json=given)


@pytest.mark.parametrize(("form", "kind"), FORMS)
@pytest.mark.asyncio
async def test_an_applicant_is_linked_to_the_contact_with_that_email(agentos: Any, form: str, kind: str) -> None:
    """Two applications, and one person, whatever the case of the letters; somebody else is somebody else."""
    async with filled("lettings") as sandbox:
        emails = ("ana@example.com", "ANA@Example.com", "ben@example.com")
        replies = [await submitted(agentos, sandbox, form, EmailAddress=email) for email in emails]

    made, people = sandbox.stored(kind), sandbox.stored("lettings applicants")
    assert [(201, record["OID"]) for record in made] == [(reply.status, reply.json) for reply in replies]
    assert ["ana@example.com", "ben@example.com"] == [person["EmailAddress"] for person in people]
    ana, ben = (person["OID"] for person in people)
    assert [ana, ana, ben] == [record["ApplicantOID"] for record in made]
    assert [ana, made[0]["OID"], made[1]["OID"], ben, made[2]["OID"]] == [oid for _, oid in effects(sandbox)]


@pytest.mark.asyncio
async def test_a_contact_that_was_there_before_is_found(agentos: Any) -> None:
    """Also one that no application has made."""
    async with filled("lettings", "lettings applicants") as sandbox:
        known = sandbox.stored("lettings applicants")[1]
        await submitted(agentos, sandbox, "prospects/submittenancyapplication", EmailAddress=known["EmailAddress"])

    assert known["OID"] == sandbox.stored("applications")[0]["ApplicantOID"]
    assert 2 == len(sandbox.stored("lettings applicants"))


REQUIRED = [
    *(("prospects/submittenancyapplication", name) for name in ("BranchID", *ANA, "PropertyOID")),
    *(("prospects/createTenancyApplication", name) for name in ("BranchID", *ANA, "PropertyOID")),
    *(("prospects/tenancyapplication/{}", name) for name in (*ANA, "PropertyOID")),
    *(("prospects/{}/alerts", name) for name in ANA),
    *(("prospects/setupAlerts", name) for name in ("BranchID", *ANA)),
]


@pytest.mark.parametrize("value", [None, "", " ", 5], ids=["missing", "empty", "blank", "number"])
@pytest.mark.parametrize(("form", "name"), REQUIRED)
@pytest.mark.asyncio
async def test_an_application_needs_its_fields(agentos: Any, form: str, name: str, value: Any) -> None:
    """A 400 that names the field and makes nobody."""
    async with filled("lettings") as sandbox:
        reply = await submitted(agentos, sandbox, form, **{name: value})

    assert (400, True) == (reply.status, reply.json["Message"].startswith(name))
    assert ([], []) == (sandbox.stored("lettings applicants"), sandbox.ledger.effects)


@pytest.mark.parametrize("name", ["BranchID", "PropertyOID"])
@pytest.mark.asyncio
async def test_an_application_is_for_what_is_there(agentos: Any, name: str) -> None:
    """An unknown branch or property is a 400; the message repeats no value that was given."""
    async with filled("lettings") as sandbox:
        reply = await submitted(agentos, sandbox, "prospects/submittenancyapplication", **{name: "ana@example.com"})

    assert (400, False) == (reply.status, "ana" in reply.json["Message"])
    assert [] == sandbox.ledger.effects


@pytest.mark.parametrize("form", ["tenancyapplication/{}", "{}/alerts", "{}"])
@pytest.mark.asyncio
async def test_the_branch_in_the_path_has_to_be_there(agentos: Any, form: str) -> None:
    """Nothing is made for a branch that is not found."""
    async with filled("lettings") as sandbox:
        given: Any = {**ANA, "PropertyOID": first(sandbox, "lettings")}
        body = [given] if form == "{}" else given
        reply = await agentos(sandbox, "POST", "applications/prospects/" + form.format(NOBODY), json=body)

    assert (404, []) == (reply.status, sandbox.ledger.effects)


@pytest.mark.asyncio
async def test_the_branch_in_the_path_counts(agentos: Any) -> None:
    """More than one in the body."""
    async with filled("lettings") as sandbox:
        other = sandbox.stored("branches")[1]["OID"]
        await submitted(agentos, sandbox, "prospects/tenancyapplication/{}", BranchID=other)

    assert first(sandbox, "branches") == sandbox.stored("applications")[0]["BranchID"]


@pytest.mark.asyncio
async def test_a_batch_is_carried_out_whole_or_not_at_all(agentos: Any) -> None:
    """Answered by a list of OIDs; one that is wrong stops all."""
    async with filled("lettings") as sandbox:
        path = f"applications/prospects/{first(sandbox, 'branches')}"
        ana = {**ANA, "PropertyOID": first(sandbox, "lettings")}
        bodies: list[Any] = [[ana, {**ana, "Surname": ""}], [], ana, [ana, 5], [ana, ana]]
        replies = [await agentos(sandbox, "POST", path, json=body) for body in bodies]

    assert [400, 400, 400, 400, 201] == [reply.status for reply in replies]
    assert [record["OID"] for record in sandbox.stored("applications")] == replies[-1].json
    assert (1, 2, 3) == (
        len(sandbox.stored("lettings applicants")),
        len(sandbox.stored("applications")),
        len(sandbox.ledger.effects),
    )


@pytest.mark.asyncio
async def test_an_applicant_is_a_contact_of_the_branch_and_an_application_is_referenced(agentos: Any) -> None:
    """Other tiers see what this one has made."""
    async with filled("lettings") as sandbox:
        oid = (await submitted(agentos, sandbox, "prospects/submittenancyapplication")).json
        people = (await agentos(sandbox, "GET", "contacts/applicants/lettings/0/10?integrator=Acme")).json
        found = (await agentos(sandbox, "GET", f"referencing/applications/{first(sandbox, 'branches')}/0/10")).json

    assert ["Ana"] == [person["Forename"] for person in people["Data"]]
    assert [oid] == [application["OID"] for application in found["Data"]]


# --- lists that lag -----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_list_can_lag_behind(agentos: Any, clock: Any) -> None:
    """A new job is shown by its OID at once, and listed after the lag; what was filled in is listed at once."""
    async with Sandbox(api="agentos", search_lag=5.0, clock=clock) as sandbox:
        sandbox.fill("jobs", 2)
        branch = sandbox.stored("jobs")[0]["BranchID"]
        oid = (await agentos(sandbox, "POST", f"maintenance/jobs/{branch}/job", json={"Note": "x"})).json

        async def listed() -> tuple[int, bool]:
            found = (await agentos(sandbox, "GET", f"maintenance/jobs/{branch}/0/1000")).json
            return found["Count"], oid in [record["OID"] for record in found["Data"]]

        assert 200 == (await agentos(sandbox, "GET", f"maintenance/jobs/{oid}")).status
        assert (1, False) == await listed()
        clock.now += 4.9
        assert (1, False) == await listed()
        clock.now += 0.1
        assert (2, True) == await listed()

    assert 3 == len(sandbox.stored("jobs"))


@pytest.mark.asyncio
async def test_the_lag_does_not_hide_an_applicant_from_the_agency(agentos: Any, clock: Any) -> None:
    """The second application is linked to the contact that no list shows yet."""
    async with Sandbox(api="agentos", search_lag=5.0, clock=clock) as sandbox:
        body = ANA | {"BranchID": first(sandbox, "branches")}
        path = f"applications/prospects/{body['BranchID']}/alerts"
        replies = [await agentos(sandbox, "POST", path, json=body) for _ in range(2)]
        listed = (await agentos(sandbox, "GET", "contacts/applicants/lettings/0/1000?integrator=Acme")).json

    assert [201, 201] == [reply.status for reply in replies]
    assert (1, 2, 0) == (len(sandbox.stored("lettings applicants")), len(sandbox.stored("alerts")), listed["Count"])
