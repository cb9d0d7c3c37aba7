"""`python -m sky_rs_patch bench`: what it measures, what it refuses, what it says."""

import importlib.util
import json
import shutil
import sys
import time
from pathlib import Path

import pytest
from applicability import release, require
from support import run_python

from sky_rs_patch import __main__
from sky_rs_patch._bench import command, machine, simple, timing, worker
from sky_rs_patch._bench.corpus import Corpus
from sky_rs_patch._bench.workloads import HOMES, WORKLOADS, Bound, OpenSSL, Workload
from sky_rs_patch._binding import extension

SPREAD = {"median", "low", "high", "least", "most", "values"}


def bench(*options, **environment):
    return run_python("-m", "sky_rs_patch", "bench", *options, environment=environment)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """All workloads, so roughly that the numbers say nothing."""
    folder = tmp_path_factory.mktemp("bench")
    done = bench(
        *("--quick", "--no-memory", "--rounds", "2", "--seconds", "0.0002"),
        *("--json", folder / "bench.json", "--pyperf", folder / "pyperf.json"),
        *("--html", folder / "bench.html"),
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "bench.json").read_text()), done, folder


def test_the_schema(measured):
    result, _, _ = measured
    assert (result["kind"], result["schema"]) == ("sky_rs_patch bench", 1)
    assert set(result) == {
        *("schema", "kind", "created", "machine", "versions", "build", "settings", "warnings"),
        *("routes", "calls", "memory", "end_to_end", "server", "metadata"),
    }
    assert result["build"]["profile"] == "release"
    assert result["versions"]["skypilot"]
    plan = {"processes": 1, "rounds": 2, "seconds": 0.0002, "cpu_time": False}
    assert result["settings"] == {"quick": True, **plan}
    assert [(row["function"], row["workload"]) for row in result["routes"]] == [
        (workload.function, workload.what) for workload in WORKLOADS
    ]
    for row in result["routes"]:
        assert set(row) == {
            *("function", "workload", "target", "state", "note", "declined", "answered"),
            *("seconds", "ratio", "changing", "limit", "peers"),
        }
        for spread in [*row["seconds"].values(), *([row["ratio"]] if row["ratio"] else [])]:
            assert set(spread) == SPREAD
            assert spread["least"] <= spread["low"] <= spread["median"]
            assert spread["median"] <= spread["high"] <= spread["most"]
    assert set(result["calls"]) >= {"plain Python function", "proxy", "empty native call"}


def test_every_route_answers_its_workloads(measured):
    result, _, _ = measured
    routed = [row for row in result["routes"] if row["state"] == "measured"]
    assert {row["function"] for row in routed} >= {"hash_file", "format_float", "get_cpu_count"}
    for row in routed:
        assert row["answered"] is not row["declined"], row
        assert {"original", "routed"} <= set(row["seconds"]), row
    assert not [row for row in result["routes"] if row["state"] == "failed"]
    refused = {row["workload"] for row in result["routes"] if row["state"] == "refused"}
    # A parameter and a field of tasks that came with 0.10.
    assert refused == ({"long, middle", "the largest task"} if release() < (0, 10) else set())


def test_every_bound_is_measured(measured):
    result, _, _ = measured
    for row, workload in zip(result["routes"], WORKLOADS):
        if row["state"] in {"absent", "refused"} or workload.bound is None:
            continue
        assert row["limit"] == workload.bound.what
        if isinstance(workload.bound, Bound) or shutil.which("openssl"):
            assert row["seconds"]["limit"]["median"] > 0, row
        else:
            assert "openssl isn't installed" in row["note"]


def test_the_table_has_a_line_for_each(measured):
    _, done, _ = measured
    for workload in WORKLOADS:
        lines = [line for line in done.stdout.splitlines() if line.startswith(workload.function)]
        assert any(workload.what in line for line in lines), workload


def test_pyperf_reads_its_file(measured):
    import pyperf

    _, _, folder = measured
    suite = pyperf.BenchmarkSuite.load(str(folder / "pyperf.json"))
    assert suite.get_benchmark("format_float 1.0 [routed]").get_nvalue() == 2
    assert "<title>" in (folder / "bench.html").read_text()


def test_nothing_of_the_users_is_touched(tmp_path):
    done = bench(
        *("--quick", "--no-memory", "--only", "get_user_hash", "--rounds", "1"), HOME=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_peak_memory_by_route(tmp_path):
    require("read_last_n_lines")
    done = bench(
        *("--quick", "--only", "read_last_n_lines", "--rounds", "1", "--seconds", "0.0001"),
        *("--json", tmp_path / "bench.json"),
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "bench.json").read_text())["memory"]
    assert row["original"] > row["routed"] > 1 << 20


# ---- workloads ----------------------------------------------------------------------------------


def test_a_function_that_skypilot_lacks_is_absent(enabled, tmp_path):
    row = one(Workload("no_such_function", "", lambda _: ()), tmp_path)
    assert row == {"state": "absent", "note": "this SkyPilot doesn't have it"}


def test_a_function_without_a_route_is_measured_alone(enabled, tmp_path):
    row = one(Workload("class_fullname", "", lambda _: (int,)), tmp_path)
    assert row["state"] == "no route"
    assert set(row["values"]) == {"original"}
    assert row["note"] == "this build has no route for it"


def test_a_workload_that_fails_says_why(enabled, tmp_path):
    def arguments(_):
        raise ValueError("first line\nsecond line")

    row = one(Workload("format_float", "", arguments), tmp_path)
    assert row == {"state": "failed", "note": "ValueError: first line"}


def test_a_call_that_the_original_refuses_says_why(enabled, tmp_path):
    row = one(Workload("format_float", "", lambda _: (1.0, 1, "no third one")), tmp_path)
    assert row["state"] == "refused"
    assert row["note"].startswith("TypeError: format_float() takes from 1 to 2 positional")


def test_a_declined_call_is_named(enabled, tmp_path):
    workload = next(workload for workload in WORKLOADS if workload.declined)
    row = one(workload, tmp_path)
    assert row["answered"] is False
    assert row["note"] == "declined: type"


def test_a_guard_that_fails_is_named(enabled, tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.round", lambda *_: 0)
    row = one(Workload("format_float", "", lambda _: (1.5,)), tmp_path)
    assert row["answered"] is False
    assert row["note"] == "declined: guard (builtins.round was replaced)"


def test_the_demo_names_what_the_original_answers(monkeypatch):
    chosen = [w for w in WORKLOADS if w.function in ("format_float", "release_memory")]
    chosen.append(Workload("class_fullname", "", lambda _: (int,)))
    monkeypatch.setattr(simple, "WORKLOADS", chosen)
    lines = []
    simple.run(lines.append)
    assert "original answers" not in lines[0]
    assert [line for line in lines if line.endswith("  the original answers, declined: type")]
    assert "  no route: opt-in: set SKY_RS_ENABLE=release_memory" in lines[-1]


def one(workload, folder):
    job = {"seconds": 1e-6, "rounds": 1, "cpu_time": False}
    with Corpus(folder, quick=True) as corpus:
        return worker._one(workload, corpus, worker.Peers(None), job)


def test_peers_are_measured_beside_the_route(tmp_path):
    (tmp_path / "a_peer.py").write_text("def format_float(num, precision=1):\n    return 'x'\n")
    entry = {"peer": "mine", "module": "a_peer", "function": "format_float"}
    lost = {"peer": "lost", "module": "no_such_module", "function": "format_float"}
    (tmp_path / "peers.json").write_text(json.dumps([entry, lost]))
    out = tmp_path / "bench.json"
    done = bench(
        *("--quick", "--no-memory", "--only", "format_float", "--rounds", "2"),
        *("--seconds", "0.0001", "--peers", tmp_path, "--json", out),
    )
    assert done.returncode == 0, done.stderr
    assert "warning: format_float by lost: ModuleNotFoundError: No module named" in done.stderr
    row = json.loads(out.read_text())["routes"][0]
    assert set(row["peers"]) == {"mine"}
    assert set(row["peers"]["mine"]) == {"seconds", "ratio"}
    assert "Other compilers" in done.stdout


def test_names_are_unique_and_bounds_exist():
    names = [(workload.function, workload.what) for workload in WORKLOADS]
    assert len(set(names)) == len(names)
    native = extension.load().module
    for workload in WORKLOADS:
        if isinstance(workload.bound, Bound):
            assert callable(getattr(native, workload.bound.native))
        else:
            assert workload.bound is None or isinstance(workload.bound, OpenSSL)
    assert all(home.startswith("sky.utils.") for home in HOMES)


def test_the_floors_of_the_extension(tmp_path):
    native = extension.load().module
    path = tmp_path / "file"
    path.write_text("x" * 100_000)
    assert native.floor_empty() is None
    assert native.floor_empty(1, "two", []) is None
    with pytest.raises(TypeError):
        native.floor_empty(keyword=1)
    for text in ("", "plain", "grüße 世界 🚀"):
        assert native.floor_copy(text) == text
    for call in (
        native.floor_processors,
        native.floor_memory,
        lambda: native.floor_bind_port(0),
        lambda: native.floor_open_close("/absent"),
        lambda: native.floor_list_entries(str(tmp_path)),
        lambda: native.floor_list_entries(str(path)),
        lambda: native.floor_read_end(str(path), 99_999),
        lambda: native.floor_read_end("/absent", 1),
    ):
        assert call() is None
    with pytest.raises(ValueError, match="NUL"):
        native.floor_open_close("a\0b")
    assert len(list(Path("/proc/self/fd").iterdir())) < 200


# ---- task files ---------------------------------------------------------------------------------


def test_every_task_file_is_one_that_skypilot_loads(tmp_path):
    done = run_python(
        *("-m", "sky_rs_patch._bench.end_to_end"),
        input=json.dumps({"tasks": None, "rounds": 1}),
        environment={"HOME": str(tmp_path), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    # Older releases don't know all the fields of today's tasks, and say so.
    refused = ("InvalidSkyPilotConfigError: Invalid ",) if release() < (0, 14) else ()
    assert all(why.startswith(refused) for why in result["skipped"].values()), result["skipped"]
    assert result["files"] + len(result["skipped"]) >= 20
    assert result["files"] > len(result["skipped"])
    assert len(result["with"]) == len(result["without"]) == 1


def test_task_files_of_a_folder(tmp_path):
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "b.yml").write_text("run: echo a longer one\n")
    (tasks / "a.yaml").write_text("run: echo\n")
    (tasks / "pipeline.yaml").write_text("name: p\n---\nrun: a\n---\nrun: b\n")
    (tasks / "ignored.txt").write_text("x")
    corpus = Corpus(tmp_path, tasks=tasks)
    assert [task.name for task in corpus.tasks] == ["a", "b", "pipeline"]
    assert corpus.task("largest") == "run: echo a longer one\n"
    assert corpus.document("smallest") == {"run": "echo"}


# ---- what is refused ----------------------------------------------------------------------------


def refused(capsys, *options, code=2):
    assert __main__.main(["bench", *options]) == code
    return capsys.readouterr().err


def test_a_debug_build_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(extension, "build_info", lambda: {"profile": "debug"})
    said = refused(capsys, "--quick")
    assert "times of a debug build say nothing" in said
    assert "maturin build --release" in said


def test_a_missing_extension_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(extension, "build_info", dict)
    assert "times of a missing build say nothing" in refused(capsys)


def test_without_pyperf_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyperf", None)
    assert "pip install 'pyperf>=2.6'" in refused(capsys)


def test_without_skypilot(capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "sky" else find(name, *more),
    )
    assert "SkyPilot isn't installed" in refused(capsys)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--only", "no_such"), "--only no_such: no such function; there are _redact"),
        (("--tasks", "/absent"), "--tasks /absent: no such directory"),
        (("--tasks", "/proc/self/net"), "--tasks /proc/self/net: no *.yaml or *.yml there"),
        (("--json", "/absent/f.json"), "--json /absent/f.json: No such file or directory"),
        (("--html", "/absent/f.html"), "--html /absent/f.html: No such file or directory"),
        (("--html", "/proc/x"), "--html /proc/x: No such file or directory"),
        (("--json", "/"), "--json /: Is a directory"),
        (("--json", ""), "--json : Is a directory"),
        (("--pyperf", "/absent/f"), "--pyperf /absent/f: No such file or directory"),
        (("--peers", "/absent"), "--peers /absent: no peers.json there"),
        (("--server", "/absent"), "--server /absent: No such file or directory"),
        (("--server", __file__), "no JSON"),
    ],
)
def test_bad_options_name_their_value(capsys, options, said):
    assert said in refused(capsys, *options)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--processes", value) for value in ("0", "-1", "x", "", "1.5", "²")),
        *(("--rounds", value) for value in ("0", "many")),
        *(("--seconds", value) for value in ("0", "-1", "nan", "inf", "soon", "61")),
    ],
)
def test_bad_numbers_name_their_value(capsys, option, value):
    with pytest.raises(SystemExit) as ended:
        __main__.main(["bench", f"{option}={value}"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert option in said
    assert repr(value) in said


def test_a_worker_that_fails_says_how(capsys, monkeypatch):
    monkeypatch.setattr(command.children, "python", lambda *_: ["sh", "-c", "echo why >&2; exit 3"])
    said = refused(capsys, "--quick", "--only", "format_float", code=1)
    assert "a worker ended with exit code 3:\nwhy" in said


# ---- the machine --------------------------------------------------------------------------------


def test_a_quiet_machine_is_not_doubted():
    assert machine.noise(load=0.1, spread=0.02, governed="performance") == []
    assert machine.noise(load=0.1, spread=0.02, governed=None) == []


def test_a_noisy_machine_is_named():
    load, spread, governor = machine.noise(load=1000.0, spread=0.5, governed="powersave")
    assert "load average is 1000.00" in load
    assert "varies by 50%" in spread
    assert "'powersave'" in governor


def test_the_warning_is_printed_and_kept(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(machine, "spin_spread", lambda: 0.77)
    out = tmp_path / "bench.json"
    options = ("--quick", "--no-memory", "--rounds", "1", "--seconds", "0.0001")
    assert __main__.main(["bench", *options, "--only", "format_float", "--json", str(out)]) == 0
    assert "warning: a loop of always the same length varies by 77%" in capsys.readouterr().err
    assert any("77%" in warning for warning in json.loads(out.read_text())["warnings"])


def test_openssl_is_asked_or_missed(monkeypatch):
    if shutil.which("openssl"):
        rate, problem = machine.openssl_rate("sha256", 4096)
        assert rate > 1e6
        assert problem is None
        assert machine.openssl_rate("no-such-hash", 4096)[0] is None
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert machine.openssl_rate("sha256", 4096) == (None, "openssl isn't installed")


# ---- times --------------------------------------------------------------------------------------


class Ticking:
    """A timer whose calls take as long as it is told."""

    def __init__(self, seconds, log, name):
        self.seconds, self.log, self.name = seconds, log, name

    def timeit(self, loops):
        self.log.append(self.name)
        return self.seconds * loops


def test_rounds_are_interleaved_and_begin_with_each():
    log = []
    timers = {name: Ticking(1.0, log, name) for name in "abc"}
    loops, values = timing.interleaved(timers, seconds=0.5, rounds=4)
    assert loops == {"a": 1, "b": 1, "c": 1}
    assert values == {"a": [1.0] * 4, "b": [1.0] * 4, "c": [1.0] * 4}
    assert "".join(log) == "abc" + "abc" + "bca" + "cab" + "abc"


def test_processor_time_stands_still_while_a_call_sleeps():
    sleep = timing.timer(time.sleep, (0.05,), cpu_time=True)
    assert sleep.timeit(1) < 0.04
    assert timing.timer(time.sleep, (0.05,)).timeit(1) >= 0.05


@pytest.mark.parametrize("seconds", [1e-9, 1e-6, 1e-3, 1.0])
def test_a_value_is_long_enough(seconds):
    loops = timing.loops_for(Ticking(seconds, [], ""), 0.01)
    assert loops == 1 or 0.01 <= loops * seconds < 0.2 or loops == timing._MAX_LOOPS


def test_spread():
    assert timing.spread([3.0]) == (3.0, 3.0, 3.0, 3.0, 3.0, 1)
    assert timing.spread([5.0, 1.0, 2.0, 3.0, 4.0]) == (3.0, 2.0, 4.0, 1.0, 5.0, 5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.2e-8, "12 ns"), (1.234e-6, "1.23 µs"), (0.5, "500 ms"), (2.0, "2 s"), (4321.0, "4321 s")],
)
def test_seconds_have_a_unit(seconds, text):
    assert timing.seconds_text(seconds) == text
