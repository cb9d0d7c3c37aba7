"""What an original reads, derived from its code.

The bytecode of the original, and of every function that it leads to in the modules named below,
is walked for global names and the attributes taken from them. Each becomes an entry that the
extension compares by identity at the call: a name in a namespace and the object it must lead to,
or its absence (``open`` is looked up in the module before it is in ``builtins``).

What is found must also be genuine: if a test has replaced ``os.path.exists`` before the first
call, the replacement must not be taken for the real thing.
"""

from __future__ import annotations

import builtins
import functools
import logging
import os
import sys
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

from sky_rs_patch._bytecode import assigned_globals, global_chains
from sky_rs_patch._proxy import route_of

if TYPE_CHECKING:
    from collections.abc import Iterable

Namespace = Union["dict[str, Any]", type]
#: namespace, name (or a type, in a registry), ``(expected,)``, ``()`` for absent or
#: ``(expected, None)`` for either, label.
Entry = tuple[Namespace, Union[str, type], tuple[object, ...], str]
#: namespace in which nothing may change, label.
Frozen = tuple[Namespace, str]

#: Functions of these packages, and of the original's own, are followed; others are watched by
#: identity alone.
_FOLLOWED = frozenset(
    {"sky", "psutil", "os", "posixpath", "genericpath", "hashlib", "sky_rs_patch"}
)
#: Where an error is raised the original has been called already.
ONLY_IN_ERRORS = frozenset({"ux_utils", "warnings", "debug"})
_MAX_DEPTH = 6


class Suspect(Exception):
    """Something that the original reads has been replaced; the message names it."""


class Guards(NamedTuple):
    """The answer that the extension's route expects of its resolver."""

    entries: list[Entry]
    frozen: list[Frozen]
    context: tuple[object, ...]
    problem: str | None


def resolver(
    original: FunctionType,
    *,
    reads: Iterable[str] = (),
    unread: frozenset[str] = frozenset(),
    context: Iterable[str] = (),
    precondition: Callable[[], str | None] | None = None,
    examine: Callable[[Walk, FunctionType], tuple[object, ...]] | None = None,
) -> Callable[[], Guards]:
    """Makes the function that derives an original's guards when they are first needed."""
    reads, context = tuple(reads), tuple(context)

    def resolve() -> Guards:
        walk = Walk(_FOLLOWED | {_root(original.__globals__)}, unread)
        try:
            walk.function(original)
            for name in reads:
                walk.dotted(name)
            problem = precondition() if precondition is not None else None
            objects = () if problem else tuple(_evaluate(name, original) for name in context)
            if examine is not None and not problem:
                objects += examine(walk, original)
        except Suspect as suspect:
            problem, objects = str(suspect), ()
        except Exception as error:
            # What was seen so far is watched, and a change there is a reason to try again.
            problem, objects = f"the guards can't be derived: {error!r}", ()
        return Guards(walk.entries, walk.frozen, objects, problem)

    return resolve


class Walk:
    """A walk through what an original reads; ``examine`` of a route may take it further."""

    def __init__(self, followed: frozenset[str], unread: frozenset[str]) -> None:
        self._followed = followed
        self._unread = unread
        self.entries: list[Entry] = []
        self.frozen: list[Frozen] = []
        self._seen_entries: set[tuple[int, str | type]] = set()
        self._seen_objects: set[int] = set()
        self._depths: dict[int, int] = {}
        self._suspects: list[str] = []

    def function(self, function: FunctionType, depth: int = 0) -> None:
        """Walks a function's code and what it leads to."""
        if id(function) in self._seen_objects or depth > _MAX_DEPTH:
            return
        self._seen_objects.add(id(function))
        # A global that the function sets itself is its state, not something it relies on.
        state = assigned_globals(function.__code__)
        for chain in global_chains(function.__code__):
            if chain[0] not in self._unread and chain[0] not in state:
                self._chain(function.__globals__, chain, depth)
        if depth == 0 and self._suspects:
            raise Suspect(self._suspects[0])

    def dotted(self, name: str) -> None:
        """Walks an absolute dotted name, whose first parts are a module.

        With ``[]`` at its end it is a dictionary in which nothing may change.
        """
        name, registry, _ = name.partition("[]")
        root, *rest = name.split(".")
        module = sys.modules.get(root)
        if module is None:
            module = __import__(root)
        self._attributes(module, root, rest, 0)
        if registry:
            content: Any = functools.reduce(getattr, rest, module)
            self.frozen.append((content, name))
        if self._suspects:
            raise Suspect(self._suspects[0])

    def has_walked(self, function: FunctionType, depth: int) -> bool:
        """Whether ``examine`` has been here before, and no deeper; notes that it was."""
        if self._depths.get(id(function), _MAX_DEPTH + 1) <= depth:
            return True
        self._depths[id(function)] = depth
        return False

    def _chain(self, namespace: dict[str, Any], chain: tuple[str, ...], depth: int) -> None:
        name, *attributes = chain
        owner = str(namespace.get("__name__"))
        if name in namespace:
            value = namespace[name]
            label = f"{owner}.{name}"
            self.entry(namespace, name, (value,), label)
        elif hasattr(builtins, name):
            value = getattr(builtins, name)
            owner, label = "builtins", f"builtins.{name}"
            self.entry(namespace, name, (), label)
            self.entry(vars(builtins), name, (value,), label)
        else:
            self.entry(namespace, name, (), f"{owner}.{name}")
            return
        self._check(value, owner, name, label)
        self._attributes(value, label, attributes, depth)

    def _attributes(self, value: Any, label: str, attributes: list[str], depth: int) -> None:
        for attribute in attributes:
            owner = value
            if _is_a(owner, ModuleType):
                owner = self._through_lazy(owner, attribute, label)
                label = f"{owner.__name__}.{attribute}"
                if attribute not in vars(owner):
                    self.entry(vars(owner), attribute, (), label)
                    return
                value = vars(owner)[attribute]
                self.entry(vars(owner), attribute, (value,), label)
                self._check(value, owner.__name__, attribute, label)
            else:
                # What an object's attribute leads to depends on its class and on itself.
                label = f"{label}.{attribute}"
                self._instance(owner, attribute, label)
                return
        self._lead(value, label, depth)

    def _lead(self, value: Any, label: str, depth: int) -> None:
        value = _unwrapped(value)
        if type(value) is FunctionType:
            if _root(value.__globals__) in self._followed:
                self.function(value, depth + 1)
        elif _is_a(value, type) and not issubclass(value, BaseException):
            self.freeze(value, label)

    def _through_lazy(self, module: ModuleType, attribute: str, label: str) -> ModuleType:
        """SkyPilot's LazyImport: an attribute set on it wins over the real module's."""
        load = getattr(type(module), "load_module", None)
        if load is None:
            return module
        own = vars(module)
        real = load(module)
        # The end of a mock may leave the real module's own attribute on it.
        expected = (vars(real)[attribute], None) if attribute in vars(real) else ()
        self.entry(own, attribute, expected, f"{label}.{attribute}")
        self.entry(own, "_module", (real,), label)
        if attribute in own and own[attribute] is not vars(real).get(attribute):
            self._suspects.append(f"{label}.{attribute} was replaced")
        return real  # type: ignore[no-any-return]

    def _instance(self, owner: object, attribute: str, label: str) -> None:
        own = getattr(owner, "__dict__", None)
        if isinstance(own, dict):
            self.entry(own, attribute, (own[attribute],) if attribute in own else (), label)
            if attribute in own and callable(own[attribute]):
                self._suspects.append(f"{label} was replaced")
            # What the method calls on the object can be replaced there as well.
            for name in _method_names(type(owner)):
                method = f"{label.rpartition('.')[0]}.{name}"
                if name in own:
                    self._suspects.append(f"{method} was replaced")
                else:
                    self.entry(own, name, (), method)
        self.freeze(owner if isinstance(owner, type) else type(owner), label)

    def freeze(self, cls: type, label: str) -> None:
        """Lets no attribute of a class, or of its bases, come, go or change."""
        for base in cls.__mro__:
            # Types made in C can't be changed.
            if base.__flags__ & _HEAP_TYPE and id(base) not in self._seen_objects:
                self._seen_objects.add(id(base))
                self.frozen.append((base, f"{base.__module__}.{base.__qualname__}"))
                if not all(_is_own(value, base) for value in vars(base).values()):
                    self._suspects.append(f"{label}: {base.__qualname__} was patched")

    def entry(
        self, namespace: Namespace, name: str | type, expected: tuple[object, ...], label: str
    ) -> None:
        """Watches a name in a namespace."""
        key = (id(namespace), name)
        if key not in self._seen_entries:
            self._seen_entries.add(key)
            self.entries.append((namespace, name, expected, label))

    def _check(self, value: object, owner: str, name: str, label: str) -> None:
        if not _is_genuine(value, owner, name):
            self._suspects.append(f"{label} was replaced")


_HEAP_TYPE = 1 << 9


def _root(namespace: dict[str, Any]) -> str:
    """The top-level package of a module's namespace."""
    return str(namespace.get("__name__")).partition(".")[0]


def _is_a(value: object, cls: type) -> bool:
    """``isinstance`` that isn't taken in by what an object says of itself, as mocks do."""
    return issubclass(type(value), cls)


def _method_names(cls: type) -> set[str]:
    """Names of methods written in Python."""
    return {
        name
        for base in cls.__mro__
        for name, value in vars(base).items()
        if type(value) is FunctionType
    }


def _unwrapped(value: Any) -> Any:
    """The original behind one of our own proxies, or behind functools' caches."""
    route = route_of(value)
    if route is not None:
        return route.original
    if type(value) is functools._lru_cache_wrapper:
        return value.__wrapped__
    return value


def _is_mock(value: object) -> bool:
    module: object = getattr(type(value), "__module__", "")
    return isinstance(module, str) and module.partition(".")[0] in ("unittest", "mock")


def _is_own(value: Any, cls: type) -> bool:
    """Whether an attribute of a class may well be the one that the class was made with."""
    if _is_mock(value):
        return False
    root = str(cls.__module__).partition(".")[0]
    if type(value) is not FunctionType or not (root in _FOLLOWED or is_stdlib(root)):
        # What decorators make of the methods of other classes is beyond telling.
        return True
    home = _root(value.__globals__)
    # The standard library makes methods, too: those of named tuples, for instance.
    return home == root or home.startswith("namedtuple_") or is_stdlib(home)


def _is_genuine(value: Any, owner: str, name: str) -> bool:
    """Whether the object that a module has under a name is the one it was made with."""
    value = _unwrapped(value)
    if type(value) is FunctionType:
        home = str(value.__globals__.get("__name__"))
        if value.__name__ == name:
            # A decorator of the standard library, say contextlib's, has made a new function.
            decorated = value.__module__ == owner and hasattr(value, "__wrapped__")
            return _same_origin(home, owner) or (decorated and is_stdlib(home.partition(".")[0]))
        # hashlib.new was made as hashlib.__hash_new, and that name was deleted. A function that
        # still has its own name as well is one that somebody put in another's place.
        return home == owner and _unwrapped(value.__globals__.get(value.__name__)) is not value
    if type(value) is BuiltinFunctionType:
        # hashlib's constructors are OpenSSL's.
        return value.__name__ == name or (
            owner == "hashlib" and value.__name__ == f"openssl_{name}"
        )
    if _is_a(value, type):
        return (
            value.__module__ == owner
            or value.__name__ == name
            or _same_origin(value.__module__, owner)
        )
    if _is_a(value, ModuleType):
        if hasattr(type(value), "load_module"):
            return True
        return sys.modules.get(value.__name__) is value
    if owner == "os" and name == "environ":
        return type(value) is os._Environ
    if _is_a(value, logging.Logger):
        return type(value) is logging.Logger
    if type(value) is MethodType or _is_mock(value):
        return False
    # Data; other callables (partials, instances with __call__) are nobody's original.
    return not callable(value)


def _same_origin(home: str, owner: str) -> bool:
    """Whether one of two modules may well have its functions from the other."""
    home, owner = home.partition(".")[0], owner.partition(".")[0]
    return home == owner or (is_stdlib(home) and is_stdlib(owner))


def is_stdlib(root: str) -> bool:
    names = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return root in names
    # Up to Python 3.9 it can only be told from where the module lies.
    path = getattr(sys.modules.get(root), "__file__", None)
    if path is None:
        return True
    return Path(os.__file__).parent in Path(path).parents and "site-packages" not in path


def _evaluate(name: str, original: FunctionType) -> object:
    """An object that a native function works with, named as the original would name it."""
    if name == "globals()":
        return original.__globals__
    if name.startswith("import:"):
        module, _, attribute = name[len("import:") :].rpartition(".")
        return getattr(__import__(module, fromlist=[attribute]), attribute)
    value: object = original.__globals__[name.partition(".")[0]]
    for attribute in name.split(".")[1:]:
        value = getattr(value, attribute)
    return value
