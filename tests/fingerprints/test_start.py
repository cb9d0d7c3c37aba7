"""What the extension says of code at a start is what the Python side says."""

import functools
import importlib
import types

import pytest
from support import COMMON, SUBPROCESS

from sky_rs_patch import _native
from sky_rs_patch._fingerprints import compute


def text_in_python(function):
    described = (
        compute._described(function.__code__),
        compute._described(function.__defaults__ or ()),
        compute._described(function.__kwdefaults__ or {}),
    )
    return repr(described)


def of_source(source):
    namespace = {}
    exec(source, namespace)
    return namespace["f"]


SOURCES = [
    "def f(): pass",
    "def f(a, b=1, *c, d='x', e=None, **g): return a",
    "def f(a, /, b, *, c=(1, (2.5, 'x'), None, True), z=b'\\x00'): return [a for b in c]",
    "def f(): return b'it\\'s', b'\"', b'\\'\"', b'\\t\\n\\r\\\\\\x7f\\xff'",
    "def f(): return \"it's\", '\"', '''\\'\"''', 'a\\\\b', 'é', '\\u20ac', '\\0'",
    "def f(): return '\\U0001f600', '\\ud800', '\\x85', '\\xad'",
    "def f(x): return x in {'b', 'a', 1, None, (1, 2), b'c'}",
    "def f(): return 1, True, 1.0, -0.0, 1e400, 1j, ..., 10**30, ()",
    "def f(x):\n try:\n  return lambda: [y for y in x]\n except ValueError as e:\n  raise e",
    "def f(x):\n class A:\n  z = x\n return A",
]


@pytest.mark.parametrize("source", SOURCES)
def test_the_text_of_code(source):
    f = of_source(source)
    assert _native.code_text(f.__code__, f.__defaults__, f.__kwdefaults__) == text_in_python(f)


def test_the_text_of_real_code():
    seen = 0
    for name in (COMMON, SUBPROCESS, "sky.utils.yaml_utils", "sky.utils.validator", "shutil"):
        for value in vars(importlib.import_module(name)).values():
            function = getattr(value, "__wrapped__", value)
            if type(function) is types.FunctionType:
                parts = function.__code__, function.__defaults__, function.__kwdefaults__
                text = _native.code_text(*parts)
                expected = text_in_python(function)
                assert text == (None if "object at " in expected else expected), function
                seen += 1
    assert seen > 100


def test_defaults_that_are_no_plain_data():
    f = of_source("def f(a=object()): pass")
    assert _native.code_text(f.__code__, f.__defaults__, None) is None


def test_functions_that_are_not_known_are_left():
    """A changed one, a wrapped one, one that calls a changed one."""
    real = importlib.import_module(COMMON)

    def plain(name):
        value = vars(real)[name]
        return getattr(value, "__wrapped__", value)

    module = types.ModuleType(COMMON)
    names = ("format_float", "base36_encode", "get_cpu_count", "_cpu_count", "remove_color")
    names += ("_is_cgroup_v2", "_get_cgroup_cpu_limit", "truncate_long_string")
    vars(module).update({name: plain(name) for name in names})
    module.format_float = of_source("def f(num, precision=1): return 'another'")
    module.base36_encode = functools.lru_cache(plain("base36_encode"))
    module._cpu_count = lambda: 1
    module.alias = module.remove_color
    made, left = _native.place_proxies(module, lambda route: route, print, [module])
    assert sorted(target for target, *_ in made) == [
        f"{COMMON}.remove_color",
        f"{COMMON}.truncate_long_string",
    ]
    assert sorted(left) == [
        f"{COMMON}.{name}" for name in ("base36_encode", "format_float", "get_cpu_count")
    ]
    (copies,) = (copies for target, _, copies in made if target.endswith("remove_color"))
    assert copies == [f"{COMMON}.alias"]
    assert module.alias is module.remove_color
