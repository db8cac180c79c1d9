"""Leavo's CRM API as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leavo_async._sansio.auth import Bearer
from leavo_async._sansio.idempotency import Repeat
from leavo_async._sansio.limits import RateLimit
from leavo_async._sansio.paging import Offset
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.routes import Route


def _by_phone(sent: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "/backend/leads", {"search": sent["phone"], "limit": 100}


def _is_it(sent: Mapping[str, Any], found: Any) -> bool:
    """A lead with the same phone and the same name: with another name, somebody else has made it before us."""
    return isinstance(found, Mapping) and all(found.get(name) == sent.get(name) for name in ("phone", "name"))


_ROUTES = (
    # A second lead with the same phone is refused: https://docs.leavo.ai/en/api-reference/leads/create
    Route("GET", "/backend/leads/{id}", echo="id"),
    Route("PUT", "/backend/leads/{id}", echo="id"),
    Route("POST", "/backend/leads", repeat=Repeat.NATURAL, lookup=_by_phone, same=_is_it),
    # https://docs.leavo.ai/en/api-reference/webhooks/manage, and its Portuguese page with other names
    Route("POST", "/backend/webhooks", callbacks=("url", "target_url")),
    Route("PUT", "/backend/webhooks/{id}", callbacks=("url", "target_url")),
    Route("POST", "/ai/process", callbacks=("postback_url",)),  # https://docs.leavo.ai/en/ai-processing
)
LEAVO = ApiProfile(
    name="leavo",
    base_url="https://api.leavo.ai",  # https://docs.leavo.ai/en/api-reference/introduction
    key_variable="LEAVO_API_KEY",  # https://docs.leavo.ai/en/authentication
    auth=Bearer(),
    limits=(RateLimit(100),),  # https://docs.leavo.ai/pt-BR/api-reference/introduction
    paging=Offset(max_size=100),  # https://docs.leavo.ai/en/api-reference/leads/list
    routes=_ROUTES,
    honoured="unknown",  # no page mentions Idempotency-Key
    wait_after_429=60.0,  # https://docs.leavo.ai/en/best-practices
)
