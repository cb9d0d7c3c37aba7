"""Status of the process: its routes and what they have served, as a dictionary and a table."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from sky_rs_patch._base import interrupts
from sky_rs_patch._base import switch as _switch
from sky_rs_patch._base.names import __version__
from sky_rs_patch._binding import candidates, counters
from sky_rs_patch._binding import extension as _extension
from sky_rs_patch._binding.proxies import obstacle
from sky_rs_patch._routes import opt_in
from sky_rs_patch._routes.registry import RegisteredRoute, registry
from sky_rs_patch._routes.spec import RouteSpec
from sky_rs_patch._runtime import advice, installer
from sky_rs_patch._runtime import table as _table

if TYPE_CHECKING:
    from sky_rs_patch._native import Route

SCHEMA = 1


def collect(*, stale: bool = False, examine: bool = True) -> dict[str, Any]:
    """The status of this process; see `sky_rs_patch.status`."""
    value = os.environ.get(_switch.VARIABLE)
    try:
        switch = {"value": value, "on": _switch.parse(value), "problem": None}
    except ValueError as error:
        switch = {"value": value, "on": False, "problem": str(error)}
    routes = {
        target: _route(target, examine=examine, on=bool(switch["on"]))
        for target in dict.fromkeys([*registry.targets(), *_table.elsewhere(), *counters.targets()])
    }
    if stale:
        from sky_rs_patch._runtime import stale_references

        for target, holders in stale_references.of_routes(_table.installed()).items():
            routes[target]["stale"] = holders
    extension = _extension.load()
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


def _route(target: str, *, examine: bool, on: bool) -> dict[str, Any]:
    route = registry.get(target)
    state, reason, copies, live = _state(target)
    if examine and live is not None:
        live.examine()
    result: dict[str, Any] = {
        "state": state,
        "served": False,
        "expected": _is_expected(route, state),
        "reason": reason,
        "help": None,
        "source": route.source if isinstance(route, RegisteredRoute) else "built-in",
        "registered_by": _registrar(route),
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
    result["first_exception"] = candidates.first_exception(target)
    problem = live.guard_problem() if live is not None else None
    if live is not None and isinstance(route, RouteSpec) and route.opt_in:
        problem = problem or route.opt_in.problem()
        result["reason"] = f"not exact in effect: {route.opt_in.document}"
    if problem is not None:
        result["reason"] = f"on Python for now: {problem}"
    result["served"] = state == "active" and problem is None and on
    if not result["served"] and result["reason"]:
        result["help"] = advice.on(result["reason"])
    return result


def _is_expected(route: RegisteredRoute | RouteSpec | None, state: str) -> bool:
    """Whether the route should be served, as far as the user's wishes go."""
    if isinstance(route, RegisteredRoute):
        # Whoever registers a function means one that is there.
        return True
    if route is None or state == "absent":
        return False
    try:
        return route.opt_in is None or route.opt_in.name in opt_in.current()
    except ValueError:
        return False


def _registrar(route: object) -> dict[str, str | None] | None:
    if not isinstance(route, RegisteredRoute) or route.registrar is None:
        return None
    module, file = route.registrar
    return {"module": module, "file": file}


def _state(target: str) -> tuple[str, str | None, list[str], Route | None]:
    """State, reason, copies, and the route that serves the target now."""
    module_name, _, attribute = target.rpartition(".")
    if registry.get(target) is None:
        route = _table.elsewhere().get(target)
        if route is None:
            return "inactive", "its route was taken away", [], None
        if not route.enabled:
            return "inactive", "not enabled", [], None
        return "active", None, [], route
    module = sys.modules.get(module_name)
    for entry in reversed(_table.installed()):
        if entry.target == target and module is not None and entry.module is module:
            copies = sorted(entry.copies)
            standing = vars(module).get(attribute)
            if standing is not None and standing is entry.proxy:
                return "active", None, copies, standing._self_route
            reason = "the proxy was replaced in its module by something else"
            return "inactive", reason, copies, None
    refusal = _table.refusals().get(target)
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


def words(routes: dict[str, Any], *, would_be: bool = False) -> dict[str, str]:
    """How each route stands, in a word or two.

    Args:
        routes: of the status.
        would_be: nothing is switched on, so that they are served in this process only.
    """
    served = "would be served" if would_be else "served"
    return {
        target: served
        if route["served"]
        else "on Python"
        if route["state"] == "active" or route["expected"]
        else route["state"]
        for target, route in routes.items()
    }


def verdict(status: dict[str, Any], *, would_be: bool = False) -> str:
    """What the status amounts to, in one line."""
    routes = status["routes"]
    expected = [target for target, route in routes.items() if route["expected"]]
    served = [target for target in expected if routes[target]["served"]]
    said = f"{len(served)} of {len(expected)} routes {'would be ' if would_be else ''}served"
    parts = [said]
    if not status["switch"]["on"]:
        value = status["switch"]["value"]
        return f"{said}: {_switch.VARIABLE}={value!r} keeps every call on Python"
    reasons: dict[str, list[str]] = {}
    for target in expected:
        if not routes[target]["served"]:
            reason = str(routes[target]["reason"]).removeprefix("on Python for now: ")
            reasons.setdefault(reason, []).append(target.rpartition(".")[2])
    if len(reasons) == 1 and not served:
        parts[0] += f": {next(iter(reasons))}"
    elif reasons:
        names = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
        parts.append(f"{len(expected) - len(served)} on Python: {names}")
    asked = [target for target, route in routes.items() if _may_be_asked_for(target, route)]
    if asked:
        names = ", ".join(target.rpartition(".")[2] for target in asked)
        parts.append(f"{len(asked)} on request: {names}")
    return "; ".join(parts)


def _may_be_asked_for(target: str, route: dict[str, Any]) -> bool:
    spec = registry.get(target)
    wanted = isinstance(spec, RouteSpec) and spec.opt_in is not None
    return wanted and not route["expected"] and route["state"] != "absent"


def table(
    routes: dict[str, Any], *, states: bool = True, shown: dict[str, str] | None = None
) -> str:
    """A table of routes, a line each, for people.

    Args:
        routes: of the status, or counters of processes.
        states: show how each stands.
        shown: words for that in the place of the states.
    """
    header = ["route", *(["state"] if states else []), "rust", "python", "declines and reasons"]
    rows = []
    for target, route in routes.items():
        notes = [f"{reason} {count}" for reason, count in sorted(route["declines"].items())]
        if route.get("reason"):
            notes.insert(0, str(route["reason"]))
        raised = route.get("first_exception")
        if raised:
            said = f"{raised['type']}: {raised['message']}"
            notes.append(f"its candidate first raised {said} ({raised['place']})")
        if route.get("stale"):
            notes.append(f"the original is still held by {', '.join(route['stale'])}")
        calls = [str(route["calls"]["rust"]), str(route["calls"]["python"])]
        state = [(shown or {}).get(target) or route["state"]] if states else []
        rows.append([target, *state, *calls, "; ".join(notes)])
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
