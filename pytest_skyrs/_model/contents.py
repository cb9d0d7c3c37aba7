"""Contents of objects, read without running any code of theirs."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import functools
import re
import types
from typing import Any

#: Types written in C, or as good as, and the attributes that make up a value.
PARTS: dict[type, tuple[str, ...]] = {
    datetime.datetime: (
        *("year", "month", "day", "hour", "minute", "second", "microsecond", "fold", "tzinfo"),
    ),
    datetime.date: ("year", "month", "day"),
    datetime.time: ("hour", "minute", "second", "microsecond", "fold", "tzinfo"),
    datetime.timedelta: ("days", "seconds", "microseconds"),
    fractions.Fraction: ("_numerator", "_denominator"),
    functools.partial: ("func", "args", "keywords"),
    range: ("start", "stop", "step"),
    re.Pattern: ("pattern", "flags"),
    slice: ("start", "stop", "step"),
    BaseException: ("args",),
}
#: What a class may derive from; a value is read by the first that fits.
BUILTIN_BASES: tuple[type, ...] = (
    *(str, bytes, bytearray, int, float, complex),
    *(tuple, list, dict, set, frozenset, collections.deque, decimal.Decimal),
)


def fields(value: object) -> dict[str, Any] | None:
    """The attributes that an instance stores itself; ``None`` if it isn't such an object."""
    cls = type(value)
    if cls.__getattribute__ not in _ORDINARY_ACCESS or _is_mock(cls):
        return None
    found: dict[str, Any] = {}
    slotted = False
    holder = None
    for base in reversed(cls.__mro__):
        own = vars(base)
        holder = own.get("__dict__", holder)
        if "__slots__" not in own:
            continue
        for name, member in own.items():
            if type(member) is types.MemberDescriptorType:
                slotted = True
                try:
                    found[name] = member.__get__(value)
                except AttributeError:
                    continue
    if holder is None:
        return found if slotted else None
    # A property of that name would run.
    is_plain = type(holder) in (types.GetSetDescriptorType, types.MemberDescriptorType)
    stored = holder.__get__(value) if is_plain else None
    if type(stored) is not dict:
        return None
    found.update(stored)
    return found


#: Each built-in type has its own, which does as that of `object` does.
_ORDINARY_ACCESS: tuple[Any, ...] = tuple(
    base.__getattribute__ for base in (object, types.SimpleNamespace, *BUILTIN_BASES)
)


def sorted_fields(value: object) -> list[tuple[str, Any]]:
    return sorted((fields(value) or {}).items(), key=lambda item: str(item[0]))


def _is_mock(cls: type) -> bool:
    return any(base.__module__ == "unittest.mock" for base in cls.__mro__)


def hash_of(value: object) -> tuple[str, str] | None:
    """Algorithm and digest of one of hashlib's objects."""
    cls = type(value)
    if cls.__module__ in ("_hashlib", "_blake2", "_md5", "_sha1", "_sha2", "_sha3", "_sha512"):
        try:
            copy: Any = value.copy()  # type: ignore[attr-defined]
            return copy.name, copy.digest().hex()
        except (AttributeError, TypeError, ValueError):
            return None
    return None


def numpy_bytes(value: object) -> tuple[str, bytes] | None:
    cls = type(value)
    if cls.__module__ != "numpy":
        return None
    try:
        array: Any = value
        if array.dtype.hasobject:
            return None
        return f"{array.dtype.str}{array.shape}", array.tobytes()
    except (AttributeError, TypeError):
        return None


def as_base(base: type, value: Any) -> Any:
    """A copy of the value as an instance of the built-in type that it derives from."""
    if base is dict:
        return dict(dict.items(value))
    if base in (list, tuple, set, frozenset):
        return base(base.__iter__(value))
    if base is collections.deque:
        return list(base.__iter__(value))
    if base is decimal.Decimal:
        return decimal.Decimal.__repr__(value)
    if base is str:
        return str.__str__(value)
    if base is int:
        return int.__int__(value)
    if base is float:
        return float.__float__(value)
    if base is complex:
        return complex.__add__(value, 0)
    return bytes(memoryview(value))
