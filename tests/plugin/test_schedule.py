"""Schedules: recorded in one session, replayed in another one; what is wrong with their files."""

import json
from pathlib import Path

import pytest
from suites import plugins, run, write

from pytest_skyrs._model import schedule
from pytest_skyrs._schedule import given

NUMBERS = """
import os
import pathlib
import random
import time

import pytest

PLACE = pathlib.Path(os.environ.get("SMALL_PLACE", "."))


@pytest.mark.parametrize("number", range(9))
def test_number(number):
    time.sleep(random.SystemRandom().random() / 50)
    with open(PLACE / "began", "a") as file:
        file.write(f"{os.getpid()} {number}\\n")
"""

KILLED = """
import os


def test_killed():
    if "SMALL_KILLS" in os.environ:
        os._exit(3)


@pytest.mark.parametrize("number", range(9, 16))
def test_after(number):
    test_number(number)
"""


def parts(path):
    """What each process ran, by its name."""
    return {part.worker: part.tests for part in schedule.read(path).parts if part.tests}


# The model.


def made(*lines, head=True):
    """A schedule's text."""
    first = [schedule.head("load", ["gw0", "gw1"])] if head else []
    return "".join(f"{line}\n" for line in (*first, *lines))


def test_of_what_a_file_says_nothing_is_lost(tmp_path):
    path, again = tmp_path / "a", tmp_path / "b"
    text = made(
        schedule.began("gw0", "a.py::x[\udc80]", 1),
        schedule.began("gw1", "b.py::y", 0),
        schedule.replaced("gw0", "gw2"),
        schedule.began("gw2", "a.py::z", 2),
    )
    # A second session, and the half line of one that was killed.
    path.write_text(text + made(schedule.began("gw1", "c.py::z", 0)) + '{"worker": "gw')
    read = schedule.read(path)
    assert (read.dist, read.workers, read.count) == ("load", ["gw0", "gw1"], 4)
    told = [[(part.tests, part.places) for part in slot if part.tests] for slot in read.slots]
    assert told == [
        [(["a.py::x[\udc80]"], [1]), (["a.py::z"], [2])],
        [(["b.py::y"], [0]), (["c.py::z"], [3])],
    ]
    read.write(again)
    assert [part.tests for part in schedule.read(again).parts] == [
        part.tests for part in read.parts
    ]


@pytest.mark.parametrize(
    ("wanted", "whole", "left"),
    [
        # Of the process that ran it, up to it.
        (["b::2"], True, [["a::1", "b::1", "a::2", "b::2"], []]),
        # Of these only those of its file.
        (["b::2"], False, [["b::1", "b::2"], []]),
        (["a::1", "b::1"], False, [["a::1", "b::1"], []]),
        (["d::1"], False, [[], ["d::1"]]),
        (["d::1", "a::1"], True, [["a::1"], ["c::1", "d::1"]]),
        (["e::1"], True, [[], []]),
    ],
)
def test_before(wanted, whole, left):
    own = [["a::1", "b::1", "a::2", "b::2", "b::3"], ["c::1", "d::1", "a::3"]]
    slots = [[schedule.Part(f"gw{n}", tests, [*range(9)])] for n, tests in enumerate(own)]
    cut = schedule.Schedule("load", ["gw0", "gw1"], slots)
    cut = cut.before(wanted.__contains__, whole=whole)
    assert [[test for part in slot for test in part.tests] for slot in cut.slots] == left


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no schedule: it has no line with 'skyrs-schedule'"),
        ("{}\n", "line 1: no schedule"),
        ("test_a.py\n", "line 1: no JSON object: b'test_a.py"),
        ("[]\n", "line 1: no JSON object"),
        (b"\xff\xfe\n", "line 1: no JSON object"),
        ('{"skyrs-schedule": 2}\n', "line 1: version 2, and this plugin reads 1"),
        ('{"skyrs-schedule": 1, "dist": "load"}\n', "line 1: its head names no workers"),
        ('{"skyrs-schedule": 1, "dist": 1, "workers": ["gw0"]}\n', "names no workers"),
        ('{"skyrs-schedule": 1, "dist": "no", "workers": []}\n', "names no workers"),
        (made(schedule.began("gw7", "a", 0)), "line 2: 'gw7' is none of its workers"),
        (made('{"worker": "gw0", "test": "a"}'), "line 2: it doesn't say when the test began"),
        (made(schedule.replaced("gw7", "gw2")), "line 2: neither a test of a worker nor"),
        (made('{"worker": ["gw0"], "replaces": "gw0"}'), "line 2: neither"),
        (made('{"worker": "gw0", "replaces": ["gw0"]}'), "line 2: neither"),
    ],
)
def test_files_that_are_none(tmp_path, text, problem):
    path = tmp_path / "file"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(schedule.BadSchedule, match=r"^[^\n]*$") as caught:
        schedule.read(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)


# Sessions.


@pytest.fixture(scope="module")
def loaded():
    pytest.importorskip("xdist")
    return plugins("pytest-xdist")


@pytest.fixture
def suite(tmp_path):
    return write(tmp_path / "suite", {"test_a.py": NUMBERS, "test_b.py": NUMBERS})


def session(suite, *options, loaded=(), **more):
    """A plain session."""
    return run(suite, "-q", *options, both=None, plugins=loaded, **more)


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal"])
def test_the_same_workers_in_the_same_order(suite, loaded, dist):
    options = ("-n2", f"--dist={dist}")
    assert session(suite, *options, "--skyrs-record-schedule=one", loaded=loaded).code == 0
    (suite / "began").unlink()
    done = session(
        suite, *options, "--skyrs-schedule=one", "--skyrs-record-schedule=two", loaded=loaded
    )
    assert done.code == 0, done.output
    assert done.totals == {"passed": 18}
    assert parts(suite / "two") == parts(suite / "one")
    assert len(parts(suite / "one")) == 2


@pytest.mark.parametrize("again", [True, False], ids=["it dies again", "it doesn't"])
def test_what_a_replacement_ran_runs_in_a_fresh_process(tmp_path, loaded, again):
    files = {"test_a.py": KILLED.replace("import os", f"{NUMBERS}\nimport os", 1)}
    suite = write(tmp_path / "suite", files)
    kills = {"SMALL_KILLS": "1"}
    # One worker: its replacement runs what is left.
    done = session(suite, "-n1", "--skyrs-record-schedule=one", loaded=loaded, env=kills)
    assert done.totals == {"failed": 1, "passed": 16}, done.output
    (suite / "began").unlink()
    options = ("-n1", "--skyrs-schedule=one", "--skyrs-record-schedule=two")
    done = session(suite, *options, loaded=loaded, env=kills if again else {})
    assert done.totals == ({"failed": 1, "passed": 16} if again else {"passed": 17}), done.output
    assert [*parts(suite / "two").values()] == [*parts(suite / "one").values()]
    began = [line.split() for line in (suite / "began").read_text().splitlines()]
    ran = [test for tests in parts(suite / "two").values() for test in tests if "[" in test]
    assert [f"[{number}]" for _, number in began] == ["[" + test.split("[")[1] for test in ran]
    pids = [pid for pid, _ in began]
    assert len({*pids[:9]}) == len({*pids[9:]}) == 1
    assert pids[0] != pids[-1]


def test_a_worker_that_dies_now_goes_on_in_another_one(tmp_path, loaded):
    files = {"test_a.py": KILLED.replace("import os", f"{NUMBERS}\nimport os", 1)}
    suite = write(tmp_path / "suite", files)
    assert session(suite, "-n2", "--skyrs-record-schedule=one", loaded=loaded).code == 0
    options = ("-n2", "--skyrs-schedule=one", "--skyrs-record-schedule=two")
    done = session(suite, *options, loaded=loaded, env={"SMALL_KILLS": "1"})
    assert done.totals == {"failed": 1, "passed": 16}, done.output
    before, after = ([*schedule.read(suite / name).slots] for name in ("one", "two"))
    told = [
        [[test for part in slot for test in part.tests] for slot in slots]
        for slots in (before, after)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("kills", [True, False], ids=["it dies", "it doesn't"])
def test_one_worker_is_done_and_another_is_replaced(tmp_path, loaded, kills):
    """The one that is done isn't what the next process takes the place of."""
    files = {"test_a.py": KILLED.replace("import os", f"{NUMBERS}\nimport os", 1)}
    suite = write(tmp_path / "suite", files)
    number = "test_a.py::test_number[{}]".format
    after = "test_a.py::test_after[{}]".format
    begins = [
        schedule.began("gw0", number(0), 0),
        schedule.began("gw1", number(1), 1),
        schedule.began("gw1", number(2), 2),
        schedule.began("gw1", "test_a.py::test_killed", 3),
        schedule.replaced("gw1", "gw2"),
        *(
            schedule.began("gw2", name, place)
            for place, name in enumerate(map(after, range(9, 16)), 4)
        ),
        *(schedule.began("gw2", number(place), 10 + place) for place in range(3, 9)),
    ]
    (suite / "one").write_text(made(*begins))
    options = ("-n2", "--skyrs-schedule=one", "--skyrs-record-schedule=two")
    done = session(suite, *options, loaded=loaded, env={"SMALL_KILLS": "1"} if kills else {})
    assert done.totals == ({"failed": 1, "passed": 16} if kills else {"passed": 17}), done.output
    assert parts(suite / "two") == parts(suite / "one")


def test_a_mode_without_workers_is_none(suite, loaded):
    options = ("--dist=loadgroup", "--skyrs-record-schedule=one")
    done = run(suite, "-q", *options, plugins=loaded, env={"SMALL_PLACE": str(suite)})
    assert done.code == 0, done.output
    assert len(done.verdicts) == 18
    assert list(parts(suite / "one")) == ["main"]


def test_tests_that_are_new_and_tests_that_are_gone(suite, loaded):
    assert session(suite, "-n2", "--skyrs-record-schedule=one", loaded=loaded).code == 0
    text = (suite / "test_a.py").read_text()
    (suite / "test_a.py").write_text(text.replace("range(9)", "[0, 1, 2, 3, 4, 5, 6, 7, 80, 90]"))
    options = ("-n2", "--skyrs-schedule=one", "--skyrs-record-schedule=two")
    done = session(suite, *options, loaded=loaded)
    assert done.totals == {"passed": 19}, done.output
    assert (
        "skyrs: not in the schedule, run last: 2 tests (test_a.py::test_number[80], "
        "test_a.py::test_number[90])"
    ) in done.output
    gone = "skyrs: in the schedule, and not collected any more: 1 test (test_a.py::test_number[8])"
    assert gone in done.output
    new = {f"test_a.py::test_number[{number}]" for number in (80, 90)}
    left = [[test for test in tests if test not in new] for tests in parts(suite / "two").values()]
    known = [
        [test for test in tests if test != "test_a.py::test_number[8]"]
        for tests in parts(suite / "one").values()
    ]
    assert sorted(left) == sorted(known)
    for tests in parts(suite / "two").values():
        flags = [test in new for test in tests]
        assert flags == sorted(flags)


def test_in_this_process(suite, loaded):
    """One worker's part, for a debugger; and the order of a session without workers."""
    assert session(suite, "-n2", "--skyrs-record-schedule=one", loaded=loaded).code == 0
    own = parts(suite / "one")["gw1"]
    options = ("--skyrs-schedule=one::gw1", "--skyrs-record-schedule=two")
    done = session(suite, *options)
    assert done.totals == {"passed": len(own), "deselected": 18 - len(own)}, done.output
    assert parts(suite / "two") == {"main": own}
    # In another order than it is collected in.
    path = suite / "two"
    found = schedule.read(path)
    found.slots[0][0].tests.reverse()
    found.write(path)
    done = session(suite, "--skyrs-schedule=two", "--skyrs-record-schedule=three")
    assert done.totals == {"passed": 18}
    assert "skyrs: not in the schedule, run last" in done.output
    assert parts(suite / "three")["main"][: len(own)] == own[::-1]


def test_it_stops_where_it_is_told_to(suite, loaded):
    assert session(suite, "-n2", "--skyrs-record-schedule=one", loaded=loaded).code == 0
    text = (suite / "test_a.py").read_text()
    (suite / "test_a.py").write_text(text + "    assert number\n")
    done = session(suite, "-n2", "-x", "--skyrs-schedule=one", loaded=loaded)
    assert done.code == 2, done.output
    assert done.totals["failed"] == 1
    assert sum(done.totals.values()) < 12


OWN = """

class Mine:
    def __init__(self, scheduler):
        self.scheduler = scheduler

    def __getattr__(self, name):
        return getattr(self.scheduler, name)


def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadFileScheduling

    return Mine(LoadFileScheduling(config, log))
"""


@pytest.mark.parametrize("both", [True, None], ids=["double run", "plain"])
def test_a_scheduler_of_the_users_own_stays(tmp_path, loaded, both):
    suite = write(tmp_path / "suite", {"test_a.py": NUMBERS, "test_b.py": NUMBERS}, OWN)
    assert session(suite, "-n2", "--skyrs-record-schedule=one", loaded=loaded).code == 0
    given = [] if both else ["--skyrs-schedule=one"]
    done = run(suite, "-q", "-n2", *given, both=both, plugins=loaded)
    assert done.code == 0, done.output
    told = "the tests are dealt by conftest.Mine, which isn't xdist's: it stays"
    assert done.output.count(told) == 1, done.output
    if both:
        assert done.report["notes"][0].startswith(told)


def test_every_worker_runs_every_test(suite, loaded):
    each = ("-n2", "--dist=each")
    assert session(suite, *each, "--skyrs-record-schedule=one", loaded=loaded).code == 0
    own = [*parts(suite / "one").values()]
    assert own[0] == own[1]
    assert len(own[0]) == 18
    assert session(suite, *each, "--skyrs-schedule=one", loaded=loaded).totals == {"passed": 36}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--skyrs-schedule=two"], "it was recorded with 2 workers, and this session has none"),
        (["--skyrs-schedule=two", "-n3"], "and this session has 3; give -n 2, or -n 0 and one"),
        (["--skyrs-schedule=two", "-n8", "--maxprocesses=3"], "and this session has 3; give -n 2"),
        (["--skyrs-schedule=two", "-n2", "--dist=each"], "recorded with --dist=load, and this"),
        (["--skyrs-schedule=two::gw0", "-n2"], "runs in this process, and this session has 2"),
        (["--skyrs-schedule=alone", "-n2"], "recorded without workers, and this session has 2"),
        (["--skyrs-record-schedule=no/file"], "there is no folder"),
        (["--skyrs-both=inline", "--skyrs-schedule=alone"], "don't go together"),
        (["--skyrs-both", "--skyrs-schedule=none"], "--skyrs-schedule=none: none: No such file"),
        (["--skyrs-both", "--skyrs-schedule=two", "-n3"], "recorded with 2 workers, and this"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused(suite, loaded, options, problem):
    for name, workers in (("two", ["gw0", "gw1"]), ("alone", ["main"])):
        (suite / name).write_text(schedule.head("load", workers) + "\n")
    done = session(suite, *options, loaded=loaded)
    assert done.code == pytest.ExitCode.USAGE_ERROR, done.output
    assert problem in done.output
    assert "ERROR: " in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("two::gw7", "it has no worker 'gw7'; it has gw0, gw1"),
        ("none", "none: No such file or directory"),
        ("none::gw0", "none: No such file or directory"),
        (".", ".: Is a directory"),
        ("file", "file, line 1: no JSON object"),
    ],
)
def test_refused_before_anything_runs(tmp_path, monkeypatch, text, problem):
    monkeypatch.chdir(tmp_path)
    Path("two").write_text(schedule.head("load", ["gw0", "gw1"]) + "\n")
    Path("file").write_text("no schedule\n")
    with pytest.raises(pytest.UsageError) as caught:
        given.read(text)
    assert str(caught.value).startswith(f"--skyrs-schedule={text}: {problem}")


def test_a_double_run_replays_and_records(suite, loaded):
    """The user's schedule for both arms; what is recorded is the Python arm's."""
    assert session(suite, "-n2", "--skyrs-record-schedule=one", loaded=loaded).code == 0
    options = ("-n2", "--skyrs-schedule=one", "--skyrs-record-schedule=two")
    done = run(suite, "-q", *options, plugins=loaded, env={"SMALL_PLACE": str(suite)})
    assert done.code == 0, done.output
    assert set(done.verdicts.values()) == {"vacuous"}
    assert parts(suite / "two") == parts(suite / "one")


def test_nothing_is_lost_by_a_child_that_comes_back(tmp_path):
    text = """
import os


def test_fork():
    if os.fork() == 0:
        return
    os.wait()


def test_next():
    pass
"""
    suite = write(tmp_path / "suite", {"test_fork.py": text})
    session(suite, "--skyrs-record-schedule=one")
    lines = [json.loads(line) for line in Path(suite, "one").read_text().splitlines()]
    assert [line.get("test") for line in lines] == [
        None,
        "test_fork.py::test_fork",
        "test_fork.py::test_next",
    ]
