"""Adds up what a double run has found."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model import verdicts
from pytest_skyrs._report.causes import Causes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_skyrs._controller.arm_process import Arm
    from pytest_skyrs._controller.store import Store
    from pytest_skyrs._model.judge import Finding
    from pytest_skyrs._model.test_run import TestRun
    from pytest_skyrs._report.causes import Cause

#: 2: a difference that many tests have alike is one entry of ``divergences``.
SCHEMA = 2
#: Why it isn't known what became of a route.
NOBODY = "no process told of it"
_RESOURCES = ("open files", "threads", "child processes", "memory")
#: Bytes of resident memory that a test may add on Rust beyond what it adds on Python.
_MEMORY_SLACK = 8 << 20
_SHOWN_RESOURCES = 200


class Results:
    """Counts and lists over all tests.

    Attributes:
        counts: tests by verdict.
        normalised: replacements in texts by kind.
        noise: tests by what Python doesn't repeat in them.
        unjudged: tests that Rust has no part in by texts that differ in them.
        causes: of the differences.
        calls_diverged: differing calls by function.
        resources: what tests left behind on Rust and not on Python.
        reached: tests by function that Rust answered in them.
        growth: bytes that all tests together added to their processes, by backend.
        durations: seconds that the tests took, by backend.
        bodies: lines and branches of originals that tests with the same result ran.
        bypassed: tests by function whose body ran on Rust without a call of its proxy.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.counts: Counter[str] = Counter()
        self.normalised: Counter[str] = Counter()
        self.noise: Counter[str] = Counter()
        self.unjudged: Counter[str] = Counter()
        self.causes = Causes()
        self._tests = 0
        self.calls_diverged: Counter[str] = Counter()
        self.resources: list[dict[str, Any]] = []
        self.reached: Counter[str] = Counter()
        self.growth: Counter[str] = Counter()
        self.durations: Counter[str] = Counter()
        self.bodies: dict[str, dict[str, Any]] = {}
        self.bypassed: dict[str, list[str]] = {}

    def add(
        self,
        verdict: str,
        python: TestRun | None,
        rust: TestRun | None,
        findings: list[Finding],
        known: dict[str, str] | None,
    ) -> list[dict[str, Any]]:
        """Counts a test; gives its differences, with ids."""
        self.counts[verdict] += 1
        either = python or rust
        assert either is not None
        if python is not None and rust is not None:
            self._compare_costs(python, rust)
        if verdict in (verdicts.SAME, verdicts.SAME_FAIL, verdicts.VACUOUS):
            self._add_bodies(python, rust)
        found = []
        if verdict != verdicts.FLAKY:
            changed = _changed_environment(python, rust) if findings else []
            for finding in findings:
                if finding.verdict != verdicts.FLAKY:
                    found.append(self._find_cause(either.nodeid, finding, known, changed))
        noise = [
            finding.observable.kind for finding in findings if finding.verdict == verdicts.FLAKY
        ]
        self.noise.update(noise)
        self._store.add_verdict(
            {
                "id": either.nodeid,
                "verdict": verdict,
                "outcome": {
                    "python": python.outcome if python else None,
                    "rust": rust.outcome if rust else None,
                },
                "seconds": {
                    "python": round(python.seconds, 6) if python else None,
                    "rust": round(rust.seconds, 6) if rust else None,
                },
                "calls": {
                    "rust": rust.rust_calls if rust else 0,
                    "python": rust.python_calls if rust else 0,
                },
                "functions": sorted((rust or either).paths),
                "noise": noise,
                "divergences": list(dict.fromkeys(cause.first["id"] for cause, _ in found)),
            }
        )
        self._tests += 1
        return [difference for _, difference in found]

    def _find_cause(
        self, test: str, finding: Finding, known: dict[str, str] | None, changed: list[str]
    ) -> tuple[Cause, dict[str, Any]]:
        function = finding.shown.function
        if function is not None and finding.verdict != verdicts.INCONCLUSIVE:
            self.calls_diverged[function] += finding.observable.kind == "call"
        difference = {**divergence("", test, finding), "known": known}
        return self.causes.add(self._tests, difference, changed)

    def plain_rows(self) -> Iterator[dict[str, Any]]:
        """The report's lines, a test each, with the ids of its differences."""
        return self._store.verdicts()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The same with the differences, as far as they are kept."""
        for row in self.plain_rows():
            yield {**row, "divergences": self.causes.of(row)}

    def _compare_costs(self, python: TestRun, rust: TestRun) -> None:
        for name, run in (("python", python), ("rust", rust)):
            self.growth[name] += run.resources[3]
            self.durations[name] += run.seconds  # type: ignore[assignment]
        for function, paths in rust.paths.items():
            if paths.get("rust"):
                self.reached[function] += 1
        if python.racing or not rust.rust_calls:
            # What threads hold when the test ends is chance, and where Rust did nothing it left
            # nothing behind.
            return
        for what, ours, theirs in zip(_RESOURCES, python.resources, rust.resources):
            slack = _MEMORY_SLACK if what == "memory" else 0
            if theirs - max(ours, 0) > slack and len(self.resources) < _SHOWN_RESOURCES:
                self.resources.append(
                    {"test": rust.nodeid, "what": what, "python": ours, "rust": theirs}
                )

    def _add_bodies(self, python: TestRun | None, rust: TestRun | None) -> None:
        """Which lines of originals ran in tests that gave the same on both."""
        for function, body in (python.bodies if python else {}).items():
            known = self.bodies.setdefault(function, {"lines": set(), "arcs": set()})
            known["lines"].update(body["lines"])
            known["arcs"].update(map(tuple, body["arcs"]))
        if rust is None:
            return
        for function in rust.bodies:
            paths = Counter(rust.paths.get(function, {}))
            if sum(paths.values()) - paths["rust"] + rust.nested.get(function, 0) == 0:
                self.bypassed.setdefault(function, []).append(rust.nodeid)

    @property
    def compared(self) -> int:
        """Tests that ran on both."""
        return sum(self.counts.values()) - self.counts[verdicts.NOT_COMPARED]


def divergence(identifier: str, test: str, finding: Finding) -> dict[str, Any]:
    """A finding as it is reported."""
    shown = finding.shown
    return {
        "id": identifier,
        "test": test,
        "verdict": finding.verdict,
        "observable": finding.observable.kind,
        "function": shown.function,
        "arguments": shown.arguments,
        "python": shown.python,
        "rust": shown.rust,
        "detail": shown.detail,
        "known": None,
        "repro": None,
        "pickle": shown.pickle,
    }


def _changed_environment(python: TestRun | None, rust: TestRun | None) -> list[str]:
    """Variables that earlier tests had left otherwise on one side when this one began."""
    if python is None or rust is None:
        return []
    ours, theirs = python.environment, rust.environment
    return sorted(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))


def plural(count: int, noun: str) -> str:
    """``1 test``, ``2 tests``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def routes(
    results: Results, python: list[Arm], rust: list[Arm]
) -> tuple[dict[str, Any], list[str]]:
    """The table of routes over the whole Rust arm, and the routes that it never reached.

    Registered routes come first: whoever has some asks for them.
    """
    from sky_rs_patch._testing import counters

    states: dict[str, dict[str, Any]] = {}
    rust = [arm for arm in rust if arm.settings.round == 1]
    for arm in rust:
        for words in arm.words.values():
            for name, route in words["routes"].items():
                best = states.get(name)
                first = route["first_exception"] or (best and best["first_exception"])
                if best is None or (best["state"] != "active" and route["state"] == "active"):
                    states[name] = best = dict(route)
                best["first_exception"] = first
    totals: dict[str, Any] = {}
    for arm in rust:
        for name, counted in arm.counts().items():
            calls = counted["calls"]
            into = totals.setdefault(name, counters.empty())
            counters.merge(into, calls["rust"], calls["python"], counted["declines"])
            into["first_exception"] = into["first_exception"] or counted["first_exception"]
    table: dict[str, Any] = {}
    unknown = {"state": "inactive", "reason": NOBODY, "source": "built-in"}
    unknown["registered_by"] = None  # type: ignore[assignment]
    names = dict.fromkeys([*states, *totals])
    for name in sorted(names, key=lambda name: states.get(name, unknown)["source"] == "built-in"):
        counted = totals.get(name, counters.empty())
        state = states.get(name, {**unknown, "first_exception": None})
        table[name] = {
            "state": state["state"],
            "reason": state["reason"],
            "source": state["source"],
            "registered": state["source"] != "built-in",
            "registered_by": state["registered_by"],
            "first_exception": state["first_exception"] or counted["first_exception"],
            "rust": counted["calls"]["rust"],
            "python": counted["calls"]["python"],
            "declines": counted["declines"],
            "tests": results.reached[name],
            "coverage": None,
        }
    coverage = body_coverage(results, python)
    for name, body in coverage.items():
        if name in table:
            table[name]["coverage"] = {**body, "bypassed": results.bypassed.get(name, [])}
    never = [
        name for name, route in table.items() if route["state"] == "active" and route["rust"] == 0
    ]
    return table, never


def body_coverage(results: Results, python: list[Arm]) -> dict[str, Any]:
    """What of each original the compared tests ran, if that was measured."""
    from pytest_skyrs._arm import body_coverage as _body_coverage

    static: dict[str, Any] = {}
    for arm in python:
        for words in arm.words.values():
            static.update(words.get("static") or {})
    return {
        name: _body_coverage.summarise(
            results.bodies.get(name, {"lines": set(), "arcs": set()}), described
        )
        for name, described in static.items()
    }


def closing_line(results: Results, problem: str | None) -> str:
    """The verdicts in one line."""
    counts = results.counts
    parts = [f"{results.compared} compared"]
    for verdict in verdicts.ALL:
        if not counts[verdict] and verdict not in (verdicts.SAME, verdicts.DIVERGED):
            continue
        part = f"{counts[verdict]} {verdict}"
        if verdict == verdicts.DIVERGED and results.calls_diverged:
            calls = sum(results.calls_diverged.values())
            functions = len(results.calls_diverged)
            part += f" ({plural(calls, 'call')} of {plural(functions, 'function')})"
        parts.append(part)
    python, rust = results.durations["python"], results.durations["rust"]
    line = f"skyrs: {', '.join(parts)}"
    if python > 0 and rust > 0:
        line += f"; tests took {python:.1f} s on python, {rust:.1f} s on rust"
    return f"{line}; {problem}" if problem else line
