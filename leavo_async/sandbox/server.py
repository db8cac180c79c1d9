"""The sandbox itself: a server on this machine, opened and closed with `async with`."""

import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from itertools import islice
from typing import Literal, Self

from aiohttp import web

from leavo_async.sandbox.faults import Fault, FaultScript
from leavo_async.sandbox.idempotency import DAY, IdempotencyStore
from leavo_async.sandbox.keys import KeyRing
from leavo_async.sandbox.layers import Layers
from leavo_async.sandbox.leavo.dialects import DIALECTS, DialectName, Json
from leavo_async.sandbox.leavo.face import LeavoFace
from leavo_async.sandbox.leavo.people import people
from leavo_async.sandbox.leavo.store import LeadStore
from leavo_async.sandbox.ledger import Ledger
from leavo_async.sandbox.limits import Limiter
from leavo_async.sandbox.reception import Reception, RetryAfter

# Long enough for an answer that is being written, short enough for a test suite.
_SHUTDOWN_SECONDS = 0.05


class Sandbox:
    """A server that speaks Leavo's API, from `async with` (or `start`) until its end (or `aclose`).

    key, keys: the API keys it knows; the ledger calls them "key-1" (that is `key`), "key-2", …
    limit: makes the limiter of each key, such as `lambda: FixedWindow(100, 60)`; None for no limit.
    dialect: "enveloped" ({"success", "data", "pagination"}) or "bare" (objects and lists themselves).
    idempotency: "ignored", as Leavo documents nothing, or "honoured" for `retention` seconds.
    faults: what goes wrong (see `Fault`); `script` adds more.
    seed: decides ids, made-up leads and the chances of faults.
    retry_after: whether a 429 has a Retry-After header; "ms" adds Retry-After-Ms.
    rate_headers: whether answers have X-RateLimit-Limit, -Remaining and -Reset (seconds since the epoch).
    latency: seconds each admitted request takes. search_lag: seconds until lists and searches find a new lead.
    host: of this machine only. port: 0 for a free one.
    clock, wall: seconds, for arrivals and limits, and since the Unix epoch.

    Raises ValueError for a setting that cannot be, and at the start OSError for a port that is taken.
    """

    def __init__(
        self,
        *,
        key: str = "sandbox-key",
        keys: Iterable[str] = (),
        limit: Callable[[], Limiter] | None = None,
        dialect: DialectName = "enveloped",
        idempotency: Literal["ignored", "honoured"] = "ignored",
        retention: float = DAY,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        retry_after: RetryAfter = True,
        rate_headers: bool = False,
        latency: float = 0.0,
        search_lag: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.key = key
        self.ledger = Ledger()
        self._address = (_loopback(host), port)
        self._script = FaultScript(faults, seed)
        self._store = LeadStore(seed, _not_negative("search_lag", search_lag), clock, wall)
        self._people = people(seed)
        self._dialect = DIALECTS[_one_of("dialect", dialect, DIALECTS)]
        honoured = _one_of("idempotency", idempotency, ("ignored", "honoured")) == "honoured"
        self._layers = Layers(
            face=LeavoFace(self._store, self._dialect),
            reception=Reception(KeyRing((key, *keys), limit), wall, retry_after=retry_after, rate_headers=rate_headers),
            script=self._script,
            idempotency=IdempotencyStore(retention) if honoured else None,
            ledger=self.ledger,
            latency=_not_negative("latency", latency),
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
    def leads(self) -> list[Json]:
        """All leads as they stand, in order of creation, each as the API shows it."""
        return [self._dialect.lead(lead) for lead in self._store]

    def script(self, *faults: Fault) -> None:
        """Append faults while it runs."""
        self._script.add(*faults)

    def seed_leads(self, n: int) -> None:
        """Add n made-up leads, found by lists at once; the ledger does not speak of them."""
        fresh = (person for person in self._people if not self._store.has_phone(person["phone"]))
        for person in islice(fresh, n):
            self._store.create(person, lag=False)

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


def _one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    if value not in (known := tuple(allowed)):
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    return value


def _not_negative(name: str, seconds: float) -> float:
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name} must be a finite number of seconds, not negative, not {seconds!r}")
    return seconds
