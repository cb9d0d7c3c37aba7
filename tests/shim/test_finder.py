"""The import hook: before, after, twice, at the same time, and back."""

import importlib
import sys
import threading
import types
import warnings
from unittest import mock

import pytest
import wrapt
from support import (
    COMMON,
    PRESENT,
    SERVED,
    counting,
    full_name,
    function,
    outcome,
    run_code,
    run_python,
    small_skypilot,
    status_of,
)

import sky_rs_patch
from sky_rs_patch import _finder
from sky_rs_patch._runtime import table


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The environment of a child that sees nothing of SkyPilot but the targets."""
    return {"PYTHONPATH": str(small_skypilot(tmp_path_factory.mktemp("small")))}


def what_stands():
    return {name: function(name) for name in PRESENT}


EXPECTED = f"{len(SERVED)} RoutedFunction 73\n"
ACTIVE = """
active = [name for name, route in sky_rs_patch.status()["routes"].items()
          if route["state"] == "active"]
print(len(active), type(common_utils.hash_file).__name__, common_utils.base36_encode("ff"))
"""


@pytest.mark.parametrize(
    "order",
    [
        "sky_rs_patch.enable(); from sky.utils import common_utils, subprocess_utils",
        "from sky.utils import common_utils, subprocess_utils; sky_rs_patch.enable()",
        "import sky.utils.common_utils; sky_rs_patch.enable(); "
        "from sky.utils import common_utils, subprocess_utils",
        "sky_rs_patch.enable(); from sky.utils import common_utils, subprocess_utils; "
        "sky_rs_patch.enable(); sky_rs_patch.enable()",
        "sky_rs_patch.enable(); sky_rs_patch.disable(); sky_rs_patch.enable(); "
        "from sky.utils import common_utils, subprocess_utils",
    ],
)
def test_enabling_before_and_after_the_import(order, small):
    printed = run_code(f"import sky_rs_patch\n{order}\n{ACTIVE}", environment=small)
    assert printed == EXPECTED


def test_disabled_before_the_import(small):
    code = (
        "import sky_rs_patch, sys\nsky_rs_patch.enable(); sky_rs_patch.disable()\n"
        f"from sky.utils import common_utils\n{ACTIVE}"
    )
    assert run_code(code, environment=small) == "0 function 73\n"


def test_the_very_originals_come_back():
    before = what_stands()
    for _ in range(2):
        sky_rs_patch.enable()
        sky_rs_patch.enable()
        proxies = what_stands()
        assert all(isinstance(proxy, wrapt.FunctionWrapper) for proxy in proxies.values())
        assert all(proxies[name].__wrapped__ is before[name] for name in PRESENT)
        sky_rs_patch.disable()
        sky_rs_patch.disable()
        after = what_stands()
        assert all(after[name] is before[name] for name in PRESENT)


def test_a_proxy_that_somebody_kept_is_served_again():
    with sky_rs_patch.enabled():
        kept = [function("base36_encode")]
    with counting("base36_encode") as counted:
        assert kept[0]("ff") == "73"
    assert counted.declines == {"disabled": 1}
    with sky_rs_patch.enabled():
        assert function("base36_encode") is kept[0]
        with counting("base36_encode") as counted:
            assert kept[0]("ff") == "73"
        assert counted.rust == 1


def test_enabled_keeps_what_was_enabled():
    with sky_rs_patch.enabled():
        with sky_rs_patch.enabled():
            pass
        assert sky_rs_patch.status()["enabled"]
    assert not sky_rs_patch.status()["enabled"]
    with pytest.raises(ZeroDivisionError), sky_rs_patch.enabled():
        1 / 0
    assert not sky_rs_patch.status()["enabled"]


def test_two_threads(small):
    before = what_stands()
    for _ in range(20):
        barrier = threading.Barrier(4)

        def work(action, barrier=barrier):
            barrier.wait()
            action()

        threads = [threading.Thread(target=work, args=(sky_rs_patch.enable,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        proxies = what_stands()
        assert all(proxies[name].__wrapped__ is before[name] for name in PRESENT)
        standing = [entry.target for entry in table.installed()]
        assert len(standing) == len(set(standing))
        assert {full_name(name) for name in PRESENT} <= set(standing)
        sky_rs_patch.disable()
    assert all(function(name) is before[name] for name in PRESENT)


RACE = """
import sys, threading, time
import sky_rs_patch

def import_it():
    import sky.utils.subprocess_utils

def enable():
    time.sleep(float(sys.argv[1]))
    sky_rs_patch.enable()

threads = [threading.Thread(target=target) for target in (import_it, enable, enable, import_it)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
assert not any(thread.is_alive() for thread in threads)
from sky.utils import common_utils, subprocess_utils
deadline = time.monotonic() + 10
while time.monotonic() < deadline and any(
    route["state"] == "inactive" for route in sky_rs_patch.status()["routes"].values()
):
    time.sleep(0.01)
print(sorted({route["state"] for route in sky_rs_patch.status()["routes"].values()}))
"""


@pytest.mark.parametrize("delay", [0, 0.01, 0.1, 0.25])
def test_while_another_thread_imports(delay, tmp_path):
    def slowly(source):
        return f"import time\ntime.sleep(0.1)\n{source}\ntime.sleep(0.1)"

    environment = {"PYTHONPATH": str(small_skypilot(tmp_path, slowly))}
    assert run_code(RACE, delay, environment=environment) == "['absent', 'active']\n"


def test_a_reload(small):
    printed = run_code(
        "import importlib, sky_rs_patch\n"
        "sky_rs_patch.enable()\n"
        "from sky.utils import common_utils, subprocess_utils\n"
        "first = [common_utils.base36_encode]\n"
        "importlib.reload(common_utils)\n"
        "second = [common_utils.base36_encode]\n"
        "assert second[0] is not first[0]\n"
        "assert second[0].__wrapped__ is not first[0].__wrapped__\n"
        "assert first[0]('ff') == second[0]('ff') == '73'\n"
        f"{ACTIVE}\n"
        "calls = sky_rs_patch.status()['routes']['sky.utils.common_utils.base36_encode']['calls']\n"
        "assert calls == {'rust': 3, 'python': 0}, calls\n"
        "sky_rs_patch.disable()\n"
        "assert type(common_utils.base36_encode).__name__ == 'function'",
        environment=small,
    )
    assert printed == EXPECTED


def test_an_import_after_a_deletion(small):
    printed = run_code(
        "import sys, sky_rs_patch\n"
        "sky_rs_patch.enable()\n"
        "import sky.utils\n"
        "from sky.utils import common_utils as first, subprocess_utils\n"
        "del sys.modules['sky.utils.common_utils']\n"
        "import sky.utils.common_utils as common_utils\n"
        "assert common_utils is not first\n"
        "assert common_utils.base36_encode is not first.base36_encode\n"
        f"{ACTIVE}\n"
        "sky_rs_patch.disable()\n"
        "for module in (first, common_utils):\n"
        "    assert type(module.base36_encode).__name__ == 'function', module",
        environment=small,
    )
    assert printed == EXPECTED


def test_copies_are_rebound_listed_and_restored():
    original = function("base36_encode")
    module = types.ModuleType("a_module_of_a_user")
    module.encode = original
    module.other = len
    sys.modules[module.__name__] = module
    try:
        with sky_rs_patch.enabled():
            assert module.encode is function("base36_encode")
            assert isinstance(module.encode, wrapt.FunctionWrapper)
            assert "a_module_of_a_user.encode" in status_of("base36_encode")["rebound"]
            # What is copied later has to go back, too; what was bound anew has not.
            module.later = function("format_float")
            module.encode = len
        assert module.later is function("format_float")
        assert module.encode is len
        assert type(module.later) is types.FunctionType
    finally:
        del sys.modules[module.__name__]


def test_a_lazy_module_is_not_loaded_by_looking_for_copies():
    class Lazy(types.ModuleType):
        def __getattr__(self, name):
            raise AssertionError(f"somebody asked for {name}")

    sys.modules["a_lazy_module"] = Lazy("a_lazy_module")
    try:
        with sky_rs_patch.enabled():
            assert isinstance(function("hash_file"), wrapt.FunctionWrapper)
    finally:
        del sys.modules["a_lazy_module"]


def test_odd_things_in_sys_modules():
    class Odd:
        __slots__ = ()
        __hash__ = None

        def __getattr__(self, name):
            raise RuntimeError(name)

    before = what_stands()
    sys.modules["an_odd_thing"] = Odd()
    sys.modules["a_blocked_module"] = None
    try:
        with sky_rs_patch.enabled():
            assert isinstance(function("hash_file"), wrapt.FunctionWrapper)
        assert what_stands() == before
    finally:
        del sys.modules["an_odd_thing"], sys.modules["a_blocked_module"]


BROKEN = """
import sys
import sky_rs_patch
from sky_rs_patch._runtime import start as _engine
sky_rs_patch.enable()

def broken(*arguments, **keywords):
    raise ZeroDivisionError("broken on purpose")

_engine._place = broken
from sky.utils import common_utils
print(type(common_utils.hash_file).__name__, common_utils.base36_encode("ff"))
"""


def test_an_error_of_ours_is_a_warning_at_most(small):
    done = run_python("-c", BROKEN, environment=small)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "function 73\n"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "sky.utils.common_utils stays on Python: broken on purpose" in done.stderr


def test_warnings_that_are_errors(small):
    done = run_python("-W", "error", "-c", BROKEN, environment=small)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "function 73\n"
    assert "sky.utils.common_utils stays on Python: broken on purpose" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_of_the_module_is_its_own(tmp_path):
    def failing(source):
        return f"{source}\nraise LookupError('the module is broken')"

    environment = {"PYTHONPATH": str(small_skypilot(tmp_path, failing))}
    with_shim, without = (
        run_python(
            "-c",
            f"import sky_rs_patch\n{first}\nimport sky.utils.common_utils",
            environment=environment,
        )
        for first in ("sky_rs_patch.enable()", "pass")
    )
    assert with_shim.returncode == without.returncode == 1
    assert with_shim.stderr.splitlines()[-1] == "LookupError: the module is broken"
    assert "Warning" not in with_shim.stderr


def test_the_modules_loader_is_untouched(small):
    code = (
        "import inspect, sky_rs_patch\n"
        "{}\n"
        "from sky.utils import common_utils as module\n"
        "spec = module.__spec__\n"
        "print(type(spec.loader), type(module.__loader__), spec.loader is module.__loader__,\n"
        "      spec.origin, spec.cached, module.__file__, spec.has_location,\n"
        "      len(inspect.getsource(module)), len(spec.loader.get_data(module.__file__)))"
    )
    shimmed = run_code(code.format("sky_rs_patch.enable()"), environment=small)
    plain = run_code(code.format(""), environment=small)
    assert shimmed == plain
    assert "SourceFileLoader" in plain


def test_beside_other_import_hooks(small):
    """wrapt's own hook looks for modules with the others, as ours does."""
    printed = run_code(
        "import sys, wrapt, sky_rs_patch\n"
        "sky_rs_patch.enable()\n"
        "seen = []\n"
        "wrapt.register_post_import_hook(lambda module: seen.append(module.__name__),\n"
        "                                'sky.utils.common_utils')\n"
        "class Watcher:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        seen.append('asked')\n"
        "        for finder in sys.meta_path:\n"
        "            if finder is not self and not isinstance(finder, Watcher):\n"
        "                spec = finder.find_spec(name, path, target)\n"
        "                if spec is not None:\n"
        "                    return spec\n"
        "sys.meta_path.insert(0, Watcher())\n"
        "sys.meta_path.append(Watcher())\n"
        "from sky.utils import common_utils, subprocess_utils\n"
        "assert 'sky.utils.common_utils' in seen and 'asked' in seen\n"
        "assert seen.count('sky.utils.common_utils') == 1\n"
        f"{ACTIVE}",
        environment=small,
    )
    assert printed == EXPECTED


def test_find_spec_does_not_import(small):
    printed = run_code(
        "import importlib.util, sys, sky_rs_patch\n"
        "sky_rs_patch.enable()\n"
        "spec = importlib.util.find_spec('sky.utils.common_utils')\n"
        "print(spec.name, spec.origin.endswith('common_utils.py'),\n"
        "      'sky.utils.common_utils' in sys.modules, 'wrapt' in sys.modules)\n"
        "print(importlib.util.find_spec('sky.utils.no_such_module'))",
        environment=small,
    )
    assert printed == "sky.utils.common_utils True False False\nNone\n"


def test_only_the_targets_modules_are_looked_at(enabled):
    assert _finder._finder.find_spec("json", None) is None
    assert _finder._finder.find_spec("sky.utils.ux_utils", None) is None


def test_a_missing_target(small, tmp_path):
    def without_format_float(source):
        return source.replace("def format_float(", "def something_else(")

    environment = {"PYTHONPATH": str(small_skypilot(tmp_path, without_format_float))}
    printed = run_code(
        "import json, sky_rs_patch\nsky_rs_patch.enable()\n"
        "import sky.utils.common_utils, sky.utils.subprocess_utils\n"
        "route = sky_rs_patch.status()['routes']['sky.utils.common_utils.format_float']\n"
        "print(route['state'], '|', route['reason'])",
        environment=environment,
    )
    assert printed == "absent | sky.utils.common_utils has no format_float\n"


@pytest.mark.parametrize(
    ("wrapping", "kind"),
    [
        ("class format_float: pass", "builtins.type"),
        (
            "import functools; format_float = functools.lru_cache(format_float)",
            "_lru_cache_wrapper",
        ),
        ("from unittest import mock; format_float = mock.Mock()", "Mock"),
        (
            "import wrapt\n"
            "format_float = wrapt.FunctionWrapper(\n"
            "    format_float, lambda wrapped, instance, args, _: wrapped(*args) + '!'\n"
            ")",
            "FunctionWrapper",
        ),
        ("format_float = None", "NoneType"),
    ],
)
def test_a_target_that_is_no_plain_function(wrapping, kind, tmp_path):
    def wrapped(source):
        return f"{source}\n{wrapping}" if "def format_float" in source else source

    environment = {"PYTHONPATH": str(small_skypilot(tmp_path, wrapped))}
    printed = run_code(
        "import sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import common_utils, subprocess_utils\n"
        "route = sky_rs_patch.status()['routes']['sky.utils.common_utils.format_float']\n"
        "print(route['state'], '|', route['reason'])\n"
        "print(common_utils.base36_encode('ff'))\n"
        "if type(common_utils.format_float).__name__ == 'FunctionWrapper':\n"
        "    assert common_utils.format_float(1.0) == '1!'",
        environment=environment,
    )
    first, second = printed.splitlines()
    assert first.startswith("inactive | sky.utils.common_utils.format_float is a ")
    assert first.endswith(f"{kind}, no plain function")
    assert second == "73"


@pytest.mark.parametrize(
    ("old", "new", "unknown"),
    [
        ("precision: int = 1) -> str:", "precision: int = 2) -> str:", "format_float"),
        ("'{:.0f}'.format(num)", "'{:.1f}'.format(num)", "format_float"),
        ("return os.path.isfile(", "return not os.path.isfile(", "get_cpu_count"),
        ("return os.path.isfile(", "return not os.path.isfile(", "get_mem_size_gb"),
    ],
)
def test_unknown_code_stays_on_python(old, new, unknown, tmp_path):
    def edit(source):
        return source.replace(old, new)

    environment = {"PYTHONPATH": str(small_skypilot(tmp_path, edit))}
    printed = run_code(
        "import sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import common_utils, subprocess_utils\n"
        f"route = sky_rs_patch.status()['routes']['sky.utils.common_utils.{unknown}']\n"
        "print(route['state'], '|', route['reason'])\n"
        f"print(type(common_utils.{unknown}).__name__, common_utils.base36_encode('ff'))",
        environment=environment,
    )
    assert printed.startswith("inactive | unknown code: sky.utils.common_utils.")
    assert " has the fingerprint " in printed
    assert printed.endswith("function 73\n")


def test_layout_and_comments_are_not_code(tmp_path):
    def edit(source):
        return source.replace("def format_float(", "# a comment\n\n\ndef format_float(").replace(
            "    return '{:.0f}'", "    # another\n\n    return '{:.0f}'"
        )

    environment = {"PYTHONPATH": str(small_skypilot(tmp_path, edit))}
    code = (
        "import sky_rs_patch\nsky_rs_patch.enable()\n"
        f"from sky.utils import common_utils, subprocess_utils\n{ACTIVE}"
    )
    assert run_code(code, environment=environment) == EXPECTED


def test_a_source_that_is_not_that_of_the_code(tmp_path):
    """As after an upgrade under a program that runs."""

    def edit(source):
        return source.replace("'{:.0f}'.format(num)", "'{:.1f}'.format(num)")

    running = small_skypilot(tmp_path / "running", edit)
    upgraded = small_skypilot(tmp_path / "upgraded") / "sky" / "utils" / "common_utils.py"
    printed = run_code(
        "import shutil, sky_rs_patch\n"
        "from sky.utils import common_utils, subprocess_utils\n"
        f"shutil.copy({str(upgraded)!r}, common_utils.__file__)\n"
        "sky_rs_patch.enable()\n"
        "routes = sky_rs_patch.status()['routes']\n"
        "print(routes['sky.utils.common_utils.format_float']['reason'])\n"
        "state = routes['sky.utils.common_utils.hash_file']['state']\n"
        "print(state, common_utils.format_float(1.0))",
        environment={"PYTHONPATH": str(running)},
    )
    reason = "unknown code: the code of format_float isn't that of its source"
    assert printed.splitlines() == [reason, "active 1.0"]


def test_without_source(small, tmp_path):
    printed = run_code(
        "import compileall, os, pathlib, shutil, sys\n"
        f"shutil.copytree({small['PYTHONPATH']!r}, {str(tmp_path / 'bare')!r})\n"
        f"bare = pathlib.Path({str(tmp_path / 'bare')!r})\n"
        "module = bare / 'sky' / 'utils' / 'common_utils.py'\n"
        "text = module.read_text()\n"
        "assert 'int(hex_str, 16)' in text\n"
        "module.write_text(text.replace('int(hex_str, 16)', 'int(hex_str, 8)'))\n"
        "compileall.compile_dir(bare, quiet=2, legacy=True)\n"
        "for source in bare.rglob('*.py'): source.unlink()\n"
        f"sys.path[:] = [str(bare)] + [p for p in sys.path if p != {small['PYTHONPATH']!r}]\n"
        "import sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import common_utils, subprocess_utils\n"
        "for name in ('format_float', 'base36_encode'):\n"
        "    route = sky_rs_patch.status()['routes'][f'sky.utils.common_utils.{name}']\n"
        "    print(route['state'], '|', route['reason'])\n"
        "print(common_utils.format_float(1.5), common_utils.base36_encode('17'))",
        environment=small,
    )
    known, unknown, results = printed.splitlines()
    assert known == "active | None"
    assert unknown.startswith("inactive | unknown code: no source of base36_encode in ")
    assert results == "1.5 f"


def test_a_mock_in_place_while_it_is_disabled():
    original = function("base36_encode")
    sky_rs_patch.enable()
    with mock.patch(f"{COMMON}.base36_encode", return_value="mocked"):
        sky_rs_patch.disable()
        assert function("base36_encode")("ff") == "mocked"
    # The mock puts back what it had found.
    assert function("base36_encode")("ff") == "73"
    assert status_of("base36_encode")["state"] == "inactive"
    sky_rs_patch.enable()
    assert function("base36_encode").__wrapped__ is original
    with counting("base36_encode") as counted:
        assert function("base36_encode")("ff") == "73"
    assert counted.rust == 1
    sky_rs_patch.disable()
    assert function("base36_encode") is original


def test_a_mock_in_place_while_it_is_enabled():
    original = function("base36_encode")
    with mock.patch(f"{COMMON}.base36_encode", return_value="mocked"):
        sky_rs_patch.enable()
        assert function("base36_encode")("ff") == "mocked"
        assert status_of("base36_encode")["state"] == "inactive"
        assert "no plain function" in status_of("base36_encode")["reason"]
        assert status_of("format_float")["state"] == "active"
    assert function("base36_encode") is original
    sky_rs_patch.enable()
    assert status_of("base36_encode")["state"] == "active"
    sky_rs_patch.disable()
    assert function("base36_encode") is original


def test_a_mock_while_it_is_disabled_and_enabled_again():
    original = function("base36_encode")
    sky_rs_patch.enable()
    with mock.patch(f"{COMMON}.base36_encode", return_value="mocked"):
        assert "replaced in its module" in status_of("base36_encode")["reason"]
        sky_rs_patch.disable()
        sky_rs_patch.enable()
        assert function("base36_encode")("ff") == "mocked"
    assert function("base36_encode")("ff") == "73"
    sky_rs_patch.enable()
    with counting("base36_encode") as counted:
        assert function("base36_encode")("ff") == "73"
    assert counted.rust == 1
    sky_rs_patch.disable()
    assert function("base36_encode") is original


def test_an_invalid_switch_at_the_import(small):
    done = run_python(
        "-c",
        "import os, sky_rs_patch\nsky_rs_patch.enable()\n"
        "os.environ['SKYPILOT_USE_RUST'] = 'maybe'\n"
        "from sky.utils import common_utils\n"
        "route = sky_rs_patch.status()['routes']['sky.utils.common_utils.hash_file']\n"
        "print(route['state'], route['reason'])\n"
        "print(type(common_utils.hash_file).__name__)",
        environment=small,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("inactive SKYPILOT_USE_RUST='maybe' is not a switch value")
    assert second == "function"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "'maybe'" in done.stderr


def test_enabling_in_the_real_skypilot_warns_of_nothing():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sky_rs_patch.enable()
        sky_rs_patch.disable()
    assert [str(each.message) for each in caught] == []
    assert outcome(importlib.import_module, COMMON)[0] == "returns"


def test_what_is_named_by_string_is_there():
    for module, attribute in (_finder.MODULE_LISTENER, _finder.VIRTUAL_MODULE_MAKER):
        assert callable(getattr(importlib.import_module(module), attribute))
