"""The company controller of agentOS: the company, its branches and custom fields, in every tier of V4."""

from typing import Any

import pytest

from leavo_async.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"
TIERS = [
    "advertising",
    "appointments",
    "maintenance",
    "propertymanagement",
    "contacts",
    "referencing",
    "applications",
]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.asyncio
async def test_every_tier_shows_the_company_and_its_branches(agentos: Any, tier: str) -> None:
    """All branches as a page, and one alone; one that is not there is not found."""
    async with Sandbox(api="agentos") as sandbox:
        branches = sandbox.stored("branches")
        paths = ("company", "branches/1/5", f"branches/{branches[1]['OID']}", f"branches/{NOBODY}")
        company, page, branch, astray = [await agentos(sandbox, "GET", f"{tier}/company/{path}") for path in paths]

    assert "Sandbox Estates" == company.json["Name"]
    assert {"Count": 2, "Data": branches[1:]} == page.json
    assert (branches[1], 404) == (branch.json, astray.status)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.asyncio
async def test_every_tier_sets_and_gets_custom_fields(agentos: Any, tier: str) -> None:
    """A value is that of one object and one field, and the answer is the value alone."""
    async with Sandbox(api="agentos") as sandbox:
        sandbox.fill("lettings", 2)
        sandbox.fill("custom fields", 2)
        one, two = (record["OID"] for record in sandbox.stored("lettings"))
        first, second = (record["OID"] for record in sandbox.stored("custom fields"))
        path = f"{tier}/company/objects/{one}/{first}/value"
        reply = await agentos(sandbox, "POST", path, json={"Value": ["cat", 2]})
        value = (await agentos(sandbox, "GET", path)).json
        await agentos(sandbox, "POST", f"{tier}/company/objects/{two}/{first}/value", json={"Value": "dog"})
        shown = [(await agentos(sandbox, "GET", f"{tier}/company/object/{oid}/customfield")).json for oid in (one, two)]

    assert (200, first, ["cat", 2]) == (reply.status, reply.json, value)
    assert [("updated", first)] * 2 == [(effect.kind, effect.id) for effect in sandbox.ledger.effects]
    assert {"ID", "TabName", "GroupName", "FieldName", "Value"} == shown[0]["CustomFields"][0].keys()
    values = [[(field["ID"], field["Value"]) for field in it["CustomFields"]] for it in shown]
    assert [[(first, ["cat", 2]), (second, None)], [(first, "dog"), (second, None)]] == values


GIVEN: list[tuple[str, dict[str, Any], int, object]] = [
    ("?value=cat", {}, 200, "cat"),
    ("?Value=", {}, 200, ""),
    ("", {"json": "cat"}, 200, "cat"),
    ("", {"json": {"Value": False}}, 200, False),
    ("", {"json": {"Note": "cat"}}, 400, None),
    ("", {"data": b""}, 400, None),
    ("", {"data": b"{"}, 400, None),
]


@pytest.mark.parametrize(("query", "body", "status", "value"), GIVEN)
@pytest.mark.asyncio
async def test_a_value_is_taken_from_wherever_it_may_stand(
    agentos: Any, query: str, body: dict[str, Any], status: int, value: object
) -> None:
    """The guides name the parameter and not its place; none at all is refused."""
    async with Sandbox(api="agentos") as sandbox:
        sandbox.fill("custom fields", 1)
        branch, field = (sandbox.stored(kind)[0]["OID"] for kind in ("branches", "custom fields"))
        path = f"advertising/company/objects/{branch}/{field}/value"
        reply = await agentos(sandbox, "POST", path + query, **body)
        found = (await agentos(sandbox, "GET", path)).json

    assert (status, value) == (reply.status, found)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "object/{nobody}/customfield"),
        ("GET", "objects/{nobody}/{field}/value"),
        ("GET", "objects/{branch}/{nobody}/value"),
        ("POST", "objects/{nobody}/{field}/value"),
        ("POST", "objects/{branch}/{nobody}/value"),
    ],
)
@pytest.mark.asyncio
async def test_a_custom_field_is_of_something_that_is_there(agentos: Any, method: str, path: str) -> None:
    """An object or a field that nobody has made is not found, and nothing is set."""
    async with Sandbox(api="agentos") as sandbox:
        sandbox.fill("custom fields", 1)
        branch, field = (sandbox.stored(kind)[0]["OID"] for kind in ("branches", "custom fields"))
        there = path.format(nobody=NOBODY, branch=branch, field=field)
        reply = await agentos(sandbox, method, f"advertising/company/{there}", json={"Value": 1})

    assert (404, [], {}) == (reply.status, sandbox.ledger.effects, sandbox.stored("custom fields")[0]["Values"])
