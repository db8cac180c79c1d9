"""Leads: what may be sent, what comes back, and what is shown of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leavo_async import ConfigError, Lead, LeavoClient, NewLead
from leavo_async.testing import FakeTransport, reply, virtual_time

PERSON: Any = {"name": "Ana Canary", "phone": "+5511999990000", "email": "canary@example.com", "company": "Canary Ltd"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("+5511999990000", "+5511999990000"),
        ("+55 (11) 99999-0000", "+5511999990000"),
        (" +44.7700.900123 ", "+447700900123"),
        ("+1\u00a0555\u00a00100123", "+15550100123"),
    ],
)
def test_a_phone_is_sent_without_its_punctuation(given: str, sent: str) -> None:
    """People write phones in many ways; the server knows one."""
    assert NewLead(name="Ana", phone=given).phone == sent


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"phone": "11999990000"}, "phone: is not a number with country code"),
        ({"phone": "+0511999990000"}, "phone: is not a number with country code"),
        ({"phone": "+551"}, "phone: is not a number with country code"),
        ({"phone": "+5511999990000x"}, "phone: is not a number with country code"),
        ({"phone": "+" + "1" * 16}, "phone: is not a number with country code"),
        ({"name": "  "}, "name: is empty"),
        ({"email": "canary"}, "email: is not an e-mail address"),
        ({"email": "canary@localhost"}, "email: is not an e-mail address"),
        ({"email": "a b@example.com"}, "email: is not an e-mail address"),
        ({"email": "a@b@example.com"}, "email: is not an e-mail address"),
        ({"email": "a@example..com"}, "email: is not an e-mail address"),
        ({"name": 5}, "name: "),
    ],
)
@virtual_time
async def test_a_lead_that_cannot_be_is_refused_before_it_is_sent(fields: dict[str, Any], reason: str) -> None:
    """With the field and the reason, without the value; and nothing leads to it."""
    transport = FakeTransport()
    leavo = LeavoClient("made-up-key-1", transport=transport)
    with pytest.raises(ConfigError, match=rf"^leads.create: {reason}") as caught:
        await leavo.leads.create(**{**PERSON, **fields})

    assert transport.requests == []
    assert "canary" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@virtual_time
async def test_changes_are_checked_like_new_leads() -> None:
    """A wrong phone is as wrong in an update."""
    leavo = LeavoClient("made-up-key-1", transport=FakeTransport(reply(200, {"id": "1"})))
    with pytest.raises(ConfigError, match=r"^leads.update: phone"):
        await leavo.leads.update("1", phone="123")
    for wrong in ("", ".", "..", "a\nb"):
        with pytest.raises(ConfigError, match="lead_id"):
            await leavo.leads.get(wrong)


@virtual_time
async def test_a_new_lead_is_sent_as_it_was_given() -> None:
    """What is not given is not sent; an id cannot leave its place in the path."""
    transport = FakeTransport(reply(201, {"id": "1"}))
    leavo = LeavoClient("made-up-key-1", transport=transport)
    await leavo.leads.create(name=" Ana ", phone="+5511999990000", tag_ids=["a", "b"], custom_fields={"n": 1})
    await leavo.leads.delete("a/../b")

    created, deleted = transport.requests
    assert json.loads(created.body or b"") == {
        "name": "Ana",
        "phone": "+5511999990000",
        "tag_ids": ["a", "b"],
        "custom_fields": {"n": 1},
    }
    assert deleted.path == "/backend/leads/a%2F..%2Fb"


def test_no_personal_data_is_shown_of_a_lead() -> None:
    """repr, str and format are for logs; model_dump() and the attributes have everything."""
    lead = Lead.model_validate({**PERSON, "id": "1", "status": {"id": "s", "name": "New"}, "nickname": "Canary"})
    new = NewLead(**PERSON)

    for shown in (repr(lead), str(lead), f"{lead}", repr([lead]), repr(new), str(new)):
        assert "anary" not in shown
    assert repr(lead) == "Lead(id='1', created_at=None)"
    assert lead.model_dump()["nickname"] == "Canary"


@pytest.mark.parametrize("status", [None, "s-1", {"id": "s-1", "name": "New", "description": "x", "default": True}])
def test_a_status_comes_in_several_forms(status: Any) -> None:
    """As an object, as an id, or not at all."""
    lead = Lead.model_validate({"id": "1", "status": status, "tags": ["t-1", {"id": "t-2"}]})

    assert status is None or "s-1" in (lead.status, getattr(lead.status, "id", None))
    assert len(lead.tags) == 2
