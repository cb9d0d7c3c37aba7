"""Nothing grows with the number of calls; `make leaks` does the same 100,000 times."""

import importlib.util
import os
from pathlib import Path

import pytest

#: Enough for one small block a call to be more than what is allowed.
CALLS = 2200


@pytest.fixture(scope="module")
def leaks():
    """The tool."""
    path = Path(__file__).parents[2] / "tools" / "check" / "leaks.py"
    spec = importlib.util.spec_from_file_location("leaks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_route_leaves_anything_behind(leaks, monkeypatch):
    monkeypatch.setenv("SKYPILOT_USER_ID", "0123abcd")
    grown = {what: growth for what, _, growth in leaks.measure(CALLS) if leaks.is_leak(growth)}
    assert grown == {}


def test_what_stays_is_noticed(leaks, tmp_path):
    kept = []
    assert leaks.is_leak(leaks.grown(lambda: kept.append(bytearray(16)), CALLS))
    kept.clear()
    opened = tmp_path / "file"
    opened.touch()
    assert leaks.is_leak(leaks.grown(lambda: kept.append(os.open(opened, os.O_RDONLY)), 20))
    for descriptor in kept:
        os.close(descriptor)
    assert not leaks.is_leak(leaks.grown(lambda: bytearray(16), CALLS))
