"""Every Python block in README and docs runs, in order, against a sandbox; what they claim is there."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import re
import runpy
import wave
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from aioresponses import aioresponses
from blockbuster import BlockBuster

import leavo_async
from leavo_async import RateLimit, errors
from leavo_async.apis.agentos import AGENTOS
from leavo_async.apis.laabam import LAABAM
from leavo_async.apis.language_confidence import LANGUAGE_CONFIDENCE
from leavo_async.apis.leavo import LEAVO
from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.words import duration
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.sandbox import Fault, Sandbox

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The tutorial's code names its own sandbox; tests/test_tutorial.py runs it.
PAGES_WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text()) and page.stem != "tutorial"]


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text())


async def run(block: str, names: dict[str, Any]) -> None:
    """As a notebook cell: top-level await is allowed. `asyncio.run(main())` becomes `await main()`."""
    source = block.replace("asyncio.run(main())", "await main()")
    code = compile(source, "<docs>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    found = eval(code, names)
    if inspect.isawaitable(found):
        await found


# Of each API: its client, and what the environment tells it besides the address.
CLIENTS = {
    "leavo": ("LeavoClient", ["LEAVO_API_KEY"], {}),
    "laabam": ("LaabamClient", ["LAABAM_CLIENT_ID", "LAABAM_CLIENT_SECRET"], {"LAABAM_COMPANY": "sandbox"}),
    "agentos": ("AgentOSClient", ["AGENTOS_API_KEY"], {"AGENTOS_SHORT_NAME": "sandbox"}),
    "language_confidence": ("LanguageConfidenceClient", ["LANGUAGE_CONFIDENCE_API_KEY"], {}),
}

PROFILES = {profile.name: profile for profile in (LEAVO, LAABAM, AGENTOS, LANGUAGE_CONFIDENCE)}


def document(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """Let the client of its API, as the docs write it, talk to this sandbox."""
    name, variables, others = CLIENTS[sandbox.api]
    profile = PROFILES[sandbox.api]
    # A hundred times what the key may send: no reader waits for the code of a page, and no test.
    quick = [
        replace(limit, requests=100 * limit.requests) if isinstance(limit, RateLimit) else limit
        for limit in profile.limits
    ]
    here = {"base_url": sandbox.base_url, "allow_insecure_loopback": True}
    real = getattr(leavo_async, name)

    @functools.wraps(real, updated=())
    class Here(real):
        def __init__(self, *args: Any, **options: Any) -> None:
            limits = {} if "limiter" in options else {"limits": quick}
            super().__init__(*args, **{**limits, **here, **options})

    monkeypatch.setattr(leavo_async, name, Here)
    for variable, value in [*zip(variables, sandbox.credentials, strict=True), *others.items()]:
        monkeypatch.setenv(variable, value)


@pytest_asyncio.fixture
async def as_documented(
    monkeypatch: pytest.MonkeyPatch, leavo_sandbox: Sandbox, tmp_path: Path
) -> AsyncGenerator[Sandbox, None]:
    """The clients of the docs talk to sandboxes with something in them, and find a recording; Leavo's is given."""
    monkeypatch.chdir(tmp_path)
    with wave.open("speech.wav", "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * 750)
    Path("examples").mkdir()
    few = (ROOT / "examples/leads.csv").read_text().splitlines(keepends=True)[:4]  # all of it would take half a minute
    Path("examples/leads.csv").write_text("".join(few))
    leavo_sandbox.seed_leads(120)
    laabam = Sandbox(api="laabam", service_windows=["919800000000"])
    others = [laabam, Sandbox(api="agentos"), Sandbox(api="language_confidence")]
    async with contextlib.AsyncExitStack() as opened:
        for sandbox in (leavo_sandbox, *others):
            if sandbox is not leavo_sandbox:
                await opened.enter_async_context(sandbox)
            for kind in sandbox.kinds if sandbox is not leavo_sandbox else ():
                sandbox.fill(kind, 3)
            document(monkeypatch, sandbox)
        yield leavo_sandbox


@pytest.mark.asyncio
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.name)
async def test_the_code_of_a_page_runs(
    page: Path, as_documented: Sandbox, no_blocking_call_on_the_loop: BlockBuster
) -> None:
    """From top to bottom, each block in the names of those before it, as in a notebook."""
    names: dict[str, Any] = {"__name__": "docs"}
    for block in blocks(page):
        if "report" in block:  # whose rows are read from the disk, here on the loop
            no_blocking_call_on_the_loop.deactivate()
        if "virtual_time" not in block:  # it has a loop of its own, see below
            await run(block, names)


def test_the_example_with_a_fake_transport_runs() -> None:
    """Outside of a running loop, where it belongs."""
    (block,) = [block for block in blocks(ROOT / "docs/how-to/test-your-code.md") if "virtual_time" in block]
    exec(block, {"__name__": "docs"})


@pytest.mark.asyncio
async def test_the_example_with_aioresponses_holds(mocked: aioresponses) -> None:
    """The test of the page passes; the bridge of the page is the one this suite uses."""
    page = blocks(ROOT / "docs/how-to/test-your-code.md")
    (example,) = [block for block in page if "test_a_lead_is_created" in block]
    names: dict[str, Any] = {}
    exec(example, names)
    await names["test_a_lead_is_created"](mocked)

    (bridge,) = [block for block in page if "stream_reader_factory" in block]
    conftest = (ROOT / "tests/conftest.py").read_text()
    for line in ("stream_writer=Mock(output_size=0)", "aiohttp.StreamReader(Mock(), limit=2**30, loop=loop)"):
        assert line in bridge
        assert line in conftest


@pytest.mark.asyncio
async def test_the_plain_aiohttp_of_the_readme_works_too(as_documented: Sandbox) -> None:
    """It is a fair comparison only if it runs."""
    names: dict[str, Any] = {}
    (block,) = [block for block in blocks(ROOT / "README.md") if "all_leads" in block]
    await run(block, names)

    found = [lead async for lead in names["all_leads"](as_documented.url, as_documented.key)]

    assert len(found) == 120


@pytest.mark.asyncio
async def test_the_web_app_of_the_readme_answers(as_documented: Sandbox) -> None:
    """With leads, or with a sentence for end users when Leavo fails."""
    names: dict[str, Any] = {"__name__": "docs"}
    (block,) = [block for block in blocks(ROOT / "README.md") if "cleanup_ctx" in block]
    await run(block, names)

    async with TestClient(TestServer(names["app"])) as browser:
        good = await browser.get("/search", params={"q": as_documented.leads[7]["phone"]})
        assert [lead["id"] for lead in await good.json()] == [as_documented.leads[7]["id"]]
        as_documented.script(Fault(status=403))
        bad = await browser.get("/search", params={"q": "x"})
        assert (bad.status, await bad.text()) == (502, "This is not allowed.")


def test_the_page_on_streaming_shows_the_code_of_the_examples() -> None:
    """Which tests/test_web_examples.py runs; only what is imported and the line that makes the app differ."""
    page = blocks(ROOT / "docs/how-to/stream-to-a-browser.md")
    examples = "".join((ROOT / "examples" / name).read_text() for name in ("web_aiohttp.py", "web_fastapi.py"))
    parts = [part.strip() for block in page for part in block.split("\n\n\n")]
    shown = [part for part in parts if not part.startswith(("import ", "app = "))]

    assert len(shown) == 5
    assert [part for part in shown if part not in examples] == []


def test_the_error_tree_is_drawn_once() -> None:
    """The page shows the tree of the module's text."""
    drawn = [line.strip() for line in str(errors.__doc__).splitlines() if "──" in line]

    assert [line for line in drawn if line not in (ROOT / "docs/reference/errors.md").read_text()] == []


def test_the_timelines_of_the_pages_are_those_that_the_script_prints() -> None:
    """They show what happens, not what is wished for."""
    names = runpy.run_path(str(ROOT / "docs/explanation/pages_timeline.py"))

    assert f"```\n{names['timelines']()}```" in (ROOT / "docs/explanation/pages.md").read_text()


def test_the_page_on_listings_names_every_option() -> None:
    """Of a listing, and of a call."""
    page = (ROOT / "docs/how-to/read-long-listings.md").read_text()
    named = {
        name for row in re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }

    assert named == leavo_async.ListOptions.__annotations__.keys() - {"idempotency_key"}


def settings(section: str) -> set[str]:
    """What the tables of a section of the settings page name in their first column."""
    page = (ROOT / "docs/reference/settings.md").read_text()
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    return {
        name for cell in re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }


def test_the_settings_page_names_every_setting() -> None:
    """And none that does not exist."""
    of_a_session = {"api_key", "credentials", *leavo_async.session.SessionOptions.__annotations__}

    assert settings("Of a session") == of_a_session
    assert settings("Of an import") == set(ImportOptions.__annotations__)


def test_the_page_on_a_million_rows_tells_what_the_plan_would_tell() -> None:
    """How long so many rows take at a limit."""
    page = (ROOT / "docs/how-to/import-a-million-rows.md").read_text()
    table = [line.strip("| ").split(" | ") for line in page.splitlines() if re.match(r"\| [\d,]+ \|", line)]
    rows = (1_000, 10_000, 100_000, 1_000_000)

    assert len(table) == 5
    for limit, *told in table:
        rate = leavo_async.RateLimit(int(limit.replace(",", ""))).rate
        assert [duration(number / rate) for number in rows] == told


def test_the_settings_page_has_the_defaults_of_each_api() -> None:
    """Where their keys come from, where they are, how much a key may send, and how long it waits."""
    page = (ROOT / "docs/reference/settings.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    table = {row[0]: row[1:] for row in rows if len(row) == 5}
    for column, profile in enumerate((LEAVO, LAABAM, AGENTOS, LANGUAGE_CONFIDENCE)):
        said = {name: cells[column] for name, cells in table.items()}
        rate = next((str(limit.requests) for limit in profile.limits), "none")
        wait = "growing" if profile.wait_after_429 is None else f"{profile.wait_after_429:g} s"
        assert profile.key_variable in said["environment"]
        assert profile.id_variable in said["environment"]
        assert said["`base_url`"] == f"`{profile.base_url}`"
        assert said["`limits`, a minute"].startswith(rate)
        assert said["`idempotency`"].startswith(f'"{profile.honoured}"'.join("``"))
        assert said["wait after a 429 that names none"].startswith(wait)


def test_the_exit_codes_are_those_of_the_page() -> None:
    """One table for people, one for the program."""
    page = (ROOT / "docs/reference/exit-codes.md").read_text()
    named = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE) for code in row.split(",")}

    assert named == {2, *ExitCode}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Within the repository."""
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_ci_runs_the_command_that_the_readme_prints() -> None:
    """What is promised to newcomers is what is checked."""
    command = "pip install -e '.[all,test]' && pytest"

    assert command in (ROOT / "README.md").read_text()
    assert command in (ROOT / ".ci/run").read_text()
