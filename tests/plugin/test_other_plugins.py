"""Plugins that gather data where the tests run: the session's data is the Python arm's."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from suites import alike, pair, run, write

#: Of `requirements/plugins.txt`.
INSTALLED = Path(sys.prefix, "other-plugins")

TESTS = {
    "lib.py": "def used():\n    return 1\n\n\ndef unused():\n    one = 1\n    return one\n",
    "test_it.py": """
import logging

import lib
import small


def test_a():
    assert small.double(lib.used()) == 2
    logging.warning("from test_a")


def test_b():
    assert small.same("x") == "x"
""",
}

#: Plugins that nobody can have heard of, in a conftest: what each gathers, it gathers in the tests.
GATHERS = """

import sqlite3
import time

import pytest

SEEN = []


def pytest_runtest_call(item):
    SEEN.append(f"{item.name} on {BACKEND}")


def pytest_configure(config):
    config.opened = open("opened.txt", "w") if not hasattr(config, "workerinput") else None


def pytest_runtest_teardown(item):
    if getattr(item.config, "opened", None):
        item.config.opened.write(f"{item.name} on {BACKEND}\\n")
    with open(f"of-{item.name}.txt", "w") as file:
        file.write(BACKEND)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        return
    with open("closed.txt", "w") as file:
        file.write("\\n".join(SEEN))
    with open(f"report-{time.time_ns()}.txt", "w") as file:
        file.write("\\n".join(SEEN))
    with open("replaced.txt.partial", "w") as file:
        file.write("\\n".join(SEEN))
    os.replace("replaced.txt.partial", "replaced.txt")
    with sqlite3.connect("seen.db") as database:
        database.execute("CREATE TABLE IF NOT EXISTS seen (what)")
        database.executemany("INSERT INTO seen VALUES (?)", [(what,) for what in SEEN])


def pytest_unconfigure(config):
    if getattr(config, "opened", None):
        config.opened.close()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("what was seen")
    terminalreporter.write_line(f"{len(SEEN)} tests: {SEEN}", green=True)
    print("printed, not written")


class Around:
    @pytest.hookimpl(wrapper=True)
    def pytest_terminal_summary(self, terminalreporter):
        terminalreporter.write_line(f"before the others: {len(SEEN)}")
        result = yield
        terminalreporter.write_line(f"after the others: {len(SEEN)}")
        return result


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    session.config.pluginmanager.register(Around(), "around")
"""


def files(folder):
    """Everything in a folder that a run has made, by a name without what is chance in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not {"__pycache__", ".pytest_cache"} & set(path.parts):
            name = re.sub(r"\d{6,}", "N", str(path.relative_to(folder)))
            assert name not in found
            found[name] = path
    return found


def said(output, *words):
    return [line for line in output.splitlines() if any(word in line for word in words)]


def test_what_an_unknown_plugin_writes_and_says_is_the_python_arms(tmp_path):
    write(tmp_path / "suite", TESTS, GATHERS)
    plain, both = pair(tmp_path / "suite", env={"SKYPILOT_USE_RUST": "0"})
    alike(plain, both)
    here, there = files(plain.folder), files(both.folder)
    assert there.keys() == here.keys()
    assert {"opened.txt", "closed.txt", "report-N.txt", "replaced.txt", "of-test_b.txt"} <= {*here}
    for name in here:
        assert there[name].read_bytes() == here[name].read_bytes(), name
    words = "what was seen", "2 tests", "printed, not", "the others"
    assert said(both.output, *words) == said(plain.output, *words)
    assert len(said(plain.output, *words)) == 5


def test_it_is_so_after_confirmations(tmp_path):
    differs = "import small\n\n\ndef test_a():\n    assert small.double(1) == 2\n"
    conftest = GATHERS + (
        "\nsky_rs_patch.unregister('small.double')\n"
        "sky_rs_patch.register('small.double', lambda number: 3, raises=True)\n"
    )
    folder = write(tmp_path / "suite", {"test_it.py": differs}, conftest)
    done = run(folder)
    assert done.verdicts == {"test_it.py::test_a": "diverged"}
    assert [arm["name"] for arm in done.report["arms"]] == [
        *("python-1", "python-2", "rust-1", "rust-2"),
    ]
    assert (folder / "closed.txt").read_text() == "test_a on python"
    assert (folder / "of-test_a.txt").read_text() == "python"
    assert len(list(folder.glob("report-*.txt"))) == 1


def test_files_of_before_and_of_others_are_left_alone(tmp_path):
    """A plugin that appends, and one that reads what it wrote in the session before."""
    conftest = """

def pytest_sessionfinish(session):
    with open("history.txt", "a") as file:
        file.write(f"{BACKEND}\\n")
"""
    folder = write(tmp_path / "suite", TESTS, conftest)
    (folder / "history.txt").write_text("before\n")
    (folder / "mine.txt").write_text("mine\n")
    run(folder)
    assert (folder / "history.txt").read_text() == "before\npython\n"
    assert (folder / "mine.txt").read_text() == "mine\n"


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("least", [2, 3])
def test_a_threshold_of_an_unknown_plugin(tmp_path, workers, least):
    """In the controller it isn't reached, either way: no test runs there."""
    conftest = f"""
import pytest

SEEN = []


def pytest_runtest_logreport(report):
    if report.when == "call":
        SEEN.append(report.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    result = yield
    if not hasattr(session.config, "workerinput"):
        session.testsfailed += len(SEEN) < {least}
    return result


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{{len(SEEN)}} of {least}")
"""
    write(tmp_path / "suite", TESTS, conftest)
    plain, both = pair(
        tmp_path / "suite", *workers, plugins=["xdist"], env={"SKYPILOT_USE_RUST": "0"}
    )
    assert plain.code == both.code == (least == 3)
    assert said(both.output, "2 of ") == said(plain.output, "2 of ") == [f"2 of {least}"]
    told = "the python arm ended with exit code 1"
    assert (told in both.output) == (least == 3)


# Those that many have.


def installed(*options, plugins, folder, both=True, cut=()):
    """A run with plugins of `INSTALLED`."""
    if not INSTALLED.exists():
        pytest.skip(f"the plugins aren't installed in {INSTALLED} (make plugin-test does)")
    path = os.pathsep.join(filter(None, [str(INSTALLED), os.environ.get("PYTHONPATH")]))
    return run(
        folder, *options, plugins=plugins, both=both or None, env={"PYTHONPATH": path}, cut=cut
    )


def both_ways(tmp_path, tests, *options, plugins, conftest=""):
    done = []
    for name in ("plain", "both"):
        folder = write(tmp_path / name, {**TESTS, **tests}, conftest)
        both = name == "both"
        done.append(installed(*options, plugins=plugins, folder=folder, both=both))
    return done


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("least", [10, 90])
def test_pytest_cov(tmp_path, workers, least):
    options = ["--cov=lib", f"--cov-fail-under={least}", "--cov-report=term-missing"]
    options += ["--cov-report=xml", "--cov-report=html", "--cov-report=json", *workers]
    plain, both = both_ways(tmp_path, {}, *options, plugins=["xdist", "pytest_cov"])
    assert plain.code == both.code == (0 if least == 10 else 1)
    assert both.totals == plain.totals
    words = "lib.py", "TOTAL", "Required test coverage"
    assert said(both.output, *words) == said(plain.output, *words)
    assert "lib.py       5      2    60%   6-7" in both.output
    assert files(both.folder).keys() == files(plain.folder).keys() >= {".coverage", "coverage.xml"}
    measured = [
        json.loads((done.folder / "coverage.json").read_text())["files"] for done in (plain, both)
    ]
    assert measured[0] == measured[1]


def test_pytest_cov_in_addopts_goes_on_with_older_data(tmp_path):
    folder = write(tmp_path / "suite", TESTS)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --cov=lib --cov-append\n")
    (folder / ".coveragerc").write_text("[run]\ndata_file = kept/.data\n")
    (folder / "kept").mkdir()
    (folder / "test_unused.py").write_text("import lib\n\n\ndef test():\n    lib.unused()\n")
    for test in ("test_it.py", "test_unused.py"):
        done = installed(test, plugins=["pytest_cov"], folder=folder)
        assert done.code == 0
    assert "lib.py       5      0   100%" in done.output
    assert (folder / "kept" / ".data").exists()


def test_pytest_benchmark(tmp_path):
    test = "import small\n\n\ndef test_speed(benchmark):\n    benchmark(len, small.same('abc'))\n"
    options = ["--benchmark-json=b.json", "--benchmark-autosave", "--benchmark-max-time=0.05"]
    plain, both = both_ways(
        tmp_path, {"test_it.py": test}, *options, plugins=["pytest_benchmark.plugin"]
    )
    alike(plain, both)
    for done in (plain, both):
        assert "benchmark: 1 tests" in done.output
        assert said(done.output, "test_speed  ")
        saved = json.loads((done.folder / "b.json").read_text())
        assert [entry["name"] for entry in saved["benchmarks"]] == ["test_speed"]
        assert len(list((done.folder / ".benchmarks").rglob("*.json"))) == 1


def test_flaky(tmp_path):
    test = """
from flaky import flaky

TIMES = []


@flaky
def test_sometimes():
    TIMES.append(1)
    assert len(TIMES) > 1
"""
    plain, both = both_ways(tmp_path, {"test_it.py": test}, plugins=["flaky.flaky_pytest_plugin"])
    alike(plain, both)
    words = "Flaky Test Report", "test_sometimes"
    assert said(both.output, *words) == said(plain.output, *words)
    assert "test_sometimes passed 1 out of the required 1 times. Success!" in both.output


LOG = [["--log-file=l.log"], ["-o", "log_file=l.log"], ["--log-file=l.log", "--log-file-mode=a"]]


@pytest.mark.parametrize("options", LOG, ids=" ".join)
def test_the_log_file(tmp_path, options):
    write(tmp_path / "suite", TESTS)
    plain, both = pair(tmp_path / "suite", *options)
    alike(plain, both)
    texts = [(done.folder / "l.log").read_text() for done in (plain, both)]
    assert texts[0] == texts[1]
    assert texts[0].count("from test_a") == 1


def outcomes_of_json(folder):
    return [
        (test["nodeid"], test["outcome"])
        for test in json.loads((folder / "r.json").read_text())["tests"]
    ]


def outcomes_of_allure(folder):
    results = [json.loads(path.read_text()) for path in folder.glob("r/*-result.json")]
    return sorted((result["fullName"], result["status"]) for result in results)


def outcomes_of_html(folder):
    return re.findall(r"test_it\.py::(\w+)", (folder / "r.html").read_text())


def outcomes_of_log(folder):
    lines = map(json.loads, (folder / "r.log").read_text().splitlines())
    return [
        (line["nodeid"], line["when"], line["outcome"])
        for line in lines
        if line["$report_type"] == "TestReport"
    ]


REPORTS = {
    "json": (
        ["--json-report", "--json-report-file=r.json"],
        ["pytest_metadata.plugin", "pytest_jsonreport.plugin"],
        outcomes_of_json,
    ),
    "allure": (
        ["--alluredir=r", "--clean-alluredir"],
        ["allure_pytest.plugin"],
        outcomes_of_allure,
    ),
    "html": (
        ["--html=r.html"],
        ["pytest_metadata.plugin", "pytest_html.plugin"],
        outcomes_of_html,
    ),
    "reportlog": (["--report-log=r.log"], ["pytest_reportlog.plugin"], outcomes_of_log),
}


@pytest.mark.parametrize("kind", REPORTS)
def test_reports(tmp_path, kind):
    options, plugins, outcomes = REPORTS[kind]
    plain, both = both_ways(
        tmp_path, {"test_bad.py": "def test_bad():\n    assert 0\n"}, *options, plugins=plugins
    )
    alike(plain, both)
    found = [outcomes(done.folder) for done in (plain, both)]
    assert found[0] == found[1]
    assert len(found[0]) >= 2
    # pytest-html says where its report is.
    assert len(said(both.output, "report:")) == len(said(plain.output, "report:"))


# What can't be had.

REWRITES = "{} rewrites what the tests are compared with, which has to be the same on both backends"
REFUSED = [
    (["syrupy"], "--snapshot-update", REWRITES.format("--snapshot-update")),
    (
        ["pytest_bdd.plugin"],
        "--gherkin-terminal-reporter",
        "--gherkin-terminal-reporter needs the tests in this process",
    ),
]


@pytest.mark.parametrize(
    ("plugins", "option", "message"), REFUSED, ids=[case[1] for case in REFUSED]
)
@pytest.mark.parametrize("place", ["command line", "addopts"])
def test_refused_by_name(tmp_path, plugins, option, message, place):
    folder = write(tmp_path / "suite", {**TESTS, "test_s.py": "def test(): pass\n"})
    given = [option]
    if place == "addopts":
        given = []
        (folder / "pytest.ini").write_text(f"[pytest]\naddopts = {option}\n")
    done = installed(*given, plugins=plugins, folder=folder)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "name",
    ["--update-goldens", "--regen-expected", "--accept-snapshots", "--rewrite-baseline"],
)
def test_options_of_that_kind_are_known_by_their_names(tmp_path, name):
    conftest = (
        "\n\ndef pytest_addoption(parser):\n"
        f"    parser.addoption('{name}', action='store_true', default=False)\n"
        "    parser.addoption('--snapshot-details', action='store_true', default=False)\n"
    )
    folder = write(tmp_path / "suite", TESTS, conftest)
    done = run(folder, name)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert REWRITES.format(name) in done.output
    assert run(folder, "--snapshot-details").code == 0
