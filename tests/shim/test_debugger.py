"""Who traces a program sees SkyPilot's functions or nothing, and none of the shim's code."""

import json
import sys
import threading
from pathlib import Path

import pytest
from support import COMMON, counting, function, run_python, small_skypilot, status_of

import sky_rs_patch
from sky_rs_patch._binding import extension

OURS = str(Path(sky_rs_patch.__file__).parent)

CALLS = {
    "base36_encode": "base36_encode('ff')",
    "format_float": "format_float(3.14)",
    "get_cpu_count": "get_cpu_count()",
    "read_last_n_lines": "read_last_n_lines(__file__, 2)",
    "find_free_port": "find_free_port(30001)",
    "a decline": "format_float('text')",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return str(small_skypilot(tmp_path_factory.mktemp("small")))


def program(folder, call):
    path = folder / "program.py"
    path.write_text(
        "import sky.utils.common_utils as c\n"
        "def use():\n"
        "    try:\n"
        f"        return c.{call}\n"
        "    except Exception as error:\n"
        "        return error\n"
        "use()\n"
        "print('then', use())\n"
    )
    return path


def run(path, small, active, *arguments, stdin=None):
    done = run_python(
        "-W",
        "ignore",
        *arguments,
        path,
        environment={"PYTHONPATH": small, "SKY_RS_PATCH_ACTIVE": active},
        **({"input": stdin} if stdin is not None else {}),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "commands",
    ["b 4\nc\ns\ns\nw\nr\nn\nc\nq\n", "b 4\nc\nn\nn\nc\nq\n", "b 4\nc\ns\nu\np 1\nd\nunt\nq\n"],
    ids=["step", "next", "up"],
)
def test_a_debugger_shows_what_it_shows_without_the_shim(commands, call, small, tmp_path):
    path = program(tmp_path, call)
    plain = run(path, small, "0", "-m", "pdb", stdin=commands)
    routed = run(path, small, "1", "-m", "pdb", stdin=commands)
    assert routed == plain
    assert ("--Call--" in plain) == ("\ns\n" in commands)


def test_a_breakpoint_in_a_routed_function(small, tmp_path):
    path = program(tmp_path, CALLS["base36_encode"])
    commands = "b sky.utils.common_utils.base36_encode\nc\nw\nc\nc\nq\n"
    commands = "import sky.utils.common_utils\n" + commands
    plain = run(path, small, "0", "-m", "pdb", stdin=commands)
    assert run(path, small, "1", "-m", "pdb", stdin=commands) == plain
    assert "base36_encode" in plain


TRACED = """
import json, sys, threading
import sky_rs_patch
from sky.utils import common_utils as c

seen = []

def trace(frame, event, arg):
    seen.append((event, frame.f_code.co_filename, frame.f_code.co_name))
    return trace

def work():
    before = (sys.gettrace(), sys.getprofile())
    c.base36_encode("ff")
    try:
        c.base36_encode("no number")
    except ValueError:
        pass
    same = (sys.gettrace(), sys.getprofile()) == before
    seen.append(("after", "", str(same)))

SET(trace)
work()
SET(None)
calls = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]["calls"]
print(json.dumps([seen, calls]))
"""


@pytest.mark.parametrize("setter", ["sys.settrace", "sys.setprofile"])
def test_what_traces_sees_the_original_alone(setter, small, tmp_path):
    path = tmp_path / "traced.py"
    path.write_text(TRACED.replace("SET", setter))
    done = run_python(path, environment={"PYTHONPATH": small, "SKY_RS_PATCH_ACTIVE": "1"})
    assert done.returncode == 0, done.stderr
    seen, calls = json.loads(done.stdout)
    assert calls == {"rust": 1, "python": 1}
    assert [name for _, name, _ in seen if name.startswith(OURS)] == []
    assert ["after", "", "True"] in seen
    # It goes on where it was: the original that runs after the decline, and the caller's lines.
    entered = [place for event, _, place in seen if event == "call"]
    assert entered[:2] == ["work", "base36_encode"]
    if setter == "sys.settrace":
        assert ["line", str(path), "work"] in seen[seen.index(["after", "", "True"]) - 2 :]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is there from 3.12 on")
def test_what_monitors_sees_the_original_alone(enabled):
    monitoring, seen = sys.monitoring, []
    events = monitoring.events
    monitoring.use_tool_id(monitoring.PROFILER_ID, "test")
    try:
        monitoring.register_callback(
            monitoring.PROFILER_ID, events.PY_START, lambda code, _: seen.append(code.co_filename)
        )
        proxy = function("format_float")
        monitoring.set_events(monitoring.PROFILER_ID, events.PY_START)
        with pytest.raises(TypeError):
            proxy()
        assert proxy(1.5) == "1.5"
        monitoring.set_events(monitoring.PROFILER_ID, 0)
    finally:
        monitoring.free_tool_id(monitoring.PROFILER_ID)
    assert [name for name in seen if name.startswith(OURS)] == []
    assert status_of("format_float")["calls"]["rust"] >= 1


def test_coverage_measures_as_ever_and_rust_answers(small, tmp_path):
    path = tmp_path / "covered.py"
    path.write_text(TRACED.partition("SET(trace)")[0] + "work()\nprint(status())\n")
    path.write_text(
        path.read_text().replace(
            "seen = []",
            "seen = []\n"
            "def status():\n"
            f"    return sky_rs_patch.status()['routes']['{COMMON}.base36_encode']['calls']\n",
        )
    )
    place = {"PYTHONPATH": small, "SKY_RS_PATCH_ACTIVE": "1", "COVERAGE_FILE": str(tmp_path / "c")}
    done = run_python("-m", "coverage", "run", path, environment=place, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "{'rust': 1, 'python': 1}\n"), done.stderr
    done = run_python("-m", "coverage", "json", "-q", "-o", "-", environment=place, cwd=tmp_path)
    files = json.loads(done.stdout)["files"]
    assert [name for name in files if name.endswith("covered.py")]
    assert [name for name in files if name.endswith("_guards/derive.py")] == []


class Tracer:
    """Counts calls of Python functions; made into a debugger's by where its class says it is."""

    def __init__(self):
        self.names = []

    def trace(self, frame, event, arg):
        self.names.append(frame.f_code.co_name)


@pytest.fixture
def traced():
    before = sys.gettrace()
    yield sys.settrace
    sys.settrace(before)


def nothing_to_guard():
    return extension.load().module.GuardBuilder()


def new_route(resolver):
    def original(number):
        return number

    return extension.load().module.Route("own", original, lambda number: number + 1, resolver)


def test_while_a_debugger_is_there_the_original_runs(traced):
    route = new_route(nothing_to_guard)
    debugger = type("Debugger", (Tracer,), {"__module__": "bdb"})()
    traced(debugger.trace)
    during = [route(1), route(1)]
    traced(None)
    assert during == [1, 1]
    assert [route(1), route(1)] == [2, 2]
    assert route.counts()[:3] == (2, 2, {"debugger": 2})
    assert debugger.names == ["original", "original"]


def test_other_tracers_change_nothing(traced):
    route = new_route(nothing_to_guard)
    tracer = Tracer()
    traced(tracer.trace)
    during = route(1)
    traced(None)
    assert during == 2
    assert tracer.names == ["<lambda>"], "the candidate is the user's own code"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_tracing_goes_on_after_a_failure_underway(error, traced, capfd):
    def resolver():
        raise error

    route = new_route(resolver)
    tracer = Tracer()
    traced(tracer.trace)
    try:
        route(1)
    except (KeyboardInterrupt, SystemExit) as stopped:
        assert type(stopped) is error
    (lambda: None)()
    traced(None)
    assert "resolver" not in tracer.names
    assert tracer.names[-1] == "<lambda>"


def test_a_resolver_may_trace_on_its_own_account(traced):
    """What is set while tracing is suspended is in effect afterwards."""
    tracer = Tracer()

    def resolver():
        sys.settrace(tracer.trace)
        return nothing_to_guard()

    assert new_route(resolver)(1) == 2
    traced(None)
    assert tracer.names == ["<lambda>"]


def test_other_threads_are_traced_meanwhile(traced):
    tracer = Tracer()
    go, done = threading.Event(), threading.Event()

    def seen_by_the_tracer():
        done.set()

    def other():
        sys.settrace(tracer.trace)
        go.wait(30)
        seen_by_the_tracer()

    thread = threading.Thread(target=other)
    thread.start()

    def resolver():
        go.set()
        assert done.wait(30)
        return nothing_to_guard()

    assert new_route(resolver)(1) == 2
    thread.join()
    assert "seen_by_the_tracer" in tracer.names


# ---- SKY_RS_WARN --------------------------------------------------------------------------------

WARNED = """
import logging, os, sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils as c
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
for _ in range(3):
    try: c.base36_encode('no number')
    except ValueError: pass
os.environ["SKYPILOT_USE_RUST"] = "0"
c.format_float(1.0)
os.environ["SKYPILOT_USE_RUST"] = "1"
from unittest import mock
with mock.patch("os.path.exists"): c.read_last_n_lines(__file__, 1)
"""


@pytest.mark.parametrize("value", ["1", "yes", "0", "off", "", None])
def test_the_first_declined_call_is_said_once(value, small, tmp_path):
    path = tmp_path / "warned.py"
    path.write_text(WARNED)
    environment = {"PYTHONPATH": small} | ({} if value is None else {"SKY_RS_WARN": value})
    done = run_python(path, environment=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    if value in ("1", "yes"):
        head = f"WARNING sky_rs_patch {COMMON}"
        assert [line.partition(" (said")[0] for line in lines] == [
            f"{head}.base36_encode: a call went to Python: value",
            f"{head}.read_last_n_lines: a call went to Python: posixpath.exists was replaced",
        ]
    else:
        assert lines == []


def test_a_log_that_fails_fails_no_call(monkeypatch, enabled):
    monkeypatch.setenv("SKY_RS_WARN", "1")
    sky_rs_patch.disable()
    monkeypatch.setattr("logging.Logger.warning", lambda *_: 1 / 0)
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with (
        sky_rs_patch.enabled(),
        counting("base36_encode") as counted,
        pytest.raises(ValueError, match="invalid literal"),
    ):
        function("base36_encode")("no number")
    assert counted.python == 1
