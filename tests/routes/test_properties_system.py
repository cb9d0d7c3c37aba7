"""Ports, processors, memory, processes and workers against their originals."""

import collections
import contextlib
import importlib
import logging
import os
import signal
import socket
import string
import subprocess
import threading
import types

import pytest
from differential import (
    FALLBACK,
    SUBPROCESS,
    any_text,
    calls,
    compare,
    either,
    enable,
    home,
    huge_integers,
    odd_values,
    property_test,
    proxy_of,
)
from hypothesis import strategies as st
from one_call import Call, Fresh, OddInt, OddStr, call, environment, limit, setting, unprivileged
from test_properties_files import DIRECTORIES, FORMS, directory, directory_names

SILENT, DEBUG, OWN_HANDLER = logging.INFO, logging.DEBUG, None
LEVELS = (SILENT, DEBUG, OWN_HANDLER)

# find_free_port


def busy(*ports):
    """Holds ports for the length of the call; those that are taken anyway are busy, too."""

    @contextlib.contextmanager
    def hold():
        with contextlib.ExitStack() as stack:
            for port in ports:
                listener = stack.enter_context(socket.socket())
                with contextlib.suppress(OSError):
                    listener.bind(("", port))
            yield

    return Fresh(f"busy{ports}", lambda _: hold())


@st.composite
def port_calls(draw, levels=LEVELS):
    # Below the ports that the kernel gives to connections.
    start = draw(either(st.integers(20_000, 30_000), st.integers(65_520, 65_534)))
    taken = draw(st.sets(st.integers(0, 5), max_size=6))
    ports = [start + offset for offset in sorted(taken) if start + offset <= 65_535]
    given = draw(calls({"start_port": st.just(start)}, log_levels=levels))
    return given._replace(around=(busy(*ports),) if ports else ())


@property_test(
    port_calls(levels=(SILENT, OWN_HANDLER)).filter(lambda given: max_port(given) < 65_500),
    examples=250,
    share=1.0,
)
def test_find_free_port_among_busy_ones(given):
    compare("find_free_port", given)


def max_port(given):
    return max((*given.args, *given.kwargs.values()))


@property_test(port_calls(), examples=250)
def test_find_free_port_with_a_handler_for_every_record(given):
    compare("find_free_port", given)


@property_test(
    calls(
        {"start_port": st.integers(20_000, 30_000)},
        odd={
            "start_port": either(
                st.sampled_from([0, 1, 80, 65_533, 65_534, 65_535, 65_536, -1, -5, 70_000]),
                huge_integers,
                odd_values(),
            )
        },
        malformed=True,
        around=st.sampled_from(
            [(), (busy(65_534),), (busy(65_533, 65_534),), (limit("RLIMIT_NOFILE", 0),)]
        ),
        log_levels=LEVELS,
    ),
    examples=400,
)
def test_find_free_port_of_anything(given):
    compare("find_free_port", given)


def every_way_to_log(*args, around=()):
    return [Call(args, {}, around, level) for level in (*LEVELS, logging.WARNING)]


@pytest.mark.parametrize("start", [0, 1, 1020, 65_533, 65_534, 65_535, 65_536, -1])
def test_find_free_port_at_the_ends(start):
    surroundings = [(), (unprivileged,), (limit("RLIMIT_NOFILE", 0),)]
    if start >= 65_000:
        surroundings += [(busy(65_534),), (busy(65_533),), (busy(65_533, 65_534),)]
    for around in surroundings:
        for given in every_way_to_log(start, around=around):
            compare("find_free_port", given)


def test_find_free_port_tells_of_every_busy_port():
    if "logger" not in proxy_of("find_free_port").__wrapped__.__code__.co_names:
        pytest.skip("this SkyPilot's original says nothing")
    around = (busy(21_000, 21_001, 21_002),)
    outcome = compare("find_free_port", Call((21_000,), {}, around, DEBUG))
    assert outcome.declined == "logging"
    assert len(outcome.observation.records) >= 3


def test_find_free_port_where_one_may_not_bind(monkeypatch):
    # Port 1 to 1023, each with a record, where the kernel keeps them to root.
    compare("find_free_port", Call((1,), {}, (unprivileged,), DEBUG))
    compare("find_free_port", Call((1,), {}, (unprivileged,), SILENT))


def filtered(on):
    """A filter that refuses every record, on SkyPilot's logger or on the module's."""

    @contextlib.contextmanager
    def put():
        logger = logging.getLogger(on)
        logger.addFilter(refuse)
        try:
            yield
        finally:
            logger.removeFilter(refuse)

    def refuse(_):
        return False

    return Fresh(f"filtered({on})", lambda _: put())


def logger_state(on, **attributes):
    @contextlib.contextmanager
    def put():
        logger = logging.getLogger(on)
        before = {name: getattr(logger, name) for name in attributes}
        for name, value in attributes.items():
            setattr(logger, name, value)
        # Loggers remember for which levels they are enabled.
        logger.manager._clear_cache()
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(logger, name, value)
            logger.manager._clear_cache()

    return Fresh(f"logger_state({on}, {attributes!r})", lambda _: put())


@pytest.mark.parametrize(
    "around",
    [
        filtered("sky"),
        filtered("sky.utils.common_utils"),
        logger_state("sky.utils.common_utils", level=logging.INFO),
        logger_state("sky.utils.common_utils", level=logging.NOTSET),
        logger_state("sky.utils.common_utils", disabled=True),
        logger_state("sky.utils.common_utils", propagate=False),
        logger_state("sky", propagate=True),
        logger_state("sky", level=logging.WARNING),
        logger_state("sky", handlers=[]),
    ],
    ids=repr,
)
def test_find_free_port_whatever_the_loggers_are_set_to(around):
    for given in every_way_to_log(22_000, around=(around, busy(22_000))):
        compare("find_free_port", given)


# get_cpu_count and get_mem_size_gb

CPU = "SKYPILOT_POD_CPU_CORE_LIMIT"
GB, BYTES = "SKYPILOT_POD_MEMORY_GB_LIMIT", "SKYPILOT_POD_MEMORY_BYTES_LIMIT"

finite_numbers = either(
    st.integers(-(10**6), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds(
        "{}{}{}".format, st.sampled_from(" \t\n"), st.floats(0, 1e5), st.sampled_from(" \n\r")
    ),
    st.integers(10**3, 10**9).map("{:_}".format),
    st.sampled_from(
        ["0", "-0", "-0.0", "+4", "4.", ".5", "1e3", "1E-3", "1_0.5_0", "0.9999", "00"]
    ),
    st.text(string.digits, min_size=1, max_size=60),
)
texts_of_numbers = either(
    finite_numbers,
    st.sampled_from(
        ["inf", "-inf", "nan", "-nan", "+NaN", "Infinity", "iNf", "1e400", "-1e400", "1e-400"]
    ),
    st.sampled_from(["", " ", "four", "0x10", "1__0", "_1", "1_", "1e", "1 2", "--1", "e5", "."]),
    st.sampled_from(["\x1c1", "1\x1f", "\x851", "\xa01\u2003", "٣", "１.５", "𝟘", "é", "1\udcff"]),
    st.text(st.sampled_from("0123456789_.eE+- \tnaif"), max_size=12),
    any_text.map(lambda text: text.replace("\0", "").encode("utf-8", "replace").decode()),
)
variables = either(
    texts_of_numbers,
    st.binary(max_size=8).map(lambda data: data.replace(b"\0", b"")),
    st.none(),
)


def one_processor():
    @contextlib.contextmanager
    def bind():
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    return Fresh("one_processor()", lambda _: bind())


@property_test(
    finite_numbers.map(lambda text: Call((), {}, (environment(**{CPU: text}),))),
    examples=300,
    share=0.95,
)
def test_get_cpu_count_of_a_set_number(given):
    # Only int() of a float that is too large for it is left to the original.
    compare("get_cpu_count", given)


@property_test(st.tuples(variables, st.booleans(), calls({}, malformed=True)), examples=600)
def test_get_cpu_count_of_anything(drawn):
    text, alone, given = drawn
    around = [environment(**{CPU: text})] + [one_processor()] * alone
    compare("get_cpu_count", given._replace(around=tuple(around)))


def test_get_cpu_count_of_this_machine():
    assert compare("get_cpu_count", call()).rust
    compare("get_cpu_count", Call(around=(unprivileged,)))
    compare("get_cpu_count", Call(around=(limit("RLIMIT_NOFILE", 0),)))
    assert compare("get_cpu_count", Call(around=(one_processor(),))).rust


@property_test(
    st.tuples(st.sampled_from([GB, BYTES]), finite_numbers).map(
        lambda drawn: Call(
            (), {}, (environment(**{GB: None, BYTES: None}), environment(**{drawn[0]: drawn[1]}))
        )
    ),
    examples=300,
    share=1.0,
)
def test_get_mem_size_gb_of_a_set_number(given):
    compare("get_mem_size_gb", given)


@property_test(st.tuples(variables, variables, calls({}, malformed=True)), examples=600)
def test_get_mem_size_gb_of_anything(drawn):
    gb, size, given = drawn
    compare("get_mem_size_gb", given._replace(around=(environment(**{GB: gb, BYTES: size}),)))


def test_get_mem_size_gb_of_this_machine():
    assert compare("get_mem_size_gb", call()).rust
    compare("get_mem_size_gb", Call(around=(unprivileged,)))
    compare("get_mem_size_gb", Call(around=(limit("RLIMIT_NOFILE", 0),)))


# get_parallel_threads

clouds = either(
    st.none(),
    st.sampled_from(["kubernetes", "Kubernetes", "KUBERNETES", "aws", "", " kubernetes", "gcp"]),
    st.text(st.characters(max_codepoint=0x7F), max_size=12),
)
odd_clouds = either(
    clouds,
    # Letters that become ASCII in lower case, or grow longer.
    st.sampled_from(["\u212aubernetes", "KUBERNETES\u0130", "kuberneteſ", "ＫＵＢ", "\udc80"]),
    clouds.filter(lambda cloud: cloud is not None).map(OddStr),
    any_text,
    odd_values(),
)


@property_test(calls({}, {"cloud_str": clouds}), examples=200, share=1.0)
def test_get_parallel_threads_of_clouds(given):
    compare("get_parallel_threads", given)


@property_test(
    calls(
        {},
        {"cloud_str": clouds},
        odd={"cloud_str": odd_clouds},
        malformed=True,
        around=st.sampled_from([(), (one_processor(),), (limit("RLIMIT_NOFILE", 0),)]),
    ),
    examples=400,
)
def test_get_parallel_threads_of_anything(given):
    compare("get_parallel_threads", given)


# get_max_workers_for_file_mounts


class OddDict(dict):
    def values(self):
        return ["/proc/self/task", *super().values()]


def warned(value):
    """Whether the original thinks that it has warned of a low limit."""
    return setting(SUBPROCESS, "_fd_limit_warning_shown", value)


TEXT_FORMS = ("str", "relative", "with a slash", "with dots")
text_forms = st.sampled_from(TEXT_FORMS)
sources = either(
    st.sampled_from([path for path in DIRECTORIES if isinstance(path, (str, Fresh))]).filter(
        lambda path: path != "\ud800"
    ),
    st.builds(directory, directory_names, text_forms, st.sampled_from([0, 40])),
    st.text(st.characters(exclude_characters="\0", categories=("L", "N", "P")), max_size=9),
)
mounts_of = {
    "plain": st.dictionaries(st.text(max_size=4), sources, max_size=1),
    # Only one directory can be made at a time.
    "any": st.dictionaries(
        st.text(max_size=4),
        either(
            st.sampled_from([path for path in DIRECTORIES if path != 987654]),
            odd_values(),
        ),
        max_size=4,
    ),
}
limits = st.sampled_from([60, 99, 100, 104, 105, 110, 200, 500, 1023, 1024, 1500, 4096])


@st.composite
def worker_calls(draw, mounts, clouds, *, odd=None, malformed=False, levels=LEVELS):
    given = draw(
        calls(
            {"common_file_mounts": mounts},
            {"cloud_str": clouds},
            odd=odd,
            malformed=malformed,
            log_levels=levels,
        )
    )
    around = []
    if draw(st.booleans()):
        around.append(warned(draw(st.sampled_from([True, False]))))
        if malformed and draw(st.integers(0, 5)) == 0:
            around[-1] = warned(draw(st.sampled_from([1, 0, None, "yes"])))
    if draw(st.booleans()):
        around.append(limit("RLIMIT_NOFILE", draw(limits)))
    if malformed and draw(st.integers(0, 5)) == 0:
        around.append(unprivileged)
    return given._replace(around=tuple(around))


def readable(given):
    """Whether nothing about the call is for the original alone."""
    labels = [str(value) for value in (*given.args, *given.kwargs.values())]
    outside = ("unreadable", "link to itself", "\\x00", "x" * 200, "/x/x", "path of a pipe")
    low = any("limit" in repr(each) for each in given.around)
    reported = any("= True" in repr(each) for each in given.around)
    return not any(word in label for label in labels for word in outside) and (not low or reported)


@property_test(
    worker_calls(mounts_of["plain"], clouds, levels=(SILENT, OWN_HANDLER)).filter(readable),
    examples=250,
    share=1.0,
)
def test_get_max_workers_of_directories(given):
    compare("get_max_workers_for_file_mounts", given)


@property_test(worker_calls(mounts_of["plain"], clouds, levels=LEVELS), examples=250)
def test_get_max_workers_with_limits_and_handlers(given):
    compare("get_max_workers_for_file_mounts", given)


@property_test(
    worker_calls(
        mounts_of["plain"],
        clouds,
        odd={
            "common_file_mounts": either(
                mounts_of["any"],
                mounts_of["any"].map(collections.OrderedDict),
                st.just(OddDict(a="/proc/self/fd")),
                st.just(collections.UserDict(a="/proc/self/task")),
                st.just(types.MappingProxyType({"a": "/proc/self/task"})),
                odd_values(),
            ),
            "cloud_str": odd_clouds,
        },
        malformed=True,
    ),
    examples=500,
)
def test_get_max_workers_of_anything(given):
    compare("get_max_workers_for_file_mounts", given)


@pytest.mark.parametrize("shown", [False, True, 1, 0, None])
@pytest.mark.parametrize("soft", [60, 104, 1023, 1024])
@pytest.mark.parametrize("level", [SILENT, DEBUG, logging.ERROR, OWN_HANDLER])
def test_get_max_workers_warns_once(soft, shown, level):
    around = (limit("RLIMIT_NOFILE", soft), warned(shown))
    given = Call(({"a": "/proc/self/task"},), {}, around, level)
    outcome = compare("get_max_workers_for_file_mounts", given)
    changed = "_fd_limit_warning_shown" in outcome.observation.module_globals
    assert changed == (soft < 1024 and not shown)
    quiet = soft >= 1024 or shown is True
    assert outcome.rust == (quiet and level != DEBUG)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "Watched"])
def test_get_max_workers_of_every_kind_of_path(form):
    mounts = {"a": directory({"x", "y"}, form, 100)}
    outcome = compare("get_max_workers_for_file_mounts", Call((mounts,), {}, (), SILENT))
    assert outcome.rust == (form in (*TEXT_FORMS, "in a file"))


@pytest.mark.parametrize("count", [0, 1, 19, 100, 180, 200, 1000])
def test_get_max_workers_of_many_entries(count):
    mounts = {"a": directory((), count=count), "b": "/nowhere"}
    for soft in (200, 1024, 4096):
        around = (limit("RLIMIT_NOFILE", soft), warned(True))
        for cloud in (None, "kubernetes"):
            given = Call((mounts, cloud), {}, around, SILENT)
            assert compare("get_max_workers_for_file_mounts", given).rust


@pytest.mark.parametrize("path", DIRECTORIES, ids=lambda path: repr(path)[:40])
def test_get_max_workers_of_special_paths(path):
    for around in ((), (unprivileged,), (limit("RLIMIT_NOFILE", 0), warned(True))):
        for level in (SILENT, DEBUG):
            given = Call(({"a": "/proc/self/task", "b": path},), {}, around, level)
            compare("get_max_workers_for_file_mounts", given)


# is_process_alive


def zombie(stack):
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    stack.callback(child.wait)
    return child.pid


def running(stack):
    child = subprocess.Popen(["sleep", "60"])
    stack.callback(child.wait)
    stack.callback(child.kill)
    return child.pid


def stopped(stack):
    child = subprocess.Popen(["sleep", "60"])
    child.send_signal(signal.SIGSTOP)
    stack.callback(child.wait)
    stack.callback(child.kill)
    return child.pid


def thread(stack):
    done = threading.Event()
    worker = threading.Thread(target=done.wait)
    worker.start()
    stack.callback(worker.join)
    stack.callback(done.set)
    return worker.native_id


def gone(_):
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def another_users(stack):
    if os.geteuid() != 0:
        return 1
    child = subprocess.Popen(["sleep", "60"], user=65534, group=65534)
    stack.callback(child.wait)
    stack.callback(child.kill)
    return child.pid


PROCESSES = [
    Fresh(make.__name__, make) for make in (zombie, running, stopped, thread, gone, another_users)
]
# The numbers of this process and its parent would name tests anew in every session.
PIDS = [0, 1, 2, 2**22, 2**31 - 1]
OWN_PIDS = [os.getpid(), os.getppid()]
BEYOND = [-1, -(2**31), 2**31, 2**32, 2**32 + 1, 2**63, 2**64 + 1, 10**400]


@pytest.mark.parametrize("pid", [*PROCESSES, *PIDS], ids=repr)
def test_is_process_alive_of_processes(pid):
    assert compare("is_process_alive", call(pid)).rust
    assert compare("is_process_alive", call(pid=pid)).rust
    compare("is_process_alive", Call((pid,), around=(unprivileged,)))


@pytest.mark.parametrize("pid", [0, 1, 2**31 - 1])
def test_is_process_alive_without_a_descriptor_left(pid):
    # psutil opens a file of /proc, so it fails.
    compare("is_process_alive", Call((pid,), around=(limit("RLIMIT_NOFILE", 0),)))


@pytest.mark.parametrize("pid", BEYOND)
def test_is_process_alive_of_numbers_that_are_no_pids(pid):
    compare("is_process_alive", call(pid))


@property_test(
    calls({"pid": either(st.integers(0, 2**31 - 1), st.integers(0, 5000))}),
    examples=250,
    share=1.0,
)
def test_is_process_alive_of_numbers(given):
    compare("is_process_alive", given)


@property_test(
    calls(
        {"pid": st.integers(0, 5000)},
        odd={
            "pid": either(
                st.sampled_from([*PIDS, *OWN_PIDS, *BEYOND]),
                st.integers(0, 9).flatmap(
                    lambda pid: st.sampled_from([str(pid), float(pid), bool(pid), OddInt(pid)])
                ),
                huge_integers,
                odd_values(),
            )
        },
        malformed=True,
    ),
    examples=400,
)
def test_is_process_alive_of_anything(given):
    compare("is_process_alive", given)


def test_fallback_offers_the_same_functions_and_their_originals():
    enable()
    module = importlib.import_module(FALLBACK)
    for name in ("base36_encode", "hash_file", "get_parallel_threads", "is_process_alive"):
        assert getattr(module, name) is proxy_of(name)
        assert getattr(module, f"_python_{name}") is proxy_of(name).__wrapped__
        assert home(name) is not None
