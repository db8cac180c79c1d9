"""The sandbox itself: a server on this machine, opened and closed with `async with`."""

import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Literal, Self, Unpack

from aiohttp import web

from leavo_async.sandbox.blocking import Block
from leavo_async.sandbox.checks import not_negative, one_of
from leavo_async.sandbox.faces import APIS, Api, ApiName, Settings
from leavo_async.sandbox.faults import Fault, FaultScript
from leavo_async.sandbox.idempotency import DAY, IdempotencyStore
from leavo_async.sandbox.keys import KeyRing
from leavo_async.sandbox.layers import Layers
from leavo_async.sandbox.ledger import Ledger
from leavo_async.sandbox.limits import Limiter
from leavo_async.sandbox.messages import Face, Json, World
from leavo_async.sandbox.reception import Reception, RetryAfter

# Long enough for an answer that is being written, short enough for a test suite.
_SHUTDOWN_SECONDS = 0.05
_NO_LIMITS: Mapping[str, Callable[[], Limiter]] = MappingProxyType({})


class Sandbox:
    """A server that speaks one API, from `async with` (or `start`) until its end (or `aclose`).

    api: whose API it speaks. A client is to be given `credentials` and `base_url`.
    key, keys: the API keys it knows; the ledger calls them "key-1" (that is `key`), "key-2", … Where a key has several
    parts they are joined by colons. None for a key of the sandbox's own.
    limit: makes the limiter of each key, such as `lambda: FixedWindow(100, 60)`; None for no limit.
    group_limits: makes limiters of groups of routes, on top of that; a request is admitted if all of them admit it.
    idempotency: "ignored", or "honoured" for `retention` seconds; None for what the API documents.
    faults: what goes wrong (see `Fault`); `script` adds more.
    seed: decides ids, made-up things and the chances of faults.
    retry_after: whether a 429 has a Retry-After header; "ms" adds Retry-After-Ms; None for what the API documents.
    block: when a key that goes on after a 429 is blocked (403), and for how long; False for never; None for what the
    API documents.
    rate_headers: whether answers have X-RateLimit-Limit, -Remaining and -Reset (seconds since the epoch).
    latency: seconds each admitted request takes.
    host: of this machine only. port: 0 for a free one.
    clock, wall: seconds, for arrivals and limits, and since the Unix epoch.

    Settings of single APIs:
    leavo: dialect, "enveloped" ({"success", "data", "pagination"}) or "bare" (objects and lists themselves);
    search_lag, seconds until lists and searches find a new lead; unique_phones, whether a second lead with the same
    phone is refused.
    laabam: scopes, names_scope, service_windows and delivery_lag (see `LaabamSettings`).
    agentos: tiers, those that the keys have a right to, None for all; short_names, of the agencies that they may ask
    about, ("sandbox",) if not given: `fill` and `stored` are about the first; search_lag, seconds until lists find a
    new record.
    language_confidence: require_user_id, for a plan by users.

    Raises ValueError for a setting that cannot be, and at the start OSError for a port that is taken.
    """

    def __init__(
        self,
        *,
        api: ApiName = "leavo",
        key: str | None = None,
        keys: Iterable[str] = (),
        limit: Callable[[], Limiter] | None = None,
        group_limits: Mapping[str, Callable[[], Limiter]] = _NO_LIMITS,
        idempotency: Literal["ignored", "honoured"] | None = None,
        retention: float = DAY,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        retry_after: RetryAfter | None = None,
        block: Block | Literal[False] | None = None,
        rate_headers: bool = False,
        latency: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        **settings: Unpack[Settings],
    ) -> None:
        spoken = APIS[one_of("api", api, APIS)]
        _check(api, spoken, group_limits, settings)
        self.api = api
        self.key = ":".join(spoken.key) if key is None else key
        self.ledger = Ledger()
        self._address = (_loopback(host), port)
        self._script = FaultScript(faults, seed)
        block = spoken.block if block is None else block or None
        self._keys = KeyRing(_checked(spoken, self.key, *keys), limit, group_limits, block)
        self._face = spoken.face(World(self._keys.labels, seed, clock, wall), **settings)
        retry_after = spoken.retry_after if retry_after is None else retry_after
        self._layers = Layers(
            face=self._face,
            reception=Reception(self._keys, wall, retry_after=retry_after, rate_headers=rate_headers),
            script=self._script,
            idempotency=IdempotencyStore(retention) if _honours(spoken, idempotency) else None,
            marks_replays=spoken.marks_replays,
            ledger=self.ledger,
            latency=not_negative("latency", latency),
            clock=clock,
        )
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, such as "http://127.0.0.1:43117". RuntimeError before the start."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the sandbox has no address: it is not started, or closed")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def base_url(self) -> str:
        """What a client is to be given: `url`, and what all paths of this API begin with."""
        return self.url + self._face.prefix

    @property
    def credentials(self) -> tuple[str, ...]:
        """The parts of `key`, as a client is to be given them: mostly one."""
        return APIS[self.api].parts(self.key)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it keeps, such as ("leads",): the names for `fill` and `stored`."""
        return self._face.kinds

    @property
    def leads(self) -> list[Json]:
        """Leavo's leads: `stored("leads")`."""
        return self.stored("leads")

    def stored(self, kind: str, *, key: str = "key-1") -> list[Json]:
        """All things of a kind as they stand, in order of creation, each as the API shows it.

        key: label of the key, where each has data of its own. RuntimeError for a kind that this API does not keep.
        """
        return self._keeping(kind, key).stored(kind, key)

    def fill(self, kind: str, n: int, *, key: str = "key-1") -> None:
        """Add n made-up things of a kind, found by lists at once; the ledger does not speak of them.

        key: label of the key, where each has data of its own. RuntimeError for a kind that this API does not keep.
        """
        self._keeping(kind, key).fill(kind, n, key)

    def script(self, *faults: Fault) -> None:
        """Append faults while it runs."""
        self._script.add(*faults)

    def seed_leads(self, n: int) -> None:
        """Add n made-up leads of Leavo's: `fill("leads", n)`."""
        self.fill("leads", n)

    def _keeping(self, kind: str, key: str) -> Face:
        if kind not in self.kinds:
            raise RuntimeError(f"the sandbox of {self.api} keeps {', '.join(self.kinds) or 'nothing'}, no {kind}")
        one_of("key", key, self._keys.labels)
        return self._face

    async def start(self) -> None:
        """Listen. OSError if the port is taken; RuntimeError if it listens already."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is started already")
        runner = self._runner = _runner(self._layers)
        try:
            await runner.setup()
            await web.TCPSite(runner, *self._address).start()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop listening and end what is running; what it recorded stays readable."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Sandbox {self.url if self._runner else 'closed'}, {self.ledger!r}>"


def _check(api: ApiName, spoken: Api, group_limits: Iterable[str], settings: Iterable[str]) -> None:
    for name in settings:
        if name not in spoken.settings:
            raise ValueError(f"{name} is not a setting of {api}: it has {', '.join(spoken.settings) or 'none'}")
    for group in group_limits:
        one_of("a group of group_limits", group, spoken.groups)


def _checked(spoken: Api, *keys: str) -> tuple[str, ...]:
    for key in keys:
        spoken.parts(key)
    return keys


def _honours(spoken: Api, idempotency: str | None) -> bool:
    if idempotency is None:
        return spoken.honours_keys
    return one_of("idempotency", idempotency, ("ignored", "honoured")) == "honoured"


def _runner(layers: Layers) -> web.AppRunner:
    # No cap on bodies: what a client may send is the client's question.
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", layers.serve)
    return web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)


def _loopback(host: str) -> str:
    if not _is_loopback(host):
        raise ValueError(f"host must be of this machine, such as 127.0.0.1, ::1 or localhost, not {host!r}")
    return host


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
