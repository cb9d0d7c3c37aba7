"""What ``dump_yaml_str`` reads of PyYAML, and which PyYAML the native function writes like.

The code shows ``yaml.SafeDumper`` and ``yaml.dump``. Behind them are seven modules in pure
Python, and registries that programs are invited to change: representers, implicit and path
resolvers. Namespaces and dictionaries are watched as any other; the lists within the implicit
resolvers, which have no versions, are compared by the native function at each call.
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

#: What ``yaml.dump`` leads to in other modules.
READS = (
    "yaml.dump_all",
    "yaml.io",
    "io.StringIO",
    *(
        f"builtins.{name}"
        for name in (
            *("__build_class__", "bool", "bytes", "float", "hasattr", "id", "int", "isinstance"),
            *("len", "list", "ord", "repr", "sorted", "str", "super", "tuple", "type"),
        )
    ),
)

_MODULES = ("dumper", "emitter", "serializer", "representer", "resolver", "events", "nodes")
_MRO = (
    *("SafeDumper", "Emitter", "Serializer", "SafeRepresenter", "BaseRepresenter"),
    *("Resolver", "BaseResolver"),
)
#: Methods by class, so that none is missing.
_METHODS = {
    "SafeDumper": 1,
    "Emitter": 59,
    "Serializer": 7,
    "SafeRepresenter": 14,
    "BaseRepresenter": 9,
    "Resolver": 0,
    "BaseResolver": 7,
}
_REPRESENTERS: dict[type, str] = {
    type(None): "represent_none",
    str: "represent_str",
    bool: "represent_bool",
    int: "represent_int",
    float: "represent_float",
    list: "represent_list",
    tuple: "represent_list",
    dict: "represent_dict",
}
_DATA = {
    "ANCHOR_TEMPLATE": "id%03d",
    "DEFAULT_SCALAR_TAG": "tag:yaml.org,2002:str",
    "DEFAULT_SEQUENCE_TAG": "tag:yaml.org,2002:seq",
    "DEFAULT_MAPPING_TAG": "tag:yaml.org,2002:map",
    "DEFAULT_TAG_PREFIXES": {"!": "!", "tag:yaml.org,2002:": "!!"},
    "ESCAPE_REPLACEMENTS": dict(
        zip('\0\a\b\t\n\v\f\r\x1b"\\\x85\xa0\u2028\u2029', '0abtnvfre"\\N_LP')
    ),
    "inf_value": float("inf"),
    "yaml_path_resolvers": {},
}
_REGISTRIES = ("yaml_representers", "yaml_multi_representers", "yaml_implicit_resolvers")
#: What classes may have beyond that.
_ANY_CLASS = frozenset(
    {
        *("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__annotations__"),
        *("__firstlineno__", "__static_attributes__"),
        # Nodes have one, which no dump reads.
        "id",
    }
)

#: Digests of the seven modules' sources: of PyYAML 6.0 to 6.0.4.
_KNOWN_SOURCES = frozenset({"337825341e7cff3c"})
#: Fingerprints of ``yaml.dump`` and ``yaml.dump_all``, of the same.
KNOWN_FUNCTIONS = {"dump": "ec40d4c5af49098c", "dump_all": "3c49580f03aa50a1"}
#: Digest of the implicit resolvers, of the same.
_KNOWN_RESOLVERS = "4a11c7e3a463928a"


def examine(walk: Walk, _: FunctionType) -> tuple[object, ...]:
    """Watches the namespaces and registries that a dump reads beyond what the walk finds.

    Returns:
        One tuple: the implicit resolvers' lists, each followed by a tuple of what it holds.

    Raises:
        Suspect: if PyYAML, or one of its registries, isn't as the native function knows it.
    """
    from sky_rs_patch._guards.walk import Suspect

    # First, so that a registry that is put right again is noticed.
    _watch(walk)
    problem = _problem()
    if problem:
        raise Suspect(problem)
    return (pyyaml.resolver_lists(pyyaml.package().SafeDumper),)


def _watch(walk: Walk) -> None:
    dumper: Any = pyyaml.package().SafeDumper
    for module in _modules():
        walk.freeze_namespace(vars(module), module.__name__)
    for cls in _plain_classes():
        walk.freeze_namespace(cls, pyyaml.class_name(cls))
    walk.pin_methods((*dumper.__mro__[:-1], *_plain_classes()))
    for function in (pyyaml.package().dump, pyyaml.package().dump_all):
        if type(function) is FunctionType:
            walk.pin(function)
    for name in (
        *("yaml_implicit_resolvers", "yaml_path_resolvers"),
        *("DEFAULT_TAG_PREFIXES", "ESCAPE_REPLACEMENTS"),
    ):
        walk.freeze_namespace(getattr(dumper, name), f"yaml.SafeDumper.{name}")
    # Representers of other types don't matter: the native function doesn't know those types.
    representers, label = dumper.yaml_representers, "yaml.SafeDumper.yaml_representers"
    for cls in _REPRESENTERS:
        if cls in representers:
            walk.expect(representers, cls, representers[cls], label)
        else:
            walk.expect_absent(representers, cls, label)


def _problem() -> str | None:
    """In what PyYAML, or one of its registries, isn't as the native function knows it."""
    yaml = pyyaml.package()
    if pyyaml.sources_digest(_modules()) not in _KNOWN_SOURCES:
        return f"PyYAML {yaml.__version__} is not known"
    return (
        pyyaml.unknown_function(KNOWN_FUNCTIONS)
        or next(_foreign_names(), None)
        or next(_foreign_attributes(), None)
        or next(_changed_registries(), None)
    )


def _foreign_names() -> Iterator[str]:
    """Globals of the modules that aren't PyYAML's own, or hide builtins."""
    own = {id(cls) for module in _modules() for cls in _defined(module)}
    for module in _modules():
        for name, value in vars(module).items():
            if name in vars(builtins) and not name.startswith("__"):
                yield f"{module.__name__}.{name} hides a builtin"
            if name.startswith("__"):
                continue
            if type(value) is ModuleType:
                known = sys.modules.get(value.__name__) is value
            else:
                known = (
                    isinstance(value, type)
                    and value.__qualname__ == name
                    and (id(value) in own or value.__module__ == "yaml.error")
                )
            if not known:
                yield f"{module.__name__}.{name} was replaced"


def _foreign_attributes() -> Iterator[str]:
    """Attributes of the classes that PyYAML's source doesn't give them."""
    dumper = pyyaml.package().SafeDumper
    if tuple(cls.__qualname__ for cls in dumper.__mro__[:-1]) != _MRO:
        yield "yaml.SafeDumper has other bases"
    yield from pyyaml.foreign_attributes(
        (*dumper.__mro__[:-1], *_plain_classes()),
        _modules(),
        data=_DATA,
        methods=_METHODS,
        others=_ANY_CLASS.union(_REGISTRIES),
    )


def _changed_registries() -> Iterator[str]:
    dumper = pyyaml.package().SafeDumper
    for cls, method in _REPRESENTERS.items():
        if dumper.yaml_representers.get(cls) is not getattr(dumper, method):
            yield f"yaml.SafeDumper represents {cls.__qualname__} in another way"
    if pyyaml.resolvers_digest(pyyaml.package().SafeDumper) != _KNOWN_RESOLVERS:
        yield "the implicit resolvers of yaml.SafeDumper were changed"


def _modules() -> list[ModuleType]:
    return pyyaml.modules(_MODULES)


def _defined(module: ModuleType) -> list[type]:
    """Classes that a module defines."""
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and (value.__module__, value.__qualname__) == (module.__name__, name)
    ]


def _plain_classes() -> list[type]:
    """Those whose instances a dump makes: events, nodes, and the analysis of a scalar."""
    yaml = pyyaml.package()
    return [
        *_defined(yaml.events),
        *_defined(yaml.nodes),
        *(cls for cls in _defined(yaml.emitter) if cls.__qualname__ == "ScalarAnalysis"),
    ]
