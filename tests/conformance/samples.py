"""What each API says, as samples: the one suite holds all of them to the same promises.

The samples are written from the vendors' documents; where those give no form, the sample says "guess".
"""

from __future__ import annotations

import io
import wave
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from leavo_async import Pages, Report, Session
from leavo_async import errors as tree
from leavo_async.apis.agentos import AgentOSClient
from leavo_async.apis.laabam import LaabamClient
from leavo_async.apis.language_confidence import LanguageConfidenceClient
from leavo_async.apis.leavo import LeavoClient
from leavo_async.sandbox import Sandbox


@dataclass(frozen=True)
class Refusal:
    """A 429, and the seconds after which the key may ask again; None if nobody names them."""

    headers: dict[str, str]
    body: Any
    wait: float | None


@dataclass(frozen=True)
class PageSample:
    """The first page of a listing, and where the next one is asked for."""

    listing: Callable[[Any], Pages[Any]]
    answer: Any
    successor: str


@dataclass(frozen=True)
class ErrorSample:
    """An answer that reports an error, its class, and what the message must tell."""

    status: int
    body: Any
    kind: type[tree.LeavoError]
    tells: str = ""


@dataclass(frozen=True)
class Samples:
    """One API.

    client: makes one from the name of a made-up customer. path: of a read. write: one that its sandbox accepts.
    lost: how often that goes out if its first answer is lost, and what ends it then.
    kept: kinds of things that the sandbox keeps, and how the client lists them.
    imports: a kind of them, and an import of three; its first argument is the client, its second the sandbox.
    """

    api: Any
    client: Callable[..., Session]
    path: str
    refusals: Sequence[Refusal]
    errors: Sequence[ErrorSample]
    write: Callable[[Any], Awaitable[Any]]
    lost: tuple[int, type[tree.LeavoError] | None]
    pages: Sequence[PageSample] = ()
    kept: Sequence[tuple[str, Callable[[Any], Pages[Any]], str]] = ()
    imports: tuple[str, Callable[..., Awaitable[Report]]] | None = None

    def sandbox(self, **settings: Any) -> Sandbox:
        """Its face, with the keys of two customers."""
        keys = [key(self.api, who) for who in ("one", "two")]
        return Sandbox(api=self.api, key=keys[0], keys=keys[1:], **settings)

    def at(self, sandbox: Sandbox, who: str = "one", **options: Any) -> Session:
        """A client of its face."""
        return self.client(who, base_url=sandbox.base_url, allow_insecure_loopback=True, **options)


def secret(api: str, who: str) -> str:
    """The part of a customer's key that nobody may see."""
    return f"lk_secret_CANARY-of-{who}" if api == "laabam" else f"made-up-CANARY-of-{who}"


def key(api: str, who: str) -> str:
    """The key as the sandbox knows it."""
    return f"lk_id_{who}:{secret(api, who)}" if api == "laabam" else secret(api, who)


def _leavo(who: str, **options: Any) -> Session:
    return LeavoClient(secret("leavo", who), **options)


def _laabam(who: str, **options: Any) -> Session:
    company = {"two": "sandbox-2"}.get(who, "sandbox")
    return LaabamClient(f"lk_id_{who}", secret("laabam", who), company=company, **options)


def _agentos(who: str, **options: Any) -> Session:
    return AgentOSClient(secret("agentos", who), short_name="sandbox", **options)


def _language_confidence(who: str, **options: Any) -> Session:
    return LanguageConfidenceClient(secret("language_confidence", who), **options)


def _leads(api: Any, sandbox: Sandbox, **options: Any) -> Awaitable[Report]:
    rows = [{"name": f"Ana {n}", "phone": f"+551199999000{n}"} for n in range(3)]
    return api.leads.import_(rows, **options)


def _sms(api: Any, sandbox: Sandbox, **options: Any) -> Awaitable[Report]:
    rows = [{"to": f"491510000000{n}", "message": "Your parcel is on its way."} for n in range(3)]
    return api.messages.import_sms(rows, **options)


def _applicants(api: Any, sandbox: Sandbox, **options: Any) -> Awaitable[Report]:
    if not sandbox.stored("lettings"):
        sandbox.fill("lettings", 1)
    branch, home = (sandbox.stored(kind)[0]["OID"] for kind in ("branches", "lettings"))
    person = {"forename": "Ana", "surname": "Souza", "property_oid": home}
    rows = [{**person, "email_address": f"ana{n}@example.com"} for n in range(3)]
    return api.applications.import_(branch, rows, integrator="made-up", **options)


def speech() -> bytes:
    """Six seconds of silence, as the API wants it: WAV, mono, 16 kHz, 16 bit."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        out.writeframes(bytes(2 * 16000 * 6))
    return file.getvalue()


LEAVO = Samples(
    api="leavo",
    client=_leavo,
    path="/backend/leads",
    refusals=[
        # https://docs.leavo.ai/en/api-reference/errors
        Refusal({"Retry-After": "17"}, {"success": False, "error": {"code": "RATE_LIMIT", "message": "slow down"}}, 17),
        Refusal({}, {"success": False, "error": {"code": "RATE_LIMIT", "details": {"retry_after": 9}}}, 9),
        Refusal({}, "", 60),
    ],
    errors=[
        ErrorSample(400, {"error": {"code": "INVALID", "message": "no phone"}}, tree.BadRequestError, "no phone"),
        ErrorSample(401, {"error": {"message": "no"}}, tree.AuthenticationError, "LEAVO_API_KEY"),
        ErrorSample(404, {"error": {"message": "no such lead"}}, tree.NotFoundError, "no such lead"),
        ErrorSample(409, {"error": {"message": "phone exists"}}, tree.ConflictError, "phone exists"),
        ErrorSample(500, "", tree.ServerError),
    ],
    write=lambda api: api.leads.create(name="Ana Souza", phone="+5511999990000"),
    lost=(1, None),  # it is found by its phone
    pages=[
        PageSample(
            lambda api: api.leads.list(page_size=2, concurrency=1),
            {"success": True, "data": [{"id": "1"}, {"id": "2"}], "pagination": {"total": 9, "has_more": True}},
            "/backend/leads?limit=2&offset=2",
        ),
        PageSample(lambda api: api.leads.list(page_size=1), [{"id": "1"}], "/backend/leads?limit=1&offset=1"),
    ],
    kept=[("leads", lambda api: api.leads.list(page_size=7), "id")],
    imports=("leads", _leads),
)

LAABAM = Samples(
    api="laabam",
    client=_laabam,
    path="/invoices",
    refusals=[
        Refusal({"Retry-After": "12"}, {"error": {"code": "rate_limited"}}, 12),  # the code is a guess
        Refusal({}, "", None),  # it is documented to have Retry-After
    ],
    errors=[
        ErrorSample(401, {"error": {"code": "unauthorized"}}, tree.AuthenticationError, "LAABAM_CLIENT_SECRET"),
        ErrorSample(403, {"error": {"code": "insufficient_scope"}}, tree.PermissionDeniedError, "invoices:read"),
        ErrorSample(404, {"error": {"code": "not_found", "message": "no such"}}, tree.NotFoundError, "no such"),
        ErrorSample(409, {"error": {"code": "conflict"}}, tree.ConflictError),
        ErrorSample(502, "<html>", tree.ServerError),
    ],
    write=lambda api: api.messages.sms(to="4915100000000", message="Your parcel is on its way."),
    lost=(2, None),  # keys are honoured
    pages=[
        PageSample(
            lambda api: api.invoices.list(page_size=2, sort="-issued_on", status="unpaid"),
            {"data": [{"id": "1"}, {"id": "2"}], "paging": {"next_cursor": "b2Zmc2V0", "has_more": True}},
            "/invoices?status=unpaid&sort=-issued_on&limit=2&cursor=b2Zmc2V0",
        ),
    ],
    kept=[("invoices", lambda api: api.invoices.list(page_size=7), "id")],
    imports=("messages", _sms),
)

AGENTOS = Samples(
    api="agentos",
    client=_agentos,
    path="/v4/advertising/{short_name}/company/company",
    refusals=[
        Refusal({}, "", 60),
        Refusal({"Retry-After": "61"}, {"Message": "slow down"}, 61),  # neither is documented: heeded if it comes
    ],
    errors=[
        ErrorSample(400, {"Message": "is invalid"}, tree.BadRequestError, "is invalid"),  # the form is a guess
        ErrorSample(401, "", tree.AuthenticationError, "tier is not enabled"),
        ErrorSample(403, "", tree.PermissionDeniedError),
        ErrorSample(404, "", tree.NotFoundError),
        ErrorSample(405, "", tree.APIError),
        ErrorSample(503, "", tree.ServerError),
    ],
    write=lambda api: api.property_management.create_lead({"Forename": "Ana", "Surname": "Souza"}),
    lost=(1, tree.OutcomeUnknownError),
    pages=[
        PageSample(
            lambda api: api.advertising.branches(page_size=2, concurrency=1),
            {"Count": 5, "Data": [{"OID": "1"}, {"OID": "2"}]},
            "/v4/advertising/sandbox/company/branches/2/2",
        ),
        PageSample(
            lambda api: api.diary.types(page_size=2, concurrency=1),
            {"Count": 5, "Data": [{"OID": "1"}, {"OID": "2"}]},
            "/v3/diary/sandbox/appointmenttypes?count=2&offset=2",
        ),
    ],
    kept=[("branches", lambda api: api.advertising.branches(page_size=7), "OID")],
    imports=("applications", _applicants),
)

LANGUAGE_CONFIDENCE = Samples(
    api="language_confidence",
    client=_language_confidence,
    path="/pronunciation/us",
    refusals=[
        Refusal({}, {"detail": "Too many requests"}, None),
        Refusal({"Retry-After": "3"}, "", 3),  # not documented: heeded if it comes
    ],
    errors=[
        ErrorSample(400, {"detail": "Audio could not be decoded"}, tree.BadRequestError, "Audio could not be decoded"),
        ErrorSample(401, {"detail": "no"}, tree.AuthenticationError, "LANGUAGE_CONFIDENCE_API_KEY"),
        ErrorSample(
            422,
            {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]},
            tree.UnprocessableError,
            "body.x: Extra inputs are not permitted",
        ),
        ErrorSample(500, {"detail": "Internal Server Error"}, tree.ServerError),
    ],
    write=lambda api: api.pronunciation(speech(), expected_text="Good morning"),
    lost=(2, None),  # it changes nothing
)

ALL = (LEAVO, LAABAM, AGENTOS, LANGUAGE_CONFIDENCE)
