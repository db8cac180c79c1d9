"""Invoices and other records, as they come and as they go."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from leavo_async.apis.laabam.money import Money, exact
from leavo_async.apis.shapes import Answer, Given, Id, Listed, Text

Status = Literal["unpaid", "partial", "paid", "voided"]
STATUSES: tuple[Status, ...] = get_args(Status)


class Fields(Given):
    """What is given is checked, and cannot be changed."""

    model_config = ConfigDict(frozen=True)


class OpenFields(Fields):
    """Fields that the documents do not name are sent, too: a Decimal as a text, a float not at all."""

    model_config = ConfigDict(extra="allow")
    computed: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _open_ones_are_exact(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        if found := cls.computed & fields.keys():
            names = {"names": ", ".join(sorted(found))}
            raise PydanticCustomError("computed", "{names}: computed by the server, leave it out", names)
        return {name: value if name in cls.model_fields else exact(value, name) for name, value in fields.items()}


class InvoiceItem(Answer):
    """One line of an invoice as the server gives it; what an answer leaves out is None."""

    shown = ("product_id", "quantity")

    product_id: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    tax_rate: Decimal | None = None
    amount: Decimal | None = None


class Invoice(Answer):
    """An invoice as the server gives it; what an answer leaves out is None or empty.

    status: unpaid, partial, paid or voided. total: subtotal, tax_amount and round_off together, as the server computed
    them. due_amount: what is still to be paid. All amounts are Decimals in `currency`, such as INR.
    https://doc.laabam.one/api/ (a contract that is planned there, not yet built)
    """

    shown = ("id", "status", "created_at")

    id: Id
    number: str | None = None
    status: str | None = None
    customer_id: str | None = None
    currency: str | None = None
    subtotal: Decimal | None = None
    tax_amount: Decimal | None = None
    round_off: Decimal | None = None
    total: Decimal | None = None
    due_amount: Decimal | None = None
    invoice_date: date | None = None
    due_date: date | None = None
    items: Listed[InvoiceItem] = []
    created_at: datetime | None = None


class Record(Answer):
    """A record of which the documents name no fields: its id, and whatever the server sends as attributes."""

    id: Id


class NewRecord(OpenFields):
    """A record to be created, of whatever fields."""


class NewInvoiceItem(OpenFields):
    """One line of a new invoice; the server computes its `amount`.

    unit_price: a Decimal or a text, never a float. tax_rate: per cent. Other fields may be given, too.
    The names are those of the answers; what a request may hold is beyond the part of the documents that could be read.
    """

    computed = frozenset({"amount"})

    product_id: Text
    quantity: Annotated[int | float, Field(ge=0, allow_inf_nan=False)]
    unit_price: Money | None = None
    tax_rate: Annotated[int | float, Field(ge=0, allow_inf_nan=False)] | None = None


class NewInvoice(OpenFields):
    """An invoice to be created; the server computes its totals. What is known of the fields: see NewInvoiceItem."""

    # "client-sent totals are ignored": https://doc.laabam.one/api/
    computed = frozenset({"subtotal", "tax_amount", "round_off", "total", "due_amount"})

    customer_id: Text
    items: Annotated[list[NewInvoiceItem], Field(min_length=1)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    invoice_date: date | None = None
    due_date: date | None = None


class InvoiceFilters(Fields):
    """Which invoices to list, and in which order: https://doc.laabam.one/api/."""

    status: Status | None = None
    customer_id: Text | None = None
    from_: date | None = Field(default=None, serialization_alias="from")
    to: date | None = None
    sort: Annotated[str, Field(pattern=r"^-?[A-Za-z]\w*$")] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> InvoiceFilters:
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise PydanticCustomError("order", "from_ is later than to")
        return self
