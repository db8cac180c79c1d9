"""Leavo's leads, in both dialects: what goes in, what comes out, what is refused."""

import json
import re
from typing import Any

import pytest

from leavo_async.sandbox import Sandbox

PHONE = "+5511999990000"
LEAD = {"name": "Ana Souza", "phone": PHONE}
NOBODY = "00000000-0000-4000-8000-000000000000"
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Wall:
    """1 January 2026, noon, UTC; moved by hand."""

    now = 1_767_268_800.9

    def __call__(self) -> float:
        return self.now


async def labels(ask: Any, sandbox: Sandbox) -> tuple[Any, Any]:
    """Statuses and tags by name."""
    found = [(await ask(sandbox, "GET", f"/backend/{kind}")).data for kind in ("status", "tags")]
    statuses, tags = ({label["name"]: label for label in kind} for kind in found)
    return statuses, tags


# --- create -------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_lead_needs_a_name_and_a_phone_and_gets_the_rest(ask: Any) -> None:
    """An id, the default status, and the moment of its creation."""
    async with Sandbox(wall=Wall()) as sandbox:
        reply = await ask(sandbox, "POST", "/backend/leads", json=LEAD)

    lead = reply.data
    assert (201, True, "application/json") == (reply.status, reply.json["success"], reply.headers["Content-Type"])
    assert UUID4.fullmatch(lead["id"])
    assert (
        LEAD
        | {
            "id": lead["id"],
            "email": None,
            "company": None,
            "status": {"id": lead["status"]["id"], "name": "New", "color": "#3B82F6"},
            "tags": [],
            "custom_fields": {},
            "created_at": "2026-01-01T12:00:00Z",
            "updated_at": "2026-01-01T12:00:00Z",
        }
        == lead
    )


@pytest.mark.asyncio
async def test_a_lead_keeps_all_it_was_given(ask: Any) -> None:
    """Every documented field; the same tag twice is once, and unknown fields are nobody's business."""
    async with Sandbox() as sandbox:
        statuses, tags = await labels(ask, sandbox)
        whole = LEAD | {"email": "ana@example.com", "company": "Acme", "custom_fields": {"source": "fair", "n": [1]}}
        vip = tags["vip"]["id"]
        extra = {"status_id": statuses["Won"]["id"], "tag_ids": [vip, vip], "shoe_size": 38}
        lead = (await ask(sandbox, "POST", "/backend/leads", json=whole | extra)).data

    assert whole == {name: lead[name] for name in whole}
    assert ("Won", ["vip"]) == (lead["status"]["name"], [tag["name"] for tag in lead["tags"]])
    assert [lead] == sandbox.leads


@pytest.mark.asyncio
async def test_the_bare_dialect_is_the_lead_itself(ask: Any) -> None:
    """No envelope; tenant, status_id and a fuller status beside the rest."""
    async with Sandbox(dialect="bare") as sandbox:
        lead = (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).json
        assert lead == (await ask(sandbox, "GET", f"/backend/leads/{lead['id']}")).json

    assert (PHONE, lead["status"]["id"], True) == (lead["phone"], lead["status_id"], lead["status"]["default"])
    assert {"tenant_id", "custom_fields", "created_at"} <= lead.keys()


REFUSED = [
    ({"phone": PHONE}, 400, "MISSING_FIELD", {"field": "name"}),
    ({"name": "Ana"}, 400, "MISSING_FIELD", {"field": "phone"}),
    ({"name": None, "phone": PHONE}, 400, "MISSING_FIELD", {"field": "name"}),
    ({"name": "Ana", "phone": ""}, 400, "MISSING_FIELD", {"field": "phone"}),
    (LEAD | {"name": 5}, 400, "VALIDATION_ERROR", "name"),
    (LEAD | {"name": "  "}, 400, "VALIDATION_ERROR", "name"),
    (LEAD | {"phone": 5511999990000}, 400, "VALIDATION_ERROR", "phone"),
    (LEAD | {"phone": "5511999990000"}, 400, "VALIDATION_ERROR", "phone"),
    (LEAD | {"phone": "+123456"}, 400, "VALIDATION_ERROR", "phone"),
    (LEAD | {"phone": "+1234567890123456"}, 400, "VALIDATION_ERROR", "phone"),
    (LEAD | {"phone": "+55 11 99999"}, 400, "VALIDATION_ERROR", "phone"),
    (LEAD | {"phone": "+१२३४५६७"}, 400, "VALIDATION_ERROR", "phone"),
    (LEAD | {"phone": PHONE + "\n"}, 400, "VALIDATION_ERROR", "phone"),
    (LEAD | {"email": "ana"}, 400, "VALIDATION_ERROR", "email"),
    (LEAD | {"email": "ana@example"}, 400, "VALIDATION_ERROR", "email"),
    (LEAD | {"email": ""}, 400, "VALIDATION_ERROR", "email"),
    (LEAD | {"email": 5}, 400, "VALIDATION_ERROR", "email"),
    (LEAD | {"company": 5}, 400, "VALIDATION_ERROR", "company"),
    (LEAD | {"custom_fields": []}, 400, "VALIDATION_ERROR", "custom_fields"),
    (LEAD | {"status_id": 5}, 400, "VALIDATION_ERROR", "status_id"),
    (LEAD | {"tag_ids": "vip"}, 400, "VALIDATION_ERROR", "tag_ids"),
    (LEAD | {"tag_ids": [5]}, 400, "VALIDATION_ERROR", "tag_ids"),
    (LEAD | {"status_id": NOBODY}, 404, "NOT_FOUND", None),
    (LEAD | {"tag_ids": [NOBODY]}, 404, "NOT_FOUND", None),
    ([LEAD], 400, "VALIDATION_ERROR", "body"),
]


@pytest.mark.parametrize(("body", "status", "code", "details"), REFUSED)
@pytest.mark.asyncio
async def test_a_lead_that_cannot_be_is_refused(ask: Any, body: Any, status: int, code: str, details: Any) -> None:
    """With the field that is wrong, and without a trace in the data."""
    async with Sandbox() as sandbox:
        reply = await ask(sandbox, "POST", "/backend/leads", json=body)

    found = reply.error.get("details")
    assert (status, code) == (reply.status, reply.error["code"])
    assert details == (found["field"] if isinstance(details, str) else found)
    assert ([], False) == (sandbox.leads, reply.json["success"])


@pytest.mark.parametrize(
    "body",
    [b"", b"name=Ana", b'{"name"', b"\xff\xfe\xfd", b'{"name": NaN}', b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}"],
    ids=["empty", "form", "cut", "not a text", "NaN", "too deep", "too long a number"],
)
@pytest.mark.asyncio
async def test_a_body_that_is_not_json_is_refused(ask: Any, body: bytes) -> None:
    """Whatever the bytes, the answer is a 400 that says so."""
    async with Sandbox() as sandbox:
        reply = await ask(sandbox, "POST", "/backend/leads", data=body)

    assert (400, "VALIDATION_ERROR", "body") == (reply.status, reply.error["code"], reply.error["details"]["field"])


@pytest.mark.asyncio
async def test_errors_of_the_bare_dialect_have_no_success(ask: Any) -> None:
    """As the examples on the Portuguese page."""
    async with Sandbox(dialect="bare") as sandbox:
        reply = await ask(sandbox, "POST", "/backend/leads", json={})

    assert {"error": {"code": "MISSING_FIELD", "message": "Field name is required", "details": {"field": "name"}}} == (
        reply.json
    )


@pytest.mark.asyncio
async def test_a_phone_belongs_to_one_lead(ask: Any) -> None:
    """A second lead with it is refused, until the first is gone or has another."""
    async with Sandbox() as sandbox:
        first = (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).data
        taken = await ask(sandbox, "POST", "/backend/leads", json=LEAD)
        await ask(sandbox, "PUT", f"/backend/leads/{first['id']}", json={"phone": "+5511999990001"})
        free = await ask(sandbox, "POST", "/backend/leads", json=LEAD)
        await ask(sandbox, "DELETE", f"/backend/leads/{free.data['id']}")
        again = await ask(sandbox, "POST", "/backend/leads", json=LEAD)

    assert (409, "ALREADY_EXISTS") == (taken.status, taken.error["code"])
    assert (201, 201) == (free.status, again.status)


@pytest.mark.asyncio
async def test_a_phone_can_belong_to_several_leads(ask: Any) -> None:
    """If one says so: creating and changing refuse none, and each lead goes away on its own."""
    async with Sandbox(unique_phones=False) as sandbox:
        replies = [await ask(sandbox, "POST", "/backend/leads", json=LEAD) for _ in range(2)]
        other = await ask(sandbox, "POST", "/backend/leads", json=LEAD | {"phone": "+5511999990001"})
        changed = await ask(sandbox, "PUT", f"/backend/leads/{other.data['id']}", json=LEAD)
        gone = [await ask(sandbox, "DELETE", f"/backend/leads/{reply.data['id']}") for reply in replies]

    assert [201, 201, 200, 204, 204] == [reply.status for reply in (*replies, changed, *gone)]
    assert [PHONE] == [lead["phone"] for lead in sandbox.leads]


# --- update -------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_update_changes_what_it_names(ask: Any) -> None:
    """The rest stays, custom fields are merged, null empties what may be empty, and the time of change is new."""
    wall = Wall()
    async with Sandbox(wall=wall) as sandbox:
        old = LEAD | {"email": "a@b.co", "company": "Acme", "custom_fields": {"a": 1, "b": 2}}
        lead = (await ask(sandbox, "POST", "/backend/leads", json=old)).data
        wall.now += 60
        change = {"name": "Ana Lima", "phone": PHONE, "email": None, "custom_fields": {"b": 3}, "tag_ids": ["ignored"]}
        reply = await ask(sandbox, "PUT", f"/backend/leads/{lead['id']}", json=change)

    assert 200 == reply.status
    assert (
        lead
        | {
            "name": "Ana Lima",
            "email": None,
            "custom_fields": {"a": 1, "b": 3},
            "updated_at": "2026-01-01T12:01:00Z",
        }
        == reply.data
    )


REFUSED_CHANGES = [
    ({"phone": "+5511999990001"}, 409, "ALREADY_EXISTS"),
    ({"phone": "5"}, 400, "VALIDATION_ERROR"),
    ({"name": None}, 400, "VALIDATION_ERROR"),
    ({"status_id": NOBODY}, 404, "NOT_FOUND"),
]


@pytest.mark.parametrize(("change", "status", "code"), REFUSED_CHANGES)
@pytest.mark.asyncio
async def test_an_update_that_cannot_be_changes_nothing(ask: Any, change: Any, status: int, code: str) -> None:
    """The same rules as for a new lead."""
    async with Sandbox() as sandbox:
        lead = (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).data
        await ask(sandbox, "POST", "/backend/leads", json=LEAD | {"phone": "+5511999990001"})
        reply = await ask(sandbox, "PUT", f"/backend/leads/{lead['id']}", json=change)

    assert (status, code, lead) == (reply.status, reply.error["code"], sandbox.leads[0])


@pytest.mark.asyncio
async def test_an_updated_lead_keeps_its_place_in_the_list(ask: Any) -> None:
    """Pages do not shift because somebody changed a name."""
    async with Sandbox() as sandbox:
        sandbox.seed_leads(3)
        before = [lead["id"] for lead in sandbox.leads]
        await ask(sandbox, "PUT", f"/backend/leads/{before[0]}", json={"name": "Zoe"})

    assert before == [lead["id"] for lead in sandbox.leads]


# --- read, delete, tag --------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_deleted_lead_is_gone(ask: Any) -> None:
    """204 without a body; then 404, and the second delete finds nothing."""
    async with Sandbox() as sandbox:
        lead = (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).data
        path = f"/backend/leads/{lead['id']}"
        replies = [await ask(sandbox, method, path) for method in ("GET", "DELETE", "GET", "DELETE")]

    assert [200, 204, 404, 404] == [reply.status for reply in replies]
    assert b"" == replies[1].body


NOT_THERE = [
    ("GET", f"/backend/leads/{NOBODY}", 404, "NOT_FOUND"),
    ("PUT", f"/backend/leads/{NOBODY}", 404, "NOT_FOUND"),
    ("DELETE", f"/backend/leads/{NOBODY}", 404, "NOT_FOUND"),
    ("POST", f"/backend/leads/{NOBODY}/tags/{NOBODY}", 404, "NOT_FOUND"),
    ("GET", "/", 404, "NOT_FOUND"),
    ("GET", "/backend", 404, "NOT_FOUND"),
    ("GET", "/backend/leads/", 404, "NOT_FOUND"),
    ("GET", "/backend/leads/a%2Fb", 404, "NOT_FOUND"),
    ("GET", "/BACKEND/leads", 404, "NOT_FOUND"),
    ("PATCH", "/backend/leads", 405, "METHOD_NOT_ALLOWED"),
    ("DELETE", "/backend/status", 405, "METHOD_NOT_ALLOWED"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), NOT_THERE)
@pytest.mark.asyncio
async def test_what_is_not_there_is_answered_in_json(ask: Any, method: str, path: str, status: int, code: str) -> None:
    """Unknown leads, routes and methods alike."""
    async with Sandbox() as sandbox:
        reply = await ask(sandbox, method, path)

    assert (status, code, False) == (reply.status, reply.error["code"], reply.json["success"])


@pytest.mark.asyncio
async def test_a_405_says_what_is_allowed(ask: Any) -> None:
    """In the Allow header, RFC 9110 §15.5.6."""
    async with Sandbox() as sandbox:
        reply = await ask(sandbox, "PATCH", "/backend/leads")

    assert "GET, POST" == reply.headers["Allow"]


@pytest.mark.asyncio
async def test_tags_are_put_on_and_taken_off(ask: Any) -> None:
    """204 each time; what is so already has no second effect."""
    async with Sandbox() as sandbox:
        _, tags = await labels(ask, sandbox)
        lead = (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).data
        path, seen = f"/backend/leads/{lead['id']}/tags/{tags['vip']['id']}", []
        for method in ("POST", "POST", "DELETE", "DELETE"):
            status = (await ask(sandbox, method, path)).status
            seen.append((status, [tag["name"] for tag in sandbox.leads[0]["tags"]]))

    assert [(204, ["vip"]), (204, ["vip"]), (204, []), (204, [])] == seen
    assert ["created", "updated", "updated"] == [effect.kind for effect in sandbox.ledger.effects]


@pytest.mark.asyncio
async def test_an_unknown_tag_is_not_found(ask: Any) -> None:
    """On a lead that is there, too."""
    async with Sandbox() as sandbox:
        lead = (await ask(sandbox, "POST", "/backend/leads", json=LEAD)).data
        replies = [await ask(sandbox, m, f"/backend/leads/{lead['id']}/tags/{NOBODY}") for m in ("POST", "DELETE")]

    assert [404, 404] == [reply.status for reply in replies]


@pytest.mark.parametrize("kind", ["status", "tags"])
@pytest.mark.asyncio
async def test_labels_are_listed_in_both_dialects(ask: Any, kind: str) -> None:
    """The same items, with and without the envelope, with the same ids in every run."""
    async with Sandbox() as sandbox:
        enveloped = await ask(sandbox, "GET", f"/backend/{kind}")
    async with Sandbox(dialect="bare", seed=5) as sandbox:
        bare = await ask(sandbox, "GET", f"/backend/{kind}")

    assert {"success": True, "data": bare.json} == enveloped.json
    assert {"id", "tenant_id", "name", "color", "description", "created_at", "updated_at"} <= bare.json[0].keys()


@pytest.mark.asyncio
async def test_one_status_is_the_default(ask: Any) -> None:
    """A new lead has it."""
    async with Sandbox() as sandbox:
        statuses, _ = await labels(ask, sandbox)

    assert ["New"] == [name for name, status in statuses.items() if status["default"]]


@pytest.mark.asyncio
async def test_text_of_any_script_survives(ask: Any) -> None:
    """Names are what people write."""
    async with Sandbox() as sandbox:
        body = json.dumps(LEAD | {"name": "João 李 🙂"}, ensure_ascii=False).encode()
        await ask(sandbox, "POST", "/backend/leads", data=body)

    assert "João 李 🙂" == sandbox.leads[0]["name"]
