"""Table of installed proxies, of routes without a module, and of refusals, under one lock."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from sky_rs_patch._routes.registry import registry
from sky_rs_patch._runtime import start

if TYPE_CHECKING:
    from types import ModuleType

    from sky_rs_patch._native import Route
    from sky_rs_patch._routes.registry import AnyRoute


class Installed:
    """A proxy that stands, or stood, in a module.

    It keeps neither alive: a module that is imported anew takes its proxies along when it goes,
    and a proxy that nobody kept goes when it is taken out.

    Attributes:
        target: dotted name of the function.
        attribute: the function's name in its module.
        description: the route as it was registered.
        stands: whether it was put in, and not taken out since.
        copies: names elsewhere that were bound to the proxy as well.
    """

    def __init__(
        self,
        target: str,
        module: weakref.ref[ModuleType],
        description: AnyRoute,
        proxy: weakref.ref[Any],
    ) -> None:
        self.target = target
        self.attribute = target.rpartition(".")[2]
        self.description = description
        self.stands = False
        self.copies: list[str] = []
        self._module = module
        self._proxy = proxy

    @property
    def module(self) -> ModuleType | None:
        """The module, unless it is gone."""
        return self._module()

    @property
    def proxy(self) -> Any:
        """The proxy; ``None`` if it is gone."""
        return self._proxy()


lock = start.lock


def _taken_over() -> list[Installed]:
    """The proxies that were put in at the start; from now on the installer puts them in."""
    with lock:
        placed, start.placed = start.placed or [], None
    made = []
    for target, module, proxy, copies in placed:
        entry = Installed(target, module, registry.own(target), proxy)
        entry.stands, entry.copies = True, copies
        made.append(entry)
    return made


#: Every proxy that was made and still exists, the newest last.
entries: list[Installed] = _taken_over()
#: By name: routes of functions that stand in no module of SkyPilot.
routes_elsewhere: dict[str, Route] = {}
#: By target: why one whose module is loaded has no proxy.
reasons: dict[str, str] = {}


def installed() -> list[Installed]:
    """The proxies that stand now."""
    with lock:
        return [entry for entry in entries if entry.stands and entry.proxy is not None]


def elsewhere() -> dict[str, Route]:
    """By name: routes whose proxies stand in no module of SkyPilot."""
    with lock:
        return dict(routes_elsewhere)


def refusals() -> dict[str, str]:
    """By target: why one whose module is loaded has no proxy; ``absent`` if it doesn't exist."""
    with lock:
        return dict(reasons)


def forget() -> None:
    """Forgets all proxies, for tests: targets get new ones, with new guards, when next enabled."""
    with lock:
        entries.clear()
