"""The functions that ``sky_rs_patch`` offers to programs."""

from __future__ import annotations

import sys

from sky_rs_patch._runtime import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from typing import Any


def enable(*, opt_in: Iterable[str] = ()) -> None:
    """Routes SkyPilot's utilities to Rust in this process, now and at later imports.

    Functions of modules that are imported already are replaced at once, together with copies
    that other modules took of them. Enabling twice is the same as once.

    Args:
        opt_in: names of routes that aren't exact in effect, to be served in this process as
            well. ``SKY_RS_ENABLE`` asks for them in child processes, too.

    Raises:
        ValueError: if ``SKYPILOT_USE_RUST`` has a value that isn't a switch value, or if
            ``opt_in`` or ``SKY_RS_ENABLE`` names an unknown route.
    """
    start.enable(opt_in)


def disable() -> None:
    """Puts the very originals back, and stops watching imports. Disabling twice is harmless."""
    from sky_rs_patch._runtime import installer

    installer.disable()


def enabled(*, opt_in: Iterable[str] = ()) -> AbstractContextManager[None]:
    """Enables for the length of a ``with`` block; what was enabled before stays so."""
    import contextlib

    return contextlib.contextmanager(_enabled)(opt_in)


def _enabled(opt_in: Iterable[str]) -> Iterator[None]:
    from sky_rs_patch._routes import opt_in as _opt_in
    from sky_rs_patch._runtime import installer

    before, chosen = installer.is_enabled(), _opt_in.chosen
    installer.enable(opt_in)
    try:
        yield
    finally:
        if before:
            installer.choose(chosen)
        else:
            installer.disable()


def status(*, stale: bool = False, examine: bool = True) -> dict[str, Any]:
    """Tells what is routed in this process, and what it has served.

    Args:
        stale: also find who still holds originals: default arguments, closures, classes,
            registries and the like that took them before they were routed. Each active route
            then has ``stale``, a list of ``module: name``. It asks the garbage collector about
            every object of the process, which takes a good part of a second.
        examine: look now at what active routes take for granted, as their next calls would, so
            that ``reason`` is there before any call. It takes some milliseconds a route, once.

    Returns:
        A dictionary that can be dumped as JSON. ``["routes"][target]`` has ``state``
        (``active``, ``inactive`` or ``absent``), ``served`` (whether Rust may answer an
        ordinary call now), ``reason`` and ``help`` if it doesn't, ``expected`` (whether it
        should: a function that is here, and opt-in routes if somebody asked), ``calls``
        (``{"rust": n, "python": n}``), ``declines`` (``{reason: n}``) and
        ``first_exception``: ``type``, ``message`` and ``place`` of what a registered candidate
        first raised, or ``None``.
    """
    from sky_rs_patch._runtime import status as _status

    return _status.collect(stale=stale, examine=examine)


def register(
    target: str,
    candidate: Callable[..., Any],
    *,
    fingerprints: Iterable[str] = (),
    reads: Iterable[str] = (),
    replace: bool = False,
    pure: bool = False,
    raises: bool = False,
) -> None:
    """Adds a route of your own: the same proxy, the same guards, the same double test run.

    Args:
        target: dotted name of a plain function, ``package.module.function``.
        candidate: any callable. It gets the arguments of each call; what it returns is the
            result. It declines by returning ``NotImplemented`` or raising any ``Exception``,
            after which the original runs with the same arguments, so it must decline before
            any side effect.
        fingerprints: the code that the candidate equals (`fingerprint` computes them); with
            other code the original runs. Empty accepts any code.
        reads: dotted names that the original reads beyond what its code shows.
        replace: put the route in the place of one that the target has already.
        pure: the target has no effects but its result, so that a test session may run both
            sides of a call (``pytest --skyrs-shadow``).
        raises: an exception of the candidate is the call's exception, not a decline. For
            candidates that reproduce the original's exceptions; the double test run compares
            them.

    Raises:
        TypeError: if the candidate can't be called.
        ValueError: if the target isn't a dotted name, or has a route already.
    """
    from sky_rs_patch._routes.registry import RegisteredRoute, registry
    from sky_rs_patch._runtime import installer

    if not callable(candidate):
        raise TypeError(f"the candidate for {target} is {candidate!r}, which can't be called")
    caller = sys._getframe(1).f_globals
    route = RegisteredRoute(
        target,
        lambda: candidate,
        fingerprints,
        reads,
        "register()",
        pure=pure,
        raises=raises,
        registrar=(caller.get("__name__"), caller.get("__file__")),
    )
    registry.add(route, replace=replace)
    installer.refresh(target)


def unregister(target: str) -> None:
    """Takes a registered route away; the target's built-in route comes back if it has one.

    Raises:
        KeyError: if no route is registered for the target.
    """
    from sky_rs_patch._routes.registry import registry
    from sky_rs_patch._runtime import installer

    registry.remove(target)
    installer.refresh(target)


def fingerprint(function: Callable[..., Any]) -> str:
    """The fingerprint of a function's code, for `register`.

    Raises:
        ValueError: if it is no plain function, or its source can't be found.
    """
    from sky_rs_patch._fingerprints import compute

    try:
        return compute.fingerprint(getattr(function, "__wrapped__", function))
    except compute.Unknown as error:
        raise ValueError(str(error)) from None
