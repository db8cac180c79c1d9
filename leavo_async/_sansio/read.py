"""From an answer to its meaning: a Response that can be used, or a Failure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from leavo_async._sansio.advice import read_advice
from leavo_async._sansio.complaint import facts_of
from leavo_async._sansio.messages import Request, Response
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.retry import HOPELESS, Failure
from leavo_async._sansio.routes import route_of
from leavo_async._sansio.text import printable
from leavo_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    IdempotencyMismatchError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ServerError,
    UnprocessableError,
)

_CLASSES: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: ServerError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitError,
}
_REQUEST_ID = ("x-request-id", "request-id", "x-correlation-id")

_REPLAYED = ("idempotency-replayed", "idempotent-replayed")
_STORED = "the server has stored this failure and would give it again"
# RFC 6750 §3: WWW-Authenticate: Bearer error="insufficient_scope", scope="leads:write"
_SCOPE = re.compile(r'\bscope="([^"]+)"')
_SCOPE_FIELDS = ("missing_scope", "required_scope", "scope")
_BLOCKED = "the key is blocked for having gone on after a 429, or has no right to this"
_LACKS_SCOPE = "insufficient_scope"  # the code for it, RFC 6750 §3.1


def read(
    profile: ApiProfile, request: Request, response: Response, *, now: float, is_refused: bool = False
) -> Response | Failure:
    """The response itself if it is a 2xx, otherwise the Failure it stands for.

    now: seconds since the Unix epoch. is_refused: the key was answered with a 429, and nothing was taken since.
    """
    if 200 <= response.status < 300:
        if request.idempotency_key is not None and _is_replay(request, response):
            return replace(response, replayed=True)
        return response
    if response.status < 400:
        return Failure(_not_an_answer(request, response), final=HOPELESS)
    is_block = is_refused and response.status == 403 and profile.block_wait is not None
    return _failure(profile, request, response, now, is_block=is_block)


def api_error(profile: ApiProfile, request: Request, response: Response, *, is_block: bool = False) -> APIError:
    """The error for an answer that reports one. is_block: it is a 403 for having asked too often."""
    code, message, details = facts_of(response.body)
    kind = _kind(profile, request, response.status, code)
    if is_block:
        kind, message = RateLimitError, f"{_BLOCKED}. {message}".strip()
    words = " ".join(word for word in (str(response.status), code) if word)
    error = kind(
        f"{request}: the server answered {words}" + (f": {printable(message)}" if message else ""),
        status=response.status,
        code=code,
        details=details,
        request_id=_request_id(response),
        response=response,
    )
    if isinstance(error, AuthenticationError):
        variables = " and ".join(filter(None, (profile.id_variable, profile.key_variable)))
        error.args = (f"{error}; {profile.on_401}: put a valid one into {variables}",)
    if isinstance(error, PermissionDeniedError) and (scope := _missing_scope(profile, request, response, error)):
        error.missing_scope = scope
        error.args = (f"{error}; the key lacks the scope {scope}",)
    return error


def _kind(profile: ApiProfile, request: Request, status: int, code: str | None) -> type[APIError]:
    is_meant = request.key_is_named and status in profile.mismatch_statuses and code not in profile.in_progress_codes
    if code in profile.mismatch_codes or is_meant:
        return IdempotencyMismatchError
    return _CLASSES.get(status) or (ServerError if status >= 500 else APIError)


def _failure(profile: ApiProfile, request: Request, response: Response, now: float, *, is_block: bool) -> Failure:
    error = api_error(profile, request, response, is_block=is_block)
    advice = read_advice(response.headers, error.details, now=now)
    if isinstance(error, RateLimitError):
        unasked = profile.block_wait if is_block else profile.wait_after_429
        wait = unasked if advice.wait is None else advice.wait
        error.retry_after, advice = wait, advice._replace(wait=wait)
    if advice.wait is not None:
        error.retry_at = now + advice.wait
    if isinstance(error, ConflictError) and error.code in profile.in_progress_codes:
        error.in_progress, error.outcome = True, "unknown"
    return Failure(
        error,
        advice,
        final=_STORED if _is_replay(request, response) else HOPELESS if error.code in profile.mismatch_codes else None,
        in_progress=error.code in profile.in_progress_codes or response.status == 423,
    )


def _is_replay(request: Request, response: Response) -> bool:
    """Servers that store answers by key mark the stored ones with one of two names."""
    headers = response.headers
    return request.idempotency_key is not None and any(headers.get(name) == "true" for name in _REPLAYED)


def _not_an_answer(request: Request, response: Response) -> ProtocolError:
    # A redirect is never followed: it could take the key to another host. Of its target only the origin is shown: the
    # rest may hold secrets.
    to = _origin(response.headers.get("location", ""))
    error = ProtocolError(
        f"{request}: unexpected status {response.status}{to} (redirects are not followed); check base_url"
    )
    error.status = response.status
    if response.status >= 300:
        error.outcome = "not sent"  # whoever redirects has not acted
    return error


def _origin(location: str) -> str:
    try:
        url = urlsplit(location)
        return f" to {printable(f'{url.scheme}://{url.hostname}', 100)}" if url.hostname else ""
    except ValueError:
        return ""


def _missing_scope(profile: ApiProfile, request: Request, response: Response, error: APIError) -> str | None:
    fields: Any = error.details if isinstance(error.details, dict) else {}
    named = next((fields[name] for name in _SCOPE_FIELDS if isinstance(fields.get(name), str)), None)
    if named is None and (found := _SCOPE.search(response.headers.get("www-authenticate", ""))):
        named = found[1]
    if named is None and error.code == _LACKS_SCOPE:
        named = " ".join(route_of(profile.routes, request.method, request.path).scopes) or None
    return None if named is None else printable(named, 100)


def _request_id(response: Response) -> str | None:
    found = next((response.headers[name] for name in _REQUEST_ID if name in response.headers), None)
    return None if found is None else printable(found, 100)
