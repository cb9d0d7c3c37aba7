import subprocess
import sys
from pathlib import Path

import pytest

TEST = """
import os
import subprocess
import sys

from sky.utils import common_utils

CHILD = "from sky.utils import common_utils as c; c.base36_encode('ff'); "
CHILD += "print(c.base36_encode._self_route.counts()[:2])"


def test_here():
    assert common_utils.base36_encode("ff") == "73"


def test_in_a_child():
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    assert child.stdout == os.environ["EXPECTED"], child.stderr
"""


def run(folder: Path, *arguments: str, expected: str = "") -> subprocess.CompletedProcess[str]:
    test = folder / "test_it.py"
    test.write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "EXPECTED": expected}
    return subprocess.run(
        [*command, str(test)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def base36_row(output: str) -> list[str]:
    (line,) = (line for line in output.splitlines() if "common_utils.base36_encode" in line)
    return line.split()[1:4]


@pytest.mark.parametrize(
    ("backend", "expected", "row"),
    [("rust", "(1, 0)\n", ["active", "1", "0"]), ("python", "(0, 1)\n", ["active", "0", "1"])],
)
def test_a_session_runs_on_one_backend(
    tmp_path: Path, backend: str, expected: str, row: list[str]
) -> None:
    done = run(tmp_path, f"--skyrs-backend={backend}", expected=expected)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert base36_row(done.stdout) == row


def test_an_unknown_backend_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "--skyrs-backend=cobol")
    assert done.returncode == 4
    assert "cobol" in done.stderr


def test_without_the_option_nothing_is_loaded(tmp_path: Path) -> None:
    test = tmp_path / "test_nothing.py"
    test.write_text("import sys\ndef test(): assert 'sky_rs_patch' not in sys.modules\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(test)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_an_activated_environment_has_no_warning_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "1"]
    command += ["-W", "error::pytest.PytestAssertRewriteWarning"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SKY_RS_PATCH_ACTIVE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
