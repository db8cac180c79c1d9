"""The notebooks of examples/ in a real kernel: every cell runs, the card is there, and the stop button stops gently."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient
from nbformat import NotebookNode

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SECONDS = 40
Kernel = tuple[KernelManager, BlockingKernelClient]


@pytest.fixture(scope="module", autouse=True)
def no_settings_of_whoever_runs_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(variable, str(folder / variable.lower()))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """A notebook after `Run All`, in a kernel of its own; what goes wrong in a cell is raised."""
    notebook = read(request.param)
    resources = {"metadata": {"path": tmp_path_factory.mktemp("notebook"), "name": request.param.stem}}
    return NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources).execute()


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(notebook: NotebookNode) -> list[str]:
    """The HTML of all outputs."""
    return [
        output.data["text/html"]
        for cell in cells(notebook)
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_clean(path: Path) -> None:
    """No outputs, and nothing of the machine that it was written on."""
    notebook = read(path)
    nbformat.validate(notebook)

    assert [cell.id for cell in cells(notebook) if cell.outputs or cell.execution_count is not None] == []
    assert re.findall(r"/(?:tmp|home|work|Users|root)/", path.read_text()) == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_every_cell_of_a_notebook_runs(ran: NotebookNode) -> None:
    """From top to bottom, and each shows what it promises."""
    assert [cell.execution_count for cell in cells(ran)] == list(range(1, len(cells(ran)) + 1))
    for cell in cells(ran):
        last = cell.source.splitlines()[-1]
        assert bool(cell.outputs) == (not last.startswith(("leavo = ", "await ", "folder.cleanup"))), last


@pytest.mark.parametrize("ran", [EXAMPLES / "import_leads.ipynb"], indirect=True)
def test_the_notebook_of_the_import_shows_cards_and_the_page(ran: NotebookNode) -> None:
    """After the import, after that of the mended rows, and as a page with plots."""
    first, second = [html for html in shown(ran) if "max-width:460px" in html]

    assert ["98 done" in first, "2 invalid" in first, "2 done" in second] == [True] * 3
    assert [html for html in shown(ran) if "<iframe srcdoc=" in html and "&lt;svg" in html]


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(
    client: BlockingKernelClient, cell: str, on_progress: Callable[[], None] | None = None
) -> tuple[str, list[str]]:
    """How a cell ended, and what it gave as text; on_progress is called once something of the import is there."""
    given: list[str] = []

    def seen(message: dict[str, Any]) -> None:
        nonlocal on_progress
        content = message["content"]
        if message["msg_type"] == "execute_result":
            given.append(content["data"]["text/plain"])
        if on_progress is not None and re.search(r" [1-9]\d*/98", content.get("text", "")):
            called, on_progress = on_progress, None
            called()

    ended = client.execute_interactive(cell, timeout=SECONDS, output_hook=seen)
    return ended["content"]["status"], given


def test_the_stop_button_stops_an_import_gently_and_the_cell_goes_on(kernel: Kernel) -> None:
    """The cell gives the report of what is there so far; run again it sends the rest, and each lead is there once."""
    manager, client = kernel
    before, importing = [], ""
    for cell in cells(read(EXAMPLES / "import_leads.ipynb")):
        importing = cell.source
        if "import_(people" in importing:
            break
        before.append(run(client, importing)[0])

    stopped = run(client, importing, manager.interrupt_kernel)
    finished = run(client, importing)
    there = run(
        client, "[len(sandbox.leads), len({lead['phone'] for lead in sandbox.leads}), sandbox.ledger.count('POST')]"
    )

    assert before == ["ok", "ok"]
    assert stopped[0] == "ok"
    assert re.search(r"Stopped \(interrupted\) after .*, \d+ rows left", stopped[1][0])
    assert finished[0] == "ok"
    assert re.search(r"Done in .* \(2 runs\)", finished[1][0])
    assert there == ("ok", ["[98, 98, 98]"])
