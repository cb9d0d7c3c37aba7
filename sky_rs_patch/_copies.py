"""Copies of a function that modules took with ``from … import`` before it was replaced."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Place(NamedTuple):
    """A module-level name that was bound to one object and now is to another."""

    namespace: dict[str, Any]
    name: str
    old: object
    new: object

    @property
    def label(self) -> str:
        """The dotted name."""
        return f"{self.namespace.get('__name__')}.{self.name}"

    def restore(self) -> None:
        """Binds the name to the old object again, unless it was bound anew since."""
        if self.namespace.get(self.name) is self.new:
            self.namespace[self.name] = self.old


def rebind(pairs: Iterable[tuple[object, object]], modules: Iterable[object]) -> list[Place]:
    """Binds every module-level name of an old object to its new one, in one pass.

    Only the modules' dictionaries are looked at: asking a lazy module for an attribute would
    load it.
    """
    # The pairs keep the old objects alive, so their ids stay theirs.
    pairs = list(pairs)
    replacements = {id(old): new for old, new in pairs}
    places = []
    for module in modules:
        if not isinstance(module, ModuleType):
            continue
        namespace = vars(module)
        if str(namespace.get("__name__")).startswith("sky_rs_patch."):
            continue
        for name, value in list(namespace.items()):
            if id(value) in replacements:
                place = Place(namespace, name, value, replacements[id(value)])
                namespace[name] = place.new
                places.append(place)
    return places
