"""What the runs of a test on both backends amount to."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from pytest_skyrs._model import compare, verdicts

if TYPE_CHECKING:
    from pytest_skyrs._model.compare import Observable
    from pytest_skyrs._model.test_run import TestRun

#: How many times a difference without a differing call must repeat itself.
ROUNDS = 3
#: The same where Rust has answered nothing in the test.
MOST_ROUNDS = 4


@dataclasses.dataclass
class Finding:
    """An observable that differed, and what became of it."""

    observable: Observable
    verdict: str
    shown: compare.Shown


class Case:
    """A test whose first two runs differ.

    Args:
        python: its run in the first Python arm; ``None`` if it isn't there.
        rust: its run in the first Rust arm.
        all_texts: judge what is printed and logged also where Rust answered nothing.
    """

    def __init__(
        self, python: TestRun | None, rust: TestRun | None, *, all_texts: bool = True
    ) -> None:
        self.python: list[TestRun | None] = [python]
        self.rust: list[TestRun | None] = [rust]
        either = python or rust
        assert either is not None
        self.nodeid, self.key = either.nodeid, either.key
        self.counts: Counter[str] = Counter()
        self.observables: list[Observable] = []
        #: Texts that differ and aren't judged.
        self.unjudged: list[str] = []
        if python is not None and rust is not None:
            self.observables = compare.differences(
                compare.View(python, self.counts), compare.View(rust, self.counts)
            )
            if not all_texts and not rust.rust_calls:
                self._leave_texts_out()

    def _leave_texts_out(self) -> None:
        """If nothing but texts differs, and Rust has answered nothing, it isn't Rust's doing."""
        kinds = [observable.kind for observable in self.observables]
        if set(kinds) <= {"stdout", "stderr", "logs"}:
            self.unjudged = kinds
            self.observables = []

    @property
    def differs(self) -> bool:
        """Whether there is anything to judge."""
        return bool(self.observables) or None in (self.python[0], self.rust[0])

    def add(self, backend: str, run: TestRun | None) -> None:
        """One more run on a backend; ``None`` if the test wasn't there."""
        (self.python if backend == "python" else self.rust).append(run)

    def first_runs(self) -> tuple[TestRun | None, TestRun | None]:
        """The first run on Python, and on Rust, if there is any."""
        python, rust = (
            next((run for run in runs if run is not None), None)
            for runs in (self.python, self.rust)
        )
        return python, rust

    def judge(self) -> list[Finding]:
        """The findings so far, the most telling first."""
        if self.python[0] is None or self.rust[0] is None:
            return [self._judge_presence()]
        company = compare.Company(run for run in (*self.python, *self.rust) if run is not None)
        python = [compare.View(run, None, company) for run in self.python if run is not None]
        rust = [compare.View(run, None, company) for run in self.rust if run is not None]
        crashes = [view.run for view in rust if view.run.crash is not None]
        if crashes and not any(view.run.crash is not None for view in python):
            shown = compare.Shown(
                None,
                None,
                python[0].run.outcome_text,
                crashes[0].outcome_text,
                f"{len(crashes)} of {len(rust)} runs",
                None,
            )
            return [Finding(compare.Observable("crash"), verdicts.CRASHED, shown)]
        findings = []
        for observable in self.observables:
            verdict = self._judge(observable, python, rust)
            pair = _telling_pair(observable, python, rust)
            findings.append(Finding(observable, verdict, compare.show(observable, *pair)))
        findings.sort(key=lambda finding: verdicts.BY_NAME[finding.verdict].severity)
        return findings

    def _judge_presence(self) -> Finding:
        """The test was collected in one arm only."""
        here = [run is not None for run in self.python]
        there = [run is not None for run in self.rust]
        if len(set(here)) > 1:
            verdict = verdicts.FLAKY
        elif len(set(there)) > 1 or len(here) < 2 or len(there) < 2:
            verdict = verdicts.INCONCLUSIVE
        else:
            verdict = verdicts.COLLECTION
        words = {True: "collected", False: "not collected"}
        shown = compare.Shown(None, None, words[here[0]], words[there[0]], "", None)
        return Finding(compare.Observable("collection"), verdict, shown)

    def _judge(
        self, observable: Observable, python: list[compare.View], rust: list[compare.View]
    ) -> str:
        ours = [view.value(observable) for view in python]
        theirs = [view.value(observable) for view in rust]
        if len(set(ours)) > 1:
            return verdicts.FLAKY
        if len(ours) < 2 or len(theirs) < 2:
            # Nothing is called a difference that wasn't seen again.
            return verdicts.INCONCLUSIVE
        if observable.kind == "call" and all(set(ours[0]) < set(value) for value in theirs):
            # To the same arguments, python's answer and another one.
            return verdicts.UNSTABLE
        if ours[0] not in theirs and len(set(theirs)) == 1:
            return verdicts.DIVERGED
        # Rust contradicts itself, or never did it again. That it is Rust's doing shows in a
        # call that got another answer, or when it happens time and again.
        odd = sum(value != ours[0] for value in theirs)
        if observable.kind == "call" or (odd > 1 and self._reached):
            return verdicts.UNSTABLE
        return verdicts.INCONCLUSIVE

    @property
    def _reached(self) -> bool:
        """Whether Rust has answered a call in the test: else it can hardly be Rust's doing."""
        return any(run is not None and run.rust_calls for run in self.rust)

    @property
    def _rounds(self) -> int:
        return ROUNDS if self._reached or self._is_collection else MOST_ROUNDS

    @property
    def _is_collection(self) -> bool:
        """Whether it is about a test, or a module, that is collected on one side only."""
        python, rust = self.python[0], self.rust[0]
        if python is None or rust is None:
            return True
        return python.is_module

    def needs_python(self) -> bool:
        """Whether another Python run would tell more."""
        if len(self.python) == 1:
            return True
        return len(self.python) <= self._rounds and self._is_weak()

    def needs_rust(self) -> bool:
        """Whether another Rust run would tell more."""
        if self.judge()[0].verdict == verdicts.FLAKY:
            return False
        return len(self.rust) == 1 or (len(self.rust) <= self._rounds and self._is_weak())

    def _is_weak(self) -> bool:
        """No call was answered differently: it takes more runs to rule chance out."""
        # What python itself doesn't repeat proves nothing, either.
        findings = [finding for finding in self.judge() if finding.verdict != verdicts.FLAKY]
        if any(finding.observable.kind in ("call", "crash") for finding in findings):
            return False
        return any(
            finding.verdict in (verdicts.DIVERGED, verdicts.UNSTABLE, verdicts.COLLECTION)
            for finding in findings
        )


def _telling_pair(
    observable: Observable, python: list[compare.View], rust: list[compare.View]
) -> tuple[TestRun, TestRun]:
    """Runs that show the difference: of later ones, which have the arguments, if possible."""
    for ours, theirs in zip(reversed(python), reversed(rust)):
        if ours.value(observable) != theirs.value(observable):
            return ours.run, theirs.run
    return python[0].run, rust[0].run


def plain_verdict(python: TestRun, rust: TestRun) -> str:
    """The verdict on a test whose runs don't differ."""
    if python.failed or python.outcome == "stopped":
        return verdicts.SAME_FAIL
    return verdicts.SAME if rust.rust_calls else verdicts.VACUOUS
