"""Language Confidence's speech assessment API as a value."""

from __future__ import annotations

from leavo_async._sansio.auth import HeaderKey
from leavo_async._sansio.fields import HeaderRule
from leavo_async._sansio.idempotency import Repeat
from leavo_async._sansio.paging import Offset
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.routes import Route
from leavo_async.apis.language_confidence.users import USER_ID, problem_of_user_id

PRONUNCIATION = "/pronunciation/{accent}"
SCRIPTED = "/speech-assessment/scripted/{accent}"
UNSCRIPTED = "/speech-assessment/unscripted/{accent}"

# Address, header and paths are those of other clients, which agree: the vendor's own reference was not to be had.
LANGUAGE_CONFIDENCE = ApiProfile(
    name="language_confidence",
    base_url="https://apis.languageconfidence.ai",
    key_variable="LANGUAGE_CONFIDENCE_API_KEY",
    auth=HeaderKey("api-key"),
    limits=(),  # by plan, and no number is published
    paging=Offset(max_size=100),  # no listing is known
    # That a recording may be scored twice is inferred: it changes nothing at the server, but may be billed.
    routes=tuple(Route("POST", path, repeat=Repeat.PURE) for path in (PRONUNCIATION, SCRIPTED, UNSCRIPTED)),
    honoured="ignored",  # no idempotency key is documented
    # Growing delays are what the vendor asks for:
    # https://docs.languageconfidence.ai/docs/guides/speech-assessment-api/before-going-to-production
    wait_after_429=None,
    on_401="the key is wrong, or belongs to another front door of the API (base_url, auth)",
    header_rules=(HeaderRule(USER_ID, problem_of_user_id, remedy="user_id="),),
)
