"""Checks of genuineness: whether an object is the one that its module or class was made with.

The walk through an original asks this of everything that it finds. If a test has replaced
``os.path.exists`` before the first call, the replacement must not be taken for the real thing.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from pathlib import Path
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Callable, NamedTuple

from sky_rs_patch._binding.proxies import route_of
from sky_rs_patch._guards.baseline import PRISTINE, can_change, functions_of

#: Functions of these packages, and of the original's own, are followed; others are watched by
#: identity alone.
FOLLOWED = frozenset({"sky", "psutil", "os", "posixpath", "genericpath", "hashlib", "sky_rs_patch"})
#: Packages that aren't followed, and whose classes have no methods from elsewhere either.
_UNDECORATED = frozenset({"yaml"})
#: Builtins as they were at the start.
_BUILTINS: dict[str, Any] = PRISTINE.builtins if PRISTINE is not None else {}


class Rule(NamedTuple):
    """A kind of object, and what tells a genuine one of that kind.

    Both functions take an object (never one of our proxies), the name of the module that has it,
    and its name there.

    Attributes:
        kind: the kind, for tests and readers.
        applies: whether the object is of that kind, and of none above it in the table.
        is_genuine: whether it is genuine, for one of that kind.
    """

    kind: str
    applies: Callable[[Any, str, str], bool]
    is_genuine: Callable[[Any, str, str], bool]


def is_genuine(value: Any, owner: str, name: str) -> bool:
    """Whether the object that a module has under a name is the one it was made with."""
    value = unwrapped(value)
    return rule_for(value, owner, name).is_genuine(value, owner, name)


def rule_for(value: Any, owner: str, name: str) -> Rule:
    """The first rule that applies to an object, as `is_genuine` takes it."""
    for rule in RULES:
        if rule.applies(value, owner, name):
            return rule
    raise AssertionError("the last rule applies to everything")


def _hides_a_builtin(value: Any, owner: str, name: str) -> bool:
    if value is _BUILTINS.get(name, value) or name.startswith("__"):
        return False
    # Modules have such names, `os.open` for one.
    namespace = value.__globals__ if type(value) is FunctionType else {}
    return owner not in (namespace.get("__name__"), getattr(value, "__module__", ""))


def _is_function(value: Any, owner: str, name: str) -> bool:
    return type(value) is FunctionType


def _has_its_own_name(value: Any, owner: str, name: str) -> bool:
    return name in (value.__name__, f"_{value.__name__}")


def _is_c_function(value: Any, owner: str, name: str) -> bool:
    return type(value) is BuiltinFunctionType


def _is_class(value: Any, owner: str, name: str) -> bool:
    return is_a(value, type)


def _is_module(value: Any, owner: str, name: str) -> bool:
    return is_a(value, ModuleType)


def _is_akin(value: Any, owner: str, name: str) -> bool:
    """Whether a class has that name, or comes from where its module does."""
    return value.__name__ == name or same_origin(value.__module__, owner)


def _comes_from_here(value: Any, owner: str, name: str) -> bool:
    home = str(value.__globals__.get("__name__"))
    # A decorator of the standard library, say contextlib's, has made a new function.
    decorated = value.__module__ == owner and hasattr(value, "__wrapped__")
    return same_origin(home, owner) or (decorated and is_stdlib(home.partition(".")[0]))


def _was_renamed(value: Any, owner: str, name: str) -> bool:
    # hashlib.new was made as hashlib.__hash_new, and that name was deleted. A function that still
    # has its own name as well is one that somebody put in another's place.
    namespace = value.__globals__
    home = str(namespace.get("__name__"))
    return home == owner and unwrapped(namespace.get(value.__name__)) is not value


def _is_known_c_function(value: Any, owner: str, name: str) -> bool:
    # hashlib's constructors are OpenSSL's, and threading's locks those of _thread.
    return _has_its_own_name(value, owner, name) or (
        (owner, value.__name__) in (("hashlib", f"openssl_{name}"), ("threading", "allocate_lock"))
    )


def _is_at_its_home(value: Any, owner: str, name: str) -> bool:
    there = getattr(sys.modules.get(value.__module__), value.__name__, None)
    return _is_akin(value, owner, name) and there is value


def _always(value: Any, owner: str, name: str) -> bool:
    return True


def _never(value: Any, owner: str, name: str) -> bool:
    return False


#: In this order: the first one that applies decides.
RULES = (
    Rule(
        "put in front of a builtin by another module",
        _hides_a_builtin,
        lambda value, owner, name: (
            type(value) is BuiltinFunctionType and value.__module__ != "builtins"
        ),
    ),
    Rule(
        "function under its own name",
        lambda *found: _is_function(*found) and _has_its_own_name(*found),
        _comes_from_here,
    ),
    Rule("function under another name", _is_function, _was_renamed),
    Rule("function in C", _is_c_function, _is_known_c_function),
    Rule(
        "class of the module itself",
        lambda value, owner, name: is_a(value, type) and value.__module__ == owner,
        _always,
    ),
    Rule(
        "class in C from elsewhere",
        lambda value, owner, name: is_a(value, type) and not can_change(value),
        _is_akin,
    ),
    Rule("class from elsewhere", _is_class, _is_at_its_home),
    Rule(
        "lazy import of SkyPilot",
        lambda value, owner, name: is_a(value, ModuleType) and is_lazy(value),
        _always,
    ),
    Rule(
        "module",
        _is_module,
        lambda value, owner, name: sys.modules.get(value.__name__) is value,
    ),
    Rule(
        "os.environ",
        lambda value, owner, name: owner == "os" and name == "environ",
        lambda value, owner, name: type(value) is os._Environ,
    ),
    Rule(
        "logger",
        lambda value, owner, name: is_a(value, logging.Logger),
        lambda value, owner, name: type(value) is logging.Logger,
    ),
    # threading numbers its threads by that of an `itertools.count`.
    Rule(
        "bound method in C",
        lambda value, owner, name: type(value) is MethodWrapperType,
        lambda value, owner, name: not can_change(type(value.__self__)),
    ),
    # attrs keeps that of `object.__setattr__`.
    Rule(
        "method in C",
        lambda value, owner, name: type(value) is WrapperDescriptorType,
        lambda value, owner, name: not can_change(value.__objclass__),
    ),
    Rule("bound method", lambda value, owner, name: type(value) is MethodType, _never),
    Rule("mock", lambda value, owner, name: is_mock(value), _never),
    # Partials, instances with __call__.
    Rule("other callable", lambda value, owner, name: callable(value), _never),
    Rule("data", _always, _always),
)


def same_origin(home: str, owner: str) -> bool:
    """Whether one of two modules may well have its functions from the other."""
    home, owner = home.partition(".")[0], owner.partition(".")[0]
    return home == owner or (is_stdlib(home) and is_stdlib(owner))


def is_stdlib(root: str) -> bool:
    """Whether a top-level package belongs to the standard library."""
    names = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return root in names
    # Up to Python 3.9 it can only be told from where the module lies.
    path = getattr(sys.modules.get(root), "__file__", None)
    if path is None:
        return True
    return Path(os.__file__).parent in Path(path).parents and "site-packages" not in path


def is_a(value: object, cls: type) -> bool:
    """``isinstance`` that isn't taken in by what an object says of itself, as mocks do."""
    return issubclass(type(value), cls)


def is_lazy(module: ModuleType) -> bool:
    """Whether it is one of SkyPilot's LazyImport."""
    return hasattr(type(module), "load_module")


def is_mock(value: object) -> bool:
    """Whether it is an object of ``unittest.mock``, or of its backport."""
    module: object = getattr(type(value), "__module__", "")
    return isinstance(module, str) and module.partition(".")[0] in ("unittest", "mock")


#: Kinds of what is looked at most: neither proxies nor caches, nor mocks.
_COMMON = frozenset({FunctionType, BuiltinFunctionType, ModuleType, type, str, int, tuple, dict})


def unwrapped(value: Any) -> Any:
    """The original behind one of our own proxies, or behind functools' caches."""
    if type(value) in _COMMON:
        return value
    route = route_of(value)
    if route is not None:
        return route.original
    if type(value) is functools._lru_cache_wrapper:
        return value.__wrapped__
    return value


def is_own(value: Any, cls: type) -> bool:
    """Whether an attribute of a class may well be the one that the class was made with."""
    kind = type(value)
    if kind is not FunctionType:
        if kind in _COMMON:
            return True
        if is_mock(value):
            return False
    functions = functions_of(value)
    if not functions:
        return True
    root = str(cls.__module__).partition(".")[0]
    if not (root in FOLLOWED or root in _UNDECORATED or is_stdlib(root)):
        # What decorators make of the methods of other classes is beyond telling.
        return True
    home = root_of(functions[0].__globals__)
    # The standard library makes methods, too: those of named tuples, for instance.
    return home == root or home.startswith("namedtuple_") or is_stdlib(home)


def has_own_code(function: FunctionType) -> bool:
    """Whether the code may well come from the file that the function's module comes from."""
    name, file = function.__code__.co_filename, function.__globals__.get("__file__")
    if name == file:
        return True
    generated = name.startswith("<") and function.__name__.startswith("__")
    if not isinstance(file, str) or name.startswith(("<frozen ", "<attrs ")) or generated:
        return True
    return _stem(name) == _stem(file)


def root_of(namespace: dict[str, Any]) -> str:
    """The top-level package of a module's namespace."""
    return str(namespace.get("__name__")).partition(".")[0]


def _stem(path: str) -> str:
    # `pathlib` takes a hundred times as long.
    return path.rpartition("/")[2].partition(".")[0]
