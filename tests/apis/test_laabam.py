"""Laabam One: keys, invoices and records."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aioresponses import aioresponses
from pydantic import ValidationError

from leavo_async import (
    AuthenticationError,
    ConfigError,
    IdempotencyMismatchError,
    KeyPair,
    OutcomeUnknownError,
    PermissionDeniedError,
    RetryPolicy,
    Secret,
)
from leavo_async.apis.laabam import Invoice, LaabamClient, NewInvoice, NewInvoiceItem, Record
from leavo_async.testing import FakeTransport, reply, virtual_time

from ..faults.wire import Wire, answer, http
from ..security.servers import printed_locals
from .laabam import ID, SECRET, client, lacks, last_body

ITEM: Any = {"product_id": "prd_1", "quantity": 2, "unit_price": Decimal("1500.00"), "tax_rate": 18}
UUID = "9f4f7a52-6d1c-4b0e-9a55-2f6f3f0c7a10"
FLOAT = 1500.1
NEW: Any = {"customer_id": "cus_1", "items": [ITEM]}
# As the documents show one, with made-up values.
INVOICE: Any = {
    "id": "inv_1",
    "number": "INV/1",
    "status": "unpaid",
    "customer_id": "cus_canary",
    "currency": "INR",
    "subtotal": "3000.00",
    "tax_amount": "540.00",
    "round_off": "0.00",
    "total": "3540.00",
    "due_amount": "3540.00",
    "invoice_date": "2026-01-31",
    "due_date": "2026-02-28",
    "items": [{"product_id": "prd_1", "quantity": 2, "unit_price": "1500.00", "tax_rate": 18, "amount": "3540.00"}],
    "created_at": "2026-01-31T09:30:00Z",
}


@pytest.mark.asyncio
async def test_id_and_secret_go_out_in_two_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment; and the secret nowhere else."""
    monkeypatch.setenv("LAABAM_CLIENT_ID", ID)
    monkeypatch.setenv("LAABAM_CLIENT_SECRET", SECRET)
    async with (
        Wire(answer(http(body=b'{"data": {"id": "inv_1"}}'))) as wire,
        LaabamClient(base_url=wire.url, allow_insecure_loopback=True) as laabam,
    ):
        await laabam.invoices.get("inv_1")

    (request,) = wire.requests
    assert (ID, SECRET) == (request.headers["x-client-id"], request.headers["x-client-secret"])
    assert "authorization" not in request.headers
    assert SECRET not in repr(laabam)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ((), "no API key: set LAABAM_CLIENT_ID and LAABAM_CLIENT_SECRET"),
        ((ID,), "no API key"),
        ((None, SECRET), "no id"),
        ((SECRET, ID), "stand in each other's place"),
        (("made-up", SECRET), "the id does not begin with lk_id_"),
        ((ID, "made-up"), "the secret does not begin with lk_secret_"),
        ((ID, KeyPair(ID, SECRET)), "client_id: not beside a KeyPair"),
    ],
)
def test_keys_that_cannot_be_are_refused(given: Any, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Swapped ones too; and the error does not show them."""
    for name in ("LAABAM_CLIENT_ID", "LAABAM_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=problem) as caught:
        LaabamClient(*given)

    assert SECRET not in str(caught.value) + printed_locals(caught.value)


@virtual_time
async def test_a_key_may_come_in_each_way() -> None:
    """As two texts, as a Secret, as a pair, from a coroutine function; half of it from the environment."""

    async def vault() -> KeyPair:
        return KeyPair(ID, SECRET)

    keys: list[Any] = [(ID, SECRET), (ID, Secret(SECRET)), (None, KeyPair(ID, SECRET)), (None, vault)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAABAM_CLIENT_ID", ID)
        for key in [*keys, (None, SECRET)]:
            laabam = LaabamClient(*key, transport=FakeTransport(reply(200, {"id": "1"})))
            assert "1" == (await laabam.products.get("1")).id


@virtual_time
async def test_a_secret_that_ends_soon_is_told() -> None:
    """As any key of which it is known."""
    ends = Secret(SECRET, expires_at=datetime.now(UTC) + timedelta(hours=5))
    with pytest.warns(UserWarning, match="expires"):
        await LaabamClient(ID, ends, transport=FakeTransport()).request("GET", "/invoices")


@virtual_time
async def test_a_refused_key_is_told_as_what_the_server_does_not_say() -> None:
    """Any fault of id or secret gives the same 401."""
    laabam = client(FakeTransport(reply(401, {"error": {"code": "unauthorized"}})))
    with pytest.raises(AuthenticationError, match="the id or the secret is missing, wrong, inactive or expired"):
        await laabam.invoices.get("inv_1")


@pytest.mark.asyncio
async def test_invoices_are_listed_by_cursor(mocked: aioresponses) -> None:
    """With the filters of the documents, at their place."""
    base = "https://laabam.app/api/v1/invoices"
    filters = "status=unpaid&customer_id=cus_1&from=2026-01-01&to=2026-01-31&sort=-invoice_date&limit=1"
    first = {"data": [INVOICE], "paging": {"next_cursor": "c2", "has_more": True}}
    last = {"data": [{"id": "inv_2"}], "paging": {"next_cursor": None, "has_more": False}}
    mocked.get(f"{base}?{filters}", payload=first)
    mocked.get(f"{base}?{filters}&cursor=c2", payload=last)

    async with LaabamClient(ID, SECRET, limits=()) as laabam:
        found = laabam.invoices.list(
            status="unpaid",
            customer_id="cus_1",
            from_=date(2026, 1, 1),
            to="2026-01-31",
            sort="-invoice_date",
            page_size=1,
        )
        assert ["inv_1", "inv_2"] == [invoice.id async for invoice in found]


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ({"status": "open"}, "status: Input should be 'unpaid', 'partial', 'paid' or 'voided'"),
        ({"sort": "--total"}, "sort"),
        ({"sort": ""}, "sort"),
        ({"from_": "31.01.2026"}, "from_"),
        ({"from_": "2026-02-01", "to": "2026-01-31"}, "from_ is later than to"),
        ({"customer_id": " "}, "customer_id: is empty"),
    ],
)
def test_filters_that_cannot_be_are_refused_at_once(filters: Any, problem: str) -> None:
    """Not at the first page, and not as an empty listing."""
    with pytest.raises(ConfigError, match=rf"^invoices.list: .*{problem}"):
        client(FakeTransport()).invoices.list(**filters)
    with pytest.raises(ConfigError, match="page_size=101: expected 1 to 100"):
        client(FakeTransport()).invoices.list(page_size=101)


@virtual_time
async def test_money_comes_as_decimals() -> None:
    """To the last place, as the server has written it; and so it is written again."""
    invoice = await client(FakeTransport(reply(200, {"data": INVOICE}))).invoices.get("inv_1")

    amounts = ("subtotal", "tax_amount", "round_off", "total", "due_amount")
    assert {name: Decimal(INVOICE[name]) for name in amounts} == {name: getattr(invoice, name) for name in amounts}
    assert {Decimal} == {type(getattr(invoice, name)) for name in amounts}
    assert ("3540.00", "1500.00") == (str(invoice.due_amount), str(invoice.items[0].unit_price))
    assert date(2026, 2, 28) == invoice.due_date
    assert "3540.00" == invoice.model_dump(mode="json")["total"]


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (Decimal("1500.00"), "1500.00"),
        ("1500.10", "1500.10"),
        (1500, "1500"),
        (Decimal("1.5E+3"), "1500"),
        (Decimal("-0.05"), "-0.05"),
        (Decimal(10) / 3, "3.333333333333333333333333333"),
    ],
)
@virtual_time
async def test_money_goes_out_as_decimal_texts(price: Any, text: str) -> None:
    """Whatever exact form it was given in; other numbers stay numbers."""
    transport = FakeTransport(reply(201, {"data": INVOICE}))
    await client(transport).invoices.create(
        customer_id="cus_1",
        items=[{**ITEM, "unit_price": price}, NewInvoiceItem(**{**ITEM, "quantity": 1.5})],
        currency="INR",
        invoice_date=date(2026, 1, 31),
        fields={
            "customer_id": "cus_2",
            "notes": "made up",
            "shipping": {"cost": Decimal("9.90")},
            "charges": [Decimal("1E+1")],
        },
    )

    assert {
        "customer_id": "cus_1",
        "items": [{**ITEM, "unit_price": text}, {**ITEM, "unit_price": "1500.00", "quantity": 1.5}],
        "currency": "INR",
        "invoice_date": "2026-01-31",
        "notes": "made up",
        "shipping": {"cost": "9.90"},
        "charges": ["10"],
    } == last_body(transport)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"items": [{**ITEM, "unit_price": 1500.1}]}, "items.0.unit_price: expected a Decimal, or a text"),
        ({"items": [{**ITEM, "unit_price": True}]}, "items.0.unit_price: expected a Decimal"),
        ({"items": [{**ITEM, "unit_price": "1,500"}]}, "items.0.unit_price: "),
        ({"items": [{**ITEM, "unit_price": Decimal("NaN")}]}, "items.0.unit_price: "),
        (
            {"items": [{**ITEM, "unit_price": Decimal(FLOAT)}]},
            "items.0.unit_price: expected a Decimal.* 28 digits",
        ),
        ({"items": [{**ITEM, "unit_price": "1E+999999999"}]}, "items.0.unit_price: expected a Decimal.* 28 digits"),
        ({"items": [{**ITEM, "unit_price": Decimal("1E-999999999")}]}, "items.0.unit_price: expected a Decimal"),
        ({"fields": {"shipping": Decimal(FLOAT)}}, "shipping: expected a Decimal.* 28 digits"),
        ({"items": [{**ITEM, "discount": 0.1}]}, "items.0: discount: expected a Decimal"),
        ({"items": [{**ITEM, "amount": "3540.00"}]}, "items.0: amount: computed by the server"),
        ({"items": [{**ITEM, "quantity": -1}]}, "items.0.quantity"),
        ({"items": []}, "items: "),
        ({"customer_id": " "}, "customer_id: is empty"),
        ({"currency": "Rs"}, "currency: "),
        ({"fields": {"shipping": {"costs": [0.5]}}}, "shipping.costs.0: expected a Decimal, or a text"),
        ({"fields": {"shipping": Decimal("Infinity")}}, "shipping: expected a Decimal"),
        ({"fields": {5: "3540.00"}}, "Keys should be strings"),
        ({"fields": {"total": "3540.00", "subtotal": "1"}}, "subtotal, total: computed by the server"),
    ],
)
@virtual_time
async def test_an_invoice_that_cannot_be_is_refused_before_it_is_sent(fields: Any, problem: str) -> None:
    """A float for money, a total of ours: with the field and what to do, without the value."""
    transport = FakeTransport()
    with pytest.raises(ConfigError, match=rf"^invoices.create: .*{problem}") as caught:
        await client(transport).invoices.create(**{**NEW, **fields})

    assert [] == transport.requests
    assert "3540" not in str(caught.value).replace('such as "3540.00"', "")
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


def test_an_item_cannot_be_changed_once_it_is_checked() -> None:
    """Its price could be a float otherwise; and what is refused when it is made does not show."""
    item = NewInvoiceItem(**{**ITEM, "discount": "1.00"})
    for name in ("unit_price", "discount"):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(item, name, 1500.1)

    with pytest.raises(ValidationError) as caught:
        NewInvoiceItem(**{**ITEM, "unit_price": "Canary"})
    assert "Canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["customers", "products", "payments"])
@virtual_time
async def test_records_have_whatever_fields(name: str) -> None:
    """Listed, read and made at the paths that follow from their names."""
    page = {"data": [{"id": "1", "made_up": "Canary"}], "paging": {"next_cursor": None, "has_more": False}}
    transport = FakeTransport(reply(200, page), reply(200, {"data": {"id": "a/b"}}), reply(201, {"data": {"id": "3"}}))
    records = getattr(client(transport), name)
    (listed,) = await records.list(filters={"made_up": 1}).collect()
    await records.get("a/b")
    made = await records.create({"name": "Made-up Ltd", "amount": Decimal("3540.00"), "since": date(2026, 1, 31)})

    assert ("Canary", "3") == (listed.made_up, made.id)
    assert [("GET", f"/{name}"), ("GET", f"/{name}/a%2Fb"), ("POST", f"/{name}")] == [
        (request.method, request.path) for request in transport.requests
    ]
    assert {"name": "Made-up Ltd", "amount": "3540.00", "since": "2026-01-31"} == last_body(transport)
    with pytest.raises(ConfigError, match=rf"^{name}.create: .*amount: expected a Decimal"):
        await records.create({"amount": 3540.0})
    with pytest.raises(ConfigError, match="holds a value that JSON cannot express"):
        await records.create({"made_up": object()})


@virtual_time
async def test_a_write_whose_answer_is_lost_goes_again_with_the_same_key() -> None:
    """The server keeps what it did for a key, and gives it again: one invoice."""
    transport = FakeTransport(reply(503), reply(201, {"data": INVOICE}, {"Idempotency-Replayed": "true"}))
    invoice = await client(transport).invoices.create(**NEW)

    first, second = transport.requests
    assert first.idempotency_key == second.idempotency_key
    assert "inv_1" == invoice.id


@virtual_time
async def test_a_key_that_the_server_may_have_forgotten_goes_out_no_more() -> None:
    """It is kept for a day; after that the same write would be another one."""
    transport = FakeTransport(reply(503), reply(429, headers={"Retry-After": "86400"}))
    with pytest.raises(OutcomeUnknownError):
        await client(transport, retry=RetryPolicy(max_wait=1e6)).invoices.create(**NEW)

    assert 2 == len(transport.requests)


@virtual_time
async def test_a_key_of_another_request_is_a_mismatch() -> None:
    """409 says so where the caller has named the key; it is not tried again."""
    transport = FakeTransport(reply(409, {"error": {"code": "conflict"}}))
    with pytest.raises(IdempotencyMismatchError) as caught:
        await client(transport).invoices.create(**NEW, idempotency_key=UUID)

    assert (UUID, 1) == (caught.value.idempotency_key, len(transport.requests))


@virtual_time
async def test_a_key_that_is_no_uuid_is_refused_before_it_is_sent() -> None:
    """The documents ask for one, on each write."""
    transport = FakeTransport(reply(201, {"data": {"id": "1"}}))
    laabam = client(transport)
    for write in (
        laabam.invoices.create(**NEW, idempotency_key="order-1"),
        laabam.payments.create({}, idempotency_key="order-1"),
        laabam.messages.email(to="ana@example.com", fields={}, idempotency_key="order-1"),
    ):
        with pytest.raises(ConfigError, match="idempotency_key: Laabam takes a UUID"):
            await write

    assert [] == transport.requests


@virtual_time
async def test_a_lacking_scope_is_named() -> None:
    """Where the server does not name it, by the route."""
    for call, scope in (("get", "invoices:read"), ("create", "invoices:write")):
        invoices = client(FakeTransport(lacks())).invoices
        with pytest.raises(PermissionDeniedError) as caught:
            await (invoices.get("inv_1") if call == "get" else invoices.create(**NEW))
        assert scope == caught.value.missing_scope


@virtual_time
async def test_a_429_waits_for_as_long_as_the_server_says() -> None:
    """Which it promises to say; without that, as after other failures, and not for a made-up number of seconds."""
    transport = FakeTransport(reply(429, headers={"Retry-After": "7"}), reply(429), reply(200, {"id": "inv_1"}))
    await client(transport).invoices.get("inv_1")

    first, second, third = transport.moments
    assert second - first >= 7
    assert third - second < 1


def test_what_is_shown_of_invoices_and_records() -> None:
    """Ids and states; neither amounts nor customers nor what the server has added."""
    invoice = Invoice.model_validate({**INVOICE, "notes": "Canary"})
    record = Record.model_validate({"id": "1", "name": "Canary"})
    new = NewInvoice(**{**NEW, "customer_id": "cus_canary"})

    for shown in (f"{invoice}{record}{new}", repr([invoice, record, new, *invoice.items, *new.items])):
        assert "anary" not in shown
        assert "3540" not in shown
        assert "1500" not in shown
    assert repr(invoice).startswith("Invoice(id='inv_1', status='unpaid', created_at=")
    assert "Canary" == invoice.model_dump()["notes"]
