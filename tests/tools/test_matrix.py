"""The table of `make matrix`: what it counts, and what it finds wrong."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "release"

JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="one"/>
<testcase classname="a" name="two"><failure message="no"/></testcase>
<testcase classname="a" name="three"><error message="no"/></testcase>
<testcase classname="a" name="four"><skipped message="not here"/></testcase>
<testcase classname="a" name="five"><skipped message="not here"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def matrix(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    module = importlib.import_module("matrix")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


@pytest.fixture
def cells(matrix):
    return importlib.import_module("matrix_cells")


def made(tmp_path, cell, routes, **suites):
    home = tmp_path / cell.name
    home.mkdir()
    versions = {"python": "3.13.0", "skypilot": "0.14.1", "wrapt": "2.5.2", "pytest": "9.2.0"}
    status = {"routes": routes, "import_problems": []}
    (home / "cell.json").write_text(json.dumps({"versions": versions, "status": status}))
    for suite, text in suites.items():
        (home / f"{suite}.xml").write_text(text)


def route(state, reason=None):
    return {"state": state, "reason": reason}


ROUTES = {
    "sky.utils.common_utils.a": route("active"),
    "sky.utils.common_utils.b": route("inactive", "unknown code: it has the fingerprint 1"),
    "sky.utils.common_utils.c": route("inactive", "no native function covers variant A of it"),
    "sky.utils.common_utils.d": route("absent", "sky.utils.common_utils has no d"),
    "sky.utils.common_utils.e": route("inactive", "opt-in: set SKY_RS_ENABLE=e"),
}
PASSED = '<testsuites><testcase classname="a" name="one"/></testsuites>'


def test_a_row_and_what_is_wrong(matrix, cells, tmp_path):
    cell = cells.Cell("3.13", "0.14.1", suites=("shim", "properties"))
    made(tmp_path, cell, ROUTES, shim=JUNIT, properties=PASSED)
    result = matrix.Result(cell, cell.suites)
    assert result.row() == [
        *("py3.13-sky0.14.1", "3.13.0", "0.14.1", "2.5.2", "9.2.0"),
        *("1, 2 FAILED", "-", "1", "-", "1", "2", "1"),
    ]
    assert result.problems == ["shim failed: a::two", "shim failed: a::three"]
    assert result.notes == [
        "shim skipped 2: not here",
        "common_utils.b on Python: unknown code: it has the fingerprint 1",
        "common_utils.c on Python: no native function covers variant A of it",
    ]


def test_what_is_missing_is_wrong(matrix, cells, tmp_path, monkeypatch):
    cell = cells.Cell("3.13", "0.14.1", suites=("shim", "properties"))
    assert matrix.Result(cell, cell.suites).problems[0].startswith("not run: ")
    made(tmp_path, cell, ROUTES, shim="<testsuites/>")
    assert matrix.Result(cell, cell.suites).problems == [
        "no test of shim passed",
        "properties not run",
    ]
    assert matrix.Result(cell, ()).notes[0] == "properties not run"
    none = cells.Cell("3.99", "0.14.1")
    assert matrix.Result(none, none.suites).problems == ["not run: there is no CPython 3.99 here"]
    optional = none._replace(optional=True)
    assert matrix.Result(optional, none.suites).problems == []
    assert matrix.Result(optional, none.suites).row()[1:] == ["-"] * 11


def test_another_inactive_route_is_wrong(matrix, cells, tmp_path):
    cell = cells.Cell("3.13", "0.14.1", suites=("shim",))
    routes = {"sky.utils.common_utils.a": route("inactive", "there is no extension")}
    made(tmp_path, cell, routes, shim=PASSED)
    expected = ["common_utils.a is inactive: there is no extension"]
    assert matrix.Result(cell, cell.suites).problems == expected


def test_in_a_cell_without_a_lock_every_route_must_be_served(matrix, cells, tmp_path):
    cell = cells.Cell("3.13", "newest", suites=("shim",), newest=True)
    made(tmp_path, cell, ROUTES, shim=PASSED)
    assert matrix.Result(cell, cell.suites).problems == []
    path = tmp_path / cell.name / "cell.json"
    content = json.loads(path.read_text())
    content["status"]["failures"] = ["sky.utils.common_utils.b isn't served: unknown code"]
    path.write_text(json.dumps(content))
    assert matrix.Result(cell, cell.suites).problems == content["status"]["failures"]
    # Where the packages are locked, what stays on Python is known.
    locked = cell._replace(newest=False)
    assert matrix.Result(locked, locked.suites).problems == []


def test_cells_are_selected_by_parts_of_their_names(cells):
    names = [cell.name for cell in cells.CELLS]
    assert len(set(names)) == len(names)
    assert cells.selected([]) == list(cells.CELLS)
    assert {cell.python for cell in cells.selected(["py3.9"])} == {"3.9"}
    chosen = {cell.skypilot for cell in cells.selected(["nightly", "0.9.3"])}
    assert chosen == {"nightly", "newest-nightly", "0.9.3"}
    assert [cell.name for cell in cells.selected(["=py3.13-sky0.14.1"])] == ["py3.13-sky0.14.1"]
    both = cells.selected(["py3.13+wrapt"])
    assert both and all(cell.python == "3.13" and cell.wrapt for cell in both)
    assert cells.selected(["no such cell"]) == []


def test_every_cell_has_its_requirements(cells):
    for cell in cells.CELLS:
        suffix = "in" if cell.newest else "txt"
        requirements = ROOT / "requirements" / "matrix" / f"skypilot-{cell.skypilot}.{suffix}"
        assert requirements.exists()
        assert set(cell.suites) <= set(cells.SUITES)
