"""Made-up things, the same ones for the same seed."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from leavo_async.sandbox.laabam.company import Company
from leavo_async.sandbox.laabam.invoices import STATUSES, new_invoice
from leavo_async.sandbox.messages import Json

_NAMES = ("Asha Traders", "Blue Lotus Foods", "Chennai Cycles", "Deccan Books", "Everest Tools", "Ganga Textiles")
_PRODUCTS = ("Notebook", "Bicycle bell", "Lamp", "Tea, 500 g", "Cotton scarf")


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
    line = {"description": random.choice(_PRODUCTS), "quantity": random.randint(1, 9), "unit_price": _price(random)}
    customers = list(company.things["customers"]) or ["cus_made_up"]
    day = f"2026-{random.randint(1, 6):02}-{random.randint(1, 28):02}"
    given = {"customer_id": random.choice(customers), "date": day, "line_items": [{**line, "tax_rate": "18"}]}
    return {**new_invoice(given, company.today), "status": random.choice(STATUSES)}


def _message(company: Company, random: Random) -> Json:
    # Numbers that begin with 910 are nobody's: no Indian number begins with a zero.
    return {"channel": "sms", "status": "delivered", "to": f"910{random.randrange(10**9):09}"}


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
