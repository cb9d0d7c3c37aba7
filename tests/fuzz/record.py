"""What runs have compared, as JSON and as a table.

cd tests && ../.venv/bin/python -m fuzz.record ../docs/exactness-fuzz.json
"""

# ruff: noqa: T201
from __future__ import annotations

import importlib.metadata
import json
import pathlib
import platform
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fuzz.engine import Subject

PACKAGES = ("PyYAML", "jsonschema", "psutil", "numpy", "hypothesis", "wrapt")


class Entry:
    """One run."""

    def __init__(self, seed: int, command: list[str]) -> None:
        self._seed = seed
        self._command = " ".join(["python", *command])
        self._started = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        self._clock = time.monotonic(), time.process_time()
        self._place: int | None = None

    def made(self, subjects: list[Subject]) -> dict[str, Any]:
        """The run so far."""
        from sky_rs_patch import _native
        from sky_rs_patch._runtime import status

        build = _native.build_info()
        return {
            "command": self._command,
            "seed": self._seed,
            "started": self._started,
            "seconds": round(time.monotonic() - self._clock[0]),
            "CPU seconds": round(time.process_time() - self._clock[1]),
            "versions": {
                "python": platform.python_version(),
                "skypilot": status._skypilot_version(),
                **{name: importlib.metadata.version(name) for name in PACKAGES},
                "extension": f"{build['version']} ({build['profile']}, {build['commit']})",
            },
            "routes": {
                subject.description.name: dict(sorted(subject.counts.items()))
                for subject in subjects
            },
        }

    def save(self, path: pathlib.Path, subjects: list[Subject]) -> None:
        """Adds the run to a file's, or replaces what was saved of it before."""
        runs = json.loads(path.read_text()) if path.exists() else []
        if self._place is None:
            self._place = len(runs)
        runs[self._place :] = [self.made(subjects)]
        path.write_text(json.dumps(runs, indent=1) + "\n")


def added(runs: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Counts of all runs by route."""
    total: dict[str, Counter[str]] = {}
    for run in runs:
        for name, counts in run["routes"].items():
            total.setdefault(name, Counter()).update(counts)
    return total


def table(runs: list[dict[str, Any]]) -> str:
    """Markdown: a line for each route."""
    rows = [
        [
            "route",
            "compared",
            "in full",
            "answered by Rust",
            "",
            "left to the original",
            "different",
        ]
    ]
    for name, counts in added(runs).items():
        compared = counts["compared"]
        reasons = [
            f"{reason.partition(': ')[2]} {number:,}"
            for reason, number in counts.most_common()
            if reason.startswith("declined") and number
        ]
        share = f"{counts['rust'] / compared:.0%}" if compared else ""
        numbers = [f"{counts[key]:,}" for key in ("compared", "in full", "rust")]
        rows.append([f"`{name}`", *numbers, share, ", ".join(reasons), str(counts["different"])])
    widths = [max(map(len, column)) for column in zip(*rows)]
    aligned = ["-", ":", ":", ":", ":", "-", ":"]
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if side == ":" else cell.ljust(width)
            for cell, width, side in zip(row, widths, aligned)
        )
        lines.append(f"| {' | '.join(cells)} |")
    rule = (
        "-" * (width + 1) + ":" if side == ":" else "-" * (width + 2)
        for width, side in zip(widths, aligned)
    )
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def summary(runs: list[dict[str, Any]]) -> str:
    total = sum(added(runs).values(), Counter())
    seconds = sum(run["seconds"] for run in runs)
    seeds = ", ".join(dict.fromkeys(str(run["seed"]) for run in runs))
    return (
        f"{total['compared']:,} calls compared in {seconds / 60:.1f} minutes, "
        f"{total['rust']:,} of them answered by Rust, {total['different']} different; seed {seeds}"
    )


def main() -> int:
    runs = json.loads(pathlib.Path(sys.argv[1]).read_text())
    print(table(runs))
    print(summary(runs))
    for run in runs:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        print(f"{run['command']}\n  {run['started']} UTC, {run['seconds']} s; {versions}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
