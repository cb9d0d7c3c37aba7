"""What a wrong candidate is caught by: a plain run on Rust, and the double run.

    python tools/check/planted.py        # prints the table of docs/double-run.md

The suite is tests/plugin/planted_suite: tests of the real SkyPilot's helpers, and ten candidates
that are wrong in ten ways.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import NamedTuple

from sky_rs_patch._testing import child_environment

SUITE = pathlib.Path(__file__).parents[2] / "tests" / "plugin" / "planted_suite"
#: The test that reaches each of them.
TESTS = {
    "off by one": "test_threads_for_kubernetes",
    "wrong type": "test_memory",
    "wrong exception message": "test_unknown_hash",
    "lost carriage return": "test_tail_of_a_progress_bar",
    "float rounding": "test_price_in_a_table",
    "wrong for non-ASCII": "test_names_fit_the_column",
    "wrong above a size": "test_cluster_suffixes",
    "swallowed exception": "test_no_port_left",
    "extra log line": "test_plain_text",
    "flaky": "test_cpus",
}


class Caught(NamedTuple):
    """How one planted error fared."""

    plant: str
    plain: bool
    verdict: str
    call: str
    python: str
    rust: str


def write_suite(folder: pathlib.Path) -> None:
    for source in SUITE.glob("*.txt"):
        (folder / source.stem).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")


def pytest_run(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = child_environment(
        without=("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"), SKYPILOT_DISABLE_USAGE_COLLECTION="1"
    )
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir=.", "-W", "ignore", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def measure(folder: pathlib.Path) -> list[Caught]:
    write_suite(folder)
    plain = pytest_run(folder, "--skyrs-backend=rust", "-rf")
    failed = {
        line.split()[1].partition("::")[2].partition("[")[0]
        for line in plain.stdout.splitlines()
        if line.startswith("FAILED")
    }
    report = folder / "report.json"
    both = pytest_run(folder, "--skyrs-both", "--skyrs-ports=", f"--skyrs-json={report}")
    if not report.is_file():
        sys.exit(f"the double run gave no report:\n{both.stdout}{both.stderr}")
    divergences = json.loads(report.read_text(encoding="ascii"))["divergences"]
    rows = []
    for plant, test in TESTS.items():
        found = [
            item
            for item in divergences
            if f"::{test}" in item["test"] and item["observable"] == "call" and item["arguments"]
        ]
        if found:
            item = found[0]
            call = item["function"].rpartition(".")[2] + item["arguments"]
            rows.append(
                Caught(plant, test in failed, item["verdict"], call, item["python"], item["rust"])
            )
        else:
            rows.append(Caught(plant, test in failed, "missed", "", "", ""))
    return rows


def cell(text: str, limit: int = 60) -> str:
    flat = " / ".join(text.splitlines()).replace("|", "\\|")
    return f"`{flat if len(flat) <= limit else flat[: limit - 3] + '...'}`"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="skyrs-") as folder:
        rows = measure(pathlib.Path(folder))
    print("| planted | plain run on Rust | double run | call | Python | Rust |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        plain = "caught" if row.plain else "passes"
        sides = " | ".join(cell(text) for text in (row.call, row.python, row.rust))
        print(f"| {row.plant} | {plain} | {row.verdict} | {sides} |")
    caught = sum(row.verdict != "missed" for row in rows)
    print(f"\ndouble run: {caught} of {len(rows)}; plain run: {sum(row.plain for row in rows)}")
    return 0 if caught == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
