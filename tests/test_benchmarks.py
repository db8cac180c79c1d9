"""That a benchmark still runs; what it finds is for people to read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_the_benchmark_of_imports_runs_through() -> None:
    """Each of its tables has a line for an import or its journal, and its bars are told."""
    command = [sys.executable, str(BENCHMARKS / "bulk.py"), "--quick", "--rows", "40"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    for line in (
        r"all of prepare\(\) +\d",
        r"both, by the journal +\d",
        r"leads\.import_ +\d+ ",
        r"leads\.import_ .*%",
    ):
        assert re.search(rf"^{line}", done.stdout, re.MULTILINE), line
    assert 3 == done.stdout.count("at most")
