"""agentOS at the door: keys, tiers, agencies, errors, limits."""

from typing import Any

import pytest

from leavo_async.sandbox import Fault, Sandbox, SlidingLog

COMPANY = "/v4/advertising/sandbox/company/company"
NOBODY = "00000000-0000-4000-8000-000000000000"


SHOWN = [({"api_key": "k"}, ""), ({"API_KEY": "k"}, ""), ({}, "?api_key=k"), ({"ApiKey": "k"}, "")]


@pytest.mark.parametrize(("headers", "query"), SHOWN)
@pytest.mark.asyncio
async def test_a_key_comes_in_a_header_or_in_the_query(ask: Any, headers: dict[str, str], query: str) -> None:
    """As V4 wants it, or in the header that V3 declares; the ledger shows no key."""
    async with Sandbox(api="agentos", key="k") as sandbox:
        reply = await ask(sandbox, "GET", COMPANY + query, key=None, headers=headers)

    assert (200, "Sandbox Estates") == (reply.status, reply.json["Name"])
    assert "api_key=k" not in repr(sandbox.ledger.requests)


UNKNOWN = [({}, ""), ({"api_key": "wrong"}, ""), ({}, "?api_key=wrong"), ({"Authorization": "Bearer sandbox-key"}, "")]


@pytest.mark.parametrize(("headers", "query"), UNKNOWN)
@pytest.mark.asyncio
async def test_a_request_without_a_known_key_is_refused(ask: Any, headers: dict[str, str], query: str) -> None:
    """401 with a message, whatever is wrong."""
    async with Sandbox(api="agentos") as sandbox:
        reply = await ask(sandbox, "GET", COMPANY + query, key=None, headers=headers)

    assert (401, ["Message"]) == (reply.status, list(reply.json))


@pytest.mark.asyncio
async def test_a_tier_that_is_not_enabled_looks_like_a_bad_key(agentos: Any) -> None:
    """401, not 403, as the vendor says; those that are enabled are open."""
    async with Sandbox(api="agentos", tiers={"advertising"}) as sandbox:
        replies = [
            await agentos(sandbox, "GET", path) for path in ("contacts/tenants/0/1", "advertising/company/company")
        ]

    assert [401, 200] == [reply.status for reply in replies]


@pytest.mark.asyncio
async def test_another_agencys_data_is_forbidden(ask: Any) -> None:
    """403 for every short name but those the sandbox was given, and data of its own for each of these."""
    headers = {"api_key": "sandbox-key"}
    async with Sandbox(api="agentos", short_names=("one", "two")) as sandbox:
        paths = [f"/v4/advertising/{name}/company/company" for name in ("one", "two", "sandbox")]
        one, two, other = [await ask(sandbox, "GET", path, headers=headers) for path in paths]

    assert (200, 200, 403) == (one.status, two.status, other.status)
    assert one.json["OID"] != two.json["OID"]


ASTRAY = [
    ("GET", "/", 404),
    ("GET", "/v5/advertising/sandbox/company/company", 404),
    ("GET", "/v4/gardening/sandbox/company/company", 404),
    ("GET", "/v4/advertising/sandbox", 404),
    ("GET", "/v4/advertising/sandbox/company", 404),
    ("GET", "/v4/advertising/sandbox/ana@example.com", 404),
    ("GET", "/v4/advertising/sandbox/company/branches", 404),
    ("GET", f"/v4/advertising/sandbox/sales/salesinstructions/{NOBODY}", 404),
    ("POST", COMPANY, 405),
]


@pytest.mark.parametrize(("method", "path", "status"), ASTRAY)
@pytest.mark.asyncio
async def test_what_is_not_there_is_said_so(ask: Any, method: str, path: str, status: int) -> None:
    """404 for unknown versions, tiers, routes and records, 405 for another method."""
    async with Sandbox(api="agentos") as sandbox:
        reply = await ask(sandbox, method, path, headers={"api_key": sandbox.key})

    assert (status, ["Message"]) == (reply.status, list(reply.json))
    assert "ana" not in reply.json["Message"]


@pytest.mark.asyncio
async def test_the_limit_is_told_by_its_status_alone(agentos: Any, clock: Any) -> None:
    """A 429 without Retry-After, as no page speaks of one; the minute rolls."""
    async with Sandbox(api="agentos", limit=lambda: SlidingLog(2, 60), clock=clock) as sandbox:
        replies = [await agentos(sandbox, "GET", "advertising/company/company") for _ in range(3)]
        clock.now += 60
        replies.append(await agentos(sandbox, "GET", "advertising/company/company"))

    assert [200, 200, 429, 200] == [reply.status for reply in replies]
    assert "Retry-After" not in replies[2].headers


WRONG: list[dict[str, Any]] = [{"tiers": {"gardening"}}, {"short_names": ()}, {"short_names": ("",)}]


@pytest.mark.parametrize("settings", WRONG)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    """An unknown tier, and an agency without a name."""
    with pytest.raises(ValueError, match=next(iter(settings)).rstrip("s")):
        Sandbox(api="agentos", **settings)


@pytest.mark.asyncio
async def test_the_same_seed_makes_the_same_agency(agentos: Any) -> None:
    """Another one makes another."""
    seen: list[Any] = []
    for seed in (1, 1, 2):
        async with Sandbox(api="agentos", seed=seed) as sandbox:
            sandbox.fill("lettings", 20)
            seen.append((await agentos(sandbox, "GET", "advertising/lettings/advertised/0/20")).json)

    one, same, other = ([record["OID"] for record in page["Data"]] for page in seen)
    assert seen[0] == seen[1]
    assert not {*one, *same} & {*other}
    assert [it["Address"] for it in seen[0]["Data"]] != [it["Address"] for it in seen[2]["Data"]]


def test_every_kind_can_be_filled() -> None:
    """Also into an empty agency: what belongs to something brings it along."""
    for kind in Sandbox(api="agentos").kinds:
        sandbox = Sandbox(api="agentos")
        before = len(sandbox.stored(kind))
        sandbox.fill(kind, 3)

        assert before + 3 == len(sandbox.stored(kind))
        assert all({"OID", "ETag"} <= record.keys() for record in sandbox.stored(kind))


@pytest.mark.asyncio
async def test_a_scripted_error_has_the_same_form(agentos: Any) -> None:
    """{"Message": …}, before anything is done."""
    async with Sandbox(api="agentos") as sandbox:
        sandbox.script(Fault(status=503))
        reply = await agentos(sandbox, "GET", "advertising/company/company")

    assert (503, ["Message"]) == (reply.status, list(reply.json))
