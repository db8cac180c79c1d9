"""The Laabam One Public API as a value."""

from __future__ import annotations

from collections.abc import Iterator

from leavo_async._sansio.auth import HeaderPair
from leavo_async._sansio.limits import DailyCap, RateLimit
from leavo_async._sansio.paging import Cursor
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.routes import Route

RESOURCES = ("invoices", "customers", "products", "payments")
CHANNELS = ("sms", "whatsapp", "email")


def _routes() -> Iterator[Route]:
    # "resource:read / resource:write": https://doc.laabam.one/api/; paths but those of /invoices are inferred.
    for name in RESOURCES:
        yield Route("GET", f"/{name}", scopes=(f"{name}:read",))
        yield Route("GET", f"/{name}/{{id}}", echo="id", scopes=(f"{name}:read",))
        yield Route("POST", f"/{name}", scopes=(f"{name}:write",))
    # Scopes of https://doc.laabam.one/docs/messaging; its page on security calls them messaging:send.
    for name in CHANNELS:
        yield Route(
            "POST", f"/messaging/{{company}}/{name}", groups=("messaging", name), scopes=(f"messages:{name}:send",)
        )
    yield Route(
        "GET", "/messaging/{company}/messages/{id}", groups=("messaging",), echo="id", scopes=("messages:read",)
    )


LAABAM = ApiProfile(
    name="laabam",
    # https://doc.laabam.one/docs/getting-started; https://doc.laabam.one/docs/messaging has https://api.laabam.one/v1
    base_url="https://laabam.app/api/v1",
    key_variable="LAABAM_CLIENT_SECRET",
    id_variable="LAABAM_CLIENT_ID",
    # https://doc.laabam.one/docs/authentication; that each begins with its prefix is seen in the examples there.
    auth=HeaderPair("X-Client-Id", "X-Client-Secret", id_prefix="lk_id_", secret_prefix="lk_secret_"),  # noqa: S106
    limits=(
        RateLimit(60),  # the default of a key: https://doc.laabam.one/docs/security
        RateLimit(30, group="messaging"),  # on top of it: https://doc.laabam.one/docs/messaging
        # For each channel at https://doc.laabam.one/docs/security, for each key at /docs/messaging; without a number.
        *(DailyCap(None, group=name) for name in CHANNELS),
    ),
    paging=Cursor(max_size=100),  # https://doc.laabam.one/api/
    routes=tuple(_routes()),
    honoured="honoured",  # https://doc.laabam.one/docs/idempotency
    key_lasts=86_400.0,  # the same page: kept for 24 hours
    mismatch_statuses=frozenset({409}),  # the same page: another payload with the same key
    wait_after_429=None,  # https://doc.laabam.one/docs/security promises Retry-After, and no number without it
    on_401="the id or the secret is missing, wrong, inactive or expired, and the server does not say which",
)
