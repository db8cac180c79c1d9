"""`leavo sandbox`: what it says, for each API that it can serve."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from leavo_async import LaabamClient
from leavo_async.cli import commands, sandbox_run
from leavo_async.cli.commands import leavo
from leavo_async.cli.connection import serving
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.sandbox_run import SandboxOptions, kept, told
from leavo_async.sandbox import APIS, Sandbox


def options(api: str) -> SandboxOptions:
    return SandboxOptions(api, 0, 100, "gcra", None, None, False, {})


@pytest.mark.parametrize("api", APIS)
@pytest.mark.asyncio
async def test_each_api_comes_with_the_lines_that_use_it(api: Any) -> None:
    """Where it is, each part of the key as a variable, and a client of it."""
    async with Sandbox(api=api) as sandbox:
        first, *exports, last = told(sandbox, options(api))

    assert first == f"Sandbox on {sandbox_url(first)}, 100 requests a minute (gcra); Ctrl-C ends it. To use it:"
    assert all(line.startswith(f"  export {'' if api == 'leavo' else api.upper()}") for line in exports)
    assert list(sandbox.credentials) == [line.partition("=")[2] for line in exports[: len(sandbox.credentials)]]
    assert sandbox_url(first) in last


@pytest.mark.asyncio
async def test_the_lines_of_laabam_are_enough_for_its_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their path has a company, which is another part of how a client is told of the sandbox."""
    async with Sandbox(api="laabam") as sandbox:
        for line in told(sandbox, options("laabam"))[1:-1]:
            monkeypatch.setenv(*line.removeprefix("  export ").split("="))
        async with LaabamClient(base_url=sandbox.base_url, allow_insecure_loopback=True) as laabam:
            message = await laabam.messages.sms(to="+44 7700 900123", message="made up")

    assert [message.id] == [each["id"] for each in sandbox.stored("messages")]


def sandbox_url(line: str) -> str:
    return line.split()[2].rstrip(",")


def test_the_last_line_tells_what_there_is() -> None:
    """Of many kinds only those that it has any of; of a single one also that it has none."""
    agency = Sandbox(api="agentos")
    agency.fill("tenants", 1200)

    assert ["2 branches", "1,200 tenants"] == [line for line in kept(agency) if line.split(maxsplit=1)[1] in PLURALS]
    assert not [line for line in kept(agency) if line.startswith("0 ")]
    assert ["0 leads"] == kept(Sandbox())


@pytest.mark.asyncio
async def test_a_share_of_writes_is_done_and_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them with 100%; reads are answered as ever."""
    served: list[SandboxOptions] = []

    async def serve(options: SandboxOptions) -> ExitCode:
        served.append(options)
        return ExitCode.DONE

    monkeypatch.setattr(commands, "serve", serve)
    await asyncio.to_thread(CliRunner().invoke, leavo, ["sandbox", "--port", "0", "--unknown", "100%"])
    async with serving(sandbox_run._sandbox(served[0])) as sandbox, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {sandbox.key}"}
        url = f"{sandbox.url}/backend/leads"
        with pytest.raises(aiohttp.ClientError):
            await session.post(url, headers=headers, json={"name": "Ana Souza", "phone": "+5511999990000"})
        async with session.get(url, headers=headers) as response:
            assert 1 == len((await response.json())["data"])


PLURALS = ("branches", "tenants", "vendors")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fill", "invoices=2"), "the sandbox of leavo keeps leads, no invoices"),
        (("--fill", "leads"), "expected KIND=N"),
        (("--fill", "leads=-1"), "expected KIND=N"),
        (("--fill", "=1"), "expected KIND=N"),
        (("--api", "laabam", "--leads", "2"), "the sandbox of laabam keeps invoices, "),
        (("--api", "laabam", "--dialect", "bare"), "dialect is not a setting of laabam"),
        (("--api", "klingon"), "'klingon' is not"),
        (("--unknown", "much"), "'much': expected a percentage, such as 1%"),
        (("--unknown", "101%"), "expected a percentage"),
        (("--unknown", "."), "expected a percentage"),
    ],
)
def test_what_does_not_fit_the_api_is_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    """Nothing is served, and the code is click's own."""
    ended = CliRunner().invoke(leavo, ["sandbox", "--port", "0", *arguments])

    assert (ended.exit_code, words in ended.output) == (2, True)
