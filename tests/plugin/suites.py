"""Small suites, and pytest runs on them in processes of their own."""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Optional

import psutil
import pytest

from sky_rs_patch._testing import child_environment

#: No run of these suites takes longer, unless it hangs.
SECONDS = 60

#: Importing SkyPilot takes seconds: the route is on a module of the suite.
SMALL = """
import logging

logger = logging.getLogger("small")


def double(number):
    return number * 2


def same(thing):
    return thing
"""

CONFTEST = """
import os

import sky_rs_patch

BACKEND = "rust" if os.environ.get("SKYPILOT_USE_RUST") == "1" else "python"

sky_rs_patch.register("small.double", lambda number: number * 2, raises=True)
sky_rs_patch.register("small.same", lambda thing: thing, raises=True)
"""

_MARKER = "SKYRS_TEST_RUN"
_OWN = ("PYTEST_*", "SKY_RS_*", "SKYPILOT_*", "SKYRS_*", "GITHUB_*", "COV_*", "COVERAGE_*")
_FAILINGS = ("failure", "error", "skipped")
_COUNTS = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed|deselected|rerun)\b")


def write(folder, files, conftest=""):
    """Writes a suite, and the module that it routes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.py").write_text(SMALL)
    (folder / "conftest.py").write_text(CONFTEST + conftest)
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@dataclasses.dataclass
class Run:
    """How a run of pytest went."""

    folder: Path
    code: int
    output: str
    seconds: float

    report: Optional[dict]
    junit: Optional[str]

    @property
    def verdicts(self):
        return {row["id"]: row["verdict"] for row in self.report["tests"]}

    @property
    def cases(self):
        """What the JUnit file says of each test, in order."""
        return [
            (
                f"{case.get('classname')}::{case.get('name')}",
                sorted(child.tag for child in case if child.tag in _FAILINGS),
            )
            for case in ET.fromstring(self.junit).iter("testcase")
        ]

    @property
    def totals(self):
        """What pytest's last line counts."""
        lines = [line for line in self.output.splitlines() if re.search(r" in \d+\.\d+s", line)]
        return {what: int(count) for count, what in _COUNTS.findall(lines[-1])}


def _taken(path):
    """The text of a file, which isn't there for the next run."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    path.unlink()
    return text


class Process:
    """A pytest process; ends with the test that started it."""

    def __init__(self, folder, *arguments, both=True, plugins=(), script=False, env=(), cut=()):
        self.folder = folder
        self.temporary = folder.parent / f"{folder.name}-tmp"
        self.home = folder.parent / f"{folder.name}-home"
        for place in (self.temporary, self.home):
            place.mkdir(exist_ok=True)
        self.marker = uuid.uuid4().hex
        variables = {
            # Plugins that aren't needed take a second of each session.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.temporary),
            _MARKER: self.marker,
        }
        environment = child_environment(without=_OWN, home=self.home, **{**variables, **dict(env)})
        command = [sys.executable, "-m", "pytest"]
        if script:
            command = [str(Path(sysconfig.get_path("scripts"), "pytest"))]
        for plugin in ("skyrs", *plugins):
            command += ["-p", plugin]
        command += ["--junitxml=junit.xml"]
        if both:
            command += ["--skyrs-both"]
        if both is not None:
            command += ["--skyrs-ports=", "--skyrs-json=report.json"]
        if both:
            # Most suites here reach one of the routes, or none.
            command += ["--skyrs-allow-unreached"]
        command = [part for part in command if part not in cut]
        self.output = folder.parent / f"{folder.name}-output-{self.marker[:6]}.txt"
        self._start = time.monotonic()
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for process in self.survivors():
            with contextlib.suppress(psutil.Error):
                process.kill()

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait(self, seconds=SECONDS):
        """Waits for the end; nothing may be left then, neither process nor folder."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it hangs:\n{self.text()}\n{tree(self.pid)}") from None
        report, junit = (_taken(self.folder / name) for name in ("report.json", "junit.xml"))
        seconds = time.monotonic() - self._start
        report = json.loads(report) if report else None
        run = Run(self.folder, code, self.text(), seconds, report, junit)
        assert not self.survivors(), (self.survivors(), run.output)
        return run

    def survivors(self):
        """Processes that the run started, by their environment."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get(_MARKER) == self.marker:
                    found.append(process)
        return found

    def send(self, number):
        os.kill(self.pid, number)


def tree(pid):
    """The commands of a process's descendants, for messages."""
    with contextlib.suppress(psutil.Error):
        return [
            (process.pid, process.status(), process.cmdline()[-1:])
            for process in psutil.Process(pid).children(recursive=True)
        ]
    return []


def plugins(*distributions):
    """Plugins by the names under which they are registered."""
    found = []
    for name in distributions:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{name} isn't installed")
        found += [point.name for point in distribution.entry_points if point.group == "pytest11"]
    return found


def run(folder, *arguments, keeps=False, seconds=SECONDS, **options):
    """Runs pytest to its end; it keeps the arms' folders where it says so."""
    with Process(folder, *arguments, **options) as process:
        done = process.wait(seconds)
        left = list(process.temporary.glob("skyrs-*"))
    kept = "the arms' folders are kept in" in done.output
    assert len(left) == kept == keeps, (left, done.output)
    return done


def pair(folder, *arguments, env=(), both_env=(), **options):
    """The same plain and on both backends, each in a copy of the suite."""
    done = []
    for name in ("plain", "both"):
        copy = folder.parent / f"{folder.name}-{name}"
        if not copy.exists():
            shutil.copytree(folder, copy)
        extra = both_env if name == "both" else env
        done.append(run(copy, *arguments, both=name == "both" or None, env=extra, **options))
    return done


def alike(plain, both, *, order=True):
    """Both runs are the same to whoever reads the exit code, the last line or JUnit's file."""
    cases = [done.cases if order else sorted(done.cases) for done in (plain, both)]
    facts = [(done.code, done.totals, shown) for done, shown in zip((plain, both), cases)]
    if facts[0] != facts[1]:
        sys.stdout.write(plain.output + both.output)
    assert facts[0] == facts[1]
    return both


def wait_for(condition, what, seconds=30.0):
    """Waits for something to be true, and gives it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} didn't happen in {seconds} s")


def exists(path):
    """For `wait_for`: a file with content."""
    return lambda: path.exists() and path.read_text()


def gone(pid):
    """For `wait_for`: the process ended, and nobody has to wait for it."""

    def check():
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return check


def ends(pid):
    """A process is gone; one that was killed may be on its way, neither alive nor a zombie yet."""
    return wait_for(gone(pid), f"the end of process {pid}", 5.0)


def kill(pid, number=signal.SIGKILL):
    """A signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
