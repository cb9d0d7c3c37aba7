"""Baseline of what originals read: modules as they were when SkyPilot's first one was wrapped.

A route's guards are derived at its first call. What was replaced before that is told from what
is genuine by where it comes from, and that leaves gaps: a method that is gone, a constant with
another value, a class of the same name, other defaults. For the modules that originals read
most, this remembers what was there; it is made once in a process and takes a millisecond or two.
"""

from __future__ import annotations

import itertools
import operator
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Modules that SkyPilot has imported by then. Those of psutil and PyYAML come later, when they are
#: first needed, and SkyPilot's own may be imported anew.
MODULES = (
    *("abc", "codecs", "collections.abc", "encodings", "encodings.utf_8", "genericpath"),
    *("hashlib", "itertools", "logging", "multiprocessing.process", "numbers", "os", "posixpath"),
    *("re", "re._compiler", "re._parser", "socket", "sre_compile", "sre_parse", "stat"),
    *("threading", "time", "_weakrefset"),
    *("attr._make", "jsonschema._keywords", "jsonschema._legacy_keywords", "jsonschema._types"),
    *("jsonschema._utils", "jsonschema.exceptions", "jsonschema.validators", "referencing._core"),
)
_MISSING = object()
#: Names that CPython (from 3.10 on) adds to a class without annotations when they are read.
_MADE_WHEN_ASKED = frozenset({"__annotations__", "__annotations_cache__", "__annotate_func__"})
_HEAP_TYPE = 1 << 9
#: From CPython 3.10 on; from 3.12 on `itertools.count` is such a type, and on the heap.
_IMMUTABLE_TYPE = 1 << 8
#: In what a class holds, these have functions within.
_HOLDERS = frozenset({staticmethod, classmethod, property})


class Snapshot:
    """Contents of modules, their classes and their functions at one time."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        #: By the identity of a module's namespace, which is kept alive: it, and what was in it.
        self._modules: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._classes: dict[type, dict[str, Any]] = {}
        self._functions: dict[FunctionType, tuple[Any, Any, Any]] = {}
        self.add(names)

    def add(self, names: Iterable[str]) -> None:
        """Records modules that have been imported and aren't recorded yet.

        Args:
            names: of the modules.
        """
        for name in names:
            namespace = getattr(sys.modules.get(name), "__dict__", None)
            if namespace is not None and id(namespace) not in self._modules:
                content = dict(namespace)
                self._modules[id(namespace)] = namespace, content
                self._remember(content, name)

    def _remember(self, content: dict[str, Any], module: str) -> None:
        functions = []
        for value in content.values():
            kind = type(value)
            if kind is FunctionType:
                functions.append(value)
            elif kind in _HOLDERS:
                functions += functions_of(value)
            elif (
                issubclass(kind, type)
                and value.__module__ == module
                and can_change(value)
                and value not in self._classes
            ):
                self._classes[value] = own = vars(value).copy()
                self._remember(own, module)
        self._functions.update(zip(functions, map(_parts, functions)))

    def class_changed(self, cls: type, but: frozenset[str] = frozenset()) -> str | None:
        """Name of an attribute that was added, removed or replaced, or ``None``.

        Args:
            cls: the class.
            but: attributes that may change.
        """
        known = self._classes.get(cls)
        if known is None:
            return None
        now = vars(cls)
        then = map(known.get, now, itertools.repeat(_MISSING))
        if len(now) == len(known) and all(map(operator.is_, then, now.values())):
            return None
        for name in (known.keys() | now.keys()) - _MADE_WHEN_ASKED - but:
            if known.get(name, _MISSING) is not now.get(name, _MISSING):
                return name
        return None

    def function_changed(self, function: FunctionType) -> bool:
        """Whether a function has other code or defaults than were recorded."""
        known = self._functions.get(function)
        return known is not None and not all(map(operator.is_, known, _parts(function)))

    def value_changed(self, namespace: dict[str, Any], name: str, value: object = _MISSING) -> bool:
        """Whether a module's name led to another object when recorded, or is gone.

        Data may change; constants, which are written in capitals, may not.
        """
        if id(namespace) not in self._modules:
            return False
        known = self._modules[id(namespace)][1].get(name, _MISSING)
        return known is not value and (name.isupper() or callable(value) or callable(known))


def can_change(cls: type) -> bool:
    """Whether attributes of a class can be set."""
    return cls.__flags__ & (_HEAP_TYPE | _IMMUTABLE_TYPE) == _HEAP_TYPE


def functions_of(value: Any) -> list[FunctionType]:
    """Functions in a class's attribute: of any kind of method or a property, and decorated ones."""
    kind = type(value)
    if kind in (staticmethod, classmethod):
        value = value.__func__
    elif kind is property:
        value = value.fget
    functions = []
    while type(value) is FunctionType:
        functions.append(value)
        value = getattr(value, "__wrapped__", None)
    return functions


_parts = operator.attrgetter("__code__", "__defaults__", "__kwdefaults__")

#: What the installer recorded before it wrapped the first module of SkyPilot.
PRISTINE = Snapshot()
