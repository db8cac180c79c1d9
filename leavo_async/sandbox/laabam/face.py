"""Laabam's routes: which call does what, and which scope it needs."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Self, TypedDict

from leavo_async.sandbox.bodies import json_answer
from leavo_async.sandbox.checks import not_negative, one_of
from leavo_async.sandbox.laabam.body import money, read_object, text
from leavo_async.sandbox.laabam.company import KINDS, Company
from leavo_async.sandbox.laabam.invoices import new_invoice
from leavo_async.sandbox.laabam.listing import Listable, page
from leavo_async.sandbox.laabam.made_up import make_up
from leavo_async.sandbox.laabam.messaging import CHANNELS, checked_windows
from leavo_async.sandbox.laabam.refused import invalid, no_scope, not_found
from leavo_async.sandbox.messages import Answer, Call, Change, Done, Json, Refusal, World
from leavo_async.sandbox.refused import Refused
from leavo_async.sandbox.routes import Routes, route

GROUPS = ("messaging", "daily", *CHANNELS)
"""Of routes: all of messaging; what sends; what sends over one channel.

The documents say both that the daily cap is each channel's and that it is the key's: a limit of a day for "sms", or
one for "daily".
"""

_CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "invalid_request",
        401: "unauthorized",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        409: "conflict",
        429: "rate_limited",
    }
)
# The same for every fault of the credentials: none of them is told apart.
_UNAUTHORIZED = "Invalid credentials"

# Any UUID, also one of no version: https://doc.laabam.one/docs/idempotency
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# "-invoice_date" is the documents' example of an order (https://doc.laabam.one/api/). They do not say which other
# fields are taken, nor of which date from and to are.
_LISTABLE: Mapping[str, Listable] = MappingProxyType(
    {
        "invoices": Listable(
            frozenset({"created_at", "invoice_date", "due_date", "total"}),
            filters=("status", "customer_id"),
            dated="invoice_date",
        ),
        "customers": Listable(frozenset({"created_at", "name"})),
        "products": Listable(frozenset({"created_at", "name"})),
        "payments": Listable(frozenset({"created_at", "amount"})),
    }
)


class LaabamSettings(TypedDict, total=False):
    """What only this API can be told.

    scopes: what a key may do, by its label; a key that is not named may do everything.
    names_scope: whether a 403 says which scope is missing, which no document shows.
    service_windows: WhatsApp numbers that may be sent free text, as `to` has them: digits with the country code and no
    plus; the collection is read for each message.
    delivery_lag: seconds until a message's status is no longer queued but delivered.
    """

    scopes: Mapping[str, Collection[str]]
    names_scope: bool
    service_windows: Collection[str]
    delivery_lag: float


@dataclass(frozen=True, slots=True)
class LaabamFace:
    """Laabam's API over one company for each key: "sandbox" for the first, then "sandbox-2" and so on."""

    companies: Mapping[str, Company]
    scopes: Mapping[str, Collection[str]]
    names_scope: bool
    service_windows: Collection[str]
    delivery_lag: float
    clock: Callable[[], float]
    due: dict[str, float] = field(default_factory=dict[str, float])

    prefix = "/api/v1"
    kinds = KINDS
    query_keys = frozenset[str]()

    @classmethod
    def born(
        cls,
        world: World,
        *,
        scopes: Mapping[str, Collection[str]] = MappingProxyType({}),
        names_scope: bool = False,
        service_windows: Collection[str] = (),
        delivery_lag: float = 0.0,
    ) -> Self:
        """An API of companies that have nothing yet."""
        for label in scopes:
            one_of("a key of scopes", label, world.keys)
        companies = {label: _company(label, number, world) for number, label in enumerate(world.keys, 1)}
        windows, lag = checked_windows(service_windows), not_negative("delivery_lag", delivery_lag)
        return cls(companies, scopes, names_scope, windows, lag, world.clock)

    def credential(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """Id and secret, joined by a colon; None if one is missing."""
        client_id, secret = headers.get("X-Client-Id"), headers.get("X-Client-Secret")
        return f"{client_id}:{secret}" if client_id and secret else None

    def groups(self, method: str, segments: tuple[str, ...]) -> tuple[str, ...]:
        """Whatever is of messaging; sending has a cap of the day, and one of its channel."""
        if segments[:1] != ("messaging",):
            return ()
        sends = len(segments) == 3 and segments[2] in CHANNELS
        return ("messaging", "daily", segments[2]) if sends else ("messaging",)

    def fill(self, kind: str, n: int, key: str) -> None:
        """Add n made-up things."""
        make_up(self.companies[key], kind, n)

    def stored(self, kind: str, key: str) -> list[Json]:
        """All things of one company."""
        return [self._shown(thing) for thing in self.companies[key].all(kind)]

    def perform(self, call: Call) -> Done:
        """The answer to a call, with its effect carried out; never raises `Refused`."""
        try:
            step = route(_ROUTES, call)
            self._permit(call.key, step.scopes)
            _check_idempotency_key(call)
            return step.do(self, self.companies[call.key], call)
        except Refused as refused:
            return Done(self.refuse(refused.refusal))

    def refuse(self, refusal: Refusal) -> Answer:
        """Laabam's error for it: {"error": {"code", "message"}}."""
        code = (refusal.code or _CODES.get(refusal.status, "internal_error")).lower()
        message = _UNAUTHORIZED if refusal.status == 401 else refusal.message
        scope = {name: value for name, value in refusal.details.items() if name == "scope"}
        return json_answer(refusal.status, {"error": {"code": code, "message": message, **scope}}, refusal.headers)

    def list_things(self, company: Company, call: Call) -> Done:
        """GET /{kind}."""
        kind = call.segments[0]
        return Done(json_answer(200, page(company.all(kind), _LISTABLE[kind], call.query)))

    def get_thing(self, company: Company, call: Call) -> Done:
        """GET /{kind}/{id}."""
        return Done(json_answer(200, {"data": company.get(call.segments[0], call.segments[1])}))

    def create_thing(self, company: Company, call: Call) -> Done:
        """POST /{kind}."""
        kind = call.segments[0]
        thing = company.add(kind, _NEW[kind](read_object(call.body), company))
        return Done(json_answer(201, {"data": thing}), Change("created", thing["id"]))

    def send_message(self, company: Company, call: Call) -> Done:
        """POST /messaging/{company}/{channel}: taken, and not delivered yet."""
        _own(company, call)
        channel = call.segments[2]
        to = CHANNELS[channel](read_object(call.body), self.service_windows)
        message = company.add("messages", {"channel": channel, "status": "queued", "to": to})
        self.due[message["id"]] = self.clock() + self.delivery_lag
        return Done(json_answer(202, {"data": message}), Change("created", message["id"]))

    def get_message(self, company: Company, call: Call) -> Done:
        """GET /messaging/{company}/messages/{id}; the documents name this call, and not its path."""
        _own(company, call)
        return Done(json_answer(200, {"data": self._shown(company.get("messages", call.segments[3]))}))

    def _permit(self, key: str, scopes: tuple[str, ...]) -> None:
        if key in self.scopes and not set(scopes) & set(self.scopes[key]):
            raise no_scope(scopes, named=self.names_scope)

    def _shown(self, thing: Json) -> Json:
        delivered = self.clock() >= self.due.get(thing["id"], float("inf"))
        return {**thing, "status": "delivered"} if delivered else thing


def _company(label: str, number: int, world: World) -> Company:
    slug = "sandbox" if number == 1 else f"sandbox-{number}"
    return Company(slug, Random(f"{world.seed} {label}"), world.wall)


def _check_idempotency_key(call: Call) -> None:
    key = call.headers.get("Idempotency-Key")
    if key is not None and call.method == "POST" and not _UUID.fullmatch(key):
        raise invalid("Idempotency-Key", "must be a UUID")


def _own(company: Company, call: Call) -> None:
    # The path names a company, and the key is of one: another's messages are not there.
    if call.segments[1] != company.slug:
        raise not_found("company")


def _named(given: Mapping[str, object], company: Company) -> Json:
    return {**given, "name": text(given, "name")}


def _paid(given: Mapping[str, object], company: Company) -> Json:
    return {"currency": "INR", **given, "amount": str(money(given, "amount"))}


# What the documents say of customers, products and payments is their names alone.
_NEW: Mapping[str, Callable[[Mapping[str, object], Company], Json]] = MappingProxyType(
    {"invoices": new_invoice, "customers": _named, "products": _named, "payments": _paid}
)


@dataclass(frozen=True, slots=True)
class _Step:
    """What a call does. scopes: one of them is enough."""

    do: Callable[[LaabamFace, Company, Call], Done]
    scopes: tuple[str, ...]


def _things(kind: str) -> Routes[_Step]:
    read, write = (f"{kind}:read",), (f"{kind}:write",)
    return {
        (kind,): {"GET": _Step(LaabamFace.list_things, read), "POST": _Step(LaabamFace.create_thing, write)},
        (kind, None): {"GET": _Step(LaabamFace.get_thing, read)},
    }


def _sending(channel: str) -> Routes[_Step]:
    # The documents name both; which of them counts is not known.
    scopes = (f"messages:{channel}:send", "messaging:send")
    return {("messaging", None, channel): {"POST": _Step(LaabamFace.send_message, scopes)}}


_ROUTES: Routes[_Step] = {
    **{path: methods for kind in _LISTABLE for path, methods in _things(kind).items()},
    **{path: methods for channel in CHANNELS for path, methods in _sending(channel).items()},
    ("messaging", None, "messages", None): {"GET": _Step(LaabamFace.get_message, ("messages:read",))},
}
