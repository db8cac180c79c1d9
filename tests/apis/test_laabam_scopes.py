"""Which scopes a key has, asked without doing anything."""

from __future__ import annotations

from typing import Any

import pytest

from leavo_async import ConfigError, NotFoundError, PermissionDeniedError, Request, Response, ServerError
from leavo_async.testing import FakeTransport, reply, virtual_time

from .laabam import client, lacks, last_body

PAGE: Any = {"data": [], "paging": {"next_cursor": None, "has_more": False}}


def server(*missing: str, refusal: int = 422) -> FakeTransport:
    """Lets nobody read or send that lacks the right of the path's last word, and refuses messages that cannot be."""

    def answer(request: Request) -> Response:
        if any(word in request.path for word in missing):
            return lacks()
        if request.path.endswith("/messages/none"):
            return reply(404)
        return reply(200, PAGE) if request.method == "GET" else reply(refusal, {"error": {"code": "invalid"}})

    return FakeTransport(answer)


@pytest.mark.parametrize("refusal", [400, 422])
@virtual_time
async def test_scopes_that_are_there_pass(refusal: int) -> None:
    """A listing of one item, and messages without recipient and text, on each channel it is for; nothing is done."""
    transport = server(refusal=refusal)
    asked = ("invoices:read", "messages:sms:send", "messages:whatsapp:send", "messages:email:send", "messaging:send")

    assert frozenset() == await client(transport).require_scopes(*asked, "invoices:read")
    assert [
        ("GET", "/invoices"),
        ("POST", "/messaging/acme/sms"),
        ("POST", "/messaging/acme/whatsapp"),
        ("POST", "/messaging/acme/email"),
        ("POST", "/messaging/acme/sms"),
        ("POST", "/messaging/acme/whatsapp"),
        ("POST", "/messaging/acme/email"),
    ] == [(request.method, request.path) for request in transport.requests]
    assert transport.requests[0].url.endswith("/invoices?limit=1")
    assert {} == last_body(transport)


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("invoices:read", "/invoices"),
        ("payments:read", "/payments"),
        ("messages:whatsapp:send", "/whatsapp"),
        ("messaging:send", "/sms"),
        ("messaging:send", "/email"),
        ("messages:read", "/messages/"),
    ],
)
@virtual_time
async def test_the_scope_that_is_not_there_is_named(scope: str, path: str) -> None:
    """As it was asked for, before the job begins."""
    with pytest.raises(PermissionDeniedError, match=f"require_scopes: the key lacks {scope}") as caught:
        await client(server(path)).require_scopes("products:read", scope)

    assert scope == caught.value.missing_scope
    assert "insufficient_scope" == caught.value.code


@virtual_time
async def test_what_only_a_write_would_tell_is_given_back_unchecked() -> None:
    """And what is answered with 404; for the first nothing is sent."""
    transport = server()
    found = await client(transport).require_scopes("invoices:write", "messages:read", "customers:read")

    assert frozenset({"invoices:write", "messages:read"}) == found
    assert ["GET", "GET"] == [request.method for request in transport.requests]


@pytest.mark.parametrize("status", [400, 404])
@virtual_time
async def test_a_listing_that_cannot_be_made_proves_nothing(status: int) -> None:
    """Invoices are planned in the documents, and may not be there yet."""
    found = await client(FakeTransport(reply(status))).require_scopes("invoices:read")

    assert frozenset({"invoices:read"}) == found


@virtual_time
async def test_a_company_that_is_not_there_is_no_scope_that_cannot_be_checked() -> None:
    """No message of the job would go out."""
    with pytest.raises(NotFoundError):
        await client(FakeTransport(reply(404))).require_scopes("messages:sms:send")


@virtual_time
async def test_scopes_that_do_not_exist_are_refused_before_anything_is_sent() -> None:
    """With those that are known."""
    transport = server()
    with pytest.raises(ConfigError, match=r"no scope 'invoice:read': known are invoices:read, .*messaging:send"):
        await client(transport).require_scopes("products:read", "invoice:read")
    with pytest.raises(ConfigError, match="names one write"):
        await client(transport).require_scopes("products:read", idempotency_key="made-up-key-1")

    assert [] == transport.requests


@virtual_time
async def test_other_errors_come_as_they_are() -> None:
    """A server that fails tells nothing of scopes, nor one that refuses the address from which the key comes."""
    with pytest.raises(ServerError):
        await client(FakeTransport(reply(500))).require_scopes("invoices:read")
    with pytest.raises(PermissionDeniedError, match="403 ip_not_allowed") as caught:
        await client(FakeTransport(reply(403, {"error": {"code": "ip_not_allowed"}}))).require_scopes("invoices:read")

    assert (None, False) == (caught.value.missing_scope, "lacks" in str(caught.value))
