"""What every API can have from the sandbox, shown with one that was made up for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from leavo_async.sandbox import FixedWindow, Sandbox, SlidingLog
from leavo_async.sandbox.bodies import json_answer
from leavo_async.sandbox.faces import Api
from leavo_async.sandbox.messages import Answer, Call, Change, Done, Json, Refusal, World

PAIR = {"X-Id": "id", "X-Secret": "secret"}


@dataclass
class Echo:
    """An API that says what it was asked; its key has two parts, which may stand in the query."""

    world: World
    loud: bool = False
    kept: list[Json] = field(default_factory=list[Json])

    prefix = "/v1"
    kinds = ("echoes",)
    query_keys = frozenset({"secret"})

    def credential(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        return f"{headers.get('X-Id')}:{headers.get('X-Secret') or query.get('secret')}"

    def groups(self, method: str, segments: tuple[str, ...]) -> tuple[str, ...]:
        return segments[:2] if method == "POST" else ()

    def perform(self, call: Call) -> Done:
        said = {
            "key": call.key,
            "segments": call.segments,
            "query": list(call.query.items()),
            "tone": call.headers.get("x-TONE"),
            "loud": self.loud,
        }
        return Done(json_answer(200, said), *(Change("created", part) for part in call.query.getall("made", [])))

    def refuse(self, refusal: Refusal) -> Answer:
        return json_answer(refusal.status, {"no": refusal.message}, refusal.headers)

    def fill(self, kind: str, n: int, key: str) -> None:
        self.kept += [{"kind": kind, "key": key}] * n

    def stored(self, kind: str, key: str) -> list[Json]:
        return [each for each in self.kept if each["key"] == key]


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(Echo, ("loud",), ("id", "secret"), groups=("a", "b"), honours_keys=True, marks_replays=False)
    monkeypatch.setattr("leavo_async.sandbox.server.APIS", {"echo": api})


def sandbox(**settings: Any) -> Sandbox:
    name: Any = "echo"
    return Sandbox(api=name, **settings)


async def ask(url: str, method: str = "GET", headers: Mapping[str, str] = PAIR, **options: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, **options) as response,
    ):
        return response.status, (dict(response.headers), json.loads(await response.read()))


@pytest.mark.asyncio
async def test_a_face_gets_the_whole_request() -> None:
    """Path without the prefix, repeated names in the query, headers in any case, and whose key it is."""
    async with sandbox(loud=True) as running:
        headers = {**PAIR, "X-Tone": "low"}
        _, (_, said) = await ask(f"{running.base_url}/a/b%2Fc?x=1&x=2", headers=headers)

    query = [["x", "1"], ["x", "2"]]
    assert {"key": "key-1", "segments": ["a", "b/c"], "query": query, "tone": "low", "loud": True} == said


@pytest.mark.parametrize("path", ["/a", "/v1", "/v10/a", "/v2/v1/a"])
@pytest.mark.asyncio
async def test_a_path_outside_of_the_prefix_has_no_segments(path: str) -> None:
    """So it is none of the API's, also where its end looks like one."""
    async with sandbox() as running:
        _, (_, said) = await ask(running.url + path)

    assert [] == said["segments"]


@pytest.mark.asyncio
async def test_the_ledger_shows_whole_paths() -> None:
    """They are what faults and counts are given."""
    async with sandbox() as running:
        await ask(f"{running.base_url}/a")

    assert ["/v1/a"] == [entry.path for entry in running.ledger.requests]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("secret=secret", ""),
        ("a=1&secret=secret&b=%20", "a=1&b=%20"),
        ("SECRET=x&%73ecret=secret&secret", ""),
        ("secrets=1", "secrets=1"),
    ],
)
@pytest.mark.asyncio
async def test_the_ledger_never_shows_a_key_of_the_query(sent: str, shown: str) -> None:
    """In whatever spelling; the rest is as it was sent."""
    async with sandbox() as running:
        await ask(f"{running.base_url}/a?{sent}", headers={"X-Id": "id"})

    assert [shown] == [entry.query for entry in running.ledger.requests]


@pytest.mark.asyncio
async def test_a_call_may_have_several_effects() -> None:
    """Each is in the ledger, in order, under the number of the one request."""
    async with sandbox() as running:
        await ask(f"{running.base_url}/a")
        await ask(f"{running.base_url}/a?made=one&made=two", "POST")

    assert [(2, "one"), (2, "two")] == [(effect.number, effect.id) for effect in running.ledger.effects]


def test_a_client_is_given_the_parts_of_the_key() -> None:
    """In their order; a colon in the last part stays there."""
    assert (("id", "secret"), "id:secret") == (sandbox().credentials, sandbox().key)
    assert ("a", "b:c") == sandbox(key="a:b:c").credentials


@pytest.mark.parametrize("settings", [{"key": "id"}, {"key": "id:"}, {"keys": [":secret"]}])
def test_a_key_without_one_of_its_parts_is_refused(settings: Any) -> None:
    """Nobody could show it."""
    with pytest.raises(ValueError, match="has the form <part 1>:<part 2>"):
        sandbox(**settings)


@pytest.mark.asyncio
async def test_things_are_kept_by_kind_and_key() -> None:
    """Filled and read without a request."""
    running = sandbox(keys=["other:one"])
    running.fill("echoes", 2)
    running.fill("echoes", 1, key="key-2")

    assert (2, 1, ("echoes",)) == (
        len(running.stored("echoes")),
        len(running.stored("echoes", key="key-2")),
        running.kinds,
    )


def test_what_an_api_does_not_keep_is_an_error_that_says_what_it_keeps() -> None:
    """Leads are Leavo's."""
    with pytest.raises(RuntimeError, match="the sandbox of echo keeps echoes, no leads"):
        _ = sandbox().leads
    with pytest.raises(RuntimeError, match="keeps echoes, no leads"):
        sandbox().seed_leads(1)
    with pytest.raises(ValueError, match="key must be one of key-1, not 'key-2'"):
        sandbox().fill("echoes", 1, key="key-2")


def test_a_setting_of_another_api_is_refused() -> None:
    """It would do nothing."""
    with pytest.raises(ValueError, match="dialect is not a setting of echo: it has loud"):
        sandbox(dialect="bare")


@pytest.mark.asyncio
async def test_keys_are_honoured_where_the_api_documents_it() -> None:
    """The second answer is the first, without a header where none is documented; one may ask for the opposite."""
    for idempotency, expected in ((None, [False, True]), ("ignored", [False, False])):
        async with sandbox(idempotency=idempotency) as running:
            for _ in range(2):
                _, (headers, _) = await ask(f"{running.base_url}/x", "POST", {**PAIR, "Idempotency-Key": "k"})
            assert expected == [entry.replayed for entry in running.ledger.requests]
            assert "Idempotency-Replayed" not in headers


@pytest.mark.asyncio
async def test_a_group_has_a_limit_on_top_of_the_keys(clock: Any) -> None:
    """Each key has its own, and other routes know nothing of it."""
    limits = {"a": lambda: FixedWindow(1, 60)}
    async with sandbox(keys=["id:2"], group_limits=limits, clock=clock) as running:
        asked = [("POST", "secret"), ("POST", "secret"), ("GET", "secret"), ("POST", "2")]
        statuses = [(await ask(f"{running.base_url}/a", m, {"X-Id": "id", "X-Secret": s}))[0] for m, s in asked]

    assert [200, 429, 200, 200] == statuses


@pytest.mark.asyncio
async def test_a_refused_request_takes_from_no_limit(clock: Any) -> None:
    """Neither from the key's when its group refuses, nor the other way around."""
    limits = {"a": lambda: FixedWindow(1, 60), "b": lambda: FixedWindow(1, 600)}
    async with sandbox(limit=lambda: FixedWindow(3, 60), group_limits=limits, clock=clock) as running:

        async def status(path: str) -> int:
            return (await ask(running.base_url + path, "POST"))[0]

        first = [await status(path) for path in ("/a", "/a", "/a/b", "/b", "/c", "/c", "/x/b")]
        clock.now += 60
        second = [await status(path) for path in ("/a/b", "/a")]

    assert [200, 429, 429, 200, 200, 429, 429] == first
    assert [429, 200] == second


@pytest.mark.asyncio
async def test_the_longest_wait_is_told(clock: Any) -> None:
    """Waiting as long as the first limit asks would only meet the second."""
    limits = {"a": lambda: SlidingLog(1, 60), "b": lambda: SlidingLog(1, 3600)}
    async with sandbox(limit=lambda: SlidingLog(2, 1), group_limits=limits, clock=clock, rate_headers=True) as running:
        _, (first, _) = await ask(f"{running.base_url}/a/b", "POST")
        _, (headers, _) = await ask(f"{running.base_url}/a/b", "POST")

    assert ("1", "0") == (first["X-RateLimit-Limit"], first["X-RateLimit-Remaining"])
    assert "3600" == headers["Retry-After"]
