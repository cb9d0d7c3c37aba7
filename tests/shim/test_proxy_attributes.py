"""A routed function as an attribute: whatever is done with it, it gives what the function gives."""

import json
import os
from pathlib import Path

import proxy_operations
import pytest
from proxy_operations import OPERATIONS, outcome
from support import function, run_python, small_skypilot

import sky_rs_patch
from sky_rs_patch._binding import python_proxy

NAME = "truncate_long_string"


@pytest.fixture(scope="module")
def plain():
    sky_rs_patch.disable()
    return {name: outcome(each, function(NAME)) for name, each in OPERATIONS.items()}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_native_proxy(name, plain, enabled):
    proxy = function(NAME)
    assert type(proxy) is not type(proxy.__wrapped__)
    assert outcome(OPERATIONS[name], proxy) == plain[name]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_proxy_in_python(name, plain, enabled, monkeypatch):
    proxy = python_proxy.PythonRoutedFunction(function(NAME)._self_route)
    monkeypatch.setattr(f"sky.utils.common_utils.{NAME}", proxy)
    assert outcome(OPERATIONS[name], proxy) == plain[name]


@pytest.mark.parametrize("pure", ["", "1"], ids=["wrapt", "wrapt in Python"])
def test_in_a_process_of_its_own(pure, tmp_path):
    """The second time with a wrapt that has no C code of its own."""
    places = os.pathsep.join(
        [str(small_skypilot(tmp_path)), str(Path(proxy_operations.__file__).parent)]
    )
    found = {}
    for active in ("0", "1"):
        environment = {
            "PYTHONPATH": places,
            "SKY_RS_PATCH_ACTIVE": active,
            "WRAPT_DISABLE_EXTENSIONS": pure,
        }
        program = proxy_operations.__file__
        done = run_python(program, environment=environment)
        assert done.returncode == 0, done.stderr
        found[active] = json.loads(done.stdout)
    kinds = {found[active].pop("kind") for active in found}
    routed = "sky_rs_patch._binding.python_proxy.PythonRoutedFunction" if pure else None
    assert kinds == {"builtins.function", routed or "sky_rs_patch._native.RoutedFunction"}
    assert found["1"] == found["0"]


def test_most_operations_work(plain):
    """The table compares results, not only failures."""
    failing = {name for name, said in plain.items() if "Error: " in said}
    assert failing <= {
        "bound: attribute",
        "bound: set",
        "bound: wrong call",
        "copy: bound",
        "pickle: bound",
        "__get__(None)",
        "__get__(None, None)",
    }
