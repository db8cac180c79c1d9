"""Laabam One's client and the sandbox, which was written from the documents by somebody who had not seen the client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from leavo_async import AuthenticationError, IdempotencyMismatchError, NotFoundError, PermissionDeniedError, RetryPolicy
from leavo_async.apis.laabam import LaabamClient, Template
from leavo_async.sandbox import Fault, Sandbox

UUID = "9f4f7a52-6d1c-4b0e-9a55-2f6f3f0c7a10"
SMS: Any = {
    "to": "+91 98000 00000",
    "message": "Made up",
    "sender_id": "MADEUP",
    "template_id": "1707000000000000001",
    "pe_id": "1101000000000000001",
}


def client(sandbox: Sandbox, *key: str) -> LaabamClient:
    return LaabamClient(
        *(key or sandbox.credentials),
        company="sandbox",
        base_url=sandbox.base_url,
        allow_insecure_loopback=True,
        limits=(),
        retry=RetryPolicy(first_delay=0, max_delay=0),
    )


@pytest_asyncio.fixture
async def laabam(laabam_sandbox: Sandbox) -> AsyncGenerator[LaabamClient, None]:
    async with client(laabam_sandbox) as laabam:
        yield laabam


@pytest.mark.asyncio
async def test_invoices_are_listed_and_read(laabam: LaabamClient, laabam_sandbox: Sandbox) -> None:
    """All of them, once each, with money to the last place."""
    laabam_sandbox.fill("invoices", 230)
    stored = laabam_sandbox.stored("invoices")
    found = await laabam.invoices.list(sort="created_at").collect()
    read = await laabam.invoices.get(found[0].id)

    assert {each["id"] for each in stored} == {invoice.id for invoice in found}
    assert 230 == len(found)
    assert Decimal(next(each["total"] for each in stored if each["id"] == read.id)) == read.total
    assert [] == await laabam.invoices.list(status="voided", to="2000-01-01").collect()


@pytest.mark.asyncio
async def test_a_record_whose_answer_is_lost_is_made_once(laabam: LaabamClient, laabam_sandbox: Sandbox) -> None:
    """The second attempt gets what the first has done."""
    laabam_sandbox.script(Fault(reset="after", method="POST"))
    made = await laabam.customers.create({"name": "Made-up Traders"})

    assert [made.id] == [customer.id async for customer in laabam.customers.list()]
    assert 2 == laabam_sandbox.ledger.count("POST")


@pytest.mark.asyncio
async def test_a_key_names_one_record(laabam: LaabamClient) -> None:
    """The same again is the same one, another is refused."""
    first = await laabam.customers.create({"name": "Made-up Traders"}, idempotency_key=UUID)
    again = await laabam.customers.create({"name": "Made-up Traders"}, idempotency_key=UUID)

    assert first.id == again.id
    with pytest.raises(IdempotencyMismatchError):
        await laabam.customers.create({"name": "Others"}, idempotency_key=UUID)


@pytest.mark.asyncio
async def test_messages_are_accepted_on_each_channel(laabam: LaabamClient) -> None:
    """And their status is read."""
    sms = await laabam.messages.sms(**SMS)
    whatsapp = await laabam.messages.whatsapp(to=SMS["to"], template=Template("invoice_due", "en", ["Acme", "3540.00"]))
    email = await laabam.messages.email(to="ana@example.com", fields={"subject": "Made up", "text": "Made up"})

    assert ["sms", "whatsapp", "email"] == [sms.channel, whatsapp.channel, email.channel]
    assert sms.id == (await laabam.messages.status(sms.id)).id
    with pytest.raises(NotFoundError):
        await laabam.messages.status("none")


@pytest.mark.asyncio
@pytest.mark.parametrize("has", ["invoices:read", "messages:email:send", "messaging:send"])
async def test_the_scopes_of_a_key_are_found_out_without_an_effect(has: str) -> None:
    """Those that it has and those that it lacks."""
    async with Sandbox(api="laabam", scopes={"key-1": [has]}) as sandbox, client(sandbox) as laabam:
        assert frozenset() == await laabam.require_scopes(has)
        with pytest.raises(PermissionDeniedError) as caught:
            await laabam.require_scopes(has, "products:read")

    assert "products:read" == caught.value.missing_scope
    assert not sandbox.ledger.effects


@pytest.mark.asyncio
async def test_any_fault_of_the_key_is_the_same_error(laabam_sandbox: Sandbox) -> None:
    """The server does not say which part it is."""
    async with client(laabam_sandbox, laabam_sandbox.credentials[0], "lk_secret_other") as laabam:
        with pytest.raises(AuthenticationError, match="does not say which"):
            await laabam.invoices.list().collect()
