"""What the end of the Python arm makes of the double run's exit code, and how it is told."""

import types

import pytest
from runs import reports

from pytest_skyrs._controller import ending
from pytest_skyrs._controller.ending import Ending
from pytest_skyrs._model.events import Finish
from pytest_skyrs._model.test_run import TestRun


def python(code, reason=None, **more):
    return Ending("python", code, reason, **{"died": False, **more})


DIED = {"died": True, "reason": "ended"}


@pytest.mark.parametrize(
    ("own", "ends", "bad", "code"),
    [
        # Plain pytest's own codes.
        (0, [python(0)], False, 0),
        (1, [python(1)], False, 1),
        (0, [python(1)], False, 1),
        (0, [python(2)], False, 2),
        (0, [python(3)], False, 3),
        (1, [python(2)], True, 2),
        (5, [python(5)], False, 5),
        # What only the double run knows of.
        (0, [python(0)], True, 1),
        (1, [python(0)], True, 1),
        (2, [python(0)], True, 2),
        (5, [python(5)], True, 1),
        (1, [python(5)], True, 1),
        # Somebody else's codes.
        (0, [python(42)], False, 42),
        (1, [python(139, died=True)], False, 139),
        (1, [python(5, died=True)], False, 5),
        (1, [python(5, after_tests=True)], True, 5),
        # A session that died is followed by others.
        (1, [python(7, died=True), python(0)], False, 7),
        (1, [python(0, died=True), python(0)], False, 1),
        (1, [python(0, died=True), python(9, died=True)], False, 9),
        # It has a test that failed in this way, and no exit code that says so.
        (0, [python(0, died=True), python(0)], False, 1),
        (0, [python(0, died=True), python(5)], False, 1),
        (0, [python(0, died=True), python(0, after_tests=True)], False, 1),
        (0, [python(0, died=True, after_tests=True)], False, 0),
        (0, [python(0, died=True)], True, 1),
        # It made itself end well.
        (1, [python(0, after_tests=True)], False, 0),
        (1, [python(0, after_tests=True)], True, 1),
        (0, [python(0, after_tests=True)], True, 1),
        # Cut short.
        (2, [], True, 2),
        (4, [], True, 4),
        (0, [], True, 1),
    ],
)
def test_the_exit_code(own, ends, bad, code):
    assert ending.exit_code(own, ends, bad=bad) == code


def test_whatever_the_arms_code_it_is_never_better():
    for code in range(256):
        for own in (0, 1, 2, 5):
            for bad in (False, True):
                given = ending.exit_code(own, [python(code)], bad=bad)
                assert given or not (code or bad or own)


@pytest.mark.parametrize(
    ("ends", "not_run", "failed", "text"),
    [
        ([python(0)], 0, False, None),
        ([python(1)], 0, True, None),
        ([python(1)], 0, False, "the python arm ended with exit code 1"),
        ([python(42)], 0, True, "the python arm ended with exit code 42"),
        (
            [python(2, "KeyboardInterrupt")],
            1,
            False,
            "1 test never ran: the python arm ended with exit code 2 (KeyboardInterrupt)",
        ),
        (
            [python(137, "was killed by SIGKILL in the call of a::b", died=True), python(0)],
            3,
            True,
            "3 tests never ran: the python arm was killed by SIGKILL in the call of a::b",
        ),
        ([python(0)], 2, False, "2 tests never ran: nothing says why"),
    ],
)
def test_what_is_told(ends, not_run, failed, text):
    assert ending.describe(ends, not_run, failed=failed) == text


@pytest.mark.parametrize(
    ("ours", "theirs", "failed", "explained"),
    [
        (python(0), python(0), [0, 0], True),
        (python(1), python(1), [1, 1], True),
        (python(0), python(1), [0, 1], True),
        (python(0), python(1), [0, 0], False),
        (python(0), python(3), [0, 1], False),
        (python(0), python(0, died=True), [0, 0], False),
    ],
)
def test_ends_that_differ(ours, theirs, failed, explained):
    assert (ending.unexplained(ours, theirs, failed) is None) == explained


@pytest.mark.parametrize(
    ("made", "phase"),
    [
        ([], "setup"),
        (reports(phases=("setup",)), "call"),
        (reports("failed", phases=("setup",)), "teardown"),
        (reports(phases=("setup", "call")), "teardown"),
        (reports(), "teardown"),
        (reports("rerun", phases=("call",)), "teardown"),
        (reports("rerun", phases=("teardown",)), "setup"),
    ],
)
def test_the_phase_of_a_death(made, phase):
    assert ending.phase(TestRun("a::b", made)) == phase


def arm(status, finish=None, **more):
    """An arm whose process is over."""
    finished = {"exit": status, "signal": "SIGSEGV" if status == -11 else None}
    values = {
        "settings": types.SimpleNamespace(backend="python"),
        "finished": {**finished, **more.pop("finished", {})},
        "finish": finish and Finish(**{"events": 1, **finish}),
        "interrupt": None,
        "internal_errors": [],
        "collected": 3,
        "problem": None,
        "over": finish is not None,
        "stopped": False,
    }
    return types.SimpleNamespace(**{**values, **more})


@pytest.mark.parametrize(
    ("over", "unfinished", "code", "died", "text"),
    [
        (arm(0, {"exit": 0}), 0, 0, False, "ended with exit code 0"),
        (arm(-11), 1, 139, True, "was killed by SIGSEGV in the setup of a::b"),
        (arm(7), 0, 7, True, "ended with exit code 7, and not by pytest, between tests or after"),
        (arm(7, collected=None), 0, 7, True, "ended with exit code 7, and not by pytest, before"),
        (arm(4, collected=None), 0, 4, False, "ended with exit code 4"),
        (arm(2, {"exit": 2}, interrupt="Exit: x"), 0, 2, False, "code 2 (Exit: x)"),
        (arm(1, {"exit": 1, "stop": "enough"}), 0, 1, False, "code 1 (enough)"),
        (arm(1, {"exit": 0, "error": "E: x"}), 0, 1, False, "(in pytest_sessionfinish: E: x)"),
        (
            arm(9, {"exit": 0}),
            0,
            9,
            False,
            "(its session ended with exit code 0, and its process ended with exit code 9)",
        ),
        (
            arm(-11, {"exit": 0}),
            0,
            139,
            False,
            "(its session ended with exit code 0, and its process was killed by SIGSEGV)",
        ),
        (arm(3, internal_errors=["x"]), 0, 3, False, "(an internal error of pytest or of a plugin"),
        (arm(None, problem="it is gone"), 0, 1, True, "the python arm is lost: it is gone"),
    ],
)
def test_an_end(over, unfinished, code, died, text):
    made = ending.of(over, [TestRun("a::b")] * unfinished)
    assert (made.code, made.died) == (code, died)
    assert text in made.describe()
