"""What ``check_no_duplicate_keys`` reads of PyYAML: all of its loader in pure Python.

The code shows ``yaml.compose_all``. Behind it are the reader, the scanner, the parser and the
composer, whose methods make the objects of five modules by their global names.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING

from sky_rs_patch._contracts import pyyaml

if TYPE_CHECKING:
    from sky_rs_patch._guards.derive import Walk

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
