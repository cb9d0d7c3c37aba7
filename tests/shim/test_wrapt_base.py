"""wrapt's package is executed when somebody looks at it, and is then as it always is."""

import json

import pytest
from support import run_code, run_python, small_skypilot


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return small_skypilot(tmp_path_factory.mktemp("small"))


LOOKS = [
    "import wrapt; found = wrapt.decorator",
    "from wrapt import FunctionWrapper as found",
    "import wrapt.decorators; found = wrapt.decorators.decorator",
    "import wrapt.wrappers as found",
    "from wrapt import *; found = FunctionWrapper",
    "found = sys.modules['wrapt'].__dict__['FunctionWrapper']",
    "found = vars(sys.modules['wrapt'])['ObjectProxy']",
    "found = dir(sys.modules['wrapt'])",
    "found = getattr(sys.modules['wrapt'], 'nothing', None)",
    "found = hasattr(sys.modules['wrapt'], 'decorator')",
    "import importlib.util; found = importlib.util.find_spec('wrapt').name",
    "import importlib; found = importlib.reload(importlib.import_module('wrapt')).__name__",
    "import inspect; found = inspect.getmembers(sys.modules['wrapt'])[0][0]",
    "from unittest import mock\n"
    "with mock.patch('wrapt.decorator', 1): import wrapt; found = wrapt.decorator",
    "import threading; made = []\n"
    "def look(): import wrapt; made.append(wrapt.decorator)\n"
    "threads = [threading.Thread(target=look) for _ in range(8)]\n"
    "[each.start() for each in threads]; [each.join() for each in threads]\n"
    "found = len(made), len(set(made))",
    "found = __import__('wrapt', fromlist=['decorator']).decorator",
    "import pkgutil, wrapt; found = sorted(m.name for m in pkgutil.iter_modules(wrapt.__path__))",
]

PROGRAM = """
import json, sys, types
with_shim = sys.argv[1] == "1"
if with_shim:
    import sky_rs_patch
    sky_rs_patch.enable()
    from sky.utils import common_utils
    proxy = common_utils.base36_encode
    assert type(proxy).__name__ == "RoutedFunction", type(proxy)
    waiting = type(sys.modules["wrapt"]).__name__ == "_Unexecuted"
else:
    import wrapt
    waiting = None
{look}
import wrapt
from wrapt import wrappers, exceptions, decorators
state = {{
    "found": getattr(found, "__qualname__", None) or repr(found),
    "type": type(wrapt).__name__,
    "names": sorted(vars(wrapt)),
    "version": wrapt.__version__,
    "parts": [wrapt.wrappers.__name__, wrapt.decorators.__name__, wrapt._wrappers.__name__],
    "modules": sorted(name for name in sys.modules if name.partition(".")[0] == "wrapt"),
    "same": wrapt.FunctionWrapper is sys.modules["wrapt._wrappers"].FunctionWrapper,
}}
if with_shim:
    assert isinstance(proxy, wrapt.FunctionWrapper)
    assert wrapt.FunctionWrapper in type(proxy).__mro__
    assert proxy("ff") == "73"
print(json.dumps([waiting, state]))
"""


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_at_the_package_finds_all_of_it(look, home):
    waiting, states = [], []
    for with_shim in "01":
        code = PROGRAM.format(look=look)
        said = run_code(code, with_shim, environment={"PYTHONPATH": str(home)})
        state = json.loads(said)
        waiting.append(state[0])
        states.append(state[1])
    assert waiting == [None, True]
    assert states[0] == states[1]


PURE = """
import os, sys
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils
import wrapt
proxy = common_utils.base36_encode
print(type(wrapt).__name__, type(proxy).__name__, isinstance(proxy, wrapt.FunctionWrapper),
      proxy("ff"))
"""


def test_without_its_extension_wrapt_is_imported_whole(home):
    environment = {"PYTHONPATH": str(home), "WRAPT_DISABLE_EXTENSIONS": "1"}
    assert run_code(PURE, environment=environment) == "module PythonRoutedFunction True 73\n"


def test_where_the_extension_is_missing(home, tmp_path):
    """Its parts that were imported for it are imported anew, with the package."""
    before = (
        "import sys\n"
        "class Refusing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'wrapt._wrappers': raise ImportError('none here')\n"
        "sys.meta_path.insert(0, Refusing())\n"
    )
    after = "import wrapt.exceptions; print(wrapt.exceptions.__name__)\n"
    said = run_code(before + PURE + after, environment={"PYTHONPATH": str(home)})
    assert said == "module PythonRoutedFunction True 73\nwrapt.exceptions\n"


def test_a_package_whose_python_code_is_broken(home, tmp_path):
    """SkyPilot is served by the extension; who imports wrapt gets the error, each time."""
    code = (
        "import sky_rs_patch\nsky_rs_patch.enable()\nfrom sky.utils import common_utils\n"
        "import sys\nsys.modules['wrapt.decorators'] = None\n"
        "found = []\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        import wrapt\n"
        "        wrapt.decorator\n"
        "    except ImportError: found.append('ImportError')\n"
        "del sys.modules['wrapt.decorators']\n"
        "import wrapt\n"
        "print(found, wrapt.decorator.__name__, common_utils.base36_encode('ff'))\n"
    )
    done = run_python("-c", code, environment={"PYTHONPATH": str(home)})
    assert done.stdout == "['ImportError', 'ImportError'] decorator 73\n", done.stderr


def test_a_child_of_a_fork_can_import_it(home):
    code = (
        "import os, sys\nimport sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import common_utils\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    import wrapt\n"
        "    os._exit(0 if isinstance(common_utils.base36_encode, wrapt.FunctionWrapper) else 1)\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    assert run_code(code, environment={"PYTHONPATH": str(home)}) == "0\n"
