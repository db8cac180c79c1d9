"""The typed client of the Laabam One Public API."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Unpack

from leavo_async._sansio.auth import Ask, KeyPair, Secret
from leavo_async.apis.laabam.messaging import MessagesResource
from leavo_async.apis.laabam.profile import LAABAM
from leavo_async.apis.laabam.resources import InvoicesResource, RecordsResource
from leavo_async.apis.laabam.scopes import require_scopes
from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions
from leavo_async.session import Session, SessionOptions


class LaabamClient(Session):
    """The Laabam One Public API: a Session with `invoices`, `customers`, `products`, `payments` and `messages`.

        async with LaabamClient() as laabam:
            async for invoice in laabam.invoices.list(status="unpaid", sort="-invoice_date"): ...

    client_id, client_secret: of your key, default the environment variables LAABAM_CLIENT_ID and LAABAM_CLIENT_SECRET;
        or as client_secret alone a KeyPair, or a coroutine function that gives one.
    company: the slug of your company, for messages; default the environment variable LAABAM_COMPANY.
    options: as for Session. Nothing of this client was tried against the live service.
    Raises ConfigError without a usable id and secret.
    """

    def __init__(
        self,
        client_id: str | None = None,
        client_secret: str | Secret | Ask | None = None,
        *,
        company: str | None = None,
        **options: Unpack[SessionOptions],
    ) -> None:
        # The plain text leaves this frame before anything can fail.
        key, client_secret = client_secret if callable(client_secret) else Secret.of(client_secret), None
        company = company or os.environ.get("LAABAM_COMPANY")
        named = {"company": company} if company else {}
        options["path_params"] = {**named, **options.get("path_params", {})}
        pair, client_id = _with_id(client_id, key), None  # it may be the secret, if the two are swapped
        super().__init__(LAABAM, pair, **options)
        self._has_company = "company" in options["path_params"]

    @cached_property
    def invoices(self) -> InvoicesResource:
        """Invoices: list, get, create."""
        return InvoicesResource(self)

    @cached_property
    def customers(self) -> RecordsResource:
        """Customers: list, get, create; unverified, see RecordsResource."""
        return RecordsResource(self, "customers")

    @cached_property
    def products(self) -> RecordsResource:
        """Products: list, get, create; unverified, see RecordsResource."""
        return RecordsResource(self, "products")

    @cached_property
    def payments(self) -> RecordsResource:
        """Payments: list, get, create; unverified, see RecordsResource."""
        return RecordsResource(self, "payments")

    @cached_property
    def messages(self) -> MessagesResource:
        """Messages: sms, whatsapp, email, status. Raises ConfigError without a company."""
        if not self._has_company:
            raise ConfigError("messages: no company: set LAABAM_COMPANY in the environment, or pass company=, its slug")
        return MessagesResource(self)

    async def require_scopes(self, *scopes: str, **options: Unpack[CallOptions]) -> frozenset[str]:
        """Those of the scopes that could not be checked. To be called before a long job.

        scopes: such as "invoices:read" or "messages:sms:send". options: of each request.

        No endpoint is known that lists the scopes of a key, so each is tried, one request for each: a read scope by a
        listing of one item, a sending one by a message without recipient and text, which cannot be sent (where a server
        looks at the body before it looks at the key, that finds a scope which is not there); "messaging:send", which is
        for all channels, by one on each. What only a real write would tell, such as "invoices:write", cannot be
        checked, nor a read that is answered with 404.
        Raises PermissionDeniedError for the first scope that the key lacks (`missing_scope`), ConfigError for one that
        is not known, NotFoundError if the server knows no such company.
        """
        return await require_scopes(self, scopes, **options)


def _with_id(client_id: str | None, secret: Secret | Ask | None) -> KeyPair | Ask | None:
    """The id and the secret, of which one may come from the environment; None if both do, and are read there again."""
    if callable(secret) or isinstance(secret, KeyPair):
        if client_id is not None:
            raise ConfigError("client_id: not beside a KeyPair, or a function that gives one: it has its own id")
        return secret
    if client_id is None and secret is None:
        return None
    client_id = client_id or os.environ.get("LAABAM_CLIENT_ID", "")
    if secret is None:
        return KeyPair(client_id, os.environ.get("LAABAM_CLIENT_SECRET", ""))
    return KeyPair(client_id, secret.reveal(), expires_at=secret.expires_at)
