"""Search for references to an original: default arguments, closures, partials, registries.

Names in modules are bound anew when a proxy is put in place (`_copies`). What was kept elsewhere
before that stays the original: its answers are right, only not quicker, and nothing of it is
counted. Here such holders are found, on demand, by asking the garbage collector who refers to
what. That looks at every object of the process once for each step from an original to an owner
with a name.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections import deque
from types import CellType, FrameType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from sky_rs_patch._base.names import VIRTUAL_MODULE
from sky_rs_patch._binding.proxies import route_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: So many steps from an original to the module, class, function or object that is named.
_MOST_STEPS = 6
#: So many owners of one holder are named.
_MOST_OWNERS = 20
_WRAPPERS = (
    *(classmethod, functools.partial, functools.partialmethod, property, staticmethod),
    *(MethodType, functools._lru_cache_wrapper),
)
_CONTAINERS = (dict, list, tuple, set, frozenset, deque)


class _Hold(NamedTuple):
    """An object on the way from an original to its owners."""

    holder: Any
    targets: frozenset[str]
    #: The rest of the way, as it is written behind the owner's name.
    path: str


def find(originals: Mapping[str, object]) -> dict[str, list[str]]:
    """Finds who holds originals outside of modules' namespaces.

    Args:
        originals: functions by the names of their targets.

    Returns:
        For each target, sorted, ``module: name and way`` of every holder that is known to the
        garbage collector: not local variables, nor objects that were frozen (`gc.freeze`).
    """
    found: dict[str, set[str]] = {target: set() for target in originals}
    names: dict[int, set[str]] = {}
    for target, original in originals.items():
        names.setdefault(id(original), set()).add(target)
    holds = [
        _Hold(value, frozenset(names[id(value)]), "")
        for value in {id(value): value for value in originals.values()}.values()
    ]
    seen = {id(originals)}
    for _ in range(_MOST_STEPS):
        if not holds:
            break
        seen.update(id(hold.holder) for hold in holds)
        holds = _step(holds, seen, found)
    return {target: sorted(labels) for target, labels in found.items()}


def _step(holds: list[_Hold], seen: set[int], found: dict[str, set[str]]) -> list[_Hold]:
    """Goes from holders to those that refer to them; names the owners among these."""
    held = {id(hold.holder): hold for hold in holds}
    ours = {id(holds), id(held)}
    namespaces = {
        id(_namespace(module)): str(name)
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType)
    }
    further: list[_Hold] = []
    for referrer in gc.get_referrers(*(hold.holder for hold in holds)):
        if id(referrer) in seen or id(referrer) in ours or _is_ours(referrer):
            continue
        for hold, step in _ways(referrer, held):
            owner = _owner(referrer, step, namespaces)
            if owner is None:
                further.append(_Hold(referrer, hold.targets, f"{_way(referrer, step)}{hold.path}"))
            elif owner and not owner.startswith("sky_rs_patch"):
                for target in hold.targets:
                    if len(found[target]) < _MOST_OWNERS:
                        found[target].add(f"{owner}{hold.path}")
    return further


def _namespace(module: ModuleType) -> dict[str, Any]:
    if issubclass(type(module), ModuleType):
        # By `vars` a lazy one would be loaded.
        namespace: dict[str, Any] = ModuleType.__getattribute__(module, "__dict__")
        return namespace
    # Some libraries of cffi's say that they were modules.
    return vars(module)


def _is_ours(referrer: object) -> bool:
    kind = type(referrer)
    return (
        isinstance(referrer, (FrameType, _Hold))
        or kind.__module__.partition(".")[0] == "sky_rs_patch"
        or route_of(referrer) is not None
    )


def _ways(referrer: Any, held: dict[int, _Hold]) -> Iterator[tuple[_Hold, Any]]:
    """Which of the holders an object refers to, and by what key, index or attribute."""
    kind = type(referrer)
    if isinstance(referrer, dict):
        for key, value in list(dict.items(referrer)):
            if id(value) in held:
                yield held[id(value)], key
    elif isinstance(referrer, (list, tuple, deque)):
        for index, value in enumerate(list(referrer)):
            if id(value) in held:
                yield held[id(value)], index
    elif kind is CellType:
        if id(referrer.cell_contents) in held:
            yield held[id(referrer.cell_contents)], None
    elif kind is FunctionType:
        for attribute in ("__defaults__", "__kwdefaults__", "__closure__", "__dict__"):
            value = getattr(referrer, attribute)
            if id(value) in held:
                yield held[id(value)], attribute
    else:
        # Of other objects it is only known that they refer to one of these.
        referents = {id(value) for value in gc.get_referents(referrer)}
        for identity in referents & held.keys():
            yield held[identity], _attribute(referrer, held[identity].holder)


def _attribute(owner: object, value: object) -> str | None:
    """The name of an object's attribute that has a value, without asking the object."""
    try:
        own = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        own = {}
    if own is value:
        return None
    for name, content in list(own.items()) if isinstance(own, dict) else ():
        if content is value:
            return str(name)
    for base in type(owner).__mro__:
        for name, member in vars(base).items():
            if type(member).__name__ == "member_descriptor":
                try:
                    if member.__get__(owner) is value:
                        return name
                except AttributeError:
                    continue
    return None


def _owner(referrer: Any, step: Any, namespaces: dict[int, str]) -> str | None:
    """What is written of an owner that has a name; nothing of one that says nothing."""
    if id(referrer) in namespaces:
        module = namespaces[id(referrer)]
        if module == VIRTUAL_MODULE and str(step).startswith("_python_"):
            # There the originals are offered as such.
            return ""
        return f"{module}: {step}"
    if type(referrer) is FunctionType:
        label = f"{referrer.__module__}: {referrer.__qualname__}"
        if step == "__closure__":
            return f"{label} (closure)"
        return label if step == "__dict__" else f"{label} (default argument)"
    if isinstance(referrer, type):
        return f"{referrer.__module__}: {referrer.__qualname__}"
    if isinstance(referrer, (*_CONTAINERS, *_WRAPPERS, CellType)):
        return None
    kind = type(referrer)
    attribute = "" if step is None else f".{step}"
    return f"{kind.__module__}: an object of {kind.__qualname__}{attribute}"


def _way(referrer: Any, step: Any) -> str:
    """How an object leads on, in a few words."""
    if isinstance(referrer, _WRAPPERS):
        kind: type = type(referrer)
        return f" ({kind.__name__.lstrip('_')})"
    if isinstance(referrer, dict):
        return f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
    if isinstance(referrer, (list, deque)):
        return f"[{step}]"
    return ""


def of_routes(entries: Iterable[Any]) -> dict[str, list[str]]:
    """Finds who holds the originals of proxies that stand.

    Args:
        entries: as `sky_rs_patch._runtime.table.installed` gives them.
    """
    originals = {
        entry.target: entry.proxy.__wrapped__ for entry in entries if entry.proxy is not None
    }
    return find(originals)
