"""The adapter to aiohttp: the only module that knows its client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import aiohttp
from aiohttp import hdrs
from yarl import URL

from leavo_async._sansio.messages import Headers, Request, Response
from leavo_async._sansio.unpack import too_large, unpack
from leavo_async.errors import (
    ConnectError,
    ConnectTimeoutError,
    ProtocolError,
    ReadError,
    ReadTimeoutError,
    TLSError,
    TransportError,
)

# Servers close idle connections after 5 s (uvicorn) or more; one that we have given up before cannot break under us.
_KEEP_ALIVE = 4.0
_CONNECT_TIMEOUT = 10.0
# "Bearer" and its like are words of the credentials, too, and no secret.
_SHORTEST_SECRET = 7
# Unpacking this much takes a few milliseconds; more than that is done off the event loop.
_UNPACK_IN_THREAD = 256 * 1024

# aiohttp gives a write without a body a Content-Type, unless told not to. Telling it costs, so only writes do.
_NO_TYPE = ("Content-Type",)
_FIXED = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "leavo_async"}


class _Dropped(Exception):
    """The connection broke under a request. The message is the name of aiohttp's error."""


class AiohttpTransport:
    """Sends attempts by aiohttp, each exactly once.

    What may be repeated goes over connections that are kept alive. What may not gets a connection of its own: on a
    used one the server may have hung up in the meantime, and then nobody can tell whether it got the request.
    """

    def __init__(self, credentials: Mapping[str, str], *, max_body_bytes: int) -> None:
        """credentials: the header fields that sign every request. Must be made while the loop runs."""
        # As defaults of the session they stay out of every frame of ours.
        headers = {**_FIXED, **credentials}
        self._kept = _session(headers, aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE))
        self._fresh = _session(headers, aiohttp.TCPConnector(limit=0, force_close=True))
        self._secrets = [form for value in credentials.values() for word in value.split() for form in _forms(word)]
        self._max = max_body_bytes

    async def send(self, request: Request) -> Response:
        """The complete answer; a TransportError says how far it got."""
        try:
            return await self._exchange(request)
        except TransportError as error:
            failure = type(error)(f"{request}: {error}")
        except (aiohttp.ClientError, OSError, _Dropped, ValueError) as error:
            failure = _translated(request, error)
        # Outside the block: neither cause nor context leads to aiohttp's errors, which hold headers and so the key.
        raise failure

    async def aclose(self) -> None:
        """Close every connection."""
        await self._kept.close()
        await self._fresh.close()

    async def _exchange(self, request: Request) -> Response:
        session = self._kept if request.repeatable else self._fresh
        answer = await session.request(
            request.method,
            URL(request.url, encoded=True),  # encoded by us: nothing may be normalised once more
            headers=request.headers,
            data=request.body,
            skip_auto_headers=_NO_TYPE if request.body is None and request.idempotency_key else None,
            allow_redirects=False,
        )
        try:
            body = await self._body(answer)
        except BaseException:
            answer.close()  # a half-read connection must not go back to the pool
            raise
        return self._scrubbed(answer, body)

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        if answer.method == "HEAD":
            return b""
        if not _is_framed(answer):
            raise ProtocolError("the answer does not say where it ends, so a cut could not be seen")
        packed = await self._read(answer)
        coding = answer.headers.get(hdrs.CONTENT_ENCODING)
        if coding is None:
            return packed
        if len(packed) > _UNPACK_IN_THREAD:
            return await asyncio.to_thread(unpack, packed, coding, max_bytes=self._max)
        return unpack(packed, coding, max_bytes=self._max)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        content = answer.content
        if (answer.content_length or 0) > self._max:
            raise too_large(self._max)
        if content.is_eof():
            body = content.read_nowait()  # it came together with the head, as small answers do
        else:
            body = await self._collected(content)
        if len(body) > self._max:
            raise too_large(self._max)
        return body

    async def _collected(self, content: aiohttp.StreamReader) -> bytes:
        """The whole body, or what has come when it is too large."""
        chunks: list[bytes] = []
        size = 0
        async for chunk in content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max:
                break
        return b"".join(chunks)

    def _scrubbed(self, answer: aiohttp.ClientResponse, body: bytes) -> Response:
        """The response; our key is taken out of whatever the server echoed."""
        pairs = list(answer.headers.items())
        for secret, text in self._secrets:
            if secret in body:
                body = body.replace(secret, b"[redacted]")
            if answer.status >= 400:
                pairs = [(name, value.replace(text, "[redacted]")) for name, value in pairs]
        return Response(answer.status, Headers(pairs), body)


def _forms(word: str) -> list[tuple[bytes, str]]:
    """A word of the credentials as a server may echo it: as it is, and as JSON may write it."""
    if len(word) < _SHORTEST_SECRET:
        return []
    escaped = json.dumps(word)[1:-1]
    return [(form.encode(), form) for form in dict.fromkeys((word, escaped, escaped.replace("/", "\\/")))]


def _session(headers: Mapping[str, str], connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        # No cookies: a jar would carry state from one user of a key to the next.
        cookie_jar=aiohttp.DummyCookieJar(),
        # The guard bounds the attempt; aiohttp's own timers were seen to cost 17 % of a request.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT),
        auto_decompress=False,
        middlewares=(_once,),
    )


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Stops aiohttp from sending GET, PUT and DELETE a second time, unseen, when the connection breaks."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        dropped = _Dropped(type(error).__name__)
    raise dropped


def _is_framed(answer: aiohttp.ClientResponse) -> bool:
    """Whether the answer says where it ends (RFC 9112 §6.3). One without a version is a mock's: it has no wire."""
    return (
        hdrs.CONTENT_LENGTH in answer.headers
        or answer.headers.get(hdrs.TRANSFER_ENCODING, "").lower().endswith("chunked")
        or answer.status in (204, 304)
        or answer.version is None
    )


def _translated(request: Request, error: Exception) -> TransportError:
    """Our error for one of aiohttp's; its class name is kept, its text is not: it can hold URL, headers and key."""
    kind, what = _kind(error)
    name = str(error) if isinstance(error, _Dropped) else type(error).__name__
    number = f", {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return kind(f"{request}: {what} ({name}{number})")


def _kind(error: Exception) -> tuple[type[TransportError], str]:
    for foreign, ours, what in _TRANSLATIONS:
        if isinstance(error, foreign):
            return ours, what
    return ReadError, "the connection broke"


# In this order: the first that fits counts.
_TRANSLATIONS: tuple[tuple[type[Exception], type[TransportError], str], ...] = (
    (aiohttp.ClientSSLError, TLSError, "the server's certificate or TLS version was refused"),
    (aiohttp.ConnectionTimeoutError, ConnectTimeoutError, f"no connection within {_CONNECT_TIMEOUT:g} s"),
    (aiohttp.ClientConnectorError, ConnectError, "no connection could be made"),
    (TimeoutError, ReadTimeoutError, "no answer in time"),
    (aiohttp.ClientPayloadError, ProtocolError, "the answer is cut short"),
    (aiohttp.ClientResponseError, ProtocolError, "what came back is not HTTP"),
    (ValueError, ProtocolError, "what came back is not HTTP"),
)
