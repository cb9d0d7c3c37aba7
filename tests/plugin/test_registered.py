"""Registered routes that never answer: named, with the reason, and no success."""

import re

import pytest
from suites import run, write

CONFTEST = """
import json

import small

sky_rs_patch.unregister("small.same")
{}
"""

TESTS = """
import small


def test_double():
    assert small.double(2) == 4


def test_same():
    assert small.same("x") == "x"
"""

#: What was registered, why it answered nothing, and its first exception.
SILENT = {
    "misspelt": (
        "sky_rs_patch.register('small.smae', lambda thing: thing)",
        "small.smae",
        "absent: small has no smae",
        None,
    ),
    "no such module": (
        "sky_rs_patch.register('smal.same', lambda thing: thing)",
        "smal.same",
        "inactive: smal is not imported",
        None,
    ),
    "no plain function": (
        "sky_rs_patch.register('small.logger', lambda thing: thing)",
        "small.logger",
        "inactive: small.logger is a logging.Logger, no plain function",
        None,
    ),
    "other code": (
        "sky_rs_patch.register('small.same', lambda thing: thing, fingerprints=['0'])",
        "small.same",
        "inactive: unknown code",
        None,
    ),
    "a name error": (
        "sky_rs_patch.register('small.same', lambda thing: missing)",
        "small.same",
        "its candidate raised in 1 of 1 calls",
        ("NameError", "name 'missing' is not defined", "conftest.py:"),
    ),
    "wrong arity": (
        "sky_rs_patch.register('small.same', lambda: 1)",
        "small.same",
        "its candidate raised in 1 of 1 calls",
        ("TypeError", "takes 0 positional arguments but 1 was given", "conftest.py:"),
    ),
    "an error in a library": (
        "sky_rs_patch.register('small.same', lambda thing: json.loads(thing))",
        "small.same",
        "its candidate raised in 1 of 1 calls",
        ("JSONDecodeError", "Expecting value", "conftest.py:"),
    ),
    "declines": (
        "sky_rs_patch.register('small.same', lambda thing: NotImplemented)",
        "small.same",
        "all of its 1 calls were declined (candidate 1)",
        None,
    ),
    "never called": (
        "small.third = lambda: 3\nsmall.third.__name__ = 'third'\n"
        "sky_rs_patch.register('small.third', lambda: 3)",
        "small.third",
        "it was never called",
        None,
    ),
}


def suite(tmp_path, registration, tests=TESTS):
    return write(tmp_path / "suite", {"test_it.py": tests}, CONFTEST.format(registration))


STRICT = {"cut": ("--skyrs-allow-unreached",)}


@pytest.mark.parametrize("kind", SILENT)
def test_a_route_without_an_answer(tmp_path, kind):
    registration, name, why, exception = SILENT[kind]
    page = tmp_path / "page.html"
    done = run(suite(tmp_path, registration), f"--skyrs-html={page}", **STRICT)
    assert done.code == pytest.ExitCode.TESTS_FAILED
    assert done.totals == {"passed": 2}
    (finding,) = done.report["registered"]
    assert finding["route"] == name
    assert not finding["answered"]
    assert why in finding["why"]
    first = finding["first_exception"]
    if exception is None:
        assert first is None
    else:
        assert first["type"] == exception[0]
        assert exception[1] in first["message"]
        assert exception[2] in first["place"]
        assert f"first {first['type']}: {first['message']} at {first['place']}" in done.output
    told = f"registered route {name} answered nothing: {finding['why']}"
    assert told in done.output
    assert told in page.read_text()
    accepts = "1 registered route answered nothing (--skyrs-allow-unreached accepts that)"
    assert accepts in done.output
    assert done.report["closing"].endswith(accepts)


@pytest.mark.parametrize("kind", ["misspelt", "wrong arity"])
def test_it_can_be_accepted(tmp_path, kind):
    registration, name, _, _ = SILENT[kind]
    done = run(suite(tmp_path, registration))
    assert done.code == 0
    assert f"registered route {name} answered nothing" in done.output
    assert "accepts that" not in done.output


@pytest.mark.parametrize("workers", ["-n1", "-n2"])
def test_with_workers(tmp_path, workers):
    registration, _, _, exception = SILENT["a name error"]
    done = run(suite(tmp_path, registration), workers, plugins=["xdist"], **STRICT)
    assert done.code == pytest.ExitCode.TESTS_FAILED
    (finding,) = done.report["registered"]
    assert finding["first_exception"]["type"] == exception[0]


def test_in_a_child_process(tmp_path):
    tests = """
import subprocess
import sys

import small


def test_double():
    assert small.double(2) == 4


def test_same():
    code = "import conftest, small; small.same(1)"
    subprocess.run([sys.executable, "-c", code], check=True)
"""
    done = run(suite(tmp_path, SILENT["a name error"][0], tests), **STRICT)
    assert done.code == pytest.ExitCode.TESTS_FAILED
    (finding,) = done.report["registered"]
    assert finding["why"] == "its candidate raised in 1 of 1 calls"
    assert finding["first_exception"]["type"] == "NameError"


def test_one_that_raises_now_and_then_is_named(tmp_path):
    registration = "sky_rs_patch.register('small.same', lambda thing: thing[0] and thing)"
    tests = f"{TESTS}\n\ndef test_a_number():\n    assert small.same(1) == 1\n"
    done = run(suite(tmp_path, registration, tests), **STRICT)
    assert done.code == 0
    (finding,) = done.report["registered"]
    assert finding["answered"]
    assert finding["why"] == "its candidate raised in 1 of 2 calls"
    told = "registered route small.same: its candidate raised in 1 of 2 calls; first TypeError"
    assert told in done.output
    table = done.report["routes"]["small.same"]
    assert (table["rust"], table["declines"]) == (1, {"candidate-raised": 1})


def test_nothing_is_asked_of_a_run_without_tests(tmp_path):
    done = run(suite(tmp_path, SILENT["misspelt"][0]), "-k", "nothing", **STRICT)
    assert done.code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_ones_own_routes_come_first_and_others_take_a_line(tmp_path):
    registration = "sky_rs_patch.register('small.same', lambda thing: thing)"
    done = run(suite(tmp_path, registration), **STRICT)
    assert done.code == 0
    routes = list(done.report["routes"])
    assert routes[:2] == ["small.double", "small.same"]
    assert all(name.startswith("sky.") for name in routes[2:])
    ours = len(routes) - 2
    assert f"\nnot called on rust: {ours} of this project's {ours} routes\n" in done.output
    assert "sky.utils" not in done.output


def test_the_failure_line_starts_with_function_and_values(tmp_path):
    registration = "sky_rs_patch.register('small.same', lambda thing: thing.upper(), raises=True)"
    done = run(suite(tmp_path, registration), **STRICT)
    assert done.code == pytest.ExitCode.TESTS_FAILED
    line = "DIVERGED same('x') 'x' -> 'X'  test_it.py::test_same"
    assert re.search(f"^{re.escape(line)}$", done.output, re.MULTILINE)
    assert "DIVERGED test_it.py::test_same - same('x') 'x' -> 'X'" in done.output
