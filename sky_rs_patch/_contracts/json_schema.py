"""What ``validate_schema`` relies on within jsonschema.

SkyPilot's validator is a class that jsonschema makes from a table of functions, one for each
keyword. Neither the table nor what those functions read shows in SkyPilot's code, so it is
looked at here, when the guards of the route are derived.
"""

from __future__ import annotations

import abc
import builtins
import importlib
import os
import sys
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from sky_rs_patch._binding import bytecode
from sky_rs_patch._guards.baseline import PRISTINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sky_rs_patch._guards.walk import Walk

#: Releases of jsonschema whose functions were compared: from 4.21 on `enum` keeps truth values
#: and numbers apart in nested values, too.
_FIRST_RELEASE, _LAST_RELEASE = (4, 21), (4, 26)

#: The keywords of Draft 7, and the modules of their functions.
_KEYWORDS = frozenset(
    (
        *("$ref", "additionalItems", "additionalProperties", "allOf", "anyOf", "const"),
        *("contains", "dependencies", "enum", "exclusiveMaximum", "exclusiveMinimum"),
        *("format", "if", "items", "maxItems", "maxLength", "maxProperties", "maximum"),
        *("minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf"),
        *("pattern", "patternProperties", "properties", "propertyNames", "required", "type"),
        "uniqueItems",
    )
)
_KEYWORD_MODULES = frozenset({"jsonschema._keywords", "jsonschema._legacy_keywords"})
#: Draft 2020-12 has the same ones under the same names, but for some that the native function
#: leaves alone, and this one.
_ITEMS = "items"
_ONLY_IN_7 = frozenset({"additionalItems", "dependencies"})
_ONLY_IN_LATEST = frozenset(
    (
        *("$dynamicRef", "dependentRequired", "dependentSchemas", "prefixItems"),
        *("unevaluatedItems", "unevaluatedProperties"),
    )
)
_LATEST = "https://json-schema.org/draft/2020-12/schema"
#: SkyPilot's own.
_CUSTOM = frozenset({"case_insensitive_enum", "case_sensitive_enum"})
#: Types that a type checker must know; what else it may know isn't asked for.
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
#: Packages from which jsonschema has functions.
_FRIENDS = frozenset({"attr", "attrs", "jsonschema", "jsonschema_specifications", "referencing"})
#: Of those, the ones whose functions are followed.
_FOLLOWED = frozenset({"jsonschema", "referencing"})
#: And these functions of attrs, which makes its classes; what else it has only makes classes.
_OF_ATTRS = frozenset({"evolve", "fields", "get_generic_base"})
#: Classes of which validators make objects.
_MATERIAL = frozenset({"Registry", "Resolver", "Resource", "Specification", "ValidationError"})
#: What every class has, or gets when it is copied or made generic.
_ANY_CLASS = frozenset({"__doc__", "__class_getitem__", "__init_subclass__", "__subclasshook__"})


def known_release() -> str | None:
    """Is jsonschema of a release that the native function was compared with?"""
    version = _version()
    try:
        release = tuple(map(int, version.split(".")[:2]))
    except ValueError:
        release = ()
    return (
        None if _FIRST_RELEASE <= release <= _LAST_RELEASE else f"jsonschema {version} is not known"
    )


def _version() -> str:
    # Its name says it where an installer has put it; `importlib.metadata` calls `re` and abstract
    # classes, and a mock there would tell of calls that nobody made.
    file: str = _validators().__file__
    site = file.rpartition("/jsonschema/")[0]
    names = os.listdir(site) if site else []  # noqa: PTH208 (pathlib asks abstract classes)
    found = [name for name in names if name.startswith("jsonschema-")]
    if len(found) == 1 and found[0].endswith(".dist-info"):
        return found[0][len("jsonschema-") : -len(".dist-info")]
    from importlib import metadata

    return metadata.version("jsonschema")


def examine(walk: Walk, original: FunctionType) -> tuple[object, ...]:
    """Watches the validator's class and what its keywords read.

    Returns:
        What makes the class, the class, and SkyPilot's class `Config` or ``None``.

    Raises:
        Suspect: if something isn't as jsonschema and SkyPilot have made it.
    """
    validators = _validators()
    draft, latest = validators.Draft7Validator, validators.Draft202012Validator
    module = original.__globals__["validator"]
    make = module.get_schema_validator
    cls = make()
    _class(walk, draft, "jsonschema.Draft7Validator")
    _class(walk, latest, "jsonschema.Draft202012Validator")
    _class(walk, cls, "SkyPilot's validator")
    _table(walk, draft, cls, module)
    _latest(walk, draft, latest)
    core = importlib.import_module("referencing._core")
    for name in sorted(_MATERIAL & vars(core).keys()):
        _material(walk, vars(core)[name], f"referencing.{name}", 0)
    # Types are told apart by abstract classes.
    walk.freeze(abc.ABCMeta, "abc.ABCMeta")
    walk.methods(abc.ABCMeta, frozenset({"__instancecheck__", "__subclasscheck__"}))
    for function in (validators.create, validators.extend, validators.validator_for):
        _function(walk, function)
    if type(make) is FunctionType:
        _making(walk)
    return make, cls, _config(walk)


def _making(walk: Walk) -> None:
    """What is read when a class of validators is made: up to SkyPilot 0.13 in each call."""
    attrs = importlib.import_module("attr._make")
    counting = attrs._CountingAttr
    # It counts the attributes of all classes.
    walk.freeze(counting, "attr._make._CountingAttr", but=frozenset({"cls_counter"}))
    trusted = (
        *("attr._make._DEFAULT_ON_SETATTR", "attr._next_gen._DEFAULT_ON_SETATTR"),
        "sys._clear_type_descriptors",
    )
    walk.follow("attr", trusted=trusted)
    walk.dotted("attr._make._CountingAttr.__init__")
    for name in ("attr._next_gen.define", "attr._next_gen.field"):
        walk.dotted(name)
    module = importlib.import_module("referencing.jsonschema")
    walk.pin_module(module)
    name = "specification_with"
    _function(walk, _watched(walk, vars(module), name, f"{module.__name__}.{name}", 0))


def _validators() -> Any:
    return importlib.import_module("jsonschema.validators")


def _suspect(text: str) -> Exception:
    from sky_rs_patch._guards.walk import Suspect

    return Suspect(text)


def _class(walk: Walk, cls: Any, label: str) -> None:
    """A class made by `jsonschema.validators.create`, and its type checker."""
    walk.freeze(cls, label)
    walk.pin_methods([cls, type(cls.TYPE_CHECKER)])
    walk.freeze(type(cls.TYPE_CHECKER), f"{label}.TYPE_CHECKER")
    made = set(_codes(_validators().create.__code__))
    for name, value in vars(cls).items():
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if type(function) is not FunctionType or name in ("ID_OF", "_APPLICABLE_VALIDATORS"):
            continue
        code = function.__code__
        if code in made:
            _function(walk, function)
        elif not code.co_filename.startswith("<attrs generated") and _root(function) != "attr":
            raise _suspect(f"{label}.{name} was replaced")
    for function in (cls.ID_OF, cls._APPLICABLE_VALIDATORS):
        if repr(function) == "operator.methodcaller('items')":
            continue
        if type(function) is not FunctionType or not _is_at_home(function):
            raise _suspect(f"{label}: {function!r} was put in")
        _function(walk, function)
    checkers = dict(cls.TYPE_CHECKER._type_checkers.items())
    for name in _TYPES:
        function = checkers.get(name)
        # That for integers has no name.
        if getattr(function, "__module__", None) != "jsonschema._types":
            raise _suspect(f"{label}: the check for {name} was replaced")
        _function(walk, function)


def _table(walk: Walk, draft: Any, cls: Any, module: ModuleType) -> None:
    """The functions of both classes' keywords."""
    for owner, label in ((draft, "jsonschema.Draft7Validator"), (cls, "SkyPilot's validator")):
        walk.freeze_namespace(owner.VALIDATORS, f"{label}.VALIDATORS")
    if set(draft.VALIDATORS) != _KEYWORDS:
        raise _suspect("jsonschema.Draft7Validator.VALIDATORS was changed")
    for name, function in draft.VALIDATORS.items():
        if getattr(function, "__module__", None) not in _KEYWORD_MODULES or not _is_at_home(
            function
        ):
            raise _suspect(f"jsonschema.Draft7Validator.VALIDATORS[{name!r}] was replaced")
        _function(walk, function)
    custom = {name: vars(module)[name] for name in _CUSTOM if name in vars(module)}
    expected = {**draft.VALIDATORS, **custom}
    if set(cls.VALIDATORS) != set(expected) or any(
        cls.VALIDATORS[name] is not function for name, function in expected.items()
    ):
        raise _suspect("the keywords of SkyPilot's validator were changed")
    for name, function in custom.items():
        walk.expect(vars(module), name, function, f"{module.__name__}.{name}")


def _latest(walk: Walk, draft: Any, latest: Any) -> None:
    """What a subschema gets that names Draft 2020-12."""
    label = "jsonschema.Draft202012Validator.VALIDATORS"
    walk.freeze_namespace(latest.VALIDATORS, label)
    same = _KEYWORDS - _ONLY_IN_7
    if set(latest.VALIDATORS) != same | _ONLY_IN_LATEST:
        raise _suspect(f"{label} was changed")
    for name in same - {_ITEMS, "contains"}:
        if latest.VALIDATORS[name] is not draft.VALIDATORS[name]:
            raise _suspect(f"{label}[{name!r}] was replaced")
    items = latest.VALIDATORS[_ITEMS]
    if getattr(items, "__module__", None) != "jsonschema._keywords" or not _is_at_home(items):
        raise _suspect(f"{label}[{_ITEMS!r}] was replaced")
    _function(walk, items)
    registry = _validators()._META_SCHEMAS
    walk.freeze(type(registry), "jsonschema.validators._META_SCHEMAS")
    if registry.store.get(_LATEST) is not latest:
        raise _suspect("jsonschema.validators._META_SCHEMAS was changed")
    walk.expect(registry.store, _LATEST, latest, "jsonschema.validators._META_SCHEMAS")


def _config(walk: Walk) -> type | None:
    """SkyPilot's `Config`, if it is a dictionary in all that a validator asks."""
    module = sys.modules.get("sky.utils.config_utils")
    config = None if module is None else vars(module).get("Config")
    if not isinstance(config, type) or dict not in config.__mro__:
        return None
    bases = [base for base in config.__mro__[1:] if base.__module__ != "typing"]
    asked = (set(dir(dict)) | {"__missing__"}) - _ANY_CLASS
    if bases != [dict, object] or not asked.isdisjoint(vars(config)):
        return None
    # It isn't frozen: copying an instance leaves a note on its class.
    for name in sorted(asked):
        walk.expect_absent(config, name, f"sky.utils.config_utils.Config.{name}")
    return config


def _function(walk: Walk, function: Any, depth: int = 0) -> None:
    """The global names that a function of jsonschema reads, and those of what it calls."""
    if walk.has_walked(function, depth):
        return
    walk.pin(function)
    namespace = function.__globals__
    home = str(namespace.get("__name__"))
    for name, *attributes in bytecode.global_chains(function.__code__):
        if name not in namespace:
            walk.expect_absent(namespace, name, f"{home}.{name}")
            if PRISTINE.value_changed(namespace, name):
                raise _suspect(f"{home}.{name} is missing")
            if name in vars(builtins):
                value = vars(builtins)[name]
                walk.expect(vars(builtins), name, value, f"builtins.{name}")
            continue
        value = _watched(walk, namespace, name, f"{home}.{name}", depth)
        if attributes and isinstance(value, ModuleType) and attributes[0] in vars(value):
            walk.pin_module(value)
            label = f"{value.__name__}.{attributes[0]}"
            _watched(walk, vars(value), attributes[0], label, depth)


def _watched(walk: Walk, namespace: dict[str, Any], name: str, label: str, depth: int) -> Any:
    value = namespace[name]
    is_new = walk.expect(namespace, name, value, label)
    if PRISTINE.value_changed(namespace, name, value):
        raise _suspect(f"{label} was replaced")
    if is_new and type(value) is FunctionType:
        if value.__name__ != name or not _is_friend(value):
            raise _suspect(f"{label} was replaced")
        if depth < _MAX_DEPTH and (_root(value) in _FOLLOWED or name in _OF_ATTRS):
            _function(walk, value, depth + 1)
        elif value.__globals__.get("__name__") == "re":
            walk.function(value, depth + 1)
    elif is_new and isinstance(value, type) and value.__name__ in _MATERIAL:
        _material(walk, value, label, depth)
    elif type(value).__module__.partition(".")[0] in ("unittest", "mock"):
        raise _suspect(f"{label} was replaced")
    return value


def _material(walk: Walk, cls: type, label: str, depth: int) -> None:
    """A class whose objects are on the way: all its methods."""
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] in _FOLLOWED:
            walk.freeze(base, label)
            walk.pin_methods([base])
            for value in vars(base).values():
                if type(value) is FunctionType and depth < _MAX_DEPTH:
                    _function(walk, value, depth + 1)


_MAX_DEPTH = 6


def _root(function: Any) -> str:
    return str(function.__globals__.get("__name__")).partition(".")[0]


def _is_friend(function: Any) -> bool:
    from sky_rs_patch._guards.genuine import is_stdlib

    return _root(function) in _FRIENDS or is_stdlib(_root(function))


def _is_at_home(function: Any) -> bool:
    """Whether a function stands in its module under its name."""
    if type(function) is not FunctionType:
        return False
    return function.__globals__.get(function.__name__) is function and _is_friend(function)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in bytecode.nested(code):
        yield inner
        yield from _codes(inner)
