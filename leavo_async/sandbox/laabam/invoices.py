"""A new invoice: the server computes its totals, whatever the client says of them."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from leavo_async.sandbox.laabam.body import money, number, text
from leavo_async.sandbox.laabam.refused import invalid
from leavo_async.sandbox.messages import Json

STATUSES = ("unpaid", "partial", "paid", "voided")

_CENT = Decimal("0.01")


def new_invoice(given: Mapping[str, object], today: str) -> Json:
    """The fields of an unpaid invoice; `Refused` (400). Their names are made up, as no document shows them.

    Given are customer_id and line_items [{description, quantity, unit_price, tax_rate}]; currency is INR and date
    today's where it is not said. Other fields are kept as they are.
    """
    lines = [_line(line) for line in _lines(given)]
    subtotal = sum((Decimal(line["amount"]) for line in lines), Decimal(0))
    tax = sum((_tax(line) for line in lines), Decimal(0))
    return {
        "currency": "INR",
        **given,
        "customer_id": text(given, "customer_id"),
        "date": iso_date("date", given.get("date", today)),
        "status": STATUSES[0],
        "line_items": lines,
        "subtotal": _cents(subtotal),
        "tax": _cents(tax),
        "total": _cents(subtotal + tax),
    }


def iso_date(name: str, value: object) -> str:
    """The date as it is written, such as "2026-01-31"; `Refused` (400)."""
    try:
        return date.fromisoformat(value if isinstance(value, str) else "").isoformat()
    except ValueError:
        raise invalid(name, "must be a date, such as 2026-01-31") from None


def _lines(given: Mapping[str, object]) -> list[Mapping[str, object]]:
    lines = given.get("line_items")
    if not isinstance(lines, list) or not lines or not all(isinstance(line, dict) for line in lines):
        raise invalid("line_items", "is required: a list of objects")
    return cast("list[Mapping[str, object]]", lines)


def _line(given: Mapping[str, object]) -> Json:
    amount = number(given, "quantity", "1") * money(given, "unit_price")
    return {**given, "tax_rate": str(number(given, "tax_rate", "0")), "amount": _cents(amount)}


def _tax(line: Json) -> Decimal:
    return (Decimal(line["amount"]) * Decimal(line["tax_rate"]) / 100).quantize(_CENT, ROUND_HALF_UP)


def _cents(amount: Decimal) -> str:
    return str(amount.quantize(_CENT, ROUND_HALF_UP))
