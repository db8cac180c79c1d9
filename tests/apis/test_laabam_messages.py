"""Laabam One's messages: the rules of each channel, their limits, and what is shown of them."""

from __future__ import annotations

from typing import Any

import pytest

from leavo_async import (
    ConfigError,
    DailyCap,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExhaustedError,
    RateLimit,
)
from leavo_async.apis.laabam import LAABAM, LaabamClient, Message, Template
from leavo_async.apis.laabam.messages import NewSms
from leavo_async.testing import FakeTransport, reply, virtual_time

from .laabam import ID, MESSAGE, SECRET, client, lacks, last_body

DLT: Any = {"sender_id": "MADEUP", "template_id": "1707000000000000001", "pe_id": "1101000000000000001"}
SMS: Any = {"to": "919800000000", "message": "Canary code 1", **DLT}


def accepting() -> FakeTransport:
    return FakeTransport(reply(202, MESSAGE))


@pytest.mark.parametrize("to", ["919800000000", "+919800000000", " +91 98000 00000 ", "+91 (98000) 00-000"])
@virtual_time
async def test_an_sms_goes_to_digits_alone(to: str) -> None:
    """However people write them; and what comes back is accepted, not delivered."""
    transport = accepting()
    message = await client(transport).messages.sms(**{**SMS, "to": to}, type="transactional")

    assert ("msg_1", "sms", "sent") == (message.id, message.channel, message.status)
    assert "/messaging/acme/sms" == transport.requests[0].path
    assert {**SMS, "to": "919800000000", "type": "transactional"} == last_body(transport)
    assert transport.requests[0].idempotency_key


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"to": "98000"}, "to: is not a number with country code"),
        ({"to": "00919800000000"}, "to: is not a number with country code"),
        ({"to": "+91 98000 0000O"}, "to: is not a number"),
        ({"to": "91+9800000000"}, "to: is not a number"),
        ({"to": "٩١٩٨٠٠٠٠٠٠٠٠"}, "to: is not a number"),
        ({"to": "9" * 16}, "to: is not a number"),
        ({"to": "91 2345 6789"}, "to: is not a number"),
        ({"to": "9123456789"}, "to: is not a number"),
        ({"to": "+91 (0)98000 00000"}, "to: is not a number"),
        ({"to": "+44 (0)20 7946 0958"}, "to: is not a number"),
        ({"message": " "}, "message: is empty"),
        ({"sender_id": ""}, "sender_id: is empty"),
        ({"template_id": None}, "template_id: needed for India"),
        ({"sender_id": None, "pe_id": None}, "sender_id, pe_id: needed for India"),
    ],
)
@virtual_time
async def test_an_sms_that_cannot_be_is_refused_before_it_is_sent(fields: Any, problem: str) -> None:
    """A number without its country, an empty text, India without DLT; and the error shows none of it."""
    transport = FakeTransport()
    with pytest.raises(ConfigError, match=rf"^messages.sms: .*{problem}") as caught:
        await client(transport).messages.sms(**{**SMS, **fields})

    assert [] == transport.requests
    assert "Canary" not in str(caught.value)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


@virtual_time
async def test_the_text_of_a_message_goes_out_as_it_is() -> None:
    """In India it must be that of the registered template, which may end with a space."""
    transport = accepting()
    await client(transport).messages.sms(**{**SMS, "message": "Your code is \n"})
    assert "Your code is \n" == last_body(transport)["message"]

    await client(transport).messages.whatsapp(to=SMS["to"], text=" made up ", in_service_window=True)
    assert " made up " == last_body(transport)["text"]


@virtual_time
async def test_other_countries_need_no_dlt_fields() -> None:
    """They are India's law."""
    transport = accepting()
    await client(transport).messages.sms(to="+44 7700 900123", message="made up")

    assert {"to": "447700900123", "message": "made up"} == last_body(transport)


@virtual_time
async def test_a_whatsapp_message_is_a_template_or_free_text() -> None:
    """Free text where the caller says that the recipient has written."""
    transport = accepting()
    messages = client(transport).messages
    await messages.whatsapp(to="+919800000000", template=Template("invoice_due", "en", ["Acme", "3540.00"]))
    assert {
        "to": "919800000000",
        "type": "template",
        "template": {"name": "invoice_due", "language": "en", "variables": ["Acme", "3540.00"]},
    } == last_body(transport)

    await messages.whatsapp(to="+919800000000", text="Thank you", in_service_window=True)
    assert {"to": "919800000000", "type": "text", "text": "Thank you"} == last_body(transport)
    assert "/messaging/acme/whatsapp" == transport.requests[0].path


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "pass either template= or text="),
        ({"template": Template("a", "en"), "text": "b", "in_service_window": True}, "pass either template= or text="),
        ({"text": "Canary"}, "free text is delivered only within 24 hours.*in_service_window=True"),
        ({"text": " ", "in_service_window": True}, "text: is empty"),
        ({"template": Template("", "en")}, "template.name: is empty"),
        ({"template": Template("a", "")}, "template.language: is empty"),
        ({"template": Template("a", "en", "Canary")}, "template.variables: "),
        ({"template": Template("a", "en", [1])}, "template.variables.0: "),  # type: ignore[list-item]
        ({"template": "Canary"}, "template: Input should be a valid dictionary or object"),
        ({"to": "1", "template": Template("a", "en")}, "to: is not a number"),
    ],
)
@virtual_time
async def test_a_whatsapp_message_that_cannot_be_is_refused_before_it_is_sent(fields: Any, problem: str) -> None:
    """Neither, both, free text out of its window, or variables that would go letter by letter."""
    transport = FakeTransport()
    with pytest.raises(ConfigError, match=rf"^messages.whatsapp: .*{problem}") as caught:
        await client(transport).messages.whatsapp(**{"to": "919800000000", **fields})

    assert [] == transport.requests
    assert "Canary" not in str(caught.value)


@virtual_time
async def test_an_email_has_an_address_and_whatever_fields() -> None:
    """Their names are not known, so they go as they are."""
    transport = accepting()
    messages = client(transport).messages
    await messages.email(to=" ana@example.com ", fields={"to": "eve@example.com", "subject": "Made up", "attempts": 1})

    assert "/messaging/acme/email" == transport.requests[0].path
    assert {"to": "ana@example.com", "subject": "Made up", "attempts": 1} == last_body(transport)
    with pytest.raises(ConfigError, match=r"^messages.email: to: is not an e-mail address"):
        await messages.email(to="ana@localhost", fields={})


@virtual_time
async def test_the_status_of_a_message_is_read() -> None:
    """By its id, which cannot leave its place in the path."""
    transport = FakeTransport(reply(200, {"data": {"id": "a/b", "status": "delivered"}}), reply(404))
    messages = client(transport).messages

    assert "delivered" == (await messages.status("a/b")).status
    assert "/messaging/acme/messages/a%2Fb" == transport.requests[0].path
    with pytest.raises(NotFoundError):
        await messages.status("none")


@virtual_time
async def test_the_status_of_another_message_is_refused() -> None:
    """It is the answer to somebody else's call."""
    with pytest.raises(ProtocolError, match="another id than was asked for"):
        await client(FakeTransport(reply(200, MESSAGE))).messages.status("msg_2")


@virtual_time
async def test_the_company_comes_from_the_argument_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one, or with a variable that is empty, all but messages works, and they say what is missing."""
    for empty in (None, ""):
        monkeypatch.delenv("LAABAM_COMPANY", raising=False)
        if empty is not None:
            monkeypatch.setenv("LAABAM_COMPANY", empty)
        laabam = client(FakeTransport(reply(200, {"id": "1"})), company=empty)
        await laabam.products.get("1")
        with pytest.raises(ConfigError, match="no company: set LAABAM_COMPANY in the environment, or pass company="):
            await laabam.messages.status("1")

    monkeypatch.setenv("LAABAM_COMPANY", "from the environment")
    transport = FakeTransport(reply(200, {"id": "1"}))
    await client(transport, company=None).messages.status("1")
    await client(transport, company="given").messages.status("1")
    await client(transport, company=None, path_params={"company": "by-name"}).messages.status("1")

    assert ["from%20the%20environment", "given", "by-name"] == [
        request.path.split("/")[2] for request in transport.requests
    ]


@virtual_time
async def test_messages_have_a_limit_of_their_own() -> None:
    """Half of that of the key, which other calls have for themselves meanwhile."""
    transport = FakeTransport(reply(202, MESSAGE))
    laabam = client(transport, limits=LAABAM.limits)
    for _ in range(4):
        await laabam.messages.sms(**SMS)
    slow = transport.moments[-1] - transport.moments[-2]
    for _ in range(4):
        await laabam.request("GET", "/invoices")
    fast = transport.moments[-1] - transport.moments[-2]

    for _ in range(3):
        await laabam.messages.status("msg_1")
    status = transport.moments[-1] - transport.moments[-2]

    assert 60 / 30 < slow < 2.2
    assert 60 / 30 < status < 2.2
    assert 60 / 60 < fast < 1.1


@virtual_time
async def test_a_budget_of_messages_a_day_is_kept_for_its_channel() -> None:
    """Beyond it nothing is sent; other channels go on."""
    transport = FakeTransport(reply(202, MESSAGE))
    laabam = client(transport, limits=[*LAABAM.limits, DailyCap(2, group="sms")])
    for _ in range(2):
        await laabam.messages.sms(**SMS)
    with pytest.raises(QuotaExhaustedError, match="nothing was sent"):
        await laabam.messages.sms(**SMS)
    await laabam.messages.whatsapp(to=SMS["to"], template=Template("made_up", "en"))

    assert 3 == len(transport.requests)


@virtual_time
async def test_a_cap_that_the_server_tells_closes_its_channel_alone() -> None:
    """Nobody waits for hours, nobody asks again, and other messages go out."""
    transport = FakeTransport(reply(429, headers={"Retry-After": "40000"}), reply(202, MESSAGE))
    laabam = client(transport, limits=LAABAM.limits)
    for _ in range(2):
        with pytest.raises(QuotaExhaustedError) as caught:
            await laabam.messages.sms(**SMS)
        assert caught.value.reset_at is not None
    await laabam.messages.whatsapp(to=SMS["to"], template=Template("made_up", "en"))

    assert ["sms", "whatsapp"] == [request.path.split("/")[-1] for request in transport.requests]


@virtual_time
async def test_the_scope_that_a_message_lacks_is_named() -> None:
    """For each channel its own, as the page on messages spells it."""
    messages = client(FakeTransport(lacks())).messages
    for call, scope in (
        (messages.sms(**SMS), "messages:sms:send"),
        (messages.whatsapp(to=SMS["to"], template=Template("a", "en")), "messages:whatsapp:send"),
        (messages.email(to="ana@example.com", fields={}), "messages:email:send"),
        (messages.status("1"), "messages:read"),
    ):
        with pytest.raises(PermissionDeniedError) as caught:
            await call
        assert scope == caught.value.missing_scope


@virtual_time
async def test_a_message_that_may_have_gone_out_goes_again_with_the_same_key() -> None:
    """So it goes out once."""
    transport = FakeTransport(reply(502), reply(202, MESSAGE))
    await client(transport).messages.sms(**SMS)

    first, second = transport.requests
    assert first.idempotency_key == second.idempotency_key


def test_neither_text_nor_number_is_shown_of_a_message() -> None:
    """repr, str and format are for logs."""
    message = Message.model_validate({**MESSAGE["data"], "text": "Canary"})
    new = NewSms(**SMS)
    template = Template("made_up", "en", ["Canary"])

    for shown in (repr([message, new, template]), f"{message}{new}{template}"):
        assert "Canary" not in shown
        assert "98000" not in shown
    assert repr(message).startswith("Message(id='msg_1', channel='sms', status='sent', created_at=")


def test_the_client_is_that_of_its_profile() -> None:
    """For those who pass the limits on."""
    assert repr(LaabamClient(ID, SECRET)) == f"<LaabamClient {LAABAM.base_url} not opened>"


@virtual_time
async def test_a_cap_that_the_server_tells_stops_its_channel_alone() -> None:
    """Also where the key has other limits than the usual ones."""
    transport = FakeTransport(reply(429, None, {"Retry-After": "40000"}), reply(200, {"data": {"id": "inv_1"}}))
    laabam = client(transport, limits=[RateLimit(120)])

    with pytest.raises(QuotaExhaustedError):
        await laabam.messages.sms(to="4915100000000", message="Hello")
    assert "inv_1" == (await laabam.invoices.get("inv_1")).id
