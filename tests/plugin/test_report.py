"""The result for machines: what is written, and that nothing is left half written."""

import json
import types
from pathlib import Path

import pytest
from runs import call, run

from pytest_skyrs._controller.store import Store
from pytest_skyrs._model import accepted_differences, verdicts
from pytest_skyrs._model.judge import Case, plain_verdict
from pytest_skyrs._model.settings import ArmSettings
from pytest_skyrs._report import machine, terminal
from pytest_skyrs._report.results import NOBODY, Results


class Arm:
    """What the report asks of an arm that is over."""

    collected, exit, problem = 2, 0, None

    def __init__(self, backend):
        self.settings = ArmSettings(backend, 1, "/nowhere", 0)
        self.finished = {"seconds": 1.23456, "leftovers": ["sleep 9 (pid 7)"]}
        route = {"state": "active", "reason": None, "source": "register()"}
        routes = {"m.f": {**route, "registered_by": None, "first_exception": None}}
        self.words = {"main": {"skypilot": "0.14.1", "routes": routes}}

    def counts(self):
        counted = {"calls": {"rust": 3, "python": 1}, "declines": {"guard:x": 1}}
        return {"m.f": {**counted, "first_exception": None}}


class Terminal:
    def __init__(self):
        self.lines = []

    def ensure_newline(self):
        pass

    def write_line(self, line):
        self.lines.append(line)


@pytest.fixture
def controller(tmp_path):
    """What the report asks of a session that is over."""
    store = Store(tmp_path / "runs.sqlite")
    terminal = Terminal()
    made = types.SimpleNamespace(
        arms={"python": [Arm("python")], "rust": [Arm("rust")]},
        config=types.SimpleNamespace(
            rootpath=tmp_path,
            pluginmanager=types.SimpleNamespace(get_plugin={"terminalreporter": terminal}.get),
        ),
        options=types.SimpleNamespace(
            json=None,
            html=None,
            update_known=False,
            fail_on=(verdicts.DIVERGED, verdicts.CRASHED),
            known_path=lambda config: None,
        ),
        plan=types.SimpleNamespace(
            arguments=("-x", "tests"),
            hash_seed="0",
            cache=None,
            directory=tmp_path,
            first_path=str(tmp_path),
        ),
        problems=[],
        not_started=[],
        notes=[],
        results=Results(store),
        seed=7,
        stale=[],
        registered=[],
        stopped=None,
        unreached=[],
        terminal=terminal,
        verdicts=None,
    )
    made.verdicts = made.results.rows
    yield made
    store.close()


def same(controller, nodeid="test_it.py::test_same"):
    python, rust = (run(call(), nodeid=nodeid) for _ in range(2))
    controller.results.add(plain_verdict(python, rust), python, rust, [], None)


def differing(controller, nodeid="test_it.py::test_other", known=None, **more):
    """A test with a call that got another answer, and with other output."""
    sides = [
        run(
            call(letter, called=f"({letter!r}, '\udc80')", gave=letter, pickle="UElDS0xF"),
            stdout=f"{letter}\udc80",
            nodeid=nodeid,
        )
        for letter in "ab"
    ]
    case = Case(*sides)
    case.python.append(sides[0])
    case.rust.append(sides[1])
    verdict = verdicts.KNOWN if known else verdicts.DIVERGED
    controller.results.add(verdict, *sides, case.judge(), known)


@pytest.fixture
def written(controller):
    """Writes the JSON report and reads it."""

    def written():
        controller.options.json = controller.config.rootpath / "report.json"
        machine.write_all(controller)
        return json.loads(controller.options.json.read_text(encoding="ascii"))

    return written


def test_a_report(controller, written):
    same(controller)
    differing(controller)
    same(controller, "test_it.py::test_\udc80")
    report = written()
    assert [row["id"] for row in report["tests"]] == [
        "test_it.py::test_same",
        "test_it.py::test_other",
        "test_it.py::test_\udc80",
    ]
    assert [row["divergences"] for row in report["tests"]] == [[], ["d1", "d2"], []]
    assert [each["id"] for each in report["divergences"]] == ["d1", "d2"]
    first = report["divergences"][0]
    assert first == {
        "id": "d1",
        "test": "test_it.py::test_other",
        "verdict": "diverged",
        "observable": "call",
        "function": "m.f",
        "arguments": "('a', '\udc80')",
        "python": "a",
        "rust": "b",
        "detail": "call 1 of the test",
        "known": None,
        "repro": "python -m pytest_skyrs replay d1",
        # For `replay`, which takes this report as well.
        "pickle": "UElDS0xF",
        "tests": 1,
        "differences": 1,
        "where": "1",
        "mixed": False,
        "environment": [],
        "examples": [],
    }
    assert {name: count for name, count in report["counts"].items() if count} == {
        "same": 2,
        "diverged": 1,
    }
    assert list(report["counts"]) == list(verdicts.ALL)
    assert report["schema"] == 2
    assert report["command"] == ["pytest", "-x", "tests"]
    assert report["seed"] == 7
    assert (report["complete"], report["interrupted"], report["problems"]) == (True, None, [])
    assert report["versions"]["skypilot"] == "0.14.1"
    assert [arm["name"] for arm in report["arms"]] == ["python-1", "rust-1"]
    assert report["arms"][0]["seconds"] == 1.235
    assert report["routes"]["m.f"]["rust"] == 3
    assert report["routes"]["m.f"]["declines"] == {"guard:x": 1}
    assert report["routes"]["m.f"]["tests"] == 3


def test_an_empty_report(written):
    report = written()
    assert (report["tests"], report["divergences"]) == ([], [])
    assert set(report["counts"].values()) == {0}


def test_a_report_with_problems(controller, written):
    controller.problems += ["one", "two"]
    controller.stale.append("entry 1")
    report = written()
    assert (report["complete"], report["interrupted"]) == (False, "one; two")
    assert report["closing"].endswith("; 2 problems, see above")
    assert report["stale"] == ["entry 1"]


def test_known_differences_say_why(controller, written):
    differing(controller, known={"reason": "it rounds", "issue": "#1"})
    report = written()
    assert [each["known"] for each in report["divergences"]] == [
        {"reason": "it rounds", "issue": "#1"}
    ] * 2
    assert report["counts"]["known"] == 1


def test_the_page_and_the_file_say_the_same(controller, written):
    same(controller)
    differing(controller)
    collected = machine.collect(controller)
    report = written()
    # Nobody reads it on the page.
    for each in report["divergences"]:
        del each["pickle"]
    for each in (report, collected):
        del each["created"]
    assert json.loads(json.dumps(collected)) == report


def test_a_page(controller):
    differing(controller)
    controller.options.html = controller.config.rootpath / "page.html"
    machine.write_all(controller)
    page = controller.options.html.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert "test_it.py::test_other" in page
    assert controller.problems == []


def test_without_a_run_nothing_is_written(controller, written):
    controller.arms = {"python": [], "rust": []}
    with pytest.raises(FileNotFoundError):
        written()


@pytest.mark.parametrize("option", ["json", "html"])
def test_a_file_that_cannot_be_written_is_a_problem(controller, option):
    path = controller.config.rootpath / "gone" / "report"
    setattr(controller.options, option, path)
    machine.write_all(controller)
    assert controller.problems == [f"{path} could not be written: No such file or directory"]


def attempt(controller, path, write):
    machine._attempt(controller, path, write)
    return sorted(each.name for each in path.parent.iterdir() if "sqlite" not in each.name)


def test_what_was_there_stays_if_writing_fails(controller, tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")

    def write(partial):
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    assert attempt(controller, path, write) == ["report.json"]
    assert path.read_text() == "old"
    assert controller.problems == [f"{path} could not be written: No space left on device"]


def test_what_was_there_is_replaced_in_one_step(controller, tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")

    def write(partial):
        partial.write_text("new")
        assert path.read_text() == "old"

    assert attempt(controller, path, write) == ["report.json"]
    assert path.read_text() == "new"
    assert controller.problems == []


def test_a_device_is_written_to(controller):
    written = []
    machine._attempt(controller, Path("/dev/null"), written.append)
    assert written == [Path("/dev/null")]
    assert Path("/dev/null").is_char_device()
    assert controller.problems == []


def test_the_last_run_is_kept_for_replays(controller, tmp_path):
    same(controller)
    differing(controller)
    controller.plan.cache = tmp_path / "cache"
    machine.write_all(controller)
    kept = json.loads((tmp_path / "cache" / "d" / "skyrs" / "last-run.json").read_text())
    assert kept["directory"] == kept["rootdir"] == str(tmp_path)
    assert kept["routes"] == {"m.f": {"registered_by": None}}
    # Output can't be replayed, which `replay` says.
    assert [(each["id"], each["function"], each["pickle"]) for each in kept["divergences"]] == [
        ("d1", "m.f", "UElDS0xF"),
        ("d2", None, None),
    ]


# Proposals for the list of known differences.


def test_a_proposal(controller, tmp_path):
    same(controller)
    differing(controller)
    controller.options.update_known = True
    machine.write_all(controller)
    place = tmp_path / "skyrs-known.proposed.yaml"
    assert controller.terminal.lines == [f"skyrs: 2 differences are proposed as known in {place}"]
    text = place.read_text()
    assert text.startswith("# Proposed by --skyrs-update-known.")
    with pytest.raises(accepted_differences.BadEntry, match="it has no reason"):
        accepted_differences.load(place, None)
    place.write_text(text.replace("''", "because"))
    entries = accepted_differences.load(place, None)
    assert [entry.describe() for entry in entries] == [
        "entry 1 (test test_it.py::test_other, function m.f, observable call)",
        "entry 2 (test test_it.py::test_other, observable stdout)",
    ]


def test_the_list_itself_is_left_alone(controller, tmp_path):
    known = tmp_path / "mine.yml"
    known.write_text("[]")
    controller.options.known_path = lambda config: known
    controller.options.update_known = True
    differing(controller)
    machine.write_all(controller)
    assert known.read_text() == "[]"
    assert "(mine.yml)" in (tmp_path / "mine.proposed.yml").read_text()


@pytest.mark.parametrize("what", ["nothing", "known", "doesn't fail", "can't be accepted"])
def test_what_is_not_proposed(controller, tmp_path, what):
    controller.options.update_known = True
    if what == "known":
        differing(controller, known={"reason": "a", "issue": "b"})
    elif what == "doesn't fail":
        controller.options.fail_on = (verdicts.CRASHED,)
        differing(controller)
    elif what == "can't be accepted":
        controller.options.fail_on = (verdicts.INCONCLUSIVE,)
        sides = run(stdout="a"), run(stdout="b")
        findings = Case(*sides).judge()
        assert findings[0].verdict == verdicts.INCONCLUSIVE
        controller.results.add(verdicts.INCONCLUSIVE, *sides, findings, None)
    machine.write_all(controller)
    assert list(tmp_path.glob("*.yaml")) == []
    assert controller.terminal.lines == []


@pytest.mark.parametrize(
    ("state", "rust", "shown"),
    [("active", 0, True), ("inactive", 0, True), ("active", 3, False)],
)
def test_a_route_that_is_not_served_says_why(state, rust, shown):
    reason = "on Python for now: PyYAML 9.9 is not known"
    route = {"state": state, "reason": reason, "rust": rust, "python": 2, "declines": {"guard": 2}}
    table = {"sky.m.f": {**route, "registered": False, "tests": 1}}
    [line] = [line for line in terminal.route_table(table) if line.startswith("sky.m.f")]
    assert ("PyYAML 9.9 is not known" in line) is shown
    assert "guard 2" in line


def test_a_route_of_a_stopped_session_is_shown_if_it_was_called():
    route = {"state": "inactive", "reason": NOBODY, "registered": False, "tests": 0}
    table = {
        name: {**route, "rust": calls, "python": 0, "declines": {}}
        for name, calls in (("m.f", 0), ("m.g", 2))
    }
    assert [line.split()[0] for line in terminal.route_table(table)] == ["route", "m.g", "not"]
