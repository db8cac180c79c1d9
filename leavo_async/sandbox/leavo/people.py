"""Made-up people, the same ones for the same seed."""

from collections.abc import Iterator
from itertools import count
from random import Random

from leavo_async.sandbox.leavo.fields import Fields
from leavo_async.sandbox.leavo.labels import STATUSES, TAGS

_FIRST = ("Ana", "Bruno", "Carla", "Diego", "Elisa", "Fábio", "Gisele", "Hugo", "Íris", "João", "Lúcia", "Mateus")
_LAST = ("Souza", "Oliveira", "Santos", "Pereira", "Lima", "Araújo", "Costa", "Gonçalves", "Ribeiro", "Alves")
_COMPANIES = ("Acme", "Padaria Sol", "Oficina Norte", "Livraria Central", None)
_STATUSES = tuple(STATUSES.values())

# 555-01xx style numbers do not exist for Brazil; area code 00 is not assigned to anybody.
_FIRST_PHONE = 900_000_000


def people(seed: int) -> Iterator[Fields]:
    """Leads without end: each with a phone of its own, most with an e-mail address."""
    random = Random(f"{seed} people")
    for number in count(1):
        yield _person(random, number)


def _person(random: Random, number: int) -> Fields:
    first, last = random.choice(_FIRST), random.choice(_LAST)
    return {
        "name": f"{first} {last}",
        "phone": f"+5500{_FIRST_PHONE + number}",
        "email": f"lead{number}@example.com" if random.random() < 0.9 else None,
        "company": random.choice(_COMPANIES),
        "status": random.choice(_STATUSES),
        "tags": tuple(tag for tag in TAGS.values() if random.random() < 0.3),
    }
