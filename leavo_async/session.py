"""The session: one key of one API, and everything its calls share."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

from leavo_async import _sender
from leavo_async._call import Call, Engine
from leavo_async._fetching import Fetched, Listing
from leavo_async._io.aiohttp_transport import AiohttpTransport, proxy_of_environment
from leavo_async._io.credentials import Credentials
from leavo_async._io.gate import Gate
from leavo_async._io.guard import Watch
from leavo_async._io.registry import GATES
from leavo_async._io.slots import Slots
from leavo_async._io.transport import Transport
from leavo_async._sansio.auth import Ask, Auth, Secret, names_of
from leavo_async._sansio.decode import decode, page_decoder
from leavo_async._sansio.encode import Rules, checked_base_url, encode
from leavo_async._sansio.explanation import Explanation
from leavo_async._sansio.fields import CommonHeaders, asked_headers
from leavo_async._sansio.idempotency import Honoured, checked_honoured, repeat_of
from leavo_async._sansio.limits import Limit
from leavo_async._sansio.messages import Request, Response
from leavo_async._sansio.paging import Page, Paging, Place
from leavo_async._sansio.paths import checked_path, checked_path_params, filled
from leavo_async._sansio.priority import NORMAL, rank
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.records import Observer
from leavo_async._sansio.resume import listing_id
from leavo_async._sansio.retry import RetryPolicy
from leavo_async._sansio.routes import fitting_limits, route_of
from leavo_async._sansio.status import Status
from leavo_async.errors import ClosedError, ConfigError
from leavo_async.options import CallOptions, checked_options, seconds
from leavo_async.pagination import Pages

T = TypeVar("T")


class SessionOptions(TypedDict, total=False):
    """The keyword arguments of Session."""

    base_url: str | None
    timeout: float
    deadline: float | None
    retry: RetryPolicy | None
    limits: Sequence[Limit] | None
    limiter: Gate | None
    max_in_flight: int
    idempotency: Honoured | None
    read_only: bool
    observers: Sequence[Observer]
    auth: Auth | None
    path_params: Mapping[str, str]
    headers: CommonHeaders | None
    transport: Transport | None
    ssl_context: ssl.SSLContext | None
    trust_env: bool
    wall: Callable[[], float]
    allow_insecure_loopback: bool


class Session:
    """Calls to one API with one key, within its limit, repeated where that is safe.

        async with Session(profile, key) as session:
            value = await session.request("GET", "/path", params={"a": 1})

    profile: what the API is like.
    credentials: the key, as a text, a Secret or a KeyPair; None reads the profile's environment variable; or a
        coroutine function that gives it. The last two are asked again, once, when the server has refused a key (401):
        so a key can be changed without a restart.
    base_url: another place of the same API.
    timeout: seconds that one attempt may take, from permit to last byte.
    deadline: seconds that a whole call may take, queue and waits included; None for no such limit. Of a listing it is
        each page's.
    retry: a RetryPolicy, default RetryPolicy().
    limits: what the key may send, RateLimits and DailyCaps, default the profile's; () for no limit. All sessions of the
        process with the same key and base_url keep them together.
    limiter: a Gate of your own instead, with the limits it was made with.
    max_in_flight: attempts at the same time.
    idempotency: what the server does with idempotency keys ("honoured", "ignored", "unknown"), if you know better than
        the profile; "honoured" lets writes be repeated after an unknown outcome.
    read_only: refuse every write with a ConfigError, before anything is sent.
    observers: functions that get an AttemptRecord after each attempt.
    auth: another way to sign than the profile's, as for a gateway in front of the API: Bearer, HeaderKey, HeaderPair or
        QueryKey.
    path_params: what stands for a {name} in a path, quoted when it is put there.
    headers: fields of every call; or a function that gives them and is asked at each call, so that they may come from a
        context variable. A call's own go before.
    transport: something else to send through, such as testing.FakeTransport.
    ssl_context: your own, with the certificate authority of your company; it must verify certificates and host names.
    trust_env: send through the proxy that HTTPS_PROXY names, unless NO_PROXY has the host.
    wall: the clock, in seconds since the Unix epoch.
    allow_insecure_loopback: permits http to this machine, for a sandbox.

    It opens itself at the first call; `async with` or `aclose()` closes it. It belongs to the event loop of its first
    call. Raises ConfigError for settings that cannot work.
    """

    # Here too, so that repr works in a traceback of the constructor.
    _base_url = ""
    _engine: Engine | None = None
    _closed = False
    _closing: asyncio.Task[None] | None = None
    _forks = 0  # between the first process and the one that has opened it

    def __init__(
        self,
        profile: ApiProfile,
        credentials: str | Secret | Ask | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
        limits: Sequence[Limit] | None = None,
        limiter: Gate | None = None,
        max_in_flight: int = 32,
        idempotency: Honoured | None = None,
        read_only: bool = False,
        observers: Sequence[Observer] = (),
        auth: Auth | None = None,
        path_params: Mapping[str, str] = MappingProxyType({}),
        headers: CommonHeaders | None = None,
        transport: Transport | None = None,
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = False,
        wall: Callable[[], float] = time.time,
        allow_insecure_loopback: bool = False,
    ) -> None:
        # Wrapped at once, and the plain text let go: the frames of this call may be printed with their locals.
        source, credentials = credentials if callable(credentials) else Secret.of(credentials), None
        self._auth = auth or profile.auth
        self._credentials = Credentials(
            source, self._auth, variable=profile.key_variable, id_variable=profile.id_variable
        )
        self._profile = profile
        self._base_url = checked_base_url(base_url or profile.base_url, loopback_http=allow_insecure_loopback)
        signing = names_of(self._auth)
        self._rules = Rules(
            self._base_url,
            profile.routes,
            checked_honoured(idempotency or profile.honoured),
            profile.key_lasts,
            read_only=read_only,
            private_targets=allow_insecure_loopback,
            path_params=checked_path_params(path_params),
            headers=asked_headers(headers, signing),
            header_rules=profile.header_rules,
            signing=signing,
        )
        self._timeout = seconds("timeout", timeout)
        self._deadline = None if deadline is None else seconds("deadline", deadline)
        self._retry = retry or RetryPolicy()
        self._limits = _limits_of(profile, limits, limiter)
        self._limiter = limiter
        self._max_in_flight = _at_least_one("max_in_flight", max_in_flight)
        self._observers = tuple(observers)
        self._transport = transport
        self._ssl_context = _checked_context(ssl_context)
        self._trust_env = trust_env
        self._wall = wall

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cast_to: Any = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """The decoded value of any endpoint; None for an empty answer.

        path: starts with "/", without query; {names} in it are path_params. cast_to: a type pydantic can validate;
        without it JSON as it is, taken out of {"data": …}. Raises ConfigError before anything is sent, otherwise the
        errors of `leavo_async.errors`.
        """
        decoded = partial(decode, self._profile, cast_to=cast_to)
        return await _sender.send(self._call(method, path, params, json, options, decoded))

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        **options: Unpack[CallOptions],
    ) -> Response:
        """The answer as it came: status, headers, body, attempts. Errors as in `request`."""
        return await _sender.send(self._call(method, path, params, json, options, _as_it_came))

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        cast_to: Any = None,
        **options: Unpack[CallOptions],
    ) -> tuple[Any, Response]:
        """The decoded value and the answer that it came in; all else as in `request`."""

        def decoded(request: Request, response: Response) -> tuple[Any, Response]:
            return decode(self._profile, request, response, cast_to=cast_to), response

        return await _sender.send(self._call(method, path, params, json, options, decoded))

    async def look_up(self, method: str, path: str, *, json: Any, **options: Unpack[CallOptions]) -> list[Any]:
        """The things at the server that such a write would have made: for one whose outcome is unknown.

        Exactly one shows that it was done. Errors as in `request`; ConfigError if the profile does not say for this
        route how to find what it makes.
        """
        rules = self._rules._replace(honoured="ignored", read_only=False)
        own, headers = options.get("path_params"), options.get("headers")
        sought = encode(rules, method, path, json=json, headers=headers, path_params=own, new_key=_new_key).lookup
        if sought is None:
            raise ConfigError(f"look_up: {self._profile.name} has no way to find what {method} {path} has made")
        decoded = page_decoder(self._profile, self._profile.paging, None)
        options.pop("path_params", None)  # they are in its path
        page = await _sender.send(self._call("GET", sought.path, sought.params, None, options, decoded))
        return [item for item in page.items if sought.is_it(item)]

    def explain(self, method: str, path: str, *, path_params: Mapping[str, str] | None = None) -> Explanation:
        """What holds for a call with this method and path: limits, repeats, idempotency. It prints well."""
        rules = self._rules
        path = filled(path, rules.path_params, path_params)
        route = route_of(rules.routes, method, path)
        return Explanation(
            method,
            path,
            self._profile.name,
            self._base_url,
            repeat_of(method, rules.honoured, route.repeat),
            rules.honoured,
            rules.key_lasts,
            route.lookup is not None,
            tuple(limit for limit in self._limits if limit.group is None or limit.group in route.groups),
            self._timeout,
        )

    async def key_digest(self, salt: str) -> str:
        """What stands for the key of this session, and tells nothing about it: the same for the same key and salt."""
        credentials = self._opened().credentials
        await credentials.ready()
        assert credentials.current is not None
        return credentials.current.digest(salt)

    def pages(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        paging: Paging | None = None,
        cast_to: Any = None,
        page_size: int | None = None,
        concurrency: int | None = None,
        max_items: int | None = None,
        ordered: bool = True,
        dedupe_by: str | Callable[[Any], Hashable] | None = None,
        resume: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Pages[Any]:
        """A listing, as an async iterable over pages that are fetched ahead.

        params: filters, the same for every page. paging: how it is cut into pages, default as the profile says: Offset,
        Cursor or Before. cast_to: the type of one item. The others are those of ListOptions and CallOptions: a deadline
        or a signal given here is that of the whole iteration, all else holds for each page's call.
        """
        paging = self._profile.paging if paging is None else paging
        checked_options(options)
        path = checked_path(filled(path, self._rules.path_params, options.get("path_params")))
        filters = dict(_checked_filters(paging, params))
        decoded = page_decoder(self._profile, paging, cast_to)
        listing = Listing(
            partial(self._page, paging, path, filters, decoded, options),
            paging,
            f"GET {path}",
            listing_id(paging, self._base_url + path, filters),
            options.get("signal"),
            options.get("deadline"),
        )
        return Pages(
            listing,
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            ordered=ordered,
            dedupe_by=dedupe_by,
            resume=resume,
        )

    async def _page(
        self,
        paging: Paging,
        path: str,
        params: Mapping[str, Any],
        decoded: Callable[[Request, Response], Page],
        options: CallOptions,
        place: Place,
        size: int,
        left: float | None,
    ) -> Fetched:
        where, query = paging.address(path, params, place, size)
        if left is not None:
            options = {**options, "deadline": left}
        call = self._call("GET", where, query, None, options, decoded)
        page = await _sender.send(call)
        return Fetched(page, call.engine.watch.loop.time() - call.started, call.gate.rate(call.request.groups))

    def status(self) -> Status:
        """What holds calls back at this moment: tokens, who waits, pauses, limits that were learned. It prints well."""
        if self._engine is None:
            # No call has been made yet: the limits as they are configured.
            return (self._limiter or Gate(self._limits)).status(Slots(self._max_in_flight))
        return self._engine.gate.status(self._engine.slots)

    async def aclose(self, drain: float = 0.0) -> None:
        """Close every connection; calls under way end with ClosedError. A second time does nothing more.

        drain: seconds for which those under way may first come to their end; new ones are refused at once.
        """
        wait = seconds("drain", drain) if drain else 0.0
        engine = self._engine
        if engine is None or self._is_of_another_process():
            self._closed = True  # connections of another process are not touched: that would disturb it there
            return
        if engine.watch.loop.is_closed():
            self._closed = True
            await engine.transport.aclose()
            return
        if not self._is_here(engine):
            raise self._foreign()
        self._closed = True
        if wait and self._closing is None:
            await engine.watch.drained(wait)
        if self._closing is None:
            self._closing = asyncio.create_task(_close(engine))
        await asyncio.shield(self._closing)  # whoever stops waiting for it does not stop it

    async def __aenter__(self) -> Self:
        self._opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        engine = self._engine
        if self._closed or engine is None:
            state = "closed" if self._closed else "not opened"
        else:
            state = f"{engine.slots} {engine.gate}"
        return f"<{type(self).__name__} {self._base_url} {state}>"

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        json: Any,
        options: CallOptions,
        decoded: Callable[[Request, Response], T],
    ) -> Call[T]:
        if options:
            checked_options(options)
        request = encode(
            self._rules,
            method,
            path,
            params=params,
            json=json,
            headers=options.get("headers"),
            path_params=options.get("path_params"),
            idempotency_key=options.get("idempotency_key"),
            new_key=_new_key,
        )
        if not options:  # as most calls: to look for each of them costs more than all else here
            return Call(self._opened(), request, self._retry, decoded, self._timeout, self._deadline)
        return Call(
            self._opened(),
            request,
            options.get("retry") or self._retry,
            decoded,
            options.get("timeout", self._timeout),
            options.get("deadline", self._deadline),
            options.get("signal"),
            rank(options["priority"]) if "priority" in options else NORMAL,
            options.get("observers", ()),
        )

    def _opened(self) -> Engine:
        """What the calls share; made at the first call, because it belongs to a running loop."""
        engine = self._engine
        if engine is None or self._closed:
            engine = self._engine = self._open()
        elif not self._is_here(engine):
            raise self._foreign()
        self._credentials.warn_of_expiry(self._wall)
        return engine

    def _is_here(self, engine: Engine) -> bool:
        """Whether the running loop is that of the session, in the process that has opened it."""
        return self._forks == GATES.forks and engine.watch.loop is asyncio.get_running_loop()

    def _foreign(self) -> ConfigError:
        """The error for a session that belongs to another event loop than the running one."""
        if self._is_of_another_process():
            return ConfigError("the session was opened before this process was forked: make one in each process")
        return ConfigError("the session belongs to another event loop: make one session for each loop")

    def _is_of_another_process(self) -> bool:
        return self._forks != GATES.forks

    def _open(self) -> Engine:
        if self._closed:
            raise ClosedError("the session is closed: make a new one")
        loop = asyncio.get_running_loop()
        # A loop with a clock of its own (testing.VirtualTimeLoop) has it used for everything.
        clock: Callable[[], float] = getattr(loop, "clock", time.monotonic)
        slots = Slots(self._max_in_flight)
        engine = Engine(
            profile=self._profile,
            rules=self._rules,
            gate=self._limiter or Gate(self._limits, clock=clock, wall=self._wall),
            slots=slots,
            transport=self._transport or self._aiohttp_transport(),
            credentials=self._credentials,
            watch=Watch(loop),
            observers=self._observers,
            wall=self._wall,
            draw=random.random,
        )
        self._forks = GATES.forks
        if self._limiter is not None:
            self._limiter.users[slots] = self._limits
        self._credentials.serve(partial(self._sign, engine, clock))
        return engine

    def _sign(self, engine: Engine, clock: Callable[[], float], secret: Secret) -> None:
        """Have all requests carry this key, and keep the limits that it has in this process."""
        engine.transport.sign(self._auth.headers(secret), self._auth.params(secret))
        if self._limiter is None:
            before = engine.gate if engine.slots in engine.gate.users else None
            engine.gate = GATES.join(
                secret, self._base_url, self._limits, engine.slots, clock, self._wall, before=before
            )
            if before is not None and before is not engine.gate:
                before.users.pop(engine.slots, None)

    def _aiohttp_transport(self) -> Transport:
        proxy = proxy_of_environment(self._base_url) if self._trust_env else None
        return AiohttpTransport(max_body_bytes=self._profile.max_body_bytes, ssl_context=self._ssl_context, proxy=proxy)


async def _close(engine: Engine) -> None:
    engine.gate.users.pop(engine.slots, None)
    engine.watch.close()
    await asyncio.sleep(0)  # the calls see it before their connections go
    await engine.transport.aclose()


def _as_it_came(request: Request, response: Response) -> Response:
    return response


def _limits_of(profile: ApiProfile, limits: Sequence[Limit] | None, limiter: Gate | None) -> tuple[Limit, ...]:
    """Those that are given, or else the profile's."""
    if limiter is None:
        return fitting_limits(profile.limits if limits is None else limits, profile.routes, profile.limits)
    if limits is not None:
        raise ConfigError("limits and limiter: pass one of them; a Gate has its own limits")
    return fitting_limits(limiter.limits, profile.routes)


def _checked_context(context: Any) -> ssl.SSLContext | None:
    """The context, if it protects as well as ours does; there is no way to switch that off."""
    if context is None:
        return None
    if not isinstance(context, ssl.SSLContext):
        raise ConfigError("ssl_context: expected an ssl.SSLContext, such as ssl.create_default_context(cafile=...)")
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise ConfigError("ssl_context: must verify certificates and host names (CERT_REQUIRED, check_hostname)")
    if context.minimum_version not in _SAFE_TLS:
        raise ConfigError("ssl_context: must not speak less than TLS 1.2 (minimum_version = TLSVersion.TLSv1_2)")
    return context


# https://www.rfc-editor.org/rfc/rfc8996 deprecates TLS 1.0 and 1.1.
_SAFE_TLS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.MAXIMUM_SUPPORTED)


def _new_key() -> str:
    return str(uuid.uuid4())


def _checked_filters(paging: Any, params: Any) -> Mapping[str, Any]:
    if not isinstance(paging, Paging):
        raise ConfigError("paging: expected Offset(...), Cursor(...) or Before(...)")
    if params is not None and not isinstance(params, Mapping):
        raise ConfigError("params: expected a mapping of names to values")
    paging.check(params or {})
    return params or {}


def _at_least_one(name: str, value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={value}: expected 1 or more")
    return value
