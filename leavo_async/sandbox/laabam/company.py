"""All that one key can see: one key is one company."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from leavo_async.sandbox.laabam.refused import not_found
from leavo_async.sandbox.messages import Json

_PREFIXES = {"invoices": "inv", "customers": "cus", "products": "prd", "payments": "pay", "messages": "msg"}
KINDS = tuple(_PREFIXES)


@dataclass(frozen=True, slots=True)
class Company:
    """The things of one company by kind and id, in order of creation. slug: its name in paths."""

    slug: str
    random: Random
    wall: Callable[[], float]
    things: dict[str, dict[str, Json]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def all(self, kind: str) -> list[Json]:
        """All things of a kind."""
        return list(self.things[kind].values())

    def get(self, kind: str, thing_id: str) -> Json:
        """The thing with this id; `Refused` (404) if there is none."""
        if thing_id not in self.things[kind]:
            raise not_found(kind.removesuffix("s"))
        return self.things[kind][thing_id]

    def add(self, kind: str, fields: Json) -> Json:
        """The new thing, with an id and the moment of its creation."""
        thing_id = f"{_PREFIXES[kind]}_{uuid.UUID(int=self.random.getrandbits(128), version=4).hex}"
        thing = {**fields, "id": thing_id, "created_at": f"{self._now():%Y-%m-%dT%H:%M:%SZ}"}
        return self.things[kind].setdefault(thing_id, thing)

    @property
    def today(self) -> str:
        """The date in UTC."""
        return self._now().date().isoformat()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.wall(), UTC)
