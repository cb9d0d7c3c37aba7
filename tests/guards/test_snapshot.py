"""What is replaced before a route's first call is told from what the interpreter came with."""

import logging
import os
import socket
import types
from unittest import mock

import jsonschema
import pytest
import yaml
from differential import compare, proxy_of
from one_call import call
from support import COMMON, run_code, small_skypilot

import sky_rs_patch
from sky_rs_patch import _testing
from sky_rs_patch._guards.baseline import PRISTINE
from sky_rs_patch._native import Snapshot


def refuse(*arguments):
    raise ValueError("refused by a test")


class OtherSocket(socket.socket):
    """One of the same name, as a test double would be."""


OtherSocket.__name__ = "socket"


class Answering(types.ModuleType):
    """A class for a module that answers for its attributes."""

    def __getattribute__(self, name):
        if name == "SEEK_END":
            return os.SEEK_SET
        return super().__getattribute__(name)


@pytest.fixture
def first_call(disabled_before_and_after):
    """Proxies that nobody has called."""
    _testing.reset()
    sky_rs_patch.enable()


@pytest.mark.parametrize(
    ("name", "replace"),
    [
        ("read_last_n_lines", lambda patch: patch.setattr(os, "SEEK_END", os.SEEK_SET)),
        ("find_free_port", lambda patch: patch.setattr(socket, "socket", OtherSocket)),
        ("find_free_port", lambda patch: patch.delattr(socket.socket, "__enter__")),
        ("find_free_port", lambda patch: patch.delattr(logging.Logger, "isEnabledFor")),
        (
            "find_free_port",
            lambda patch: patch.setattr(socket.socket.__init__, "__defaults__", (9, 9, 9, None)),
        ),
        ("read_last_n_lines", lambda patch: patch.setattr(os, "__class__", Answering)),
        (
            "safe_load",
            lambda patch: patch.setattr(yaml.constructor, "types", mock.Mock(wraps=types)),
        ),
        (
            "check_no_duplicate_keys",
            lambda patch: patch.setattr(yaml.scanner.Scanner, "fetch_plain", refuse),
        ),
        (
            "validate_schema",
            lambda patch: patch.setattr(jsonschema._types, "str", refuse, raising=False),
        ),
    ],
    ids=[
        *("constant", "class", "with", "method", "defaults", "module's class", "module"),
        *("PyYAML", "jsonschema"),
    ],
)
def test_replaced_before_the_first_call(name, replace, first_call, monkeypatch, tmp_path):
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\n")
    given = {
        "read_last_n_lines": (str(log), 2),
        "find_free_port": (45_000,),
        "safe_load": ("a: b",),
        "check_no_duplicate_keys": ("a: b",),
        "validate_schema": ({"a": "b"}, {"properties": {"a": {"type": "string"}}}, "prefix"),
    }
    arguments = call(*given[name])
    assert isinstance(proxy_of(name).__wrapped__, types.FunctionType)
    with monkeypatch.context() as patch:
        replace(patch)
        outcome = compare(name, arguments)
    assert outcome.declined == "guard", outcome
    assert compare(name, arguments).rust


def test_what_has_changed():
    taken = Snapshot(("logging", COMMON, "no.such.module"))
    assert taken.class_changed(logging.Logger) is None
    assert taken.class_changed(dict) is None
    assert not taken.function_changed(logging.getLogger)
    space = vars(logging)
    assert not taken.value_changed(space, "getLogger", logging.getLogger)
    assert taken.value_changed(space, "getLogger")
    assert taken.value_changed(space, "getLogger", logging.info)
    # A constant, data that programs set, and a namespace that isn't known.
    assert taken.value_changed(space, "DEBUG", 11)
    assert not taken.value_changed(space, "raiseExceptions", False)
    assert not taken.value_changed(dict(space), "getLogger")


@pytest.mark.parametrize("change", ["added", "gone", "another", "none"])
def test_a_class_that_changed(change, monkeypatch):
    taken = Snapshot(("logging",))
    if change == "added":
        monkeypatch.setattr(logging.Logger, "planted", None, raising=False)
    elif change == "gone":
        monkeypatch.delattr(logging.Logger, "debug")
    elif change == "another":
        monkeypatch.setattr(logging.Logger, "debug", logging.Logger.info)
    else:
        # As many names as before.
        monkeypatch.delattr(logging.Logger, "debug")
        monkeypatch.setattr(logging.Logger, "planted", None, raising=False)
    assert taken.class_changed(logging.Logger) in ("planted", "debug")


def test_the_standard_library_is_known():
    assert PRISTINE.value_changed(vars(os), "getenv")
    assert PRISTINE.value_changed(vars(socket), "socket")


ANNOTATIONS = """
import logging, socket, sys, threading
import sky_rs_patch

def ask():
    # From CPython 3.10 on each class gets some when it is asked for them.
    return [getattr(cls, "__annotations__", None) for cls in (
        logging.Logger, socket.socket, threading.Thread)]

sky_rs_patch.enable()
from sky.utils import common_utils
if sys.argv[1] == "before":
    ask()
common_utils.find_free_port(39000)
ask()
common_utils.find_free_port(39000)
print(common_utils.find_free_port._self_route.counts())
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_annotations_that_somebody_asks_for_change_nothing(when, tmp_path):
    home = small_skypilot(tmp_path)
    said = run_code(ANNOTATIONS, when, environment={"PYTHONPATH": str(home)})
    assert said == "(2, 0, {}, {})\n"
