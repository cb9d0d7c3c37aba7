"""Controller of a double run: the session that the user started, which runs the arms instead."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import shutil
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._controller import (
    arm_checks,
    arm_process,
    ending,
    limits,
    planning,
    report_forwarding,
    sessions,
)
from pytest_skyrs._controller.comparison import Comparison
from pytest_skyrs._controller.store import Store
from pytest_skyrs._report import machine, results
from pytest_skyrs._report import registered as _registered
from pytest_skyrs._report import terminal as _terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

    from pytest_skyrs._options import Options

#: Seconds that an arm has to end by itself when the session stops early.
_PATIENCE = 5.0


class Controller:
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
        self._limit = limits.Limit(options.timeout)
        #: Something outside of the tests ended this session: its exit code says what.
        self._cut_short = False
        self._signal: int | None = None
        self._reason: str | None = None
        #: The exit code, once it is decided.
        self.code = 0
        self._reported = False
        #: Whether something may change the exit code when this process ends.
        self._insist = False
        # After all plugins have written theirs.
        config.add_cleanup(self._put_files_back)
        seed = options.seed if options.seed is not None else secrets.randbelow(1 << 32)
        self.seed = seed
        self._sessions = sessions.Sessions(
            config, options, self.folder, self._store, limit=self._limit, seed=seed
        )
        self._comparison = Comparison(config, options, self._store, self._sessions, self.results)

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
        except arm_process.NotStarted as error:
            if not self._sessions.endings["python"]:
                self._cut_short = True
                raise pytest.UsageError(str(error)) from None
            self._sessions.note_not_started(str(error))
            self._comparison.keep_what_is_known()
        except arm_process.OutOfTime:
            self._reason = "the time for the double run was over"
            self.problems.append(self._limit.describe(self._sessions.running))
            self._comparison.keep_what_is_known()
        except (KeyboardInterrupt, session.Failed) as error:
            # pytest's own way of ending a session is one, too.
            if not isinstance(error, (session.Interrupted, session.Failed)):
                self._cut_short = True
                self._signal = getattr(error, "number", None)
                self._reason = "interrupted" if self._signal is None else str(error)
                self.problems.append(f"{self._reason}: what follows is what was known by then")
            self._comparison.keep_what_is_known()
            if self._cut_short:
                self._write_early()
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

    def _write_early(self) -> None:
        """Writes what there is before the arm has ended: whoever sent a signal may not wait."""
        problems = list(self.problems)
        machine.write_files(self)
        # It is written again, with what the arm tells at its end.
        self.problems[:] = problems
        self.__dict__.pop("registered", None)

    def _write_reports(self) -> None:
        self._reported = True
        self._sessions.summaries.put_in_place(self._config)
        self._comparison.accepted.find_stale()
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
        if not self._sessions.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    @functools.cached_property
    def plan(self) -> arm_process.Plan:
        """What the arms have in common; pytest's cache isn't there before it is configured."""
        return planning.make(self._config, self._options)

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
    def not_started(self) -> list[str]:
        """The problems that are arms which never got to their tests, a sentence each."""
        return self._sessions.not_started

    @property
    def notes(self) -> list[str]:
        """What else the user is to know, a sentence each."""
        return self._sessions.notes

    @property
    def stale(self) -> list[str]:
        """Accepted differences that weren't found any more, a sentence each."""
        return self._comparison.accepted.stale

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
        return self._sessions.keep

    def verdicts(self) -> Iterator[dict[str, Any]]:
        """The report's lines, a test each."""
        return self.results.rows()

    @property
    def stopped(self) -> str | None:
        """How many tests never ran and why, or what else ended the Python arm."""
        return ending.describe(
            self._sessions.endings["python"],
            self._store.count_not_run("python-1"),
            failed=bool(self._comparison.failed["python"]),
            reason=self._reason,
        )

    # The run.

    def _run_arms(self, session: pytest.Session) -> None:
        self._sessions.plan = self.plan
        self._comparison.session = session
        python = self._sessions.settings("python", 1)
        early: arm_process.Arm | None = None
        if self._options.side_by_side:
            early = self._sessions.start(self._sessions.settings("rust", 1))
        try:
            for run in self._sessions.stream(python):
                self._store.add_run(python.name, run)
            session.testscollected = self.arms["python"][0].collected or 0
            begun = arm_checks.got_to_tests(self._config, self._sessions, self._store)
        except BaseException:
            if early is not None:
                early.stop()
            raise
        if not begun:
            if early is not None:
                early.stop()
            return
        self._load_accepted()
        replayed = self._recorded_schedule()
        if early is not None and self._config.option.skyrs_distributed:
            self._sessions.note(
                "side by side, the rust arm doesn't replay the python arm's schedule: tests are "
                "dealt anew there"
            )
        rust = self._sessions.settings("rust", 1, schedule=replayed)
        for run in self._sessions.stream(rust, early):
            self._comparison.meet(run)
        self._comparison.settle()
        arm_checks.note_unproven(self._sessions)
        self._check_endings(session)
        failed = self._sessions.failed_modules.get("python-1")
        if failed and not self._config.option.continue_on_collection_errors:
            errors = len(failed) + self._sessions.repeated_modules
            raise session.Interrupted(f"{results.plural(errors, 'error')} during collection")
        if self._config.option.skyrs_distributed and session.shouldfail:
            # Arms with workers end early in xdist's way.
            raise session.Interrupted(session.shouldfail)

    def _recorded_schedule(self) -> str | None:
        """What the Rust arm replays; the user gets a copy."""
        path = self._sessions.schedule
        if not path.exists():
            return None
        target = self._config.getoption("skyrs_record_schedule")
        if target is not None:
            shutil.copyfile(path, target)
        return str(path)

    def _load_accepted(self) -> None:
        path = self._options.known_path(self._config)
        if path is not None:
            words = next(iter(self.arms["python"][0].words.values()), None)
            self._comparison.accepted.load(path, words["skypilot"] if words is not None else None)

    def _check_endings(self, session: pytest.Session) -> None:
        """What isn't explained by tests: each arm has an end of its own."""
        counts = [self._comparison.failed[backend] for backend in ("python", "rust")]
        arm_checks.note_unexplained_ends(self._config, self._sessions, counts)
        if arm_checks.ended_after_tests(self._sessions):
            arm_checks.forget_conftests(self._config)
            self._insist = True
        silent = ending.is_silent(self._sessions.endings["python"])
        left = self._store.count_not_run("python-1")
        if left and not self._config.option.maxfail and silent:
            self.problems.append(str(self.stopped))
        arm = self.arms["python"][0]
        report_forwarding.play_internal_errors(self._config, arm.internal_errors)
        stop = (arm.finish.stop if arm.finish is not None else "") or arm.interrupt
        if stop and not self._comparison.is_stopping:
            # The terminal shows it at the end, as pytest does.
            session.shouldstop = stop


def _end_with(code: int) -> None:
    """Ends this process before something that was registered earlier can change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
