"""The session that the user started: it collects nothing, runs the arms and shows one result."""

from __future__ import annotations

import atexit
import errno
import functools
import os
import secrets
import shutil
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._controller import (
    arm_process,
    ending,
    limits,
    report_forwarding,
    sandbox,
    sessions,
)
from pytest_skyrs._controller.store import Store
from pytest_skyrs._model import accepted_differences, judge
from pytest_skyrs._model import verdicts as _verdicts
from pytest_skyrs._model.test_run import TestRun
from pytest_skyrs._report import machine, results
from pytest_skyrs._report import registered as _registered
from pytest_skyrs._report import terminal as _terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

    from pytest_skyrs._model.judge import Finding
    from pytest_skyrs._options import Options

#: Seconds that an arm has to end by itself when the session stops early.
_PATIENCE = 5.0
_COLLECTING = "collect"
#: What a test's other side is called by verdict.
_ABSENT = {_verdicts.NOT_COMPARED: "not run"}


class Parent:
    """Takes the place of collection and of the test loop.

    Args:
        config: of the session.
        options: as the user gave them.
    """

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self._config = config
        self._options = options
        self.folder = arm_process.workplace()
        try:
            self._store = Store(self.folder / "runs.sqlite")
        except sqlite3.Error as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise pytest.UsageError(
                f"{self.folder.parent}: {error}; {sessions.ELSEWHERE}"
            ) from None
        self.results = results.Results(self._store)
        self.known: list[accepted_differences.Entry] = []
        self.stale: list[str] = []
        self._cases: dict[tuple[str, str], judge.Case] = {}
        self._limit = limits.Limit(options.timeout)
        #: Something outside of the tests ended this session: its exit code says what.
        self._cut_short = False
        #: Tests that failed in the first round, by backend.
        self._failed: Counter[str] = Counter()
        self._signal: int | None = None
        #: The exit code, once it is decided.
        self.code = 0
        self._reported = False
        #: Whether something may change the exit code when this process ends.
        self._insist = False
        self._keep = options.keep
        # After all plugins have written theirs.
        config.add_cleanup(self._put_files_back)
        seed = options.seed if options.seed is not None else secrets.randbelow(1 << 32)
        self.seed = seed
        self._sessions = sessions.Sessions(
            config, options, self.folder, self._store, limit=self._limit, seed=seed
        )

    # Hooks.

    def pytest_report_header(self) -> list[str]:
        """Says how the session runs."""
        return _terminal.header(self.seed, self.plan, self._options)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> bool:
        """The arms collect."""
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Runs the arms, and shows each test once both have it."""
        if self._config.option.collectonly:
            return True
        try:
            with limits.signals_raise():
                self._run_arms(session)
        except arm_process.Occupied as error:
            self._cut_short = True
            raise pytest.UsageError(str(error)) from None
        except arm_process.OutOfTime:
            self.problems.append(self._limit.describe(self._sessions.running))
            self._keep_what_is_known()
        except (KeyboardInterrupt, session.Failed) as error:
            # pytest's own way of ending a session is one, too.
            if not isinstance(error, (session.Interrupted, session.Failed)):
                self._cut_short = True
                self._signal = getattr(error, "number", None)
                what = "interrupted" if self._signal is None else str(error)
                self.problems.append(f"{what}: what follows is what was known by then")
            self._keep_what_is_known()
            raise
        except (OSError, sqlite3.Error):
            self._cut_short = True
            problem = self._sessions.full_disk()
            if problem is None:
                raise
            self.problems.append(problem)
            raise pytest.UsageError(problem) from None
        except Exception:
            self._cut_short = True
            raise
        finally:
            if self._sessions.running is not None:
                self._sessions.say("ending the arm that runs")
                # Under -x it ends by itself as well, after the tear-down of its fixtures.
                own = isinstance(sys.exc_info()[1], (session.Failed, session.Interrupted))
                self._sessions.running.stop(_PATIENCE if own else 0.0)
                self._sessions.leave(self._sessions.running)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Writes the reports, before the terminal's summary."""
        self._write_reports()

    def finish(self, session: pytest.Session, error: BaseException | None) -> None:
        """All plugins are done: decides on the exit code.

        Args:
            session: pytest's.
            error: what one of them has raised.
        """
        if not self._reported:
            self._write_reports()
            terminal = self._config.pluginmanager.get_plugin("terminalreporter")
            if terminal is not None:
                _terminal.write_terminal(self, terminal)
        failing = any(self.results.counts[verdict] for verdict in self._options.fail_on)
        own = int(session.exitstatus)
        if own == pytest.ExitCode.TESTS_FAILED and not (failing or self._cut_short):
            # If it is true, the Python arm says so, too: here a plugin has seen no test run.
            own = int(pytest.ExitCode.OK)
        session.exitstatus = ending.exit_code(
            own,
            [] if self._cut_short else self._sessions.endings["python"],
            bad=bool(failing or self.problems or self.stale or self.unreached or error),
        )
        if self._signal is not None:
            session.exitstatus = 128 + self._signal
        self.code = int(session.exitstatus)
        if self._insist and self.code:
            atexit.register(_end_with, self.code)

    def _write_reports(self) -> None:
        self._reported = True
        self._sessions.summaries.put_in_place(self._config)
        self._find_stale_entries()
        machine.write_all(self)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Shows what was compared."""
        self._sessions.summaries.write_rest(self._config)
        _terminal.write_terminal(self, terminalreporter)

    def pytest_unconfigure(self) -> None:
        """Leaves nothing behind, unless it is needed to see what went wrong."""
        self._store.close()

    def _put_files_back(self) -> None:
        self._sessions.files.put_back()
        for problem in self._sessions.files.problems:
            sys.stderr.write(f"skyrs: {problem}\n")
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    @functools.cached_property
    def plan(self) -> arm_process.Plan:
        """What the arms have in common; pytest's cache isn't there before it is configured."""
        config, options = self._config, self._options
        return arm_process.Plan(
            arguments=tuple(map(str, config.invocation_params.args)),
            directory=Path(config.invocation_params.dir),
            first_path=_first_path(),
            cache=_cache_folder(config),
            isolate=self._isolation(),
            ports=options.ports,
            hash_seed=os.environ.get("PYTHONHASHSEED", "0"),
            measures_coverage=config.option.skyrs_measures_coverage,
        )

    def _isolation(self) -> str:
        """``net`` or ``none``: a network of their own takes more from the arms than servers."""
        if self._options.isolate != "auto":
            return self._options.isolate
        taken = sandbox.listeners(self._options.ports)
        return "net" if taken and sandbox.has_namespaces() else "none"

    # Access for reports.

    @property
    def arms(self) -> dict[str, list[arm_process.Arm]]:
        """All arms that were started, by backend."""
        return self._sessions.arms

    @property
    def problems(self) -> list[str]:
        """What kept the comparison from being complete."""
        return self._sessions.problems

    @property
    def config(self) -> pytest.Config:
        """Of the session."""
        return self._config

    @property
    def options(self) -> Options:
        """As the user gave them."""
        return self._options

    @functools.cached_property
    def registered(self) -> list[dict[str, Any]]:
        """What is wrong with registered routes; known when the arms are over."""
        table, _ = results.routes(self.results, self.arms["python"], self.arms["rust"])
        problems: dict[str, str] = {}
        for arm in self.arms["rust"]:
            for words in arm.words.values():
                problems.update(words["problems"])
        return _registered.findings(table, problems)

    @property
    def unreached(self) -> list[dict[str, Any]]:
        """Registered routes without an answer, if that makes the run fail."""
        if self._options.allow_unreached or not self.results.compared:
            return []
        return [finding for finding in self.registered if not finding["answered"]]

    @property
    def kept(self) -> bool:
        """Whether the workplace stays."""
        return self._keep

    def verdicts(self) -> Iterator[dict[str, Any]]:
        """The report's lines, a test each."""
        return self._store.verdicts()

    @property
    def stopped(self) -> str | None:
        """How many tests never ran and why, or what else ended the Python arm."""
        return ending.describe(
            self._sessions.endings["python"],
            self._store.count_not_run("python-1"),
            failed=bool(self._failed["python"]),
        )

    # The run.

    def _run_arms(self, session: pytest.Session) -> None:
        self._sessions.plan = self.plan
        python = self._sessions.settings("python", 1)
        rust = self._sessions.settings("rust", 1)
        early: arm_process.Arm | None = None
        if self._options.side_by_side:
            early = self._sessions.start(rust)
        try:
            for run in self._sessions.stream(python):
                self._store.add_run(python.name, run)
            session.testscollected = self._arm("python").collected or 0
            begun = self._check_first_arm()
        except BaseException:
            if early is not None:
                early.stop()
            raise
        if not begun:
            if early is not None:
                early.stop()
            return
        self._load_known()
        for run in self._sessions.stream(rust, early):
            self._meet(session, run)
        self._meet_modules(session)
        self._find_missing()
        self._confirm(session)
        for key in list(self._cases):
            self._close(session, self._cases.pop(key))
        self._find_uncompared(session)
        self._check_proofs()
        self._check_endings(session)
        failed = self._sessions.failed_modules.get("python-1")
        if failed and not self._config.option.continue_on_collection_errors:
            errors = len(failed) + self._sessions.repeated_modules
            raise session.Interrupted(f"{results.plural(errors, 'error')} during collection")
        if self._distributed and session.shouldfail:
            raise session.Interrupted(session.shouldfail)

    @property
    def _distributed(self) -> bool:
        """Whether the arms have workers, and end early in xdist's way."""
        return bool(self._config.option.skyrs_distributed)

    def _arm(self, backend: str) -> arm_process.Arm:
        return self.arms[backend][0]

    def _check_first_arm(self) -> bool:
        """Whether the Python arm got to its tests; else it says why."""
        arm, end = self._arm("python"), self._sessions.endings["python"][0]
        usage = end.code == pytest.ExitCode.USAGE_ERROR and not (end.died or arm.interrupt)
        if usage and not self._store.count_runs("python-1"):
            self._cut_short = True
            # A mistyped name explains itself.
            raise pytest.UsageError(
                f"the python arm didn't get to its tests (exit code {end.code}): "
                f"{arm.problem or ''}\n{arm.tail()}"
            )
        if arm.collected is not None or (
            not end.died
            and not arm.internal_errors
            and self._sessions.failed_modules.get("python-1")
        ):
            return True
        if end.code == pytest.ExitCode.NO_TESTS_COLLECTED and not end.died:
            return True
        full = self._sessions.full_disk()
        if full is not None:
            raise OSError(errno.ENOSPC, full)
        report_forwarding.play_internal_errors(self._config, arm.internal_errors)
        for report in self._sessions.failed_modules.get("python-1", {}).values():
            report_forwarding.play_collection(self._config, report)
        if arm.interrupt is None:
            self.problems.append(f"no test ran: {end.describe()}")
            self._keep = True
            self._sessions.say(f"the end of the python arm's output:\n{arm.tail()}")
        return False

    def _forget_conftests(self) -> None:
        """What ended the process of the Python arm after its tests would end this one as well."""
        manager = self._config.pluginmanager
        for plugin in manager.get_plugins():
            if Path(getattr(plugin, "__file__", None) or "").name == "conftest.py":
                manager.unregister(plugin)

    def _check_endings(self, session: pytest.Session) -> None:
        """What isn't explained by tests: each arm has an end of its own."""
        python, rust = (self._sessions.endings[backend] for backend in ("python", "rust"))
        if not self._config.option.maxfail:
            counts = [self._failed[backend] for backend in ("python", "rust")]
            problem = ending.unexplained(python[0], rust[0], counts)
            if problem:
                self.problems.append(problem)
        if any(end.after_tests for end in (*python, *rust)):
            self._forget_conftests()
            self._insist = True
        left = self._store.count_not_run("python-1")
        if left and not self._config.option.maxfail and ending.is_silent(python):
            self.problems.append(str(self.stopped))
        report_forwarding.play_internal_errors(self._config, self._arm("python").internal_errors)
        stop = (self._arm("python").finish or {}).get("stop") or self._arm("python").interrupt
        if stop and not self._is_stopping(session):
            # The terminal shows it at the end, as pytest does.
            session.shouldstop = stop

    # Comparison.

    def _meet(self, session: pytest.Session, rust: TestRun) -> None:
        """A test is over in the Rust arm."""
        python = self._store.run("python-1", *rust.key)
        if python is None:
            if not self._store.has_item("python-1", rust.nodeid) and self._arm_is_whole("python"):
                self._cases[rust.key] = judge.Case(None, rust)
            return
        self._store.drop_run("python-1", *rust.key)
        case = judge.Case(python, rust, all_texts=self._options.all_texts)
        self.results.normalised.update(case.counts)
        if case.differs or (python.crash is None) != (rust.crash is None):
            self._cases[rust.key] = case
            return
        self.results.unjudged.update(case.unjudged)
        self._finish(session, python, rust, judge.plain_verdict(python, rust), [])

    def _meet_modules(self, session: pytest.Session) -> None:
        """Modules that can't be imported are compared like tests."""
        python = self._sessions.failed_modules.get("python-1", {})
        rust = self._sessions.failed_modules.get("rust-1", {})
        for nodeid, report in python.items():
            report_forwarding.play_collection(self._config, report)
            if nodeid in rust:
                same = _module_run(nodeid, report), _module_run(nodeid, rust[nodeid])
                self.results.add(_verdicts.SAME_FAIL, *same, [], None)
        for nodeid in {**python, **rust}:
            if (nodeid in python) != (nodeid in rust):
                self._cases[nodeid, ""] = judge.Case(
                    _module_run(nodeid, python.get(nodeid)), _module_run(nodeid, rust.get(nodeid))
                )

    def _arm_is_whole(self, backend: str) -> bool:
        return self._arm(backend).collected is not None

    def _find_missing(self) -> None:
        """Tests that only the Python arm collected."""
        if not self._arm_is_whole("rust"):
            return
        for nodeid in self._store.only_in("python-1", "rust-1"):
            python = self._store.run("python-1", nodeid)
            if python is not None:
                self._store.drop_run("python-1", nodeid)
                self._cases[python.key] = judge.Case(python, None)

    def _confirm(self, session: pytest.Session) -> None:
        """Runs the files of differing tests again, until each difference is explained."""
        if self._is_stopping(session):
            return
        for number in range(2, judge.MOST_ROUNDS + 2):
            wanting = [case for case in self._cases.values() if case.needs_python()]
            if not wanting:
                return
            self._run_again("python", number, wanting)
            wanting = [case for case in wanting if case.needs_rust()]
            if wanting:
                self._run_again("rust", number, wanting)

    def _run_again(self, backend: str, number: int, cases: list[judge.Case]) -> None:
        files = {case.nodeid.partition("::")[0] for case in cases}
        wanted = {case.key: case for case in cases}
        seen = set()
        self._sessions.say(
            f"{results.plural(len(cases), 'test')} to confirm: "
            f"{results.plural(len(files), 'file')} once more on {backend}"
        )
        tests = tuple(dict.fromkeys(nodeid for nodeid, _ in wanted))
        settings = self._sessions.settings(backend, number, tests)
        for run in self._sessions.stream(settings):
            if run.key in wanted:
                seen.add(run.key)
                getattr(wanted[run.key], backend).append(run)
        failed = self._sessions.failed_modules.get(settings.name, {})
        if not seen and not failed and not self.arms[backend][-1].collected:
            self.problems.append(
                f"{results.plural(len(cases), 'test')} that differed could not be run again: the "
                f"{settings.name} arm found nothing of {', '.join(sorted(files)[:3])}"
            )
        for key, case in wanted.items():
            if key not in seen:
                nodeid = case.nodeid
                is_module = case.python[0] is not None and case.python[0].nodeid.find("::") < 0
                again = _module_run(nodeid, failed.get(nodeid)) if is_module else None
                getattr(case, backend).append(again)

    def _is_stopping(self, session: pytest.Session) -> bool:
        return bool(session.shouldfail or session.shouldstop)

    def _close(self, session: pytest.Session, case: judge.Case) -> None:
        """Decides on a test that differed."""
        findings = case.judge()
        verdict = findings[0].verdict if findings else _verdicts.SAME
        python = next((run for run in case.python if run is not None), None)
        rust = next((run for run in case.rust if run is not None), None)
        if python is not None and python.reports[:1] and "collect" in python.reports[0]["when"]:
            if verdict == _verdicts.DIVERGED:
                verdict = _verdicts.COLLECTION
            for finding in findings:
                finding.verdict = verdict
        self._finish(session, python, rust, verdict, findings)

    def _finish(
        self,
        session: pytest.Session,
        python: TestRun | None,
        rust: TestRun | None,
        verdict: str,
        findings: list[Finding],
    ) -> None:
        """Counts a test, and shows it."""
        run = python or rust
        assert run is not None
        known = None
        for entry in self.known:
            entry.seen += entry.speaks_of(run.nodeid)
        if verdict in self._options.fail_on:
            known = self._accept(run.nodeid, findings)
            verdict = _verdicts.KNOWN if known else verdict
        divergences = self.results.add(verdict, python, rust, findings, known)
        for backend, side in (("python", python), ("rust", rust)):
            self._failed[backend] += side is not None and side.failed
        failure = None
        if verdict in self._options.fail_on:
            failure = _terminal.failure_text(verdict, divergences)
        properties = [
            ("skyrs.verdict", verdict),
            ("skyrs.outcome.python", python.outcome if python else "not collected"),
            ("skyrs.outcome.rust", rust.outcome if rust else _ABSENT.get(verdict, "not collected")),
            ("skyrs.calls.rust", str(rust.rust_calls if rust else 0)),
        ]
        if divergences:
            properties.append(("skyrs.first_divergence", _terminal.one_line(divergences[0])))
        if run.reports and run.reports[0].get("when") == _COLLECTING:
            if failure is not None or rust is not None:
                run = TestRun(run.nodeid)
            failure = failure or "the module could be imported once and not another time"
        if self._is_stopping(session) and not self._distributed:
            return
        report_forwarding.play(
            self._config, run, verdict=verdict, properties=properties, failure=failure
        )
        if session.shouldfail and not self._distributed:
            # With workers, tests that ran at the same time are over as well.
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def _find_uncompared(self, session: pytest.Session) -> None:
        """Tests that ran on Python alone, though nothing asked to stop."""
        rust = self._arm("rust")
        stopped = rust.exit is not None and self._config.option.maxfail
        left = self._count_uncompared(session)
        if left and not stopped:
            self._keep = True
            self.problems.append(
                f"{left} tests ran on python alone: the rust arm ended early "
                f"(its output: {rust.settings.log})"
            )

    def _count_uncompared(self, session: pytest.Session | None = None) -> int:
        left = list(self._store.rest("python-1"))
        for key in left:
            python = self._store.run("python-1", *key)
            if python is not None:
                self._store.drop_run("python-1", *key)
                if session is not None:
                    # To the terminal and to JUnit they are what they are without us.
                    self._finish(session, python, None, _verdicts.NOT_COMPARED, [])
                else:
                    self.results.add(_verdicts.NOT_COMPARED, python, None, [], None)
        return len(left)

    def _keep_what_is_known(self) -> None:
        """The session ends early: for the report, differences that nothing has explained yet."""
        for case in self._cases.values():
            findings = case.judge()
            if len(case.rust) == 1:
                for finding in findings:
                    finding.verdict = _verdicts.INCONCLUSIVE
            verdict = findings[0].verdict if findings else _verdicts.INCONCLUSIVE
            python = next((run for run in case.python if run is not None), None)
            rust = next((run for run in case.rust if run is not None), None)
            self.results.add(verdict, python, rust, findings, None)
        self._cases.clear()
        self._count_uncompared()

    def _check_proofs(self) -> None:
        """The arms were what they are called: proxies stood, and Rust was there."""
        for arms in self.arms.values():
            for arm in arms:
                self.problems.extend(_terminal.unproven(arm))

    # Known differences.

    def _load_known(self) -> None:
        path = self._options.known_path(self._config)
        if path is None:
            return
        words = next(iter(self._arm("python").words.values()), {})
        try:
            self.known = accepted_differences.load(path, words.get("skypilot"))
        except accepted_differences.BadEntry as error:
            raise pytest.UsageError(str(error)) from None

    def _accept(self, nodeid: str, findings: list[Finding]) -> dict[str, str] | None:
        """The first entry, if every finding has one."""
        accepted = []
        for finding in findings:
            if finding.verdict in (_verdicts.FLAKY, _verdicts.INCONCLUSIVE):
                continue
            entry = next(
                (
                    entry
                    for entry in self.known
                    if entry.matches(
                        nodeid, finding.verdict, finding.shown.function, finding.observable.kind
                    )
                ),
                None,
            )
            if entry is None:
                return None
            accepted.append(entry)
        for entry in accepted:
            entry.used += 1
        return {"reason": accepted[0].reason, "issue": accepted[0].issue} if accepted else None

    def _find_stale_entries(self) -> None:
        for entry in self.known:
            # An entry for a test that wasn't selected says nothing.
            if entry.seen and not entry.used:
                self.stale.append(f"{entry.describe()} matches no difference any more: remove it")


def _module_run(nodeid: str, report: dict[str, Any] | None) -> TestRun:
    """A module's collection in the form of a test."""
    if report is None:
        return TestRun(nodeid, [{"when": _COLLECTING, "outcome": "passed"}])
    return TestRun(nodeid, [{**report, "when": _COLLECTING}])


def _end_with(code: int) -> None:
    """Ends this process before something that was registered earlier can change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _first_path() -> str:
    """What ``sys.path`` began with: pytest may have put test folders before it since."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(Path.cwd())
    return str(Path(sys.argv[0]).resolve().parent)


def _cache_folder(config: pytest.Config) -> Path | None:
    cache = getattr(config, "cache", None)
    return Path(cache.mkdir("skyrs")).parents[1] if cache is not None else None
