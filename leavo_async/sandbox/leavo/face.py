"""Leavo's routes: which call does what."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from leavo_async.sandbox.leavo.dialects import Dialect, labels
from leavo_async.sandbox.leavo.fields import changed_lead, known_tag, new_lead
from leavo_async.sandbox.leavo.labels import STATUSES, TAGS
from leavo_async.sandbox.leavo.query import lead_query
from leavo_async.sandbox.leavo.refused import Refused, not_found
from leavo_async.sandbox.leavo.store import LeadStore
from leavo_async.sandbox.messages import Answer, Call, Change, Done, Refusal

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class LeavoFace:
    """Leavo's API over a store of leads, in one dialect."""

    store: LeadStore
    dialect: Dialect

    def credential(self, headers: Mapping[str, str]) -> str | None:
        """The bearer token; None if there is none."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def perform(self, call: Call) -> Done:
        """The answer to a call, with its effect carried out; never raises `Refused`."""
        try:
            return _handler(call)(self, call)
        except Refused as refused:
            return Done(self.refuse(refused.refusal))

    def refuse(self, refusal: Refusal) -> Answer:
        """Leavo's error for it."""
        return _json(refusal.status, self.dialect.error(refusal), refusal.headers)

    def list_leads(self, call: Call) -> Done:
        """GET /backend/leads."""
        page = self.store.find(lead_query(call.query))
        return Done(_json(200, self.dialect.page(page)))

    def create_lead(self, call: Call) -> Done:
        """POST /backend/leads."""
        lead = self.store.create(new_lead(call.body))
        answer = _json(201, self.dialect.one(self.dialect.lead(lead)))
        return Done(answer, Change("created", lead.id))

    def get_lead(self, call: Call) -> Done:
        """GET /backend/leads/{id}."""
        lead = self.store.get(call.segments[2])
        return Done(_json(200, self.dialect.one(self.dialect.lead(lead))))

    def update_lead(self, call: Call) -> Done:
        """PUT /backend/leads/{id}: only the fields that are there."""
        lead_id = self.store.get(call.segments[2]).id
        lead = self.store.update(lead_id, changed_lead(call.body))
        answer = _json(200, self.dialect.one(self.dialect.lead(lead)))
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
        return Done(_json(200, self.dialect.many(labels(STATUSES.values()))))

    def list_tags(self, call: Call) -> Done:
        """GET /backend/tags."""
        return Done(_json(200, self.dialect.many(labels(TAGS.values()))))


_Handler = Callable[[LeavoFace, Call], Done]

# None stands for an id.
_ROUTES: Mapping[tuple[str | None, ...], Mapping[str, _Handler]] = {
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


def _handler(call: Call) -> _Handler:
    for pattern, methods in _ROUTES.items():
        if _is_like(call.segments, pattern):
            return _for_method(methods, call.method)
    raise not_found("Route /" + "/".join(call.segments))


def _is_like(segments: tuple[str, ...], pattern: tuple[str | None, ...]) -> bool:
    return len(segments) == len(pattern) and all(p in (None, s) for s, p in zip(segments, pattern, strict=True))


def _for_method(methods: Mapping[str, _Handler], method: str) -> _Handler:
    if method not in methods:
        allowed = ", ".join(methods)
        raise Refused(Refusal(405, f"Only {allowed} here, not {method}", headers={"Allow": allowed}))
    return methods[method]


def _json(status: int, value: object, headers: Mapping[str, str] = _JSON) -> Answer:
    return Answer(status, json.dumps(value).encode(), {**_JSON, **headers})
