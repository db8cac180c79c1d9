"""One API as a frozen value: what the engine must know about it."""

from __future__ import annotations

from dataclasses import dataclass

from leavo_async._sansio.auth import Auth
from leavo_async._sansio.fields import HeaderRule
from leavo_async._sansio.idempotency import Honoured
from leavo_async._sansio.limits import Limit
from leavo_async._sansio.paging import Paging
from leavo_async._sansio.routes import Route


@dataclass(frozen=True, slots=True)
class ApiProfile:
    """How one API differs from another.

    base_url: scheme and host, and a path if all paths of the API begin with it.
    key_variable: the environment variable that holds the key; id_variable: that of its id, where it has one.
    auth: how requests are signed: Bearer, HeaderKey, HeaderPair or QueryKey.
    limits: what each key may send, and what groups of routes may on top of it; () if the API has no limit.
    paging: how its listings are cut into pages, where a call does not say otherwise.
    routes: the routes that have something of their own; a call is the first of them that fits.
    honoured: what the server does with idempotency keys.
    key_lasts: seconds for which it keeps what it did for a key.
    mismatch_codes: error codes that mean that a key came with another request before.
    in_progress_codes: error codes that mean that the first request with a key is not answered yet.
    mismatch_statuses: statuses that mean the same, where the caller has named the key.
    wait_after_429: seconds to wait when a 429 does not say how long; None lets delays grow as after other failures.
    block_wait: seconds to wait when a 403 is no matter of rights, but follows a 429 and blocks the key for having asked
        too often; None if the API has no such block.
    on_401: what may be wrong then.
    header_rules: what it demands of header fields.
    envelope: names that may stand beside `data` where an answer is wrapped in {"data": …}.
    max_body_bytes: the largest answer taken, unpacked.
    """

    name: str
    base_url: str
    key_variable: str
    auth: Auth
    limits: tuple[Limit, ...]
    paging: Paging
    routes: tuple[Route, ...] = ()
    honoured: Honoured = "unknown"
    # A day, as most who publish it: https://docs.stripe.com/api/idempotent_requests
    key_lasts: float = 86_400.0
    # Names of the field: Stripe's, Square's, and plain ones, those in either case.
    mismatch_codes: frozenset[str] = frozenset(
        {
            "IDEMPOTENCY_MISMATCH",
            "idempotency_mismatch",
            "IDEMPOTENCY_KEY_REUSED",
            "idempotency_key_reused",
            "idempotency_error",
        }
    )
    in_progress_codes: frozenset[str] = frozenset(
        {"IDEMPOTENCY_IN_PROGRESS", "idempotency_in_progress", "idempotency_key_in_use"}
    )
    mismatch_statuses: frozenset[int] = frozenset()
    wait_after_429: float | None = 60.0
    block_wait: float | None = None
    id_variable: str = ""
    on_401: str = "the key is wrong, expired or revoked"
    header_rules: tuple[HeaderRule, ...] = ()
    envelope: frozenset[str] = frozenset({"success", "pagination", "message"})
    max_body_bytes: int = 16 * 1024 * 1024
