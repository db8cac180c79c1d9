"""Lists of leads: pages, filters, and leads that are found a little later."""

from typing import Any

import pytest

from leavo_async.sandbox import Sandbox


def phones(leads: Any) -> list[str]:
    return [lead["phone"] for lead in leads]


PAGES = [
    ("", range(50), 50, 0, True),
    ("?limit=20&offset=110", range(110, 120), 20, 110, False),
    ("?limit=20&offset=100", range(100, 120), 20, 100, False),
    ("?limit=20&offset=99", range(99, 119), 20, 99, True),
    ("?limit=1000", range(100), 100, 0, True),
    ("?limit=99999999999999999", range(100), 100, 0, True),
    ("?offset=500", range(0), 50, 500, False),
]


@pytest.mark.parametrize("dialect", ["enveloped", "bare"])
@pytest.mark.parametrize(("query", "expected", "limit", "offset", "more"), PAGES)
@pytest.mark.asyncio
async def test_a_page_is_the_part_of_the_list_one_asks_for(
    ask: Any, dialect: Any, query: str, expected: range, limit: int, offset: int, more: bool
) -> None:
    """In order of creation; a limit above 100 means 100; the bare dialect tells no totals."""
    async with Sandbox(dialect=dialect) as sandbox:
        sandbox.seed_leads(120)
        reply = await ask(sandbox, "GET", "/backend/leads" + query)

    items = phones(sandbox.leads)[expected.start : expected.stop]
    if dialect == "bare":
        assert items == phones(reply.json)
    else:
        pagination = {"total": 120, "limit": limit, "offset": offset, "has_more": more}
        assert (items, pagination) == (phones(reply.data), reply.json["pagination"])


@pytest.mark.parametrize("dialect", ["enveloped", "bare"])
@pytest.mark.asyncio
async def test_a_list_has_its_leads_as_a_read_has_them(ask: Any, dialect: Any) -> None:
    """An item of a list is the whole lead."""
    async with Sandbox(dialect=dialect) as sandbox:
        sandbox.seed_leads(1)
        one = (await ask(sandbox, "GET", f"/backend/leads/{sandbox.leads[0]['id']}")).json
        many = (await ask(sandbox, "GET", "/backend/leads")).json

    assert sandbox.leads == (many if dialect == "bare" else many["data"])
    assert sandbox.leads[0] == (one if dialect == "bare" else one["data"])


NO_NUMBERS = [
    "limit=0",
    "limit=-1",
    "limit=x",
    "limit=",
    "limit=1.5",
    "limit=%201",
    "limit=1_0",
    "limit=%D9%A1",  # an Arabic one
    "limit=" + "9" * 5000,
    "offset=-1",
    "offset=x",
]


@pytest.mark.parametrize("query", NO_NUMBERS, ids=lambda query: query[:12])
@pytest.mark.asyncio
async def test_a_limit_or_offset_that_is_no_number_is_refused(ask: Any, query: str) -> None:
    """With the name of the one that is wrong."""
    async with Sandbox() as sandbox:
        reply = await ask(sandbox, "GET", "/backend/leads?" + query)

    assert (400, "VALIDATION_ERROR") == (reply.status, reply.error["code"])
    assert query.partition("=")[0] == reply.error["details"]["field"]


PEOPLE = [
    {"name": "Ana Souza", "phone": "+5511000000001", "email": "ana@example.com"},
    {"name": "BRUNO Lima", "phone": "+5511000000002", "email": "b.SOUZA@example.com"},
    {"name": "Carla Straße", "phone": "+5521000000003"},
]

SEARCHES = [
    ("ana", [0]),
    ("SOUZA", [0, 1]),
    ("bruno l", [1]),
    ("STRASSE", [2]),
    ("straße", [2]),
    ("%2B5511", [0, 1]),
    ("0000003", [2]),
    ("", [0, 1, 2]),
    ("nobody", []),
]


@pytest.mark.parametrize(("search", "expected"), SEARCHES)
@pytest.mark.asyncio
async def test_a_search_looks_at_name_email_and_phone(ask: Any, search: str, expected: list[int]) -> None:
    """Whatever the case of the letters."""
    async with Sandbox() as sandbox:
        for person in PEOPLE:
            await ask(sandbox, "POST", "/backend/leads", json=person)
        reply = await ask(sandbox, "GET", f"/backend/leads?search={search}")

    assert [PEOPLE[n]["phone"] for n in expected] == phones(reply.data)
    assert len(expected) == reply.json["pagination"]["total"]


@pytest.mark.asyncio
async def test_a_search_finds_what_a_lead_is_called_now(ask: Any) -> None:
    """The old name is forgotten with the update."""
    async with Sandbox() as sandbox:
        lead = (await ask(sandbox, "POST", "/backend/leads", json=PEOPLE[0])).data
        await ask(sandbox, "PUT", f"/backend/leads/{lead['id']}", json={"name": "Zoe", "email": None})
        found = [len((await ask(sandbox, "GET", f"/backend/leads?search={s}")).data) for s in ("ana", "zoe")]

    assert [0, 1] == found


@pytest.mark.asyncio
async def test_filters_are_for_status_and_for_any_of_the_tags(ask: Any) -> None:
    """Alone and together; an id that nobody has finds nobody."""
    async with Sandbox() as sandbox:
        sandbox.seed_leads(60)
        leads = sandbox.leads
        won = leads[0]["status"]["id"]
        one, two = (tag["id"] for tag in (await ask(sandbox, "GET", "/backend/tags")).data[:2])

        def expected(status: str, *tags: str) -> list[str]:
            """What a person would pick from all leads."""
            of_status = [lead for lead in leads if status in ("", lead["status"]["id"])]
            return phones(lead for lead in of_status if not tags or {tag["id"] for tag in lead["tags"]} & {*tags})

        async def found(query: str) -> list[str]:
            return phones((await ask(sandbox, "GET", f"/backend/leads?limit=100&{query}")).data)

        assert 0 < len(expected(won)) < 60
        assert expected(won) == await found(f"status_id={won}")
        assert expected("", one) == await found(f"tag_ids={one}")
        assert expected("", one, two) == await found(f"tag_ids={one},{two}")
        assert expected(won, one, two) == await found(f"tag_ids={one},{two}&status_id={won}")
        assert [] == await found("status_id=nobody")
        assert [] == await found("tag_ids=nobody")


@pytest.mark.asyncio
async def test_a_search_can_lag_behind(ask: Any, clock: Any) -> None:
    """A new lead is read by its id at once, and found by lists and searches after the lag."""
    async with Sandbox(search_lag=5.0, clock=clock) as sandbox:
        sandbox.seed_leads(1)
        lead = (await ask(sandbox, "POST", "/backend/leads", json=PEOPLE[0])).data

        async def seen() -> list[int]:
            paths = ("/backend/leads", "/backend/leads?search=ana@")
            return [len((await ask(sandbox, "GET", path)).data) for path in paths]

        assert 200 == (await ask(sandbox, "GET", f"/backend/leads/{lead['id']}")).status
        assert [1, 0] == await seen()
        clock.now += 4.9
        assert [1, 0] == await seen()
        clock.now += 0.1
        assert [2, 1] == await seen()


@pytest.mark.asyncio
async def test_the_lag_does_not_hide_a_taken_phone(ask: Any, clock: Any) -> None:
    """The second create is refused though a search finds nothing: the trap the lag is for."""
    async with Sandbox(search_lag=5.0, clock=clock) as sandbox:
        replies = [await ask(sandbox, "POST", "/backend/leads", json=PEOPLE[0]) for _ in range(2)]

    assert [201, 409] == [reply.status for reply in replies]


@pytest.mark.asyncio
async def test_a_search_that_lags_finds_both_leads_of_a_phone_later(ask: Any, clock: Any) -> None:
    """Where phones are not unique, whoever looks too early and sends again has doubled the lead."""
    async with Sandbox(search_lag=5.0, unique_phones=False, clock=clock) as sandbox:
        replies = [await ask(sandbox, "POST", "/backend/leads", json=PEOPLE[0]) for _ in range(2)]
        early = (await ask(sandbox, "GET", "/backend/leads?search=ana@")).data
        clock.now += 5
        late = (await ask(sandbox, "GET", "/backend/leads?search=ana@")).data

    assert [201, 201] == [reply.status for reply in replies]
    assert ([], sandbox.leads) == (early, late)
