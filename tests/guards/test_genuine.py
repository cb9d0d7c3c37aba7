"""What makes an object genuine: each rule with one that is and one that isn't."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import logging
import os
import posixpath
import sys
import threading
import types
from pathlib import Path
from unittest import mock

import pytest

from sky_rs_patch._guards import genuine

THIS = __name__


def a_function():
    pass


class AClass:
    def __call__(self):
        pass

    def method(self):
        pass


class ALogger(logging.Logger):
    pass


def function_of(module, name, **names):
    """A function that says that it was made in a module, under a name."""
    namespace = {"__name__": module, **names}
    exec(f"def {name}(): pass", namespace)
    return namespace[name]


def impostor(name):
    """A module that says that it is another."""
    return types.ModuleType(name)


def decorated(name, home):
    """What contextlib's decorator makes of a function: its own code, another one's name."""
    function = function_of(home, name)
    function.__module__ = "a_package.a_module"
    function.__wrapped__ = a_function
    return function


def of_class(name, module):
    return type(name, (), {"__module__": module})


#: Rule -> (object, module that has it, name there) that is genuine, and others that aren't.
CASES = {
    "put in front of a builtin by another module": (
        [(os.open, "a_module", "open")],
        [
            (a_function, "a_module", "open"),
            (len, "a_module", "open"),
            (AClass, "a_module", "int"),
            (3, "a_module", "len"),
        ],
    ),
    "function under its own name": (
        [
            (posixpath.exists, "posixpath", "exists"),
            (posixpath.join, "os", "join"),
            (function_of("a_package.b", "f"), "a_package.a", "f"),
            (function_of("a_module", "f"), "a_module", "_f"),
            (decorated("f", "contextlib"), "a_package.a_module", "f"),
        ],
        [
            (function_of("a_test", "exists"), "posixpath", "exists"),
            (posixpath.exists, "a_module", "exists"),
            (decorated("f", "another_package"), "a_package.a_module", "f"),
        ],
    ),
    "function under another name": (
        [(hashlib.new, "hashlib", "new")],
        [
            (posixpath.exists, "posixpath", "isdir"),
            (a_function, "posixpath", "isdir"),
        ],
    ),
    "function in C": (
        [
            (os.getpid, "os", "getpid"),
            (hashlib.openssl_sha256, "hashlib", "sha256")
            if hasattr(hashlib, "openssl_sha256")
            else (hashlib.sha256, "hashlib", "sha256"),
            (threading._allocate_lock, "threading", "_allocate_lock"),
            (threading._allocate_lock, "threading", "Lock"),
        ],
        [
            (os.getpid, "os", "getppid"),
            (threading._allocate_lock, "another", "Lock"),
            (hashlib.sha256, "hashlib", "md5"),
        ],
    ),
    "class of the module itself": ([(AClass, THIS, "AClass"), (AClass, THIS, "Other")], []),
    "class in C from elsewhere": (
        [(itertools.chain, "a_module", "chain"), (itertools.chain, "os", "other")],
        [(itertools.chain, "a_module", "other")],
    ),
    "class from elsewhere": (
        [(Path, "a_module", "Path"), (logging.Logger, "os", "Other")],
        [
            (AClass, "a_module", "Other"),
            (of_class("Path", "pathlib"), "pathlib_user", "Path"),
            (of_class("Gone", "no_module"), "a_module", "Gone"),
        ],
    ),
    "module": (
        [(os, "a_module", "os"), (posixpath, "os", "path")],
        [(impostor("os"), "a_module", "os"), (impostor("gone"), "a_module", "gone")],
    ),
    "os.environ": (
        [(os.environ, "os", "environ")],
        [({}, "os", "environ"), (mock.MagicMock(), "os", "environ")],
    ),
    "logger": (
        [(logging.getLogger("a test"), "a_module", "logger")],
        [(ALogger("a test"), "a_module", "logger")],
    ),
    "bound method in C": (
        [(itertools.count().__next__, "threading", "_counter")],
        [(AClass().__str__, "threading", "_counter")],
    ),
    "method in C": (
        [(object.__setattr__, "attr._make", "_setattr")],
        [],
    ),
    "bound method": ([], [(AClass().method, "a_module", "method")]),
    "mock": (
        [],
        [(mock.NonCallableMock(), "a_module", "data"), (mock.MagicMock(), "a_module", "f")],
    ),
    "other callable": (
        [],
        [
            (functools.partial(a_function), "a_module", "f"),
            (AClass(), "a_module", "f"),
        ],
    ),
    "data": ([(3, "a_module", "NUMBER"), ({}, "a_module", "TABLE"), (None, "a", "b")], []),
}


def lazy_import():
    from sky.adaptors import common

    return common.LazyImport("a_module")


@pytest.fixture(name="cases", scope="module")
def all_cases():
    return {**CASES, "lazy import of SkyPilot": ([(lazy_import(), "a_module", "yaml")], [])}


def test_every_rule_has_its_cases(cases):
    assert set(cases) == {rule.kind for rule in genuine.RULES}


@pytest.mark.parametrize("kind", [rule.kind for rule in genuine.RULES])
def test_a_rule(cases, kind):
    for expected, found in zip((True, False), cases[kind]):
        for value, owner, name in found:
            rule = genuine.rule_for(value, owner, name)
            assert (rule.kind, owner, name) == (kind, owner, name)
            assert genuine.is_genuine(value, owner, name) is expected, (value, owner, name)


def test_each_rule_that_judges_has_both(cases):
    # "method in C": no class in Python has such methods of its own.
    always = {"class of the module itself", "lazy import of SkyPilot", "data"}
    never = {"bound method", "mock", "other callable"}
    for kind, (good, bad) in cases.items():
        assert bool(good) is (kind not in never), kind
        assert bool(bad) is (kind not in always | {"method in C"}), kind


def test_what_a_cache_wraps_is_judged():
    cached = functools.lru_cache(function_of("posixpath", "exists"))
    assert genuine.is_genuine(cached, "posixpath", "exists")
    assert not genuine.is_genuine(functools.lru_cache(a_function), "posixpath", "exists")


def test_a_module_that_is_taken_out(monkeypatch):
    monkeypatch.delitem(sys.modules, "contextlib")
    assert not genuine.is_genuine(contextlib, "a_module", "contextlib")
