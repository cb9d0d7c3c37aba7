"""What ends a double run from outside, and what would hide that it found something."""

import json
import signal
import time

import pytest
from suites import Process, exists, wait_for, write

TESTS = """
import os
import pathlib
import shutil
import signal
import sys
import time

import small

BACKEND = "rust" if os.environ.get("SKYPILOT_USE_RUST") == "1" else "python"
ARM = pathlib.Path(os.environ["SKYRS_ARM_FOLDER"])


def test_before():
    assert small.double(1) == 2


def test_it():
    assert small.double(2) == 4
    BODY


def test_after():
    assert small.double(3) == 6
"""
#: Their like are tried in `make test`.
SLOW = pytest.mark.slow
NAMES = [f"test_it.py::test_{name}" for name in ("before", "it", "after")]


def suite(folder, body, conftest=""):
    return write(folder / "suite", {"test_it.py": TESTS.replace("BODY", body)}, conftest)


def stuck(folder, backend):
    """A suite that stays in a test on one backend."""
    return suite(
        folder,
        f"if BACKEND == {backend!r}:\n"
        "        pathlib.Path(__file__).with_name('stuck').write_text('x')\n"
        "        time.sleep(600)",
    )


def run(folder, *options):
    with Process(folder, *options) as process:
        return process.wait()


# Time.


@pytest.mark.parametrize("backend", [pytest.param("python", marks=SLOW), "rust"])
def test_a_time_limit(tmp_path, backend):
    start = time.monotonic()
    done = run(stuck(tmp_path, backend), "--skyrs-timeout=8")
    assert done.code == 1
    assert f"--skyrs-timeout=8: the time was over while the {backend}-1 arm ran" in done.output
    assert time.monotonic() - start < 40
    assert done.report["complete"] is False
    assert "--skyrs-timeout=8" in done.report["interrupted"]
    assert done.junit is not None
    if backend == "rust":
        # What was compared by then is reported; what wasn't, passes for nothing.
        assert done.verdicts == dict(zip(NAMES, ["same", "not-compared", "not-compared"]))
    else:
        assert done.verdicts == {NAMES[0]: "not-compared"}
        assert "2 tests never ran: the time for the double run was over" in done.output


@SLOW
def test_a_time_limit_that_is_not_reached(tmp_path):
    done = run(suite(tmp_path, "pass"), "--skyrs-timeout=300")
    assert done.code == 0, done.output
    assert done.verdicts == dict.fromkeys(NAMES, "same")


def test_a_time_limit_needs_a_double_run(tmp_path):
    with Process(suite(tmp_path, "pass"), "--skyrs-timeout=3", both=None) as process:
        done = process.wait()
    assert done.code == 4
    assert "--skyrs-timeout needs --skyrs-both" in done.output


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGHUP, marks=SLOW),
        pytest.param(signal.SIGINT, marks=SLOW),
    ],
    ids=lambda number: number.name,
)
def test_a_signal_to_the_session(tmp_path, number):
    folder = stuck(tmp_path, "rust")
    with Process(folder) as process:
        wait_for(exists(folder / "stuck"), "the test on rust")
        # The test before it has been heard of.
        time.sleep(1)
        process.send(number)
        done = process.wait()
        assert not list(process.temporary.glob("skyrs-*"))
    if number == signal.SIGINT:
        assert done.code == pytest.ExitCode.INTERRUPTED
        assert "interrupted: what follows is what was known by then" in done.output
    else:
        assert done.code == 128 + number
        assert f"{number.name} was sent to this session" in done.output
    assert done.verdicts[NAMES[0]] == "same"
    assert done.junit is not None


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        pytest.param("python", ["not-compared"], marks=SLOW),
        ("rust", ["same", "not-compared", "not-compared"]),
    ],
)
def test_the_report_is_there_before_the_arm_has_ended(tmp_path, backend, expected):
    """Whoever sends a signal may not wait for an arm that doesn't want to end."""
    body = (
        f"if BACKEND == {backend!r}:\n"
        "        signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "        pathlib.Path(__file__).with_name('stuck').write_text('x')\n"
        "        time.sleep(600)"
    )
    folder = suite(tmp_path, body)
    with Process(folder, "--skyrs-html=page.html") as process:
        wait_for(exists(folder / "stuck"), "the test")
        time.sleep(1)
        process.send(signal.SIGTERM)
        wait_for(exists(folder / "page.html"), "the page", 8)
        report = json.loads((folder / "report.json").read_text())
        assert process.process.poll() is None
        assert [row["verdict"] for row in report["tests"]] == expected
        assert "SIGTERM was sent to this session" in report["interrupted"]
        done = process.wait()
        assert not list(process.temporary.glob("skyrs-*"))
    assert done.code == 128 + signal.SIGTERM
    assert done.report["tests"] == report["tests"]
    if backend == "python":
        assert "2 tests never ran: SIGTERM was sent to this session" in done.output


# The machinery itself.


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("os.kill(os.getppid(), signal.SIGKILL)\n    time.sleep(60)", 1, "ended with -9"),
        (
            "os.kill(os.getppid(), signal.SIGTERM)\n    time.sleep(60)",
            2,
            "SIGTERM was sent to the process that watches over it",
        ),
        ("os.truncate(ARM / 'events.jsonl', 0)", 1, "of its events are missing"),
        ("(ARM / 'events.jsonl').write_text('{}\\n' * 9)", 1, "of its events are missing"),
    ],
    ids=["supervisor killed", "supervisor ended", "events cut", "events replaced"],
)
def test_a_test_that_breaks_the_double_run(tmp_path, body, code, said):
    done = run(suite(tmp_path, body))
    assert done.code == code, done.output
    assert said in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("folder", [pytest.param("ARM", marks=SLOW), "ARM.parent"])
def test_a_test_that_removes_folders(tmp_path, folder):
    """Plain pytest doesn't mind, and what is compared doesn't depend on them."""
    done = run(suite(tmp_path, f"shutil.rmtree({folder})"))
    assert done.code == 0, done.output
    assert done.verdicts == dict.fromkeys(NAMES, "same")


# What was found isn't hidden.

DIFFERS = "assert BACKEND == 'python'"
HIDING = {
    "exit status": "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
    "sys.exit in finish": "def pytest_sessionfinish():\n    raise SystemExit(0)\n",
    "pytest.exit in finish": "import pytest\n\n\ndef pytest_sessionfinish():\n"
    "    pytest.exit('fine', returncode=0)\n",
    "os._exit in finish": "import os\n\n\ndef pytest_sessionfinish():\n    os._exit(0)\n",
    "sys.exit in unconfigure": "def pytest_unconfigure():\n    raise SystemExit(0)\n",
    "os._exit at exit": "import atexit\nimport os\n\natexit.register(os._exit, 0)\n",
    "os._exit in unconfigure": "import os\n\n\ndef pytest_unconfigure():\n    os._exit(0)\n",
}


@pytest.mark.parametrize(
    "conftest",
    [
        pytest.param(text, id=name, marks=() if name == "os._exit in finish" else SLOW)
        for name, text in HIDING.items()
    ],
)
def test_a_hook_that_would_hide_a_difference(tmp_path, conftest):
    done = run(suite(tmp_path, DIFFERS, conftest))
    assert done.code == 1, done.output
    assert done.verdicts == dict(zip(NAMES, ["same", "diverged", "same"]))


# Ends that differ.

ON_RUST = {
    "exit status": "def pytest_sessionfinish(session):\n"
    "    if BACKEND == 'rust':\n        session.exitstatus = 3\n",
    "os._exit(0) in finish": "def pytest_sessionfinish(session):\n"
    "    if BACKEND == 'rust':\n        os._exit(0)\n",
    "at exit": "import atexit\n\nif BACKEND == 'rust' and 'SKYRS_ARM_FOLDER' in os.environ:\n"
    "    atexit.register(os._exit, 6)\n",
}


@pytest.mark.parametrize(
    "conftest",
    [
        pytest.param(text, id=name, marks=SLOW if name == "at exit" else ())
        for name, text in ON_RUST.items()
    ],
)
def test_the_rust_arm_alone_ends_otherwise(tmp_path, conftest):
    done = run(suite(tmp_path, "pass", conftest))
    assert done.code == 1
    assert "the arms ended differently: the python arm ended with exit code 0; " in done.output
    assert set(done.verdicts.values()) == {"same"}


@SLOW
def test_the_rust_arm_alone_is_stopped(tmp_path):
    done = run(suite(tmp_path, "if BACKEND == 'rust':\n        os._exit(0)"))
    assert done.code == 1
    assert done.verdicts == dict(zip(NAMES, ["same", "crashed", "same"]))
