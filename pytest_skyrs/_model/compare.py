"""What of two runs of a test differs."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Union

from pytest_skyrs._model.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_skyrs._model.events import Call
    from pytest_skyrs._model.test_run import TestRun

#: Outcomes of a function's calls by their arguments.
Answers = dict[tuple[str, str], list[str]]
#: Of an observable in one run: a text, or digests.
Value = Union[str, tuple[str, ...]]


class Observable(NamedTuple):
    """Something that is compared.

    Attributes:
        kind: ``call`` (answers to the same arguments), ``sequence`` (which calls were made),
            ``results`` (answers in order), ``outcome``, ``exception``, ``stdout``, ``stderr``,
            ``logs`` (of the test's thread), ``warnings``.
        function: of a call or a sequence.
        args: digest of a call's arguments.
    """

    kind: str
    function: str | None = None
    args: str | None = None


_THREAD_LOGS = "thread logs"
_NUMBER = re.compile(r"<([A-Z ]+)\d+>")
_TEXTS = ("outcome", "exception", "stdout", "stderr", "logs", "warnings")


class Company:
    """What must be known of all runs of a test to look at one of them.

    Attributes:
        racing: threads of one of them went on after it.
    """

    def __init__(self, runs: Iterable[TestRun]) -> None:
        self._runs = list(runs)
        self.racing = any(run.racing for run in self._runs)
        self._messages: set[str] | None = None

    @property
    def messages(self) -> set[str]:
        """Lines that threads logged, in a form that is the same in each run."""
        if self._messages is None:
            self._messages = {
                _unnumbered(normalise(line, Counter()))
                for run in self._runs
                for message in (*run.foreign_logs, *map(_message, run.thread_logs))
                for line in message.splitlines()
                if line.strip()
            }
        return self._messages


class View:
    """A run, with what is compared at hand.

    Args:
        run: the run.
        counts: gets the number of replacements in texts.
        company: of all runs that it is compared with; `differences` sets it for two.
    """

    def __init__(
        self,
        run: TestRun,
        counts: Counter[str] | None = None,
        company: Company | None = None,
    ) -> None:
        self.run = run
        self.company = company or Company([run])
        self.counts: Counter[str] = counts if counts is not None else Counter()
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
        if kind == _THREAD_LOGS:
            return "\n".join(run.thread_logs)
        if kind == "warnings":
            return "\n".join(run.warnings)
        return run.printed(kind)

    def text(self, kind: str) -> str:
        """A text without what depends on the run."""
        if kind not in self._texts:
            text = normalise(self.raw(kind), self.counts)
            if kind in ("stdout", "stderr"):
                text = self._own_lines(text)
            elif kind == _THREAD_LOGS:
                # They come in any order.
                text = "\n".join(sorted(text.splitlines()))
            self._texts[kind] = text
        return self._texts[kind]

    def _own_lines(self, text: str) -> str:
        """What was printed, without what threads logged there: when they do is chance."""
        messages = tuple(self.company.messages)
        if not messages:
            return text
        lines = text.splitlines()
        # A log line is the message, or ends with it.
        kept = [line for line in lines if not _unnumbered(line).endswith(messages)]
        self.counts["thread"] += len(lines) - len(kept)
        return "\n".join(sorted(filter(None, kept)))

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
            and not ("aside" in call and self.company.racing)
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
    python.company = rust.company = Company([python.run, rust.run])
    found = _call_differences(python, rust)
    if _differs(python, rust, _THREAD_LOGS):
        # Log records of a routed call are part of it, in whatever thread it is; what else threads
        # say, and how often, depends on how they are scheduled.
        python.counts["threads' log records"] += 1
    for kind in _TEXTS:
        if _differs(python, rust, kind):
            found.append(Observable(kind))
    return found


def _differs(python: View, rust: View, kind: str) -> bool:
    # Most texts are the same as they are.
    return python.raw(kind) != rust.raw(kind) and python.text(kind) != rust.text(kind)


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


def _message(line: str) -> str:
    """The message of a log record's line."""
    return line.partition(": ")[2]


def _unnumbered(text: str) -> str:
    """Placeholders without their numbers, which depend on the rest of the text."""
    return _NUMBER.sub(r"<\1>", text)


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


def _outcome_text(call: Call) -> str:
    text = call.get("gave", f"outcome {call['outcome']}")
    if "left" in call:
        text += f"\nand left the arguments as {call['left']}"
    if "logs" in call:
        text += "".join(f"\nlogged {line}" for line in call["logs"])
    return text
