"""Walk through what an original reads: its bytecode, and that of what it leads to.

Global names, and the attributes taken from them, become entries of a `GuardBuilder`: a name in a
namespace and the object that it must lead to, or its absence (``open`` is looked up in the module
before it is in ``builtins``). Functions and classes on the way are pinned and frozen.
"""

from __future__ import annotations

import builtins
import enum
import functools
import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Union

from sky_rs_patch._binding.bytecode import scan
from sky_rs_patch._guards.baseline import PRISTINE, can_change, functions_of
from sky_rs_patch._guards.genuine import (
    has_own_code,
    is_a,
    is_genuine,
    is_lazy,
    is_own,
    root_of,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sky_rs_patch._native import GuardBuilder

#: A module's, an instance's or any other dictionary, or a class for its attributes.
Namespace = Union["dict[Any, Any]", type]

#: Modules whose own functions are followed, but not those of their packages.
_FOLLOWED_MODULES = frozenset({"re", "threading"})
#: Packages whose classes' methods are followed, as far as they are called.
_FOLLOWED_METHODS = frozenset(
    {"_collections_abc", "abc", "codecs", "collections", "encodings", "logging", "socket"}
)
#: Methods that are called without being named.
_UNNAMED = frozenset(
    {
        *("__call__", "__contains__", "__enter__", "__eq__", "__exit__", "__getattr__"),
        *("__getitem__", "__init__", "__instancecheck__", "__iter__", "__len__", "__new__"),
        *("__next__", "__subclasscheck__"),
    }
)
#: What programs (pytest, exceptiongroup) are invited to set; no call that returns relies on it.
_HOOKS = frozenset({"sys.excepthook", "threading.excepthook"})
_MAX_DEPTH = 6
#: The standard library's own state, which it makes anew in each forked child.
_MADE_ANEW = frozenset(
    f"threading.{name}"
    for name in ("_active_limbo_lock", "_main_thread", "_shutdown_locks", "_shutdown_locks_lock")
)


class Suspect(Exception):
    """Something that the original reads was replaced; the message names it."""


class Walk:
    """Walk through what an original reads; a route's ``examine`` may take it further."""

    def __init__(
        self, guards: GuardBuilder, followed: frozenset[str], unread: frozenset[str], package: str
    ) -> None:
        self._guards = guards
        self._followed = followed | {package}
        #: The package of the original, whose functions are compared in each call.
        self._package = package
        self._unread = unread
        self._seen_entries: set[tuple[int, str | type]] = set()
        self._seen_objects: set[int] = set()
        #: Names that functions use, by their identity.
        self._names: dict[int, frozenset[str]] = {}
        self._bases: dict[int, list[type]] = {}
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
        scanned = scan(function.__code__)
        self._names[id(function)] = names = scanned.names
        for chain in scanned.chains:
            # A global that the function sets itself is its state, not something it relies on.
            if chain[0] not in self._unread and chain[0] not in scanned.assigned:
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
        if root_of(function.__globals__) == self._package:
            self._guards.pin_hot(function, label)
        else:
            self._guards.pin_cold(function, label)
        if function.__kwdefaults__:
            self.freeze_namespace(function.__kwdefaults__, f"{label}.__kwdefaults__")
        if not has_own_code(function) or PRISTINE.function_changed(function):
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
                self.expect(own, name, value, label, instance=True)
                if type(value) is FunctionType and id(value) not in self._seen_objects:
                    self.function(value, depth + 1)
        if depth >= _MAX_DEPTH:
            return
        for base in self._changeable(cls):
            for name in sorted(names & vars(base).keys()):
                for function in functions_of(vars(base)[name]):
                    # Most have been walked: a loader's methods name one another.
                    if id(function) not in self._seen_objects and self._leads_on(
                        function.__globals__, _FOLLOWED_METHODS
                    ):
                        self.function(function, depth + 1)
                        more = self._names[id(function)]
                        self.methods(cls, more, depth + 1, instance)

    def _changeable(self, cls: type) -> list[type]:
        """A class's bases, itself among them, whose attributes can be set."""
        bases = self._bases.get(id(cls))
        if bases is None:
            bases = self._bases[id(cls)] = [base for base in cls.__mro__ if can_change(base)]
        return bases

    def _leads_on(self, namespace: dict[str, Any], further: frozenset[str] = frozenset()) -> bool:
        root = root_of(namespace)
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
                self.freeze_namespace(content, name)
            else:
                self.expect(content, key, content.get(key), f"{name}[{key}]")
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
            self.expect(namespace, name, value, label)
        elif hasattr(builtins, name):
            value = getattr(builtins, name)
            label = f"builtins.{name}"
            self.expect_absent(namespace, name, label)
            self.expect(vars(builtins), name, value, label)
            if PRISTINE.value_changed(namespace, name):
                self._suspects.append(f"{namespace['__name__']}.{name} is missing")
            namespace = vars(builtins)
        else:
            self.expect_absent(namespace, name, label)
            self.expect_absent(vars(builtins), name, f"builtins.{name}")
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
            if is_a(owner, ModuleType):
                owner = self._through_lazy(owner, attribute, label)
                label = f"{owner.__name__}.{attribute}"
                if label in _HOOKS:
                    return
                self.pin_module(owner)
                if attribute not in vars(owner):
                    self.expect_absent(vars(owner), attribute, label)
                    # Without the names of a function some versions of the module may have none.
                    gone = bool(names) or PRISTINE.value_changed(vars(owner), attribute)
                    if gone and label not in self._trusted:
                        self._suspects.append(f"{label} is missing")
                    return
                value = vars(owner)[attribute]
                self.expect(vars(owner), attribute, value, label)
                self._check(value, vars(owner), attribute, label)
            else:
                # What an object's attribute leads to depends on its class and on itself.
                label = f"{label}.{attribute}"
                self._instance(owner, attribute, label, names, depth)
                return
        self._lead(value, label, names, depth)

    def _lead(self, value: Any, label: str, names: frozenset[str], depth: int) -> None:
        value = unwrapped(value)
        if type(value) is FunctionType:
            if self._leads_on(value.__globals__):
                self.function(value, depth + 1)
            else:
                self.pin(value)
        elif is_a(value, type) and not issubclass(value, (BaseException, enum.Enum)):
            self.freeze(value, label)
            self.methods(value, names | _UNNAMED, depth)

    def pin_module(self, module: ModuleType) -> None:
        """Watches a module's class, which may answer for its attributes."""
        if id(module) not in self._pinned:
            self._pinned.add(id(module))
            # Lazy modules have no name of their own, and would be asked for it.
            label = f"{vars(module).get('__name__', type(module).__name__)}.__class__"
            if is_a(module, ModuleType):
                self._guards.pin_cold(module, label)
            if type(module) is not ModuleType and not is_lazy(module):
                self._suspects.append(f"{label} was replaced")

    def _through_lazy(self, module: ModuleType, attribute: str, label: str) -> ModuleType:
        """SkyPilot's LazyImport: an attribute set on it wins over the real module's."""
        if not is_lazy(module):
            return module
        own = vars(module)
        # Only where it must be, since a mock in its place would tell of the call.
        real = own.get("_module")
        if real is None:
            try:
                real = module.load_module()
            except ImportError:
                # Until somebody has loaded it.
                self.expect(own, "_module", real, label, instance=True)
                raise
        self.pin_module(module)
        self.freeze(type(module), label)
        self.methods(type(module), frozenset({"__getattr__"}))
        # The end of a mock may leave the real module's own attribute on it.
        if attribute in vars(real):
            self.expect_or_absent(own, attribute, vars(real)[attribute], f"{label}.{attribute}")
        else:
            self.expect_absent(own, attribute, f"{label}.{attribute}", instance=True)
        self.expect(own, "_module", real, label, instance=True)
        if attribute in own and own[attribute] is not vars(real).get(attribute):
            self._suspects.append(f"{label}.{attribute} was replaced")
        return real  # type: ignore[no-any-return]

    def _instance(
        self, owner: object, attribute: str, label: str, names: frozenset[str], depth: int
    ) -> None:
        own = getattr(owner, "__dict__", None)
        if isinstance(own, dict):
            if attribute in own:
                self.expect(own, attribute, own[attribute], label, instance=True)
                if callable(own[attribute]):
                    self._suspects.append(f"{label} was replaced")
            else:
                self.expect_absent(own, attribute, label, instance=True)
            # What the method calls on the object can be replaced there as well.
            for name in _method_names(type(owner)):
                method = f"{label.rpartition('.')[0]}.{name}"
                if name in own:
                    self._suspects.append(f"{method} was replaced")
                else:
                    self.expect_absent(own, name, method, instance=True)
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
        # Types made in C can't be changed.
        for base in self._changeable(cls):
            if id(base) not in self._seen_objects:
                self._seen_objects.add(id(base))
                home = f"{base.__module__}.{base.__qualname__}"
                if but:
                    for name in sorted(vars(base).keys() - but):
                        self.expect(base, name, vars(base)[name], f"{home}.{name}")
                else:
                    self.freeze_namespace(base, home)
                changed = PRISTINE.class_changed(base, but)
                if changed or not all(is_own(value, base) for value in vars(base).values()):
                    patched = ".".join(filter(None, (base.__qualname__, changed)))
                    self._suspects.append(f"{label}: {patched} was patched")
        if type(cls) is not type and cls is not type(cls):
            # Classes of classes have a say in `isinstance` and in what a call makes.
            self.freeze(type(cls), label)
            self.methods(type(cls), _UNNAMED)

    def freeze_namespace(self, namespace: Namespace, label: str) -> None:
        """Lets no name of one namespace come, go or change."""
        self._guards.freeze(namespace, label)

    def expect(
        self,
        namespace: Namespace,
        name: str | type,
        value: object,
        label: str,
        *,
        instance: bool = False,
    ) -> bool:
        """Watches a name that must lead to an object.

        Args:
            namespace: where the name is.
            name: the name; in a registry it may be a type.
            value: the object.
            label: the guard's name in the status.
            instance: the namespace is the ``__dict__`` of an ordinary object.

        Returns:
            Whether the name wasn't watched yet.
        """
        is_new = self._is_new(namespace, name, label)
        if is_new:
            self._guards.expect(namespace, name, value, label, instance=instance)
        return is_new

    def expect_absent(
        self, namespace: Namespace, name: str | type, label: str, *, instance: bool = False
    ) -> None:
        """Watches a name that must be absent; see `expect`."""
        if self._is_new(namespace, name, label):
            self._guards.expect_absent(namespace, name, label, instance=instance)

    def expect_or_absent(self, namespace: Namespace, name: str, value: object, label: str) -> None:
        """Watches an instance's name that must lead to an object or be absent; see `expect`."""
        if self._is_new(namespace, name, label):
            self._guards.expect_or_absent(namespace, name, value, label, instance=True)

    def _is_new(self, namespace: Namespace, name: str | type, label: str) -> bool:
        key = (id(namespace), name)
        if key in self._seen_entries or label in _MADE_ANEW:
            return False
        self._seen_entries.add(key)
        return True

    def _check(self, value: object, namespace: dict[str, Any], name: str, label: str) -> None:
        if label in self._trusted:
            return
        genuine = is_genuine(value, str(namespace.get("__name__")), name)
        if genuine and not PRISTINE.value_changed(namespace, name, value):
            return
        self._suspects.append(f"{label} was replaced")
        if is_a(value, ModuleType):
            # It isn't the one of `sys.modules`, and perhaps that is where it was replaced.
            home = str(vars(value).get("__name__"))
            self.expect(sys.modules, home, value, f"sys.modules[{home}]")


def _method_names(cls: type) -> set[str]:
    """Names of methods written in Python."""
    return {
        name
        for base in cls.__mro__
        for name, value in vars(base).items()
        if type(value) is FunctionType
    }
