"""What counts as a difference between two runs, and what doesn't."""

from collections import Counter

import pytest
from runs import call, reports, run

from pytest_skyrs._model.compare import Observable, View, differences, show
from pytest_skyrs._model.test_run import TestRun

TEXTS = ["outcome", "exception", "stdout", "stderr", "logs", "warnings"]
CALL, SEQUENCE, RESULTS = (Observable(kind, "m.f") for kind in ("call", "sequence", "results"))


def found(python, rust):
    """The differences, the same whichever side is which."""
    one = differences(View(python), View(rust))
    assert differences(View(rust), View(python)) == one
    return one


def kinds(python, rust):
    return [observable.kind for observable in found(python, rust)]


def with_text(kind, text):
    """A run in which an observable is this text."""
    if kind == "outcome":
        return run(outcome=text)
    if kind == "exception":
        return run(exceptions={"call": ["ValueError", text]})
    if kind in ("stdout", "stderr"):
        return run(**{kind: text})
    return run(**{kind: [text]})


@pytest.mark.parametrize("kind", TEXTS)
def test_each_text_is_compared(kind):
    assert found(with_text(kind, "one"), with_text(kind, "two")) == [Observable(kind)]
    assert found(with_text(kind, "one"), with_text(kind, "one")) == []


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_are_normalised(kind):
    assert found(with_text(kind, "pid 1"), with_text(kind, "pid 2")) == []
    assert found(with_text(kind, "1 time"), with_text(kind, "2 times")) == [Observable(kind)]


def test_replacements_are_counted_where_texts_differ():
    counts = Counter()
    python = View(run(stdout="pid 1 on gw0", logs=["pid 7"]), counts)
    rust = View(run(stdout="pid 2 on gw0", logs=["pid 7"]), counts)
    assert differences(python, rust) == []
    assert counts == {"pid": 2, "worker": 2}


def test_nothing_differs():
    one = run(call(), stdout="a", logs=["b"], warnings=["c"])
    assert found(one, run(call(), stdout="a", logs=["b"], warnings=["c"])) == []
    assert found(run(), run()) == []


def test_how_often_an_answer_was_given_counts():
    assert kinds(run(call()), run(call(), call())) == ["sequence", "results"]


@pytest.mark.parametrize(
    ("python", "rust", "expected"),
    [
        # Another answer to the same arguments.
        ([call("a")], [call("b")], ["call"]),
        ([call("a"), call("a")], [call("a"), call("b")], ["call"]),
        ([call("a"), call("b")], [call("b"), call("a")], []),
        # The same calls in another order.
        ([call("a", args="x"), call("b", args="y")], [call("b", args="y"), call("a", args="x")],
         ["sequence", "results"]),
        ([call("a", args="x"), call("a", args="y")], [call("a", args="y"), call("a", args="x")],
         ["sequence"]),
        # Calls that are missing.
        ([call("a", args="x"), call("b", args="y")], [call("a", args="x")],
         ["sequence", "results"]),
        ([call("a")], [], ["sequence", "results"]),
        # Random arguments: nothing to compare them with but the answers in order.
        ([call("a", args="1")], [call("a", args="2")], ["sequence"]),
        ([call("a", args="1")], [call("b", args="2")], ["sequence", "results"]),
        # Another answer, and what the test did then.
        ([call("a", args="x"), call("c", args="y")], [call("b", args="x"), call("c", args="z")],
         ["call", "sequence", "results"]),
    ],
)  # fmt: skip
def test_calls(python, rust, expected):
    assert kinds(run(*python), run(*rust)) == expected


def test_a_difference_names_function_and_arguments():
    python = run(call("a", "m.f", "x"), call("a", "m.g", "y"), call("a", "m.h", "z"))
    rust = run(call("a", "m.f", "x"), call("b", "m.g", "y"))
    assert found(python, rust) == [
        Observable("call", "m.g", "y"),
        Observable("sequence", "m.h"),
        Observable("results", "m.h"),
    ]


def test_functions_are_in_no_order_with_each_other():
    one, other = call("a", "m.f"), call("b", "m.g")
    assert found(run(one, other), run(other, one)) == []


def test_threads_calls_come_in_any_order():
    one, other = call("a", args="x"), call("b", args="y")
    python, rust = (run(*calls, threads=2) for calls in ((one, other), (other, one)))
    assert found(python, rust) == []
    assert kinds(python, run(one, threads=2)) == ["sequence", "results"]
    assert kinds(python, run(one, other, other, threads=2)) == ["sequence", "results"]
    assert kinds(python, run(call("c", args="x"), other, threads=2)) == ["call"]
    # Another argument, and the same answers.
    assert kinds(python, run(other, call("a", args="z"), threads=2)) == ["sequence"]


def test_calls_of_shared_fixtures_may_be_another_tests():
    own = call("a", args="own")
    shared = call("b", args="shared", shared=True)
    assert found(run(shared, own), run(own)) == []
    assert found(run(shared), run()) == []
    # Where both had them, they are compared.
    assert found(run(shared, own), run({**shared, "outcome": "c"}, own)) == [
        Observable("call", "m.f", "shared")
    ]


def test_calls_of_threads_that_outlive_the_test_may_be_the_next_ones():
    own = call("a", args="own")
    aside = call("b", args="aside", aside=True)
    python, rust = run(aside, own, racing=True), run(own, racing=True)
    assert found(python, rust) == []
    assert kinds(run(aside, own), run(own)) == ["sequence", "results"]
    assert kinds(python, run({**aside, "outcome": "c"}, own, racing=True)) == ["call"]


def test_a_process_that_died_has_no_calls():
    died = run(crash="died")
    assert found(run(call()), died) == [Observable("outcome")]
    assert found(died, run(crash="died")) == []
    assert found(died, run(crash="died otherwise")) == [Observable("outcome")]


@pytest.mark.parametrize(
    ("python", "rust", "differs"),
    [
        (reports("passed"), reports("failed"), True),
        (reports("passed"), reports("skipped"), True),
        (reports("skipped"), reports("skipped", phases=("setup", "teardown")), True),
        (reports("skipped", wasxfail="why"), reports("skipped"), True),
        (reports("skipped", wasxfail="why"), reports("skipped", wasxfail="other"), True),
        (reports("passed", wasxfail="why"), reports("skipped", wasxfail="why"), True),
        (reports("skipped", wasxfail="why"), reports("skipped", wasxfail="why"), False),
        (reports("failed"), reports("failed", longrepr="another traceback"), False),
        (reports("failed"), reports("failed", phases=("setup", "call")), True),
    ],
)
def test_outcomes(python, rust, differs):
    runs = [TestRun("test_it.py::test", made, run().record) for made in (python, rust)]
    assert found(*runs) == [Observable("outcome")] * differs


def test_modules_differ_by_the_error_of_their_import():
    def module(last):
        return TestRun(
            "test_it.py", [{"when": "collect", "outcome": "failed", "longrepr": f"a\nE   {last}\n"}]
        )

    assert found(module("ImportError: a"), module("ImportError: a")) == []
    assert found(module("ImportError: a"), module("KeyError: b")) == [Observable("outcome")]


@pytest.mark.parametrize(
    ("python", "rust", "counted"),
    [
        (["a"], ["a"], 0),
        (["a", "b"], ["b", "a"], 0),
        (["pid 1"], ["pid 2"], 0),
        (["a"], ["b"], 1),
        (["a"], [], 1),
        (["a", "b"], ["a", "b", "b"], 1),
    ],
)
def test_what_threads_log_is_chance_and_counted(python, rust, counted):
    counts = Counter()
    assert differences(View(run(thread_logs=python), counts), View(run(thread_logs=rust))) == []
    assert counts["threads' log records"] == counted


def test_what_the_test_itself_logs_has_an_order():
    assert kinds(run(logs=["a", "b"]), run(logs=["b", "a"])) == ["logs"]


@pytest.mark.parametrize("side", ["python", "rust"])
def test_threads_that_outlive_the_test_on_one_side_only(side):
    """That they did is chance, so neither side's are compared."""
    racing = {"racing": True}
    python = run(thread_logs=["a"], **racing if side == "python" else {})
    rust = run(thread_logs=["b"], **racing if side == "rust" else {})
    assert found(python, rust) == []
    aside = call("b", args="aside", aside=True)
    python.record, rust.record = run(aside, racing=side == "python").record, run().record
    rust.record["racing"] = side == "rust"
    assert found(python, rust) == []


@pytest.mark.parametrize(
    ("text", "messages", "left"),
    [
        ("b\na", [], "b\na"),
        ("a\nb", ["b"], "a"),
        ("c\nW 01:02:03 file.py:1] b\na", ["b"], "a\nc"),
        ("b\na\nb\nb", ["b"], "a"),
        ("a\nb\nc", ["b\nc"], "a"),
        ("a\nbc", ["b"], "a\nbc"),
        ("a", ["", "\n"], "a"),
        ("pid 1\nfor pid 7", ["for pid 8"], "pid <PID1>"),
    ],
)
@pytest.mark.parametrize("own", [False, True], ids=["of-earlier-tests", "of-the-test"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_lines_that_threads_logged_are_left_out(text, messages, left, own, stream):
    threads = {"foreign_logs": messages}
    if own:
        threads = {"thread_logs": [f"WARNING logger: {message}" for message in messages]}
    counts = Counter()
    shown = View(run(**{stream: text}, **threads), counts).text(stream)
    # What is left is in no order, either.
    assert shown == left
    assert counts["thread"] == len(text.splitlines()) - len(left.splitlines())


def test_lines_are_left_out_on_both_sides_if_a_thread_logged_them_on_one():
    python = run(stdout="a\nb", foreign_logs=["b"])
    assert found(python, run(stdout="b\na")) == []
    assert kinds(python, run(stdout="b\nc")) == ["stdout"]
    assert kinds(run(stdout="a\nb"), run(stdout="b\na")) == ["stdout"]


# What is shown.


def test_a_call_is_shown_with_its_place():
    python = run(
        call("o", args="w"),
        call("a", called="('x')", gave="returned 1"),
        call("a", called="('x')", gave="returned 1"),
    )
    rust = run(
        call("o", args="w"),
        call("a", called="('x')", gave="returned 1"),
        call("b", called="('x')", gave="returned 2", pickle="UElDS0xF"),
    )
    (observable,) = found(python, rust)
    shown = show(observable, python, rust)
    assert shown == (
        *("m.f", "('x')", "returned 1", "returned 1\nreturned 2"),
        *("call 3 of the test; 1 of 2 such calls", "UElDS0xF"),
    )


def test_a_call_that_left_traces_is_shown_with_them():
    python = run(call("a", called="()", gave="returned 1"))
    rust = run(call("b", called="()", gave="returned 1", left="([])", logs=["W x: hm", "I x: ho"]))
    shown = show(Observable("call", "m.f", "x"), python, rust)
    assert shown.python == "returned 1"
    assert shown.rust == (
        "returned 1\nand left the arguments as ([])\nlogged W x: hm\nlogged I x: ho"
    )
    assert shown.detail == "call 1 of the test"


def test_a_call_without_texts_is_shown_by_its_digest():
    shown = show(Observable("call", "m.f", "x"), run(call("a")), run(call("b")))
    assert (shown.arguments, shown.python, shown.rust) == (None, "outcome a", "outcome b")


@pytest.mark.parametrize("kind", ["sequence", "results"])
def test_calls_are_shown_in_order(kind):
    python = run(
        call("a", args="1", called="(1)", gave="returned 1"),
        call("a", "m.g", called="()", gave="returned 0"),
        call("b", args="2"),
    )
    shown = show(Observable(kind, "m.f"), python, run())
    assert (shown.function, shown.python, shown.rust) == ("m.f", "(1) returned 1\n2 b", "")
    assert shown.detail


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_are_shown_as_they_were(kind):
    shown = show(Observable(kind), with_text(kind, "pid 1"), with_text(kind, "pid 2, too"))
    assert "pid 1" in shown.python
    assert "pid 2, too" in shown.rust
    assert shown.function is None


# A run's own words.


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (reports("passed"), "passed"),
        (reports("failed"), "failed"),
        (reports("skipped"), "skipped"),
        (reports("skipped", phases=("setup", "teardown")), "skipped"),
        (reports("skipped", wasxfail=""), "xfailed"),
        (reports("passed", wasxfail=""), "xpassed"),
        (reports("failed", phases=("setup",)), "error"),
        (reports("failed", phases=("call", "teardown")), "error"),
        ([*reports("failed")[:2], *reports("failed", phases=("teardown",))], "error"),
        ([*reports("failed")[:2], *reports("passed", phases=("teardown",))], "failed"),
        (reports("rerun")[:2] + reports("passed"), "passed"),
        (reports("rerun")[:2] + reports("failed"), "failed"),
        (reports("failed", phases=("collect",)), "failed"),
        (reports(phases=("setup",)), "stopped"),
        (reports(phases=("setup", "call")), "stopped"),
        (reports("skipped", phases=("setup",)), "stopped"),
        (reports("failed", phases=("setup", "call")), "failed"),
        (reports("rerun", phases=("setup",)), "stopped"),
        (reports("failed", phases=("???",)), "failed"),
        ([*reports("failed")[:2], *reports("skipped", phases=("teardown",))], "failed"),
        ([], "stopped"),
    ],
)
def test_the_outcome_of_a_run(made, outcome):
    tested = TestRun("test_it.py::test", made)
    assert tested.outcome == outcome
    assert tested.failed == (outcome in ("failed", "error"))
    assert TestRun("test_it.py::test", made, None, "died").outcome == "crashed"


def test_what_later_reports_repeat_is_printed_once():
    section = ("Captured stdout call", "printed\n")
    made = reports("passed", [("Captured stdout setup", "before\n")], phases=("setup",))
    made += reports("passed", [section, ("Captured log call", "log")], phases=("call",))
    made += reports("passed", [section, ("Captured stderr call", "e")], phases=("teardown",))
    tested = TestRun("test_it.py::test", made)
    assert tested.printed("stdout") == "before\nprinted\n"
    assert tested.printed("stderr") == "e"


def test_calls_by_backend():
    tested = run(call(), call(), call(function="m.g"))
    tested.record["calls"]["paths"]["m.g"] = {"rust": 2, "guard:x": 3, "switch": 1}
    tested.record["calls"]["paths"]["m.h"] = {"candidate": 5}
    assert (tested.rust_calls, tested.python_calls) == (4, 9)
    died = run(crash="died")
    assert (died.rust_calls, died.python_calls, died.calls()) == (0, 0, [])
