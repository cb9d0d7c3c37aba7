"""What of two runs of a test differs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Union

from pytest_skyrs._normalise import normalise

if TYPE_CHECKING:
    from pytest_skyrs._run import TestRun

#: Outcomes of a function's calls by their arguments.
Answers = dict[tuple[str, str], list[str]]
#: Of an observable in one run: a text, or digests.
Value = Union[str, tuple[str, ...]]


class Observable(NamedTuple):
    """Something that is compared.

    Attributes:
        kind: ``call`` (answers to the same arguments), ``sequence`` (which calls were made),
            ``results`` (answers in order), ``outcome``, ``exception``, ``stdout``, ``stderr``,
            ``logs`` (of the test's thread), ``thread logs`` (of others that it started),
            ``warnings``.
        function: of a call or a sequence.
        args: digest of a call's arguments.
    """

    kind: str
    function: str | None = None
    args: str | None = None


_TEXTS = ("outcome", "exception", "stdout", "stderr", "logs", "thread logs", "warnings")


class View:
    """A run, with what is compared at hand."""

    def __init__(self, run: TestRun, counts: Counter[str] | None = None) -> None:
        self.run = run
        self._counts: Counter[str] = counts if counts is not None else Counter()
        self._answers: Answers | None = None
        self._texts: dict[str, str] = {}

    @property
    def answers(self) -> Answers:
        """Outcomes of calls by function and arguments."""
        if self._answers is None:
            self._answers = {}
            for call in self.run.calls():
                key = (call["function"], call["args"])
                self._answers.setdefault(key, []).append(call["outcome"])
        return self._answers

    def raw(self, kind: str) -> str:
        """A text as it was."""
        run = self.run
        if kind == "outcome":
            return run.outcome_text
        if kind == "exception":
            return run.exception_text
        if kind == "logs":
            return "\n".join(run.logs)
        if kind == "thread logs":
            return "\n".join(run.thread_logs)
        if kind == "warnings":
            return "\n".join(run.warnings)
        return run.printed(kind)

    def text(self, kind: str) -> str:
        """A text without what depends on the run."""
        if kind not in self._texts:
            text = self.raw(kind)
            if kind in ("stdout", "stderr"):
                text = self._own_lines(text)
            text = normalise(text, self._counts)
            if kind == "thread logs" or (kind in ("stdout", "stderr") and self.run.thread_logs):
                # They come in any order.
                text = "\n".join(sorted(text.splitlines()))
            self._texts[kind] = text
        return self._texts[kind]

    def _own_lines(self, text: str) -> str:
        """What was printed, without what threads logged there whose time is chance.

        Those that earlier tests left, and the test's own if they outlive it.
        """
        messages = list(self.run.foreign_logs)
        if self.run.racing:
            messages += [line.partition(": ")[2] for line in self.run.thread_logs]
        racing = Counter(line for message in messages for line in message.splitlines() if line)
        if not racing:
            return text
        kept = []
        for line in text.splitlines():
            # A log line is the message, or ends with it.
            match = next((known for known in racing if line.endswith(known)), None)
            if match is None or not racing[match]:
                kept.append(line)
            else:
                racing[match] -= 1
                self._counts["racing thread"] += 1
        return "\n".join(kept)

    def value(self, observable: Observable) -> Value:
        """What an observable was in this run; equal values are the same."""
        kind, function = observable.kind, observable.function
        if kind == "call":
            return tuple(sorted(set(self.answers.get((function or "", observable.args or ""), ()))))
        calls = [
            call
            for call in self.run.calls()
            if call["function"] == function
            and "shared" not in call
            and not ("aside" in call and self.run.racing)
        ]
        if kind == "sequence":
            made = [call["args"] for call in calls]
            return tuple(sorted(made) if self.run.call_threads > 1 else made)
        if kind == "results":
            given = [call["outcome"] for call in calls]
            return tuple(sorted(given) if self.run.call_threads > 1 else given)
        return self.text(kind)


def differences(python: View, rust: View) -> list[Observable]:
    """What differs between two runs, calls first."""
    found = _call_differences(python, rust)
    racing = python.run.racing or rust.run.racing
    for kind in _TEXTS:
        if kind == "thread logs" and racing:
            continue
        if python.raw(kind) != rust.raw(kind) and python.text(kind) != rust.text(kind):
            found.append(Observable(kind))
    return found


def _call_differences(python: View, rust: View) -> list[Observable]:
    # Most tests make no routed call, or the very same ones.
    if python.run.record is None or rust.run.record is None:
        return []
    ours, theirs = python.run.record["calls"], rust.run.record["calls"]
    if not ours["sequence"] and not theirs["sequence"]:
        return []
    found = []
    functions: dict[str, None] = {}
    for key, answers in python.answers.items():
        functions[key[0]] = None
        if key in rust.answers and set(answers) != set(rust.answers[key]):
            found.append(Observable("call", *key))
    functions.update(dict.fromkeys(function for function, _ in rust.answers))
    for function in functions:
        sequence = Observable("sequence", function)
        if python.value(sequence) != rust.value(sequence):
            found.append(sequence)
            results = Observable("results", function)
            if python.value(results) != rust.value(results):
                found.append(results)
    return found


class Shown(NamedTuple):
    """A difference for people."""

    function: str | None
    arguments: str | None
    python: str
    rust: str
    detail: str
    pickle: str | None


def show(observable: Observable, python: TestRun, rust: TestRun) -> Shown:
    """Both sides of a difference."""
    kind, function = observable.kind, observable.function
    if kind == "call":
        return _show_call(observable, python, rust)
    if kind in ("sequence", "results"):
        sides = [
            "\n".join(
                f"{call.get('called', call['args'])} {call.get('gave', call['outcome'])}"
                for call in run.calls()
                if call["function"] == function
            )
            for run in (python, rust)
        ]
        what = "other calls were made" if kind == "sequence" else "other answers in order"
        return Shown(function, None, sides[0], sides[1], what, None)
    return Shown(None, None, View(python).raw(kind), View(rust).raw(kind), "", None)


def _show_call(observable: Observable, python: TestRun, rust: TestRun) -> Shown:
    sides = []
    arguments = pickled = None
    detail = ""
    other = View(python).answers.get((observable.function or "", observable.args or ""), [])
    for run in (python, rust):
        given: dict[str, str] = {}
        total = odd = 0
        for position, call in enumerate(run.calls(), 1):
            if (call["function"], call["args"]) != (observable.function, observable.args):
                continue
            total += 1
            arguments = arguments or call.get("called")
            pickled = pickled or call.get("pickle")
            if run is rust and call["outcome"] not in other:
                odd += 1
                detail = detail or f"call {position} of the test"
            given.setdefault(call["outcome"], _outcome_text(call))
        if run is rust and total > 1 and odd:
            detail += f"; {odd} of {total} such calls"
        sides.append("\n".join(given.values()))
    return Shown(observable.function, arguments, sides[0], sides[1], detail, pickled)


def _outcome_text(call: dict[str, str | list[str]]) -> str:
    text = str(call.get("gave", f"outcome {call['outcome']}"))
    if "left" in call:
        text += f"\nand left the arguments as {call['left']}"
    if "logs" in call:
        text += "".join(f"\nlogged {line}" for line in call["logs"])
    return text
