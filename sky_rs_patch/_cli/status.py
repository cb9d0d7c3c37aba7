"""``python -m sky_rs_patch status``: what is served here, before any call, and why not if not."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import sys
from typing import Any

EPILOG = """\
examples:
  python -m sky_rs_patch status                      what would be served, or is, and what isn't
  python -m sky_rs_patch status --check              exit code 1 if something should be and isn't
  python -m sky_rs_patch status --check --exercise   the same, and each route is called once
  SKY_RS_PATCH_STATS_DIR=DIR python server.py        counters of a program, read with
  python -m sky_rs_patch status --from DIR           ... this, while it runs or afterwards

exit codes: 0; with --check 1 if a route that is present and wanted isn't served, or a sample call
differs; 2 if the command itself can't be carried out
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the command's options."""
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument("--from", dest="directory", metavar="DIR", help="read counters from DIR")
    parser.add_argument(
        "--check", action="store_true", help="exit code 1 if a route that should be served isn't"
    )
    parser.add_argument(
        "--exercise",
        action="store_true",
        help="call each route once, and compare with the original; includes --check",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns its exit code."""
    if options.directory is not None:
        if options.check or options.exercise:
            return _fail("--from reads counters: --check and --exercise look at this environment")
        return _show_processes(options.directory, as_json=options.json)
    from sky_rs_patch import enable

    try:
        enable()
    except ValueError as error:
        return _fail(str(error))
    result = _collect(_import_targets())
    failures = _failures(result)
    if options.exercise:
        failures += _exercise(result)
    result["verdict"] = _verdict(result)
    result["failures"] = failures
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        _show(result)
    return 1 if failures and (options.check or options.exercise) else 0


def _fail(message: str) -> int:
    print(f"sky_rs_patch status: error: {message}", file=sys.stderr)
    return 2


def _import_targets() -> dict[str, str]:
    """Imports what has routes; says of each module why it can't be, if so."""
    from sky_rs_patch import _finder

    problems = {}
    for module in sorted(_finder.watched):
        try:
            # What a module prints at its import isn't ours to show.
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(module)
        except Exception as error:
            # Each of SkyPilot's releases has some of our modules.
            if getattr(error, "name", None) == module in _finder.OWN_MODULES:
                continue
            problems[module] = f"{type(error).__name__}: {error}"
    return problems


def _collect(problems: dict[str, str]) -> dict[str, Any]:
    from sky_rs_patch import status
    from sky_rs_patch._base.names import ACTIVE_VARIABLE
    from sky_rs_patch._cli import site_hook

    result = status(stale=True)
    switch = site_hook.switch()
    result["environment"] = switch
    result["activated"] = site_hook.is_activated()
    result["active_variable"] = os.environ.get(ACTIVE_VARIABLE)
    result["import_problems"] = [
        f"{name} can't be imported: {why}" for name, why in problems.items()
    ]
    for target, route in result["routes"].items():
        why = problems.get(target.rpartition(".")[0])
        if why is not None and route["state"] == "inactive":
            route["reason"] = f"SkyPilot can't be imported: {why}"
    return result


def _failures(result: dict[str, Any]) -> list[str]:
    """What should be served and isn't, and everything else that is wrong."""
    failures = [*result["import_problems"]]
    failures += [f"{name}: {why}" for name, why in result["problems"].items()]
    for target, route in result["routes"].items():
        if route["expected"] and not route["served"]:
            why = route["reason"] or "SKYPILOT_USE_RUST is off"
            failures.append(f"{target} isn't served: {why}")
    if not any(route["expected"] for route in result["routes"].values()):
        failures.append("no function of any route is here")
    return failures


def _exercise(result: dict[str, Any]) -> list[str]:
    """Makes the sample calls, notes each in its route, and returns those that are wrong."""
    from sky_rs_patch._cli import exercise
    from sky_rs_patch._runtime import status as _status

    wanted = [target for target, route in result["routes"].items() if route["served"]]
    # SkyPilot may print on the way.
    with contextlib.redirect_stdout(sys.stderr):
        exercised = exercise.exercise(wanted)
    now = _status.collect(examine=False)["routes"]
    for target, route in result["routes"].items():
        route["calls"], route["declines"] = now[target]["calls"], now[target]["declines"]
        one = exercised.get(target)
        route["exercise"] = None if one is None else one._asdict()
    return [
        f"{target}, its sample call: {one.problem}"
        for target, one in exercised.items()
        if one.problem is not None
    ]


def _verdict(result: dict[str, Any]) -> str:
    from sky_rs_patch._runtime import status as _status

    would_be = not result["activated"]
    parts = [_status.verdict(result, would_be=would_be)]
    called = {
        target.rpartition(".")[2]: route["exercise"]
        for target, route in result["routes"].items()
        if route.get("exercise")
    }
    if any("exercise" in route for route in result["routes"].values()):
        wrong = [f"{name} ({one['problem']})" for name, one in called.items() if one["problem"]]
        parts.append(
            f"{len(wrong)} of {len(called)} failed their sample calls: {', '.join(wrong)}"
            if wrong
            else f"{len(called)} called, each answered by Rust as the original does"
            if called
            else "none called"
        )
        alone = [
            target.rpartition(".")[2]
            for target, route in result["routes"].items()
            if route["served"] and not route["exercise"]
        ]
        if alone:
            parts.append(f"without a sample call: {', '.join(alone)}")
    if would_be:
        parts.append("not switched on (python -m sky_rs_patch.activate does it)")
    return "; ".join(parts)


def _show(result: dict[str, Any]) -> None:
    from sky_rs_patch._base import switch as _switch
    from sky_rs_patch._base.names import ACTIVE_VARIABLE
    from sky_rs_patch._runtime import status as _status

    build = result["extension"]
    lines = [
        result["verdict"],
        "",
        f"sky_rs_patch {result['version']}, Python {result['python']}, "
        f"SkyPilot {result['skypilot']}",
        f"extension: none: {build['problem']}"
        if build["problem"]
        else f"extension: {build['profile']} build of {build['version']} ({build['commit']})",
    ]
    proxy = result["proxy"]
    if proxy is not None:
        lines.append(f"proxies: {'native' if proxy['native'] else 'Python: ' + proxy['problem']}")
    value = result["switch"]["value"]
    said = "not set" if value is None else f"= {value!r}"
    lines.append(
        f"{_switch.VARIABLE} {said}: calls go to {'Rust' if result['switch']['on'] else 'Python'}"
    )
    switch = result["environment"]
    lines.append(f"environment: {f'switched on by {switch}' if switch else 'not switched on'}")
    if result["active_variable"] is not None:
        on = "on" if result["activated"] else "off, whatever else is switched on"
        lines.append(f"{ACTIVE_VARIABLE} = {result['active_variable']!r}: {on}")
    lines += [f"problem: {problem}" for problem in result["import_problems"]]
    lines += [f"problem: {name}: {why}" for name, why in result["problems"].items()]
    lines += _help(result)
    routes = result["routes"]
    for target, route in routes.items():
        one = route.get("exercise")
        if one and one["problem"]:
            lines.append(f"sample call: {target}: {one['problem']}")
    shown = _status.words(routes, would_be=not result["activated"])
    print("\n".join([*lines, "", _status.table(routes, shown=shown)]))


def _help(result: dict[str, Any]) -> list[str]:
    """What would help, once for all routes that it helps."""
    helped: dict[str, list[str]] = {}
    for target, route in result["routes"].items():
        if route["expected"] and route["help"]:
            helped.setdefault(route["help"], []).append(target.rpartition(".")[2])
    return [f"help: {', '.join(names)}: {what}" for what, names in helped.items()]


def _show_processes(directory: str, *, as_json: bool) -> int:
    from sky_rs_patch._binding import counters
    from sky_rs_patch._runtime import status as _status

    try:
        if not directory:
            raise ValueError("that is no name of a directory")
        processes = counters.read(directory)
    except (OSError, ValueError) as error:
        return _fail(f"--from: no counters in {directory}: {error}")
    total = counters.total(processes)
    if as_json:
        schema = {"schema": _status.SCHEMA, "routes": total, "processes": processes}
        print(json.dumps(schema, indent=2))
    else:
        print(f"{len(processes)} processes\n\n{_status.table(total, states=False)}")
    return 0
