"""Comparison of the arms' tests, one by one: each gets its verdict, and is shown with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_skyrs._controller import confirmation, report_forwarding
from pytest_skyrs._controller.acceptance import Acceptance
from pytest_skyrs._model import judge, verdicts
from pytest_skyrs._model.test_run import TestRun, module_run
from pytest_skyrs._report import terminal
from pytest_skyrs._report.results import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_skyrs._controller.sessions import Sessions
    from pytest_skyrs._controller.store import Store
    from pytest_skyrs._model.judge import Finding
    from pytest_skyrs._options import Options
    from pytest_skyrs._report.results import Results

#: What a test's other side is called by verdict.
_ABSENT = {verdicts.NOT_COMPARED: "not run"}


class Comparison:
    """Judges tests by their runs in both arms.

    Args:
        config: of the session that the user started.
        options: as the user gave them.
        store: holds the Python arm's runs.
        sessions: of the arms.
        results: get each verdict.

    Attributes:
        session: pytest's; to be set before the first test.
        accepted: differences that the user accepts.
        failed: how many tests failed in the first round, by backend.
    """

    session: pytest.Session

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        store: Store,
        sessions: Sessions,
        results: Results,
    ) -> None:
        self._config = config
        self._options = options
        self._store = store
        self._sessions = sessions
        self._results = results
        self._cases: dict[tuple[str, str], judge.Case] = {}
        self.accepted = Acceptance()
        self.failed: Counter[str] = Counter()
        #: How many tests ran after other tests on Rust than on Python.
        self._elsewhere = 0

    def meet(self, rust: TestRun) -> None:
        """A test is over in the Rust arm."""
        python = self._store.run("python-1", *rust.key)
        if python is None:
            if not self._store.has_item("python-1", rust.nodeid) and self._is_whole("python"):
                self._cases[rust.key] = judge.Case(None, rust)
            return
        self._store.drop_run("python-1", *rust.key)
        self._elsewhere += python.context != rust.context
        case = judge.Case(python, rust, all_texts=self._options.all_texts)
        self._results.normalised.update(case.counts)
        if case.differs or (python.crash is None) != (rust.crash is None):
            self._cases[rust.key] = case
            return
        self._results.unjudged.update(case.unjudged)
        self._finish(python, rust, judge.plain_verdict(python, rust), [])

    def settle(self) -> None:
        """All tests are over in both arms: judges what differs, and what only one arm has."""
        if self._elsewhere:
            self._sessions.note(
                f"{plural(self._elsewhere, 'test')} ran after other tests on rust than on python"
            )
        self._meet_modules()
        self._find_missing()
        if not self.is_stopping:
            confirmation.confirm(self._sessions, self._cases.values())
        for key in list(self._cases):
            self._close(self._cases.pop(key))
        self._find_uncompared()

    def keep_what_is_known(self) -> None:
        """The session ends early: for the report, differences that nothing has explained yet."""
        for case in self._cases.values():
            findings = case.judge()
            if len(case.rust) == 1:
                for finding in findings:
                    finding.verdict = verdicts.INCONCLUSIVE
            verdict = findings[0].verdict if findings else verdicts.INCONCLUSIVE
            self._results.add(verdict, *case.first_runs(), findings, None)
        self._cases.clear()
        for python in self._take_rest():
            self._results.add(verdicts.NOT_COMPARED, python, None, [], None)

    @property
    def is_stopping(self) -> bool:
        """Whether the session ends before all of its tests are shown."""
        return bool(self.session.shouldfail or self.session.shouldstop)

    def _meet_modules(self) -> None:
        """Modules that can't be imported are compared like tests."""
        python = self._sessions.failed_modules.get("python-1", {})
        rust = self._sessions.failed_modules.get("rust-1", {})
        for nodeid, report in python.items():
            report_forwarding.play_collection(self._config, report)
            if nodeid in rust:
                same = module_run(nodeid, report), module_run(nodeid, rust[nodeid])
                self._results.add(verdicts.SAME_FAIL, *same, [], None)
        for nodeid in {**python, **rust}:
            if (nodeid in python) != (nodeid in rust):
                self._cases[nodeid, ""] = judge.Case(
                    module_run(nodeid, python.get(nodeid)), module_run(nodeid, rust.get(nodeid))
                )

    def _is_whole(self, backend: str) -> bool:
        """Whether an arm has told all of its tests."""
        return self._sessions.arms[backend][0].collected is not None

    def _find_missing(self) -> None:
        """Tests that only the Python arm collected."""
        if not self._is_whole("rust"):
            return
        for nodeid in self._store.only_in("python-1", "rust-1"):
            python = self._store.run("python-1", nodeid)
            if python is not None:
                self._store.drop_run("python-1", nodeid)
                self._cases[python.key] = judge.Case(python, None)

    def _close(self, case: judge.Case) -> None:
        """Decides on a test that differed."""
        findings = case.judge()
        python, rust = case.first_runs()
        verdict = findings[0].verdict if findings else verdicts.SAME
        if not findings and python is not None and rust is not None:
            verdict = judge.plain_verdict(python, rust)
        if python is not None and python.is_module:
            if verdict == verdicts.DIVERGED:
                verdict = verdicts.COLLECTION
            for finding in findings:
                finding.verdict = verdict
        self._finish(python, rust, verdict, findings)

    def _finish(
        self,
        python: TestRun | None,
        rust: TestRun | None,
        verdict: str,
        findings: list[Finding],
    ) -> None:
        """Counts a test, and shows it."""
        run = python or rust
        assert run is not None
        known = None
        self.accepted.note(run.nodeid)
        if verdict in self._options.fail_on:
            known = self.accepted.accept(run.nodeid, findings)
            verdict = verdicts.KNOWN if known else verdict
        divergences = self._results.add(verdict, python, rust, findings, known)
        for backend, side in (("python", python), ("rust", rust)):
            self.failed[backend] += side is not None and side.failed
        failure = None
        if verdict in self._options.fail_on:
            failure = terminal.failure_text(verdict, divergences)
        if run.is_module:
            if failure is not None or rust is not None:
                run = TestRun(run.nodeid)
            failure = failure or "the module could be imported once and not another time"
        self._show(run, verdict, _properties(verdict, python, rust, divergences), failure)

    def _show(
        self, run: TestRun, verdict: str, properties: list[tuple[str, str]], failure: str | None
    ) -> None:
        """Shows a test to pytest, which may then end the session."""
        session, distributed = self.session, self._config.option.skyrs_distributed
        if self.is_stopping and not distributed:
            return
        report_forwarding.play(
            self._config, run, verdict=verdict, properties=properties, failure=failure
        )
        if session.shouldfail and not distributed:
            # With workers, tests that ran at the same time are over as well.
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def _find_uncompared(self) -> None:
        """Tests that ran on Python alone, though nothing asked to stop."""
        rust = self._sessions.arms["rust"][0]
        stopped = rust.exit is not None and self._config.option.maxfail
        left = 0
        for python in self._take_rest():
            left += 1
            # To the terminal and to JUnit they are what they are without us.
            self._finish(python, None, verdicts.NOT_COMPARED, [])
        if left and not stopped:
            self._sessions.keep = True
            self._sessions.problems.append(
                f"{left} tests ran on python alone: the rust arm ended early "
                f"(its output: {rust.settings.log})"
            )

    def _take_rest(self) -> Iterator[TestRun]:
        """Runs of the Python arm that no run of the Rust arm has met."""
        for key in self._store.rest("python-1"):
            python = self._store.run("python-1", *key)
            if python is not None:
                self._store.drop_run("python-1", *key)
                yield python


def _properties(
    verdict: str,
    python: TestRun | None,
    rust: TestRun | None,
    divergences: list[dict[str, Any]],
) -> list[tuple[str, str]]:
    """For JUnit, and whoever reads ``user_properties``."""
    properties = [
        ("skyrs.verdict", verdict),
        ("skyrs.outcome.python", python.outcome if python else "not collected"),
        ("skyrs.outcome.rust", rust.outcome if rust else _ABSENT.get(verdict, "not collected")),
        ("skyrs.calls.rust", str(rust.rust_calls if rust else 0)),
    ]
    if divergences:
        properties.append(("skyrs.first_divergence", terminal.one_line(divergences[0])))
    return properties
