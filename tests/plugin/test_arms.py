"""Arms don't touch each other, nor what is outside; what goes wrong is said, and leaves nothing."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from suites import Process, ends, exists, kill, run, tree, wait_for, write

COMMON = """
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import small

BACKEND = "rust" if os.environ.get("SKYPILOT_USE_RUST") == "1" else "python"
HERE = pathlib.Path(__file__).parent


def put(name, text):
    partial = HERE / f".{name}.{os.getpid()}"
    partial.write_text(str(text))
    partial.rename(HERE / name)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
"""

PLACES = {
    "test_places.py": COMMON
    + """
import json
import tempfile
import hypothesis.configuration


def test_places(tmp_path, request):
    examples = hypothesis.configuration.storage_directory("examples")
    places = {
        "home": pathlib.Path.home(),
        "temporary": tempfile.gettempdir(),
        "tmp_path": tmp_path,
        "cache": request.config.cache.mkdir("own"),
        "hypothesis": getattr(examples, "path", examples),
    }
    put(f"places-{BACKEND}.json", json.dumps({name: str(at) for name, at in places.items()}))
    assert not os.path.exists(os.path.expanduser("~/.small"))
    assert not list(pathlib.Path(tempfile.gettempdir()).glob("small-*"))
    assert request.config.cache.get("own/value", None) is None


def test_writes(request):
    small.double(1)
    os.makedirs(os.path.expanduser("~/.cache/small"))
    pathlib.Path("~/.small").expanduser().write_text(BACKEND)
    tempfile.mkdtemp(prefix="small-")
    request.config.cache.set("own/value", BACKEND)


def daemon(name, act):
    # As daemons are made: nothing but their ancestry is left, and they write over that, too.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(null, descriptor)
            try:
                import setproctitle
            except ImportError:
                pass
            else:
                setproctitle.setproctitle("small: " + name)
            act()
        os._exit(0)
    os.wait()


def stay(name):
    put(f"{name}-{BACKEND}", os.getpid())
    while True:
        signal.pause()


def stay_for_good():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stay("deaf")


def serve():
    server = socket.create_server(("127.0.0.1", int(os.environ["SMALL_PORT"])))
    stay("server")


def test_the_other_arms_processes_are_gone():
    for name in ("plain", "deaf", "server"):
        path = HERE / f"{name}-python"
        if BACKEND == "rust":
            with pytest.raises(ProcessLookupError):
                os.kill(int(path.read_text()), 0)


def test_leaves_daemons():
    daemon("plain", lambda: stay("plain"))
    daemon("deaf", stay_for_good)
    daemon("server", serve)
    for name in ("plain", "deaf", "server"):
        wait_for((HERE / f"{name}-{BACKEND}").exists)
    assert small.double(1) == 2


def test_zombie_orphan():
    # Nobody in the session can wait for it.
    daemon("zombie", lambda: put(f"zombie-{BACKEND}", os.getpid()))
    path = HERE / f"zombie-{BACKEND}"
    wait_for(path.exists)
    pid = path.read_text()
    assert int(pid) > 0
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 10)
""",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    port = free_port()
    suite = write(tmp_path_factory.mktemp("places") / "suite", PLACES)
    home = suite.parent / "suite-home"
    home.mkdir()
    (home / "own").write_text("the user's")
    options = ["-p", "hypothesispytest", f"--skyrs-ports={port}"]
    try:
        yield run(suite, *options, env={"SMALL_PORT": str(port)})
    finally:
        for path in suite.glob("*-python"), suite.glob("*-rust"):
            for file in path:
                kill(int(file.read_text()))


def test_each_arm_has_its_own_places(places):
    assert places.code == 0, places.output
    assert "diverged" not in set(places.verdicts.values())
    seen = [
        json.loads((places.folder / f"places-{backend}.json").read_text())
        for backend in ("python", "rust")
    ]
    outside = [str(places.folder.parent / f"suite-{name}") for name in ("home", "tmp")]
    # One path for both, so that results are alike; what is there is each arm's own.
    assert seen[0] == seen[1]
    for name, path in seen[0].items():
        assert path.startswith(f"{outside[1]}/skyrs-"), name
    assert len(set(seen[0].values())) == 5


def test_what_is_the_users_stays_as_it_was(places):
    home = places.folder.parent / "suite-home"
    assert [path.name for path in home.rglob("*")] == ["own"]
    assert not (places.folder / ".hypothesis").exists()
    cache = places.folder / ".pytest_cache"
    # The controller's own, and none of the tests'.
    assert (cache / "d" / "skyrs" / "last-run.json").is_file()
    assert not list(cache.rglob("own*"))


def test_daemons_end_with_their_arm(places):
    for arm in places.report["arms"]:
        pids = {
            name: int((places.folder / f"{name}-{arm['backend']}").read_text())
            for name in ("plain", "deaf", "server")
        }
        assert len(arm["leftovers"]) == 3
        for name, pid in pids.items():
            assert any(f"(pid {pid})" in line for line in arm["leftovers"]), name
            assert ends(pid)
    assert "ended 3 processes that it left: " in places.output
    with contextlib.suppress(ImportError):
        import setproctitle  # noqa: F401

        assert all("small: " in line for line in places.report["arms"][0]["leftovers"])
    assert places.verdicts["test_places.py::test_the_other_arms_processes_are_gone"] == "vacuous"


def test_orphans_that_end_are_reaped(places):
    assert places.verdicts["test_places.py::test_zombie_orphan"] == "vacuous"


# Ports.

HOLD = """
import socket
import sys

server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held():
    """A port that somebody else holds, and who that is."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, "somebody-else"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield int(process.stdout.readline()), process.pid
        process.stdin.close()
        process.wait(10)


BINDS = {
    "test_binds.py": COMMON
    + """

def test_binds():
    port = int(os.environ["SMALL_PORT"])
    with socket.create_server(("127.0.0.1", port)) as server:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            peer, _ = server.accept()
            peer.close()
    assert small.double(1) == 2


def test_meets_the_other_arm():
    put(f"here-{BACKEND}", "x")
    other = {"python": "rust", "rust": "python"}[BACKEND]
    if os.environ.get("SMALL_MEET"):
        wait_for((HERE / f"here-{other}").exists)
    assert small.double(2) == 4
"""
}


def test_a_held_port_is_named(tmp_path, held):
    port, pid = held
    suite = write(tmp_path / "suite", BINDS)
    options = ["--skyrs-isolate=none", f"--skyrs-ports={port}"]
    done = run(suite, *options, env={"SMALL_PORT": str(port)})
    assert done.code == 4
    assert f"127.0.0.1:{port} is held by {sys.executable} -c" in done.output
    assert f"(pid {pid})" in done.output
    assert not (suite / "here-python").exists()
    # It isn't asked for: the tests meet it themselves, on both.
    done = run(suite, env={"SMALL_PORT": str(port)})
    assert done.verdicts["test_binds.py::test_binds"] == "same-fail"


def can_isolate():
    command = ["unshare", "--net", *([] if os.getuid() == 0 else ["--user"]), "true"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_isolate(), reason="no network namespace can be had")
@pytest.mark.parametrize("side_by_side", [False, True])
def test_each_arm_has_its_own_loopback(tmp_path, held, side_by_side):
    port, _ = held
    options = ["--skyrs-isolate=net", f"--skyrs-ports={port}"]
    env = {"SMALL_PORT": str(port)}
    if side_by_side:
        options.append("--skyrs-side-by-side")
        env["SMALL_MEET"] = "1"
    done = run(write(tmp_path / "suite", BINDS), *options, env=env)
    assert done.code == 0, done.output
    assert set(done.verdicts.values()) == {"same"}
    assert done.totals["passed"] == 2


@pytest.mark.skipif(not can_isolate(), reason="no network namespace can be had")
def test_a_held_port_is_no_obstacle(tmp_path, held):
    """By itself: only then the arms have no network, and the run says so."""
    port, _ = held
    suite = write(tmp_path / "suite", BINDS)
    done = run(suite, f"--skyrs-ports={port}", env={"SMALL_PORT": str(port)})
    assert done.code == 0, done.output
    assert set(done.verdicts.values()) == {"same"}
    told = f"no network but a loopback of their own, for somebody listens on {port} here"
    assert done.output.count(told) == 2
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        other = free.getsockname()[1]
    # The network is as in a plain run: the tests meet who holds the port.
    done = run(suite, f"--skyrs-ports={other}", env={"SMALL_PORT": str(port)})
    assert done.verdicts["test_binds.py::test_binds"] == "same-fail"
    assert "a loopback of their own" not in done.output


def test_side_by_side_needs_networks(tmp_path):
    done = run(write(tmp_path / "suite", BINDS), "--skyrs-side-by-side")
    assert done.code == 4
    assert "--skyrs-side-by-side needs --skyrs-isolate=net" in done.output


# Ends.

STUCK = {
    "test_stuck.py": COMMON
    + """

@pytest.mark.parametrize("number", range(3))
def test_before(number):
    assert small.double(number) == 2 * number


def test_stuck():
    assert small.double(1) == 2
    if BACKEND == os.environ.get("SMALL_STUCK") and not (HERE / "go").exists():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        daemon = subprocess.Popen(
            ["sh", "-c", "trap '' TERM INT HUP; sleep 600 & wait"], start_new_session=True
        )
        put("children", f"{child.pid} {daemon.pid}")
        put("stuck", os.getpid())
        time.sleep(600)


def test_after():
    assert small.double(3) == 6
"""
}
ALL = [*(f"test_stuck.py::test_before[{n}]" for n in range(3)), "test_stuck.py::test_after"]


@contextlib.contextmanager
def stuck(folder, backend, *options):
    """A run that is in the middle of a test, and that test's process."""
    suite = write(folder / "suite", STUCK)
    with Process(suite, *options, env={"SMALL_STUCK": backend}) as process:
        pid = wait_for(exists(suite / "stuck"), f"the test on {backend}: {process.text()}")
        yield process, int(pid)


def test_killed_session(tmp_path):
    with stuck(tmp_path, "rust") as (process, pid):
        (process.folder / "go").touch()
        kill(pid)
        done = process.wait()
    assert done.code == 1
    assert done.verdicts == {**dict.fromkeys(ALL, "same"), "test_stuck.py::test_stuck": "crashed"}
    (crash,) = done.report["divergences"]
    assert "the session died by SIGKILL" in crash["rust"]
    assert crash["detail"] == "1 of 2 runs"
    assert "rust-1 arm: its session ended by SIGKILL" in done.output
    for child in (process.folder / "children").read_text().split():
        assert ends(int(child))


def test_killed_session_on_python(tmp_path):
    """Python's own crash is no fault of Rust; the rest is compared."""
    with stuck(tmp_path, "python") as (process, pid):
        (process.folder / "go").touch()
        kill(pid)
        done = process.wait()
    verdicts = done.verdicts
    assert verdicts.pop("test_stuck.py::test_stuck") == "flaky-control"
    assert verdicts == dict.fromkeys(ALL, "same")


@pytest.mark.parametrize("backend", ["python", "rust"])
def test_killed_controller(tmp_path, backend):
    with stuck(tmp_path, backend) as (process, pid):
        children = [int(child) for child in (process.folder / "children").read_text().split()]
        below = psutil.Process(process.pid).children(recursive=True)
        assert {pid, *children} < {child.pid for child in below}
        process.send(signal.SIGKILL)
        wait_for(lambda: not process.survivors(), f"the end of {tree(process.pid)}", 9)
        assert all(ends(child.pid) for child in below)


def has_heard(process):
    """Whether the controller has read all that its arm wrote, and waits for more."""
    (events,) = process.temporary.glob("skyrs-*/arm/events.jsonl")
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(descriptor) == str(events):  # noqa: PTH115 - in 3.9 a path tells less
                position = Path(f"/proc/{process.pid}/fdinfo/{descriptor.name}").read_text()
                read = int(position.split()[1]) == events.stat().st_size
                return read and psutil.Process(process.pid).status() == psutil.STATUS_SLEEPING
    return False


@pytest.mark.parametrize("backend", ["python", "rust"])
def test_interrupted(tmp_path, backend):
    with stuck(tmp_path, backend) as (process, _):
        wait_for(lambda: has_heard(process), "the controller's hearing of the first tests")
        process.send(signal.SIGINT)
        done = process.wait()
        left = list(process.temporary.glob("skyrs-*"))
    assert done.code == 2
    assert not left
    assert "KeyboardInterrupt" in done.output
    assert "interrupted: what follows is what was known by then" in done.output
    report = done.report
    assert report["complete"] is False
    assert "interrupted" in report["interrupted"]
    names = [f"test_stuck.py::test_before[{number}]" for number in range(3)]
    verdict = {"python": "not-compared", "rust": "same"}[backend]
    verdicts = done.verdicts
    assert {name: verdicts.get(name) for name in names} == dict.fromkeys(names, verdict)
    assert verdicts.get("test_stuck.py::test_after") != "same"
    for child in (process.folder / "children").read_text().split():
        assert ends(int(child))


def test_interrupted_twice(tmp_path):
    """Who presses Ctrl-C again wants it to end at once; still nothing stays behind."""
    with stuck(tmp_path, "rust") as (process, _):
        process.send(signal.SIGINT)
        process.send(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.process.wait(60)
        assert process.process.returncode in (2, -signal.SIGINT, 1, 3)
        wait_for(lambda: not process.survivors(), "the end of the arm", 15)


# Disks.

SMALL_SUITE = {
    "test_one.py": COMMON
    + """

@pytest.mark.parametrize("number", range(20))
def test_one(number):
    assert small.double(number) == 2 * number
    print("x" * int(os.environ.get("SMALL_OUTPUT", "0")))
"""
}


@contextlib.contextmanager
def tiny_disk(folder, size):
    """A file system of a few KiB."""
    folder.mkdir()
    if os.getuid() != 0:
        pytest.skip("only root can mount a file system")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tiny", str(folder)]
    if subprocess.run(command, capture_output=True, timeout=20, check=False).returncode != 0:
        pytest.skip("no file system can be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], timeout=20, check=True)


def test_full_device_for_the_report(tmp_path):
    options = ["--skyrs-json=/dev/full", "--skyrs-html=/dev/full"]
    done = run(write(tmp_path / "suite", SMALL_SUITE), *options)
    assert done.code == 1
    assert done.totals == {"passed": 20}
    assert done.output.count("/dev/full could not be written: No space left on device") == 2
    assert "skyrs: 20 compared, 20 same, 0 diverged" in done.output


def test_full_disk_for_the_report(tmp_path):
    with tiny_disk(tmp_path / "tiny", 4) as disk:
        path = disk / "own.json"
        path.write_text("what was there")
        done = run(write(tmp_path / "suite", SMALL_SUITE), f"--skyrs-json={path}")
        assert done.code == 1
        assert f"{path} could not be written: No space left on device" in done.output
        assert done.totals == {"passed": 20}
        # A report is whole or isn't there.
        assert [(file.name, file.read_text()) for file in disk.iterdir()] == [
            ("own.json", "what was there")
        ]


@pytest.mark.parametrize("size", [4, 64, 300])
def test_full_disk_for_the_arms(tmp_path, size):
    with tiny_disk(tmp_path / "tiny", size) as disk:
        suite = write(tmp_path / "suite", SMALL_SUITE)
        env = {"TMPDIR": str(disk), "SMALL_OUTPUT": "30000"}
        done = run(suite, "-s", env=env)
        assert done.code != 0
        found = re.search("No space left on device|disk is full", done.output)
        assert found
        assert "the arms have their folders there, TMPDIR names another place" in done.output
        assert "Traceback" not in done.output
        assert done.seconds < 60
        assert not list(disk.iterdir())
