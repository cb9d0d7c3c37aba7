"""The object that stands in SkyPilot's module is that function to everybody but the caller."""

import copy
import functools
import gc
import inspect
import io
import json
import multiprocessing
import pickle
import sys
import types
import weakref
from unittest import mock

import cloudpickle
import pytest
import samples
import wrapt
from support import (
    COMMON,
    PRESENT,
    counting,
    function,
    outcome,
    run_code,
    run_python,
    small_skypilot,
    status_of,
)

import sky_rs_patch


@pytest.fixture
def proxy(enabled):
    return function("truncate_long_string")


@pytest.fixture
def original(proxy):
    return proxy.__wrapped__


def test_annotations_after_the_type_was_asked_for_its_own(enabled):
    """From Python 3.10 to 3.13 that puts an empty dictionary into the type."""
    proxy = function("hash_file")
    getattr(type(proxy), "__annotations__", None)
    assert proxy.__annotations__ == proxy.__wrapped__.__annotations__ != {}
    if sys.version_info >= (3, 10):
        assert inspect.get_annotations(proxy) == proxy.__wrapped__.__annotations__


@pytest.mark.parametrize("name", PRESENT)
def test_it_presents_itself_as_the_original(name):
    before = function(name)
    facts = (
        before.__name__,
        before.__qualname__,
        before.__module__,
        before.__doc__,
        before.__annotations__,
        before.__defaults__,
        before.__code__,
        inspect.signature(before),
        inspect.getfullargspec(before),
        inspect.getsource(before),
        inspect.getsourcefile(before),
        inspect.getdoc(before),
    )
    with sky_rs_patch.enabled():
        after = function(name)
        assert isinstance(after, wrapt.FunctionWrapper)
        assert isinstance(after, types.FunctionType)
        assert inspect.isfunction(after)
        assert callable(after)
        assert after is not before
        assert after.__wrapped__ is before
        assert inspect.unwrap(after) is before
        assert facts == (
            after.__name__,
            after.__qualname__,
            after.__module__,
            after.__doc__,
            after.__annotations__,
            after.__defaults__,
            after.__code__,
            inspect.signature(after),
            inspect.getfullargspec(after),
            inspect.getsource(after),
            inspect.getsourcefile(after),
            inspect.getdoc(after),
        )


def test_equality_and_hash_are_the_originals(proxy, original):
    assert proxy == original
    assert hash(proxy) == hash(original)
    assert {original: 1}[proxy] == 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(proxy, protocol):
    data = pickle.dumps(proxy, protocol)
    assert pickle.loads(data) is proxy
    assert b"sky_rs_patch" not in data
    sky_rs_patch.disable()
    assert pickle.loads(data) is function("truncate_long_string")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_in_pure_python(proxy, protocol):
    buffer = io.BytesIO()
    pickle._Pickler(buffer, protocol).dump([proxy, proxy])
    assert pickle.loads(buffer.getvalue()) == [proxy, proxy]


def test_a_partial_can_be_pickled(proxy):
    partial = functools.partial(proxy, max_length=8)
    loaded = pickle.loads(pickle.dumps(partial))
    assert loaded.func is proxy
    assert loaded("a long string of words") == partial("a long string of words") == "a long s..."


def test_cloudpickle(proxy):
    assert cloudpickle.loads(cloudpickle.dumps(proxy)) is proxy
    closure = cloudpickle.loads(cloudpickle.dumps(lambda text: proxy(text, 4)))
    assert closure("abcdefgh") == "abcd..."


def test_a_pickle_loads_where_there_is_no_shim(proxy, tmp_path):
    data = pickle.dumps(proxy)
    printed = run_code(
        "import pickle, sys\n"
        f"function = pickle.loads({data!r})\n"
        "print(type(function).__name__, function('abcdefgh', 4))\n"
        "print(any('sky_rs_patch._runtime' in name for name in sys.modules))",
        environment={"PYTHONPATH": str(small_skypilot(tmp_path))},
    )
    assert printed.split() == ["function", "abcd...", "False"]


def test_copies_are_the_proxy(proxy):
    assert copy.copy(proxy) is proxy
    assert copy.deepcopy(proxy) is proxy
    assert copy.deepcopy({"key": [proxy]})["key"][0] is proxy


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "import sky_rs_patch\n"
        "sky_rs_patch.enable()\n"
        "from sky.utils import common_utils\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context(sys.argv[1])\n"
        "    with context.Pool(2) as pool:\n"
        "        print(pool.map(common_utils.base36_encode, ['ff', '0', 'deadbeef']))\n"
        "    print(type(common_utils.base36_encode).__name__)\n"
    )
    done = run_python(
        program, method, environment={"PYTHONPATH": str(small_skypilot(tmp_path / "small"))}
    )
    assert done.stderr == ""
    assert done.stdout == "['73', '0', '1ps9wxb']\nRoutedFunction\n"


def test_weak_references(proxy):
    reference = weakref.ref(proxy)
    assert reference() is proxy
    sky_rs_patch.disable()
    assert reference() is proxy
    assert weakref.getweakrefcount(proxy) >= 1


def test_a_proxy_that_nobody_keeps_is_freed(enabled):
    reference = weakref.ref(function("truncate_long_string"))
    assert reference() is not None
    sky_rs_patch.disable()
    gc.collect()
    assert reference() is None


def test_as_a_class_attribute_it_binds_like_a_function(proxy, original):
    class Namespace:
        bound = proxy
        plain = original
        static = staticmethod(proxy)

    with pytest.raises(TypeError) as ours:
        Namespace().bound()
    with pytest.raises(TypeError) as theirs:
        Namespace().plain()
    assert str(ours.value).replace("bound", "plain") == str(theirs.value)

    class Text(str):
        shortened = proxy
        plainly = original

    text = Text("a long string of words that goes on and on")
    assert text.shortened(10) == text.plainly(10)
    assert Text.shortened("abcdefgh", 4) == "abcd..."
    assert Namespace.static("abcdefgh", 4) == "abcd..."
    assert Namespace().static("abcdefgh", 4) == "abcd..."


def test_subclasses(proxy):
    cls = type(proxy)

    class Louder(cls):
        def __call__(self, *args, **kwargs):
            return super().__call__(*args, **kwargs).upper()

    louder = Louder(proxy._self_route)
    assert louder("abcdefgh", 4) == "ABCD..."
    assert isinstance(louder, cls)
    assert louder.__wrapped__ is proxy.__wrapped__


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [((), {}), ((1,), {}), ((None,), {}), ((len, len), {}), ((), {"route": 1}), (("a", "b"), {})],
)
def test_bad_construction(proxy, arguments, keywords):
    with pytest.raises(TypeError):
        type(proxy)(*arguments, **keywords)


def test_an_instance_without_a_route(proxy):
    cls = type(proxy)
    empty = cls.__new__(cls)
    with pytest.raises(Exception) as caught:
        empty("text")
    assert isinstance(caught.value, (ValueError, TypeError, AttributeError))
    del empty
    gc.collect()


def test_a_second_construction_is_refused(proxy, original):
    """A call that is under way may hold nothing but the proxy."""
    other = function("base36_encode")
    with pytest.raises(TypeError, match="keeps its route"):
        proxy.__init__(other._self_route)
    assert proxy.__wrapped__ is original
    assert proxy._self_route is not other._self_route


def test_attributes_go_to_the_original(proxy, original):
    proxy.marker = 1
    try:
        assert original.marker == proxy.marker == 1
    finally:
        del proxy.marker
    assert not hasattr(original, "marker")
    with pytest.raises(AttributeError):
        proxy.nothing_of_that_name
    with pytest.raises((AttributeError, TypeError)):
        proxy._self_route = None
    assert proxy("abcdefgh", 4) == "abcd..."


def test_mocks_with_its_specification(proxy):
    double = mock.create_autospec(proxy, return_value="short")
    assert double("text", max_length=3) == "short"
    with pytest.raises(TypeError):
        double("text", no_such_argument=1)
    with mock.patch(f"{COMMON}.truncate_long_string", autospec=True, return_value="x") as patched:
        assert function("truncate_long_string")("text") == "x"
        with pytest.raises(TypeError):
            patched()
    assert function("truncate_long_string") is proxy


def test_repr_and_dir(proxy, original):
    assert repr(proxy).startswith("<sky_rs_patch._native.RoutedFunction at ")
    assert set(dir(original)) <= set(dir(proxy))
    assert str(inspect.signature(functools.partial(proxy, "text"))).startswith("(")


@pytest.mark.parametrize("name", PRESENT)
def test_calls_that_do_not_fit_fail_as_the_original_does(name, enabled, tmp_path):
    proxy = function(name)
    arguments = samples.arguments(name, tmp_path)
    for positional, keywords in (
        ((*arguments, 1, 2, 3, 4, 5), {}),
        (arguments, {"no_such_argument": 1}),
        ((), {"no_such_argument": 1}),
        (tuple(object() for _ in arguments), {}),
    ):
        assert outcome(proxy, *positional, **keywords) == outcome(
            proxy.__wrapped__, *positional, **keywords
        )


def test_keyword_arguments(proxy, original):
    for keywords in (
        {"s": "abcdefgh", "max_length": 4},
        {"max_length": 4, "s": "abcdefgh"},
        # Not every SkyPilot has all of its arguments.
        {"truncate_middle": True, "max_length": 4, "s": "abcdefgh"},
    ):
        if not keywords.keys() <= set(original.__code__.co_varnames):
            continue
        with counting("truncate_long_string") as counted:
            assert proxy(**keywords) == original(**keywords)
        assert counted.rust == 1


CYCLES = """
import gc, sys, types
import sky_rs_patch
from sky.utils import common_utils, subprocess_utils

functions = [*vars(common_utils).values(), *vars(subprocess_utils).values()]
functions = [each for each in functions if isinstance(each, types.FunctionType)]

def cycle():
    with sky_rs_patch.enabled():
        assert common_utils.base36_encode("ff") == "73"
        common_utils.get_cpu_count()
        subprocess_utils.get_max_workers_for_file_mounts({})

def facts():
    gc.collect()
    routes = sum(type(each).__name__ == "Route" for each in gc.get_objects())
    return routes, len(gc.get_objects()), [sys.getrefcount(function) for function in functions]

for _ in range(10):
    cycle()
before = facts()
for _ in range(1000):
    cycle()
after = facts()
assert before[0] == after[0] == 0, (before[0], after[0])
assert before[2] == after[2], (before[2], after[2])
assert abs(before[1] - after[1]) < 100, (before[1], after[1])
print(sky_rs_patch.status()["routes"]["sky.utils.common_utils.base36_encode"]["calls"])
"""


def test_switching_on_and_off_leaves_nothing_behind(tmp_path):
    printed = run_code(CYCLES, environment={"PYTHONPATH": str(small_skypilot(tmp_path))})
    assert printed == "{'rust': 1010, 'python': 0}\n"


def test_a_module_that_is_imported_anew_can_be_collected(tmp_path, monkeypatch):
    (tmp_path / "passing_module.py").write_text(
        "FACTOR = 2\n\ndef double(number):\n    return number * FACTOR\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    sky_rs_patch.register("passing_module.double", lambda number: number + number)
    try:
        with sky_rs_patch.enabled():
            import passing_module

            assert passing_module.double(4) == 8
            references = [weakref.ref(passing_module), weakref.ref(passing_module.double)]
            references.append(weakref.ref(passing_module.double.__wrapped__))
            del sys.modules["passing_module"], passing_module
            import passing_module

            assert passing_module.double(5) == 10
            gc.collect()
            assert [reference() for reference in references] == [None, None, None]
            assert status_of("passing_module.double")["calls"] == {"rust": 2, "python": 0}
    finally:
        sky_rs_patch.unregister("passing_module.double")
        sys.modules.pop("passing_module", None)


def test_wrapt_without_its_extension(tmp_path):
    printed = run_code(
        "import json, pickle, copy, inspect\n"
        "import sky_rs_patch\n"
        "sky_rs_patch.enable()\n"
        "from sky.utils import common_utils\n"
        "import wrapt\n"
        "kept = [common_utils.truncate_long_string]\n"
        "proxy = kept[0]\n"
        "assert isinstance(proxy, wrapt.FunctionWrapper)\n"
        "assert pickle.loads(pickle.dumps(proxy)) is proxy\n"
        "assert copy.deepcopy(proxy) is proxy and copy.copy(proxy) is proxy\n"
        "assert inspect.signature(proxy) == inspect.signature(proxy.__wrapped__)\n"
        "assert proxy('abcdefgh', 4) == 'abcd...'\n"
        "assert common_utils.base36_encode('ff') == '73'\n"
        "status = sky_rs_patch.status()\n"
        "sky_rs_patch.disable()\n"
        "assert common_utils.truncate_long_string is kept[0].__wrapped__\n"
        "sky_rs_patch.enable()\n"
        "assert common_utils.truncate_long_string is kept[0]\n"
        "print(json.dumps([status['proxy'], status['routes']]))",
        environment={
            "WRAPT_DISABLE_EXTENSIONS": "1",
            "PYTHONPATH": str(small_skypilot(tmp_path)),
        },
    )
    kind, routes = json.loads(printed)
    assert kind["native"] is False
    assert "is no C type" in kind["problem"]
    assert routes[f"{COMMON}.truncate_long_string"]["calls"] == {"rust": 1, "python": 0}
    assert routes[f"{COMMON}.base36_encode"]["calls"] == {"rust": 1, "python": 0}


def test_the_methods_of_multiprocessing_are_all_tried():
    assert set(multiprocessing.get_all_start_methods()) == {"fork", "spawn", "forkserver"}
