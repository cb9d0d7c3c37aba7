"""What the calls for `guard_cases` are made of: files, ports, processes, and the routes ready."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import applicability
from one_call import Call, Fresh, environment, scratch

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


def with_environment(**variables: str) -> Call:
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


def validations() -> tuple[Call, ...]:
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


def sky_at_least(minor: int) -> bool:
    """Whether SkyPilot is of release 0.MINOR or later."""
    return applicability.release() >= (0, minor)


@contextlib.contextmanager
def ready() -> Iterator[list[str]]:
    """Routes are on, opt-in ones included; gives the targets that this SkyPilot has."""
    from differential import COMMON, enable

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
