"""Progress of the arm whose tests aren't shown: a line on a terminal, lines in a log."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from runs import run
from suites import child_environment, write

from pytest_skyrs._model.events import Item, Start
from pytest_skyrs._report.progress import Progress, duration


class Reporter:
    def __init__(self, isatty):
        self.isatty, self._tw, self.fullwidth = isatty, self, 60
        self.lines, self.width_of_current_line = [], 0

    def rewrite(self, line, erase):
        assert erase
        assert not self.width_of_current_line
        self.lines.append(line)

    def write_line(self, line):
        self.width_of_current_line *= bool(line)
        assert not self.width_of_current_line
        self.lines += [line] * bool(line)

    def write(self, text):
        assert text == "\r"

    def ensure_newline(self):
        pass

    def flush(self):
        pass


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def made(*, terminal, verbose=0):
    reporter, clock = Reporter(terminal), Clock()
    return reporter, clock, Progress(reporter, verbose, "python-1", clock)


def over(progress, number, *, outcome="passed", total=100):
    nodeid = f"test_a.py::test_{number}"
    progress.take(Start(nodeid), None, total)
    progress.take(Start(nodeid), run(nodeid=nodeid, outcome=outcome), total)


def test_a_log_gets_a_line_now_and_then():
    reporter, clock, progress = made(terminal=False)
    for second in range(1, 100):
        clock.now += 1
        progress.tick()
        if second == 35:
            progress.take(Item("test_a.py::test_0"), None, 100)
        if second > 40:
            over(progress, second, outcome="failed" if second == 50 else "passed")
    assert reporter.lines == [
        "skyrs: python-1 arm: collecting for 30 s",
        "skyrs: python-1 arm: 19 of 100 tests, 1 failed, about 81 s left",
        "skyrs: python-1 arm: 49 of 100 tests, 1 failed, about 51 s left",
    ]


def test_a_terminal_has_one_line_that_is_gone_at_the_end():
    reporter, clock, progress = made(terminal=True)
    for number in range(10):
        over(progress, number, total=12_345)
        for _ in range(3):
            clock.now += 0.25
            progress.tick()
    assert (
        reporter.lines[-1] == "skyrs: python-1 arm: 10 of 12,345 tests, about 2 h 34 min left"[:59]
    )
    assert 10 < len(reporter.lines) < 16
    progress.clear()
    progress.clear()
    assert reporter.lines[-2:].count("") == 1


def test_where_it_has_been_for_long():
    reporter, clock, progress = made(terminal=False)
    over(progress, 0)
    progress.take(Start("test_a.py::test_slow"), None, 100)
    for _ in range(100):
        clock.now += 1
        progress.tick()
    assert "in test_a.py::test_slow" not in reporter.lines[0]
    assert [line.partition(", for ")[2] for line in reporter.lines[1:]] == [
        "60 s in test_a.py::test_slow",
        "90 s in test_a.py::test_slow".replace("90 s", "2 min"),
    ]


@pytest.mark.parametrize(
    ("terminal", "verbose", "lines"),
    [(False, 1, 4), (False, 0, 4), (False, -1, 2), (False, -2, 0), (True, -2, 120)],
)
def test_quiet(terminal, verbose, lines):
    reporter, clock, progress = made(terminal=terminal, verbose=verbose)
    over(progress, 0)
    for _ in range(120):
        clock.now += 1
        progress.tick()
    assert len(reporter.lines) == lines


@pytest.mark.parametrize("terminal", [True, False])
def test_dots_stay(terminal):
    """The dots of the Rust arm stand there when differences are confirmed."""
    reporter, clock, progress = made(terminal=terminal, verbose=-1)
    reporter.width_of_current_line = 17
    clock.now += 100
    progress.tick()
    assert reporter.lines == ["skyrs: python-1 arm: collecting for 2 min"]


def test_without_a_terminal_reporter():
    progress = Progress(None, 0, "python-1")
    over(progress, 0)
    progress.tick()
    progress.clear()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1 h 30 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


TESTS = """
import time

import pytest
import small


@pytest.mark.parametrize("number", range(6))
def test_it(number):
    time.sleep(0.3)
    assert small.double(number) == 2 * number
"""


def on_a_terminal(folder, *options):
    """What a double run shows on a terminal of its own, and its exit code."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--skyrs-both", "--color=no", *options],
        cwd=folder,
        env={
            **child_environment(without=("PYTEST_*", "COLUMNS")),
            "PYTEST_ADDOPTS": "-p skyrs --skyrs-ports= --skyrs-allow-unreached",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TERM": "xterm",
        },
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    content = b""
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([leader], [], [], 1)[0]:
                try:
                    content += os.read(leader, 4096)
                except OSError:
                    break
        return process.wait(10), content.decode()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(leader)


@pytest.mark.parametrize(
    "options", [(), pytest.param(("-q",), marks=pytest.mark.slow)], ids=["plain", "quiet"]
)
def test_a_double_run_on_a_terminal(tmp_path, options):
    code, text = on_a_terminal(write(tmp_path / "suite", {"test_it.py": TESTS}), *options)
    assert code == 0, text
    found = [int(number) for number in re.findall(r"python-1 arm: (\d) of 6 tests", text)]
    assert found
    assert found == sorted(found)
    assert "rust-1 arm: " not in text
    # What stays of each line is what was written after its last return.
    left = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
    assert not [line for line in left if "python-1 arm: " in line]
    assert [line for line in left if re.search(r"\.{6}.*\[100%\]", line)]
