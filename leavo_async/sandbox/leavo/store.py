"""The leads of one sandbox, in memory."""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any

from leavo_async.sandbox.leavo.fields import Fields
from leavo_async.sandbox.leavo.labels import DEFAULT_STATUS, Status, Tag
from leavo_async.sandbox.leavo.query import LeadQuery
from leavo_async.sandbox.leavo.refused import not_found, phone_taken


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as it stands.

    listed_from: seconds on the sandbox's clock from which lists and searches find it.
    text: what a search looks at.
    """

    id: str
    name: str
    phone: str
    created_at: str
    updated_at: str
    listed_from: float
    email: str | None = None
    company: str | None = None
    status: Status = DEFAULT_STATUS
    tags: tuple[Tag, ...] = ()
    custom_fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Folded once here, not once for each search.
        text = "\n".join((self.name, self.email or "", self.phone)).casefold()
        object.__setattr__(self, "text", text)


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. total: the length of all of it."""

    leads: list[Lead]
    total: int
    query: LeadQuery


class LeadStore:
    """Leads in order of creation.

    search_lag: seconds for which lists and searches do not find a new lead yet. unique_phones: whether a phone belongs
    to one lead only. Ids come from `seed`.
    """

    def __init__(
        self,
        seed: int,
        search_lag: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
        *,
        unique_phones: bool = True,
    ) -> None:
        self._random = Random(f"{seed} ids")
        self._search_lag = search_lag
        self._unique_phones = unique_phones
        self._clock = clock
        self._wall = wall
        self._leads: dict[str, Lead] = {}
        self._phones = Counter[str]()

    def __iter__(self) -> Iterator[Lead]:
        return iter(self._leads.values())

    def has_phone(self, phone: str) -> bool:
        """Whether a lead has this phone."""
        return self._phones[phone] > 0

    def create(self, fields: Fields, *, lag: bool = True) -> Lead:
        """The new lead. lag: whether lists find it only after a while. `Refused` (409) if its phone is taken."""
        listed_from = self._clock() + (self._search_lag if lag else 0.0)
        now = self._now()
        lead = Lead(id=self._new_id(), created_at=now, updated_at=now, listed_from=listed_from, **fields)
        return self._put(lead)

    def get(self, lead_id: str) -> Lead:
        """The lead with this id; `Refused` (404) if there is none."""
        if lead_id not in self._leads:
            raise not_found(f"Lead {lead_id}")
        return self._leads[lead_id]

    def update(self, lead_id: str, fields: Fields) -> Lead:
        """The lead with these fields changed; custom fields not named stay. `Refused` (404, 409)."""
        old = self.get(lead_id)
        custom = {**old.custom_fields, **fields.get("custom_fields", {})}
        return self._put(replace(old, **{**fields, "custom_fields": custom, "updated_at": self._now()}))

    def delete(self, lead_id: str) -> None:
        """Forget the lead; `Refused` (404) if there is none."""
        self._phones[self.get(lead_id).phone] -= 1
        del self._leads[lead_id]

    def find(self, query: LeadQuery) -> Page:
        """The part of the list that the query asks for."""
        found = self._found(query)
        return Page(list(islice(found, query.offset, query.offset + query.limit)), len(found), query)

    def _found(self, query: LeadQuery) -> Collection[Lead]:
        # With nothing to filter, a page deep in a long list costs a walk, not a copy.
        if query.is_open and not self._search_lag:
            return self._leads.values()
        now = self._clock()
        return [lead for lead in self._leads.values() if lead.listed_from <= now and _fits(lead, query)]

    def _put(self, lead: Lead) -> Lead:
        old = self._leads.get(lead.id)
        keeps_phone = old is not None and old.phone == lead.phone
        if self._unique_phones and self.has_phone(lead.phone) and not keeps_phone:
            raise phone_taken()
        if old is not None:
            self._phones[old.phone] -= 1
        self._phones[lead.phone] += 1
        self._leads[lead.id] = lead
        return lead

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _now(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fits(lead: Lead, query: LeadQuery) -> bool:
    return (
        query.search in lead.text
        and query.status_id in ("", lead.status.id)
        and (not query.tag_ids or any(tag.id in query.tag_ids for tag in lead.tags))
    )
