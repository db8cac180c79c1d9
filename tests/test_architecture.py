"""The layers, held by reading the source: nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "leavo_async"
LEAVES = ("testing", "telemetry")
API_NAMES = {path.name for path in (PACKAGE / "apis").iterdir() if (path / "profile.py").exists()}
# An extra that is not installed must give a sentence, not a traceback: so its import stands inside a function.
# The clients of single APIs are loaded when they are first named.
IMPORTS_INSIDE_FUNCTIONS = {"leavo_async", "leavo_async.bulk.extras", "leavo_async.cli"}
IMPURE = {"asyncio", "time", "random", "os", "socket", "threading", "secrets", "aiohttp"}

# The first prefix that fits counts.
LAYERS = (
    ("leavo_async.errors", 0),
    ("leavo_async._sansio.messages", 0),
    ("leavo_async._sansio.records", 0),
    ("leavo_async._sansio", 1),
    ("leavo_async._io", 2),
    ("leavo_async._call", 3),
    ("leavo_async._sender", 3),
    ("leavo_async.options", 4),
    ("leavo_async._fetching", 4),
    ("leavo_async.pagination", 4),
    ("leavo_async.session", 5),
    ("leavo_async.bulk", 6),
    ("leavo_async.webhooks", 6),
    ("leavo_async.apis", 7),
    ("leavo_async.cli", 8),
    ("leavo_async.__main__", 8),
    ("leavo_async.testing", 9),
    ("leavo_async.telemetry", 9),
    ("leavo_async.sandbox", 0),  # apart: who may import it is a rule of its own
    ("leavo_async", 7),
)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def layer(module: str) -> int:
    return next(number for prefix, number in LAYERS if module == prefix or module.startswith(prefix + "."))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every imported module; a name imported from a package counts as its module, if it is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def ours(tree: ast.AST) -> set[str]:
    return {name for name in imports(tree) if name.split(".")[0] == "leavo_async"}


def in_room(module: str, *rooms: str) -> bool:
    return any(module == f"leavo_async.{room}" or module.startswith(f"leavo_async.{room}.") for room in rooms)


def upward_imports(module: str, tree: ast.AST) -> list[str]:
    return [name for name in ours(tree) if layer(name) > layer(module)]


def imported_leaves(module: str, tree: ast.AST) -> list[str]:
    if in_room(module, *LEAVES) or layer(module) >= 8:
        return []
    return [name for name in ours(tree) if in_room(name, *LEAVES)]


def sandbox_crossings(module: str, tree: ast.AST) -> list[str]:
    if in_room(module, "sandbox"):
        return [name for name in ours(tree) if not in_room(name, "sandbox")]
    if in_room(module, "cli", "testing"):
        return []
    return [name for name in ours(tree) if in_room(name, "sandbox")]


def impurities(module: str, tree: ast.AST) -> list[str]:
    if not in_room(module, "_sansio"):
        return []
    found = [name for name in imports(tree) if name.split(".")[0] in IMPURE]
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(type(node).__name__)
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today", "uuid4", "uuid1"):
            found.append(node.attr)
    return found


def hidden_imports(module: str, tree: ast.AST) -> list[str]:
    if module in IMPORTS_INSIDE_FUNCTIONS:
        return []
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f.name for f in functions if any(is_import(n) for n in ast.walk(f))]


def is_import(node: ast.AST) -> bool:
    """`import x`, `from x import y`, `import_module("x")`."""
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", getattr(node.func, "attr", None)) == "import_module"
    return isinstance(node, ast.Import | ast.ImportFrom)


def api_name_comparisons(module: str, tree: ast.AST) -> list[str]:
    """`if profile.name == "leavo"` and its like: an API's difference must be data in its profile."""
    if in_room(module, "apis", "sandbox"):
        return []
    compared = [n for n in ast.walk(tree) if isinstance(n, ast.Compare | ast.MatchValue)]
    texts = [c.value for n in compared for c in ast.walk(n) if isinstance(c, ast.Constant)]
    return [text for text in texts if text in API_NAMES]


def foreign_pytest(module: str, tree: ast.AST) -> list[str]:
    if module == "leavo_async.testing.pytest_plugin":
        return []
    return [name for name in imports(tree) if name.split(".")[0].startswith("pytest")]


CHECKS: tuple[tuple[Callable[[str, ast.AST], list[str]], str, str], ...] = (
    (upward_imports, "leavo_async._io.gate", "from leavo_async.session import Session"),
    (imported_leaves, "leavo_async.session", "from leavo_async.testing import FakeTransport"),
    (sandbox_crossings, "leavo_async.sandbox.server", "from leavo_async.errors import LeavoError"),
    (sandbox_crossings, "leavo_async.session", "from leavo_async.sandbox import Sandbox"),
    (impurities, "leavo_async._sansio.retry", "import random"),
    (impurities, "leavo_async._sansio.retry", "async def f(): ..."),
    (impurities, "leavo_async._sansio.retry", "x = datetime.now()"),
    (hidden_imports, "leavo_async.session", "def f():\n    import json"),
    (hidden_imports, "leavo_async.session", "def f():\n    return import_module('json')"),
    (api_name_comparisons, "leavo_async.session", "if profile.name == 'leavo': ..."),
    (foreign_pytest, "leavo_async.testing.fake_transport", "import pytest"),
)


@pytest.mark.parametrize(
    "check", list(dict.fromkeys(check for check, _, _ in CHECKS)), ids=lambda check: check.__name__
)
def test_the_layers_hold(check: Callable[[str, ast.AST], list[str]]) -> None:
    """Each rule of docs/explanation/architecture.md, in every file of the package."""
    broken = {module: found for module, tree in MODULES.items() if (found := check(module, tree))}

    assert broken == {}


@pytest.mark.parametrize(("check", "module", "source"), CHECKS)
def test_a_broken_rule_is_seen(check: Callable[[str, ast.AST], list[str]], module: str, source: str) -> None:
    """A check that finds nothing anywhere might find nothing ever."""
    assert check(module, ast.parse(source))


def test_one_module_knows_aiohttps_client() -> None:
    """Whoever wants another HTTP library changes one file."""
    client_side = {m: tree for m, tree in MODULES.items() if layer(m) < 8 and not in_room(m, "sandbox")}
    knowing = [m for m, tree in client_side.items() if any(name.split(".")[0] == "aiohttp" for name in imports(tree))]

    assert knowing == ["leavo_async._io.aiohttp_transport"]


def test_no_module_imports_itself_by_a_detour() -> None:
    """A cycle makes the order of imports matter."""
    graph = {module: ours(tree) - {module} for module, tree in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for target in graph.get(module, ()):
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())
