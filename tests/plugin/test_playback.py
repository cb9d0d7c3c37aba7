"""A replayed session looks to pytest, its plugins and its readers as if it had run the tests."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from support import run_python

from pytest_skyrs._controller import report_forwarding

SUITE = """\
import sys

import pytest


def test_passes(request):
    request.node.user_properties.append(("mine", "kept"))
    print("not shown")


def test_fails():
    print("shown \\udc80".encode("utf-8", "replace").decode())
    print("as well", file=sys.stderr)
    one = 1
    assert one == 2, "no <b>&</b>"


@pytest.mark.parametrize("value", ["a", "b c", "é"])
def test_with(value):
    pass


@pytest.mark.skip(reason="not here")
def test_skipped():
    pass


def test_skips_itself():
    pytest.skip("not now")


@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    raise ValueError


@pytest.mark.xfail(reason="known", strict=False)
def test_passes_unexpectedly():
    pass


@pytest.mark.xfail(reason="known", strict=True)
def test_passes_against_all_hope():
    pass


@pytest.fixture
def broken():
    raise RuntimeError("in the fixture")


@pytest.fixture
def breaks_later():
    yield
    print("on the way out")
    raise RuntimeError("in its tear-down")


def test_cannot_begin(broken):
    pass


def test_cannot_end(breaks_later):
    pass


def test_fails_and_cannot_end(breaks_later):
    raise KeyError("first")
"""

CONFTEST = """\
import json
import os
from pathlib import Path

import pytest

REPORTS = Path("reports.json")


class Recording:
    def __init__(self, config):
        self.config = config
        self.reports, self.modules = {}, []

    def _data(self, report):
        return self.config.hook.pytest_report_to_serializable(config=self.config, report=report)

    def pytest_runtest_logreport(self, report):
        self.reports.setdefault(report.nodeid, []).append(self._data(report))

    def pytest_collectreport(self, report):
        if not report.passed:
            self.modules.append(self._data(report))

    def pytest_sessionfinish(self):
        REPORTS.write_text(json.dumps([self.reports, self.modules]))


class Replaying:
    def __init__(self, tasks):
        self.tasks = tasks

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self):
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        from pytest_skyrs._controller import report_forwarding
        from pytest_skyrs._model.test_run import TestRun

        reports, modules = json.loads(REPORTS.read_text())
        session.testscollected = len(reports)
        for data in modules:
            report_forwarding.play_collection(session.config, data)
        for nodeid, made in reports.items():
            task = {"verdict": "same", "properties": [], "failure": None}
            task.update(self.tasks.get(nodeid.rpartition("::")[2], {}))
            task["properties"] = [tuple(pair) for pair in task["properties"]]
            made = made[:task.pop("reports", None)]
            run = TestRun(nodeid, made, None, task.pop("crash", None))
            report_forwarding.play(session.config, run, **task)
        return True

    def pytest_runtest_logreport(self, report):
        # As pytest promises plugins.
        for each in (report.location, *report.sections, *report.user_properties):
            assert type(each) is tuple

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        kept = {name: [type(each).__name__ for each in terminal.stats.get(name, ())]
                for name in ("", "passed", "failed")}
        Path("kept.json").write_text(json.dumps(kept))


def pytest_configure(config):
    tasks = os.environ.get("TASKS")
    made = Recording(config) if tasks is None else Replaying(json.loads(tasks))
    config.pluginmanager.register(made, "mine")
"""


TOTALS = "3 failed, 5 passed, 2 skipped, 1 xfailed, 1 xpassed, 3 errors"


class Session:
    """An ordinary session of the suite in a folder, which can be replayed."""

    def __init__(self, folder, suite=SUITE):
        self.folder = folder
        (folder / "test_it.py").write_text(suite)
        (folder / "conftest.py").write_text(CONFTEST)

    def run(self, *arguments, tasks=None):
        environment = {"COLUMNS": "100"}
        if tasks is not None:
            environment["TASKS"] = json.dumps(tasks)
        return run_python(
            *("-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml", *arguments),
            environment=environment,
            cwd=self.folder,
        )

    def junit(self):
        """The XML report without what depends on the time."""
        root = ET.parse(self.folder / "junit.xml").getroot()
        for element in root.iter("testsuite"):
            for name in ("time", "timestamp", "hostname"):
                element.attrib.pop(name, None)
        return ET.tostring(root, "unicode")

    def properties(self, name):
        """A test's properties in the XML report."""
        (case,) = ET.parse(self.folder / "junit.xml").getroot().iterfind(f".//*[@name='{name}']")
        return [(each.get("name"), each.get("value")) for each in case.iter("property")]

    def kept(self):
        return json.loads((self.folder / "kept.json").read_text())


def results(done):
    """What a session printed from its first result on, without times."""
    lines = re.sub(r"\d+\.\d\d+s", "_s", done.stdout).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("test_it.py"))
    return lines[first:]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    made = Session(tmp_path_factory.mktemp("session"))
    done = made.run("-rA", "--durations=0", "-vv")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert TOTALS in done.stdout
    made.printed, made.xml = results(done), made.junit()
    return made


def test_a_replayed_session_looks_like_the_session(session):
    replayed = session.run("-rA", "--durations=0", "-vv", tasks={})
    assert results(replayed) == session.printed
    assert replayed.returncode == pytest.ExitCode.TESTS_FAILED
    assert session.junit() == session.xml


@pytest.mark.parametrize("options", [(), ("-q", "-rEsxX", "--tb=short")], ids=["plain", "quiet"])
def test_so_it_does_with_other_options(session, options):
    sessions = [session.run(*options), session.run(*options, tasks={})]
    plain, replayed = (
        re.sub(r"\d+\.\d\ds", "_s", done.stdout.partition("= ERRORS =")[2]) for done in sessions
    )
    assert "short test summary" in plain
    assert replayed == plain


FAILED = "skyrs: diverged: rust differs from python\n\nthe difference of "
OTHERS = ["test_with[a]", "test_with[b c]", "test_passes_against_all_hope"]
DIFFERING = [
    "test_passes",
    "test_fails",
    "test_skipped",
    "test_skips_itself",
    "test_fails_as_expected",
    "test_passes_unexpectedly",
    "test_cannot_begin",
    "test_cannot_end",
]


@pytest.fixture(scope="module")
def differing(session):
    """The session, with a difference in tests of any outcome."""
    tasks = {
        name: {"verdict": "diverged", "failure": FAILED + name, "properties": PROPERTIES}
        for name in DIFFERING
    }
    done = session.run("-v", tasks=tasks)
    done.properties = session.properties
    return done


PROPERTIES = [["skyrs.verdict", "diverged"], ["skyrs.calls.rust", "3"]]


@pytest.mark.parametrize("name", DIFFERING)
def test_a_difference_fails_a_test_of_any_outcome(differing, name):
    lines = differing.stdout.splitlines()
    assert f"the difference of {name}" in lines
    *shown, summary = [line.split("[")[0].rstrip() for line in lines if f"::{name} " in f"{line} "]
    # A tear-down has a report of its own.
    before = [f"test_it.py::{name} PASSED"] * (name == "test_cannot_end")
    assert shown == [*before, f"test_it.py::{name} DIVERGED"]
    # pytest 8 has no message in its summary where the report isn't pytest's own.
    message = " - skyrs: diverged: rust differs from python"
    assert summary in (f"DIVERGED test_it.py::{name}" + message * n for n in (0, 1))
    assert summary.endswith(message) or pytest.version_tuple < (9,)


def test_the_other_tests_are_as_they_were(differing):
    assert differing.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_it.py::test_with[a] PASSED" in differing.stdout
    assert "FAILED test_it.py::test_fails_and_cannot_end - KeyError: 'first'" in differing.stdout
    assert differing.stdout.count("the difference of") == len(DIFFERING)


@pytest.mark.parametrize(
    ("name", "own"),
    [("test_fails", "assert 1 == 2"), ("test_cannot_begin", "RuntimeError: in the fixture")],
)
def test_what_failed_on_python_is_shown_too(differing, name, own):
    after = differing.stdout.partition(f"the difference of {name}\n")[2].partition("\n____")[0]
    assert after.startswith("\non python it failed as follows\n")
    assert own in after


def test_properties_reach_the_xml_report(differing):
    added = [tuple(pair) for pair in PROPERTIES]
    assert differing.properties("test_passes") == [("mine", "kept"), *added]
    assert differing.properties("test_skipped") == added
    assert differing.properties("test_with[a]") == []


VERDICTS = {
    "test_passes": ("flaky-control", "~"),
    "test_with[a]": ("inconclusive", "?"),
    "test_with[b c]": ("known", "k"),
    "test_with[\\xe9]": ("vacuous", "."),
    "test_cannot_end": ("same", "."),
    # Of no other outcome the letter changes.
    "test_fails": ("flaky-control", "F"),
    "test_skipped": ("vacuous", "s"),
    "test_skips_itself": ("known", "s"),
    "test_fails_as_expected": ("inconclusive", "x"),
    "test_passes_unexpectedly": ("flaky-control", "X"),
}


def test_verdicts_of_tests_that_pass_show_as_letters(session):
    tasks = {name: {"verdict": verdict} for name, (verdict, _) in VERDICTS.items()}
    letters = session.run(tasks=tasks).stdout
    assert "\ntest_it.py ~F?k.ssxXFE.EFE " in letters
    assert TOTALS in letters
    words = session.run("-v", tasks=tasks).stdout
    for name, (verdict, letter) in VERDICTS.items():
        told = verdict not in ("same",) and letter in "~?k."
        assert (f"::{name} PASSED ({verdict}) " in words) == told
    assert f"({VERDICTS['test_fails'][0]})" in words
    assert TOTALS in words


def test_a_test_that_never_reported(session):
    died = {"reports": 0, "verdict": "crashed", "failure": "skyrs: crashed: it died"}
    both = {"reports": 0, "verdict": "same-fail", "crash": "it never reported"}
    done = session.run("-v", tasks={"test_passes": died, "test_with[a]": both})
    assert "___ test_passes ___" in done.stdout
    assert "___ ERROR at setup of test_with[a] ___" in done.stdout
    assert "test_it.py::test_passes CRASHED" in done.stdout
    assert "\nskyrs: crashed: it died\n" in done.stdout
    assert "test_it.py::test_with[a] ERROR" in done.stdout
    assert "\nit never reported\n" in done.stdout
    assert "4 failed, 3 passed, 2 skipped, 1 xfailed, 1 xpassed, 4 errors" in done.stdout


@pytest.mark.parametrize(
    ("reports", "word", "phase"),
    [(0, "ERROR", "setup"), (1, "FAILED", "call"), (2, "ERROR", "teardown")],
)
def test_a_test_that_died_on_both(session, reports, word, phase):
    died = {"reports": reports, "verdict": "same-fail", "crash": "it was killed"}
    done = session.run("-v", tasks={"test_passes": died})
    assert f"test_it.py::test_passes {word}" in done.stdout
    assert "\nit was killed\n" in done.stdout
    (case,) = [
        case
        for case in ET.fromstring(session.junit()).iter("testcase")
        if case.get("name") == "test_passes"
    ]
    (tag,) = [child.tag for child in case if child.tag in ("failure", "error")]
    assert tag == ("failure" if phase == "call" else "error")


def test_a_test_that_a_session_ended_in(session):
    """As without us: what it told counts, and it is no failure."""
    done = session.run("-v", tasks={"test_passes": {"reports": 0}, "test_with[a]": {"reports": 1}})
    assert "test_it.py::test_passes " not in done.stdout
    assert "3 failed, 3 passed, 2 skipped, 1 xfailed, 1 xpassed, 3 errors" in done.stdout


@pytest.mark.parametrize(
    ("nodeid", "title"),
    [
        ("test_it.py::test", "test"),
        ("a/test_it.py::TestIt::TestInner::test[a]", "TestIt.TestInner.test[a]"),
        ("test_it.py::test[a::b[c]]", "test[a::b[c]]"),
        ("test_it.py", "test_it.py"),
    ],
)
def test_the_title_of_a_test_that_never_reported(nodeid, title):
    report = report_forwarding._nothing(nodeid, "call", "died")
    assert (report.nodeid, report.fspath) == (nodeid, nodeid.partition("::")[0])
    assert report.head_line == title


@pytest.mark.parametrize(
    ("options", "kind", "others"),
    [((), "_Passed", False), (("-rP",), "TestReport", True), (("--durations=3",), "_Passed", True)],
    ids=["plain", "-rP", "--durations"],
)
def test_reports_that_passed_are_kept_only_where_they_are_shown(session, options, kind, others):
    session.run(*options, tasks={})
    kept = session.kept()
    # All of a test that failed is kept, for what its tear-down printed.
    assert kept["passed"] == [kind] * 4 + ["TestReport"]
    assert len(kept["failed"]) == 3
    assert (len(kept[""]) > 13) == others
    assert (kind in kept[""]) == others


@pytest.mark.parametrize(
    ("suite", "shown", "code"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'", 2),
        ("def test(:\n", "SyntaxError", 2),
        ("import pytest\npytest.skip('not here', allow_module_level=True)\n", "not here", 5),
    ],
    ids=["import-error", "syntax-error", "skipped"],
)
def test_a_module_that_cannot_be_collected(tmp_path, suite, shown, code):
    session = Session(tmp_path, suite)
    plain = session.run("-rs")
    junit = session.junit()
    replayed = session.run("-rs", tasks={})
    assert plain.returncode == code
    for done in (plain, replayed):
        assert shown in done.stdout
    last = [done.stdout.splitlines()[-1].split(" in ")[0] for done in (plain, replayed)]
    assert last[0] == last[1]
    assert session.junit() == junit
