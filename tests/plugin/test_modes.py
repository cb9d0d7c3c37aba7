"""The modes beside whole sessions: shadow, inline, replay, and what coverage adds."""

import json
import re
import subprocess
import sys

import pytest
from suites import run, write

WRONG = """
def wrong(number):
    return number * 2 if number < 10 else number * 2 + 1

def mutating(thing):
    thing.append(1)
    return thing

sky_rs_patch.register("small.double", wrong, replace=True, pure=True)
sky_rs_patch.register("small.same", mutating, replace=True, pure=True)
"""

CALLS = {
    "test_calls.py": """
import small


def test_right():
    assert small.double(3) == 6


def test_wrong_and_unseen():
    small.double(30)


def test_mutates():
    small.same([])


def test_nothing():
    pass
"""
}


def section(done, title):
    """A part of the terminal's summary."""
    assert title in done.output, done.output
    return done.output.partition(title)[2].partition("\n====")[0]


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return write(tmp_path_factory.mktemp("modes") / "suite", CALLS, WRONG)


def test_shadow_compares_on_the_spot(suite):
    done = run(suite, "--skyrs-shadow", both=None)
    assert done.code == 1
    assert done.totals == {"failed": 2, "passed": 2}
    assert "small.double(30)" in done.output
    assert re.search(r"python: returned 60;.*\n.*rust: +returned 61;", done.output)
    assert re.search(r"python: .*arguments then \(\[\]\)\n.*arguments then \(\[1\]\)", done.output)
    shown = section(done, "skyrs: shadow =")
    assert re.search(r"2 calls compared: small\.double", shown)
    assert "3 calls of 2 functions on both backends, 2 different" in shown


def test_shadow_leaves_functions_with_effects_alone(tmp_path):
    suite = write(tmp_path / "suite", CALLS)
    done = run(suite, "--skyrs-shadow", both=None)
    assert done.code == 0
    shown = section(done, "skyrs: shadow =")
    assert "2 calls not compared: small.double: it has side effects" in shown
    assert "0 calls of 0 functions" in shown


def test_shadow_says_what_could_not_be_copied(tmp_path):
    files = {
        "test_lock.py": "import threading\nimport small\n\n\n"
        "def test_lock():\n    small.same(threading.Lock())\n"
    }
    done = run(write(tmp_path / "suite", files, WRONG), "--skyrs-shadow", both=None)
    assert "small.same: arguments can't be copied (TypeError)" in done.output


def test_inline_runs_each_test_twice(suite):
    done = run(suite, "--skyrs-both=inline", both=None)
    assert done.code == 1
    assert done.totals == {"failed": 2, "passed": 2}
    assert "fixtures of a wider scope than a test" in done.output
    assert "call of small.double(30)" in done.output
    assert "and left the arguments as ([1])" in done.output
    assert "skyrs: 2 diverged, 1 same, 1 vacuous" in done.output


def test_inline_gives_function_fixtures_anew_and_shares_wider_ones(tmp_path):
    files = {
        "test_fixtures.py": """
import pathlib

import pytest
import small

made = []


@pytest.fixture(scope="module")
def wide():
    made.append("wide")


@pytest.fixture
def narrow():
    made.append("narrow")


def test_first(wide, narrow, tmp_path):
    small.double(1)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()


def test_last(wide, narrow):
    assert made == ["wide", *["narrow"] * (len(made) - 1)]
    assert len(made) in (4, 5)
"""
    }
    done = run(write(tmp_path / "suite", files), "--skyrs-both=inline", both=None)
    assert done.code == 0, done.output
    assert "skyrs: 1 same, 1 vacuous" in done.output


def test_pdb_wants_inline(suite):
    done = run(suite, "--pdb")
    assert done.code == 4
    assert "--skyrs-both=inline" in done.output


@pytest.fixture(scope="module")
def diverged(suite):
    return run(suite, "-k", "wrong or mutates or nothing", "-o", "cache_dir=cache")


def replay(suite, *arguments, source="cache/d/skyrs/last-run.json"):
    command = [sys.executable, "-m", "pytest_skyrs", "replay", *arguments]
    return subprocess.run(
        [*command, "--from", source],
        cwd=suite,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_call_can_be_replayed(suite, diverged):
    found = {row["function"]: row for row in diverged.report["divergences"] if row["function"]}
    name = found["small.double"]["id"]
    assert found["small.double"]["repro"] == f"python -m pytest_skyrs replay {name}"
    done = replay(suite, name)
    assert done.returncode == 1, done.stderr
    assert "python: returned 60   (python: switch)" in done.stdout
    assert "rust:   returned 61   (rust)" in done.stdout
    assert "print(small.double(30))" in done.stdout
    assert "the backends differ" in done.stdout


def test_a_mutation_shows_when_it_is_replayed(suite, diverged):
    found = {row["function"]: row for row in diverged.report["divergences"] if row["function"]}
    done = replay(suite, found["small.same"]["id"])
    assert done.returncode == 1, done.stdout + done.stderr


def test_a_call_of_the_json_report_can_be_replayed(suite):
    done = run(suite, "-k", "wrong", "-p", "no:cacheprovider")
    (found,) = [row for row in done.report["divergences"] if row["function"]]
    (suite / "kept.json").write_text(json.dumps(done.report))
    replayed = replay(suite, found["id"], source="kept.json")
    assert replayed.returncode == 1, replayed.stderr
    assert "rust:   returned 61   (rust)" in replayed.stdout


def test_the_snippet_makes_the_difference_by_itself(suite, diverged, tmp_path):
    """From any folder: it imports what registered the route."""
    found = {row["function"]: row for row in diverged.report["divergences"] if row["function"]}
    shown = replay(suite, found["small.double"]["id"]).stdout
    snippet = shown[shown.index("import sky_rs_patch") : shown.index("# python")]
    assert f"sys.path.insert(0, {str(suite)!r})\nimport conftest\n" in snippet
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "61\n", done.stderr


def test_a_difference_that_is_no_call(suite):
    test = """
import small


def test_prints():
    small.double(1)
    print(BACKEND)
"""
    folder = write(suite.parent / "printing", {"test_prints.py": f"from conftest import *\n{test}"})
    done = run(folder, "-o", "cache_dir=cache")
    (found,) = done.report["divergences"]
    for source in ("cache/d/skyrs/last-run.json", "report.json"):
        (folder / "report.json").write_text(json.dumps(done.report))
        replayed = replay(folder, found["id"], source=source)
        assert replayed.returncode == 2
        assert replayed.stderr == (
            f"pytest_skyrs replay: {found['id']} is no call but a difference of stdout in "
            "test_prints.py::test_prints; there is none with a routed call\n"
        )


NO_REPORTS = ["[]", "{}", '{"divergences": {}}', '{"divergences": [1]}', "null", "{", "\u00e9"]


@pytest.mark.parametrize("text", NO_REPORTS)
def test_a_file_that_is_no_report(tmp_path, text):
    (tmp_path / "some.json").write_text(text, encoding="utf-8")
    done = replay(tmp_path, "d1", source="some.json")
    assert done.returncode == 2
    assert done.stderr.startswith("pytest_skyrs replay: some.json: ")
    assert "Traceback" not in done.stderr


def test_a_route_that_is_not_registered_here(suite, diverged, tmp_path):
    found = {row["function"]: row for row in diverged.report["divergences"] if row["function"]}
    done = replay(suite, found["small.double"]["id"], "--import", "json")
    assert done.returncode == 2
    assert "small.double has no route here: say with --import which module" in done.stderr


def test_an_unknown_call_is_named_with_those_that_are_known(suite, diverged):
    done = replay(suite, "d99")
    assert done.returncode == 2
    assert "there is no d99" in done.stderr
    assert "d1" in done.stderr


def test_without_a_run_there_is_nothing_to_replay(tmp_path):
    done = replay(tmp_path, "d1")
    assert done.returncode == 2
    assert "run pytest --skyrs-both here first" in done.stderr


def test_coverage_shows_what_was_compared_and_what_went_past(tmp_path):
    pytest.importorskip("coverage")
    small = """
def half(number):
    if number % 2:
        return None
    return number // 2


def double(number):
    return number * 2


def same(thing):
    return thing
"""
    files = {
        "test_covered.py": """
import small


def test_even():
    assert small.half(4) == 2


def test_past_the_proxy():
    assert small.double.__wrapped__(4) == 8
"""
    }
    conftest = """
sky_rs_patch.register("small.half", lambda number: number // 2 if number % 2 == 0 else None)
"""
    suite = write(tmp_path / "suite", files, conftest)
    (suite / "small.py").write_text(small)
    done = run(suite, "--skyrs-cov")
    assert done.code == 0, done.output
    coverage = done.report["routes"]["small.half"]["coverage"]
    assert (coverage["covered"], coverage["missing"]) == ([3, 5], [4])
    assert (coverage["covered_branches"], coverage["branches"]) == (1, 2)
    assert "small.half: 2 of 3, 1 of 2 branches; not lines 4" in done.output
    assert done.report["bypassed"] == {"small.double": ["test_covered.py::test_past_the_proxy"]}
    assert "bypassed: the body of small.double ran on rust" in done.output
