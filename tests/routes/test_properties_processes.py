"""_safe_children against its original, on real trees of processes."""

import builtins
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import psutil
import pytest
from differential import calls, compare, either, enable, home, odd_values, property_test, proxy_of
from hypothesis import strategies as st
from one_call import Call, Fresh, call, limit, scratch, unprivileged
from psutil import _pslinux

#: A script's last words: it is complete, and waits.
READY = "echo ready; exec sleep 300 >/dev/null"


def started(script, stack):
    """Runs a script of sh(1) up to its last words, and ends all that it leaves with the stack."""
    leader = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    stack.callback(leader.wait)
    stack.callback(leader.stdout.close)
    stack.callback(os.killpg, leader.pid, signal.SIGKILL)
    assert leader.stdout.readline() == b"ready\n"
    return leader


@pytest.fixture(scope="module")
def forest():
    """Trees by their shape, since to start them takes longest."""
    with contextlib.ExitStack() as stack:
        trees = {}

        def grown(tree):
            key = repr(tree)
            if key not in trees:
                if len(trees) > 12:
                    trees.clear()
                    stack.pop_all().close()
                trees[key] = grow(tree, stack)
            return trees[key]

        yield grown


_PLANTER = """
import os, sys, time
def plant(tree):
    for child in tree:
        pid = os.fork()
        if pid == 0:
            if child != "zombie":
                plant(child)
                os.write(1, b".")
                time.sleep(300)
            os._exit(0)
        if child == "zombie":
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
plant(eval(sys.argv[1]))
os.write(1, b".")
time.sleep(300)
"""


def count(tree):
    return sum(0 if child == "zombie" else 1 + count(child) for child in tree)


def grow(tree, stack):
    """Starts a tree of processes; gives the root's number."""
    command = [sys.executable, "-S", "-c", _PLANTER, repr(tree)]
    root = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    stack.callback(root.wait)
    stack.callback(root.stdout.close)
    stack.callback(os.killpg, root.pid, signal.SIGKILL)
    for _ in range(count(tree) + 1):
        assert root.stdout.read(1) == b"."
    return root.pid


def process(pid):
    """A new psutil object for each side, which remembers things."""
    return Fresh(f"Process({pid})", lambda _: psutil.Process(pid))


def state(found):
    """What psutil's objects remember, but for their locks and the system's half of them."""
    return [
        {
            key: value
            for key, value in {**vars(child), "ctime": child._proc._ctime}.items()
            if key not in ("_lock", "_proc", "_exitcode")
        }
        for child in found
    ]


trees = st.recursive(
    st.just(()),
    lambda inner: st.lists(either(inner, st.just("zombie")), max_size=4).map(tuple),
    max_leaves=12,
)


def test_safe_children_of_trees(forest):
    @property_test(st.lists(trees, min_size=1, max_size=1), examples=60, share=1.0)
    def of_trees(drawn):
        (tree,) = drawn
        pid = forest(tree)
        outcome = compare("_safe_children", call(process(pid)))
        zombies = repr(tree).count("zombie")
        assert len(outcome.observation.result) == count(tree) + zombies
        function = proxy_of("_safe_children")
        routed, plain = (f(psutil.Process(pid)) for f in (function, function.__wrapped__))
        assert state(routed) == state(plain)

    of_trees()


def test_safe_children_by_keyword(forest):
    pid = forest(((), ()))
    assert compare("_safe_children", call(process=process(pid))).rust


def test_safe_children_of_this_process():
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            grow(((), ("zombie",)), stack)
        outcome = compare("_safe_children", call(process(os.getpid())))
        assert outcome.rust
        assert len(outcome.observation.result) >= 12


def test_safe_children_leaves_out_those_that_have_another_parent():
    with contextlib.ExitStack() as stack:
        # The middle one ends, and its child goes to init or to a subreaper.
        leader = started(f"(sleep 300 & sleep 300 &); sleep 300 & {READY}", stack)
        outcome = compare("_safe_children", call(process(leader.pid)))
        assert outcome.rust
        assert len(outcome.observation.result) == 1


def test_safe_children_with_threads_as_parents():
    code = (
        "import subprocess, threading, time\n"
        "def start():\n"
        "    subprocess.Popen(['sleep', '300'], stdout=subprocess.DEVNULL)\n"
        "    time.sleep(300)\n"
        "for _ in range(3): threading.Thread(target=start, daemon=True).start()\n"
        "while threading.active_count() < 4: pass\n"
        "time.sleep(.5); print('ready', flush=True); time.sleep(300)\n"
    )
    with contextlib.ExitStack() as stack:
        leader = subprocess.Popen(
            [sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, start_new_session=True
        )
        stack.callback(leader.wait)
        stack.callback(leader.stdout.close)
        stack.callback(os.killpg, leader.pid, signal.SIGKILL)
        assert leader.stdout.readline() == b"ready\n"
        outcome = compare("_safe_children", call(process(leader.pid)))
        assert outcome.rust
        assert len(outcome.observation.result) == 3


@pytest.mark.parametrize(
    "name", ["a b", ") S 1 (", "((", "))", "1", ")", "\u00e9 \u65e5", "x\ty\nz", "0123456789abcdef"]
)
def test_safe_children_of_processes_with_odd_names(name):
    folder = scratch() / "programs"
    folder.mkdir(exist_ok=True)
    program = folder / name
    shutil.copy(shutil.which("sleep"), program)
    with contextlib.ExitStack() as stack:
        child = subprocess.Popen([str(program), "300"])
        stack.callback(child.wait)
        stack.callback(child.kill)
        while Path(f"/proc/{child.pid}/comm").read_text().rstrip("\n") != name[:15]:
            time.sleep(0.01)
        outcome = compare("_safe_children", call(process(os.getpid())))
        assert outcome.rust
        assert child.pid in [each.pid for each in outcome.observation.result]
        assert compare("_safe_children", call(process(child.pid))).rust


def ended(stack, *, waited):
    child = subprocess.Popen(["sleep", "300"])
    found = psutil.Process(child.pid)
    child.kill()
    if waited:
        child.wait()
    else:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        stack.callback(child.wait)
    return found


@pytest.mark.parametrize("waited", [False, True])
def test_safe_children_of_a_process_that_has_ended(waited):
    gone = Fresh("ended", lambda stack: ended(stack, waited=waited))
    outcome = compare("_safe_children", call(gone))
    assert outcome.rust
    assert outcome.observation.result == []


def test_safe_children_of_a_number_that_was_used_again(forest):
    pid = forest(((), ()))

    def used_again(_):
        found = psutil.Process(pid)
        found._ident = (pid, 0.5)
        return found

    outcome = compare("_safe_children", call(Fresh("used again", used_again)))
    assert not outcome.rust
    assert outcome.observation.result == []


def test_safe_children_leaves_out_a_child_that_is_older(forest, monkeypatch):
    """As if the clock had been set: the parent says that it was made later than its children."""
    pid = forest(((), ((),)))
    function = proxy_of("_safe_children")
    assert len(function(psutil.Process(pid))) == 3
    real, times = _pslinux.boot_time, []

    def boot_time():
        # Only the first time that is asked for is the parent's.
        times.append(real() + (0 if times else 2**22))
        return times[-1]

    monkeypatch.setattr(_pslinux, "boot_time", boot_time)
    for tried in (function.__wrapped__, function):
        times.clear()
        before = function._self_route.counts()[0]
        assert tried(psutil.Process(pid)) == []
        # The two children, whose own aren't looked at.
        assert len(times) == 3
        assert function._self_route.counts()[0] == before + (tried is function)


def test_safe_children_as_somebody_else(forest):
    pid = forest(((), ()))
    compare("_safe_children", Call((process(pid),), {}, (unprivileged,)))
    compare("_safe_children", Call((process(1),), {}, (unprivileged,)))


@pytest.mark.parametrize("left", [0, 1, 2])
def test_safe_children_with_few_descriptors_left(left, forest):
    pid = forest(((), ()))
    lowest = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest)
    given = Call((process(pid),), {}, (limit("RLIMIT_NOFILE", lowest + left),))
    compare("_safe_children", given)
    # Nothing of that is taken for good.
    assert compare("_safe_children", call(process(pid))).rust


class OddProcess(psutil.Process):
    def children(self, recursive=False):
        return [recursive]


def with_method(name):
    def make(_):
        found = psutil.Process()
        setattr(found, name, types.MethodType(lambda self, **_: [self], found))
        return found

    return Fresh(f"with its own {name}", make)


@property_test(
    st.lists(
        calls(
            {"process": st.sampled_from([process(os.getpid()), process(1)])},
            odd={
                "process": either(
                    odd_values(),
                    st.sampled_from(
                        [
                            Fresh("OddProcess", lambda _: OddProcess()),
                            with_method("children"),
                            types.SimpleNamespace(children=lambda recursive: [recursive]),
                            psutil.Process,
                        ]
                    ),
                )
            },
            malformed=True,
        ),
        min_size=1,
        max_size=1,
    ),
    examples=120,
)
def test_safe_children_of_anything(drawn):
    compare("_safe_children", drawn[0])


def raising(*_, **__):
    raise ZeroDivisionError


REPLACEMENTS = {
    "children": (psutil.Process, "children", lambda self, recursive: [self, recursive]),
    "init": (psutil.Process, "__init__", lambda self, pid=None: None),
    "create_time": (psutil.Process, "create_time", lambda self: 5.0),
    "the system's half": (_pslinux.Process, "create_time", lambda self, monotonic=False: 5.0),
    "the map": (psutil, "_ppid_map", dict),
    "the map's own name": (_pslinux, "ppid_map", dict),
    "pids": (_pslinux, "pids", list),
    "open_binary": (_pslinux, "open_binary", raising),
    "get_procfs_path": (_pslinux, "get_procfs_path", lambda: "/nowhere"),
    "listdir": (os, "listdir", lambda _: []),
    "Process": (psutil, "Process", OddProcess),
    "NoSuchProcess": (psutil, "NoSuchProcess", ZeroDivisionError),
    "AccessDenied": (psutil, "AccessDenied", ZeroDivisionError),
    "PROCFS_PATH": (psutil, "PROCFS_PATH", "/nowhere"),
    "open": (builtins, "open", raising),
}


@pytest.mark.parametrize("what", REPLACEMENTS)
def test_what_psutil_reads_is_seen_to_be_replaced(what, monkeypatch):
    enable()
    function = proxy_of("_safe_children")
    # An object for each call: they remember what they were told.
    processes = [psutil.Process() for _ in range(4)]
    assert function(processes[0]) is not None
    before = function._self_route.counts()
    module, name, value = REPLACEMENTS[what]
    outcomes = []
    for tried, process_ in zip((function.__wrapped__, function), processes[1:]):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            try:
                outcomes.append(tried(process_))
            except Exception as error:
                outcomes.append((type(error), str(error)))
    after = function._self_route.counts()
    assert outcomes[0] == outcomes[1]
    assert after[0] == before[0]
    assert after[2]["guard"] == before[2].get("guard", 0) + 1
    assert function(processes[3]) is not None
    assert function._self_route.counts()[0] == before[0] + 1


def test_kill_children_processes_is_served(monkeypatch):
    enable()
    with contextlib.ExitStack() as stack:
        pid = grow(((), ((), "zombie")), stack)
        module = home("_safe_children")
        killed = []
        monkeypatch.setattr(
            module, "kill_process_with_grace_period", lambda proc, force: killed.append(proc.pid)
        )
        before = proxy_of("_safe_children")._self_route.counts()[0]
        module.kill_children_processes([pid])
        assert len(killed) == 5
        assert killed[0] == pid
        assert proxy_of("_safe_children")._self_route.counts()[0] == before + 1


def test_a_psutil_that_is_not_known_is_left_to_the_original(monkeypatch):
    from sky_rs_patch._contracts import preconditions

    assert preconditions.known_children() is None
    monkeypatch.setattr(psutil, "version_info", (7, 99, 0))
    assert "looks for children is not known" in preconditions.known_children()
