"""Leavo's CRM API as a value."""

from __future__ import annotations

from leavo_async._sansio.auth import Bearer
from leavo_async._sansio.limits import RateLimit
from leavo_async._sansio.paging import Offset
from leavo_async._sansio.profile import ApiProfile

LEAVO = ApiProfile(
    name="leavo",
    base_url="https://api.leavo.ai",  # https://docs.leavo.ai/en/api-reference/introduction
    key_variable="LEAVO_API_KEY",  # https://docs.leavo.ai/en/authentication
    auth=Bearer(),
    limits=(RateLimit(100),),  # https://docs.leavo.ai/pt-BR/api-reference/introduction
    paging=Offset(max_size=100),  # https://docs.leavo.ai/en/api-reference/leads/list
    honoured="unknown",  # no page mentions Idempotency-Key
    wait_after_429=60.0,  # https://docs.leavo.ai/en/best-practices
)
