"""The agentOS API as a value."""

from __future__ import annotations

from leavo_async._sansio.auth import HeaderKey
from leavo_async._sansio.idempotency import Repeat
from leavo_async._sansio.limits import RateLimit
from leavo_async._sansio.paging import Offset, Parts
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.routes import Route

_PARTS = Parts(items="Data", total="Count")
# https://letmc.zendesk.com/hc/en-us/articles/360022332351, for the V3 diary alone
IN_QUERY = Offset(max_size=1000, limit="count", offset="offset", parts=_PARTS)

_ONE_BY_ITS_OID = (
    "/v4/{tier}/{short_name}/company/branches/{oid}",
    "/v4/advertising/{short_name}/sales/salesinstructions/{oid}",
    "/v4/appointments/{short_name}/diary/appointment/{oid}",
    "/v4/maintenance/{short_name}/jobs/{oid}",
    "/v4/contacts/{short_name}/tenants/{oid}",
    "/v4/contacts/{short_name}/landlords/{oid}",
    "/v4/contacts/{short_name}/vendors/{oid}",
    "/v4/contacts/{short_name}/applicants/lettings/{oid}",
    "/v4/contacts/{short_name}/applicants/sales/{oid}",
)
_DELETIONS = (
    "/v4/propertymanagement/{short_name}/lettings/lettingsproperty/{oid}/{what}",
    "/v4/propertymanagement/{short_name}/sales/salesinstructions/{oid}/{what}",
)
_ROUTES = (
    *(Route("GET", path, echo="OID") for path in _ONE_BY_ITS_OID),
    # No page says what a second DELETE does, so it is as careful as with every other write.
    *(Route("DELETE", path, repeat=Repeat.UNSAFE) for path in _DELETIONS),
)
AGENTOS = ApiProfile(
    name="agentos",
    base_url="https://live-api.letmc.com",  # https://hub.agentos.com/getting-started-with-the-agentos-api
    key_variable="AGENTOS_API_KEY",
    auth=HeaderKey("api_key"),
    limits=(RateLimit(50),),  # https://hub.agentos.com/api-throttle-limits-and-rate-limiting
    paging=Offset(max_size=1000, in_path=True, parts=_PARTS),
    routes=_ROUTES,
    honoured="unknown",  # no page mentions idempotency keys
    # https://hub.agentos.com/what-does-error-code-429-mean-and-how-do-i-resolve-it: wait a full minute; who goes on
    # is taken for an attacker and gets 403. For how long it does not say; five minutes are our guess.
    wait_after_429=60.0,
    block_wait=300.0,
    # https://hub.agentos.com/how-do-i-troubleshoot-agentos-api-errors
    on_401="the key is wrong, expired, revoked or of another agency, or this tier is not enabled for it",
)
