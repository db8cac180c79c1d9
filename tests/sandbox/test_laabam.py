"""Laabam's face: credentials and scopes, money, pages, messages, and one company for each key."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from leavo_async.sandbox import FixedWindow, Sandbox

KEY = {"X-Client-Id": "lk_id_sandbox", "X-Client-Secret": "lk_secret_sandbox"}
OTHER = {"X-Client-Id": "lk_id_2", "X-Client-Secret": "lk_secret_2"}
OTHER_KEY = "lk_id_2:lk_secret_2"
ITEM = {"product_id": "prd_1", "quantity": 2, "unit_price": "1500.00", "tax_rate": 18}
INVOICE = {"customer_id": "cus_1", "items": [ITEM]}
SMS = {"to": "4915700000001", "message": "Your order is ready"}
INDIAN = {**SMS, "to": "919800000001", "sender_id": "SHOPIN", "template_id": "1207", "pe_id": "1101"}

AskAs = Callable[..., Awaitable[Any]]


def laabam(**settings: Any) -> Sandbox:
    return Sandbox(api="laabam", wall=lambda: 1_767_225_600.0, **settings)


@pytest.fixture
def ask(ask_as: AskAs) -> AskAs:
    async def ask(sandbox: Sandbox, method: str, path: str, *, key: dict[str, str] = KEY, **options: Any) -> Any:
        return await ask_as(sandbox, key, method, path, **options)

    return ask


# --- who asks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"X-Client-Id": "lk_id_sandbox"},
        {"X-Client-Secret": "lk_secret_sandbox"},
        {**KEY, "X-Client-Secret": "lk_secret_2"},
        {"X-Client-Id": "lk_secret_sandbox", "X-Client-Secret": "lk_id_sandbox"},
        {"Authorization": "Bearer lk_id_sandbox:lk_secret_sandbox"},
    ],
)
@pytest.mark.asyncio
async def test_every_fault_of_the_credentials_is_the_same_401(ask: AskAs, key: dict[str, str]) -> None:
    """Nobody learns which part was wrong."""
    async with laabam(keys=[OTHER_KEY]) as sandbox:
        reply = await ask(sandbox, "GET", "/invoices", key=key)

    assert (401, {"error": {"code": "unauthorized", "message": "Invalid credentials"}}) == (reply.status, reply.json)


def test_the_credentials_are_id_and_secret() -> None:
    """As a client is to be given them."""
    assert ("lk_id_sandbox", "lk_secret_sandbox") == laabam().credentials


@pytest.mark.asyncio
async def test_paths_begin_with_the_version() -> None:
    """The base URL has it."""
    async with laabam() as sandbox:
        assert sandbox.url + "/api/v1" == sandbox.base_url


@pytest.mark.asyncio
async def test_a_path_outside_of_the_version_is_not_there(ask_as: AskAs) -> None:
    """A client with a wrong base URL must notice."""
    async with laabam() as sandbox:
        reply = await ask_as(sandbox, KEY, "GET", "/../../invoices")

    assert (404, "not_found") == (reply.status, reply.error["code"])


SCOPED = [
    ("GET", "/invoices", "invoices:read"),
    ("GET", "/invoices/inv_1", "invoices:read"),
    ("POST", "/invoices", "invoices:write"),
    ("GET", "/customers", "customers:read"),
    ("POST", "/products", "products:write"),
    ("GET", "/payments", "payments:read"),
    ("POST", "/messaging/sandbox/sms", "messages:sms:send"),
    ("POST", "/messaging/sandbox/sms", "messaging:send"),
    ("POST", "/messaging/sandbox/whatsapp", "messages:whatsapp:send"),
    ("POST", "/messaging/sandbox/email", "messages:email:send"),
    ("GET", "/messaging/sandbox/messages/msg_1", "messages:read"),
]


@pytest.mark.parametrize(("method", "path", "scope"), SCOPED)
@pytest.mark.asyncio
async def test_a_call_needs_its_scope(ask: AskAs, method: str, path: str, scope: str) -> None:
    """The scope that lets one call through is not enough for others; a key that is not named may do everything."""
    all_scopes = {each for _, _, each in SCOPED}
    alike = {scope, "messaging:send", f"messages:{path.rpartition('/')[2]}:send"}
    async with laabam(keys=[OTHER_KEY, "a:b"], scopes={"key-1": {scope}, "key-2": all_scopes - alike}) as sandbox:
        replies = [
            await ask(sandbox, method, path, key=key, json={})
            for key in (KEY, OTHER, {"X-Client-Id": "a", "X-Client-Secret": "b"})
        ]

    assert [False, True, False] == [reply.status == 403 for reply in replies]
    assert {"code": "insufficient_scope", "message": "The key lacks a scope"} == replies[1].error


@pytest.mark.asyncio
async def test_a_403_may_name_the_scope(ask: AskAs) -> None:
    """No document shows whether it does: a client is tried with both."""
    async with laabam(scopes={"key-1": ()}, names_scope=True) as sandbox:
        reply = await ask(sandbox, "POST", "/invoices", json=INVOICE)

    assert ("invoices:write", "The key lacks the scope invoices:write") == (
        reply.error["scope"],
        reply.error["message"],
    )
    assert [] == sandbox.stored("invoices")


@pytest.mark.asyncio
async def test_each_key_is_one_company(ask: AskAs) -> None:
    """What one creates, another cannot see, by whatever path."""
    async with laabam(keys=[OTHER_KEY]) as sandbox:
        invoice = (await ask(sandbox, "POST", "/invoices", json=INVOICE)).data
        message = (await ask(sandbox, "POST", "/messaging/sandbox/sms", json=SMS)).data
        lost = await ask(sandbox, "GET", f"/messaging/sandbox-2/messages/{message['id']}")
        paths = (
            f"/invoices/{invoice['id']}",
            f"/messaging/sandbox/messages/{message['id']}",
            f"/messaging/sandbox-2/messages/{message['id']}",
        )
        statuses = [(await ask(sandbox, "GET", path, key=OTHER)).status for path in paths]
        foreign = await ask(sandbox, "POST", "/messaging/sandbox/sms", json=SMS, key=OTHER)
        own = await ask(sandbox, "POST", "/messaging/sandbox-2/sms", json=SMS, key=OTHER)
        listed = (await ask(sandbox, "GET", "/invoices", key=OTHER)).data

    assert ([404, 404, 404], 404, 202, []) == (statuses, foreign.status, own.status, listed)
    assert 404 == lost.status
    assert ([invoice], []) == (sandbox.stored("invoices"), sandbox.stored("invoices", key="key-2"))


# --- invoices and the other collections ---------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_server_computes_the_totals(ask: AskAs) -> None:
    """And ignores those of the client, its status and its id; an answer has the fields that the documents show."""
    claims = dict.fromkeys(("subtotal", "tax_amount", "round_off", "total", "due_amount"), "1.00")
    claims |= {"status": "paid", "number": "INV/1", "id": "inv_1"}
    dates = {"invoice_date": "2026-03-31", "due_date": "2026-04-30"}
    items = [{**ITEM, "amount": "1.00"}]
    async with laabam() as sandbox:
        reply = await ask(sandbox, "POST", "/invoices", json={**INVOICE, **dates, **claims, "items": items})
        again = await ask(sandbox, "GET", f"/invoices/{reply.data['id']}")

    assert (201, again.json) == (reply.status, reply.json)
    assert {
        "id": reply.data["id"],
        "number": "INV/2025-26/001",
        "status": "unpaid",
        "customer_id": "cus_1",
        "currency": "INR",
        "subtotal": "3000.00",
        "tax_amount": "540.00",
        "round_off": "0.00",
        "total": "3540.00",
        "due_amount": "3540.00",
        **dates,
        "items": [{**ITEM, "amount": "3540.00"}],
        "created_at": "2026-01-01T00:00:00Z",
    } == reply.data
    assert reply.data["id"] != claims["id"]
    assert [("created", reply.data["id"])] == [(effect.kind, effect.id) for effect in sandbox.ledger.effects]


@pytest.mark.asyncio
async def test_an_invoice_needs_a_customer_and_prices(ask: AskAs) -> None:
    """The rest of it may be missing, and what the documents do not name is kept."""
    body = {"customer_id": "cus_1", "items": [{"unit_price": "10.00", "hint": "kept"}], "note": "kept"}
    async with laabam() as sandbox:
        data = (await ask(sandbox, "POST", "/invoices", json=body)).data

    item = {"product_id": None, "quantity": 1, "unit_price": "10.00", "tax_rate": 0, "amount": "10.00", "hint": "kept"}
    made_up = {"currency": "INR", "invoice_date": "2026-01-01", "due_date": "2026-01-01", "items": [item]}
    assert {**made_up, "note": "kept"} == {name: data[name] for name in (*made_up, "note")}


@pytest.mark.asyncio
async def test_invoices_are_numbered_by_fiscal_year(ask: AskAs) -> None:
    """It begins in April; no number comes twice."""
    days = ("2026-03-31", "2026-04-01", "1999-12-31")
    async with laabam() as sandbox:
        asked = [await ask(sandbox, "POST", "/invoices", json={**INVOICE, "invoice_date": day}) for day in days]

    assert ["INV/2025-26/001", "INV/2026-27/002", "INV/1999-00/003"] == [reply.data["number"] for reply in asked]


ROUNDED = [
    ("EUR", {"subtotal": "10.26", "tax_amount": "1.84", "round_off": "0.00", "total": "12.10"}),
    ("INR", {"subtotal": "10.26", "tax_amount": "1.84", "round_off": "-0.10", "total": "12.00"}),
]


@pytest.mark.parametrize(("currency", "expected"), ROUNDED)
@pytest.mark.asyncio
async def test_totals_are_rounded(ask: AskAs, currency: str, expected: dict[str, str]) -> None:
    """5.125 is 5.13, twice, and not 10.25; so is 0.9234 of tax 0.92. Rupees are rounded off to whole ones."""
    item = {"unit_price": "5.125", "tax_rate": 18}
    body = {"customer_id": "c", "currency": currency, "items": [item, item]}
    async with laabam() as sandbox:
        data = (await ask(sandbox, "POST", "/invoices", json=body)).data

    assert {**expected, "due_amount": expected["total"]} == {name: data[name] for name in (*expected, "due_amount")}
    assert ["6.05", "6.05"] == [item["amount"] for item in data["items"]]


@pytest.mark.asyncio
async def test_the_greatest_numbers_make_an_exact_total(ask: AskAs) -> None:
    """And not an error of arithmetic."""
    item = {"unit_price": "999999999999999.99", "quantity": 1_000_000, "tax_rate": 100}
    async with laabam() as sandbox:
        data = (await ask(sandbox, "POST", "/invoices", json={"customer_id": "c", "items": [item]})).data

    assert "1999999999999999980000.00" == data["total"]


DUE = {"unpaid": 1.0, "partial": 0.5, "paid": 0.0, "voided": 0.0}


def test_a_made_up_invoice_owes_what_its_status_says() -> None:
    """A part of it is half of it; and it is of a product that is there, if there is any."""
    sandbox = laabam()
    sandbox.fill("products", 1)
    sandbox.fill("invoices", 50)
    invoices = sandbox.stored("invoices")

    assert set(DUE) == {each["status"] for each in invoices}
    assert [float(each["total"]) * DUE[each["status"]] for each in invoices] == [
        float(each["due_amount"]) for each in invoices
    ]
    assert {sandbox.stored("products")[0]["id"]} == {each["items"][0]["product_id"] for each in invoices}


BAD = [
    ("/invoices", [], "body"),
    ("/invoices", {"items": [ITEM]}, "customer_id"),
    ("/invoices", {"customer_id": "cus_1", "line_items": [ITEM]}, "items"),
    ("/invoices", {**INVOICE, "items": []}, "items"),
    ("/invoices", {**INVOICE, "items": ["Lamp"]}, "items"),
    ("/invoices", {**INVOICE, "items": [{"unit_price": 10.5}]}, "unit_price"),
    ("/invoices", {**INVOICE, "items": [{"unit_price": "1e3"}]}, "unit_price"),
    ("/invoices", {**INVOICE, "items": [{"product_id": "prd_1"}]}, "unit_price"),
    ("/invoices", {**INVOICE, "items": [{**ITEM, "product_id": 1}]}, "product_id"),
    ("/invoices", {**INVOICE, "items": [{**ITEM, "quantity": -1}]}, "quantity"),
    ("/invoices", {**INVOICE, "items": [{**ITEM, "quantity": 1_000_001}]}, "quantity"),
    ("/invoices", {**INVOICE, "items": [{**ITEM, "quantity": True}]}, "quantity"),
    ("/invoices", {**INVOICE, "items": [{**ITEM, "quantity": "2"}]}, "quantity"),
    ("/invoices", {**INVOICE, "items": [{**ITEM, "tax_rate": "18"}]}, "tax_rate"),
    ("/invoices", {**INVOICE, "items": [{**ITEM, "tax_rate": 100.5}]}, "tax_rate"),
    ("/invoices", {**INVOICE, "currency": 356}, "currency"),
    ("/invoices", {**INVOICE, "invoice_date": "01.02.2026"}, "invoice_date"),
    ("/invoices", {**INVOICE, "due_date": "2026-02-30"}, "due_date"),
    ("/customers", {"name": " "}, "name"),
    ("/products", {}, "name"),
    ("/payments", {"amount": 10}, "amount"),
]


@pytest.mark.parametrize(("path", "body", "field"), BAD)
@pytest.mark.asyncio
async def test_bad_input_is_a_400_that_names_the_field(ask: AskAs, path: str, body: Any, field: str) -> None:
    """And nothing is created."""
    async with laabam() as sandbox:
        reply = await ask(sandbox, "POST", path, json=body)

    assert (400, "invalid_request", field) == (reply.status, reply.error["code"], reply.error["message"].split()[0])
    assert [] == sandbox.ledger.effects


@pytest.mark.asyncio
async def test_a_body_that_is_not_json_is_a_400(ask: AskAs) -> None:
    """Also one that is nested too deeply to be read."""
    async with laabam() as sandbox:
        replies = [await ask(sandbox, "POST", "/invoices", data=data) for data in (b"{", b"[" * 100_000)]

    assert [400, 400] == [reply.status for reply in replies]


@pytest.mark.parametrize("kind", ["invoices", "customers", "products", "payments"])
@pytest.mark.asyncio
async def test_a_listing_is_read_page_by_page(ask: AskAs, kind: str) -> None:
    """Every thing once, in order of creation, until there is no more; 25 to a page if nobody says otherwise."""
    async with laabam() as sandbox:
        sandbox.fill(kind, 60)
        pages, cursor = [], ""
        while cursor is not None:
            pages.append((await ask(sandbox, "GET", f"/{kind}?cursor={cursor}")).json)
            cursor = pages[-1]["paging"]["next_cursor"]

    assert [25, 25, 10] == [len(page["data"]) for page in pages]
    assert [True, True, False] == [page["paging"]["has_more"] for page in pages]
    assert sandbox.stored(kind) == [thing for page in pages for thing in page["data"]]
    assert not sandbox.ledger.effects


@pytest.mark.asyncio
async def test_a_full_last_page_is_the_last(ask: AskAs) -> None:
    """No empty page comes after it; and a listing of nothing is one empty page."""
    async with laabam() as sandbox:
        empty = await ask(sandbox, "GET", "/invoices")
        sandbox.fill("invoices", 100)
        full = await ask(sandbox, "GET", "/invoices?limit=100")

    end = {"next_cursor": None, "has_more": False}
    assert ({"data": [], "paging": end}, 100, end) == (empty.json, len(full.data), full.json["paging"])


@pytest.mark.asyncio
async def test_what_comes_between_two_pages_shifts_nothing(ask: AskAs) -> None:
    """The cursor is the place after the last item, also where new ones stand in front."""
    async with laabam() as sandbox:
        for name in ("b", "d", "f"):
            await ask(sandbox, "POST", "/customers", json={"name": name})
        first = (await ask(sandbox, "GET", "/customers?sort=name&limit=2")).json
        await ask(sandbox, "POST", "/customers", json={"name": "a"})
        second = await ask(sandbox, "GET", f"/customers?sort=name&limit=2&cursor={first['paging']['next_cursor']}")

    assert ["f"] == [each["name"] for each in second.data]


SORTS = [
    ("total", ["9.00", "10.00", "100.00"]),
    ("-total", ["100.00", "10.00", "9.00"]),
    ("invoice_date", ["100.00", "9.00", "10.00"]),
    ("-invoice_date", ["10.00", "9.00", "100.00"]),
    ("due_date", ["9.00", "100.00", "10.00"]),
]


@pytest.mark.parametrize(("sort", "expected"), SORTS)
@pytest.mark.asyncio
async def test_a_listing_is_sorted_by_a_field(ask: AskAs, sort: str, expected: list[str]) -> None:
    """Money by its worth, not as text; a minus sign turns the order around."""
    async with laabam() as sandbox:
        for price, month, due in (("10", "03", "06"), ("9", "02", "04"), ("100", "01", "05")):
            dates = {"invoice_date": f"2026-{month}-01", "due_date": f"2026-{due}-01"}
            body = {"customer_id": "c", **dates, "items": [{"unit_price": price}]}
            await ask(sandbox, "POST", "/invoices", json=body)
        reply = await ask(sandbox, "GET", f"/invoices?sort={sort}")

    assert expected == [invoice["total"] for invoice in reply.data]


FILTERS = [
    ("status=paid", lambda i: i["status"] == "paid"),
    ("from=2026-03-01", lambda i: i["invoice_date"] >= "2026-03-01"),
    ("to=2026-03-31", lambda i: i["invoice_date"] <= "2026-03-31"),
    (
        "from=2026-02-01&to=2026-02-28&status=unpaid",
        lambda i: i["invoice_date"][5:7] == "02" and i["status"] == "unpaid",
    ),
]


@pytest.mark.parametrize(("query", "fits"), FILTERS)
@pytest.mark.asyncio
async def test_invoices_are_filtered(ask: AskAs, query: str, fits: Callable[[Any], bool]) -> None:
    """By status, and by the date of the invoice with both ends."""
    async with laabam() as sandbox:
        sandbox.fill("invoices", 90)
        reply = await ask(sandbox, "GET", f"/invoices?limit=100&{query}")

    expected = [invoice for invoice in sandbox.stored("invoices") if fits(invoice)]
    assert expected
    assert expected == reply.data


@pytest.mark.asyncio
async def test_both_ends_of_a_span_belong_to_it(ask: AskAs) -> None:
    """From a day to the same day is that day."""
    async with laabam() as sandbox:
        sandbox.fill("invoices", 1)
        day = sandbox.stored("invoices")[0]["invoice_date"]
        reply = await ask(sandbox, "GET", f"/invoices?from={day}&to={day}")

    assert sandbox.stored("invoices") == reply.data


@pytest.mark.asyncio
async def test_invoices_are_filtered_by_customer(ask: AskAs) -> None:
    """Each made-up invoice belongs to a customer who is there, if there is any."""
    async with laabam() as sandbox:
        sandbox.fill("customers", 2)
        sandbox.fill("invoices", 20)
        one, two = (customer["id"] for customer in sandbox.stored("customers"))
        found = [(await ask(sandbox, "GET", f"/invoices?customer_id={each}")).data for each in (one, two, "nobody")]

    assert [{one}, {two}, set()] == [{invoice["customer_id"] for invoice in page} for page in found]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("status=lost", "status"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("sort=colour", "sort"),
        ("sort=--invoice_date", "sort"),
        ("cursor=made-up", "cursor"),
        ("cursor={cursor}&status={status}", "cursor"),
        ("cursor={cursor}&sort=-invoice_date", "cursor"),
    ],
)
@pytest.mark.asyncio
async def test_a_query_that_cannot_be_is_a_400(ask: AskAs, query: str, field: str) -> None:
    """A cursor belongs to one listing with its filters and its order."""
    async with laabam() as sandbox:
        sandbox.fill("invoices", 30)
        first = (await ask(sandbox, "GET", "/invoices")).json
        known = {"cursor": first["paging"]["next_cursor"], "status": first["data"][-1]["status"]}
        reply = await ask(sandbox, "GET", "/invoices?" + query.format(**known))

    assert (400, field) == (reply.status, reply.error["message"].split()[0])


@pytest.mark.asyncio
async def test_a_thing_that_is_not_there_is_a_404(ask: AskAs) -> None:
    """So is a route that is not there; a method that a route does not have is a 405."""
    async with laabam() as sandbox:
        asked = [("GET", "/invoices/inv_1"), ("GET", "/robots"), ("DELETE", "/invoices/inv_1")]
        replies = [await ask(sandbox, method, path) for method, path in asked]

    assert [(404, "not_found"), (404, "not_found"), (405, "method_not_allowed")] == [
        (reply.status, reply.error["code"]) for reply in replies
    ]


# --- messages -----------------------------------------------------------------------------------------------

WHATSAPP = {"to": "919800000001", "type": "template", "template": {"name": "order", "language": "en", "variables": []}}
TEXT = {"to": "919800000001", "type": "text", "text": "Hello"}
SENT = [
    ("sms", SMS),
    ("sms", INDIAN),
    ("whatsapp", WHATSAPP),
    ("whatsapp", {**WHATSAPP, "template": {"name": "order", "language": "en"}}),
    ("email", {"to": "asha@example.com", "subject": "Hello"}),
]


@pytest.mark.parametrize(("channel", "body"), SENT)
@pytest.mark.asyncio
async def test_a_message_is_taken(ask: AskAs, channel: str, body: dict[str, Any]) -> None:
    """202: accepted, not delivered."""
    async with laabam() as sandbox:
        reply = await ask(sandbox, "POST", f"/messaging/sandbox/{channel}", json=body)

    taken = {"channel": channel, "status": "queued", "to": body["to"], "created_at": "2026-01-01T00:00:00Z"}
    assert (202, taken) == (reply.status, {key: value for key, value in reply.data.items() if key != "id"})
    assert [("created", reply.data["id"])] == [(effect.kind, effect.id) for effect in sandbox.ledger.effects]


NOT_SENT = [
    ("sms", {"to": SMS["to"]}, "message"),
    ("sms", {"message": "Hello"}, "to"),
    ("sms", {**SMS, "to": "+4915700000001"}, "to"),
    ("sms", {**SMS, "to": "phone"}, "to"),
    ("sms", {**INDIAN, "sender_id": ""}, "sender_id"),
    ("sms", {**INDIAN, "template_id": None}, "template_id"),
    ("sms", {**INDIAN, "pe_id": 1101}, "pe_id"),
    ("sms", {**SMS, "to": INDIAN["to"]}, "sender_id"),
    ("whatsapp", {"to": "919800000001"}, "type"),
    ("whatsapp", {**WHATSAPP, "template": "order"}, "template"),
    ("whatsapp", {**WHATSAPP, "template": {"name": "order"}}, "language"),
    ("whatsapp", {**WHATSAPP, "template": {"language": "en"}}, "name"),
    ("whatsapp", {**WHATSAPP, "template": {"name": "order", "language": "en", "variables": "x"}}, "variables"),
    ("whatsapp", {**TEXT, "text": ""}, "text"),
    ("whatsapp", {"to": TEXT["to"], "type": "text", "message": "Hello"}, "text"),
    ("email", {"to": "nobody"}, "to"),
    ("email", {}, "to"),
]


@pytest.mark.parametrize(("channel", "body", "field"), NOT_SENT)
@pytest.mark.asyncio
async def test_a_message_that_breaks_a_rule_is_a_400(ask: AskAs, channel: str, body: Any, field: str) -> None:
    """Which names the field, and nothing is sent."""
    async with laabam() as sandbox:
        reply = await ask(sandbox, "POST", f"/messaging/sandbox/{channel}", json=body)

    assert (400, field, []) == (reply.status, reply.error["message"].split()[0], sandbox.stored("messages"))


@pytest.mark.asyncio
async def test_free_text_needs_an_open_service_window(ask: AskAs) -> None:
    """A test opens and closes it by what it has given."""
    windows: set[str] = set()
    async with laabam(service_windows=windows) as sandbox:
        send = partial(ask, sandbox, "POST", "/messaging/sandbox/whatsapp", json=TEXT)
        closed = await send()
        windows.add(TEXT["to"])
        opened = await send()

    assert (400, "outside_service_window", 202) == (closed.status, closed.error["code"], opened.status)


@pytest.mark.parametrize("number", ["+919800000001", "91 98000 00001", "0091 9800000001", ""])
def test_a_window_for_a_number_that_cannot_be_sent_to_is_refused(number: str) -> None:
    """It would never open, and the message of the error does not tell whose it is."""
    with pytest.raises(ValueError, match=r"digits with the country code and no plus$"):
        laabam(service_windows=[TEXT["to"], number])


@pytest.mark.asyncio
async def test_a_message_is_delivered_after_a_while(ask: AskAs, clock: Any) -> None:
    """Its status can be asked for."""
    async with laabam(delivery_lag=10, clock=clock) as sandbox:
        message = (await ask(sandbox, "POST", "/messaging/sandbox/sms", json=SMS)).data
        statuses = []
        for _ in range(2):
            statuses.append((await ask(sandbox, "GET", f"/messaging/sandbox/messages/{message['id']}")).data)
            clock.now += 10

    assert [message, {**message, "status": "delivered"}] == statuses
    assert statuses[1:] == sandbox.stored("messages")


# --- limits and keys of requests ----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_messaging_has_a_limit_on_top_of_the_keys(ask: AskAs, clock: Any) -> None:
    """And what is asked elsewhere does not use it up."""
    limits = {"messaging": partial(FixedWindow, 2, 60)}
    async with laabam(limit=partial(FixedWindow, 4, 60), group_limits=limits, clock=clock) as sandbox:
        paths = ["sms", "email", "sms"]
        bodies = {"sms": SMS, "email": {"to": "asha@example.com"}}
        sent = [await ask(sandbox, "POST", f"/messaging/sandbox/{each}", json=bodies[each]) for each in paths]
        listed = [await ask(sandbox, "GET", "/invoices") for _ in range(3)]

    assert ([202, 202, 429], [200, 200, 429]) == ([r.status for r in sent], [r.status for r in listed])
    assert ("20", "rate_limited") == (sent[-1].headers["Retry-After"], sent[-1].error["code"])


@pytest.mark.parametrize(("group", "expected"), [("sms", [202, 429, 202]), ("daily", [202, 429, 429])])
@pytest.mark.asyncio
async def test_a_daily_cap_is_a_429_with_hours_to_wait(ask: AskAs, clock: Any, group: str, expected: list[int]) -> None:
    """Of one channel, or of all: the documents say both. Asking for a status is not sending."""
    clock.now = 3600.0
    async with laabam(group_limits={group: partial(FixedWindow, 1, 86_400)}, clock=clock) as sandbox:
        asked = [("sms", SMS), ("sms", SMS), ("email", {"to": "asha@example.com"})]
        replies = [await ask(sandbox, "POST", f"/messaging/sandbox/{path}", json=body) for path, body in asked]
        status = await ask(sandbox, "GET", f"/messaging/sandbox/messages/{replies[0].data['id']}")

    assert (expected, 200) == ([reply.status for reply in replies], status.status)
    assert "82800" == replies[1].headers["Retry-After"]


@pytest.mark.asyncio
async def test_the_same_key_gives_the_first_answer_again_for_a_day(ask: AskAs, clock: Any) -> None:
    """Another payload with it is a 409, and a day later the key is free."""
    key = {"Idempotency-Key": "0b5b6a1e-6d0e-4c8e-8d2a-4a4a2f0f2c11"}
    async with laabam(clock=clock) as sandbox:
        send = partial(ask, sandbox, "POST", "/messaging/sandbox/sms", headers=key)
        first, second = [await send(json=SMS) for _ in range(2)]
        other = await send(json={**SMS, "message": "Another"})
        clock.now += 86_400
        later = await send(json=SMS)

    assert (first.status, first.body) == (second.status, second.body)
    assert (409, "idempotency_mismatch") == (other.status, other.error["code"])
    assert first.data["id"] != later.data["id"]
    assert 2 == len(sandbox.ledger.effects)


@pytest.mark.parametrize("path", ["/invoices", "/customers", "/messaging/sandbox/sms"])
@pytest.mark.parametrize(
    "key", ["", "order-17", "1f2e3d4c5b6a7980123456789abcdef0", "{1f2e3d4c-5b6a-7980-1234-56789abcdef0}"]
)
@pytest.mark.asyncio
async def test_a_key_that_is_no_uuid_is_a_400(ask: AskAs, path: str, key: str) -> None:
    """Whatever is written, and nothing is done."""
    body = {**INVOICE, **SMS, "name": "Asha"}
    async with laabam() as sandbox:
        reply = await ask(sandbox, "POST", path, json=body, headers={"Idempotency-Key": key})

    assert (400, "Idempotency-Key must be a UUID") == (reply.status, reply.error["message"])
    assert [] == sandbox.ledger.effects


@pytest.mark.parametrize("key", ["1f2e3d4c-5b6a-7980-1234-56789abcdef0", "0B5B6A1E-6D0E-4C8E-8D2A-4A4A2F0F2C11"])
@pytest.mark.asyncio
async def test_any_uuid_is_a_key(ask: AskAs, key: str) -> None:
    """The documents ask for no version; reading needs no key, and takes any."""
    async with laabam() as sandbox:
        written = await ask(sandbox, "POST", "/invoices", json=INVOICE, headers={"Idempotency-Key": key})
        read = await ask(sandbox, "GET", "/invoices", headers={"Idempotency-Key": "order-17"})

    assert (201, 200) == (written.status, read.status)


def test_a_scope_for_a_key_that_is_not_there_is_refused() -> None:
    """It would limit nobody."""
    with pytest.raises(ValueError, match="a key of scopes must be one of key-1, not 'key-2'"):
        laabam(scopes={"key-2": ()})


def test_the_same_seed_makes_the_same_things() -> None:
    """Runs can be compared, ids included; each key has others."""

    def things(seed: int, key: str = "key-1") -> Any:
        sandbox = laabam(seed=seed, keys=[OTHER_KEY])
        for kind in sandbox.kinds:
            sandbox.fill(kind, 5, key=key)
        return [sandbox.stored(kind, key=key) for kind in sandbox.kinds]

    assert things(1) == things(1) != things(2)
    assert things(1) != things(1, "key-2")
