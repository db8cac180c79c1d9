"""From aiohttp's request to what the layers work with."""

from urllib.parse import unquote, unquote_plus

from aiohttp import web

from leavo_async.sandbox.ledger import RequestEntry
from leavo_async.sandbox.messages import Call, Face
from leavo_async.sandbox.reception import Admission


def read_segments(request: web.Request, prefix: str) -> tuple[str, ...]:
    """The path after the prefix, cut at its slashes; empty if it does not begin with it."""
    path = request.rel_url.raw_path
    if not path.startswith(prefix + "/"):
        return ()
    return tuple(unquote(part) for part in path[len(prefix) + 1 :].split("/"))


def read_entry(request: web.Request, face: Face, at: float, admission: Admission) -> RequestEntry:
    """What the ledger writes when a request arrives: everything but its key."""
    return RequestEntry(
        number=0,  # given by the ledger
        at=at,
        key=admission.label,
        method=request.method,
        path=request.path,
        query=_without(request.rel_url.raw_query_string, face.query_keys),
        idempotency_key=request.headers.get("Idempotency-Key"),
        admitted=admission.refusal is None,
    )


def read_call(request: web.Request, entry: RequestEntry, segments: tuple[str, ...], body: bytes) -> Call:
    """The request as a face gets it."""
    return Call(entry.number, entry.key or "", entry.method, segments, request.query, request.headers, body)


async def read_body(request: web.Request) -> bytes | None:
    """The whole body; None if the client left before its end, or if it cannot be unpacked."""
    try:
        return await request.read()
    except (ConnectionError, web.RequestPayloadError):
        return None


def _without(query: str, names: frozenset[str]) -> str:
    # Cut, not parsed and put together again: the ledger shows what was sent.
    return "&".join(pair for pair in query.split("&") if _name(pair) not in names)


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0]).lower()
