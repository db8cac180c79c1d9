"""What these tests share: a client, certificates, a proxy, and all that people get to see of an error."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import trustme

from leavo_async import APIError, LeavoClient, LeavoError, RetryPolicy

from ..faults.wire import Line, Received, Step, http

KEY = "lv_live_CANARY7f3a9b"
ONCE = RetryPolicy(max_attempts=1)


def client(url: str, key: Any = KEY, **options: Any) -> LeavoClient:
    settings = {"allow_insecure_loopback": url.startswith("http:"), "limits": (), **options}
    return LeavoClient(key, base_url=url, **settings)


def nobody_listens() -> str:
    """The URL of a port of this machine on which nothing is."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


# Certificates


def serving(authority: trustme.CA, *names: str, **issued: Any) -> ssl.SSLContext:
    """The context of a server with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",)), **issued).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """The context of a client that knows this authority, and is strict as the usual one."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


# Two tenants: Wire(Tagging(...).step)


class Tagging:
    """A server that names whose key has asked, and for what; at times it says something of the other one, unasked."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """secrets: what the header fields of each of two tenants hold."""
        self.step = Step((self._answer,))
        self._secrets = secrets
        self._chance = random.Random(1)
        self._last: dict[asyncio.StreamWriter, tuple[str, str]] = {}

    async def _answer(self, line: Line, request: Received) -> None:
        tenant = self.asked_by(request)
        self._last[line.writer] = self._other(tenant), request.path
        stray = _said(self._other(tenant), request.path) if self._chance.random() < 0.005 else b""
        await line.do(_said(tenant, request.path) + stray, request)

    def asked_by(self, request: Received) -> str:
        """Whose secret it carries: one, and no other."""
        fields = " ".join(request.headers.values())
        (tenant,) = [tenant for tenant, secret in self._secrets.items() if secret in fields]
        return tenant

    def stray(self) -> None:
        """Say something unasked on every connection; it is in the client's sockets when this returns."""
        for writer, (tenant, path) in self._last.items():
            if not writer.is_closing():
                writer.write(_said(tenant, path))
        self._last.clear()

    def _other(self, tenant: str) -> str:
        (other,) = self._secrets.keys() - {tenant}
        return other


def _said(tenant: str, path: str) -> bytes:
    body = json.dumps({"tenant": tenant, "path": path}).encode()
    return http(200, body, set_cookie=f"tenant={tenant}; Path=/")


# A proxy: Wire(tunnel())


def tunnel(passed: bytearray | None = None) -> Step:
    """What CONNECT asks for. passed: gets what the client says inside."""
    kept = bytearray() if passed is None else passed

    async def act(line: Line, request: Received) -> None:
        host, _, port = request.path.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        line.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(line.reader, writer, kept), _pump(reader, line.writer, bytearray()))
        finally:
            writer.transport.abort()
        raise ConnectionResetError

    return Step((act,))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    while data := await reader.read(65536):
        kept += data
        writer.write(data)
        await writer.drain()
    writer.transport.abort()


# What people see


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def shown(error: LeavoError) -> str:
    """All that is printed of an error, its answer included."""
    texts = [error.story, error.user_message]
    for one in chain(error):
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
    if isinstance(error, APIError) and error.response is not None:
        texts += [repr(dict(error.response.headers)), repr(error.response.body), repr(error.details)]
    return "\n".join([*texts, *traceback.format_exception(error)])


def printed_locals(error: BaseException) -> str:
    """The local variables that a traceback prints when it is told to; those of the tests' own frames left out."""
    report: traceback.TracebackException | None = traceback.TracebackException.from_exception(
        error, capture_locals=True
    )
    lines = []
    while report is not None:
        frames = [frame for frame in report.stack if "/tests/" not in frame.filename]
        lines += [f"{frame.name}: {name} = {text}" for frame in frames for name, text in (frame.locals or {}).items()]
        report = report.__cause__ or report.__context__
    return "\n".join(lines)
