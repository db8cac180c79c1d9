"""Seconds that `import leavo_async` takes, against `import aiohttp, pydantic`, each in a fresh interpreter.

    python benchmarks/import_time.py [--rounds 15] [--verbose] [--check]

How to read the numbers: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass

BAR = 1.20
BASELINE = "import aiohttp, pydantic"
OURS = "import leavo_async"
# What a program that uses models pays: pydantic loads most of itself when the first model is made.
WITH_MODELS = (
    f"{BASELINE}\nclass One(pydantic.BaseModel): a: int",
    "from leavo_async import LeavoClient",
)

# Measured inside, so that the start of the interpreter, the same for both, does not hide the difference.
_MEASURE = """
import resource, time
cpu, wall = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
{statement}
print(time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF).ru_utime - cpu)
"""
_IMPORT_LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|\s*(\S+)")


@dataclass(frozen=True)
class Cost:
    """Seconds of one import: on the clock, and of CPU in user code."""

    wall: float
    user: float


def cost_of(statement: str) -> Cost:
    """What the statement costs in an interpreter of its own."""
    printed = _python("-c", _MEASURE.format(statement=statement)).stdout
    return Cost(*(float(word) for word in printed.split()))


def measure(rounds: int, baseline: str, statement: str) -> tuple[list[Cost], list[Cost]]:
    """Costs of the baseline and of the statement, in turn."""
    for each in (baseline, statement):
        cost_of(each)  # writes the byte code, and warms the disk's cache
    pairs = [(cost_of(baseline), cost_of(statement)) for _ in range(rounds)]
    return [plain for plain, _ in pairs], [ours for _, ours in pairs]


def most_expensive(statement: str, count: int = 10) -> list[tuple[int, str]]:
    """Microseconds and names of the modules that take longest, without what they import themselves."""
    lines = _IMPORT_LINE.findall(_python("-X", "importtime", "-c", statement).stderr)
    return sorted(((int(own), name) for own, _, name in lines), reverse=True)[:count]


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    # With byte code, as installed packages have it: without, an editable install would be compiled each time.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=env)


def line(label: str, plain: list[float], ours: list[float]) -> str:
    """Medians of both, and their ratio."""
    before, after = statistics.median(plain), statistics.median(ours)
    return f"{label:<28}{before * 1e3:>22.1f} ms{after * 1e3:>18.1f} ms{after / before:>9.3f}"


def report(rounds: int, *, verbose: bool) -> float:
    """Measure and print everything; the ratio that the bar is about."""
    plain, ours = measure(rounds, BASELINE, OURS)
    print(f"import time, Python {platform.python_version()}, median of {rounds}")
    print(f"{'':<28}{BASELINE:>25}{OURS:>21}{'ratio':>9}")
    print(line("wall", [cost.wall for cost in plain], [cost.wall for cost in ours]))
    print(line("user CPU", [cost.user for cost in plain], [cost.user for cost in ours]))
    ratio = statistics.median(cost.wall for cost in ours) / statistics.median(cost.wall for cost in plain)
    print(f"bar: at most {BAR:.2f}; {ratio:.3f} is {'held' if ratio <= BAR else 'above it: FAIL'}")
    plain, ours = measure(rounds, *WITH_MODELS)
    print(line("wall, with models (no bar)", [cost.wall for cost in plain], [cost.wall for cost in ours]))
    if verbose:
        print("most expensive modules, each without those it imports:")
        print("\n".join(f"{own / 1e3:>8.1f} ms  {name}" for own, name in most_expensive(WITH_MODELS[1])))
    return ratio


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="fresh interpreters for each (at least 15)")
    parser.add_argument("--verbose", action="store_true", help="also print the ten most expensive modules")
    parser.add_argument("--check", action="store_true", help=f"exit code 1 if the ratio is above {BAR}")
    options = parser.parse_args()
    ratio = report(max(15, options.rounds), verbose=options.verbose)
    return 1 if options.check and ratio > BAR else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
