"""``status``: what will not be served, before any call, with an exit code for scripts."""

import ast
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import COMMON, SERVED, function, run_python, small_skypilot, status_of

import sky_rs_patch
from sky_rs_patch._base.names import ACTIVE_VARIABLE as ACTIVE
from sky_rs_patch._binding import extension
from sky_rs_patch._cli import exercise
from sky_rs_patch._routes import opt_in
from sky_rs_patch._routes.table import ROUTES
from sky_rs_patch._runtime import advice, table


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return {"PYTHONPATH": str(small_skypilot(tmp_path_factory.mktemp("small")))}


def status(*options, **keywords):
    return run_python("-m", "sky_rs_patch", "status", *options, **keywords)


def edited(tmp_path, old, new):
    """An environment with a small SkyPilot, one of whose functions is another."""

    def edit(source):
        return source.replace(old, new)

    return {"PYTHONPATH": str(small_skypilot(tmp_path, edit))}


def verdict(done):
    return done.stdout.splitlines()[0]


def test_all_is_well(small):
    done = status("--check", environment=small)
    assert done.returncode == 0, done.stderr
    assert verdict(done).startswith(f"{len(SERVED)} of {len(SERVED)} routes would be served; ")


def test_the_samples_of_the_installed_skypilot():
    done = status(
        "--check", "--exercise", "--json", environment={"SKY_RS_ENABLE": "release_memory"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    exercised = {name: r["exercise"] for name, r in result["routes"].items() if r["exercise"]}
    present = {name for name, route in result["routes"].items() if route["state"] != "absent"}
    assert set(exercised) == present
    assert all(one == {"answered": True, "problem": None} for one in exercised.values())
    assert f"{COMMON}.release_memory" in exercised
    assert result["failures"] == []


def test_changed_code_is_said_and_fails(tmp_path):
    environment = edited(tmp_path, "int(hex_str, 16)", "int(hex_str, 17)")
    done = status("--check", environment=environment)
    assert done.returncode == 1
    count = len(SERVED)
    assert verdict(done).startswith(f"{count - 1} of {count} routes would be served; 1 on Python: ")
    assert "base36_encode (unknown code: " in verdict(done)
    [row] = [line for line in done.stdout.splitlines() if line.startswith(f"{COMMON}.base36")]
    assert " on Python " in row
    assert "help: base36_encode: `python -m sky_rs_patch fingerprints` shows" in done.stdout
    assert status(environment=environment).returncode == 0


def test_a_library_that_is_not_known_is_said_before_any_call(small, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import psutil\npsutil.version_info = (99, 0)\npsutil.__version__ = '99.0'\n"
    )
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{small['PYTHONPATH']}"}
    done = status("--check", "--json", environment=environment)
    assert done.returncode == 1
    route = json.loads(done.stdout)["routes"][f"{COMMON}.get_cpu_count"]
    assert route["calls"] == {"rust": 0, "python": 0}
    assert route["declines"] == {}
    assert (route["state"], route["served"], route["expected"]) == ("active", False, True)
    assert route["reason"] == "on Python for now: psutil 99.0 is not known"
    assert "docs/routes.md" in route["help"]


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({}, 0, "routes would be served; not switched on"),
        ({ACTIVE: "1"}, 0, f"{len(SERVED)} routes served"),
        ({ACTIVE: "0"}, 0, "not switched on"),
        ({ACTIVE: ""}, 0, "not switched on"),
        ({ACTIVE: "OFF"}, 0, "not switched on"),
        ({"SKYPILOT_USE_RUST": "0"}, 1, "SKYPILOT_USE_RUST='0' keeps every call on Python"),
        ({"SKYPILOT_USE_RUST": ""}, 1, "SKYPILOT_USE_RUST='' keeps every call on Python"),
        ({"SKY_RS_ENABLE": "off"}, 0, "routes would be served"),
        ({"SKY_RS_PATCH_STATS_DIR": "0"}, 0, "routes would be served"),
    ],
)
def test_variables(variables, code, said, small, tmp_path):
    done = status("--check", environment={**small, **variables}, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in verdict(done)
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_skypilot_that_is_not_there(tmp_path):
    environment = {"PYTHONPATH": str(tmp_path)}
    (tmp_path / "sky.py").write_text("raise ImportError('no sky today')\n")
    done = status("--check", environment=environment)
    assert done.returncode == 1
    assert "routes would be served: SkyPilot can't be imported: ImportError: no sky" in verdict(
        done
    )
    assert "Traceback" not in done.stderr


def test_a_registered_route_with_a_typing_error_in_its_name(tmp_path, small):
    package = tmp_path / "own_route-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: own-route\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[sky_rs_patch.routes]\nsky.utils.common_utils.format_flaot = math:floor\n"
    )
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{small['PYTHONPATH']}"}
    done = status("--check", environment=environment)
    assert done.returncode == 1
    assert "format_flaot (sky.utils.common_utils has no format_flaot)" in verdict(done)


def test_from_a_directory_excludes_the_checks(tmp_path):
    done = status("--from", tmp_path, "--check")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


# ---- exercise finds what is wrong ----------------------------------------------------------------


def spec_of(name):
    return next(spec for spec in ROUTES if spec.target == f"{COMMON}.{name}")


def exercised(name):
    function(name)
    target = f"{COMMON}.{name}"
    return exercise.exercise([target])[target]


def test_an_answer_that_differs(enabled, monkeypatch):
    proxy = function("base36_encode")
    wrong = extension.load().module.Route(
        proxy._self_route.name, proxy._self_route.original, lambda _: 7, None
    )
    entry = next(e for e in table.installed() if e.attribute == "base36_encode")
    stand_in = type(proxy)(wrong)
    monkeypatch.setattr(entry, "_proxy", lambda: stand_in)
    assert exercised("base36_encode") == (
        True,
        "it gives 7, the original 'ck2u8j60r58fu0sgyxrigm3cu'",
    )


def test_a_call_that_is_declined(enabled, monkeypatch):
    monkeypatch.setenv("SKYPILOT_USE_RUST", "0")
    assert exercised("base36_encode") == (False, "declined: switch")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        ([1, "a"], [1, "a"], True),
        ([1], [True], False),
        ([1], (1,), False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({"a": [1]}, {"a": [1.0]}, False),
        (None, None, True),
    ],
)
def test_what_is_the_same(one, other, same):
    assert exercise._is_same(one, other) is same


# ---- in a program --------------------------------------------------------------------------------


def test_status_examines_and_counts_nothing(enabled):
    function("read_last_n_lines")
    before = status_of("read_last_n_lines")
    routes = sky_rs_patch.status()["routes"]
    after = routes[f"{COMMON}.read_last_n_lines"]
    assert after["served"]
    assert (after["calls"], after["declines"]) == (before["calls"], before["declines"])


def test_status_sees_what_was_replaced_since(enabled, log_file, monkeypatch):
    function("read_last_n_lines")(str(log_file), 1)
    monkeypatch.setattr("os.path.exists", lambda path: True)
    before = status_of("read_last_n_lines")["declines"]
    route = sky_rs_patch.status()["routes"][f"{COMMON}.read_last_n_lines"]
    assert route["reason"] == "on Python for now: posixpath.exists was replaced"
    assert (route["served"], route["help"]) == (False, "put it back: the next call looks again")
    assert route["declines"] == before
    monkeypatch.undo()
    assert sky_rs_patch.status()["routes"][f"{COMMON}.read_last_n_lines"]["served"]


# ---- the table of reasons ------------------------------------------------------------------------


def texts(node):
    """What a string expression may give, with X for what is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.Constant) else "X" for v in node.values]
        return ["".join(parts)]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in texts(value)]
    return []


def reasons():
    """Every reason that the sources can give for a route that isn't served."""
    package = Path(inspect.getfile(sky_rs_patch)).parent
    found = []
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            given = []
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", None))
                if name in ("Suspect", "Refused") or (
                    name == "append" and "_suspects" in ast.unparse(node.func)
                ):
                    given = node.args
            elif isinstance(node, ast.FunctionDef) and "str | None" in ast.unparse(
                node.returns or ast.Constant(None)
            ):
                if "preconditions" in path.name or "yaml" in path.name or "memory" in path.name:
                    given = [r.value for r in ast.walk(node) if isinstance(r, ast.Return)]
            elif isinstance(node, ast.Yield) and "yaml" in path.name:
                given = [node.value]
            found += [text for each in given if each is not None for text in texts(each)]
    return sorted(set(found) - {"absent"})


def test_the_sources_give_reasons():
    assert len(reasons()) > 30


@pytest.mark.parametrize("reason", reasons())
def test_there_is_advice_on_each_reason(reason):
    assert advice.of(reason) is not None, f"{reason!r} is in no line of the table"


def test_opt_in_routes_say_what_is_missing(enabled):
    function("base36_encode")
    route = sky_rs_patch.status()["routes"][f"{COMMON}.release_memory"]
    if route["state"] != "absent":
        assert (route["expected"], route["served"]) == (False, False)
        assert route["reason"].startswith(f"opt-in: set {opt_in.VARIABLE}=release_memory")


# ---- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "fingerprints", "bench", "report", "demo"])
def test_help_has_examples(command):
    done = run_python("-m", "sky_rs_patch", command, "--help")
    assert done.returncode == 0
    assert f"python -m sky_rs_patch {command}" in done.stdout.partition("examples:")[2]


def test_the_version():
    done = run_python("-m", "sky_rs_patch", "--version")
    assert (done.returncode, done.stdout) == (0, f"sky_rs_patch {sky_rs_patch.__version__}\n")


def test_a_reader_that_has_seen_enough(small):
    with subprocess.Popen(
        [sys.executable, "-m", "sky_rs_patch", "status", "--json"],
        env={**os.environ, **small},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
