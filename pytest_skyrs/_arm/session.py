"""Inside an arm: one ordinary pytest session on one backend, which is watched.

The process that runs tests (an xdist worker, or the only one) records them: `Recorder`. The
arm's main process writes down what happens, for the parent to read: `Writer`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

from pytest_skyrs._arm import output as _output
from pytest_skyrs._arm.calls import CallRecorder, exception_text
from pytest_skyrs._arm.logs import LogTap
from pytest_skyrs._arm.record_report import RecordReport
from pytest_skyrs._arm.resources import Meter
from pytest_skyrs._model import other_plugins, session_files
from pytest_skyrs._model.canonical import Canonical, type_name
from pytest_skyrs._model.settings import FOLDER_VARIABLE, ArmSettings
from pytest_skyrs._model.summaries import Teller

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from pytest_skyrs._arm.body_coverage import BodyCoverage

#: Tests replace it.
_getpid = os.getpid

#: The arm that this process belongs to: never two.
_joined: ArmSettings | None = None

#: This process's own folder, if the arm's is on another machine.
_away: str | None = None


class StaleProcess(Exception):
    """This process's modules were loaded for another arm."""


class Refusal:
    """Ends the session of a stale process.

    Raising it earlier would look like a crash to xdist, which then tries the same process again.
    """

    def __init__(self, problem: StaleProcess) -> None:
        self._problem = problem

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Tells xdist's main process."""
        raise self._problem


def join(backend: str, settings: ArmSettings | None = None) -> None:
    """Puts this process on a backend, before SkyPilot is imported.

    Raises:
        pytest.UsageError: if the process can't serve the backend.
        StaleProcess: if it served another arm.
    """
    import sky_rs_patch
    from sky_rs_patch import _testing

    if settings is not None:
        _be_of_one_arm(settings)
        if os.environ.get(FOLDER_VARIABLE) != settings.folder:
            _settle_on_another_machine(settings)
        os.environ.setdefault(_testing.COUNTERS_VARIABLE, str(settings.stats))
    os.environ[_testing.SWITCH_VARIABLE] = "1" if backend == "rust" else "0"
    # What the tests start is on the same backend.
    os.environ[_testing.ACTIVE_VARIABLE] = "1"
    problem = _testing.load_extension().problem
    if problem is not None and (backend == "rust" or settings is not None):
        raise pytest.UsageError(f"the {backend} backend can't be had: {problem}")
    try:
        sky_rs_patch.enable()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _be_of_one_arm(settings: ArmSettings) -> None:
    global _joined
    # Their folders may have the same name.
    if _joined is not None and _joined != settings:
        raise StaleProcess(
            f"process {os.getpid()} served the arm {_joined.name} before, and its modules are "
            f"still loaded; {settings.name} needs a fresh one (a socket server that ends after "
            "one session, started again in a loop)"
        )
    _joined = settings


def _settle_on_another_machine(settings: ArmSettings) -> None:
    """A worker that no parent has prepared makes its own HOME."""
    global _away
    _away = folder = tempfile.mkdtemp(prefix=f"skyrs-{settings.name}-")
    atexit.register(_remove, folder, os.getpid())
    for variable, name in (("HOME", "home"), ("TMPDIR", "tmp")):
        path = Path(folder, name)
        path.mkdir()
        os.environ[variable] = str(path)
    tempfile.tempdir = None
    os.environ[FOLDER_VARIABLE] = settings.folder
    os.environ["SKY_RS_PATCH_STATS_DIR"] = str(Path(folder, "stats"))


def _remove(folder: str, pid: int) -> None:
    # Not by a child that tests have forked.
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def adapt_options(config: pytest.Config, settings: ArmSettings) -> None:
    """Turns off what only the parent may do, and makes random choices repeatable."""
    options = vars(config.option)
    other_plugins.settle_in_arm(config.option, settings)
    if _away is not None:
        options["basetemp"] = str(Path(_away, "tmp", "pytest"))
    fix_seeds(config.option, settings.seed)
    distributes = options.get("numprocesses") or options.get("tx")
    # A worker has the options, too.
    each = options.get("dist") == "each"
    if settings.confirming and distributes and not each and not hasattr(config, "workerinput"):
        # The same file in the same order, as without workers; so is 'each'.
        options["dist"] = "loadfile"


def fix_seeds(option: Any, seed: int) -> None:
    """Gives plugins that choose by chance a seed, unless the user did."""
    options = vars(option)
    for name in ("hypothesis_seed", "--hypothesis-seed"):
        if name in options and options[name] is None:
            options[name] = str(seed)
    if options.get("randomly_seed") == "default":
        options["randomly_seed"] = seed


class Recorder:
    """Watches the tests of this process.

    Args:
        settings: the arm.
        emit: gets a test's node id and its record.
    """

    def __init__(self, settings: ArmSettings, emit: Callable[[str, dict[str, Any]], None]) -> None:
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
        self._pid = os.getpid()
        self._files = session_files.watch(settings)
        self._forget()

    def start(self, coverage: BodyCoverage | None) -> None:
        """Begins to watch calls, from before the first conftest on."""
        from sky_rs_patch import _testing

        self._coverage = coverage
        _testing.observe(self._calls)

    def emit_to(self, emit: Callable[[str, dict[str, Any]], None]) -> None:
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
        if self._coverage is not None:
            self._coverage.start()
        self._last = self._meter.read()

    @contextlib.contextmanager
    def recording(self, nodeid: str) -> Iterator[None]:
        """Records a test."""
        self._forget()
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
                self._emit(nodeid, self._record())

    def _record(self) -> dict[str, Any]:
        now = self._meter.read()
        added, self._last = now.since(self._last), now
        heard = [record for record in self._tap.heard if not record.foreign]
        foreign = [record.message for record in self._tap.heard if record.foreign]
        main = self._tap.main
        record: dict[str, Any] = {
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

    def last_words(self) -> dict[str, Any]:
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
                    key: route[key]
                    for key in ("state", "reason", "source", "registered_by", "first_exception")
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
        self._each = config.getoption("dist", "no") == "each"
        #: Nodes of xdist's reports on workers that died, which look like others.
        self._died: list[object] = []
        self._pid = os.getpid()
        self._count = 0
        # Line by line: a session that is killed leaves all but its last line.
        self._file = settings.events.open("a", encoding="ascii", buffering=1)

    def write(self, event: str, **content: object) -> None:
        """Appends an event."""
        self._write_line(json.dumps({"event": event, **content}, default=repr))

    def _write_line(self, line: str) -> None:
        # A child that a test forked, and that came back out of the test, goes through the rest of
        # the session as well; only the process that began it speaks for it.
        if _getpid() == self._pid:
            self._count += 1
            self._file.write(line + "\n")

    def record(self, nodeid: str, record: dict[str, Any]) -> None:
        """A test is over, and this is its record."""
        self.write("record", id=nodeid, record=record)

    def _report(self, event: str, report: pytest.CollectReport | pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        # xdist's: the worker itself.
        data.pop("node", None)
        self.write(event, report=data, **self._place(report))

    def _place(self, report: object) -> dict[str, object]:
        """Which worker a report is from, if there are some."""
        node = getattr(report, "node", None)
        if node is None:
            return {}
        place: dict[str, object] = {"worker": node.gateway.id}
        if self._each:
            place["each"] = True
        if report in self._died:
            self._died.remove(report)
            place["died"] = True
        return place

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module could not be collected, or was skipped."""
        if not report.passed:
            self._report("collectreport", report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Names the tests."""
        self._name([item.nodeid for item in session.items])

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Some won't run; workers of xdist keep that to themselves."""
        self.write("deselected", count=len(items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Names the tests, as the first worker has them."""
        self._name(ids)

    def _name(self, ids: list[str]) -> None:
        # With xdist the main process finishes its own, empty collection first.
        if not self._collected and (ids or self._recorder is not None):
            self._collected = True
            for nodeid in ids:
                self.write("item", id=nodeid)
            self.write("collected", count=len(ids))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self.write("start", id=nodeid, **({} if self._recorder is not None else {"worker": None}))

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """A worker died in a test; xdist passes its report on next."""
        self._died.append(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over, or a worker has sent its record."""
        if isinstance(report, RecordReport):
            self._write_line(report.line(self._place(report)))
        else:
            self._report("report", report)

    def pytest_warning_recorded(
        self, warning_message: Any, when: str, nodeid: str, location: object
    ) -> None:
        """For the parent's summary; xdist passes on those of workers."""
        self.write(
            "warning",
            category=type_name(warning_message.category),
            message=exception_text(warning_message.message),
            filename=warning_message.filename,
            lineno=warning_message.lineno,
            when=when,
            id=nodeid,
            location=location,
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker is done, or dead."""
        words = getattr(node, "workeroutput", {}).get("skyrs")
        self.write("worker", id=node.gateway.id, error=error and str(error), words=words)

    def pytest_internalerror(self, excrepr: object) -> None:
        """Pytest itself, or a plugin, failed."""
        self.write("internalerror", text=str(excrepr))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Something ended the session: Ctrl-C, ``pytest.exit``, ``session.shouldstop``."""
        crash = getattr(excinfo.getrepr(), "reprcrash", None)
        self.write("interrupt", text=str(getattr(crash, "message", None) or excinfo.exconly()))

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
            words = self._recorder.last_words() if self._recorder is not None else None
            if words is not None:
                self.write("worker", id="main", error=None, words=json.dumps(words))
            self.write(
                "finish",
                exit=int(session.exitstatus),
                stop=str(session.shouldfail or session.shouldstop or ""),
                error=error,
                events=self._count + 1,
            )

    def _summary(self, plugin: str, text: str, first: bool) -> None:
        self.write("summary", plugin=plugin, text=text, first=first)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_unconfigure(self) -> Generator[None, object, object]:
        """Nothing follows once all other plugins have done what they do then."""
        try:
            return (yield)
        finally:
            self.write("over")
            self._file.close()


class Remote:
    """In a worker of xdist: sends its process's last words to the main process."""

    def __init__(self, config: pytest.Config, recorder: Recorder) -> None:
        self._config = config
        self._recorder = recorder

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Xdist sends what is in ``workeroutput`` after this."""
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
        output["skyrs"] = json.dumps(self._recorder.last_words())


class Selection:
    """Leaves out tests that this arm isn't to run."""

    def __init__(self, settings: ArmSettings) -> None:
        self._tests = None if settings.tests is None else set(settings.tests)
        self._files = {nodeid.partition("::")[0] for nodeid in settings.tests or ()}
        self._skip: Counter[str] = Counter()
        # On another machine it isn't there: what is run again isn't compared again.
        if settings.skip is not None and Path(settings.skip).exists():
            lines = Path(settings.skip).read_text(encoding="ascii").splitlines()
            self._skip.update(json.loads(line) for line in lines)

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Spares importing modules whose tests aren't wanted."""
        if self._tests is None or not collection_path.is_file():
            return None
        wanted = (config.rootpath / file for file in self._files)
        return None if collection_path in wanted else True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves out the others, also those that were named on the command line."""
        left = self._skip.copy()
        kept = []
        for item in items:
            if left[item.nodeid] > 0:
                # Of a node id that is there twice, as many as have run.
                left[item.nodeid] -= 1
            else:
                kept.append(item)
        items[:] = kept
        if self._tests is not None:
            # What comes before a test may matter to it, what comes after doesn't.
            last = {
                item.nodeid.partition("::")[0]: position
                for position, item in enumerate(items)
                if item.nodeid in self._tests
            }
            items[:] = [
                item
                for position, item in enumerate(items)
                if position <= last.get(item.nodeid.partition("::")[0], -1)
            ]
