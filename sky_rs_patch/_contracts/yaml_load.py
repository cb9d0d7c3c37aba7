"""What ``safe_load`` and its like read of PyYAML, and which PyYAML and libyaml are known.

libyaml's parser, in C, makes the nodes; PyYAML's resolver and constructor, in pure Python, make
objects of them. Programs are invited to change the registries of both: constructors and implicit
resolvers. Namespaces and dictionaries are watched; the lists within the implicit resolvers, which
have no versions, are compared by the native functions at each call.
"""

from __future__ import annotations

import builtins
import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from sky_rs_patch._contracts import pyyaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sky_rs_patch._guards.walk import Walk

#: What ``yaml.load`` and ``yaml.load_all`` lead to in other modules.
READS = (
    "yaml.load",
    "yaml.load_all",
    "yaml.CSafeLoader",
    "yaml.__with_libyaml__",
    "yaml._yaml.CParser",
    "types.GeneratorType",
    "collections.abc.Hashable",
    "abc._abc_instancecheck",
    "abc._abc_subclasscheck",
    "io.StringIO",
    *(
        f"builtins.{name}"
        for name in (
            *("bool", "dict", "float", "hasattr", "id", "int", "isinstance", "len", "list", "next"),
            *("set", "str", "super", "type"),
        )
    ),
)

_MODULES = ("constructor", "resolver", "nodes", "cyaml")
_MRO = (
    *("CSafeLoader", "CParser", "SafeConstructor", "BaseConstructor", "Resolver"),
    *("BaseResolver", "object"),
)
_NODES = ("Node", "ScalarNode", "CollectionNode", "SequenceNode", "MappingNode")
_CONSTRUCTORS = ("null", "bool", "int", "float", "str", "seq", "map")
#: Methods by class, so that none is missing.
_METHODS = {
    "CSafeLoader": 1,
    "SafeConstructor": 17,
    "BaseConstructor": 13,
    "Resolver": 0,
    "BaseResolver": 7,
    "Node": 2,
    "ScalarNode": 1,
    "CollectionNode": 1,
    "SequenceNode": 0,
    "MappingNode": 0,
}
_REGISTRIES = (
    *("yaml_constructors", "yaml_multi_constructors", "yaml_implicit_resolvers"),
    "yaml_path_resolvers",
)
_DATA = {
    "DEFAULT_SCALAR_TAG": "tag:yaml.org,2002:str",
    "DEFAULT_SEQUENCE_TAG": "tag:yaml.org,2002:seq",
    "DEFAULT_MAPPING_TAG": "tag:yaml.org,2002:map",
    "inf_value": float("inf"),
    "bool_values": {
        **dict.fromkeys(("yes", "true", "on"), True),
        **dict.fromkeys(("no", "false", "off"), False),
    },
}
#: What classes may have beyond that.
_ANY_CLASS = frozenset(
    {
        *("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__annotations__"),
        *("__firstlineno__", "__static_attributes__"),
        # Nodes have the first. Of dates and NaN the native functions make nothing.
        *("id", "timestamp_regexp", "nan_value"),
    }
)

#: Digests of the four modules' sources: of PyYAML 6.0 to 6.0.3, and of 6.0.4.
_KNOWN_SOURCES = frozenset({"1c7da7c4a810dd21", "b8a3f9a617e62030"})
#: Releases whose binding is known: it is compiled, and there is no source to look at.
_BINDINGS = frozenset({"6.0", "6.0.1", "6.0.2", "6.0.3", "6.0.4"})
#: Versions of libyaml, as it says itself, and whether nesting has a limit that can be set there.
_LIBYAML = {"0.2.5": False, "0.2.6": True}
#: Fingerprints of ``yaml.load`` and ``yaml.load_all``, of the same.
KNOWN_FUNCTIONS = {"load": "70fb088e54f86ec4", "load_all": "6e64f699404101a3"}
#: Digest of the implicit resolvers, of the same.
_KNOWN_RESOLVERS = "4a11c7e3a463928a"


#: The type of a function that Cython made.
_CYTHON = "cython_function_or_method"
#: Functions of libyaml itself in PyYAML 6.0.4, which Cython wraps: how deep collections may be.
_OF_LIBYAML = {"_get_max_nest_level": "cfunc.to_py", "_set_max_nest_level": "cfunc.to_py"}


def examine(walk: Walk, original: FunctionType) -> tuple[object, ...]:
    """Watches the modules and registries of the loader, and that it is libyaml's."""
    # Once libyaml was missing, SkyPilot remembers it.
    unavailable = "_c_extension_unavailable"
    label = f"{original.__module__}.{unavailable}"
    walk.expect(original.__globals__, unavailable, False, label)
    yaml = pyyaml.package()
    for module in (*_modules(), yaml._yaml):
        walk.freeze_namespace(vars(module), module.__name__)
    for cls in (*_nodes(), yaml.CSafeLoader):
        walk.freeze(cls, f"yaml.{cls.__qualname__}")
    walk.pin_methods((*_nodes(), *yaml.CSafeLoader.__mro__))
    for function in (yaml.load, yaml.load_all):
        if type(function) is FunctionType:
            walk.pin(function)
    for name in (*_REGISTRIES, "bool_values"):
        walk.freeze_namespace(getattr(yaml.CSafeLoader, name), f"yaml.CSafeLoader.{name}")
    # libyaml's limit of nesting is no object that could be watched: it is asked for at each call.
    # Built against a libyaml without one, PyYAML 6.0.4 says that it is -1.
    limited = _LIBYAML.get(yaml._yaml.get_version_string())
    limit = vars(yaml._yaml).get("_get_max_nest_level") if limited else None
    # 6.0.4 merges in order, and passes over keys that it has merged already.
    flatten = yaml.constructor.SafeConstructor.flatten_mapping
    ordered = "merge_key_ids" in flatten.__code__.co_varnames
    return (pyyaml.resolver_lists(yaml.CSafeLoader), limit, ordered)


def known_pyyaml() -> str | None:
    """Are PyYAML, its libyaml and its registries as the native functions know them?"""
    yaml = pyyaml.package()
    if pyyaml.sources_digest(_modules()) not in _KNOWN_SOURCES:
        return f"the loader of PyYAML {yaml.__version__} is not known"
    if not yaml.__with_libyaml__:
        return "PyYAML has no libyaml"
    if yaml.__version__ not in _BINDINGS:
        return f"the libyaml binding of PyYAML {yaml.__version__} is not known"
    if yaml._yaml.get_version_string() not in _LIBYAML:
        return f"libyaml {yaml._yaml.get_version_string()} is not known"
    return (
        pyyaml.unknown_function(KNOWN_FUNCTIONS)
        or next(_foreign_names(), None)
        or next(_foreign_attributes(), None)
    )


def _foreign_names() -> Iterator[str]:
    """Globals of the modules that aren't PyYAML's own, or hide builtins."""
    yaml = pyyaml.package()
    for module in (*_modules(), yaml._yaml):
        for name, value in vars(module).items():
            if name in vars(builtins) and not name.startswith("__"):
                yield f"{module.__name__}.{name} hides a builtin"
            if name.startswith("__"):
                continue
            if isinstance(value, type):
                root = value.__module__.partition(".")[0]
                known = value.__qualname__ == name and root == "yaml"
            elif type(value) is ModuleType:
                known = sys.modules.get(value.__name__) is value
            else:
                # The extension's own functions.
                home = _OF_LIBYAML.get(name, module.__name__)
                known = type(value).__name__ == _CYTHON and value.__module__ == home
            if not known:
                yield f"{module.__name__}.{name} was replaced"
        for cls in _nodes():
            if vars(module).get(cls.__qualname__, cls) is not cls:
                yield f"{module.__name__}.{cls.__qualname__} was replaced"


def _foreign_attributes() -> Iterator[str]:
    """What isn't in the classes as PyYAML's source has it."""
    yaml = pyyaml.package()
    loader: Any = yaml.CSafeLoader
    if tuple(cls.__qualname__ for cls in loader.__mro__) != _MRO:
        yield "yaml.CSafeLoader has other bases"
    if loader.__mro__[1] is not yaml._yaml.CParser:
        yield "yaml.CSafeLoader has another parser"
    yield from pyyaml.foreign_attributes(
        (*(cls for cls in loader.__mro__ if cls.__qualname__ in _METHODS), *_nodes()),
        _modules(),
        data=_DATA,
        methods=_METHODS,
        others=_ANY_CLASS.union(_REGISTRIES),
    )
    constructor = yaml.constructor.SafeConstructor
    for tag in _CONSTRUCTORS:
        found = loader.yaml_constructors.get(f"tag:yaml.org,2002:{tag}")
        if found is None or found is not vars(constructor).get(f"construct_yaml_{tag}"):
            yield f"yaml.CSafeLoader makes a {tag} in another way"
    if loader.yaml_path_resolvers:
        yield "PyYAML has path resolvers"
    if pyyaml.resolvers_digest(pyyaml.package().CSafeLoader) != _KNOWN_RESOLVERS:
        yield "the implicit resolvers of yaml.CSafeLoader were changed"


def _modules() -> list[ModuleType]:
    return pyyaml.modules(_MODULES)


def _nodes() -> list[type]:
    return [vars(pyyaml.package().nodes)[name] for name in _NODES]
