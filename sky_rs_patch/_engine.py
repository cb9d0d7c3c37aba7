"""Which routes exist, where their proxies stand, and how all of it is undone.

Proxies are put into a module when it has been executed (`_finder` tells) or when `enable` finds
it in ``sys.modules``. One lock guards the tables; no user code runs under it but the import of
wrapt and of the extension.
"""

from __future__ import annotations

import sys
import threading
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from sky_rs_patch import _copies, _extension, _finder, _fingerprints, _guards, _switch
from sky_rs_patch._registry import RegisteredRoute, registry
from sky_rs_patch._routes import RouteSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from sky_rs_patch._native import Route


class Installed(NamedTuple):
    """A proxy that stands, or stood, in a module."""

    target: str
    module: ModuleType
    attribute: str
    original: FunctionType
    proxy: Any
    route: Route
    copies: list[_copies.Place]


class _Refused(Exception):
    """A route stays on Python; the message says why."""


_lock = threading.RLock()
#: Every proxy that was made and not undone, the newest last.
_installed: list[Installed] = []
#: All routes that ever counted, by target: reloads and switching off and on make new ones.
_generations: dict[str, list[Route]] = {}
#: Why a target whose module is loaded has no proxy.
_refusals: dict[str, str] = {}
_problem_reported = False


def enable() -> None:
    """Routes calls from now on; see `sky_rs_patch.enable`."""
    _switch.current()
    with _lock:
        registry.load_entry_points()
        _finder.watched.update(registry.modules())
        _finder.install()
        for name in sorted(_finder.watched):
            module = sys.modules.get(name)
            if isinstance(module, ModuleType):
                _patch_loaded(module, late=True)


def disable() -> None:
    """Puts the originals back; see `sky_rs_patch.disable`."""
    with _lock:
        _finder.remove()
        _restore(_installed)
        _installed.clear()
        _refusals.clear()


def is_enabled() -> bool:
    """Tells whether imports are watched and targets routed."""
    return _finder.is_installed()


def module_loaded(module: ModuleType) -> None:
    """A watched module has been executed, for the first time or again."""
    with _lock:
        if not _finder.is_installed():
            # Disabled while the module was on its way.
            return
        try:
            _switch.current()
        except ValueError as error:
            _report(str(error))
            return
        registry.load_entry_points()
        _finder.watched.update(registry.modules())
        _patch_loaded(module, late=False)
        # Routes of entry points may be for modules that are here already.
        for name in registry.modules():
            other = sys.modules.get(name)
            if isinstance(other, ModuleType) and other is not module:
                _patch_loaded(other, late=True)


def refresh(target: str) -> None:
    """Brings one target up to date after a registration."""
    module_name = target.rpartition(".")[0]
    with _lock:
        _finder.watched.add(module_name)
        if not is_enabled():
            return
        outdated = [entry for entry in _installed if entry.target == target]
        _restore(outdated)
        for entry in outdated:
            _installed.remove(entry)
        module = sys.modules.get(module_name)
        if isinstance(module, ModuleType):
            _patch_loaded(module, late=True)


def _patch_loaded(module: ModuleType, *, late: bool) -> None:
    spec = getattr(module, "__spec__", None)
    if late and getattr(spec, "_initializing", False):
        # Half imported: by another thread, or by the importer that called us. Its names may
        # not be there yet; the loader is past our hook, so look again when it is done.
        _finish_later(module)
        return
    extension = _extension.load()
    made = []
    for target, route in registry.in_module(module.__name__):
        if extension.module is None:
            _refusals[target] = extension.problem or "there is no extension"
            _report(f"SkyPilot stays on Python: {extension.problem}")
            continue
        try:
            entry = _patch(module, target, route)
        except _Refused as refusal:
            _refusals[target] = str(refusal)
            continue
        _refusals.pop(target, None)
        if entry is not None:
            made.append(entry)
    # A copy of a name can only exist if somebody saw the module before its proxies stood.
    places = _copies.rebind(
        [(entry.original, entry.proxy) for entry in made],
        list(sys.modules.values()) if late and made else [module],
    )
    for place in places:
        next(entry for entry in made if entry.proxy is place.new).copies.append(place)


def _finish_later(module: ModuleType) -> None:
    """Patches a module once the thread that is importing it is done."""

    def wait() -> None:
        import importlib

        # Blocks on the module's import lock until the other thread has finished.
        try:
            importlib.import_module(module.__name__)
        except ImportError:
            return
        with _lock:
            if is_enabled() and sys.modules.get(module.__name__) is module:
                _patch_loaded(module, late=True)

    threading.Thread(target=wait, name="sky_rs_patch-late-patch", daemon=True).start()


def _patch(module: ModuleType, target: str, route: RouteSpec | RegisteredRoute) -> Installed | None:
    """Puts a proxy in its place; gives ``None`` if one stands there already."""
    from sky_rs_patch import _proxy, _stats

    attribute = target.rpartition(".")[2]
    if attribute not in vars(module):
        raise _Refused("absent")
    original = vars(module)[attribute]
    if any(entry.proxy is original for entry in _installed):
        return None
    if not isinstance(original, FunctionType):
        kind = type(original)
        raise _Refused(f"{target} is a {kind.__module__}.{kind.__qualname__}, no plain function")
    implementation, resolver = _implementation(original, module, target, route)
    native = _extension.load().module
    assert native is not None
    made = native.Route(target, original, implementation, resolver)
    proxy = _proxy.kind().cls(made)
    setattr(module, attribute, proxy)
    entry = Installed(target, module, attribute, original, proxy, made, [])
    _installed.append(entry)
    _generations.setdefault(target, []).append(made)
    _stats.attach(made)
    return entry


def _implementation(
    original: FunctionType, module: ModuleType, target: str, route: RouteSpec | RegisteredRoute
) -> tuple[str | Callable[..., Any], Callable[[], object]]:
    """What answers for an original, and how its guards are derived."""
    if isinstance(route, RegisteredRoute):
        try:
            candidate = route.candidate()
            if route.fingerprints and _fingerprints.fingerprint(original) not in route.fingerprints:
                raise _Refused(f"unknown code: {_describe(original)}")
        except (_fingerprints.Unknown, ImportError, AttributeError) as error:
            raise _Refused(str(error)) from None
        return candidate, _guards.resolver(original, reads=route.reads)

    variant = known_variant(original, target)
    for callee in route.callees:
        function = vars(module).get(callee)
        function = getattr(function, "__wrapped__", function)
        known_variant(function, f"{module.__name__}.{callee}")
    resolver = _guards.resolver(
        original, reads=route.reads, context=route.context, precondition=route.precondition
    )
    return route.natives[variant], resolver


def known_variant(function: object, name: str) -> str:
    """The letter of a SkyPilot function's known variant; raises `_Refused` without one."""
    from sky_rs_patch._known import KNOWN

    try:
        fingerprint = _fingerprints.fingerprint(function)
    except _fingerprints.Unknown as error:
        raise _Refused(f"unknown code: {error}") from None
    known = KNOWN.get(name, {}).get(fingerprint)
    if known is None:
        raise _Refused(f"unknown code: {name} has the fingerprint {fingerprint}")
    return known[0]


def _describe(function: FunctionType) -> str:
    return f"{function.__qualname__} has the fingerprint {_fingerprints.fingerprint(function)}"


def _restore(entries: list[Installed]) -> None:
    for entry in entries:
        entry.route.enabled = False
        if vars(entry.module).get(entry.attribute) is entry.proxy:
            setattr(entry.module, entry.attribute, entry.original)
        for place in entry.copies:
            place.restore()
    # Whoever imported a name since then has the proxy; give them the original as well.
    _copies.rebind(
        [(entry.proxy, entry.original) for entry in entries], list(sys.modules.values())
    )


def _report(message: str) -> None:
    global _problem_reported
    if not _problem_reported:
        _problem_reported = True
        _finder.complain(message)


def installed() -> list[Installed]:
    """The proxies that stand now."""
    with _lock:
        return list(_installed)


def generations(target: str) -> list[Route]:
    """All routes that ever served a target in this process."""
    with _lock:
        return list(_generations.get(target, []))


def count_elsewhere(target: str, route: Route) -> None:
    """Lists a route whose proxy stands in no module of SkyPilot."""
    with _lock:
        _generations.setdefault(target, []).append(route)


def counted_elsewhere() -> list[str]:
    """Targets of routes that are in no registry."""
    with _lock:
        return [target for target in _generations if registry.get(target) is None]


def refusals() -> dict[str, str]:
    """Why targets whose modules are loaded have no proxy; ``absent`` if they don't exist."""
    with _lock:
        return dict(_refusals)
