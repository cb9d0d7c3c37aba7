"""Files that change under a reader, limits of memory, descriptors and file sizes, hidden /proc."""

import ctypes
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from samples import function, target_of
from support import COMMON, counting, run_python, small_skypilot

from sky_rs_patch._binding import counters


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A SkyPilot that is imported quickly."""
    return small_skypilot(tmp_path_factory.mktemp("small"))


# Files


def versions():
    """Contents of a file whose every line says which version it is of."""
    return [
        "".join(f"{letter * 40} {number}\n" for number in range(4000)).encode() for letter in "ab"
    ]


def replace(path, stop):
    """Each version takes the place of the other, as a whole."""
    contents = versions()
    while not stop.is_set():
        for content in contents:
            new = path.with_suffix(".new")
            new.write_bytes(content)
            new.replace(path)


def rewrite(path, stop):
    """The file is cut to nothing, or in the middle of a line, and grows again."""
    content = versions()[0]
    while not stop.is_set():
        with path.open("r+b") as file:
            for size in (0, len(content) // 2 + 7, 1, len(content) - 3):
                file.truncate(size)
                file.seek(0)
                file.write(content)
                file.flush()


def grow(path, stop):
    """Lines are added, each by one call of the kernel; now and then it begins anew."""
    content = versions()[0]
    while not stop.is_set():
        path.write_bytes(content)
        with path.open("ab", buffering=0) as file:
            for number in range(400):
                file.write(b"%s %d\n" % (b"a" * 40, 4000 + number))


def outcome(callee, *arguments):
    try:
        return callee(*arguments)
    except (AssertionError, IndexError, RuntimeError) as error:
        # The original asks for the last line of a file that was empty by then: IndexError.
        return repr(error)


@pytest.mark.parametrize("change", [replace, rewrite, grow])
def test_a_file_that_changes_while_it_is_read(change, tmp_path, enabled):
    """Nothing is mapped, so that nothing can be fatal; no line is of two versions.

    Where a file is cut between two reads, the original joins what it found before to what it
    found after: a line may miss its middle then, whoever reads. (On ext4, in 6 of 100 calls of
    the original, and in 1 of 1,000 of the route.)
    """
    import hashlib

    path = tmp_path / "file.log"
    path.write_bytes(versions()[0])
    tail = function(target_of("read_last_n_lines"))
    digest = function(f"{COMMON}.hash_file")
    complete = {hashlib.sha256(content).hexdigest() for content in versions()}
    stop = threading.Event()
    changing = threading.Thread(target=change, args=(path, stop))
    changing.start()
    try:
        with counting(f"{COMMON}.read_last_n_lines") as counted:
            for _ in range(50):
                lines = outcome(tail, str(path), 3000)
                if isinstance(lines, str):
                    assert change is not replace, lines
                elif change is replace:
                    assert len(lines) == 3000
                    assert len({line[0] for line in lines}) == 1
                else:
                    assert set().union(*lines) <= set("a 0123456789\n")
                found = digest(str(path), "sha256").hexdigest()
                assert change is not replace or found in complete
    finally:
        stop.set()
        changing.join()
    assert set(counted.declines) <= {"file-changed", "os-error"}
    assert counted.rust > 0


# Limits


def memory_calls(path):
    """What takes memory in proportion to its input."""
    common = sys.modules[COMMON]
    colored = ("\x1b[1m" + "é" * 10_000) * 10_000
    plain = "x" * (24 << 20)
    data = {f"key {number}": "value " * 30 for number in range(40_000)}
    lines = path.with_suffix(".lines")
    with path.open("wb") as file:
        # More than malloc keeps in reserve for a thread.
        file.truncate(100 << 20)
    lines.write_bytes(b"line\n" * 400_000)
    return {
        "a line": lambda: common.read_last_n_lines(str(path), 1),
        "many lines": lambda: common.read_last_n_lines(str(lines), 10**9),
        "colors": lambda: common.remove_color(colored),
        "a cut": lambda: common.truncate_long_string("é" + plain, len(plain) - 10),
        "secrets": lambda: common._redact_secrets_values(["--secret", "a=" + plain]),
        "a dump": lambda: function(target_of("dump_yaml_str"))(data),
    }


ANSWER, NO_MEMORY = 0, 3
#: From malloc.h.
M_MMAP_THRESHOLD = -3
libc = ctypes.CDLL(None)


def with_so_much_more(mebibytes, call):
    """Calls in a child that may have so much memory more than it has; gives how that ends."""
    child = os.fork()
    if child == 0:
        end = 1
        try:
            # What was freed before must not make up for what can't be had now.
            libc.mallopt(M_MMAP_THRESHOLD, 1 << 18)
            libc.malloc_trim(0)
            with Path("/proc/self/statm").open() as sizes:
                now = int(sizes.read().split()[0]) * resource.getpagesize()
            limit = now + (mebibytes << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            try:
                call()
                end = ANSWER
            except MemoryError:
                end = NO_MEMORY
        finally:
            os._exit(end)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("which", "name"),
    [
        ("a line", "read_last_n_lines"),
        ("many lines", "read_last_n_lines"),
        ("colors", "remove_color"),
        ("a cut", "truncate_long_string"),
        ("secrets", "_redact_secrets_values"),
        ("a dump", "dump_yaml_str"),
    ],
)
def test_memory_runs_short(which, name, tmp_path, enabled):
    """Where Python raises MemoryError Rust would end the process; the original says it."""
    function(target_of(name))
    call = memory_calls(tmp_path / "large")[which]
    # With its guards derived, Rust is what finds no memory.
    call()
    # Room for next to nothing, for a part of it, and for all.
    ends = {extra: with_so_much_more(extra, call) for extra in (1, 30, 2000)}
    assert set(ends.values()) <= {ANSWER, NO_MEMORY}, ends
    assert ends[2000] == ANSWER


LIMITS = """
import resource, sys
import sky_rs_patch
from sky.utils import common_utils, subprocess_utils

name, value, order = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kind = getattr(resource, name)
def limit():
    resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))

calls = [
    lambda: common_utils.read_last_n_lines(__import__("os").__file__, 3),
    lambda: common_utils.hash_file(__import__("os").__file__, "md5").hexdigest(),
    lambda: common_utils.find_free_port(39000) > 0,
    lambda: common_utils.base36_encode("ff"),
    common_utils.get_cpu_count, common_utils.get_mem_size_gb,
    lambda: subprocess_utils.get_max_workers_for_file_mounts({"a": "/usr/bin"}),
]

def outcomes():
    found = []
    for call in calls:
        try:
            found.append(call())
        except Exception as error:
            found.append([type(error).__name__, str(error)])
    return found

enable = sky_rs_patch.enable
plain_limit = resource.getrlimit(kind)
limit()
expected = outcomes()
resource.setrlimit(kind, plain_limit)
if order == "before":
    sky_rs_patch.enable()
    calls[3]()
limit()
enable()
found = outcomes()
resource.setrlimit(kind, plain_limit)
assert found == expected, (found, expected)
# And all of it comes back with the limit.
assert outcomes()[3] == "73"
print("fine")
"""


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize(("name", "value"), [("RLIMIT_NOFILE", 3), ("RLIMIT_FSIZE", 0)])
def test_limits(name, value, order, small):
    """No descriptor is left, or no byte may be written; enabled before and after that."""
    code = f"import warnings; warnings.simplefilter('ignore')\n{LIMITS}"
    done = run_python("-c", code, name, value, order, environment={"PYTHONPATH": str(small)})
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


STATISTICS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils
print(common_utils.base36_encode("ff"), common_utils.base36_encode._self_route.counts()[0])
"""


def test_counters_that_cannot_be_kept(small, tmp_path):
    """The file may not be as large as it has to be: it counts in memory."""
    done = run_python(
        "-c",
        STATISTICS,
        environment={"PYTHONPATH": str(small), counters.VARIABLE: str(tmp_path / "counters")},
    )
    assert (done.returncode, done.stdout) == (0, "73 1\n"), done.stderr
    assert done.stderr.count("RuntimeWarning") == 1


def test_a_file_of_counters_has_no_holes(tmp_path, enabled, monkeypatch):
    """On a full disk, counting in one would be fatal."""
    file = counters._File(tmp_path)
    assert file.block("a.target") is not None
    (path,) = tmp_path.iterdir()
    status = path.stat()
    assert status.st_blocks * 512 >= status.st_size > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("how", ["empty", "hidepid"])
def test_proc_is_hidden(how, small):
    """Another /proc in a mount namespace of its own: empty, or one that hides others' processes."""
    unshare = next(
        (path for path in ("/usr/bin/unshare", "/bin/unshare") if os.access(path, os.X_OK)), None
    )
    mount = {
        "empty": "mount -t tmpfs tmpfs /proc",
        "hidepid": "mount -t proc -o hidepid=2 proc /proc",
    }[how]
    code = (
        "import os, sys, psutil\n"
        "import sky_rs_patch\n"
        "from sky.utils import common_utils, subprocess_utils\n"
        "sky_rs_patch.enable()\n"
        "from sky.utils import rust_fallback\n"
        "if sys.argv[1] == 'hidepid': os.setuid(65534)\n"
        "def outcome(call):\n"
        "    try: return call()\n"
        "    except Exception as error: return [type(error).__name__, str(error)]\n"
        "pairs = [(rust_fallback.is_process_alive, rust_fallback._python_is_process_alive, pid)\n"
        "         for pid in (1, os.getpid(), os.getppid(), 4000000)]\n"
        "for proxy, original, pid in pairs:\n"
        "    assert outcome(lambda: proxy(pid)) == outcome(lambda: original(pid)), pid\n"
        "for name in ('get_cpu_count', 'get_mem_size_gb'):\n"
        "    proxy = getattr(common_utils, name)\n"
        "    assert outcome(proxy) == outcome(proxy.__wrapped__), name\n"
        "print('fine')\n"
    )
    if unshare is None:
        pytest.skip("there is no unshare(1) here")
    command = f'{mount} || exit 77; exec "$@"'
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", command, "sh", sys.executable, "-c", code, how],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(small)},
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
