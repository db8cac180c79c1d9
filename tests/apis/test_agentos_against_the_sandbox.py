"""The agentOS client against its judge, which was written from the same pages by somebody who has not seen it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from leavo_async import (
    AuthenticationError,
    BadRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    QueryKey,
    RateLimitError,
    RetryPolicy,
)
from leavo_async.apis.agentos import AgentOSClient
from leavo_async.sandbox import Fault, FixedWindow, Sandbox

pytestmark = pytest.mark.asyncio
DAY = date(2026, 3, 2)


@asynccontextmanager
async def both(
    *faults: Fault, client: dict[str, Any] | None = None, **server: Any
) -> AsyncIterator[tuple[AgentOSClient, Sandbox]]:
    """A client and its sandbox, with three of each kind that is asked for below; no limit and no waiting."""
    async with Sandbox(api="agentos", faults=faults, **server) as sandbox:
        for kind in ("lettings", "sales", "features", "photos", "tenants", "staff"):
            sandbox.fill(kind, 3)
        options = {"limits": (), "retry": RetryPolicy(first_delay=0, max_delay=0), **(client or {})}
        at = {"short_name": "sandbox", "base_url": sandbox.base_url, "allow_insecure_loopback": True}
        async with AgentOSClient(sandbox.key, **{**at, **options}) as agentos:
            yield agentos, sandbox


async def test_a_long_listing_is_whole_and_in_order() -> None:
    """Over pages whose place is in the path, and to the total that the server names."""
    async with both() as (agentos, sandbox):
        sandbox.fill("lettings", 42)
        listed = [letting.OID async for letting in agentos.advertising.lettings(page_size=10)]
        count = sandbox.ledger.count("GET")

    assert listed == [letting["OID"] for letting in sandbox.stored("lettings")]
    assert count == 5


async def test_the_lettings_of_one_branch_are_its_own() -> None:
    """A filter that the sandbox ignored would make a test pass that asks for too much."""
    async with both() as (agentos, sandbox):
        branch, *_ = await agentos.advertising.branches().collect()
        listed = [letting.OID async for letting in agentos.advertising.lettings(branch_id=branch.OID)]

    assert listed == [it["OID"] for it in sandbox.stored("lettings") if it["BranchID"] == branch.OID]
    assert 0 < len(listed) < 3


async def test_a_sale_is_read_with_all_that_belongs_to_it() -> None:
    """From the list of all to the pictures of one."""
    async with both() as (agentos, _):
        sale, *_ = await agentos.advertising.sales().collect()
        whole = await agentos.advertising.sales_instruction(sale.OID)
        features = await agentos.advertising.features(sale.OID).collect()
        photos = await agentos.advertising.photos(sale.OID).collect()

    assert (whole.OID, whole.ETag, whole.Address) == (sale.OID, sale.ETag, sale.Address)
    assert {part.PropertyOID for part in features + photos} == {sale.OID}


async def test_an_appointment_is_booked_into_a_free_slot_and_found_again() -> None:
    """A type, a slot of that type, a booking, and the appointments of those days."""
    async with both() as (agentos, _):
        branch, *_ = await agentos.advertising.branches().collect()
        kind, *_ = await agentos.appointments.types().collect()
        slot, *_ = await agentos.appointments.allocations(appointment_type_id=kind.OID, preferred_date=DAY).collect()
        letting, *_ = await agentos.appointments.lettings().collect()
        form = {"AppointmentTypeID": kind.OID, "BranchID": branch.OID, "StartDate": slot.StartDate}
        booked = await agentos.appointments.book({**form, "EndDate": slot.EndDate}, property_ids=[letting.OID])
        days = agentos.appointments.between(
            branch.OID, start=DAY, end=DAY + timedelta(1), appointment_type_ids=[kind.OID]
        )
        (found,) = await days.collect()
        again = await agentos.appointments.get(found.OID)

    assert isinstance(booked, str)
    assert (found.StartDate, again.PropertyID) == (slot.StartDate, [letting.OID])


async def test_a_job_is_created_changed_and_read() -> None:
    """Writes answer with a bare text."""
    async with both() as (agentos, _):
        branch, *_ = await agentos.advertising.branches().collect()
        created = await agentos.maintenance.create_job(branch.OID, {"Description": "No hot water"})
        (job,) = await agentos.maintenance.jobs(branch.OID).collect()
        await agentos.maintenance.update_job(job.OID, {"Description": "Done"})
        changed = await agentos.maintenance.job(job.OID)

    assert created == job.OID
    assert changed.Description == "Done"


async def test_an_application_is_taken_both_ways() -> None:
    """At once, and through the in-tray; for a property that is not there the server's words come with the error."""
    async with both() as (agentos, sandbox):
        branch, *_ = await agentos.advertising.branches().collect()
        letting, *_ = await agentos.advertising.lettings().collect()
        person = {"forename": "Ana", "surname": "Souza", "email_address": "ana@example.com"}
        form = {**person, "branch_id": branch.OID, "property_oid": letting.OID}
        answers = [await agentos.applications.create(form), await agentos.applications.submit(form)]
        with pytest.raises(BadRequestError, match="PropertyOID"):
            await agentos.applications.create({**form, "property_oid": "none"})

    assert [type(answer) for answer in answers] == [str, str]
    assert {stored["EmailAddress"] for stored in sandbox.stored("applications")} == {"ana@example.com"}


async def test_a_person_is_read_with_the_name_of_the_integrator() -> None:
    """As one of all, and by itself."""
    async with both() as (agentos, _):
        tenant, *_ = await agentos.contacts.tenants(integrator="crm").collect()
        again = await agentos.contacts.tenant(tenant.OID, integrator="crm")

    assert again.model_dump() == tenant.model_dump()


async def test_the_key_is_taken_in_the_query_too() -> None:
    """When it is asked for; no name or error of ours has it."""
    async with both(client={"auth": QueryKey()}) as (agentos, sandbox):
        await agentos.advertising.company()
        assert sandbox.key not in repr(agentos)


async def test_refusals_have_classes() -> None:
    """A tier that is not enabled, and the data of another agency."""
    async with both(tiers=("advertising",)) as (agentos, _):
        with pytest.raises(AuthenticationError, match="this tier is not enabled"):
            await agentos.maintenance.status_types().collect()
        with pytest.raises(PermissionDeniedError):
            await agentos.advertising.company(path_params={"short_name": "other"})


async def test_a_429_without_words_keeps_the_key_still_for_a_minute() -> None:
    """AgentOS does not say how long; more patience than the policy has is not begun."""
    async with both(limit=lambda: FixedWindow(1, 60), client={"retry": RetryPolicy(max_wait=5)}) as (agentos, sandbox):
        await agentos.advertising.company()
        for _ in range(3):
            with pytest.raises(RateLimitError):
                await agentos.advertising.company()
        assert sandbox.ledger.count("GET") == 2


@pytest.mark.parametrize("fault", [Fault(reset="after"), Fault(status=500, commit=True), Fault(reset="before")])
async def test_a_write_whose_answer_is_lost_is_sent_once(fault: Fault) -> None:
    """Whether it was done or not: nothing is ever done twice."""
    async with both(fault) as (agentos, sandbox):
        with pytest.raises(OutcomeUnknownError):
            await agentos.property_management.create_lead({"Forename": "Ana"})

    assert sandbox.ledger.count("POST") == 1
    assert len(sandbox.stored("leads")) <= 1
