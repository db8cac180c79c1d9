"""Imports of applicants, against the sandbox: it knows no keys, and a second application is a second mail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from leavo_async import ConfigError, RetryPolicy
from leavo_async.apis.agentos import AgentOSClient
from leavo_async.apis.agentos.imports import applicants
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.report import Report
from leavo_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.asyncio
QUICK: Any = {"progress": False, "quarantine": 0.01, "integrator": "made-up"}
LOST = Fault(reset="after", method="POST", skip=1)
NOBODY_CAN_TELL = "its outcome is unknown, and nothing can tell it"


@pytest.fixture(autouse=True)
def no_pause_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leavo_async.bulk.outage._MAX_DELAY", 0.01)


@pytest_asyncio.fixture
async def agency(agentos_sandbox: Sandbox) -> Sandbox:
    agentos_sandbox.fill("lettings", 2)
    return agentos_sandbox


@pytest_asyncio.fixture
async def agentos(agency: Sandbox) -> AsyncGenerator[AgentOSClient, None]:
    async with AgentOSClient(
        agency.key,
        short_name="sandbox",
        base_url=agency.base_url,
        allow_insecure_loopback=True,
        limits=(),
        retry=RetryPolicy(first_delay=0, max_delay=0),
    ) as client:
        yield client


def branch(agency: Sandbox) -> str:
    return str(agency.stored("branches")[0]["OID"])


def rows(agency: Sandbox, count: int = 3) -> list[dict[str, Any]]:
    home = agency.stored("lettings")[0]["OID"]
    return [
        {"forename": "Ana", "surname": "Souza", "email_address": f"Ana{n}@example.com", "property_oid": home}
        for n in range(count)
    ]


def applied(agency: Sandbox) -> Counter[str]:
    return Counter(application["EmailAddress"] for application in agency.stored("applications"))


def settled(report: Report) -> dict[str, int]:
    return {state: count for state, count in report.counts.items() if count}


async def held(report: Report) -> str:
    (row,) = await asyncio.to_thread(list, report.rows("held"))
    return row.reason


async def test_each_row_is_an_application_of_that_branch(agentos: AgentOSClient, agency: Sandbox) -> None:
    """With the id that the server gives it; one person may apply for two properties, and for each of them once."""
    other = elsewhere(agency, rows(agency)[0])
    bad = {**rows(agency)[0], "email_address": "ana"}
    report = await agentos.applications.import_(branch(agency), [*rows(agency), other, other, bad], **QUICK)

    assert settled(report) == {"done": 4, "skipped": 1, "invalid": 1}
    stored = agency.stored("applications")
    assert {branch(agency)} == {application["BranchID"] for application in stored}
    done = await asyncio.to_thread(list, report.rows("done"))
    assert {application["OID"] for application in stored} == {row.id for row in done}
    assert {"/v4/applications/sandbox/prospects/tenancyapplication/" + branch(agency) + "/"} == {
        request.path for request in agency.ledger.requests if request.method == "POST"
    }


async def test_a_new_contact_shows_that_it_was_done(agentos: AgentOSClient, agency: Sandbox) -> None:
    """Its answer was lost; whatever the case of the letters of its address."""
    agency.script(LOST, Fault(status=502, commit=True, method="POST", skip=3))
    report = await agentos.applications.import_(branch(agency), rows(agency, 8), **QUICK)

    assert {"created": 6, "confirmed": 2} == report.outcomes
    assert Counter(row["email_address"] for row in rows(agency, 8)) == applied(agency)


async def test_who_is_not_shown_is_held(agentos: AgentOSClient, agency: Sandbox) -> None:
    """Contacts who have not agreed are left out of the listing, so that they are missing proves nothing."""
    agency.script(LOST, Fault(status=200, body='{"Count": 0, "Data": []}', method="GET", times=None))
    report = await agentos.applications.import_(branch(agency), rows(agency), **QUICK)

    assert settled(report) == {"done": 2, "held": 1}
    assert "none found, and the listing does not show all" in await held(report)
    assert 3 == applied(agency).total()


@pytest.mark.parametrize("is_lost", [True, False])
async def test_who_was_known_before_is_held(agentos: AgentOSClient, agency: Sandbox, *, is_lost: bool) -> None:
    """A contact of last year looks the same whether the application has come or not, so it proves nothing."""
    known = rows(agency)[1]
    await agentos.applications.create({**known, "branch_id": branch(agency)})
    agency.script(LOST if is_lost else Fault(reset="before", method="POST", skip=1))
    report = await agentos.applications.import_(branch(agency), rows(agency), **QUICK)

    assert settled(report) == {"done": 2, "held": 1}
    assert 1 + is_lost == applied(agency)[known["email_address"]]


@pytest.mark.parametrize("lost", [1, 2])
async def test_two_applications_of_one_person_prove_nothing_of_each_other(
    agentos: AgentOSClient, agency: Sandbox, lost: int
) -> None:
    """The contact that the one makes is found when the other is looked up."""
    agency.script(Fault(reset="before", method="POST", skip=lost))
    source = [*rows(agency, 2), elsewhere(agency, rows(agency, 2)[1])]
    report = await agentos.applications.import_(branch(agency), source, concurrency=1, **{**QUICK, "quarantine": 0.3})

    assert settled(report) == {"done": 2, "held": 1}
    assert NOBODY_CAN_TELL == await held(report)


async def test_a_look_up_tells_nothing_if_the_other_one_went_out_meanwhile(
    agentos: AgentOSClient, agency: Sandbox
) -> None:
    """It had begun when nobody else could have made the contact, and it found one that somebody had."""
    agency.script(Fault(reset="before", method="POST"), Fault(delay=0.4, method="GET", skip=1))
    source = [*rows(agency, 30), elsewhere(agency, rows(agency)[0])]
    report = await agentos.applications.import_(branch(agency), source, concurrency=2, **QUICK)

    assert settled(report) == {"done": 30, "held": 1}
    assert NOBODY_CAN_TELL == await held(report)


def elsewhere(agency: Sandbox, row: dict[str, Any]) -> dict[str, Any]:
    """The same person, and another property."""
    return {**row, "property_oid": agency.stored("lettings")[1]["OID"]}


async def test_a_listing_that_is_too_long_to_be_read_proves_nothing(
    agentos: AgentOSClient, agency: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands at its end now may have stood behind it before."""
    monkeypatch.setattr("leavo_async.bulk.sending._LOOKED_AT", 5)
    agency.fill("lettings applicants", 4)
    agency.script(LOST)
    report = await agentos.applications.import_(branch(agency), rows(agency, 1), name="short", **QUICK)
    assert settled(report) == {"done": 1}
    report = await agentos.applications.import_(branch(agency), rows(agency)[1:], name="long", **QUICK)

    assert settled(report) == {"done": 1, "held": 1}
    assert NOBODY_CAN_TELL == await held(report)


async def test_what_was_under_way_in_an_earlier_run_is_held(agentos: AgentOSClient, agency: Sandbox) -> None:
    """What was known before it was sent is not known any more."""
    agency.script(LOST)
    options = {"progress": False, "quarantine": 60.0}
    job: BulkJob = BulkJob(
        agentos,
        applicants(branch(agency), integrator="made-up"),
        rows(agency),
        **{**options, "progress": lambda now: job.stop() if now.counts.get("unknown") else None},
    )
    assert 1 == (await job.run()).counts["unknown"]
    report = await agentos.applications.import_(branch(agency), rows(agency), **{**QUICK, "same_by": ["EmailAddress"]})

    assert settled(report) == {"done": 2, "held": 1}
    assert NOBODY_CAN_TELL == await held(report)
    assert 3 == applied(agency).total()


@pytest.mark.parametrize("options", [{"integrator": None}, {}])
async def test_where_nothing_can_be_looked_up_it_is_held(
    agentos: AgentOSClient, agency: Sandbox, options: dict[str, Any]
) -> None:
    """Without the name that the vendor asks for, or where the key has no right to contacts; nothing else is stopped."""
    agency.script(LOST, Fault(status=401, method="GET", times=None))
    report = await agentos.applications.import_(branch(agency), rows(agency), **{**QUICK, **options})

    assert settled(report) == {"done": 2, "held": 1}
    assert NOBODY_CAN_TELL == await held(report)
    assert len(options) == 1 - agency.ledger.count("GET")


async def test_a_branch_is_one_segment_of_the_path(agentos: AgentOSClient, agency: Sandbox) -> None:
    """Whatever cannot be one is refused before anything is read."""
    with pytest.raises(ConfigError, match="branch_id: expected a non-empty text"):
        await agentos.applications.import_("..", "nowhere.csv")
    assert "/tenancyapplication/a%2Fb/" in applicants("a/b").path
