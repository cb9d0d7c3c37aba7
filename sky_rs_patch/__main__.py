"""``python -m sky_rs_patch status|fingerprints|demo|bench|report``."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import sys
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sky_rs_patch", description="SkyPilot's utilities served by Rust, in place."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    status = commands.add_parser(
        "status",
        help="what is routed, and what it has served",
        description="Imports SkyPilot with the routes enabled and says what stands where. With "
        "--from, sums up the counters of all processes that ran with SKY_RS_PATCH_STATS_DIR=DIR.",
    )
    status.add_argument("--json", action="store_true", help="print a JSON object")
    status.add_argument("--from", dest="directory", metavar="DIR", help="read counters from DIR")
    status.set_defaults(run=_status)
    from sky_rs_patch._cli import fingerprints

    known = commands.add_parser(
        "fingerprints",
        help="which originals are known, and what changed",
        description="Says of a SkyPilot which functions are those that the routes were made for, "
        "and shows what changed in the others. Nothing of SkyPilot is imported.",
    )
    fingerprints.add_options(known)
    known.set_defaults(run=fingerprints.run)
    demo = commands.add_parser("demo", help="a real API server, served by Rust: see the README")
    demo.add_argument("--home", metavar="DIR", help="use this home directory, and keep it")
    demo.set_defaults(run=_demo)
    from sky_rs_patch._bench import command, report

    bench = commands.add_parser(
        "bench",
        help="what the routes gain, measured here",
        description="Times each original against its route by turns, and against what bounds it. "
        "Needs pyperf: pip install 'sky-rs-patch[bench]'.",
    )
    command.add_options(bench)
    bench.set_defaults(run=command.run)
    shown = commands.add_parser(
        "report",
        help="the results of bench as Markdown or as one HTML page",
        description="Without --from a benchmark is run first, end to end.",
    )
    report.add_options(shown)
    shown.set_defaults(run=report.run)
    options = parser.parse_args(arguments)
    return int(options.run(options))


def _status(options: argparse.Namespace) -> int:
    from sky_rs_patch._binding import counters
    from sky_rs_patch._runtime import status as _status

    if options.directory is not None:
        try:
            processes = counters.read(options.directory)
        except (OSError, ValueError) as error:
            print(
                f"sky_rs_patch: error: no counters in {options.directory}: {error}", file=sys.stderr
            )
            return 1
        return _print_processes(processes, as_json=options.json)

    from sky_rs_patch import _finder, enable
    from sky_rs_patch import status as collect
    from sky_rs_patch._base import switch as _switch
    from sky_rs_patch._cli import site_hook

    try:
        enable()
    except ValueError as error:
        print(f"sky_rs_patch: error: {error}", file=sys.stderr)
        return 2
    problems = []
    for module in sorted(_finder.watched):
        try:
            # What a module prints at its import isn't ours to show.
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(module)
        except Exception as error:
            # Each of SkyPilot's releases has some of our modules.
            if getattr(error, "name", None) == module in _finder.OWN_MODULES:
                continue
            problems.append(f"{module} can't be imported: {type(error).__name__}: {error}")
    result = collect(stale=True)
    switch = site_hook.switch()
    result["environment"] = str(switch) if switch else None
    result["import_problems"] = problems
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    build = result["extension"]
    print(f"sky_rs_patch {result['version']}", end=", ")
    print(f"Python {result['python']}, SkyPilot {result['skypilot']}")
    if build["problem"]:
        print(f"extension: none: {build['problem']}")
    else:
        print(f"extension: {build['profile']} build of {build['version']} ({build['commit']})")
    proxy = result["proxy"]
    if proxy is not None:
        print("proxies: native" if proxy["native"] else f"proxies: Python: {proxy['problem']}")
    value = result["switch"]["value"]
    said = "not set" if value is None else f"= {value!r}"
    print(
        f"{_switch.VARIABLE} {said}: calls go to {'Rust' if result['switch']['on'] else 'Python'}"
    )
    print(f"environment: {f'switched on by {switch}' if switch else 'not switched on'}")
    for problem in [*problems, *(f"{name}: {why}" for name, why in result["problems"].items())]:
        print(f"problem: {problem}")
    print()
    print(_status.table(result["routes"]))
    return 0


def _print_processes(processes: list[dict[str, Any]], *, as_json: bool) -> int:
    from sky_rs_patch._binding import counters
    from sky_rs_patch._runtime import status as _status

    total = counters.total(processes)
    if as_json:
        print(
            json.dumps(
                {"schema": _status.SCHEMA, "routes": total, "processes": processes}, indent=2
            )
        )
        return 0
    print(f"{len(processes)} processes\n")
    print(_status.table(total, states=False))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from sky_rs_patch._cli import demo as _demo

    return _demo.run(home=options.home)


if __name__ == "__main__":
    sys.exit(main())
