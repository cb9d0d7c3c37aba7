"""Installer of proxies: puts them into modules, and takes them out again.

Proxies are put into a module when it has been executed (`_finder` tells) or when `enable` finds
it in ``sys.modules``. One lock guards the table. What others wrote must not run under it, for
another thread may import a target meanwhile: candidates are loaded before, and only wrapt and the
extension are imported inside.
"""

from __future__ import annotations

import sys
import threading
import weakref
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from sky_rs_patch import _finder
from sky_rs_patch._base import switch

# Not where it is needed: a process that has no descriptor left couldn't import it then.
from sky_rs_patch._base.warn import complain
from sky_rs_patch._binding import candidates, counters, extension, proxies
from sky_rs_patch._routes import opt_in as _opt_in
from sky_rs_patch._routes.registry import AnyRoute, RegisteredRoute, registry
from sky_rs_patch._runtime import observe, start, table
from sky_rs_patch._runtime.implementation import Refused, opt_in_refusal
from sky_rs_patch._runtime.implementation import choose as choose_implementation
from sky_rs_patch._runtime.table import Installed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sky_rs_patch._native import Route


_problem_reported = False


def enable(opt_in: Iterable[str] = ()) -> None:
    """Routes calls from now on; see `sky_rs_patch.enable`."""
    switch.current()
    _opt_in.current()
    names = _opt_in.check(opt_in)
    with table.lock:
        _opt_in.chosen |= names
        _take_out_unasked()
        _know_entry_points()
    _load_candidates()
    with table.lock:
        _finder.install()
        for route in table.routes_elsewhere.values():
            route.enabled = True
        for module in _loaded_modules():
            _patch_loaded(module, late=True)
        for name in start.on_their_way():
            _finish_later(name)
    _derive_guards()


def disable() -> None:
    """Puts the originals back; see `sky_rs_patch.disable`."""
    with table.lock:
        _finder.remove()
        _restore(table.entries)
        for route in table.routes_elsewhere.values():
            route.enabled = False
        _opt_in.chosen = frozenset()
        table.reasons.clear()


def choose(names: frozenset[str]) -> None:
    """Asks for these opt-in routes only; proxies of others are taken out."""
    with table.lock:
        _opt_in.chosen = names
        _take_out_unasked()


def _take_out_unasked() -> None:
    for entry in table.installed():
        refusal = opt_in_refusal(entry.description)
        if refusal is not None:
            _restore([entry])
            table.reasons[entry.target] = refusal


def is_enabled() -> bool:
    """Tells whether imports are watched and targets routed."""
    return _finder.is_installed()


def module_loaded(module: ModuleType) -> None:
    """A watched module has been executed, for the first time or again."""
    with table.lock:
        _know_entry_points()
    _load_candidates()
    with table.lock:
        if not _finder.is_installed():
            # Disabled while the module was on its way.
            return
        try:
            switch.current()
            _opt_in.current()
        except ValueError as error:
            for target, _ in registry.in_module(module.__name__):
                table.reasons[target] = str(error)
            _report(str(error))
            return
        _patch_loaded(module, late=False)
        # Routes of entry points may be for modules that are here already.
        for other in _loaded_modules():
            if other is not module:
                _patch_loaded(other, late=True)
    _derive_guards()


def refresh(target: str) -> None:
    """Brings one target up to date after a registration."""
    candidates.forget(target)
    module_name = target.rpartition(".")[0]
    with table.lock:
        _finder.watched.add(module_name)
        if not is_enabled():
            return
        _restore([entry for entry in table.entries if entry.target == target])
        table.reasons.pop(target, None)
        module = sys.modules.get(module_name)
        if isinstance(module, ModuleType):
            _patch_loaded(module, late=True)
    _derive_guards()


def _know_entry_points() -> None:
    registry.load_entry_points()
    _finder.watched.update(registry.modules())


def _loaded_modules() -> list[ModuleType]:
    modules = (sys.modules.get(name) for name in sorted(_finder.watched))
    return [module for module in modules if isinstance(module, ModuleType)]


def _load_candidates() -> None:
    """Imports what the routes of modules that are here name as their candidates."""
    for module in _loaded_modules():
        for _, route in list(registry.in_module(module.__name__)):
            if isinstance(route, RegisteredRoute):
                route.load()


def _derive_guards() -> None:
    """Derives the guards of registered routes from what their originals read now.

    That a function was replaced can be seen at the first call, too; not so a number.
    """
    for entry in table.installed():
        proxy = entry.proxy
        if proxy is not None and isinstance(entry.description, RegisteredRoute):
            proxy._self_route.examine()


def _patch_loaded(module: ModuleType, *, late: bool) -> None:
    spec = getattr(module, "__spec__", None)
    if late and getattr(spec, "_initializing", False):
        # Half imported: by another thread, or by the importer that called us. Its names may
        # not be there yet; the loader is past our hook, so look again when it is done.
        _finish_later(module.__name__)
        return
    table.entries[:] = [entry for entry in table.entries if entry.proxy is not None]
    obstacle = proxies.obstacle()
    if obstacle is None:
        _native().pristine()
    made = []
    for target, route in registry.in_module(module.__name__):
        if obstacle is not None:
            table.reasons[target] = obstacle
            _report(f"SkyPilot stays on Python: {obstacle}")
            continue
        try:
            entry = _patch(module, target, route)
        except Refused as refusal:
            table.reasons[target] = str(refusal)
            continue
        table.reasons.pop(target, None)
        if entry is not None:
            made.append(entry)
    # A copy of a name can only exist if somebody saw the module before its proxies stood.
    if made:
        pairs = [(entry.proxy.__wrapped__, entry.proxy) for entry in made]
        modules = list(sys.modules.values()) if late else [module]
        for index, label in _native().rebind(pairs, modules):
            made[index].copies.append(label)


def _finish_later(name: str) -> None:
    """Patches a module once the thread that is importing it is done."""

    def wait() -> None:
        import importlib

        # Blocks on the module's import lock until the other thread has finished.
        try:
            module = importlib.import_module(name)
        except Exception:
            # Who imports it is told.
            return
        with table.lock:
            if is_enabled() and sys.modules.get(name) is module:
                _patch_loaded(module, late=True)
        _derive_guards()

    threading.Thread(target=wait, name="sky_rs_patch-late-patch", daemon=True).start()


def _patch(module: ModuleType, target: str, description: AnyRoute) -> Installed | None:
    """Puts a proxy in its place; returns ``None`` if one stands there already."""
    attribute = target.rpartition(".")[2]
    if attribute not in vars(module):
        raise Refused("absent")
    refusal = opt_in_refusal(description)
    if refusal is not None:
        raise Refused(refusal)
    found = vars(module)[attribute]
    original = _original(found, target)
    # The table keeps no proxy alive.
    entry, proxy = _known_proxy(original, description) or _new_proxy(
        original, module, target, description
    )
    if entry.stands and found is proxy:
        return None
    # Whoever kept the proxy while it was out of use is served again.
    proxy._self_route.enabled = True
    entry.stands = True
    setattr(module, attribute, proxy)
    return entry


def _original(found: Any, target: str) -> FunctionType:
    """The plain function that a module has under a name, also behind a proxy of ours."""
    # A mock that ends after a `disable` puts back the proxy that it had found.
    route = proxies.route_of(found)
    original = found if route is None else route.original
    # Wrappers, wrapt's among them, say that they were functions; they do more than those.
    if type(original) is not FunctionType:
        kind = type(original)
        raise Refused(f"{target} is a {kind.__module__}.{kind.__qualname__}, no plain function")
    return original


def _known_proxy(original: FunctionType, description: AnyRoute) -> tuple[Installed, Any] | None:
    """The proxy of an original that was made before, if there is one."""
    for entry in table.entries:
        proxy = entry.proxy
        if entry.description is description and proxy is not None and proxy.__wrapped__ is original:
            return entry, proxy
    return None


def _new_proxy(
    original: FunctionType, module: ModuleType, target: str, description: AnyRoute
) -> tuple[Installed, Any]:
    """Makes an original's proxy and enters it into the table."""
    implementation, resolver = choose_implementation(original, module, target, description)
    raises = (
        description.raises
        if isinstance(description, RegisteredRoute)
        else (description.opt_in is not None)
    )
    route = _native().Route(target, original, implementation, resolver, raises)
    proxy = proxies.kind().cls(route)
    entry = Installed(target, weakref.ref(module), description, weakref.ref(proxy))
    table.entries.append(entry)
    observe.attach(route)
    return entry, proxy


def _restore(entries: list[Installed]) -> None:
    pairs = []
    modules: list[object] = list(sys.modules.values())
    for entry in entries:
        proxy, module = entry.proxy, entry.module
        if not entry.stands or proxy is None:
            continue
        route = proxy._self_route
        route.enabled = False
        counters.settle(route)
        entry.stands = False
        entry.copies = []
        if not isinstance(entry.description, RegisteredRoute) and entry.description.opt_in:
            entry.description.opt_in.withdraw()
        pairs.append((proxy, route.original))
        if module is not None and sys.modules.get(module.__name__) is not module:
            modules.append(module)
    # Whoever imported a name meanwhile has the proxy, and gets the original as well.
    if pairs:
        _native().rebind(pairs, modules)


def _native() -> Any:
    """The extension, where something is routed."""
    native = extension.load().module
    assert native is not None
    return native


def _report(message: str) -> None:
    global _problem_reported
    if not _problem_reported:
        _problem_reported = True
        complain(message)


def add_elsewhere(route: Route) -> None:
    """Switches a route on and off with the others though its proxy stands in no module."""
    with table.lock:
        table.routes_elsewhere[route.name] = route
        route.enabled = is_enabled()
        observe.attach(route)


def _take_over() -> None:
    """Goes on from what was done at the start."""
    with table.lock:
        observe.attach_all()
        for name in {entry.target.rpartition(".")[0] for entry in table.entries}:
            module = sys.modules.get(name)
            if isinstance(module, ModuleType):
                # There may be functions that were left as they are, for reasons to be told.
                _patch_loaded(module, late=False)


_take_over()
