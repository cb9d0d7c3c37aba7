"""Commands that can't do what they are asked say so in one line, with exit code 2."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support import COMMON, run_python, small_skypilot

from sky_rs_patch._binding import counters
from sky_rs_patch._cli import queue_port

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "sky_rs_patch")
UNUSABLE = ("/proc/x", "/dev/null", "/dev/null/x", "/absent/x", "")


def misused(done):
    """Exit code 2, nothing on stdout, one line on stderr, which it returns."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    [line] = done.stderr.splitlines()
    assert "error: " in line
    return line


def values(option, unusable, *before):
    return [(*before, option, value) for value in unusable]


@pytest.mark.parametrize(
    "arguments",
    [
        *values("--home", ("/proc/x", "/dev/null", "/dev/null/x", ""), "demo"),
        *values("--from", UNUSABLE, "status"),
        *values("--from", UNUSABLE, "report"),
        *values("--from", ("/",), "report"),
        *values("--json", ("/proc/x", "/dev/null/x", "/absent/x", "/", ""), "bench", "--quick"),
        *values("--html", ("/proc/x", "/dev/null/x", "/absent/x", "/", ""), "bench", "--quick"),
        *values("--pyperf", ("/proc/x", "/"), "bench", "--quick"),
        *values("--server", ("/proc/x", "/", "/dev/null"), "bench", "--quick"),
        *values("--server", ("/proc/x", "/", "/dev/null"), "report"),
        *values("--html", ("/proc/x", "/"), "report"),
        *values("--markdown", ("/proc/x", "/"), "report"),
        *values("--of", UNUSABLE, "fingerprints"),
        *values("--against", UNUSABLE, "fingerprints"),
    ],
    ids=" ".join,
)
def test_unusable_values(arguments, tmp_path):
    line = misused(run_python(*COMMAND, *arguments, cwd=tmp_path))
    assert arguments[-2] in line or arguments[-1] in line
    assert arguments[-1] in line
    assert list(tmp_path.iterdir()) == []


def test_files_of_results_are_looked_at_before_anything_runs(tmp_path):
    """What is there stays as it is."""
    (tmp_path / "kept.json").write_text("kept")
    options = ("--json", "kept.json", "--html", "new.html", "--server", "/absent")
    misused(run_python(*COMMAND, "bench", *options, cwd=tmp_path))
    assert (tmp_path / "kept.json").read_text() == "kept"
    assert not (tmp_path / "new.html").exists()


@pytest.mark.parametrize("arguments", [("--foo",), ("program.py",), ("-x", "y")])
def test_deactivate_says_what_it_does_not_know(arguments):
    done = run_python("-m", "sky_rs_patch.deactivate", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("usage: ") == 1
    assert done.stderr.count("error: unrecognized arguments: ") == 1


# ---- the source folder --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The source folder, without what a build leaves there."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("sky_rs_patch", "pytest_skyrs"):
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("conftest.py", "pyproject.toml", "rust/Cargo.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        (*COMMAND, "status"),
        (*COMMAND, "status", "--check", "--exercise"),
        (*COMMAND, "bench", "--quick"),
        (*COMMAND, "demo"),
        ("-m", "sky_rs_patch.activate"),
        ("-m", "sky_rs_patch.activate", "-c", "print(1)"),
    ],
    ids=lambda arguments: " ".join(arguments[1:]),
)
def test_in_the_source_folder(arguments, sources):
    line = misused(run_python(*arguments, cwd=sources))
    assert line.count(f"you are in the source folder {sources}") == 1


@pytest.mark.parametrize("mode", ["--skyrs-both", "--skyrs-backend=rust", "--skyrs-selftest"])
def test_pytest_in_the_source_folder(mode, sources):
    done = run_python("-m", "pytest", mode, "-p", "no:cacheprovider", cwd=sources)
    assert done.returncode == 4
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
    assert len(lines) == 1
    assert "source" in lines[0]
    assert "Traceback" not in done.stdout + done.stderr


# ---- variables ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return {"PYTHONPATH": str(small_skypilot(tmp_path_factory.mktemp("small")))}


IS_SERVED = "from sky.utils import common_utils as c; print(type(c.format_float).__name__)"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((value, "RoutedFunction") for value in ("1", "true", "YES", "on")),
        *((value, "function") for value in (None, "", "0", "false", "No", "OFF")),
    ],
)
def test_the_variable_of_activation(value, kind, small):
    environment = small if value is None else {**small, "SKY_RS_PATCH_ACTIVE": value}
    done = run_python("-c", IS_SERVED, environment=environment)
    assert (done.stdout, done.stderr) == (f"{kind}\n", "")


def test_a_value_that_is_none_of_them_is_named(small):
    done = run_python("-c", IS_SERVED, environment={**small, "SKY_RS_PATCH_ACTIVE": "maybe"})
    assert done.stdout == "function\n"
    assert "SKY_RS_PATCH_ACTIVE='maybe' is no switch value" in done.stderr


@pytest.mark.parametrize("value", ["", "0", "false", "no", "OFF"])
@pytest.mark.parametrize("name", ["SKY_RS_ENABLE", "SKY_RS_PATCH_STATS_DIR", "SKY_RS_WARN"])
def test_off_values_of_the_others(name, value, small, tmp_path):
    code = (
        "import sky_rs_patch; sky_rs_patch.enable()\n"
        "from sky.utils import common_utils as c\n"
        "try: c.format_float('text')\n"
        "except Exception: print(c.format_float(1.5))\n"
    )
    done = run_python("-c", code, environment={**small, name: value}, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("1.5\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["/proc/x", "/dev/null", "/dev/null/x"])
def test_counters_that_cannot_be_kept_are_said_once(value, small):
    code = (
        "import sky_rs_patch; sky_rs_patch.enable()\n"
        "from sky.utils import common_utils as c, subprocess_utils\n"
        "print(c.format_float(1.5), c.base36_encode('ff'))\n"
        f"print(sky_rs_patch.status()['routes']['{COMMON}.format_float']['calls'])\n"
    )
    done = run_python("-c", code, environment={**small, counters.VARIABLE: value})
    assert (done.returncode, done.stdout) == (0, "1.5 73\n{'rust': 1, 'python': 0}\n")
    assert done.stderr.count("RuntimeWarning") == 1
    assert f"no counters are kept in {counters.VARIABLE}={value}: " in done.stderr


# ---- make ---------------------------------------------------------------------------------------


def make(target, **variables):
    return subprocess.run(
        ["make", "-s", target],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_looks_for_cargo_first(tmp_path):
    for tool in ("sh", "make"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = make("need-cargo", PATH=str(tmp_path), SHELL="/bin/sh")
    assert done.returncode == 2
    assert "no cargo on the PATH: install Rust" in done.stderr
    assert make("need-cargo").returncode == 0
    order = subprocess.run(
        ["make", "-n", "-B", ".venv/.tools"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert order.index("command -v cargo") < order.index("-m venv")


def test_make_demo_looks_at_the_port_first(tmp_path):
    order = subprocess.run(
        ["make", "-n", "-B", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert order.index("queue_port.check()") < order.index("-m venv")
    assert make("demo-check", PYTHON=sys.executable).returncode == 0


@pytest.fixture
def server():
    """Somebody else's, on SkyPilot's port."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", queue_port.PORT))
        except OSError:
            pytest.skip("a real server runs here")
        taken.listen()
        yield


CLAIM = (
    "from sky_rs_patch._cli import queue_port\n"
    "try: print(queue_port.claim(), queue_port.is_listened_on())\n"
    "except queue_port.Taken as error: print(error)\n"
)


def test_a_port_that_is_taken(server):
    done = run_python("-c", CLAIM)
    own = done.stdout == "True False\n"
    assert own or "stop that API server (sky api stop)" in done.stdout
    assert run_python(
        "-c", "from sky_rs_patch._cli import queue_port as q; raise SystemExit(q.check())"
    ).returncode == (0 if own else 2)


def test_a_port_that_is_taken_where_there_are_no_namespaces(server):
    forbidden = (
        "import ctypes\n"
        "class No:\n"
        "    def unshare(self, flags): ctypes.set_errno(1); return -1\n"
        "ctypes.CDLL = lambda *_, **__: No()\n"
    )
    done = run_python("-c", forbidden + CLAIM)
    assert done.stdout.startswith(f"something listens on 127.0.0.1:{queue_port.PORT}, ")
    assert "no network namespace can be had: Operation not permitted: stop" in done.stdout


def test_a_port_that_is_free():
    if queue_port.is_listened_on():
        pytest.skip("a real server runs here")
    assert run_python("-c", CLAIM).stdout == "False False\n"
