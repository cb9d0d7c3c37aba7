"""Baseline of what originals read: modules as they were when SkyPilot's first one was wrapped.

A route's guards are derived at its first call. What was replaced before that is told from what
is genuine by where it comes from, and that leaves gaps: a method that is gone, a constant with
another value, a class of the same name, other defaults. For the modules that originals read
most, the extension remembers what was there (``rust/binding/src/start/snapshot.rs``).
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from sky_rs_patch._binding import extension

_HEAP_TYPE = 1 << 9
#: From CPython 3.10 on; from 3.12 on `itertools.count` is such a type, and on the heap.
_IMMUTABLE_TYPE = 1 << 8
_NATIVE: Any = extension.load().module

#: What was recorded before the first module of SkyPilot was wrapped. Nobody asks without extension.
PRISTINE: Any = _NATIVE.pristine() if _NATIVE is not None else None


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
