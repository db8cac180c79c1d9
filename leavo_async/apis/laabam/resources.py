"""Invoices, customers, products and payments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Unpack

from leavo_async._sansio.paths import segment
from leavo_async._sansio.unset import UNSET, Unset, given
from leavo_async._sansio.validation import checked
from leavo_async.apis.laabam.keys import checked_key
from leavo_async.apis.laabam.models import (
    Invoice,
    InvoiceFilters,
    NewInvoice,
    NewInvoiceItem,
    NewRecord,
    Record,
    Status,
)
from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages
from leavo_async.session import Session

_INVOICES = "/invoices"


class InvoicesResource:
    """Invoices. The documents call this contract planned, not yet built: https://doc.laabam.one/api/."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self,
        *,
        status: Status | None = None,
        customer_id: str | None = None,
        from_: date | str | None = None,
        to: date | str | None = None,
        sort: str | None = None,
        **options: Unpack[ListOptions],
    ) -> Pages[Invoice]:
        """The invoices that fit, as an async iterable over pages, each of which names the next.

        status: unpaid, partial, paid or voided. from_, to: dates, or texts such as "2026-01-31". sort: a field, or
        "-field" for the other direction, such as "-invoice_date". page_size: 1 to 100, default 100.
        Raises ConfigError at once for filters that cannot be.
        """
        wanted = dict(status=status, customer_id=customer_id, from_=from_, to=to, sort=sort)
        filters = checked(InvoiceFilters, wanted, lambda reasons: ConfigError(f"invoices.list: {reasons}"))
        params = filters.model_dump(mode="json", by_alias=True)
        return self._session.pages(_INVOICES, params=params, cast_to=Invoice, **options)

    async def get(self, invoice_id: str, **options: Unpack[CallOptions]) -> Invoice:
        """The invoice; NotFoundError if there is none. The path is inferred."""
        path = f"{_INVOICES}/{segment(invoice_id, 'invoice_id')}"
        found: Invoice = await self._session.request("GET", path, cast_to=Invoice, **options)
        return found

    async def create(
        self,
        *,
        customer_id: str,
        items: Sequence[NewInvoiceItem | Mapping[str, Any]],
        currency: str | Unset = UNSET,
        invoice_date: date | str | Unset = UNSET,
        due_date: date | str | Unset = UNSET,
        fields: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Invoice:
        """The new invoice, with the totals that the server has computed.

        currency: three capital letters, such as INR. fields: whatever else the server takes; a Decimal in it is sent as
        a text. The names are those of the answers (see NewInvoiceItem); the whole list of a request's is not known.
        Raises ConfigError for a float where money may be, and for totals: those of a client are ignored by the server;
        for an `idempotency_key` that is no UUID, as in each write.
        """
        named = dict(
            customer_id=customer_id, items=items, currency=currency, invoice_date=invoice_date, due_date=due_date
        )
        wanted = {**(fields or {}), **given(named)}
        invoice = checked(NewInvoice, wanted, lambda reasons: ConfigError(f"invoices.create: {reasons}"))
        body = invoice.model_dump(exclude_unset=True)
        created: Invoice = await self._session.request(
            "POST", _INVOICES, json=body, cast_to=Invoice, **checked_key(options)
        )
        return created


class RecordsResource:
    """Records of one kind. Unverified: the documents name it in their introduction, paths and fields are inferred.

    name: "customers", "products" or "payments".
    """

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    def list(self, *, filters: Mapping[str, Any] | None = None, **options: Unpack[ListOptions]) -> Pages[Record]:
        """The records, as an async iterable over pages. filters: parameters, sent as they are."""
        return self._session.pages(f"/{self._name}", params=filters, cast_to=Record, **options)

    async def get(self, record_id: str, **options: Unpack[CallOptions]) -> Record:
        """The record; NotFoundError if there is none."""
        path = f"/{self._name}/{segment(record_id, 'record_id')}"
        found: Record = await self._session.request("GET", path, cast_to=Record, **options)
        return found

    async def create(self, fields: Mapping[str, Any], **options: Unpack[CallOptions]) -> Record:
        """The new record. fields: a Decimal in it is sent as a text; ConfigError for a float, which may be money."""
        record = checked(NewRecord, fields, lambda reasons: ConfigError(f"{self._name}.create: {reasons}"))
        body = record.model_dump()
        created: Record = await self._session.request(
            "POST", f"/{self._name}", json=body, cast_to=Record, **checked_key(options)
        )
        return created
