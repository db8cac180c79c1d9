"""The web apps of examples/ on real sockets: what a browser gets, and what ends when it goes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from aiohttp import web
from fastapi import Request

import leavo_async
from leavo_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.asyncio
EXAMPLES = Path(__file__).parent.parent / "examples"
KEY = "canary-8d1f0c"
PAGES_AHEAD = 10  # may be on their way when the browser goes
PACED = Fault(delay=0.2, skip=2, times=None)  # the third page and those behind it take a while
HUNG = 5  # seconds after which something will never come; the deadline of the examples is longer


# The sandbox, in a thread: so all tasks of this loop are those of the app and of the test


@contextlib.contextmanager
def in_a_thread(sandbox: Sandbox) -> Iterator[Sandbox]:
    up: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        end = asyncio.Event()
        async with sandbox:
            up.set_result(functools.partial(asyncio.get_running_loop().call_soon_threadsafe, end.set))
            await end.wait()

    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(asyncio.run, serve())
        stop = up.result(HUNG)
        try:
            yield sandbox
        finally:
            stop()
            serving.result(HUNG)


@pytest.fixture
def clients() -> list[Any]:
    """Those that the examples have made."""
    return []


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, clients: list[Any]) -> Iterator[Sandbox]:
    """What the environment names to the examples: many leads, a little latency, and no limit."""

    class Unlimited(leavo_async.LeavoClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(limits=(), **options)
            self.asked: list[Any] = []
            clients.append(self)

        def pages(self, path: str, **options: Any) -> Any:
            self.asked.append((path, options["priority"]))
            return super().pages(path, **options)

    with in_a_thread(Sandbox(key=KEY, latency=0.005)) as sandbox:
        sandbox.seed_leads(1500)
        monkeypatch.setenv("LEAVO_API_KEY", KEY)
        monkeypatch.setenv("LEAVO_BASE_URL", sandbox.url)
        monkeypatch.setattr(leavo_async, "LeavoClient", Unlimited)
        yield sandbox


# The examples, with the options with which they serve themselves


def names_of(example: str) -> dict[str, Any]:
    """All that `python examples/…` has defined when it serves."""
    path = EXAMPLES / example
    names = {"__name__": "__main__", "__file__": str(path)}
    exec(compile(path.read_text(), path, "exec"), names)
    return names


def started(monkeypatch: pytest.MonkeyPatch, run: str, example: str) -> tuple[Any, dict[str, Any]]:
    """The app of `python examples/…`, and the options that it is served with."""
    calls: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(run, lambda app, **options: calls.append((app, options)))
    names_of(example)
    ((app, options),) = calls
    assert (options.pop("host"), options.pop("port")) == ("127.0.0.1", 8000)
    return app, options


@asynccontextmanager
async def by_aiohttp(app: Any, options: dict[str, Any]) -> AsyncGenerator[int, None]:
    runner = web.AppRunner(app, access_log=None, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def by_uvicorn(app: Any, options: dict[str, Any]) -> AsyncGenerator[int, None]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, log_level="warning", **options))
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


Site = Callable[[], AbstractAsyncContextManager[int]]


@pytest.fixture(params=["aiohttp", "fastapi"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Site:
    """Serves the example; its port."""
    if request.param == "aiohttp":
        return functools.partial(by_aiohttp, *started(monkeypatch, "aiohttp.web.run_app", "web_aiohttp.py"))
    return functools.partial(by_uvicorn, *started(monkeypatch, "uvicorn.run", "web_fastapi.py"))


# The browser, byte by byte


class Browser:
    """One connection, and every byte that has come over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.got = b""

    @classmethod
    async def get(cls, port: int, path: str) -> Browser:
        browser = cls(*await asyncio.open_connection("127.0.0.1", port))
        browser._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return browser

    async def rows(self, n: int) -> None:
        """Wait for so many rows."""
        while len(self.lines) < n:
            self.got += await self._more()

    async def end(self) -> None:
        """Wait for the end of the answer."""
        while more := await self._more():
            self.got += more
        await self.hang_up()

    async def hang_up(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _more(self) -> bytes:
        async with asyncio.timeout(HUNG):
            return await self._reader.read(65536)

    @property
    def status(self) -> int:
        return int(self.got.split(b" ", 2)[1])

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The rows, whole lines only; chunks end where lines do, so framing never stands within one."""
        return [json.loads(line) for line in self.got.split(b"\n")[:-1] if line.startswith(b"{")]

    @property
    def is_whole(self) -> bool:
        """Whether the answer has ended as it should, not by a broken connection."""
        return self.got.endswith(b"\r\n0\r\n\r\n")


async def visited(port: int, path: str) -> Browser:
    browser = await Browser.get(port, path)
    await browser.end()
    assert KEY.encode() not in browser.got
    return browser


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(HUNG):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def nothing_left(sandbox: Sandbox) -> AsyncIterator[None]:
    """After the block every task that it has made comes to its end, and no request is made any more."""
    before = asyncio.all_tasks()
    yield
    at_the_end = len(sandbox.ledger.requests)
    await until(lambda: asyncio.all_tasks() <= before)
    await asyncio.sleep(0.1)  # what has left already arrives
    settled = len(sandbox.ledger.requests)
    await asyncio.sleep(0.1)
    assert len(sandbox.ledger.requests) == settled
    assert settled < at_the_end + PAGES_AHEAD


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def shown(leads: list[Any]) -> list[dict[str, Any]]:
    return [{name: lead[name] for name in ("id", "name", "company")} for lead in leads]


# What the browser gets


async def test_all_leads_arrive_in_order(site: Site, sandbox: Sandbox) -> None:
    """One JSON object a line with three fields, whatever else the server tells of a lead; and nowhere the key."""
    async with site() as port:
        browser = await visited(port, "/leads")

    assert (browser.status, browser.is_whole) == (200, True)
    assert b"content-type: application/x-ndjson" in browser.got.lower()
    assert browser.lines == shown(sandbox.leads)


async def test_rows_come_while_others_are_fetched(site: Site, sandbox: Sandbox) -> None:
    """The first page is there although one behind it takes ages."""
    sandbox.script(Fault(delay=60, skip=1))
    async with site() as port:
        browser = await Browser.get(port, "/leads")
        await browser.rows(100)
        await browser.hang_up()

    assert browser.lines[:100] == shown(sandbox.leads[:100])


async def test_a_search_finds_what_it_asks_for(site: Site, sandbox: Sandbox) -> None:
    """A lead, or none: then the answer is empty, and no error."""
    async with site() as port:
        found = await visited(port, f"/leads?q={sandbox.leads[7]['phone'][1:]}")
        none = await visited(port, "/leads?q=nobody%20of%20this%20name%20%3C%26")

    assert found.lines == shown(sandbox.leads[7:8])
    assert (none.status, none.lines, none.is_whole) == (200, [], True)


async def test_the_page_has_no_key_and_puts_text_in_as_text(site: Site) -> None:
    """Names that customers have typed are never taken for HTML."""
    async with site() as port:
        browser = await visited(port, "/")

    assert browser.status == 200
    assert b"content-type: text/html; charset=utf-8" in browser.got.lower()
    assert b"textContent" in browser.got
    assert b"innerHTML" not in browser.got


async def test_one_client_serves_all_requests(site: Site, clients: list[Any]) -> None:
    """So they share its connections and its limit; and people who wait go before programs."""
    async with site() as port:
        await asyncio.gather(*(visited(port, "/leads?q=ana") for _ in range(5)))

    (client,) = clients
    assert client.asked == [("/backend/leads", "interactive")] * 5


# What goes wrong


async def test_an_error_before_the_first_row_is_a_502(site: Site, sandbox: Sandbox) -> None:
    """With a sentence for end users; what the server says of the key stays here."""
    sandbox.script(Fault(status=401, body=json.dumps({"error": {"message": f"bad key {KEY}"}})))
    async with site() as port:
        browser = await visited(port, "/leads")

    assert browser.status == 502
    assert browser.lines == [{"error": "The service could not sign in. Please contact support."}]


async def test_an_error_between_rows_is_the_last_line(site: Site, sandbox: Sandbox) -> None:
    """The rows before it are good, and the answer ends as an answer should."""
    sandbox.script(Fault(status=403, skip=3, body=json.dumps({"error": {"message": f"not with {KEY}"}})))
    async with site() as port, nothing_left(sandbox):
        browser = await visited(port, "/leads")

    *rows, last = browser.lines
    assert (browser.status, browser.is_whole) == (200, True)
    assert last == {"error": "This is not allowed."}
    assert rows == shown(sandbox.leads[: len(rows)])
    assert 0 < len(rows) < 1500


# What ends when the browser goes


async def test_fetching_stops_when_the_browser_goes(
    site: Site, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """In the middle of a long listing, and without a line in the log: people leave pages all the time."""
    sandbox.script(PACED)
    async with site() as port, nothing_left(sandbox):
        browser = await Browser.get(port, "/leads")
        await browser.rows(101)
        await browser.hang_up()

    assert len(sandbox.ledger.requests) < 15  # as many as there are pages
    assert warnings_in(caplog) == []


@pytest.mark.parametrize("pages_before", [0, 1])
async def test_a_page_that_takes_ages_is_given_up_when_the_browser_goes(
    pages_before: int, site: Site, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Also the first one, while there is no answer yet and nothing to be written."""
    sandbox.script(Fault(delay=60, skip=pages_before))
    async with site() as port, nothing_left(sandbox):
        browser = await Browser.get(port, "/leads")
        await browser.rows(100 * pages_before)
        await until(lambda: len(sandbox.ledger.requests) > pages_before)
        await browser.hang_up()

    assert warnings_in(caplog) == []


async def test_one_browser_that_goes_does_not_disturb_another(site: Site, sandbox: Sandbox) -> None:
    """They share a client, and nothing else."""
    async with site() as port:
        stays, goes = await Browser.get(port, "/leads"), await Browser.get(port, "/leads")
        await goes.rows(1)
        await goes.hang_up()
        await stays.end()

    assert stays.lines == shown(sandbox.leads)


async def test_a_server_that_cancels_no_handlers_stops_at_the_next_page(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As under Gunicorn: what is written to nobody ends the listing, and no log speaks of it."""
    sandbox.script(PACED)
    app, options = started(monkeypatch, "aiohttp.web.run_app", "web_aiohttp.py")
    async with by_aiohttp(app, {**options, "handler_cancellation": False}) as port, nothing_left(sandbox):
        browser = await Browser.get(port, "/leads")
        await browser.rows(101)
        await browser.hang_up()

    assert len(sandbox.ledger.requests) < 15
    assert warnings_in(caplog) == []


async def test_the_signal_of_a_request_outlives_it_under_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the task that watches the browser, also where the server says nothing at the end."""

    async def silent() -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr("uvicorn.run", lambda app, **options: None)
    gone = names_of("web_fastapi.py")["gone"](Request({"type": "http"}, silent))
    before = asyncio.all_tasks()
    signal = await anext(gone)
    await asyncio.sleep(0)
    assert not signal.aborted

    await gone.aclose()

    assert signal.aborted
    await until(lambda: asyncio.all_tasks() == before)
