"""Runs of tests as an arm would have told of them, made by hand."""

from collections import Counter

from pytest_skyrs._model.test_run import TestRun

NODEID = "test_it.py::test"


def call(outcome="a", function="m.f", args="x", **more):
    """An entry of a record's table."""
    return {"function": function, "args": args, "outcome": outcome, **more}


def record(
    *calls,
    threads=1,
    path="rust",
    exceptions=None,
    **more,
):
    """A test's record."""
    paths = {}
    for entry in calls:
        paths.setdefault(entry["function"], Counter())[path] += 1
    return {
        "calls": {
            "table": list(calls),
            "sequence": list(range(len(calls))),
            "paths": {function: dict(counts) for function, counts in paths.items()},
            "threads": threads,
            "nested": {},
        },
        "exceptions": exceptions or {},
        "logs": [],
        "thread_logs": [],
        "racing": False,
        "foreign_logs": [],
        "warnings": [],
        "resources": [0, 0, 0, 0],
        **more,
    }


def reports(outcome="passed", sections=(), phases=("setup", "call", "teardown"), **more):
    """A test's reports; all phases but the last but one have passed."""
    made = [{"when": when, "outcome": "passed", "sections": [], "duration": 0.1} for when in phases]
    told = made[1] if len(made) > 1 else made[0]
    told.update(outcome=outcome, sections=[list(section) for section in sections], **more)
    return made


def run(*calls, context="", **more):
    """A test's run; its context tells what ran before it in its process."""
    made = _run(*calls, **more)
    made.context = context
    return made


def _run(*calls, outcome="passed", stdout=None, stderr=None, nodeid=NODEID, crash=None, **more):
    if crash is not None:
        return TestRun(nodeid, reports(phases=("setup",)), None, crash)
    sections = [
        (f"Captured {name} call", text)
        for name, text in (("stdout", stdout), ("stderr", stderr))
        if text is not None
    ]
    return TestRun(nodeid, reports(outcome, sections), record(*calls, **more))
