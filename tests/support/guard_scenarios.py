"""Calls of each route that Rust answers, for `guard_cases`: together they reach what it reads."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Callable

import applicability
from differential import COMMON, Call, Fresh, call, enable, environment, scratch

import sky_rs_patch
from sky_rs_patch import _testing

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = """\
name: sky-serve
resources:
  cpus: 4+
  ports: [8080, "9090", 1.5, yes, null, 0x1f]
  disk: 0o17
envs: {A: 'b', C: "d\\te", on: ~}
run: |
  echo a
  echo b
notes: >-
  folded
  text
"""
CONFIG = {
    "name": "sky-serve",
    "run": "echo a\necho b\n",
    "on": ["yes", 1, 2.5, None, True, (), {}, "1:30", "é", "2001-01-01"],
    "long": "word " * 30,
    7: {"a": {"b": []}},
}


@functools.cache
def log_file() -> str:
    path = scratch() / "guards.log"
    path.write_bytes(b"".join(b"line %d \xc3\xa9 \xff\r\n" % i for i in range(400)))
    return str(path)


@functools.cache
def mount() -> str:
    path = scratch() / "guards-mount"
    path.mkdir()
    for number in range(300):
        (path / f"file-{number}").touch()
    return str(path)


@functools.cache
def busy_port() -> int:
    """A port near the last one, so that a search that finds none is over soon."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for port in range(65300, 65500):
        with contextlib.suppress(OSError):
            listener.bind(("", port))
            _kept.append(listener)
            return port
    raise AssertionError("there is no free port")


_kept: list[Any] = []


@functools.cache
def leader() -> int:
    """A process with a child and a grandchild."""
    script = "sh -c 'sleep 1000 & echo ready; wait' & wait"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    _kept.append(process)
    return process.pid


def process_of(pid: int) -> Fresh:
    def make(_: contextlib.ExitStack) -> Any:
        import psutil

        return psutil.Process(pid)

    return Fresh(f"Process({pid})", make)


def user_file() -> Any:
    return scratch() / "user_hash"


def user_hash(content: bytes) -> Fresh:
    """The file with the user's hash, made anew for each call."""

    @contextlib.contextmanager
    def put() -> Iterator[None]:
        user_file().write_bytes(content)
        yield

    return Fresh(f"user_hash({content!r})", lambda _: put())


def _with_environment(**variables: str) -> Call:
    return Call(around=(environment(**variables),))


def _task() -> dict[str, Any]:
    return {
        "name": "a-task",
        "num_nodes": 2,
        "resources": {"cpus": "4+", "any_of": [{"infra": "aws"}, {"use_spot": True}]},
        "envs": {"A": "b", "C": None},
        "run": "echo",
    }


def _schema(_: Any) -> Any:
    from sky.utils import schemas

    return schemas.get_task_schema()


def _validate() -> tuple[Call, ...]:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "a": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2},
            "b": {"enum": ["x", 1], "not": {"const": "y"}},
            "c": {"case_insensitive_enum": ["AWS", "gcp"]},
            "d": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            "e": {"oneOf": [{"type": "string", "minLength": 2}, {"type": "null"}]},
        },
        "patternProperties": {"^x-": {"allOf": [{"type": "number"}]}},
        "additionalProperties": False,
        "required": ["a"],
        "dependencies": {"a": ["b"]},
        "if": {"required": ["z"]},
        "then": {"maxProperties": 1},
    }
    instance = {"a": 4, "b": "x", "c": "aws", "d": ["p", "q"], "e": "long", "x-1": 2.5}
    return (
        Call((Fresh("a task", lambda _: _task()), Fresh("its schema", _schema))),
        Call((Fresh("an object", lambda _: dict(instance)), Fresh("schema", lambda _: schema))),
    )


#: By the name of the function; made when they are needed.
SCENARIOS: dict[str, Callable[[], tuple[Call, ...]]] = {
    "read_last_n_lines": lambda: (call(log_file(), 3), call(log_file(), 0)),
    "hash_file": lambda: (call(log_file(), "sha256"), call(log_file(), "sha3_256")),
    "find_free_port": lambda: (
        call(busy_port() + 1),
        Call((busy_port(),), log_level=logging.INFO),
    ),
    "base36_encode": lambda: (call("deadbeef"), call("0")),
    "format_float": lambda: (call(3.14159), call(2.0), call(7), call(float("nan"))),
    "truncate_long_string": lambda: (
        call("some words of a long description " * 3),
        call("some words of a long description " * 3, 30, truncate_middle=True)
        if sky_at_least(10)
        else call("some words of a long description " * 3, 30),
        call("short"),
    ),
    "get_cpu_count": lambda: (call(), _with_environment(SKYPILOT_POD_CPU_CORE_LIMIT="2.5")),
    "get_mem_size_gb": lambda: (call(), _with_environment(SKYPILOT_POD_MEMORY_GB_LIMIT="2.5")),
    "get_parallel_threads": lambda: (call("kubernetes"), call()),
    "get_max_workers_for_file_mounts": lambda: (
        Call(({"/remote": mount()},), log_level=logging.INFO),
    ),
    "is_process_alive": lambda: (call(os.getpid()), call(2**22 + 1)),
    "dump_yaml_str": lambda: (call(CONFIG), call([CONFIG, {"a": CONFIG["on"]}])),
    "check_no_duplicate_keys": lambda: (call(TEXT),),
    "safe_load": lambda: (call(TEXT),),
    "read_yaml_str": lambda: (call(TEXT), call("")),
    "read_yaml_all_str": lambda: (call(f"{TEXT}---\na: 1\n"),),
    "validate_schema": _validate,
    "is_valid_user_hash": lambda: (call("abc-123"), call("-"), call(None)),
    "get_user_hash": lambda: (
        Call(around=(environment(SKYPILOT_USER_ID="abc123"), user_hash(b"def456"))),
        Call(around=(environment(SKYPILOT_USER_ID=None), user_hash(b"def456\n"))),
    ),
    "make_cluster_name_on_cloud": lambda: (
        Call(
            ("My_cluster.with-a-long-name",),
            around=(environment(SKYPILOT_USER_ID=None), user_hash(b"def456\n")),
            log_level=logging.INFO,
        ),
        Call(("short",), {"max_length": 35}, (environment(SKYPILOT_USER_ID="abc123"),)),
    ),
    "check_cluster_name_is_valid": lambda: (call("my-cluster.1"), call(None)),
    "is_valid_env_var": lambda: (call("HF_TOKEN"), call("1_TOKEN")),
    "remove_color": lambda: (call("\x1b[31mred\x1b[0m text"), call("plain")),
    "_redact_secrets_values": lambda: (
        call(["sky", "launch", "--secret", "A=b", "--secret=C=d", "--env", "E=f"]),
    ),
    "_safe_children": lambda: (call(process_of(leader())),),
    "release_memory": lambda: (call(),),
    "estimate_fd_for_directory": lambda: (call(mount()),),
}


def sky_at_least(minor: int) -> bool:
    """Whether SkyPilot is of release 0.MINOR or later."""
    return applicability.release() >= (0, minor)


@contextlib.contextmanager
def ready() -> Iterator[list[str]]:
    """Routes are on, opt-in ones included; gives the targets that this SkyPilot has."""
    sky_rs_patch.disable()
    common = importlib.import_module(COMMON)
    # Proxies that tests before this one have left know another file.
    _testing.reset()
    before = vars(common).get("USER_HASH_FILE")
    if before is not None:
        common.USER_HASH_FILE = str(user_file())  # type: ignore[attr-defined]
    enable()
    sky_rs_patch.enable(opt_in=["release_memory"])
    try:
        routes = sky_rs_patch.status()["routes"]
        yield [target for target, route in routes.items() if route["state"] == "active"]
    finally:
        if before is not None:
            common.USER_HASH_FILE = before  # type: ignore[attr-defined]
        sky_rs_patch.disable()
        for kept in _kept:
            if isinstance(kept, subprocess.Popen):
                os.killpg(kept.pid, signal.SIGKILL)
                kept.wait()
            else:
                kept.close()
        _kept.clear()
        busy_port.cache_clear()
        leader.cache_clear()
