"""Leavo's routes: which call does what."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Self, TypedDict

from leavo_async.sandbox.bodies import json_answer
from leavo_async.sandbox.checks import not_negative, one_of
from leavo_async.sandbox.leavo.dialects import DIALECTS, Dialect, DialectName, labels
from leavo_async.sandbox.leavo.fields import Fields, changed_lead, known_tag, new_lead
from leavo_async.sandbox.leavo.labels import STATUSES, TAGS
from leavo_async.sandbox.leavo.people import people
from leavo_async.sandbox.leavo.query import lead_query
from leavo_async.sandbox.leavo.store import LeadStore
from leavo_async.sandbox.messages import Answer, Call, Change, Done, Json, Refusal, World
from leavo_async.sandbox.refused import Refused
from leavo_async.sandbox.routes import Routes, route


class LeavoSettings(TypedDict, total=False):
    """What only this API can be told.

    search_lag: seconds until lists and searches find a new lead. unique_phones: whether a second lead with the same
    phone is refused, as Leavo's documents say; False shows what a client would do twice.
    """

    dialect: DialectName
    search_lag: float
    unique_phones: bool


@dataclass(frozen=True, slots=True)
class LeavoFace:
    """Leavo's API over a store of leads that all keys share, in one dialect."""

    store: LeadStore
    dialect: Dialect
    people: Iterator[Fields]

    prefix = ""
    kinds = ("leads",)
    query_keys = frozenset[str]()

    @classmethod
    def born(
        cls,
        world: World,
        *,
        dialect: DialectName = "enveloped",
        search_lag: float = 0.0,
        unique_phones: bool = True,
    ) -> Self:
        """An API without leads."""
        lag = not_negative("search_lag", search_lag)
        store = LeadStore(world.seed, lag, world.clock, world.wall, unique_phones=unique_phones)
        return cls(store, DIALECTS[one_of("dialect", dialect, DIALECTS)], people(world.seed))

    def credential(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """The bearer token; None if there is none."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def groups(self, method: str, segments: tuple[str, ...]) -> tuple[str, ...]:
        """None: all routes share the key's limit."""
        return ()

    def fill(self, kind: str, n: int, key: str) -> None:
        """Add n made-up leads, found by lists at once."""
        fresh = (person for person in self.people if not self.store.has_phone(person["phone"]))
        for person in islice(fresh, n):
            self.store.create(person, lag=False)

    def stored(self, kind: str, key: str) -> list[Json]:
        """All leads as they stand."""
        return [self.dialect.lead(lead) for lead in self.store]

    def perform(self, call: Call) -> Done:
        """The answer to a call, with its effect carried out; never raises `Refused`."""
        try:
            return route(_ROUTES, call)(self, call)
        except Refused as refused:
            return Done(self.refuse(refused.refusal))

    def refuse(self, refusal: Refusal) -> Answer:
        """Leavo's error for it."""
        return json_answer(refusal.status, self.dialect.error(refusal), refusal.headers)

    def list_leads(self, call: Call) -> Done:
        """GET /backend/leads."""
        page = self.store.find(lead_query(call.query))
        return Done(json_answer(200, self.dialect.page(page)))

    def create_lead(self, call: Call) -> Done:
        """POST /backend/leads."""
        lead = self.store.create(new_lead(call.body))
        answer = json_answer(201, self.dialect.one(self.dialect.lead(lead)))
        return Done(answer, Change("created", lead.id))

    def get_lead(self, call: Call) -> Done:
        """GET /backend/leads/{id}."""
        lead = self.store.get(call.segments[2])
        return Done(json_answer(200, self.dialect.one(self.dialect.lead(lead))))

    def update_lead(self, call: Call) -> Done:
        """PUT /backend/leads/{id}: only the fields that are there."""
        lead_id = self.store.get(call.segments[2]).id
        lead = self.store.update(lead_id, changed_lead(call.body))
        answer = json_answer(200, self.dialect.one(self.dialect.lead(lead)))
        return Done(answer, Change("updated", lead.id))

    def delete_lead(self, call: Call) -> Done:
        """DELETE /backend/leads/{id}."""
        self.store.delete(call.segments[2])
        return Done(Answer(204), Change("deleted", call.segments[2]))

    def add_tag(self, call: Call) -> Done:
        """POST /backend/leads/{id}/tags/{tag_id}; adding it twice is adding it once."""
        lead, tag = self.store.get(call.segments[2]), known_tag(call.segments[4])
        if tag in lead.tags:
            return Done(Answer(204))
        self.store.update(lead.id, {"tags": (*lead.tags, tag)})
        return Done(Answer(204), Change("updated", lead.id))

    def remove_tag(self, call: Call) -> Done:
        """DELETE /backend/leads/{id}/tags/{tag_id}; a tag that is not on the lead is gone already."""
        lead, tag = self.store.get(call.segments[2]), known_tag(call.segments[4])
        if tag not in lead.tags:
            return Done(Answer(204))
        self.store.update(lead.id, {"tags": tuple(other for other in lead.tags if other != tag)})
        return Done(Answer(204), Change("updated", lead.id))

    def list_statuses(self, call: Call) -> Done:
        """GET /backend/status."""
        return Done(json_answer(200, self.dialect.many(labels(STATUSES.values()))))

    def list_tags(self, call: Call) -> Done:
        """GET /backend/tags."""
        return Done(json_answer(200, self.dialect.many(labels(TAGS.values()))))


_Handler = Callable[[LeavoFace, Call], Done]

_ROUTES: Routes[_Handler] = {
    ("backend", "leads"): {"GET": LeavoFace.list_leads, "POST": LeavoFace.create_lead},
    ("backend", "leads", None): {
        "GET": LeavoFace.get_lead,
        "PUT": LeavoFace.update_lead,
        "DELETE": LeavoFace.delete_lead,
    },
    ("backend", "leads", None, "tags", None): {"POST": LeavoFace.add_tag, "DELETE": LeavoFace.remove_tag},
    ("backend", "status"): {"GET": LeavoFace.list_statuses},
    ("backend", "tags"): {"GET": LeavoFace.list_tags},
}
