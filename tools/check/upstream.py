"""Runs SkyPilot's own tests plainly, and on both backends, and compares.

    python tools/check/upstream.py [--release 0.14.1] [--python PYTHON] [--runs 1]
        [-- PYTEST ARGUMENTS]

The tests come from SkyPilot's sdist; the SkyPilot under test is the one that is installed for
PYTHON, this one by default. The plain run has a HOME of its own, as the arms of the double run
have, and what it leaves behind is ended. It fails if a double run reports a difference, or if a
test's result isn't that of the plain run. A test whose result the plain run itself doesn't repeat
says nothing and is named.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tarfile
import time

from pytest_skyrs._model import verdicts
from sky_rs_patch._base import processes

TOOLS = pathlib.Path(__file__).parent
# Real clouds, or the network.
NEED_THE_NETWORK = ("test_smoke.py", "test_api_compatibility.py")
PORTS = (46580, 50011)
#: Verdicts that mean nothing was wrong with the backends.
HARMLESS = [v.name for v in verdicts.TABLE if v.fails in (verdicts.NO, verdicts.AS_PYTEST)]
Outcomes = dict[str, str]


def fetch_tests(work: pathlib.Path, release: str) -> pathlib.Path:
    tests = work / f"skypilot-{release}" / "tests"
    if not tests.is_dir():
        archive = work / f"skypilot-{release}.tar.gz"
        if not archive.is_file():
            source_only = ["--no-deps", "--no-binary", ":all:"]
            command = [sys.executable, "-m", "pip", "download", "-q", *source_only]
            subprocess.run([*command, "-d", str(work), f"skypilot=={release}"], check=True)
        with tarfile.open(archive) as tar:
            members = [m for m in tar if m.name.startswith(f"skypilot-{release}/tests/")]
            if sys.version_info >= (3, 12):
                tar.extractall(work, members, filter="data")
            else:
                tar.extractall(work, members)
    # Theirs isn't in the sdist; without one pytest would take ours from above.
    (tests / "pytest.ini").write_text("[pytest]\n")
    return tests


class Session:
    """Where and how the sessions of one release run."""

    def __init__(
        self, python: str, tests: pathlib.Path, work: pathlib.Path, arguments: list[str]
    ) -> None:
        self._python = python
        self._tests = tests
        self._work = work
        self._arguments = ["-q", "--tb=no", "-W", "ignore", "-p", "skypilot_fixtures"]
        # A module whose imports aren't there would end a plain run.
        self._arguments += ["--continue-on-collection-errors", "-p", "no:cacheprovider"]
        self._arguments += [part for name in NEED_THE_NETWORK for part in ("--ignore", name)]
        self._arguments += arguments

    def _run(self, name: str, *arguments: str, **environment: str) -> float:
        for port in PORTS:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    sys.exit(f"something listens on 127.0.0.1:{port}; the tests would talk to it")
        home = self._work / f"home-{name}"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        variables = {
            "HOME": str(home),
            "PYTHONPATH": str(TOOLS),
            "PYTHONHASHSEED": "0",
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        }
        command = [self._python, "-m", "pytest", *self._arguments, *arguments]
        start = time.monotonic()
        with (self._work / f"{name}.log").open("wb") as log:
            subprocess.run(
                command,
                cwd=self._tests,
                env={**os.environ, **variables, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        seconds = time.monotonic() - start
        processes.end_descendants()
        shutil.rmtree(home, ignore_errors=True)
        return seconds

    def plain(self, name: str, *arguments: str) -> tuple[Outcomes, float]:
        path = self._work / f"{name}.jsonl"
        path.unlink(missing_ok=True)
        basetemp = f"--basetemp={self._work / f'tmp-{name}'}"
        own = ["-p", "outcomes", "-p", "no:skyrs", basetemp, *arguments]
        seconds = self._run(name, *own, SKY_RS_OUTCOMES=str(path))
        phases: dict[str, dict[str, str]] = {}
        for line in path.read_text().splitlines() if path.is_file() else []:
            nodeid, when, outcome = json.loads(line)
            phases.setdefault(nodeid, {})[when] = outcome
        return {nodeid: verdict(found) for nodeid, found in phases.items()}, seconds

    def both(self, name: str, *arguments: str) -> tuple[dict, float]:
        path = self._work / f"{name}.json"
        path.unlink(missing_ok=True)
        seconds = self._run(name, "--skyrs-both", f"--skyrs-json={path}", *arguments)
        if not path.is_file():
            sys.exit(f"the double run gave no report; see {self._work / f'{name}.log'}")
        return json.loads(path.read_text()), seconds

    def log(self, name: str) -> str:
        return (self._work / f"{name}.log").read_text(errors="replace")


def count_different(session: Session, plain: Outcomes, report: dict, other: set[str]) -> int:
    """Tests that give one result without the plugin and always another one with it."""
    files = sorted({nodeid.partition("::")[0] for nodeid in other})
    again, _ = session.plain("plain-again", *files)
    reports = [report, session.both("both-again", *files)[0]]
    found = [{row["id"]: row for row in one["tests"]} for one in reports]
    different = 0
    for nodeid in sorted(other):
        control = plain.get(nodeid), again.get(nodeid)
        rows = [one[nodeid] for one in found if nodeid in one]
        arms = [row["outcome"]["python"] for row in rows]
        unstable = (
            control[0] != control[1]
            or control[0] in arms
            or any(row["verdict"] in ("flaky-control", "inconclusive") for row in rows)
        )
        different += not unstable
        kind = "unstable" if unstable else "DIFFERENT"
        print(f"{kind}: {nodeid}: plain {control}, in python arms {arms}")
    return different


def verdict(phases: dict[str, str]) -> str:
    if phases.get("setup") == "failed" or phases.get("teardown") == "failed":
        return "error"
    return phases.get("call") or phases.get("setup") or phases.get("collect") or "lost"


def summary(outcomes: Outcomes) -> str:
    counts = collections.Counter(outcomes.values())
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts)) or "nothing ran"


def section(log: str, title: str) -> str:
    """The plugin's part of the terminal."""
    lines = log.splitlines()
    starts = [at for at, line in enumerate(lines) if title in line and line.startswith("=")]
    if not starts:
        return log[-3000:]
    ends = [at for at in range(starts[0], len(lines)) if lines[at].startswith("skyrs:")]
    return "\n".join(lines[starts[0] : (ends[-1] if ends else len(lines)) + 1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(".work/upstream"))
    parser.add_argument("--release", default="0.14.1")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--runs", type=int, default=1, help="double runs in a row")
    parser.add_argument("arguments", nargs="*", help="for pytest")
    options = parser.parse_args()
    processes.adopt_orphans()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = str(pathlib.Path(options.python).absolute())
    session = Session(python, fetch_tests(work, options.release), work, options.arguments)

    plain, plain_seconds = session.plain("plain")
    print(f"plain: {summary(plain)} in {plain_seconds:.0f} s", flush=True)
    if not plain:
        print(session.log("plain")[-3000:])
        return 1
    bad = 0
    for number in range(1, options.runs + 1):
        name = f"both-{number}"
        report, seconds = session.both(name)
        print(section(session.log(name), "skyrs: python and rust"))
        ratio = seconds / plain_seconds
        arms = ", ".join(
            f"{arm['name']} {arm['seconds'] / plain_seconds:.2f}" for arm in report["arms"]
        )
        print(f"double run {number}: {seconds:.0f} s, {ratio:.2f} times the plain run ({arms})")
        sys.stdout.flush()
        bad += sum(row["verdict"] not in HARMLESS for row in report["tests"])
        bad += len(report["problems"])
        rows = {row["id"]: row["outcome"]["python"] for row in report["tests"]}
        other = {
            nodeid
            for nodeid in plain.keys() | rows.keys()
            if (plain.get(nodeid) or "lost") != (rows.get(nodeid) or "lost")
        }
        if other:
            bad += count_different(session, plain, report, other)
    print(f"{len(plain)} tests, {options.runs} double runs, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
