"""Guards whose namespaces change between calls: what is looked at, and what is derived again."""

from __future__ import annotations

import time
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sky_rs_patch._binding import extension

LABEL = "a guard"
NAMES = ("present", "absent", "either", "other")
VALUES = ("right", "wrong")


class Plain:
    """An ordinary object with attributes."""

    def __init__(self):
        self.present = self.either = "right"


def namespace_of(kind):
    """A namespace with two names; what sets and deletes a name in it, and its content."""
    content = {"present": "right", "either": "right"}
    if kind == "dictionary":
        return content, content.__setitem__, content.__delitem__, content
    if kind == "class":
        owner = type("Made", (), content)
        return owner, *_attributes(owner), vars(owner)
    if kind == "module":
        owner = types.ModuleType("made")
        vars(owner).update(content)
    else:
        owner = Plain()
    return vars(owner), *_attributes(owner), vars(owner)


def _attributes(owner):
    return lambda name, value: setattr(owner, name, value), lambda name: delattr(owner, name)


#: What is asked of a namespace -> whether a content meets it.
DEMANDS = {
    "expect": lambda content, then: content.get("present") == "right",
    "expect_absent": lambda content, then: "absent" not in content,
    "expect_or_absent": lambda content, then: content.get("either", "right") == "right",
    "freeze": lambda content, then: dict(content) == then,
}
KINDS = ("dictionary", "class", "module", "instance")


def demand(guards, method, namespace, instance):
    if method == "freeze":
        guards.freeze(namespace, LABEL)
    elif method == "expect_absent":
        guards.expect_absent(namespace, "absent", LABEL, instance=instance)
    else:
        name = {"expect": "present", "expect_or_absent": "either"}[method]
        getattr(guards, method)(namespace, name, "right", LABEL, instance=instance)


def a_route(resolver):
    native = extension.load().module
    return native.Route("a test", lambda _: "original", "truncate_long_string", resolver)


plans = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.sets(st.sampled_from(sorted(DEMANDS)), min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=4,
)
changes = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(NAMES),
        st.sampled_from([*VALUES, None]),
        st.booleans(),
    ),
    max_size=40,
)


@given(plans, changes)
def test_any_changes_of_any_namespaces(plan, changes):
    """After each the native function answers if, and only if, all is as it was."""
    guards = extension.load().module.GuardBuilder()
    spaces = []
    for kind, methods in plan:
        namespace, put, drop, content = namespace_of(kind)
        if kind == "instance":
            # CPython 3.13 doesn't tell of a changed attribute; of a new one the size does.
            methods = {"expect_absent"}
        for method in sorted(methods):
            demand(guards, method, namespace, kind == "instance")
        spaces.append((put, drop, content, dict(content), methods))
    route = a_route(lambda: guards)
    assert route("native") == "native"
    for place, name, value, looks in changes:
        put, drop, content, *_ = spaces[place % len(spaces)]
        if value is not None:
            put(name, value)
        elif name in content:
            drop(name)
        if looks:
            fine = all(
                DEMANDS[method](content, then)
                for *_, content, then, methods in spaces
                for method in methods
            )
            assert route("native") == ("native" if fine else "original")


def test_an_objects_attribute_that_changes_beside_another_change():
    owner, beside = Plain(), {}
    guards = extension.load().module.GuardBuilder()
    guards.expect(vars(owner), "present", "right", LABEL, instance=True)
    guards.expect_absent(beside, "absent", LABEL)
    route = a_route(lambda: guards)
    assert route("native") == "native"
    for value, answer in [("wrong", "original"), ("right", "native")]:
        owner.present = value
        beside["other"] = value
        assert route("native") == answer


class Waiting:
    """A resolver that refuses, and takes its time."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.beside = {}
        self.read = {"name": 0}
        self.derived = 0
        self.problem = "a library that isn't known"

    def __call__(self):
        time.sleep(self.seconds)
        self.derived += 1
        guards = extension.load().module.GuardBuilder()
        guards.expect_absent(self.beside, "absent", LABEL)
        guards.expect(self.read, "name", self.read["name"], LABEL)
        if self.problem:
            guards.refuse(self.problem)
        return guards


def test_one_that_waits_derives_little_where_something_else_changes():
    waiting = Waiting(0.02)
    route = a_route(waiting)
    start = time.monotonic()
    for number in range(1000):
        waiting.beside["other"] = number
        assert route("native") == "original"
    # At once for a few times, and then in a hundredth of the time.
    assert waiting.derived <= 3 + (time.monotonic() - start) / (100 * waiting.seconds)
    assert route.counts()[3] == {waiting.problem: 1000}


def test_one_that_waits_derives_at_once_where_what_it_read_changes():
    waiting = Waiting(0.02)
    route = a_route(waiting)
    for number in range(10):
        waiting.read["name"] = number
        assert route("native") == "original"
        assert waiting.derived == number + 1
    waiting.problem = None
    waiting.read["name"] = "good"
    assert route("native") == "native"


def test_one_that_waits_and_reads_what_always_changes_rests_as_well():
    waiting = Waiting(0.005)
    route = a_route(waiting)
    start = time.monotonic()
    for number in range(500):
        waiting.read["name"] = number
        assert route("native") == "original"
    assert waiting.derived <= 16 + (time.monotonic() - start) / (100 * waiting.seconds)


def test_what_was_put_right_while_it_rested_is_found_later():
    waiting = Waiting(0.001)
    route = a_route(waiting)
    for number in range(100):
        waiting.beside["other"] = number
        route("native")
    waiting.problem = None
    waiting.beside["other"] = "good"
    deadline = time.monotonic() + 30
    # Nothing changes any more.
    while route("native") == "original":
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [1, 31, 32, 33, 200])
def test_an_object_with_any_number_of_attributes(number):
    """Small ones are compared as they are, others looked up."""
    owner, beside = Plain(), {}
    for at in range(number):
        setattr(owner, f"attribute{at}", at)
    guards = extension.load().module.GuardBuilder()
    guards.expect_absent(vars(owner), "absent", LABEL, instance=True)
    guards.expect_absent(beside, "absent", LABEL)
    route = a_route(lambda: guards)
    for at in range(3):
        beside["other"] = at
        assert route("native") == "native"
        owner.absent = at
        # As many as before.
        del owner.attribute0
        beside["other"] = -1
        assert route("native") == "original"
        del owner.absent
        owner.attribute0 = at
        beside["other"] = -2
        assert route("native") == "native"
