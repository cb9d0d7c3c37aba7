"""The end of an arm's session: the exit code that a shell shows, and what ended it.

Plain pytest ends as the Python arm did, so the double run takes its exit code from there. What
the session says of itself (its closing event) isn't enough: a process can end without one, or
otherwise than its session did.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_skyrs._controller.arm_process import Arm
    from pytest_skyrs._model.test_run import TestRun

Phase = Literal["setup", "call", "teardown"]


@dataclasses.dataclass(frozen=True)
class Ending:
    """How an arm's session ended.

    Attributes:
        name: of the arm.
        code: of its process, 128 and more for a signal.
        reason: what ended it otherwise than by the end of its tests, if anything did.
        died: whether its process ended without pytest's doing.
        after_tests: whether something ended its process when its tests were over, whatever their
            outcomes: the end of its session, a plugin then, or an exit handler.
    """

    name: str
    code: int
    reason: str | None
    died: bool
    after_tests: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it is pytest's word for a session without tests."""
        own = not (self.died or self.after_tests)
        return own and self.code == pytest.ExitCode.NO_TESTS_COLLECTED

    def describe(self) -> str:
        """The end in words."""
        if self.died and self.reason:
            return f"the {self.name} arm {self.reason}"
        reason = f" ({self.reason})" if self.reason else ""
        return f"the {self.name} arm ended with exit code {self.code}{reason}"


def of(arm: Arm, unfinished: Sequence[TestRun]) -> Ending:
    """How an arm ended that is over.

    Args:
        arm: the arm.
        unfinished: tests that began and weren't over.
    """
    finished = arm.finished or {}
    name = arm.settings.backend
    status = finished.get("exit")
    if status is None:
        return Ending(name, 1, f"is lost: {arm.problem}", died=True)
    code = status if status >= 0 else 128 - status
    if arm.finish is None and arm.interrupt is None and not arm.internal_errors:
        usage = arm.collected is None and code == pytest.ExitCode.USAGE_ERROR
        if not usage and not finished.get("stopped"):
            reason = f"{how(arm)} {_where(arm, unfinished)}"
            after = arm.collected is not None and not unfinished
            return Ending(name, code, reason, died=True, after_tests=after)
    finish = arm.finish
    after = finish is not None and bool(finish.error or finish.exit != code or not arm.over)
    return Ending(name, code, _reason(arm, code), died=False, after_tests=after)


def exit_code(own: int, python: Sequence[Ending], *, bad: bool) -> int:
    """The exit code of a double run: plain pytest's, or a worse one.

    Args:
        own: of the session that the user started.
        python: how the Python arm's sessions ended; none if this session was cut short.
        bad: whether there is a reason to fail that is not the Python arm's.
    """
    told = next((ending for ending in python if ending.code), None)
    if told is not None and not told.is_empty:
        return told.code
    # A test in which the process ended has failed, whatever the code with which it ended.
    bad = bad or any(ending.died and not ending.after_tests for ending in python)
    if told is None and not bad and python and python[-1].after_tests:
        # Its tests may have failed: something made it end well all the same.
        return 0
    if own in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        if bad:
            return int(pytest.ExitCode.TESTS_FAILED)
        return told.code if told is not None else own
    # What only this session knows of: differences, and plugins that judge at the end.
    return own


def describe(
    python: Sequence[Ending], not_run: int, *, failed: bool, reason: str | None = None
) -> str | None:
    """What ended the Python arm otherwise than by its tests, for the closing line.

    Args:
        python: how its sessions ended.
        not_run: tests that it collected and that never ran.
        failed: whether a test of it failed.
        reason: what ended this session before it, if something did.
    """
    told = next((ending for ending in python if ending.reason), None)
    if told is None:
        # Its own hooks can give it any.
        odd = (ending for ending in python if ending.code > 5 or (ending.code == 1 and not failed))
        told = next(odd, None)
    if not not_run:
        return told.describe() if told is not None else None
    tests = f"{not_run} test{'s' * (not_run != 1)} never ran"
    if reason is None:
        reason = told.describe() if told is not None else "nothing says why"
    return f"{tests}: {reason}"


def is_silent(python: Sequence[Ending]) -> bool:
    """Whether the Python arm ended as if all were well, and not by what a test asked for."""
    return not any(ending.code > 1 or (ending.reason and not ending.died) for ending in python)


def unexplained(python: Ending, rust: Ending, failed: Sequence[int]) -> str | None:
    """What differs in how the first sessions of both arms ended, unless tests explain it.

    Args:
        python: the Python arm's end.
        rust: the Rust arm's.
        failed: how many tests failed in each of them.
    """
    if python.code == rust.code and python.died == rust.died:
        return None
    if {python.code, rust.code} == {0, 1} and len(set(failed)) > 1:
        return None
    return f"the arms ended differently: {python.describe()}; {rust.describe()}"


def how(arm: Arm) -> str:
    """How the process of an arm ended."""
    finished = arm.finished or {}
    if finished.get("signal"):
        return f"was killed by {finished['signal']}"
    return f"ended with exit code {finished.get('exit')}, and not by pytest,"


def phase(run: TestRun) -> Phase:
    """In which phase of a test the session died: ``setup``, ``call`` or ``teardown``."""
    last = next((r for r in reversed(run.reports) if r.get("when") != "???"), None)
    if last is None:
        return "setup"
    if last["outcome"] == "rerun":
        return "setup" if last["when"] == "teardown" else "teardown"
    if last["when"] == "setup" and last["outcome"] != "passed":
        return "teardown"
    return "call" if last["when"] == "setup" else "teardown"


def _where(arm: Arm, unfinished: Sequence[TestRun]) -> str:
    if unfinished:
        run = unfinished[0]
        others = f" and {len(unfinished) - 1} more" if len(unfinished) > 1 else ""
        return f"in the {phase(run)} of {run.nodeid}{others}"
    return "before its tests" if arm.collected is None else "between tests or after them"


def _reason(arm: Arm, code: int) -> str | None:
    """What ended a session that told of its end."""
    finish = arm.finish
    by = (arm.finished or {}).get("stopped_by")
    if by is not None:
        return f"{by} was sent to the process that watches over it"
    if arm.internal_errors:
        return "an internal error of pytest or of a plugin"
    if finish is not None and finish.error:
        return f"in pytest_sessionfinish: {finish.error}"
    if finish is not None and (finish.exit != code or (not arm.over and not arm.stopped)):
        # In pytest_unconfigure, at exit, or by a signal after the session.
        after = how(arm).removesuffix(", and not by pytest,")
        return f"its session ended with exit code {finish.exit}, and its process {after}"
    if arm.interrupt is not None:
        return arm.interrupt
    return (finish.stop or None) if finish is not None else None
