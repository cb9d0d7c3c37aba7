"""Which routes exist, where their proxies stand, and how all of it is undone.

Proxies are put into a module when it has been executed (`_finder` tells) or when `enable` finds
it in ``sys.modules``. One lock guards the tables. What others wrote must not run under it, for
another thread may import a target meanwhile: candidates are loaded before, and only wrapt and the
extension are imported inside.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from sky_rs_patch import _finder
from sky_rs_patch._base import switch
from sky_rs_patch._base.warn import complain
from sky_rs_patch._binding import counters, extension
from sky_rs_patch._binding import obstacle as _obstacle
from sky_rs_patch._fingerprints import compute
from sky_rs_patch._guards.baseline import MODULES, PRISTINE
from sky_rs_patch._routes import opt_in as _opt_in
from sky_rs_patch._routes.registry import AnyRoute, RegisteredRoute, registry
from sky_rs_patch._runtime import decline_warning, rebind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sky_rs_patch._native import Route


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

    def __init__(self, target: str, module: ModuleType, description: AnyRoute, proxy: Any) -> None:
        self.target = target
        self.attribute = target.rpartition(".")[2]
        self.description = description
        self.stands = False
        self.copies: list[str] = []
        self._module = weakref.ref(module)
        self._proxy = weakref.ref(proxy)

    @property
    def module(self) -> ModuleType | None:
        """The module, unless it is gone."""
        return self._module()

    @property
    def proxy(self) -> Any:
        """The proxy; ``None`` if it is gone."""
        return self._proxy()


class _Refused(Exception):
    """A route stays on Python; the message says why."""


_lock = threading.RLock()
# Of the thread that holds it at a fork the child has nothing but the lock. What that thread was at
# may be half done, which `enable` and the next import make up for.
os.register_at_fork(after_in_child=_lock._at_fork_reinit)  # type: ignore[attr-defined]
#: Every proxy that was made and still exists, the newest last.
_installed: list[Installed] = []
#: Routes of functions that stand in no module of SkyPilot.
_elsewhere: dict[str, Route] = {}
#: Why a target whose module is loaded has no proxy.
_refusals: dict[str, str] = {}
_problem_reported = False
#: Is told of every call of every route; see `Route.observer`.
_observer: Callable[..., Any] | None = None


def enable(opt_in: Iterable[str] = ()) -> None:
    """Routes calls from now on; see `sky_rs_patch.enable`."""
    switch.current()
    _opt_in.current()
    names = _opt_in.check(opt_in)
    with _lock:
        _opt_in.chosen |= names
        _take_out_unasked()
        _know_entry_points()
    _load_candidates()
    with _lock:
        _finder.install()
        for route in _elsewhere.values():
            route.enabled = True
        for module in _loaded_modules():
            _patch_loaded(module, late=True)
    _derive_guards()


def disable() -> None:
    """Puts the originals back; see `sky_rs_patch.disable`."""
    with _lock:
        _finder.remove()
        _restore(_installed)
        for route in _elsewhere.values():
            route.enabled = False
        _opt_in.chosen = frozenset()
        _refusals.clear()


def choose(names: frozenset[str]) -> None:
    """Asks for these opt-in routes only; proxies of others are taken out."""
    with _lock:
        _opt_in.chosen = names
        _take_out_unasked()


def _take_out_unasked() -> None:
    for entry in installed():
        refusal = _opt_in_refusal(entry.description)
        if refusal is not None:
            _restore([entry])
            _refusals[entry.target] = refusal


def is_enabled() -> bool:
    """Tells whether imports are watched and targets routed."""
    return _finder.is_installed()


def module_loaded(module: ModuleType) -> None:
    """A watched module has been executed, for the first time or again."""
    with _lock:
        _know_entry_points()
    _load_candidates()
    with _lock:
        if not _finder.is_installed():
            # Disabled while the module was on its way.
            return
        try:
            switch.current()
            _opt_in.current()
        except ValueError as error:
            for target, _ in registry.in_module(module.__name__):
                _refusals[target] = str(error)
            _report(str(error))
            return
        _patch_loaded(module, late=False)
        # Routes of entry points may be for modules that are here already.
        for other in _loaded_modules():
            if other is not module:
                _patch_loaded(other, late=True)
    _derive_guards()


def observe(observer: Callable[..., Any] | None) -> None:
    """Lets an observer see every routed call of this process, or nobody any more.

    Args:
        observer: called as ``observer(target, args, kwargs)`` before each call; what it returns,
            if not ``None``, is called after it as ``finish(path, nanoseconds, result,
            exception)``. It changes neither the call nor its result.
    """
    global _observer
    with _lock:
        _observer = observer
        for entry in _installed:
            proxy = entry.proxy
            if proxy is not None:
                proxy._self_route.observer = observer
        for route in _elsewhere.values():
            route.observer = observer


def refresh(target: str) -> None:
    """Brings one target up to date after a registration."""
    module_name = target.rpartition(".")[0]
    with _lock:
        _finder.watched.add(module_name)
        if not is_enabled():
            return
        _restore([entry for entry in _installed if entry.target == target])
        _refusals.pop(target, None)
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
    """Looks at what the originals of registered routes read as it is now.

    That a function was replaced can be seen at the first call, too; not so a number.
    """
    for entry in installed():
        proxy = entry.proxy
        if proxy is not None and isinstance(entry.description, RegisteredRoute):
            proxy._self_route.guard_labels()


def _patch_loaded(module: ModuleType, *, late: bool) -> None:
    spec = getattr(module, "__spec__", None)
    if late and getattr(spec, "_initializing", False):
        # Half imported: by another thread, or by the importer that called us. Its names may
        # not be there yet; the loader is past our hook, so look again when it is done.
        _finish_later(module)
        return
    _installed[:] = [entry for entry in _installed if entry.proxy is not None]
    obstacle = _obstacle.obstacle()
    if obstacle is None:
        PRISTINE.add(MODULES)
    made = []
    for target, route in registry.in_module(module.__name__):
        if obstacle is not None:
            _refusals[target] = obstacle
            _report(f"SkyPilot stays on Python: {obstacle}")
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
    rebound = rebind.rebind(
        [(entry.proxy.__wrapped__, entry.proxy) for entry in made],
        list(sys.modules.values()) if late and made else [module],
    )
    for copy in rebound:
        next(entry for entry in made if entry.proxy is copy.new).copies.append(copy.label)


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
        _derive_guards()

    threading.Thread(target=wait, name="sky_rs_patch-late-patch", daemon=True).start()


def _patch(module: ModuleType, target: str, description: AnyRoute) -> Installed | None:
    """Puts a proxy in its place; gives ``None`` if one stands there already."""
    from sky_rs_patch._binding import proxies

    attribute = target.rpartition(".")[2]
    if attribute not in vars(module):
        raise _Refused("absent")
    refusal = _opt_in_refusal(description)
    if refusal is not None:
        raise _Refused(refusal)
    found = vars(module)[attribute]
    # A mock that ends after a `disable` puts back the proxy that it had found.
    route = proxies.route_of(found)
    original = found if route is None else route.original
    # Wrappers, wrapt's among them, say that they were functions; they do more than those.
    if type(original) is not FunctionType:
        kind = type(original)
        raise _Refused(f"{target} is a {kind.__module__}.{kind.__qualname__}, no plain function")
    for entry in _installed:
        proxy = entry.proxy
        if entry.description is description and proxy is not None and proxy.__wrapped__ is original:
            break
    else:
        implementation, resolver = _implementation(original, module, target, description)
        native = extension.load().module
        assert native is not None
        raises = (
            description.raises
            if isinstance(description, RegisteredRoute)
            else (description.opt_in is not None)
        )
        route = native.Route(target, original, implementation, resolver, raises)
        proxy = proxies.kind().cls(route)
        entry = Installed(target, module, description, proxy)
        _installed.append(entry)
        proxy._self_route.observer = _observer
        counters.attach(proxy._self_route)
        decline_warning.attach(proxy._self_route)
    if entry.stands and found is proxy:
        return None
    # Whoever kept the proxy while it was out of use is served again.
    proxy._self_route.enabled = True
    entry.stands = True
    setattr(module, attribute, proxy)
    return entry


def _implementation(
    original: FunctionType, module: ModuleType, target: str, route: AnyRoute
) -> tuple[str | Callable[..., Any], Callable[[], object]]:
    """What answers for an original, and how its guards are derived."""
    from sky_rs_patch._guards import derive

    if isinstance(route, RegisteredRoute):
        candidate, problem = route.load()
        if candidate is None:
            raise _Refused(str(problem))
        if route.fingerprints:
            try:
                fingerprint = compute.fingerprint(original)
            except compute.Unknown as error:
                raise _Refused(f"unknown code: {error}") from None
            if fingerprint not in route.fingerprints:
                raise _Refused(f"unknown code: {target} has the fingerprint {fingerprint}")
        unchanged = _unchanged([original]) if route.fingerprints else None
        return candidate, derive.resolver(original, reads=route.reads, precondition=unchanged)

    variant = known_variant(original, target)
    known: list[Any] = [original]
    if variant not in route.natives:
        raise _Refused(f"no native function speaks for variant {variant} of {target}")
    for callee, variants in route.callees.items():
        known.append(_require(vars(module).get(callee), f"{module.__name__}.{callee}", variants))
    for name, variants in route.elsewhere.items():
        home, _, attribute = name.rpartition(".")
        function = vars(sys.modules.get(home, module)).get(attribute)
        # Not every release has all of them.
        if function is not None:
            known.append(_require(function, name, variants))
    resolver = derive.resolver(
        original,
        reads=route.reads,
        unread=derive.ONLY_IN_ERRORS,
        context=route.context,
        precondition=_unchanged(known, route.precondition),
        examine=route.examine,
    )
    native = route.natives[variant]
    return (native if route.opt_in is None else route.opt_in.make(original)), resolver


def _require(found: object, name: str, variants: str) -> FunctionType:
    """The callee's function; refuses variants that the native function doesn't speak for."""
    from sky_rs_patch._binding import proxies
    from sky_rs_patch._fingerprints.known_variants import DECORATED

    route = proxies.route_of(found)
    function = found if route is None else route.original
    # Other decorators may do anything, whatever they say is wrapped by them.
    cached = type(function) is functools._lru_cache_wrapper
    function = function.__wrapped__ if cached else function  # type: ignore[attr-defined]
    variant = known_variant(function, name, decorated=cached)
    if cached != (compute.fingerprint(function) in DECORATED):
        raise _Refused(f"unknown code: {name} is{'' if cached else ' no longer'} decorated")
    if variant not in variants:
        raise _Refused(f"unknown code: no native function speaks for variant {variant} of {name}")
    # What has a fingerprint is one.
    return cast("FunctionType", function)


def _unchanged(
    functions: Iterable[FunctionType], further: Callable[[], str | None] | None = None
) -> Callable[[], str | None]:
    """Makes what says at the first call whether functions are still as they were fingerprinted."""
    known = [(each, compute.parts(each)) for each in functions]

    def precondition() -> str | None:
        for function, parts in known:
            if not compute.are_same(parts, compute.parts(function)):
                return f"{function.__module__}.{function.__qualname__} was changed"
        return None if further is None else further()

    return precondition


def _opt_in_refusal(route: AnyRoute) -> str | None:
    """Why a route isn't served that nobody asked for."""
    if isinstance(route, RegisteredRoute) or route.opt_in is None:
        return None
    name = route.opt_in.name
    try:
        if name in _opt_in.current():
            return None
    except ValueError as error:
        return str(error)
    return f"opt-in: set {_opt_in.VARIABLE}={name} (not exact in effect: {route.opt_in.document})"


def known_variant(function: object, name: str, *, decorated: bool = False) -> str:
    """The letter of a SkyPilot function's known variant; raises `_Refused` without one."""
    from sky_rs_patch._fingerprints.known_variants import KNOWN

    try:
        fingerprint = compute.fingerprint(function, decorated=decorated)
    except compute.Unknown as error:
        raise _Refused(f"unknown code: {error}") from None
    known = KNOWN.get(name, {}).get(fingerprint)
    if known is None:
        raise _Refused(f"unknown code: {name} has the fingerprint {fingerprint}")
    return known[0]


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
    rebind.rebind(pairs, modules)


def _report(message: str) -> None:
    global _problem_reported
    if not _problem_reported:
        _problem_reported = True
        complain(message)


def installed() -> list[Installed]:
    """The proxies that stand now."""
    with _lock:
        return [entry for entry in _installed if entry.stands and entry.proxy is not None]


def add_elsewhere(route: Route) -> None:
    """Switches a route on and off with the others though its proxy stands in no module."""
    with _lock:
        _elsewhere[route.name] = route
        route.enabled = is_enabled()
        route.observer = _observer
    counters.attach(route)
    decline_warning.attach(route)


def elsewhere() -> dict[str, Route]:
    """Routes whose proxies stand in no module of SkyPilot."""
    with _lock:
        return dict(_elsewhere)


def refusals() -> dict[str, str]:
    """Why targets whose modules are loaded have no proxy; ``absent`` if they don't exist."""
    with _lock:
        return dict(_refusals)
