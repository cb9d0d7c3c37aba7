"""Functions whose code or defaults are replaced in place are seen as they are then."""

import os
import threading

import pytest
from differential import compare, proxy_of
from one_call import call

from sky_rs_patch._guards import derive

#: A call that Rust answers, and the functions in which the original's answer is made.
CALLS = {
    "truncate_long_string": ("one two three four",),
    "format_float": (1.5,),
    "get_parallel_threads": ("kubernetes",),
    "is_valid_user_hash": ("abcd1234",),
    "remove_color": ("\x1b[31mred",),
    "base36_encode": ("ff",),
}


def another(*args, **kwargs):
    return "another"


@pytest.fixture(params=CALLS)
def routed(request):
    """A function that Rust has answered for, with its arguments."""
    name, args = request.param, CALLS[request.param]
    assert compare(name, call(*args)).rust
    yield name, args
    assert compare(name, call(*args)).rust


def swapped(function, code):
    """Puts code into a function, and gives what was there."""
    before = function.__code__
    function.__code__ = code
    return before


def test_the_original_has_other_code(routed):
    name, args = routed
    function = proxy_of(name)
    before = swapped(function.__wrapped__, another.__code__)
    try:
        assert function(*args) == "another"
        outcome = compare(name, call(*args))
        assert outcome.declined == "guard"
    finally:
        function.__wrapped__.__code__ = before


def test_the_original_has_other_code_through_the_proxy(routed):
    name, args = routed
    function = proxy_of(name)
    before = swapped(function, another.__code__)
    try:
        assert function(*args) == "another"
    finally:
        function.__code__ = before


def test_the_original_has_other_defaults():
    function = proxy_of("truncate_long_string")
    text = "one two three four five six seven eight nine ten"
    assert compare("truncate_long_string", call(text)).rust
    before = function.__defaults__
    # The one that cuts out of the middle came with SkyPilot 0.10.
    function.__defaults__ = (9, True)[: len(before)]
    try:
        assert function(text) == ("one...ten" if len(before) == 2 else "one two t...")
        assert compare("truncate_long_string", call(text)).declined == "guard"
    finally:
        function.__wrapped__.__defaults__ = before
    assert compare("truncate_long_string", call(text)).rust


def hundredfold(cloud_str=None):
    return 100


@pytest.mark.parametrize(
    ("name", "args", "find", "other", "expected"),
    [
        (
            "get_parallel_threads",
            ("aws",),
            lambda space: space["_get_thread_multiplier"],
            hundredfold,
            max(4, (os.cpu_count() or 1) - 1) * 100,
        ),
    ],
    ids=["SkyPilot's"],
)
def test_what_the_original_calls_has_other_code(name, args, find, other, expected):
    function = proxy_of(name)
    assert compare(name, call(*args)).rust
    callee = find(function.__wrapped__.__globals__)
    before = swapped(callee, other.__code__)
    try:
        seen = [function(*args), function.__wrapped__(*args), function._self_route.counts()[2]]
    finally:
        callee.__code__ = before
    assert seen[0] == seen[1] == expected
    assert seen[2]["guard"] >= 1
    assert compare(name, call(*args)).rust


def test_a_hook_for_threads_is_nothing_that_an_original_relies_on(monkeypatch):
    """pytest sets it, and so do those who collect errors; wherever threads are made, it is met."""
    monkeypatch.setattr(threading, "excepthook", another)

    def starts_a_thread():
        threading.Thread(target=another).start()

    assert derive.resolver(starts_a_thread)().problem is None
    monkeypatch.setattr(threading, "Thread", another)
    assert "threading.Thread" in derive.resolver(starts_a_thread)().problem
