"""Forwarding of reports: a test's result shows as if the controller's pytest had run it."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import pytest

from pytest_skyrs._controller import ending

_Phase = Literal["setup", "call", "teardown"]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _pytest.terminal import TerminalReporter

    from pytest_skyrs._model.events import Warned
    from pytest_skyrs._model.test_run import TestRun

#: Set on the report that shows a verdict; `pytest_report_teststatus` looks for it.
VERDICT_ATTRIBUTE = "skyrs_verdict"


def play(
    config: pytest.Config,
    run: TestRun,
    *,
    verdict: str,
    properties: Sequence[tuple[str, str]],
    failure: str | None,
) -> None:
    """Replays the reports of a run.

    Args:
        config: of the session.
        run: whose reports they are.
        verdict: on the test.
        properties: for JUnit and whoever reads ``user_properties``.
        failure: makes the test fail, with this text.
    """
    reports = [_restore(config, data) for data in run.reports]
    if run.crash is not None and not any(report.failed for report in reports):
        # The process died before it could report.
        reports.append(_nothing(run.nodeid, ending.phase(run), run.crash))
    elif not reports and failure is None:
        # The session was stopped before its set-up was over.
        return
    reports = reports or [_nothing(run.nodeid, "call", "it never reported")]
    if failure is not None:
        _fail(reports, failure)
    marked = _telling(reports)
    # A test that fails on both sides fails as it does without us.
    if failure is not None or not marked.failed:
        setattr(marked, VERDICT_ATTRIBUTE, verdict)
    reports[-1].user_properties = [*reports[-1].user_properties, *properties]
    location = reports[0].location
    config.hook.pytest_runtest_logstart(nodeid=run.nodeid, location=location)
    for report in reports:
        config.hook.pytest_runtest_logreport(report=report)
    config.hook.pytest_runtest_logfinish(nodeid=run.nodeid, location=location)
    _forget(config, reports)


def play_collection(config: pytest.Config, data: dict[str, Any]) -> None:
    """Replays a module's failure, or its being skipped."""
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if isinstance(report.longrepr, list):
        report.longrepr = tuple(report.longrepr)
    config.hook.pytest_collectreport(report=report)


class _ArmError(Exception):
    """Stands for an error of pytest, or of a plugin, in an arm."""


def play_internal_errors(config: pytest.Config, texts: Sequence[str]) -> None:
    """Replays what ended the session of an arm, for the terminal and for JUnit."""
    for text in texts:
        try:
            raise _ArmError(text)
        except _ArmError as error:
            excinfo = pytest.ExceptionInfo.from_exception(error)
        config.hook.pytest_internalerror(excrepr=text, excinfo=excinfo)


def play_warning(config: pytest.Config, event: Warned) -> None:
    """Replays a warning. Its category may be known to the arm alone: a class of that name does."""
    module, _, name = event.category.rpartition(".")
    category = getattr(sys.modules.get(module or "builtins"), name, None)
    if not (isinstance(category, type) and issubclass(category, Warning)):
        category = type(name, (UserWarning,), {"__module__": module})
    message = warnings.WarningMessage(
        category(event.message), category, event.filename, event.lineno
    )
    location = event.location and tuple(event.location)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs={
            "warning_message": message,
            "when": event.when,
            "nodeid": event.nodeid,
            "location": location,
        }
    )


def _restore(config: pytest.Config, data: dict[str, Any]) -> pytest.TestReport:
    report = config.hook.pytest_report_from_serializable(config=config, data=dict(data))
    # JSON has no tuples, and pytest asks for some.
    if isinstance(report.longrepr, list):
        report.longrepr = tuple(report.longrepr)
    report.location = tuple(report.location)
    report.sections = [tuple(section) for section in report.sections]
    report.user_properties = [tuple(pair) for pair in report.user_properties]
    return cast("pytest.TestReport", report)


def _nothing(nodeid: str, when: _Phase, text: str) -> pytest.TestReport:
    """Stands for the report that a test couldn't make any more."""
    file, _, name = nodeid.partition("::")
    name, bracket, parameters = name.partition("[")
    # As pytest writes it, which makes it the node id again.
    location = file, None, f"{name.replace('::', '.')}{bracket}{parameters}" or file
    return pytest.TestReport(nodeid, location, {}, "failed", text, when)


def _telling(reports: list[pytest.TestReport]) -> pytest.TestReport:
    """The report that decides on the test's letter."""
    for report in reports:
        if report.failed or report.skipped:
            return report
    return next((report for report in reports if report.when == "call"), reports[-1])


def _fail(reports: list[pytest.TestReport], text: str) -> None:
    report = _telling(reports)
    if report.failed and report.longrepr:
        text = f"{text}\n\non python it failed as follows\n\n{report.longrepr}"
    report.outcome = "failed"
    report.longrepr = text
    if hasattr(report, "wasxfail"):
        del report.wasxfail


class _Passed:
    """What the terminal's summary needs of a report that passed."""

    __slots__ = ("count_towards_summary", "duration", "id", "nodeid", "when")
    outcome = "passed"
    sections = ()
    #: For plugins that look for attributes of their own there.
    __dict__: ClassVar[dict[str, object]] = {}  # type: ignore[misc]

    def __init__(self, report: pytest.TestReport) -> None:
        self.nodeid = report.nodeid
        # pytest 9.2 looks for it.
        self.id = getattr(report, "id", report.nodeid)
        self.when = report.when
        self.duration = report.duration
        self.count_towards_summary = getattr(report, "count_towards_summary", True)


#: Attributes that every report has, and ours.
_ORDINARY = {
    *vars(pytest.TestReport("", ("", None, ""), {}, "passed", None, "call")),
    *("worker_id", "testrun_uid", "item_index", "node", VERDICT_ATTRIBUTE, "$report_type"),
}


def _forget(config: pytest.Config, reports: list[pytest.TestReport]) -> None:
    """The terminal keeps every report to the end; of those that passed it needs little."""
    terminal = cast("TerminalReporter", config.pluginmanager.get_plugin("terminalreporter"))
    if terminal is None or set(terminal.reportchars) & set("pPA"):
        return
    if any(report.failed for report in reports):
        # What its tear-down printed is shown with the failure.
        return
    durations = config.getoption("durations", None) is not None
    for category in ("", "passed"):
        kept = terminal.stats.get(category, [])
        for index in range(max(0, len(kept) - len(reports)), len(kept)):
            # What carries more than reports do is kept as it is.
            if any(kept[index] is report for report in reports) and not (
                set(vars(kept[index])) - _ORDINARY
            ):
                kept[index] = _Passed(kept[index])
        if category == "" and not durations:
            kept[:] = [report for report in kept if type(report) is not _Passed]
