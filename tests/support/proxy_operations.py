"""What programs do with a function beside calling it, each as something that can be compared.

Run as a program it prints the outcomes for SkyPilot's `truncate_long_string` as it stands there.
"""

import abc
import asyncio
import copy
import dataclasses
import functools
import inspect
import json
import operator
import pickle
import sys
import types
import typing
import weakref
from unittest import mock

LONG = "a long string of several words"


class Text(str):
    """What the function can be a method of; it gets its attributes in `operations`."""


def method_of(f):
    Text.shorten = f
    return Text(LONG).shorten


def class_with(f, **more):
    return type("Style", (), {"f": f, **more})


def dataclass_with(f, **options):
    def fill(namespace):
        namespace["__annotations__"] = {"number": typing.Any}
        namespace["number"] = f

    return dataclasses.dataclass(types.new_class("Number", (), {}, fill), **options)


def named_as_itself(f):
    setattr(Text, f.__name__, f)
    return getattr(Text(LONG), f.__name__)


class Meta(type):
    pass


def with_meta(f):
    Meta.f = f
    return Meta("Made", (), {})


def in_init_subclass(f):
    class Base:
        seen = None

        def __init_subclass__(cls):
            Base.seen = cls.f

    type("Sub", (Base,), {"f": f})
    return Base.seen is f


def slots(f):
    class Slotted:
        __slots__ = ("held",)

    one = Slotted()
    one.held = f
    return one.held


def super_call(f):
    class Base(str):
        shorten = f

    class Sub(Base):
        def shorten(self, n):
            return super().shorten(n)

    return Sub(LONG).shorten(8)


def weak_method(f):
    text = Text(LONG)
    Text.shorten = f
    return weakref.WeakMethod(text.shorten)()(8)


def patched(f):
    cls = class_with(f)
    with mock.patch.object(cls, "f", autospec=True) as double:
        double.return_value = 1
        inside = cls.f(LONG)
    return inside, cls.f is f, cls.__dict__["f"] is f


def dispatched(f):
    single = functools.singledispatch(f)
    single.register(int, lambda s: "an int")
    return single(LONG, 8), single(7), single.dispatch(str) is f


def dispatched_method(f):
    class Holder:
        shorten = functools.singledispatchmethod(staticmethod(f))

    return Holder().shorten(LONG, 8)


def cloudpickled(f):
    import cloudpickle

    cls = cloudpickle.loads(cloudpickle.dumps(class_with(f)))
    return cls.f is f, cloudpickle.loads(cloudpickle.dumps(method_of(f)))(8)


def descriptor_without_anything(f, *arguments):
    return f.__get__(*arguments)


def partial_method(f):
    Text.eight = functools.partialmethod(f, 8)
    return Text(LONG).eight(), isinstance(Text.__dict__["eight"], functools.partialmethod)


def call_slot(f):
    return type("Callable", (str,), {"__call__": f})(LONG)(8)


def property_of(f):
    Text.short = property(f)
    return Text(LONG).short, Text.short.fget is f


def cached(f):
    cache = functools.lru_cache(f)
    return cache(LONG, 8), cache.__wrapped__ is f, type("C", (str,), {"g": cache})(LONG).g(8)


def in_abc(f):
    cls = abc.ABCMeta("Abstract", (), {"f": f})
    return cls().f.__func__ is f, cls.__abstractmethods__ == frozenset()


def in_protocol(f):
    class Shortens(typing.Protocol):
        def f(self, n): ...

    checked = typing.runtime_checkable(Shortens)
    return isinstance(class_with(f)(), checked)


def named_tuple(f):
    made = types.new_class(
        "Row",
        (typing.NamedTuple,),
        {},
        lambda ns: ns.update(__annotations__={"f": typing.Any}, f=f, __module__=__name__),
    )
    return made().f is f, made._field_defaults["f"] is f


def in_enum(f):
    import enum

    namespace = enum.EnumMeta.__prepare__("Color", (enum.Enum,))
    namespace["RED"] = 1
    namespace["f"] = f
    color = enum.EnumMeta("Color", (enum.Enum,), namespace)
    return list(color.__members__), color.f is f, color.RED.f.__self__ is color.RED


OPERATIONS = {
    "class attribute": lambda f: class_with(f).f is f,
    "class dictionary": lambda f: vars(class_with(f))["f"] is f,
    "subclass": lambda f: type("Sub", (class_with(f),), {}).f is f,
    "instance attribute": lambda f: slots(f) is f,
    "set name": in_init_subclass,
    "bound: type": lambda f: type(class_with(f)().f).__name__,
    "bound: isinstance": lambda f: isinstance(class_with(f)().f, types.MethodType),
    "bound: function": lambda f: class_with(f)().f.__func__ is f,
    "bound: instance": lambda f: str(method_of(f).__self__),
    "bound: name": lambda f: (method_of(f).__name__, method_of(f).__qualname__),
    "bound: call": lambda f: method_of(f)(8),
    "bound: keywords": lambda f: method_of(f)(max_length=8),
    "bound: equality": lambda f: (lambda one: one.f == one.f)(class_with(f)()),
    "bound: others differ": lambda f: class_with(f)().f == class_with(f)().f,
    "bound: hash": lambda f: (lambda one: hash(one.f) == hash(one.f))(class_with(f)()),
    "bound: wrong call": lambda f: class_with(f)().f(1, 2, 3, 4, 5),
    "bound: attribute": lambda f: class_with(f)().f.__nothing__,
    "bound: set": lambda f: setattr(class_with(f)().f, "x", 1),
    "super": super_call,
    "metaclass": lambda f: with_meta(f).f.__func__ is f,
    "metaclass: instance": lambda f: with_meta(f).f.__self__.__name__,
    "__call__": call_slot,
    "__get__ for none": lambda f: f.__get__(None, Text) is f,
    "__get__ for one": lambda f: type(f.__get__(LONG)).__name__,
    "__get__ for one: call": lambda f: f.__get__(LONG)(8),
    "__get__ for None's type": lambda f: f.__get__(None, type(None)) is f,
    "__get__(None)": lambda f: descriptor_without_anything(f, None),
    "__get__(None, None)": lambda f: descriptor_without_anything(f, None, None),
    "__get__()": lambda f: type(f).__get__ and hasattr(f, "__get__"),
    "MethodType": lambda f: types.MethodType(f, LONG)(8),
    "staticmethod": lambda f: class_with(staticmethod(f)).f is f,
    "staticmethod: instance": lambda f: class_with(staticmethod(f))().f is f,
    "staticmethod: function": lambda f: staticmethod(f).__func__ is f,
    "classmethod": lambda f: class_with(classmethod(f)).f.__func__ is f,
    "classmethod: type": lambda f: type(class_with(classmethod(f)).f).__name__,
    "classmethod: self": lambda f: class_with(classmethod(f)).f.__self__.__name__,
    "property": property_of,
    "cached_property": lambda f: functools.cached_property(f).func is f,
    "partial": lambda f: functools.partial(f, LONG)(8),
    "partial: function": lambda f: functools.partial(f, LONG).func is f,
    "partialmethod": partial_method,
    "partialmethod: function": lambda f: functools.partialmethod(f, 8).func is f,
    "singledispatch": dispatched,
    "singledispatchmethod": dispatched_method,
    "lru_cache": cached,
    "wraps": lambda f: functools.wraps(f)(lambda: 0).__wrapped__ is f,
    "pickle": lambda f: [pickle.loads(pickle.dumps(class_with(f).f, p)) is f for p in range(6)],
    "pickle: bound": lambda f: pickle.loads(pickle.dumps(method_of(f)))(8),
    "pickle: bound, by its own name": lambda f: pickle.loads(pickle.dumps(named_as_itself(f)))(8),
    "cloudpickle": cloudpickled,
    "copy": lambda f: copy.copy(class_with(f).f) is f,
    "copy: bound": lambda f: copy.copy(method_of(f)) == method_of(f),
    "deepcopy": lambda f: copy.deepcopy([class_with(f).f])[0] is f,
    "deepcopy: bound": lambda f: copy.deepcopy(method_of(f))(8),
    "deepcopy: class": lambda f: copy.deepcopy(class_with(f)).f is f,
    "dataclass": lambda f: dataclass_with(f)().number is f,
    "dataclass: frozen": lambda f: dataclass_with(f, frozen=True)().number is f,
    "dataclass: default": lambda f: dataclasses.fields(dataclass_with(f))[0].default is f,
    "dataclass: asdict": lambda f: dataclasses.asdict(dataclass_with(f)())["number"] is f,
    "dataclass: astuple": lambda f: dataclasses.astuple(dataclass_with(f)())[0] is f,
    "dataclass: replace": lambda f: dataclasses.replace(dataclass_with(f)()).number is f,
    "dataclass: equality": lambda f: dataclass_with(f)() == dataclass_with(f)(),
    "named tuple": named_tuple,
    "enum": in_enum,
    "abc": in_abc,
    "protocol": in_protocol,
    "isfunction": lambda f: inspect.isfunction(class_with(f).f),
    "ismethod": lambda f: inspect.ismethod(class_with(f)().f),
    "isroutine": lambda f: inspect.isroutine(class_with(f)().f),
    "ismethoddescriptor": lambda f: inspect.ismethoddescriptor(f),
    "isdatadescriptor": lambda f: inspect.isdatadescriptor(f),
    "iscoroutinefunction": lambda f: asyncio.iscoroutinefunction(class_with(f)().f),
    "signature": lambda f: str(inspect.signature(class_with(f).f)),
    "signature: bound": lambda f: str(inspect.signature(class_with(f)().f)),
    "getfullargspec: bound": lambda f: str(inspect.getfullargspec(class_with(f)().f)),
    "getsource: bound": lambda f: inspect.getsource(class_with(f)().f),
    "getmembers": lambda f: [n for n, _ in inspect.getmembers(class_with(f), inspect.isfunction)],
    "getattr_static": lambda f: inspect.getattr_static(class_with(f), "f") is f,
    "classify_class_attrs": lambda f: [
        (a.name, a.kind) for a in inspect.classify_class_attrs(class_with(f)) if a.name == "f"
    ],
    "get_type_hints": lambda f: str(typing.get_type_hints(class_with(f)().f)),
    "weak reference": lambda f: weakref.ref(class_with(f).f)() is f,
    "weak method": weak_method,
    "mock.patch.object": patched,
    "create_autospec": lambda f: str(inspect.signature(mock.create_autospec(class_with(f)).f)),
    "methodcaller": lambda f: operator.methodcaller("shorten", 8)(method_of(f).__self__),
    "attrgetter": lambda f: operator.attrgetter("f")(class_with(f)) is f,
    "map": lambda f: list(map(class_with(f).f, [LONG], [8])),
    "has no __set__": lambda f: hasattr(f, "__set__") or hasattr(f, "__delete__"),
}


def outcome(operation, function):
    """What an operation gives, or fails with."""
    try:
        value = operation(function)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        for cls in (Text, Meta):
            for name in [name for name in vars(cls) if not name.startswith("__")]:
                delattr(cls, name)
    return repr(value)


def main():
    from sky.utils import common_utils

    function = common_utils.truncate_long_string
    kind = type(function)
    found = {name: outcome(each, function) for name, each in OPERATIONS.items()}
    sys.stdout.write(json.dumps({"kind": f"{kind.__module__}.{kind.__name__}", **found}))


if __name__ == "__main__":
    sys.modules["proxy_operations"] = sys.modules["__main__"]
    Text.__module__ = "proxy_operations"
    main()
