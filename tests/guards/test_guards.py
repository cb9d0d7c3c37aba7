"""What an original reads can be replaced, and then the original answers."""

import contextlib
import hashlib
import io
import logging
import os
import resource
import socket
import sys
import types
from unittest import mock

import psutil
import pytest
import samples
from support import (
    COMMON,
    PRESENT,
    TARGETS,
    counting,
    function,
    outcome,
)

import sky_rs_patch
from sky_rs_patch import _testing
from sky_rs_patch._binding import extension

REAL_OPEN = open


@pytest.fixture(autouse=True)
def fresh_proxies():
    """Proxies whose guards nobody has derived yet, even if old ones wait for the collector."""
    _testing.reset()


def refuse(*arguments, **keywords):
    raise OSError("refused by a test")


class SmallSocket(socket.socket):
    """A socket that knows only high ports."""

    def bind(self, address):
        if address[1] < 39500:
            raise OSError("too low for a test")
        super().bind(address)


def text_of(content):
    """An ``open`` whose files all have that text."""
    return mock.mock_open(read_data=content)


def calls_of(replacement):
    return len(getattr(replacement, "mock_calls", ()))


def memory(total):
    return mock.Mock(total=total)


REPLACEMENTS = [
    ("read_last_n_lines", "os.path.exists", {"return_value": False}),
    ("read_last_n_lines", "builtins.open", {"side_effect": REAL_OPEN}),
    ("read_last_n_lines", "*.open", {"side_effect": refuse, "create": True}),
    ("read_last_n_lines", "*.reversed", {"side_effect": list, "create": True}),
    ("hash_file", "builtins.open", {"side_effect": refuse}),
    ("hash_file", "*.open", {"side_effect": REAL_OPEN, "create": True}),
    ("hash_file", "hashlib.new", {"side_effect": lambda name: hashlib.sha1(b"salt")}),
    ("hash_file", "_hashlib.new", {"side_effect": lambda *_, **__: hashlib.md5(b"salt")}),
    ("hash_file", "*.bytearray", {"side_effect": lambda size: bytearray(7), "create": True}),
    ("find_free_port", "socket.socket", {"new": SmallSocket}),
    ("find_free_port", "*.socket.socket", {"new": SmallSocket}),
    ("find_free_port", "socket.socket.bind", {"side_effect": [OSError("busy"), None] * 2}),
    ("find_free_port", "socket.socket", {"spec": True}),
    ("find_free_port", "*.socket", {"spec": True}),
    ("read_last_n_lines", "*.os", {"spec": True}),
    ("find_free_port", "*.range", {"side_effect": lambda *_: [39900], "create": True}),
    ("base36_encode", "*.int", {"return_value": 35, "create": True}),
    ("base36_encode", "builtins.divmod", {"return_value": (0, 1)}),
    ("format_float", "*.isinstance", {"return_value": True, "create": True}),
    ("truncate_long_string", "*.len", {"return_value": 0, "create": True}),
    ("get_cpu_count", "*._cpu_count", {"return_value": 77}),
    ("get_cpu_count", "*._is_cgroup_v2", {"return_value": True}),
    # Another function of the same module looks genuine, but for its name.
    ("get_cpu_count", "*._get_cgroup_cpu_limit", {"new": function("get_mem_size_gb")}),
    ("get_cpu_count", "*._get_cgroup_cpu_limit", {"return_value": 1.0}),
    ("get_cpu_count", "psutil.cpu_count", {"return_value": 1}),
    ("get_cpu_count", "*.psutil.cpu_count", {"return_value": 1}),
    ("get_cpu_count", "*.psutil", {"new": mock.Mock(cpu_count=lambda: 1)}),
    ("get_cpu_count", "psutil._psplatform.cpu_count_logical", {"return_value": 1}),
    ("get_cpu_count", "os.sched_getaffinity", {"return_value": {0}}),
    ("get_cpu_count", "os.sysconf", {"return_value": 1}),
    ("get_cpu_count", "os.path.isfile", {"return_value": True}),
    ("get_cpu_count", "os.stat", {"side_effect": refuse}),
    ("get_cpu_count", "os.getenv", {"return_value": "2.9"}),
    ("get_cpu_count", "*.os.getenv", {"return_value": "not a number"}),
    ("get_cpu_count", "builtins.open", {"new_callable": lambda: text_of("100000 100000")}),
    ("get_cpu_count", "*.open", {"new_callable": lambda: text_of("1 1"), "create": True}),
    ("get_cpu_count", "*.float", {"return_value": 1.0, "create": True}),
    ("get_mem_size_gb", "*._mem_size_gb", {"return_value": 0.5}),
    ("get_mem_size_gb", "*._is_cgroup_v2", {"return_value": True}),
    ("get_mem_size_gb", "*._get_cgroup_memory_limit", {"return_value": 4096}),
    ("get_mem_size_gb", "psutil.virtual_memory", {"return_value": memory(2**30)}),
    ("get_mem_size_gb", "*.psutil.virtual_memory", {"return_value": memory(2**31)}),
    ("get_mem_size_gb", "*.open", {"new_callable": lambda: text_of("4096"), "create": True}),
    ("get_mem_size_gb", "os.getenv", {"return_value": "2.9"}),
    ("get_mem_size_gb", "os.path.isfile", {"return_value": True}),
    ("get_parallel_threads", "os.cpu_count", {"return_value": 64}),
    ("get_parallel_threads", "*.os.cpu_count", {"return_value": None}),
    ("get_parallel_threads", "*._get_thread_multiplier", {"return_value": 10}),
    ("get_max_workers_for_file_mounts", "resource.getrlimit", {"return_value": (2000, 2000)}),
    ("get_max_workers_for_file_mounts", "os.listdir", {"return_value": ["x"] * 99999}),
    ("get_max_workers_for_file_mounts", "os.path.isdir", {"return_value": False}),
    ("get_max_workers_for_file_mounts", "*.get_parallel_threads", {"return_value": 1}),
    ("get_max_workers_for_file_mounts", "*._get_thread_multiplier", {"return_value": 3}),
    ("get_max_workers_for_file_mounts", "os.cpu_count", {"return_value": 64}),
    ("get_max_workers_for_file_mounts", "*.logger", {}),
    ("get_max_workers_for_file_mounts", "*.logger.debug", {}),
    ("get_max_workers_for_file_mounts", "*.logger.isEnabledFor", {"return_value": False}),
]


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize(
    ("name", "path", "options"),
    REPLACEMENTS,
    ids=[f"{name}-{path}" for name, path, _ in REPLACEMENTS],
)
def test_a_replaced_dependency(name, path, options, warm, enabled, tmp_path):
    arguments = samples.arguments(name, tmp_path)
    proxy = function(name)
    original = proxy.__wrapped__
    if warm:
        with counting(name) as counted:
            proxy(*arguments)
        assert counted.rust == 1

    path = path.replace("*", TARGETS[name])
    with mock.patch(path, **options) as replacement, counting(name) as counted:
        before = calls_of(replacement)
        ours = outcome(proxy, *arguments)
        between = calls_of(replacement)
        theirs = outcome(original, *arguments)
        after = calls_of(replacement)
    assert ours == theirs
    # Whatever a test asserts about its mock's calls holds.
    assert between - before == after - between
    assert (counted.rust, counted.python) == (0, 1)
    assert all(reason.startswith("guard") for reason in counted.declines), counted.declines

    with counting(name) as counted:
        ours = outcome(proxy, *arguments)
    assert (counted.rust, counted.python, counted.declines) == (1, 0, {})
    assert ours == outcome(original, *arguments)


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize("name", PRESENT)
def test_one_that_only_says_it_is_a_function(name, warm, enabled, tmp_path):
    """A mock with a specification passes `isinstance`."""
    path = {
        "read_last_n_lines": "os.path.exists",
        "hash_file": "hashlib.new",
        "find_free_port": "socket.socket.__exit__",
        "get_cpu_count": "os.getenv",
        "get_mem_size_gb": "os.getenv",
        "get_parallel_threads": f"{TARGETS[name]}._get_thread_multiplier",
        "get_max_workers_for_file_mounts": "os.path.isdir",
    }.get(name)
    if path is None:
        pytest.skip("it reads only built-in functions")
    arguments = samples.arguments(name, tmp_path)
    proxy = function(name)
    if warm:
        proxy(*arguments)
    with mock.patch(path, spec=True), counting(name) as counted, contextlib.suppress(Exception):
        proxy(*arguments)
    assert (counted.rust, counted.python) == (0, 1)
    with counting(name) as counted:
        proxy(*arguments)
    assert counted.rust == 1


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize("name", ["get_cpu_count", "get_mem_size_gb"])
def test_a_replaced_environment(name, warm, enabled):
    variable = {
        "get_cpu_count": "SKYPILOT_POD_CPU_CORE_LIMIT",
        "get_mem_size_gb": "SKYPILOT_POD_MEMORY_GB_LIMIT",
    }[name]
    proxy = function(name)
    if warm:
        proxy()
    with mock.patch.object(os, "environ", {variable: "7"}), counting(name) as counted:
        assert proxy() == proxy.__wrapped__() == 7
    assert counted.python == 1
    with counting(name) as counted:
        assert proxy() == proxy.__wrapped__() != 7
    assert counted.rust == 1


@pytest.mark.parametrize("value", ["7", "2.9", " 1e1 ", "inf", "nan", "none", "", "-3", "1_0", "٣"])
@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("get_cpu_count", "SKYPILOT_POD_CPU_CORE_LIMIT"),
        ("get_mem_size_gb", "SKYPILOT_POD_MEMORY_GB_LIMIT"),
        ("get_mem_size_gb", "SKYPILOT_POD_MEMORY_BYTES_LIMIT"),
    ],
)
def test_a_variable_that_is_set(name, variable, value, enabled, monkeypatch):
    monkeypatch.setenv(variable, value)
    proxy = function(name)
    assert str(outcome(proxy)) == str(outcome(proxy.__wrapped__))
    monkeypatch.setenv(variable, "5")
    with counting(name) as counted:
        assert proxy() == proxy.__wrapped__()
    assert counted.rust == 1


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize("name", ["get_cpu_count", "get_mem_size_gb"])
def test_another_proc(name, warm, enabled, monkeypatch, tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 1048576 kB\nMemFree: 1 kB\n")
    proxy = function(name)
    if warm:
        proxy()
    with monkeypatch.context() as patch:
        patch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
        with counting(name) as counted:
            ours = outcome(proxy)
        assert ours == outcome(proxy.__wrapped__)
        assert counted.python == 1
    with counting(name) as counted:
        proxy()
    assert counted.rust == 1


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize("put", [None, types.SimpleNamespace(PROCFS_PATH="/nowhere")], ids=str)
def test_another_psutil_in_sys_modules(put, warm, enabled, monkeypatch):
    """psutil asks ``sys.modules`` for itself to find out where /proc is."""
    proxy = function("get_mem_size_gb")
    # SkyPilot loads it when it is needed, and then keeps it.
    (proxy if warm else proxy.__wrapped__)()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "psutil", put)
        assert outcome(proxy) == outcome(proxy.__wrapped__)
        assert outcome(proxy)[0] == "raises"
    with counting("get_mem_size_gb") as counted:
        proxy()
    assert counted.rust == 1


def test_a_module_that_cannot_be_imported_for_a_while(enabled, monkeypatch):
    proxy = function("get_mem_size_gb")
    monkeypatch.setattr(proxy.__globals__["psutil"], "_module", None)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "psutil", None)
        assert outcome(proxy) == outcome(proxy.__wrapped__)
        assert outcome(proxy)[0] == "raises"
    assert proxy() == proxy.__wrapped__()
    with counting("get_mem_size_gb") as counted:
        proxy()
    assert counted.rust == 1


@pytest.mark.parametrize("attribute", ["cpu_count", "virtual_memory"])
def test_monkeypatch_through_a_lazy_import(attribute, enabled, monkeypatch):
    name = {"cpu_count": "get_cpu_count", "virtual_memory": "get_mem_size_gb"}[attribute]
    lazy = function(name).__globals__["psutil"]
    own_before = attribute in vars(lazy)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(lazy, attribute, lambda: mock.Mock(total=2**20, __lt__=lambda *_: True))
            proxy = function(name)
            with counting(name) as counted:
                outcome(proxy)
            assert counted.python == 1
        with counting(name) as counted:
            assert proxy() == proxy.__wrapped__()
        assert counted.rust == 1
    finally:
        if not own_before:
            vars(lazy).pop(attribute, None)


def test_a_real_function_left_in_a_lazy_import():
    """As older releases of pytest's monkeypatch leave it behind."""
    lazy = function("get_cpu_count").__globals__["psutil"]
    lazy.cpu_count = psutil.cpu_count
    try:
        with sky_rs_patch.enabled(), counting("get_cpu_count") as counted:
            function("get_cpu_count")()
        assert counted.rust == 1
    finally:
        del lazy.cpu_count


def test_switched_off_and_on_the_guards_are_derived_anew(log_file):
    with sky_rs_patch.enabled(), mock.patch("os.path.exists", return_value=True):
        with counting("read_last_n_lines") as counted:
            function("read_last_n_lines")(str(log_file), 1)
        assert counted.python == 1
    with sky_rs_patch.enabled(), counting("read_last_n_lines") as counted:
        assert function("read_last_n_lines")(str(log_file), 1) == ["line 999"]
    assert counted.rust == 1


class Ear(logging.Handler):
    """Keeps what it hears."""

    def __init__(self, level=logging.NOTSET):
        super().__init__(level)
        self.records = []

    def emit(self, record):
        self.records.append(
            (
                record.getMessage(),
                record.levelname,
                record.name,
                record.funcName,
                record.lineno,
                record.pathname,
                record.args,
                record.exc_info,
            )
        )


@pytest.fixture
def busy_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.bind(("", 0))
        yield one.getsockname()[1]


@pytest.fixture
def logger():
    return function("find_free_port").__globals__["logger"]


@pytest.fixture
def telling():
    """An original that tells of busy ports: up to SkyPilot 0.11.1 it says nothing."""
    if "logger" not in function("find_free_port").__code__.co_names:
        pytest.skip("this SkyPilot's find_free_port says nothing")


def test_a_busy_port_that_nobody_hears_of(busy_port, enabled):
    proxy = function("find_free_port")
    with counting("find_free_port") as counted:
        port = proxy(busy_port)
    assert port == proxy.__wrapped__(busy_port) > busy_port
    assert (counted.rust, counted.python) == (1, 0)


@pytest.mark.parametrize("place", ["sky.utils.common_utils", "sky.utils", "sky"])
@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG])
def test_a_busy_port_that_somebody_hears_of(telling, busy_port, enabled, place, level):
    proxy = function("find_free_port")
    ear = Ear(level)
    logging.getLogger(place).addHandler(ear)
    try:
        with counting("find_free_port") as counted:
            port = proxy(busy_port)
        ours = ear.records[:]
        ear.records.clear()
        assert proxy.__wrapped__(busy_port) == port
    finally:
        logging.getLogger(place).removeHandler(ear)
    assert ours == ear.records
    message, level_name, _, function_name, line, path, *_ = ours[0]
    assert message.startswith(f"Error binding port {busy_port}: ")
    assert (level_name, function_name) == ("DEBUG", "find_free_port")
    assert path == proxy.__code__.co_filename
    assert line > proxy.__code__.co_firstlineno
    assert counted.declines == {"logging": 1}
    with counting("find_free_port") as counted:
        assert proxy(busy_port) == port
    assert counted.rust == 1


def test_skypilots_own_handler_at_debug(telling, busy_port, enabled):
    proxy = function("find_free_port")
    handler = next(
        each
        for each in logging.getLogger("sky").handlers
        if isinstance(each, logging.StreamHandler)
    )
    output = io.StringIO()
    level, stream = handler.level, handler.setStream(output)
    handler.setLevel(logging.DEBUG)
    try:
        with counting("find_free_port") as counted:
            port = proxy(busy_port)
        ours = output.getvalue()
        output.seek(0)
        output.truncate()
        assert proxy.__wrapped__(busy_port) == port
    finally:
        handler.setLevel(level)
        handler.setStream(stream)
    assert f"Error binding port {busy_port}" in ours
    assert len(ours.splitlines()) == len(output.getvalue().splitlines()) == port - busy_port
    assert counted.declines == {"logging": 1}


def test_a_handler_that_does_not_hear_debug(busy_port, enabled):
    ear = Ear(logging.INFO)
    logging.getLogger("sky").addHandler(ear)
    try:
        with counting("find_free_port") as counted:
            function("find_free_port")(busy_port)
    finally:
        logging.getLogger("sky").removeHandler(ear)
    assert counted.rust == 1
    assert ear.records == []


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize("what", ["replaced", "filter", "factory", "debug", "handle", "makeRecord"])
def test_other_ways_to_hear_of_a_busy_port(telling, busy_port, enabled, logger, what, warm):
    proxy = function("find_free_port")
    if warm:
        proxy(39000)
    heard = []

    def hear(*arguments, **keywords):
        heard.append(str(arguments[-1]))
        return True

    def factory(*arguments, **keywords):
        record = logging.LogRecord(*arguments, **keywords)
        heard.append(record.getMessage())
        return record

    with contextlib.ExitStack() as stack:
        if what == "replaced":
            stack.enter_context(mock.patch(f"{COMMON}.logger", mock.Mock(debug=hear)))
        elif what == "filter":
            logger.addFilter(hear)
            stack.callback(logger.removeFilter, hear)
        elif what == "factory":
            logging.setLogRecordFactory(factory)
            stack.callback(logging.setLogRecordFactory, logging.LogRecord)
        else:
            replacement = factory if what == "makeRecord" else hear
            stack.enter_context(mock.patch.object(logger, what, replacement))
            if what == "makeRecord":
                stack.enter_context(
                    mock.patch.object(
                        logger, "makeRecord", lambda *args, **__: factory(*args[:8], None)
                    )
                )
        with counting("find_free_port") as counted:
            port = proxy(busy_port)
        ours = heard[:]
        heard.clear()
        assert proxy.__wrapped__(busy_port) == port
    assert len(ours) == len(heard) == port - busy_port
    assert (counted.rust, counted.python) == (0, 1)
    with counting("find_free_port") as counted:
        proxy(busy_port)
    assert counted.rust == 1


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize("method", ["debug", "handle", "isEnabledFor"])
def test_a_method_of_all_loggers(telling, busy_port, enabled, method, warm, monkeypatch):
    proxy = function("find_free_port")
    if warm:
        proxy(39000)
    real = getattr(logging.Logger, method)
    heard = []

    def hear(self, *arguments):
        heard.append(arguments)
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(logging.Logger, method, hear)
        with counting("find_free_port") as counted:
            proxy(busy_port)
    assert counted.python == 1
    assert heard
    with counting("find_free_port") as counted:
        proxy(busy_port)
    assert counted.rust == 1


def test_a_low_limit_is_reported_once_by_the_original(enabled, monkeypatch, directory):
    proxy = function("get_max_workers_for_file_mounts")
    logger, namespace = proxy.__globals__["logger"], proxy.__globals__
    monkeypatch.setitem(namespace, "_fd_limit_warning_shown", False)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    ear = Ear(logging.WARNING)
    logger.addHandler(ear)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, limits[1]))
        with counting("get_max_workers_for_file_mounts") as counted:
            workers = proxy({"/remote": str(directory)})
        assert counted.declines == {"logging": 1}
        assert [record[:2] for record in ear.records] == [
            (ear.records[0][0], "WARNING"),
        ]
        assert namespace["_fd_limit_warning_shown"] is True
        with counting("get_max_workers_for_file_mounts") as counted:
            assert proxy({"/remote": str(directory)}) == workers
        assert counted.rust == 1
        assert len(ear.records) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        logger.removeHandler(ear)


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
def test_a_mock_that_leaves_the_real_function_on_a_lazy_module(warm, enabled):
    """Up to pytest 8.4 that is how `monkeypatch.setattr` undoes it."""
    from sky.utils import common_utils

    proxy = common_utils.get_cpu_count
    if warm:
        proxy()
    lazy, real = common_utils.psutil, psutil.cpu_count
    try:
        lazy.cpu_count = lambda: 1
        with counting("get_cpu_count") as counted:
            assert proxy() == 1
        assert counted.python == 1
        lazy.cpu_count = real
        with counting("get_cpu_count") as counted:
            assert proxy() == proxy.__wrapped__()
        assert counted.rust == 1
    finally:
        vars(lazy).pop("cpu_count", None)


class Plain:
    def method(self):
        pass


def plain_object():
    return Plain()


@pytest.mark.parametrize(
    ("make", "namespace", "instance"),
    [
        (plain_object, vars, True),
        (lambda: type("Made", (), {}), lambda cls: cls, False),
        (lambda: socket, vars, False),
    ],
    ids=["object", "class", "module"],
)
def test_names_that_come_and_go_in_every_kind_of_namespace(make, namespace, instance):
    """CPython 3.13 doesn't tell dictionary watchers of attributes set on plain objects."""
    owner = make()
    native = extension.load().module
    guards = native.GuardBuilder()
    guards.expect_absent(namespace(owner), "method_of_a_test", "the name", instance=instance)
    route = native.Route("a test", lambda s: "original", "truncate_long_string", lambda: guards)
    for _ in range(2):
        assert route("native") == "native"
        owner.method_of_a_test = 1
        assert route("native") == "original"
        del owner.method_of_a_test
    assert route("native") == "native"
