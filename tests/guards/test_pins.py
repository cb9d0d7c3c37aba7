"""A function may change where it stands: its code, its defaults. The next call sees it."""

import linecache
import types

import pytest
from support import counting, function

import sky_rs_patch
from sky_rs_patch import _testing
from sky_rs_patch._binding import extension
from sky_rs_patch._fingerprints import compute


@pytest.fixture(autouse=True)
def fresh_proxies():
    """Proxies whose guards nobody has derived yet, even if old ones wait for the collector."""
    _testing.reset()


def other_code(*_, **__):
    return "another"


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize(
    ("attribute", "value"),
    [("__code__", other_code.__code__), ("__defaults__", (4,)), ("__defaults__", None)],
    ids=["code", "defaults", "no-defaults"],
)
def test_the_original_itself(attribute, value, warm, enabled, monkeypatch):
    proxy = function("format_float")
    original = proxy.__wrapped__
    arguments = (3.14159, 2)[: 2 if value is None else 1]
    if warm:
        assert proxy(3.14159) == "3.1"
    with monkeypatch.context() as patch, counting("format_float") as counted:
        patch.setattr(original, attribute, value)
        assert proxy(*arguments) == original(*arguments)
    assert counted.rust == 0
    if warm:
        with counting("format_float") as counted:
            assert proxy(3.14159) == "3.1"
        assert counted.rust == 1


def test_a_callee_in_skypilot(enabled, monkeypatch):
    proxy = function("get_parallel_threads")
    proxy("kubernetes")
    callee = proxy.__globals__["_get_thread_multiplier"]
    with monkeypatch.context() as patch, counting("get_parallel_threads") as counted:
        patch.setattr(callee, "__code__", (lambda *_: 77).__code__)
        assert proxy("kubernetes") == proxy.__wrapped__("kubernetes")
    assert counted.python == 1
    with counting("get_parallel_threads") as counted:
        proxy("kubernetes")
    assert counted.rust == 1


def test_a_cold_function_is_looked_at_when_something_else_changes(enabled, monkeypatch):
    """Such as one of the standard library: that it isn't in each call is a limit that is named."""
    import posixpath

    proxy = function("read_last_n_lines")
    proxy(__file__, 1)
    with monkeypatch.context() as patch, counting("read_last_n_lines") as counted:
        patch.setattr(posixpath.exists, "__code__", (lambda path: False).__code__)
        patch.setitem(proxy.__globals__, "a_test", 1)
        with pytest.raises(AssertionError):
            proxy(__file__, 1)
    assert counted.python == 1
    with counting("read_last_n_lines") as counted:
        proxy(__file__, 1)
    assert counted.rust == 1


def test_the_closure_and_the_class_of_a_module():
    def outer(content):
        return lambda: content

    closed = outer(1)
    module = types.ModuleType("made")
    namespace = {}
    native = extension.load().module
    guards = native.GuardBuilder()
    guards.expect_absent(namespace, "absent", "absent")
    guards.pin_cold(closed, "closed")
    guards.pin_cold(module, "module")
    route = native.Route("a test", lambda _: "original", "truncate_long_string", lambda: guards)
    assert route("native") == "native"
    closed.__closure__[0].cell_contents = 2
    namespace["x"] = 1
    assert route("native") == "original"
    closed.__closure__[0].cell_contents = route("native") and 1
    assert route("native") == "native"
    module.__class__ = type("Answering", (types.ModuleType,), {})
    namespace["x"] = 2
    assert route("native") == "original"
    assert {"closed", "module"} <= set(route.guard_labels())


def test_defaults_count_for_a_fingerprint_that_was_computed_before():
    module = types.ModuleType("made")
    source = "def f(a, b=1, *, c=2):\n    def g():\n        return a\n    return g() + b + c\n"
    linecache.cache["<made>"] = (len(source), None, source.splitlines(True), "<made>")
    exec(compile(source, "<made>", "exec"), vars(module))
    plain = module.f
    known = compute.fingerprint(plain)
    plain.__defaults__ = (2,)
    with pytest.raises(compute.Unknown, match="defaults"):
        compute.fingerprint(plain)
    plain.__defaults__ = (1,)
    assert compute.fingerprint(plain) == known
    plain.__kwdefaults__ = {"c": 3}
    with pytest.raises(compute.Unknown, match="defaults"):
        compute.fingerprint(plain)


def test_defaults_that_were_others_from_the_start():
    from sky.utils import common_utils

    sky_rs_patch.disable()
    original = common_utils.format_float
    before = original.__defaults__
    original.__defaults__ = (3,)
    try:
        with sky_rs_patch.enabled():
            assert common_utils.format_float(3.14159) == "3.142"
    finally:
        original.__defaults__ = before
