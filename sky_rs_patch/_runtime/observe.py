"""Observation of calls: one observer for all routes of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sky_rs_patch._binding import counters, extension
from sky_rs_patch._runtime import decline_warning, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sky_rs_patch._native import Route

#: Is told of every call of every route; see `Route.observer`.
_observer: Callable[..., Any] | None = None


def observe(observer: Callable[..., Any] | None) -> None:
    """Lets an observer see every routed call of this process, or nobody any more.

    Args:
        observer: called as ``observer(target, args, kwargs)`` before each call; what it returns,
            if not ``None``, is called after it as ``finish(path, nanoseconds, result,
            exception)``. It changes neither the call nor its result.
    """
    global _observer
    with table.lock:
        _observer = observer
        for entry in table.entries:
            proxy = entry.proxy
            if proxy is not None:
                proxy._self_route.observer = observer
        for route in table.routes_elsewhere.values():
            route.observer = observer


def attach_all() -> None:
    """Does for the proxies that were put in at the start what `attach` does for others."""
    native = extension.load().module
    for target, counts in native.take_left_counts() if native is not None else ():
        counters.add(target, counts)
    for entry in table.installed():
        proxy = entry.proxy
        if proxy is not None:
            attach(proxy._self_route)


def attach(route: Route) -> None:
    """Lets a new route count where the process does, be observed, and warn of a decline."""
    route.observer = _observer
    counters.attach(route)
    decline_warning.attach(route)
