"""What an original reads, found by watching it run, and every way to replace it.

The shim derives its guards from code. This finds the dependencies in another way: the original is
called under `sys.setprofile`, and each Python function that was entered, in whatever library, is
taken apart with `dis`: its globals, builtins, attributes of modules and classes, its defaults, its
closure, what it imports. Each of them is then replaced in turn, the original and the proxy are
called, and all that shows is compared: during, and afterwards.

    python guard_cases.py                  every way, all routes, and the table
    python guard_cases.py hash_file -v     one route, with all differences
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import dis
import functools
import gc
import json
import re
import signal
import sys
import traceback
import types
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple
from unittest import mock

import pytest
from differential import describe_error, describe_hash, difference, is_hash, observe, switch
from one_call import Call

from sky_rs_patch._binding import proxies
from sky_rs_patch._routes.registry import registry
from sky_rs_patch._runtime import implementation as implementations
from sky_rs_patch._runtime import virtual_module

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Takes what is replaced out again.
Undo = Callable[[], None]
#: Puts a stand-in in, which tells the log of its calls.
Put = Callable[[], Undo]

#: So many calls of a stand-in are let through: wrong answers make some loops endless.
MOST_CALLS = 300
#: Processor seconds after which a call of the original counts as endless.
PATIENCE = 5.0
#: A difference counts if it shows this many times more: a real one does each time.
ASK_AGAIN = 4


#: What the original doesn't survive: libyaml's parser, used before it was set up, aborts the
#: process, and a made-up handle of a library is a made-up address.
FATAL = frozenset({"yaml.cyaml.CParser", "ctypes._dlopen"})


class Planted(OSError, ValueError):
    """What a stand-in raises; originals catch both kinds."""


class Endless(BaseException):
    """A call that wasn't over in time."""


class Way(NamedTuple):
    """One way to replace a dependency."""

    label: str
    put: Put


class Dependency(NamedTuple):
    """Something that the original reads."""

    kind: str
    label: str
    ways: tuple[Way, ...]


# Stand-ins. They run while builtins are replaced, so they use none.

_PERTURBED: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    float: lambda value: value + 1.0,
    str: lambda value: value + "~",
    bytes: lambda value: value + b"~",
    list: lambda value: value[1:],
    tuple: lambda value: value[1:],
    dict: lambda value: {},
    set: lambda value: {7},
    frozenset: lambda value: value ^ value,
    type(None): lambda value: 1,
}


def perturbed(value: Any, _type: Any = type, _known: Any = _PERTURBED.get) -> Any:
    """Another value of the same type, or the value where none comes to mind."""
    change = _known(_type(value))
    return value if change is None else change(value)


#: The calls of the stand-in that is in place, one pair of arguments each.
_log: list[Any] = []
#: Stand-ins by the identity of what they stand for: both sides get the same one.
_made: dict[tuple[int, str], Any] = {}


def _once(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get(real: Any) -> Any:
        key = id(real), make.__name__
        if key not in _made:
            _made[key] = real, make(real)
        return _made[key][1]

    return get


@_once
def wrong_function(real: Any) -> Any:
    """Calls the real thing, and returns something else."""
    tell = _log.append

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        tell((args, kwargs))
        if _log[MOST_CALLS:]:
            raise Planted("too many calls")
        return perturbed(real(*args, **kwargs))

    return stand_in


def raising_function(*args: Any, **kwargs: Any) -> Any:
    """A stand-in that raises."""
    _log.append((args, kwargs))
    raise Planted("planted")


@_once
def wrong_class(real: type) -> Any:
    """A subclass that tells of its objects; another class where it can't have one."""
    tell = _log.append

    def make(cls: type, *args: Any, **kwargs: Any) -> Any:
        tell((args, kwargs))
        if _log[MOST_CALLS:]:
            raise Planted("too many calls")
        return new(cls) if plain else new(cls, *args, **kwargs)

    new = real.__new__
    plain = new is object.__new__
    try:
        return type(real)(real.__name__, (real,), {"__new__": make, "__module__": real.__module__})
    except TypeError:
        return type(real.__name__, (), {})


@_once
def wrong_module(real: types.ModuleType) -> Any:
    return mock.Mock(wraps=real, side_effect=Planted)


def wrong(value: Any) -> Any:
    """A stand-in that changes what the original does."""
    if isinstance(value, type):
        return wrong_class(value)
    if isinstance(value, types.ModuleType):
        return wrong_module(value)
    if isinstance(value, re.Pattern):
        return re.compile(value.pattern[:0] + "planted")
    if isinstance(value, (staticmethod, classmethod)):
        return type(value)(wrong_function(value.__func__))
    if isinstance(value, property):
        return property(wrong_function(value.fget))
    if callable(value):
        return wrong_function(value)
    return perturbed(value)


def raising(value: Any) -> Any:
    """A stand-in that raises."""
    return property(raising_function) if isinstance(value, property) else raising_function


# Places where things stand

_setattr, _delattr = setattr, delattr
_NOTHING = object()


class Place(NamedTuple):
    """A name in a module, a class, an object or a dictionary."""

    owner: Any
    name: str

    def content(self) -> Any:
        return self.owner.__dict__.get(self.name, _NOTHING)

    def set(self, value: Any) -> Undo:
        owner, name, before = self.owner, self.name, self.content()
        _setattr(owner, name, value)

        def undo() -> None:
            if before is _NOTHING:
                _delattr(owner, name)
            else:
                _setattr(owner, name, before)

        return undo

    def delete(self) -> Undo:
        owner, name, before = self.owner, self.name, self.content()
        _delattr(owner, name)
        return lambda: _setattr(owner, name, before)


def described(value: Any, depth: int = 2) -> Any:
    """An argument in a log, as something that can be compared."""
    if type(value) in _PERTURBED and depth:
        if type(value) in (list, tuple):
            return [described(item, depth - 1) for item in value[:9]]
        if type(value) in (dict, set, frozenset):
            return type(value).__name__, len(value)
        # Times and amounts of memory are never the same twice.
        moves = type(value) is float or (type(value) is bytes and value.isdigit())
        return type(value).__name__ if moves else value
    return type(value).__qualname__


def described_log(log: list[Any]) -> list[Any]:
    """The calls of a stand-in."""
    return [
        ([described(value) for value in args], {k: described(v) for k, v in kwargs.items()})
        for args, kwargs in log
    ]


def place_ways(place: Place, real: Any, *, dotted: str | None) -> Iterator[Way]:
    """Every way to replace what stands in a place; the first ones show whether it matters."""
    present = place.content() is not _NOTHING
    yield Way("wrong", lambda: place.set(wrong(real)))
    yield Way("raises", lambda: place.set(raising(real)))
    if present:
        yield Way("deleted", lambda: place.delete())
    # `mock` itself works with the builtins.
    plain = callable(real) and not isinstance(real, (type, staticmethod, classmethod))
    if plain and (place.owner is not builtins or place.name == "open"):
        yield Way("mock.patch.object", lambda: _mocked(place, real, None))
        if dotted is not None:
            yield Way("mock.patch", lambda: _mocked(place, real, dotted))
    if place.owner is not builtins:
        yield Way("monkeypatch.setattr", lambda: _monkeypatched(place, wrong(real)))
        if present:
            yield Way("monkeypatch.delattr", lambda: _monkeypatched(place, _NOTHING))
    if isinstance(place.owner, types.ModuleType):
        yield Way("namespace", lambda: _in_namespace(place, wrong(real)))


def _mocked(place: Place, real: Any, dotted: str | None) -> Undo:
    new = mock.Mock(side_effect=wrong_function(real), spec=real)
    if isinstance(real, types.FunctionType):
        new = mock.MagicMock(side_effect=wrong_function(real))
    create = place.content() is _NOTHING
    if dotted is None:
        patch = mock.patch.object(place.owner, place.name, new, create=create)
    else:
        patch = mock.patch(dotted, new, create=create)
    patch.start()
    return patch.stop


def _monkeypatched(place: Place, value: Any) -> Undo:
    patch, absent = pytest.MonkeyPatch(), place.content() is _NOTHING
    if value is _NOTHING:
        patch.delattr(place.owner, place.name)
    else:
        patch.setattr(place.owner, place.name, value, raising=False)

    def undo() -> None:
        patch.undo()
        if absent and place.content() is not _NOTHING:
            # Before pytest 9 an object keeps what it had from its class.
            _delattr(place.owner, place.name)

    return undo


def _in_namespace(place: Place, value: Any) -> Undo:
    namespace, name, before = vars(place.owner), place.name, place.content()
    namespace[name] = value

    def undo() -> None:
        if before is _NOTHING:
            del namespace[name]
        else:
            namespace[name] = before

    return undo


def container_ways(value: Any) -> Iterator[Way]:
    """What may be changed within a dictionary or a list."""

    def restored(copy: Any) -> Undo:
        def undo() -> None:
            value.clear()
            (value.update if isinstance(value, dict) else value.extend)(copy)

        return undo

    def clear() -> Undo:
        undo = restored(value.copy())
        value.clear()
        return undo

    def change(key: Any) -> Undo:
        undo = restored(value.copy())
        value[key] = wrong(value[key])
        return undo

    if value:
        yield Way("cleared in place", clear)
        keys = list(value)[:40] if isinstance(value, dict) else range(min(len(value), 8))
        for key in keys:
            label = f"{key!r} changed in place" if isinstance(key, (str, int)) else f"{key}"
            yield Way(label, functools.partial(change, key))


def function_ways(function: types.FunctionType) -> Iterator[Way]:
    """Changes of a function that leave the object in its place."""

    def attribute(name: str, value: Any) -> Put:
        def put() -> Undo:
            before = getattr(function, name)
            _setattr(function, name, value)
            return lambda: _setattr(function, name, before)

        return put

    free = "".join(f", f{index}" for index in range(len(function.__code__.co_freevars)))
    made: dict[str, Any] = {}
    assignments = "; ".join(f"{name} = 0" for name in free.strip(", ").split(", ") if name)
    source = (
        f"def outer():\n {assignments or 'pass'}\n def {function.__name__}(*_, **__):\n"
        f"  raise ValueError('planted'{free})\n return {function.__name__}\n"
    )
    if function.__name__.isidentifier():
        exec(source, made)
        yield Way("__code__", attribute("__code__", made["outer"]().__code__))
    if function.__defaults__:
        changed = tuple(map(perturbed, function.__defaults__))
        if any(a is not b for a, b in zip(changed, function.__defaults__)):
            yield Way("__defaults__", attribute("__defaults__", changed))
        yield Way("no __defaults__", attribute("__defaults__", None))
    if function.__kwdefaults__:
        changed_by_name = {k: perturbed(v) for k, v in function.__kwdefaults__.items()}
        yield Way("__kwdefaults__", attribute("__kwdefaults__", changed_by_name))
        yield from (
            Way(f"__kwdefaults__: {way.label}", way.put)
            for way in container_ways(function.__kwdefaults__)
        )
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        with contextlib.suppress(ValueError):
            yield Way(f"closure {name}", functools.partial(_in_cell, cell, cell.cell_contents))


def _in_cell(cell: Any, real: Any) -> Undo:
    cell.cell_contents = wrong(real)

    def undo() -> None:
        cell.cell_contents = real

    return undo


def module_class_way(module: types.ModuleType, name: str) -> Way:
    """A module whose class answers for its attributes."""

    def put() -> Undo:
        before = module.__class__
        real = module.__dict__[name]
        stand_in = wrong(real)
        get = before.__getattribute__

        class Answering(before):  # type: ignore[misc, valid-type]
            def __getattribute__(self, asked: str) -> Any:
                return stand_in if asked == name else get(self, asked)

        module.__class__ = Answering

        def undo() -> None:
            module.__class__ = before

        return undo

    return Way("module's __class__", put)


def swapped_module_way(name: str) -> Way:
    def put() -> Undo:
        modules = sys.modules
        before = modules[name]
        modules[name] = mock.Mock(wraps=before)

        def undo() -> None:
            modules[name] = before

        return undo

    return Way("sys.modules", put)


# Watching the original


class Entered(NamedTuple):
    """A Python function that was entered, and what its first argument was."""

    code: types.CodeType
    namespace: dict[str, Any]
    receiver: type | None


def entered(original: Any, given: Call) -> list[Entered]:
    """The Python functions that one call of the original enters, in whatever module."""
    found: dict[tuple[Any, ...], Entered] = {}

    def profile(frame: types.FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        receiver = None
        if code.co_argcount and code.co_varnames[0] in ("self", "cls"):
            first = frame.f_locals.get(code.co_varnames[0])
            receiver = first if isinstance(first, type) else type(first)
        found.setdefault((code, receiver), Entered(code, frame.f_globals, receiver))

    def watched(*args: Any, **kwargs: Any) -> Any:
        sys.setprofile(profile)
        try:
            return original(*args, **kwargs)
        finally:
            sys.setprofile(None)

    with switch("0"):
        observe(watched, original, given)
    return [each for each in found.values() if each.namespace.get("__name__") != __name__]


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _chains(code: types.CodeType) -> Iterator[tuple[str, ...]]:
    chain: list[str] = []
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and chain:
            chain.append(instruction.argval)
            continue
        if chain:
            yield tuple(chain)
        known = instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        chain = [instruction.argval] if known else []


def _imports(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield instruction.argval


def _heap_bases(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base.__flags__ & (1 << 9)]


def _is_reachable(cls: type) -> bool:
    """Whether others can get at a class, unlike one that each call makes anew."""
    value: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        value = getattr(value, part, None)
    return value is cls


class Finder:
    """Collects the dependencies of one original."""

    def __init__(self) -> None:
        self.found: dict[str, Dependency] = {}
        self._seen: set[tuple[int, str]] = set()
        self._alive: list[Any] = []
        self.skipped: list[str] = []

    def code(self, each: Entered) -> None:
        """What one function reads that was entered."""
        for code in _nested(each.code):
            for chain in _chains(code):
                self._chain(each.namespace, chain)
            for name in _imports(code):
                if name in sys.modules:
                    self._add("import", f"import {name}", [swapped_module_way(name)])
        function = self._owner(each)
        if function is not None:
            self._add("function", _name_of(function), function_ways(function))
        if each.receiver is not None:
            for code in _nested(each.code):
                for name in code.co_names:
                    self._class_attribute(each.receiver, name)

    def _owner(self, each: Entered) -> types.FunctionType | None:
        """The function that was entered; C code may have come by it without a global name."""
        name = each.code.co_name
        places: list[Any] = []
        if name in each.namespace and "__name__" in each.namespace:
            module = sys.modules.get(each.namespace["__name__"])
            if isinstance(module, types.ModuleType) and vars(module) is each.namespace:
                self._module_attribute(module, name)
            places.append(each.namespace[name])
        if each.receiver is not None:
            self._class_attribute(each.receiver, name)
            places += [vars(base).get(name) for base in _heap_bases(each.receiver)]
        for place in places:
            function = place
            for attribute in ("__func__", "fget", "__wrapped__"):
                function = getattr(function, attribute, None) or function
            if isinstance(function, types.FunctionType) and function.__code__ is each.code:
                return function if type(function) is types.FunctionType else function.__wrapped__
        return None

    def _chain(self, namespace: dict[str, Any], chain: tuple[str, ...]) -> None:
        name, *attributes = chain
        module = sys.modules.get(str(namespace.get("__name__")))
        if not isinstance(module, types.ModuleType) or vars(module) is not namespace:
            return
        if name in namespace:
            value = self._module_attribute(module, name)
        elif hasattr(builtins, name):
            value = getattr(builtins, name)
            if isinstance(value, type) and issubclass(value, BaseException):
                return
            self._place("builtin", Place(builtins, name), value, f"builtins.{name}")
            label = f"{module.__name__}.{name} (hides the builtin)"
            self._place("builtin", Place(module, name), value, label, f"{module.__name__}.{name}")
        else:
            return
        for attribute in attributes:
            if isinstance(value, types.ModuleType):
                value = self._module_attribute(value, attribute)
            elif isinstance(value, type):
                value = self._class_attribute(value, attribute)
            else:
                value = self._object_attribute(value, attribute, f"{module.__name__}.{name}")
            if value is _NOTHING:
                return

    def _module_attribute(self, module: types.ModuleType, name: str) -> Any:
        label = f"{module.__name__}.{name}"
        load = getattr(type(module), "load_module", None)
        if load is not None:
            # SkyPilot's LazyImport.
            real = load(module)
            if module not in _lazy_modules:
                _lazy_modules.append(module)
            with contextlib.suppress(AttributeError):
                self._place("module", Place(module, name), getattr(real, name), f"lazy {label}")
            module = real
        value = getattr(module, name, _NOTHING)
        if value is _NOTHING:
            return value
        if name in vars(module):
            self._place("module", Place(module, name), value, label, label)
            if load is None and type(module) is types.ModuleType:
                label = f"{module.__name__}'s class, for {name}"
                self._add("module", label, [module_class_way(module, name)])
        return value

    def _class_attribute(self, cls: type, name: str) -> Any:
        bases = _heap_bases(cls)
        for position, base in enumerate(bases):
            value = vars(base).get(name, _NOTHING)
            if value is _NOTHING:
                continue
            self._place(
                "class", Place(base, name), value, f"{base.__module__}.{base.__qualname__}.{name}"
            )
            above = [each for each in bases[:position] if _is_reachable(each)]
            if above:
                label = f"{above[0].__module__}.{above[0].__qualname__}.{name} (hides its base's)"
                self._place("class", Place(above[0], name), value, label)
            return getattr(cls, name, _NOTHING)
        return _NOTHING

    def _object_attribute(self, value: Any, name: str, label: str) -> Any:
        own = getattr(value, "__dict__", None)
        found = getattr(value, name, _NOTHING)
        if type(own) is dict and found is not _NOTHING:
            # Objects with slots or a `__setattr__` of their own refuse; then nobody can do it.
            place = Place(value, name)
            try:
                undo = place.set(found)
            except (AttributeError, TypeError):
                pass
            else:
                undo()
                self._place("object", place, found, f"{label}.{name}")
        self._class_attribute(type(value), name)
        return found

    def _place(
        self, kind: str, place: Place, value: Any, label: str, dotted: str | None = None
    ) -> None:
        key = (id(place.owner), place.name)
        if key in self._seen:
            return
        self._seen.add(key)
        self._alive.append(place.owner)
        ways = list(place_ways(place, value, dotted=dotted))
        if isinstance(value, (dict, list)):
            ways += container_ways(value)
        self._add(kind, label, ways)

    def _add(self, kind: str, label: str, ways: Any) -> None:
        if label in FATAL:
            self.skipped.append(label)
            return
        ways = tuple(ways)
        if ways and label not in self.found:
            self.found[label] = Dependency(kind, label, ways)


def _name_of(function: types.FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}()"


def dependencies(original: Any, scenarios: tuple[Call, ...]) -> list[Dependency]:
    """All that an original reads in these calls, itself included."""
    finder = Finder()
    for given in scenarios:
        for each in entered(original, given):
            finder.code(each)
    finder._add("function", _name_of(original), function_ways(original))
    return list(finder.found.values())


# Comparing


class Finding(NamedTuple):
    """What came of one replacement in one call."""

    dependency: str
    way: str
    temperature: str
    observable: bool
    difference: str | None
    recovered: bool


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise Endless

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def within(function: Any, put: Put | None) -> Any:
    """The function, called while something is replaced."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if put is None:
            return function(*args, **kwargs)
        undo = put()
        try:
            return function(*args, **kwargs)
        finally:
            undo()

    return call


def observed(function: Any, original: Any, given: Call, put: Put | None, on: str) -> Any:
    """What shows of one call, and the stand-in's calls."""
    _log.clear()
    with switch(on), _alarm(), lazy_modules_restored():
        observation = observe(within(function, put), original, given)
    if isinstance(observation.error, Endless):
        raise Endless
    if observation.error is not None:
        # Its frames would keep alive what the call has left, sockets for instance.
        error = observation.error
        observation = observation._replace(error=describe_error(error))
        traceback.clear_frames(error.__traceback__)
        del error
    if is_hash(observation.result):
        # To look at a hash object further changes it.
        result = type(observation.result), describe_hash(observation.result)
        observation = observation._replace(result=result)
    calls = described_log(_log)
    _log.clear()
    return {"seen": observation, "calls of the stand-in": calls}


@contextlib.contextmanager
def lazy_modules_restored() -> Iterator[None]:
    """SkyPilot's lazy modules keep what they take for a submodule: whatever was missing once."""
    before = [(vars(module), dict(vars(module))) for module in _lazy_modules]
    try:
        yield
    finally:
        for namespace, content in before:
            if len(namespace) != len(content):
                namespace.clear()
                namespace.update(content)


_lazy_modules: list[types.ModuleType] = []


class Subject:
    """A route under test: its original, the proxy that stands, and fresh proxies."""

    def __init__(self, target: str, scenarios: tuple[Call, ...]) -> None:
        self.target = target
        module, _, self.name = target.rpartition(".")
        self.module = sys.modules[module]
        self.proxy = vars(self.module)[self.name]
        self.original = self.proxy.__wrapped__
        self.scenarios = scenarios
        self.plain = [self._observed(self.original, given, None, "0") for given in scenarios]
        for given, plain in zip(scenarios, self.plain):
            before = self.proxy._self_route.counts()[0]
            found = difference(plain, self._observed(self.proxy, given, None, "1"))
            assert found is None, f"{target}{given}: {found}"
            answered = self.proxy._self_route.counts()[0] - before
            assert answered, (
                f"{target}{given} isn't answered by Rust: {self.proxy._self_route.counts()[2:]}, "
                f"{self.proxy._self_route.guard_problem()}"
            )

    def _observed(self, function: Any, given: Call, put: Put | None, on: str) -> Any:
        return observed(function, self.original, given, put, on)

    def fresh_proxy(self) -> Any:
        """A proxy whose guards nobody has derived yet."""
        description = registry.get(self.target)
        if description is None:
            return virtual_module._routed_own.__wrapped__(self.original.__name__)
        implementation, resolver = implementations.choose(
            self.original, self.module, self.target, description
        )
        native = sys.modules["sky_rs_patch._native"]
        raises = getattr(description, "opt_in", None) is not None
        route = native.Route(self.target, self.original, implementation, resolver, raises)
        return proxies.kind().cls(route)

    def _compared(
        self, proxy: Any, given: Call, put: Put, expected: Any, *, doubt: bool
    ) -> str | None:
        """Says in what a call of the proxy differs from one of the original."""
        found = difference(expected, self._observed(proxy, given, put, "1"))
        if found is None or not doubt:
            return found and f"during: {found}"
        for _ in range(ASK_AGAIN):
            # What stand-ins have kept alive, sockets for instance, may be garbage by now; and
            # processes of others, which some originals look at, may have come or gone.
            gc.collect()
            expected = self._observed(self.original, given, put, "0")
            gc.collect()
            before = proxy._self_route.counts()[1]
            actual = self._observed(proxy, given, put, "1")
            found = difference(expected, actual)
            if found is None:
                return None
        again = self._observed(self.original, given, put, "0")
        if difference(expected, again) and proxy._self_route.counts()[1] > before:
            # The original makes up something new each time, a user's hash for instance, and it
            # was the original that ran. That nobody else called the stand-in still counts.
            calls = "calls of the stand-in"
            return difference(len(expected[calls]), len(actual[calls]), calls)
        return f"during: {found}"

    def attempt(self, dependency: Dependency, way: Way, *, cold: bool) -> Iterator[Finding]:
        """Replaces a dependency in one way, in each of the calls."""
        for given, plain in zip(self.scenarios, self.plain):
            try:
                expected = self._observed(self.original, given, way.put, "0")
            except Endless:
                continue
            observable = difference(plain, expected) is not None
            if not observable:
                # The stand-in changes nothing: then the proxy's way doesn't matter.
                yield Finding(dependency.label, way.label, "", False, None, True)
                continue
            proxy = self.fresh_proxy() if cold else self.proxy
            temperature = "first call" if cold else "called before"
            try:
                expect = Finding(dependency.label, way.label, temperature, True, None, True)
                doubt = not is_limit(expect)
                found = self._compared(proxy, given, way.put, expected, doubt=doubt)
            except Endless:
                found = "it doesn't end"
            before = proxy._self_route.counts()[0]
            now = self._observed(proxy, given, None, "1")
            afterwards = difference(plain, now)
            if afterwards and not found:
                found = f"afterwards: {afterwards}"
                # What a stand-in has kept alive, sockets for instance, may be garbage.
                gc.collect()
                now = self._observed(proxy, given, None, "1")
                if difference(plain, now) is None:
                    found = None
                elif difference(self._observed(self.original, given, None, "0"), now) is None:
                    found = f"LASTING: {afterwards}"
            recovered = proxy._self_route.counts()[0] > before
            yield Finding(dependency.label, way.label, temperature, True, found, recovered)


def prove(
    subject: Subject, *, every: bool, wanted: str = "", most: int | None = None
) -> list[Finding]:
    """Replaces the dependencies of a route.

    Args:
        subject: the route.
        every: all ways, before the first call and after one. Otherwise a wrong stand-in, one
            that raises, and one of the other ways in turn.
        wanted: part of the labels of the dependencies to look at.
        most: look at so many dependencies, evenly chosen.
    """
    findings = []
    found = dependencies(subject.original, subject.scenarios)
    found = [dependency for dependency in found if wanted in dependency.label]
    step = 1 if most is None else max(1, -(-len(found) // most))
    for index, dependency in enumerate(found[::step]):
        first, others = list(dependency.ways[:3]), list(dependency.ways[3:])
        matters = False
        for way in first:
            made = list(subject.attempt(dependency, way, cold=False))
            matters = matters or any(finding.observable for finding in made)
            findings += made
            if every and any(finding.observable for finding in made):
                findings += subject.attempt(dependency, way, cold=True)
        if others and matters:
            for way in others if every else [others[index % len(others)]]:
                findings += subject.attempt(dependency, way, cold=False)
                if every:
                    findings += subject.attempt(dependency, way, cold=True)
    return findings


#: What psutil's objects read, which `_safe_children` asks: where it raises, they are asked again
#: by the original.
_ASKED_TWICE = frozenset(
    {
        *("builtins.float", "psutil._pslinux.float (hides the builtin)"),
        *("psutil._pslinux.boot_time", "threading._CRLock", "threading.RLock"),
    }
)


def is_limit(finding: Finding) -> bool:
    """Whether a difference is one of the limits that ``docs/exactness-guards.md`` names."""
    if finding.way == "module's __class__":
        return True
    if finding.way == "raises" and finding.dependency in _ASKED_TWICE:
        return finding.difference is None or "calls of the stand-in" in finding.difference
    if finding.dependency == "attr._make._CountingAttr.cls_counter":
        # It goes up with every class that attrs makes.
        return True
    inside = finding.dependency.endswith("()")
    if inside and not finding.dependency.startswith("sky."):
        return True
    # Before the first call nothing tells what was there, or what the defaults were.
    cold = finding.temperature == "first call"
    return cold and (inside or "delet" in finding.way or "delattr" in finding.way)


class Row(NamedTuple):
    """A line of the table."""

    route: str
    dependencies: int
    observable: int
    ways: int
    cases: int
    stayed: int
    limits: int
    differing: int


def row(target: str, findings: list[Finding]) -> Row:
    """Counts what came of a route's replacements."""
    seen = [finding for finding in findings if finding.observable]
    return Row(
        target,
        len({finding.dependency for finding in findings}),
        len({finding.dependency for finding in seen}),
        len({finding.way for finding in seen}),
        len(seen),
        sum(not finding.recovered for finding in seen),
        sum(finding.difference is not None and is_limit(finding) for finding in seen),
        sum(finding.difference is not None and not is_limit(finding) for finding in seen),
    )


def table(rows: list[Row]) -> str:
    """The table of ``docs/exactness-guards.md``."""
    lines = [
        "| route | dependencies | observable | ways | cases | on Python afterwards "
        "| limits | differing |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(map(str, each)) + " |" for each in rows]
    total = [sum(each[column] for each in rows) for column in range(1, 8)]
    return "\n".join([*lines, "| total | " + " | ".join(map(str, total)) + " |"])


def main() -> int:
    from cases import CASES
    from cases.material import ready

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("routes", nargs="*", help="names of functions; all without one")
    parser.add_argument("--quick", action="store_true", help="what `make test` does")
    parser.add_argument("--only", default="", help="dependencies with this in their labels")
    parser.add_argument("--most", type=int, help="look at so many dependencies of each route")
    parser.add_argument("--json", type=Path, help="where to write all findings")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of every difference")
    options = parser.parse_args()
    rows, all_findings = [], {}
    with ready() as targets:
        for target in targets:
            name = target.rpartition(".")[2]
            if options.routes and name not in options.routes:
                continue
            subject = Subject(target, CASES[name].guards())
            findings = prove(
                subject, every=not options.quick, wanted=options.only, most=options.most
            )
            rows.append(row(target, findings))
            all_findings[target] = [finding._asdict() for finding in findings]
            print(*rows[-1], flush=True)  # noqa: T201
            bad = [finding for finding in findings if finding.difference]
            told = Counter((f.dependency, f.way, f.temperature, f.difference) for f in bad)
            for (dependency, way, temperature, text), n in list(told.items())[
                : None if options.verbose else 10
            ]:
                print(f"    {dependency} [{way}, {temperature}] x{n}: {text[:300]}")  # noqa: T201
    print(table(rows))  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(all_findings, indent=1))
    return int(any(each.differing for each in rows))


if __name__ == "__main__":
    sys.exit(main())
