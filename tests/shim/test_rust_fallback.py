"""``from sky.utils import rust_fallback``, a module that no SkyPilot has."""

import importlib
import json
import os
import pickle
import resource
import subprocess
import sys
from unittest import mock

import applicability
import psutil
import pytest
import samples
import wrapt
from support import (
    PRESENT,
    counting,
    full_name,
    function,
    outcome,
    run_code,
    run_python,
    small_skypilot,
)

import sky_rs_patch
from sky_rs_patch._binding import extension

#: Of which there is an original of this project's own; SkyPilot 0.10 has one of them itself.
OWN = ["estimate_fd_for_directory"]
if applicability.reason(full_name("is_process_alive")) is not None:
    OWN.append("is_process_alive")
NAMES = sorted({*PRESENT, *OWN, "is_process_alive"})
MODULE = "sky.utils.rust_fallback"


@pytest.fixture
def fallback(enabled):
    module = importlib.import_module(MODULE)
    yield module
    sky_rs_patch.disable()
    sys.modules.pop(MODULE)
    vars(sys.modules["sky.utils"]).pop("rust_fallback", None)


def target_of(name):
    """What a function is counted under."""
    return f"{MODULE}.{name}" if name in OWN else full_name(name)


def arguments_of(name, tmp_path):
    if name == "estimate_fd_for_directory":
        return (str(tmp_path),)
    return samples.arguments(name, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_the_twelve_functions(name, fallback, tmp_path):
    arguments = arguments_of(name, tmp_path)
    accelerated = getattr(fallback, name)
    original = getattr(fallback, f"_python_{name}")
    with counting(target_of(name)) as counted:
        answer = outcome(accelerated, *arguments)
    assert answer == outcome(original, *arguments)
    assert answer[0] == "returns"
    assert (counted.rust, counted.python) == (1, 0)
    assert not isinstance(original, wrapt.FunctionWrapper)
    assert name in fallback.__all__


@pytest.mark.parametrize(
    "statement",
    [
        "from sky.utils import rust_fallback",
        "import sky.utils.rust_fallback; rust_fallback = sky.utils.rust_fallback",
        "import sky.utils.rust_fallback as rust_fallback",
        "from sky.utils.rust_fallback import *; import sky.utils.rust_fallback as rust_fallback; "
        "assert base36_encode is rust_fallback.base36_encode and is_rust_available()",
        "import importlib; rust_fallback = importlib.import_module('sky.utils.rust_fallback')",
    ],
)
def test_forms_of_import(statement, tmp_path):
    code = f"{statement}\nprint(rust_fallback.base36_encode('ff'), rust_fallback.__name__)"
    environment = {"PYTHONPATH": str(small_skypilot(tmp_path))}
    done = run_python("-m", "sky_rs_patch.activate", "-c", code, environment=environment)
    assert (done.stdout, done.stderr) == (f"73 {MODULE}\n", "")


def test_without_the_hook_there_is_none(tmp_path):
    environment = {"PYTHONPATH": str(small_skypilot(tmp_path))}
    for code in (
        "from sky.utils import rust_fallback",
        "import sky_rs_patch; sky_rs_patch.enable(); sky_rs_patch.disable()\n"
        "import sky.utils.rust_fallback",
    ):
        done = run_python("-c", code, environment=environment)
        assert done.returncode == 1
        assert "rust_fallback" in done.stderr.splitlines()[-1]


def test_a_real_module_of_that_name_goes_first(tmp_path):
    directory = small_skypilot(tmp_path)
    (directory / "sky" / "utils" / "rust_fallback.py").write_text("REAL = True\n")
    code = (
        "import sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import rust_fallback, common_utils, subprocess_utils\n"
        "print(rust_fallback.REAL, hasattr(rust_fallback, 'hash_file'), rust_fallback.__file__)\n"
        "print(sky_rs_patch.status()['routes']['sky.utils.common_utils.hash_file']['state'])"
    )
    printed = run_code(code, environment={"PYTHONPATH": str(directory)})
    path = directory / "sky" / "utils" / "rust_fallback.py"
    assert printed == f"True False {path}\nactive\n"


def test_what_answers(fallback, monkeypatch):
    assert fallback.is_rust_available() is True
    info = fallback.get_backend_info()
    assert set(info) == {"backend", "version", "build", "platform"}
    assert (info["backend"], info["version"]) == ("rust", sky_rs_patch.__version__)
    assert info["build"] == extension.build_info()
    assert info["build"]["profile"] in ("release", "debug")
    assert json.loads(json.dumps(info)) == info
    for value in ("0", "maybe"):
        monkeypatch.setenv("SKYPILOT_USE_RUST", value)
        assert fallback.is_rust_available() is False
        assert fallback.get_backend_info()["backend"] == "python"


def test_names_that_it_does_not_have(fallback):
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fallback.nothing
    with pytest.raises(ImportError):
        exec("from sky.utils.rust_fallback import nothing")


def test_functions_that_this_skypilot_does_not_have(tmp_path):
    def old(source):
        return source.replace("def read_last_n_lines(", "def another_name(")

    done = run_python(
        "-c",
        "import sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import rust_fallback\n"
        "assert 'read_last_n_lines' not in rust_fallback.__all__\n"
        "for name in ('read_last_n_lines', '_python_read_last_n_lines'):\n"
        "    try: getattr(rust_fallback, name)\n"
        "    except AttributeError as error: print(error)",
        environment={"PYTHONPATH": str(small_skypilot(tmp_path, old))},
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("sky.utils.rust_fallback has no read_last_n_lines: SkyPilot ")
    assert lines[1].endswith(" has no read_last_n_lines")


def test_the_originals_stay_originals(fallback):
    originals = {name: getattr(fallback, f"_python_{name}") for name in NAMES}
    for _ in range(2):
        sky_rs_patch.disable()
        assert fallback.base36_encode is originals["base36_encode"]
        sky_rs_patch.enable()
        assert fallback.base36_encode is function("base36_encode")
        assert isinstance(fallback.base36_encode, wrapt.FunctionWrapper)
        for name in NAMES:
            assert getattr(fallback, f"_python_{name}") is originals[name]


@pytest.mark.parametrize("name", OWN)
def test_disabled_means_its_own_functions_too(name, fallback, directory):
    arguments = (str(directory),) if "directory" in name else (1,)
    accelerated = getattr(fallback, name)
    target = f"{MODULE}.{name}"
    sky_rs_patch.disable()
    with counting(target) as counted:
        accelerated(*arguments)
    assert counted.declines == {"disabled": 1}
    assert sky_rs_patch.status()["routes"][target]["state"] == "inactive"
    sky_rs_patch.enable()
    with counting(target) as counted:
        accelerated(*arguments)
    assert counted.rust == 1
    assert sky_rs_patch.status()["routes"][target]["state"] == "active"


@pytest.mark.parametrize("name", NAMES)
def test_pickle(name, fallback):
    accelerated = getattr(fallback, name)
    assert pickle.loads(pickle.dumps(accelerated)) is accelerated


def test_descriptors_for_a_directory(fallback, directory, tmp_path):
    (tmp_path / "empty").mkdir()
    for path, need in ((directory, 1500), (str(directory), 1500), (str(tmp_path / "empty"), 0)):
        assert fallback.estimate_fd_for_directory(path) == need
    for path in ("/no/such/directory", __file__, b"/tmp/\xff", 3.5, None, "nul\0"):
        assert outcome(fallback.estimate_fd_for_directory, path) == outcome(
            fallback._python_estimate_fd_for_directory, path
        )
    with mock.patch("os.listdir", return_value=["one"]):
        assert fallback.estimate_fd_for_directory(str(directory)) == 5


def test_processes(fallback):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert fallback.is_process_alive(child.pid) is True
        child.stdin.close()
        # A zombie, until somebody waits for it.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert fallback.is_process_alive(child.pid) == fallback._python_is_process_alive(child.pid)
    finally:
        child.wait()
    assert fallback.is_process_alive(child.pid) is False
    for pid in (0, 1, -1, 2**22 + 1, 2**31, 2**63, 2**64, True, 1.0, "1", None):
        assert outcome(fallback.is_process_alive, pid) == outcome(
            fallback._python_is_process_alive, pid
        )


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("psutil.Process", {"side_effect": psutil.NoSuchProcess(1)}),
        ("psutil.Process.is_running", {"return_value": False}),
        ("psutil.PROCFS_PATH", {"new": "/no/such/proc"}),
        ("psutil._pslinux.Process.create_time", {"return_value": 0.0}),
    ],
)
def test_processes_of_a_replaced_psutil(path, options, warm, fallback):
    pid = os.getpid()
    if warm:
        assert fallback.is_process_alive(pid) is True
    with mock.patch(path, **options), counting(target_of("is_process_alive")) as counted:
        ours = outcome(fallback.is_process_alive, pid)
        assert ours == outcome(fallback._python_is_process_alive, pid)
    assert counted.python == 1
    with counting(target_of("is_process_alive")) as counted:
        assert fallback.is_process_alive(pid) is True
    assert counted.rust == 1


@pytest.fixture
def limit():
    """Sets the soft limit of descriptors."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize(
    ("soft", "sources", "files", "cloud", "threads", "workers"),
    [
        (2000, 1, 100, None, 64, 3),
        (2000, 7, 100, None, 64, 3),
        (2000, 1, 0, None, 64, 64),
        (2000, 0, 100, None, 64, 64),
        (2000, 0, 0, None, 1000, 380),
        (2000, 1, 1, None, 1000, 380),
        (2000, 1, 2, None, 1000, 190),
        (2000, 1, 10**9, None, 64, 1),
        (1024, 1, 184, None, 64, 1),
        (1024, 1, 46, None, 64, 4),
        (2000, 1, 100, "kubernetes", 2, 2),
    ],
)
def test_numbers_instead_of_sources(fallback, limit, soft, sources, files, cloud, threads, workers):
    limit(soft)
    with mock.patch(
        "sky.utils.subprocess_utils.get_parallel_threads", return_value=threads
    ) as counted:
        result = fallback.get_max_workers_for_file_mounts(
            num_sources=sources, estimated_files_per_source=files, cloud_str=cloud
        )
    assert result == workers
    assert counted.call_args == mock.call(cloud)


def test_numbers_agree_with_a_directory(fallback, directory):
    """The same files, once counted and once estimated."""
    by_number = fallback.get_max_workers_for_file_mounts(
        num_sources=1, estimated_files_per_source=300
    )
    assert by_number == fallback.get_max_workers_for_file_mounts({"/remote": str(directory)})


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (({},), {"num_sources": 1, "estimated_files_per_source": 1}, "not both"),
        (({},), {"num_sources": 1}, "not both"),
        ((), {"num_sources": 1}, "estimated_files_per_source is missing"),
        ((), {"estimated_files_per_source": 1}, "num_sources is missing"),
        ((), {}, "missing 1 required positional argument: 'common_file_mounts'"),
        ((), {"number": 1}, "unexpected keyword argument 'number'"),
    ],
)
def test_arguments_that_do_not_fit(fallback, arguments, keywords, message):
    with pytest.raises(TypeError, match=message):
        fallback.get_max_workers_for_file_mounts(*arguments, **keywords)


@pytest.mark.parametrize("name", ["num_sources", "estimated_files_per_source"])
def test_negative_numbers(fallback, name):
    keywords = {"num_sources": 1, "estimated_files_per_source": 1, name: -1}
    with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
        fallback.get_max_workers_for_file_mounts(**keywords)


def test_the_form_of_skypilot_is_skypilots(fallback, directory):
    theirs = fallback._python_get_max_workers_for_file_mounts
    for arguments, keywords in (
        (({"/remote": str(directory)},), {}),
        (({"/remote": str(directory)}, "kubernetes"), {}),
        ((), {"common_file_mounts": {}, "cloud_str": "Kubernetes"}),
        (({"/remote": "/no/such/path"},), {"cloud_str": None}),
        ((["not a dictionary"],), {}),
    ):
        ours = outcome(fallback.get_max_workers_for_file_mounts, *arguments, **keywords)
        assert ours == outcome(theirs, *arguments, **keywords)
