"""Ways in which a session can end: each phase of it, and each way to die or to stop."""

import dataclasses

COMMON = """
import atexit
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import pytest

import small


def kill(number):
    os.kill(os.getpid(), number)
    # It is delivered at once, to this thread or to another.
    time.sleep(30)
"""

#: The tests around the one that ends the session.
BEFORE = """

def test_before():
    assert small.double(1) == 2
"""
AFTER = """

def test_after():
    assert small.double(3) == 6


def test_fails():
    assert small.double(3) == 7
"""

#: How a process dies, or a session is stopped, wherever it happens.
WAYS = {
    "os._exit(0)": "os._exit(0)",
    "os._exit(1)": "os._exit(1)",
    "os._exit(7)": "os._exit(7)",
    "SIGSEGV": "kill(signal.SIGSEGV)",
    "SIGKILL": "kill(signal.SIGKILL)",
    "SIGTERM": "kill(signal.SIGTERM)",
    "abort": "os.abort()",
    "sys.exit(3)": "sys.exit(3)",
    "sys.exit(0)": "sys.exit(0)",
    "pytest.exit(7)": "pytest.exit('no cluster', returncode=7)",
    "pytest.exit(0)": "pytest.exit('done', returncode=0)",
    "pytest.exit": "pytest.exit('no cluster')",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "error": "raise RuntimeError('broken')",
}

#: Where it happens: the test module and the conftest with ``END`` in place.
PHASES = {
    "import": (COMMON + BEFORE + "\n\nEND\n" + AFTER, ""),
    "session fixture": (
        COMMON + BEFORE + AFTER,
        COMMON + "\n\n@pytest.fixture(scope='session', autouse=True)\ndef cluster():\n    END\n",
    ),
    "setup": (
        COMMON
        + BEFORE
        + "\n\n@pytest.fixture\ndef ends():\n    END\n\n\ndef test_ends(ends):\n    pass\n"
        + AFTER,
        "",
    ),
    "call": (
        COMMON
        + BEFORE
        + "\n\ndef test_ends():\n    assert small.double(2) == 4\n    END\n"
        + AFTER,
        "",
    ),
    "teardown": (
        COMMON
        + BEFORE
        + "\n\n@pytest.fixture\ndef ends():\n    yield\n    END\n"
        + "\n\ndef test_ends(ends):\n    pass\n"
        + AFTER,
        "",
    ),
    "finish": (
        COMMON + BEFORE + AFTER,
        COMMON + "\n\ndef pytest_sessionfinish():\n    END\n",
    ),
}


@dataclasses.dataclass(frozen=True)
class Ending:
    """A suite that ends in some way.

    Attributes:
        name: of the ending.
        tests: the test module.
        conftest: what follows in the conftest.
        options: of pytest.
        redder: why a session that plain pytest calls good fails here.
        plugins: that it needs, by distribution.
        code: plain pytest's exit code, where the session is ended from outside in both.
    """

    name: str
    tests: str
    conftest: str = ""
    options: tuple = ()
    redder: str = ""
    plugins: tuple = ()


def grid():
    """Each phase by each way."""
    made = []
    for phase, (tests, conftest) in PHASES.items():
        for way, statement in WAYS.items():
            texts = [text.replace("END", statement) for text in (tests, conftest)]
            redder = ""
            if way == "os._exit(0)" and phase != "finish":
                redder = "the python arm ended with exit code 0, and not by pytest,"
            made.append(Ending(f"{phase}: {way}", *texts, redder=redder))
    return made


def test(body, after=AFTER):
    """A module whose second test is this."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"{COMMON}{BEFORE}\n\ndef test_ends(request):\n{lines}\n{after}"


PASSES = COMMON + BEFORE + AFTER
_GREEN = COMMON + BEFORE
_TIMEOUT = ("pytest-timeout",)
_NOT_BY_PYTEST = "the python arm ended with exit code 0, and not by pytest, in the call of"

SPECIAL = [
    # pytest's own ways to stop.
    Ending("shouldstop", test("request.session.shouldstop = 'enough'")),
    Ending("shouldfail", test("request.session.shouldfail = 'enough'")),
    Ending(
        "shouldstop in a hook",
        PASSES,
        "\ndef pytest_runtest_teardown(item):\n    item.session.shouldstop = 'enough'\n",
    ),
    Ending("-x", test("assert 0"), options=("-x",)),
    Ending(
        "--maxfail=2",
        test("assert 0", AFTER + AFTER.replace("test_", "test_more_")),
        "",
        ("--maxfail=2",),
    ),
    Ending("-x where it dies", test("os._exit(3)"), options=("-x",)),
    Ending("no tests", COMMON),
    Ending("all deselected", PASSES, options=("-k", "nothing_of_the_kind")),
    Ending("usage error", PASSES, options=("--no-such-option",)),
    Ending("no such file", PASSES, options=("no_such_file.py",)),
    Ending(
        "strict markers",
        COMMON + BEFORE + "\n\n@pytest.mark.odd\ndef test_odd():\n    pass\n",
        options=("--strict-markers",),
    ),
    Ending("skipped at import", COMMON + "\nraise unittest.SkipTest('no')\n"),
    Ending("collection error", COMMON + "\nimport no_such_module\n" + BEFORE),
    Ending(
        "collection error, and on",
        COMMON + "\nimport no_such_module\n" + BEFORE,
        options=("--continue-on-collection-errors",),
    ),
    Ending(
        "collection error by syntax", "def broken(:\n", options=("--continue-on-collection-errors",)
    ),
    Ending("recursion in collection", COMMON + "\ndef f(): f()\n\nf()\n"),
    # Hooks that go wrong, or that decide on the exit code.
    Ending("hook raises", PASSES, "\ndef pytest_runtest_logreport(report):\n    1 / 0\n"),
    Ending(
        "hook raises in protocol",
        PASSES,
        "\ndef pytest_runtest_protocol(item):\n    if 'after' in item.name:\n        1 / 0\n",
    ),
    Ending(
        "hook raises in collection",
        PASSES,
        "\ndef pytest_collection_modifyitems(items):\n    1 / 0\n",
    ),
    Ending(
        "hook exits in collection",
        PASSES,
        "\ndef pytest_collection_modifyitems(items):\n    os._exit(9)\n",
    ),
    Ending(
        "hook exits at the start",
        PASSES,
        "\nimport pytest\ndef pytest_sessionstart():\n    pytest.exit('no', returncode=9)\n",
    ),
    Ending(
        "hook dies before a test",
        PASSES,
        "\nimport pytest\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_protocol(item):\n    if 'after' in item.name:\n        os._exit(9)\n",
    ),
    Ending(
        "hook ends with 0 before a test",
        PASSES,
        "\nimport pytest\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_protocol(item):\n    if 'after' in item.name:\n        os._exit(0)\n",
        redder="the python arm ended with exit code 0, and not by pytest, between tests",
    ),
    Ending(
        "exit status 42",
        PASSES,
        "\ndef pytest_sessionfinish(session):\n    session.exitstatus = 42\n",
    ),
    Ending(
        "exit status 1",
        _GREEN,
        "\ndef pytest_sessionfinish(session):\n    session.exitstatus = 1\n",
    ),
    Ending(
        "exit status 0",
        PASSES,
        "\ndef pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
    ),
    Ending(
        "no tests is good",
        COMMON,
        "\ndef pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
    ),
    Ending("unconfigure raises", _GREEN, "\ndef pytest_unconfigure():\n    1 / 0\n"),
    Ending("unconfigure exits", _GREEN, "\ndef pytest_unconfigure():\n    os._exit(6)\n"),
    Ending(
        "unconfigure in a test's own plugin",
        test(
            "class Plugin:\n    def pytest_unconfigure(self):\n        1 / 0\n"
            "request.config.pluginmanager.register(Plugin())",
            "",
        ),
    ),
    Ending("at exit", test("atexit.register(os._exit, 9)", "")),
    Ending("at exit, with a signal", test("atexit.register(kill, signal.SIGSEGV)", "")),
    Ending("summary raises", _GREEN, "\ndef pytest_terminal_summary():\n    1 / 0\n"),
    # Processes, threads, limits.
    Ending(
        "thread exits later",
        COMMON
        + BEFORE
        + """

def test_starts():
    threading.Timer(0.2, os._exit, [5]).start()


def test_waits():
    time.sleep(5)
""",
    ),
    Ending(
        "thread exits after the tests",
        test("threading.Timer(0.2, os._exit, [5]).start()", "")
        + "\n\n@pytest.fixture(scope='session', autouse=True)\ndef slow():\n    yield\n"
        "    time.sleep(5)\n",
    ),
    Ending("alarm", test("signal.alarm(1)\ntime.sleep(5)")),
    Ending("stack overflow", test("import ctypes\nctypes.string_at(0)")),
    Ending("recursion", test("def f(): f()\nf()")),
    Ending("another program", test("os.execv('/bin/true', ['true'])"), redder=_NOT_BY_PYTEST),
    Ending("another program that fails", test("os.execv('/bin/false', ['false'])")),
    Ending(
        "CPU time",
        test(
            "now = int(sum(os.times()[:2]))\n"
            "resource.setrlimit(resource.RLIMIT_CPU, (now + 1, now + 1))\n"
            "while True: pass"
        ),
    ),
    Ending(
        "memory",
        test(
            "limit = resource.getrlimit(resource.RLIMIT_AS)\n"
            "resource.setrlimit(resource.RLIMIT_AS, (1 << 28, limit[1]))\n"
            "try:\n    bytearray(1 << 30)\n"
            "finally:\n    resource.setrlimit(resource.RLIMIT_AS, limit)"
        ),
    ),
    Ending("descriptors closed", test("os.close(1)\nos.close(2)")),
    Ending(
        "descriptors closed, without capture", test("os.close(1)\nos.close(2)"), options=("-s",)
    ),
    Ending(
        "faulthandler's timeout",
        test("time.sleep(5)"),
        options=("-o", "faulthandler_timeout=1", "-o", "faulthandler_exit_on_timeout=true"),
    ),
    Ending("child comes back", test("pid = os.fork()\nif pid: os.waitpid(pid, 0)")),
    Ending(
        "child comes back and fails",
        test("pid = os.fork()\nassert pid != 0\nos.waitpid(pid, 0)", ""),
    ),
    Ending(
        "child comes back from a fixture",
        COMMON
        + BEFORE
        + """

@pytest.fixture
def child():
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)


def test_child(child):
    assert small.double(2) == 4
""",
    ),
    Ending(
        "temporary folder removed",
        test("shutil.rmtree(tempfile.gettempdir())\nshutil.rmtree(os.path.expanduser('~'))"),
    ),
    # Time limits.
    Ending(
        "timeout by thread",
        test("time.sleep(20)"),
        "",
        ("--timeout=1", "--timeout-method=thread"),
        plugins=_TIMEOUT,
    ),
    Ending(
        "timeout by signal",
        test("time.sleep(20)"),
        "",
        ("--timeout=1", "--timeout-method=signal"),
        plugins=_TIMEOUT,
    ),
    Ending(
        "session timeout", test("time.sleep(1.5)"), "", ("--session-timeout=1",), plugins=_TIMEOUT
    ),
    # One node id more than once.
    Ending(
        "duplicates", test("assert 0"), options=("--keep-duplicates", "test_it.py", "test_it.py")
    ),
]

RUNNERS = {
    "plain": ((), ()),
    "-n 1": (("-n", "1"), ("pytest-xdist",)),
    "-n 2": (("-n", "2"), ("pytest-xdist",)),
    "--dist=each": (("--dist=each", "--tx=2*popen"), ("pytest-xdist",)),
    "--forked": (("--forked",), ("pytest-forked",)),
    "--reruns": (("--reruns=1",), ("pytest-rerunfailures",)),
}
