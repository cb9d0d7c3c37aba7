"""Choice of what answers for an original: a native function, or a registered candidate.

Code that isn't known by its fingerprint is refused.
"""

from __future__ import annotations

import functools
import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from sky_rs_patch._binding import proxies
from sky_rs_patch._fingerprints import compute
from sky_rs_patch._guards import derive
from sky_rs_patch._routes import opt_in as _opt_in
from sky_rs_patch._routes.registry import AnyRoute, RegisteredRoute, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sky_rs_patch._native import GuardBuilder
    from sky_rs_patch._routes.spec import RouteSpec

    #: A function, and its parts when it was fingerprinted (`compute.parts`).
    Known = tuple[FunctionType, tuple[object, ...]]


class Refused(Exception):
    """A route stays on Python; the message says why."""


def choose(
    original: FunctionType, module: ModuleType, target: str, route: AnyRoute
) -> tuple[str | Callable[..., Any], Callable[[], GuardBuilder]]:
    """The native function or candidate that answers for an original, and the guards' resolver.

    Args:
        original: the function as it was found.
        module: the module in which it was found.
        target: its dotted name.
        route: the route's description.

    Raises:
        Refused: the code, or that of a function that it calls, isn't known.
    """
    if isinstance(route, RegisteredRoute):
        candidate, problem = route.load()
        if candidate is None:
            raise Refused(str(problem))
        if route.fingerprints:
            try:
                fingerprint = compute.fingerprint(original)
            except compute.Unknown as error:
                raise Refused(f"unknown code: {error}") from None
            if fingerprint not in route.fingerprints:
                raise Refused(f"unknown code: {target} has the fingerprint {fingerprint}")
        unchanged = None
        if route.fingerprints:
            unchanged = _unchanged([(original, compute.parts(original))])
        return candidate, derive.resolver(original, reads=route.reads, precondition=unchanged)

    variant = known_variant(original, target)
    known: list[FunctionType] = [original]
    if variant not in route.natives:
        raise Refused(f"no native function covers variant {variant} of {target}")
    for callee, variants in route.callees.items():
        known.append(require(vars(module).get(callee), f"{module.__name__}.{callee}", variants))
    for name, variants in route.elsewhere.items():
        home, _, attribute = name.rpartition(".")
        function = vars(sys.modules.get(home, module)).get(attribute)
        # Not every release has all of them.
        if function is not None:
            known.append(require(function, name, variants))
    native = route.natives[variant]
    answering = native if route.opt_in is None else route.opt_in.make(original)
    return answering, _resolver(route, original, [(each, compute.parts(each)) for each in known])


def resolver_of(
    target: str, original: FunctionType, functions: Iterable[Known]
) -> Callable[[], GuardBuilder]:
    """The guards' resolver of a route that the extension has chosen a native function for.

    Args:
        target: the original's dotted name.
        original: the function.
        functions: it and others that the native function covers, as they were then.
    """
    return _resolver(registry.own(target), original, functions)


def _resolver(
    route: RouteSpec, original: FunctionType, functions: Iterable[Known]
) -> Callable[[], GuardBuilder]:
    return derive.resolver(
        original,
        reads=route.reads,
        unread=derive.ONLY_IN_ERRORS,
        context=route.context,
        precondition=_unchanged(functions, route.precondition),
        examine=route.examine,
    )


def require(found: object, name: str, variants: str) -> FunctionType:
    """The callee's function; refuses variants that the native function doesn't cover."""
    from sky_rs_patch._fingerprints.known_variants import DECORATED

    route = proxies.route_of(found)
    function = found if route is None else route.original
    # Other decorators may do anything, whatever they say is wrapped by them.
    cached = type(function) is functools._lru_cache_wrapper
    function = function.__wrapped__ if cached else function  # type: ignore[attr-defined]
    variant = known_variant(function, name, decorated=cached)
    if cached != (compute.fingerprint(function) in DECORATED):
        raise Refused(f"unknown code: {name} is{'' if cached else ' no longer'} decorated")
    if variant not in variants:
        raise Refused(f"unknown code: no native function covers variant {variant} of {name}")
    # What has a fingerprint is one.
    return cast("FunctionType", function)


def _unchanged(
    known: Iterable[Known], further: Callable[[], str | None] | None = None
) -> Callable[[], str | None]:
    """Makes what says at the first call whether functions are still as they were fingerprinted."""

    def precondition() -> str | None:
        for function, parts in known:
            if not compute.are_same(parts, compute.parts(function)):
                return f"{function.__module__}.{function.__qualname__} was changed"
        return None if further is None else further()

    return precondition


def opt_in_refusal(route: AnyRoute) -> str | None:
    """The reason for which an opt-in route is disabled, or ``None``."""
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
    """The letter of a SkyPilot function's known variant; raises `Refused` without one."""
    from sky_rs_patch._fingerprints.known_variants import KNOWN

    try:
        fingerprint = compute.fingerprint(function, decorated=decorated)
    except compute.Unknown as error:
        raise Refused(f"unknown code: {error}") from None
    known = KNOWN.get(name, {}).get(fingerprint)
    if known is None:
        raise Refused(f"unknown code: {name} has the fingerprint {fingerprint}")
    return known[0]
