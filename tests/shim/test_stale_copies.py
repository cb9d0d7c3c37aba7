"""Copies of originals that were taken before they were routed: bound anew, or named."""

import json
import sys
import textwrap

import pytest
from support import PRESENT, full_name, run_code, run_python, small_skypilot

#: A module for each kind of copy: its text, and what the status says of it.
KINDS = {
    "default_argument": (
        "def save(path, hasher=hash_file):\n    return hasher(path, 'md5')\n",
        ["user: save (default argument)"],
    ),
    "keyword_default": (
        "def save(path, *, hasher=hash_file):\n    return hasher(path, 'md5')\n",
        ["user: save (default argument).hasher"],
    ),
    "method_default": (
        "class Store:\n    def save(self, path, hasher=hash_file):\n        return hasher(path)\n",
        ["user: Store.save (default argument)"],
    ),
    "class_attribute": ("class Store:\n    hasher = hash_file\n", ["user: Store.hasher"]),
    "static_method": (
        "class Store:\n    hasher = staticmethod(hash_file)\n",
        ["user: Store.hasher (staticmethod)"],
    ),
    "closure": (
        "def make(function):\n    def inner(path):\n        return function(path, 'md5')\n"
        "    return inner\nsave = make(hash_file)\n",
        ["user: make.<locals>.inner (closure)"],
    ),
    "decorator": (
        "import functools\ndef retry(function):\n    @functools.wraps(function)\n"
        "    def inner(*args):\n        return function(*args)\n    return inner\n"
        "save = retry(hash_file)\n",
        # `wraps` gives the wrapper the name and the module of what it wraps.
        [
            "sky.utils.common_utils: hash_file (closure)",
            "sky.utils.common_utils: hash_file.__wrapped__",
        ],
    ),
    "partial": (
        "import functools\nmd5 = functools.partial(hash_file, hash_alg='md5')\n",
        ["user: md5 (partial)"],
    ),
    "cache": (
        "import functools\ncached = functools.lru_cache(hash_file)\n",
        ["user: cached (lru_cache_wrapper)"],
    ),
    "dictionary": (
        "HANDLERS = {'hash': hash_file, 'other': print}\n",
        ["user: HANDLERS.hash"],
    ),
    "list": ("STEPS = [print, hash_file]\n", ["user: STEPS[1]"]),
    "tuple": ("STEPS = ((print,), (hash_file,))\n", ["user: STEPS"]),
    "nested": ("TABLE = {1: [{'a': hash_file}]}\n", ["user: TABLE[1][0].a"]),
    "object": (
        "class Store:\n    def __init__(self):\n        self.hasher = hash_file\nSTORE = Store()\n",
        ["user: an object of Store.hasher"],
    ),
    "slots": (
        "class Store:\n    __slots__ = ('hasher',)\nSTORE = Store()\nSTORE.hasher = hash_file\n",
        ["user: an object of Store.hasher"],
    ),
    "function_attribute": (
        "def save():\n    pass\nsave.hasher = hash_file\n",
        ["user: save.hasher"],
    ),
}
PROGRAM = """
import json, sys
import user
import sky_rs_patch
sky_rs_patch.enable()
route = sky_rs_patch.status(stale=True)["routes"]["sky.utils.common_utils.hash_file"]
from sky.utils import common_utils
assert user.hash_file is common_utils.hash_file is not common_utils.hash_file.__wrapped__
print(json.dumps([route["rebound"], route["stale"]]))
"""


@pytest.fixture
def skypilot(tmp_path):
    return small_skypilot(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_taken_before(kind, skypilot):
    text, expected = KINDS[kind]
    (skypilot / "user.py").write_text(f"from sky.utils.common_utils import hash_file\n{text}")
    printed = run_code(PROGRAM, environment={"PYTHONPATH": str(skypilot)})
    rebound, stale = json.loads(printed)
    assert rebound == ["user.hash_file"]
    assert stale == expected


def test_nothing_is_searched_unless_asked_for(skypilot):
    program = """
        import gc, sys
        def refuse(*_):
            raise AssertionError("searched")
        import sky_rs_patch
        gc.get_referrers = refuse
        sky_rs_patch.enable()
        import sky.utils.common_utils
        sky_rs_patch.status()
        assert "sky_rs_patch._runtime.stale_references" not in sys.modules
    """
    run_code(textwrap.dedent(program), environment={"PYTHONPATH": str(skypilot)})


def test_copies_of_the_proxy_are_no_stale_ones(skypilot):
    text = "\n".join(text for text, _ in KINDS.values())
    (skypilot / "user.py").write_text(f"from sky.utils.common_utils import hash_file\n{text}")
    program = PROGRAM.replace("import user\n", "").replace(
        "sky_rs_patch.enable()", "sky_rs_patch.enable()\nimport user"
    )
    printed = run_code(program, environment={"PYTHONPATH": str(skypilot)})
    assert json.loads(printed) == [[], []]


def test_the_real_skypilot_holds_none():
    done = run_python("-m", "sky_rs_patch", "status", "--json", executable=sys.executable)
    assert done.returncode == 0, done.stderr
    routes = json.loads(done.stdout)["routes"]
    held = {target: route["stale"] for target, route in routes.items() if route.get("stale")}
    assert held == {}
    looked_for = {target for target, route in routes.items() if "stale" in route}
    assert looked_for >= {full_name(name) for name in PRESENT}


def test_what_was_imported_before_on_the_real_skypilot():
    program = """
        import json
        from sky import task
        from sky.utils.common_utils import hash_file
        import sky_rs_patch
        sky_rs_patch.enable()
        routes = sky_rs_patch.status(stale=True)["routes"]
        print(json.dumps({target: route.get("stale") for target, route in routes.items()}))
    """
    held = json.loads(run_code(textwrap.dedent(program)))
    assert {target: holders for target, holders in held.items() if holders} == {}
