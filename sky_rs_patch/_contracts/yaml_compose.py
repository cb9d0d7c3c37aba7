"""What ``check_no_duplicate_keys`` reads of PyYAML: all of its loader in pure Python.

The code shows ``yaml.compose_all``. Behind it are the reader, the scanner, the parser and the
composer, whose methods make the objects of five modules by their global names.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING

from sky_rs_patch._contracts import pyyaml

if TYPE_CHECKING:
    from sky_rs_patch._guards.walk import Walk

#: Tables that the scanner and the resolver look into.
READS = (
    "yaml.loader.Loader",
    "yaml.scanner.Scanner.ESCAPE_REPLACEMENTS[]",
    "yaml.scanner.Scanner.ESCAPE_CODES[]",
    "yaml.resolver.BaseResolver.yaml_path_resolvers[]",
)

#: The classes of the loader that take part, beyond the loader itself.
_PARTS = ("Reader", "Scanner", "Parser", "Composer", "Resolver", "BaseResolver")
#: Modules whose classes the loader makes objects of.
_MATERIAL = ("tokens", "events", "nodes")
#: Resolvers are registered, and no tag is looked at.
_UNREAD = ("add_", "yaml_implicit_resolvers")

#: Those of the loader's modules, beside the package itself; it makes a constructor, and no more.
_MODULES = (
    *("loader", "reader", "scanner", "parser", "composer", "resolver", "constructor"),
    *("error", "tokens", "events", "nodes"),
)
#: Digests of their sources: of PyYAML 5.4.1, of 6.0 to 6.0.3, and of 6.0.4.
_KNOWN_SOURCES = frozenset({"375e42e4ef9a589b", "a4b88adb7dd0b22c", "3296b46255b24487"})
_ESCAPES = dict(
    zip(
        '0abt\tnvfre "\\/N_LP',
        '\0\a\b\t\t\n\v\f\r\x1b "\\/\x85\xa0\u2028\u2029',
    )
)


def known_pyyaml() -> str | None:
    """Are PyYAML's loader and its tables as the native function knows them?"""
    yaml = pyyaml.package()
    if pyyaml.sources_digest([yaml, *pyyaml.modules(_MODULES)]) not in _KNOWN_SOURCES:
        return f"the loader of PyYAML {yaml.__version__} is not known"
    if yaml.compose_all.__defaults__ != (yaml.loader.Loader,):
        return "yaml.compose_all has another loader"
    scanner = yaml.scanner.Scanner
    if scanner.ESCAPE_REPLACEMENTS != _ESCAPES:
        return "yaml.scanner.Scanner.ESCAPE_REPLACEMENTS was changed"
    if scanner.ESCAPE_CODES != {"x": 2, "u": 4, "U": 8}:
        return "yaml.scanner.Scanner.ESCAPE_CODES was changed"
    if yaml.resolver.BaseResolver.yaml_path_resolvers:
        return "PyYAML has path resolvers"
    return None


def examine(walk: Walk, _: FunctionType) -> tuple[object, ...]:
    """Watches the classes of PyYAML's loader, and all that their methods read."""
    yaml = pyyaml.package()
    walk.function(yaml.compose_all)
    walk.pin_methods((*yaml.loader.Loader.__mro__, yaml.error.Mark, yaml.scanner.SimpleKey))
    for cls in yaml.loader.Loader.__mro__:
        if cls.__name__ in (*_PARTS, "Loader"):
            for name, method in vars(cls).items():
                if type(method) is FunctionType and not name.startswith(_UNREAD):
                    walk.function(method)
    for module in pyyaml.modules(_MATERIAL):
        for name, cls in vars(module).items():
            if isinstance(cls, type):
                walk.freeze(cls, f"{module.__name__}.{name}")
                walk.pin_methods([cls])
    return ()
