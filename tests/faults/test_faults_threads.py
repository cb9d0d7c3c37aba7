"""Threads: switching under them, forking beside them, and ending the process while they run."""

import json
import os
import signal
import sys
import threading

import pytest
from samples import function, plain, target_of
from support import COMMON, run_code, run_python, small_skypilot

import sky_rs_patch
from sky_rs_patch._binding import counters
from sky_rs_patch._runtime import table

#: Seconds after which something hangs, however busy the machine is.
WATCHDOG = 90

#: What a daemon thread is at when the interpreter ends. Each spends nearly all of its time below
#: a proxy, in Python code or in C code that has released the GIL.
LOOPS = {
    "an original": "common_utils.base36_encode(chr(0x663))",
    "a disabled route": "disabled('ff')",
    "a candidate": "target(1)",
    "an observed call": "observed('ff')",
    "a hash": "common_utils.hash_file(large, 'md5')",
    "a tail": "common_utils.read_last_n_lines(large, 3)",
    "a path": "common_utils.hash_file(pathlib.PosixPath('/nowhere/at/all'), 'md5')",
    "guards that change": "setattr(os, 'never_read', 1); common_utils.hash_file('/nowhere', 'md5')",
}

ENDING = """
import os, pathlib, sys, threading, time, types
import sky_rs_patch

module = sys.modules["a_module"] = types.ModuleType("a_module")
exec("def target(number): return sum(range(1000))", vars(module))
if sys.argv[2] == "enabled":
    sky_rs_patch.enable()
    sky_rs_patch.register("a_module.target", lambda number: sum(range(1000)))
from sky.utils import common_utils

target = module.target
observed = disabled = common_utils.base36_encode
if sys.argv[2] == "enabled" and "observed" in sys.argv[1]:
    observed._self_route.observer = lambda *call: lambda *end: sum(range(1000))
if sys.argv[2] == "enabled" and "disabled" in sys.argv[1]:
    disabled._self_route.enabled = False
large = sys.argv[3]
code = compile(sys.argv[1], "<loop>", "exec")
running = threading.Event()

def loop():
    while True:
        try:
            exec(code)
        except Exception:
            pass
        running.set()

for _ in range(2):
    threading.Thread(target=loop, daemon=True).start()
running.wait()
time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A SkyPilot that is imported quickly, and a file of a few megabytes."""
    home = small_skypilot(tmp_path_factory.mktemp("small"))
    (home / "large").write_bytes(b"x" * 4_000_000)
    return home


@pytest.mark.parametrize("what", LOOPS)
def test_the_process_ends_while_a_daemon_thread_is_below_a_proxy(what, small):
    """Up to CPython 3.13 such a thread is ended by `pthread_exit`, which Rust doesn't let pass."""
    ends = []
    for state in ("plain", "enabled"):
        done = run_python(
            "-c",
            ENDING,
            LOOPS[what],
            state,
            small / "large",
            environment={"PYTHONPATH": str(small)},
        )
        ends.append((done.returncode, done.stderr))
    assert ends == [(0, ""), (0, "")]


def within(seconds, work):
    """Forks; gives the child's exit status, which is that of the watchdog's signal if it hangs."""
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_fork_while_another_thread_patches():
    """The child has the lock, but not the thread that would release it."""
    held, release = threading.Event(), threading.Event()

    def hold():
        with table.lock:
            held.set()
            release.wait(WATCHDOG)

    function(f"{COMMON}.base36_encode")

    def work():
        with sky_rs_patch.enabled():
            route = f"{COMMON}.base36_encode"
            served = function(route)("ff") == "73"
            return served and sky_rs_patch.status()["routes"][route]["calls"]["rust"] > 0

    with sky_rs_patch.enabled():
        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(WATCHDOG)
        try:
            status = within(WATCHDOG, work)
        finally:
            release.set()
            holder.join()
    assert status == 0


def test_forks_while_threads_are_inside_rust(tmp_path, enabled):
    """Hashes and tails in eight threads; every child calls the same and gets the same."""
    file = tmp_path / "file"
    file.write_bytes(b"some words\n" * 200_000)
    digest, tail = (function(target_of(name)) for name in ("hash_file", "read_last_n_lines"))
    calls = [
        lambda: plain(digest(str(file), "sha256")),
        lambda: plain(tail(str(file), 2000)),
    ]
    expected = [call() for call in calls]
    stop = threading.Event()

    def loop(call):
        while not stop.is_set():
            call()

    threads = [threading.Thread(target=loop, args=(calls[index % 2],)) for index in range(8)]
    for thread in threads:
        thread.start()
    try:
        ends = [within(WATCHDOG, lambda: [call() for call in calls] == expected) for _ in range(10)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert ends == [0] * 10


START_METHODS = """
import multiprocessing, sys, threading
import sky_rs_patch

def work(path):
    from sky.utils import common_utils
    before = common_utils.hash_file._self_route.counts()[0]
    digest = common_utils.hash_file(path, "md5").hexdigest()
    return digest, common_utils.hash_file._self_route.counts()[0] - before

if __name__ == "__main__":
    from sky.utils import common_utils
    path, method = sys.argv[1:]
    expected = common_utils.hash_file(path, "md5").hexdigest()
    stop = threading.Event()
    def loop():
        while not stop.is_set():
            common_utils.hash_file(path, "md5")
    threads = [threading.Thread(target=loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with multiprocessing.get_context(method).Pool(2) as pool:
            answers = pool.map_async(work, [path] * 6, chunksize=1).get(90)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert answers == [(expected, 1)] * 6, answers
    print("fine")
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_beside_threads_in_rust(method, small, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(START_METHODS)
    done = run_python(
        "-m",
        "sky_rs_patch.activate",
        program,
        small / "large",
        method,
        environment={"PYTHONPATH": str(small)},
    )
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


SWITCHING = """
import json, sys, threading
import sky_rs_patch
from sky.utils import common_utils

sys.setswitchinterval(1e-5)
ROUNDS, THREADS, ENOUGH = 10, 16, 300
EXPECTED = {"ff": "73", "deadbeef": "1ps9wxb", "0": "0"}
original = common_utils.base36_encode
wrong, kept, done = [], [], threading.Event()

def loop(keep):
    # Half of the threads look the function up for each call, the others keep a proxy.
    encode, calls = (common_utils.base36_encode if keep else None), 0
    while not done.is_set() or calls < ENOUGH:
        for text, expected in EXPECTED.items():
            answer = (encode or common_utils.base36_encode)(text)
            if answer != expected:
                wrong.append((text, answer))
        calls += len(EXPECTED)
    if keep:
        kept.append(calls)

sky_rs_patch.enable()
proxy = common_utils.base36_encode
threads = [threading.Thread(target=loop, args=(number % 2,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for _ in range(ROUNDS):
    sky_rs_patch.disable()
    sky_rs_patch.enable()
done.set()
for thread in threads:
    thread.join(80)
alive = sum(thread.is_alive() for thread in threads)
route = sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]
counts = route["calls"]
print(json.dumps({
    "wrong": wrong[:3], "alive": alive, "state": route["state"],
    "lost": sum(kept) > counts["rust"] + counts["python"],
    "declined": counts["python"] - sum(route["declines"].values()),
    "reasons": sorted(route["declines"]),
    "served": counts["rust"] > 0,
    "same": common_utils.base36_encode is proxy,
}))
sky_rs_patch.disable()
assert common_utils.base36_encode is original
"""


def test_switching_under_sixteen_threads_that_call(small):
    """The answers are right all the time, no thread dies, and no call goes uncounted."""
    answer = json.loads(run_code(SWITCHING, environment={"PYTHONPATH": str(small)}))
    # While the guards of a new route are derived, other threads get the original.
    assert set(answer.pop("reasons")) <= {"disabled", "guard:not resolved yet"}
    assert answer == {
        "wrong": [],
        "alive": 0,
        "state": "active",
        "lost": False,
        "declined": 0,
        "served": True,
        "same": True,
    }


def test_calls_of_an_older_proxy_count_while_a_new_one_takes_its_place(monkeypatch):
    """Two routes count for one target, and another thread may call at any moment."""
    target = "a_module.target"
    native = sys.modules["sky_rs_patch._native"]

    class Route:
        """A route as `_Tally` sees it, beside which another one is called."""

        name = target

        def __init__(self, beside=None):
            self.inner, self.beside = native.Route(target, len, len), beside

        def share_counts(self, *arguments):
            self.inner.share_counts(*arguments)
            if self.beside is not None:
                self.beside.inner("four")

        def __getattr__(self, name):
            return getattr(self.inner, name)

    tally = counters._Tally(target)
    first = Route()
    tally.add(first)
    for _ in range(3):
        first.inner("four")
    tally.add(Route(beside=first))
    assert tally.counts()[0] == 4
