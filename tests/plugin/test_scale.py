"""Many tests: the controller's memory stays as it is, and an arm costs little more than plain."""

import re

import pytest
from suites import run, write

pytestmark = pytest.mark.slow

MIB = 1 << 20

MANY = """
import os

import pytest
import small


@pytest.mark.parametrize("number", range(int(os.environ["SMALL_TESTS"])))
def test_number(number):
    assert small.double(number) == 2 * number
"""

#: The parent tells its peak when all is over; the arms run the same file and tell nothing.
PEAK = """
import pathlib
import re


def pytest_unconfigure(config):
    if config.getoption("skyrs_both", None) and config.getoption("skyrs_arm", None) is None:
        status = pathlib.Path("/proc/self/status").read_text()
        # What is written in the suite is put back.
        pathlib.Path("..", "peak").write_text(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])
"""


def write_many(tmp_path):
    return write(tmp_path / "suite", {"test_many.py": MANY}, PEAK)


def test_memory_of_the_parent(tmp_path, capsys):
    suite = write_many(tmp_path)
    peaks = {}
    for count in (1_000, 20_000):
        env = {"SMALL_TESTS": str(count)}
        # JUnit's file is built in memory, by pytest itself.
        cut = ("--junitxml=junit.xml",)
        done = run(suite, "-q", env=env, cut=cut, seconds=600)
        assert done.code == 0, done.output
        assert done.report["counts"]["same"] == count
        peaks[count] = int((tmp_path / "peak").read_text()) << 10
        with capsys.disabled():
            shown = f"{count} tests: {peaks[count] / MIB:.1f} MiB, {done.seconds:.1f} s"
            print(f"\n{shown}", end="")  # noqa: T201
    assert peaks[20_000] - peaks[1_000] < 25 * MIB


def test_time_of_an_arm(tmp_path, capsys):
    """Prints what recording costs; asserts nothing on time."""
    suite = write_many(tmp_path)
    env = {"SMALL_TESTS": "2000"}
    plain = run(suite, "-q", env=env, both=None)
    both = run(suite, "-q", env=env)
    assert plain.code == both.code == 0
    seconds = float(re.search(r"passed in (\d+\.\d+)s", plain.output)[1])
    arms = {arm["name"]: arm["seconds"] for arm in both.report["arms"]}
    assert set(arms) == {"python-1", "rust-1"}
    with capsys.disabled():
        shown = ", ".join(f"{name} {taken:.2f} s" for name, taken in arms.items())
        print(f"\n2000 trivial tests: plain {seconds:.2f} s, {shown}", end="")  # noqa: T201
