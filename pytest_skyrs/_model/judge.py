"""What the runs of a test on both backends amount to."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from pytest_skyrs._model import compare, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_skyrs._model.compare import Observable
    from pytest_skyrs._model.test_run import TestRun

    #: Values on Python and on Rust, by what ran before in the same process.
    _Worlds = dict[str, tuple[list[compare.Value], list[compare.Value]]]

#: Too weak to have the whole session run again for them.
_TEXTS = ("stdout", "stderr", "logs", "warnings")

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
        #: How many runs there were when the present way of confirming began.
        self._before = {"python": 1, "rust": 1}
        self._open = True
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

    def go_on(self, *, whole: bool) -> None:
        """Another way of confirming begins.

        Args:
            whole: all tests that came before it in its process run again as well: for what the
                way before that, with those of its file alone, has left open.
        """
        self._before = {"python": len(self.python), "rust": len(self.rust)}
        self._open = not whole or self._is_open()

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
            worlds = _worlds(observable, python, rust)
            if self._is_explained_by_order(worlds):
                continue
            verdict = self._judge(observable, worlds)
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

    def _is_explained_by_order(self, worlds: _Worlds) -> bool:
        """Whether Rust ran after other tests first, and agrees with Python after the same ones."""
        python, rust = self.python[0], self.rust[0]
        assert python is not None
        assert rust is not None
        if python.context == rust.context:
            return False
        ours, theirs = worlds[python.context]
        return bool(theirs) and set(ours) == set(theirs) and len(set(ours)) == 1

    def _judge(self, observable: Observable, worlds: _Worlds) -> str:
        # Runs after other tests may differ for that reason: each is held against its like.
        pairs = [pair for pair in worlds.values() if pair[0]]
        if any(len(set(ours)) > 1 for ours, _ in pairs):
            return verdicts.FLAKY
        if not any(theirs for _, theirs in pairs):
            # They never ran after the same tests: Rust dies on one of these, say.
            pairs = [([], [])]
            for ours, theirs in worlds.values():
                pairs[0][0].extend(ours)
                pairs[0][1].extend(theirs)
            if len(set(pairs[0][0])) > 1:
                return verdicts.INCONCLUSIVE
        # Where Python is the same after other tests, too, the evidence adds up.
        alike: dict[compare.Value, tuple[list[compare.Value], list[compare.Value]]] = {}
        for ours, theirs in pairs:
            both = alike.setdefault(ours[0], ([], []))
            both[0].extend(ours)
            both[1].extend(theirs)
        found = {self._judge_alike(observable, *pair) for pair in (*pairs, *alike.values())}
        order = (verdicts.DIVERGED, verdicts.UNSTABLE, verdicts.INCONCLUSIVE)
        return next(verdict for verdict in order if verdict in found)

    def _judge_alike(
        self, observable: Observable, ours: list[compare.Value], theirs: list[compare.Value]
    ) -> str:
        """The verdict on runs of which Python's are all the same."""
        if len(ours) < 2 or len(theirs) < 2:
            # Nothing is called a difference that wasn't seen again.
            return verdicts.INCONCLUSIVE
        if set(theirs) == {ours[0]}:
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
        return self._needs("python", self.python, 0)

    def needs_rust(self) -> bool:
        """Whether another Rust run would tell more."""
        findings = self.judge()
        if not findings or findings[0].verdict == verdicts.FLAKY:
            return False
        return self._needs("rust", self.rust, 1)

    def _needs(self, backend: str, runs: list[TestRun | None], side: int) -> bool:
        done = len(runs) - self._before[backend]
        if not self._open or done >= self._rounds:
            return False
        return done == 0 or self._is_weak() or self._is_single(side)

    def _is_single(self, side: int) -> bool:
        """Whether a run differs from Python's first one, and is the only one after its tests.

        Args:
            side: 0 for a run on Python, 1 for one on Rust.
        """
        first = self.python[0]
        if first is None or self.rust[0] is None:
            return False
        for observable, worlds in self._all_worlds():
            if self._judge(observable, worlds) in (verdicts.FLAKY, verdicts.DIVERGED):
                continue
            value = worlds[first.context][0][0]
            for context, (ours, theirs) in worlds.items():
                if context == first.context or not ours or ours[0] == value:
                    continue
                if side == 0 and len(ours) == 1:
                    return True
                if side == 1 and len(theirs) == 1 and theirs[0] != ours[0]:
                    return True
        return False

    def _is_open(self) -> bool:
        """Whether what came before in other files may explain what is seen so far."""
        first = self.python[0]
        if first is None or self.rust[0] is None or self._is_collection:
            return False
        for observable, worlds in self._all_worlds():
            weak = observable.kind in _TEXTS
            if weak or self._judge(observable, worlds) in (verdicts.FLAKY, verdicts.DIVERGED):
                continue
            if not self._is_explained_by_order(worlds) and min(map(len, worlds[first.context])) < 2:
                return True
        return False

    def _all_worlds(self) -> Iterator[tuple[Observable, _Worlds]]:
        python = [compare.View(run) for run in self.python if run is not None]
        rust = [compare.View(run) for run in self.rust if run is not None]
        company = compare.Company(view.run for view in (*python, *rust))
        for view in (*python, *rust):
            view.company = company
        for observable in self.observables:
            yield observable, _worlds(observable, python, rust)

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


def _worlds(
    observable: Observable, python: Iterable[compare.View], rust: Iterable[compare.View]
) -> _Worlds:
    """Values of an observable on Python and on Rust, by what ran before."""
    worlds: _Worlds = {}
    for side, views in enumerate((python, rust)):
        for view in views:
            worlds.setdefault(view.run.context, ([], []))[side].append(view.value(observable))
    return worlds


def _telling_pair(
    observable: Observable, python: list[compare.View], rust: list[compare.View]
) -> tuple[TestRun, TestRun]:
    """Runs that show the difference: of later ones, which have the arguments, if possible."""
    together = [*zip(reversed(python), reversed(rust))]
    alike = [pair for pair in together if pair[0].run.context == pair[1].run.context]
    for ours, theirs in (*alike, *together):
        if ours.value(observable) != theirs.value(observable):
            return ours.run, theirs.run
    return python[0].run, rust[0].run


def plain_verdict(python: TestRun, rust: TestRun) -> str:
    """The verdict on a test whose runs don't differ."""
    if python.failed or python.outcome == "stopped":
        return verdicts.SAME_FAIL
    return verdicts.SAME if rust.rust_calls else verdicts.VACUOUS
