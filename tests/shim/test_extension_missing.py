"""Without a usable extension SkyPilot works as if we weren't there, and we say so once."""

import json
import shutil
from pathlib import Path

import pytest
from support import run_python, small_skypilot

import sky_rs_patch

PROGRAM = """
import json
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils, subprocess_utils
sky_rs_patch.disable(); sky_rs_patch.enable()
status = sky_rs_patch.status()
print(json.dumps([
    type(common_utils.base36_encode).__name__,
    common_utils.base36_encode("ff"),
    subprocess_utils.get_max_workers_for_file_mounts({}) > 0,
    {route["state"] for route in status["routes"].values()} <= {"inactive", "absent"},
    status["routes"]["sky.utils.common_utils.hash_file"]["reason"],
    status["extension"]["problem"],
    status["proxy"],
    sky_rs_patch.__file__,
]))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the installed package, to be damaged, and its extension's file."""
    copied = tmp_path / "copy" / "sky_rs_patch"
    shutil.copytree(
        Path(sky_rs_patch.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__")
    )
    small_skypilot(tmp_path / "copy")
    return next(copied.glob("_native*.so"))


def run_program(extension, *options, program=PROGRAM):
    return run_python(
        *options, "-c", program, environment={"PYTHONPATH": str(extension.parent.parent)}
    )


def remove(extension):
    extension.unlink()
    return "sky_rs_patch was installed without it: reinstall the wheel"


def rename_for_another_python(extension):
    name = "_native.cpython-36m-x86_64-linux-gnu.so"
    extension.rename(extension.with_name(name))
    return f"found {name}, but this interpreter needs a build for cpython-"


def cut_off(extension):
    extension.write_bytes(extension.read_bytes()[:40])
    return "file too short"


def empty(extension):
    extension.write_bytes(b"")
    return "file too short"


def fill_with_text(extension):
    extension.write_text("<html>This is a page of a proxy server.</html>\n" * 50)
    return "invalid ELF header"


def another_library(extension):
    import _ctypes

    shutil.copy(_ctypes.__file__, extension)
    return "PyInit__native"


DAMAGES = [remove, rename_for_another_python, cut_off, empty, fill_with_text, another_library]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_extension(damage, package):
    expected = damage(package)
    done = run_program(package)
    assert done.returncode == 0, done.stderr
    kind, value, workers, none_active, reason, problem, proxy, where = json.loads(done.stdout)
    assert where == str(package.parent / "__init__.py")
    assert (kind, value, workers, none_active, proxy) == ("function", "73", True, True, None)
    assert expected in problem
    assert reason == problem
    assert done.stderr.count("RuntimeWarning") == 1
    assert expected in done.stderr
    assert "SkyPilot stays on Python: the extension can't be loaded: " in done.stderr
    assert "Traceback" not in done.stderr


def test_however_often_warnings_are_shown(package):
    remove(package)
    done = run_program(package, "-W", "always")
    assert json.loads(done.stdout)[:2] == ["function", "73"]
    assert done.stderr.count("SkyPilot stays on Python") == 1


def test_an_undamaged_copy(package):
    done = run_program(package)
    assert done.stderr == ""
    assert json.loads(done.stdout)[:4] == ["RoutedFunction", "73", True, False]


def test_warnings_that_are_errors(package):
    remove(package)
    done = run_program(package, "-W", "error")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[:2] == ["function", "73"]
    assert done.stderr.count("SkyPilot stays on Python") == 1


def test_an_extension_that_fails_to_start(package):
    package.unlink()
    (package.parent / "_native.py").write_text("raise SystemError('no such instruction')\n")
    done = run_program(package)
    assert done.returncode == 0, done.stderr
    problem = json.loads(done.stdout)[5]
    assert problem == "the extension failed to start: SystemError: no such instruction"
    assert done.stderr.count("RuntimeWarning") == 1


def test_the_virtual_module(package):
    remove(package)
    done = run_program(
        package,
        program="import sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import rust_fallback\n"
        "assert not rust_fallback.is_rust_available()\n"
        "info = rust_fallback.get_backend_info()\n"
        "assert (info['backend'], info['build']) == ('python', {}), info\n"
        "assert rust_fallback.estimate_fd_for_directory('/proc/self/fd') > 0\n"
        "assert rust_fallback.is_process_alive(1)\n"
        "assert rust_fallback.base36_encode is rust_fallback._python_base36_encode\n"
        "assert rust_fallback.get_max_workers_for_file_mounts(\n"
        "    num_sources=1, estimated_files_per_source=1) >= 1\n"
        "print('fine')",
    )
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


def test_the_command_line(package):
    remove(package)
    environment = {"PYTHONPATH": str(package.parent.parent)}
    done = run_python("-m", "sky_rs_patch", "status", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "extension: none: the extension can't be loaded: " in done.stdout
    done = run_python("-m", "sky_rs_patch", "status", "--json", environment=environment)
    assert json.loads(done.stdout)["extension"]["problem"]


def test_counters_of_others_can_be_read(package, tmp_path):
    counters = tmp_path / "counters"
    environment = {
        "PYTHONPATH": str(package.parent.parent),
        "SKY_RS_PATCH_STATS_DIR": str(counters),
    }
    done = run_python("-c", PROGRAM, environment=environment)
    assert done.returncode == 0, done.stderr
    remove(package)
    arguments = ("-m", "sky_rs_patch", "status", "--json", "--from", counters)
    done = run_python(*arguments, environment={"PYTHONPATH": str(package.parent.parent)})
    assert done.returncode == 0, done.stderr
    routes = json.loads(done.stdout)["routes"]
    assert routes["sky.utils.common_utils.base36_encode"]["calls"] == {"rust": 1, "python": 0}
