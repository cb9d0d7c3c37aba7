"""One test in one arm: what its reports and its record say, ready to be compared."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model import events
from pytest_skyrs._model.schedule import Trail

if TYPE_CHECKING:
    from pytest_skyrs._model.events import Call, Calls, Event, RunRecord

_COLLECTING = "collect"
#: After these phases nothing follows; ``???`` is how plugins name that of a process that died.
_LAST_PHASES = ("teardown", _COLLECTING, "???")

_NO_CALLS: Calls = {
    "table": [],
    "sequence": [],
    "paths": {},
    "threads": 0,
    "nested": {},
}
_NO_RECORD: RunRecord = {
    "calls": _NO_CALLS,
    "exceptions": {},
    "logs": [],
    "thread_logs": [],
    "racing": False,
    "foreign_logs": [],
    "warnings": [],
    "resources": [0, 0, 0, 0],
}


@dataclasses.dataclass
class TestRun:
    """A test in an arm.

    Attributes:
        nodeid: of the test.
        reports: as pytest serialises them, in order.
        record: of our recorder; ``None`` if the process died.
        crash: what is known of a crash.
        occurrence: tells runs of one node id in one session apart; empty for the only one. The
            worker's name with ``--dist=each``, else the number of the run from 2 on.
        context: what ran before it in its process, in a word; see `schedule.Trail`.
    """

    nodeid: str
    reports: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    record: RunRecord | None = None
    crash: str | None = None
    occurrence: str = ""
    context: str = ""

    __test__ = False

    def to_json(self) -> dict[str, Any]:
        """For the store."""
        return dataclasses.asdict(self)

    @property
    def key(self) -> tuple[str, str]:
        """What the other arm's run of the same test has as well."""
        return self.nodeid, self.occurrence

    @property
    def name(self) -> str:
        """The node id, and which run of it if there are several."""
        return f"{self.nodeid} ({self.occurrence})" if self.occurrence else self.nodeid

    @property
    def is_module(self) -> bool:
        """Whether it is the collection of a module, see `module_run`."""
        return bool(self.reports) and self.reports[0].get("when") == _COLLECTING

    @property
    def outcome(self) -> str:
        """How the test ended.

        ``passed``, ``failed``, ``skipped``, ``error``, ``xfailed``, ``xpassed``, ``crashed``, or
        ``stopped`` if the session ended in the middle of it.
        """
        if self.crash is not None:
            return "crashed"
        result = "stopped"
        for report in self.reports:
            outcome, when = report["outcome"], report.get("when")
            if outcome == "rerun":
                continue
            if outcome == "failed":
                if when in ("setup", "teardown"):
                    return "error"
                result = "failed"
            elif "wasxfail" in report:
                result = "xfailed" if outcome == "skipped" else "xpassed"
            elif result not in ("failed", "xfailed", "xpassed") and (
                when == "call" or outcome == "skipped" or result == "stopped"
            ):
                result = outcome
        complete = any(report.get("when") in _LAST_PHASES for report in self.reports)
        return result if complete or result == "failed" else "stopped"

    @property
    def failed(self) -> bool:
        """Whether pytest counts it as failed."""
        return self.outcome in ("failed", "error", "crashed")

    @property
    def seconds(self) -> float:
        """Of all phases."""
        return float(sum(report.get("duration", 0.0) for report in self.reports))

    @property
    def outcome_text(self) -> str:
        """The outcome of each phase."""
        if self.crash is not None:
            return f"crashed: {self.crash}"
        return ", ".join(
            f"{report.get('when')} {report['outcome']}"
            + (f" (xfail: {report['wasxfail']})" if "wasxfail" in report else "")
            + _import_error(report)
            for report in self.reports
        )

    @property
    def _told(self) -> RunRecord:
        return self.record or _NO_RECORD

    @property
    def _calls(self) -> Calls:
        return self._told.get("calls") or _NO_CALLS

    @property
    def exception_text(self) -> str:
        """Type and message of each phase's exception."""
        exceptions = self._told.get("exceptions", {})
        return "\n".join(f"{when}: {kind}: {text}" for when, (kind, text) in exceptions.items())

    def printed(self, stream: str) -> str:
        """What the test printed to ``stdout`` or ``stderr``."""
        # Later reports repeat the sections of earlier ones where pytest captures.
        sections = {
            title: content
            for report in self.reports
            for title, content in report.get("sections", [])
            if title.startswith(f"Captured {stream}")
        }
        return "".join(sections.values())

    @property
    def logs(self) -> list[str]:
        """Log records of the thread that ran the test, a line each."""
        return list(self._told.get("logs", []))

    @property
    def foreign_logs(self) -> list[str]:
        """Messages of threads that earlier tests left."""
        return list(self._told.get("foreign_logs", []))

    @property
    def thread_logs(self) -> list[str]:
        """Log records of threads that the test started, a line each."""
        return list(self._told.get("thread_logs", []))

    @property
    def racing(self) -> bool:
        """Whether threads of the test went on after it."""
        return bool(self._told.get("racing", False))

    @property
    def warnings(self) -> list[str]:
        """Warnings, a line each."""
        return list(self._told.get("warnings", []))

    @property
    def resources(self) -> list[int]:
        """What it left behind; see `pytest_skyrs._arm.resources.Resources`."""
        return list(self._told.get("resources", [0, 0, 0, 0]))

    @property
    def environment(self) -> dict[str, str]:
        """What earlier tests had changed of the environment, by variable."""
        return dict(self._told.get("environment", {}))

    @property
    def bodies(self) -> dict[str, Any]:
        """Lines and branches of originals that ran, if they were measured."""
        return dict(self._told.get("bodies", {}))

    def calls(self) -> list[Call]:
        """Routed calls in the order of their ends."""
        calls = self._calls
        return [calls["table"][index] for index in calls["sequence"]]

    @property
    def call_threads(self) -> int:
        """How many threads made them."""
        return int(self._calls.get("threads", 0))

    @property
    def paths(self) -> dict[str, dict[str, int]]:
        """Calls by function and by what answered."""
        return dict(self._calls.get("paths", {}))

    @property
    def nested(self) -> dict[str, int]:
        """Calls from inside of other routed calls, by function."""
        return dict(self._calls.get("nested", {}))

    @property
    def rust_calls(self) -> int:
        """Calls that Rust answered."""
        return sum(paths.get("rust", 0) for paths in self.paths.values())

    @property
    def python_calls(self) -> int:
        """Calls that the originals answered."""
        return sum(sum(paths.values()) for paths in self.paths.values()) - self.rust_calls


def _import_error(report: dict[str, Any]) -> str:
    """Why a module wasn't collected: the last line that pytest has on it."""
    text = report.get("longrepr")
    if isinstance(text, dict):
        text = (text.get("reprcrash") or {}).get("message")
    if report.get("when") != _COLLECTING or not isinstance(text, str) or not text.strip():
        return ""
    return f": {text.strip().splitlines()[-1].removeprefix('E  ').strip()}"


def module_run(nodeid: str, report: dict[str, Any] | None) -> TestRun:
    """A module's collection in the form of a test.

    Args:
        nodeid: of the module.
        report: on its failure; ``None`` if it was collected.
    """
    if report is None:
        return TestRun(nodeid, [{"when": _COLLECTING, "outcome": "passed"}])
    return TestRun(nodeid, [{**report, "when": _COLLECTING}])


def from_json(data: dict[str, Any]) -> TestRun:
    """What `TestRun.to_json` gave."""
    return TestRun(**data)


class Assembler:
    """Puts together the runs of an arm's tests from its events.

    Args:
        world: what else the tests see that may differ, see `schedule.Trail`.
    """

    def __init__(self, world: str = "") -> None:
        self._world = world
        self._trails: dict[str, Trail] = {}
        self._open: dict[tuple[str, str], TestRun] = {}
        #: Begun on one of several workers, which one isn't told; in order.
        self._begun: dict[str, None] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def take(self, event: Event) -> TestRun | None:
        """A test's run when an event completes it."""
        if isinstance(event, events.Start):
            if event.worker is None:
                self._begun.setdefault(event.nodeid)
            else:
                self._run(event.nodeid, event.worker)
        elif isinstance(event, events.Report):
            report = event.report
            run = self._run(report["nodeid"], event.worker)
            run.reports.append(report)
            if event.died and report["outcome"] != "rerun":
                run.crash = str(report.get("longrepr"))
                return self._done(run, event)
        elif isinstance(event, events.Record):
            run = self._run(event.nodeid, event.worker)
            run.record = event.record
            return self._done(run, event)
        return None

    def unfinished(self) -> list[TestRun]:
        """Tests that began and have no record, in the order in which they began.

        The session is over with that; another one of the same arm may follow.
        """
        begun = [*self._begun, *(nodeid for nodeid, _ in self._open)]
        found = []
        for nodeid in dict.fromkeys(begun):
            runs = [run for key, run in self._open.items() if key[0] == nodeid]
            found += [self._numbered(run, "") for run in runs or [TestRun(nodeid)]]
        if set(self._trails) <= {""}:
            # Without workers it is known what came before.
            trail = self._trails.get("", Trail(self._world))
            for run in found:
                run.context = trail.word()
        self._begun.clear()
        self._open.clear()
        self._trails.clear()
        return found

    def _run(self, nodeid: str, worker: str) -> TestRun:
        return self._open.setdefault((nodeid, worker), TestRun(nodeid))

    def _done(self, run: TestRun, event: events.Report | events.Record) -> TestRun:
        del self._open[run.nodeid, event.worker]
        self._begun.pop(run.nodeid, None)
        trail = self._trails.setdefault(event.worker, Trail(self._world))
        run.context = trail.word()
        trail.add(run.nodeid)
        return self._numbered(run, event.worker if event.each else "")

    def _numbered(self, run: TestRun, place: str) -> TestRun:
        self._counts[run.nodeid, place] += 1
        number = self._counts[run.nodeid, place]
        run.occurrence = " ".join(filter(None, [place, str(number) if number > 1 else ""]))
        return run
