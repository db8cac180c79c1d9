"""The adapter to aiohttp: the only module that knows its client."""

from __future__ import annotations

import asyncio
import io
import json
import re
import select
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from leavo_async._io.progress import Progress
from leavo_async._sansio.messages import Headers, Request, Response
from leavo_async._sansio.text import has
from leavo_async._sansio.unpack import too_large, unpack
from leavo_async.errors import (
    ConfigError,
    ConnectError,
    ConnectTimeoutError,
    LeavoError,
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
_CODES = re.compile("%[0-9A-F]{2}")  # of percent-encoding, which some write in small letters
_LARGE = 256 * 1024
# Unpacking this much takes a few milliseconds; more than that is done off the event loop.
_UNPACK_IN_THREAD = 256 * 1024

# aiohttp gives a write without a body a Content-Type, unless told not to. Telling it costs, so only writes do.
_NO_TYPE = ("Content-Type",)
_FIXED = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "leavo_async"}


# When the connection breaks with one of these before there is a head, aiohttp alone sends GET, PUT and DELETE a second
# time, unseen.
_SENT_AGAIN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)


class _Dropped(Exception):
    """The connection broke under a request: raised in place of aiohttp's error, the name of which is the message."""


class _Attempt(aiohttp.ClientTimeout):
    """The limits of time of one attempt, and how far it has got.

    Of all that a request is given, aiohttp passes this alone through to the connector as it is: so it carries the
    progress there. Class attributes, because to set the fields of a frozen class costs each request.
    """

    __slots__ = ("progress",)

    progress: Progress
    # The guard bounds the attempt; aiohttp's own timers were seen to cost 17 % of a request. These two run only while a
    # connection is made: the first one bounds the look-up of the name as well.
    total = None
    connect = sock_connect = _CONNECT_TIMEOUT
    sock_read = None
    ceil_threshold = 5

    def __init__(self, progress: Progress) -> None:
        object.__setattr__(self, "progress", progress)

    def __deepcopy__(self, _: object) -> _Attempt:
        return self  # aioresponses copies all that a request is given


class _Response(aiohttp.ClientResponse):
    """An answer whose request is sent once and no more.

    A middleware could see to that as well; it costs twice as much.
    """

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Read the head."""
        try:
            return await super().start(connection)
        except _SENT_AGAIN as error:
            dropped = _Dropped(type(error).__name__)
        raise dropped


class CleanConnector(aiohttp.TCPConnector):
    """Gives no connection again on which the server has said something unasked.

    aiohttp alone hands a stray answer to the next request (https://github.com/aio-libs/aiohttp/issues/13656). Its own
    mark, `should_close`, is set by the event loop, so a loop that was blocked has not seen the stray bytes yet: those
    the socket tells. An answer that comes after the next request has gone out cannot be told from that request's.
    """

    def __init__(self, *, force_close: bool = False, ssl_context: ssl.SSLContext | None = None) -> None:
        # No limit: the slots of the session bound the connections, in one queue with everything else.
        super().__init__(
            limit=0,
            force_close=force_close,
            keepalive_timeout=None if force_close else _KEEP_ALIVE,
            ssl=ssl_context or True,
        )
        # A plain dict: to ask a WeakKeyDictionary costs each request four times as much.
        self._polls: dict[ResponseHandler, Callable[[], object]] = {}

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """A connection that is new, or on which nothing waits to be read."""
        progress = timeout.progress if isinstance(timeout, _Attempt) else Progress()
        progress.connecting()
        # aiohttp would give the proxy all default headers, the key among them.
        req.proxy_headers = None
        while True:
            try:
                connection = await super().connect(req, traces, timeout)
            except aiohttp.ClientConnectorError:
                raise
            except _SENT_AGAIN as error:  # that of a proxy
                dropped = _Dropped(type(error).__name__)
                break
            protocol = connection.protocol
            assert protocol is not None
            is_readable = self._polls.get(protocol)
            if is_readable is None:  # nothing was asked on it yet
                self._remember(protocol)
            if is_readable is None or not (protocol.should_close or is_readable()):
                progress.sending(protocol.transport, protocol)
                return connection
            connection.close()
        raise dropped

    def _remember(self, protocol: ResponseHandler) -> None:
        """Have a poll at hand for when it is used again; those of connections that are gone are forgotten."""
        if not self.force_close:
            self._polls = {known: poll for known, poll in self._polls.items() if known.is_connected()}
            self._polls[protocol] = _poll(protocol.transport)


def _poll(transport: asyncio.BaseTransport | None) -> Callable[[], object]:
    """Whether something can be read from the socket at this moment."""
    found: socket.socket | None = None if transport is None else transport.get_extra_info("socket")
    if found is None:
        return list
    if not hasattr(select, "poll"):  # Windows
        return lambda: select.select([found], [], [], 0)[0]
    poll = select.poll()
    poll.register(found.fileno(), select.POLLIN)
    return partial(poll.poll, 0)


class AiohttpTransport:
    """Sends attempts by aiohttp, each exactly once.

    What may be repeated goes over connections that are kept alive. What may not gets a connection of its own: on a
    used one the server may have hung up in the meantime, and then nobody can tell whether it got the request.
    """

    def __init__(
        self, *, max_body_bytes: int, ssl_context: ssl.SSLContext | None = None, proxy: str | None = None
    ) -> None:
        """proxy: the URL of one, with user and password if it wants them. Must be made while the loop runs."""
        self._kept = _session(CleanConnector(ssl_context=ssl_context), proxy)
        self._fresh = _session(CleanConnector(ssl_context=ssl_context, force_close=True), proxy)
        self._secrets: dict[bytes, str] = {}
        self._query = ""
        self._max = max_body_bytes

    def sign(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None:
        """Sign every request with these header fields and query parameters from now on."""
        # As defaults of the session they stay out of every frame of ours.
        for session in (self._kept, self._fresh):
            session.headers.update(headers)
        self._query = urlencode(params)
        for value in (*headers.values(), *params.values()):
            for word in value.split():
                self._secrets.update(_forms(word))

    async def send(self, request: Request, progress: Progress) -> Response:
        """The complete answer; a TransportError says how far it got, a ConfigError what must be changed."""
        session = self._kept if request.repeatable else self._fresh
        answer: aiohttp.ClientResponse | None = None
        try:
            answer = await session.request(
                request.method,
                # Encoded by us: nothing may be normalised once more.
                URL(_signed(request.url, self._query) if self._query else request.url, encoded=True),
                headers=request.headers,
                data=None if request.body is None else _data(request.body),
                skip_auto_headers=_NO_TYPE if request.body is None and request.idempotency_key else None,
                allow_redirects=False,
                timeout=_Attempt(progress),
            )
            if answer.status != 200 and _says_more(answer):
                progress.abort()  # nobody else can have taken the connection yet: nothing was awaited since its head
            body = self._at_hand(answer)
            if body is None:
                progress.reading(self._scrubbed(answer, b""))
                body = await self._whole(answer)
            if answer.connection is not None:
                _drop(answer)  # it has come early: the rest of the request need not go out any more
            return self._scrubbed(answer, body)
        except (LeavoError, aiohttp.ClientError, OSError, _Dropped, ValueError) as error:
            failure = _failure(request, error, progress, None if answer is None else answer.status)
        except asyncio.CancelledError as cancelled:
            if answer is None:
                progress.abort()
            # It passes through as it is, but for the frames and errors below: they hold headers, and so the key.
            cancelled.__context__ = None
            raise cancelled.with_traceback(None)  # noqa: B904
        finally:
            answer = None  # its headers may echo the key, and this frame is in the traceback
        # Outside the block: neither cause nor context leads to aiohttp's errors, which hold headers and so the key.
        raise failure

    async def aclose(self) -> None:
        """Close every connection."""
        for session in (self._kept, self._fresh):
            await session.close()

    def _at_hand(self, answer: aiohttp.ClientResponse) -> bytes | None:
        """The body, if it came plain and whole together with its head, as nearly all small ones do."""
        content, headers = answer.content, answer.headers
        if hdrs.CONTENT_LENGTH not in headers or hdrs.CONTENT_ENCODING in headers or not content.is_eof():
            return None
        if content.exception() is not None or answer.method == "HEAD" or content.total_bytes > self._max:
            return None
        return content.read_nowait()

    async def _whole(self, answer: aiohttp.ClientResponse) -> bytes:
        try:
            return await self._body(answer)
        except BaseException:
            _drop(answer)  # a half-read connection must not go back to the pool
            raise

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
        """The whole body."""
        chunks: list[bytes] = []
        size = 0
        async for chunk in content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max:
                raise too_large(self._max)
        return b"".join(chunks)

    def _scrubbed(self, answer: aiohttp.ClientResponse, body: bytes) -> Response:
        """The response; our key is taken out of whatever the server echoed."""
        pairs: Iterable[tuple[str, str]] = answer.headers.items()
        # An error, or {"success": false}: its headers may be shown.
        is_shown = answer.status >= 300 or has(body, b"false")
        for secret, text in self._secrets.items():
            if has(body, secret):
                body = body.replace(secret, b"[redacted]")
            if is_shown:
                pairs = [(name, value.replace(text, "[redacted]")) for name, value in pairs]
        return Response(answer.status, Headers(pairs), body)


def proxy_of_environment(url: str) -> str | None:
    """The proxy that the environment names for this URL, such as HTTPS_PROXY; None without one, or by NO_PROXY.

    aiohttp's own trust_env would read ~/.netrc as well, and sign with what it finds there.
    """
    parts = urlsplit(url)
    # Plain http is for this machine alone: a proxy would get the key in clear text.
    if parts.scheme != "https" or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get("https")


def _signed(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _says_more(answer: aiohttp.ClientResponse) -> bool:
    """Whether something may follow that belongs to no answer: another protocol, or the body of "no content"."""
    if answer.status == 204:
        return answer.headers.get(hdrs.CONTENT_LENGTH, "0") != "0" or hdrs.TRANSFER_ENCODING in answer.headers
    return answer.status < 200


def _drop(answer: aiohttp.ClientResponse) -> None:
    """Close its connection, if it still has one, and let nothing more of the request go out."""
    transport = None if answer.connection is None else answer.connection.transport
    answer.close()
    if transport is not None:
        transport.abort()


def _data(body: bytes) -> bytes | io.BytesIO:
    """A large body in pieces: aiohttp would write it at once, and warns of that."""
    return io.BytesIO(body) if len(body) > _LARGE else body


def _forms(word: str) -> list[tuple[bytes, str]]:
    """A word of the credentials as a server may echo it: as it is, as JSON may write it, and as in a URL."""
    if len(word) < _SHORTEST_SECRET:
        return []
    escaped = json.dumps(word)[1:-1]
    quoted = [quote(word), quote(word, safe="")]
    small = [_CODES.sub(lambda code: code[0].lower(), form) for form in quoted]
    forms = (word, escaped, escaped.replace("/", "\\/"), *quoted, *small)
    return [(form.encode(), form) for form in dict.fromkeys(forms)]


def _session(connector: CleanConnector, proxy: str | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        headers=_FIXED,
        # No cookies: a jar would carry state from one user of a key to the next.
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=_Response,
        auto_decompress=False,
        proxy=proxy,
    )


def _is_framed(answer: aiohttp.ClientResponse) -> bool:
    """Whether the answer says where it ends (RFC 9112 §6.3). One without a version is a mock's: it has no wire."""
    return (
        hdrs.CONTENT_LENGTH in answer.headers
        or answer.headers.get(hdrs.TRANSFER_ENCODING, "").lower().endswith("chunked")
        or answer.status in (204, 304)
        or answer.status < 200
        or answer.version is None
    )


def _failure(request: Request, error: Exception, progress: Progress, status: int | None) -> LeavoError:
    """Our error for whatever has ended an attempt."""
    failure = _retold(request, error) if isinstance(error, LeavoError) else _translated(request, error, progress)
    if isinstance(failure, TransportError):
        failure.status = status
        if status is not None and 200 <= status < 300:
            failure.outcome = "done"  # only the description of it is lost
        if not isinstance(failure, ConnectError):
            failure.phase = progress.phase
    return failure


def _retold(request: Request, error: LeavoError) -> LeavoError:
    """An error of ours once more, without the frames that it came through: they hold the answer."""
    failure = type(error)(f"{request}: {error}")
    vars(failure).update(vars(error))
    return failure


def _translated(request: Request, error: Exception, progress: Progress) -> LeavoError:
    """Our error for one of aiohttp's; its class name is kept, its text is not: it can hold URL, headers and key."""
    kind, what, max_repeats = _kind(error)
    if progress.phase == "connect" and not issubclass(kind, (ConnectError, ConfigError)):
        kind, what = ConnectError, "no connection could be made"
    name = str(error) if isinstance(error, _Dropped) else type(error).__name__
    number = f", {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    failure = kind(f"{request}: {what} ({name}{number})")
    if isinstance(failure, TransportError):
        failure.max_repeats = max_repeats
    return failure


def _kind(error: Exception) -> tuple[type[LeavoError], str, int | None]:
    for is_it, ours, what, max_repeats in _TRANSLATIONS:
        if is_it(error):
            return ours, what, max_repeats
    return ReadError, "the connection broke", None


def _is_a(*kinds: type[Exception]) -> Callable[[Exception], bool]:
    return lambda error: isinstance(error, kinds)


def _is_unknown_name(error: Any) -> bool:
    return isinstance(error, aiohttp.ClientConnectorDNSError) and error.errno in _NO_SUCH_NAME


def _hung_up_in_handshake(error: Any) -> bool:
    """A server without TLS 1.2 may do so, and one that is just going down; asyncio has no number for it."""
    return (
        isinstance(error, aiohttp.ClientConnectorError)
        and isinstance(error.os_error, ConnectionResetError)
        and error.os_error.errno is None
    )


def _wants_password(error: Any) -> bool:
    return isinstance(error, aiohttp.ClientHttpProxyError) and error.status == 407


_NO_SUCH_NAME = {number for name in ("EAI_NONAME", "EAI_NODATA") if (number := getattr(socket, name, None)) is not None}
_NO_TLS = "the server's certificate or TLS version was refused"
_HUNG_UP = "the server hung up in the TLS handshake; perhaps it speaks no TLS 1.2"
_NOT_HTTP = "what came back is not HTTP"
_NO_CONNECTION = "no connection could be made"
# In this order: the first that fits counts. The number says how many more sends could help.
_TRANSLATIONS: tuple[tuple[Callable[[Exception], bool], type[LeavoError], str, int | None], ...] = (
    (_is_a(aiohttp.ClientSSLError), TLSError, _NO_TLS, None),
    (_hung_up_in_handshake, ConnectError, _HUNG_UP, 1),
    (_is_a(aiohttp.ConnectionTimeoutError), ConnectTimeoutError, f"no connection within {_CONNECT_TIMEOUT:g} s", None),
    (_is_unknown_name, ConnectError, "the name of the host is not known; check base_url", 1),
    (_is_a(aiohttp.ClientConnectorError), ConnectError, _NO_CONNECTION, None),
    (_wants_password, ConfigError, "the proxy wants another user name or password (status 407)", None),
    (_is_a(aiohttp.ClientHttpProxyError), ConnectError, "the proxy makes no connection", None),
    (_is_a(TimeoutError), ReadTimeoutError, "no answer in time", None),
    (_is_a(aiohttp.ClientPayloadError), ProtocolError, "the answer is cut short", None),
    (_is_a(aiohttp.ClientResponseError, ValueError), ProtocolError, _NOT_HTTP, 1),
)
