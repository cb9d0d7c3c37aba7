"""``release_memory``: asked for by name, and what may stay uncollected for how long."""

import contextlib
import ctypes
import gc
import logging
import os
import pathlib
import resource
import subprocess
import sys
import threading
import weakref
from unittest import mock

import applicability
import pytest
from support import COMMON, counting, run_code, run_python, status_of

import sky_rs_patch
from sky_rs_patch._routes import release_memory

TARGET = f"{COMMON}.release_memory"
VARIABLE = "SKY_RS_ENABLE"
OFF = "opt-in: set SKY_RS_ENABLE=release_memory (not exact in effect: docs/release-memory.md)"
ON = "not exact in effect: docs/release-memory.md"

pytest.importorskip("sky.utils.common_utils")
from sky.utils import common_utils  # noqa: E402

applicability.require("release_memory")


def immortal():
    """How many objects CPython 3.12 puts among the frozen; 3.11 has none, and 3.13 doesn't."""
    gc.unfreeze()
    return sum(sys.getrefcount(each) > 1 << 29 for each in gc.get_objects())


IMMORTAL = immortal()

#: Not as a name of the module, which would be bound to the proxy with the other copies.
KEPT = (common_utils.release_memory,)


#: From the nightly of October 2026 on: what returns memory is looked for once, and then kept.
KEPT_RETURNER = getattr(common_utils, "_get_free_memory_returner", None)
#: What a call returns, and what one that fails does.
RESULTS, FAILED = ((0, 1), 0) if KEPT_RETURNER is None else ((None,), None)


def forget_returner():
    """The next call looks for what returns memory."""
    if KEPT_RETURNER is not None:
        KEPT_RETURNER.cache_clear()


class Node:
    """Part of a cycle."""


def cycle():
    """A new cycle."""
    node, other = Node(), Node()
    node.other, other.other = other, node
    return node


def garbage():
    """What tells of the death of a new cycle that nobody refers to."""
    return weakref.ref(cycle())


def served(times=1):
    """Calls the function, which must be served by the policy."""
    with counting(TARGET) as counted:
        for _ in range(times):
            assert common_utils.release_memory() in RESULTS
    assert (counted.rust, counted.python) == (times, 0), counted.declines


def declined(reason="candidate"):
    """Calls the function, which must be served by the original."""
    with counting(TARGET) as counted:
        assert common_utils.release_memory() in RESULTS
    assert (counted.rust, counted.python) == (0, 1)
    assert list(counted.declines) == [reason]


def policy():
    return release_memory._policy


@pytest.fixture(autouse=True)
def nothing_happens_by_itself():
    """No automatic collection decides a test, and no test decides another."""
    gc.collect()
    gc.disable()
    yield
    sky_rs_patch.disable()
    forget_returner()
    gc.unfreeze()
    gc.enable()
    gc.collect()


@pytest.fixture
def on(nothing_happens_by_itself, disabled_before_and_after):
    """The route is asked for and enabled."""
    with sky_rs_patch.enabled(opt_in=["release_memory"]):
        yield


# Asking for it


def test_off_by_default(enabled):
    assert common_utils.release_memory is KEPT[0]
    assert (status_of(TARGET)["state"], status_of(TARGET)["reason"]) == ("inactive", OFF)
    common_utils.release_memory()
    assert gc.get_freeze_count() <= IMMORTAL


def test_asked_for_by_the_environment(monkeypatch):
    monkeypatch.setenv(VARIABLE, "release_memory")
    with sky_rs_patch.enabled():
        assert (status_of(TARGET)["state"], status_of(TARGET)["reason"]) == ("active", ON)
        served()
    assert common_utils.release_memory is KEPT[0]


@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_asking_for_nothing(value, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    with sky_rs_patch.enabled():
        assert status_of(TARGET)["reason"] == OFF


@pytest.mark.parametrize("value", [" release_memory", "release_memory ,", "release_memory,,"])
def test_spaces_and_stray_commas_do_not_matter(value, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    with sky_rs_patch.enabled():
        assert status_of(TARGET)["state"] == "active"


@pytest.mark.parametrize("value", ["all", "1", "Release_Memory", "release_memory,hash_file", "x y"])
def test_unknown_names_are_an_error(value, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ValueError) as caught:
        sky_rs_patch.enable()
    assert f"SKY_RS_ENABLE={value!r}" in str(caught.value)
    assert "use release_memory" in str(caught.value)
    assert not sky_rs_patch.status()["enabled"]
    assert common_utils.release_memory is KEPT[0]


@pytest.mark.parametrize(
    "command", [["-m", "sky_rs_patch", "status"], ["-m", "sky_rs_patch.activate"]]
)
def test_commands_refuse_unknown_names(command):
    done = run_python(*command, environment={VARIABLE: "release_memry"})
    assert done.returncode == 2
    assert done.stdout == ""
    assert "SKY_RS_ENABLE='release_memry'" in done.stderr
    assert "use release_memory" in done.stderr


def test_an_unknown_name_leaves_an_activated_program_on_python():
    done = run_python(
        "-c",
        "import sky_rs_patch\n"
        "from sky.utils import common_utils\n"
        "print(type(common_utils.base36_encode).__name__)",
        environment={VARIABLE: "release_memry", "SKY_RS_PATCH_ACTIVE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "function\n"
    assert "SKY_RS_ENABLE='release_memry'" in done.stderr


@pytest.mark.parametrize("names", [["release_memory"], ("release_memory",), "release_memory"])
def test_asked_for_by_a_program(names):
    sky_rs_patch.enable(opt_in=names)
    assert status_of(TARGET)["state"] == "active"
    # Enabling once more takes nothing back.
    sky_rs_patch.enable()
    assert status_of(TARGET)["state"] == "active"
    sky_rs_patch.disable()
    sky_rs_patch.enable()
    assert status_of(TARGET)["reason"] == OFF


@pytest.mark.parametrize("names", [["hash_file"], ["release_memory", "x"], "x"])
def test_a_program_that_asks_for_unknown_names(names):
    with pytest.raises(ValueError, match="use release_memory"):
        sky_rs_patch.enable(opt_in=names)
    assert not sky_rs_patch.status()["enabled"]
    sky_rs_patch.enable()
    assert status_of(TARGET)["reason"] == OFF


def test_asked_for_while_enabled(enabled):
    with sky_rs_patch.enabled(opt_in=["release_memory"]):
        served(2)
        assert gc.get_freeze_count() > 0
    assert common_utils.release_memory is KEPT[0]
    assert status_of(TARGET)["reason"] == OFF
    assert status_of("base36_encode")["state"] == "active"
    assert gc.get_freeze_count() <= IMMORTAL


def test_no_longer_asked_for(monkeypatch):
    monkeypatch.setenv(VARIABLE, "release_memory")
    sky_rs_patch.enable()
    served()
    monkeypatch.delenv(VARIABLE)
    served()
    sky_rs_patch.enable()
    assert status_of(TARGET)["reason"] == OFF
    assert common_utils.release_memory is KEPT[0]
    assert gc.get_freeze_count() <= IMMORTAL


def test_children_inherit_it():
    code = (
        "import subprocess, sys\n"
        "code = 'from sky.utils import common_utils as c; print(type(c.release_memory).__name__)'\n"
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)"
    )
    environment = {VARIABLE: "release_memory", "SKY_RS_PATCH_ACTIVE": "1"}
    assert run_code(code, environment=environment).split() == ["RoutedFunction"]
    environment.pop(VARIABLE)
    assert run_code(code, environment=environment).split() == ["function"]


# What is collected, and when


def test_the_first_call_collects_everything(on):
    old = garbage()
    assert old() is not None
    served()
    assert old() is None
    assert gc.get_freeze_count() > 1000


def test_garbage_since_the_last_full_collection_lasts_until_the_next_call(on):
    served()
    for _ in range(5):
        new = [garbage() for _ in range(100)]
        assert all(reference() is not None for reference in new)
        served()
        assert all(reference() is None for reference in new)
    assert (policy().full, policy().partial) == (1, 5)


def test_so_does_what_survived_some_calls_first(on):
    served()
    alive = cycle()
    reference = weakref.ref(alive)
    served(3)
    assert reference() is alive
    del alive
    served()
    assert reference() is None
    assert policy().full == 1


def test_what_went_through_automatic_collections_counts_as_new(on):
    served()
    alive = [cycle() for _ in range(100)]
    references = [weakref.ref(node) for node in alive]
    gc.collect(0)
    gc.collect(1)
    gc.collect(0)
    gc.collect(1)
    del alive
    gc.collect(0)
    gc.collect(1)
    served()
    assert all(reference() is None for reference in references)
    assert policy().full == 1


def test_garbage_among_the_frozen_lasts_for_so_many_calls(on, monkeypatch):
    monkeypatch.setattr(release_memory, "MAX_CALLS", 10)
    alive = cycle()
    reference = weakref.ref(alive)
    served()
    del alive
    served(9)
    assert reference() is not None
    assert policy().full == 1
    served()
    assert reference() is None
    assert policy().full == 2
    served(9)
    assert policy().full == 2
    served()
    assert policy().full == 3


def test_garbage_among_the_frozen_lasts_for_so_many_seconds(on, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(release_memory.time, "monotonic", lambda: now)
    alive = cycle()
    reference = weakref.ref(alive)
    served()
    del alive
    now += release_memory.MAX_SECONDS - 1
    served()
    assert reference() is not None
    now += 1
    served()
    assert reference() is None
    now += release_memory.MAX_SECONDS - 1
    served()
    assert policy().full == 2


def test_the_bounds():
    bounds = (release_memory.MAX_CALLS, release_memory.MAX_SECONDS, release_memory.MAX_GROWTH)
    assert bounds == (100, 60.0, 0.25)


def test_growth_makes_the_next_collection_a_full_one(on, monkeypatch):
    alive = cycle()
    reference = weakref.ref(alive)
    served()
    del alive
    quarter = policy()._frozen // 4
    kept = [[] for _ in range(quarter // 2)]
    served()
    assert reference() is not None
    kept += [[] for _ in range(quarter)]
    served()
    assert reference() is None
    assert policy().full == 2
    # What was added is frozen now.
    served()
    assert (policy().full, policy()._frozen) == (2, pytest.approx(5.5 * quarter, rel=0.05))
    del kept


def test_garbage_is_no_growth(on):
    served()
    for _ in range(policy()._frozen):
        cycle()
    served()
    assert (policy().full, policy().partial) == (1, 1)


def test_a_finalizer_that_calls_it(on):
    class Calls:
        def __del__(self):
            results.append(common_utils.release_memory())

    results = []
    served()
    node = Calls()
    node.me = node
    del node
    with counting(TARGET) as counted:
        common_utils.release_memory()
    assert (counted.rust, counted.python) == (1, 1)
    assert len(results) == 1
    served()


def test_threads(on):
    references = []

    def work():
        for _ in range(6):
            reference = garbage()
            common_utils.release_memory()
            references.append(reference)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served()
    assert len(references) == 24
    assert all(reference() is None for reference in references)
    assert policy().problem is None


# Full collections of others


@pytest.mark.parametrize("collect", [gc.collect, lambda: gc.collect(2), KEPT[0]])
def test_others_collect_everything(on, collect):
    alive = cycle()
    reference = weakref.ref(alive)
    served(2)
    del alive
    collect()
    assert reference() is None
    # From then on it is as in the beginning.
    served(2)
    assert (policy().full, policy().problem) == (2, None)


@pytest.mark.parametrize("generation", [0, 1])
def test_partial_collections_of_others_are_their_own(on, generation):
    served()
    frozen = gc.get_freeze_count()
    gc.collect(generation)
    assert gc.get_freeze_count() == pytest.approx(frozen, abs=1000)
    served()
    assert policy().full == 1


def test_the_original_collects_everything_while_the_switch_is_off(on, monkeypatch):
    alive = cycle()
    reference = weakref.ref(alive)
    served(2)
    del alive
    monkeypatch.setenv("SKYPILOT_USE_RUST", "0")
    declined("switch")
    assert reference() is None
    assert gc.get_freeze_count() <= IMMORTAL


def test_automatic_full_collections_are_full(on):
    alive = cycle()
    dead = []
    # From 3.12 on the collector runs right after a call like `reference()`, with what that gave
    # still in hand.
    reference = weakref.ref(alive, dead.append)
    served(2)
    del alive
    thresholds = gc.get_threshold()
    gc.set_threshold(10, 1, 1)
    gc.enable()
    kept = []
    try:
        for _ in range(200_000):
            kept.append([])
            if dead:
                break
    finally:
        gc.set_threshold(*thresholds)
        gc.disable()
    if sys.version_info < (3, 14):
        assert reference() is None
    served()
    assert reference() is None


def test_a_signal_in_a_collection_is_not_lost(on):
    """An exception in a callback of the collector would be."""
    code = """
import gc, signal, sky_rs_patch
from sky.utils import common_utils
sky_rs_patch.enable(opt_in=["release_memory"])
class Cancelled(BaseException): pass
def handler(*_): raise Cancelled
signal.signal(signal.SIGALRM, handler)
common_utils.release_memory()
for number in range(300):
    try:
        # Inside: on a busy machine the signal is here before the next line.
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + number % 20 / 10000)
        while True:
            [[] for _ in range(2000)]
            if number % 20 == 0:
                gc.collect()
                common_utils.release_memory()
    except Cancelled:
        pass
print("done")
"""
    done = run_python("-c", code)
    assert (done.stdout, done.stderr) == ("done\n", "")


# Others who freeze


def test_who_froze_before_is_left_alone(on):
    gc.freeze()
    frozen = gc.get_freeze_count()
    declined()
    assert gc.get_freeze_count() == pytest.approx(frozen, abs=1000)
    reason = status_of(TARGET)["reason"]
    assert reason == "on Python for now: somebody else uses gc.freeze()"
    sky_rs_patch.disable()
    assert gc.get_freeze_count() == pytest.approx(frozen, abs=1000)


def test_who_freezes_later_is_left_alone(on):
    served(2)
    mine = cycle()
    reference = weakref.ref(mine)
    gc.freeze()
    frozen = gc.get_freeze_count()
    del mine
    new = garbage()
    served()
    assert new() is None
    declined()
    # The original doesn't collect it either.
    assert reference() is not None
    assert status_of(TARGET)["reason"] == "on Python for now: gc.freeze() was called elsewhere"
    gc.collect()
    sky_rs_patch.disable()
    assert gc.get_freeze_count() == pytest.approx(frozen, abs=1000)
    gc.unfreeze()
    gc.collect()
    assert reference() is None


def test_who_freezes_before_a_full_collection_is_left_alone(on, monkeypatch):
    monkeypatch.setattr(release_memory, "MAX_CALLS", 1)
    served(2)
    gc.freeze()
    served()
    declined()
    assert gc.get_freeze_count() > 1000


def test_who_freezes_later_and_collects_is_left_alone(on):
    served(2)
    mine = cycle()
    reference = weakref.ref(mine)
    gc.freeze()
    del mine
    gc.collect()
    assert reference() is not None
    assert gc.get_freeze_count() > 1000
    declined()


def test_who_freezes_after_a_full_collection_of_theirs_is_left_alone(on):
    served(2)
    gc.collect()
    gc.freeze()
    declined()
    assert gc.get_freeze_count() > 1000


def test_who_unfreezes_is_left_alone(on):
    served(2)
    alive = cycle()
    reference = weakref.ref(alive)
    gc.unfreeze()
    del alive
    served()
    assert reference() is None
    assert gc.get_freeze_count() <= IMMORTAL
    declined()
    assert status_of(TARGET)["reason"] == "on Python for now: gc.unfreeze() was called elsewhere"


def test_who_empties_the_callbacks_is_left_alone(on):
    served(2)
    gc.callbacks.clear()
    declined()
    assert gc.get_freeze_count() <= IMMORTAL
    assert "gc.callbacks" in status_of(TARGET)["reason"]


def test_enabling_anew_is_another_chance(on):
    served(2)
    gc.unfreeze()
    served()
    declined()
    sky_rs_patch.disable()
    sky_rs_patch.enable(opt_in=["release_memory"])
    served(3)
    assert (policy().full, policy().partial) == (1, 2)


# Undoing


def test_disabling_leaves_nothing(on):
    callbacks = list(gc.callbacks)
    alive = cycle()
    reference = weakref.ref(alive)
    served(3)
    proxy = common_utils.release_memory
    del alive
    sky_rs_patch.disable()
    assert gc.get_freeze_count() <= IMMORTAL
    assert gc.callbacks == callbacks
    assert common_utils.release_memory is KEPT[0]
    assert reference() is not None
    # Whoever kept the proxy gets the original.
    proxy()
    assert reference() is None
    assert gc.get_freeze_count() <= IMMORTAL


def test_disabling_in_the_midst_of_a_call(on):
    class Disables:
        def __del__(self):
            sky_rs_patch.disable()

    node = Disables()
    node.me = node
    del node
    common_utils.release_memory()
    assert common_utils.release_memory is KEPT[0]
    assert gc.get_freeze_count() <= IMMORTAL


@pytest.mark.parametrize("collector", ["enable", "disable"])
def test_finalizers_run_at_the_end_of_the_process(collector):
    code = f"""
import gc, os, sky_rs_patch
from sky.utils import common_utils
sky_rs_patch.enable(opt_in=["release_memory"] * ROUTED)
gc.{collector}()
class Says:
    def __init__(self): self.me = self
    def __del__(self, write=os.write): write(1, b"finalized\\n")
says = Says()
common_utils.release_memory()
common_utils.release_memory()
del says
assert (gc.get_freeze_count() > IMMORTAL) == ROUTED
"""
    plain, routed = (
        run_code(code.replace("ROUTED", value).replace("IMMORTAL", "1000"))
        for value in ("False", "True")
    )
    assert routed == plain
    assert collector == "disable" or plain == "finalized\n"


# The call is the original's


@pytest.mark.skipif(KEPT_RETURNER is not None, reason="it returns nothing in this SkyPilot")
def test_it_returns_what_malloc_trim_says(on):
    for answer in (0, 1):
        library = mock.Mock()
        library.malloc_trim.return_value = answer
        with mock.patch.object(ctypes, "CDLL", return_value=library):
            assert common_utils.release_memory() == answer
    served()


def test_memory_goes_back_to_the_system(on):
    served()
    page = resource.getpagesize()

    def resident():
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * page

    block, keep = [], []
    for _ in range(1600):
        block.append(b"x" * 60_000)
        # Pins the end of the heap, which `free` alone would give back.
        keep.append(b"x" * 5_000)
    del block
    before = resident()
    served()
    assert before - resident() > 50_000_000
    del keep


@pytest.mark.skipif(KEPT_RETURNER is None, reason="nothing is kept in this SkyPilot")
def test_what_returns_memory_is_looked_for_once(on):
    forget_returner()
    served(3)
    KEPT[0]()
    served(2)
    assert (KEPT_RETURNER.cache_info().misses, KEPT_RETURNER.cache_info().hits) == (1, 5)


@pytest.mark.skipif(KEPT_RETURNER is None, reason="nothing is kept in this SkyPilot")
@pytest.mark.parametrize("found", [None, lambda: 0, lambda: 1 / 0])
def test_what_returns_memory_may_be_replaced(on, found):
    served(2)
    with mock.patch.object(common_utils, "_get_free_memory_returner", return_value=found) as mocked:
        declined(f"guard:{COMMON}._get_free_memory_returner")
    assert mocked.call_count == 1
    served()


@pytest.mark.skipif(KEPT_RETURNER is None, reason="nothing is kept in this SkyPilot")
@pytest.mark.parametrize("allocator", ["mallctl", "malloc_trim", "neither"])
def test_the_allocators_own_way_is_found_once_and_used_by_the_route(on, allocator):
    """As with jemalloc, with glibc and on Alpine; what was found there serves routed calls."""
    reference = garbage()
    library = mock.Mock(spec=[allocator])
    forget_returner()
    with mock.patch.object(ctypes, "CDLL", return_value=library):
        common_utils.release_memory()
    served(2)
    assert reference() is None
    calls = getattr(library, allocator).call_args_list if allocator != "neither" else [None] * 3
    first = {"mallctl": b"arena.4096.purge", "malloc_trim": 0}.get(allocator)
    assert [call and call.args[0] for call in calls] == [first] * 3


class Listener(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@contextlib.contextmanager
def listening():
    listener = Listener()
    common_utils.logger.addHandler(listener)
    try:
        yield listener.records
    finally:
        common_utils.logger.removeHandler(listener)


def test_a_failure_is_logged_as_ever(on):
    """A missing libc, as on Alpine, met by the original's own code."""
    served()

    def logged(function):
        forget_returner()
        with listening() as records:
            assert function() == FAILED
        (record,) = records
        return record.getMessage(), record.levelno, record.funcName, record.lineno, record.pathname

    with mock.patch.dict(
        common_utils.ctypes.__dict__, {"_dlopen": mock.Mock(side_effect=OSError("none"))}
    ):
        with counting(TARGET) as counted:
            ours = logged(common_utils.release_memory)
        assert ours == logged(KEPT[0])
        assert "none" in ours[0]
    assert counted.rust + counted.python == 1


def test_wrong_arguments(on):
    served()

    def message(function, *arguments, **keywords):
        with pytest.raises(TypeError) as caught:
            function(*arguments, **keywords)
        return str(caught.value)

    assert message(common_utils.release_memory, 1) == message(KEPT[0], 1)
    assert message(common_utils.release_memory, x=1) == message(KEPT[0], x=1)


@pytest.mark.parametrize("name", ["collect", "freeze", "unfreeze", "get_objects"])
def test_a_mocked_collector_is_the_originals_to_call(on, name):
    served(2)
    with mock.patch.object(gc, name) as mocked:
        with counting(TARGET) as counted:
            common_utils.release_memory()
        assert (counted.rust, counted.python) == (0, 1)
        assert mocked.call_count == (name == "collect")
    served()


def test_a_mock_in_the_module_is_seen(on):
    served()
    with mock.patch.object(common_utils, "gc") as mocked:
        common_utils.release_memory()
    assert mocked.collect.call_count == 1
    served()


def test_a_mock_before_the_first_call_is_seen(on):
    with mock.patch.object(gc, "collect") as mocked:
        common_utils.release_memory()
    assert mocked.call_count == 1
    assert gc.get_freeze_count() <= IMMORTAL
    served()


def test_ctrl_c_goes_up(on):
    served()
    forget_returner()
    with (
        mock.patch.object(common_utils.ctypes, "CDLL", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        common_utils.release_memory()
    served()


# Forks


def in_a_child(check):
    """Whether a check holds in a forked child."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if check() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_goes_on(on):
    served(2)
    frozen = gc.get_freeze_count()

    def check():
        reference = garbage()
        calls = policy().partial
        common_utils.release_memory()
        inherited = abs(gc.get_freeze_count() - frozen) < 1000
        return reference() is None and policy().partial == calls + 1 and inherited

    assert in_a_child(check)


def test_a_child_that_is_forked_during_a_call_goes_on(on):
    """The thread that holds the lock stays in the parent."""
    inside, go = threading.Event(), threading.Event()

    def trim(_):
        inside.set()
        go.wait()
        return 0

    served(2)
    library = mock.Mock(malloc_trim=trim)
    with mock.patch.object(ctypes, "CDLL", return_value=library):
        # Guards look at the class; this is what the original would get.
        policy().serve(lambda: None)
        thread = threading.Thread(target=lambda: policy().serve(lambda: trim(0)))
        thread.start()
        inside.wait()

    def check():
        reference = garbage()
        calls = policy().partial
        common_utils.release_memory()
        return reference() is None and policy().partial == calls + 1

    try:
        assert in_a_child(check)
        declined()
    finally:
        go.set()
        thread.join()
    served()


def test_a_spawned_pool_is_served(tmp_path):
    """As SkyPilot's executors are started."""
    program = tmp_path / "program.py"
    program.write_text(
        "import concurrent.futures, multiprocessing\n"
        "def work(_):\n"
        "    from sky.utils import common_utils\n"
        "    import gc, sky_rs_patch\n"
        "    common_utils.release_memory()\n"
        "    common_utils.release_memory()\n"
        "    routes = sky_rs_patch.status()['routes']\n"
        "    return routes['sky.utils.common_utils.release_memory']['calls']['rust']\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:\n"
        "        print(list(pool.map(work, [0, 1])))\n"
    )
    environment = {**os.environ, VARIABLE: "release_memory", "SKY_RS_PATCH_ACTIVE": "1"}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "[2, 4]\n", done.stderr
