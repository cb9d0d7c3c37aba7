"""Tests on many SkyPilots, Pythons, wrapts and pytests, and a table of what came of it.

    python tools/release/matrix.py                      # all cells of tools/release/matrix_cells.py
    python tools/release/matrix.py py3.9 nightly        # those with one of the words in their names
    python tools/release/matrix.py --suite shim py3.13  # a part of the tests only
    python tools/release/matrix.py newest               # what the registry gives today, no lock
    python tools/release/matrix.py --list
    python tools/release/matrix.py --table           # the table of the last results

noxfile.py makes the environments and runs the tests. The exit status is 1 if a test failed, a
cell wasn't run (other than an optional one without its CPython), or a route is inactive for
another reason than those of docs/exactness-matrix.md. In a cell without a lock every route that is
there must be served, and its sample call answered as by the original.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import platform
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

from matrix_cells import SUITES, Cell, find_python, selected

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = ROOT / ".work" / "matrix" / "results"
#: A cell of the table without content.
NONE = "-"
HEADER = ("cell", "CPython", "SkyPilot", "wrapt", "pytest", *SUITES, "active", "unknown", "absent")


class Counts(NamedTuple):
    """What pytest counted in one part of the tests."""

    passed: int
    failed: int
    skipped: int
    failures: list[str]
    skips: collections.Counter[str]

    def __str__(self) -> str:
        text = str(self.passed)
        return text + f", {self.failed} FAILED" * bool(self.failed)


def versions() -> dict[str, str]:
    """What is installed beside the interpreter that runs this."""
    found = {"python": platform.python_version()}
    for name in (
        "skypilot",
        "skypilot-nightly",
        "wrapt",
        "pytest",
        "psutil",
        "PyYAML",
        "jsonschema",
    ):
        try:
            found[name.replace("-nightly", "")] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def read_counts(path: pathlib.Path) -> Counts | None:
    """The counts in a junit file, or ``None`` if pytest didn't come to its end."""
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except (OSError, ET.ParseError):
        return None
    failures, skips, passed = [], collections.Counter[str](), 0
    for case in cases:
        bad = [child for child in case if child.tag in {"failure", "error"}]
        skip = case.find("skipped")
        if bad:
            failures.append(f"{case.get('classname')}::{case.get('name')}")
        elif skip is not None:
            skips[str(skip.get("message"))] += 1
        else:
            passed += 1
    return Counts(passed, len(failures), sum(skips.values()), failures, skips)


class Result:
    """What came of one cell.

    Args:
        cell: which one.
        expected: parts of the tests that must have come to their end.
    """

    def __init__(self, cell: Cell, expected: Sequence[str]) -> None:
        self.cell = cell
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.suites: dict[str, Counts] = {}
        home = RESULTS / cell.name
        self.made: dict[str, Any] | None = None
        try:
            self.made = json.loads((home / "cell.json").read_text())
        except OSError:
            missing = find_python(cell.python) is None
            why = f"there is no CPython {cell.python} here" if missing else "no result"
            (self.notes if missing and cell.optional else self.problems).append(f"not run: {why}")
            return
        for suite in cell.suites:
            counts = read_counts(home / f"{suite}.xml")
            if counts is None:
                where = self.problems if suite in expected else self.notes
                where.append(f"{suite} not run")
                continue
            self.suites[suite] = counts
            self.problems += [f"{suite} failed: {name}" for name in counts.failures]
            if not counts.passed:
                self.problems.append(f"no test of {suite} passed")
            self.notes += [f"{suite} skipped {n}: {why}" for why, n in sorted(counts.skips.items())]
        self.routes: dict[str, list[str]] = {"active": [], "unknown": [], "absent": []}
        for target, route in self.made["status"]["routes"].items():
            reason = route["reason"] or ""
            short = target.removeprefix("sky.utils.")
            if route["state"] in {"active", "absent"}:
                self.routes[route["state"]].append(short)
            elif reason.startswith(("unknown code", "no native function")):
                self.routes["unknown"].append(short)
                self.notes.append(f"{short} on Python: {reason}")
            elif not reason.startswith("opt-in"):
                self.problems.append(f"{short} is inactive: {reason}")
        told = "failures" if cell.newest else "import_problems"
        self.problems += self.made["status"].get(told, ())

    def row(self) -> list[str]:
        """A line of the table."""
        if self.made is None:
            return [self.cell.name, *[NONE] * (len(HEADER) - 1)]
        installed = self.made["versions"]
        return [
            self.cell.name,
            *(installed.get(name, NONE) for name in ("python", "skypilot", "wrapt", "pytest")),
            *(str(self.suites.get(suite, NONE)) for suite in SUITES),
            *(str(len(self.routes[state])) for state in ("active", "unknown", "absent")),
        ]


def show(results: list[Result]) -> None:
    """Prints the table in Markdown, and below it what it can't say."""
    rows = [list(HEADER), *(result.row() for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        print(f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths))} |")
    grouped: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            grouped.setdefault(note, []).append(result.cell.name)
    print()
    for note, names in grouped.items():
        where = "all" if len(names) == len(results) > 1 else ", ".join(names)
        print(f"* {note} ({where})")
    for result in results:
        for problem in result.problems:
            print(f"* PROBLEM in {result.cell.name}: {problem}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="parts of the names of cells")
    parser.add_argument("--suite", action="append", choices=SUITES, help="run these parts only")
    parser.add_argument("--list", action="store_true", help="print the names of the cells")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--versions", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.versions:
        print(json.dumps(versions()))
        return 0
    cells = selected(options.words)
    if not cells:
        parser.error("no cell has such a name")
    if options.list:
        print("\n".join(f"{cell.name}: {', '.join(cell.suites)}" for cell in cells))
        return 0
    started = time.time()
    if not options.table:
        command = [sys.executable, "-m", "nox", "-f", str(ROOT / "noxfile.py"), "-s"]
        command += [cell.name for cell in cells]
        if options.suite:
            command += ["--", *options.suite]
        # What failed is told by the results.
        subprocess.run(command, check=False)
    expected = () if options.table else options.suite
    results = [Result(cell, cell.suites if expected is None else expected) for cell in cells]
    print()
    show(results)
    if not options.table:
        print(f"\n{len(cells)} cells in {(time.time() - started) / 60:.0f} minutes")
    return int(any(result.problems for result in results))


if __name__ == "__main__":
    sys.exit(main())
