"""The guard against slower calls: what it reads from callgrind, and what it finds wrong."""

import copy
import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "bench" / "instructions.py"


@pytest.fixture(scope="module")
def instructions():
    spec = importlib.util.spec_from_file_location("instructions", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROFILE = """\
# callgrind format
version: 1
positions: line
events: Ir
summary: 1660

ob=(1) /usr/lib/libpython3.11.so
fl=(1) ceval.c
fn=(1) _PyEval_EvalFrameDefault
10 1000
+2 50
-1
cob=(2) /somewhere/_native.cpython-311.so
cfn=(2) vectorcall
calls=200 0
* 600

ob=(2)
fn=(2)
0 500
* 100
ob=(1)
fn=(3) PyUnicode_New
7 10
"""


def test_what_callees_take_counts_where_it_is_spent(instructions):
    assert instructions._parse(PROFILE) == (600, 1660)


BASELINE = {
    "environment": {"machine": "m", "rustc": "r", "profile": "release", "python": "p"},
    "calls": {"one": [100, 1000], "two": [10_000, 20_000]},
}


def changed(**counts):
    now = copy.deepcopy(BASELINE)
    now["calls"].update(counts)
    return now


@pytest.mark.parametrize(
    ("counts", "wrong"),
    [
        ({}, []),
        ({"one": [50, 500]}, []),
        ({"two": [11_020, 22_020]}, []),
        # A handful of instructions is no tenth of anything.
        ({"one": [130, 1000]}, []),
        (
            {"two": [11_100, 20_000]},
            ["two: 11,100 instructions a call in the extension, 11 % more"],
        ),
        ({"two": [10_000, 25_000]}, ["two: 25,000 instructions a call in all, 25 % more"]),
        ({"three": [1, 1]}, ["three: no baseline"]),
    ],
)
def test_the_bound(instructions, counts, wrong):
    rows, found, unsaid = instructions.compare(BASELINE, changed(**counts), 10)
    assert len(found) == len(wrong)
    assert all(line.startswith(start) for line, start in zip(found, wrong))
    assert unsaid == []
    assert [row[0] for row in rows[1:]] == ["one", "two"]


@pytest.mark.parametrize(
    ("routed", "before", "wrong"),
    [
        (900, 900, []),
        (1100, 900, []),
        (1110, 900, ["one, where a namespace changes: 1.11 times"]),
        # The baseline has it so.
        (1210, 1200, []),
        (1300, 1200, ["one, where a namespace changes: 1.30 times"]),
    ],
)
def test_the_bound_where_a_namespace_changes(instructions, routed, before, wrong):
    baseline, now = (
        {**BASELINE, "routed": {"one": [1, count]}, "original": {"one": [0, 1000]}}
        for count in (before, routed)
    )
    found = instructions.compare(baseline, now, 10)[1]
    assert len(found) == len(wrong)
    assert all(line.startswith(start) for line, start in zip(found, wrong))


def test_the_bound_of_first_calls(instructions):
    baseline, now = ({**BASELINE, "first": {"one": [10, n]}} for n in (1_000_000, 1_200_000))
    rows, found, _ = instructions.compare(baseline, now, 10)
    assert [row[0] for row in rows[1:]] == ["one", "two", "first call of one"]
    assert [line.partition(":")[0] for line in found] == ["first call of one"]


def test_a_call_that_is_gone(instructions):
    now = changed()
    del now["calls"]["one"]
    assert instructions.compare(BASELINE, now, 10)[1] == ["one: no such call any more"]


@pytest.mark.parametrize(
    ("key", "wrong"), [("python", ["in the extension"]), ("rustc", []), ("machine", [])]
)
def test_only_what_can_be_compared_is(instructions, key, wrong):
    now = changed(one=[1000, 10_000])
    now["environment"][key] = "other"
    _, found, unsaid = instructions.compare(BASELINE, now, 10)
    assert ["in the extension" for line in found if "in the extension" in line] == wrong
    assert len(found) == len(wrong)
    assert len(unsaid) == (1 if wrong else 2)
    assert all(key in line for line in unsaid)


def test_the_baseline_is_for_these_calls(instructions):
    import json

    baseline = json.loads(instructions.BASELINE.read_text())
    names = [workload.name for workload in instructions.workloads()]
    assert sorted(baseline["calls"]) == sorted(names)
    assert list(baseline["start"]) == [instructions.START]
    assert baseline["routed"].keys() == baseline["original"].keys() == baseline["calls"].keys()
    assert {name.partition(":")[0] for name in names} == baseline["first"].keys()
