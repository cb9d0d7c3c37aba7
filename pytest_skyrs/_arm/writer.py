"""Writer of an arm's events, in its main process: what happens, for the controller to read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._arm.calls import exception_text
from pytest_skyrs._arm.record_report import RecordReport
from pytest_skyrs._model import events
from pytest_skyrs._model.canonical import type_name
from pytest_skyrs._model.other_plugins import distribution
from pytest_skyrs._model.summaries import Teller

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_skyrs._arm.recorder import Recorder
    from pytest_skyrs._model.settings import ArmSettings

#: Tests replace it.
_getpid = os.getpid


class Writer:
    """Writes the events of an arm's session, in its main process.

    Args:
        settings: the arm.
        config: pytest's configuration.
        recorder: of this process, if it runs tests.
    """

    def __init__(
        self, settings: ArmSettings, config: pytest.Config, recorder: Recorder | None
    ) -> None:
        self._config = config
        self._recorder = recorder
        self._settings = settings
        self._collected = False
        # Every worker of xdist runs every test.
        self._each = distribution(config.option) == "each"
        #: Nodes of xdist's reports on workers that died, which look like others.
        self._died: list[object] = []
        self._pid = os.getpid()
        self._count = 0
        # Line by line: a session that is killed leaves all but its last line.
        self._file = settings.events.open("a", encoding="ascii", buffering=1)

    def write(self, event: events.Event) -> None:
        """Appends an event."""
        self._write_line(event.to_line())

    def _write_line(self, line: str) -> None:
        # A child that a test forked, and that came back out of the test, goes through the rest of
        # the session as well; only the process that began it speaks for it.
        if _getpid() == self._pid:
            self._count += 1
            self._file.write(line + "\n")

    def record(self, nodeid: str, record: events.RunRecord) -> None:
        """A test is over, and this is its record."""
        self.write(events.Record(nodeid, record))

    def note(self, text: str) -> None:
        """Tells the user something."""
        self.write(events.Note(text))

    def _serialize(self, report: pytest.CollectReport | pytest.TestReport) -> dict[str, Any]:
        data: dict[str, Any] = self._config.hook.pytest_report_to_serializable(
            config=self._config, report=report
        )
        # xdist's: the worker itself.
        data.pop("node", None)
        return data

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module could not be collected, or was skipped."""
        if not report.passed:
            self.write(events.CollectReport(self._serialize(report)))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Names the tests."""
        self._name([item.nodeid for item in session.items])

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Some won't run; workers of xdist keep that to themselves."""
        self.write(events.Deselected(len(items)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Names the tests, as the first worker has them."""
        self._name(ids)

    def _name(self, ids: list[str]) -> None:
        # With xdist the main process finishes its own, empty collection first.
        if not self._collected and (ids or self._recorder is not None):
            self._collected = True
            for nodeid in ids:
                self.write(events.Item(nodeid))
            self.write(events.Collected(len(ids)))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self.write(events.Start(nodeid, "" if self._recorder is not None else None))

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """A worker died in a test; xdist passes its report on next."""
        self._died.append(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over, or a worker has sent its record."""
        node = getattr(report, "node", None)
        worker: str = "" if node is None else node.gateway.id
        each = node is not None and self._each
        if isinstance(report, RecordReport):
            self._write_line(events.record_line(report.nodeid, report.text, worker, each=each))
            return
        died = node is not None and report in self._died
        if died:
            self._died.remove(report)
        self.write(events.Report(self._serialize(report), worker, each, died))

    def pytest_warning_recorded(
        self,
        warning_message: Any,
        when: str,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        """For the controller's summary; xdist passes on those of workers."""
        self.write(
            events.Warned(
                category=type_name(warning_message.category),
                message=exception_text(warning_message.message),
                filename=warning_message.filename,
                lineno=warning_message.lineno,
                when=when,
                nodeid=nodeid,
                location=location,
            )
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker is done, or dead."""
        text = getattr(node, "workeroutput", {}).get("skyrs")
        report = json.loads(text) if text else None
        self.write(events.Worker(node.gateway.id, str(error) if error else None, report))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Pytest itself, or a plugin, failed."""
        self.write(events.InternalError(str(excrepr)))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Something ended the session: Ctrl-C, ``pytest.exit``, ``session.shouldstop``."""
        crash = getattr(excinfo.getrepr(), "reprcrash", None)
        message = getattr(crash, "message", None) or excinfo.exconly()
        self.write(events.Interrupt(str(message)))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """The session is over once all other plugins have done what they do then."""
        if self._settings.is_the_sessions:
            Teller(self._config, self._summary, self._settings.screen).listen()
        error = None
        try:
            return (yield)
        except BaseException as raised:
            error = f"{type_name(type(raised))}: {exception_text(raised)}"
            raise
        finally:
            if self._recorder is not None:
                self.write(events.Worker("main", report=self._recorder.worker_report()))
            self.write(
                events.Finish(
                    exit=int(session.exitstatus),
                    events=self._count + 1,
                    stop=str(session.shouldfail or session.shouldstop or ""),
                    error=error,
                )
            )

    def _summary(self, plugin: str, text: str, first: bool) -> None:
        self.write(events.Summary(plugin, text, first))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_unconfigure(self) -> Generator[None, object, object]:
        """Nothing follows once all other plugins have done what they do then."""
        try:
            return (yield)
        finally:
            self.write(events.Over())
            self._file.close()
