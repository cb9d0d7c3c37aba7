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
import enum
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
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

from sky_rs_patch._base import interrupts
from sky_rs_patch._binding.bytecode import assigned_globals, global_chains
from sky_rs_patch._binding.bytecode import names as names_of
from sky_rs_patch._binding.proxies import route_of
from sky_rs_patch._guards.baseline import PRISTINE, can_change, functions_of

if TYPE_CHECKING:
    from collections.abc import Iterable

Namespace = Union["dict[str, Any]", type]
#: namespace, name (or a type, in a registry), ``(expected,)``, ``()`` for absent or
#: ``(expected, None)`` for either, label.
Entry = tuple[Namespace, Union[str, type], tuple[object, ...], str]
#: namespace in which nothing may change; or a function whose code and defaults must stay, which is
#: looked at in each call; or a tuple of a function, or of a module whose class must stay, which is
#: looked at when something has changed elsewhere; label.
Frozen = tuple[Union[Namespace, FunctionType, tuple[Union[FunctionType, ModuleType]]], str]

#: Functions of these packages, and of the original's own, are followed; others are watched by
#: identity alone.
_FOLLOWED = frozenset(
    {"sky", "psutil", "os", "posixpath", "genericpath", "hashlib", "sky_rs_patch"}
)
#: Modules whose own functions are followed, but not those of their packages.
_FOLLOWED_MODULES = frozenset({"re", "threading"})
#: Packages whose classes' methods are followed, as far as they are called.
_FOLLOWED_METHODS = frozenset(
    {"_collections_abc", "abc", "codecs", "collections", "encodings", "logging", "socket"}
)
#: Packages that aren't followed, and whose classes have no methods from elsewhere either.
_UNDECORATED = frozenset({"yaml"})
#: Methods that are called without being named.
_UNNAMED = frozenset(
    {
        *("__call__", "__contains__", "__enter__", "__eq__", "__exit__", "__getattr__"),
        *("__getitem__", "__init__", "__instancecheck__", "__iter__", "__len__", "__new__"),
        *("__next__", "__subclasscheck__"),
    }
)
#: Where an error is raised the original has been called already.
ONLY_IN_ERRORS = frozenset({"ux_utils", "warnings", "debug"})
#: What programs (pytest, exceptiongroup) are invited to set; no call that returns relies on it.
_HOOKS = frozenset({"sys.excepthook", "threading.excepthook"})
_MAX_DEPTH = 6
#: The standard library's own state, which it makes anew in each forked child.
_MADE_ANEW = frozenset(
    f"threading.{name}"
    for name in ("_active_limbo_lock", "_main_thread", "_shutdown_locks", "_shutdown_locks_lock")
)


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
        changed = _changed_builtin()
        if changed is not None:
            # What follows works with them, and a mock would tell of calls that nobody made.
            return changed
        walk = Walk(_FOLLOWED, unread, _root(original.__globals__))
        problem: str | None = None
        try:
            walk.function(original)
            for name in reads:
                walk.dotted(name)
            problem = precondition() if precondition is not None else None
            objects = () if problem else tuple(_evaluate(name, original) for name in context)
            if examine is not None:
                # In any case: what it watches tells when the problem may be gone.
                objects += examine(walk, original)
            if not problem:
                walk.judge()
        except Suspect as suspect:
            problem, objects = problem or str(suspect), ()
        except Exception as error:
            if not interrupts.is_failure(error):
                raise
            # What was seen so far is watched, and a change there is a reason to try again.
            problem, objects = problem or f"the guards can't be derived: {error!r}", ()
        return Guards(walk.entries, walk.frozen, objects, problem)

    return resolve


class Walk:
    """A walk through what an original reads; ``examine`` of a route may take it further."""

    def __init__(self, followed: frozenset[str], unread: frozenset[str], near: str) -> None:
        self._followed = followed | {near}
        #: The package of the original, whose functions are looked at in each call.
        self._near = near
        self._unread = unread
        self.entries: list[Entry] = []
        self.frozen: list[Frozen] = []
        self._seen_entries: set[tuple[int, str | type]] = set()
        self._seen_objects: set[int] = set()
        self._depths: dict[int, int] = {}
        self._pinned: set[int] = set()
        self._trusted: set[str] = set()
        self._suspects: list[str] = []

    def function(self, function: FunctionType, depth: int = 0) -> None:
        """Walks a function's code and what it leads to."""
        if id(function) in self._seen_objects or depth > _MAX_DEPTH:
            return
        self.pin(function)
        self._seen_objects.add(id(function))
        names = names_of(function.__code__)
        # A global that the function sets itself is its state, not something it relies on.
        state = assigned_globals(function.__code__)
        for chain in global_chains(function.__code__):
            if chain[0] not in self._unread and chain[0] not in state:
                self._chain(function.__globals__, chain, names, depth)
        if depth == 0:
            self.judge()

    def judge(self) -> None:
        """Raises `Suspect` if something on the way was replaced."""
        if self._suspects:
            raise Suspect(self._suspects[0])

    def pin(self, function: FunctionType) -> None:
        """Watches a function's code and defaults, which can change while it stays in its place."""
        if id(function) in self._pinned:
            return
        self._pinned.add(id(function))
        label = f"{function.__module__}.{function.__qualname__}"
        near = _root(function.__globals__) == self._near
        self.frozen.append((function if near else (function,), label))
        if function.__kwdefaults__:
            self.frozen.append((function.__kwdefaults__, f"{label}.__kwdefaults__"))
        if not _has_own_code(function) or PRISTINE.function_changed(function):
            self._suspects.append(f"the code of {label} was replaced")

    def pin_methods(self, classes: Iterable[type]) -> None:
        """Pins all methods of classes."""
        for cls in classes:
            for value in vars(cls).values():
                for function in functions_of(value):
                    self.pin(function)

    def methods(
        self, cls: type, names: frozenset[str], depth: int = 0, instance: object = None
    ) -> None:
        """Walks methods of a class, and those that they lead to.

        Args:
            cls: the class.
            names: of the methods; there needn't be any.
            depth: how far the walk has come.
            instance: an object of the class whose own attributes are watched as well.
        """
        own = getattr(instance, "__dict__", None)
        if type(own) is dict:
            for name in sorted(names & own.keys()):
                value, label = own[name], f"{cls.__module__}.{cls.__qualname__}().{name}"
                self.entry(own, name, (value,), label)
                if type(value) is FunctionType and id(value) not in self._seen_objects:
                    self.function(value, depth + 1)
        for base in cls.__mro__:
            if not can_change(base):
                continue
            for name in sorted(names & vars(base).keys()):
                for function in functions_of(vars(base)[name]):
                    if not self._leads_on(function.__globals__, _FOLLOWED_METHODS):
                        continue
                    if id(function) not in self._seen_objects and depth < _MAX_DEPTH:
                        self.function(function, depth + 1)
                        more = names_of(function.__code__)
                        self.methods(cls, more, depth + 1, instance)

    def _leads_on(self, namespace: dict[str, Any], further: frozenset[str] = frozenset()) -> bool:
        root = _root(namespace)
        return (
            root in self._followed
            or root in further
            or namespace.get("__name__") in _FOLLOWED_MODULES
        )

    def dotted(self, name: str) -> None:
        """Walks an absolute dotted name, whose first parts are a module.

        With ``[]`` at its end it is a dictionary in which nothing may change, with ``[key]`` one
        of which this item may not.
        """
        name, registry, key = name.rstrip("]").partition("[")
        root, *rest = name.split(".")
        module = sys.modules.get(root)
        if module is None:
            module = __import__(root)
        self._attributes(module, root, rest, frozenset(), 0)
        if registry:
            content: Any = functools.reduce(getattr, rest, module)
            if not key:
                self.frozen.append((content, name))
            else:
                self.entry(content, key, (content.get(key),), f"{name}[{key}]")
        self.judge()

    def has_walked(self, function: FunctionType, depth: int) -> bool:
        """Whether ``examine`` has been here before, and no deeper; notes that it was."""
        if self._depths.get(id(function), _MAX_DEPTH + 1) <= depth:
            return True
        self._depths[id(function)] = depth
        return False

    def _chain(
        self,
        namespace: dict[str, Any],
        chain: tuple[str, ...],
        names: frozenset[str],
        depth: int,
    ) -> None:
        name, *attributes = chain
        label = f"{namespace.get('__name__')}.{name}"
        if label in _HOOKS:
            return
        if name in namespace:
            value = namespace[name]
            self.entry(namespace, name, (value,), label)
        elif hasattr(builtins, name):
            value = getattr(builtins, name)
            label = f"builtins.{name}"
            self.entry(namespace, name, (), label)
            self.entry(vars(builtins), name, (value,), label)
            if PRISTINE.value_changed(namespace, name):
                self._suspects.append(f"{namespace['__name__']}.{name} is missing")
            namespace = vars(builtins)
        else:
            self.entry(namespace, name, (), label)
            self.entry(vars(builtins), name, (), f"builtins.{name}")
            # The original would fail, if it came that far.
            self._suspects.append(f"{label} is missing")
            return
        self._check(value, namespace, name, label)
        self._attributes(value, label, attributes, names, depth)

    def _attributes(
        self,
        value: Any,
        label: str,
        attributes: list[str],
        names: frozenset[str],
        depth: int,
    ) -> None:
        for attribute in attributes:
            owner = value
            if _is_a(owner, ModuleType):
                owner = self._through_lazy(owner, attribute, label)
                label = f"{owner.__name__}.{attribute}"
                if label in _HOOKS:
                    return
                self.pin_module(owner)
                if attribute not in vars(owner):
                    self.entry(vars(owner), attribute, (), label)
                    # Without the names of a function some versions of the module may have none.
                    gone = bool(names) or PRISTINE.value_changed(vars(owner), attribute)
                    if gone and label not in self._trusted:
                        self._suspects.append(f"{label} is missing")
                    return
                value = vars(owner)[attribute]
                self.entry(vars(owner), attribute, (value,), label)
                self._check(value, vars(owner), attribute, label)
            else:
                # What an object's attribute leads to depends on its class and on itself.
                label = f"{label}.{attribute}"
                self._instance(owner, attribute, label, names, depth)
                return
        self._lead(value, label, names, depth)

    def _lead(self, value: Any, label: str, names: frozenset[str], depth: int) -> None:
        value = _unwrapped(value)
        if type(value) is FunctionType:
            if self._leads_on(value.__globals__):
                self.function(value, depth + 1)
            else:
                self.pin(value)
        elif _is_a(value, type) and not issubclass(value, (BaseException, enum.Enum)):
            self.freeze(value, label)
            self.methods(value, names | _UNNAMED, depth)

    def pin_module(self, module: ModuleType) -> None:
        """Watches a module's class, which may answer for its attributes."""
        if id(module) not in self._pinned:
            self._pinned.add(id(module))
            # Lazy modules have no name of their own, and would be asked for it.
            label = f"{vars(module).get('__name__', type(module).__name__)}.__class__"
            self.frozen.append(((module,), label))
            if type(module) is not ModuleType and not _is_lazy(module):
                self._suspects.append(f"{label} was replaced")

    def _through_lazy(self, module: ModuleType, attribute: str, label: str) -> ModuleType:
        """SkyPilot's LazyImport: an attribute set on it wins over the real module's."""
        if not _is_lazy(module):
            return module
        own = vars(module)
        # Only where it must be, since a mock in its place would tell of the call.
        real = own.get("_module")
        if real is None:
            try:
                real = module.load_module()
            except ImportError:
                # Until somebody has loaded it.
                self.entry(own, "_module", (real,), label)
                raise
        self.pin_module(module)
        self.freeze(type(module), label)
        self.methods(type(module), frozenset({"__getattr__"}))
        # The end of a mock may leave the real module's own attribute on it.
        expected = (vars(real)[attribute], None) if attribute in vars(real) else ()
        self.entry(own, attribute, expected, f"{label}.{attribute}")
        self.entry(own, "_module", (real,), label)
        if attribute in own and own[attribute] is not vars(real).get(attribute):
            self._suspects.append(f"{label}.{attribute} was replaced")
        return real  # type: ignore[no-any-return]

    def _instance(
        self, owner: object, attribute: str, label: str, names: frozenset[str], depth: int
    ) -> None:
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
        cls = owner if isinstance(owner, type) else type(owner)
        self.freeze(cls, label)
        instance = None if cls is owner else owner
        self.methods(cls, names | {attribute} | _UNNAMED, depth, instance)

    def follow(self, *packages: str, trusted: Iterable[str] = ()) -> None:
        """From now on functions of these packages are followed, too.

        Args:
            packages: their names.
            trusted: labels of what is taken as it is now: functions that were made under other
                names, names that some versions of CPython lack.
        """
        self._followed |= {*packages}
        self._trusted |= {*trusted}

    def freeze(self, cls: type, label: str, but: frozenset[str] = frozenset()) -> None:
        """Lets no attribute of a class, or of its bases, come, go or change.

        Args:
            cls: the class.
            label: what led to it.
            but: attributes that may change; then others may come.
        """
        for base in cls.__mro__:
            # Types made in C can't be changed.
            if can_change(base) and id(base) not in self._seen_objects:
                self._seen_objects.add(id(base))
                home = f"{base.__module__}.{base.__qualname__}"
                if but:
                    for name in sorted(vars(base).keys() - but):
                        self.entry(base, name, (vars(base)[name],), f"{home}.{name}")
                else:
                    self.frozen.append((base, home))
                changed = PRISTINE.class_changed(base, but)
                if changed or not all(_is_own(value, base) for value in vars(base).values()):
                    patched = ".".join(filter(None, (base.__qualname__, changed)))
                    self._suspects.append(f"{label}: {patched} was patched")
        if type(cls) is not type and cls is not type(cls):
            # Classes of classes have a say in `isinstance` and in what a call makes.
            self.freeze(type(cls), label)
            self.methods(type(cls), _UNNAMED)

    def entry(
        self, namespace: Namespace, name: str | type, expected: tuple[object, ...], label: str
    ) -> None:
        """Watches a name in a namespace."""
        key = (id(namespace), name)
        if key not in self._seen_entries and label not in _MADE_ANEW:
            self._seen_entries.add(key)
            self.entries.append((namespace, name, expected, label))

    def _check(self, value: object, namespace: dict[str, Any], name: str, label: str) -> None:
        if label in self._trusted:
            return
        genuine = _is_genuine(value, str(namespace.get("__name__")), name)
        if genuine and not PRISTINE.value_changed(namespace, name, value):
            return
        self._suspects.append(f"{label} was replaced")
        if _is_a(value, ModuleType):
            # It isn't the one of `sys.modules`, and perhaps that is where it was replaced.
            home = str(vars(value).get("__name__"))
            self.entry(sys.modules, home, (value,), f"sys.modules[{home}]")


def _root(namespace: dict[str, Any]) -> str:
    """The top-level package of a module's namespace."""
    return str(namespace.get("__name__")).partition(".")[0]


def _is_a(value: object, cls: type) -> bool:
    """``isinstance`` that isn't taken in by what an object says of itself, as mocks do."""
    return issubclass(type(value), cls)


def _is_lazy(module: ModuleType) -> bool:
    """Whether it is one of SkyPilot's LazyImport."""
    return hasattr(type(module), "load_module")


def _method_names(cls: type) -> set[str]:
    """Names of methods written in Python."""
    return {
        name
        for base in cls.__mro__
        for name, value in vars(base).items()
        if type(value) is FunctionType
    }


def _has_own_code(function: FunctionType) -> bool:
    """Whether the code may well come from the file that the function's module comes from."""
    name, file = function.__code__.co_filename, function.__globals__.get("__file__")
    generated = name.startswith("<") and function.__name__.startswith("__")
    if not isinstance(file, str) or name.startswith(("<frozen ", "<attrs ")) or generated:
        return True
    return _stem(name) == _stem(file)


def _stem(path: str) -> str:
    # `pathlib` takes a hundred times as long.
    return path.rpartition("/")[2].partition(".")[0]


#: Builtins as they were when this module was made, but for those that programs like to replace.
_BUILTINS = tuple(
    (name, value)
    for name, value in vars(builtins).items()
    if name not in ("copyright", "credits", "exit", "help", "input", "license", "open", "print")
    and name not in ("quit", "_", "__spec__", "__loader__")
)


_NAMESPACE = vars(builtins)
_ALL_BUILTINS = dict(_NAMESPACE)


def _changed_builtin() -> Guards | None:
    """Guards that refuse if a builtin is another now. No builtin is called."""
    for name, value in _BUILTINS:
        if name not in _NAMESPACE or _NAMESPACE[name] is not value:
            entries: list[Entry] = [(_NAMESPACE, name, (value,), f"builtins.{name}")]
            return Guards(entries, [], (), f"builtins.{name} was replaced")
    return None


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
    functions = functions_of(value)
    if not functions:
        return True
    root = str(cls.__module__).partition(".")[0]
    if not (root in _FOLLOWED or root in _UNDECORATED or is_stdlib(root)):
        # What decorators make of the methods of other classes is beyond telling.
        return True
    home = _root(functions[0].__globals__)
    # The standard library makes methods, too: those of named tuples, for instance.
    return home == root or home.startswith("namedtuple_") or is_stdlib(home)


def _is_genuine(value: Any, owner: str, name: str) -> bool:
    """Whether the object that a module has under a name is the one it was made with."""
    value = _unwrapped(value)
    if value is not _ALL_BUILTINS.get(name, value) and not name.startswith("__"):
        # Modules have such names, `os.open` for one. What somebody put in front of a builtin for a
        # test isn't theirs.
        namespace = value.__globals__ if type(value) is FunctionType else {}
        if owner not in (namespace.get("__name__"), getattr(value, "__module__", "")):
            return type(value) is BuiltinFunctionType and value.__module__ != "builtins"
    if type(value) is FunctionType:
        home = str(value.__globals__.get("__name__"))
        if name in (value.__name__, f"_{value.__name__}"):
            # A decorator of the standard library, say contextlib's, has made a new function.
            decorated = value.__module__ == owner and hasattr(value, "__wrapped__")
            return _same_origin(home, owner) or (decorated and is_stdlib(home.partition(".")[0]))
        # hashlib.new was made as hashlib.__hash_new, and that name was deleted. A function that
        # still has its own name as well is one that somebody put in another's place.
        return home == owner and _unwrapped(value.__globals__.get(value.__name__)) is not value
    if type(value) is BuiltinFunctionType:
        # hashlib's constructors are OpenSSL's, and threading's locks those of _thread.
        return name in (value.__name__, f"_{value.__name__}") or (
            (owner, value.__name__)
            in (("hashlib", f"openssl_{name}"), ("threading", "allocate_lock"))
        )
    if _is_a(value, type):
        if value.__module__ == owner:
            return True
        akin = value.__name__ == name or _same_origin(value.__module__, owner)
        if not can_change(value):
            return akin
        # From elsewhere, and there it is as well.
        there = getattr(sys.modules.get(value.__module__), value.__name__, None)
        return akin and there is value
    if _is_a(value, ModuleType):
        if _is_lazy(value):
            return True
        return sys.modules.get(value.__name__) is value
    if owner == "os" and name == "environ":
        return type(value) is os._Environ
    if _is_a(value, logging.Logger):
        return type(value) is logging.Logger
    if type(value) is MethodWrapperType:
        # threading numbers its threads by that of an `itertools.count`.
        return not can_change(type(value.__self__))
    if type(value) is WrapperDescriptorType:
        # attrs keeps that of `object.__setattr__`.
        return not can_change(value.__objclass__)
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
