"""One test in one arm: what its reports and its record say, ready to be compared."""

from __future__ import annotations

import dataclasses
from typing import Any

_CRASH_PHASE = "???"


@dataclasses.dataclass
class TestRun:
    """A test in an arm.

    Attributes:
        nodeid: of the test.
        reports: as pytest serialises them, in order.
        record: of our recorder; ``None`` if the process died.
        crash: what is known of a crash.
    """

    nodeid: str
    reports: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    record: dict[str, Any] | None = None
    crash: str | None = None

    __test__ = False

    def to_json(self) -> dict[str, Any]:
        """For the store."""
        return dataclasses.asdict(self)

    @property
    def outcome(self) -> str:
        """``passed``, ``failed``, ``skipped``, ``error``, ``xfailed``, ``xpassed``, ``crashed``."""
        if self.crash is not None:
            return "crashed"
        result = "lost"
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
                when == "call" or outcome == "skipped" or result == "lost"
            ):
                result = outcome
        return result

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
    def exception_text(self) -> str:
        """Type and message of each phase's exception."""
        exceptions = (self.record or {}).get("exceptions", {})
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
        return list((self.record or {}).get("logs", []))

    @property
    def foreign_logs(self) -> list[str]:
        """Messages of threads that earlier tests left."""
        return list((self.record or {}).get("foreign_logs", []))

    @property
    def thread_logs(self) -> list[str]:
        """Log records of threads that the test started, a line each."""
        return list((self.record or {}).get("thread_logs", []))

    @property
    def racing(self) -> bool:
        """Whether threads of the test went on after it."""
        return bool((self.record or {}).get("racing", False))

    @property
    def warnings(self) -> list[str]:
        """Warnings, a line each."""
        return list((self.record or {}).get("warnings", []))

    @property
    def resources(self) -> list[int]:
        """What it left behind; see `pytest_skyrs._arm.resources.Resources`."""
        return list((self.record or {}).get("resources", [0, 0, 0, 0]))

    @property
    def bodies(self) -> dict[str, Any]:
        """Lines and branches of originals that ran, if they were measured."""
        return dict((self.record or {}).get("bodies", {}))

    def calls(self) -> list[dict[str, Any]]:
        """Routed calls in the order of their ends."""
        calls = (self.record or {}).get("calls")
        return [calls["table"][index] for index in calls["sequence"]] if calls else []

    @property
    def call_threads(self) -> int:
        """How many threads made them."""
        return int((self.record or {}).get("calls", {}).get("threads", 0))

    @property
    def paths(self) -> dict[str, dict[str, int]]:
        """Calls by function and by what answered."""
        return dict((self.record or {}).get("calls", {}).get("paths", {}))

    @property
    def nested(self) -> dict[str, int]:
        """Calls from inside of other routed calls, by function."""
        return dict((self.record or {}).get("calls", {}).get("nested", {}))

    @property
    def nanoseconds(self) -> dict[str, int]:
        """Time of the fastest call by function."""
        return dict((self.record or {}).get("calls", {}).get("nanoseconds", {}))

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
    if report.get("when") != "collect" or not isinstance(text, str) or not text.strip():
        return ""
    return f": {text.strip().splitlines()[-1].removeprefix('E  ').strip()}"


def from_json(data: dict[str, Any]) -> TestRun:
    """What `TestRun.to_json` gave."""
    return TestRun(**data)


class Assembler:
    """Puts together the runs of an arm's tests from its events."""

    def __init__(self) -> None:
        self._open: dict[str, TestRun] = {}
        self._started: list[str] = []

    def take(self, event: dict[str, Any]) -> TestRun | None:
        """A test's run when an event completes it."""
        kind = event["event"]
        if kind == "start":
            self._run(event["id"])
            self._started.append(event["id"])
        elif kind == "report":
            report = event["report"]
            run = self._run(report["nodeid"])
            if report.get("when") == _CRASH_PHASE:
                # xdist's word for a test whose worker died.
                run.crash = str(report.get("longrepr"))
                run.reports.append(report)
                return self._done(run)
            run.reports.append(report)
        elif kind == "record":
            run = self._run(event["id"])
            run.record = event["record"]
            return self._done(run)
        return None

    def unfinished(self) -> list[TestRun]:
        """Tests that began and have no record, in the order in which they began."""
        return [self._open[nodeid] for nodeid in self._started if nodeid in self._open]

    def _run(self, nodeid: str) -> TestRun:
        return self._open.setdefault(nodeid, TestRun(nodeid))

    def _done(self, run: TestRun) -> TestRun:
        del self._open[run.nodeid]
        if run.nodeid in self._started:
            self._started.remove(run.nodeid)
        return run
