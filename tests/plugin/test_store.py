"""Runs and verdicts come back as they were put in."""

import json
import sqlite3

import pytest
from runs import call, reports, run

from pytest_skyrs._controller.store import Store
from pytest_skyrs._model import events
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
    assert sorted(store.rest("python-1")) == sorted((nodeid, "") for nodeid in ODD)
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
    assert list(store.rest("rust-1")) == [("a", ""), ("b", "")]


def test_what_is_dropped_is_gone(store):
    for nodeid in "abc":
        store.add_run("python-1", of(nodeid))
    store.add_run("rust-1", of("b"))
    store.drop_run("python-1", "b")
    store.drop_run("python-1", "never there")
    assert list(store.rest("python-1")) == [("a", ""), ("c", "")]
    assert store.run("rust-1", "b") is not None


def test_the_rest_may_be_dropped_while_it_is_read(store):
    for nodeid in "abc":
        store.add_run("python-1", of(nodeid))
    seen = []
    for nodeid, _ in store.rest("python-1"):
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
    assert store.count_not_run("python-1") == 3
    for nodeid in "bbbx":
        store.note_run("python-1", nodeid)
    assert store.count_not_run("python-1") == 1
    assert store.count_not_run("rust-1") == 2
    assert store.count_not_run("rust-2") == 0


def test_runs_of_one_test_in_one_session(store):
    made = [of("a", crash=name, occurrence=name) for name in ("", "2", "gw1")]
    for each in made:
        store.add_run("python-1", each)
    assert [store.run("python-1", *each.key).crash for each in made] == ["", "2", "gw1"]
    store.drop_run("python-1", "a", "2")
    assert list(store.rest("python-1")) == [("a", ""), ("a", "gw1")]


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


def start(nodeid="a", **more):
    return events.Start(nodeid, **more)


def report(nodeid="a", *, worker="", each=False, died=False, **more):
    data = {"nodeid": nodeid, "when": "call", "outcome": "passed", **more}
    return events.Report(data, worker, each, died)


def record(nodeid="a", content=None, **more):
    return events.Record(nodeid, content or {}, **more)


def test_a_record_completes_a_run():
    assembler = Assembler()
    told = [start(), report(when="setup"), report()]
    assert [assembler.take(each) for each in told] == [None, None, None]
    made = assembler.take(record(content={"calls": None}))
    assert (made.nodeid, made.record) == ("a", {"calls": None})
    assert [each["when"] for each in made.reports] == ["setup", "call"]
    assert assembler.unfinished() == []


def test_tests_of_several_workers_are_kept_apart():
    assembler = Assembler()
    for nodeid in ("a", "b"):
        assembler.take(start(nodeid))
    for nodeid in ("a", "b", "a"):
        assembler.take(report(nodeid, longrepr=nodeid))
    made = assembler.take(record())
    assert [each["longrepr"] for each in made.reports] == ["a", "a"]
    assert [each.nodeid for each in assembler.unfinished()] == ["b"]


def test_unfinished_tests_are_in_the_order_in_which_they_began():
    assembler = Assembler()
    for nodeid in "cab":
        assembler.take(start(nodeid))
    assembler.take(record())
    unfinished = assembler.unfinished()
    assert [each.nodeid for each in unfinished] == ["c", "b"]
    assert all(each.record is None for each in unfinished)
    # The session is over; they may begin again in the next one.
    assert assembler.unfinished() == []


def test_a_worker_that_died_completes_its_test():
    assembler = Assembler()
    assembler.take(start())
    assembler.take(report(when="setup"))
    died = report(when="???", outcome="failed", longrepr="gw0 crashed", died=True)
    made = assembler.take(died)
    assert (made.crash, made.record, made.outcome) == ("gw0 crashed", None, "crashed")
    assert len(made.reports) == 2
    assert assembler.unfinished() == []


def test_a_worker_that_died_and_whose_test_runs_again():
    """As pytest-rerunfailures has it."""
    assembler = Assembler()
    again = {"when": "???", "outcome": "rerun", "longrepr": "gw0 crashed"}
    for each in (start(worker=None), report(**again, died=True, worker="gw0")):
        assert assembler.take(each) is None
    made = assembler.take(record(worker="gw0"))
    assert (made.crash, [each["outcome"] for each in made.reports]) == (None, ["rerun"])


def test_a_child_that_died_isnt_the_end_of_a_test():
    """As pytest-forked has it: the process that runs the tests goes on."""
    assembler = Assembler()
    for each in (start(), report(when="???", outcome="failed")):
        assert assembler.take(each) is None
    made = assembler.take(record())
    assert (made.crash, made.outcome) == (None, "failed")


def test_a_test_that_runs_again_is_another_run():
    assembler = Assembler()
    for crash in (None, "again"):
        assembler.take(start())
        assembler.take(report(longrepr=crash))
        made = assembler.take(record(content={"again": crash}))
        assert made.record == {"again": crash}
        assert [each["longrepr"] for each in made.reports] == [crash]
        assert made.occurrence == ("2" if crash else "")


@pytest.mark.parametrize("each", [True, False])
def test_one_test_on_two_workers_at_once(each):
    assembler = Assembler()
    more = {"each": True} if each else {}
    for worker in ("gw0", "gw1"):
        assembler.take(start(worker=None))
        assembler.take(report(longrepr=worker, worker=worker, **more))
    made = [assembler.take(record(worker=worker, **more)) for worker in ("gw1", "gw0")]
    assert [run.reports[0]["longrepr"] for run in made] == ["gw1", "gw0"]
    assert [run.occurrence for run in made] == (["gw1", "gw0"] if each else ["", "2"])
    assert assembler.unfinished() == []


def test_a_test_that_died_the_second_time():
    assembler = Assembler()
    assembler.take(start())
    assembler.take(record())
    assembler.take(start())
    assert [run.key for run in assembler.unfinished()] == [("a", "2")]
