"""What a session offers to whoever sends many writes and must know what became of each."""

from __future__ import annotations

from typing import Any

import pytest

from leavo_async import ConfigError, LeavoClient, NotFoundError, RateLimit, Secret, Session
from leavo_async._sansio.idempotency import Repeat
from leavo_async._sansio.messages import JsonText
from leavo_async.apis.laabam import LAABAM
from leavo_async.apis.leavo import LEAVO, Lead
from leavo_async.sandbox import Fault, Sandbox

ANA = {"name": "Ana", "phone": "+5511999990001"}
KEY = "made-up-key-1"


def client(sandbox: Sandbox, **more: Any) -> LeavoClient:
    return LeavoClient(sandbox.key, base_url=sandbox.url, allow_insecure_loopback=True, limits=(), **more)


@pytest.mark.asyncio
async def test_json_that_is_written_already_is_sent_byte_for_byte(leavo_sandbox: Sandbox) -> None:
    """A server that compares bodies by their bytes must find the same ones."""
    frozen = JsonText(b'{ "phone":"+5511999990001",  "name":"Ana" }')
    sent = []
    async with client(leavo_sandbox) as leavo:
        opened = leavo._opened()
        take = opened.transport.send

        async def spying(request, progress):  # type: ignore[no-untyped-def]
            sent.append(request.body)
            return await take(request, progress)

        opened.transport.send = spying  # type: ignore[method-assign]
        lead, answer = await leavo.exchange("POST", "/backend/leads", json=frozen, cast_to=Lead)

    assert sent == [bytes(frozen)]
    assert (lead.name, answer.status, answer.attempts) == ("Ana", 201, 1)


@pytest.mark.asyncio
async def test_what_a_write_has_made_can_be_looked_up(leavo_sandbox: Sandbox) -> None:
    """None, or the one; an item that is another's does not count."""
    async with client(leavo_sandbox) as leavo:
        assert await leavo.look_up("POST", "/backend/leads", json=ANA) == []
        await leavo.leads.create(**ANA)
        (found,) = await leavo.look_up(
            "POST", "/backend/leads", json=JsonText(b'{"name":"Ana","phone":"+5511999990001"}')
        )
        assert found["name"] == "Ana"
        assert await leavo.look_up("POST", "/backend/leads", json={**ANA, "name": "Bea"}) == []
        with pytest.raises(ConfigError, match="no way to find"):
            await leavo.look_up("POST", "/backend/tags", json={"name": "x"})


@pytest.mark.asyncio
async def test_a_call_may_have_observers_of_its_own(leavo_sandbox: Sandbox) -> None:
    """They hear of its attempts, of the look-up that settles it, and of no other call."""
    leavo_sandbox.script(Fault(reset="after", method="POST"))
    common, own = [], []
    async with LeavoClient(
        leavo_sandbox.key,
        base_url=leavo_sandbox.url,
        allow_insecure_loopback=True,
        limits=(),
        observers=[common.append],
    ) as leavo:
        await leavo.leads.create(**ANA, observers=[own.append])
        with pytest.raises(NotFoundError):
            await leavo.leads.get("nobody")

    assert [(record.method, record.status) for record in own] == [("POST", None), ("GET", 200)]
    assert [record.method for record in common] == ["POST", "GET", "GET"]


def test_a_session_explains_what_holds_for_a_call() -> None:
    """Limits of the key and of the route's groups, and whether and why it may be repeated."""
    told = Session(LEAVO, KEY).explain("POST", "/backend/leads")
    assert (told.repeat, told.is_looked_up, told.rates) == (Repeat.NATURAL, True, (RateLimit(100),))
    assert "can be looked up" in str(told)

    pair = {"path_params": {"company": "acme"}}
    laabam = Session(LAABAM, Secret("x"), auth=LEAVO.auth, **pair)
    sms = laabam.explain("POST", "/messaging/{company}/sms")
    assert (sms.path, sms.repeat, [limit.requests for limit in sms.rates]) == (
        "/messaging/acme/sms",
        Repeat.KEYED,
        [30, 60],
    )
    assert sms.rate == RateLimit(30).rate


@pytest.mark.asyncio
async def test_a_digest_tells_keys_apart_and_nothing_about_them() -> None:
    """Another salt, another digest."""
    async with Session(LEAVO, KEY) as one, Session(LEAVO, "made-up-key-2") as other:
        assert await one.key_digest("a") == await one.key_digest("a")
        assert len({await one.key_digest("a"), await one.key_digest("b"), await other.key_digest("a")}) == 3
        assert KEY not in await one.key_digest("a")
