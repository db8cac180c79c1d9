"""agentOS as a whole: whose key and agency, at what rate, and what its refusals mean."""

from __future__ import annotations

from typing import Any

import pytest

from leavo_async import (
    AuthenticationError,
    ConfigError,
    ConnectError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimit,
    RateLimitError,
    ReadTimeoutError,
    RetryPolicy,
    Secret,
)
from leavo_async.apis.agentos import AGENTOS, AgentOSClient
from leavo_async.testing import FakeTransport, reply, virtual_time

EMPTY = reply(200, {"Count": 0, "Data": []})
COMPANY = reply(200, {"Name": "Acme"})


def client(*answers: Any, **options: Any) -> tuple[AgentOSClient, FakeTransport]:
    transport = FakeTransport(*answers)
    return AgentOSClient("made-up-key-1", short_name="acme", transport=transport, **options), transport


@virtual_time
async def test_key_and_agency_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or from arguments, which count before it."""
    monkeypatch.setenv("AGENTOS_API_KEY", "made-up-key-1")
    monkeypatch.setenv("AGENTOS_SHORT_NAME", "acme")
    transport = FakeTransport(COMPANY)
    await AgentOSClient(transport=transport).advertising.company()
    await AgentOSClient(short_name="other", transport=transport).advertising.company()
    more = AgentOSClient(path_params={"tier": "advertising"}, transport=transport)
    await more.request("GET", "/v4/{tier}/{short_name}/company/company")
    await AgentOSClient(path_params={"short_name": "third"}, transport=transport).advertising.company()

    assert [request.path.split("/")[3] for request in transport.requests] == ["acme", "other", "acme", "third"]


@pytest.mark.parametrize("given", [None, ""])
def test_without_a_short_name_there_is_no_client(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each path needs one; an empty one is not taken for another agency's of the environment."""
    monkeypatch.delenv("AGENTOS_SHORT_NAME", raising=False)
    if given is not None:
        monkeypatch.setenv("AGENTOS_SHORT_NAME", "other")
    with pytest.raises(
        ConfigError, match=r"no short name of the agency: set AGENTOS_SHORT_NAME .* or pass short_name="
    ):
        AgentOSClient("made-up-key-1", short_name=given)


@pytest.mark.parametrize("wrong", ["..", "a\nb", 5])
def test_a_short_name_is_one_segment_of_a_path(wrong: Any) -> None:
    """What cannot be one is refused when the client is made."""
    with pytest.raises(ConfigError, match=r"short_name|path_params"):
        AgentOSClient("made-up-key-1", short_name=wrong)


@virtual_time
async def test_one_call_can_ask_another_agency() -> None:
    """With `path_params`, in listings too; the client stays with its own."""
    agentos, transport = client(EMPTY)
    other = {"short_name": "other one"}
    await agentos.advertising.branches(path_params=other).collect()
    await agentos.maintenance.create_job("B-1", {"Note": "x"}, path_params=other)
    await agentos.advertising.branches().collect()

    assert [request.path.split("/")[3] for request in transport.requests] == ["other%20one", "other%20one", "acme"]


def test_the_key_goes_into_a_header() -> None:
    """A URL would show it to every log on the way."""
    assert AGENTOS.auth.headers(Secret("made-up-key-1")) == {"api_key": "made-up-key-1"}
    assert AGENTOS.auth.params(Secret("made-up-key-1")) == {}


def test_limits_and_waits_are_those_of_the_pages() -> None:
    """50 a minute, a minute's wait after a 429; five of them after a block are a guess."""
    assert AGENTOS.base_url == "https://live-api.letmc.com"
    assert AGENTOS.limits == (RateLimit(50),)
    assert (AGENTOS.wait_after_429, AGENTOS.block_wait) == (60.0, 300.0)


@virtual_time
async def test_after_a_429_the_whole_key_waits_a_minute() -> None:
    """Also without Retry-After: going on is taken for an attack."""
    agentos, transport = client(reply(429), COMPANY)
    await agentos.advertising.company()

    first, second = transport.moments
    assert second - first >= 60


@virtual_time
async def test_a_403_after_a_429_is_a_block_of_the_key() -> None:
    """It is not about rights, and lasts longer."""
    agentos, _ = client(reply(429), reply(403), retry=RetryPolicy(max_wait=100))
    with pytest.raises(RateLimitError) as caught:
        await agentos.advertising.company()

    assert (caught.value.status, caught.value.retry_after) == (403, 300.0)


@virtual_time
async def test_a_403_by_itself_is_about_rights() -> None:
    """As for the data of another agency."""
    agentos, _ = client(reply(403))
    with pytest.raises(PermissionDeniedError):
        await agentos.advertising.company()


@virtual_time
async def test_a_401_may_be_a_tier_that_is_not_enabled() -> None:
    """AgentOS says 401 for that as for a wrong key, so the error names both."""
    agentos, _ = client(reply(401))
    with pytest.raises(AuthenticationError, match=r"this tier is not enabled .* AGENTOS_API_KEY"):
        await agentos.maintenance.company()


WRITES: list[Any] = [
    lambda a: a.applications.create_alerts("B-1", {"Note": "x"}),
    lambda a: a.appointments.update({"Note": "x"}),
    lambda a: a.property_management.lettings_media.delete_photo("H-1"),
    lambda a: a.property_management.sales_media.delete_floor_plan("H-1"),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("failure", [reply(500), ReadTimeoutError("no answer in time")])
@virtual_time
async def test_a_write_that_may_have_been_done_is_not_repeated(write: Any, failure: Any) -> None:
    """A job or an appointment could be made twice: agentOS knows no idempotency keys. A DELETE is no exception."""
    agentos, transport = client(failure)
    with pytest.raises(OutcomeUnknownError):
        await write(agentos)

    assert len(transport.requests) == 1


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("failure", [reply(429), ConnectError("refused")])
@virtual_time
async def test_a_write_that_was_surely_not_done_is_repeated(write: Any, failure: Any) -> None:
    """It was refused before anything was done, or never sent."""
    agentos, transport = client(failure, reply(200, "done"))

    assert await write(agentos) == "done"
    assert len(transport.requests) == 2
