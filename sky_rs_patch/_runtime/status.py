"""What is routed, and what it has served: as a dictionary and as a table."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from sky_rs_patch._base import interrupts
from sky_rs_patch._base import switch as _switch
from sky_rs_patch._base.names import __version__
from sky_rs_patch._binding import counters
from sky_rs_patch._binding import extension as _extension
from sky_rs_patch._binding.obstacle import obstacle
from sky_rs_patch._routes.registry import RegisteredRoute, registry
from sky_rs_patch._routes.specs import RouteSpec
from sky_rs_patch._runtime import installer

if TYPE_CHECKING:
    from sky_rs_patch._native import Route

SCHEMA = 1


def collect(*, stale: bool = False) -> dict[str, Any]:
    """The status of this process; see `sky_rs_patch.status`."""
    routes = {
        target: _route(target)
        for target in dict.fromkeys(
            [*registry.targets(), *installer.elsewhere(), *counters.targets()]
        )
    }
    if stale:
        from sky_rs_patch._runtime import stale_references

        for target, holders in stale_references.of_routes(installer.installed()).items():
            routes[target]["stale"] = holders
    extension = _extension.load()
    value = os.environ.get(_switch.VARIABLE)
    try:
        switch = {"value": value, "on": _switch.parse(value), "problem": None}
    except ValueError as error:
        switch = {"value": value, "on": False, "problem": str(error)}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "enabled": installer.is_enabled(),
        "switch": switch,
        "extension": {
            **_extension.build_info(),
            "problem": extension.problem,
            "panics": _extension.panics(),
        },
        "proxy": _proxy_kind(),
        "python": platform.python_version(),
        "skypilot": _skypilot_version(),
        "problems": dict(registry.problems),
        "routes": routes,
    }


def _proxy_kind() -> dict[str, Any] | None:
    if "wrapt" not in sys.modules or obstacle() is not None:
        return None
    from sky_rs_patch._binding import proxies

    kind = proxies.kind()
    return {"native": kind.native, "problem": kind.problem}


def _skypilot_version() -> str | None:
    from importlib import metadata

    for name in ("skypilot", "skypilot-nightly"):
        try:
            return metadata.version(name)
        except Exception as error:
            # It isn't installed, or somebody's finder of distributions fails.
            if not interrupts.is_failure(error):
                raise
    return None


def _route(target: str) -> dict[str, Any]:
    route = registry.get(target)
    state, reason, copies, live = _state(target)
    result = {
        "state": state,
        "reason": reason,
        "source": route.source if isinstance(route, RegisteredRoute) else "built-in",
        "rebound": copies,
        **counters.empty(),
    }
    rust, python, declines, failures = counters.counts(target)
    # Guards by name say more than their sum, as far as they are remembered.
    unnamed = declines.pop("guard", 0) - sum(failures.values())
    declines.update({f"guard:{label}": count for label, count in failures.items()})
    if unnamed > 0:
        declines["guard"] = unnamed
    counters.merge(result, rust, python, declines)
    problem = live.guard_problem() if live is not None else None
    if problem is not None and reason is None:
        result["reason"] = f"on Python for now: {problem}"
    if live is not None and reason is None and isinstance(route, RouteSpec) and route.opt_in:
        problem = problem or route.opt_in.problem()
        result["reason"] = (
            f"on Python for now: {problem}"
            if problem
            else f"not exact in effect: {route.opt_in.document}"
        )
    return result


def _state(target: str) -> tuple[str, str | None, list[str], Route | None]:
    """State, reason, copies, and the route that serves the target now."""
    module_name, _, attribute = target.rpartition(".")
    if registry.get(target) is None:
        route = installer.elsewhere().get(target)
        if route is None:
            return "inactive", "its route was taken away", [], None
        if not route.enabled:
            return "inactive", "not enabled", [], None
        return "active", None, [], route
    module = sys.modules.get(module_name)
    for entry in reversed(installer.installed()):
        if entry.target == target and module is not None and entry.module is module:
            copies = sorted(entry.copies)
            standing = vars(module).get(attribute)
            if standing is not None and standing is entry.proxy:
                return "active", None, copies, standing._self_route
            reason = "the proxy was replaced in its module by something else"
            return "inactive", reason, copies, None
    refusal = installer.refusals().get(target)
    if refusal == "absent":
        return "absent", f"{module_name} has no {attribute}", [], None
    if refusal is not None:
        return "inactive", refusal, [], None
    if module is None and _is_missing(module_name):
        return "absent", f"there is no {module_name}", [], None
    if module is None:
        return "inactive", f"{module_name} is not imported", [], None
    if attribute not in vars(module):
        return "absent", f"{module_name} has no {attribute}", [], None
    return "inactive", "not enabled", [], None


def _is_missing(module: str) -> bool:
    """Whether it is known that there is no such module: its package is here, and has none."""
    if module.rpartition(".")[0] not in sys.modules:
        return False
    try:
        return importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        return False


def table(routes: dict[str, Any], *, states: bool = True) -> str:
    """A table of routes, a line each, for people."""
    header = ["route", *(["state"] if states else []), "rust", "python", "declines and reasons"]
    rows = []
    for target, route in routes.items():
        notes = [f"{reason} {count}" for reason, count in sorted(route["declines"].items())]
        if route.get("reason"):
            notes.insert(0, str(route["reason"]))
        if route.get("stale"):
            notes.append(f"the original is still held by {', '.join(route['stale'])}")
        calls = [str(route["calls"]["rust"]), str(route["calls"]["python"])]
        rows.append([target, *([route["state"]] if states else []), *calls, "; ".join(notes)])
    numbers = {header.index("rust"), header.index("python")}
    return "\n".join(aligned([header, *rows], numbers, ruled=True))


def aligned(rows: list[list[str]], right: set[int], *, ruled: bool = False) -> list[str]:
    """Rows as lines with columns.

    Args:
        rows: the header, and the others; all of the same length.
        right: columns that are aligned to the right.
        ruled: draw a line below the header.
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    if ruled:
        rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
