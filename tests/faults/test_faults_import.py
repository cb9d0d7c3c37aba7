"""What is broken, half done or hostile when SkyPilot is imported: SkyPilot works all the same."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
from support import run_python, small_skypilot

import sky_rs_patch
from sky_rs_patch._binding import extension as _extension

PROGRAM = """
import json, warnings
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils, subprocess_utils
route = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
print(json.dumps([type(common_utils.base36_encode).__name__, common_utils.base36_encode("ff"),
                  route["state"], route["reason"]]))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A SkyPilot that is imported quickly."""
    return small_skypilot(tmp_path_factory.mktemp("small"))


def run(code, *homes, **environment):
    done = run_python(
        "-c", code, environment={"PYTHONPATH": ":".join(map(str, homes)), **environment}
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def answer(done):
    return json.loads(done.stdout.splitlines()[-1])


# wrapt


def test_wrapt_is_missing(small, tmp_path):
    (tmp_path / "wrapt.py").write_text("raise ModuleNotFoundError(\"No module named 'wrapt'\")\n")
    done = run(PROGRAM, tmp_path, small)
    kind, value, state, reason = answer(done)
    assert (kind, value, state) == ("function", "73", "inactive")
    assert reason == "wrapt can't be used: ModuleNotFoundError: No module named 'wrapt'"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "stays on Python: wrapt can't be used: ModuleNotFoundError: No module" in done.stderr


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise SystemError('built for another Python')", "built for another Python"),
        ("__version__ = '0.1'", "module 'wrapt' has no attribute 'FunctionWrapper'"),
        ("class FunctionWrapper: pass", None),
        ("FunctionWrapper = len", None),
    ],
    ids=["fails", "too old", "another class", "no class"],
)
def test_another_wrapt(source, says, small, tmp_path):
    (tmp_path / "wrapt.py").write_text(f"{source}\n")
    done = run(PROGRAM, tmp_path, small)
    kind, value, state, reason = answer(done)
    assert (kind, value, state) == ("function", "73", "inactive")
    assert done.stderr.count("RuntimeWarning") == 1
    assert reason.startswith("wrapt can't be used: ")
    assert says is None or says in reason


def test_wrapt_without_its_extension(small):
    kind, value, state, reason = answer(run(PROGRAM, small, WRAPT_DISABLE_EXTENSIONS="1"))
    assert (kind, value, state, reason) == ("PythonRoutedFunction", "73", "active", None)


# The extension


def test_an_extension_that_was_built_for_another_python(small, tmp_path):
    """Renamed to what this interpreter looks for, so that it is really loaded."""
    home = tmp_path / "copy"
    shutil.copytree(
        Path(sky_rs_patch.__file__).parent,
        home / "sky_rs_patch",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    extension = next((home / "sky_rs_patch").glob("_native*.so"))
    # It needs a function that no interpreter has: the dynamic linker finds out at the loading.
    content = extension.read_bytes()
    assert b"\0PyErr_Occurred\0" in content
    extension.write_bytes(content.replace(b"\0PyErr_Occurred\0", b"\0PyErr_Another_\0"))
    done = run(PROGRAM, home, small)
    kind, value, state, reason = answer(done)
    assert (kind, value, state) == ("function", "73", "inactive")
    assert "undefined symbol: PyErr_Another_" in reason
    assert done.stderr.count("RuntimeWarning") == 1


def test_an_extension_that_panics_at_its_start(small, tmp_path, monkeypatch):
    """PyO3's exception for a panic is no `Exception`."""
    home = tmp_path / "copy"
    shutil.copytree(
        Path(sky_rs_patch.__file__).parent,
        home / "sky_rs_patch",
        ignore=shutil.ignore_patterns("__pycache__", "*.so"),
    )
    (home / "sky_rs_patch" / "_native.py").write_text(
        "class PanicException(BaseException): pass\nraise PanicException('out of bounds')\n"
    )
    done = run(PROGRAM, home, small)
    kind, value, state, reason = answer(done)
    assert (kind, value, state) == ("function", "73", "inactive")
    assert reason == "the extension failed to start: PanicException: out of bounds"


def test_ctrl_c_while_the_extension_is_loaded(small, tmp_path):
    home = tmp_path / "copy"
    shutil.copytree(
        Path(sky_rs_patch.__file__).parent,
        home / "sky_rs_patch",
        ignore=shutil.ignore_patterns("__pycache__", "*.so"),
    )
    (home / "sky_rs_patch" / "_native.py").write_text("raise KeyboardInterrupt\n")
    code = (
        "import sky_rs_patch\nsky_rs_patch.enable()\n"
        "try:\n    from sky.utils import common_utils\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    assert run(code, home, small).stdout == "interrupted\n"


# Interpreters that aren't served


def test_a_free_threaded_build_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "abiflags", "t")
    assert _extension._unfit_interpreter() == (
        "free-threaded builds of Python aren't supported: it keeps its state under the GIL"
    )
    monkeypatch.setattr(sys, "abiflags", "d")
    assert _extension._unfit_interpreter() is None


SUBINTERPRETER = """
import json, os, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

first, report = sys.argv[1:]
INSIDE = '''
import json, sys
sys.path[:] = {path!r}
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils
status = sky_rs_patch.status()
route = status["routes"]["sky.utils.common_utils.base36_encode"]
with open({report!r}, "w") as file:
    json.dump([type(common_utils.base36_encode).__name__, common_utils.base36_encode("ff"),
               route["state"], route["reason"], "sky_rs_patch._native" in sys.modules], file)
'''

def in_main():
    import sky_rs_patch
    sky_rs_patch.enable()
    from sky.utils import common_utils
    route = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
    before = route["calls"]["rust"]
    value = common_utils.base36_encode("ff")
    after = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
    return [type(common_utils.base36_encode).__name__, value, after["state"], after["reason"],
            after["calls"]["rust"] - before]

def in_another():
    # One that shares the GIL takes most extensions; one of its own, next to none.
    if hasattr(interpreters, "new_config"):
        other = interpreters.create("legacy")
    else:
        other = interpreters.create(isolated=False)
    code = INSIDE.format(path=sys.path, report=report)
    failure = interpreters.run_string(other, code)
    assert failure is None, failure
    interpreters.destroy(other)

if first == "main":
    before = in_main()
    in_another()
    assert in_main() == before
else:
    in_another()
print(json.dumps(in_main()))
"""


def has_subinterpreters():
    return any(importlib.util.find_spec(name) for name in ("_interpreters", "_xxsubinterpreters"))


@pytest.mark.skipif(not has_subinterpreters(), reason="this Python can't make subinterpreters")
@pytest.mark.parametrize("first", ["main", "another"])
def test_a_subinterpreter_is_refused(first, small, tmp_path):
    """Whichever comes first: the main interpreter is served, others stay on Python and say so."""
    report = tmp_path / "report.json"
    done = run_python("-c", SUBINTERPRETER, first, report, environment={"PYTHONPATH": str(small)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["RoutedFunction", "73", "active", None, 1]
    assert json.loads(report.read_text()) == [
        "function",
        "73",
        "inactive",
        "subinterpreters aren't supported: only the main interpreter is served",
        False,
    ]


# SkyPilot's own modules


HALF_WAY = """
import importlib, json, sys
import sky_rs_patch
sky_rs_patch.enable()
errors = []
for _ in range(3):
    try:
        import sky.utils.common_utils
    except RuntimeError as error:
        errors.append(str(error))
    assert "sky.utils.common_utils" not in sys.modules
state = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]["state"]
sys.is_mended = True
from sky.utils import common_utils
value = common_utils.base36_encode("ff")
route = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
first = [errors, state, value, route["state"], route["calls"]]
# A reload that fails leaves the module half new: what is a function again is served again.
del sys.is_mended
try:
    importlib.reload(common_utils)
except RuntimeError:
    pass
value = common_utils.base36_encode("ff")
route = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
half = [value, type(common_utils.base36_encode).__name__, route["state"]]
sys.is_mended = True
importlib.reload(common_utils)
value = common_utils.base36_encode("ff")
route = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
again = [value, type(common_utils.base36_encode).__name__, route["state"], route["calls"]]
del sys.modules["sky.utils.common_utils"]
import sky.utils.common_utils as new
value = new.base36_encode("ff")
route = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
deleted = [new is common_utils, value, route["state"], route["calls"],
           common_utils.base36_encode("ff")]
sky_rs_patch.disable()
restored = [type(module.base36_encode).__name__ for module in (common_utils, new)]
print(json.dumps([first, half, again, deleted, restored]))
"""


def test_a_module_that_fails_half_way(tmp_path):
    """In its last line, after all targets are there; then mended, reloaded, deleted."""

    def edit(source):
        if "def base36_encode" not in source:
            return source
        return (
            f"{source}\nimport sys\n"
            "if not hasattr(sys, 'is_mended'): raise RuntimeError('half way')\n"
        )

    first, half, again, deleted, restored = answer(run(HALF_WAY, small_skypilot(tmp_path, edit)))
    assert first == [["half way"] * 3, "inactive", "73", "active", {"rust": 1, "python": 0}]
    assert half[:2] == ["73", "function"]
    assert half[2] == "inactive"
    assert again == ["73", "RoutedFunction", "active", {"rust": 2, "python": 0}]
    assert deleted == [False, "73", "active", {"rust": 3, "python": 0}, "73"]
    assert restored == ["function", "function"]


# Registrations


@pytest.fixture
def entry_points(tmp_path):
    """A package whose entry points are at fault."""
    folder = tmp_path / "a_plugin-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1.0\n")
    lines = [
        "[sky_rs_patch.routes]",
        "sky.utils.common_utils.removeprefix = a_plugin:panics",
        "sky.utils.common_utils.never_there = a_plugin:anything",
        "not a dotted name = a_plugin:anything",
        "",
    ]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    (tmp_path / "a_plugin.py").write_text(
        "class PanicException(BaseException): pass\nraise PanicException('of another extension')\n"
    )
    return tmp_path


def test_an_entry_point_whose_extension_panics(entry_points, small):
    """At its import: SkyPilot's import isn't the place where that may show."""
    code = PROGRAM.replace(
        "print(", "print(json.dumps([sky_rs_patch.status()['problems']]))\nprint("
    )
    done = run(code, entry_points, small)
    assert answer(done) == ["RoutedFunction", "73", "active", None]
    (problems,) = json.loads(done.stdout.splitlines()[0])
    assert "not a dotted name" in problems


def test_entry_points_that_cannot_be_listed(small, tmp_path):
    """Somebody's finder of distributions fails."""
    code = (
        "import sys\nfrom importlib import metadata\n"
        "class Broken(metadata.DistributionFinder):\n"
        "    def find_spec(self, *arguments): return None\n"
        "    def find_distributions(self, *arguments): raise RuntimeError('no list')\n"
        "sys.meta_path.append(Broken())\n"
    )
    done = run(code + PROGRAM, small)
    assert answer(done)[:2] == ["RoutedFunction", "73"]


# Where nobody can be told


@pytest.mark.parametrize(
    "how",
    [
        "sys.stderr = None",
        "sys.stderr.close()",
        "warnings.showwarning = lambda *_: 1 / 0",
    ],
)
@pytest.mark.parametrize("filters", ["default", "error"])
def test_a_complaint_that_cannot_be_made(how, filters, small, tmp_path):
    (tmp_path / "wrapt.py").write_text("raise ModuleNotFoundError(\"No module named 'wrapt'\")\n")
    code = (
        f"import sys, warnings\nwarnings.simplefilter({filters!r})\n"
        f"{how}\n{PROGRAM.replace('import json, warnings', 'import json')}"
    )
    kind, value, state, _ = answer(run(code, tmp_path, small))
    assert (kind, value, state) == ("function", "73", "inactive")
