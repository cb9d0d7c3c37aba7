"""Tests that leave state to others, on several workers: the double run concludes all the same."""

from collections import Counter

import pytest
from leaky_suite import NAMES, make, schedules
from suites import plugins, run, write

pytest.importorskip("xdist")


@pytest.fixture(scope="module")
def loaded():
    return plugins("pytest-xdist")


def check(tmp_path, loaded, count, *options, seconds):
    suite = make(tmp_path / "suite", count)
    done = run(suite, "-q", *options, plugins=loaded, seconds=seconds)
    verdicts = done.verdicts
    found = Counter(verdicts.values())
    assert found["inconclusive"] == found["not-compared"] == 0, done.output
    flaky = {name for name, verdict in verdicts.items() if verdict == "flaky-control"}
    assert {name.rpartition("::")[2].partition("@")[0] for name in flaky} == {"test_flaky"}
    wrong = {name for name, verdict in verdicts.items() if verdict not in ("same", "flaky-control")}
    assert {verdicts[name] for name in wrong} == {"diverged"}
    assert sorted(name.rpartition("::")[2] for name in wrong) == sorted(NAMES), done.output
    assert len(verdicts) >= count - 60
    assert done.report["problems"] == []
    ran = schedules(suite)
    assert ran["python"] == ran["rust"]
    return done


def test_two_workers(tmp_path, loaded):
    check(tmp_path, loaded, 420, "-n2", "--dist=load", seconds=120)


AFTER_A_CRASH = """
import os

import small


def test_dies():
    assert small.double(1) == 2
    if "SMALL_DIES" in os.environ and os.environ["SKYPILOT_USE_RUST"] == "1":
        os._exit(3)


def test_wrong():
    assert small.same(1)
"""

WRONG = """
sky_rs_patch.register("small.same", lambda thing: thing + 1, raises=True, replace=True)
"""


@pytest.mark.parametrize("options", [["-n0"], ["-n1"]], ids=" ".join)
def test_a_crash_hides_no_difference_after_it(tmp_path, loaded, options):
    """Rust never gets to the second test in the process in which Python does."""
    suite = write(tmp_path / "suite", {"test_it.py": AFTER_A_CRASH}, WRONG)
    done = run(suite, "-q", *options, plugins=loaded, env={"SMALL_DIES": "1"}, seconds=120)
    assert [*done.verdicts.values()] == ["crashed", "diverged"], done.output
    assert "1 test ran after other tests on rust than on python" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal"])
def test_five_thousand(tmp_path, loaded, dist, workers, capsys):
    done = check(tmp_path, loaded, 5_000, f"-n{workers}", f"--dist={dist}", seconds=600)
    with capsys.disabled():
        print(f"\n{dist}, {workers} workers: {done.seconds:.0f} s", end="")  # noqa: T201
