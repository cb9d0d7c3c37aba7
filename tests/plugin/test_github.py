"""What GitHub's runner reads: nothing in a name or a value breaks out of its place."""

import html
import re
import types

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_skyrs._model import verdicts
from pytest_skyrs._report import github
from pytest_skyrs._report.results import Results

HOSTILE = [
    "plain",
    "a::b,c:d%0A%2C",
    "a\nb\r\nc\rd",
    "::error::no",
    "a|b\\|c\\\\|d",
    "<script>&lt;b&gt;</script>",
    "`code` ``` *bold* __bold__ ~~gone~~ [link](https://example.com) ![i](x)",
    "\udc80\udcff é \u2028\u2029\x85\x0b\x0c\x1c",
    "",
]


def divergence(**more):
    return {
        "function": None,
        "arguments": None,
        "observable": "stdout",
        "python": "one",
        "rust": "two",
        **more,
    }


def row(nodeid="tests/test_it.py::test", verdict=verdicts.DIVERGED, divergences=()):
    return {"id": nodeid, "verdict": verdict, "divergences": list(divergences)}


class Terminal:
    def __init__(self):
        self.lines = []

    def ensure_newline(self):
        self.lines.append(None)

    def write_line(self, line):
        self.lines.append(line)


def controller(
    *rows, terminal=None, problems=(), registered=(), fail_on=(verdicts.DIVERGED, verdicts.CRASHED)
):
    """What of a session is asked for."""
    results = Results(None)
    for each in rows:
        results.counts[each["verdict"]] += 1
    return types.SimpleNamespace(
        verdicts=lambda: iter(rows),
        options=types.SimpleNamespace(fail_on=fail_on),
        config=types.SimpleNamespace(
            pluginmanager=types.SimpleNamespace(get_plugin={"terminalreporter": terminal}.get)
        ),
        results=results,
        problems=list(problems),
        stopped=None,
        registered=list(registered),
    )


def unescape(text):
    for code, sign in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, sign)
    return text


def as_utf8(text):
    return text.encode("utf-8", "backslashreplace").decode()


ANNOTATION = re.compile(r"::error file=([^,:]*),title=([^,:]*)::([^\r\n]*)")


def test_an_annotation():
    made = github.annotation(row(divergences=[divergence(function="m.f", arguments="(1, 2)")]))
    assert made == (
        "::error file=tests/test_it.py,title=skyrs%3A diverged%3A tests/test_it.py%3A%3Atest::"
        "m.f(1, 2): python one, rust two"
    )


def test_an_annotation_without_a_difference():
    made = github.annotation(row("test_it.py", verdicts.CRASHED))
    assert made == "::error file=test_it.py,title=skyrs%3A crashed%3A test_it.py::crashed"


@given(st.text(), st.text())
@example(HOSTILE[1], HOSTILE[0])
@example(HOSTILE[2], HOSTILE[3])
@example(HOSTILE[7], HOSTILE[6])
def test_an_annotation_is_one_line_and_can_be_read_back(nodeid, value):
    made = github.annotation(row(nodeid, divergences=[divergence(python=value)]))
    assert not set(made) & set("\r\n")
    match = ANNOTATION.fullmatch(made)
    assert match
    file, title, text = match.groups()
    assert unescape(file) == as_utf8(nodeid.partition("::")[0])
    assert unescape(title) == as_utf8(f"skyrs: diverged: {nodeid}")
    assert unescape(text).startswith("stdout: python ")
    made.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_cells_stay_in_their_row(text):
    named = controller(row(text, divergences=[divergence(arguments=text)]), problems=[text])
    lines = github.step_summary(named, list(named.verdicts())).split("\n")
    (cells,) = [line for line in lines if "| diverged | stdout" in line]
    assert cells.count("|") == 4
    assert len(cells.splitlines()) == 1
    test, verdict, first = (cell.strip() for cell in cells.strip("|").split(" | "))
    flat = " ".join(as_utf8(text).splitlines())
    assert html.unescape(test) == flat.strip()
    assert verdict == "diverged"
    assert not set("<>`*_[]~\\") & set(test + first)
    assert html.unescape(lines[-2]) == f"Problem: {flat}"


def test_a_summary():
    named = controller(
        row("a", divergences=[divergence(), divergence(observable="stderr")]),
        row("b", verdicts.SAME),
        row("c", verdicts.SAME),
        problems=["the rust arm ended early"],
    )
    shown = [each for each in named.verdicts() if each["verdict"] == verdicts.DIVERGED]
    assert github.step_summary(named, shown) == (
        "## skyrs: python and rust\n\n"
        "`skyrs: 3 compared, 2 same, 1 diverged`\n\n"
        "| verdict | tests |\n|---|---:|\n| same | 2 |\n| diverged | 1 |\n\n"
        "| test | verdict | first difference |\n|---|---|---|\n"
        "| a | diverged | stdout: python one, rust two |\n\n"
        "Problem: the rust arm ended early\n"
    )


def test_a_route_without_an_answer_is_named():
    first = {"type": "NameError", "message": "name 'x' is not defined", "place": "c.py:3"}
    finding = {"route": "m.f", "answered": False, "why": "it raised", "first_exception": first}
    text = github.step_summary(controller(row("a", verdicts.SAME), registered=[finding]), [])
    assert "\nregistered route m.f answered nothing: it raised; first NameError" in text


def test_a_summary_without_differences():
    text = github.step_summary(controller(row("a", verdicts.SAME)), [])
    assert "first difference" not in text
    assert "| same | 1 |" in text


@pytest.mark.parametrize("count", [50, 51, 60])
def test_only_so_many_are_shown(monkeypatch, tmp_path, count):
    terminal = Terminal()
    target = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    github.write(controller(*(row(f"t{number}") for number in range(count)), terminal=terminal))
    assert len(terminal.lines) == 51
    text = target.read_text()
    assert text.count("| diverged |") - 1 == 50
    assert (f"| and {count - 50} more | | |" in text) == (count > 50)


@pytest.fixture
def on_github(monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    target = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    return target


def test_only_failing_verdicts_are_annotated(on_github):
    terminal = Terminal()
    on_github.write_text("from another step\n")
    github.write(controller(row("a"), row("b", verdicts.FLAKY), terminal=terminal))
    assert terminal.lines == [None, github.annotation(row("a"))]
    assert on_github.read_text().startswith("from another step\n## skyrs")


def test_without_a_terminal_there_is_a_summary_still(on_github):
    github.write(controller(row("a")))
    assert "| a | diverged |" in on_github.read_text()


def test_a_summary_that_cannot_be_written_is_a_problem(on_github):
    on_github.mkdir()
    named = controller(row("a"))
    github.write(named)
    assert named.problems == [f"GITHUB_STEP_SUMMARY={on_github}: Is a directory"]


@pytest.mark.parametrize("value", [None, "", "false", "1"])
def test_elsewhere_nothing_is_written(monkeypatch, on_github, value):
    if value is None:
        monkeypatch.delenv("GITHUB_ACTIONS")
    else:
        monkeypatch.setenv("GITHUB_ACTIONS", value)
    terminal = Terminal()
    github.write(controller(row("a"), terminal=terminal))
    assert terminal.lines == []
    assert not on_github.exists()


def test_a_runner_without_a_summary_gets_annotations(monkeypatch, on_github):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    terminal = Terminal()
    github.write(controller(row("a"), terminal=terminal))
    assert len(terminal.lines) == 2
