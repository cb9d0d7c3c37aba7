"""First calls where what derives their guards can't be imported: the original answers, quietly."""

import json

import pytest
from support import COMMON, run_python, small_skypilot


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return small_skypilot(tmp_path_factory.mktemp("small"))


BEGIN = """
import builtins, json, os, resource, signal, sys, threading
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils
proxy = common_utils.base36_encode
assert type(proxy).__name__ == "RoutedFunction"
assert "sky_rs_patch._runtime.implementation" not in sys.modules
first = second = None
"""
END = """
second = common_utils.base36_encode("ff")
print(json.dumps([first, second, proxy._self_route.counts()[:2]]))
"""
SITUATIONS = {
    "no descriptor is left": """
plain = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, plain[1]))
first = proxy("ff")
resource.setrlimit(resource.RLIMIT_NOFILE, plain)
""",
    "imports are mocked": """
from unittest import mock
with mock.patch("builtins.__import__") as mocked:
    first = proxy("ff")
assert {each.args[0] for each in mocked.call_args_list} <= {"sys"}
""",
    "no finder is there": """
finders, sys.meta_path[:] = sys.meta_path[:], []
first = proxy("ff")
sys.meta_path[:] = finders
""",
    "the stack is nearly full": """
def deep(left):
    return proxy("ff") if not left else deep(left - 1)
frame, depth = sys._getframe(), 0
while frame is not None:
    frame, depth = frame.f_back, depth + 1
first = deep(sys.getrecursionlimit() - depth - 8)
""",
    "the call comes in the midst of that import": """
class Calling:
    called = None
    def find_spec(self, name, path=None, target=None):
        if name == "sky_rs_patch._guards.walk" and Calling.called is None:
            Calling.called = common_utils.format_float(2.5)
sys.meta_path.insert(0, Calling())
first = proxy("ff")
assert Calling.called == "2.5"
assert common_utils.format_float._self_route.counts()[:2] == (0, 1)
common_utils.format_float(2.5)
assert common_utils.format_float._self_route.counts()[:2] == (1, 1)
""",
}
#: Rust answers the second call; the first one, too, where it could be looked at.
ANSWERED_BY_RUST = {"the call comes in the midst of that import": 2}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_first_call_where_nothing_can_be_imported(situation, home):
    code = BEGIN + SITUATIONS[situation] + END
    done = run_python("-c", code, environment={"PYTHONPATH": str(home)})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    rust = ANSWERED_BY_RUST.get(situation, 1)
    assert json.loads(done.stdout) == ["73", "73", [rust, 2 - rust]]


INTERRUPTED = """
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "sky_rs_patch._guards.walk":
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGALRM)
def handler(signum, frame):
    raise {error}
signal.signal(signal.SIGALRM, handler)
sys.meta_path.insert(0, Interrupting())
try:
    proxy("ff")
except {error} as error:
    first = "73"
"""


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "TimeoutError", "SystemExit"])
def test_a_signal_in_the_midst_of_that_import(error, home):
    """What its handler raises is the caller's; the next call is served."""
    code = BEGIN + INTERRUPTED.format(error=error) + END
    done = run_python("-c", code, environment={"PYTHONPATH": str(home)})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert json.loads(done.stdout)[:2] == ["73", "73"]
    assert json.loads(done.stdout)[2][0] == 1


FORKED = """
import time
reads, writes = os.pipe()
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "sky_rs_patch._guards.walk":
            started.set()
            time.sleep(1)
started = threading.Event()
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=proxy, args=("ff",))
thread.start(); started.wait(20)
child = os.fork()
if child == 0:
    os.write(writes, proxy("ff").encode())
    os._exit(0)
os.waitpid(child, 0)
first = os.read(reads, 10).decode()
thread.join()
"""


def test_a_child_of_a_fork_in_the_midst_of_that_import(home):
    done = run_python("-c", BEGIN + FORKED + END, environment={"PYTHONPATH": str(home)})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert json.loads(done.stdout)[:2] == ["73", "73"]


AT_THE_END = """
class Late:
    def __init__(self): self.call = proxy
    def __del__(self, write=os.write):
        write(1, self.call("ff").encode() + b"\\n")
sys.late = Late()
import atexit
atexit.register(lambda: os.write(1, common_utils.format_float(2.5).encode() + b"\\n"))
"""


def test_a_first_call_while_the_interpreter_ends(home):
    """In a function for its end, and in what goes with the last modules."""
    done = run_python("-c", BEGIN + AT_THE_END, environment={"PYTHONPATH": str(home)})
    assert done.returncode == 0
    assert done.stdout.split() == ["2.5", "73"]
    assert done.stderr == ""


def test_counts_of_a_module_that_went_before_anybody_asked(home):
    code = (
        "import gc, json, sys\nimport sky_rs_patch\nsky_rs_patch.enable()\n"
        "from sky.utils import common_utils\ncommon_utils.base36_encode('ff')\n"
        "import sky.utils\n"
        "del sys.modules['sky.utils.common_utils'], sky.utils.common_utils, common_utils\n"
        "gc.collect()\nfrom sky.utils import common_utils\ncommon_utils.base36_encode('ff')\n"
        f"print(json.dumps(sky_rs_patch.status()['routes']['{COMMON}.base36_encode']['calls']))\n"
    )
    done = run_python("-c", code, environment={"PYTHONPATH": str(home)})
    assert json.loads(done.stdout) == {"rust": 2, "python": 0}, done.stderr
