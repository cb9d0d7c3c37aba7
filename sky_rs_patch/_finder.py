"""Import hook: tells the installer when a target module has been executed.

It knows names and nothing else. It imports neither wrapt nor the extension, it never lets an
error of ours into the user's import, and since it stays on ``sys.meta_path`` it sees reloads
and imports after a deletion from ``sys.modules`` as well.
"""

from __future__ import annotations

import sys
from _thread import get_ident

from sky_rs_patch._base.names import VIRTUAL_MODULE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

#: Who is told of an executed target module, and who fills the virtual one. By name, since they are
#: above this module: neither may be imported before SkyPilot is.
MODULE_LISTENER = ("sky_rs_patch._runtime.start", "module_loaded")
VIRTUAL_MODULE_MAKER = ("sky_rs_patch._runtime.virtual_module", "populate")

#: Modules of this project's own routes.
OWN_MODULES = frozenset(
    {"sky.utils.common_utils", "sky.utils.subprocess_utils", "sky.utils.yaml_utils"}
)

#: Modules to tell the installer about. Registered routes add theirs.
watched: set[str] = set(OWN_MODULES)


class _Loader:
    """Stands in for a module's loader until the module has been executed."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)  # type: ignore[attr-defined, no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        # Nobody needs to see us: not inspect, not pickle, not importlib.resources.
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._inner  # type: ignore[assignment]
        module.__loader__ = self._inner  # type: ignore[assignment]
        self._inner.exec_module(module)  # type: ignore[attr-defined]
        _tell(module)


class _VirtualLoader:
    """Makes ``sky.utils.rust_fallback``."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        _call(VIRTUAL_MODULE_MAKER, module)


class Finder:
    """A meta path finder that lets the others find, and hooks the loader of what they found."""

    def __init__(self) -> None:
        self._searches: set[tuple[str, int]] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != VIRTUAL_MODULE and fullname not in watched:
            return None
        # Finders of others may ask everybody as we do, and then we are asked again.
        search = (fullname, get_ident())
        if search in self._searches:
            return None
        try:
            self._searches.add(search)
            spec = self._find_elsewhere(fullname, path, target)
        finally:
            self._searches.discard(search)
        if spec is None:
            if fullname == VIRTUAL_MODULE:
                from importlib.machinery import ModuleSpec

                return ModuleSpec(fullname, _VirtualLoader(), origin="sky_rs_patch")  # type: ignore[arg-type]
            return None
        if fullname in watched and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec

    def _find_elsewhere(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            find_spec = None if finder is self else getattr(finder, "find_spec", None)
            if find_spec is not None:
                spec: ModuleSpec | None = find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


_finder = Finder()


def install() -> None:
    """Puts the finder in front of the others, once."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


class _Nothing:
    """Finds nothing."""

    def find_spec(self, *_: object) -> None:
        return None


def installed_finder() -> Finder | _Nothing:
    """The finder, for those who waited for SkyPilot: they stand in its place no longer.

    It finds nothing where the variable says that the shim isn't wanted.
    """
    return _finder if is_installed() else _Nothing()


def remove() -> None:
    """Takes the finder away."""
    while _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def is_installed() -> bool:
    """Tells whether imports are watched."""
    return _finder in sys.meta_path


def _tell(module: ModuleType) -> None:
    try:
        _call(MODULE_LISTENER, module)
    except Exception as error:
        from sky_rs_patch._base.warn import complain

        complain(f"{module.__name__} stays on Python: {error}")


def _call(name: tuple[str, str], module: ModuleType) -> None:
    import importlib

    getattr(importlib.import_module(name[0]), name[1])(module)


def is_unwanted() -> bool:
    """Whether the variable is set, and doesn't say that SkyPilot is to be served."""
    from os import environ

    from sky_rs_patch._base import switch
    from sky_rs_patch._base.names import ACTIVE_VARIABLE

    value = environ.get(ACTIVE_VARIABLE)
    return value is not None and not switch.is_on(value)


def _relieve_waiting() -> None:
    """Takes the place of what .pth files have put there to wait for SkyPilot."""
    waiting = [hook for hook in sys.meta_path if getattr(hook, "waits_for", None) == "sky_rs_patch"]
    for hook in waiting:
        sys.meta_path.remove(hook)
    if waiting and not is_unwanted():
        install()
    elif waiting:
        _say_what_is_no_switch_value()


def _say_what_is_no_switch_value() -> None:
    from os import environ

    from sky_rs_patch._base import switch
    from sky_rs_patch._base.names import ACTIVE_VARIABLE
    from sky_rs_patch._base.warn import complain

    value = environ[ACTIVE_VARIABLE]
    if not switch.is_off(value):
        complain(f"SkyPilot stays on Python: {ACTIVE_VARIABLE}={value!r} is no switch value")


_relieve_waiting()
