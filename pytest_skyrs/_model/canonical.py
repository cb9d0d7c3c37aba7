"""Digests and descriptions of values: the same in two processes if the values are the same.

Nothing of the values' own code runs (no ``__repr__``, no properties): looking must not change what
is looked at. What can't be looked into counts by its type alone, and is called opaque.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import hashlib
import math
import pathlib
import re
import types
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any, Callable

from pytest_skyrs._model import contents, open_files, processes

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEPTH = 24
_NODES = 50_000
_DIGEST_BYTES = 10
_TMP_PATH = re.compile(r"(/pytest-\d+/[^/'\"\s]*?)\d+(?=[/'\"\s]|$)")

#: Types whose ``repr`` is theirs alone and says all; not so a subclass's.
_PLAIN = (
    bytes,
    bytearray,
    complex,
    datetime.timezone,
    decimal.Decimal,
    uuid.UUID,
    zoneinfo.ZoneInfo,
    type(Ellipsis),
    type(NotImplemented),
)
_NAMED = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
)


class Canonical:
    """Encodes values, with the folders of an arm taken out of texts.

    Args:
        roots: texts that differ between arms by construction, and what stands for them.
        same_process: pytest's ``tmp_path`` has another number in the second of two runs.
    """

    def __init__(
        self, roots: Iterable[tuple[str, str]] = (), *, same_process: bool = False
    ) -> None:
        self._roots: list[tuple[str, str]] = []
        self._same_process = same_process
        for root, name in roots:
            self.add_root(root, name)

    def add_root(self, root: str, name: str) -> None:
        """Takes one more text out; the longest that fits counts."""
        self._roots = sorted([*self._roots, (root, name)], key=lambda pair: -len(pair[0]))

    def text(self, text: str) -> str:
        """The text without the arm's own folders."""
        for root, name in self._roots:
            if root in text:
                text = text.replace(root, name)
        if self._same_process and "/pytest-" in text:
            text = _TMP_PATH.sub(r"\1<N>", text)
        return text

    def digest(self, value: object) -> str:
        """A short digest of the value, in hexadecimal digits."""
        writer = _Digester(self.text)
        writer.write(value, 0)
        return writer.result()

    def describe(self, value: object, limit: int = 2000) -> str:
        """The value as a text to read, at most ``limit`` characters and a mark if it was cut."""
        writer = _Describer(self.text, limit)
        writer.write(value, 0)
        return writer.result()

    def describe_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Arguments as they are written in a call."""
        parts = [self.describe(value) for value in args]
        parts += [f"{name}={self.describe(value)}" for name, value in kwargs.items()]
        return f"({', '.join(parts)})"


def type_name(cls: type) -> str:
    """The qualified name of a type."""
    # A metaclass may have made either of them a property.
    name = type.__dict__["__qualname__"].__get__(cls)
    module = type.__dict__["__module__"].__get__(cls)
    if type(module) is not str:
        return f"?.{name}"
    return name if module == "builtins" else f"{module}.{name}"


class _Walker:
    """Visits a value and what it holds, within bounds."""

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self.scrub = scrub
        self._open: set[int] = set()
        self._nodes = 0

    def write(self, value: object, depth: int) -> None:
        self._nodes += 1
        if depth > _DEPTH or self._nodes > _NODES or self.is_full():
            self.leaf("bound", "...")
            return
        cls = type(value)
        if value is None or cls is bool or cls is int:
            self.leaf(cls.__name__, _int_text(value) if cls is int else repr(value))
        elif cls is str:
            self.string(value)  # type: ignore[arg-type]
        elif cls is float:
            self.leaf("float", "nan" if math.isnan(value) else repr(value))  # type: ignore[arg-type]
        elif cls in _PLAIN:
            self.plain(type_name(cls), value)
        elif id(value) in self._open:
            self.leaf("cycle", "<cycle>")
        else:
            self._open.add(id(value))
            try:
                self._compound(value, cls, depth + 1)
            except Exception:
                # Another thread changes it, or its metaclass has surprises.
                self.leaf("opaque", "<object that can't be looked into>")
            finally:
                self._open.discard(id(value))

    def _compound(self, value: Any, cls: type, depth: int) -> None:
        if cls is tuple or cls is list:
            self.sequence(cls.__name__, list(value), depth)
        elif cls is dict:
            self.mapping("dict", list(value.items()), depth)
        elif cls is set or cls is frozenset:
            self.unordered(cls.__name__, list(value), depth)
        # Not `isinstance`: a mock, or a proxy, may say that it is what it isn't.
        elif issubclass(cls, enum.Enum):
            # Combined flags have no name of their own before Python 3.11.
            name = value._name_ if value._name_ is not None else f"{value._value_!r}"
            self.leaf("enum", f"{type_name(cls)}.{name}")
        elif issubclass(cls, type):
            self.leaf("named", f"<class {type_name(value)}>")
        elif issubclass(cls, _NAMED):
            module = getattr(value, "__module__", None)
            self.leaf("named", f"<{module}.{value.__qualname__}>")
        elif cls is types.ModuleType:
            self.leaf("module", f"<module {value.__name__}>")
        elif cls is types.MethodType:
            self.sequence("method", [value.__func__, value.__self__], depth)
        elif issubclass(cls, pathlib.PurePath):
            self.sequence(type_name(cls), [pathlib.PurePath.__str__(value)], depth)
        else:
            self._object(value, cls, depth)

    def _object(self, value: Any, cls: type, depth: int) -> None:
        name = type_name(cls)
        for base in contents.BUILTIN_BASES:
            if issubclass(cls, base):
                # The base's own view of it, and what the subclass adds.
                self.mapping(
                    name,
                    [("", contents.as_base(base, value)), *contents.sorted_fields(value)],
                    depth,
                )
                return
        for base, parts in contents.PARTS.items():
            if issubclass(cls, base):
                found = [getattr(base, part).__get__(value) for part in parts]
                if base is BaseException:
                    found = list(found[0])
                self.sequence(name, found, depth)
                return
        opened = open_files.fields(value, self.scrub)
        if opened is not None:
            self.mapping(name, opened, depth)
            return
        special = (
            contents.hash_of(value) or contents.numpy_bytes(value) or processes.described(value)
        )
        stored = contents.fields(value) if special is None else None
        if special is not None:
            self.sequence(name, list(special), depth)
        elif stored is not None:
            self.mapping(name, contents.sorted_fields(value), depth)
        else:
            self.leaf("opaque", f"<{name} object>")

    def is_full(self) -> bool:
        return False

    def leaf(self, tag: str, text: str) -> None:
        raise NotImplementedError

    def string(self, value: str) -> None:
        raise NotImplementedError

    def plain(self, tag: str, value: object) -> None:
        raise NotImplementedError

    def sequence(self, tag: str, items: list[Any], depth: int) -> None:
        raise NotImplementedError

    def unordered(self, tag: str, items: list[Any], depth: int) -> None:
        raise NotImplementedError

    def mapping(self, tag: str, items: list[tuple[Any, Any]], depth: int) -> None:
        raise NotImplementedError


def _int_text(value: object) -> str:
    # Beyond some thousand digits Python refuses to write it in decimal.
    number: int = value  # type: ignore[assignment]
    return str(number) if number.bit_length() < 2000 else hex(number)


class _Digester(_Walker):
    def __init__(self, scrub: Callable[[str], str]) -> None:
        super().__init__(scrub)
        self._hash = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def result(self) -> str:
        return self._hash.hexdigest()

    def _put(self, tag: str, content: bytes) -> None:
        self._hash.update(b"%s:%d:" % (tag.encode("utf-8", "surrogatepass"), len(content)))
        self._hash.update(content)

    def leaf(self, tag: str, text: str) -> None:
        self._put(tag, text.encode("utf-8", "surrogatepass"))

    def string(self, value: str) -> None:
        self._put("str", self.scrub(value).encode("utf-8", "surrogatepass"))

    def plain(self, tag: str, value: object) -> None:
        self._put(tag, bytes(value) if isinstance(value, bytearray) else repr(value).encode())

    def sequence(self, tag: str, items: list[Any], depth: int) -> None:
        self._put(tag, b"%d" % len(items))
        for item in items:
            self.write(item, depth)

    def unordered(self, tag: str, items: list[Any], depth: int) -> None:
        digests = []
        for item in items:
            inner = _Digester(self.scrub)
            inner._open, inner._nodes = self._open, self._nodes
            inner.write(item, depth)
            self._nodes = inner._nodes
            digests.append(inner._hash.digest())
        self._put(tag, b"".join(sorted(digests)))

    def mapping(self, tag: str, items: list[tuple[Any, Any]], depth: int) -> None:
        self._put(tag, b"%d" % len(items))
        for key, value in items:
            self.write(key, depth)
            self.write(value, depth)


class _Describer(_Walker):
    def __init__(self, scrub: Callable[[str], str], limit: int) -> None:
        super().__init__(scrub)
        self._parts: list[str] = []
        self._room = limit
        self._is_cut = False

    def result(self) -> str:
        return "".join(self._parts)

    def is_full(self) -> bool:
        return self._room <= 0

    def _cut(self) -> None:
        """Marks the place from which on something is left out."""
        if not self._is_cut:
            self._is_cut = True
            self._parts.append("...")

    def _add(self, text: str) -> None:
        if self._room <= 0:
            if text:
                self._cut()
            return
        if len(text) > self._room:
            text = f"{text[: self._room]}... ({len(text):,} characters)"
            self._is_cut = True
        self._room -= len(text)
        self._parts.append(text)

    def leaf(self, tag: str, text: str) -> None:
        self._add(text)

    def string(self, value: str) -> None:
        # All of a long text would be written only to be cut.
        scrubbed = self.scrub(value)
        if len(scrubbed) > self._room:
            shown = repr(scrubbed[: max(self._room, 0)])
            self._parts.append(f"{shown[:-1]}...{shown[-1]} ({len(scrubbed):,} characters)")
            self._room = 0
            self._is_cut = True
        else:
            self._add(repr(scrubbed))

    def plain(self, tag: str, value: object) -> None:
        if isinstance(value, (bytes, bytearray)) and len(value) > self._room:
            shown = repr(bytes(value[: max(self._room, 0)]))
            self._parts.append(f"{shown[:-1]}...{shown[-1]} ({len(value):,} bytes)")
            self._room = 0
            self._is_cut = True
        else:
            self._add(repr(value))

    def sequence(self, tag: str, items: list[Any], depth: int) -> None:
        opening, closing = {"list": ("[", "]"), "tuple": ("(", ")")}.get(tag, (f"{tag}(", ")"))
        self._list(opening, [(item,) for item in items], closing, depth)
        if tag == "tuple" and len(items) == 1:
            self._parts[-1] = ",)"

    def unordered(self, tag: str, items: list[Any], depth: int) -> None:
        texts = []
        for item in items:
            inner = _Describer(self.scrub, self._room)
            inner._open, inner._nodes = self._open, self._nodes
            inner.write(item, depth)
            self._nodes = inner._nodes
            texts.append(inner.result())
        self._add(f"{tag}({{{', '.join(sorted(texts))}}})")

    def mapping(self, tag: str, items: list[tuple[Any, Any]], depth: int) -> None:
        if tag == "dict":
            self._list("{", items, "}", depth, ": ")
            return
        self._add(f"{tag}(")
        for index, (key, value) in enumerate(items):
            prefix = ", " if index else ""
            self._add(f"{prefix}{key}=" if key else prefix)
            self.write(value, depth)
        self._parts.append(")")

    def _list(
        self, opening: str, items: list[Any], closing: str, depth: int, between: str = ""
    ) -> None:
        self._add(opening)
        for index, item in enumerate(items):
            if self.is_full():
                self._cut()
                break
            self._add(", " if index else "")
            for position, part in enumerate(item):
                self._add(between if position else "")
                self.write(part, depth)
        self._parts.append(closing)
