"""A new invoice: the server computes its totals, whatever the client says of them.

Its fields are those of the sample answer in https://doc.laabam.one/api/.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from leavo_async.sandbox.laabam.body import money, number, text
from leavo_async.sandbox.laabam.company import Company
from leavo_async.sandbox.laabam.refused import invalid
from leavo_async.sandbox.messages import Json

STATUSES = ("unpaid", "partial", "paid", "voided")

_CENT = Decimal("0.01")
_RUPEE = Decimal(1)
# Ours: with them the totals stay exact.
_MAX_QUANTITY = 1_000_000
_MAX_TAX_RATE = 100


def new_invoice(given: Mapping[str, object], company: Company) -> Json:
    """The fields of an unpaid invoice; `Refused` (400).

    Given are customer_id, items [{product_id, quantity, unit_price, tax_rate}], currency, invoice_date and due_date.
    Which of them the API requires is not known: here customer_id, items, and the unit_price of each, as no total can
    be computed without it. What else is missing is made up: INR, today, due at once, one piece, no tax. Other fields
    are kept as they are.
    """
    lines = [_line(item) for item in _items(given)]
    currency = text({"currency": "INR", **given}, "currency")
    day = iso_date("invoice_date", given.get("invoice_date", company.today))
    return {
        **given,
        "number": _number(day, company),
        "status": STATUSES[0],
        "customer_id": text(given, "customer_id"),
        "currency": currency,
        "invoice_date": day,
        "due_date": iso_date("due_date", given.get("due_date", day)),
        "items": [line.item for line in lines],
        **_totals(lines, currency),
    }


def iso_date(name: str, value: object) -> str:
    """The date as it is written, such as "2026-01-31"; `Refused` (400)."""
    try:
        return date.fromisoformat(value if isinstance(value, str) else "").isoformat()
    except ValueError:
        raise invalid(name, "must be a date, such as 2026-01-31") from None


def cents(amount: Decimal) -> str:
    """The amount as the API writes it, such as "3540.00"; half a cent is rounded up."""
    return str(_rounded(amount, _CENT))


@dataclass(frozen=True, slots=True)
class _Line:
    """One item as the answer shows it, and what it comes to. net: without tax."""

    item: Json
    net: Decimal
    tax: Decimal


def _items(given: Mapping[str, object]) -> list[Mapping[str, object]]:
    items = given.get("items")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise invalid("items", "is required: a list of objects")
    return cast("list[Mapping[str, object]]", items)


def _line(given: Mapping[str, object]) -> _Line:
    product = text(given, "product_id") if "product_id" in given else None
    quantity = number(given, "quantity", 1, at_most=_MAX_QUANTITY)
    rate = number(given, "tax_rate", 0, at_most=_MAX_TAX_RATE)
    net = _rounded(Decimal(str(quantity)) * money(given, "unit_price"), _CENT)
    tax = _rounded(net * Decimal(str(rate)) / 100, _CENT)
    # With its tax: the sample has an amount of 3540.00 beside a subtotal of 3000.00.
    shown = {"product_id": product, "quantity": quantity, "tax_rate": rate, "amount": cents(net + tax)}
    return _Line({**given, **shown}, net, tax)


def _totals(lines: Sequence[_Line], currency: str) -> Json:
    subtotal = sum((line.net for line in lines), Decimal(0))
    tax = sum((line.tax for line in lines), Decimal(0))
    # The documents name the round-off and not its rule. To the rupee is the custom of India, and so made up here.
    total = _rounded(subtotal + tax, _RUPEE if currency == "INR" else _CENT)
    return {
        "subtotal": cents(subtotal),
        "tax_amount": cents(tax),
        "round_off": cents(total - subtotal - tax),
        "total": cents(total),
        "due_amount": cents(total),
    }


def _number(day: str, company: Company) -> str:
    # The sample is INV/2025-26/041: a fiscal year of India, which begins in April.
    year = int(day[:4]) - (day[5:7] < "04")
    return f"INV/{year}-{(year + 1) % 100:02}/{len(company.all('invoices')) + 1:03}"


def _rounded(amount: Decimal, unit: Decimal) -> Decimal:
    return amount.quantize(unit, ROUND_HALF_UP)
