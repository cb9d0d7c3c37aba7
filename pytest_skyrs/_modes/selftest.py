"""``--skyrs-selftest``: plants errors in a small suite, and sees that each gets its verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest

from pytest_skyrs._model import verdicts

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_SUITE = ("conftest.py", "skyrs_planted.py", "test_planted.py")
_SECONDS = 300
_PHASES: tuple[Literal["setup", "call", "teardown"], ...] = ("setup", "call", "teardown")


class Expected(NamedTuple):
    """What a planted error must be reported as.

    Attributes:
        verdict: on the test.
        function: that must be named, if a call is to blame.
        text: that must stand on the Rust side, or among the resources.
    """

    verdict: str
    function: str | None = None
    text: str = ""


#: By the name of the test.
EXPECTED = {
    "wrong_result": Expected(verdicts.DIVERGED, "double", "returned 7"),
    "wrong_exception_type": Expected(verdicts.DIVERGED, "parse", "raised TypeError"),
    "lost_log_line": Expected(verdicts.DIVERGED, "logged", ""),
    "mutated_argument": Expected(verdicts.DIVERGED, "total", "left the arguments as"),
    "slow_leak": Expected(verdicts.SAME, None, "open files"),
    "crash": Expected(verdicts.CRASHED, None, "died"),
    "once_in_fifty": Expected(verdicts.UNSTABLE, "square", ""),
    "right": Expected(verdicts.SAME),
    "declined": Expected(verdicts.VACUOUS),
    "never_called": Expected(verdicts.VACUOUS),
    "fails_on_both": Expected(verdicts.SAME_FAIL),
    "flaky_on_python": Expected(verdicts.FLAKY),
}


class SelfTest:
    """Takes the place of collection and of the test loop; each planted error is a test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lines: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> bool:
        """The suite is our own."""
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Runs the suite on both backends, and judges the verdicts."""
        session.testscollected = len(EXPECTED)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="skyrs-") as folder:
            report, output = run_suite(Path(folder))
        seconds = time.monotonic() - start
        for name, expected in EXPECTED.items():
            problem = output if report is None else _judge(name, expected, report)
            self._report(name, problem, seconds / len(EXPECTED))
        return True

    def _report(self, name: str, problem: str | None, seconds: float) -> None:
        nodeid = f"skyrs-selftest::{name}"
        location = ("skyrs-selftest", None, name)
        hook = self._config.hook
        hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
        for when in _PHASES:
            failed = when == "call" and problem is not None
            report = pytest.TestReport(
                nodeid=nodeid,
                location=location,
                keywords={},
                outcome="failed" if failed else "passed",
                longrepr=problem if failed else None,
                when=when,
                duration=seconds if when == "call" else 0.0,
            )
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
        expected = EXPECTED[name]
        self._lines.append(f"{name}: {'MISSED' if problem else expected.verdict}")

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """What was planted, and what it was called."""
        terminalreporter.section("skyrs: self-test")
        for line in self._lines:
            terminalreporter.write_line(line, red="MISSED" in line)


def run_suite(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Runs the suite in a folder; gives the JSON report, and what was printed."""
    suite = resources.files("pytest_skyrs._modes").joinpath("selftest_suite")
    for name in _SUITE:
        (source,) = (file for file in suite.iterdir() if file.name == f"{name}.txt")
        (folder / name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    path = folder / "report.json"
    from sky_rs_patch import _testing

    environment = _testing.child_environment(
        without=("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER"),
        SKYRS_SELFTEST_RUNS=str(folder / "runs"),
    )
    command = [sys.executable, "-m", "pytest", "--skyrs-both", "--skyrs-ports=", "-q"]
    command += [f"--skyrs-json={path}", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=."]
    done = subprocess.run(
        [*command, "test_planted.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    output = done.stdout + done.stderr
    try:
        return json.loads(path.read_text(encoding="ascii")), output
    except (OSError, ValueError):
        return None, output


def _judge(name: str, expected: Expected, report: dict[str, Any]) -> str | None:
    """What is wrong with the report on a planted error."""
    nodeid = f"test_planted.py::test_{name}"
    rows = [row for row in report["tests"] if row["id"] == nodeid]
    if len(rows) != 1:
        return f"{nodeid} has {len(rows)} verdicts, not one"
    if rows[0]["verdict"] != expected.verdict:
        return f"{nodeid} is {rows[0]['verdict']}, not {expected.verdict}: {rows[0]}"
    found = [item for item in report["divergences"] if item["test"] == nodeid]
    if expected.function is not None:
        wanted = f"skyrs_planted.{expected.function}"
        named = [item for item in found if item["function"] == wanted and item["arguments"]]
        if not named:
            return f"{wanted} isn't named with its arguments: {found}"
        if expected.text not in named[0]["rust"]:
            return f"{expected.text!r} isn't in {named[0]['rust']!r}"
    elif expected.verdict == verdicts.CRASHED:
        if not any(expected.text in item["rust"] for item in found):
            return f"{expected.text!r} is in none of {found}"
    elif expected.text:
        left = [row for row in report["resources"] if row["test"] == nodeid]
        if not any(row["what"] == expected.text for row in left):
            return f"{expected.text!r} isn't among what {nodeid} left behind: {left}"
    return None
