"""Start of the shim in a process: proxies for modules whose code is known, with next to no imports.

What an ordinary process needs is here and in the extension. All else (routes and entry points of
others, code that isn't known, counters in files, a module that is imported again) is for
`_runtime.installer`, which is imported when there is need of it and goes on from what stands then.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import threading
import weakref
from types import ModuleType

from sky_rs_patch import _finder
from sky_rs_patch._base import interrupts, switch
from sky_rs_patch._base.names import ENTRY_POINT_GROUP
from sky_rs_patch._base.warn import complain
from sky_rs_patch._binding import entry_points, extension, proxies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FunctionType
    from typing import Any

    from sky_rs_patch._native import GuardBuilder

# By name, since they are above this module.
_INSTALLER = "sky_rs_patch._runtime.installer"
_IMPLEMENTATION = "sky_rs_patch._runtime.implementation"
#: With one of these set there is more to do than is done here.
_VARIABLES = ("SKY_RS_ENABLE", "SKY_RS_WARN", "SKY_RS_PATCH_STATS_DIR")
_IMPORT = builtins.__import__

lock = threading.RLock()
# Of the thread that holds it at a fork the child has nothing but the lock. What that thread was at
# may be half done, which `enable` and the next import make up for.
os.register_at_fork(after_in_child=lock._at_fork_reinit)  # type: ignore[attr-defined]
#: Held while modules of ours are imported in the midst of a program: a child forked meanwhile
#: would wait for ever for a thread that it hasn't.
_importing = threading.RLock()
os.register_at_fork(
    before=_importing.acquire,
    after_in_parent=_importing.release,
    after_in_child=_importing.release,
)
#: Proxies that were put in here: target, module, proxy, and names elsewhere that were bound to it.
#: ``None`` once the installer has taken over.
placed: list[tuple[str, weakref.ref[ModuleType], weakref.ref[Any], list[str]]] | None = []
_modules: set[str] = set()
#: Whether it is known that no package declares routes.
_alone = False


def enable(opt_in: Iterable[str] = ()) -> None:
    """Routes calls from now on; see `sky_rs_patch.enable`."""
    with lock:
        done = not opt_in and _is_ordinary() and _enable()
    if done:
        return
    try:
        installer = _installer()
    except BaseException as error:
        if not interrupts.is_failure(error):
            raise
        # There may be no descriptor left to import it with.
        complain(f"what isn't served yet stays on Python: {type(error).__name__}: {error}")
        return
    installer.enable(opt_in)


def _enable() -> bool:
    """Puts proxies into the modules that are here, and waits for the others, if that is all."""
    # First, so that no module comes between.
    _finder.install()
    loaded = [sys.modules.get(name) for name in sorted(_finder.watched)]
    modules = [module for module in loaded if isinstance(module, ModuleType)]
    if on_their_way() or any(
        getattr(module.__spec__, "_initializing", False) for module in modules
    ):
        return False
    everything = list(sys.modules.values()) if modules else []
    return all(_place(module, everything) for module in modules)


def on_their_way() -> list[str]:
    """Watched modules that another thread has begun to look for; it may have passed our finder."""
    locks = getattr(importlib, "_bootstrap", None)
    locks = getattr(locks, "_module_locks", {})
    this = threading.get_ident()
    found = []
    for name in sorted(_finder.watched - sys.modules.keys()):
        reference = locks.get(name)
        owner = getattr(reference and reference(), "owner", None)
        if owner not in (None, this):
            found.append(name)
    return found


def module_loaded(module: ModuleType) -> None:
    """A watched module has been executed, for the first time or again."""
    with lock:
        if not _finder.is_installed():
            # Disabled while the module was on its way.
            return
        done = _is_ordinary() and _place(module, [module])
    if not done:
        _installer().module_loaded(module)


def _installer() -> Any:
    with _importing:
        return importlib.import_module(_INSTALLER)


def _is_ordinary() -> bool:
    """Whether nobody has asked for more than the routes that are exact."""
    value = os.environ.get(switch.VARIABLE)
    known = value is None or switch.is_on(value) or switch.is_off(value)
    return placed is not None and known and not any(map(os.environ.get, _VARIABLES))


def _place(module: ModuleType, modules: list[Any]) -> bool:
    """Puts proxies into a module; says whether there is nothing left to do."""
    global _alone
    _alone = _alone or not entry_points.may_exist(ENTRY_POINT_GROUP)
    if placed is None or module.__name__ in _modules or not _alone:
        return False
    native = extension.load().module
    if native is None or proxies.obstacle() is not None:
        return False
    _modules.add(module.__name__)
    made, left = native.place_proxies(module, proxies.kind().cls, resolve, modules)
    for target, proxy, copies in made:
        placed.append((target, weakref.ref(module), weakref.ref(proxy), copies))
    return not left


def resolve(
    target: str, original: FunctionType, functions: tuple[tuple[FunctionType, Any], ...]
) -> GuardBuilder | None:
    """Derives the guards of a proxy that was put in here, at its first call.

    Args:
        target: dotted name of the original.
        original: the function.
        functions: those that the native function covers, each with what it is made of.

    Returns:
        The guards; ``None`` if what derives them can't be imported now, say for want of a
        descriptor, or because the call came in the midst of that import.
    """
    if _IMPLEMENTATION not in sys.modules and builtins.__import__ is not _IMPORT:
        # A mock would tell of imports that nobody made.
        return None
    try:
        with _importing:
            make = importlib.import_module(_IMPLEMENTATION).resolver_of
    except BaseException as error:
        if not interrupts.is_failure(error):
            raise
        return None
    return make(target, original, functions)()  # type: ignore[no-any-return]
