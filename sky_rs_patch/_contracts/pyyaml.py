"""What the installed PyYAML is: the checks that dumping and loading share."""

from __future__ import annotations

import hashlib
import re
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from sky_rs_patch._fingerprints import compute

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping


def package() -> Any:
    """PyYAML, which is imported when it is asked for."""
    import yaml

    return yaml


def modules(names: Iterable[str]) -> list[ModuleType]:
    """Modules of PyYAML."""
    return [getattr(package(), name) for name in names]


#: Says nothing about what the code does.
_VERSION = re.compile(rb"^__version__ = .*\n", re.MULTILINE)


def sources_digest(of: Iterable[ModuleType]) -> str:
    """The digest of modules' sources, whatever their line ends and PyYAML's number are."""
    digest = hashlib.sha256()
    for module in of:
        # Not by `pathlib`, which takes as long as the digest.
        with open(str(module.__file__), "rb") as file:  # noqa: PTH123
            source = file.read().replace(b"\r\n", b"\n")
        # In the package itself; the search takes longer than the digest.
        digest.update(_VERSION.sub(b"", source) if hasattr(module, "__version__") else source)
    return digest.hexdigest()[:16]


def unknown_function(known: Mapping[str, str]) -> str | None:
    """Which of PyYAML's functions hasn't the fingerprint that is known, or ``None``."""
    yaml = package()
    for name, fingerprint in known.items():
        try:
            found = compute.fingerprint(getattr(yaml, name))
        except compute.Unknown as unknown:
            return str(unknown)
        if found != fingerprint:
            return f"yaml.{name} of PyYAML {yaml.__version__} is not known"
    return None


def resolver_lists(cls: Any) -> tuple[Any, ...]:
    """A class's lists of implicit resolvers, each followed by a tuple of what it holds."""
    resolvers = cls.yaml_implicit_resolvers
    return tuple(part for found in resolvers.values() for part in (found, tuple(found)))


def resolvers_digest(cls: Any) -> str:
    """The digest of what a class knows as implicit: tags and patterns by first character."""
    resolvers = cls.yaml_implicit_resolvers
    content = [
        (first, [(tag, pattern.pattern, pattern.flags) for tag, pattern in found])
        for first, found in sorted(resolvers.items())
        if all(type(pattern) is re.Pattern for _, pattern in found)
    ]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def foreign_attributes(
    classes: Iterable[type],
    of: Iterable[ModuleType],
    *,
    data: Mapping[str, object],
    methods: Mapping[str, int],
    others: Collection[str],
) -> Iterator[str]:
    """Attributes of classes that PyYAML's source doesn't give them.

    Args:
        classes: the classes.
        of: the modules whose sources define them.
        data: attributes that must have these values.
        methods: how many methods a class has, by its name.
        others: further attributes that a class may have.
    """
    sources = {module.__name__: module.__file__ for module in of}
    for cls in classes:
        count = 0
        for name, value in vars(cls).items():
            function = value.__func__ if type(value) is classmethod else value
            if type(function) is FunctionType:
                count += 1
                code = function.__code__
                if (code.co_filename, code.co_name) != (sources.get(cls.__module__), name):
                    yield f"{class_name(cls)}.{name} was replaced"
            elif name in data:
                if type(value) is not type(data[name]) or value != data[name]:
                    yield f"{class_name(cls)}.{name} was changed"
            elif name not in others:
                yield f"{class_name(cls)}.{name} is not known"
        if count != methods.get(cls.__qualname__, count):
            yield f"{class_name(cls)} lacks a method"


def class_name(cls: type) -> str:
    """A class's dotted name."""
    return f"{cls.__module__}.{cls.__qualname__}"
