"""``--skyrs-both=inline``: each test twice in this process, for a debugger.

It promises less than whole sessions do, and says so: fixtures of a wider scope, caches and modules
are shared by both runs, so the second one may be served by what the first has left, and nothing is
run again to tell flaky from different.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from pytest_skyrs._arm.recorder import Recorder
from pytest_skyrs._model import compare, judge, other_plugins, verdicts
from pytest_skyrs._model.settings import ArmSettings
from pytest_skyrs._model.test_run import TestRun
from pytest_skyrs._report import results, terminal

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_skyrs._model.events import RunRecord
    from pytest_skyrs._options import Options


class Inline:
    """Takes the place of pytest's protocol for a test.

    Args:
        config: of the session.
        options: as the user gave them.

    Raises:
        pytest.UsageError: if tests are to be distributed.
    """

    def __init__(self, config: pytest.Config, options: Options) -> None:
        if other_plugins.distribution(config.option) != "no" or hasattr(config, "workerinput"):
            raise pytest.UsageError("--skyrs-both=inline runs in one process; leave out -n")
        self._config = config
        self._options = options
        self._counts: dict[str, int] = {}
        self._records: list[RunRecord] = []
        settings = ArmSettings(backend="both", round=1, folder=str(config.rootpath), seed=0)
        self._recorder = Recorder(settings, lambda _, record: self._records.append(record))
        self._recorder.start(None)
        self._recorder.configured(config)
        config.pluginmanager.register(self._recorder, "skyrs-recorder")

    def pytest_report_header(self) -> list[str]:
        """Says what it can't promise."""
        return [
            "skyrs: every test twice in this process, on python and on rust",
            "skyrs: fixtures of a wider scope than a test, caches and modules are shared by both "
            "runs, and no difference is confirmed; --skyrs-both has none of that",
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Runs the test on Python, then on Rust."""
        from sky_rs_patch import _testing

        before = os.environ.get(_testing.SWITCH_VARIABLE)
        runs = {}
        try:
            for backend, following in (("python", item.parent), ("rust", nextitem)):
                os.environ[_testing.SWITCH_VARIABLE] = "1" if backend == "rust" else "0"
                runs[backend] = self._run(item, following)
        finally:
            if before is None:
                os.environ.pop(_testing.SWITCH_VARIABLE, None)
            else:
                os.environ[_testing.SWITCH_VARIABLE] = before
        self._show(item, *(runs[backend] for backend in ("python", "rust")))
        return True

    def _run(self, item: pytest.Item, following: Any) -> tuple[TestRun, list[pytest.TestReport]]:
        with self._recorder.recording(item.nodeid):
            reports = runtestprotocol(item, nextitem=following, log=False)
        to_data = self._config.hook.pytest_report_to_serializable
        data = [to_data(config=self._config, report=report) for report in reports]
        return TestRun(item.nodeid, data, self._records.pop()), reports

    def _show(
        self,
        item: pytest.Item,
        python: tuple[TestRun, list[pytest.TestReport]],
        rust: tuple[TestRun, list[pytest.TestReport]],
    ) -> None:
        case = judge.Case(python[0], rust[0])
        verdict = verdicts.DIVERGED
        if not case.differs:
            verdict = judge.plain_verdict(python[0], rust[0])
        self._counts[verdict] = self._counts.get(verdict, 0) + 1
        reports = python[1]
        if case.differs and verdict in self._options.fail_on:
            told = next((report for report in reports if report.failed), reports[1 % len(reports)])
            lines = ["skyrs: differs between the two runs (not confirmed)"]
            for observable in case.observables:
                shown = compare.show(observable, python[0], rust[0])
                finding = judge.Finding(observable, verdict, shown)
                lines += ["", *terminal.describe(results.divergence("-", item.nodeid, finding))]
            if told.failed and told.longrepr:
                lines += ["", "on python it failed as follows", "", str(told.longrepr)]
            told.outcome = "failed"
            told.longrepr = "\n".join(lines)
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports:
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """The verdicts in one line."""
        parts = [f"{count} {verdict}" for verdict, count in sorted(self._counts.items())]
        terminalreporter.section("skyrs: python and rust, in one process")
        terminalreporter.write_line(f"skyrs: {', '.join(parts) or 'nothing ran'}", bold=True)

    def pytest_unconfigure(self) -> None:
        """Stops watching."""
        self._recorder.worker_report()
