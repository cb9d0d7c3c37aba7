"""`GuardBuilder`: each of its methods, alone, on a route that counts who answers."""

from __future__ import annotations

import functools
import gc
import sys
import types
import weakref

import pytest

from sky_rs_patch._binding import extension

LABEL = "a guard"
VALUE = "a value"
ANSWERS = ("native", "original")


class Plain:
    def method(self):
        pass


@pytest.fixture(name="native")
def native_module():
    return extension.load().module


def route_with(native, guards):
    """A route whose native function returns its argument, and whose original another text."""
    return native.Route("a test", lambda _: "original", "truncate_long_string", lambda: guards)


def with_a_name(put, owner):
    put("name", VALUE)


def another(put, owner):
    put("name", "another value")


def without_a_name(put, owner):
    if isinstance(owner, dict):
        owner.pop("name", None)
    elif hasattr(owner, "name"):
        del owner.name


def with_another_name(put, owner):
    put("another name", 1)


CHANGES = (with_a_name, another, without_a_name, with_another_name)
#: Method -> what the dictionary holds first, arguments of the method beside the dictionary, what
#: answers after each of the changes.
EXPECTATIONS = {
    "expect": (["name"], ("name", VALUE), ("native", "original", "original", "native")),
    "expect_absent": ([], ("name",), ("original", "original", "native", "native")),
    "expect_or_absent": (["name"], ("name", VALUE), ("native", "original", "native", "native")),
    "freeze": (["name"], (), ("native", "original", "original", "original")),
}


@pytest.mark.parametrize("method", EXPECTATIONS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("kind", [dict, type, types.ModuleType], ids=lambda kind: kind.__name__)
def test_what_is_expected_of_a_namespace(native, method, change, kind):
    names, arguments, answers = EXPECTATIONS[method]
    owner, namespace = {
        dict: lambda: (None, {}),
        type: lambda: (cls := type("Made", (), {}), cls),
        types.ModuleType: lambda: (module := types.ModuleType("made"), vars(module)),
    }[kind]()
    put = namespace.__setitem__ if owner is None else functools.partial(setattr, owner)
    for name in names:
        put(name, VALUE)
    guards = native.GuardBuilder()
    getattr(guards, method)(namespace, *arguments, LABEL)
    route = route_with(native, guards)
    assert route("native") == "native"
    change(put, namespace if owner is None else owner)
    answer = answers[CHANGES.index(change)]
    assert route("native") == answer
    assert route.counts()[3] == ({} if answer == "native" else {LABEL: 1})


@pytest.mark.parametrize("name", ["__name__", "__module__", 0], ids=str)
def test_an_instances_dictionary_with_any_first_name(native, name):
    """What a dictionary holds says nothing of whose it is."""
    owner = Plain()
    vars(owner)[name] = "looks like a module's"
    guards = native.GuardBuilder()
    guards.expect_absent(vars(owner), "method", LABEL, instance=True)
    route = route_with(native, guards)
    for _ in range(2):
        assert route("native") == "native"
        owner.method = 1
        assert route("native") == "original"
        del owner.method
    assert route("native") == "native"


@pytest.mark.parametrize("first", [True, False], ids=["instance-first", "instance-last"])
def test_a_dictionary_that_is_an_instances_once_is_one(native, first):
    owner = Plain()
    guards = native.GuardBuilder()
    for index, instance in enumerate([first, not first]):
        guards.expect_absent(vars(owner), f"name{index}", LABEL, instance=instance)
    route = route_with(native, guards)
    assert route("native") == "native"
    owner.name0 = 1
    assert route("native") == "original"


@pytest.mark.parametrize("pin", ["pin_hot", "pin_cold"])
@pytest.mark.parametrize(
    "attribute", ["__code__", "__defaults__", "__kwdefaults__", "cell_contents"]
)
def test_a_pinned_function(native, pin, attribute):
    content = 1

    def function(number=2, *, keyword=3):
        return number + keyword + content

    def other(number=4, *, keyword=5):
        return number - keyword - content

    owner, source = function, other
    if attribute == "cell_contents":
        (owner,), source = function.__closure__, types.SimpleNamespace(cell_contents=6)
    before = getattr(owner, attribute)
    namespace = {}
    guards = native.GuardBuilder()
    guards.expect_absent(namespace, "absent", "the name")
    getattr(guards, pin)(function, LABEL)
    route = route_with(native, guards)
    assert route("native") == "native"
    setattr(owner, attribute, getattr(source, attribute))
    hot = pin == "pin_hot" and attribute != "cell_contents"
    assert route("native") == ANSWERS[hot]
    namespace["something else"] = 1
    assert route("native") == "original"
    setattr(owner, attribute, before)
    assert route("native") == "native"


def test_a_pinned_module(native):
    module = types.ModuleType("made")
    namespace = {}
    guards = native.GuardBuilder()
    guards.expect_absent(namespace, "absent", "the name")
    guards.pin_cold(module, LABEL)
    route = route_with(native, guards)
    assert route("native") == "native"
    module.__class__ = type("Answering", (types.ModuleType,), {})
    namespace["something else"] = 1
    assert route("native") == "original"


def test_a_refusal_lasts_until_something_changes(native):
    namespace = {}

    def resolver():
        guards = native.GuardBuilder()
        guards.expect_absent(namespace, "absent", LABEL)
        if not namespace:
            guards.refuse("the reason")
        assert guards.problem == (None if namespace else "the reason")
        return guards

    route = native.Route("a test", lambda _: "original", "truncate_long_string", resolver)
    assert [route("native"), route("native")] == ["original"] * 2
    assert route.guard_problem() == "the reason"
    assert route.counts()[3] == {"the reason": 2}
    namespace["something else"] = 1
    assert route("native") == "native"
    assert route.guard_problem() is None


@pytest.fixture(name="told")
def unraisable(monkeypatch):
    """What was reported as unraisable."""
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: told.append(str(report.exc_value)))
    return told


def test_a_builder_serves_one_route_once(native, told):
    guards = native.GuardBuilder()
    assert route_with(native, guards)("native") == "native"
    with pytest.raises(RuntimeError, match="serves one route, once"):
        guards.expect({}, "name", 1, LABEL)
    second = route_with(native, guards)
    assert second("native") == "original"
    assert second.guard_problem() == "the guards could not be derived"
    assert told == ["a GuardBuilder serves one route, once"]


@pytest.mark.parametrize(
    "answer", [(), ([], [], (), None), object()], ids=["empty", "tuple", "object"]
)
def test_a_resolver_that_returns_something_else(native, answer, told):
    route = route_with(native, answer)
    assert route("native") == "original"
    assert route.guard_problem() == "the guards could not be derived"
    assert len(told) == 1
    assert "GuardBuilder" in told[0]


def test_a_resolver_that_cannot_say_now(native, told):
    """The next call asks again."""
    answers = [None, native.GuardBuilder()]
    resolve = iter(answers).__next__
    route = native.Route("a test", lambda _: "original", "truncate_long_string", resolve)
    assert [route("native"), route("native")] == ["original", "native"]
    assert told == []


@pytest.mark.parametrize(
    "call",
    [
        lambda guards: guards.expect([], "name", 1, LABEL),
        lambda guards: guards.expect(Plain(), "name", 1, LABEL),
        lambda guards: guards.expect({}, "name", 1, 2),
        lambda guards: guards.freeze(types, LABEL),
        lambda guards: guards.pin_hot(len, LABEL),
        lambda guards: guards.pin_cold(len, LABEL),
        lambda guards: guards.pin_cold((Plain.method,), LABEL),
        lambda guards: guards.set_context([1]),
        lambda guards: guards.refuse(None),
    ],
)
def test_what_a_builder_does_not_take(native, call):
    with pytest.raises(TypeError):
        call(native.GuardBuilder())


def test_a_builder_in_a_cycle_is_garbage(native):
    class Owner:
        pass

    owner = Owner()
    owner.guards = native.GuardBuilder()
    owner.guards.expect(vars(owner), "guards", owner, LABEL, instance=True)
    owner.guards.set_context((owner,))
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_guards_can_be_derived_before_the_first_call(native):
    asked = []

    def resolver():
        asked.append(1)
        guards = native.GuardBuilder()
        guards.expect_absent({}, "absent", LABEL)
        return guards

    route = native.Route("a test", lambda _: "original", "truncate_long_string", resolver)
    route.examine()
    route.examine()
    assert route("native") == "native"
    assert asked == [1]
    assert route.guard_labels() == [LABEL]
    assert route.counts()[:2] == (1, 0)
