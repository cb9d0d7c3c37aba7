"""However a session ends: `pytest --skyrs-both` is never greener than plain pytest."""

import sys
import xml.etree.ElementTree as ET

import pytest
from endings import RUNNERS, SPECIAL, grid
from suites import Process, plugins, write

_COUNTS = ("tests", "failures", "errors", "skipped")
#: What `make test` has time for; the rest is marked as slow.
_QUICK = {
    ("call: os._exit(0)", "plain"),
    ("call: SIGSEGV", "plain"),
    ("setup: pytest.exit(7)", "plain"),
    ("teardown: KeyboardInterrupt", "plain"),
    ("import: os._exit(7)", "plain"),
    ("finish: os._exit(1)", "plain"),
    ("hook raises", "plain"),
    ("child comes back and fails", "plain"),
    ("call: os._exit(7)", "-n 1"),
    ("call: SIGKILL", "--forked"),
    ("duplicates", "plain"),
}
#: Ways that are tried on all runners.
_WIDE = [
    *("import: os._exit(7)", "session fixture: pytest.exit(7)", "setup: SIGSEGV"),
    *("call: os._exit(0)", "call: os._exit(7)", "call: SIGKILL", "call: sys.exit(3)"),
    *("call: pytest.exit(7)", "call: pytest.exit", "call: KeyboardInterrupt", "call: error"),
    *("teardown: os._exit(7)", "teardown: error", "finish: os._exit(1)", "finish: error"),
    *("shouldstop", "shouldfail", "-x", "no tests", "collection error", "hook raises"),
    *("exit status 42", "child comes back and fails", "timeout by thread", "timeout by signal"),
    *("session timeout", "strict markers", "unconfigure raises", "thread exits later"),
]
#: What other workers have done by the end is chance.
_RACES = [("-x", "-n 2"), ("-x", "--dist=each")]
ENDINGS = {ending.name: ending for ending in [*grid(), *SPECIAL]}


def cells():
    for name in ENDINGS:
        for runner in RUNNERS if name in _WIDE else ["plain"]:
            marks = () if (name, runner) in _QUICK else pytest.mark.slow
            yield pytest.param(ENDINGS[name], runner, id=f"{name}, {runner}", marks=marks)


def end(folder, ending, runner, *, both):
    """Runs a suite that ends in this way to its end."""
    options, needed = RUNNERS[runner]
    suite = write(folder, {"test_it.py": ending.tests}, ending.conftest)
    names = plugins(*needed, *ending.plugins)
    options = [*options, *ending.options]
    with Process(suite, *options, both=both or None, plugins=names) as process:
        return process.wait()


def as_shells_show(code):
    return code if code >= 0 else 128 - code


def counts(done):
    """What JUnit's file counts."""
    (suite,) = ET.fromstring(done.junit).iter("testsuite")
    return {name: int(suite.get(name)) for name in _COUNTS}


def outcomes(done):
    """Each test's outcomes in JUnit's file, which may have several in one entry."""
    return sorted((name, tag) for name, tags in done.cases for tag in (tags or ["passed"]))


def fails(done):
    return [name for name, tags in done.cases if {"failure", "error"} & {*tags}]


@pytest.mark.parametrize(("ending", "runner"), cells())
def test_the_double_run_ends_as_plain_pytest(tmp_path, ending, runner):
    plain = end(tmp_path / "plain", ending, runner, both=False)
    both = end(tmp_path / "both", ending, runner, both=True)
    code = as_shells_show(plain.code)
    sys.stdout.write(plain.output + both.output)
    if ending.redder and code == 0:
        assert both.code == 1
        assert ending.redder in both.output
    else:
        assert as_shells_show(both.code) == code
    if (ending.name, runner) in _RACES:
        return
    if plain.junit is not None:
        assert counts(both) == counts(plain)
        assert outcomes(both) == outcomes(plain)
    elif both.junit is not None:
        # Plain pytest died and tells of no test at all: here the one that it died in has failed.
        assert "the python arm " in both.output
        if both.report["tests"]:
            blamed = [
                row["id"] for row in both.report["tests"] if "crashed" in row["outcome"].values()
            ]
            names = {name.replace(".py::", "::") for name in blamed}
            assert names <= set(fails(both))


def test_cells_are_there():
    names = {name for name, _ in _QUICK} | set(_WIDE)
    assert names <= ENDINGS.keys()
    assert len(list(cells())) > 200
