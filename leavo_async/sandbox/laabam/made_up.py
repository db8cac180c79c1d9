"""Made-up things, the same ones for the same seed."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random
from types import MappingProxyType

from leavo_async.sandbox.laabam.company import Company
from leavo_async.sandbox.laabam.invoices import STATUSES, cents, new_invoice
from leavo_async.sandbox.messages import Json

_NAMES = ("Asha Traders", "Blue Lotus Foods", "Chennai Cycles", "Deccan Books", "Everest Tools", "Ganga Textiles")
_PRODUCTS = ("Notebook", "Bicycle bell", "Lamp", "Tea, 500 g", "Cotton scarf")
_SHARE_DUE = {"unpaid": Decimal(1), "partial": Decimal("0.5"), "paid": Decimal(0), "voided": Decimal(0)}


def make_up(company: Company, kind: str, n: int) -> None:
    """Add n things of a kind."""
    for _ in range(n):
        company.add(kind, _MAKERS[kind](company, company.random))


def _customer(company: Company, random: Random) -> Json:
    number = len(company.things["customers"]) + 1
    return {"name": random.choice(_NAMES), "email": f"customer{number}@example.com"}


def _product(company: Company, random: Random) -> Json:
    return {"name": random.choice(_PRODUCTS), "price": _price(random), "currency": "INR"}


def _payment(company: Company, random: Random) -> Json:
    return {"amount": _price(random), "currency": "INR"}


def _invoice(company: Company, random: Random) -> Json:
    product = _any(company, "products", "prd_made_up")
    item = {"product_id": product, "quantity": random.randint(1, 9), "unit_price": _price(random), "tax_rate": 18}
    month, day = random.randint(1, 6), random.randint(1, 28)
    dates = {"invoice_date": f"2026-{month:02}-{day:02}", "due_date": f"2026-{month + 1:02}-{day:02}"}
    given = {"customer_id": _any(company, "customers", "cus_made_up"), **dates, "items": [item]}
    invoice, status = new_invoice(given, company), random.choice(STATUSES)
    return {**invoice, "status": status, "due_amount": cents(Decimal(invoice["total"]) * _SHARE_DUE[status])}


def _message(company: Company, random: Random) -> Json:
    # Numbers that begin with 910 are nobody's: no Indian number begins with a zero.
    return {"channel": "sms", "status": "delivered", "to": f"910{random.randrange(10**9):09}"}


def _any(company: Company, kind: str, otherwise: str) -> str:
    return company.random.choice(list(company.things[kind]) or [otherwise])


def _price(random: Random) -> str:
    return f"{random.randint(10, 5000)}.{random.choice((0, 50)):02}"


_MAKERS: Mapping[str, Callable[[Company, Random], Json]] = MappingProxyType(
    {
        "customers": _customer,
        "products": _product,
        "payments": _payment,
        "invoices": _invoice,
        "messages": _message,
    }
)
