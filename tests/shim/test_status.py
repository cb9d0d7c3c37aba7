"""What the status says, in a process and about processes that are gone."""

import contextlib
import gc
import json
import os
import re
import signal
import subprocess
import sys
from unittest import mock

import pytest
from support import (
    COMMON,
    SERVED,
    TARGETS,
    counting,
    full_name,
    function,
    run_code,
    run_python,
    small_skypilot,
    status_of,
)

import sky_rs_patch
from sky_rs_patch._binding import counters as _counters

VARIABLE = "SKY_RS_PATCH_STATS_DIR"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return {"PYTHONPATH": str(small_skypilot(tmp_path_factory.mktemp("small")))}


@pytest.fixture
def counters(tmp_path):
    return tmp_path / "deep" / "counters"


def test_its_shape(enabled):
    function("base36_encode")
    status = sky_rs_patch.status()
    assert json.loads(json.dumps(status)) == status
    assert set(status) == {
        "schema",
        "version",
        "enabled",
        "switch",
        "extension",
        "proxy",
        "python",
        "skypilot",
        "problems",
        "routes",
    }
    assert status["enabled"] is True
    assert status["version"] == sky_rs_patch.__version__
    assert status["switch"] == {"value": None, "on": True, "problem": None}
    assert status["proxy"] == {"native": True, "problem": None}
    assert status["extension"]["problem"] is None
    assert {"version", "profile", "commit"} <= set(status["extension"])
    for name in TARGETS:
        route = status["routes"][full_name(name)]
        assert set(route) == {
            "state",
            "served",
            "expected",
            "reason",
            "help",
            "source",
            "rebound",
            "calls",
            "declines",
            "first_exception",
            "registered_by",
        }
        assert route["state"] in ("active", "inactive", "absent")
        assert set(route["calls"]) == {"rust", "python"}
        assert route["source"] == "built-in"
        assert (route["reason"] is None) == (route["state"] == "active")


def test_declines_by_reason(enabled, monkeypatch, tmp_path):
    encode = function("base36_encode")
    calls = {
        "arguments": lambda: encode("ff", "too many"),
        "type": lambda: encode(35),
        "value": lambda: encode("not hexadecimal"),
    }
    for reason, call in calls.items():
        with counting("base36_encode") as counted, pytest.raises((TypeError, ValueError)):
            call()
        assert counted.declines == {reason: 1}
    reads = {"os-error": tmp_path / "nothing", "special-file": "/dev/null"}
    for reason, path in reads.items():
        with counting("hash_file") as counted, contextlib.suppress(FileNotFoundError):
            function("hash_file")(str(path), "md5")
        assert counted.declines == {reason: 1}


def test_python_calls_are_the_sum_of_the_declines(enabled, monkeypatch):
    route = status_of("base36_encode")
    assert route["calls"]["python"] == sum(route["declines"].values())
    monkeypatch.setenv("SKYPILOT_USE_RUST", "0")
    function("base36_encode")("ff")
    route = status_of("base36_encode")
    assert route["calls"]["python"] == sum(route["declines"].values())


def test_a_guard_is_named_even_after_the_route_is_gone(log_file):
    label = "guard:posixpath.exists"
    before = status_of("read_last_n_lines")["declines"].get(label, 0)
    with sky_rs_patch.enabled():
        function("read_last_n_lines")(str(log_file), 1)
        with mock.patch("os.path.exists", return_value=True):
            assert function("read_last_n_lines")(str(log_file), 1) == ["line 999"]
    gc.collect()
    assert status_of("read_last_n_lines")["declines"][label] == before + 1


def test_the_reason_while_something_is_replaced(monkeypatch, log_file):
    # A proxy that an earlier test has called knows its guards already.
    gc.collect()
    sky_rs_patch.enable()
    with monkeypatch.context() as patch:
        patch.setattr("os.path.exists", lambda path: True)
        function("read_last_n_lines")(str(log_file), 1)
        route = status_of("read_last_n_lines")
        assert route["state"] == "active"
        assert route["reason"] == "on Python for now: posixpath.exists was replaced"
    function("read_last_n_lines")(str(log_file), 1)
    assert status_of("read_last_n_lines")["reason"] is None


def test_the_command(small):
    done = run_python("-m", "sky_rs_patch", "status", environment=small)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    count = len(SERVED)
    assert lines[0].startswith(f"{count} of {count} routes would be served; not switched on (")
    assert lines[2].startswith(f"sky_rs_patch {sky_rs_patch.__version__}, Python 3.")
    assert re.match(r"extension: (release|debug) build of ", lines[3])
    assert lines[4] == "proxies: native"
    assert lines[5] == "SKYPILOT_USE_RUST not set: calls go to Rust"
    assert lines[6] == "environment: not switched on"
    header = next(line for line in lines if line.startswith("route "))
    assert header.split() == ["route", "state", "rust", "python", "declines", "and", "reasons"]
    for name in TARGETS:
        row = next(line for line in lines if line.startswith(full_name(name) + " "))
        words = row.split()[1:-2] if name in SERVED else row.split()[1:2]
        assert words == (["would", "be", "served"] if name in SERVED else ["absent"])


def test_the_command_for_programs(small):
    environment = {**small, "SKYPILOT_USE_RUST": "off"}
    done = run_python("-m", "sky_rs_patch", "status", "--json", environment=environment)
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert status["routes"][f"{COMMON}.hash_file"]["state"] == "active"
    assert status["switch"] == {"value": "off", "on": False, "problem": None}
    assert status["import_problems"] == []
    assert "environment" in status


def test_the_command_with_an_invalid_switch(small):
    environment = {**small, "SKYPILOT_USE_RUST": "maybe"}
    done = run_python("-m", "sky_rs_patch", "status", environment=environment)
    assert done.returncode == 2
    assert "error: SKYPILOT_USE_RUST='maybe' is not a switch value" in done.stderr


def test_the_command_with_a_skypilot_that_cannot_be_imported(tmp_path):
    def broken(source):
        return f"{source}\nraise OSError('the disk is gone')"

    environment = {"PYTHONPATH": str(small_skypilot(tmp_path, broken))}
    done = run_python("-m", "sky_rs_patch", "status", environment=environment)
    assert done.returncode == 0, done.stderr
    expected = f"problem: {COMMON} can't be imported: OSError: the disk is gone"
    assert expected in done.stdout.splitlines()


@pytest.mark.parametrize("arguments", [(), ("no-such-command",), ("status", "--no-such-option")])
def test_commands_that_do_not_exist(arguments):
    done = run_python("-m", "sky_rs_patch", *arguments)
    assert done.returncode == 2
    assert "usage: python -m sky_rs_patch" in done.stderr


def read(counters):
    """Counts by pid."""
    done = run_python("-m", "sky_rs_patch", "status", "--json", "--from", counters)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    by_process = {
        process["pid"]: process["routes"][f"{COMMON}.base36_encode"]
        for process in result["processes"]
    }
    return by_process, result["routes"]


def program(body):
    return (
        "import os, signal, sys\nimport sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import common_utils\n"
        "def call(times):\n"
        "    for _ in range(times): common_utils.base36_encode('ff')\n"
        f"{body}"
    )


def test_counters_of_a_process(small, counters):
    code = program(
        "call(3)\ntry: common_utils.base36_encode('z')\nexcept ValueError: pass\nprint(os.getpid())"
    )
    pid = int(run_code(code, environment={**small, VARIABLE: str(counters)}))
    by_process, total = read(counters)
    assert by_process == {
        pid: {
            "calls": {"rust": 3, "python": 1},
            "declines": {"value": 1},
            "first_exception": None,
        },
    }
    assert total[f"{COMMON}.base36_encode"] == by_process[pid]
    done = run_python("-m", "sky_rs_patch", "status", "--from", counters)
    assert done.stdout.startswith("1 processes\n")
    [row] = [line for line in done.stdout.splitlines() if "base36_encode" in line]
    assert row.split() == [f"{COMMON}.base36_encode", "3", "1", "value", "1"]


def test_counters_of_children(small, counters):
    code = program(
        "call(2)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    call(5)\n"
        "    grandchild = os.fork()\n"
        "    if not grandchild:\n"
        "        call(7)\n"
        "        status = sky_rs_patch.status()['routes']['sky.utils.common_utils.base36_encode']\n"
        "        assert status['calls']['rust'] == 7, status\n"
        "        os._exit(0)\n"
        "    _, code = os.waitpid(grandchild, 0)\n"
        "    os._exit(code and 1)\n"
        "_, code = os.waitpid(child, 0)\n"
        "assert code == 0\n"
        "call(1)\n"
    )
    run_code(code, environment={**small, VARIABLE: str(counters)})
    by_process, total = read(counters)
    assert sorted(route["calls"]["rust"] for route in by_process.values()) == [3, 5, 7]
    assert total[f"{COMMON}.base36_encode"]["calls"] == {"rust": 15, "python": 0}


def test_counters_of_a_process_that_was_killed(small, counters):
    code = program("call(4)\nprint('ready', flush=True)\nsignal.pause()")
    environment = {**os.environ, **small, VARIABLE: str(counters)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    running, _ = read(counters)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    killed, _ = read(counters)
    assert (
        running
        == killed
        == {
            process.pid: {
                "calls": {"rust": 4, "python": 0},
                "declines": {},
                "first_exception": None,
            },
        }
    )


def test_counters_of_routes_that_come_and_go(small, counters):
    code = program(
        "for _ in range(200):\n"
        "    call(1)\n"
        "    sky_rs_patch.disable()\n"
        "    call(1)\n"
        "    sky_rs_patch.enable()\n"
        "route = sky_rs_patch.status()['routes']['sky.utils.common_utils.base36_encode']\n"
        "assert route['calls'] == {'rust': 200, 'python': 0}, route\n"
    )
    run_code(code, environment={**small, VARIABLE: str(counters)})
    by_process, _ = read(counters)
    assert [route["calls"]["rust"] for route in by_process.values()] == [200]


def test_more_routes_than_a_file_holds(small, counters):
    code = program(
        "import types\n"
        "module = types.ModuleType('a_module'); sys.modules['a_module'] = module\n"
        "for number in range(150):\n"
        "    exec(f'def function_{number}(): return 0', vars(module))\n"
        "    sky_rs_patch.register(f'a_module.function_{number}', lambda: 1)\n"
        "    assert getattr(module, f'function_{number}')() == 1\n"
        "call(2)\n"
        "routes = sky_rs_patch.status()['routes']\n"
        "assert all(routes[f'a_module.function_{n}']['calls']['rust'] == 1 for n in range(150))\n"
    )
    run_code(code, environment={**small, VARIABLE: str(counters)})
    _, total = read(counters)
    assert total[f"{COMMON}.base36_encode"]["calls"]["rust"] == 2
    assert total["a_module.function_10"]["calls"]["rust"] == 1


def test_a_directory_that_cannot_be_made(small, tmp_path):
    (tmp_path / "file").touch()
    environment = {**small, VARIABLE: str(tmp_path / "file" / "counters")}
    done = run_python("-c", program("call(1); print('fine')"), environment=environment)
    assert (done.returncode, done.stdout) == (0, "fine\n")
    assert done.stderr.count("RuntimeWarning") == 1
    assert f"no counters are kept in {VARIABLE}=" in done.stderr


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_a_directory_that_is_none(name, tmp_path):
    (tmp_path / "file").touch()
    done = run_python("-m", "sky_rs_patch", "status", "--from", tmp_path / name)
    assert done.returncode == 2
    assert f"error: --from: no counters in {tmp_path / name}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_files_of_others(tmp_path):
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / "1-1.skyrs").touch()
    assert _counters.read(str(tmp_path)) == []
    (tmp_path / "2-2.skyrs").write_bytes(b'{"schema": 99}\0')
    with pytest.raises(ValueError, match="has schema 99"):
        _counters.read(str(tmp_path))


def test_an_empty_directory(tmp_path):
    done = run_python("-m", "sky_rs_patch", "status", "--from", tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "0 processes")
