"""Runs and verdicts come back as they were put in."""

import json
import sqlite3

import pytest
from runs import call, reports, run

from pytest_skyrs._controller.store import Store
from pytest_skyrs._model.test_run import Assembler, TestRun, from_json

ODD = ["a", "", "é", "\udc80", "a\0b", "a'b\"c", "a\nb", "x" * 100_000, "%_", "A", "\u2028"]


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "runs.sqlite")
    yield made
    made.close()


def of(nodeid, **more):
    return TestRun(nodeid, reports(), run(call()).record, **more)


RUNS = [
    run(),
    run(call("a", called="(1)"), call("b"), stdout="x\udc80\0", logs=["é"], warnings=["w"]),
    run(crash="died"),
    TestRun("test_it.py::test"),
]


@pytest.mark.parametrize("made", RUNS)
def test_a_run(store, made):
    store.add_run("python-1", made)
    assert store.run("python-1", made.nodeid) == made
    assert store.run("rust-1", made.nodeid) is None
    assert store.run("python-1", "another") is None


@pytest.mark.parametrize("made", RUNS)
def test_a_run_as_json(made):
    assert from_json(json.loads(json.dumps(made.to_json()))) == made


def test_names_of_any_kind(store):
    for nodeid in ODD:
        store.add_run("python-1", of(nodeid, crash=nodeid))
        store.add_item("python-1", nodeid)
    assert [store.run("python-1", nodeid).crash for nodeid in ODD] == ODD
    assert all(store.has_item("python-1", nodeid) for nodeid in ODD)
    assert sorted(store.rest("python-1")) == sorted(ODD)
    assert sorted(store.only_in("python-1", "rust-1")) == sorted(ODD)


def test_the_last_run_of_a_test_counts(store):
    store.add_run("python-1", of("a", crash="first"))
    store.add_run("python-1", of("a"))
    assert store.run("python-1", "a").crash is None
    assert store.count_runs("python-1") == 1


def test_arms_have_their_own_runs(store):
    store.add_run("python-1", of("a", crash="python"))
    store.add_run("rust-1", of("a", crash="rust"))
    store.add_run("rust-1", of("b"))
    assert [store.run(arm, "a").crash for arm in ("python-1", "rust-1")] == ["python", "rust"]
    assert [store.count_runs(arm) for arm in ("python-1", "rust-1", "rust-2")] == [1, 2, 0]
    assert list(store.rest("rust-1")) == ["a", "b"]


def test_what_is_dropped_is_gone(store):
    for nodeid in "abc":
        store.add_run("python-1", of(nodeid))
    store.add_run("rust-1", of("b"))
    store.drop_run("python-1", "b")
    store.drop_run("python-1", "never there")
    assert list(store.rest("python-1")) == ["a", "c"]
    assert store.run("rust-1", "b") is not None


def test_the_rest_may_be_dropped_while_it_is_read(store):
    for nodeid in "abc":
        store.add_run("python-1", of(nodeid))
    seen = []
    for nodeid in store.rest("python-1"):
        seen.append(nodeid)
        for each in "abc":
            store.drop_run("python-1", each)
    assert seen == ["a", "b", "c"]
    assert list(store.rest("python-1")) == []


def test_items(store):
    for nodeid in "abb":
        store.add_item("python-1", nodeid)
    for nodeid in "bc":
        store.add_item("rust-1", nodeid)
    assert store.only_in("python-1", "rust-1") == ["a"]
    assert store.only_in("rust-1", "python-1") == ["c"]
    assert store.only_in("python-1", "python-1") == []
    assert store.only_in("python-2", "python-1") == []
    assert store.has_item("python-1", "a")
    assert not store.has_item("rust-1", "a")
    # To be collected isn't to have run.
    assert store.count_runs("python-1") == 0


def test_verdicts_come_back_in_order(store):
    rows = [{"id": nodeid, "number": number} for number, nodeid in enumerate(reversed(ODD))]
    for row in rows:
        store.add_verdict(row)
    assert list(store.verdicts()) == rows
    assert list(store.verdicts()) == rows


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.add_item("python-1", "a")


# How runs are put together from what an arm tells.


def event(kind, nodeid="a", **more):
    if kind == "report":
        more = {"report": {"nodeid": nodeid, "when": "call", "outcome": "passed", **more}}
    return {"event": kind, "id": nodeid, **more}


def test_a_record_completes_a_run():
    assembler = Assembler()
    events = [event("start"), event("report", when="setup"), event("report")]
    assert [assembler.take(each) for each in events] == [None, None, None]
    assert [each.nodeid for each in assembler.unfinished()] == ["a"]
    made = assembler.take(event("record", record={"calls": None}))
    assert (made.nodeid, made.record) == ("a", {"calls": None})
    assert [report["when"] for report in made.reports] == ["setup", "call"]
    assert assembler.unfinished() == []


def test_tests_of_several_workers_are_kept_apart():
    assembler = Assembler()
    for nodeid in ("a", "b"):
        assembler.take(event("start", nodeid))
    for nodeid in ("a", "b", "a"):
        assembler.take(event("report", nodeid, longrepr=nodeid))
    made = assembler.take(event("record", "a", record={}))
    assert [report["longrepr"] for report in made.reports] == ["a", "a"]
    assert [each.nodeid for each in assembler.unfinished()] == ["b"]


def test_unfinished_tests_are_in_the_order_in_which_they_began():
    assembler = Assembler()
    for nodeid in "cab":
        assembler.take(event("start", nodeid))
    assembler.take(event("record", "a", record={}))
    assert [each.nodeid for each in assembler.unfinished()] == ["c", "b"]
    assert all(each.record is None for each in assembler.unfinished())


def test_a_worker_that_died_completes_its_test():
    assembler = Assembler()
    assembler.take(event("start"))
    assembler.take(event("report", when="setup"))
    made = assembler.take(event("report", when="???", outcome="failed", longrepr="gw0 crashed"))
    assert (made.crash, made.record, made.outcome) == ("gw0 crashed", None, "crashed")
    assert len(made.reports) == 2
    assert assembler.unfinished() == []


def test_a_test_that_runs_again_is_another_run():
    assembler = Assembler()
    for crash in (None, "again"):
        assembler.take(event("start"))
        assembler.take(event("report", longrepr=crash))
        made = assembler.take(event("record", record={"again": crash}))
        assert made.record == {"again": crash}
        assert [report["longrepr"] for report in made.reports] == [crash]
