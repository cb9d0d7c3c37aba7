"""`pytest --skyrs-both` with pytest-xdist, on this machine and on others."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from suites import ends, pair, plugins, run, wait_for, write

pytest.importorskip("xdist")

MANY = {
    "pytest.ini": "[pytest]\nmarkers = xdist_group\n",
    "test_many.py": """
import os
import pathlib

import pytest
import small

BACKEND = "rust" if os.environ.get("SKYPILOT_USE_RUST") == "1" else "python"


@pytest.mark.parametrize("number", range(8))
def test_number(number, tmp_path):
    print("worker", os.environ.get("PYTEST_XDIST_WORKER"), tmp_path)
    assert small.double(number) == 2 * number


def test_fails():
    assert small.double(1) == 3


@pytest.fixture(scope="session")
def shared():
    return small.double(21)


@pytest.mark.parametrize("number", range(3))
def test_shared(shared, number):
    assert shared == 42


@pytest.mark.skip(reason="no")
def test_skipped():
    pass


@pytest.mark.parametrize("surrogate", ["\\ud800"])
def test_surrogate(surrogate):
    print(ascii(small.same(surrogate)))
    assert small.same(surrogate) == surrogate


def test_prints_backend():
    small.double(1)
    print("on", BACKEND if "SMALL_PRINTS" in os.environ else "both", flush=True)
""",
    "test_group.py": """
import os

import pytest
import small


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(4))
def test_group(number, record_property):
    record_property("worker", os.environ.get("PYTEST_XDIST_WORKER"))
    assert small.double(number) == 2 * number
""",
}


@pytest.fixture(scope="module")
def loaded():
    return plugins("pytest-xdist")


@pytest.mark.parametrize(
    "options",
    [["-n2"], ["-n2", "--dist=loadfile"], ["-n2", "--dist=loadgroup", "-s"], ["-n1", "-x"]],
    ids=" ".join,
)
def test_distributed(tmp_path, loaded, options):
    """Everything is compared, whichever worker had it; and in the end as plain xdist has it."""
    suite = write(tmp_path / "suite", MANY)
    # Each difference costs six more arms.
    prints = "-s" in options
    env = {"SMALL_PRINTS": "1"} if prints else {}
    plain, both = pair(suite, *options, plugins=loaded, env=env, both_env=env)
    verdicts = both.verdicts
    if "-x" in options:
        # xdist calls it an interruption.
        assert (plain.code, both.code) == (2, 2)
        assert both.totals["failed"] == 1
        assert verdicts["test_many.py::test_fails"] == "same-fail"
        return
    assert (plain.code, both.code) == (1, 1)
    assert sorted(both.cases)[:8] == sorted(plain.cases)[:8]
    # What a test prints is compared under -s as well, where two processes print.
    assert {name for name, _ in both.cases} == {name for name, _ in plain.cases}
    printed = verdicts.pop("test_many.py::test_prints_backend")
    assert printed == ("diverged" if prints else "same")
    assert verdicts.pop("test_many.py::test_fails") == "same-fail"
    assert verdicts.pop("test_many.py::test_skipped") == "vacuous"
    shared = [verdicts.pop(f"test_many.py::test_shared[{number}]") for number in range(3)]
    assert set(shared) == {"same", "vacuous"}
    assert set(verdicts.values()) == {"same"}
    assert len(verdicts) == 13
    assert both.report["problems"] == []
    assert both.report["routes"]["small.double"]["rust"] >= 14


KILLED = {
    "test_killed.py": """
import os
import pathlib
import signal
import subprocess
import sys

import pytest
import small

BACKEND = "rust" if os.environ.get("SKYPILOT_USE_RUST") == "1" else "python"
HERE = pathlib.Path(__file__).parent


@pytest.mark.parametrize("number", range(6))
def test_before(number):
    assert small.double(number) == 2 * number


def test_killed():
    assert small.double(1) == 2
    if BACKEND == "rust":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (HERE / "child").write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("number", range(6))
def test_after(number):
    assert small.double(number) == 2 * number
"""
}


@pytest.mark.parametrize("options", [["-n2"], ["-n2", "-s", "--dist=loadfile"]], ids=" ".join)
def test_killed_worker(tmp_path, loaded, options):
    done = run(write(tmp_path / "suite", KILLED), *options, plugins=loaded)
    assert done.code == 1
    verdicts = done.verdicts
    assert verdicts.pop("test_killed.py::test_killed") == "crashed"
    assert verdicts == {
        f"test_killed.py::test_{name}[{number}]": "same"
        for name in ("before", "after")
        for number in range(6)
    }
    crash = next(item for item in done.report["divergences"] if item["verdict"] == "crashed")
    assert "worker" in crash["rust"]
    assert ends(int((done.folder / "child").read_text()))


# Other machines.

SERVER = """
import sys

from execnet.gateway_base import get_execmodel
from execnet.script import socketserver

def elsewhere(event, arguments):
    if event == "open" and "suite-tmp/skyrs-" in str(arguments[0]):
        raise FileNotFoundError(2, "It is on another machine", arguments[0])


# The arm's folder isn't there.
sys.addaudithook(elsewhere)
# As a script it has it, and doesn't end after one connection.
socketserver.execmodel = model = get_execmodel("thread")
server = socketserver.bind_and_listen(f"127.0.0.1:{sys.argv[1]}", model)
socketserver.startserver(server, loop=sys.argv[2] == "for-good")
"""

REMOTE = {
    "test_remote.py": """
import os
import pathlib
import tempfile

import pytest
import small

BACKEND = "rust" if os.environ.get("SKYPILOT_USE_RUST") == "1" else "python"


@pytest.mark.parametrize("number", range(5))
def test_number(number):
    assert small.double(number) == 2 * number


def test_place(tmp_path):
    place = os.environ["SMALL_PLACE"]
    assert os.getcwd().startswith(place)
    assert os.environ["HOME"].startswith(tempfile.gettempdir().rpartition("/")[0])
    assert os.environ["HOME"] != place
    assert str(tmp_path).startswith(place)
    with open(f"{place}/{BACKEND}", "a") as file:
        file.write(f"{os.getpid()} {os.environ['HOME']} ")


def test_differs():
    if BACKEND == "rust":
        print("on rust", small.double(2))
    else:
        small.double(2)
"""
}


@contextlib.contextmanager
def remote(place, kind):
    """Stands for another machine: a folder and an environment of its own; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    place.mkdir()
    (place / "tmp").mkdir()
    (place / "server.py").write_text(SERVER)
    own = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "TMPDIR": str(place / "tmp"),
        # As in the arm: plugins that are loaded at one end only confuse each other.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    once = f"{sys.executable} -u server.py {port} {kind}"
    loop = f"while :; do {once}; done" if kind == "once" else f"exec {once}"
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen(
            ["sh", "-c", loop],
            cwd=place,
            env={**own, "SMALL_PLACE": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_for(lambda: listens(port), f"a server: {(place / 'log').read_text()}")
            yield port
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def listens(port):
    """Whether anybody does; without a connection, which would be the server's only one."""
    line = f"0100007F:{port:04X} 00000000:0000 0A"
    return line in Path("/proc/net/tcp").read_text()


def test_remote_worker(tmp_path, loaded):
    """A worker that shares nothing with the arm: what it saw comes back through xdist."""
    suite = write(tmp_path / "suite", REMOTE)
    place = tmp_path / "elsewhere"
    # With a path the other machine finds the suite's root, and its tests have the same names.
    with remote(place, "once") as port:
        options = [f"--tx=socket=127.0.0.1:{port}", "--dist=load", "--rsyncdir=.", str(suite)]
        done = run(suite, *options, plugins=loaded)
    verdicts = done.verdicts
    assert verdicts.pop("test_remote.py::test_differs") == "diverged", done.output
    assert verdicts.pop("test_remote.py::test_place") == "vacuous"
    assert verdicts == {f"test_remote.py::test_number[{number}]": "same" for number in range(5)}
    served = [(place / backend).read_text().split() for backend in ("python", "rust")]
    # A process and a HOME for each arm, those that confirm among them.
    assert [len(words) for words in served] == [8, 8]
    assert len({*served[0], *served[1]}) == 16
    assert done.report["routes"]["small.double"]["rust"] == 6
    assert done.report["problems"] == []
    assert not list((place / "tmp").glob("skyrs-*"))


def test_remote_process_of_another_arm(tmp_path, loaded):
    """Modules that were loaded on Python would cover Rust."""
    suite = write(tmp_path / "suite", REMOTE)
    with remote(tmp_path / "elsewhere", "for-good") as port:
        options = [f"--tx=socket=127.0.0.1:{port}", "--dist=load", "--rsyncdir=.", str(suite)]
        done = run(suite, *options, plugins=loaded, keeps=True)
    assert done.code not in (0, 5)
    assert "served the arm python-1 before, and its modules are still loaded" in done.output
    assert "rust-1 needs a fresh one" in done.output
    assert set(done.verdicts.values()) == {"not-compared"}
