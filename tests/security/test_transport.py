"""Nobody else is spoken to than the server that was named, and nobody listens in."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from leavo_async import ConfigError, LeavoClient, Session, TLSError
from leavo_async._sansio.encode import checked_base_url
from leavo_async.apis.leavo import LEAVO
from leavo_async.session import SessionOptions

from ..faults.wire import Wire, answer, http
from .servers import KEY, client, serving, trusting, tunnel

on_a_wire = pytest.mark.asyncio

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


# Certificates and TLS

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
BAD_CERTIFICATES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "for another host": (("api.leavo.ai",), {}),
    "for another address": (("127.0.0.2",), {}),
    "that has expired": (("127.0.0.1",), {"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}),
    "that is not valid yet": (("127.0.0.1",), {"not_before": NOW + DAY, "not_after": NOW + 9 * DAY}),
}


@on_a_wire
@pytest.mark.parametrize(("names", "issued"), BAD_CERTIFICATES.values(), ids=BAD_CERTIFICATES)
async def test_a_certificate_that_proves_nothing_is_refused(
    names: tuple[str, ...], issued: dict[str, Any], authority: trustme.CA
) -> None:
    """Even one of an authority that is trusted: nothing is sent, and it is not tried again."""
    server = serving(authority, *names, **issued)
    async with Wire(tls=server) as wire, client(wire.url, ssl_context=trusting(authority)) as leavo:
        with pytest.raises(TLSError, match="certificate") as caught:
            await leavo.request("POST", "/x")

    assert ([], 1) == (wire.requests, len(caught.value.attempts))
    assert ("not sent", "connect") == (caught.value.outcome, caught.value.phase)


@on_a_wire
@pytest.mark.parametrize("own", [True, False], ids=["with its file", "without it"])
async def test_an_authority_of_ones_own_is_trusted_when_it_is_named(
    own: bool, authority: trustme.CA, tmp_path: Path
) -> None:
    """As a company has one; whoever does not name it does not trust it."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem") if own else None
    async with Wire(answer(http(200)), tls=serving(authority)) as wire, client(wire.url, ssl_context=context) as leavo:
        with nullcontext() if own else pytest.raises(TLSError):
            await leavo.request("GET", "/x")

    assert [f"Bearer {KEY}"] * own == [request.headers["authorization"] for request in wire.requests]


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@contextmanager
def old_server(authority: trustme.CA) -> Iterator[tuple[int, list[str]]]:
    """A server that speaks TLS 1.1 at best: its port, and what it has agreed on.

    In a thread, for asyncio's hangs up without the alert that tells why.
    """
    context = _old(serving(authority))
    agreed: list[str] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.settimeout(5)
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
                agreed.append(str(tls.version()))
                tls.recv(100)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], agreed
    finally:
        listening.shutdown(socket.SHUT_RDWR)  # wakes accept
        listening.close()
        thread.join()


def _shake_hands(port: int) -> None:
    """As a client would that takes anything."""
    context = _old(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain):
        pass


@pytest.mark.skipif(not ssl.HAS_TLSv1_1, reason="this Python cannot play an old server")
@pytest.mark.parametrize("context", [None, trusting], ids=["the usual context", "one's own context"])
def test_a_server_that_speaks_only_old_tls_is_refused(context: Any, authority: trustme.CA) -> None:
    """TLS 1.1 can be read by others (RFC 8996)."""

    async def call(port: int) -> None:
        settings = {"ssl_context": context and context(authority)}
        async with client(f"https://127.0.0.1:{port}", **settings) as leavo:
            with pytest.raises(TLSError, match="TLS version was refused") as caught:
                await leavo.request("GET", "/x")
        assert 1 == len(caught.value.attempts)

    with old_server(authority) as (port, agreed):
        _shake_hands(port)
        asyncio.run(call(port))

    assert ["TLSv1.1"] == agreed  # with the one that takes anything


def _context(**settings: Any) -> ssl.SSLContext:
    context = ssl.create_default_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, value in settings.items():
            setattr(context, name, value)
    return context


LAX: dict[str, Any] = {
    "no verification": ssl._create_unverified_context(),
    "verification where there is a certificate": _context(check_hostname=False, verify_mode=ssl.CERT_OPTIONAL),
    "any host": _context(check_hostname=False),
    "TLS 1.1": _context(minimum_version=ssl.TLSVersion.TLSv1_1),
    "TLS 1.0": _context(minimum_version=ssl.TLSVersion.TLSv1),
    "SSL 3": _context(minimum_version=ssl.TLSVersion.SSLv3),
    "whatever there is": _context(minimum_version=ssl.TLSVersion.MINIMUM_SUPPORTED),
    "that of a server": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
    "False": False,
    "True": True,
    "0": 0,
    "the name of a file": "/etc/ssl/certs/ca-certificates.crt",
}


@pytest.mark.parametrize("context", LAX.values(), ids=LAX)
def test_a_context_that_protects_less_is_refused(context: Any) -> None:
    """When the session is made; there is no way to switch verification off."""
    with pytest.raises(ConfigError, match=r"^ssl_context: "):
        LeavoClient(KEY, ssl_context=context)


def test_no_setting_switches_verification_off() -> None:
    """Of the settings two speak of safety: the context, which is checked, and http to this machine."""
    words = ("verify", "ssl", "tls", "cert", "insecure", "secure", "host", "check", "trust", "allow")
    found = {name for name in SessionOptions.__annotations__ if any(word in name for word in words)}

    assert {"ssl_context", "trust_env", "allow_insecure_loopback"} == found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_context_that_protects_as_well_is_taken(version: ssl.TLSVersion) -> None:
    """The usual one, or a stricter one."""
    assert LeavoClient(KEY, ssl_context=_context(minimum_version=version))


# http

ODD_URLS = [
    "http://api.leavo.ai",
    "HTTP://api.leavo.ai",
    "hTTp://api.leavo.ai:443",
    "http:\\\\api.leavo.ai",
    "http:/\\127.0.0.1",
    "http:/127.0.0.1",
    "http:127.0.0.1",
    "http:///127.0.0.1",
    "//127.0.0.1",
    "http://127.0.0.1@api.leavo.ai",
    "http://127.0.0.1:80@api.leavo.ai",
    "http://127.0.0.1\\@api.leavo.ai",
    "http://api.leavo.ai\\@127.0.0.1",
    "http://user@127.0.0.1",
    "http://:@127.0.0.1",
    "http://127.0.0.1.api.leavo.ai",
    "http://localhost.api.leavo.ai",
    "http://api.leavo.ai#@127.0.0.1",
    "http://api.leavo.ai?@127.0.0.1",
    "http://api.leavo.ai/@127.0.0.1",
    "http://api.leavo.ai%2f@127.0.0.1",
    "http://api.leavo.ai%00.localhost",
    "http://127.0.0.1%2eapi.leavo.ai",
    " http://127.0.0.1",
    "http://127.0.0.1 ",
    "http://127.0.0.1\t",
    "ht\ntp://127.0.0.1",
    "http://127.0.0.1\n.api.leavo.ai",
    "http://127.0.0.1\0",
    "http://127\u30020\u30020\u30021",  # ideographic full stops
    "http://127\uff0e0\uff0e0\uff0e1",  # fullwidth ones
    "http://\u2460\u2461\u2466.0.0.1",  # circled digits
    "http://\uff4cocalhost",
    "http://api.leavo.ai\uff0f@127.0.0.1",  # a fullwidth slash
    "http://[::1]@api.leavo.ai",
    "http://[::1].api.leavo.ai",
    "http://[::ffff:8.8.8.8]",
    "http://0.0.0.0",
    "http://8.8.8.8",
    "http://169.254.169.254",
    "https://user:secret@api.leavo.ai",
    "https://api.leavo.ai\\@evil.example",
    "https://api.leavo.ai\\.evil.example",
    "https://evil.example\uff03@api.leavo.ai",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "ws://127.0.0.1",
    "javascript://127.0.0.1",
]


@pytest.mark.parametrize("url", ODD_URLS, ids=ascii)
def test_a_url_in_an_odd_spelling_does_not_get_around_https(url: str) -> None:
    """When the session is made, and also where http to this machine is allowed."""
    for settings in ({}, {"allow_insecure_loopback": True}):
        with pytest.raises(ConfigError, match=r"^base_url: ") as caught:
            LeavoClient(KEY, base_url=url, **settings)  # type: ignore[arg-type]
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_http_to_this_machine_needs_to_be_allowed(host: str) -> None:
    """Nobody but this machine can listen in; still it is asked for by name."""
    with pytest.raises(ConfigError, match="allow_insecure_loopback=True"):
        LeavoClient(KEY, base_url=f"http://{host}:8080")

    assert LeavoClient(KEY, base_url=f"http://{host}:8080", allow_insecure_loopback=True)


PIECES = ["http", "https", "HTTPS", ":", "/", "//", "\\", "@", "127.0.0.1", "localhost", "[::1]", "evil.example", "."]
PIECES += ["#", "?", "%2f", "%40", "[", "]", "80", "\t", " ", "\n", "\0", "é", "\u3002", "\uff0f", "a", ";", "-", "|"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text())
@example("https://api.leavo.ai")
@example("HTTPS://[::1]:80/a%2Fb/")
def test_a_url_that_is_taken_means_the_same_to_whoever_connects(url: str) -> None:
    """What we have checked is what is connected to, although two libraries read it."""
    for allowed in (False, True):
        try:
            taken = checked_base_url(url, loopback_http=allowed)
        except ConfigError:
            continue
        ours, theirs = urlsplit(taken), URL(f"{taken}/x", encoded=True)
        assert (ours.scheme, ours.hostname) == (theirs.scheme, theirs.host)
        assert "https" == theirs.scheme or (allowed and theirs.host in LOOPBACK)
        assert (None, None) == (theirs.user, theirs.password)


# Proxies and ~/.netrc


def no_proxies(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """None of those of this machine, but these."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@on_a_wire
@pytest.mark.parametrize(
    ("settings", "variables", "used"),
    [
        ({"trust_env": True}, {}, True),
        ({"trust_env": True}, {"NO_PROXY": "127.0.0.1"}, False),
        ({"trust_env": True}, {"NO_PROXY": "*"}, False),
        ({"trust_env": False}, {}, False),
        ({}, {}, False),
    ],
    ids=str,
)
async def test_a_proxy_of_the_environment_is_used_only_when_asked_for(
    settings: Any, variables: dict[str, str], used: bool, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not for the hosts that NO_PROXY names."""
    async with Wire(answer(http(200)), tls=serving(authority)) as wire, Wire(tunnel()) as proxy:
        no_proxies(monkeypatch, HTTPS_PROXY=proxy.url, **variables)
        async with client(wire.url, ssl_context=trusting(authority), **settings) as leavo:
            await leavo.request("GET", "/x")

    assert (int(used), 1) == (len(proxy.requests), len(wire.requests))


@on_a_wire
@pytest.mark.parametrize("user", ["", "user:pass@"], ids=["without a password", "with a password"])
async def test_a_proxy_gets_to_know_the_host_and_no_more(
    user: str, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the key, which is for the server behind it; reads and writes go through it encrypted."""
    passed = bytearray()
    async with Wire(answer(http(200)), tls=serving(authority)) as wire, Wire(tunnel(passed)) as proxy:
        no_proxies(monkeypatch, HTTPS_PROXY=proxy.url.replace("http://", f"http://{user}"))
        async with client(wire.url, ssl_context=trusting(authority), trust_env=True) as leavo:
            await leavo.request("GET", "/path")
            await leavo.request("POST", "/path", json={}, headers={"X-Note": "HEADERCANARY"})

    assert [f"Bearer {KEY}"] * 2 == [request.headers["authorization"] for request in wire.requests]
    assert 2 == len(proxy.requests)
    for request in proxy.requests:
        assert ("CONNECT", wire.url.removeprefix("https://")) == (request.method, request.path)
        assert (["Basic dXNlcjpwYXNz"] if user else []) == [
            value for name, value in request.headers.items() if "authorization" in name
        ]
        assert KEY not in f"{request.headers}"
        assert "HEADERCANARY" not in f"{request.headers}"
    assert [] == [hidden for hidden in (KEY.encode(), b"/path", b"HEADERCANARY") if hidden in bytes(passed)]


@on_a_wire
async def test_a_proxy_does_not_vouch_for_the_server(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate behind it is looked at as strictly as without one."""
    async with Wire(tls=serving(authority, "api.leavo.ai")) as wire, Wire(tunnel()) as proxy:
        no_proxies(monkeypatch, HTTPS_PROXY=proxy.url)
        async with client(wire.url, ssl_context=trusting(authority), trust_env=True) as leavo:
            with pytest.raises(TLSError, match="certificate"):
                await leavo.request("GET", "/x")

    assert (1, []) == (len(proxy.requests), wire.requests)


@on_a_wire
async def test_plain_http_to_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would leave this machine, and the key with it, in clear text."""
    async with Wire(answer(http(200))) as wire, Wire(answer(http(200))) as proxy:
        no_proxies(monkeypatch, HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, ALL_PROXY=proxy.url)
        async with client(wire.url, trust_env=True) as leavo:
            await leavo.request("GET", "/x")

    assert (0, 1) == (len(proxy.requests), len(wire.requests))


@on_a_wire
@pytest.mark.parametrize("trust_env", [False, True])
async def test_a_netrc_is_not_read(
    trust_env: bool, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would sign as somebody else, or tell a proxy a password that was not meant for it."""
    (tmp_path / ".netrc").write_text("default login eve password NETRCCANARY\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with Wire(answer(http(200)), tls=serving(authority)) as wire, Wire(tunnel()) as proxy:
        no_proxies(monkeypatch, HTTPS_PROXY=proxy.url)
        async with client(wire.url, ssl_context=trusting(authority), trust_env=trust_env) as leavo:
            await leavo.request("GET", "/x")
            await leavo.request("POST", "/x")

    assert [f"Bearer {KEY}"] * 2 == [request.headers["authorization"] for request in wire.requests]
    assert ["proxy-authorization" in request.headers for request in proxy.requests] == [False] * 2 * trust_env


# Cookies


@on_a_wire
async def test_a_cookie_is_sent_back_by_nobody() -> None:
    """Not by a later read, nor by a write, nor by another session: it would tie together who must not be."""
    given = answer(http(200, set_cookie="session=COOKIECANARY; Path=/; Domain=localhost"))
    async with Wire(given) as wire:
        place = wire.url.replace("127.0.0.1", "localhost")  # a jar takes no cookies from an address
        async with (
            client(place) as leavo,
            Session(LEAVO, "made-up-key-2", base_url=place, allow_insecure_loopback=True, limits=()) as other,
        ):
            for session in (leavo, leavo, other):
                await session.request("GET", "/x")
                await session.request("POST", "/x")

    assert 6 == len(wire.requests)
    assert [] == [request.headers for request in wire.requests if "cookie" in request.headers]
