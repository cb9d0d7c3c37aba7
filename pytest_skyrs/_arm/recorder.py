"""Recorder of tests: watches the process that runs them, an xdist worker or the only one."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Callable

import pytest

from pytest_skyrs._arm import output as _output
from pytest_skyrs._arm.calls import CallRecorder, exception_text
from pytest_skyrs._arm.logs import LogTap
from pytest_skyrs._arm.resources import Meter
from pytest_skyrs._arm.surroundings import Surroundings
from pytest_skyrs._model import session_files
from pytest_skyrs._model.canonical import Canonical, type_name

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pytest_skyrs._arm.body_coverage import BodyCoverage
    from pytest_skyrs._model.events import RunRecord, WorkerReport
    from pytest_skyrs._model.settings import ArmSettings

#: Tests replace it.
_getpid = os.getpid


class Recorder:
    """Watches the tests of this process.

    Args:
        settings: the arm.
        emit: gets a test's node id and its record.
    """

    def __init__(self, settings: ArmSettings, emit: Callable[[str, RunRecord], None]) -> None:
        self._settings = settings
        self._emit = emit
        self._canonical = Canonical(_roots(settings), same_process=settings.backend == "both")
        self._tap = LogTap(self._canonical.text)
        self._calls = CallRecorder(self._canonical, self._tap, keep_arguments=settings.confirming)
        self._meter = Meter()
        self._last = self._meter.read()
        self._output: _output.OutputTap | None = None
        self._coverage: BodyCoverage | None = None
        self._standing: list[str] = []
        self._surroundings = Surroundings(self._canonical)
        self._pid = os.getpid()
        self._files = session_files.watch(settings)
        self._forget()

    def start(self, coverage: BodyCoverage | None) -> None:
        """Begins to watch calls, from before the first conftest on."""
        from sky_rs_patch import _testing

        self._coverage = coverage
        _testing.observe(self._calls)

    def emit_to(self, emit: Callable[[str, RunRecord], None]) -> None:
        """Says who gets the records."""
        self._emit = emit

    def leave(self) -> None:
        """This process runs no tests after all."""
        from sky_rs_patch import _testing

        _testing.observe(None)

    def configured(self, config: pytest.Config) -> None:
        """Now the options are known."""
        basetemp = getattr(config.option, "basetemp", None)
        if basetemp:
            # A worker's name depends on chance, and is part of its paths.
            self._canonical.add_root(str(basetemp), "<TMP>")
        if getattr(config.option, "capture", "fd") == "no":
            self._output = _output.OutputTap()

    def _forget(self) -> None:
        self._exceptions: dict[str, list[str]] = {}
        self._warnings: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Notes where proxies stand when the tests begin."""
        self._standing = _standing()
        self._surroundings.start()
        if self._coverage is not None:
            self._coverage.start()
        self._last = self._meter.read()

    @contextlib.contextmanager
    def recording(self, nodeid: str) -> Iterator[None]:
        """Records a test."""
        self._forget()
        changed = self._surroundings.changed()
        self._tap.start()
        self._tap.attach()
        self._calls.start()
        if self._coverage is not None:
            self._coverage.begin()
        try:
            yield
        finally:
            # A test that forks and lets the child go on would have it reported twice.
            if _getpid() == self._pid:
                record = self._record()
                if changed:
                    record["environment"] = changed
                self._emit(nodeid, record)

    def _record(self) -> RunRecord:
        now = self._meter.read()
        added, self._last = now.since(self._last), now
        heard = [record for record in self._tap.heard if not record.foreign]
        foreign = [record.message for record in self._tap.heard if record.foreign]
        main = self._tap.main
        record: RunRecord = {
            "calls": self._calls.take(),
            "exceptions": self._exceptions,
            "logs": [record.line() for record in heard if record.thread == main],
            "thread_logs": [record.line() for record in heard if record.thread != main],
            "racing": self._tap.racing(),
            "foreign_logs": foreign,
            "warnings": self._warnings,
            "resources": added,
        }
        if self._coverage is not None:
            record["bodies"] = self._coverage.end()
        return record

    @contextlib.contextmanager
    def _phase(self) -> Iterator[None]:
        """A phase of a test: what it prints is its own, and so is what it writes."""
        self._files.in_test = True
        try:
            with _output.marked(self._output):
                yield
        finally:
            self._files.in_test = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """Marks what is printed during set-up."""
        with self._phase():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Marks what is printed during the test."""
        # pytest may have put handlers of its own in between.
        self._tap.attach()
        with self._phase():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Marks what is printed during tear-down."""
        # It may be that of a module, if another worker has the module's next test.
        self._calls.shared += 1
        try:
            with self._phase():
                return (yield)
        finally:
            self._calls.shared -= 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """What several tests share is set up in the first of them, which is chance with xdist."""
        shared = fixturedef.scope != "function"
        self._calls.shared += shared
        try:
            return (yield)
        finally:
            self._calls.shared -= shared

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keeps the exception, and under ``-s`` what was printed."""
        report = yield
        if call.excinfo is not None:
            error = call.excinfo.value
            message = self._canonical.text(exception_text(error))
            self._exceptions[call.when] = [type_name(type(error)), message]
        if self._output is not None:
            report.sections += self._output.sections(call.when)
        return report

    def pytest_warning_recorded(self, warning_message: Any, when: str) -> None:
        """Keeps a warning."""
        if when == "runtest":
            category = type_name(warning_message.category)
            message = self._canonical.text(exception_text(warning_message.message))
            self._warnings.append(f"{category}: {message}")

    def worker_report(self) -> WorkerReport:
        """What this process can prove when its session is over."""
        from sky_rs_patch import _testing, status

        _testing.observe(None)
        self._tap.detach()
        if self._output is not None:
            self._output.close()
        static = None
        if self._coverage is not None and self._coverage.started:
            static = self._coverage.static()
            self._coverage.stop()
        now = status()
        return {
            "pid": os.getpid(),
            "backend": self._settings.backend,
            "switch": os.environ.get(_testing.SWITCH_VARIABLE),
            "extension": _testing.build_info(),
            "lost": [
                target
                for target in self._standing
                if now["routes"].get(target, {}).get("state") != "active"
            ],
            "routes": {
                name: {
                    "state": route["state"],
                    "reason": route["reason"],
                    "source": route["source"],
                    "registered_by": route["registered_by"],
                    "first_exception": route["first_exception"],
                }
                for name, route in now["routes"].items()
            },
            "problems": now["problems"],
            # Local processes have left their counts in the arm's folder.
            "counts": None
            if os.environ.get(_testing.COUNTERS_VARIABLE) == str(self._settings.stats)
            else {name: _testing.counters.counts(name)[:3] for name in _testing.counters.targets()},
            "static": static,
            "skypilot": now["skypilot"],
        }


def _standing() -> list[str]:
    import sky_rs_patch

    routes = sky_rs_patch.status(examine=False)["routes"]
    return [target for target, route in routes.items() if route["state"] == "active"]


def _roots(settings: ArmSettings) -> list[tuple[str, str]]:
    roots = [(settings.folder, "<ARM>")]
    for variable, name in (("HOME", "<HOME>"), ("TMPDIR", "<TMPDIR>")):
        if os.environ.get(variable):
            roots.append((os.environ[variable], name))
    return roots


class Protocol:
    """Has every test recorded, together with the warnings that pytest tells of at its end."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Around all that pytest and its plugins do with a test."""
        with self._recorder.recording(item.nodeid):
            return (yield)
