"""Routes of one's own: the same proxy, guards and counters for any callable."""

import contextlib
import importlib
import json
import sys
from unittest import mock

import pytest
import wrapt
from support import (
    COMMON,
    SERVED,
    counting,
    function,
    run_code,
    run_python,
    small_skypilot,
    status_of,
)

import sky_rs_patch
from sky_rs_patch._binding import counters

TARGET = "a_users_module.area"

MODULE = """\
import math
import os

UNIT = 1
_cache = None


def rounded(number):
    return round(number, DIGITS)


DIGITS = 2


def area(radius, *, unit=None):
    global _cache
    if radius < 0:
        raise ValueError(f"a radius of {radius}")
    _cache = radius
    if os.environ.get("A_USERS_SWITCH"):
        return "switched"
    return rounded(math.pi * radius ** 2 / (unit or UNIT))


class Shape:
    def area(self):
        return 0


text = "not a function"
"""


def fast_area(radius, *, unit=None):
    return NotImplemented if radius < 0 else round(3.141592653589793 * radius**2 / (unit or 1), 2)


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "a_users_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import a_users_module

    yield a_users_module
    sys.modules.pop("a_users_module")


@pytest.fixture(autouse=True)
def nothing_is_left_registered():
    yield
    for target in (TARGET, f"{COMMON}.base36_encode", f"{COMMON}.remove_color"):
        with contextlib.suppress(KeyError):
            sky_rs_patch.unregister(target)


def test_a_route_in_ones_own_module(module, enabled):
    original = module.area
    sky_rs_patch.register(TARGET, fast_area)
    assert isinstance(module.area, wrapt.FunctionWrapper)
    assert module.area.__wrapped__ is original
    with counting(TARGET) as counted:
        assert module.area(2) == original(2) == 12.57
        assert module.area(2, unit=2) == original(2, unit=2)
    assert (counted.rust, counted.python) == (2, 0)
    assert status_of(TARGET)["source"] == "register()"
    sky_rs_patch.unregister(TARGET)
    assert module.area is original


def test_registered_before_it_is_enabled(module):
    original = module.area
    sky_rs_patch.register(TARGET, fast_area)
    assert module.area is original
    assert status_of(TARGET)["reason"] == "not enabled"
    with sky_rs_patch.enabled():
        assert status_of(TARGET)["state"] == "active"
    assert module.area is original


def test_registered_before_the_module_is_imported(tmp_path, monkeypatch, enabled):
    (tmp_path / "a_users_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sky_rs_patch.register(TARGET, fast_area)
    assert status_of(TARGET)["reason"] == "a_users_module is not imported"
    import a_users_module

    try:
        with counting(TARGET) as counted:
            assert a_users_module.area(2) == 12.57
        assert counted.rust == 1
    finally:
        del sys.modules["a_users_module"]


def test_a_copy_is_rebound(module, enabled):
    from a_users_module import area

    globals()["a_copy"] = area
    try:
        sky_rs_patch.register(TARGET, fast_area)
        assert globals()["a_copy"] is module.area
        assert status_of(TARGET)["rebound"] == [f"{__name__}.a_copy"]
        sky_rs_patch.unregister(TARGET)
        assert globals()["a_copy"] is area
    finally:
        del globals()["a_copy"]


@pytest.mark.parametrize(
    ("replace", "value"),
    [
        (("a_users_module.UNIT", 2), 6.28),
        (("a_users_module.DIGITS", 0), 13.0),
        (("a_users_module.rounded", int), 12),
        (("math.pi", 3), 12),
        (("builtins.round", lambda *_: "round"), "round"),
        (("a_users_module.os", mock.MagicMock()), "switched"),
        (("a_users_module.math", mock.MagicMock(pi=1)), 4.0),
        (("a_users_module.ValueError", KeyError), 12.57),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
def test_its_guards_are_derived(module, enabled, replace, value, warm):
    sky_rs_patch.register(TARGET, fast_area)
    if warm:
        assert module.area(2) == 12.57
    path, new = replace
    with mock.patch(path, new, create=path.endswith("Error")), counting(TARGET) as counted:
        result = module.area(2)
    assert result == value
    assert (counted.rust, counted.python) == (0, 1)
    with counting(TARGET) as counted:
        assert module.area(2) == 12.57
    assert counted.rust == 1


def test_what_it_reads_beyond_its_code(module, enabled):
    sky_rs_patch.register(TARGET, fast_area, reads=["a_users_module.text"])
    assert module.area(2) == 12.57
    with mock.patch.object(module, "text", "another"), counting(TARGET) as counted:
        assert module.area(2) == 12.57
    assert counted.declines == {"guard:a_users_module.text": 1}


def test_a_candidate_that_declines(module, enabled):
    sky_rs_patch.register(TARGET, fast_area)
    with counting(TARGET) as counted, pytest.raises(ValueError, match="a radius of -1"):
        module.area(-1)
    assert counted.declines == {"candidate": 1}
    assert counted.python == 1


@pytest.mark.parametrize("error", [ValueError("no"), RuntimeError(), StopIteration(), OSError(5)])
def test_a_candidate_that_raises(module, enabled, error):
    def candidate(radius):
        raise error

    sky_rs_patch.register(TARGET, candidate)
    with counting(TARGET) as counted:
        assert module.area(2) == 12.57
    assert counted.declines == {"candidate-raised": 1}
    place = f"{__file__}:{candidate.__code__.co_firstlineno + 1}"
    assert first_exception() == {
        "type": type(error).__name__,
        "message": str(error),
        "place": place,
    }


def first_exception():
    return sky_rs_patch.status()["routes"][TARGET]["first_exception"]


def test_the_first_exception_is_kept(module, enabled):
    assert "first_exception" in sky_rs_patch.status()["routes"]["sky.utils.common_utils.hash_file"]

    def candidate(radius):
        if radius == 1:
            return NotImplemented
        raise ValueError(f"no {radius}")

    sky_rs_patch.register(TARGET, candidate)
    assert first_exception() is None
    with counting(TARGET) as counted:
        for radius in (1, 2, 3):
            module.area(radius)
    assert counted.declines == {"candidate": 1, "candidate-raised": 2}
    assert first_exception()["message"] == "no 2"
    # Another candidate has exceptions of its own.
    sky_rs_patch.register(TARGET, lambda radius: radius.missing, replace=True)
    assert first_exception() is None
    module.area(2)
    assert first_exception()["type"] == "AttributeError"


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def mute(radius):
    raise Mute


def deeper(radius):
    return json.loads("{")


FIRST = [
    (lambda: 1, "TypeError", "takes 0 positional arguments", __file__),
    (mute, "Mute", "(its message can't be had)", __file__),
    # The candidate's own line says more than one of a library.
    (deeper, "JSONDecodeError", "Expecting", f"{__file__}:{deeper.__code__.co_firstlineno + 1}"),
    (len, "TypeError", "has no len()", "builtins."),
    (mock.Mock(side_effect=KeyError("of a mock")), "KeyError", "of a mock", "mock.py"),
]


@pytest.mark.parametrize(
    ("candidate", "kind", "message", "place"), FIRST, ids=[str(case[1:3]) for case in FIRST]
)
def test_what_is_told_of_an_exception(module, enabled, candidate, kind, message, place):
    sky_rs_patch.register(TARGET, candidate)
    assert module.area(2) == 12.57
    told = first_exception()
    assert told["type"] == kind
    assert message in told["message"]
    assert place in told["place"]


def test_the_first_exception_of_another_process(tmp_path):
    code = (
        "import sys, types, sky_rs_patch\n"
        "import os\n"
        "module = types.ModuleType('elsewhere')\n"
        "exec('def area(radius): return radius', vars(module))\n"
        "sys.modules['elsewhere'] = module\n"
        "sky_rs_patch.enable()\n"
        "sky_rs_patch.register('elsewhere.area', lambda radius: missing)\n"
        "module.area(2)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    run_python("-c", code, environment={"SKY_RS_PATCH_STATS_DIR": str(tmp_path)})
    (process,) = counters.read(str(tmp_path))
    route = process["routes"]["elsewhere.area"]
    assert route["declines"] == {"candidate-raised": 1}
    assert route["first_exception"]["type"] == "NameError"
    assert counters.total([process])["elsewhere.area"] == route


def test_the_error_of_a_candidate_is_no_context(module, enabled):
    def candidate(radius):
        raise RuntimeError("of the candidate")

    sky_rs_patch.register(TARGET, candidate)
    with pytest.raises(ValueError) as caught:
        module.area(-1)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupt_goes_up(module, enabled, error):
    def candidate(radius):
        raise error("now")

    sky_rs_patch.register(TARGET, candidate)
    module._cache = "untouched"
    with counting(TARGET) as counted, pytest.raises(error):
        module.area(2)
    assert counted.declines == {"interrupted": 1}
    assert module._cache == "untouched"


def test_a_panic_of_another_extension(module, enabled):
    class PanicException(BaseException):
        pass

    def candidate(radius):
        raise PanicException("index out of bounds")

    sky_rs_patch.register(TARGET, candidate)
    with counting(TARGET) as counted:
        assert module.area(2) == 12.57
    assert counted.declines == {"panic": 1}


def test_a_candidate_that_calls_the_target(module, enabled):
    sky_rs_patch.register(
        TARGET, lambda radius: module.area(radius - 1) if radius > 1 else NotImplemented
    )
    with counting(TARGET) as counted:
        assert module.area(3) == 3.14
    assert (counted.rust, counted.python) == (2, 1)


@pytest.mark.parametrize("candidate", [len, str, fast_area, mock.Mock(return_value=0), "ab".join])
def test_any_callable_will_do(module, enabled, candidate):
    sky_rs_patch.register(TARGET, candidate)
    assert status_of(TARGET)["state"] == "active"
    assert isinstance(module.area(1.5), (float, int, str))


def test_known_code(module, enabled):
    fingerprint = sky_rs_patch.fingerprint(module.area)
    sky_rs_patch.register(TARGET, fast_area, fingerprints=["0" * 16, fingerprint])
    assert status_of(TARGET)["state"] == "active"
    assert sky_rs_patch.fingerprint(module.area) == fingerprint


def test_unknown_code(module, enabled):
    fingerprint = sky_rs_patch.fingerprint(module.area)
    sky_rs_patch.register(TARGET, fast_area, fingerprints=["0" * 16])
    route = status_of(TARGET)
    assert route["state"] == "inactive"
    assert route["reason"] == f"unknown code: {TARGET} has the fingerprint {fingerprint}"
    assert not isinstance(module.area, wrapt.FunctionWrapper)


@pytest.mark.parametrize("value", [len, int, 3, lambda: 1, object()])
def test_no_fingerprint(value):
    with pytest.raises(ValueError):
        sky_rs_patch.fingerprint(value)


@pytest.mark.parametrize(
    "target", ["area", "", ".area", "a_users_module.", "a..b", "a.b c", "a.1", "a-b.c", "a:b"]
)
def test_targets_that_are_no_dotted_names(target):
    with pytest.raises(ValueError, match="is not the dotted name"):
        sky_rs_patch.register(target, len)
    assert target not in sky_rs_patch.status()["routes"]


@pytest.mark.parametrize("candidate", [None, 3, "hash_file", ()])
def test_candidates_that_cannot_be_called(candidate):
    with pytest.raises(TypeError, match="can't be called"):
        sky_rs_patch.register("a_module.never_routed", candidate)
    assert "a_module.never_routed" not in sky_rs_patch.status()["routes"]


def test_a_target_that_is_routed_already(module, enabled):
    with pytest.raises(ValueError, match="has a route already"):
        sky_rs_patch.register(f"{COMMON}.base36_encode", str.upper)
    sky_rs_patch.register(TARGET, fast_area)
    with pytest.raises(ValueError, match="has a route already"):
        sky_rs_patch.register(TARGET, fast_area)


def test_replacing_a_route_and_taking_it_away(enabled):
    name = f"{COMMON}.base36_encode"
    original = function("base36_encode").__wrapped__
    sky_rs_patch.register(name, str.upper, replace=True)
    assert function("base36_encode")("ff") == "FF"
    assert status_of(name)["source"] == "register()"
    sky_rs_patch.register(name, str.title, replace=True)
    assert function("base36_encode")("ff") == "Ff"
    assert function("base36_encode").__wrapped__ is original
    sky_rs_patch.unregister(name)
    assert function("base36_encode")("ff") == "73"
    assert status_of(name)["source"] == "built-in"
    sky_rs_patch.disable()
    assert function("base36_encode") is original


def test_a_sibling_that_is_replaced_and_comes_back(enabled):
    """A route whose original calls another target serves again when that one does."""
    name = "get_max_workers_for_file_mounts"
    target = "sky.utils.subprocess_utils.get_parallel_threads"
    proxy = function(name)
    assert proxy({}) == proxy.__wrapped__({})
    sky_rs_patch.register(target, lambda cloud=None: 1, replace=True)
    try:
        assert proxy({}) == proxy.__wrapped__({}) == 1
    finally:
        sky_rs_patch.unregister(target)
    with counting(name) as counted:
        assert proxy({}) == proxy.__wrapped__({}) > 1
    assert counted.rust == 1


def test_a_function_of_skypilot_without_a_route(enabled):
    target = f"{COMMON}.user_and_hostname_hash"
    module = importlib.import_module(COMMON)
    sky_rs_patch.register(target, lambda: module.user_and_hostname_hash.__wrapped__())
    with counting(target) as counted:
        assert module.user_and_hostname_hash() == module.user_and_hostname_hash.__wrapped__()
    assert counted.rust == 1
    sky_rs_patch.unregister(target)
    assert not isinstance(module.user_and_hostname_hash, wrapt.FunctionWrapper)
    route = status_of(target)
    assert (route["state"], route["reason"]) == ("inactive", "its route was taken away")


@pytest.mark.parametrize("target", ["a_users_module.nothing", f"{COMMON}.hash_file"])
def test_taking_away_what_is_not_there(target):
    with pytest.raises(KeyError, match="no route is registered"):
        sky_rs_patch.unregister(target)


@pytest.mark.parametrize(
    ("attribute", "state", "reason"),
    [
        ("nothing", "absent", "a_users_module has no nothing"),
        ("text", "inactive", "a_users_module.text is a builtins.str, no plain function"),
        ("Shape", "inactive", "a_users_module.Shape is a builtins.type, no plain function"),
    ],
)
def test_targets_that_are_no_functions(module, enabled, attribute, state, reason):
    target = f"a_users_module.{attribute}"
    sky_rs_patch.register(target, len)
    try:
        route = status_of(target)
        assert (route["state"], route["reason"]) == (state, reason)
    finally:
        sky_rs_patch.unregister(target)


@pytest.fixture
def plugin(tmp_path):
    """Installs a package with entry points, in a directory on the path."""
    small_skypilot(tmp_path)
    (tmp_path / "a_users_module.py").write_text(MODULE)
    (tmp_path / "a_plugin.py").write_text(
        "import sky.utils.common_utils\n"
        "def area(radius): return 'fast'\n"
        "def upper(text): return text.upper()\n"
        "number = 3\n"
        "name = 'hash_file'\n"
    )
    (tmp_path / "a_broken_plugin.py").write_text("raise RuntimeError('broken')\n")

    def install(**entry_points):
        folder = tmp_path / "a_plugin-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (folder / "entry_points.txt").write_text("\n".join(["[sky_rs_patch.routes]", *lines, ""]))
        return {"PYTHONPATH": str(tmp_path)}

    return install


STATUS = """
import json, sys
import sky_rs_patch
from sky_rs_patch._binding import counters as _stats
sky_rs_patch.enable()
assert "a_plugin" not in sys.modules
from sky.utils import common_utils, subprocess_utils
import a_users_module
status = sky_rs_patch.status()
print(json.dumps([a_users_module.area(1), common_utils.base36_encode("ff"), status["problems"],
                  {name: [route["state"], route["source"], route["reason"]]
                   for name, route in status["routes"].items()}]))
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_an_entry_point(plugin, order):
    environment = plugin(**{TARGET: "a_plugin:area"})
    code = STATUS if order == "before" else f"import a_users_module\n{STATUS}"
    if order == "after":
        code = code.replace('assert "a_plugin" not in sys.modules\n', "")
    area, encoded, problems, routes = json.loads(run_code(code, environment=environment))
    assert (area, encoded, problems) == ("fast", "73", {})
    assert routes[TARGET] == ["active", "entry point a_plugin:area", None]
    assert routes[f"{COMMON}.base36_encode"] == ["active", "built-in", None]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a_plugin:nothing", "AttributeError: module 'a_plugin' has no attribute 'nothing'"),
        ("no_such_module:area", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("a_broken_plugin:area", "RuntimeError: broken"),
        ("a_plugin:number", "it can't be called"),
        ("a_plugin:name", "it can't be called"),
    ],
)
def test_an_entry_point_that_is_no_use(plugin, value, reason):
    done = run_python("-c", STATUS, environment=plugin(**{TARGET: value}))
    assert done.returncode == 0, done.stderr
    area, encoded, _, routes = json.loads(done.stdout)
    assert (area, encoded) == (3.14, "73")
    assert routes[TARGET] == ["inactive", f"entry point {value}", f"entry point {value}: {reason}"]
    assert sum(route[0] == "active" for route in routes.values()) == len(SERVED)


def test_an_entry_point_for_a_route_of_ours(plugin):
    environment = plugin(**{f"{COMMON}.base36_encode": "a_plugin:upper"})
    _, encoded, problems, routes = json.loads(run_code(STATUS, environment=environment))
    assert encoded == "73"
    assert routes[f"{COMMON}.base36_encode"][1] == "built-in"
    assert "has a route already" in problems[f"{COMMON}.base36_encode"]
