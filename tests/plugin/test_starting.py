"""An arm that can't be started, or ends before its tests: said first, with the reason; it fails."""

import shutil
import sys
from pathlib import Path

import pytest
from suites import run, write

TESTS = """
import small


def test_one():
    assert small.double(1) == 2


def test_differs():
    assert small.same(1)
"""

#: The arms' interpreter is another name of the session's, which somebody takes away.
CONFTEST = """
import sys

sky_rs_patch.register("small.same", lambda thing: thing + 1, raises=True, replace=True)
ALIAS = "@ALIAS@"


def pytest_configure(config):
    if config.getoption("skyrs_arm", None) is None:
        sys.executable = ALIAS


def pytest_unconfigure(config):
    if config.getoption("skyrs_arm", None) is not None and BACKEND == "@AFTER@":
        os.unlink(ALIAS)
"""


def alias(folder):
    """Another name for this environment; gives its interpreter."""
    (folder / "bin").mkdir(parents=True)
    own = Path(sys.prefix)
    (folder / "lib").symlink_to(own / "lib")
    shutil.copy(own / "pyvenv.cfg", folder)
    python = folder / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    return python


@pytest.mark.parametrize(
    ("after", "arm", "verdicts"),
    [
        ("python", "rust-1", {"not-compared"}),
        ("rust", "python-2", {"same", "inconclusive"}),
    ],
)
def test_it_is_the_first_thing_said(tmp_path, after, arm, verdicts):
    python = alias(tmp_path / "alias")
    conftest = CONFTEST.replace("@ALIAS@", str(python)).replace("@AFTER@", after)
    done = run(write(tmp_path / "suite", {"test_it.py": TESTS}, conftest), "-q")
    assert done.code == 1, done.output
    reason = f"the {arm} arm could not be started: [Errno 2] No such file or directory"
    _, _, section = done.output.partition("skyrs: python and rust ==")
    assert section.splitlines()[1].startswith(reason), done.output
    closing = [line for line in section.splitlines() if line.startswith("skyrs: ")]
    assert reason in closing[-1]
    assert done.report["problems"][0].startswith(reason)
    assert set(done.verdicts.values()) == verdicts
    assert "Traceback" not in done.output


def test_the_first_arm(tmp_path):
    conftest = CONFTEST.replace("@ALIAS@", "/nowhere/python")
    done = run(write(tmp_path / "suite", {"test_it.py": TESTS}, conftest), "-q")
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: the python-1 arm could not be started: [Errno 2] No such file" in done.output
    assert "/nowhere/python" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("os._exit(3)", "(exit code 3): it ended with exit code 3, and not by pytest, before its"),
        ("os.kill(os.getpid(), 9)", "(exit code 137): it was killed by SIGKILL before its tests"),
        ("raise pytest.UsageError('no such backend')", "(exit code 4): ERROR: no such backend"),
    ],
)
def test_an_arm_that_ends_before_its_tests(tmp_path, statement, reason):
    conftest = f"""
import pytest


def pytest_configure(config):
    if BACKEND == "rust":
        {statement}
"""
    suite = write(tmp_path / "suite", {"test_it.py": TESTS}, conftest)
    done = run(suite, "-q", keeps=True)
    assert done.code == 1, done.output
    told = f"the rust-1 arm didn't get to its tests {reason}"
    _, _, section = done.output.partition("skyrs: python and rust ==")
    assert section.splitlines()[1].startswith(told), done.output
    assert done.report["problems"][0].startswith(told)
    assert set(done.verdicts.values()) == {"not-compared"}
