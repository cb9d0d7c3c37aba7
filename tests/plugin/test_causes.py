"""Causes: what many tests have alike is told once, and a report stays small whatever differs."""

import json
import time

import pytest

from pytest_skyrs._model import verdicts
from pytest_skyrs._report import causes as _causes
from pytest_skyrs._report import page, terminal
from pytest_skyrs._report.causes import Causes, Spans


def difference(test="test_a.py::test_0", **changes):
    return {
        "id": "",
        "test": test,
        "verdict": verdicts.DIVERGED,
        "observable": "call",
        "function": "m.f",
        "arguments": "(1)",
        "python": "returned 'a'",
        "rust": "returned 'b'",
        "detail": "",
        "known": None,
        "repro": None,
        "pickle": "UElD",
        **changes,
    }


def add(causes, count, start=0, environment=(), **changes):
    """Adds a difference of each of so many tests; gives what `add` gave."""
    return [
        causes.add(
            number,
            difference(
                f"test_a.py::test_{number}",
                **{
                    name: change(number) if callable(change) else change
                    for name, change in changes.items()
                },
            ),
            environment,
        )
        for number in range(start, start + count)
    ]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([0], "0"),
        ([0, 0, 1, 2], "0-2"),
        ([3, 5, 6, 7, 9], "3,5-7,9"),
        (range(3137), "0-3136"),
    ],
)
def test_numbers_in_compact_form(numbers, text):
    spans = Spans()
    for number in numbers:
        spans.add(number)
    assert str(spans) == text
    assert spans.count == len(set(numbers))


def test_a_thousand_tests_with_the_same_difference():
    causes = Causes()
    given = add(causes, 1000, arguments=lambda number: f"({number})")
    (cause,) = causes.by_id.values()
    told = cause.to_json()
    assert (told["tests"], told["differences"], told["where"]) == (1000, 1000, "0-999")
    assert (told["id"], told["test"], told["arguments"]) == ("d1", "test_a.py::test_0", "(0)")
    assert [each["test"] for each in told["examples"]] == [f"test_a.py::test_{k}" for k in (1, 2)]
    assert [each["arguments"] for each in told["examples"]] == ["(1)", "(2)"]
    # Each test shows its own values, and a call that can be made again.
    _, last = given[-1]
    assert last["arguments"] == "(999)"
    assert last["repro"] == "python -m pytest_skyrs replay d1"
    assert [each["id"] for _, each in given[:4]] == ["d1", "d2", "d3", "d1"]
    assert len(json.dumps(told)) < 2_000


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": verdicts.UNSTABLE},
        {"observable": "results"},
        {"function": "m.g"},
        {"python": "returned 'c'"},
        {"rust": "returned 'c'"},
        {"rust": "returned 'b'\nlogged more"},
        {"known": {"reason": "r", "issue": "1"}},
    ],
)
def test_what_is_another_cause(change):
    causes = Causes()
    add(causes, 2)
    add(causes, 2, start=2, **change)
    assert [str(cause.where) for cause in causes.by_id.values()] == ["0-1", "2-3"]


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": "(2)"},
        {"detail": "call 9 of the test"},
        # What the run brings, and what both sides have.
        {"python": "returned 'a'\nin both", "rust": "in both\nreturned 'b'"},
    ],
)
def test_what_is_the_same_cause(change):
    causes = Causes()
    add(causes, 2)
    add(causes, 2, start=2, **change)
    assert [str(cause.where) for cause in causes.by_id.values()] == ["0-3"]


def test_what_depends_on_the_run_is_no_cause_of_its_own():
    causes = Causes()
    add(causes, 100, python=lambda number: f"pid={number}: a", rust="b")
    assert len(causes.by_id) == 1


def test_another_environment_is_one_cause_whatever_differs():
    causes = Causes()
    unsteady = {"verdict": verdicts.INCONCLUSIVE, "environment": ["SKYPILOT_CONFIG"]}
    add(causes, 50, observable="sequence", **unsteady)
    add(causes, 50, start=50, python=lambda number: str(number), **unsteady)
    add(causes, 1, start=100, verdict=verdicts.INCONCLUSIVE)
    # What differs in every run isn't explained by an order.
    add(causes, 1, start=101, environment=["SKYPILOT_CONFIG"])
    found = [cause.to_json() for cause in causes.by_id.values()]
    assert [(each["where"], each["environment"]) for each in found] == [
        ("0-99", ["SKYPILOT_CONFIG"]),
        ("100", []),
        ("101", []),
    ]


def test_one_test_with_many_differences_of_a_cause():
    causes = Causes()
    for number in (0, 0, 0, 1):
        causes.add(number, difference(f"test_a.py::test_{number}"), ())
    (cause,) = causes.by_id.values()
    assert (cause.differences, cause.where.count) == (4, 2)
    assert [each["test"] for each in cause.examples] == ["test_a.py::test_1"]


def many():
    """Fourteen thousand differences of five thousand tests, no two of them the same."""
    causes = Causes()
    rows = []
    for number in range(5_000):
        ids = []
        for function in ("m.f", "m.g", None):
            text = f"{number} xx\n" + "in both\n" * (500 if number < 100 else 5)
            cause, _ = causes.add(
                number,
                difference(
                    f"tests/unit_tests/test_a.py::test_{number}",
                    function=function,
                    python=text,
                    rust=text.replace("x", "y"),
                    pickle="x" * 400_000,
                    verdict=verdicts.INCONCLUSIVE,
                ),
                (),
            )
            ids.append(cause.first["id"])
        rows.append(
            {
                "id": f"tests/unit_tests/test_a.py::test_{number}",
                "verdict": "inconclusive",
                "outcome": {"python": "passed", "rust": "passed"},
                "seconds": {"python": 0.123456, "rust": 0.123456},
                "calls": {"rust": 5, "python": 3},
                "functions": ["m.f", "m.g"],
                "noise": [],
                "divergences": list(dict.fromkeys(ids)),
            }
        )
    return causes, rows


def test_a_report_of_very_many_differences_is_small():
    start = time.process_time()
    causes, rows = many()
    divergences = [cause.to_json() for cause in causes.by_id.values()]
    mixed = [each for each in divergences if each["mixed"]]
    assert len(divergences) == 3 * (_causes._MOST_ALIKE + 1)
    assert sum(each["differences"] for each in divergences) == 15_000
    assert {each["tests"] for each in mixed} == {5_000 - _causes._MOST_ALIKE}
    report = json.dumps({"divergences": divergences, "tests": rows})
    assert len(report) < _causes._PICKLES + 4_000_000
    kept = [each["pickle"] for cause in divergences for each in (cause, *cause["examples"])]
    assert 30 < sum(text is not None for text in kept) <= _causes._PICKLES // 400_000
    for each in divergences:
        each["pickle"] = None
    html = page.render({"divergences": divergences, "tests": rows, "routes": {}})
    assert len(html) < 4_000_000
    assert time.process_time() - start < 10


def test_causes_are_never_more_than_so_many():
    causes = Causes()
    add(causes, 3_000, function=lambda number: f"m.f{number // 10}", python=str)
    told = [cause for cause in causes.by_id.values() if not cause.mixed]
    assert len(told) == _causes._MOST
    # One more for each function.
    assert len(causes.by_id) <= _causes._MOST + 300


def test_what_a_test_is_shown_with():
    causes = Causes()
    given = add(causes, 5)
    rows = [
        {"id": f"test_a.py::test_{number}", "divergences": [cause.first["id"]]}
        for number, (cause, _) in enumerate(given)
    ]
    found = [causes.of(row) for row in rows]
    assert [each["test"] for (each,) in found] == [row["id"] for row in rows]
    assert [each["id"] for (each,) in found] == ["d1", "d2", "d3", "d1", "d1"]
    assert {each["cause"] for (each,) in found} == {"d1"}


class Controller:
    """What the terminal asks for."""

    class options:  # noqa: N801 - an attribute of the controller
        fail_on = (verdicts.DIVERGED,)

    def __init__(self, causes, rows):
        self.causes, self.rows = causes, rows

    def verdicts(self):
        return ({**row, "divergences": self.causes.of(row)} for row in self.rows)


def test_the_terminal_tells_them_together():
    causes = Causes()
    rows = []
    for cause, each in [
        *add(causes, 3, verdict=verdicts.DIVERGED),
        *add(causes, 1, start=3, verdict=verdicts.DIVERGED, python="returned 'c'"),
        *add(causes, 3137, 4, ["SKYPILOT_CONFIG"], verdict=verdicts.INCONCLUSIVE),
    ]:
        row = {"id": each["test"], "verdict": each["verdict"], "noise": []}
        rows.append({**row, "divergences": [cause.first["id"]]})
    controller = Controller(causes, rows)
    assert terminal._failure_lines(controller) == [
        "DIVERGED f(1) 'a' -> 'b'  test_a.py::test_0 and 2 more tests",
        "DIVERGED f(1) 'c' -> 'b'  test_a.py::test_3",
    ]
    groups = terminal._alike(row for row in controller.verdicts() if row["verdict"] != "diverged")
    assert [terminal._of_group(*group) for group in groups] == [
        "3,137 tests: SKYPILOT_CONFIG had another value when they began: another order of the "
        "tests? (test_a.py::test_4, ...)"
    ]


def test_flaky_tests_are_told_by_what_does_not_repeat():
    rows = [
        {"id": f"t{number}", "verdict": "flaky-control", "noise": noise, "divergences": []}
        for number, noise in enumerate((["stdout"], ["stdout"], ["logs"]))
    ]
    groups = terminal._alike(rows)
    assert [terminal._of_group(*group) for group in groups] == [
        "2 tests: stdout (t0, ...)",
        "t2: logs",
    ]
