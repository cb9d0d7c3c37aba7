"""What the runs of a test amount to: every row of the table of verdicts."""

import itertools
from pathlib import Path

import pytest
from runs import NODEID, call, run

from pytest_skyrs._model import verdicts as facts
from pytest_skyrs._model.judge import MOST_ROUNDS, ROUNDS, Case, plain_verdict
from pytest_skyrs._model.test_run import TestRun
from pytest_skyrs._model.verdicts import (
    COLLECTION,
    CRASHED,
    DIVERGED,
    FLAKY,
    INCONCLUSIVE,
    SAME,
    SAME_FAIL,
    UNSTABLE,
    VACUOUS,
)


def settle(python, rust):
    """Confirms a case as a session does; gives it with the numbers of runs that it took.

    After the given runs the last one repeats itself.
    """
    ours = itertools.chain(python, itertools.repeat(python[-1]))
    theirs = itertools.chain(rust, itertools.repeat(rust[-1]))
    case = Case(next(ours), next(theirs))
    assert case.differs
    for _ in range(2, MOST_ROUNDS + 2):
        if not case.needs_python():
            break
        case.python.append(next(ours))
        if case.needs_rust():
            case.rust.append(next(theirs))
    return case, (len(case.python), len(case.rust))


def verdicts(case):
    """The verdicts by kind of observable."""
    return {finding.observable.kind: finding.verdict for finding in case.judge()}


def answers(outcomes):
    """A run for each letter, with one call that gave it; a capital letter gave both."""
    return [
        run(*(call(outcome) for outcome in ("ab" if letter == "M" else letter)))
        for letter in outcomes
    ]


def printed(outcomes, *, reached=True):
    """A run for each letter, with that as its output, and a call that Rust has answered."""
    return [run(*[call("same")] * reached, stdout=letter) for letter in outcomes]


@pytest.mark.parametrize(
    ("python", "rust", "verdict", "runs"),
    [
        # A call is settled by one more run on each side.
        ("aa", "bb", DIVERGED, (2, 2)),
        ("aa", "bc", UNSTABLE, (2, 2)),
        ("aa", "ba", UNSTABLE, (2, 2)),
        ("ab", "b", FLAKY, (2, 1)),
        ("ab", "a", None, None),
        ("ab", "c", FLAKY, (2, 1)),
        ("Mb", "b", FLAKY, (2, 1)),
        # Python's answer and another one, to the same arguments, again and again.
        ("aa", "MM", UNSTABLE, (2, 2)),
        ("aa", "Ma", UNSTABLE, (2, 2)),
    ],
)
def test_calls(python, rust, verdict, runs):
    python, rust = answers(python), answers(rust)
    if verdict is None:
        assert not Case(python[0], rust[0]).differs
        return
    case, took = settle(python, rust)
    found = verdicts(case)
    assert found["call"] == verdict
    assert set(found.values()) <= {verdict, FLAKY, UNSTABLE, DIVERGED, INCONCLUSIVE}
    assert took == runs


@pytest.mark.parametrize(
    ("python", "rust", "verdict", "runs"),
    [
        # What isn't a call is believed only when it repeats itself.
        ("aaaa", "bbbb", DIVERGED, (4, 4)),
        ("aa", "ba", INCONCLUSIVE, (2, 2)),
        ("aaa", "bba", UNSTABLE, (4, 4)),
        ("aaaa", "bcde", UNSTABLE, (4, 4)),
        ("aaaa", "bbbc", UNSTABLE, (4, 4)),
        ("aa", "bc", UNSTABLE, (4, 4)),
        ("ab", "b", FLAKY, (2, 1)),
        ("ac", "b", FLAKY, (2, 1)),
        ("aab", "bbb", FLAKY, (3, 2)),
        ("aaab", "bbbb", FLAKY, (4, 3)),
    ],
)
def test_texts(python, rust, verdict, runs):
    case, took = settle(printed(python), printed(rust))
    assert verdicts(case) == {"stdout": verdict}
    assert took == runs


@pytest.mark.parametrize(
    ("python", "rust", "verdict", "runs"),
    [
        ("aaaaa", "bbbbb", DIVERGED, (5, 5)),
        ("aaaaa", "bbbba", INCONCLUSIVE, (5, 5)),
        ("aaaab", "bbbbb", FLAKY, (5, 4)),
        ("aaa", "bba", INCONCLUSIVE, (3, 3)),
        ("aa", "bc", INCONCLUSIVE, (2, 2)),
    ],
)
def test_where_rust_answered_nothing_it_takes_more(python, rust, verdict, runs):
    ours, theirs = (printed(letters, reached=False) for letters in (python, rust))
    case, took = settle(ours, theirs)
    assert verdicts(case) == {"stdout": verdict}
    assert took == runs


def confirm(python, rust, values):
    """Confirms as a session does: first with a test's file, then with all that came before.

    Args:
        python: of the first runs, the answer of a call on Python.
        rust: the same on Rust; with a star if it ran after other tests there.
        values: what later runs answer, by backend and by what comes before; with a star as well.

    Returns:
        The verdicts, and the runs that it took.
    """

    def one(value, context):
        outcome, _, kind = value.partition(" ")
        if kind:
            return run(call("same"), context=context, **{kind: outcome})
        return run(call(outcome), context=context)

    first = one(rust.rstrip("*"), "elsewhere" if "*" in rust else "whole")
    case = Case(one(python, "whole"), first)
    left = {key: iter(text.split(",")) for key, text in values.items()}
    took = []
    for whole in (False, True):
        case.go_on(whole=whole)
        context = "whole" if whole else "file"
        for _ in range(MOST_ROUNDS):
            if not case.needs_python():
                break
            took.append(f"python {context}")
            case.add("python", one(next(left["python", context]), context))
            if case.needs_rust():
                took.append(f"rust {context}")
                value = next(left["rust", context])
                case.add("rust", one(value.rstrip("*"), "elsewhere" if "*" in value else context))
    kinds = [kind for kind in ("stdout", "outcome") if kind in python]
    observable = kinds[0] if kinds else "call"
    found = [each.verdict for each in case.judge() if each.observable.kind == observable]
    return found[0] if found else None, took


FILE = ["python file", "rust file"]
WHOLE = ["python whole", "rust whole"]


@pytest.mark.parametrize(
    ("first", "file", "whole", "verdict", "took"),
    [
        # With its file alone the difference shows: nothing more is needed.
        ("a b", "a b", "", DIVERGED, FILE),
        # It doesn't show there, but after all that came before.
        ("a b", "a a", "a b", DIVERGED, [*FILE, *WHOLE]),
        ("a b", "a a", "a a", UNSTABLE, [*FILE, *WHOLE]),
        ("a b", "a a", "a c", UNSTABLE, [*FILE, *WHOLE]),
        ("a b", "a a", "b b", FLAKY, [*FILE, "python whole"]),
        # Python answers otherwise without what came before: that is no contradiction ...
        ("a b", "c,c c", "a b", DIVERGED, [*FILE, "python file", *WHOLE]),
        ("a b", "c,c c", "d b", FLAKY, [*FILE, "python file", "python whole"]),
        # ... unless it does so after the same tests.
        ("a b", "c,d c", "", FLAKY, [*FILE, "python file"]),
        ("a b", "c,d d", "", FLAKY, [*FILE, "python file"]),
        # There Rust differs as well, and again.
        ("a b", "c,c d,d", "", DIVERGED, [*FILE, *FILE]),
        ("a b", "c,c d,c", "a a", UNSTABLE, [*FILE, *FILE, *WHOLE]),
        # Rust ran after other tests first.
        ("a b*", "a a", "a a", None, [*FILE, *WHOLE]),
        ("a b*", "a b", "a b", DIVERGED, [*FILE, *WHOLE]),
        ("a b*", "c,c c", "a a", None, [*FILE, "python file", *WHOLE]),
        # It never runs after the same ones: it dies on one of them. They are compared all the same.
        ("a b*", "a b*", "", DIVERGED, FILE),
        ("a b*", "a a*", "a a*", UNSTABLE, [*FILE, *WHOLE]),
    ],
)
def test_what_came_before_is_part_of_a_run(first, file, whole, verdict, took):
    values = {}
    for context, text in (("file", file), ("whole", whole)):
        for backend, told in zip(("python", "rust"), text.split()):
            values[backend, context] = told
    assert confirm(*first.split(), values) == (verdict, took)


def test_a_text_isnt_worth_the_whole_session():
    values = {("python", "file"): "a stdout", ("rust", "file"): "a stdout"}
    assert confirm("a stdout", "b stdout", values) == (INCONCLUSIVE, FILE)


def test_weak_differences_take_more_runs_than_calls():
    _, weak = settle(printed("a"), printed("b"))
    _, strong = settle(answers("a"), answers("b"))
    assert weak > strong == (2, 2)
    assert weak == (1 + ROUNDS, 1 + ROUNDS)


def test_an_output_that_comes_with_a_call_is_settled_with_it():
    case, took = settle([run(call("a"), stdout="a")], [run(call("b"), stdout="b")])
    assert verdicts(case) == {"call": DIVERGED, "stdout": DIVERGED}
    assert took == (2, 2)


@pytest.mark.parametrize(
    "noise",
    [
        {"stdout": ["1", "2", "3", "4", "5", "6", "7", "8"]},
        {"logs": [[str(number)] for number in range(8)]},
        {"calls": [[call("z", args=str(number))] for number in range(8)]},
        {"calls": [[call(f"z{number}", args="n")] for number in range(8)]},
        {"calls": [[call(f"z{number}", "m.g", "n")] for number in range(8)]},
    ],
    ids=["output", "logs", "random-arguments", "random-answers", "of-another-function"],
)
@pytest.mark.parametrize("kind", ["call", "stderr"])
def test_noise_masks_nothing(noise, kind):
    """One observable is different each time, another one is always so on Rust."""
    sides = []
    for side, first in (("python", 0), ("rust", 4)):
        made = []
        for number in range(first, first + 4):
            more = {name: values[number] for name, values in noise.items()}
            calls = more.pop("calls", [])
            if kind == "call":
                calls = [*calls, call(side, args="steady")]
            else:
                calls = [*calls, call("the same", args="steady")]
                more["stderr"] = side
            made.append(run(*calls, **more))
        sides.append(made)
    case, took = settle(*sides)
    first = case.judge()[0]
    assert (first.verdict, first.observable.kind) == (DIVERGED, kind)
    assert {finding.verdict for finding in case.judge()} == {DIVERGED, FLAKY}
    assert took == ((2, 2) if kind == "call" else (4, 4))


def test_random_arguments_alone_are_noise():
    python = [run(call("a", args=letter)) for letter in "12"]
    rust = [run(call("a", args=letter)) for letter in "34"]
    case, took = settle(python, rust)
    assert verdicts(case) == {"sequence": FLAKY}
    assert took == (2, 1)


def test_calls_that_rust_does_not_make():
    python = run(call("a", args="x"), call("b", args="y"))
    case, took = settle([python], [run(call("a", args="x"))])
    assert verdicts(case) == {"sequence": DIVERGED, "results": DIVERGED}
    assert took == (4, 4)


def test_a_call_that_python_makes_only_sometimes():
    case, _ = settle([run(call("a")), run()], [run(call("b"))])
    assert verdicts(case)["call"] == FLAKY


def test_how_often_an_answer_was_given_is_no_answer():
    case, _ = settle(answers("a"), [run(call("b")), run(call("b"), call("b"))])
    assert verdicts(case) == {"call": DIVERGED}


def test_python_contradicts_itself_where_rust_never_ran():
    """Rust dies in a test before it, say, so that what came before is never the same."""
    case = Case(run(stdout="1", context="all"), run(stdout="2", context="less"))
    case.add("python", run(stdout="3", context="all"))
    case.add("rust", run(stdout="4", context="less"))
    assert verdicts(case) == {"stdout": FLAKY}


def test_the_most_telling_comes_first():
    python = [run(call("a"), stdout="a", stderr=noise) for noise in "123"]
    rust = [run(call("b"), stdout=text, stderr="4") for text in "bab"]
    case, _ = settle(python, rust)
    assert [finding.verdict for finding in case.judge()] == [DIVERGED, INCONCLUSIVE, FLAKY]


def test_what_is_shown_is_of_the_last_runs_that_differ():
    """Confirming runs keep the arguments, so they are shown if they can be."""
    python = [run(call("a", gave="1")), run(call("a", gave="2", pickle="old"))]
    rust = [run(call("b", gave="3")), run(call("b", gave="4", pickle="arguments"))]
    case, _ = settle(python, rust)
    (finding,) = case.judge()
    assert (finding.shown.python, finding.shown.rust) == ("2", "4")
    assert finding.shown.pickle == "old"
    # Here they are the same the second time.
    case, _ = settle(python, [rust[0], python[1]])
    (finding,) = case.judge()
    assert (finding.shown.python, finding.shown.rust) == ("1", "3")


# Outcomes.


@pytest.mark.parametrize("python", ["passed", "failed", "skipped", "error", "xfailed", "xpassed"])
@pytest.mark.parametrize("rust", ["passed", "failed", "skipped", "error", "xfailed", "xpassed"])
def test_outcomes(python, rust):
    made = {
        "passed": run(),
        "failed": run(outcome="failed"),
        "skipped": run(outcome="skipped"),
        "error": run(),
        "xfailed": run(outcome="skipped"),
        "xpassed": run(),
    }
    made["error"].reports[0]["outcome"] = "failed"
    for name in ("xfailed", "xpassed"):
        made[name].reports[1]["wasxfail"] = "reason"
    if python == rust:
        assert not Case(made[python], made[rust]).differs
    else:
        case, took = settle([made[python]], [made[rust]])
        assert verdicts(case) == {"outcome": DIVERGED}
        assert took == (5, 5)


@pytest.mark.parametrize(
    ("outcome", "calls", "verdict"),
    [
        ("passed", [call()], SAME),
        ("passed", [], VACUOUS),
        ("skipped", [], VACUOUS),
        ("failed", [call()], SAME_FAIL),
        ("failed", [], SAME_FAIL),
    ],
)
def test_runs_that_do_not_differ(outcome, calls, verdict):
    python, rust = (run(*calls, outcome=outcome) for _ in range(2))
    assert not Case(python, rust).differs
    assert plain_verdict(python, rust) == verdict


def test_calls_that_were_declined_are_no_calls():
    assert plain_verdict(run(call()), run(call(), path="guard:x")) == VACUOUS
    # What counts is the Rust arm.
    assert plain_verdict(run(call(), path="switch"), run(call())) == SAME


def test_an_expected_failure_is_no_failure():
    made = run(call(), outcome="skipped")
    made.reports[1]["wasxfail"] = "reason"
    assert plain_verdict(made, made) == SAME


# Crashes.

DIED = run(crash="the session died by SIGSEGV")
LIVES = run(call())


@pytest.mark.parametrize(
    ("python", "rust", "verdict"),
    [
        ([LIVES], [DIED], CRASHED),
        ([LIVES], [DIED, LIVES], CRASHED),
        ([LIVES, LIVES], [DIED, run(call("b"))], CRASHED),
        ([LIVES, DIED], [DIED], FLAKY),
        ([DIED], [LIVES], DIVERGED),
        ([DIED, LIVES], [LIVES], FLAKY),
        ([DIED], [run(crash="the session died by SIGABRT")], DIVERGED),
    ],
)
def test_crashes(python, rust, verdict):
    case, _ = settle(python, rust)
    assert case.judge()[0].verdict == verdict


def test_a_crash_says_how_often():
    case, took = settle([LIVES], [DIED, LIVES])
    (finding,) = case.judge()
    assert finding.observable.kind == "crash"
    assert finding.shown.python == "setup passed, call passed, teardown passed"
    assert finding.shown.rust == "crashed: the session died by SIGSEGV"
    assert finding.shown.detail == "1 of 2 runs"
    assert took == (2, 2)


def test_a_crash_in_both_arms_is_the_same_failure():
    assert not Case(DIED, DIED).differs
    assert plain_verdict(DIED, DIED) == SAME_FAIL


# Collection.


@pytest.mark.parametrize(
    ("python", "rust", "verdict"),
    [
        ([None], [LIVES], COLLECTION),
        ([LIVES], [None], COLLECTION),
        ([None, LIVES], [LIVES], FLAKY),
        ([LIVES, None], [None], FLAKY),
        ([LIVES], [None, LIVES], INCONCLUSIVE),
        ([None], [LIVES, None], INCONCLUSIVE),
    ],
)
def test_collection(python, rust, verdict):
    case, took = settle(python, rust)
    (finding,) = case.judge()
    assert (finding.verdict, finding.observable.kind) == (verdict, "collection")
    words = ["collected" if side[0] else "not collected" for side in (python, rust)]
    assert [finding.shown.python, finding.shown.rust] == words
    assert case.nodeid == NODEID
    assert took == {COLLECTION: (4, 4), FLAKY: (2, 1), INCONCLUSIVE: (2, 2)}[verdict]


def test_modules_that_only_one_side_imports():
    def module(outcome):
        return TestRun("test_it.py", [{"when": "collect", "outcome": outcome}])

    case, took = settle([module("passed")], [module("failed")])
    assert verdicts(case) == {"outcome": DIVERGED}
    assert took == (4, 4)


# A confirming run that never came.


@pytest.mark.parametrize("make", [answers, printed])
@pytest.mark.parametrize("missing", ["python", "rust", "both"])
def test_nothing_is_a_difference_that_was_not_seen_again(make, missing):
    sides = [
        [*make(letter), *[None] * (missing in (side, "both"))]
        for side, letter in (("python", "a"), ("rust", "b"))
    ]
    case, took = settle(*sides)
    assert set(verdicts(case).values()) == {INCONCLUSIVE}
    assert took == (2, 2)


@pytest.mark.parametrize("make", [answers, printed])
def test_the_first_runs_alone_settle_nothing(make):
    case = Case(*make("ab"))
    assert set(verdicts(case).values()) == {INCONCLUSIVE}
    assert case.needs_python()
    assert case.needs_rust()


def test_severities_are_ranks():
    assert sorted(verdict.severity for verdict in facts.TABLE) == list(range(len(facts.ALL)))
    # Whatever fails by default is worse than all that doesn't.
    assert {verdict.name for verdict in facts.BY_SEVERITY[: len(facts.FAILING)]} == {*facts.FAILING}


def test_all_names_are_in_the_table():
    others = {facts.NO, facts.YES, facts.AS_PYTEST, facts.SESSION, facts.KNOWN_FILE}
    texts = {value for name, value in vars(facts).items() if name.isupper() and type(value) is str}
    assert texts - others == set(facts.ALL)


def test_tones_have_a_colour():
    style = Path(facts.__file__).parents[1].joinpath("_report", "report.css").read_text()
    for verdict in facts.TABLE:
        assert f".{verdict.tone} {{" in style


def test_the_document_s_table():
    lines = ["| verdict | letter | means | fails |", "|---|---|---|---|"]
    for verdict in facts.TABLE:
        letter = f"`{verdict.letter}`" if verdict.letter else "pytest's own"
        letter += " if it fails" if verdict.quiet else ""
        lines.append(f"| `{verdict.name}` | {letter} | {verdict.meaning} | {verdict.fails} |")
    document = Path(__file__).parents[2] / "docs" / "double-run.md"
    # If this fails, these are the lines that belong there.
    assert "\n\n" + "\n".join(lines) + "\n\n" in document.read_text()
