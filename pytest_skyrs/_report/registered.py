"""Registered routes that answered nothing, and candidates that raised."""

from __future__ import annotations

from typing import Any

_RAISED = "candidate-raised"


def findings(table: dict[str, Any], problems: dict[str, str]) -> list[dict[str, Any]]:
    """What is wrong with registered routes, the ones without an answer first.

    Args:
        table: of all routes, as `_results.routes` gives it.
        problems: entry points that could not be registered, and why.

    Returns:
        A dictionary each: ``route``, ``answered``, ``why``, and ``first_exception`` of the
        candidate (``type``, ``message``, ``place``) or ``None``.
    """
    found = [
        {"route": name, "answered": False, "why": problem, "first_exception": None}
        for name, problem in problems.items()
    ]
    for name, route in table.items():
        if not route["registered"]:
            continue
        why = _why(route)
        if why is not None:
            found.append(
                {
                    "route": name,
                    "answered": route["rust"] > 0,
                    "why": why,
                    "first_exception": route["first_exception"],
                }
            )
    return sorted(found, key=lambda finding: bool(finding["answered"]))


def _why(route: dict[str, Any]) -> str | None:
    calls = route["rust"] + route["python"]
    raised = route["declines"].get(_RAISED, 0) + route["declines"].get("panic", 0)
    if raised:
        return f"its candidate raised in {raised} of {calls} calls"
    if route["rust"]:
        return None
    if route["state"] != "active":
        return f"{route['state']}: {route['reason']}"
    if route["declines"]:
        reasons = ", ".join(f"{name} {count}" for name, count in sorted(route["declines"].items()))
        return f"all of its {calls} calls were declined ({reasons})"
    return "it was never called"


def describe(finding: dict[str, Any]) -> str:
    """A finding in a line."""
    line = f"registered route {finding['route']}"
    line += ": " if finding["answered"] else " answered nothing: "
    line += str(finding["why"])
    first = finding["first_exception"]
    if first is not None:
        text = " | ".join(f"{first['type']}: {first['message']}".splitlines())
        line += f"; first {text} at {first['place']}"
    return line
