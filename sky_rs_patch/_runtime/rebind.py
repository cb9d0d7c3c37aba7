"""Rebinding of names that modules took with ``from … import`` before a function was replaced."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from sky_rs_patch._base.names import VIRTUAL_MODULE

if TYPE_CHECKING:
    from collections.abc import Iterable


class Rebound(NamedTuple):
    """A module-level name that was bound to one object and now is to another."""

    label: str
    new: object


def rebind(pairs: Iterable[tuple[object, object]], modules: Iterable[object]) -> list[Rebound]:
    """Binds every module-level name of an old object to its new one, in one pass.

    Only the modules' dictionaries are looked at: asking a lazy module for an attribute would
    load it.
    """
    # The pairs keep the old objects alive, so their ids stay theirs.
    pairs = list(pairs)
    if not pairs:
        return []
    replacements = {id(old): new for old, new in pairs}
    rebound = []
    for module in modules:
        if not isinstance(module, ModuleType):
            continue
        namespace = vars(module)
        owner = str(namespace.get("__name__"))
        if owner.startswith("sky_rs_patch."):
            continue
        for name, value in list(namespace.items()):
            if id(value) not in replacements:
                continue
            if owner == VIRTUAL_MODULE and name.startswith("_python_"):
                # There the originals are offered as such.
                continue
            namespace[name] = replacements[id(value)]
            rebound.append(Rebound(f"{owner}.{name}", namespace[name]))
    return rebound
