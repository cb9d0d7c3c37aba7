"""Signals: what a handler raises reaches the caller, whatever code of ours it has interrupted."""

import os
import pathlib
import signal
import sys
import time

import pytest
from samples import function, target_of
from support import COMMON, SUBPROCESS, counting, run_code, small_skypilot

import sky_rs_patch
from sky_rs_patch._base import interrupts

HASH = f"{COMMON}.hash_file"


class Stop(Exception):
    """Raised by a handler: an ordinary exception, as that of a time limit."""


@pytest.fixture(params=["stop", "interrupt"])
def expected(request):
    """SIGALRM's handler raises; gives the type of what it raises."""
    error = Stop if request.param == "stop" else KeyboardInterrupt

    def handler(number, frame):
        raise error(number)

    previous = signal.signal(signal.SIGALRM, handler)
    yield error
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


def signalled_in(name, callee, *arguments):
    """Calls with the signal arriving when a Python function of that name is entered below."""
    seen = []

    def profile(frame, event, _):
        if event == "call" and frame.f_code.co_name == name and not seen:
            seen.append(name)
            sys.setprofile(None)
            os.kill(os.getpid(), signal.SIGALRM)

    sys.setprofile(profile)
    try:
        return callee(*arguments)
    finally:
        sys.setprofile(None)
        assert seen == [name]


def test_while_the_guards_are_derived(expected, log_file, enabled):
    """The next call derives them again, and is served."""
    proxy = function(HASH)
    inner, signals = resolver_of(proxy), [signal.SIGALRM]

    def resolve():
        # A profiler doesn't see this: nothing is traced while guards are derived.
        if signals:
            os.kill(os.getpid(), signals.pop())
        return inner()

    route = type(proxy._self_route)(HASH, proxy.__wrapped__, "hash_file", resolve, False)
    with pytest.raises(expected):
        route(str(log_file), "md5")
    assert route.counts()[2] == {"interrupted": 1}
    route(str(log_file), "md5")
    assert route.counts()[:2] == (1, 1)


def resolver_of(proxy):
    from sky_rs_patch._guards import derive

    return derive.resolver(
        proxy.__wrapped__,
        context=("import:_hashlib.new", "hashlib.new"),
        reads=("_hashlib.new",),
        unread=derive.ONLY_IN_ERRORS,
    )


def test_while_a_path_becomes_text(expected, log_file, enabled):
    proxy = function(HASH)
    proxy(str(log_file), "md5")
    with counting(HASH) as counted, pytest.raises(expected):
        signalled_in("__str__", proxy, pathlib.PosixPath(log_file), "md5")
    assert counted.declines == {"interrupted": 1}


@pytest.mark.parametrize("name", ["_raise_if_pid_reused", "pid", "create_time"])
def test_while_psutil_is_asked(expected, name, enabled):
    import psutil

    target = f"{SUBPROCESS}._safe_children"
    if "_safe_children" not in vars(sys.modules[SUBPROCESS]):
        assert sky_rs_patch.status()["routes"][target]["state"] == "absent"
        return
    proxy = function(target)
    process = psutil.Process()
    proxy(process)
    with counting(target) as counted, pytest.raises(expected):
        signalled_in(name, proxy, process)
    assert counted.declines == {"interrupted": 1}


def test_while_a_candidate_runs(expected, enabled):
    def candidate(text):
        return text.upper()

    target = f"{COMMON}.base36_encode"
    sky_rs_patch.register(target, candidate, replace=True)
    try:
        with counting(target) as counted, pytest.raises(expected):
            signalled_in("candidate", function(target), "ff")
        assert counted.declines == {"interrupted": 1}
    finally:
        sky_rs_patch.unregister(target)


@pytest.mark.parametrize("work", ["tail", "line", "hash", "port"])
def test_during_a_long_call(expected, work, tmp_path, enabled):
    """As the original: the exception surfaces within the call, or right after it."""
    file = tmp_path / "file"
    calls = {
        "tail": ("read_last_n_lines", (str(file), 1_000_000)),
        "line": ("read_last_n_lines", (str(file), 1)),
        "hash": ("hash_file", (str(file), "sha512")),
        "port": ("find_free_port", (1024,)),
    }
    name, arguments = calls[work]
    if work == "tail":
        file.write_bytes(b"some words\n" * 1_000_000)
    else:
        with file.open("wb") as opened:
            # Without any line end; and one that nobody waits for.
            opened.truncate(64 << 20 if work == "line" else 1 << 40)
    proxy = function(target_of(name))
    for delay in (0.001, 0.01, 0.03):
        with pytest.raises(expected):
            signal.setitimer(signal.ITIMER_REAL, delay)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                proxy(*arguments)


CTRL_C = """
import os, signal, sys, threading, time
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils
small, endless = sys.argv[1:]
common_utils.hash_file(small, "md5")
main = threading.main_thread().ident
def interrupt():
    time.sleep(0.05)
    signal.pthread_kill(main, signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    common_utils.hash_file(endless, "md5")
except KeyboardInterrupt as error:
    counts = common_utils.hash_file._self_route.counts()
    print(type(error).__name__, counts[1], counts[2])
"""


def test_ctrl_c_in_a_hash_without_end(tmp_path):
    home = small_skypilot(tmp_path)
    (home / "small").write_text("text")
    with (home / "endless").open("wb") as opened:
        opened.truncate(1 << 40)
    said = run_code(CTRL_C, home / "small", home / "endless", environment={"PYTHONPATH": str(home)})
    assert said == "KeyboardInterrupt 1 {'interrupted': 1}\n"


AUDITED = """
import signal, sys
import sky_rs_patch
from sky_rs_patch._runtime import implementation as implementations
from sky_rs_patch._routes.registry import registry
sky_rs_patch.enable()
from sky.utils import common_utils as module

class Stop(Exception):
    pass

def handler(number, frame):
    raise Stop

signal.signal(signal.SIGALRM, handler)
left, heard = 0, 0

def hook(event, arguments):
    global left, heard
    heard += 1
    if left:
        left -= 1
        if not left:
            signal.raise_signal(signal.SIGALRM)

sys.addaudithook(hook)
target = "sky.utils.common_utils.hash_file"
route_type, original = type(module.hash_file._self_route), module.hash_file.__wrapped__

def first_call(event):
    global left, heard
    implementation, resolver = implementations.choose(
        original, module, target, registry.get(target))
    route = route_type(target, original, implementation, resolver, False)
    left, heard = event, 0
    try:
        route(sys.argv[1], "md5")
    except Stop:
        return "stopped"
    finally:
        events, left = heard, 0
    return events

events = first_call(0)
print(events > 0, [event for event in range(events) if first_call(event + 1) != "stopped"])
"""


def test_in_an_audit_hook(tmp_path):
    """filelock has one from CPython 3.12 on: Python code, in which a handler may run."""
    home = small_skypilot(tmp_path)
    (home / "small").write_text("text")
    said = run_code(AUDITED, home / "small", environment={"PYTHONPATH": str(home)})
    assert said == "True []\n"


# Telling a handler's exception from that of the code that it interrupted


def caught(work):
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Handlers:
    def method(self, number, frame):
        raise Stop

    def __call__(self, *arguments):
        raise Stop


def deep(number, frame):
    def inner():
        raise Stop

    inner()


@pytest.mark.parametrize(
    "handler",
    [Handlers().method, Handlers(), deep, lambda *_, **__: 1 / 0, lambda _, frame=None: int("x")],
    ids=["method", "object", "deep", "variadic", "default"],
)
def test_exceptions_of_handlers(handler):
    previous = signal.signal(signal.SIGALRM, handler)
    try:
        error = caught(lambda: os.kill(os.getpid(), signal.SIGALRM))
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert not interrupts.is_failure(error)


def takes(number, frame):
    raise Stop


@pytest.mark.parametrize(
    "work",
    [
        lambda: 1 / 0,
        lambda: takes(1, None),
        lambda: takes(1, sys._getframe().f_back),
        lambda: int("x", 10),
    ],
)
def test_exceptions_of_code(work):
    assert interrupts.is_failure(caught(work))


def test_those_who_want_to_stop():
    class PanicException(BaseException):
        pass

    assert interrupts.is_failure(PanicException())
    for error in (KeyboardInterrupt(), SystemExit(), GeneratorExit()):
        assert not interrupts.is_failure(error)
